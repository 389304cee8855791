//! What the cluster was set up with: its members and how they talk, accounts for certificates, second factors.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::{Row, here, index};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::World;

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_CLUSTER_CONFIG, index),
    here(&m::GET_CLUSTER_CONFIG_NODES, members),
    here(&m::GET_CLUSTER_CONFIG_TOTEM, totem),
    here(&m::GET_CLUSTER_CONFIG_JOIN, join),
    here(&m::GET_CLUSTER_JOBS, index),
    here(&m::GET_CLUSTER_ACME_ACCOUNT, accounts),
    here(&m::GET_CLUSTER_ACME_PLUGINS, plugins),
    here(&m::GET_ACCESS_TFA, factors),
];

fn members(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let is_cluster = world.cluster.is_some();
    let rows = world.nodes.iter().filter(|_| is_cluster).map(|node| {
        json!({
            "node": node.name, "name": node.name, "nodeid": node.number.to_string(), "quorum_votes": "1",
            "ring0_addr": node.ip,
        })
    });
    Ok(rows.collect::<Value>().into())
}

fn how(world: &World) -> Value {
    match &world.cluster {
        None => json!({}),
        Some(name) => json!({
            "cluster_name": name, "config_version": world.nodes.len().to_string(), "ip_version": "ipv4-6",
            "interface": { "0": { "linknumber": "0" } }, "link_mode": "passive", "secauth": "on", "version": "2",
        }),
    }
}

fn totem(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    Ok(how(world).into())
}

fn join(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    if world.cluster.is_none() {
        return Err(Failure::internal("node is not in a cluster, no join info available!"));
    }
    let fingerprint = ["A7"; 32].join(":");
    let member = |node: &crate::world::Node| {
        json!({
            "name": node.name, "nodeid": node.number.to_string(), "pve_addr": node.ip, "ring0_addr": node.ip,
            "quorum_votes": "1", "pve_fp": fingerprint,
        })
    };
    Ok(json!({
        "nodelist": world.nodes.iter().map(member).collect::<Vec<_>>(), "preferred_node": world.local,
        "totem": how(world), "config_digest": "5f4dcc3b5aa765d61d8327deb882cf99a1b2c3d4",
    })
    .into())
}

fn accounts(_: &mut World, _: &Call) -> Result<Reply, Failure> {
    Ok(json!([{ "name": "default" }]).into())
}

fn plugins(_: &mut World, _: &Call) -> Result<Reply, Failure> {
    Ok(json!([{ "plugin": "standalone", "type": "standalone" }]).into())
}

fn factors(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let created = world.clock.unix().saturating_sub(90 * 86_400);
    let entry =
        json!({ "id": "totp-0b1c", "type": "totp", "description": "phone", "created": created, "enable": 1 });
    Ok(json!([{ "userid": "root@pam", "entries": [entry] }]).into())
}
