//! `proxmox_diagnose`: why a guest is slow or down.

use proxmox_api::methods as m;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::pve::history::Entry;
use crate::health::{diagnosis, guests as checks, nodes};
use crate::pve::findings::{self, Report, Severity};
use crate::pve::guests::{self, Guest, GuestKind};
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::nodes::Offline;
use crate::pve::resources::{self, Figure, Resource};
use crate::pve::storages;
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset, Whole};

/// How many findings an answer shows at most, unless more are asked for.
const SHOWN: usize = 12;
/// What heading and figures take, in bytes.
const FRAME: usize = 600;

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// How many findings to show.
    limit: Hidden<Whole<1, 999_999_999>>,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_diagnose",
    title: "Diagnose guest",
    description: "Finds why a guest is slow or down.",
    toolset: Toolset::Overview,
    params: PARAMS,
    output: Shape::Object(&[
        always("vmid", Shape::Count),
        always("name", Shape::Text),
        always("node", Shape::Text),
        always("kind", Shape::Words(&["vm", "container"])),
        always("status", Shape::Text),
        known("uptime_seconds", Shape::Count),
        known("cpu_fraction", Shape::Fraction),
        known("memory_used_bytes", Shape::Count),
        known("memory_total_bytes", Shape::Count),
        findings::CRITICAL,
        findings::WARNING,
        findings::INFO,
        findings::FINDINGS,
        findings::LEFT_OUT,
        findings::NOT_CHECKED,
    ]),
    calls: &[
        &m::GET_CLUSTER_RESOURCES,
        &m::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &m::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &m::GET_NODES_NODE_QEMU_VMID_CONFIG,
        &m::GET_NODES_NODE_LXC_VMID_CONFIG,
        &m::GET_NODES_NODE_QEMU_VMID_RRDDATA,
        &m::GET_NODES_NODE_LXC_VMID_RRDDATA,
        &m::GET_NODES_NODE_QEMU_VMID_SNAPSHOT,
        &m::GET_NODES_NODE_LXC_VMID_SNAPSHOT,
        &m::GET_NODES_NODE_QEMU_VMID_AGENT_GET_FSINFO,
        &m::GET_NODES_NODE_TASKS,
        &m::GET_NODES_NODE_STATUS,
    ],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    let guest = guests::among(params.vmid, &rows)?;
    if let Some(wrong) = params.node.get().filter(|node| **node != guest.node) {
        return Err(Error::Arguments(format!("{guest} is on node `{}`, not on `{wrong}`. Leave `node` out.", guest.node)));
    }
    let row = rows.iter().find(|row| row.guest_id() == Some(guest.vmid) && row.is_guest());
    let offline = Offline::of(&rows).has(guest.node.as_str());
    let mut report = Report::default();
    if let Some(node) = rows.iter().find(|row| row.is_node() && &*row.node == guest.node.as_str()) {
        report.add(nodes::of_row(node, &rows));
    }
    let current = if offline {
        report.gaps.note("the guest", format!("node {} is offline; what is shown is its last known state", guest.node));
        None
    } else {
        examine(cx, &guest, &rows, &mut report)
    };
    report.sort(Severity::Info);
    let signs = Signs::of(row, current.as_ref(), offline);
    let asked = params.limit.get().map(|limit| usize::try_from(limit.0).unwrap_or(usize::MAX));
    let shown = asked.unwrap_or_else(|| report.fitting(SHOWN, FRAME));
    let text = format!(
        "🩺 {guest}: {}\n{}\n{}",
        report.tally(),
        signs.lines(&guest),
        report.lines(shown)
    );
    Ok(Outcome::done(text, signs.data(&guest, report.data(shown))))
}

/// Asks the guest's node everything at once; gives the guest's present state.
fn examine(cx: &Cx<'_>, guest: &Guest, rows: &[Resource<'_>], report: &mut Report) -> Option<Value> {
    let now = cx.now_ms() / 1000;
    let mut answers = cx.replies(calls(guest)).into_iter().map(|reply| reply.and_then(|reply| reply.data()));
    let mut next = || answers.next().unwrap_or_else(|| Err(Error::Defect("an answer is missing".to_owned())));
    let (current, config, points, snapshots, tasks, host) = (next(), next(), next(), next(), next(), next());
    let agent = (guest.kind == GuestKind::Vm).then(next);
    let gaps = &mut report.gaps;
    if let Err(error @ Error::Denied(_)) = &host {
        // Who may not see the node sees own tasks only, without being told.
        gaps.error("tasks of other users", error);
    }
    let current = gaps.take("state", current);
    let config = gaps.take("configuration", config);
    let points = gaps.take("figures of the last hour", points);
    let snapshots = gaps.take("snapshots", snapshots);
    let tasks = gaps.take("tasks", tasks).map(|answer| Entry::all(&answer)).unwrap_or_default();
    let host = gaps.take("swap and load of the node", host);
    if let Some(current) = &current {
        report.add(diagnosis::state(guest, current, &tasks));
    }
    if let Some(config) = &config {
        report.add(diagnosis::setup(guest, config));
        let all = storages::all(rows);
        report.add(diagnosis::its_storages(guest, config, rows, &all, seconds(now)));
    }
    report.add(points.iter().flat_map(|points| diagnosis::last_hour(guest, points, config.as_ref())));
    report.add(snapshots.and_then(|answer| checks::snapshots(guest.vmid.number(), &answer, now)));
    report.add(diagnosis::failures(guest, &tasks, now, &report.findings));
    report.add(host.iter().flat_map(|host| nodes::of_status(guest.node.as_str(), host)));
    if let Some(agent) = agent {
        match checks::inside(guest.vmid.number(), agent) {
            Ok(found) => report.add(found),
            Err(error) => report.gaps.error("guest agent and file systems", &error),
        }
    }
    current
}

