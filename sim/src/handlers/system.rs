//! The system of a node: packages, certificates, names, time, network, subscription.

use proxmox_api::methods as m;
use serde_json::{Map, Value, json};

use super::config::stored;
use super::nodes::node_of;
use super::{Row, on_node, tasks};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::World;
use crate::world::resources::add;
use crate::world::system::System;

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_APT_UPDATE, updates),
    on_node(&m::POST_NODES_NODE_APT_UPDATE, refresh),
    on_node(&m::GET_NODES_NODE_APT_VERSIONS, versions),
    on_node(&m::GET_NODES_NODE_APT_CHANGELOG, changelog),
    on_node(&m::GET_NODES_NODE_APT_REPOSITORIES, repositories),
    on_node(&m::GET_NODES_NODE_CERTIFICATES_INFO, certificates),
    on_node(&m::GET_NODES_NODE_TIME, time),
    on_node(&m::PUT_NODES_NODE_TIME, set_time),
    on_node(&m::GET_NODES_NODE_DNS, dns),
    on_node(&m::PUT_NODES_NODE_DNS, set_dns),
    on_node(&m::GET_NODES_NODE_HOSTS, hosts),
    on_node(&m::POST_NODES_NODE_HOSTS, set_hosts),
    on_node(&m::GET_NODES_NODE_CONFIG, options),
    on_node(&m::PUT_NODES_NODE_CONFIG, set_options),
    on_node(&m::GET_NODES_NODE_NETWORK, network),
    on_node(&m::GET_NODES_NODE_NETWORK_IFACE, interface),
    on_node(&m::POST_NODES_NODE_NETWORK, add_interface),
    on_node(&m::PUT_NODES_NODE_NETWORK_IFACE, change_interface),
    on_node(&m::DELETE_NODES_NODE_NETWORK_IFACE, delete_interface),
    on_node(&m::PUT_NODES_NODE_NETWORK, apply_network),
    on_node(&m::DELETE_NODES_NODE_NETWORK, revert_network),
    on_node(&m::GET_NODES_NODE_SUBSCRIPTION, subscription),
];

/// The system of the node of the call, to change.
fn system_of<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut System, Failure> {
    let name = call.params.node();
    let node = world.nodes.iter_mut().find(|n| n.name == name);
    Ok(&mut node.ok_or_else(|| Failure::internal(format!("no such cluster node '{name}'")))?.system)
}

fn updates(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let node = node_of(world, call)?;
    let rows: Vec<Value> = node.system.updates.iter().map(|(package, old, new)| {
        let origin = if package.starts_with("pve") || package.starts_with("proxmox") { "Proxmox" } else { "Debian" };
        json!({
            "Package": package, "Title": package, "Description": format!("{package}, as it is packaged"),
            "OldVersion": old, "Version": new, "Origin": origin, "Arch": "amd64", "Section": "admin", "Priority": "optional",
        })
    }).collect();
    Ok(json!(rows).into())
}

fn refresh(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.node().to_owned();
    let effect = Box::new(move |world: &mut World| {
        let now = world.clock.unix();
        if let Some(node) = world.nodes.iter_mut().find(|n| n.name == name) {
            node.system.refreshed = now;
        }
        Ok(())
    });
    let log = vec!["starting apt-get update".into(), "Reading package lists...".into()];
    tasks::on_node_itself(world, call, ("aptupdate", String::new()), 2.0, log, effect)
}

fn versions(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (_, version, _) = world.release.version();
    let (kernel, _) = world.release.kernel();
    let node = node_of(world, call)?;
    let packages = [
        ("proxmox-ve", version),
        ("pve-manager", version),
        ("pve-kernel", kernel),
        ("qemu-server", "9.1.2"),
        ("pve-container", "6.0.18"),
        ("pve-qemu-kvm", "10.1.2-4"),
        ("lxc-pve", "6.0.5-3"),
        ("zfsutils-linux", "2.3.4-pve1"),
    ];
    let rows: Vec<Value> = packages.iter().map(|(name, version)| {
        let waiting = node.system.updates.iter().find(|(package, ..)| package == name);
        let mut row = json!({
            "Package": name, "Title": name, "Description": format!("{name}, as it is packaged"), "Version": version,
            "OldVersion": version, "CurrentState": "Installed", "Origin": "Proxmox", "Arch": "amd64", "Section": "admin",
            "Priority": "optional",
        });
        if let Some((_, old, new)) = waiting {
            add(&mut row, json!({ "Version": new, "OldVersion": old }));
        }
        if *name == "pve-manager" {
            add(&mut row, json!({ "RunningKernel": kernel }));
        }
        row
    }).collect();
    Ok(json!(rows).into())
}

