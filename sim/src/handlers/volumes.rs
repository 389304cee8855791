//! Volumes on storages: making, describing and removing them.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::storage::storage_of;
use super::{Row, on_node, tasks};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{Volume, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::POST_NODES_NODE_STORAGE_STORAGE_CONTENT, allocate),
    on_node(&m::PUT_NODES_NODE_STORAGE_STORAGE_CONTENT_VOLUME, describe),
    on_node(&m::DELETE_NODES_NODE_STORAGE_STORAGE_CONTENT_VOLUME, delete),
];

fn allocate(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (storage, file) = (call.params.text("storage"), call.params.text("filename"));
    let (vmid, now) = (call.params.vmid(), world.clock.unix());
    let name = format!("{vmid}/{file}");
    let found = storage_of(world, storage)?;
    if found.volumes.iter().any(|v| v.name == name) {
        let path = found.options.iter().find(|(key, _)| key == "path").map_or("/dev", |(_, path)| path);
        return Err(Failure::internal(format!("disk image '{path}/images/{name}' already exists")));
    }
    let volume = Volume {
        name: name.clone(),
        node: Some(call.params.node().to_owned()),
        content: "images",
        format: if file.ends_with(".qcow2") { "qcow2" } else { "raw" },
        size: bytes(call.params.text("size")),
        ctime: now,
        vmid: Some(vmid),
        ..Volume::default()
    };
    let volid = format!("{storage}:{name}");
    if let Some(found) = world.storages.iter_mut().find(|s| s.name == storage) {
        found.put(volume);
    }
    Ok(json!(volid).into())
}

/// A size such as `32M`; without a unit it is in KiB.
fn bytes(text: &str) -> u64 {
    let number: u64 = text.trim_end_matches(['M', 'G']).parse().unwrap_or_default();
    match text.chars().last() {
        Some('G') => number << 30,
        Some('M') => number << 20,
        _ => number << 10,
    }
}

/// The name of the volume that the call is about, below its storage.
fn name_of(call: &Call) -> String {
    let wanted = call.params.text("volume");
    let prefix = format!("{}:", call.params.text("storage"));
    wanted.strip_prefix(&prefix).unwrap_or(wanted).to_owned()
}

/// Refuses where the caller may not change the volume.
fn may_change(world: &World, call: &Call, name: &str) -> Result<(), Failure> {
    let path = format!("/storage/{}", call.params.text("storage"));
    if world.may(&call.caller, &path, "Datastore.Allocate") {
        return Ok(());
    }
    let privilege = if name.starts_with("backup/") { "VM.Backup" } else { "VM.Config.Disk" };
    permission::require(world, &call.caller, &format!("/vms/{}", owner(name)), &[privilege])
}

fn describe(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (storage, name) = (call.params.text("storage"), name_of(call));
    storage_of(world, storage)?;
    may_change(world, call, &name)?;
    let found = world.storages.iter_mut().find(|s| s.name == storage);
    let found = found.and_then(|s| s.volumes.iter_mut().find(|v| v.name == name));
    let missing = || Failure::internal(format!("volume '{storage}:{name}' does not exist"));
    let volume = found.ok_or_else(missing)?;
    if volume.content != "backup" {
        return Err(Failure::internal("attribute updates are supported for backups only"));
    }
    if let Some(notes) = call.params.optional("notes") {
        volume.notes = (!notes.is_empty()).then(|| notes.to_owned());
    }
    if call.params.has("protected") {
        volume.protected = call.params.flag("protected");
    }
    Ok(Value::Null.into())
}

fn delete(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let storage = call.params.text("storage").to_owned();
    let found = storage_of(world, &storage)?;
    let name = name_of(call);
    if found.volumes.iter().any(|v| v.name == name && v.protected) {
        return Err(Failure::internal(format!("can't remove protected volume '{storage}:{name}'")));
    }
    let in_use = world
        .guests
        .values()
        .find(|g| g.disks().iter().any(|d| d.storage == storage && d.volume == name && !d.is_unused()));
    if let Some(guest) = in_use {
        let (noun, vmid) = (guest.kind.noun(), guest.vmid);
        let text = format!("cannot remove image, a guest with VMID '{vmid}' exists! ({noun})");
        return Err(Failure::internal(text));
    }
    may_change(world, call, &name)?;
    let id = format!("{}@{storage}", owner(&name));
    let node = call.params.node().to_owned();
    let effect = Box::new(move |world: &mut World| {
        if let Some(storage) = world.storages.iter_mut().find(|s| s.name == storage) {
            storage.remove(|v| v.name == name && v.node.as_ref().is_none_or(|on| *on == node));
        }
        Ok(())
    });
    tasks::on_node_itself(world, call, ("imgdel", id), 0.5, Vec::new(), effect)
}

/// The guest that a volume's name tells of: the first number in it.
fn owner(name: &str) -> String {
    let digits = name.split(|c: char| !c.is_ascii_digit());
    digits.into_iter().find(|d| !d.is_empty()).unwrap_or_default().to_owned()
}
