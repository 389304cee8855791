//! Snapshots of guests.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::guests::{guest_of, kind_of};
use super::{Row, config, here, index, on_node};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::resources::add;
use crate::world::task::Effect;
use crate::world::{Guest, GuestKind, Plan, Snapshot, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_QEMU_VMID_SNAPSHOT, list),
    on_node(&m::GET_NODES_NODE_LXC_VMID_SNAPSHOT, list),
    here(&m::GET_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME, index),
    here(&m::GET_NODES_NODE_LXC_VMID_SNAPSHOT_SNAPNAME, index),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_SNAPSHOT, create),
    on_node(&m::POST_NODES_NODE_LXC_VMID_SNAPSHOT, create),
    on_node(&m::DELETE_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME, delete),
    on_node(&m::DELETE_NODES_NODE_LXC_VMID_SNAPSHOT_SNAPNAME, delete),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME_ROLLBACK, rollback),
    on_node(&m::POST_NODES_NODE_LXC_VMID_SNAPSHOT_SNAPNAME_ROLLBACK, rollback),
];

fn list(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let is_vm = guest.kind == GuestKind::Qemu;
    let mut rows: Vec<Value> = guest
        .snapshots
        .iter()
        .map(|s| {
            let mut row = json!({ "name": s.name, "snaptime": s.time, "description": s.description });
            if is_vm {
                add(&mut row, json!({ "vmstate": u8::from(s.with_memory) }));
            }
            if let Some(parent) = &s.parent {
                add(&mut row, json!({ "parent": parent }));
            }
            row
        })
        .collect();
    let mut current = json!({
        "name": "current", "description": "You are here!", "digest": guest.digest(), "running": u8::from(guest.running),
    });
    if let Some(last) = guest.snapshots.last() {
        add(&mut current, json!({ "parent": last.name }));
    }
    rows.push(current);
    Ok(json!(rows).into())
}

fn create(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("snapname").to_owned();
    if name == "current" || name == "pending" {
        return Err(Failure::parameter("snapname", format!("invalid snapshot name '{name}'")));
    }
    let description = call.params.text("description").to_owned();
    let with_memory = call.params.flag("vmstate");
    let effect = move |world: &mut World, vmid: u32| {
        let (now, quorate, pid) = (world.clock.unix(), world.quorate, world.last_pid);
        let raw = world.guests.get(&vmid).is_some_and(|g| !can_snapshot(world, g));
        let guest = world.guests.get_mut(&vmid).ok_or("guest has gone")?;
        if guest.snapshots.iter().any(|s| s.name == name) {
            return Err(format!("snapshot name '{name}' already used"));
        }
        if !quorate {
            return Err(config::read_only(guest, pid));
        }
        unlocked(guest)?;
        if raw {
            return Err("snapshot feature is not available".into());
        }
        let parent = guest.snapshots.last().map(|s| s.name.clone());
        let running = guest.running;
        guest.snapshots.push(Snapshot { name, time: now, description, parent, with_memory, running });
        Ok(())
    };
    start(world, call, ("qmsnapshot", "vzsnapshot"), 1.5, effect)
}

fn delete(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("snapname").to_owned();
    let effect = move |world: &mut World, vmid: u32| {
        let guest = world.guests.get_mut(&vmid).ok_or("guest has gone")?;
        unlocked(guest)?;
        let at = guest.snapshots.iter().position(|s| s.name == name);
        let at = at.ok_or_else(|| format!("snapshot '{name}' does not exist"))?;
        let gone = guest.snapshots.remove(at);
        let orphans = guest.snapshots.iter_mut().filter(|s| s.parent.as_ref() == Some(&gone.name));
        orphans.for_each(|s| s.parent.clone_from(&gone.parent));
        Ok(())
    };
    start(world, call, ("qmdelsnapshot", "vzdelsnapshot"), 1.0, effect)
}

fn rollback(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("snapname").to_owned();
    let boot = call.params.flag("start");
    let effect = move |world: &mut World, vmid: u32| {
        let now = world.clock.unix();
        let guest = world.guests.get_mut(&vmid).ok_or("guest has gone")?;
        unlocked(guest)?;
        let found = guest.snapshots.iter().find(|s| s.name == name);
        let found = found.ok_or_else(|| format!("snapshot '{name}' does not exist"))?;
        guest.running = (found.with_memory && found.running) || boot;
        guest.started = now;
        guest.agent.reboot();
        Ok(())
    };
    start(world, call, ("qmrollback", "vzrollback"), 2.0, effect)
}

fn start(
    world: &mut World,
    call: &Call,
    (vm, ct): (&'static str, &'static str),
    times: f64,
    effect: impl FnOnce(&mut World, u32) -> Result<(), String> + Send + 'static,
) -> Result<Reply, Failure> {
    let vmid = guest_of(world, call)?.vmid;
    let kind = if kind_of(call) == GuestKind::Qemu { vm } else { ct };
    let effect: Effect = Box::new(move |world: &mut World| effect(world, vmid));
    let plan =
        Plan { kind, id: vmid.to_string(), takes: world.takes(times), log: Vec::new(), warnings: 0, effect };
    Ok(json!(world.start_task(&call.caller, call.params.node(), plan)).into())
}

/// Raw files and container directories cannot be snapshotted.
fn can_snapshot(world: &World, guest: &Guest) -> bool {
    let is_dir = world.storages.iter().any(|s| s.name == guest.storage && matches!(s.kind, "dir" | "nfs"));
    !is_dir || (guest.kind == GuestKind::Qemu && guest.volume.ends_with(".qcow2"))
}

fn unlocked(guest: &Guest) -> Result<(), String> {
    match &guest.lock {
        Some(lock) => Err(format!("{} is locked ({lock})", guest.kind.noun())),
        None => Ok(()),
    }
}
