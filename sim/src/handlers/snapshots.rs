//! Snapshots of guests.

use proxmox_api::methods as m;
use serde_json::{Map, Value, json};

use super::guests::{guest_of, kind_of};
use super::{Row, config, here, index, on_node, tasks};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::resources::add;
use crate::world::task::Effect;
use crate::world::{Guest, GuestKind, Snapshot, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_QEMU_VMID_SNAPSHOT, list),
    on_node(&m::GET_NODES_NODE_LXC_VMID_SNAPSHOT, list),
    here(&m::GET_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME, index),
    here(&m::GET_NODES_NODE_LXC_VMID_SNAPSHOT_SNAPNAME, index),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME_CONFIG, kept_config),
    on_node(&m::GET_NODES_NODE_LXC_VMID_SNAPSHOT_SNAPNAME_CONFIG, kept_config),
    on_node(&m::PUT_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME_CONFIG, describe),
    on_node(&m::PUT_NODES_NODE_LXC_VMID_SNAPSHOT_SNAPNAME_CONFIG, describe),
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
    if let Some(parent) = guest.parent() {
        add(&mut current, json!({ "parent": parent }));
    }
    rows.push(current);
    Ok(json!(rows).into())
}

/// The configuration of a guest at the time of a snapshot.
pub(super) fn config_of(guest: &Guest, name: &str) -> Result<Map<String, Value>, Failure> {
    let found = guest.snapshots.iter().find(|s| s.name == name);
    let found = found.ok_or_else(|| Failure::internal(format!("snapshot '{name}' does not exist")))?;
    let mut config = if found.config.is_empty() { guest.config(true) } else { found.config.clone() };
    config.insert("snaptime".into(), json!(found.time));
    match &found.parent {
        Some(parent) => config.insert("parent".into(), json!(parent)),
        None => config.remove("parent"),
    };
    if !found.description.is_empty() {
        config.insert("description".into(), json!(found.description));
    }
    if found.with_memory {
        let state = format!("{}:vm-{}-state-{name}", guest.storage, guest.vmid);
        config.insert("vmstate".into(), json!(state));
    }
    Ok(config)
}

fn kept_config(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    Ok(Value::Object(config_of(guest_of(world, call)?, call.params.text("snapname"))?).into())
}

fn describe(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    config::changeable(world, call, guest)?;
    let name = call.params.text("snapname");
    let found = world.guests.get_mut(&call.params.vmid());
    let found = found.and_then(|g| g.snapshots.iter_mut().find(|s| s.name == name));
    let found = found.ok_or_else(|| Failure::internal(format!("snapshot '{name}' does not exist")))?;
    if let Some(text) = call.params.optional("description") {
        text.clone_into(&mut found.description);
    }
    Ok(Value::Null.into())
}

fn create(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("snapname").to_owned();
    if name == "current" || name == "pending" {
        return Err(Failure::parameter("snapname", format!("invalid snapshot name '{name}'")));
    }
    let description = call.params.text("description").to_owned();
    let vmstate = call.params.flag("vmstate");
    let effect = move |world: &mut World, vmid: u32| {
        let (now, quorate, pid) = (world.clock.unix(), world.quorate, world.last_pid);
        let able = world.guests.get(&vmid).is_some_and(|g| world.can_snapshot(g));
        let guest = world.guests.get_mut(&vmid).ok_or("guest has gone")?;
        if guest.snapshots.iter().any(|s| s.name == name) {
            return Err(format!("snapshot name '{name}' already used"));
        }
        if !quorate {
            return Err(config::read_only(guest, pid));
        }
        unlocked(guest)?;
        if guest.template {
            return Err("snapshot feature is not available".into());
        }
        if !able {
            return Err("snapshot feature is not available".into());
        }
        let parent = guest.parent().map(str::to_owned);
        let (config, running) = (guest.config(true), guest.running);
        // Memory is there to be kept only while the guest runs.
        let with_memory = vmstate && running;
        guest.snapshots.push(Snapshot { name, time: now, description, parent, with_memory, running, config });
        guest.rolled_back = None;
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
        if guest.rolled_back.as_ref() == Some(&gone.name) {
            guest.rolled_back.clone_from(&gone.parent);
        }
        Ok(())
    };
    start(world, call, ("qmdelsnapshot", "vzdelsnapshot"), 1.0, effect)
}

fn rollback(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("snapname").to_owned();
    let boot = call.params.flag("start");
    let effect = move |world: &mut World, vmid: u32| {
        let now = world.clock.unix();
        let found = world.guests.get(&vmid).ok_or("guest has gone")?;
        if found.template {
            return Err("you can't rollback to a snapshot of a template".into());
        }
        let blocked = newer_on_zfs(world, found, &name);
        let guest = world.guests.get_mut(&vmid).ok_or("guest has gone")?;
        unlocked(guest)?;
        let found = guest.snapshots.iter().find(|s| s.name == name);
        let found = found.ok_or_else(|| format!("snapshot '{name}' does not exist"))?.clone();
        if let Some(volume) = blocked {
            return Err(format!("can't rollback, '{name}' is not most recent snapshot on '{volume}'"));
        }
        if !found.config.is_empty() {
            guest.restore(&found.config);
        }
        guest.running = (found.with_memory && found.running) || boot;
        (guest.started, guest.paused) = (now, false);
        guest.rolled_back = Some(name);
        guest.agent.reboot();
        Ok(())
    };
    start(world, call, ("qmrollback", "vzrollback"), 2.0, effect)
}

/// A volume that cannot go back, since ZFS would lose the snapshots that came after.
fn newer_on_zfs(world: &World, guest: &Guest, name: &str) -> Option<String> {
    let on_zfs = |storage: &str| world.storages.iter().any(|s| s.name == storage && s.kind == "zfspool");
    let last = guest.snapshots.last()?;
    let disk = guest.disks().into_iter().find(|disk| on_zfs(&disk.storage))?;
    (last.name != name && guest.snapshots.iter().any(|s| s.name == name)).then_some(disk.volume)
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
    tasks::on_guest(world, call, kind, times, Vec::new(), effect)
}

fn unlocked(guest: &Guest) -> Result<(), String> {
    match &guest.lock {
        Some(lock) => Err(format!("{} is locked ({lock})", guest.kind.noun())),
        None => Ok(()),
    }
}
