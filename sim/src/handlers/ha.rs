//! High availability: resources, rules, groups, status.

use proxmox_api::methods as m;
use serde_json::{Map, Value, json};

use super::config::{same_digest, stored};
use super::{Row, here, index, migrate};
use crate::Release;
use crate::auth::Caller;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::resources::add;
use crate::world::{Guest, GuestKind, Plan, World};

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_CLUSTER_HA_STATUS, index),
    here(&m::GET_CLUSTER_HA_STATUS_CURRENT, status),
    here(&m::GET_CLUSTER_HA_STATUS_MANAGER_STATUS, manager_status),
    here(&m::GET_CLUSTER_HA_RESOURCES, resources),
    here(&m::POST_CLUSTER_HA_RESOURCES, manage),
    here(&m::GET_CLUSTER_HA_RESOURCES_SID, resource),
    here(&m::PUT_CLUSTER_HA_RESOURCES_SID, change),
    here(&m::DELETE_CLUSTER_HA_RESOURCES_SID, release),
    here(&m::POST_CLUSTER_HA_RESOURCES_SID_MIGRATE, relocate),
    here(&m::POST_CLUSTER_HA_RESOURCES_SID_RELOCATE, relocate),
    here(&m::GET_CLUSTER_HA_RULES, rules),
    here(&m::POST_CLUSTER_HA_RULES, add_rule),
    here(&m::GET_CLUSTER_HA_RULES_RULE, rule),
    here(&m::PUT_CLUSTER_HA_RULES_RULE, change_rule),
    here(&m::DELETE_CLUSTER_HA_RULES_RULE, delete_rule),
    here(&m::GET_CLUSTER_HA_GROUPS, groups),
    here(&m::POST_CLUSTER_HA_GROUPS, add_group),
    here(&m::GET_CLUSTER_HA_GROUPS_GROUP, group),
    here(&m::PUT_CLUSTER_HA_GROUPS_GROUP, change_group),
    here(&m::DELETE_CLUSTER_HA_GROUPS_GROUP, delete_group),
];

fn status(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let managed: Vec<&Guest> = world.guests.values().filter(|g| g.ha.is_some()).collect();
    let mut rows = vec![json!({
        "id": "quorum", "type": "quorum", "node": world.local,
        "quorate": u8::from(world.quorate), "status": if world.quorate { "OK" } else { "No quorum!" },
    })];
    if world.release == Release::V9_2 {
        let (armed, watchdog) = match managed.is_empty() {
            true => ("standby", "standby (CRM watchdog standby)"),
            false => ("armed", "armed (CRM watchdog active)"),
        };
        rows.push(json!({
            "id": "fencing", "type": "fencing", "node": world.local, "armed-state": armed, "status": watchdog,
        }));
    }
    if !managed.is_empty() {
        rows.extend(managers(world, &managed, now));
    }
    for guest in managed {
        let (sid, state) = (guest.sid(), guest.ha.clone().unwrap_or_default());
        let option =
            |name: &str| world.ha.resources.get(&sid).and_then(|o| o.get(name)).cloned().unwrap_or(json!(1));
        rows.push(json!({
            "id": format!("service:{sid}"), "type": "service", "sid": sid, "node": guest.node, "state": state,
            "crm_state": state, "request_state": state, "max_relocate": option("max_relocate"),
            "max_restart": option("max_restart"), "status": format!("{sid} ({}, {state})", guest.node),
        }));
    }
    Ok(json!(rows).into())
}

/// The rows of the master and of each node's local manager.
fn managers(world: &World, managed: &[&Guest], now: u64) -> Vec<Value> {
    let local = &world.local;
    let mut rows = vec![json!({
        "id": "master", "type": "master", "node": local, "timestamp": now, "status": format!("{local} (active, now)"),
    })];
    for node in &world.nodes {
        let state = if !node.online() {
            "old timestamp - dead?"
        } else if managed.iter().any(|g| g.node == node.name) {
            "active"
        } else {
            "idle"
        };
        rows.push(json!({
            "id": format!("lrm:{}", node.name), "type": "lrm", "node": node.name, "timestamp": now,
            "status": format!("{} ({state}, now)", node.name),
        }));
    }
    rows
}

fn manager_status(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let nodes: Map<String, Value> = world
        .nodes
        .iter()
        .map(|node| (node.name.clone(), json!(if node.online() { "online" } else { "unknown" })))
        .collect();
    let services: Map<String, Value> = world
        .guests
        .values()
        .filter(|g| g.ha.is_some())
        .map(|g| (g.sid(), json!({ "node": g.node, "state": g.ha, "running": u8::from(g.running) })))
        .collect();
    let managers: Map<String, Value> = world
        .nodes
        .iter()
        .map(|node| {
            (
                node.name.clone(),
                json!({ "mode": "active", "state": "active", "timestamp": now, "results": {} }),
            )
        })
        .collect();
    Ok(json!({
        "manager_status": { "master_node": world.local, "node_status": nodes, "service_status": services, "timestamp": now },
        "lrm_status": managers, "quorum": { "node": world.local, "quorate": u8::from(world.quorate) },
    })
    .into())
}

