//! `proxmox_delete_volume`: deletes a backup, an ISO image or a template.

use proxmox_api::methods;

use crate::change::{self, Change, How};
use crate::cx::Cx;
use crate::error::Error;
use crate::foreign;
use crate::missing::Missing;
use crate::nearest::nearest;
use crate::dates::moment;
use crate::pve::ids::{NodeName, StorageId, Volume};
use crate::pve::resources;
use crate::pve::volumes::{self, Item, Place, Want};
use crate::text;
use crate::tool::{Alias, Args, Argument, Hidden, Outcome, Tool, Toolset};

crate::params! {
    /// Volume.
    volume: String,
    /// Node, where several have it.
    node: Option<NodeName>,
    /// Storage of the volume.
    storage: Hidden<StorageId>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_delete_volume",
    title: "Delete volume",
    description: "Deletes a backup, ISO or template.",
    toolset: Toolset::Storage,
    aliases: &[Alias::of("proxmox_delete_backup")],
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT,
        &methods::DELETE_NODES_NODE_STORAGE_STORAGE_CONTENT_VOLUME,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    destructive: true,
    run,
    resume: Some(change::resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let volume = named(&params.volume, params.storage.get())?;
    let content = kind(&volume)?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    let mut missing = Missing::new();
    let want =
        Want { content: Some(content), storage: Some(volume.storage()), node: params.node.as_ref(), vmid: None };
    let mut places = volumes::places(&rows, want, &mut missing)?;
    let replies = volumes::ask(cx, &mut places, want);
    let answers = volumes::answered(places, replies, &mut missing)?;
    let mut all: Vec<(&Place, Item<'_>)> = Vec::new();
    for (place, reply) in &answers {
        all.extend(volumes::items(reply)?.into_iter().map(|item| (place, item)));
    }
    let (place, item) = one(&volume, &all, &missing)?;
    if item.protected.flag() {
        return Err(Error::Failed(format!(
            "`{volume}` is protected against deletion. Whoever protected it may have had a reason; the protection can \
             be removed in the web interface (storage, Backups, Change Protection), or with \
             `PUT /nodes/{}/storage/{}/content/{volume}` and `protected=0`.",
            place.node, place.storage
        )));
    }
    let call = place.call(&methods::DELETE_NODES_NODE_STORAGE_STORAGE_CONTENT_VOLUME).at("volume", &volume);
    described(&volume, content, place, item, &all)
        .make(cx, call, How { wait: params.wait, dry_run: params.dry_run })
}

/// The volume that is meant; the storage may be named beside it.
fn named(text: &str, storage: Option<&StorageId>) -> Result<Volume, Error> {
    let whole = match (Volume::parse(text), storage) {
        (None, Some(storage)) => Volume::parse(&format!("{storage}:{text}")),
        (found, _) => found,
    };
    let volume = whole.ok_or_else(|| {
        Error::Arguments(format!(
            "`volume` is not valid: it takes {}, and got {}.",
            Volume::TAKES,
            foreign::code(text, 80)
        ))
    })?;
    match storage.filter(|storage| *storage != volume.storage()) {
        None => Ok(volume),
        Some(storage) => {
            Err(Error::Arguments(format!("`{volume}` is not on `{storage}`; leave `storage` out.")))
        }
    }
}

/// The kind of content that a volume is by its name.
///
/// # Errors
/// [`Error::Arguments`] for what is, or may be, a disk of a guest.
fn kind(volume: &Volume) -> Result<&'static str, Error> {
    let name = volume.as_str().split_once(':').map_or("", |(_, name)| name);
    let folder = name.split_once('/').map_or("", |(folder, _)| folder);
    ["backup", "iso", "vztmpl", "snippets", "import"].into_iter().find(|kind| *kind == folder).ok_or_else(|| {
        Error::Arguments(format!(
            "`{volume}` is a disk of a guest, or something else that a guest's configuration names; this tool deletes \
             backups, ISO images, templates, snippets and images to import. `proxmox_remove_disk` removes a disk \
             together with its line in the configuration."
        ))
    })
}

/// The one volume of this id.
fn one<'a, 'r>(
    volume: &Volume,
    all: &'a [(&'r Place, Item<'r>)],
    missing: &Missing,
) -> Result<(&'r Place, &'a Item<'r>), Error> {
    let found: Vec<&(&Place, Item<'_>)> =
        all.iter().filter(|(_, item)| *item.volid == *volume.as_str()).collect();
    match found.as_slice() {
        [(place, item)] => Ok((place, item)),
        [] => {
            let meant = nearest(volume.as_str(), all.iter().map(|(_, item)| &*item.volid));
            let meant = meant.map(|volid| format!(" Did you mean {}?", volumes::shown(volid))).unwrap_or_default();
            let unseen = if missing.is_empty() { String::new() } else { format!("\n{}", missing.lines()) };
            Err(Error::NotFound(format!(
                "There is no volume `{volume}`, or the API token may not see it.{meant}{unseen}"
            )))
        }
        several => {
            let nodes: Vec<&str> = several.iter().map(|(place, _)| place.node.as_str()).collect();
            Err(Error::Arguments(format!(
                "`node` is needed: `{volume}` is on several nodes, a file of its own on each: {}.",
                nodes.join(", ")
            )))
        }
    }
}

fn described(
    volume: &Volume,
    content: &str,
    place: &Place,
    item: &Item<'_>,
    all: &[(&Place, Item<'_>)],
) -> Change {
    let mut change =
        Change::new(format!("🗑️ Delete `{volume}`")).node(&place.node).fact("Content", content);
    if let Some(bytes) = item.size.value() {
        change = change.fact("Size", text::bytes(bytes));
    }
    if let Some(made) = item.ctime.whole() {
        change = change.fact("Made", moment(made));
    }
    if !item.notes.is_empty() {
        change = change.fact("Notes", foreign::words(&item.notes, 100));
    }
    match (content, item.guest_id()) {
        ("backup", Some(vmid)) => {
            let left = all.iter().filter(|(_, other)| other.guest_id() == Some(vmid)).count().saturating_sub(1);
            change = change.loses(format!("This backup of guest {vmid}."));
            match left {
                0 => change.warning(format!("It is the only backup of guest {vmid} on {place}.")),
                left => change.fact("Backups left", format!("{left} of guest {vmid} on {place}")),
            }
        }
        ("iso", _) => change.loses("The image.").warning(
            "A VM that has it in its drive does not start until the drive is emptied; this is not checked.",
        ),
        _ => change.loses("The file."),
    }
}

#[cfg(test)]
#[path = "tests/proxmox_delete_volume.rs"]
mod tests;
