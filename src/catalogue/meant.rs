//! What was probably meant, where a call named a guest or a node that there is not.

use proxmox_api::methods::GET_CLUSTER_RESOURCES;
use serde_json::Value;

use crate::cx::{Cx, Transport};
use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::pve::quirks::Quirk;
use crate::pve::resources::{self, Resource};
use crate::tool::{Args, Tool};

/// The error of a call, with the guest or the node that was meant, where a look at the cluster tells.
pub(super) fn explained(
    tool: &Tool,
    transport: &dyn Transport,
    now_ms: u64,
    args: &Args,
    error: Error,
) -> Error {
    let looks = tool.calls.iter().any(|call| std::ptr::eq(*call, &GET_CLUSTER_RESOURCES));
    let text = |name: &str| args.get(name).and_then(Value::as_str);
    let cx = Cx::new(tool, transport, now_ms);
    let found = match (&error, text("vmid"), text("node")) {
        _ if !looks => None,
        (Error::Arguments(_), Some(name), _) if name.contains(|c: char| c.is_alphabetic()) => {
            guest(&cx, name)
        }
        (error, _, Some(name)) if is_about_node(error) => node(&cx, name),
        _ => None,
    };
    found.unwrap_or(error)
}

/// Whether Proxmox did not know, or not reach, the node of a request.
fn is_about_node(error: &Error) -> bool {
    match error {
        Error::Refused(refusal) => refusal.quirk() == Some(Quirk::NodeUnknown) || refusal.is_gateway(),
        _ => false,
    }
}

/// A guest was named where its id belongs.
fn guest(cx: &Cx<'_>, name: &str) -> Option<Error> {
    let reply = resources::fetch(cx).ok()?;
    let rows = resources::rows(&reply).ok()?;
    let guests = || rows.iter().filter(|row| row.is_guest());
    let same: Vec<&Resource<'_>> =
        guests().filter(|row| row.name.eq_ignore_ascii_case(name.trim())).collect();
    let near = match same.is_empty() {
        false => same,
        true => {
            let near = nearest(name.trim(), guests().map(|row| &*row.name))?;
            guests().filter(|row| &*row.name == near).collect()
        }
    };
    let shown: Vec<String> = near
        .iter()
        .take(5)
        .filter_map(|row| {
            Some(format!(
                "{} ({}, on {})",
                row.guest_id()?,
                foreign::name(&row.name),
                foreign::name(&row.node)
            ))
        })
        .collect();
    Some(Error::Arguments(format!(
        "`vmid` takes a guest's id, not its name, and got {}. Did you mean {}?",
        foreign::code(name, 60),
        shown.join(" or ")
    )))
}

/// A node was named that there is not.
fn node(cx: &Cx<'_>, name: &str) -> Option<Error> {
    let reply = resources::fetch(cx).ok()?;
    let rows = resources::rows(&reply).ok()?;
    let nodes: Vec<&str> = rows.iter().filter(|row| row.is_node()).map(|row| &*row.node).collect();
    if nodes.is_empty() || nodes.contains(&name) {
        return None;
    }
    let shown = foreign::code(name, 60);
    Some(Error::NotFound(match nearest(name, nodes.iter().copied()) {
        Some(near) => format!("There is no node {shown}. Did you mean {}?", foreign::code(near, 60)),
        None => {
            let known: Vec<String> = nodes.iter().take(20).map(|node| foreign::code(node, 60)).collect();
            format!("There is no node {shown}. There are {}.", known.join(", "))
        }
    }))
}
