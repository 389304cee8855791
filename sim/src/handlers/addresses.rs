//! Firewalls: names for addresses and sets of them.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::firewall::{change, scope, view};
use super::{Row, here, on_node};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::World;
use crate::world::firewall::{Alias, IpSet};
use crate::world::resources::add;

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_CLUSTER_FIREWALL_ALIASES, aliases),
    here(&m::POST_CLUSTER_FIREWALL_ALIASES, add_alias),
    here(&m::GET_CLUSTER_FIREWALL_ALIASES_NAME, alias),
    here(&m::PUT_CLUSTER_FIREWALL_ALIASES_NAME, change_alias),
    here(&m::DELETE_CLUSTER_FIREWALL_ALIASES_NAME, delete_alias),
    here(&m::GET_CLUSTER_FIREWALL_IPSET, ipsets),
    here(&m::POST_CLUSTER_FIREWALL_IPSET, add_ipset),
    here(&m::DELETE_CLUSTER_FIREWALL_IPSET_NAME, delete_ipset),
    here(&m::GET_CLUSTER_FIREWALL_IPSET_NAME, entries),
    here(&m::POST_CLUSTER_FIREWALL_IPSET_NAME, add_entry),
    here(&m::GET_CLUSTER_FIREWALL_IPSET_NAME_CIDR, entry),
    here(&m::PUT_CLUSTER_FIREWALL_IPSET_NAME_CIDR, change_entry),
    here(&m::DELETE_CLUSTER_FIREWALL_IPSET_NAME_CIDR, delete_entry),
    here(&m::GET_CLUSTER_FIREWALL_REFS, refs),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_FIREWALL_ALIASES, aliases),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_FIREWALL_ALIASES, add_alias),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_FIREWALL_ALIASES_NAME, alias),
    on_node(&m::PUT_NODES_NODE_QEMU_VMID_FIREWALL_ALIASES_NAME, change_alias),
    on_node(&m::DELETE_NODES_NODE_QEMU_VMID_FIREWALL_ALIASES_NAME, delete_alias),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_FIREWALL_IPSET, ipsets),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_FIREWALL_IPSET, add_ipset),
    on_node(&m::DELETE_NODES_NODE_QEMU_VMID_FIREWALL_IPSET_NAME, delete_ipset),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_FIREWALL_IPSET_NAME, entries),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_FIREWALL_IPSET_NAME, add_entry),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_FIREWALL_IPSET_NAME_CIDR, entry),
    on_node(&m::PUT_NODES_NODE_QEMU_VMID_FIREWALL_IPSET_NAME_CIDR, change_entry),
    on_node(&m::DELETE_NODES_NODE_QEMU_VMID_FIREWALL_IPSET_NAME_CIDR, delete_entry),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_FIREWALL_REFS, refs),
    on_node(&m::GET_NODES_NODE_LXC_VMID_FIREWALL_ALIASES, aliases),
    on_node(&m::POST_NODES_NODE_LXC_VMID_FIREWALL_ALIASES, add_alias),
    on_node(&m::GET_NODES_NODE_LXC_VMID_FIREWALL_ALIASES_NAME, alias),
    on_node(&m::PUT_NODES_NODE_LXC_VMID_FIREWALL_ALIASES_NAME, change_alias),
    on_node(&m::DELETE_NODES_NODE_LXC_VMID_FIREWALL_ALIASES_NAME, delete_alias),
    on_node(&m::GET_NODES_NODE_LXC_VMID_FIREWALL_IPSET, ipsets),
    on_node(&m::POST_NODES_NODE_LXC_VMID_FIREWALL_IPSET, add_ipset),
    on_node(&m::DELETE_NODES_NODE_LXC_VMID_FIREWALL_IPSET_NAME, delete_ipset),
    on_node(&m::GET_NODES_NODE_LXC_VMID_FIREWALL_IPSET_NAME, entries),
    on_node(&m::POST_NODES_NODE_LXC_VMID_FIREWALL_IPSET_NAME, add_entry),
    on_node(&m::GET_NODES_NODE_LXC_VMID_FIREWALL_IPSET_NAME_CIDR, entry),
    on_node(&m::PUT_NODES_NODE_LXC_VMID_FIREWALL_IPSET_NAME_CIDR, change_entry),
    on_node(&m::DELETE_NODES_NODE_LXC_VMID_FIREWALL_IPSET_NAME_CIDR, delete_entry),
    on_node(&m::GET_NODES_NODE_LXC_VMID_FIREWALL_REFS, refs),
];

