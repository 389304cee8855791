//! Ceph, where it runs.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::{Row, cluster, here, on_node};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::figures::ratio;
use crate::world::{Storage, World};

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_CLUSTER_CEPH_STATUS, cluster::ceph_status),
    here(&m::GET_CLUSTER_CEPH_FLAGS, flags),
    on_node(&m::GET_NODES_NODE_CEPH_STATUS, cluster::ceph_status),
    on_node(&m::GET_NODES_NODE_CEPH_OSD, osds),
    on_node(&m::GET_NODES_NODE_CEPH_POOL, pools),
    on_node(&m::GET_NODES_NODE_CEPH_MON, monitors),
    on_node(&m::GET_NODES_NODE_CEPH_MGR, managers),
    on_node(&m::GET_NODES_NODE_CEPH_MDS, no_file_system),
    on_node(&m::GET_NODES_NODE_CEPH_FS, no_file_system),
];

const VERSION: &str = "19.2.3-pve2";

/// Refuses where Ceph is not installed, as a node says it.
fn storage(world: &World) -> Result<&Storage, Failure> {
    let found = world.storages.iter().find(|s| s.kind == "rbd").filter(|_| world.ceph);
    found.ok_or_else(|| Failure::internal("binary not installed: /usr/bin/ceph-mon"))
}

fn flags(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    storage(world)?;
    let all = [
        ("nobackfill", "Backfilling of PGs is suspended."),
        ("nodeep-scrub", "Deep scrubbing is disabled."),
        ("nodown", "Reports of failed OSDs are ignored."),
        ("noin", "OSDs that were out stay out."),
        ("noout", "OSDs stay in, even when they are down."),
        ("norebalance", "Rebalancing of PGs is suspended."),
        ("norecover", "Recovery of PGs is suspended."),
        ("noscrub", "Scrubbing is disabled."),
        ("notieragent", "Cache tiering is suspended."),
        ("noup", "OSDs may not start."),
        ("pause", "Reads and writes stand still."),
    ];
    let rows: Vec<Value> =
        all.iter().map(|(name, about)| json!({ "name": name, "description": about, "value": 0 })).collect();
    Ok(json!(rows).into())
}

fn osds(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let used = storage(world)?.used("", world.clock.unix());
    let share = ratio(used, storage(world)?.total);
    let hosts: Vec<Value> = world.nodes.iter().enumerate().map(|(number, node)| {
        let disks: Vec<Value> = node.disks.iter().filter_map(|disk| {
            let id = disk.osd?;
            Some(json!({
                "id": id, "name": format!("osd.{id}"), "type": "osd", "leaf": 1, "device_class": disk.kind,
                "status": if node.online() { "up" } else { "down" }, "in": 1, "reweight": 1.0, "host": node.name,
                "total_space": disk.size, "bytes_used": (disk.size as f64 * share) as u64, "percent_used": share * 100.0,
                "ceph_version_short": VERSION, "osdtype": "bluestore",
            }))
        }).collect();
        json!({ "id": -2 - i64::try_from(number).unwrap_or_default(), "name": node.name, "type": "host", "leaf": 0, "children": disks })
    }).collect();
    Ok(json!({ "flags": "", "root": { "leaf": 0, "children": [
        { "id": -1, "name": "default", "type": "root", "leaf": 0, "children": hosts } ] } })
    .into())
}

fn pools(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let (found, now) = (storage(world)?, world.clock.unix());
    let used = found.used("", now);
    let row = |id: u32, name: &str, groups: u32, used: u64| {
        json!({
            "pool": id, "pool_name": name, "type": "replicated", "size": 3, "min_size": 2, "pg_num": groups, "crush_rule": 0,
            "crush_rule_name": "replicated_rule", "pg_autoscale_mode": "on", "bytes_used": used,
            "percent_used": ratio(used, found.total), "application_metadata": { "rbd": {} },
        })
    };
    Ok(json!([row(1, ".mgr", 1, 1 << 22), row(2, &found.name, 128, used)]).into())
}

/// Ceph has disks here, and no file system.
fn no_file_system(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    storage(world)?;
    Ok(json!([]).into())
}

fn monitors(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    storage(world)?;
    let rows: Vec<Value> = world.nodes.iter().enumerate().map(|(rank, node)| {
        json!({
            "name": node.name, "host": node.name, "addr": format!("{}:6789/0", node.ip), "rank": rank, "service": 1, "direxists": 1,
            "quorum": u8::from(node.online()), "state": if node.online() { "running" } else { "unknown" },
            "ceph_version_short": VERSION,
        })
    }).collect();
    Ok(json!(rows).into())
}

fn managers(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    storage(world)?;
    let active = world.nodes.iter().position(|node| node.online());
    let rows: Vec<Value> = world.nodes.iter().enumerate().map(|(at, node)| {
        let state = if Some(at) == active { "active" } else { "standby" };
        json!({ "name": node.name, "host": node.name, "addr": node.ip, "state": state, "service": 1, "ceph_version_short": VERSION })
    }).collect();
    Ok(json!(rows).into())
}
