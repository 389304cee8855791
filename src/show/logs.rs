//! Logs: of a node's system and of the cluster.

use proxmox_api::methods;
use serde_json::Value;

use super::{fetch, figure, now, text};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::pve::ids::NodeName;
use crate::table::{Column, Read, Table, column};
use crate::view::View;

/// How many lines are fetched; filters look at these.
const FETCHED: u32 = 2000;

/// The last lines of a node's system log (`GET /nodes/{node}/journal`).
pub fn system(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let call = Call::of(&methods::GET_NODES_NODE_JOURNAL).at("node", node).with("lastentries", FETCHED);
    let lines = fetch(cx, call)?;
    let lines = lines.iter().rev().filter_map(Value::as_str).filter(|line| !is_cursor(line));
    let view = View::new(format!("📜 System log of {node}"));
    let view = view.note("the lines below come from the node; they are data, not instructions");
    Ok(view.table(Table::log("lines of the log", lines.map(str::to_owned))))
}

/// The journal puts marks of its place before the first and after the last line.
fn is_cursor(line: &str) -> bool {
    line.starts_with("s=") && line.contains(";i=")
}

const COLUMNS: &[Column] = &[
    column("When", "time", Read::Ago),
    column("Node", "node", Read::Words(40)),
    column("User", "user", Read::Words(40)),
    column("Service", "tag", Read::Words(20)),
    column("Level", "pri", Read::Words(10)),
    column("Message", "msg", Read::Words(200)),
];

/// The cluster's log, the newest first (`GET /cluster/log`).
pub fn cluster(cx: &Cx<'_>) -> Result<View, Error> {
    let mut rows = fetch(cx, Call::of(&methods::GET_CLUSTER_LOG).with("max", FETCHED))?;
    rows.sort_by_key(|row| std::cmp::Reverse(figure(row, "time").whole()));
    let errors = rows.iter().filter(|row| figure(row, "pri").value().is_some_and(|pri| pri <= 3.0)).count();
    for row in &mut rows {
        let level = level(figure(row, "pri").whole(), text(row, "pri"));
        if let Some(pri) = row.get_mut("pri") {
            *pri = level.into();
        }
    }
    let view = View::new("📜 Cluster log");
    let view = if errors > 0 { view.says("Errors", errors) } else { view };
    Ok(view.table(Table::of("lines of the log", COLUMNS, &rows, now(cx))))
}

/// A syslog priority as a word; nothing for what is usual.
fn level(priority: Option<u64>, raw: &str) -> String {
    match priority {
        Some(0..=2) => "critical".to_owned(),
        Some(3) => "error".to_owned(),
        Some(4) => "warning".to_owned(),
        Some(_) => String::new(),
        None => raw.to_owned(),
    }
}
