//! What the cluster keeps as named entries: where notifications go, mapped devices, metric servers. The path of a
//! list says which entries are in it.

use proxmox_api::methods as m;
use serde_json::{Map, Value, json};

use super::config::stored;
use super::{Row, here, index};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::World;

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_CLUSTER_NOTIFICATIONS, index),
    here(&m::GET_CLUSTER_NOTIFICATIONS_ENDPOINTS, index),
    here(&m::GET_CLUSTER_NOTIFICATIONS_TARGETS, targets),
    here(&m::POST_CLUSTER_NOTIFICATIONS_TARGETS_NAME_TEST, test),
    here(&m::GET_CLUSTER_NOTIFICATIONS_ENDPOINTS_SENDMAIL, list),
    here(&m::POST_CLUSTER_NOTIFICATIONS_ENDPOINTS_SENDMAIL, create),
    here(&m::GET_CLUSTER_NOTIFICATIONS_ENDPOINTS_SENDMAIL_NAME, one),
    here(&m::PUT_CLUSTER_NOTIFICATIONS_ENDPOINTS_SENDMAIL_NAME, change),
    here(&m::DELETE_CLUSTER_NOTIFICATIONS_ENDPOINTS_SENDMAIL_NAME, delete),
    here(&m::GET_CLUSTER_NOTIFICATIONS_ENDPOINTS_GOTIFY, list),
    here(&m::GET_CLUSTER_NOTIFICATIONS_ENDPOINTS_SMTP, list),
    here(&m::GET_CLUSTER_NOTIFICATIONS_ENDPOINTS_WEBHOOK, list),
    here(&m::GET_CLUSTER_NOTIFICATIONS_MATCHERS, list),
    here(&m::POST_CLUSTER_NOTIFICATIONS_MATCHERS, create),
    here(&m::GET_CLUSTER_NOTIFICATIONS_MATCHERS_NAME, one),
    here(&m::PUT_CLUSTER_NOTIFICATIONS_MATCHERS_NAME, change),
    here(&m::DELETE_CLUSTER_NOTIFICATIONS_MATCHERS_NAME, delete),
    here(&m::GET_CLUSTER_MAPPING, index),
    here(&m::GET_CLUSTER_MAPPING_PCI, list),
    here(&m::POST_CLUSTER_MAPPING_PCI, create),
    here(&m::GET_CLUSTER_MAPPING_PCI_ID, one),
    here(&m::DELETE_CLUSTER_MAPPING_PCI_ID, delete),
    here(&m::GET_CLUSTER_MAPPING_USB, list),
    here(&m::POST_CLUSTER_MAPPING_USB, create),
    here(&m::GET_CLUSTER_MAPPING_USB_ID, one),
    here(&m::DELETE_CLUSTER_MAPPING_USB_ID, delete),
    here(&m::GET_CLUSTER_METRICS, index),
    here(&m::GET_CLUSTER_METRICS_SERVER, list),
    here(&m::GET_CLUSTER_METRICS_SERVER_ID, one),
    here(&m::POST_CLUSTER_METRICS_SERVER_ID, create),
    here(&m::PUT_CLUSTER_METRICS_SERVER_ID, change),
    here(&m::DELETE_CLUSTER_METRICS_SERVER_ID, delete),
];

/// Where endpoints of notifications are, by kind.
const ENDPOINTS: &str = "/cluster/notifications/endpoints/";

/// The list that a call is about: its path without the name of an entry.
fn list_of(call: &Call) -> &'static str {
    call.method.path.split_once("/{").map_or(call.method.path, |(list, _)| list)
}

/// What entries of a list are called by.
fn key_of(list: &str) -> &'static str {
    if list.starts_with("/cluster/notifications") { "name" } else { "id" }
}

/// An entry as the API has it.
fn shown(list: &str, name: &str, values: &Map<String, Value>) -> Value {
    let mut row = values.clone();
    row.insert(key_of(list).to_owned(), json!(name));
    Value::Object(row)
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let list = list_of(call);
    let entries = world.entries.get(list).into_iter().flatten();
    let mut rows: Vec<Value> = entries.map(|(name, values)| shown(list, name, values)).collect();
    if list.ends_with("/metrics/server") {
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.entry("disable").or_insert(json!(0));
        }
    }
    // What is wrong with a mapping is told only of the node that was asked about, and nothing is.
    if !call.params.text("check-node").is_empty() {
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.insert(if list.ends_with("/usb") { "error" } else { "checks" }.to_owned(), json!([]));
        }
    }
    Ok(json!(rows).into())
}

/// The name in the call, and the entry of that name.
fn known<'w>(world: &'w mut World, call: &Call) -> Result<(String, &'w mut Map<String, Value>), Failure> {
    let list = list_of(call);
    let name = call.params.text(key_of(list)).to_owned();
    let missing = || Failure::internal(format!("entry '{name}' does not exist"));
    let entry = world.entries.get_mut(list).and_then(|entries| entries.get_mut(&name)).ok_or_else(missing)?;
    Ok((name, entry))
}

fn one(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (name, values) = known(world, call)?;
    Ok(shown(list_of(call), &name, values).into())
}

/// The values of a call, as they are kept; secrets are kept elsewhere.
fn values(call: &Call) -> Map<String, Value> {
    let kept =
        |name: &str| !["name", "id", "delete", "digest", "token", "password", "secret"].contains(&name);
    let given = call.params.iter().filter(|(name, _)| kept(name));
    given.map(|(name, value)| (name.to_owned(), stored(value))).collect()
}

fn create(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let list = list_of(call);
    let name = call.params.text(key_of(list)).to_owned();
    let entries = world.entries.entry(list).or_default();
    if entries.contains_key(&name) {
        return Err(Failure::internal(format!("entry '{name}' already exists")));
    }
    let mut values = values(call);
    if list.starts_with("/cluster/notifications") {
        values.insert("origin".into(), json!("user-created"));
    }
    entries.insert(name, values);
    Ok(Value::Null.into())
}

fn change(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (_, entry) = known(world, call)?;
    let named = call.params.text("delete").split([',', ';', ' ']).map(str::to_owned);
    for name in named.chain(call.params.list("delete")) {
        entry.remove(&name);
    }
    entry.extend(values(call));
    Ok(Value::Null.into())
}

fn delete(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (name, _) = known(world, call)?;
    if let Some(entries) = world.entries.get_mut(list_of(call)) {
        entries.remove(&name);
    }
    Ok(Value::Null.into())
}

/// All endpoints, of whatever kind.
fn endpoints(world: &World) -> impl Iterator<Item = (&str, &str, &Map<String, Value>)> {
    let lists = world.entries.iter().filter_map(|(list, all)| Some((list.strip_prefix(ENDPOINTS)?, all)));
    lists.flat_map(|(kind, all)| all.iter().map(move |(name, values)| (kind, name.as_str(), values)))
}

fn targets(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let row = |(kind, name, values): (&str, &str, &Map<String, Value>)| {
        let mut row = json!({ "name": name, "type": kind });
        for key in ["comment", "disable", "origin"] {
            if let (Some(value), Some(row)) = (values.get(key), row.as_object_mut()) {
                row.insert(key.to_owned(), value.clone());
            }
        }
        row
    };
    Ok(endpoints(world).map(row).collect::<Value>().into())
}

fn test(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("name");
    let found = endpoints(world).any(|(_, known, _)| known == name);
    let missing = || Failure::internal(format!("could not notify via target '{name}': no such target"));
    found.then(|| Value::Null.into()).ok_or_else(missing)
}
