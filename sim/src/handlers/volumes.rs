//! Volumes on storages, and backups onto them.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::storage::storage_of;
use super::{Row, here, on_node};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{GuestKind, Plan, Volume, World};
use crate::worlds::stamp;

pub(super) const ROWS: &[Row] = &[
    on_node(&m::POST_NODES_NODE_STORAGE_STORAGE_CONTENT, allocate),
    on_node(&m::DELETE_NODES_NODE_STORAGE_STORAGE_CONTENT_VOLUME, delete),
    on_node(&m::POST_NODES_NODE_VZDUMP, backup),
    here(&m::POST_CLUSTER_BACKUP, schedule),
];

fn allocate(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (storage, file) = (call.params.text("storage"), call.params.text("filename"));
    let (vmid, now) = (call.params.vmid(), world.clock.unix());
    let name = format!("{vmid}/{file}");
    let found = storage_of(world, storage)?;
    if found.volumes.iter().any(|v| v.name == name) {
        let path = found.options.iter().find(|(key, _)| *key == "path").map_or("/dev", |(_, path)| path);
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
        subtype: None,
        notes: None,
    };
    let volid = format!("{storage}:{name}");
    if let Some(found) = world.storages.iter_mut().find(|s| s.name == storage) {
        found.volumes.push(volume);
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

fn delete(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let storage = call.params.text("storage").to_owned();
    let wanted = call.params.text("volume");
    storage_of(world, &storage)?;
    let name = wanted.strip_prefix(&format!("{storage}:")).unwrap_or(wanted).to_owned();
    let vmid = owner(&name);
    if !world.may(&call.caller, &format!("/storage/{storage}"), "Datastore.Allocate") {
        let privileges: &[&str] =
            if name.starts_with("backup/") { &["VM.Backup"] } else { &["VM.Config.Disk"] };
        permission::require(world, &call.caller, &format!("/vms/{vmid}"), privileges)?;
    }
    let id = format!("{vmid}@{storage}");
    let effect = Box::new(move |world: &mut World| {
        if let Some(storage) = world.storages.iter_mut().find(|s| s.name == storage) {
            storage.volumes.retain(|v| v.name != name);
        }
        Ok(())
    });
    let plan = Plan { kind: "imgdel", id, takes: world.takes(0.5), log: Vec::new(), warnings: 0, effect };
    Ok(json!(world.start_task(&call.caller, call.params.node(), plan)).into())
}

/// The guest that a volume's name tells of: the first number in it.
fn owner(name: &str) -> String {
    let digits = name.split(|c: char| !c.is_ascii_digit());
    digits.into_iter().find(|d| !d.is_empty()).unwrap_or_default().to_owned()
}

fn backup(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let storage = call.params.optional("storage").unwrap_or("local").to_owned();
    let listed = call.params.text("vmid").split([',', ';', ' ']).filter_map(|id| id.parse().ok());
    let node = call.params.node().to_owned();
    let vmids: Vec<u32> = match call.params.flag("all") {
        true => world.guests.values().filter(|g| g.node == node).map(|g| g.vmid).collect(),
        false => listed.collect(),
    };
    for vmid in &vmids {
        permission::require(world, &call.caller, &format!("/vms/{vmid}"), &["VM.Backup"])?;
    }
    permission::require(world, &call.caller, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
    let id = if let [one] = vmids.as_slice() { one.to_string() } else { String::new() };
    let log = log_of(world, &vmids, &storage);
    let takes = world.takes(4.0);
    let effect = Box::new(move |world: &mut World| store(world, &node, &storage, &vmids));
    let plan = Plan { kind: "vzdump", id, takes, log, warnings: 0, effect };
    Ok(json!(world.start_task(&call.caller, call.params.node(), plan)).into())
}

fn log_of(world: &World, vmids: &[u32], storage: &str) -> Vec<String> {
    let ids: Vec<String> = vmids.iter().map(u32::to_string).collect();
    let mut log =
        vec![format!("INFO: starting new backup job: vzdump {} --storage {storage}", ids.join(" "))];
    for vmid in vmids {
        match world.guests.get(vmid) {
            Some(guest) => {
                let noun = guest.kind.noun();
                log.push(format!("INFO: Starting Backup of {noun} {vmid} ({})", guest.kind.as_str()));
                log.push(format!("INFO: status = {}", guest.status()));
                log.push(format!("INFO: {noun} Name: {}", guest.name));
                log.push("INFO: backup mode: snapshot".into());
                log.push(format!("INFO: Finished Backup of {noun} {vmid}"));
            }
            None => log.push(format!("ERROR: Backup of VM {vmid} failed - unable to find VM '{vmid}'")),
        }
    }
    log
}

fn store(world: &mut World, node: &str, storage: &str, vmids: &[u32]) -> Result<(), String> {
    let now = world.clock.unix();
    let problem = |why: String| format!("could not get storage information for '{storage}': {why}");
    let target = world.storages.iter().find(|s| s.name == storage);
    let target = target.ok_or_else(|| problem(format!("storage '{storage}' does not exist")))?;
    if !target.content.contains(&"backup") {
        return Err(problem(format!("can't use storage '{storage}' for backups - wrong content type")));
    }
    let place = (!target.shared).then(|| node.to_owned());
    let known = vmids.iter().filter_map(|id| world.guests.get(id)).filter(|g| g.node == node);
    let made: Vec<Volume> = known
        .map(|guest| {
            let ending = if guest.kind == GuestKind::Qemu { "vma.zst" } else { "tar.zst" };
            let kind = guest.kind.as_str();
            Volume {
                name: format!("backup/vzdump-{kind}-{}-{}.{ending}", guest.vmid, stamp(now)),
                node: place.clone(),
                content: "backup",
                format: ending,
                size: guest.disk / 4,
                ctime: now,
                vmid: Some(guest.vmid),
                subtype: Some(kind),
                notes: None,
            }
        })
        .collect();
    let all = made.len() == vmids.len();
    if let Some(target) = world.storages.iter_mut().find(|s| s.name == storage) {
        target.volumes.extend(made);
    }
    if all { Ok(()) } else { Err("job errors".into()) }
}

/// A backup job that is accepted and never due: nothing here looks at a calendar.
fn schedule(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let storage = call.params.optional("storage").unwrap_or("local");
    storage_of(world, storage)?;
    world.jobs.push(call.params.iter().map(|(name, value)| (name.to_owned(), plain(value))).collect());
    Ok(Value::Null.into())
}

fn plain(value: &Value) -> Value {
    value.as_bool().map_or_else(|| value.clone(), |b| json!(u8::from(b)))
}
