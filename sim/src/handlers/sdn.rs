//! Software-defined networks: zones, virtual networks, subnets.

use proxmox_api::methods as m;
use serde_json::{Map, Value, json};

use super::{Row, here};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::World;

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_CLUSTER_SDN, parts),
    here(&m::GET_CLUSTER_SDN_ZONES, zones),
    here(&m::GET_CLUSTER_SDN_ZONES_ZONE, zone),
    here(&m::GET_CLUSTER_SDN_CONTROLLERS, none),
    here(&m::GET_CLUSTER_SDN_VNETS, vnets),
    here(&m::GET_CLUSTER_SDN_VNETS_VNET, vnet),
    here(&m::GET_CLUSTER_SDN_VNETS_VNET_SUBNETS, subnets),
    here(&m::GET_NODES_NODE_SDN_ZONES, states),
];

const SEES: &[&str] = &["SDN.Audit", "SDN.Allocate"];

/// A row's value as text.
fn text<'r>(row: &'r Map<String, Value>, key: &str) -> &'r str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn sees(world: &World, call: &Call, path: &str) -> bool {
    permission::require_any(world, &call.caller, &format!("/sdn/zones/{path}"), SEES).is_ok()
}

/// What lies below, in the one index that calls its rows by id.
fn parts(_: &mut World, call: &Call) -> Result<Reply, Failure> {
    let names = crate::route::children(call.method.path);
    Ok(json!(names.iter().map(|name| json!({ "id": name })).collect::<Vec<_>>()).into())
}

/// Nothing of the kind was set up.
fn none(_: &mut World, _: &Call) -> Result<Reply, Failure> {
    Ok(json!([]).into())
}

fn zones(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let wanted = call.params.optional("type");
    let rows = world.sdn.zones.iter().filter(|row| sees(world, call, text(row, "zone")));
    let rows: Vec<&Map<String, Value>> =
        rows.filter(|row| wanted.is_none_or(|kind| text(row, "type") == kind)).collect();
    Ok(json!(rows).into())
}

fn zone(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("zone");
    let found = world.sdn.zones.iter().find(|row| text(row, "zone") == name);
    let missing = || Failure::internal(format!("sdn '{name}' does not exist"));
    Ok(Value::Object(found.ok_or_else(missing)?.clone()).into())
}

fn path_of(row: &Map<String, Value>) -> String {
    format!("{}/{}", text(row, "zone"), text(row, "vnet"))
}

fn vnets(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let rows: Vec<&Map<String, Value>> =
        world.sdn.vnets.iter().filter(|row| sees(world, call, &path_of(row))).collect();
    Ok(json!(rows).into())
}

/// The virtual network of the call, where the caller may see it.
fn known<'w>(world: &'w World, call: &Call) -> Result<&'w Map<String, Value>, Failure> {
    let name = call.params.text("vnet");
    let found = world.sdn.vnets.iter().find(|row| text(row, "vnet") == name);
    let found = found.ok_or_else(|| Failure::internal(format!("sdn vnet '{name}' does not exist")))?;
    permission::require_any(world, &call.caller, &format!("/sdn/zones/{}", path_of(found)), SEES)?;
    Ok(found)
}

fn vnet(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    Ok(Value::Object(known(world, call)?.clone()).into())
}

fn subnets(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    known(world, call)?;
    let name = call.params.text("vnet");
    let rows: Vec<&Map<String, Value>> =
        world.sdn.subnets.iter().filter(|row| text(row, "vnet") == name).collect();
    Ok(json!(rows).into())
}

/// How each zone does on a node; the zone of the plain bridges is always there.
fn states(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let named = world.sdn.zones.iter().map(|row| text(row, "zone"));
    let names = ["localnetwork"].into_iter().chain(named).filter(|name| sees(world, call, name));
    let rows: Vec<Value> = names.map(|name| json!({ "zone": name, "status": "available" })).collect();
    Ok(json!(rows).into())
}
