//! Moving guests from node to node.

use proxmox_api::methods as m;
use serde_json::{Map, Value, json};

use super::guests::guest_of;
use super::lifecycle::is_shared;
use super::storage::storage_of;
use super::{Row, on_node, tasks};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::task::Effect;
use crate::world::{Guest, GuestDisk, GuestKind, Plan, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_QEMU_VMID_MIGRATE, check_machine),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_MIGRATE, migrate),
    on_node(&m::GET_NODES_NODE_LXC_VMID_MIGRATE, check_container),
    on_node(&m::POST_NODES_NODE_LXC_VMID_MIGRATE, migrate),
];

/// The nodes that the guest could go to.
fn others<'w>(world: &'w World, guest: &Guest) -> Vec<&'w str> {
    world.nodes.iter().filter(|n| n.name != guest.node && n.online()).map(|n| n.name.as_str()).collect()
}

fn check_machine(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let snapshots: Map<String, Value> = guest.snapshots.iter().map(|s| (s.name.clone(), json!(1))).collect();
    let disks: Vec<Value> = guest
        .disks()
        .iter()
        .filter(|disk| !is_shared(world, &disk.storage))
        .map(|disk| {
            json!({
                "volid": disk.volid(), "drivename": disk.key, "size": disk.size, "cdrom": 0,
                "is_attached": u8::from(!disk.is_unused()), "is_cloudinit": 0,
                "is_tpmstate": u8::from(disk.key.starts_with("tpmstate")),
                "is_unused": u8::from(disk.is_unused()), "is_vmstate": 0, "replicate": 1, "shared": 0,
                "referenced_in_snapshot": snapshots,
            })
        })
        .collect();
    let local: Vec<&String> =
        guest.extra.keys().filter(|k| k.starts_with("hostpci") || k.starts_with("usb")).collect();
    let refused: Map<String, Value> =
        others(world, guest).into_iter().map(|node| (node.to_owned(), json!({}))).collect();
    Ok(json!({
        "running": u8::from(guest.running), "allowed_nodes": others(world, guest), "not_allowed_nodes": refused,
        "local_disks": disks, "local_resources": local, "mapped-resources": [], "mapped-resource-info": {},
        "has-dbus-vmstate": 1,
    })
    .into())
}

fn check_container(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let nodes = others(world, guest);
    Ok(json!({ "running": u8::from(guest.running), "allowed-nodes": nodes, "not-allowed-nodes": {} }).into())
}

fn migrate(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let target = call.params.text("target").to_owned();
    if guest.node == target {
        return Err(Failure::internal("target is local node."));
    }
    if world.node(&target).is_none() {
        return Err(Failure::internal(format!("no such cluster node '{target}'")));
    }
    if world.node(&target).is_none_or(|n| !n.online()) {
        return Err(Failure::internal(format!("target node '{target}' is offline")));
    }
    let moving = guest.running;
    match guest.kind {
        GuestKind::Qemu if moving && !call.params.flag("online") => {
            return Err(Failure::internal("can't migrate running VM without --online"));
        }
        GuestKind::Lxc if moving && !call.params.flag("online") && !call.params.flag("restart") => {
            return Err(Failure::internal("can't migrate running container without --online or --restart"));
        }
        _ => {}
    }
    let storages = storages(world, call, guest)?;
    let (log, failure) = plan(world, call, guest, &target);
    let (vmid, kind, managed) = (guest.vmid, guest.kind, guest.ha.is_some());
    let task = if kind == GuestKind::Qemu { "qmigrate" } else { "vzmigrate" };
    let effect: Effect = Box::new(move |world: &mut World| match failure {
        Some(failure) => Err(failure),
        None => arrive(world, vmid, target, &storages),
    });
    if !managed {
        return tasks::on_guest(world, call, task, 5.0, log, effect);
    }
    // The task that HA is asked by ends when it has taken the order; the move is a task of its own.
    let (caller, node) = (call.caller.clone(), call.params.node().to_owned());
    let order: Effect = Box::new(move |world: &mut World| {
        let takes = world.takes(5.0);
        let plan = Plan { kind: task, id: vmid.to_string(), takes, log, warnings: 0, effect };
        world.start_task(&caller, &node, plan);
        Ok(())
    });
    tasks::on_guest(world, call, "hamigrate", 0.2, Vec::new(), order)
}

