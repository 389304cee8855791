//! Making guests: new ones, and old ones from their backups.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::config::stored;
use super::storage::storage_of;
use super::{Row, disks, on_node};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{Guest, GuestDisk, GuestKind, Plan, Volume, World};

pub(super) const ROWS: &[Row] =
    &[on_node(&m::POST_NODES_NODE_QEMU, qemu), on_node(&m::POST_NODES_NODE_LXC, lxc)];

/// The largest image file, in bytes: what an ext4 file system takes.
const MAX_IMAGE: u64 = 16 << 40;
/// Parameters that are no options of the guest.
const NOT_OPTIONS: &[&str] = &[
    "node",
    "vmid",
    "pool",
    "start",
    "storage",
    "archive",
    "force",
    "unique",
    "ostemplate",
    "password",
    "ssh-public-keys",
    "restore",
    "bwlimit",
    "ignore-unpack-errors",
    "live-restore",
    "ha-managed",
    "import-working-storage",
];

fn qemu(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let archive = call.params.optional("archive");
    let verb = if archive.is_some() { "restore" } else { "create" };
    ready(world, call, GuestKind::Qemu, verb)?;
    let mut guest = match archive {
        Some(volid) => restored(world, call, GuestKind::Qemu, volid)?,
        None => fresh_machine(call),
    };
    set_options(world, call, &mut guest)?;
    let mut log = Vec::new();
    let mut failure = None;
    for disk in guest.disks().iter().filter(|_| archive.is_none()) {
        let path = format!("{}/images/{}", path_of(world, &disk.storage), disk.volume);
        log.push(format!("Formatting '{path}', fmt=raw size={} preallocation=off", disk.size));
        if disk.size > MAX_IMAGE {
            let why = format!("qemu-img: {path}: The image size is too large for file format 'raw'");
            failure = Some(format!("unable to create VM {} - unable to create image: {why}", guest.vmid));
        }
    }
    finish(world, call, guest, if archive.is_some() { "qmrestore" } else { "qmcreate" }, log, failure)
}

fn lxc(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let restores = call.params.flag("restore");
    let template = call.params.text("ostemplate");
    ready(world, call, GuestKind::Lxc, if restores { "restore" } else { "create" })?;
    let mut guest = match restores {
        true => restored(world, call, GuestKind::Lxc, template)?,
        false => fresh_container(world, call, template)?,
    };
    set_options(world, call, &mut guest)?;
    let log =
        vec![format!("extracting archive '{template}'"), "Detected container architecture: amd64".into()];
    finish(world, call, guest, if restores { "vzrestore" } else { "vzcreate" }, log, None)
}

/// Refuses where the id is taken, or the caller or the cluster may not.
fn ready(world: &World, call: &Call, kind: GuestKind, verb: &str) -> Result<(), Failure> {
    let vmid = call.params.vmid();
    may_create(world, call)?;
    let replaces = verb == "restore" && call.params.flag("force");
    if let Some(other) = world.guests.get(&vmid) {
        let (noun, node) = (other.kind.noun(), &other.node);
        let why = if !replaces || other.kind != kind || node != call.params.node() {
            format!("{noun} {vmid} already exists on node '{node}'")
        } else if other.running {
            format!("{noun} {vmid} is running")
        } else if other.protection {
            format!("can't remove {noun} {vmid} - protection mode enabled")
        } else {
            return world.need_quorum();
        };
        return Err(Failure::internal(format!("unable to {verb} {} {vmid} - {why}", kind.noun())));
    }
    world.need_quorum()
}

/// The schema leaves this check to the handler.
fn may_create(world: &World, call: &Call) -> Result<(), Failure> {
    let vmid = call.params.vmid();
    let pool = call.params.optional("pool").map(|pool| format!("/pool/{pool}"));
    let paths = [Some(format!("/vms/{vmid}")), pool];
    let restores = call.params.flag("force") && world.guests.contains_key(&vmid);
    let allowed = paths.iter().flatten().any(|path| world.may(&call.caller, path, "VM.Allocate"))
        || (restores && world.may(&call.caller, &format!("/vms/{vmid}"), "VM.Backup"));
    if !allowed {
        return Err(Failure::forbidden(""));
    }
    match call.params.optional("pool").filter(|name| !world.pools.contains_key(*name)) {
        Some(name) => Err(Failure::internal(format!("pool '{name}' does not exist"))),
        None => Ok(()),
    }
}

fn fresh_machine(call: &Call) -> Guest {
    let vmid = call.params.vmid();
    let mut guest = Guest::new(vmid, GuestKind::Qemu, &format!("VM{vmid}"), call.params.node());
    (guest.memory, guest.cores, guest.disk) = (512 << 20, 1, 0);
    guest.disk_key.clear();
    guest.mac.clear();
    guest
}

