//! `proxmox_list_backups`: which guest has which backups.

use std::collections::{BTreeMap, HashMap};

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::Cx;
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::listing::{Cursor, Page};
use crate::missing::{self, Missing};
use crate::dates::{Since, moment};
use crate::pve::guests::label;
use crate::pve::ids::{NodeName, StorageId, Vmid};
use crate::pve::resources::{self, Resource};
use crate::pve::volumes::{self, Item, Place, Want};
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset, Whole};

/// How many guests without a backup are named.
const NAMED: usize = 12;

crate::params! {
    /// Guest id.
    vmid: Option<Vmid>,
    /// Only there.
    storage: Option<StorageId>,
    /// Only storages of this node.
    node: Hidden<NodeName>,
    /// Since.
    since: Option<Since>,
    /// How many rows.
    limit: Hidden<Whole<1, 200>>,
    /// Where to go on.
    cursor: Option<Cursor>,
}

const GUEST: Shape = Shape::Object(&[
    known("vmid", Shape::Count),
    always("name", Shape::Text),
    always("backups", Shape::Count),
    always("size_bytes", Shape::Count),
    always("newest", Shape::Text),
    always("newest_at", Shape::Count).about("Unix time"),
    known("protected", Shape::Count),
    known("verified", Shape::Count),
    known("verification_failed", Shape::Count),
]);
const BACKUP: Shape = Shape::Object(&[
    always("volume", Shape::Text),
    known("vmid", Shape::Count),
    always("made_at", Shape::Count).about("Unix time"),
    known("size_bytes", Shape::Count),
    known("node", Shape::Text).about("on this node only"),
    known("protected", Shape::Flag),
    known("encrypted", Shape::Flag),
    known("verified", Shape::Text),
    known("notes", Shape::Text),
]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_list_backups",
    title: "List backups",
    description: "Lists the last backup of each guest, or all of a guest or storage.",
    toolset: Toolset::Backups,
    params: PARAMS,
    output: Shape::Object(&[
        always("total", Shape::Count),
        always("size_bytes", Shape::Count),
        known("guests_total", Shape::Count),
        known("guests", Shape::List(&GUEST)),
        known("without_total", Shape::Count).about("guests without one"),
        known("without", Shape::List(&Shape::Count)),
        known("backups", Shape::List(&BACKUP)),
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
        content: Some("backup"),
        vmid: params.vmid,
        storage: params.storage.as_ref(),
        node: params.node.get(),
    };
    let mut places = volumes::places(&rows, want, &mut missing)?;
    let replies = volumes::ask(cx, &mut places, want);
    let answers = volumes::answered(places, replies, &mut missing)?;
    let from = params.since.map(|since| since.unix(cx.now_ms() / 1000));
    let mut all: Vec<Backup<'_>> = Vec::new();
    for (place, reply) in &answers {
        let items = missing.take_one(place.to_string(), volumes::items(reply)).unwrap_or_default();
        all.extend(items.into_iter().map(|item| Backup { item, place }));
    }
    all.retain(|backup| backup.fits(params.vmid, from));
    all.sort_by(|a, b| (b.item.made(), &*a.item.volid).cmp(&(a.item.made(), &*b.item.volid)));
    let found = Found { all, rows: &rows, missing, params: &params };
    if params.vmid.is_some() || params.storage.is_some() { found.each() } else { found.by_guest() }
}

/// A backup, and where it is.
struct Backup<'r> {
    item: Item<'r>,
    place: &'r Place,
}

