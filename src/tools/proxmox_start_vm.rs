//! `proxmox_start_vm`: starts one guest.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::Cx;
use crate::error::Error;
use crate::pve::guests;
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::power::{self, Action};
use crate::tool::{Args, Outcome, Tool, Toolset};

crate::params! {
    /// Guest id, such as 101.
    vmid: Vmid,
    /// Node of the guest; found if left out.
    node: Option<NodeName>,
    /// Wait until it runs; false returns the task id at once.
    wait: bool = true,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_start_vm",
    title: "Start guest",
    description: "Starts a stopped VM or container. One that runs already is left alone.",
    toolset: Toolset::Guests,
    params: PARAMS,
    output: power::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &methods::POST_NODES_NODE_QEMU_VMID_STATUS_START,
        &methods::POST_NODES_NODE_LXC_VMID_STATUS_START,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    idempotent: Some(true),
    run,
    resume: Some(resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let guest = guests::locate(cx, params.vmid, params.node.as_ref())?;
    power::begin(cx, Action::Start, &guest, Action::Start.call(&guest), params.wait)
}

fn resume(cx: &Cx<'_>, state: &Value) -> Result<Outcome, Error> {
    power::go_on(cx, Action::Start, state)
}

#[cfg(test)]
#[path = "tests/proxmox_start_vm.rs"]
mod tests;
