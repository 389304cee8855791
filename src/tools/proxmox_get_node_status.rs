//! `proxmox_get_node_status`: one node in detail.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::missing::{self, Missing};
use crate::pve::ids::NodeName;
use crate::pve::nodes;
use crate::pve::resources::{self, Figure, Resource};
use crate::pve::smart::{self, Disk};
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Args, Outcome, Tool, Toolset};

crate::params! {
    /// Name of the node; needed if there are several.
    node: Option<NodeName>,
}

const DISK: Shape = Shape::Object(&[always("device", Shape::Text), known("celsius", Shape::Integer)]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_node_status",
    title: "Node status",
    description: "Shows one node: CPU, memory, load, network, disks, version.",
    toolset: Toolset::Overview,
    params: PARAMS,
    output: Shape::Object(&[
        always("node", Shape::Text),
        always("status", Shape::Text),
        known("uptime_seconds", Shape::Count),
        known("cpu_fraction", Shape::Fraction),
        known("cpu_cores", Shape::Count),
        known("cpu_model", Shape::Text),
        known("memory_used_bytes", Shape::Count),
        known("memory_total_bytes", Shape::Count),
        known("load", Shape::List(&Shape::Number)),
        known("root_used_bytes", Shape::Count),
        known("root_total_bytes", Shape::Count),
        known("network_out_bytes_per_second", Shape::Number),
        known("network_in_bytes_per_second", Shape::Number),
        known("temperature_celsius", Shape::Integer).about("of the hottest disk"),
        known("disks", Shape::List(&DISK)),
        known("version", Shape::Text),
        missing::FIELD,
    ]),
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_STATUS,
        &methods::GET_NODES_NODE_RRDDATA,
        &methods::GET_NODES_NODE_DISKS_LIST,
        &methods::GET_NODES_NODE_DISKS_SMART,
    ],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let reply = cx.reply(Call::of(&methods::GET_CLUSTER_RESOURCES).with("type", "node"))?;
    let rows = resources::rows(&reply)?;
    let (node, row) = nodes::choose(&rows, params.node.as_ref())?;
    let mut missing = Missing::new();
    let mut facts = Facts::of(node, row);
    if nodes::is_online(row) {
        facts.ask(cx, &mut missing);
    }
    Ok(Outcome::done(facts.text(&missing), facts.data(&missing)))
}

const CPU_MODEL: &str = "CPU model";
const LOAD: &str = "load";
const ROOT: &str = "root disk";
const VERSION: &str = "version";
const NETWORK: &str = "network";
const TEMPERATURE: &str = "temperature";

/// What is known of the node.
struct Facts {
    node: NodeName,
    status: String,
    uptime: Figure,
    cpu: Figure,
    cores: Figure,
    model: String,
    memory: (Figure, Figure),
    load: Vec<f64>,
    root: (Figure, Figure),
    network: Option<(f64, f64)>,
    disks: Vec<Disk>,
    version: String,
}

impl Facts {
    /// What the cluster's own list says.
    fn of(node: NodeName, row: &Resource<'_>) -> Facts {
        Facts {
            node,
            status: foreign::state(&row.status).to_owned(),
            uptime: row.uptime,
            cpu: row.cpu,
            cores: row.maxcpu,
            model: String::new(),
            memory: (row.mem, row.maxmem),
            load: Vec::new(),
            root: (row.disk, row.maxdisk),
            network: None,
            disks: Vec::new(),
            version: String::new(),
        }
    }

    /// Adds what the node itself says, as far as that is allowed and it answers.
    fn ask(&mut self, cx: &Cx<'_>, missing: &mut Missing) {
        let about = |method| Call::of(method).at("node", &self.node);
        let [status, rates, disks] = cx.all([
            about(&methods::GET_NODES_NODE_STATUS),
            about(&methods::GET_NODES_NODE_RRDDATA).with("timeframe", "hour"),
            about(&methods::GET_NODES_NODE_DISKS_LIST).with("skipsmart", true),
        ]);
        if let Some(status) = missing.take(&[CPU_MODEL, LOAD, VERSION], status) {
            self.take_status(&status);
        }
        self.network = missing.take(&[NETWORK], rates).as_ref().and_then(latest_rates);
        let devices = missing.take(&[TEMPERATURE], disks).map(|list| smart::devices(&list)).unwrap_or_default();
        if !devices.is_empty() {
            let disks = smart::temperatures(cx, &self.node, devices);
            self.disks = missing.take(&[TEMPERATURE], disks).unwrap_or_default();
        }
    }

