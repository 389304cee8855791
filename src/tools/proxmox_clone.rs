//! `proxmox_clone`: makes a new guest of another one, or of a template.

use proxmox_api::methods;
use serde_json::Value;

use crate::change::{self, Change, How};
use crate::cx::Cx;
use crate::error::Error;
use crate::foreign;
use crate::pve::config::Config;
use crate::pve::disks::Disk;
use crate::pve::edits;
use crate::pve::guests::{self, Guest, GuestKind};
use crate::pve::ids::{NodeName, SnapshotName, StorageId, Vmid};
use crate::pve::new_guest::{self, GuestName, PoolId};
use crate::pve::nodes;
use crate::pve::resources::{self, Resource};
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset};

crate::params! {
    /// Guest id of the source.
    vmid: Vmid,
    /// Id of the clone.
    newid: Option<Vmid>,
    /// Its name.
    name: Option<GuestName>,
    /// Copy all data.
    full: Option<bool>,
    /// Node of the clone.
    target: Option<NodeName>,
    /// Storage of a full copy.
    storage: Option<StorageId>,
    /// State to copy.
    snapshot: Hidden<SnapshotName>,
    /// Pool of the clone.
    pool: Hidden<PoolId>,
    /// Notes of the clone.
    description: Hidden<String>,
    /// Node of the source.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_clone",
    title: "Clone",
    description: "Makes a new guest of another, its `snapshot` or a template.",
    toolset: Toolset::Guests,
    aliases: &[
        Alias::of("proxmox_clone_vm").renamed(&[("hostname", "name")]),
        Alias::of("proxmox_clone_lxc").renamed(&[("hostname", "name")]),
    ],
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_CLUSTER_NEXTID,
        &methods::GET_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &methods::POST_NODES_NODE_QEMU_VMID_CLONE,
        &methods::POST_NODES_NODE_LXC_VMID_CLONE,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    run,
    resume: Some(change::resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    let source = guests::find(&rows, params.vmid, params.node.get())?;
    let full = params.is_full(&source)?;
    let [config, live, next] =
        cx.all([Config::call(&source), guests::live_call(&source), new_guest::next_id(params.newid)]);
    let config = Config::read(config?, &source)?;
    edits::unlocked(&source, &config)?;
    check_running(&source, &live?, full, params.snapshot.get().is_some())?;
    check_target(&rows, &source, &config, params.target.as_ref())?;
    let newid = new_guest::free_id(&rows, "newid", params.newid, next)?;
    let mut change = params.described(&source, newid, full, &config);
    if let Some(warning) = new_guest::namesake(&rows, params.name.as_ref().map(GuestName::as_str)) {
        change = change.warning(warning);
    }
    change.make(cx, params.call(&source, newid, full), How { wait: params.wait, dry_run: params.dry_run })
}

/// A container that runs changes while it is copied.
fn check_running(source: &Guest, live: &Value, full: bool, snapshot: bool) -> Result<(), Error> {
    let running = guests::read_live(live, source)?.is_running();
    if source.kind == GuestKind::Container && full && running && !snapshot {
        return Err(Error::Failed(format!(
            "{source} is a running container; a full copy is made of a `snapshot` of it (`proxmox_create_snapshot`), or \
             while it is shut down."
        )));
    }
    Ok(())
}

/// A clone is made on another node only where that node sees the source's disks.
fn check_target(
    rows: &[Resource<'_>],
    source: &Guest,
    config: &Config,
    target: Option<&NodeName>,
) -> Result<(), Error> {
    let Some(target) = target else { return Ok(()) };
    let (target, row) = nodes::choose(rows, Some(target))?;
    if !nodes::is_online(row) {
        return Err(Error::Failed(format!("Node `{target}` is offline; name another one as `target`.")));
    }
    if target == source.node {
        return Ok(());
    }
    let is_local = |storage: &StorageId| {
        let mut same = rows.iter().filter(|row| row.is_storage() && &*row.storage == storage.as_str());
        same.any(|row| !row.shared.flag())
    };
    let mut disks = Disk::all(config).filter(|disk| !disk.key.is_unused());
    match disks.find(|disk| disk.storage().as_ref().is_some_and(is_local)) {
        None => Ok(()),
        Some(disk) => Err(Error::Failed(format!(
            "`{}` of {source} is on {}, which only node `{}` has. Leave `target` out and move the clone afterwards with \
             `proxmox_migrate`.",
            disk.key,
            disk.storage().map(|storage| storage.to_string()).unwrap_or_default(),
            source.node
        ))),
    }
}

impl Params {
    /// Whether all data are copied.
    fn is_full(&self, source: &Guest) -> Result<bool, Error> {
        let full = self.full.unwrap_or(!source.template || self.storage.is_some());
        if !full && !source.template && self.snapshot.get().is_none() {
            return Err(Error::Arguments(format!(
                "{source} is no template: its clone is a full copy (leave `full` out), or linked to a `snapshot` of it."
            )));
        }
        if !full && self.storage.is_some() {
            return Err(Error::Arguments(
                "A linked clone stays on the storage of its source: leave `storage` out, or give `full: true`."
                    .to_owned(),
            ));
        }
        Ok(full)
    }

    fn call(&self, source: &Guest, newid: Vmid, full: bool) -> crate::cx::Call {
        let name = match source.kind {
            GuestKind::Vm => "name",
            GuestKind::Container => "hostname",
        };
        source
            .call(&methods::POST_NODES_NODE_QEMU_VMID_CLONE, &methods::POST_NODES_NODE_LXC_VMID_CLONE)
            .with("newid", newid.number())
            .with_some(name, self.name.as_ref().map(GuestName::as_str))
            .with_some("full", (full || !source.template).then_some(full))
            .with_some("target", self.target.as_ref().map(NodeName::as_str))
            .with_some("storage", self.storage.as_ref().map(StorageId::as_str))
            .with_some("snapname", self.snapshot.get().map(SnapshotName::as_str))
            .with_some("pool", self.pool.get().map(PoolId::as_str))
            .with_some("description", self.description.get().map(String::as_str))
    }

    fn described(&self, source: &Guest, newid: Vmid, full: bool, config: &Config) -> Change {
        let clone = Guest {
            vmid: newid,
            node: self.target.clone().unwrap_or_else(|| source.node.clone()),
            kind: source.kind,
            name: self.name.as_ref().map(ToString::to_string).unwrap_or_default(),
            template: false,
        };
        let disks: Vec<String> = Disk::all(config)
            .filter(|disk| !disk.key.is_unused() && !disk.is_drive())
            .map(|disk| format!("{} {}", disk.key, disk.size()))
            .collect();
        let how = match (full, source.template) {
            (true, _) => "full copy",
            (false, true) => "linked to the template, which has to stay",
            (false, false) => "linked to the snapshot, which has to stay",
        };
        let change = Change::new(format!("🧬 Clone of {source}: {clone}"))
            .guest(&clone)
            .fact("Kind", how)
            .fact("Disks", foreign::name(&disks.join(", ")))
            .undo("proxmox_delete", new_guest::undo(newid, self.name.as_ref().map(GuestName::as_str)));
        match &self.storage {
            Some(storage) => change.fact("Storage", storage),
            None => change,
        }
    }
}

#[cfg(test)]
#[path = "tests/proxmox_clone.rs"]
mod tests;
