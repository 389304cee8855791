//! `proxmox_delete_snapshot`: deletes a snapshot of a guest.

use proxmox_api::methods;

use crate::change::{self, Change, How};
use crate::cx::Cx;
use crate::error::Error;
use crate::foreign;
use crate::pve::edits;
use crate::pve::guests;
use crate::pve::ids::{NodeName, SnapshotName, Vmid};
use crate::pve::snapshots::Snapshots;
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset};

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Name.
    name: SnapshotName,
    /// Delete it from the configuration even where its disks' part cannot be deleted.
    force: Hidden<bool>,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_delete_snapshot",
    title: "Delete snapshot",
    description: "Deletes a guest's snapshot.",
    toolset: Toolset::Guests,
    aliases: &[
        Alias::of("proxmox_delete_snapshot_vm").renamed(&[("snapname", "name")]),
        Alias::of("proxmox_delete_snapshot_lxc").renamed(&[("snapname", "name")]),
    ],
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_SNAPSHOT,
        &methods::GET_NODES_NODE_LXC_VMID_SNAPSHOT,
        &methods::GET_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_CONFIG,
        &methods::DELETE_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME,
        &methods::DELETE_NODES_NODE_LXC_VMID_SNAPSHOT_SNAPNAME,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    destructive: true,
    run,
    resume: Some(change::resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let guest = guests::locate(cx, params.vmid, params.node.get())?;
    let (snapshots, config) = Snapshots::fetch(cx, &guest)?;
    let snapshot = snapshots.find(&guest, &params.name)?;
    edits::unlocked(&guest, &config)?;
    let force = params.force.get().copied().unwrap_or_default();
    let call = guest
        .call(
            &methods::DELETE_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME,
            &methods::DELETE_NODES_NODE_LXC_VMID_SNAPSHOT_SNAPNAME,
        )
        .at("snapname", &params.name)
        .with_some("force", force.then_some(true));
    let mut change = Change::new(format!("🗑️ Snapshot `{}` of {guest}", params.name))
        .guest(&guest)
        .loses(format!("the snapshot {}: nothing can go back to it any more", snapshot.shown(cx.now_ms())));
    let children: Vec<String> =
        snapshots.children(snapshot).iter().take(10).map(|child| foreign::code(&child.name, 60)).collect();
    if !children.is_empty() {
        change = change.fact("Stay", format!("{}, which came after it", children.join(", ")));
    }
    if force {
        change = change.warning("With `force`, parts of it may be left on the storage that nobody lists any more.");
    }
    change.make(cx, call, How { wait: params.wait, dry_run: params.dry_run })
}

#[cfg(test)]
#[path = "tests/proxmox_delete_snapshot.rs"]
mod tests;
