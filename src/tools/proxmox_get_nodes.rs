//! `proxmox_get_nodes`: all nodes of the cluster.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::pve::nodes;
use crate::pve::resources::{self, Resource};
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Args, Outcome, Tool, Toolset};

crate::params! {}

const NODE: Shape = Shape::Object(&[
    always("node", Shape::Text),
    always("status", Shape::Text),
    known("uptime_seconds", Shape::Count),
    known("cpu_cores", Shape::Count),
    known("cpu_fraction", Shape::Fraction),
    known("memory_used_bytes", Shape::Count),
    known("memory_total_bytes", Shape::Count),
]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_nodes",
    title: "List nodes",
    description: "Lists the nodes of the Proxmox VE cluster: status, uptime, CPU cores, memory.",
    toolset: Toolset::Overview,
    params: PARAMS,
    output: Shape::Object(&[always("nodes", Shape::List(&NODE))]),
    calls: &[&methods::GET_CLUSTER_RESOURCES],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    Params::read(args)?;
    let reply = cx.reply(Call::of(&methods::GET_CLUSTER_RESOURCES).with("type", "node"))?;
    let mut rows = resources::rows(&reply)?;
    rows.retain(Resource::is_node);
    rows.sort_unstable_by(|a, b| a.node.cmp(&b.node));
    if rows.is_empty() {
        return Err(Error::NotFound("Proxmox VE shows no node to this API token.".to_owned()));
    }
    let text = rows.iter().map(block).collect::<Vec<_>>().join("\n");
    let data: Vec<Value> = rows.iter().map(datum).collect();
    Ok(Outcome::done(format!("🖥️ Proxmox Nodes\n\n{text}"), Data::new().always("nodes", data).into()))
}

fn block(row: &Resource<'_>) -> String {
    let mut out = format!("🖥️ {}\n", foreign::name(&row.node));
    out += &text::bullet("Status", foreign::state(&row.status).to_ascii_uppercase());
    if nodes::is_online(row) {
        let uptime = row.uptime.value().map(text::uptime);
        out += &text::bullet("Uptime", uptime.as_deref().unwrap_or(text::UNKNOWN));
    }
    let cores = row.maxcpu.whole().map(|cores| cores.to_string());
    out += &text::bullet("CPU Cores", cores.as_deref().unwrap_or(text::UNKNOWN));
    let memory = match (row.memory(), row.maxmem.value()) {
        (Some((used, total)), _) => text::usage(used, total),
        (None, Some(total)) => format!("{} in all", text::bytes(total)),
        (None, None) => text::UNKNOWN.to_owned(),
    };
    out + &text::bullet("Memory", memory)
}

fn datum(row: &Resource<'_>) -> Value {
    Data::new()
        .always("node", foreign::line(&row.node, 80))
        .always("status", foreign::state(&row.status))
        .known("uptime_seconds", row.uptime.whole())
        .known("cpu_cores", row.maxcpu.whole())
        .known("cpu_fraction", row.cpu.fraction())
        .known("memory_used_bytes", row.mem.whole())
        .known("memory_total_bytes", row.maxmem.whole())
        .into()
}

#[cfg(test)]
#[path = "tests/proxmox_get_nodes.rs"]
mod tests;