/// A row with the comment, where there is one.
fn commented(mut row: Value, comment: &str) -> Value {
    if !comment.is_empty() {
        add(&mut row, json!({ "comment": comment }));
    }
    row
}

fn alias_row(name: &str, alias: &Alias, digest: &str) -> Value {
    commented(json!({ "name": name, "cidr": alias.cidr, "digest": digest }), &alias.comment)
}

fn aliases(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let firewall = view(world, call)?;
    let digest = firewall.digest();
    let rows = firewall.aliases.iter().map(|(name, alias)| alias_row(name, alias, &digest));
    Ok(json!(rows.collect::<Vec<_>>()).into())
}

fn no_alias(name: &str) -> Failure {
    Failure::parameter("name", format!("no such alias '{name}'"))
}

fn alias(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (firewall, name) = (view(world, call)?, call.params.text("name"));
    let alias = firewall.aliases.get(name).ok_or_else(|| no_alias(name))?;
    Ok(alias_row(name, alias, &firewall.digest()).into())
}

fn add_alias(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let firewall = change(world, call)?;
    let name = call.params.text("name").to_owned();
    if firewall.aliases.contains_key(&name) {
        return Err(Failure::parameter("name", format!("alias '{name}' already exists")));
    }
    let (cidr, comment) = (call.params.text("cidr").to_owned(), call.params.text("comment").to_owned());
    firewall.aliases.insert(name, Alias { cidr, comment });
    Ok(Value::Null.into())
}

fn change_alias(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (firewall, name) = (change(world, call)?, call.params.text("name"));
    let mut alias = firewall.aliases.get(name).ok_or_else(|| no_alias(name))?.clone();
    call.params.text("cidr").clone_into(&mut alias.cidr);
    if let Some(comment) = call.params.optional("comment") {
        comment.clone_into(&mut alias.comment);
    }
    let new = call.params.optional("rename").unwrap_or(name).to_owned();
    if new != name && firewall.aliases.contains_key(&new) {
        return Err(Failure::parameter("name", format!("alias '{new}' already exists")));
    }
    firewall.aliases.remove(name);
    firewall.aliases.insert(new, alias);
    Ok(Value::Null.into())
}

fn delete_alias(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (firewall, name) = (change(world, call)?, call.params.text("name"));
    firewall.aliases.remove(name).ok_or_else(|| no_alias(name))?;
    Ok(Value::Null.into())
}

fn ipsets(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let firewall = view(world, call)?;
    let digest = firewall.digest();
    let rows = firewall
        .ipsets
        .iter()
        .map(|(name, set)| commented(json!({ "name": name, "digest": digest }), &set.comment));
    Ok(json!(rows.collect::<Vec<_>>()).into())
}

fn no_ipset(name: &str) -> Failure {
    Failure::internal(format!("no such IPSet '{name}'"))
}

fn add_ipset(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let firewall = change(world, call)?;
    let (name, comment) = (call.params.text("name").to_owned(), call.params.text("comment").to_owned());
    if let Some(old) = call.params.optional("rename") {
        let set = firewall.ipsets.remove(old).ok_or_else(|| no_ipset(old))?;
        let comment = if call.params.has("comment") { comment } else { set.comment };
        firewall.ipsets.insert(name, IpSet { comment, entries: set.entries });
        return Ok(Value::Null.into());
    }
    if firewall.ipsets.contains_key(&name) {
        return Err(Failure::parameter("name", format!("IPSet '{name}' already exists")));
    }
    firewall.ipsets.insert(name, IpSet { comment, ..IpSet::default() });
    Ok(Value::Null.into())
}

