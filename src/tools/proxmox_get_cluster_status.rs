//! `proxmox_get_cluster_status`: the cluster as a whole.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::missing::{self, Missing};
use crate::pve::cluster::{Health, Totals};
use crate::pve::resources;
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Args, Outcome, Tool, Toolset};

crate::params! {}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_cluster_status",
    title: "Cluster status",
    description: "Shows the cluster: quorum, nodes, HA, resources, load.",
    toolset: Toolset::Overview,
    params: PARAMS,
    output: Shape::Object(&[
        known("name", Shape::Text),
        always("status", Shape::Words(&["healthy", "degraded", "no_quorum"])),
        known("quorate", Shape::Flag),
        always("nodes_online", Shape::Count),
        always("nodes_offline", Shape::List(&Shape::Text)),
        known("version", Shape::Text),
        known("ha_status", Shape::Words(&["active", "inactive", "error"])),
        known("ha_guests", Shape::Count),
        always("cpu_cores", Shape::Count),
        always("memory_total_bytes", Shape::Count),
        always("storage_total_bytes", Shape::Count).about("shared storages once"),
        always("vms_running", Shape::Count),
        always("vms_total", Shape::Count),
        always("containers_running", Shape::Count),
        always("containers_total", Shape::Count),
        always("templates", Shape::Count),
        always("guests_on_offline_nodes", Shape::Count),
        known("cpu_fraction", Shape::Fraction),
        known("memory_fraction", Shape::Fraction),
        missing::FIELD,
    ]),
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_CLUSTER_STATUS,
        &methods::GET_VERSION,
        &methods::GET_CLUSTER_HA_STATUS_CURRENT,
    ],
    run,
    ..Tool::PLAIN
};

const QUORUM: &str = "quorum";
const HA: &str = "HA status";
const VERSION: &str = "version";

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    Params::read(args)?;
    let mut replies = cx
        .replies(vec![
            resources::all(),
            Call::of(&methods::GET_CLUSTER_STATUS),
            Call::of(&methods::GET_VERSION),
            Call::of(&methods::GET_CLUSTER_HA_STATUS_CURRENT),
        ])
        .into_iter();
    let mut next = || replies.next().unwrap_or_else(|| Err(Error::Defect("an answer is missing".to_owned())));
    let (all, status, version, ha) = (next()?, next(), next(), next());

    let rows = resources::rows(&all)?;
    let mut missing = Missing::new();
    let status = missing.take(&["name", QUORUM], status.and_then(|reply| reply.data()));
    let version = missing.take(&[VERSION], version.and_then(|reply| reply.data()));
    let ha = missing.take(&[HA], ha.and_then(|reply| reply.data()));
    let version = version.as_ref().and_then(|version| version.get("version")?.as_str());
    let view = View {
        health: Health::read(&rows, status.as_ref(), ha.as_ref()),
        totals: Totals::sum(&rows),
        version: foreign::line(version.unwrap_or_default(), 40),
        missing,
    };
    Ok(Outcome::done(view.text(), view.data()))
}

struct View {
    health: Health,
    totals: Totals,
    version: String,
    missing: Missing,
}

impl View {
    fn text(&self) -> String {
        let health = &self.health;
        let mut out = "⚙️ Proxmox Cluster\n\n".to_owned();
        if let Some(name) = &health.name {
            out += &text::bullet("Name", foreign::name(name));
        } else if health.alone {
            out += &text::bullet("Name", "none (a stand-alone node)");
        }
        out += &text::bullet("Status", health.status().replace('_', " ").to_ascii_uppercase());
        match health.quorate {
            Some(true) => out += &text::bullet("Quorum", "OK"),
            Some(false) => out += &text::bullet("Quorum", "LOST (nothing can be changed until more nodes are back)"),
            None if health.alone => out += &text::bullet("Quorum", "not needed by a stand-alone node"),
            None => {}
        }
        out += &text::bullet("Nodes", self.nodes());
        if !self.version.is_empty() {
            out += &text::bullet("Version", foreign::name(&self.version));
        }
        if let Some(ha) = &health.ha {
            let guests = if ha.guests == 0 { "no guests".to_owned() } else { text::count(ha.guests, "guest") };
            out += &text::bullet("HA Status", format_args!("{} ({guests})", ha.status.to_ascii_uppercase()));
        }
        out += &self.resources();
        out += &self.workload();
        out + &self.missing.lines()
    }

    fn nodes(&self) -> String {
        let offline = &self.health.offline;
        let online = format!("{} ONLINE", self.health.online);
        if offline.is_empty() {
            return online;
        }
        let names: Vec<String> = offline.iter().take(8).map(|node| foreign::name(node)).collect();
        let more = if offline.len() > 8 { ", ..." } else { "" };
        format!("{online}, {} OFFLINE ({}{more})", offline.len(), names.join(", "))
    }

    fn resources(&self) -> String {
        let totals = &self.totals;
        let memory = text::total_memory(totals.memory);
        let storage = text::total_storage(totals.storage);
        format!(
            "  • Resources:\n    - Total CPU Cores: {}\n    - Total Memory: {memory}\n    - Total Storage: {storage}\n",
            totals.cores
        )
    }

    fn workload(&self) -> String {
        let totals = &self.totals;
        let mut out = "  • Workload:\n".to_owned();
        let mut line = |label: &str, value: &str| out += &format!("    - {label}: {value}\n");
        line("Running VMs", &totals.vms.running.to_string());
        line("Total VMs", &totals.vms.all.to_string());
        if totals.containers.all > 0 {
            line("Running Containers", &totals.containers.running.to_string());
            line("Total Containers", &totals.containers.all.to_string());
        }
        if totals.templates > 0 {
            line("Templates", &totals.templates.to_string());
        }
        if totals.on_offline_nodes > 0 {
            line("Guests on offline nodes", &format!("{} (not counted as running)", totals.on_offline_nodes));
        }
        let share = |share: Option<f64>| share.map_or(text::UNKNOWN.to_owned(), text::percent);
        line("Average CPU Usage", &share(totals.cpu));
        line("Average Memory Usage", &share(totals.memory_used));
        out
    }

    fn data(&self) -> Value {
        let View { health, totals, version, missing } = self;
        let ha = health.ha.as_ref();
        Data::new()
            .known("name", health.name.as_deref())
            .always("status", health.status())
            .known("quorate", health.quorate)
            .always("nodes_online", health.online)
            .always("nodes_offline", health.offline.clone())
            .said("version", version)
            .known("ha_status", ha.map(|ha| ha.status))
            .known("ha_guests", ha.map(|ha| ha.guests))
            .always("cpu_cores", totals.cores)
            .always("memory_total_bytes", whole(totals.memory))
            .always("storage_total_bytes", whole(totals.storage))
            .always("vms_running", totals.vms.running)
            .always("vms_total", totals.vms.all)
            .always("containers_running", totals.containers.running)
            .always("containers_total", totals.containers.all)
            .always("templates", totals.templates)
            .always("guests_on_offline_nodes", totals.on_offline_nodes)
            .known("cpu_fraction", totals.cpu)
            .known("memory_fraction", totals.memory_used)
            .always("missing", missing.data())
            .into()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
fn whole(bytes: f64) -> u64 {
    bytes as u64
}

#[cfg(test)]
#[path = "tests/proxmox_get_cluster_status.rs"]
mod tests;
