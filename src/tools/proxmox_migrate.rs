//! `proxmox_migrate`: moves a guest to another node.

use proxmox_api::methods;
use serde_json::{Value, json};

use crate::change::{self, Change, Follow, How};
use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::pve::guests::{self, Guest, GuestKind, Live, OriginalKind};
use crate::pve::ids::{NodeName, StorageId, Vmid};
use crate::pve::migration::{Outlook, Wish};
use crate::pve::nodes;
use crate::pve::quirks::Quirk;
use crate::pve::resources::{self, Resource};
use crate::tool::{Alias, Args, Hidden, Outcome, Pending, Tool, Toolset, Whole};

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Node to move it to.
    target: NodeName,
    /// Move a running guest; true if left out.
    online: Hidden<bool>,
    /// Copy a running VM's local disks.
    with_local_disks: Hidden<bool>,
    /// Storage for its local disks there.
    target_storage: Hidden<StorageId>,
    /// How long a running container may take to shut down.
    timeout_seconds: Hidden<Whole<1, 3600>>,
    /// Its kind, as older servers took it.
    r#type: Hidden<OriginalKind>,
    /// Node that it is on.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_migrate",
    title: "Migrate",
    description: "Moves a guest to another node.",
    toolset: Toolset::Guests,
    aliases: &[Alias::of("proxmox_migrate_vm")],
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_QEMU_VMID_MIGRATE,
        &methods::GET_NODES_NODE_LXC_VMID_MIGRATE,
        &methods::POST_NODES_NODE_QEMU_VMID_MIGRATE,
        &methods::POST_NODES_NODE_LXC_VMID_MIGRATE,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    run,
    resume: Some(resume),
    ..Tool::PLAIN
};

/// How long the HA manager may take for a move, in milliseconds, after its task has ended.
const HA_PATIENCE_MS: u64 = 600_000;
/// How often the place of a guest is looked at while the HA manager moves it, in milliseconds.
const HA_LOOK_MS: u32 = 3000;

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    let guest = guests::find(&rows, params.vmid, params.node.get())?;
    if let Some(kind) = params.r#type.get() {
        kind.check(&guest)?;
    }
    let change = Change::new(format!("🚚 Migrate {guest} to {}", params.target)).guest(&guest);
    if guest.node == params.target {
        return Ok(change.unchanged());
    }
    online_target(&rows, &params.target)?;
    let check = guest.call(&methods::GET_NODES_NODE_QEMU_VMID_MIGRATE, &methods::GET_NODES_NODE_LXC_VMID_MIGRATE);
    let [live, outlook] =
        cx.all([guests::live_call(&guest), check.with("target", params.target.as_str())]);
    let live = guests::read_live(&live?, &guest)?;
    params.unlocked(&guest, &live)?;
    let change = match outlook {
        Ok(outlook) => Outlook::read(&outlook, &params.target).check(params.wish(&live), &guest, change)?,
        Err(error) => change.warning(format!("What is in the way could not be asked: {}.", error.brief())),
    };
    let change = params.described(&guest, &live, change).extra(json!({
        "target": params.target.as_str(), "since_ms": cx.now_ms(),
    }));
    change.make(cx, params.call(&guest, &live), How { wait: params.wait, dry_run: params.dry_run })
}

