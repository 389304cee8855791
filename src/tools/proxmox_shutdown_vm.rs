//! `proxmox_shutdown_vm`: shuts one guest down.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::Cx;
use crate::error::Error;
use crate::pve::guests;
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::power::{self, Action};
use crate::tool::{Args, Outcome, Tool, Toolset, Whole};

crate::params! {
    /// Guest id, such as 101.
    vmid: Vmid,
    /// Node of the guest; found if left out.
    node: Option<NodeName>,
    /// How long the guest may take.
    timeout_seconds: Option<Whole<1, 3600>>,
    /// Stop it hard if it does not react in time; unsaved data is lost.
    force: bool = false,
    /// Wait until it is off; false returns the task id at once.
    wait: bool = true,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_shutdown_vm",
    title: "Shut down guest",
    description: "Shuts down a guest of either kind, VM or container, by asking its operating system.",
    toolset: Toolset::Guests,
    params: PARAMS,
    output: power::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &methods::POST_NODES_NODE_QEMU_VMID_STATUS_SHUTDOWN,
        &methods::POST_NODES_NODE_LXC_VMID_STATUS_SHUTDOWN,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    destructive: true,
    idempotent: Some(true),
    run,
    resume: Some(resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let guest = guests::locate(cx, params.vmid, params.node.as_ref())?;
    let mut call = Action::Shutdown.call(&guest);
    if let Some(timeout) = params.timeout_seconds {
        call = call.with("timeout", timeout.0);
    }
    if params.force {
        call = call.with("forceStop", true);
    }
    power::begin(cx, Action::Shutdown, &guest, call, params.wait)
}

fn resume(cx: &Cx<'_>, state: &Value) -> Result<Outcome, Error> {
    power::go_on(cx, Action::Shutdown, state)
}

#[cfg(test)]
#[path = "tests/proxmox_shutdown_vm.rs"]
mod tests;
