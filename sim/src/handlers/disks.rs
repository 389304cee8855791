//! The disks and mount points of guests: new ones, larger ones, moved and detached ones.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::config::{changeable, same_digest};
use super::guests::guest_of;
use super::storage::storage_of;
use super::{Row, on_node, tasks};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::disks::{is_disk_key, size_of, size_text};
use crate::world::{Guest, GuestDisk, GuestKind, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::PUT_NODES_NODE_QEMU_VMID_RESIZE, resize),
    on_node(&m::PUT_NODES_NODE_LXC_VMID_RESIZE, resize),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_MOVE_DISK, relocate),
    on_node(&m::POST_NODES_NODE_LXC_VMID_MOVE_VOLUME, relocate),
    on_node(&m::PUT_NODES_NODE_QEMU_VMID_UNLINK, unlink),
];

/// The value of an option, with a volume of its own where it asks for a new one (`local-zfs:8`).
pub(super) fn made(
    world: &World,
    call: &Call,
    guest: &Guest,
    name: &str,
    value: Value,
) -> Result<Value, Failure> {
    let Some(text) = value.as_str().filter(|_| is_disk_key(name)) else { return Ok(value) };
    if text.split(',').any(|option| option.starts_with("import-from=/")) && !call.caller.is_root() {
        let place = "at /usr/share/perl5/PVE/Storage.pm line 651.";
        return Err(Failure::internal(format!("Only root can pass arbitrary filesystem paths. {place}")));
    }
    let (first, options) = text.split_once(',').unwrap_or((text, ""));
    let first = first.trim_start_matches("file=").trim_start_matches("volume=");
    let Some((storage, wanted)) = first.split_once(':') else { return Ok(value) };
    let found = storage_of(world, storage)?;
    if wanted == "cloudinit" {
        permission::require(
            world,
            &call.caller,
            &format!("/storage/{storage}"),
            &["Datastore.AllocateSpace"],
        )?;
        return Ok(json!(format!("{storage}:vm-{}-cloudinit,media=cdrom", guest.vmid)));
    }
    let Ok(gib) = wanted.parse::<f64>() else { return existing(world, call, first, &value) };
    permission::require(world, &call.caller, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
    let content = if guest.kind == GuestKind::Lxc { "rootdir" } else { "images" };
    if !found.content.contains(&content) {
        let what = if content == "rootdir" { "container directories" } else { "vm images" };
        return Err(Failure::internal(format!("storage '{storage}' does not support {what}")));
    }
    let option = |key: &str| options.split(',').filter_map(|o| o.split_once('=')).find(|(k, _)| *k == key);
    let imported = option("import-from").map(|(_, from)| size_of_volume(world, from));
    let size = imported.unwrap_or((gib * 1_073_741_824.0) as u64);
    let format = option("format").map_or("", |(_, format)| format);
    let kept = options
        .split(',')
        .filter(|o| !o.is_empty() && !o.starts_with("import-from=") && !o.starts_with("format="));
    let disk = GuestDisk {
        key: name.to_owned(),
        storage: storage.to_owned(),
        volume: guest.next_volume(found, format),
        size,
        options: kept.filter(|o| !o.starts_with("size=")).collect::<Vec<_>>().join(","),
    };
    Ok(json!(disk.text()))
}

/// An option that names a volume: it has to be there.
fn existing(world: &World, call: &Call, volid: &str, value: &Value) -> Result<Value, Failure> {
    let (storage, volume) = volid.split_once(':').unwrap_or_default();
    let on_storage = |v: &crate::world::Volume| v.name == volume;
    let kept = world.storages.iter().any(|s| s.name == storage && s.volumes.iter().any(on_storage));
    let used = world.guests.get(&call.params.vmid());
    let own = used.is_some_and(|g| g.disks().iter().any(|d| d.volid() == volid));
    match kept || own || volume.ends_with("-cloudinit") {
        true => Ok(value.clone()),
        false => Err(Failure::internal(format!("volume '{volid}' does not exist"))),
    }
}

/// The size in bytes of a volume or of a guest's disk.
fn size_of_volume(world: &World, volid: &str) -> u64 {
    let disks = world.guests.values().flat_map(Guest::disks).find(|d| d.volid() == volid).map(|d| d.size);
    let (storage, name) = volid.split_once(':').unwrap_or_default();
    let volumes = world.storages.iter().filter(|s| s.name == storage).flat_map(|s| &s.volumes);
    disks.or_else(|| volumes.into_iter().find(|v| v.name == name).map(|v| v.size)).unwrap_or(1 << 30)
}

/// The disk of the call.
fn disk_of(guest: &Guest, key: &str) -> Result<GuestDisk, Failure> {
    let what = if guest.kind == GuestKind::Qemu { "disk" } else { "volume" };
    guest.disk_of(key).ok_or_else(|| Failure::internal(format!("{what} '{key}' does not exist")))
}

fn resize(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let disk = disk_of(guest, call.params.text("disk"))?;
    changeable(world, call, guest)?;
    permission::require(
        world,
        &call.caller,
        &format!("/storage/{}", disk.storage),
        &["Datastore.AllocateSpace"],
    )?;
    let vmid = guest.vmid;
    let text = call.params.text("size");
    let bytes = size_of(text.trim_start_matches('+')).unwrap_or_default();
    let size = if text.starts_with('+') { disk.size.saturating_add(bytes) } else { bytes };
    if size < disk.size {
        return Err(Failure::internal(match guest.kind {
            GuestKind::Qemu => "shrinking disks is not supported".to_owned(),
            GuestKind::Lxc => "unable to shrink disk size".to_owned(),
        }));
    }
    let effect = Box::new(move |world: &mut World| {
        if let Some(guest) = world.guests.get_mut(&vmid) {
            guest.set_disk(GuestDisk { size, ..disk });
        }
        Ok(())
    });
    tasks::on_guest(world, call, "resize", 0.5, Vec::new(), effect)
}

/// Moves a disk to another storage or to another guest.
fn relocate(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let key = if call.params.has("disk") { "disk" } else { "volume" };
    let guest = guest_of(world, call)?;
    changeable(world, call, guest)?;
    let disk = disk_of(guest, call.params.text(key))?;
    match (call.params.optional("storage"), call.params.integer("target-vmid")) {
        (Some(_), Some(_)) | (None, None) => {
            let why = "either set 'storage' or 'target-vmid', but not both";
            Err(Failure::parameters(vec![("storage".into(), why.into()), ("target-vmid".into(), why.into())]))
        }
        (Some(storage), None) => to_storage(world, call, &disk, storage),
        (None, Some(target)) => to_guest(world, call, disk, u32::try_from(target).unwrap_or_default()),
    }
}

fn to_storage(world: &mut World, call: &Call, disk: &GuestDisk, storage: &str) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let found = storage_of(world, storage)?;
    permission::require(world, &call.caller, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
    let format = call.params.text("format");
    let same_format = format.is_empty() || disk.volume.ends_with(format);
    if disk.storage == storage && same_format {
        return Err(Failure::internal(match guest.kind {
            GuestKind::Qemu => "you can't move to the same storage with same format",
            GuestKind::Lxc => "you can't move to the same storage",
        }));
    }
    if guest.kind == GuestKind::Lxc && guest.running {
        return Err(Failure::internal("cannot move volumes of a running container"));
    }
    let volume = guest.next_volume(found, format);
    let moved = GuestDisk { storage: storage.to_owned(), volume, ..disk.clone() };
    let (vmid, old, keep) = (guest.vmid, disk.clone(), !call.params.flag("delete"));
    let mut log = vec![format!("create full clone of drive {} ({})", old.key, old.volid())];
    log.push(format!("transferred {} of {} (100.00%)", size_text(old.size), size_text(old.size)));
    let effect = Box::new(move |world: &mut World| {
        let guest = world.guests.get_mut(&vmid).ok_or("guest has gone")?;
        guest.set_disk(moved);
        if keep {
            guest.keep_unused(old);
        }
        Ok(())
    });
    let kind = if guest.kind == GuestKind::Qemu { "qmmove" } else { "move_volume" };
    tasks::on_guest(world, call, kind, 4.0, log, effect)
}

fn to_guest(world: &mut World, call: &Call, disk: GuestDisk, target: u32) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let (vmid, kind) = (guest.vmid, guest.kind);
    permission::require(world, &call.caller, &format!("/vms/{target}"), &["VM.Config.Disk"])?;
    if target == vmid {
        let why = "must be different than source VMID to reassign a disk to another VM";
        return Err(Failure::parameter("target-vmid", why));
    }
    let other = world.guest_on(call.params.node(), kind, target)?;
    let key = ["target-disk", "target-volume"].iter().find_map(|name| call.params.optional(name));
    let key = key.unwrap_or(&disk.key).to_owned();
    if other.disk_of(&key).is_some() {
        let why = format!("Target disk key '{key}' is already in use for VM '{target}'!");
        return Err(Failure::parameter("target-disk", why));
    }
    if guest.running && !disk.is_unused() {
        return Err(Failure::internal(format!("Cannot move disk of a running {}", kind.noun())));
    }
    let volume = other.next_volume(storage_of(world, &disk.storage)?, "raw");
    let effect = Box::new(move |world: &mut World| {
        let gone = world.guests.get_mut(&vmid).and_then(|guest| guest.remove_disk(&disk.key));
        let disk = gone.ok_or("the disk has gone")?;
        let other = world.guests.get_mut(&target).ok_or("guest has gone")?;
        other.set_disk(GuestDisk { key, volume, ..disk });
        Ok(())
    });
    let task = if kind == GuestKind::Qemu { "qmmove" } else { "move_volume" };
    tasks::on_guest(world, call, task, 0.5, Vec::new(), effect)
}

fn unlink(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    same_digest(call, &guest.digest())?;
    changeable(world, call, guest)?;
    let (vmid, force) = (guest.vmid, call.params.flag("force"));
    let keys: Vec<String> = call.params.text("idlist").split([',', ';', ' ']).map(str::to_owned).collect();
    for key in keys.iter().filter(|key| !key.is_empty()) {
        disk_of(guest, key)?;
    }
    let Some(guest) = world.guests.get_mut(&vmid) else { return Ok(Value::Null.into()) };
    for key in &keys {
        match force || key.starts_with("unused") {
            true => guest.remove_disk(key),
            false => guest.detach_disk(key),
        };
    }
    Ok(Value::Null.into())
}
