//! Services of nodes, and their logs.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::nodes::node_of;
use super::{Row, here, index, on_node, tasks};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::system::SERVICES;
use crate::world::{Node, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_SERVICES, list),
    here(&m::GET_NODES_NODE_SERVICES_SERVICE, index),
    on_node(&m::GET_NODES_NODE_SERVICES_SERVICE_STATE, state),
    on_node(&m::POST_NODES_NODE_SERVICES_SERVICE_START, start),
    on_node(&m::POST_NODES_NODE_SERVICES_SERVICE_STOP, stop),
    on_node(&m::POST_NODES_NODE_SERVICES_SERVICE_RESTART, restart),
    on_node(&m::POST_NODES_NODE_SERVICES_SERVICE_RELOAD, reload),
    on_node(&m::GET_NODES_NODE_SYSLOG, syslog),
    on_node(&m::GET_NODES_NODE_JOURNAL, journal),
];

/// What runs in a cluster only.
const CLUSTERED: &[&str] = &["corosync", "pve-ha-crm", "pve-ha-lrm"];

fn row(world: &World, node: &Node, name: &str, about: &str) -> Value {
    let has = world.cluster.is_some() || !CLUSTERED.contains(&name);
    let runs = has && node.online() && node.system.services.get(name).copied().unwrap_or_default();
    json!({
        "service": name, "name": name, "desc": about, "unit-state": "enabled",
        "state": if runs { "running" } else { "dead" },
        "active-state": if runs { "active" } else { "inactive" },
    })
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let node = node_of(world, call)?;
    let rows: Vec<Value> = SERVICES.iter().map(|(name, about)| row(world, node, name, about)).collect();
    Ok(json!(rows).into())
}

/// The service of the call.
fn service_of(call: &Call) -> Result<(&'static str, &'static str), Failure> {
    let wanted = call.params.text("service");
    let found = SERVICES.iter().find(|(name, _)| *name == wanted).copied();
    found.ok_or_else(|| Failure::internal(format!("no such service '{wanted}'")))
}

fn state(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (name, about) = service_of(call)?;
    Ok(row(world, node_of(world, call)?, name, about).into())
}

fn start(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    run(world, call, "srvstart", Some(true))
}

fn stop(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (name, _) = service_of(call)?;
    // Without these nothing could be started again from here.
    if ["pveproxy", "pvedaemon", "pve-cluster"].contains(&name) {
        return Err(Failure::internal(format!(
            "invalid service cmd 'stop' for '{name}': ERROR: service must not be stopped"
        )));
    }
    run(world, call, "srvstop", Some(false))
}

fn restart(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    run(world, call, "srvrestart", Some(true))
}

fn reload(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    run(world, call, "srvreload", None)
}

fn run(world: &mut World, call: &Call, kind: &'static str, runs: Option<bool>) -> Result<Reply, Failure> {
    let (name, _) = service_of(call)?;
    let node = call.params.node().to_owned();
    let effect = Box::new(move |world: &mut World| {
        let node = world.nodes.iter_mut().find(|n| n.name == node);
        if let (Some(node), Some(runs)) = (node, runs) {
            node.system.services.insert(name, runs);
        }
        Ok(())
    });
    tasks::on_node_itself(world, call, (kind, name.to_owned()), 0.3, Vec::new(), effect)
}

/// What the system's log of a node says: its boot, and each task's start and end. Time, service, text.
fn entries(world: &World, node: &Node) -> Vec<(u64, &'static str, String)> {
    let mut all = vec![
        (node.booted, "kernel", "Linux version 6.17.4-1-pve (build@proxmox)".to_owned()),
        (node.booted + 9, "systemd", "Reached target multi-user.target - Multi-User System.".to_owned()),
        (node.booted + 12, "corosync", "[QUORUM] This node is within the primary component".to_owned()),
    ];
    for task in world.tasks.iter().filter(|t| t.upid.node == node.name) {
        let user = task.caller.id();
        all.push((task.upid.start, "pvedaemon", format!("<{user}> starting task {}", task.upid)));
        if let Some((exit, end)) = &task.end {
            let text = if exit == "OK" { "OK".to_owned() } else { format!("error: {exit}") };
            all.push((*end, "pvedaemon", format!("<{user}> end task {} {text}", task.upid)));
        }
    }
    if node.disks.iter().any(|d| d.health != "PASSED") {
        let (time, text) =
            (node.booted + 86_400, "Device: /dev/sdc [SAT], 8 Currently unreadable (pending) sectors");
        all.push((time, "smartd", text.to_owned()));
    }
    all.sort_by_key(|(time, ..)| *time);
    all
}

fn lines(world: &World, call: &Call) -> Result<Vec<(u64, String)>, Failure> {
    let node = node_of(world, call)?;
    let unit = call.params.optional("service").or_else(|| call.params.optional("unit"));
    let wanted = entries(world, node).into_iter().filter(|(_, tag, _)| unit.is_none_or(|unit| unit == *tag));
    Ok(wanted
        .map(|(time, tag, text)| {
            let stamp = crate::worlds::stamp(time);
            let (day, hour) = stamp.split_once('-').unwrap_or_default();
            let stamp = format!("{} {}", day.replace('_', "-"), hour.replace('_', ":"));
            (time, format!("{stamp} {} {tag}[1034]: {text}", node.name))
        })
        .collect())
}

fn syslog(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let lines = lines(world, call)?;
    let number = |name: &str, default: usize| {
        call.params.integer(name).and_then(|v| usize::try_from(v).ok()).unwrap_or(default)
    };
    let total = lines.len();
    let rows = lines.into_iter().enumerate().skip(number("start", 0)).take(number("limit", 50));
    let rows: Vec<Value> = rows.map(|(n, (_, line))| json!({ "n": n + 1, "t": line })).collect();
    Ok(Reply::Listing(json!(rows), total))
}

fn journal(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let number = |name: &str| call.params.integer(name).and_then(|v| u64::try_from(v).ok());
    let (since, until) = (number("since").unwrap_or(0), number("until").unwrap_or(u64::MAX));
    let kept = lines(world, call)?.into_iter().filter(|(time, _)| (since..=until).contains(time));
    let kept: Vec<String> = kept.map(|(_, line)| line).collect();
    let last = number("lastentries").and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    let shown = kept.iter().skip(kept.len().saturating_sub(last));
    // The first and the last line are cursors.
    let cursor = |n: usize| json!(format!("s=5f0c;i={n:x};b=9a1d"));
    let rows: Vec<Value> =
        [cursor(1)].into_iter().chain(shown.map(|line| json!(line))).chain([cursor(kept.len())]).collect();
    Ok(json!(rows).into())
}