fn changelog(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("name");
    let node = node_of(world, call)?;
    let found = node.system.updates.iter().find(|(package, ..)| *package == name);
    let (_, old, new) = found.ok_or_else(|| Failure::internal(format!("no changelog for '{name}'")))?;
    Ok(json!(format!("{name} ({new}) stable; urgency=medium\n\n  * fixes since {old}\n")).into())
}

fn repositories(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let subscribed = node_of(world, call)?.system.subscription.is_some();
    let handle = if subscribed { "enterprise" } else { "no-subscription" };
    let file = json!({
        "path": "/etc/apt/sources.list.d/proxmox.sources", "file-type": "sources", "digest": [1, 2, 3, 4],
        "repositories": [{
            "Types": ["deb"], "URIs": ["http://download.proxmox.com/debian/pve"], "Suites": ["trixie"],
            "Components": [format!("pve-{handle}")], "Enabled": 1, "FileType": "sources", "Options": [], "Comment": "",
        }],
    });
    Ok(json!({
        "digest": "5d41402abc4b2a76b9719d911017c592", "errors": [], "files": [file], "infos": [],
        "standard-repos": [
            { "handle": "enterprise", "name": "Enterprise", "status": u8::from(subscribed) },
            { "handle": "no-subscription", "name": "No-Subscription", "status": u8::from(!subscribed) },
        ],
    })
    .into())
}

fn certificates(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let node = node_of(world, call)?;
    let end = now.saturating_add_signed(node.system.certificate_days * 86_400);
    let row = |file: &str, subject: String, fingerprint: &str, end: u64| {
        json!({
            "filename": file, "subject": subject, "issuer": "/CN=Proxmox Virtual Environment/OU=demo/O=PVE Cluster Manager CA",
            "fingerprint": fingerprint, "notbefore": end - 730 * 86_400, "notafter": end, "public-key-bits": 2048,
            "public-key-type": "rsaEncryption", "san": ["127.0.0.1", "::1", "localhost", node.ip, node.name],
        })
    };
    let own = format!("/OU=PVE Cluster Node/O=Proxmox Virtual Environment/CN={}.example.com", node.name);
    let root = "/CN=Proxmox Virtual Environment/OU=demo/O=PVE Cluster Manager CA".to_owned();
    let of_root = node.fingerprint.chars().rev().collect::<String>();
    Ok(json!([
        row("pve-root-ca.pem", root, &of_root, now + 3000 * 86_400),
        row("pve-ssl.pem", own, &node.fingerprint, end),
    ])
    .into())
}

fn time(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let zone = &node_of(world, call)?.system.timezone;
    Ok(json!({ "timezone": zone, "time": now, "localtime": now }).into())
}

fn set_time(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let zone = call.params.text("timezone").to_owned();
    system_of(world, call)?.timezone = zone;
    Ok(Value::Null.into())
}

fn dns(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (search, servers) = &node_of(world, call)?.system.dns;
    let servers = servers.iter().enumerate().map(|(n, server)| (format!("dns{}", n + 1), json!(server)));
    let row: Map<String, Value> = servers.chain([("search".to_owned(), json!(search))]).collect();
    Ok(Value::Object(row).into())
}

fn set_dns(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let search = call.params.text("search").to_owned();
    let servers = ["dns1", "dns2", "dns3"].iter().filter_map(|name| call.params.optional(name));
    let servers = servers.map(str::to_owned).collect();
    system_of(world, call)?.dns = (search, servers);
    Ok(Value::Null.into())
}

