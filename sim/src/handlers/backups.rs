//! Backups: making them, thinning them out, scheduling them.

use proxmox_api::methods as m;
use serde_json::{Map, Value, json};

use super::config::stored;
use super::create::volume;
use super::storage::storage_of;
use super::{Row, here, on_node, tasks};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::disks::size_text;
use crate::world::jobs::guests_of;
use crate::world::resources::add;
use crate::world::{Guest, GuestKind, Volume, World};
use crate::worlds::stamp;

pub(super) const ROWS: &[Row] = &[
    on_node(&m::POST_NODES_NODE_VZDUMP, backup),
    on_node(&m::GET_NODES_NODE_VZDUMP_DEFAULTS, defaults),
    on_node(&m::GET_NODES_NODE_VZDUMP_EXTRACTCONFIG, extract),
    here(&m::GET_CLUSTER_BACKUP, jobs),
    here(&m::POST_CLUSTER_BACKUP, schedule),
    here(&m::GET_CLUSTER_BACKUP_ID, job),
    here(&m::PUT_CLUSTER_BACKUP_ID, reschedule),
    here(&m::DELETE_CLUSTER_BACKUP_ID, unschedule),
    here(&m::GET_CLUSTER_BACKUP_ID_INCLUDED_VOLUMES, included),
    here(&m::GET_CLUSTER_BACKUP_INFO_NOT_BACKED_UP, not_backed_up),
];

/// The ids of a list of guests.
fn ids(text: &str) -> Vec<u32> {
    text.split([',', ';', ' ']).filter_map(|id| id.parse().ok()).collect()
}

/// The guests that a call is about.
fn selected(world: &World, call: &Call) -> Result<Vec<u32>, Failure> {
    let params = &call.params;
    let excluded = ids(params.text("exclude"));
    let here = |g: &&Guest| g.node == params.node() && !excluded.contains(&g.vmid);
    if let Some(name) = params.optional("pool") {
        let pool = world.pools.get(name);
        let pool = pool.ok_or_else(|| Failure::internal(format!("pool '{name}' does not exist")))?;
        let members = pool.guests.iter().filter_map(|id| world.guests.get(id));
        return Ok(members.filter(here).map(|g| g.vmid).collect());
    }
    if params.flag("all") || params.has("exclude") {
        return Ok(world.guests.values().filter(here).map(|g| g.vmid).collect());
    }
    let listed = ids(params.text("vmid"));
    match listed.is_empty() {
        true => Err(Failure::internal("you can only backup a single VM with option --stdout")),
        false => Ok(listed),
    }
}

