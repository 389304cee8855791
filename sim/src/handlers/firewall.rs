//! Firewalls: options, rules, groups of rules, macros, log.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::config::{same_digest, stored};
use super::guests::guest_of;
use super::{Row, here, index, on_node};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::World;
use crate::world::firewall::{Firewall, Group, Rule};
use crate::world::resources::add;

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_CLUSTER_FIREWALL, index),
    here(&m::GET_CLUSTER_FIREWALL_OPTIONS, options),
    here(&m::PUT_CLUSTER_FIREWALL_OPTIONS, change_options),
    here(&m::GET_CLUSTER_FIREWALL_RULES, rules),
    here(&m::POST_CLUSTER_FIREWALL_RULES, add_rule),
    here(&m::GET_CLUSTER_FIREWALL_RULES_POS, rule),
    here(&m::PUT_CLUSTER_FIREWALL_RULES_POS, change_rule),
    here(&m::DELETE_CLUSTER_FIREWALL_RULES_POS, delete_rule),
    here(&m::GET_CLUSTER_FIREWALL_GROUPS, groups),
    here(&m::POST_CLUSTER_FIREWALL_GROUPS, add_group),
    here(&m::DELETE_CLUSTER_FIREWALL_GROUPS_GROUP, delete_group),
    here(&m::GET_CLUSTER_FIREWALL_GROUPS_GROUP, rules),
    here(&m::POST_CLUSTER_FIREWALL_GROUPS_GROUP, add_rule),
    here(&m::GET_CLUSTER_FIREWALL_GROUPS_GROUP_POS, rule),
    here(&m::PUT_CLUSTER_FIREWALL_GROUPS_GROUP_POS, change_rule),
    here(&m::DELETE_CLUSTER_FIREWALL_GROUPS_GROUP_POS, delete_rule),
    here(&m::GET_CLUSTER_FIREWALL_MACROS, macros),
    on_node(&m::GET_NODES_NODE_FIREWALL, index),
    on_node(&m::GET_NODES_NODE_FIREWALL_OPTIONS, options),
    on_node(&m::PUT_NODES_NODE_FIREWALL_OPTIONS, change_options),
    on_node(&m::GET_NODES_NODE_FIREWALL_RULES, rules),
    on_node(&m::POST_NODES_NODE_FIREWALL_RULES, add_rule),
    on_node(&m::GET_NODES_NODE_FIREWALL_RULES_POS, rule),
    on_node(&m::PUT_NODES_NODE_FIREWALL_RULES_POS, change_rule),
    on_node(&m::DELETE_NODES_NODE_FIREWALL_RULES_POS, delete_rule),
    on_node(&m::GET_NODES_NODE_FIREWALL_LOG, log),
    here(&m::GET_NODES_NODE_QEMU_VMID_FIREWALL, index),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_FIREWALL_OPTIONS, options),
    on_node(&m::PUT_NODES_NODE_QEMU_VMID_FIREWALL_OPTIONS, change_options),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_FIREWALL_RULES, rules),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_FIREWALL_RULES, add_rule),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_FIREWALL_RULES_POS, rule),
    on_node(&m::PUT_NODES_NODE_QEMU_VMID_FIREWALL_RULES_POS, change_rule),
    on_node(&m::DELETE_NODES_NODE_QEMU_VMID_FIREWALL_RULES_POS, delete_rule),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_FIREWALL_LOG, log),
    here(&m::GET_NODES_NODE_LXC_VMID_FIREWALL, index),
    on_node(&m::GET_NODES_NODE_LXC_VMID_FIREWALL_OPTIONS, options),
    on_node(&m::PUT_NODES_NODE_LXC_VMID_FIREWALL_OPTIONS, change_options),
    on_node(&m::GET_NODES_NODE_LXC_VMID_FIREWALL_RULES, rules),
    on_node(&m::POST_NODES_NODE_LXC_VMID_FIREWALL_RULES, add_rule),
    on_node(&m::GET_NODES_NODE_LXC_VMID_FIREWALL_RULES_POS, rule),
    on_node(&m::PUT_NODES_NODE_LXC_VMID_FIREWALL_RULES_POS, change_rule),
    on_node(&m::DELETE_NODES_NODE_LXC_VMID_FIREWALL_RULES_POS, delete_rule),
    on_node(&m::GET_NODES_NODE_LXC_VMID_FIREWALL_LOG, log),
];