impl Backup<'_> {
    fn fits(&self, vmid: Option<Vmid>, from: Option<u64>) -> bool {
        (self.item.content.is_empty() || &*self.item.content == "backup")
            && vmid.is_none_or(|vmid| self.item.guest_id() == Some(vmid))
            && from.is_none_or(|from| self.item.made() >= from)
    }

    fn bytes(&self) -> u64 {
        self.item.size.whole().unwrap_or_default()
    }

    fn text(&self) -> String {
        let item = &self.item;
        let mut parts = vec![moment(item.made())];
        parts.extend(item.size.value().map(text::bytes));
        if !self.place.shared {
            parts.push(format!("on {}", self.place.node));
        }
        parts.extend(item.protected.flag().then(|| "🔒 protected".to_owned()));
        parts.extend((!item.encrypted.is_empty()).then(|| "encrypted".to_owned()));
        parts.extend(item.verified().map(|state| match state {
            "ok" => "✅ verified".to_owned(),
            other => format!("❌ verification: {other}"),
        }));
        if !item.notes.is_empty() {
            parts.push(format!("notes: {}", foreign::words(&item.notes, 60)));
        }
        format!("  • {}: {}\n", volumes::shown(&item.volid), parts.join(", "))
    }

    fn datum(&self) -> Value {
        let item = &self.item;
        Data::new()
            .always("volume", foreign::line(&item.volid, 300))
            .known("vmid", item.guest_id().map(Vmid::number))
            .always("made_at", item.made())
            .known("size_bytes", item.size.whole())
            .known("node", (!self.place.shared).then_some(self.place.node.as_str()))
            .flagged("protected", item.protected.flag())
            .flagged("encrypted", !item.encrypted.is_empty())
            .known("verified", item.verified())
            .said("notes", &foreign::line(&item.notes, 60))
            .into()
    }
}

/// All backups of one guest. Those whose guest is not known are together.
struct OfGuest<'r> {
    vmid: Option<Vmid>,
    name: &'r str,
    backups: Vec<&'r Backup<'r>>,
}

impl OfGuest<'_> {
    fn newest(&self) -> u64 {
        self.backups.first().map(|backup| backup.item.made()).unwrap_or_default()
    }

    fn place(&self) -> String {
        self.backups.first().map(|backup| backup.place.to_string()).unwrap_or_default()
    }

    fn bytes(&self) -> u64 {
        self.backups.iter().map(|backup| backup.bytes()).sum()
    }

    fn how_many(&self, counts: impl Fn(&Item<'_>) -> bool) -> Option<usize> {
        Some(self.backups.iter().filter(|backup| counts(&backup.item)).count()).filter(|count| *count > 0)
    }

    fn label(&self) -> String {
        self.vmid.map_or_else(|| "Other backups".to_owned(), |vmid| label(self.name, vmid))
    }

    fn text(&self) -> String {
        let count = text::count(self.backups.len(), "backup");
        let mut line = format!(
            "  • {}: {} on {} ({count}, {}",
            self.label(),
            moment(self.newest()),
            self.place(),
            bytes(self.bytes())
        );
        let states = [
            (self.protected(), "🔒", "protected"),
            (self.verified(), "✅", "verified"),
            (self.failed(), "❌", "failed verification"),
        ];
        for (count, sign, word) in states {
            if let Some(count) = count {
                line += &format!(", {sign} {count} {word}");
            }
        }
        line + ")\n"
    }

    fn protected(&self) -> Option<usize> {
        self.how_many(|item| item.protected.flag())
    }

    fn verified(&self) -> Option<usize> {
        self.how_many(|item| item.verified() == Some("ok"))
    }

    fn failed(&self) -> Option<usize> {
        self.how_many(|item| item.verified() == Some("failed"))
    }

    fn datum(&self) -> Value {
        Data::new()
            .known("vmid", self.vmid.map(Vmid::number))
            .always("name", foreign::line(self.name, 80))
            .always("backups", self.backups.len())
            .always("size_bytes", self.bytes())
            .always("newest", self.place())
            .always("newest_at", self.newest())
            .known("protected", self.protected())
            .known("verified", self.verified())
            .known("verification_failed", self.failed())
            .into()
    }
}

/// What was found.
struct Found<'r> {
    all: Vec<Backup<'r>>,
    rows: &'r [Resource<'r>],
    missing: Missing,
    params: &'r Params,
}

