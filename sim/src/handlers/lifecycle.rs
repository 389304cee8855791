//! Copying guests, making templates of them and removing them.

use proxmox_api::methods as m;
use serde_json::Value;

use super::config::changeable;
use super::guests::{guest_of, kind_of};
use super::storage::storage_of;
use super::{Row, on_node, tasks};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{Guest, GuestDisk, GuestKind, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::POST_NODES_NODE_QEMU_VMID_CLONE, clone),
    on_node(&m::POST_NODES_NODE_LXC_VMID_CLONE, clone),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_TEMPLATE, template),
    on_node(&m::POST_NODES_NODE_LXC_VMID_TEMPLATE, template),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_FEATURE, feature),
    on_node(&m::GET_NODES_NODE_LXC_VMID_FEATURE, feature),
    on_node(&m::DELETE_NODES_NODE_QEMU_VMID, delete),
    on_node(&m::DELETE_NODES_NODE_LXC_VMID, delete),
];

fn clone(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let source = guest_of(world, call)?;
    let full = cloneable(world, call, source)?;
    let (newid, node) = (new_id(call), call.params.optional("target").unwrap_or(&source.node).to_owned());
    let copy = copy_of(world, call, source, newid, &node, full)?;
    let pool = call.params.optional("pool").map(str::to_owned);
    let log: Vec<String> = source
        .disks()
        .iter()
        .filter(|d| !d.is_unused())
        .map(|disk| {
            let how = if full { "full" } else { "linked" };
            format!("create {how} clone of drive {} ({})", disk.key, disk.volid())
        })
        .collect();
    let effect = Box::new(move |world: &mut World| {
        world.guests.insert(newid, copy);
        if let Some(pool) = pool.and_then(|name| world.pools.get_mut(&name)) {
            pool.guests.insert(newid);
        }
        Ok(())
    });
    let kind = if kind_of(call) == GuestKind::Qemu { "qmclone" } else { "vzclone" };
    tasks::on_guest(world, call, kind, if full { 5.0 } else { 0.5 }, log, effect)
}

fn new_id(call: &Call) -> u32 {
    call.params.integer("newid").and_then(|id| u32::try_from(id).ok()).unwrap_or_default()
}

/// Whether it is to be a full copy, once the copy may be made.
fn cloneable(world: &World, call: &Call, source: &Guest) -> Result<bool, Failure> {
    let (params, noun) = (&call.params, source.kind.noun());
    let newid = new_id(call);
    world.need_quorum()?;
    if world.guests.contains_key(&newid) {
        return Err(Failure::internal(format!(
            "unable to create {noun} {newid}: config file already exists"
        )));
    }
    let full = if params.has("full") { params.flag("full") } else { !source.template };
    if let Some(pool) = params.optional("pool").filter(|pool| !world.pools.contains_key(*pool)) {
        return Err(Failure::internal(format!("pool '{pool}' does not exist")));
    }
    if let Some(name) = params.optional("snapname").filter(|n| !source.snapshots.iter().any(|s| s.name == *n))
    {
        return Err(Failure::internal(format!("snapshot '{name}' does not exist")));
    }
    if let Some(storage) = params.optional("storage") {
        storage_of(world, storage)?;
        if !full {
            return Err(Failure::internal("parameter 'storage' not allowed for linked clones"));
        }
    }
    if !full && !source.template && !params.has("snapname") {
        let key = &source.disk_key;
        return Err(Failure::internal(format!("Linked clone feature is not supported for drive '{key}'")));
    }
    if full && source.kind == GuestKind::Lxc && source.running && !params.has("snapname") {
        return Err(Failure::internal("Cannot do full clones on a running container without snapshots"));
    }
    if let Some(target) = params.optional("target").filter(|target| *target != source.node) {
        if world.node(target).is_none() {
            return Err(Failure::internal(format!("no such cluster node '{target}'")));
        }
        let local = source.disks().iter().any(|d| !is_shared(world, &d.storage));
        if local {
            let text = format!("can't clone {noun} to node '{target}' ({noun} uses local storage)");
            return Err(Failure::internal(text));
        }
    }
    Ok(full)
}

pub(super) fn is_shared(world: &World, storage: &str) -> bool {
    world.storages.iter().any(|s| s.name == storage && s.shared)
}