/// Macros that rules can name, with what each lets through.
const MACROS: &[(&str, &str)] = &[
    ("DNS", "Domain name lookups"),
    ("HTTP", "Web pages"),
    ("HTTPS", "Web pages over TLS"),
    ("Mail", "Mail between servers"),
    ("MySQL", "Queries to MySQL"),
    ("NTP", "Time"),
    ("Ping", "Echo requests"),
    ("PostgreSQL", "Queries to PostgreSQL"),
    ("SMB", "Files of Windows"),
    ("SSH", "Secure shells"),
];
/// Parameters that say which rule or how, not what.
const NOT_OPTIONS: &[&str] = &["node", "vmid", "group", "pos", "digest", "delete", "moveto"];

/// Whose firewall the call is about; a guest has to be there.
pub(super) fn scope(world: &World, call: &Call) -> Result<String, Failure> {
    if call.method.path.starts_with("/cluster") {
        return Ok("cluster".into());
    }
    if call.params.has("vmid") {
        return Ok(format!("guest/{}", guest_of(world, call)?.vmid));
    }
    Ok(format!("node/{}", call.params.node()))
}

/// The firewall of the call, to look at.
pub(super) fn view(world: &World, call: &Call) -> Result<Firewall, Failure> {
    Ok(world.firewalls.get(&scope(world, call)?).cloned().unwrap_or_default())
}

/// The firewall of the call, to change, once it is the one that the caller knew.
pub(super) fn change<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut Firewall, Failure> {
    let scope = scope(world, call)?;
    let firewall = world.firewalls.entry(scope).or_default();
    same_digest(call, &firewall.digest())?;
    Ok(firewall)
}

fn options(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let firewall = view(world, call)?;
    let mut options = Value::Object(firewall.options.clone());
    add(&mut options, json!({ "digest": firewall.digest() }));
    Ok(options.into())
}

fn change_options(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let firewall = change(world, call)?;
    for name in call.params.text("delete").split([',', ';', ' ']) {
        firewall.options.remove(name);
    }
    firewall.options.extend(given(call));
    Ok(Value::Null.into())
}

/// What the call sets.
fn given(call: &Call) -> impl Iterator<Item = (String, Value)> {
    let given = call.params.iter().filter(|(name, _)| !NOT_OPTIONS.contains(name));
    given.map(|(name, value)| (name.to_owned(), stored(value)))
}

/// The rules of the call: a group's or those of the firewall itself.
fn rules_of<'f>(firewall: &'f mut Firewall, call: &Call) -> Result<&'f mut Vec<Rule>, Failure> {
    match call.params.optional("group") {
        Some(name) => {
            let group = firewall.groups.get_mut(name);
            Ok(&mut group.ok_or_else(|| Failure::internal(format!("no such security group '{name}'")))?.rules)
        }
        None => Ok(&mut firewall.rules),
    }
}

fn row(position: usize, rule: &Rule, digest: &str) -> Value {
    let mut row = Value::Object(rule.clone());
    add(&mut row, json!({ "pos": position, "digest": digest }));
    row
}

fn rules(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let mut firewall = view(world, call)?;
    let digest = firewall.digest();
    let rules = rules_of(&mut firewall, call)?;
    let rows: Vec<Value> = rules.iter().enumerate().map(|(at, rule)| row(at, rule, &digest)).collect();
    Ok(json!(rows).into())
}

fn position(call: &Call, rules: &[Rule]) -> Result<usize, Failure> {
    let at = call.params.integer("pos").and_then(|pos| usize::try_from(pos).ok()).unwrap_or_default();
    if at < rules.len() { Ok(at) } else { Err(Failure::internal(format!("no rule at position {at}"))) }
}

fn rule(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let mut firewall = view(world, call)?;
    let digest = firewall.digest();
    let rules = rules_of(&mut firewall, call)?;
    let at = position(call, rules)?;
    Ok(rules.get(at).map(|rule| row(at, rule, &digest)).unwrap_or_default().into())
}

/// Refuses a rule that names what is not there.
fn sound(world: &World, call: &Call) -> Result<(), Failure> {
    let params = &call.params;
    if let Some(name) = params.optional("macro").filter(|n| !MACROS.iter().any(|(known, _)| known == n)) {
        return Err(Failure::parameter("macro", format!("unknown macro '{name}'")));
    }
    let ports = ["dport", "sport"].iter().find(|name| params.has(name));
    if let Some(name) = ports.filter(|_| !params.has("proto") && !params.has("macro") && params.has("type")) {
        return Err(Failure::parameter(name, "missing 'proto' property"));
    }
    if params.text("type") == "group" {
        let (name, cluster) = (params.text("action"), world.firewalls.get("cluster"));
        if !cluster.is_some_and(|f| f.groups.contains_key(name)) {
            return Err(Failure::parameter("action", format!("security group '{name}' does not exist")));
        }
    }
    Ok(())
}