impl Found<'_> {
    fn bytes(&self) -> u64 {
        self.all.iter().map(Backup::bytes).sum()
    }

    fn data(&self) -> Data {
        Data::new().always("total", self.all.len()).always("size_bytes", self.bytes())
    }

    /// Each backup, newest first.
    fn each(&self) -> Result<Outcome, Error> {
        let of = match (self.params.vmid, &self.params.storage) {
            (Some(vmid), _) => format!(" of {}", label(self.names().get(&vmid).copied().unwrap_or_default(), vmid)),
            (None, Some(storage)) => format!(" on {storage}"),
            (None, None) => String::new(),
        };
        let mut text = format!("💾 Backups{of}: {}", self.all.len());
        text += &if self.all.is_empty() { "\n".to_owned() } else { format!(", {}\n", bytes(self.bytes())) };
        text += &self.missing.lines();
        let page = Page::of(self.all.iter().collect(), self.params.limit.get().map_or(10, |limit| limit.0), self.params.cursor)?;
        text += "\n";
        text += &page.rows.iter().map(|backup| backup.text()).collect::<String>();
        text += &page.footer("backups");
        let data = self
            .data()
            .always("backups", page.rows.iter().map(|backup| backup.datum()).collect::<Vec<_>>())
            .known("next_cursor", page.next.as_deref())
            .always(missing::FIELD.name, self.missing.data());
        Ok(Outcome::done(text, data.into()))
    }

    /// One row for each guest; the guest whose last backup is newest comes first.
    fn by_guest(&self) -> Result<Outcome, Error> {
        let guests = self.guests();
        let without = self.without(&guests);
        let mut text = format!(
            "💾 Backups: {} of {}, {}\n",
            self.all.len(),
            text::count(guests.len(), "guest"),
            bytes(self.bytes())
        );
        let since = if self.params.since.is_some() { " in that time" } else { "" };
        let here = if self.params.node.get().is_some() || !self.missing.is_empty() { " on the storages seen" } else { "" };
        if !without.is_empty() {
            let named: Vec<String> = without.iter().take(NAMED).map(ToString::to_string).collect();
            let more = if without.len() > NAMED { ", ..." } else { "" };
            let count = text::count(without.len(), "guest");
            text += &text::bullet(
                "⚠️ No backup",
                format_args!("{count}{since}{here}: {}{more}", named.join(", ")),
            );
        }
        let older = |oldest: &&OfGuest<'_>| guests.first().is_some_and(|first| oldest.newest() < first.newest());
        if let Some(oldest) = guests.iter().rfind(|guest| guest.vmid.is_some()).filter(older) {
            text += &text::bullet(
                "Longest ago",
                format_args!("{}, {}", oldest.label(), moment(oldest.newest())),
            );
        }
        text += &self.missing.lines();
        text += "\nLast backup of each guest (`vmid` shows all of one):\n";
        let total = guests.len();
        let page = Page::of(guests, self.params.limit.get().map_or(10, |limit| limit.0), self.params.cursor)?;
        text += &page.rows.iter().map(OfGuest::text).collect::<String>();
        text += &page.footer("guests");
        let ids: Vec<u32> = without.iter().take(NAMED).map(|vmid| vmid.number()).collect();
        let data = self
            .data()
            .always("guests_total", total)
            .always("guests", page.rows.iter().map(OfGuest::datum).collect::<Vec<_>>())
            .always("without_total", without.len())
            .always("without", ids)
            .known("next_cursor", page.next.as_deref())
            .always(missing::FIELD.name, self.missing.data());
        Ok(Outcome::done(text, data.into()))
    }

    fn guests(&self) -> Vec<OfGuest<'_>> {
        let names = self.names();
        let mut by_guest: BTreeMap<Option<Vmid>, Vec<&Backup<'_>>> = BTreeMap::new();
        for backup in &self.all {
            by_guest.entry(backup.item.guest_id()).or_default().push(backup);
        }
        let mut guests: Vec<OfGuest<'_>> = by_guest
            .into_iter()
            .map(|(vmid, backups)| {
                let name = vmid.and_then(|vmid| names.get(&vmid).copied()).unwrap_or_default();
                OfGuest { vmid, name, backups }
            })
            .collect();
        guests.sort_by_key(|guest| std::cmp::Reverse(guest.newest()));
        guests
    }

    /// Guests, other than templates, that have none.
    fn without(&self, guests: &[OfGuest<'_>]) -> Vec<Vmid> {
        let with: std::collections::HashSet<Option<Vmid>> = guests.iter().map(|guest| guest.vmid).collect();
        let all = self.rows.iter().filter(|row| row.is_guest() && !row.is_template());
        let mut ids: Vec<Vmid> =
            all.filter_map(Resource::guest_id).filter(|vmid| !with.contains(&Some(*vmid))).collect();
        ids.sort_unstable();
        ids
    }

    fn names(&self) -> HashMap<Vmid, &str> {
        let guests = self.rows.iter().filter(|row| row.is_guest());
        guests.filter_map(|row| Some((row.guest_id()?, &*row.name))).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn bytes(count: u64) -> String {
    text::bytes(count as f64)
}

#[cfg(test)]
#[path = "tests/proxmox_list_backups.rs"]
mod tests;
