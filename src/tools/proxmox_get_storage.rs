//! `proxmox_get_storage`: all storages of the cluster.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::listing::{Cursor, Page, Pattern};
use crate::pve::ids::NodeName;
use crate::pve::nodes;
use crate::pve::resources::{self, Figure};
use crate::pve::storages::{self, Storage};
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset};
use crate::view::{BUDGET, Limit};

/// Up to so many storages are shown in full.
const IN_FULL: usize = 8;
/// The most node names that one line shows.
const NODES_SHOWN: usize = 8;
/// The most node names of one storage in data.
const DATA_NODES: usize = 16;

crate::params! {
    /// Node.
    node: Option<NodeName>,
    /// Name.
    name: Option<Pattern>,
    /// How many.
    limit: Hidden<Limit>,
    /// Where the page begins.
    cursor: Hidden<Cursor>,
}

const STORAGE: Shape = Shape::Object(&[
    always("storage", Shape::Text),
    always("status", Shape::Words(&["online", "unknown"])),
    always("type", Shape::Text),
    always("shared", Shape::Flag),
    always("nodes", Shape::List(&Shape::Text)),
    known("used_bytes", Shape::Count),
    known("total_bytes", Shape::Count),
    known("write_iops", Shape::Number).about("of the whole Ceph cluster"),
    known("read_iops", Shape::Number),
]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_storage",
    title: "List storages",
    description: "Lists the storages: status, type, usage, IOPS of Ceph.",
    toolset: Toolset::Storage,
    params: PARAMS,
    output: Shape::Object(&[
        always("storages", Shape::List(&STORAGE)),
        always("total", Shape::Count),
        always("left_out", Shape::Count),
        known("next_cursor", Shape::Text),
    ]),
    calls: &[&methods::GET_CLUSTER_RESOURCES, &methods::GET_CLUSTER_CEPH_STATUS],
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
    let mut all = storages::all(&rows);
    let visible = all.len();
    all.retain(|storage| params.wants(storage));
    let ceph = all.iter().any(|storage| storage.is_ceph() && storage.online).then(|| Ceph::ask(cx));
    let mut text = "💾 Storage Pools\n\n".to_owned();
    match (visible, all.len()) {
        (0, _) => text += "No storage, or none that the API token may see (`Datastore.Audit`).\n",
        (visible, 0) => text += &format!("None of {} fits.\n", text::count(visible, "storage")),
        _ => {}
    }
    let shown: Vec<Shown<'_>> = all.iter().map(|storage| Shown { storage, ceph: ceph.as_ref() }).collect();
    answer(&params, text, shown)
}

impl Params {
    fn wants(&self, storage: &Storage<'_>) -> bool {
        let here = |node: &NodeName| storage.nodes.iter().chain(&storage.failing).any(|on| *on == node.as_str());
        self.node.as_ref().is_none_or(here)
            && self.name.as_ref().is_none_or(|name| name.fits(&storage.row.storage))
    }
}

fn answer(params: &Params, mut text: String, mut all: Vec<Shown<'_>>) -> Result<Outcome, Error> {
    let full = all.len() <= IN_FULL;
    if !full {
        text += &totals(&all);
        // What is down first, then the fullest.
        let order = |a: &Shown<'_>, b: &Shown<'_>| {
            (a.storage.online, b.share()).partial_cmp(&(b.storage.online, a.share())).unwrap_or(std::cmp::Ordering::Equal)
        };
        all.sort_by(order);
    }
    let cost = |shown: &Shown<'_>| if full { 0 } else { shown.line().len() + shown.datum().to_string().len() + 1 };
    let limit = params.limit.get().map(|limit| limit.0);
    let page = Page::fitting(all, limit, params.cursor.0, BUDGET.saturating_sub(text.len() + 220), cost)?;
    if full {
        text += &page.rows.iter().map(Shown::block).collect::<Vec<_>>().join("\n");
    } else {
        text += "\n| Storage | Type | Where | Status | Usage |\n|---|---|---|---|---|\n";
        text.extend(page.rows.iter().map(Shown::line));
    }
    text += &page.footer("storages");
    let rows: Vec<Value> = page.rows.iter().map(Shown::datum).collect();
    let data = Data::new()
        .always("storages", rows)
        .always("total", page.total)
        .always("left_out", page.left)
        .known("next_cursor", page.next.as_deref());
    Ok(Outcome::done(text, data.into()))
}

