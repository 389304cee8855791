//! `proxmox_get_storage_content`: what lies on storages.

use std::collections::BTreeMap;

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::Cx;
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::listing::{Cursor, Page, Pattern};
use crate::missing::{self, Missing};
use crate::dates::moment;
use crate::pve::ids::{NodeName, StorageId, Vmid};
use crate::pve::resources;
use crate::pve::volumes::{self, Item, Place, Want};
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset, Whole};

/// The most nodes that a row names.
const NODES_SHOWN: usize = 4;

crate::words! {
    /// A kind of content.
    enum Content {
        /// Images of CDs and DVDs.
        Iso = "iso",
        /// Templates of containers.
        Template = "vztmpl",
        /// Backups.
        Backup = "backup",
        /// Disks of VMs.
        Images = "images",
        /// Disks of containers.
        Rootdir = "rootdir",
        /// Hook scripts and cloud-init files.
        Snippets = "snippets",
        /// Disk images to import.
        Import = "import",
    }
}

crate::params! {
    /// Storage id.
    storage: Option<StorageId>,
    /// Only storages of this node.
    node: Option<NodeName>,
    /// Content.
    content: Option<Content>,
    /// Only of this guest.
    vmid: Hidden<Vmid>,
    /// Name.
    name: Option<Pattern>,
    /// How many rows.
    limit: Hidden<Whole<1, 500>>,
    /// Where to go on.
    cursor: Option<Cursor>,
}

const VOLUME: Shape = Shape::Object(&[
    always("volume", Shape::Text),
    always("content", Shape::Text),
    known("size_bytes", Shape::Count),
    known("vmid", Shape::Count),
    known("made_at", Shape::Count).about("Unix time"),
    known("nodes", Shape::List(&Shape::Text)).about("only on these"),
    known("protected", Shape::Flag),
]);
const KIND: Shape = Shape::Object(&[
    always("content", Shape::Text),
    always("volumes", Shape::Count),
    always("size_bytes", Shape::Count),
]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_storage_content",
    title: "List volumes",
    description: "Lists ISOs, templates, disks and backups on storages.",
    toolset: Toolset::Storage,
    aliases: &[Alias::of("proxmox_list_templates").fixed(&[("content", "\"vztmpl\"")])],
    params: PARAMS,
    output: Shape::Object(&[
        always("total", Shape::Count),
        always("kinds", Shape::List(&KIND)),
        always("volumes", Shape::List(&VOLUME)),
        known("next_cursor", Shape::Text),
        missing::FIELD,
    ]),
    calls: &[&methods::GET_CLUSTER_RESOURCES, &methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    let mut missing = Missing::new();
    let want = Want {
        content: params.content.map(Content::word),
        vmid: params.vmid.get().copied(),
        storage: params.storage.as_ref(),
        node: params.node.as_ref(),
    };
    let mut places = volumes::places(&rows, want, &mut missing)?;
    let replies = volumes::ask(cx, &mut places, want);
    let answers = volumes::answered(places, replies, &mut missing)?;
    let mut all: BTreeMap<Key, Volume<'_>> = BTreeMap::new();
    for (place, reply) in &answers {
        for item in missing.take_one(place.to_string(), volumes::items(reply)).unwrap_or_default() {
            if params.fits(&item) {
                all.entry(key(&item, place)).or_insert_with(|| Volume { item, nodes: Vec::new() }).add(place);
            }
        }
    }
    answer(&params, all.into_values().collect(), &missing)
}

impl Params {
    fn fits(&self, item: &Item<'_>) -> bool {
        let file = item.volid.split_once(':').map_or(&*item.volid, |(_, name)| name);
        self.content.is_none_or(|content| *item.content == *content.word())
            && self.vmid.get().is_none_or(|vmid| item.guest_id() == Some(*vmid))
            && self.name.as_ref().is_none_or(|name| name.fits(file))
    }

    fn subject(&self) -> String {
        let kind = match self.content {
            Some(Content::Iso) => "ISO images",
            Some(Content::Template) => "Container templates",
            Some(Content::Backup) => "Backups",
            Some(Content::Images) => "Disks of VMs",
            Some(Content::Rootdir) => "Disks of containers",
            Some(Content::Snippets) => "Snippets",
            Some(Content::Import) => "Images to import",
            None => "Volumes",
        };
        self.storage.as_ref().map_or_else(|| kind.to_owned(), |storage| format!("{kind} on {storage}"))
    }
}

/// What sorts volumes, and tells them apart: the same file on several nodes is one row; disks of guests are not
/// the same because their names are.
type Key = (String, String, u64, String);

fn key(item: &Item<'_>, place: &Place) -> Key {
    let own = matches!(&*item.content, "images" | "rootdir") && !place.shared;
    let node = if own { place.node.to_string() } else { String::new() };
    (item.content.to_string(), item.volid.to_string(), item.size.whole().unwrap_or_default(), node)
}

/// A volume, and the nodes that have it where its storage is not shared.
struct Volume<'r> {
    item: Item<'r>,
    nodes: Vec<&'r str>,
}