fn copy_of(
    world: &World,
    call: &Call,
    source: &Guest,
    newid: u32,
    node: &str,
    full: bool,
) -> Result<Guest, Failure> {
    let mut copy = source.clone();
    let then = call.params.optional("snapname").and_then(|n| source.snapshots.iter().find(|s| s.name == n));
    if let Some(then) = then.filter(|s| !s.config.is_empty()) {
        copy.restore(&then.config);
    }
    let name = call.params.optional("name").or_else(|| call.params.optional("hostname"));
    let word = if source.kind == GuestKind::Qemu { "VM" } else { "CT" };
    copy.name = name.map_or_else(|| format!("Copy-of-{word}-{}", source.name), str::to_owned);
    (copy.vmid, copy.node) = (newid, node.to_owned());
    (copy.template, copy.running, copy.protection, copy.paused) = (false, false, false, false);
    (copy.lock, copy.ha, copy.rolled_back) = (None, None, None);
    copy.snapshots.clear();
    copy.pending.clear();
    copy.base = (!full).then_some(source.vmid);
    copy.mac = Guest::new(newid, source.kind, "", "").mac;
    copy.extra.retain(|key, _| key != "net0" && !key.starts_with("unused"));
    copy.unused.clear();
    for disk in copy.disks() {
        let storage = call.params.optional("storage").unwrap_or(&disk.storage).to_owned();
        permission::require(
            world,
            &call.caller,
            &format!("/storage/{storage}"),
            &["Datastore.AllocateSpace"],
        )?;
        copy.remove_disk(&disk.key);
        let format = disk.volume.rsplit_once('.').map_or("", |(_, format)| format);
        let format = call.params.optional("format").unwrap_or(format);
        let volume = copy.next_volume(storage_of(world, &storage)?, format);
        copy.set_disk(GuestDisk { storage, volume, ..disk });
    }
    if let Some(text) = call.params.optional("description") {
        copy.set("description", text.into());
    }
    Ok(copy)
}

fn template(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    changeable(world, call, guest)?;
    let (vmid, kind) = (guest.vmid, guest.kind);
    let (machine, its) = match kind {
        GuestKind::Qemu => ("VM", "VM"),
        GuestKind::Lxc => ("CT", "the CT"),
    };
    let refused = if guest.template {
        Some("you can't convert a template to a template".to_owned())
    } else if guest.running {
        Some(format!("you can't convert a {machine} to template if {its} is running"))
    } else if guest.snapshots.is_empty() {
        None
    } else {
        Some(format!("unable to create template, because {machine} contains snapshots"))
    };
    if let Some(text) = refused {
        return Err(Failure::internal(text));
    }
    let convert = move |world: &mut World| {
        let guest = world.guests.get_mut(&vmid).ok_or("guest has gone")?;
        guest.template = true;
        for mut disk in guest.disks().into_iter().filter(|d| !d.is_unused()) {
            disk.volume = disk.volume.replacen("vm-", "base-", 1).replacen("subvol-", "basevol-", 1);
            guest.set_disk(disk);
        }
        Ok(())
    };
    match kind {
        GuestKind::Qemu => tasks::on_guest(world, call, "qmtemplate", 0.5, Vec::new(), Box::new(convert)),
        GuestKind::Lxc => convert(world).map(|()| Value::Null.into()).map_err(Failure::internal),
    }
}

fn feature(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let has = match call.params.text("feature") {
        "snapshot" => world.can_snapshot(guest),
        "clone" => guest.template || (call.params.has("snapname") && world.can_snapshot(guest)),
        _ => true,
    };
    let shared = guest.disks().iter().all(|d| is_shared(world, &d.storage));
    let nodes: Vec<&str> = match has {
        true => world.nodes.iter().map(|n| n.name.as_str()).filter(|n| shared || *n == guest.node).collect(),
        false => Vec::new(),
    };
    Ok(match guest.kind {
        GuestKind::Qemu => serde_json::json!({ "hasFeature": u8::from(has), "nodes": nodes }),
        GuestKind::Lxc => serde_json::json!({ "hasFeature": u8::from(has) }),
    }
    .into())
}

fn delete(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    world.need_quorum()?;
    let guest = guest_of(world, call)?;
    let (vmid, noun, purge) = (guest.vmid, guest.kind.noun(), call.params.flag("purge"));
    if guest.protection {
        return Err(Failure::internal(format!("can't remove {noun} {vmid} - protection mode enabled")));
    }
    if guest.ha.is_some() && !purge {
        let text =
            format!("unable to remove {noun} {vmid} - used in HA resources and purge parameter not set.");
        return Err(Failure::internal(text));
    }
    if guest.running && !(guest.kind == GuestKind::Lxc && call.params.flag("force")) {
        return Err(Failure::internal(match guest.kind {
            GuestKind::Qemu => format!("VM {vmid} is running - destroy failed"),
            GuestKind::Lxc => format!("unable to destroy CT {vmid} - container is running"),
        }));
    }
    if let Some(job) = world.replications.values().find(|job| job.guest == vmid && !purge) {
        let text =
            format!("There is a replication job '{}' for guest '{vmid}' - Please remove that first.", job.id);
        return Err(Failure::internal(text));
    }
    let kind = if kind_of(call) == GuestKind::Qemu { "qmdestroy" } else { "vzdestroy" };
    let orphans = call.params.flag("destroy-unreferenced-disks");
    let effect = Box::new(move |world: &mut World| {
        let guest = world.guests.get(&vmid).ok_or("guest has gone")?;
        if world.guests.values().any(|g| g.base == Some(vmid)) {
            let volume = guest.disks().first().map(GuestDisk::volid).unwrap_or_default();
            return Err(format!("base volume '{volume}' is still in use by linked cloned"));
        }
        world.forget_guest(vmid, purge, orphans);
        Ok(())
    });
    tasks::on_guest(world, call, kind, 1.0, Vec::new(), effect)
}
