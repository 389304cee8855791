//! `proxmox_get_vms`: the guests of the cluster, VMs and containers.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::Cx;
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::listing::{Cursor, Page, Pattern};
use crate::pve::guests::{GuestKind, OriginalKind, label};
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::nodes::{self, Offline};
use crate::pve::resources::{self, Resource};
use crate::shape::{Shape, always, known};
use crate::table::rounded;
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset};
use crate::view::{BUDGET, Limit};

#[path = "proxmox_get_vms/summary.rs"]
mod summary;

/// Up to so many guests are shown in full, as long as that is small.
const IN_FULL: usize = 20;

crate::words! {
    /// The kind of guest.
    enum Kind {
        /// Virtual machines.
        Vm = "vm",
        /// Containers.
        Container = "container",
    }
}

crate::words! {
    /// What the guests are sorted by.
    enum Sort {
        /// Their ids.
        Id = "id",
        /// Their share of their cores, the busiest first.
        Cpu = "cpu",
        /// Their memory in use, the largest first.
        Memory = "memory",
        /// Their disks, the largest first.
        Disk = "disk",
        /// Their names.
        Name = "name",
    }
}

crate::params! {
    /// Node.
    node: Option<NodeName>,
    /// Kind.
    kind: Option<Kind>,
    /// Such as running, locked.
    status: Option<String>,
    /// Part of it or pattern.
    name: Option<Pattern>,
    /// Tag.
    tag: Option<String>,
    /// Pool.
    pool: Option<String>,
    /// Sort.
    sort: Sort = Sort::Id,
    /// How many.
    limit: Option<Limit>,
    /// Where the page begins.
    cursor: Option<Cursor>,
    /// Kind in Proxmox's words.
    r#type: Hidden<OriginalKind>,
}

const GUEST: Shape = Shape::Object(&[
    always("vmid", Shape::Count),
    always("name", Shape::Text),
    always("kind", Shape::Words(&["vm", "container"])),
    always("node", Shape::Text),
    always("status", Shape::Text),
    known("last_known", Shape::Flag).about("the node is offline; figures are old"),
    known("template", Shape::Flag),
    known("lock", Shape::Text),
    known("uptime_seconds", Shape::Count),
    known("cpu_cores", Shape::Count),
    known("cpu_fraction", Shape::Fraction),
    known("memory_used_bytes", Shape::Count),
    known("memory_total_bytes", Shape::Count),
]);
const NOTABLE: Shape = Shape::Object(&[always("vmid", Shape::Count), always("why", Shape::Text)]);
const ON_NODE: Shape = Shape::Object(&[
    always("node", Shape::Text),
    always("guests", Shape::Count),
    always("running", Shape::Count),
]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_vms",
    title: "List guests",
    description: "Lists VMs and containers. Also takes pool and sort (cpu, memory, disk, name).",
    toolset: Toolset::Guests,
    params: PARAMS,
    unlisted: &["pool", "sort"],
    output: Shape::Object(&[
        always("guests", Shape::List(&GUEST)),
        always("total", Shape::Count),
        always("running", Shape::Count),
        always("left_out", Shape::Count),
        known("next_cursor", Shape::Text),
        known("notable", Shape::List(&NOTABLE)),
        known("nodes", Shape::List(&ON_NODE)),
    ]),
    calls: &[&methods::GET_CLUSTER_RESOURCES],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    if params.node.is_some() {
        nodes::choose(&rows, params.node.as_ref())?;
    }
    let offline = Offline::of(&rows);
    let all: Vec<Guest<'_>> = rows.iter().filter_map(|row| Guest::of(row, &offline)).collect();
    let mut guests: Vec<&Guest<'_>> = all.iter().filter(|guest| params.wants(guest)).collect();
    if guests.is_empty() && !all.is_empty() {
        return Ok(none_fits(&params, &all));
    }
    guests.sort_by(|a, b| params.order(a, b));
    if guests.len() <= IN_FULL {
        let full = in_full(&params, guests.clone())?;
        // A small cluster is shown as it is; in a large one, what fits a filter may still be too much.
        if params.limit.is_some() || all.len() <= IN_FULL || is_small(&full) {
            return Ok(full);
        }
    }
    summary::answer(&params, guests)
}

fn is_small(outcome: &Outcome) -> bool {
    let Outcome::Done(output) = outcome else { return true };
    output.text.len() + output.data.to_string().len() <= BUDGET
}

impl Params {
    fn wants(&self, guest: &Guest<'_>) -> bool {
        let row = guest.row;
        let kind = match self.kind {
            Some(Kind::Vm) => Some(GuestKind::Vm),
            Some(Kind::Container) => Some(GuestKind::Container),
            None => self.r#type.get().and_then(|kind| kind.kind()),
        };
        let status = |wanted: &str| match wanted.trim().to_ascii_lowercase().as_str() {
            "locked" => !row.lock.is_empty(),
            "template" => row.is_template(),
            wanted => guest.status() == wanted,
        };
        kind.is_none_or(|kind| kind == guest.kind())
            && self.node.as_ref().is_none_or(|node| *row.node == *node.as_str())
            && self.status.as_deref().is_none_or(status)
            && self.name.as_ref().is_none_or(|name| name.fits(&row.name))
            && self.tag.as_ref().is_none_or(|tag| row.tags().any(|own| own.eq_ignore_ascii_case(tag.trim())))
            && self.pool.as_ref().is_none_or(|pool| *row.pool == *pool.trim())
    }

