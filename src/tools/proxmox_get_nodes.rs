//! `proxmox_get_nodes`: all nodes of the cluster.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::listing::{Cursor, Page};
use crate::pve::nodes;
use crate::pve::resources::{self, Resource};
use crate::shape::{Shape, always, known};
use crate::table::rounded;
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset};
use crate::view::{BUDGET, Limit};

/// Up to so many nodes are shown in full.
const IN_FULL: usize = 8;

crate::params! {
    /// How many.
    limit: Hidden<Limit>,
    /// Where the page begins.
    cursor: Hidden<Cursor>,
}

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
    description: "Lists the nodes: status, uptime, CPU, memory.",
    toolset: Toolset::Overview,
    params: PARAMS,
    output: Shape::Object(&[
        always("nodes", Shape::List(&NODE)),
        always("total", Shape::Count),
        always("online", Shape::Count),
        known("next_cursor", Shape::Text),
    ]),
    calls: &[&methods::GET_CLUSTER_RESOURCES],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let reply = cx.reply(Call::of(&methods::GET_CLUSTER_RESOURCES).with("type", "node"))?;
    let mut rows = resources::rows(&reply)?;
    rows.retain(Resource::is_node);
    rows.sort_unstable_by(|a, b| a.node.cmp(&b.node));
    if rows.is_empty() {
        return Err(Error::NotFound("Proxmox VE shows no node to this API token.".to_owned()));
    }
    let (total, online) = (rows.len(), rows.iter().filter(|row| nodes::is_online(row)).count());
    let full = total <= IN_FULL;
    let mut text = "🖥️ Proxmox Nodes\n\n".to_owned();
    if !full {
        text += &text::bullet("Nodes", format_args!("{total}: {online} online, {} offline", total - online));
        // Those that are not online are what one looks for.
        rows.sort_by_key(nodes::is_online);
    }
    let cost = |row: &Resource<'_>| if full { 0 } else { line(row).len() + datum(row).to_string().len() + 1 };
    let limit = params.limit.get().map(|limit| limit.0);
    let page = Page::fitting(rows, limit, params.cursor.0, BUDGET.saturating_sub(text.len() + 180), cost)?;
    if full {
        text += &page.rows.iter().map(block).collect::<Vec<_>>().join("\n");
    } else {
        text += "\n| Node | Status | Uptime | Cores | CPU | Memory |\n|---|---|---|---|---|---|\n";
        text.extend(page.rows.iter().map(line));
    }
    text += &page.footer("nodes");
    let rows: Vec<Value> = page.rows.iter().map(datum).collect();
    let data = Data::new()
        .always("nodes", rows)
        .always("total", total)
        .always("online", online)
        .known("next_cursor", page.next.as_deref());
    Ok(Outcome::done(text, data.into()))
}

/// A node in one row.
fn line(row: &Resource<'_>) -> String {
    let online = nodes::is_online(row);
    let uptime = row.uptime.value().filter(|_| online).map(text::duration).unwrap_or_default();
    let cores = row.maxcpu.whole().map(|cores| cores.to_string()).unwrap_or_default();
    let cpu = row.cpu.fraction().filter(|_| online).map(text::percent).unwrap_or_default();
    let memory = row.memory().map(|(used, total)| text::usage(used, total)).unwrap_or_default();
    let (name, status) = (foreign::name(&row.node), foreign::state(&row.status));
    format!("| {name} | {status} | {uptime} | {cores} | {cpu} | {memory} |\n")
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
        .known("cpu_fraction", row.cpu.fraction().map(rounded))
        .known("memory_used_bytes", row.mem.whole())
        .known("memory_total_bytes", row.maxmem.whole())
        .into()
}

#[cfg(test)]
#[path = "tests/proxmox_get_nodes.rs"]
mod tests;