/// A new rule comes first, whatever position the call names, and is off unless the call says otherwise.
fn add_rule(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    sound(world, call)?;
    let mut rule: Rule = given(call).collect();
    rule.entry("enable").or_insert(json!(0));
    rules_of(change(world, call)?, call)?.insert(0, rule);
    Ok(Value::Null.into())
}

fn change_rule(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    sound(world, call)?;
    let rules = rules_of(change(world, call)?, call)?;
    let at = position(call, rules)?;
    if let Some(to) = call.params.integer("moveto").and_then(|to| usize::try_from(to).ok()) {
        // It goes before the rule that is at the other position now.
        let moved = rules.remove(at);
        let to = if to > at { to - 1 } else { to };
        rules.insert(to.min(rules.len()), moved);
        return Ok(Value::Null.into());
    }
    if let Some(rule) = rules.get_mut(at) {
        for name in call.params.text("delete").split([',', ';', ' ']) {
            rule.remove(name);
        }
        rule.extend(given(call));
    }
    Ok(Value::Null.into())
}

fn delete_rule(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let rules = rules_of(change(world, call)?, call)?;
    let at = position(call, rules)?;
    rules.remove(at);
    Ok(Value::Null.into())
}

fn groups(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let firewall = view(world, call)?;
    let digest = firewall.digest();
    let rows = firewall.groups.iter().map(|(name, group)| {
        let mut row = json!({ "group": name, "digest": digest });
        if !group.comment.is_empty() {
            add(&mut row, json!({ "comment": group.comment }));
        }
        row
    });
    Ok(json!(rows.collect::<Vec<_>>()).into())
}

fn add_group(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let firewall = change(world, call)?;
    let (name, comment) = (call.params.text("group").to_owned(), call.params.text("comment").to_owned());
    if let Some(old) = call.params.optional("rename") {
        let missing = || Failure::parameter("rename", format!("Security group '{old}' does not exist"));
        let group = firewall.groups.remove(old).ok_or_else(missing)?;
        let comment = if call.params.has("comment") { comment } else { group.comment };
        firewall.groups.insert(name, Group { comment, rules: group.rules });
        return Ok(Value::Null.into());
    }
    if firewall.groups.contains_key(&name) {
        return Err(Failure::parameter("group", format!("Security group '{name}' already exists")));
    }
    firewall.groups.insert(name, Group { comment, rules: Vec::new() });
    Ok(Value::Null.into())
}

fn delete_group(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("group");
    let groups = &mut change(world, call)?.groups;
    let group =
        groups.get(name).ok_or_else(|| Failure::internal(format!("no such security group '{name}'")))?;
    if !group.rules.is_empty() {
        return Err(Failure::internal(format!("Security group '{name}' is not empty")));
    }
    groups.remove(name);
    Ok(Value::Null.into())
}

fn macros(_: &mut World, _: &Call) -> Result<Reply, Failure> {
    let rows: Vec<Value> =
        MACROS.iter().map(|(name, about)| json!({ "macro": name, "descr": about })).collect();
    Ok(json!(rows).into())
}

/// What was dropped lately: one line for each hour, where the firewall is on.
fn log(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (firewall, now) = (view(world, call)?, world.clock.unix());
    let on = firewall.options.get("enable").is_some_and(|v| *v == json!(1));
    let id = call.params.integer("vmid").unwrap_or_default();
    let lines: Vec<String> = (0..if on { 24 } else { 0 })
        .rev()
        .map(|hour| {
            let time = crate::worlds::stamp(now - hour * 3600);
            let from = format!("203.0.113.{}", 10 + hour * 7 % 200);
            format!("{id} 6 tap{id}i0-IN {time} policy DROP: IN=fwbr{id}i0 SRC={from} DST=10.20.0.101 PROTO=TCP SPT=51515 DPT=23")
        })
        .collect();
    let number = |name: &str, default: usize| {
        call.params.integer(name).and_then(|v| usize::try_from(v).ok()).unwrap_or(default)
    };
    let total = lines.len();
    let rows = lines.iter().enumerate().skip(number("start", 0)).take(number("limit", 50));
    let mut rows: Vec<Value> = rows.map(|(n, line)| json!({ "n": n + 1, "t": line })).collect();
    if rows.is_empty() {
        rows.push(json!({ "n": 1, "t": "no content" }));
    }
    Ok(Reply::Listing(json!(rows), total))
}
