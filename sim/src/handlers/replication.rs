//! Replication: jobs, their state, their logs.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::{Row, here, index, on_node};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::resources::add;
use crate::world::{Replication, World};

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_CLUSTER_REPLICATION, list),
    here(&m::POST_CLUSTER_REPLICATION, create),
    here(&m::GET_CLUSTER_REPLICATION_ID, one),
    here(&m::PUT_CLUSTER_REPLICATION_ID, change),
    here(&m::DELETE_CLUSTER_REPLICATION_ID, delete),
    on_node(&m::GET_NODES_NODE_REPLICATION, states),
    on_node(&m::GET_NODES_NODE_REPLICATION_ID, index),
    on_node(&m::GET_NODES_NODE_REPLICATION_ID_STATUS, state),
    on_node(&m::GET_NODES_NODE_REPLICATION_ID_LOG, log),
    on_node(&m::POST_NODES_NODE_REPLICATION_ID_SCHEDULE_NOW, run_now),
];

fn row(world: &World, job: &Replication) -> Value {
    let number = job.id.rsplit('-').next().and_then(|n| n.parse::<u32>().ok()).unwrap_or_default();
    let mut row = json!({
        "id": job.id, "guest": job.guest, "jobnum": number, "target": job.target, "schedule": job.schedule, "type": "local",
    });
    if let Some(guest) = world.guests.get(&job.guest) {
        add(&mut row, json!({ "source": guest.node }));
    }
    if job.disabled {
        add(&mut row, json!({ "disable": 1 }));
    }
    if job.rate > 0.0 {
        add(&mut row, json!({ "rate": job.rate }));
    }
    if !job.comment.is_empty() {
        add(&mut row, json!({ "comment": job.comment }));
    }
    row
}

fn sees(world: &World, call: &Call, job: &Replication) -> bool {
    world.may(&call.caller, &format!("/vms/{}", job.guest), "VM.Audit")
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let jobs = world.replications.values().filter(|job| sees(world, call, job));
    let rows: Vec<Value> = jobs.map(|job| row(world, job)).collect();
    Ok(json!(rows).into())
}

/// The job that the call is about, once the caller may do this with its guest.
fn known<'w>(world: &'w World, call: &Call, privilege: &str) -> Result<&'w Replication, Failure> {
    let id = call.params.text("id");
    let vmid = id.split('-').next().unwrap_or_default();
    permission::require(world, &call.caller, &format!("/vms/{vmid}"), &[privilege])?;
    world.replications.get(id).ok_or_else(|| Failure::internal(format!("no such replication job '{id}'")))
}

fn one(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let job = known(world, call, "VM.Audit")?;
    Ok(row(world, job).into())
}

fn create(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (id, target) = (call.params.text("id"), call.params.text("target"));
    let parts =
        id.split_once('-').and_then(|(guest, number)| Some((guest.parse().ok()?, number.parse().ok()?)));
    let Some((vmid, number)) = parts else {
        return Err(Failure::parameter("id", "invalid format - invalid replication job id"));
    };
    let privilege = world.release.replicates();
    permission::require(world, &call.caller, &format!("/vms/{vmid}"), &[privilege])?;
    if world.replications.contains_key(id) {
        return Err(Failure::internal(format!("replication job '{id}' already exists")));
    }
    let missing = || Failure::internal(format!("guest '{vmid}' does not exist"));
    let guest = world.guests.get(&vmid).ok_or_else(missing)?;
    if world.node(target).is_none() {
        return Err(Failure::internal(format!("no such cluster node '{target}'")));
    }
    if guest.node == target {
        return Err(Failure::internal(format!("replication target '{target}' is the node of the guest")));
    }
    let on_zfs = |name: &str| world.storages.iter().any(|s| s.name == name && s.kind == "zfspool");
    if let Some(disk) = guest.disks().iter().find(|d| !on_zfs(&d.storage)) {
        return Err(Failure::internal(format!("missing replicate feature on volume '{}'", disk.volid())));
    }
    let mut job = Replication::new(vmid, number, target);
    options(call, &mut job);
    world.replications.insert(id.to_owned(), job);
    Ok(Value::Null.into())
}

