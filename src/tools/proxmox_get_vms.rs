//! `proxmox_get_vms`: all guests of the cluster, VMs and containers.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::Cx;
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::pve::guests::{GuestKind, label};
use crate::pve::ids::Vmid;
use crate::pve::nodes::Offline;
use crate::pve::resources::{self, Resource};
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Args, Outcome, Tool, Toolset};

/// The most guests that one answer shows.
const SHOWN: usize = 100;

crate::params! {}

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

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_vms",
    title: "List guests",
    description: "Lists the VMs and containers of the cluster with id, status, node, CPU cores and memory.",
    toolset: Toolset::Guests,
    params: PARAMS,
    output: Shape::Object(&[
        always("guests", Shape::List(&GUEST)),
        always("total", Shape::Count),
        always("running", Shape::Count),
        always("left_out", Shape::Count),
    ]),
    calls: &[&methods::GET_CLUSTER_RESOURCES],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    Params::read(args)?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    let offline = Offline::of(&rows);
    let mut guests: Vec<Guest<'_>> = rows.iter().filter_map(|row| Guest::of(row, &offline)).collect();
    guests.sort_unstable_by_key(|guest| guest.vmid);

    let running = guests.iter().filter(|guest| guest.is_running()).count();
    let (total, left_out) = (guests.len(), guests.len().saturating_sub(SHOWN));
    let containers = guests.iter().any(|guest| guest.kind() == GuestKind::Container);
    guests.truncate(SHOWN);

    let mut text = heading(total, containers);
    if left_out > 0 {
        text += &format!("Showing the first {SHOWN} of {total} guests by ID ({running} run); {left_out} are left out.\n\n");
    }
    text += &guests.iter().map(Guest::block).collect::<Vec<_>>().join("\n");
    let rows: Vec<Value> = guests.iter().map(Guest::datum).collect();
    let data = Data::new().always("guests", rows).always("total", total).always("running", running);
    Ok(Outcome::done(text, data.always("left_out", left_out).into()))
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
            .known("cpu_fraction", row.cpu.fraction())
            .known("memory_used_bytes", row.mem.whole())
            .known("memory_total_bytes", row.maxmem.whole())
            .into()
    }
}

#[cfg(test)]
#[path = "tests/proxmox_get_vms.rs"]
mod tests;
