//! The cluster as a whole.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::config::stored;
use super::{Row, here, index};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::World;
use crate::world::figures::{counter, drift, part};
use crate::world::resources::add;

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_VERSION, version),
    here(&m::GET_CLUSTER, index),
    here(&m::GET_CLUSTER_RESOURCES, resources),
    here(&m::GET_CLUSTER_STATUS, status),
    here(&m::GET_CLUSTER_NEXTID, next_id),
    here(&m::GET_CLUSTER_TASKS, tasks),
    here(&m::GET_CLUSTER_OPTIONS, options),
    here(&m::PUT_CLUSTER_OPTIONS, change_options),
    here(&m::GET_CLUSTER_METRICS_EXPORT, metrics),
    here(&m::GET_CLUSTER_LOG, log),
];

pub(super) fn version(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let (release, version, repoid) = world.release.version();
    Ok(json!({ "release": release, "version": version, "repoid": repoid }).into())
}

fn resources(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    Ok(Reply::Text(world.resources(&call.caller, call.params.text("type"))))
}

fn status(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let mut rows = Vec::new();
    if let Some(name) = &world.cluster {
        rows.push(json!({
            "id": "cluster", "type": "cluster", "name": name, "nodes": world.nodes.len(),
            "quorate": u8::from(world.quorate), "version": world.nodes.len(),
        }));
    }
    for node in &world.nodes {
        rows.push(json!({
            "id": format!("node/{}", node.name), "type": "node", "name": node.name, "ip": node.ip,
            "nodeid": if world.cluster.is_some() { node.number } else { 0 }, "level": "",
            "online": u8::from(node.online()), "local": u8::from(node.name == world.local),
        }));
    }
    Ok(json!(rows).into())
}

fn next_id(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    match call.params.integer("vmid") {
        Some(id) if world.guests.contains_key(&call.params.vmid()) => {
            Err(Failure::parameter("vmid", format!("VM {id} already exists")))
        }
        Some(id) => Ok(json!(id.to_string()).into()),
        None => Ok(json!(world.next_id().to_string()).into()),
    }
}

fn tasks(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    /// So many of the latest tasks a node tells the others.
    const SHOWN: usize = 25;
    let visible = |task: &&crate::world::Task| {
        task.caller.user == call.caller.user
            || world.may(&call.caller, &format!("/nodes/{}", task.upid.node), "Sys.Audit")
    };
    let rows: Vec<Value> =
        world.tasks.iter().rev().filter(visible).take(SHOWN).map(|t| t.cluster_row()).collect();
    Ok(json!(rows).into())
}

fn options(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let mut tags: Vec<&String> = world.guests.values().flat_map(|g| &g.tags).collect();
    tags.sort_unstable();
    tags.dedup();
    let mut options = json!({ "allowed-tags": tags, "description": "", "mac_prefix": "BC:24:11" });
    add(&mut options, Value::Object(world.options.clone()));
    Ok(options.into())
}

fn change_options(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    for name in call.params.text("delete").split([',', ';', ' ']) {
        world.options.remove(name);
    }
    let given = call.params.iter().filter(|(name, _)| *name != "delete");
    world.options.extend(given.map(|(name, value)| (name.to_owned(), stored(value))));
    Ok(Value::Null.into())
}

/// The figures that go to metric servers, as one list.
fn metrics(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let listed = call.params.text("node-list");
    let wanted = |node: &str| {
        let local = !call.params.flag("local-only") || node == world.local;
        local && (listed.is_empty() || listed.split(',').any(|name| name == node))
    };
    let mut rows = Vec::new();
    let mut put = |id: &str, metric: &str, kind: &str, value: f64| {
        rows.push(json!({ "id": id, "metric": metric, "timestamp": now, "type": kind, "value": value }));
    };
    for node in world.nodes.iter().filter(|n| n.online() && wanted(&n.name)) {
        let id = format!("node/{}", node.name);
        put(&id, "cpu_current", "gauge", node.cpu(now));
        put(&id, "mem_total", "gauge", node.memory as f64);
        put(&id, "mem_used", "gauge", node.memory_used(now) as f64);
        put(&id, "uptime", "gauge", node.uptime(now) as f64);
        for storage in world.storages.iter().filter(|s| s.enabled) {
            let id = format!("storage/{}/{}", node.name, storage.name);
            put(&id, "disk_total", "gauge", storage.total as f64);
            put(&id, "disk_used", "gauge", storage.used(&node.name, now) as f64);
        }
    }
    for guest in world.guests.values().filter(|g| wanted(&g.node)) {
        let (id, usage) = (guest.id(), guest.usage(now));
        put(&id, "cpu_current", "gauge", usage.cpu);
        put(&id, "mem_used", "gauge", usage.memory as f64);
        put(&id, "net_in", "derive", usage.netin as f64);
        put(&id, "net_out", "derive", usage.netout as f64);
        put(&id, "uptime", "gauge", usage.uptime as f64);
    }
    Ok(json!({ "data": rows }).into())
}

