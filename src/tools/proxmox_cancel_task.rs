//! `proxmox_cancel_task`: stops a task that runs.

use proxmox_api::methods;
use serde_json::Value;

use crate::change::{self, Change, How};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::pve::ids::Upid;
use crate::pve::tasks;
use crate::dates;
use crate::tool::{Args, Outcome, Tool, Toolset};

crate::params! {
    /// UPID.
    upid: Upid,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_cancel_task",
    title: "Cancel task",
    description: "Stops a running task.",
    toolset: Toolset::ByName,
    params: PARAMS,
    output: change::SHAPE,
    calls: &[&methods::GET_NODES_NODE_TASKS_UPID_STATUS, &methods::DELETE_NODES_NODE_TASKS_UPID],
    destructive: true,
    idempotent: Some(true),
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let Params { upid, dry_run } = Params::read(args)?;
    let status = tasks::status(cx, &upid)?;
    let about = format!("{} {}", upid.kind(), upid.id());
    let change = Change::new(format!("🛑 Task {} on {}", about.trim_end(), upid.node())).node(upid.node());
    if status.get("status").and_then(Value::as_str) != Some("running") {
        let exit = status.get("exitstatus").and_then(Value::as_str).unwrap_or("unknown");
        return Ok(change.before("Status", format!("ended: {}", crate::foreign::words(exit, 200))).unchanged());
    }
    let started = crate::pve::resources::Figure::of(status.get("starttime")).whole();
    let change = match started {
        Some(started) => change.before("Running since", format!("{} UTC", dates::minute(started))),
        None => change,
    };
    let call = Call::of(&methods::DELETE_NODES_NODE_TASKS_UPID).at("node", upid.node()).at("upid", &upid);
    change
        .loses("What the task has done so far stays half done: look at what it was about.")
        .make(cx, call, How { wait: false, dry_run })
}

#[cfg(test)]
#[path = "tests/proxmox_cancel_task.rs"]
mod tests;