fn backup(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let storage = call.params.optional("storage").unwrap_or("local").to_owned();
    let vmids = selected(world, call)?;
    for vmid in &vmids {
        permission::require(world, &call.caller, &format!("/vms/{vmid}"), &["VM.Backup"])?;
    }
    permission::require(world, &call.caller, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
    // Guests of other nodes are passed over; with nobody left there is no task, and no error either.
    let is_elsewhere = |id: &u32| world.guests.get(id).is_some_and(|g| g.node != call.params.node());
    let (elsewhere, vmids): (Vec<u32>, Vec<u32>) = vmids.into_iter().partition(is_elsewhere);
    if vmids.is_empty() && !call.params.flag("all") {
        return Ok(json!("OK").into());
    }
    let id = if let [one] = vmids.as_slice() { one.to_string() } else { String::new() };
    let mut log = log_of(world, call, &vmids, &storage);
    if !elsewhere.is_empty() {
        let listed: Vec<String> = elsewhere.iter().map(u32::to_string).collect();
        log.insert(1, format!("INFO: skip external VMs: {}", listed.join(", ")));
    }
    let run = Run {
        node: call.params.node().to_owned(),
        storage,
        vmids,
        notes: call.params.optional("notes-template").map(str::to_owned),
        protected: call.params.flag("protected"),
        keep: call.params.optional("prune-backups").map(str::to_owned),
        prunes: !call.params.has("remove") || call.params.flag("remove"),
    };
    let effect = Box::new(move |world: &mut World| run.finish(world));
    tasks::on_node_itself(world, call, ("vzdump", id), 4.0, log, effect)
}

fn log_of(world: &World, call: &Call, vmids: &[u32], storage: &str) -> Vec<String> {
    let listed: Vec<String> = vmids.iter().map(u32::to_string).collect();
    let mode = call.params.optional("mode").unwrap_or("snapshot");
    let node = call.params.node();
    let mut log = vec![format!(
        "INFO: starting new backup job: vzdump {} --storage {storage} --node {node} --mode {mode}",
        listed.join(" ")
    )];
    for vmid in vmids {
        match world.guests.get(vmid).filter(|g| g.node == node) {
            Some(guest) => log.extend(log_of_one(guest, mode)),
            None => log.push(format!("ERROR: Backup of VM {vmid} failed - unable to find VM '{vmid}'")),
        }
    }
    log.push("INFO: Backup job finished".into());
    log
}

fn log_of_one(guest: &Guest, mode: &str) -> Vec<String> {
    let (noun, vmid) = (guest.kind.noun(), guest.vmid);
    let mut log = vec![
        format!("INFO: Starting Backup of {noun} {vmid} ({})", guest.kind.as_str()),
        format!("INFO: status = {}", guest.status()),
        format!("INFO: {noun} Name: {}", guest.name),
    ];
    for disk in guest.disks().iter().filter(|d| !d.is_unused()) {
        log.push(format!("INFO: include disk '{}' '{}' {}", disk.key, disk.volid(), size_text(disk.size)));
    }
    log.push(format!("INFO: backup mode: {mode}"));
    if let Some(lock) = &guest.lock {
        log.push(format!("ERROR: Backup of {noun} {vmid} failed - {noun} is locked ({lock})"));
        return log;
    }
    log.push(format!("INFO: archive file size: {}MB", (guest.disk / 4) >> 20));
    log.push(format!("INFO: Finished Backup of {noun} {vmid} (00:00:02)"));
    log
}

/// A run of vzdump.
struct Run {
    node: String,
    storage: String,
    vmids: Vec<u32>,
    notes: Option<String>,
    protected: bool,
    keep: Option<String>,
    prunes: bool,
}

impl Run {
    fn finish(self, world: &mut World) -> Result<(), String> {
        let now = world.clock.unix();
        let storage = &self.storage;
        let problem = |why: String| format!("could not get storage information for '{storage}': {why}");
        let target = world.storages.iter().find(|s| s.name == *storage);
        let target = target.ok_or_else(|| problem(format!("storage '{storage}' does not exist")))?;
        if !target.content.contains(&"backup") {
            return Err(problem(format!("can't use storage '{storage}' for backups - wrong content type")));
        }
        let keep = self.keep.clone().or_else(|| option(&target.options, "prune-backups"));
        let place = (!target.shared).then(|| self.node.clone());
        let known = self.vmids.iter().filter_map(|id| world.guests.get(id));
        let ready = known.filter(|g| g.node == self.node && g.lock.is_none());
        let made: Vec<Volume> = ready.map(|guest| self.archive(guest, place.clone(), now)).collect();
        let all = made.len() == self.vmids.len();
        let Some(target) = world.storages.iter_mut().find(|s| s.name == *storage) else { return Ok(()) };
        for volume in made {
            let (vmid, subtype) = (volume.vmid, volume.subtype);
            // Two backups of one second have one name, and the later one is it.
            target.remove(|v| v.name == volume.name);
            target.put(volume);
            if let Some(keep) = keep.as_deref().filter(|_| self.prunes) {
                let gone = super::prune::marked(target, keep, vmid, subtype, &self.node);
                target.remove(|v| gone.iter().any(|(name, mark)| *mark == "remove" && *name == v.name));
            }
        }
        if all { Ok(()) } else { Err("job errors".into()) }
    }

    fn archive(&self, guest: &Guest, place: Option<String>, now: u64) -> Volume {
        let ending = if guest.kind == GuestKind::Qemu { "vma.zst" } else { "tar.zst" };
        let kind = guest.kind.as_str();
        let notes = self.notes.as_ref().map(|template| {
            let words = [("{{guestname}}", &guest.name), ("{{node}}", &guest.node)];
            let text = unescaped(template).replace("{{vmid}}", &guest.vmid.to_string());
            words.iter().fold(text, |text, (word, value)| text.replace(word, value))
        });
        Volume {
            name: format!("backup/vzdump-{kind}-{}-{}.{ending}", guest.vmid, stamp(now)),
            node: place,
            content: "backup",
            format: ending,
            size: guest.disk / 4,
            ctime: now,
            vmid: Some(guest.vmid),
            subtype: Some(kind),
            notes,
            protected: self.protected,
            saved: Some(Box::new(guest.clone())),
        }
    }
}

/// An option of a storage.
pub(super) fn option(options: &[(String, String)], name: &str) -> Option<String> {
    options.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

fn defaults(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.optional("storage").unwrap_or("local");
    let storage = storage_of(world, name)?;
    let keep = option(&storage.options, "prune-backups").unwrap_or_else(|| "keep-all=1".into());
    Ok(json!({ "storage": name, "mode": "snapshot", "compress": "zstd", "prune-backups": keep, "remove": 1,
        "lockwait": 180, "stopwait": 10, "ionice": 7, "notification-mode": "auto" })
    .into())
}

/// The configuration that a backup holds, as the file in it.
fn extract(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let volid = call.params.text("volume");
    let missing = || Failure::internal(format!("volume '{volid}' does not exist"));
    let found = volume(world, call, volid).filter(|v| v.content == "backup").ok_or_else(missing)?;
    if let Some(vmid) = found.vmid {
        permission::require(world, &call.caller, &format!("/vms/{vmid}"), &["VM.Backup"])?;
    }
    let config = found.saved.as_ref().map(|guest| guest.config(true)).unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let lines: String = config.iter().map(|(key, value)| format!("{key}: {}\n", text(value))).collect();
    Ok(json!(lines).into())
}

fn job_row(id: &str, job: &Map<String, Value>, now: u64) -> Value {
    let mut row = Value::Object(job.clone());
    add(&mut row, json!({ "id": id, "type": "vzdump" }));
    // What is set as one text is told in its parts.
    for name in ["prune-backups", "fleecing", "performance"] {
        if let Some(text) = job.get(name).and_then(Value::as_str) {
            let parts = text.split(',').filter_map(|part| part.split_once('='));
            let parts: Map<String, Value> = parts.map(|(k, v)| (k.to_owned(), json!(v))).collect();
            add(&mut row, json!({ name: parts }));
        }
    }
    if job.get("enabled") != Some(&json!(0)) {
        // Nothing here runs by itself; the next night stands for what a calendar would say.
        add(&mut row, json!({ "next-run": now / 86_400 * 86_400 + 86_400 + 7200 }));
    }
    row
}

fn jobs(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let rows: Vec<Value> = world.jobs.iter().map(|(id, job)| job_row(id, job, now)).collect();
    Ok(json!(rows).into())
}

fn known_job<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut Map<String, Value>, Failure> {
    let id = call.params.text("id");
    world.jobs.get_mut(id).ok_or_else(|| Failure::parameter("id", format!("No such job '{id}'")))
}

fn job(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let job = known_job(world, call)?.clone();
    Ok(job_row(call.params.text("id"), &job, now).into())
}

/// Parameters of a job that are kept with it.
fn kept(call: &Call) -> impl Iterator<Item = (String, Value)> {
    let given = call.params.iter().filter(|(name, _)| !matches!(*name, "id" | "delete"));
    given.map(|(name, value)| (name.to_owned(), stored(value)))
}

fn schedule(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let storage = call.params.optional("storage").unwrap_or("local");
    storage_of(world, storage)?;
    if !["vmid", "all", "pool", "exclude"].iter().any(|name| call.params.has(name)) {
        return Err(Failure::parameter("vmid", "property is missing and it is not optional"));
    }
    world.last_pid += 1;
    let made = format!("backup-{:08x}-{:04x}", world.last_pid, world.jobs.len());
    let id = call.params.optional("id").map_or(made, str::to_owned);
    if world.jobs.contains_key(&id) {
        return Err(Failure::internal(format!("Job '{id}' already exists")));
    }
    let mut job: Map<String, Value> = kept(call).collect();
    job.entry("enabled").or_insert(json!(1));
    job.entry("mode").or_insert(json!("snapshot"));
    world.jobs.insert(id, job);
    Ok(Value::Null.into())
}

fn reschedule(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    if let Some(storage) = call.params.optional("storage") {
        storage_of(world, storage)?;
    }
    let job = known_job(world, call)?;
    for name in call.params.text("delete").split([',', ';', ' ']) {
        job.remove(name);
    }
    job.extend(kept(call));
    Ok(Value::Null.into())
}

fn unschedule(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    known_job(world, call)?;
    world.jobs.remove(call.params.text("id"));
    Ok(Value::Null.into())
}

/// Whether a job takes a guest.
fn takes(world: &World, job: &Map<String, Value>, guest: &Guest) -> bool {
    let text = |name: &str| job.get(name).and_then(Value::as_str).unwrap_or_default();
    let on = |name: &str| job.get(name).is_some_and(|v| *v == json!(1));
    let everywhere = text("node").is_empty() || text("node") == guest.node;
    let pooled = world.pools.get(text("pool")).is_some_and(|p| p.guests.contains(&guest.vmid));
    let whole = (on("all") || job.contains_key("exclude")) && !ids(text("exclude")).contains(&guest.vmid);
    everywhere && (guests_of(job).contains(&guest.vmid) || pooled || whole)
}

fn included(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let job = known_job(world, call)?.clone();
    let guests: Vec<Value> = world
        .guests
        .values()
        .filter(|guest| takes(world, &job, guest))
        .map(|guest| {
            let disks: Vec<Value> = guest
                .disks()
                .iter()
                .filter(|d| !d.is_unused())
                .map(|d| json!({ "id": d.key, "name": d.volid(), "included": 1, "reason": "enabled" }))
                .collect();
            json!({ "id": guest.vmid, "name": guest.name, "type": guest.kind.as_str(), "children": disks })
        })
        .collect();
    Ok(json!({ "children": guests }).into())
}

/// Guests that no job takes.
fn not_backed_up(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let off = |job: &Map<String, Value>| job.get("enabled") == Some(&json!(0));
    let rows: Vec<Value> = world
        .guests
        .values()
        .filter(|guest| !world.jobs.values().any(|job| !off(job) && takes(world, job, guest)))
        .filter(|guest| world.may(&call.caller, &format!("/vms/{}", guest.vmid), "VM.Audit"))
        .map(|guest| json!({ "vmid": guest.vmid, "name": guest.name, "type": guest.kind.as_str() }))
        .collect();
    Ok(json!(rows).into())
}

/// A template of notes with its two escapes undone: the backslash and the end of a line.
fn unescaped(template: &str) -> String {
    let parts = template.split("\\\\").map(|part| part.replace("\\n", "\n"));
    parts.collect::<Vec<_>>().join("\\")
}
