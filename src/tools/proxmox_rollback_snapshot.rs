//! `proxmox_rollback_snapshot`: puts a guest back to a snapshot.

use proxmox_api::methods;

use crate::change::{self, Change, How};
use crate::cx::Cx;
use crate::error::Error;
use crate::pve::config::Config;
use crate::pve::disks::Disk;
use crate::pve::edits;
use crate::pve::guests::{self, Guest};
use crate::pve::ids::{NodeName, SnapshotName, Vmid};
use crate::pve::resources::{self, Resource};
use crate::pve::snapshots::{Snapshot, Snapshots};
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset};

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Name.
    name: SnapshotName,
    /// Start.
    start: Option<bool>,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_rollback_snapshot",
    title: "Roll back to snapshot",
    description: "Puts a guest back to a snapshot; all that was written since is lost.",
    toolset: Toolset::Guests,
    aliases: &[
        Alias::of("proxmox_rollback_snapshot_vm").renamed(&[("snapname", "name")]),
        Alias::of("proxmox_rollback_snapshot_lxc").renamed(&[("snapname", "name")]),
    ],
    params: PARAMS,
    unlisted: &["start"],
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_SNAPSHOT,
        &methods::GET_NODES_NODE_LXC_VMID_SNAPSHOT,
        &methods::GET_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_CONFIG,
        &methods::POST_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME_ROLLBACK,
        &methods::POST_NODES_NODE_LXC_VMID_SNAPSHOT_SNAPNAME_ROLLBACK,
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
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    let guest = guests::find(&rows, params.vmid, params.node.get())?;
    let (snapshots, config) = Snapshots::fetch(cx, &guest)?;
    let snapshot = snapshots.find(&guest, &params.name)?;
    edits::unlocked(&guest, &config)?;
    let start = params.start.unwrap_or_default();
    if guest.template {
        return Err(Error::Failed(format!("{guest} is a template, and a template does not change.")));
    }
    let newer = snapshots.newer(snapshot);
    let blocked = if newer.is_empty() { None } else { zfs(&rows, &guest, &config) };
    if let Some(storage) = blocked {
        return Err(blocking(cx, &guest, snapshot, &newer, &storage));
    }
    let call = guest
        .call(
            &methods::POST_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME_ROLLBACK,
            &methods::POST_NODES_NODE_LXC_VMID_SNAPSHOT_SNAPNAME_ROLLBACK,
        )
        .at("snapname", &params.name)
        .with_some("start", start.then_some(true));
    let mut change = Change::new(format!("⏪ {guest} back to snapshot `{}`", params.name))
        .guest(&guest)
        .fact("Afterwards", afterwards(snapshot, start))
        .loses(format!(
            "everything that was written or configured since {}; a new snapshot first would keep it",
            snapshot.shown(cx.now_ms())
        ));
    if snapshots.running == Some(true) {
        change = change.before("status", "running").warning("The guest is running; it is cut off without a shutdown.");
    }
    if !newer.is_empty() {
        change = change.warning(format!("Newer snapshots stay, beside the state of now: {}.", list(cx, &newer)));
    }
    change.make(cx, call, How { wait: params.wait, dry_run: params.dry_run })
}

fn afterwards(snapshot: &Snapshot, start: bool) -> &'static str {
    match (snapshot.ram, start) {
        (true, _) => "it goes on from the memory in the snapshot",
        (false, true) => "it is started",
        (false, false) => "it is off; `start` = true would start it",
    }
}

/// A storage of ZFS that a disk of the guest is on: it goes back to its newest snapshot only.
fn zfs(rows: &[Resource<'_>], guest: &Guest, config: &Config) -> Option<String> {
    let is_zfs = |storage: &str| {
        rows.iter().any(|row| {
            row.is_storage() && *row.storage == *storage && *row.node == *guest.node.as_str() && &*row.plugintype == "zfspool"
        })
    };
    let storages = Disk::all(config).filter(|disk| !disk.is_drive() && !disk.key.is_unused()).filter_map(|disk| disk.storage());
    storages.map(|storage| storage.to_string()).find(|storage| is_zfs(storage))
}

fn blocking(cx: &Cx<'_>, guest: &Guest, snapshot: &Snapshot, newer: &[&Snapshot], storage: &str) -> Error {
    Error::Failed(format!(
        "{guest} cannot go back to {}: its disk is on `{storage}` (ZFS), which goes back to the newest snapshot only. Newer ones \
         are {}. Delete those first with `proxmox_delete_snapshot` (they are lost then), or clone the guest from the \
         snapshot instead, with `proxmox_clone`.",
        snapshot.shown(cx.now_ms()),
        list(cx, newer)
    ))
}

fn list(cx: &Cx<'_>, snapshots: &[&Snapshot]) -> String {
    let shown: Vec<String> = snapshots.iter().take(10).map(|snapshot| snapshot.shown(cx.now_ms())).collect();
    let more = snapshots.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
}

#[cfg(test)]
#[path = "tests/proxmox_rollback_snapshot.rs"]
mod tests;