fn row(world: &World, guest: &Guest) -> Option<Value> {
    let sid = guest.sid();
    let kind = if guest.kind == GuestKind::Qemu { "vm" } else { "ct" };
    let mut row = json!({
        "sid": sid, "type": kind, "state": guest.ha.as_ref()?, "digest": guest.digest(), "max_relocate": 1, "max_restart": 1,
    });
    if let Some(options) = world.ha.resources.get(&sid) {
        add(&mut row, Value::Object(options.clone()));
    }
    Some(row)
}

fn resources(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let wanted = call.params.optional("type");
    let rows = world.guests.values().filter_map(|guest| row(world, guest));
    let rows: Vec<Value> = rows.filter(|row| wanted.is_none_or(|kind| row["type"] == kind)).collect();
    Ok(json!(rows).into())
}

/// The managed guest that the call is about.
fn managed<'w>(world: &'w World, call: &Call) -> Result<&'w Guest, Failure> {
    let sid = call.params.text("sid");
    let guest = world.guest_of_sid(sid).and_then(|vmid| world.guests.get(&vmid)).filter(|g| g.ha.is_some());
    guest.ok_or_else(|| Failure::internal(format!("no such resource '{sid}'")))
}

fn resource(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = managed(world, call)?;
    Ok(row(world, guest).unwrap_or_default().into())
}

/// Options of the call that are kept as they are.
fn options(call: &Call, but: &[&str]) -> Map<String, Value> {
    let given = call.params.iter().filter(|(name, _)| !but.contains(name));
    given.map(|(name, value)| (name.to_owned(), stored(value))).collect()
}

const NOT_OPTIONS: &[&str] = &["sid", "state", "type", "digest", "delete"];

fn manage(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let sid = call.params.text("sid");
    let missing = || Failure::internal(format!("unable to add resource '{sid}': there is no such guest"));
    let vmid = world.guest_of_sid(sid).ok_or_else(missing)?;
    let guest = world.guests.get(&vmid).ok_or_else(missing)?;
    if guest.ha.is_some() {
        return Err(Failure::internal(format!("resource ID '{}' already defined", guest.sid())));
    }
    if guest.template {
        return Err(Failure::internal(format!("unable to add template '{vmid}' to HA")));
    }
    has_group(world, call)?;
    let sid = guest.sid();
    world.ha.resources.insert(sid, options(call, NOT_OPTIONS));
    world.ask_ha(vmid, call.params.optional("state").unwrap_or("started"));
    Ok(Value::Null.into())
}

/// A group has to be there, and on Proxmox VE 9 there are none.
fn has_group(world: &World, call: &Call) -> Result<(), Failure> {
    match call.params.optional("group").filter(|name| !world.ha.groups.contains_key(*name)) {
        Some(name) => Err(Failure::parameter("group", format!("HA group '{name}' does not exist"))),
        None => Ok(()),
    }
}

fn change(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = managed(world, call)?;
    let (vmid, sid, digest) = (guest.vmid, guest.sid(), guest.digest());
    same_digest(call, &digest)?;
    has_group(world, call)?;
    let kept = world.ha.resources.entry(sid).or_default();
    for name in call.params.text("delete").split([',', ';', ' ']) {
        kept.remove(name);
    }
    kept.extend(options(call, NOT_OPTIONS));
    if let Some(state) = call.params.optional("state") {
        world.ask_ha(vmid, state);
    }
    Ok(Value::Null.into())
}

fn release(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = managed(world, call)?;
    let (vmid, sid) = (guest.vmid, guest.sid());
    world.ha.resources.remove(&sid);
    if let Some(guest) = world.guests.get_mut(&vmid) {
        guest.ha = None;
    }
    Ok(Value::Null.into())
}

fn relocate(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = managed(world, call)?;
    let (vmid, sid, node, from) =
        (guest.vmid, guest.sid(), call.params.text("node").to_owned(), guest.node.clone());
    if world.node(&node).is_none_or(|n| !n.online()) {
        return Err(Failure::internal(format!("node '{node}' not online")));
    }
    if node != from {
        let kind = if guest.kind == GuestKind::Qemu { "qmigrate" } else { "vzmigrate" };
        let target = node.clone();
        let effect = Box::new(move |world: &mut World| migrate::arrive(world, vmid, target, &Vec::new()));
        let takes = world.takes(5.0);
        let plan = Plan { kind, id: vmid.to_string(), takes, log: Vec::new(), warnings: 0, effect };
        world.start_task(&Caller::user("root@pam"), &from, plan);
    }
    Ok(json!({ "sid": sid, "requested-node": node }).into())
}