fn online_target(rows: &[Resource<'_>], target: &NodeName) -> Result<(), Error> {
    let (target, row) = nodes::choose(rows, Some(target))?;
    if nodes::is_online(row) {
        return Ok(());
    }
    Err(Error::Failed(format!("Node `{target}` is offline; nothing can be moved there now.")))
}

/// Goes on. The task of a guest under HA ends when the manager has taken the order; the move comes later.
fn resume(cx: &Cx<'_>, state: &Value) -> Result<Outcome, Error> {
    let mut ended = match change::follow(cx, state)? {
        Follow::Waits(outcome) => return Ok(outcome),
        Follow::Ended(ended) => *ended,
    };
    let kept = ended.change.kept();
    let target = kept.get("target").and_then(Value::as_str).and_then(NodeName::parse);
    let since_ms = kept.get("since_ms").and_then(Value::as_u64);
    let (Some(target), Some(since_ms), Some(guest)) = (target, since_ms, ended.change.subject()) else {
        return Err(Error::Arguments("This continuation is not one that this tool gave out.".to_owned()));
    };
    let moved = Guest { node: target.clone(), ..guest.clone() };
    let there = if ended.upid.kind().starts_with("ha") { is_on(cx, guest, &target) } else { Ok(true) };
    match there {
        Ok(true) => {
            ended.change = ended.change.guest(&moved);
            return Ok(ended.done());
        }
        Err(error) if !error.may_pass() => return Err(error),
        // The next look may tell.
        Ok(false) | Err(_) => {}
    }
    if cx.now_ms().saturating_sub(since_ms) > HA_PATIENCE_MS {
        return Err(Error::Failed(format!(
            "The HA manager took the order to move {guest}, but it is not on `{target}` yet. \
             `proxmox_get_cluster_status` shows whether HA works. Task: `{}`",
            ended.upid
        )));
    }
    Ok(Outcome::Pending(Pending {
        state: state.clone(),
        message: format!("The HA manager moves {guest} to {target}"),
        progress: None,
        after_ms: HA_LOOK_MS,
    }))
}

/// Whether the guest is on this node now.
fn is_on(cx: &Cx<'_>, guest: &Guest, node: &NodeName) -> Result<bool, Error> {
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    let row = rows.iter().find(|row| row.is_guest() && row.guest_id() == Some(guest.vmid));
    Ok(row.is_some_and(|row| *row.node == *node.as_str()))
}

impl Params {
    fn wish(&self, live: &Live) -> Wish {
        Wish {
            running: live.is_running(),
            local_disks: self.copies_disks(),
            storage: self.target_storage.get().is_some(),
        }
    }

    fn copies_disks(&self) -> bool {
        self.with_local_disks.or(self.target_storage.get().is_some())
    }

    fn unlocked(&self, guest: &Guest, live: &Live) -> Result<(), Error> {
        if let Some(lock) = &live.lock {
            return Err(Error::Failed(format!(
                "{guest} is locked ({}). {} Nothing was sent.",
                foreign::code(lock, 40),
                Quirk::Locked.advice()
            )));
        }
        if live.is_running() && !self.online.or(true) {
            return Err(Error::Failed(format!(
                "{guest} is running. Leave `online` out to move it all the same, or shut it down first \
                 (`proxmox_power`). Nothing was sent."
            )));
        }
        Ok(())
    }

    fn call(&self, guest: &Guest, live: &Live) -> Call {
        let call = guest
            .call(&methods::POST_NODES_NODE_QEMU_VMID_MIGRATE, &methods::POST_NODES_NODE_LXC_VMID_MIGRATE)
            .with("target", self.target.as_str());
        let running = live.is_running().then_some(true);
        let storage = self.target_storage.get().map(StorageId::as_str);
        match guest.kind {
            GuestKind::Vm => call
                .with_some("online", running)
                .with_some("with-local-disks", running.filter(|_| self.copies_disks()))
                .with_some("targetstorage", storage),
            GuestKind::Container => call
                .with_some("restart", running)
                .with_some("timeout", running.and(self.timeout_seconds.get()).map(|seconds| seconds.0))
                .with_some("target-storage", storage),
        }
    }

    fn described(&self, guest: &Guest, live: &Live, change: Change) -> Change {
        let how = match (live.is_running(), guest.kind) {
            (false, _) => "while it is off",
            (true, GuestKind::Vm) => "live, without a pause that its users notice",
            (true, GuestKind::Container) => "with a restart: it is shut down, moved and started again",
        };
        let undo = Data::new()
            .always("vmid", guest.vmid.number())
            .always("target", guest.node.as_str())
            .flagged("with_local_disks", self.copies_disks());
        let change = change.fact("From", &guest.node).fact("To", &self.target).fact("How", how);
        let change = change.undo("proxmox_migrate", undo);
        match live.managed {
            true => change.fact("HA", "the HA manager makes the move"),
            false => change,
        }
    }
}

#[cfg(test)]
#[path = "tests/proxmox_migrate.rs"]
mod tests;