fn calls(guest: &Guest) -> Vec<Call> {
    let node = |method| Call::of(method).at("node", &guest.node);
    let mut calls = vec![
        guest.call(&m::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT, &m::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT),
        guest.call(&m::GET_NODES_NODE_QEMU_VMID_CONFIG, &m::GET_NODES_NODE_LXC_VMID_CONFIG),
        guest
            .call(&m::GET_NODES_NODE_QEMU_VMID_RRDDATA, &m::GET_NODES_NODE_LXC_VMID_RRDDATA)
            .with("timeframe", "hour")
            .with("cf", "AVERAGE"),
        guest.call(&m::GET_NODES_NODE_QEMU_VMID_SNAPSHOT, &m::GET_NODES_NODE_LXC_VMID_SNAPSHOT),
        node(&m::GET_NODES_NODE_TASKS).with("vmid", guest.vmid.number()).with("source", "all").with("limit", 30),
        node(&m::GET_NODES_NODE_STATUS),
    ];
    if guest.kind == GuestKind::Vm {
        calls.push(node(&m::GET_NODES_NODE_QEMU_VMID_AGENT_GET_FSINFO).at("vmid", &guest.vmid));
    }
    calls
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53")]
fn seconds(now: u64) -> f64 {
    now as f64
}

/// How the guest is, in a few figures.
struct Signs {
    status: String,
    last_known: bool,
    uptime: Figure,
    cpu: Figure,
    memory: (Figure, Figure),
}

impl Signs {
    /// From its present state, or else from its row of `/cluster/resources`.
    fn of(row: Option<&Resource<'_>>, current: Option<&Value>, offline: bool) -> Signs {
        let figure = |key: &str, of: fn(&Resource<'_>) -> Figure| match current {
            Some(current) => Figure::of(current.get(key)),
            None => row.map(of).unwrap_or_default(),
        };
        let qmp = current.and_then(|current| current.get("qmpstatus")?.as_str());
        let plain = current.and_then(|current| current.get("status")?.as_str());
        let status = qmp.or(plain).or(row.map(|row| &*row.status)).unwrap_or_default();
        Signs {
            status: foreign::state(status).to_owned(),
            last_known: offline,
            uptime: figure("uptime", |row| row.uptime),
            cpu: figure("cpu", |row| row.cpu),
            memory: (figure("mem", |row| row.mem), figure("maxmem", |row| row.maxmem)),
        }
    }

    fn lines(&self, guest: &Guest) -> String {
        let old = if self.last_known { " (last known)" } else { "" };
        let mut line = format!("{}{old}, {} on {}", self.status, guest.kind, foreign::name(guest.node.as_str()));
        if let Some(uptime) = self.uptime.value().filter(|uptime| *uptime > 0.0) {
            line += &format!(", up {}", text::duration(uptime));
            if let Some(cpu) = self.cpu.value() {
                line += &format!(", CPU {}", text::percent(cpu));
            }
            if let (Some(used), Some(total)) = (self.memory.0.value(), self.memory.1.value()) {
                line += &format!(", memory {}", text::usage(used, total));
            }
        }
        text::bullet("Now", line)
    }

    fn data(&self, guest: &Guest, report: crate::data::Data) -> Value {
        report
            .always("vmid", guest.vmid.number())
            .always("name", guest.name.as_str())
            .always("node", guest.node.as_str())
            .always("kind", guest.kind.word())
            .always("status", self.status.as_str())
            .known("uptime_seconds", self.uptime.whole())
            .known("cpu_fraction", self.cpu.fraction())
            .known("memory_used_bytes", self.memory.0.whole())
            .known("memory_total_bytes", self.memory.1.whole())
            .into()
    }
}

#[cfg(test)]
#[path = "tests/proxmox_diagnose.rs"]
mod tests;