    fn take_status(&mut self, status: &Value) {
        let figure = |pointer: &str| Figure::of(status.pointer(pointer));
        let newer = |old: &mut Figure, pointer: &str| {
            let new = figure(pointer);
            if new.value().is_some() {
                *old = new;
            }
        };
        newer(&mut self.uptime, "/uptime");
        newer(&mut self.cpu, "/cpu");
        newer(&mut self.cores, "/cpuinfo/cpus");
        newer(&mut self.memory.0, "/memory/used");
        newer(&mut self.memory.1, "/memory/total");
        newer(&mut self.root.0, "/rootfs/used");
        newer(&mut self.root.1, "/rootfs/total");
        let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        self.model = foreign::line(text("/cpuinfo/model"), 80);
        // "pve-manager/9.2.11/14a22df35955d97d"
        self.version = foreign::line(text("/pveversion").split('/').nth(1).unwrap_or_default(), 40);
        let load = status.get("loadavg").and_then(Value::as_array).into_iter().flatten();
        self.load = load.filter_map(|value| Figure::of(Some(value)).value()).take(3).collect();
    }

    fn hottest(&self) -> Option<i64> {
        self.disks.iter().filter_map(|disk| disk.celsius).max()
    }

    fn text(&self, missing: &Missing) -> String {
        let mut out = format!("🖥️ Node: {}\n", self.node);
        out += &text::bullet("Status", self.status.to_ascii_uppercase());
        if self.status != "online" {
            out += &text::bullet("Note", "the node is offline, so it cannot be asked for more");
            return out;
        }
        let or_unknown = |value: Option<String>| value.unwrap_or_else(|| text::UNKNOWN.to_owned());
        let usage = |(used, total): (Figure, Figure)| {
            or_unknown(used.value().zip(total.value()).map(|(used, total)| text::usage(used, total)))
        };
        out += &text::bullet("Uptime", or_unknown(self.uptime.value().map(text::uptime)));
        out += &text::bullet("CPU Usage", or_unknown(self.cpu.fraction().map(text::percent)));
        out += &text::bullet("CPU Cores", or_unknown(self.cores.whole().map(|cores| self.cores_text(cores))));
        out += &text::bullet("Memory", usage(self.memory));
        let mut own = |part: &str, label: &str, value: Option<String>| {
            if value.is_some() || !missing.has(part) {
                out += &text::bullet(label, or_unknown(value));
            }
        };
        let load: Vec<String> = self.load.iter().map(|load| format!("{load:.2}")).collect();
        own(LOAD, "Load", (!load.is_empty()).then(|| load.join(", ")));
        let root = self.root.0.value().zip(self.root.1.value());
        own(ROOT, "Root Disk", root.map(|(used, total)| text::usage(used, total)));
        let rates = self.network.map(|(out, into)| format!("⬆️ {} ⬇️ {}", text::rate(out), text::rate(into)));
        own(NETWORK, "Network", rates);
        own(TEMPERATURE, "Temperature", self.temperature());
        own(VERSION, "Version", (!self.version.is_empty()).then(|| foreign::name(&self.version)));
        out + &missing.lines()
    }

    fn cores_text(&self, cores: u64) -> String {
        if self.model.is_empty() { cores.to_string() } else { format!("{cores} ({})", foreign::name(&self.model)) }
    }

    /// `38°C`, and of several disks each one's.
    fn temperature(&self) -> Option<String> {
        let hottest = self.hottest()?;
        let each: Vec<String> = self
            .disks
            .iter()
            .filter_map(|disk| Some(format!("{} {}°C", disk.device, disk.celsius?)))
            .take(12)
            .collect();
        Some(match each.len() {
            1 => format!("{hottest}°C (disk {})", each.first()?.split(' ').next()?),
            _ => format!("{hottest}°C (hottest disk; {})", each.join(", ")),
        })
    }

    fn data(&self, missing: &Missing) -> Value {
        let disk = |disk: &Disk| {
            Value::from(Data::new().always("device", disk.device.as_str()).known("celsius", disk.celsius))
        };
        let disks: Vec<Value> = self.disks.iter().map(disk).collect();
        Data::new()
            .always("node", self.node.as_str())
            .always("status", self.status.as_str())
            .known("uptime_seconds", self.uptime.whole())
            .known("cpu_fraction", self.cpu.fraction())
            .known("cpu_cores", self.cores.whole())
            .said("cpu_model", &self.model)
            .known("memory_used_bytes", self.memory.0.whole())
            .known("memory_total_bytes", self.memory.1.whole())
            .known("load", (!self.load.is_empty()).then(|| self.load.clone()))
            .known("root_used_bytes", self.root.0.whole())
            .known("root_total_bytes", self.root.1.whole())
            .known("network_out_bytes_per_second", self.network.map(|(out, _)| out))
            .known("network_in_bytes_per_second", self.network.map(|(_, into)| into))
            .known("temperature_celsius", self.hottest())
            .known("disks", (!disks.is_empty()).then_some(disks))
            .said("version", &self.version)
            .always("missing", missing.data())
            .into()
    }
}

/// Bytes per second out and in, of the last point that has both: the newest points may hold only a time.
fn latest_rates(points: &Value) -> Option<(f64, f64)> {
    points.as_array()?.iter().rev().find_map(|point| {
        let rate = |key: &str| Figure::of(point.get(key)).value();
        rate("netout").zip(rate("netin"))
    })
}

#[cfg(test)]
#[path = "tests/proxmox_get_node_status.rs"]
mod tests;