fn fresh_container(world: &World, call: &Call, template: &str) -> Result<Guest, Failure> {
    let vmid = call.params.vmid();
    let file = template.rsplit('/').next().unwrap_or_default();
    volume(world, call, template).filter(|v| v.content == "vztmpl").ok_or_else(|| missing(template))?;
    let mut guest = Guest::new(vmid, GuestKind::Lxc, &format!("CT{vmid}"), call.params.node());
    guest.memory = 512 << 20;
    guest.disk_key.clear();
    guest.mac.clear();
    let known =
        ["debian", "ubuntu", "alpine", "centos", "fedora", "archlinux", "opensuse", "devuan", "gentoo"];
    guest.ostype =
        known.iter().find(|name| file.starts_with(**name)).map_or("unmanaged", |name| *name).to_owned();
    if call.params.optional("password").is_some_and(|p| p.chars().count() < 5) {
        return Err(Failure::parameter("password", "value must be at least 5 characters long"));
    }
    if !call.params.has("unprivileged") {
        guest.set("unprivileged", json!(1));
    }
    if !call.params.has("rootfs") {
        let storage = call.params.optional("storage").unwrap_or("local");
        let text = disks::made(world, call, &guest, "rootfs", json!(format!("{storage}:4")))?;
        guest.set("rootfs", text);
    }
    Ok(guest)
}

/// The guest of a backup, as it was then, with the id and the places that the call wants.
fn restored(world: &World, call: &Call, kind: GuestKind, volid: &str) -> Result<Guest, Failure> {
    let found = volume(world, call, volid).ok_or_else(|| missing(volid))?;
    let wrong = found.content != "backup" || found.subtype.is_some_and(|subtype| subtype != kind.as_str());
    if wrong {
        return Err(Failure::internal(format!("unable to detect archive format of '{volid}'")));
    }
    let vmid = call.params.vmid();
    let saved = found.saved.as_deref().cloned();
    let saved = saved.or_else(|| world.guests.get(&found.vmid?).cloned()).filter(|g| g.kind == kind);
    let mut guest = saved.unwrap_or_else(|| Guest::new(vmid, kind, &format!("{}{vmid}", kind.noun()), ""));
    let old: Vec<GuestDisk> = guest.disks();
    (guest.vmid, guest.node) = (vmid, call.params.node().to_owned());
    (guest.running, guest.paused, guest.lock, guest.ha) = (false, false, None, None);
    (guest.rolled_back, guest.base) = (None, None);
    guest.snapshots.clear();
    for mut disk in old {
        guest.remove_disk(&disk.key);
        if disk.is_unused() {
            continue;
        }
        if let Some(storage) = call.params.optional("storage") {
            storage.clone_into(&mut disk.storage);
        }
        disk.volume = guest.next_volume(storage_of(world, &disk.storage)?, "raw");
        guest.set_disk(disk);
    }
    if call.params.flag("unique") {
        guest.mac = Guest::new(vmid, kind, "", "").mac;
        guest.extra.remove("net0");
    }
    Ok(guest)
}

fn missing(volid: &str) -> Failure {
    Failure::internal(format!("volume '{volid}' does not exist"))
}

/// The volume of this id, where the node of the call sees it.
pub(super) fn volume<'w>(world: &'w World, call: &Call, volid: &str) -> Option<&'w Volume> {
    let (storage, name) = volid.split_once(':')?;
    let volumes = world.storages.iter().filter(|s| s.name == storage).flat_map(|s| &s.volumes);
    let here = |v: &&Volume| v.node.as_deref().is_none_or(|node| node == call.params.node());
    volumes.filter(here).find(|v| v.name == name)
}

fn set_options(world: &World, call: &Call, guest: &mut Guest) -> Result<(), Failure> {
    for (name, value) in call.params.iter().filter(|(name, _)| !NOT_OPTIONS.contains(name)) {
        let value = disks::made(world, call, guest, name, stored(value))?;
        guest.change(name, value);
    }
    for disk in guest.disks() {
        let path = format!("/storage/{}", disk.storage);
        permission::require(world, &call.caller, &path, &["Datastore.AllocateSpace"])?;
    }
    Ok(())
}

fn path_of(world: &World, storage: &str) -> String {
    let options = world.storages.iter().find(|s| s.name == storage).map(|s| &s.options);
    let path = options.and_then(|o| o.iter().find(|(key, _)| key == "path"));
    path.map_or_else(|| format!("/dev/{storage}"), |(_, path)| path.clone())
}

fn finish(
    world: &mut World,
    call: &Call,
    mut guest: Guest,
    kind: &'static str,
    log: Vec<String>,
    failure: Option<String>,
) -> Result<Reply, Failure> {
    let vmid = guest.vmid;
    guest.running = call.params.flag("start");
    guest.started = world.clock.unix();
    if call.params.flag("ha-managed") {
        guest.ha = Some("started".into());
    }
    let pool = call.params.optional("pool").map(str::to_owned);
    let effect = Box::new(move |world: &mut World| {
        if let Some(failure) = failure {
            return Err(failure);
        }
        if let Some(pool) = pool.and_then(|name| world.pools.get_mut(&name)) {
            pool.guests.insert(vmid);
        }
        world.guests.insert(vmid, guest);
        Ok(())
    });
    let plan = Plan { kind, id: vmid.to_string(), takes: world.takes(1.5), log, warnings: 0, effect };
    let upid = world.start_task(&call.caller, call.params.node(), plan);
    Ok(Value::String(upid).into())
}