impl<'r> Volume<'r> {
    fn add(&mut self, place: &'r Place) {
        if !place.shared {
            self.nodes.push(place.node.as_str());
        }
    }

    fn text(&self) -> String {
        let item = &self.item;
        let mut parts = vec![foreign::words(&item.content, 20)];
        parts.extend(item.size.value().map(text::bytes));
        parts.extend(item.guest_id().map(|vmid| format!("guest {vmid}")));
        parts.extend(item.ctime.whole().map(moment));
        parts.extend((!self.nodes.is_empty()).then(|| format!("on {}", names(&self.nodes))));
        parts.extend(item.protected.flag().then(|| "🔒 protected".to_owned()));
        format!("  • {}: {}\n", volumes::shown(&item.volid), parts.join(", "))
    }

    fn datum(&self) -> Value {
        let nodes: Vec<&str> = self.nodes.iter().take(NODES_SHOWN).copied().collect();
        Data::new()
            .always("volume", foreign::line(&self.item.volid, 300))
            .always("content", foreign::line(&self.item.content, 20))
            .known("size_bytes", self.item.size.whole())
            .known("vmid", self.item.guest_id().map(Vmid::number))
            .known("made_at", self.item.ctime.whole())
            .known("nodes", (!nodes.is_empty()).then_some(nodes))
            .flagged("protected", self.item.protected.flag())
            .into()
    }
}

fn names(nodes: &[&str]) -> String {
    let more = nodes.len().saturating_sub(NODES_SHOWN);
    let named: Vec<&str> = nodes.iter().take(NODES_SHOWN).copied().collect();
    if more > 0 { format!("{} and {more} more", named.join(", ")) } else { named.join(", ") }
}

fn answer(params: &Params, all: Vec<Volume<'_>>, missing: &Missing) -> Result<Outcome, Error> {
    let kinds = kinds(&all);
    let mut text = format!("💾 {}: {}\n", params.subject(), all.len());
    if kinds.len() > 1 {
        for (kind, count, bytes) in &kinds {
            text += &text::bullet(&foreign::words(kind, 20), format_args!("{count}, {}", text::bytes(*bytes)));
        }
    }
    text += &missing.lines();
    text += "\n";
    let page = Page::of(all, params.limit.get().map_or(12, |limit| limit.0), params.cursor)?;
    text += &page.rows.iter().map(Volume::text).collect::<String>();
    text += &page.footer("volumes");
    let data = Data::new()
        .always("total", page.total)
        .always("kinds", kinds.iter().map(kind_datum).collect::<Vec<_>>())
        .always("volumes", page.rows.iter().map(Volume::datum).collect::<Vec<_>>())
        .known("next_cursor", page.next.as_deref())
        .always(missing::FIELD.name, missing.data());
    Ok(Outcome::done(text, data.into()))
}

/// Each kind of content with its number of volumes and their bytes.
fn kinds(all: &[Volume<'_>]) -> Vec<(String, u32, f64)> {
    let mut kinds: BTreeMap<String, (u32, f64)> = BTreeMap::new();
    for volume in all {
        let (count, bytes) = kinds.entry(volume.item.content.to_string()).or_default();
        *count += 1;
        *bytes += volume.item.size.value().unwrap_or_default();
    }
    // Proxmox knows seven kinds; an answer full of others is not to grow.
    kinds.into_iter().take(10).map(|(kind, (count, bytes))| (kind, count, bytes)).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
fn kind_datum((kind, count, bytes): &(String, u32, f64)) -> Value {
    Data::new()
        .always("content", foreign::line(kind, 20))
        .always("volumes", *count)
        .always("size_bytes", *bytes as u64)
        .into()
}

#[cfg(test)]
#[path = "tests/proxmox_get_storage_content.rs"]
mod tests;
