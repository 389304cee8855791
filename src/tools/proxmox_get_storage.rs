//! `proxmox_get_storage`: all storages of the cluster.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::pve::resources::{self, Figure};
use crate::pve::storages::{self, Storage};
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Args, Outcome, Tool, Toolset};

/// The most storages that one answer shows.
const SHOWN: usize = 100;
/// The most node names that one line shows.
const NODES_SHOWN: usize = 8;

crate::params! {}

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
    description: "Lists the storages of the cluster with status, type, usage and, for Ceph, IOPS.",
    toolset: Toolset::Storage,
    params: PARAMS,
    output: Shape::Object(&[
        always("storages", Shape::List(&STORAGE)),
        always("total", Shape::Count),
        always("left_out", Shape::Count),
    ]),
    calls: &[&methods::GET_CLUSTER_RESOURCES, &methods::GET_CLUSTER_CEPH_STATUS],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    Params::read(args)?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    let mut all = storages::all(&rows);
    let (total, left_out) = (all.len(), all.len().saturating_sub(SHOWN));
    all.truncate(SHOWN);
    let ceph = all.iter().any(|storage| storage.is_ceph() && storage.online).then(|| Ceph::ask(cx));

    let mut text = "💾 Storage Pools\n\n".to_owned();
    if total == 0 {
        text += "No storage, or none that the API token may see (`Datastore.Audit`).\n";
    }
    if left_out > 0 {
        text += &format!("Showing the first {SHOWN} of {total} by name; {left_out} are left out.\n\n");
    }
    let shown: Vec<Shown<'_>> = all.iter().map(|storage| Shown { storage, ceph: ceph.as_ref() }).collect();
    text += &shown.iter().map(Shown::block).collect::<Vec<_>>().join("\n");
    let rows: Vec<Value> = shown.iter().map(Shown::datum).collect();
    let data = Data::new().always("storages", rows).always("total", total).always("left_out", left_out);
    Ok(Outcome::done(text, data.into()))
}

/// Operations per second of the whole Ceph cluster.
struct Ceph {
    write: f64,
    read: f64,
}

impl Ceph {
    /// Asks for them; the error is a short reason.
    fn ask(cx: &Cx<'_>) -> Result<Ceph, String> {
        let status = cx.call(Call::of(&methods::GET_CLUSTER_CEPH_STATUS)).map_err(|error| error.brief())?;
        let map = status.get("pgmap").ok_or(text::UNKNOWN)?;
        // Ceph leaves a rate out while it is zero.
        let rate = |key: &str| Figure::of(map.get(key)).value().unwrap_or_default();
        Ok(Ceph { write: rate("write_op_per_sec"), read: rate("read_op_per_sec") })
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
        let nodes: Vec<String> = nodes.iter().map(|node| foreign::line(node, 80)).collect();
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
