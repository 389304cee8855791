//! Tasks: lists, status, log, interruption.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::{Row, here, index, on_node};
use crate::auth::permission;
use crate::failure::Failure;
use crate::params::Params;
use crate::rest::{Call, Reply};
use crate::world::task::Effect;
use crate::world::{Plan, Task, Upid, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_TASKS, list),
    here(&m::GET_NODES_NODE_TASKS_UPID, index),
    on_node(&m::GET_NODES_NODE_TASKS_UPID_STATUS, status),
    on_node(&m::GET_NODES_NODE_TASKS_UPID_LOG, log),
    on_node(&m::DELETE_NODES_NODE_TASKS_UPID, interrupt),
];

/// Starts the task of a call about a guest and answers with its id.
pub(super) fn on_guest(
    world: &mut World,
    call: &Call,
    kind: &'static str,
    times: f64,
    log: Vec<String>,
    effect: Effect,
) -> Result<Reply, Failure> {
    let (id, takes) = (call.params.vmid().to_string(), world.takes(times));
    let plan = Plan { kind, id, takes, log, warnings: 0, effect };
    Ok(json!(world.start_task(&call.caller, call.params.node(), plan)).into())
}

/// Starts the task of a call about something that is no guest; `id` says what.
pub(super) fn on_node_itself(
    world: &mut World,
    call: &Call,
    (kind, id): (&'static str, String),
    times: f64,
    log: Vec<String>,
    effect: Effect,
) -> Result<Reply, Failure> {
    let plan = Plan { kind, id, takes: world.takes(times), log, warnings: 0, effect };
    Ok(json!(world.start_task(&call.caller, call.params.node(), plan)).into())
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let params = &call.params;
    let auditor = world.may(&call.caller, &format!("/nodes/{}", params.node()), "Sys.Audit");
    let (archive, active) = match params.optional("source") {
        Some("active") => (false, true),
        Some("all") => (true, true),
        _ => (true, false),
    };
    let wanted = |task: &&Task| {
        let source = if task.end.is_some() { archive } else { active };
        let visible = auditor || task.caller.user == call.caller.user;
        task.upid.node == params.node() && source && visible && matches(task, params)
    };
    let mut found: Vec<&Task> = world.tasks.iter().filter(wanted).collect();
    found.sort_by_key(|t| std::cmp::Reverse((t.end.is_none(), t.upid.start, t.upid.pid)));
    let count = |name: &str, default: usize| {
        params.integer(name).and_then(|v| usize::try_from(v).ok()).unwrap_or(default)
    };
    let rows = found.iter().skip(count("start", 0)).take(count("limit", 50)).map(|t| t.row());
    Ok(Reply::Listing(Value::Array(rows.collect()), found.len()))
}

/// Whether a task passes the filters of the call.
fn matches(task: &Task, params: &Params) -> bool {
    let upid = &task.upid;
    let start = i64::try_from(upid.start).unwrap_or(i64::MAX);
    let statuses = params.optional("statusfilter");
    let of_status = |wanted: &str| wanted.split([',', ';', ' ']).any(|s| s == task.class());
    (!params.flag("errors") || task.class() == "error")
        && params.optional("typefilter").is_none_or(|kind| upid.kind == kind)
        && params.optional("userfilter").is_none_or(|user| task.caller.id().contains(user))
        && params.integer("vmid").is_none_or(|vmid| upid.id == vmid.to_string())
        && params.integer("since").is_none_or(|since| start >= since)
        && params.integer("until").is_none_or(|until| start <= until)
        && statuses.is_none_or(of_status)
}

/// The id in the call's path, once the caller may look at the task.
fn readable(world: &World, call: &Call) -> Result<Upid, Failure> {
    let upid = Upid::parse(call.params.text("upid"));
    let upid = upid.ok_or_else(|| Failure::parameter("upid", "unable to parse worker upid"))?;
    let owner = upid.user.split('!').next().unwrap_or_default();
    if owner != call.caller.user {
        permission::require(world, &call.caller, &format!("/nodes/{}", call.params.node()), &["Sys.Audit"])?;
    }
    Ok(upid)
}

/// The task of a readable id, on the node that was asked.
fn found<'w>(world: &'w World, call: &Call, upid: &Upid) -> Option<&'w Task> {
    world.tasks.iter().rev().find(|t| t.upid == *upid && t.upid.node == call.params.node())
}

fn status(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let upid = readable(world, call)?;
    match found(world, call, &upid) {
        Some(task) => Ok(task.status().into()),
        None => Err(Failure::parameter("upid", "no such task")),
    }
}

fn log(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let upid = readable(world, call)?;
    let elapsed = world.clock.elapsed();
    let lines = match found(world, call, &upid) {
        Some(task) => task.lines(elapsed),
        None => vec!["unable to open file - No such file or directory".to_owned()],
    };
    let lines = if lines.is_empty() { vec!["no content".to_owned()] } else { lines };
    let count = |name: &str, default: usize| {
        call.params.integer(name).and_then(|v| usize::try_from(v).ok()).unwrap_or(default)
    };
    let (start, limit) = (count("start", 0), count("limit", 50));
    // No limit is what 0 asks for.
    let limit = if limit == 0 { lines.len() } else { limit };
    let total = lines.len();
    let rows = lines.into_iter().enumerate().skip(start).take(limit);
    let rows: Vec<Value> = rows.map(|(i, line)| json!({ "n": i + 1, "t": line })).collect();
    Ok(Reply::Listing(json!(rows), total))
}

fn interrupt(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let text = call.params.text("upid");
    let upid = Upid::parse(text).ok_or_else(|| Failure::parameter("upid", "unable to parse worker upid"))?;
    if upid.user.split('!').next() != Some(call.caller.user.as_str()) {
        permission::require(world, &call.caller, &format!("/nodes/{}", call.params.node()), &["Sys.Modify"])?;
    }
    world.interrupt(text);
    Ok(Value::Null.into())
}