fn delete_ipset(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (firewall, name) = (change(world, call)?, call.params.text("name"));
    let set = firewall.ipsets.get(name).ok_or_else(|| no_ipset(name))?;
    if !set.entries.is_empty() && !call.params.flag("force") {
        return Err(Failure::internal(format!("IPSet '{name}' is not empty")));
    }
    firewall.ipsets.remove(name);
    Ok(Value::Null.into())
}

fn entry_row(cidr: &str, (exception, comment): &(bool, String), digest: &str) -> Value {
    let mut row = commented(json!({ "cidr": cidr, "digest": digest }), comment);
    if *exception {
        add(&mut row, json!({ "nomatch": 1 }));
    }
    row
}

fn entries(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (firewall, name) = (view(world, call)?, call.params.text("name"));
    let set = firewall.ipsets.get(name).ok_or_else(|| no_ipset(name))?;
    let digest = firewall.digest();
    let rows: Vec<Value> = set.entries.iter().map(|(cidr, entry)| entry_row(cidr, entry, &digest)).collect();
    Ok(json!(rows).into())
}

/// The set of the call, to change.
fn set_of<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut IpSet, Failure> {
    let name = call.params.text("name");
    change(world, call)?.ipsets.get_mut(name).ok_or_else(|| no_ipset(name))
}

fn no_entry(cidr: &str) -> Failure {
    Failure::parameter("cidr", format!("no such IP/Network '{cidr}'"))
}

fn add_entry(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let cidr = call.params.text("cidr").to_owned();
    let entry = (call.params.flag("nomatch"), call.params.text("comment").to_owned());
    let set = set_of(world, call)?;
    if set.entries.contains_key(&cidr) {
        return Err(Failure::parameter("cidr", format!("address '{cidr}' already exists")));
    }
    set.entries.insert(cidr, entry);
    Ok(Value::Null.into())
}

fn entry(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (firewall, name, cidr) = (view(world, call)?, call.params.text("name"), call.params.text("cidr"));
    let set = firewall.ipsets.get(name).ok_or_else(|| no_ipset(name))?;
    let entry = set.entries.get(cidr).ok_or_else(|| no_entry(cidr))?;
    Ok(entry_row(cidr, entry, &firewall.digest()).into())
}

fn change_entry(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let cidr = call.params.text("cidr");
    let entry = set_of(world, call)?.entries.get_mut(cidr).ok_or_else(|| no_entry(cidr))?;
    entry.0 = call.params.flag("nomatch");
    if let Some(comment) = call.params.optional("comment") {
        comment.clone_into(&mut entry.1);
    }
    Ok(Value::Null.into())
}

fn delete_entry(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let cidr = call.params.text("cidr");
    set_of(world, call)?.entries.remove(cidr).ok_or_else(|| no_entry(cidr))?;
    Ok(Value::Null.into())
}

/// What a rule of the call's firewall may name: its own, and the cluster's.
fn refs(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let own = scope(world, call)?;
    let wanted = |kind: &str| call.params.optional("type").is_none_or(|only| only == kind);
    let mut rows = Vec::new();
    let scopes = [("cluster", "dc"), (own.as_str(), "guest")];
    for (key, word) in scopes.iter().take(if own == "cluster" { 1 } else { 2 }) {
        let Some(firewall) = world.firewalls.get(*key) else { continue };
        for (name, alias) in firewall.aliases.iter().filter(|_| wanted("alias")) {
            let row =
                json!({ "type": "alias", "name": name, "ref": format!("{word}/{name}"), "scope": word });
            rows.push(commented(row, &alias.comment));
        }
        for (name, set) in firewall.ipsets.iter().filter(|_| wanted("ipset")) {
            let row =
                json!({ "type": "ipset", "name": name, "ref": format!("+{word}/{name}"), "scope": word });
            rows.push(commented(row, &set.comment));
        }
    }
    Ok(json!(rows).into())
}