fn digest(text: &str) -> String {
    let sha1 = &ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
    ring::digest::digest(sha1, text.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn hosts(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let text = &node_of(world, call)?.system.hosts;
    Ok(json!({ "data": text, "digest": digest(text) }).into())
}

fn set_hosts(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let system = system_of(world, call)?;
    super::config::same_digest(call, &digest(&system.hosts))?;
    call.params.text("data").clone_into(&mut system.hosts);
    Ok(Value::Null.into())
}

fn options(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let options = &node_of(world, call)?.system.options;
    let wanted = |name: &str| call.params.optional("property").is_none_or(|only| only == name);
    let mut row: Map<String, Value> =
        options.iter().filter(|(name, _)| wanted(name)).map(|(k, v)| (k.clone(), v.clone())).collect();
    row.insert("digest".into(), json!(digest(&json!(options).to_string())));
    Ok(Value::Object(row).into())
}

fn set_options(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let options = &mut system_of(world, call)?.options;
    for name in call.params.text("delete").split([',', ';', ' ']) {
        options.remove(name);
    }
    options.extend(given(call));
    Ok(Value::Null.into())
}

/// What the call sets.
fn given(call: &Call) -> impl Iterator<Item = (String, Value)> {
    let given = call.params.iter().filter(|(name, _)| !matches!(*name, "node" | "digest" | "delete"));
    given.map(|(name, value)| (name.to_owned(), stored(value)))
}

fn network(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let wanted = call.params.optional("type");
    let fits = |row: &&Map<String, Value>| match (wanted, row.get("type").and_then(Value::as_str)) {
        (None | Some("include_sdn"), _) => true,
        (Some("any_bridge" | "any_local_bridge"), kind) => kind == Some("bridge"),
        (Some(wanted), kind) => kind == Some(wanted),
    };
    let rows: Vec<&Map<String, Value>> = node_of(world, call)?.system.network.iter().filter(fits).collect();
    Ok(json!(rows).into())
}

fn interface(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("iface");
    let found = node_of(world, call)?.system.network.iter().find(|i| i.get("iface") == Some(&json!(name)));
    found.map(|row| Value::Object(row.clone()).into()).ok_or_else(|| no_interface(name))
}

fn no_interface(name: &str) -> Failure {
    Failure::parameter("iface", format!("interface '{name}' does not exist"))
}

fn add_interface(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("iface").to_owned();
    let system = system_of(world, call)?;
    if system.network.iter().any(|i| i.get("iface") == Some(&json!(name))) {
        return Err(Failure::parameter("iface", "interface already exists"));
    }
    let mut row: Map<String, Value> = given(call).collect();
    row.entry("method").or_insert(json!(if call.params.has("cidr") { "static" } else { "manual" }));
    row.entry("families").or_insert(json!(["inet"]));
    system.network.push(row);
    system.network_changes = true;
    Ok(Value::Null.into())
}

fn change_interface(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("iface");
    let system = system_of(world, call)?;
    let found = system.network.iter_mut().find(|i| i.get("iface") == Some(&json!(name)));
    let row = found.ok_or_else(|| no_interface(name))?;
    for name in call.params.text("delete").split([',', ';', ' ']) {
        row.remove(name);
    }
    row.extend(given(call));
    system.network_changes = true;
    Ok(Value::Null.into())
}

fn delete_interface(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("iface");
    let system = system_of(world, call)?;
    let before = system.network.len();
    system.network.retain(|i| i.get("iface") != Some(&json!(name)));
    system.network_changes = true;
    if system.network.len() < before { Ok(Value::Null.into()) } else { Err(no_interface(name)) }
}

/// What was changed comes into force.
fn apply_network(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.node().to_owned();
    let effect = Box::new(move |world: &mut World| {
        if let Some(node) = world.nodes.iter_mut().find(|n| n.name == name) {
            node.system.network_changes = false;
            node.system.network.iter_mut().for_each(|row| {
                row.insert("active".into(), json!(1));
            });
        }
        Ok(())
    });
    tasks::on_node_itself(world, call, ("srvreload", "networking".to_owned()), 1.0, Vec::new(), effect)
}

/// What was changed and is not in force goes.
fn revert_network(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let system = system_of(world, call)?;
    system.network.retain(|row| row.get("active").is_some());
    system.network_changes = false;
    Ok(Value::Null.into())
}

fn subscription(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    const URL: &str = "https://www.proxmox.com/en/proxmox-virtual-environment/pricing";
    let node = node_of(world, call)?;
    let id = "0123456789ABCDEF0123456789ABCDEF";
    Ok(match node.system.subscription {
        Some(level) => json!({
            "status": "active", "level": level, "serverid": id, "url": URL, "sockets": node.sockets,
            "key": format!("pve{}{level}-0123456789", node.sockets), "productname": "Proxmox VE Subscription",
        }),
        None => json!({ "status": "notfound", "message": "There is no subscription key", "serverid": id, "url": URL }),
    }
    .into())
}