/// Where the storages of the guest's local disks go, by pairs; a single one stands for all.
pub(super) type Places = Vec<(Option<String>, String)>;

fn storages(world: &World, call: &Call, guest: &Guest) -> Result<Places, Failure> {
    let name = if guest.kind == GuestKind::Qemu { "targetstorage" } else { "target-storage" };
    let words = call.params.text(name).split([',', ';', ' ']).filter(|w| !w.is_empty() && *w != "1");
    let mut places = Places::new();
    for word in words {
        let (from, to) = word.split_once(':').map_or((None, word), |(from, to)| (Some(from.to_owned()), to));
        storage_of(world, to)?;
        permission::require(world, &call.caller, &format!("/storage/{to}"), &["Datastore.AllocateSpace"])?;
        places.push((from, to.to_owned()));
    }
    Ok(places)
}

/// What the log says, and what the move fails with.
fn plan(world: &World, call: &Call, guest: &Guest, target: &str) -> (Vec<String>, Option<String>) {
    let (noun, vmid) = (guest.kind.noun(), guest.vmid);
    let mut log = vec![format!("starting migration of {noun} {vmid} to node '{target}'")];
    let local: Vec<GuestDisk> = guest.disks().into_iter().filter(|d| !is_shared(world, &d.storage)).collect();
    let mut problem = None;
    for disk in &local {
        log.push(format!("found local disk '{}' (attached)", disk.volid()));
    }
    if let Some(lock) = &guest.lock {
        return (log, Some(format!("{noun} is locked ({lock})")));
    }
    if guest.kind == GuestKind::Qemu {
        if guest.running && !local.is_empty() && !call.params.flag("with-local-disks") {
            problem =
                Some("can't live migrate attached local disks without with-local-disks option".to_owned());
        }
        if let Some(key) = guest.extra.keys().find(|k| k.starts_with("hostpci")) {
            problem = Some(format!("can't migrate VM which uses local devices: {key}"));
        }
    } else if guest.running && !call.params.flag("restart") {
        problem = Some("lxc live migration is currently not implemented".to_owned());
    }
    if !world.ssh {
        problem = Some(format!("Can't connect to destination address using public key of node '{target}'"));
    }
    match problem {
        Some(problem) => {
            log.push(format!("ERROR: migration aborted (duration 00:00:00): {problem}"));
            (log, Some("migration aborted".to_owned()))
        }
        None => {
            log.push("migration finished successfully (duration 00:00:12)".into());
            (log, None)
        }
    }
}

/// The end of a move: the guest is on its new node.
pub(super) fn arrive(world: &mut World, vmid: u32, target: String, places: &Places) -> Result<(), String> {
    let now = world.clock.unix();
    let mut moved = world.guests.get(&vmid).ok_or("guest has gone")?.clone();
    for disk in moved.disks() {
        let place = places.iter().find(|(from, _)| from.as_ref().is_none_or(|from| *from == disk.storage));
        if let Some((_, to)) = place.filter(|(_, to)| *to != disk.storage && !is_shared(world, &disk.storage))
        {
            let storage =
                world.storages.iter().find(|s| s.name == *to).ok_or("the target storage has gone")?;
            moved.remove_disk(&disk.key);
            let volume = moved.next_volume(storage, "raw");
            moved.set_disk(GuestDisk { storage: to.clone(), volume, ..disk });
        }
    }
    moved.node = target;
    if moved.kind == GuestKind::Lxc && moved.running {
        moved.started = now;
    }
    world.guests.insert(vmid, moved);
    Ok(())
}
