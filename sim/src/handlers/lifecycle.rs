//! Making, copying, moving, resizing and removing guests.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::guests::{guest_of, kind_of};
use super::{Row, config, on_node};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::task::Effect;
use crate::world::{Guest, GuestKind, Plan, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::POST_NODES_NODE_QEMU, create),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_CLONE, clone),
    on_node(&m::PUT_NODES_NODE_QEMU_VMID_RESIZE, resize),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_MIGRATE, migrate_check),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_MIGRATE, migrate),
    on_node(&m::DELETE_NODES_NODE_QEMU_VMID, delete),
    on_node(&m::DELETE_NODES_NODE_LXC_VMID, delete),
];

const GIB: u64 = 1 << 30;
/// The largest image file, in bytes: what an ext4 file system takes.
const MAX_IMAGE: u64 = 16 << 40;

/// A disk that a call asks for.
struct NewDisk {
    storage: String,
    gib: u64,
}

fn create(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let vmid = call.params.vmid();
    may_create(world, call)?;
    if let Some(other) = world.guests.get(&vmid) {
        let (noun, node) = (other.kind.noun(), &other.node);
        return Err(Failure::internal(format!(
            "unable to create VM {vmid} - {noun} {vmid} already exists on node '{node}'"
        )));
    }
    world.need_quorum()?;
    let disk = new_disk(world, call)?;
    let node = call.params.node().to_owned();
    let mut guest = Guest::new(vmid, GuestKind::Qemu, &format!("VM{vmid}"), &node);
    guest.memory = 512 << 20;
    guest.cores = 1;
    let mut log = Vec::new();
    let mut failure = None;
    if let Some(NewDisk { storage, gib }) = disk {
        let path = format!("{}/images/{vmid}/vm-{vmid}-disk-0.raw", path_of(world, &storage));
        let bytes = gib.saturating_mul(GIB);
        log.push(format!("Formatting '{path}', fmt=raw size={bytes} preallocation=off"));
        if bytes > MAX_IMAGE {
            let why = format!("qemu-img: {path}: The image size is too large for file format 'raw'");
            failure = Some(format!("unable to create VM {vmid} - unable to create image: {why}"));
        }
        guest.disk = bytes;
        guest.volume = format!("{vmid}/vm-{vmid}-disk-0.raw");
        guest.storage = storage;
    }
    const NOT_OPTIONS: &[&str] =
        &["node", "vmid", "pool", "start", "storage", "archive", "force", "unique", "scsi0"];
    let options: Vec<(String, Value)> = call
        .params
        .iter()
        .filter(|(name, _)| !NOT_OPTIONS.contains(name))
        .map(|(name, value)| {
            (name.to_owned(), value.as_bool().map_or_else(|| value.clone(), |b| json!(u8::from(b))))
        })
        .collect();
    for (name, value) in options {
        config::put(&mut guest, &name, value);
    }
    guest.running = call.params.flag("start");
    guest.started = world.clock.unix();
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
    start(world, call, "qmcreate", vmid, 1.5, log, effect)
}

/// The schema leaves this check to the handler.
fn may_create(world: &World, call: &Call) -> Result<(), Failure> {
    let pool = call.params.optional("pool").map(|pool| format!("/pool/{pool}"));
    let paths = [Some(format!("/vms/{}", call.params.vmid())), pool];
    match paths.iter().flatten().any(|path| world.may(&call.caller, path, "VM.Allocate")) {
        true => Ok(()),
        false => Err(Failure::forbidden("")),
    }
}

