//! `proxmox_convert_to_template`: makes a template of a guest.

use proxmox_api::methods;

use crate::change::{self, Change, How};
use crate::cx::Cx;
use crate::error::Error;
use crate::pve::config::Config;
use crate::pve::edits;
use crate::pve::guests::{self, OriginalKind};
use crate::pve::ids::{NodeName, Vmid};
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset};

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Its kind, as older servers took it.
    r#type: Hidden<OriginalKind>,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_convert_to_template",
    title: "Make template",
    description: "Turns a stopped guest into a template, for good.",
    toolset: Toolset::ByName,
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_CONFIG,
        &methods::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &methods::POST_NODES_NODE_QEMU_VMID_TEMPLATE,
        &methods::POST_NODES_NODE_LXC_VMID_TEMPLATE,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    destructive: true,
    idempotent: Some(true),
    run,
    resume: Some(change::resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let guest = guests::locate(cx, params.vmid, params.node.get())?;
    if let Some(kind) = params.r#type.get() {
        kind.check(&guest)?;
    }
    let change = Change::new(format!("📐 Template of {guest}")).guest(&guest);
    if guest.template {
        return Ok(change.unchanged());
    }
    let [config, live] = cx.all([Config::call(&guest), guests::live_call(&guest)]);
    let config = Config::read(config?, &guest)?;
    let live = guests::read_live(&live?, &guest)?;
    let no = |why: &str| Err(Error::Failed(format!("{guest} {why} Nothing was sent.")));
    if live.is_hibernated() {
        return no("is suspended to disk. Start it and shut it down first (`proxmox_power`).");
    }
    edits::unlocked(&guest, &config)?;
    if live.is_running() {
        return no("is running. Shut it down first (`proxmox_power`).");
    }
    if config.text("parent").is_some() {
        return no("has snapshots, and a template has none. Delete them first (`proxmox_delete_snapshot`).");
    }
    let call =
        guest.call(&methods::POST_NODES_NODE_QEMU_VMID_TEMPLATE, &methods::POST_NODES_NODE_LXC_VMID_TEMPLATE);
    change
        .loses("The guest as one that can be started: a template can only be cloned, and there is no way back.")
        .make(cx, call, How { wait: params.wait, dry_run: params.dry_run })
}

#[cfg(test)]
#[path = "tests/proxmox_convert_to_template.rs"]
mod tests;