fn options(call: &Call, job: &mut Replication) {
    let params = &call.params;
    if let Some(schedule) = params.optional("schedule") {
        schedule.clone_into(&mut job.schedule);
    }
    if let Some(comment) = params.optional("comment") {
        comment.clone_into(&mut job.comment);
    }
    if params.has("disable") {
        job.disabled = params.flag("disable");
    }
    if let Some((_, rate)) = params.iter().find(|(name, _)| *name == "rate") {
        job.rate = rate.as_f64().unwrap_or_default();
    }
    for name in params.text("delete").split([',', ';', ' ']) {
        match name {
            "comment" => job.comment.clear(),
            "disable" => job.disabled = false,
            "rate" => job.rate = 0.0,
            "schedule" => job.schedule = "*/15".into(),
            _ => {}
        }
    }
}

fn change(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    known(world, call, world.release.replicates())?;
    if let Some(job) = world.replications.get_mut(call.params.text("id")) {
        options(call, job);
    }
    Ok(Value::Null.into())
}

fn delete(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    known(world, call, world.release.replicates())?;
    world.replications.remove(call.params.text("id"));
    Ok(Value::Null.into())
}

fn state_row(world: &World, job: &Replication) -> Value {
    let mut row = row(world, job);
    let next = if job.last_try == 0 { world.clock.unix() } else { job.last_try + 900 };
    add(
        &mut row,
        json!({
            "last_sync": job.last_sync, "last_try": job.last_try, "next_sync": next, "duration": job.duration,
            "fail_count": job.fail_count,
        }),
    );
    if let Some(guest) = world.guests.get(&job.guest) {
        add(&mut row, json!({ "vmtype": guest.kind.as_str() }));
    }
    if let Some(error) = &job.error {
        add(&mut row, json!({ "error": error }));
    }
    row
}

/// Whether the job's guest is on the node of the call, which is the one that copies.
fn is_here(world: &World, call: &Call, job: &Replication) -> bool {
    world.guests.get(&job.guest).is_some_and(|g| g.node == call.params.node())
}

fn states(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let jobs = world.replications.values().filter(|job| sees(world, call, job) && is_here(world, call, job));
    let jobs = jobs.filter(|job| call.params.integer("guest").is_none_or(|id| id == i64::from(job.guest)));
    let rows: Vec<Value> = jobs.map(|job| state_row(world, job)).collect();
    Ok(json!(rows).into())
}

fn state(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let job = known(world, call, "VM.Audit")?;
    match is_here(world, call, job) {
        true => Ok(state_row(world, job).into()),
        false => Err(Failure::internal(format!("no such replication job '{}'", job.id))),
    }
}

fn log(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let job = known(world, call, "VM.Audit")?;
    let id = &job.id;
    let mut lines = vec![
        format!("{id}: start replication job"),
        format!("{id}: guest => VM {}, running => 1", job.guest),
        format!("{id}: create snapshot '__replicate_{id}_{}__'", job.last_try),
    ];
    match &job.error {
        Some(error) => lines.push(format!("{id}: end replication job with error: {error}")),
        None => lines.push(format!("{id}: end replication job")),
    }
    let count = |name: &str, default: usize| {
        call.params.integer(name).and_then(|v| usize::try_from(v).ok()).unwrap_or(default)
    };
    let total = lines.len();
    let rows = lines.iter().enumerate().skip(count("start", 0)).take(count("limit", 50));
    let rows: Vec<Value> = rows.map(|(n, line)| json!({ "n": n + 1, "t": line })).collect();
    Ok(Reply::Listing(json!(rows), total))
}

fn run_now(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    known(world, call, world.release.replicates())?;
    let now = world.clock.unix();
    if let Some(job) = world.replications.get_mut(call.params.text("id")) {
        (job.last_sync, job.last_try, job.duration) = (now, now, 4.2);
        (job.fail_count, job.error) = (0, None);
    }
    Ok(Value::Null.into())
}