/// The first disk of the call (`scsi0=vmdata:32`), once its storage is there and may be used.
fn new_disk(world: &World, call: &Call) -> Result<Option<NewDisk>, Failure> {
    let Some(text) = call.params.optional("scsi0") else { return Ok(None) };
    if text.split(',').any(|option| option.starts_with("import-from=/")) && !call.caller.is_root() {
        let place = "at /usr/share/perl5/PVE/Storage.pm line 651.";
        return Err(Failure::internal(format!("Only root can pass arbitrary filesystem paths. {place}")));
    }
    let (storage, size) = text.split(',').next().unwrap_or_default().split_once(':').unwrap_or_default();
    super::storage::storage_of(world, storage)?;
    permission::require(world, &call.caller, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
    Ok(Some(NewDisk { storage: storage.to_owned(), gib: size.parse().unwrap_or(1) }))
}

fn path_of(world: &World, storage: &str) -> String {
    let options = world.storages.iter().find(|s| s.name == storage).map(|s| &s.options);
    let path = options.and_then(|o| o.iter().find(|(key, _)| *key == "path"));
    path.map_or_else(|| format!("/dev/{storage}"), |(_, path)| path.clone())
}

fn clone(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let newid = call.params.integer("newid").and_then(|id| u32::try_from(id).ok()).unwrap_or_default();
    let source = guest_of(world, call)?.clone();
    if world.guests.contains_key(&newid) {
        return Err(Failure::internal(format!("unable to create VM {newid}: config file already exists")));
    }
    let target = call.params.optional("target").unwrap_or(&source.node).to_owned();
    if world.node(&target).is_none() {
        return Err(Failure::internal(format!("no such cluster node '{target}'")));
    }
    let (vmid, linked) = (source.vmid, source.template && !call.params.flag("full"));
    let mut copy = source;
    copy.name =
        call.params.optional("name").map_or_else(|| format!("Copy-of-VM-{}", copy.name), str::to_owned);
    copy.vmid = newid;
    copy.node = target;
    copy.template = false;
    copy.running = false;
    copy.protection = false;
    copy.snapshots.clear();
    copy.ha = None;
    copy.base = linked.then_some(vmid);
    copy.volume = copy.volume.replace(&vmid.to_string(), &newid.to_string()).replace("base-", "vm-");
    let effect = Box::new(move |world: &mut World| {
        world.guests.insert(newid, copy);
        Ok(())
    });
    start(world, call, "qmclone", vmid, if linked { 0.5 } else { 5.0 }, Vec::new(), effect)
}

fn resize(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let (vmid, disk) = (guest.vmid, call.params.text("disk"));
    if disk != "scsi0" {
        return Err(Failure::internal(format!("disk '{disk}' does not exist")));
    }
    let text = call.params.text("size");
    let digits = text.trim_start_matches('+').trim_end_matches(['K', 'M', 'G', 'T']);
    let unit = match text.chars().last() {
        Some('K') => 1 << 10,
        Some('M') => 1 << 20,
        Some('G') => GIB,
        Some('T') => 1 << 40,
        _ => 1,
    };
    let bytes =
        digits.split('.').next().and_then(|d| d.parse::<u64>().ok()).unwrap_or_default().saturating_mul(unit);
    let size = if text.starts_with('+') { guest.disk.saturating_add(bytes) } else { bytes };
    if size < guest.disk {
        return Err(Failure::internal("shrinking disks is not supported"));
    }
    let effect = Box::new(move |world: &mut World| {
        if let Some(guest) = world.guests.get_mut(&vmid) {
            guest.disk = size;
        }
        Ok(())
    });
    start(world, call, "resize", vmid, 0.5, Vec::new(), effect)
}

fn migrate_check(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let shared = world.storages.iter().any(|s| s.name == guest.storage && s.shared);
    let others: Vec<&str> =
        world.nodes.iter().filter(|n| n.name != guest.node && n.online()).map(|n| n.name.as_str()).collect();
    let snapshots: Value =
        guest.snapshots.iter().map(|s| (s.name.clone(), json!(1))).collect::<serde_json::Map<_, _>>().into();
    let disk = json!({
        "volid": format!("{}:{}", guest.storage, guest.volume), "drivename": "scsi0", "size": guest.disk,
        "cdrom": 0, "is_attached": 1, "is_cloudinit": 0, "is_tpmstate": 0, "is_unused": 0, "is_vmstate": 0,
        "replicate": 1, "shared": u8::from(shared), "referenced_in_snapshot": snapshots,
    });
    let refused: serde_json::Map<String, Value> =
        others.iter().map(|n| ((*n).to_owned(), json!({}))).collect();
    Ok(json!({
        "running": u8::from(guest.running), "allowed_nodes": others, "not_allowed_nodes": refused,
        "local_disks": if shared { json!([]) } else { json!([disk]) }, "local_resources": [],
        "mapped-resources": [], "mapped-resource-info": {}, "has-dbus-vmstate": 1,
    })
    .into())
}

fn migrate(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let (vmid, target) = (guest.vmid, call.params.text("target").to_owned());
    if guest.node == target {
        return Err(Failure::internal("target is local node."));
    }
    if guest.running && !call.params.flag("online") {
        return Err(Failure::internal("can't migrate running VM without --online"));
    }
    if world.node(&target).is_none_or(|n| !n.online()) {
        return Err(Failure::internal(format!("target node '{target}' is offline")));
    }
    let effect = Box::new(move |world: &mut World| {
        if !world.ssh {
            return Err("migration aborted".into());
        }
        let guest = world.guests.get_mut(&vmid).ok_or("guest has gone")?;
        guest.node = target;
        Ok(())
    });
    start(world, call, "qmigrate", vmid, 5.0, Vec::new(), effect)
}

fn delete(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    world.need_quorum()?;
    let guest = guest_of(world, call)?;
    let (vmid, noun) = (guest.vmid, guest.kind.noun());
    if guest.protection {
        return Err(Failure::internal(format!("can't remove {noun} {vmid} - protection mode enabled")));
    }
    if guest.running {
        return Err(Failure::internal(match guest.kind {
            GuestKind::Qemu => format!("VM {vmid} is running - destroy failed"),
            GuestKind::Lxc => format!("unable to destroy CT {vmid} - container is running"),
        }));
    }
    let kind = if kind_of(call) == GuestKind::Qemu { "qmdestroy" } else { "vzdestroy" };
    let effect = Box::new(move |world: &mut World| {
        let guest = world.guests.get(&vmid).ok_or("guest has gone")?;
        if world.guests.values().any(|g| g.base == Some(vmid)) {
            let volume = format!("{}:{}", guest.storage, guest.volume);
            return Err(format!("base volume '{volume}' is still in use by linked cloned"));
        }
        world.guests.remove(&vmid);
        world.pools.values_mut().for_each(|pool| {
            pool.guests.remove(&vmid);
        });
        Ok(())
    });
    start(world, call, kind, vmid, 1.0, Vec::new(), effect)
}

fn start(
    world: &mut World,
    call: &Call,
    kind: &'static str,
    vmid: u32,
    times: f64,
    log: Vec<String>,
    effect: Effect,
) -> Result<Reply, Failure> {
    let plan = Plan { kind, id: vmid.to_string(), takes: world.takes(times), log, warnings: 0, effect };
    Ok(json!(world.start_task(&call.caller, call.params.node(), plan)).into())
}
