//! What there is to see of a guest, a node and the cluster: one function for each view.

pub mod agent;
pub mod cluster;
pub mod firewall;
pub mod guest;
pub mod logs;
pub mod node;
pub mod snapshots;

use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::pve::resources::Figure;

/// The rows of a list that the API gives; none if it gives something else.
fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    }
}

/// Asks for a list.
fn fetch(cx: &Cx<'_>, call: Call) -> Result<Vec<Value>, Error> {
    cx.call(call).map(list)
}

/// A text of a row; empty where there is none.
fn text<'r>(row: &'r Value, key: &str) -> &'r str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A number of a row.
fn figure(row: &Value, key: &str) -> Figure {
    Figure::of(row.get(key))
}

/// Now, in seconds since 1970.
fn now(cx: &Cx<'_>) -> u64 {
    cx.now_ms() / 1000
}