    fn order(&self, a: &Guest<'_>, b: &Guest<'_>) -> std::cmp::Ordering {
        let figure = |guest: &Guest<'_>| match self.sort {
            Sort::Cpu => guest.row.cpu.value(),
            Sort::Memory => guest.row.mem.value(),
            Sort::Disk => guest.row.maxdisk.value(),
            Sort::Id | Sort::Name => None,
        };
        let largest_first = figure(b).unwrap_or(-1.0).total_cmp(&figure(a).unwrap_or(-1.0));
        let names = match self.sort {
            Sort::Name => a.row.name.cmp(&b.row.name),
            _ => std::cmp::Ordering::Equal,
        };
        largest_first.then(names).then(a.vmid.cmp(&b.vmid))
    }
}

fn in_full(params: &Params, guests: Vec<&Guest<'_>>) -> Result<Outcome, Error> {
    let running = guests.iter().filter(|guest| guest.is_running()).count();
    let total = guests.len();
    let containers = guests.iter().any(|guest| guest.kind() == GuestKind::Container);
    let limit = params.limit.map_or(IN_FULL as u32, |limit| limit.0);
    let page = Page::of(guests, limit, params.cursor)?;
    let mut text = heading(total, containers);
    text += &page.rows.iter().map(|guest| guest.block()).collect::<Vec<_>>().join("\n");
    text += &page.footer("guests");
    let rows: Vec<Value> = page.rows.iter().map(|guest| guest.datum()).collect();
    let data = Data::new()
        .always("guests", rows)
        .always("total", total)
        .always("running", running)
        .always("left_out", page.left)
        .known("next_cursor", page.next.as_deref());
    Ok(Outcome::done(text, data.into()))
}

/// No guest fits: what there is to ask for instead.
fn none_fits(params: &Params, all: &[Guest<'_>]) -> Outcome {
    let mut text = format!("🗃️ None of {} fits.\n", text::count(all.len(), "guest"));
    let mut say = |what: &str, wanted: bool, values: Vec<&str>| {
        if wanted {
            let mut values: Vec<String> = values.into_iter().filter(|v| !v.is_empty()).map(foreign::name).collect();
            values.sort_unstable();
            values.dedup();
            let more = if values.len() > 20 { ", ..." } else { "" };
            values.truncate(20);
            let values = if values.is_empty() { "none".to_owned() } else { values.join(", ") };
            text += &text::bullet(what, format_args!("{values}{more}"));
        }
    };
    say("Statuses in use", params.status.is_some(), all.iter().map(Guest::status).chain(["locked", "template"]).collect());
    say("Tags in use", params.tag.is_some(), all.iter().flat_map(|guest| guest.row.tags()).collect());
    say("Pools with guests", params.pool.is_some(), all.iter().map(|guest| &*guest.row.pool).collect());
    let data = Data::new().always("guests", Vec::<Value>::new()).always("total", 0).always("running", 0);
    Outcome::done(text, data.always("left_out", 0).into())
}

fn heading(total: usize, containers: bool) -> String {
    let and = if containers { " and Containers" } else { "" };
    let none = "No guests, or none that the API token may see (`VM.Audit`).\n";
    format!("🗃️ Virtual Machines{and}\n\n{}", if total == 0 { none } else { "" })
}

/// A guest of the list.
struct Guest<'r> {
    vmid: Vmid,
    row: &'r Resource<'r>,
    last_known: bool,
}

impl<'r> Guest<'r> {
    fn of(row: &'r Resource<'r>, offline: &Offline<'_>) -> Option<Guest<'r>> {
        let vmid = row.is_guest().then(|| row.guest_id()).flatten()?;
        Some(Guest { vmid, row, last_known: offline.has(&row.node) })
    }

    fn kind(&self) -> GuestKind {
        GuestKind::of(self.row)
    }

    fn is_running(&self) -> bool {
        &*self.row.status == "running" && !self.last_known
    }

    fn status(&self) -> &str {
        foreign::state(&self.row.status)
    }

    fn block(&self) -> String {
        let row = self.row;
        let icon = if self.kind() == GuestKind::Vm { "🗃️" } else { "📦" };
        let mut out = format!("{icon} {}\n", label(&row.name, self.vmid));
        let node = foreign::name(&row.node);
        let status = self.status().to_ascii_uppercase();
        out += &if self.last_known {
            text::bullet("Status", format_args!("{status} (last known; node {node} is offline)"))
        } else {
            text::bullet("Status", status)
        };
        if row.is_template() || self.kind() == GuestKind::Container {
            let template = if row.is_template() { " template" } else { "" };
            out += &text::bullet("Type", format_args!("{}{template}", self.kind()));
        }
        out += &text::bullet("Node", node);
        if !row.lock.is_empty() {
            out += &text::bullet("Lock", foreign::name(&row.lock));
        }
        let cores = row.maxcpu.whole().map(|cores| cores.to_string());
        out += &text::bullet("CPU Cores", cores.as_deref().unwrap_or(text::UNKNOWN));
        let memory = row.memory().map(|(used, total)| text::usage(used, total));
        out + &text::bullet("Memory", memory.as_deref().unwrap_or(text::UNKNOWN))
    }

    fn datum(&self) -> Value {
        let row = self.row;
        Data::new()
            .always("vmid", self.vmid.number())
            .always("name", foreign::line(&row.name, 80))
            .always("kind", self.kind().word())
            .always("node", foreign::line(&row.node, 80))
            .always("status", self.status())
            .flagged("last_known", self.last_known)
            .flagged("template", row.is_template())
            .said("lock", &foreign::line(&row.lock, 40))
            .known("uptime_seconds", row.uptime.whole())
            .known("cpu_cores", row.maxcpu.whole())
            .known("cpu_fraction", row.cpu.fraction().map(rounded))
            .known("memory_used_bytes", row.mem.whole())
            .known("memory_total_bytes", row.maxmem.whole())
            .into()
    }
}

#[cfg(test)]
#[path = "tests/proxmox_get_vms.rs"]
mod tests;
