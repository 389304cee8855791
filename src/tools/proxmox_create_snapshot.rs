//! `proxmox_create_snapshot`: keeps the present state of a guest under a name.

use proxmox_api::methods;

use crate::change::{self, Change, How};
use crate::cx::Cx;
use crate::error::Error;
use crate::pve::guests::{self, GuestKind};
use crate::pve::ids::{NodeName, SnapshotName, Vmid};
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset};

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Name of the new snapshot.
    name: SnapshotName,
    /// What it is for.
    description: Option<String>,
    /// Keep the memory of a running VM too.
    ram: bool = false,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_create_snapshot",
    title: "Create snapshot",
    description: "Takes a snapshot of a VM or container.",
    toolset: Toolset::Guests,
    aliases: &[
        Alias::of("proxmox_create_snapshot_vm").renamed(&[("snapname", "name")]),
        Alias::of("proxmox_create_snapshot_lxc").renamed(&[("snapname", "name")]),
    ],
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::POST_NODES_NODE_QEMU_VMID_SNAPSHOT,
        &methods::POST_NODES_NODE_LXC_VMID_SNAPSHOT,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    run,
    resume: Some(change::resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let guest = guests::locate(cx, params.vmid, params.node.get())?;
    if params.ram && guest.kind == GuestKind::Container {
        return Err(Error::Arguments(format!("{guest} is a container; only VMs have memory to keep. Leave `ram` out.")));
    }
    let call = guest
        .call(&methods::POST_NODES_NODE_QEMU_VMID_SNAPSHOT, &methods::POST_NODES_NODE_LXC_VMID_SNAPSHOT)
        .with("snapname", params.name.as_str())
        .with_some("description", params.description.as_deref())
        .with_some("vmstate", params.ram.then_some(true));
    let undo = serde_json::json!({"vmid": guest.vmid.number(), "name": params.name.as_str()});
    Change::new(format!("📸 Snapshot `{}` of {guest}", params.name))
        .guest(&guest)
        .fact("Memory", if params.ram { "kept" } else { "not kept" })
        .undo("proxmox_delete_snapshot", undo)
        .make(cx, call, How { wait: params.wait, dry_run: params.dry_run })
}

#[cfg(test)]
#[path = "tests/proxmox_create_snapshot.rs"]
mod tests;