/// What a rule of each type has to have.
fn part_of_rule(kind: &str) -> &'static str {
    if kind == "node-affinity" { "nodes" } else { "affinity" }
}

fn rule_row(name: &str, rule: &Map<String, Value>) -> Value {
    let mut row = Value::Object(rule.clone());
    add(&mut row, json!({ "rule": name }));
    row
}

fn rules(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let about = |rule: &Value| {
        let listed = rule["resources"].as_str().unwrap_or_default();
        call.params.optional("resource").is_none_or(|sid| listed.split(',').any(|r| r == sid))
            && call.params.optional("type").is_none_or(|kind| rule["type"] == kind)
    };
    let rows = world.ha.rules.iter().map(|(name, rule)| rule_row(name, rule));
    Ok(json!(rows.filter(about).collect::<Vec<_>>()).into())
}

fn known_rule<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut Map<String, Value>, Failure> {
    let name = call.params.text("rule");
    world.ha.rules.get_mut(name).ok_or_else(|| Failure::internal(format!("no such ha rule '{name}'")))
}

fn rule(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let rule = known_rule(world, call)?;
    Ok(rule_row(call.params.text("rule"), rule).into())
}

fn add_rule(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("rule").to_owned();
    if world.ha.rules.contains_key(&name) {
        return Err(Failure::internal(format!("HA rule '{name}' already defined")));
    }
    for part in ["resources", part_of_rule(call.params.text("type"))] {
        if !call.params.has(part) {
            return Err(Failure::parameter(part, "property is missing and it is not optional"));
        }
    }
    let rule = options(call, &["rule"]);
    let listed = call.params.text("resources").split([',', ';', ' ']).filter(|sid| !sid.is_empty());
    for sid in listed {
        if world.guest_of_sid(sid).and_then(|id| world.guests.get(&id)).is_none_or(|g| g.ha.is_none()) {
            return Err(Failure::internal(format!("cannot use unmanaged resource(s) {sid}.")));
        }
    }
    world.ha.rules.insert(name, rule);
    Ok(Value::Null.into())
}

fn change_rule(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let rule = known_rule(world, call)?;
    for name in call.params.text("delete").split([',', ';', ' ']) {
        rule.remove(name);
    }
    rule.extend(options(call, &["rule", "type", "delete", "digest"]));
    Ok(Value::Null.into())
}

fn delete_rule(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    known_rule(world, call)?;
    world.ha.rules.remove(call.params.text("rule"));
    Ok(Value::Null.into())
}

/// Proxmox VE 9 has rules in place of groups.
fn has_groups(world: &World, verb: &str) -> Result<(), Failure> {
    match world.release {
        Release::V8_4 => Ok(()),
        Release::V9_2 => {
            Err(Failure::internal(format!("cannot {verb}: ha groups have been migrated to rules")))
        }
    }
}

fn group_row(name: &str, group: &Map<String, Value>) -> Value {
    let mut row = Value::Object(group.clone());
    add(&mut row, json!({ "group": name, "type": "group" }));
    row
}

fn groups(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    has_groups(world, "index groups")?;
    let rows: Vec<Value> = world.ha.groups.iter().map(|(name, group)| group_row(name, group)).collect();
    Ok(json!(rows).into())
}

fn known_group<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut Map<String, Value>, Failure> {
    let name = call.params.text("group");
    world.ha.groups.get_mut(name).ok_or_else(|| Failure::internal(format!("no such ha group '{name}'")))
}

fn group(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    has_groups(world, "read group config")?;
    let group = known_group(world, call)?;
    Ok(group_row(call.params.text("group"), group).into())
}

fn add_group(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    has_groups(world, "create group")?;
    let name = call.params.text("group").to_owned();
    if world.ha.groups.contains_key(&name) {
        return Err(Failure::internal(format!("create ha group failed: group ID '{name}' already defined")));
    }
    world.ha.groups.insert(name, options(call, &["group", "type"]));
    Ok(Value::Null.into())
}

fn change_group(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    has_groups(world, "update group")?;
    let group = known_group(world, call)?;
    for name in call.params.text("delete").split([',', ';', ' ']) {
        group.remove(name);
    }
    group.extend(options(call, &["group", "type", "delete", "digest"]));
    Ok(Value::Null.into())
}

fn delete_group(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    has_groups(world, "delete group")?;
    known_group(world, call)?;
    world.ha.groups.remove(call.params.text("group"));
    Ok(Value::Null.into())
}