fn totals(all: &[Shown<'_>]) -> String {
    let down = all.iter().filter(|shown| !shown.storage.online).count();
    let space = all.iter().filter_map(|shown| shown.storage.row.space());
    let (used, total) = space.fold((0.0, 0.0), |(used, total), (u, t)| (used + u, total + t));
    let iops = all.iter().find(|shown| shown.ceph().is_some()).map(|shown| text::bullet("Ceph IOPS", shown.iops()));
    let mut out = text::bullet("Storages", format_args!("{}: {} online, {down} not", all.len(), all.len() - down));
    out += &text::bullet("Usage", text::usage(used, total));
    out + &iops.unwrap_or_default()
}

/// Operations per second of the whole Ceph cluster.
struct Ceph {
    write: f64,
    read: f64,
}

impl Ceph {
    /// Asks for them; the error is a short reason.
    fn ask(cx: &Cx<'_>) -> Result<Ceph, String> {
        let call = || Call::of(&methods::GET_CLUSTER_CEPH_STATUS);
        let status = cx.call(call()).map_err(|error| refused(cx, &call(), &error))?;
        let map = status.get("pgmap").ok_or(text::UNKNOWN)?;
        // Ceph leaves a rate out while it is zero.
        let rate = |key: &str| Figure::of(map.get(key)).value().unwrap_or_default();
        Ok(Ceph { write: rate("write_op_per_sec"), read: rate("read_op_per_sec") })
    }
}

/// Why there is no answer, in short. What is granted and refused all the same is left out by an allow-list.
fn refused(cx: &Cx<'_>, call: &Call, error: &Error) -> String {
    match (error, cx.verdict(call)) {
        (Error::Denied(_), Ok(Some(verdict))) if verdict.needs.iter().all(|(_, granted)| *granted) => {
            "left out by the operator's allow-list: it tells of every node".to_owned()
        }
        _ => error.brief(),
    }
}

/// A storage of the list.
struct Shown<'r> {
    storage: &'r Storage<'r>,
    ceph: Option<&'r Result<Ceph, String>>,
}

impl Shown<'_> {
    fn ceph(&self) -> Option<&Result<Ceph, String>> {
        self.ceph.filter(|_| self.storage.is_ceph() && self.storage.online)
    }

    fn block(&self) -> String {
        let Storage { row, nodes, online, nodes_offline, failing } = self.storage;
        let mut out = format!("💾 {}\n", foreign::name(&row.storage));
        out += &text::bullet(
            "Status",
            match (online, nodes_offline) {
                (true, _) => "ONLINE",
                (false, true) => "UNKNOWN (node is offline)",
                (false, false) => "UNKNOWN (no figures: it may be down or disabled there)",
            },
        );
        if !failing.is_empty() {
            out += &text::bullet("Note", format_args!("no figures from {}: it may be down there", names(failing)));
        }
        let kind = foreign::name(&row.plugintype);
        out += &text::bullet("Type", if kind.is_empty() { text::UNKNOWN } else { &kind });
        let label = if nodes.len() == 1 { "Node" } else { "Nodes" };
        let shared = if self.storage.is_shared() { " (shared)" } else { "" };
        out += &text::bullet(label, format_args!("{}{shared}", names(nodes)));
        let usage = row.space().map(|(used, total)| text::usage(used, total));
        let old = if *nodes_offline && usage.is_some() { " (last known)" } else { "" };
        out += &text::bullet("Usage", format_args!("{}{old}", usage.as_deref().unwrap_or(text::UNKNOWN)));
        out + &text::bullet("IOPS", self.iops())
    }

    /// The share that is in use.
    fn share(&self) -> f64 {
        let space = self.storage.row.space().filter(|(_, total)| *total > 0.0);
        space.map_or(0.0, |(used, total)| used / total)
    }

    /// It in one row.
    fn line(&self) -> String {
        let Storage { row, nodes, online, failing, .. } = self.storage;
        let status = if *online { "online" } else { "unknown" };
        let failing = if failing.is_empty() { String::new() } else { format!(", no figures from {}", names(failing)) };
        let place = if self.storage.is_shared() { format!("shared by {}", text::count(nodes.len(), "node")) } else { names(nodes) };
        let usage = row.space().map(|(used, total)| text::usage(used, total)).unwrap_or_default();
        let (name, kind) = (foreign::name(&row.storage), foreign::name(&row.plugintype));
        format!("| {name} | {kind} | {place} | {status}{failing} | {usage} |\n")
    }

    fn iops(&self) -> String {
        match self.ceph() {
            Some(Ok(Ceph { write, read })) => format!(
                "⬆️ {} ⬇️ {} (writes and reads of the whole Ceph cluster)",
                text::thousands(*write),
                text::thousands(*read)
            ),
            Some(Err(reason)) => reason.clone(),
            None => text::UNKNOWN.to_owned(),
        }
    }

    fn datum(&self) -> Value {
        let Storage { row, nodes, online, .. } = self.storage;
        let nodes: Vec<String> =
            nodes.iter().take(DATA_NODES).map(|node| foreign::line(node, 80)).collect();
        let ceph = self.ceph().and_then(|ceph| ceph.as_ref().ok());
        Data::new()
            .always("storage", foreign::line(&row.storage, 80))
            .always("status", if *online { "online" } else { "unknown" })
            .always("type", foreign::line(&row.plugintype, 40))
            .always("shared", self.storage.is_shared())
            .always("nodes", nodes)
            .known("used_bytes", row.disk.whole())
            .known("total_bytes", row.maxdisk.whole())
            .known("write_iops", ceph.map(|ceph| ceph.write))
            .known("read_iops", ceph.map(|ceph| ceph.read))
            .into()
    }
}

fn names(nodes: &[&str]) -> String {
    let mut names: Vec<String> = nodes.iter().take(NODES_SHOWN).map(|node| foreign::name(node)).collect();
    if nodes.len() > NODES_SHOWN {
        names.push(format!("and {} more", nodes.len() - NODES_SHOWN));
    }
    names.join(", ")
}

#[cfg(test)]
#[path = "tests/proxmox_get_storage.rs"]
mod tests;