fn log(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let max = call.params.integer("max").and_then(|m| usize::try_from(m).ok()).unwrap_or(50);
    let sees_all = world.may(&call.caller, "/", "Sys.Syslog");
    let seen = |task: &crate::world::Task| sees_all || task.caller.user == call.caller.user;
    let mut rows = Vec::new();
    for (number, task) in world.tasks.iter().enumerate().rev().filter(|(_, task)| seen(task)) {
        let upid = &task.upid;
        let row = |half: usize, time: u64, priority: u8, text: String| {
            let uid = (2 * number + half).to_string();
            json!({
                "id": format!("{uid}:{}", upid.node), "uid": uid, "node": upid.node, "pid": 5838, "tag": "pvedaemon",
                "user": task.caller.id(), "time": time, "pri": priority, "msg": text,
            })
        };
        if let Some((exit, end)) = &task.end {
            let priority = if exit == "OK" { 6 } else { 3 };
            rows.push(row(1, *end, priority, format!("end task {upid} {exit}")));
        }
        rows.push(row(0, upid.start, 6, format!("starting task {upid}")));
        if rows.len() >= max {
            break;
        }
    }
    rows.truncate(max);
    Ok(json!(rows).into())
}

/// The status of Ceph, as `ceph status` has it.
pub(super) fn ceph_status(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let Some(storage) = world.storages.iter().find(|s| s.kind == "rbd").filter(|_| world.ceph) else {
        return Err(Failure::internal("binary not installed: /usr/bin/ceph-mon"));
    };
    let now = world.clock.unix();
    let osds: usize = world.nodes.iter().map(|n| n.disks.iter().filter(|d| d.osd.is_some()).count()).sum();
    let down: usize = world
        .nodes
        .iter()
        .filter(|n| !n.online())
        .map(|n| n.disks.iter().filter(|d| d.osd.is_some()).count())
        .sum();
    let names: Vec<&str> = world.nodes.iter().filter(|n| n.online()).map(|n| n.name.as_str()).collect();
    let used = storage.used("", now);
    let rate = |seed: u64, base: f64| counter(base * (0.7 + 0.6 * drift(seed, now, 20)), 1);
    let (total, used) = (storage.total * 3, used * 3);
    let checks = match down {
        0 => json!({}),
        n => json!({ "OSD_DOWN": { "severity": "HEALTH_WARN", "muted": false,
            "summary": { "count": n, "message": format!("{n} osds down") } } }),
    };
    let mut status = json!({
        "fsid": crate::world::guest::uuid("ceph", 1),
        "health": { "status": if down == 0 { "HEALTH_OK" } else { "HEALTH_WARN" }, "checks": checks, "mutes": [] },
        "election_epoch": 42, "quorum_names": names, "quorum": (0..names.len()).collect::<Vec<_>>(),
        "quorum_age": 5_400_000,
        "monmap": { "epoch": 3, "num_mons": world.nodes.len(), "min_mon_release_name": "tentacle" },
    });
    add(
        &mut status,
        json!({
            "osdmap": { "epoch": 1841, "num_osds": osds, "num_up_osds": osds - down, "num_in_osds": osds },
            "pgmap": {
                "num_pgs": 129, "num_pools": 2, "num_objects": 1_734_211,
                "pgs_by_state": [{ "state_name": if down == 0 { "active+clean" } else { "active+undersized+degraded" }, "count": 129 }],
                "data_bytes": used / 3, "bytes_used": used, "bytes_avail": total - used, "bytes_total": total,
                "read_bytes_sec": part(400 << 20, drift(1, now, 20)), "write_bytes_sec": part(300 << 20, drift(2, now, 20)),
                "read_op_per_sec": rate(3, 15_200.0), "write_op_per_sec": rate(4, 12_800.0),
            },
        }),
    );
    Ok(status.into())
}
