//! Calls every simulated method on the demo cluster and holds the answer against the schema that
//! the vendor publishes for it.

use std::collections::HashMap;
use std::path::Path;

use proxmox_api::{Method, Verb};
use proxmox_sim::world::firewall::{Alias, Firewall, Group, IpSet};
use proxmox_sim::{Options, Release, Sim, handlers};
use serde_json::{Value, json};

use crate::support::{Connection, request};

/// What parameters stand for when a method is called here, unless [`ARGUMENTS`] says otherwise.
const USUAL: &[(&str, &str)] = &[
    ("node", "pve1"),
    ("storage", "local"),
    ("volume", "local:iso/debian-12.9.0-amd64-netinst.iso"),
    ("snapname", "before-upgrade"),
    ("poolid", "production"),
    ("userid", "root@pam"),
    ("tokenid", "extra"),
    ("id", "nightly"),
    ("sid", "vm:100"),
    ("groupid", "staff"),
    ("roleid", "Own"),
    ("realm", "pve"),
    ("service", "pvestatd"),
    ("iface", "vmbr0"),
    ("zone", "office"),
    ("vnet", "vlan20"),
    ("pos", "0"),
    ("cidr", "10.0.0.0/24"),
    ("name", "known"),
    ("rule", "spread"),
    ("group", "first"),
];

/// Further parameters of single methods.
const ARGUMENTS: &[(Verb, &str, &str)] = &[
    (Verb::Post, "/nodes/{node}/qemu", "vmid=900&memory=512&scsi0=local-zfs:8"),
    (Verb::Post, "/nodes/{node}/qemu/{vmid}/clone", "newid=901"),
    (Verb::Get, "/cluster/mapping/usb", "check-node=pve1"),
    (Verb::Put, "/nodes/{node}/qemu/{vmid}/resize", "disk=scsi0&size=%2B1G"),
    (Verb::Put, "/nodes/{node}/lxc/{vmid}/resize", "disk=rootfs&size=%2B1G"),
    (Verb::Post, "/nodes/{node}/lxc", TEMPLATE),
    (Verb::Post, "/nodes/{node}/lxc/{vmid}/clone", "newid=901"),
    (Verb::Post, "/nodes/{node}/lxc/{vmid}/migrate", "target=pve2&restart=1"),
    (Verb::Get, "/nodes/{node}/qemu/{vmid}/feature", "feature=snapshot"),
    (Verb::Get, "/nodes/{node}/lxc/{vmid}/feature", "feature=clone"),
    (Verb::Get, "/nodes/{node}/qemu/{vmid}/cloudinit/dump", "type=user"),
    (Verb::Put, "/nodes/{node}/qemu/{vmid}/unlink", "idlist=scsi0"),
    (Verb::Post, "/nodes/{node}/qemu/{vmid}/move_disk", "disk=scsi0&storage=local-zfs"),
    (Verb::Post, "/nodes/{node}/lxc/{vmid}/move_volume", "volume=rootfs&storage=ceph-prod"),
    (Verb::Put, "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config", "description=x"),
    (Verb::Put, "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config", "description=x"),
    (Verb::Get, "/nodes/{node}/storage/{storage}/rrddata", "timeframe=day"),
    (Verb::Post, "/nodes/{node}/qemu/{vmid}/migrate", "target=pve2&online=1"),
    (Verb::Post, "/nodes/{node}/qemu/{vmid}/agent/exec", "command=uname"),
    (Verb::Post, "/nodes/{node}/qemu/{vmid}/agent/file-write", "file=/tmp/x&content=x"),
    (Verb::Get, "/nodes/{node}/qemu/{vmid}/agent/file-read", "file=/etc/hostname"),
    (Verb::Get, "/nodes/{node}/qemu/{vmid}/agent/exec-status", "pid=1202"),
    (Verb::Put, "/nodes/{node}/qemu/{vmid}/config", "description=x"),
    (Verb::Post, "/nodes/{node}/qemu/{vmid}/config", "description=x"),
    (Verb::Put, "/nodes/{node}/lxc/{vmid}/config", "description=x"),
    (Verb::Post, "/nodes/{node}/qemu/{vmid}/snapshot", "snapname=new1"),
    (Verb::Post, "/nodes/{node}/lxc/{vmid}/snapshot", "snapname=new1"),
    (Verb::Get, "/nodes/{node}/disks/smart", "disk=/dev/nvme0n1"),
    (Verb::Get, "/nodes/{node}/rrddata", "timeframe=hour"),
    (Verb::Get, "/nodes/{node}/qemu/{vmid}/rrddata", "timeframe=day"),
    (Verb::Get, "/nodes/{node}/lxc/{vmid}/rrddata", "timeframe=day"),
    (Verb::Post, "/nodes/{node}/storage/{storage}/content", "vmid=100&filename=vm-100-disk-9.raw&size=1M"),
    (Verb::Post, "/nodes/{node}/vzdump", "vmid=101&storage=nfs-backup"),
    (Verb::Post, "/cluster/backup", "schedule=daily&vmid=101&storage=nfs-backup"),
    (Verb::Get, "/nodes/{node}/vzdump/extractconfig", "volume=nfs-backup:{backup}"),
    (Verb::Put, "/cluster/backup/{id}", "comment=x"),
    (Verb::Put, "/nodes/{node}/storage/{storage}/content/{volume}", "notes=x"),
    (Verb::Post, "/nodes/{node}/aplinfo", "storage=local&template=debian-13-standard_13.1-2_amd64.tar.zst"),
    (Verb::Get, "/nodes/{node}/query-url-metadata", "url=https://example.com/x.iso"),
    (
        Verb::Post,
        "/nodes/{node}/storage/{storage}/download-url",
        "content=iso&filename=x.iso&url=https://example.com/x.iso",
    ),
    (Verb::Post, "/nodes/{node}/storage/{storage}/upload", "content=iso&filename=x.iso"),
    (Verb::Post, "/nodes/{node}/qemu/{vmid}/agent/set-user-password", "username=root&password=secret"),
    (Verb::Post, "/cluster/bulk-action/guest/migrate", "target=pve2&vms=101"),
    (Verb::Put, "/pools", "poolid=production&comment=x"),
    (Verb::Put, "/pools/{poolid}", "comment=x"),
    (Verb::Delete, "/pools", "poolid=production"),
    (Verb::Post, "/access/users", "userid=new@pve"),
    (Verb::Put, "/access/users/{userid}", "comment=x"),
    (Verb::Put, "/access/users/{userid}/token/{tokenid}", "comment=x"),
    (Verb::Post, "/access/groups", "groupid=new"),
    (Verb::Put, "/access/groups/{groupid}", "comment=x"),
    (Verb::Post, "/access/roles", "roleid=new&privs=VM.Audit"),
    (Verb::Put, "/access/roles/{roleid}", "privs=VM.Audit"),
    (Verb::Put, "/access/acl", "path=/vms&roles=PVEAuditor&users=monitoring@pve"),
    (Verb::Get, "/nodes/{node}/apt/changelog", "name=pve-manager"),
    (Verb::Put, "/nodes/{node}/time", "timezone=Europe/Berlin"),
    (Verb::Put, "/nodes/{node}/dns", "search=example.net"),
    (Verb::Post, "/nodes/{node}/hosts", "data=127.0.0.1 localhost"),
    (Verb::Put, "/nodes/{node}/config", "description=x"),
    (Verb::Post, "/nodes/{node}/network", "iface=vmbr7&type=bridge"),
    (Verb::Put, "/nodes/{node}/network/{iface}", "type=bridge&comments=x"),
    (Verb::Post, "/nodes/{node}/status", "command=reboot"),
    (Verb::Post, "/nodes/{node}/migrateall", "target=pve2"),
    (Verb::Post, "/cluster/firewall/groups", "group=new"),
    (Verb::Post, "/cluster/firewall/groups/{group}", "type=in&action=ACCEPT"),
    (Verb::Post, "/cluster/ha/resources", "sid=vm:103"),
    (Verb::Put, "/cluster/ha/resources/{sid}", "comment=x"),
    (Verb::Post, "/cluster/ha/resources/{sid}/migrate", "node=pve2"),
    (Verb::Post, "/cluster/ha/resources/{sid}/relocate", "node=pve2"),
    (Verb::Post, "/cluster/ha/rules", "rule=new&type=node-affinity&resources=vm:100&nodes=pve1"),
    (Verb::Put, "/cluster/ha/rules/{rule}", "type=node-affinity&comment=x"),
    (Verb::Post, "/cluster/ha/groups", "group=new&nodes=pve1"),
    (Verb::Put, "/cluster/ha/groups/{group}", "comment=x"),
    (Verb::Post, "/cluster/replication", "id=107-0&type=local&target=pve2"),
    (Verb::Put, "/cluster/replication/{id}", "comment=x"),
    (Verb::Put, "/cluster/options", "description=x"),
    (Verb::Post, "/cluster/notifications/endpoints/sendmail", "name=fresh&mailto=x@example.com"),
    (Verb::Put, "/cluster/notifications/endpoints/sendmail/{name}", "comment=x"),
    (Verb::Post, "/cluster/notifications/matchers", "name=fresh&target=known"),
    (Verb::Put, "/cluster/notifications/matchers/{name}", "comment=x"),
    (Verb::Post, "/cluster/mapping/pci", "id=fresh&map=node%3Dpve1,path%3D0000:01:00.0,id%3D10de:2230"),
    (Verb::Post, "/cluster/mapping/usb", "id=fresh&map=node%3Dpve1,id%3D0529:0001"),
    (Verb::Post, "/cluster/metrics/server/{id}", "type=graphite&server=10.0.0.9&port=2003"),
    (Verb::Put, "/cluster/metrics/server/{id}", "server=10.0.0.9&port=2004"),
    (
        Verb::Get,
        "/nodes/{node}/storage/{storage}/file-restore/list",
        "filepath=/&volume=local:backup/vm/101/2026-11-21T02:00:00Z",
    ),
    (Verb::Post, "/storage", "storage=fresh&type=dir&path=/srv/fresh"),
    (Verb::Put, "/storage/{storage}", "content=iso"),
    (Verb::Post, "/pools", "poolid=fresh"),
    (Verb::Post, "/access/ticket", "username=monitoring@pve&password=Secret-123"),
];

/// Further parameters of what the firewalls of cluster, nodes and guests have in common.
const FIREWALL: &[(Verb, &str, &str)] = &[
    (Verb::Put, "/options", "enable=1"),
    (Verb::Post, "/rules", "type=in&action=ACCEPT"),
    (Verb::Put, "/rules/{pos}", "comment=x"),
    (Verb::Put, "/groups/{group}/{pos}", "comment=x"),
    (Verb::Post, "/aliases", "name=fresh&cidr=10.0.0.1"),
    (Verb::Put, "/aliases/{name}", "cidr=10.0.0.2"),
    (Verb::Post, "/ipset", "name=fresh"),
    (Verb::Post, "/ipset/{name}", "cidr=10.0.0.9"),
    (Verb::Put, "/ipset/{name}/{cidr}", "comment=x"),
];

/// A container from the template that the demo has.
const TEMPLATE: &str = "vmid=902&ostemplate=local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst&rootfs=local-zfs:8&hostname=new";

/// Ends of paths whose methods want a guest that is stopped.
const STOPPED: &[&str] = &["/lxc/{vmid}/status/start", "/template", "/lxc/{vmid}/clone", "/move_volume"];

/// A fresh cluster for each call, so that none depends on what another left behind.
fn cluster(method: &Method) -> Sim {
    let release = if method.path.starts_with("/cluster/ha/groups") { Release::V8_4 } else { Release::V9_2 };
    let sim = Sim::start(Options { guests: 20, release, ..Options::instant() }).unwrap();
    sim.with_world(|world| {
        world.access.users.get_mut("monitoring@pve").unwrap().password = Some("Secret-123".into());
        let snapshots = world.guests[&101].snapshots.clone();
        let container = world.guests.get_mut(&102).unwrap();
        container.node = "pve1".into();
        container.snapshots = snapshots;
        if method.verb == Verb::Delete || STOPPED.iter().any(|end| method.path.ends_with(end)) {
            for guest in world.guests.values_mut() {
                guest.running = false;
            }
        }
    });
    sim
}

fn call(sim: &Sim, method: &Method) -> (u16, Value) {
    let upid = sim.with_world(|world| world.tasks[0].upid.to_string());
    let node = sim.with_world(|world| world.tasks[0].upid.node.clone());
    let guest = if method.path.contains("/lxc/") { "102" } else { "101" };
    let mut path = method.path.replace("{vmid}", guest).replace("{upid}", &upid);
    if method.path.contains("{upid}") {
        path = path.replace("{node}", &node);
    }
    for (name, value) in USUAL {
        path = path.replace(&format!("{{{name}}}"), value);
    }
    if (method.verb, method.path) == (Verb::Put, "/nodes/{node}/storage/{storage}/content/{volume}") {
        path = method.path.replace("{node}", "pve1").replace("{storage}", "nfs-backup");
        path = path.replace("{volume}", &format!("nfs-backup:{}", backup(sim)));
    }
    if method.path.ends_with("/access/users/{userid}") && method.verb == Verb::Delete {
        path = "/access/users/monitoring@pve".into();
    }
    if method.path.ends_with("/disks/zfs/{name}") {
        path = "/nodes/pve1/disks/zfs/rpool".into();
    }
    if method.path.contains("/replication/{id}") {
        path = method.path.replace("{node}", "pve1").replace("{id}", "107-0");
    }
    prepare(sim, method);
    let below = method.path.split_once("/firewall").map_or("", |(_, below)| below);
    let common = FIREWALL.iter().find(|(verb, path, _)| (*verb, *path) == (method.verb, below));
    let found = ARGUMENTS.iter().find(|(verb, path, _)| (*verb, *path) == (method.verb, method.path));
    let found = found.or(common);
    let arguments = found.map_or("", |(_, _, arguments)| arguments).replace("{backup}", &backup(sim));
    let arguments = arguments.as_str();
    let reads = matches!(method.verb, Verb::Get | Verb::Delete);
    let (target, body) = match (reads, arguments) {
        (true, "") | (false, _) => (path, arguments),
        (true, query) => (format!("{path}?{query}"), ""),
    };
    // A token cannot log in.
    let header = if method.token { sim.token().header() } else { "none".to_owned() };
    let bytes = request(&header, method.verb.as_str(), &target, body);
    let answer = Connection::open(sim).exchange(&bytes).expect("an answer");
    (answer.status, answer.json())
}

/// A backup that the demo has.
fn backup(sim: &Sim) -> String {
    sim.with_world(|world| world.storages.iter().find(|s| s.kind == "nfs").unwrap().volumes[0].name.clone())
}

/// A firewall with one of each.
fn firewall() -> Firewall {
    let rule = json!({ "type": "in", "action": "ACCEPT", "enable": 1 }).as_object().unwrap().clone();
    let group = Group { rules: vec![rule.clone()], ..Group::default() };
    let entries = [("10.0.0.0/24".to_owned(), (false, String::new()))].into();
    Firewall {
        rules: vec![rule],
        aliases: [("known".to_owned(), Alias { cidr: "10.0.0.1".into(), ..Alias::default() })].into(),
        ipsets: [("known".to_owned(), IpSet { entries, ..IpSet::default() })].into(),
        groups: [("first".to_owned(), group)].into(),
        ..Firewall::default()
    }
}

/// What has to be there before a method finds something to do.
fn prepare(sim: &Sim, method: &Method) {
    let send = |path: &str, body: &str| {
        let bytes = request(&sim.token().header(), "POST", path, body);
        Connection::open(sim).exchange(&bytes);
    };
    match (method.verb, method.path) {
        (Verb::Get, "/nodes/{node}/qemu/{vmid}/agent/exec-status") => {
            send("/nodes/pve1/qemu/101/agent/exec", "command=uname");
        }
        (Verb::Post, "/nodes/{node}/qemu/{vmid}/template" | "/nodes/{node}/lxc/{vmid}/template") => {
            sim.with_world(|world| world.guests.values_mut().for_each(|g| g.snapshots.clear()));
        }
        (Verb::Get | Verb::Put | Verb::Delete, "/access/users/{userid}/token/{tokenid}") => {
            send("/access/users/root@pam/token/extra", "")
        }
        (_, "/access/groups/{groupid}") => send("/access/groups", "groupid=staff"),
        (_, "/access/roles/{roleid}") => send("/access/roles", "roleid=Own&privs=VM.Audit"),
        (_, "/nodes/{node}/wakeonlan") => sim.with_world(|world| {
            world.nodes[0].system.options.insert("wakeonlan".into(), json!("00:11:22:33:44:55"));
        }),
        (_, path) if path.contains("/firewall/") => sim.with_world(|world| {
            for scope in ["cluster", "node/pve1", "guest/101", "guest/102"] {
                world.firewalls.insert(scope.into(), firewall());
            }
            if method.verb == Verb::Delete && path.ends_with("/groups/{group}") {
                world.firewalls.get_mut("cluster").unwrap().groups.get_mut("first").unwrap().rules.clear();
            }
            if method.verb == Verb::Delete && path.ends_with("/ipset/{name}") {
                world.firewalls.values_mut().for_each(|f| f.ipsets.get_mut("known").unwrap().entries.clear());
            }
        }),
        (_, path) if path.contains("/replication/{id}") => {
            send("/cluster/replication", "id=107-0&type=local&target=pve2");
        }
        (
            _,
            "/cluster/notifications/endpoints/sendmail/{name}" | "/cluster/notifications/targets/{name}/test",
        ) => send("/cluster/notifications/endpoints/sendmail", "name=known&mailto=x@example.com"),
        (_, "/cluster/notifications/matchers/{name}") => {
            send("/cluster/notifications/matchers", "name=known")
        }
        (_, "/cluster/mapping/pci/{id}") => {
            send("/cluster/mapping/pci", "id=nightly&map=node%3Dpve1,path%3D0000:01:00.0,id%3D10de:2230")
        }
        (_, "/cluster/mapping/usb/{id}") => {
            send("/cluster/mapping/usb", "id=nightly&map=node%3Dpve1,id%3D0529:0001")
        }
        (Verb::Get | Verb::Put | Verb::Delete, "/cluster/metrics/server/{id}") => {
            send("/cluster/metrics/server/nightly", "type=graphite&server=10.0.0.9&port=2003")
        }
        (_, "/nodes/{node}/storage/{storage}/file-restore/list") => sim.with_world(|world| {
            world.storages.iter_mut().find(|storage| storage.name == "local").unwrap().kind = "pbs";
        }),
        (_, "/cluster/ha/rules/{rule}") => {
            send("/cluster/ha/rules", "rule=spread&type=node-affinity&resources=vm:100&nodes=pve1")
        }
        (_, "/cluster/ha/groups/{group}") => send("/cluster/ha/groups", "group=first&nodes=pve1"),
        (_, path) if path.starts_with("/cluster/backup/{id}") => {
            send("/cluster/backup", "id=nightly&schedule=daily&vmid=101&storage=nfs-backup");
        }
        (Verb::Delete, "/pools" | "/pools/{poolid}") => sim.with_world(|world| {
            world.pools.insert("production".into(), Default::default());
        }),
        _ => {}
    }
}

#[test]
fn answers_hold_against_the_vendors_schema() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/pve-api/methods.jsonl");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: no schema at {}", file.display());
        return;
    };
    let schema: HashMap<(String, String), Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|m| {
            (
                (m["method"].as_str().unwrap().to_owned(), m["path"].as_str().unwrap().to_owned()),
                m["returns"].clone(),
            )
        })
        .collect();
    let mut problems = Vec::new();
    let mut checked = 0;
    for row in handlers::rows() {
        let (status, answer) = call(&cluster(row.method), row.method);
        if status != 200 {
            problems.push(format!("{}: {status} {answer}", row.method));
            continue;
        }
        let key = (row.method.verb.as_str().to_owned(), row.method.path.to_owned());
        // The schema promises a text here, and the real server answers null.
        if row.method.path.ends_with("/schedule_now") && answer["data"].is_null() {
            continue;
        }
        let mut found = Vec::new();
        validate(&schema[&key], &answer["data"], "data", &mut found);
        found.truncate(3);
        problems.extend(found.into_iter().map(|why| format!("{}: {why}", row.method)));
        checked += 1;
    }
    println!("{checked} methods checked");
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// Holds a value against a schema the way the real server would: a type is a matter of how the
/// value is written, and keys that the schema does not name are taken unless it says otherwise.
fn validate(schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let fits = match schema["type"].as_str() {
        Some("null") => value.is_null(),
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("boolean") => value.is_boolean() || text == "0" || text == "1",
        Some("integer") => digits(text.trim_start_matches('-')),
        Some("number") => text.parse::<f64>().is_ok(),
        Some("string") => value.is_string() || value.is_number(),
        _ => true,
    };
    if !fits {
        problems.push(format!("{at} is {text:.80}, not {}", schema["type"]));
        return;
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(&json!(text))
    {
        problems.push(format!("{at} is {text}, not one of {words:?}"));
    }
    for item in value.as_array().into_iter().flatten() {
        validate(&schema["items"], item, &format!("{at}[]"), problems);
    }
    let (Some(properties), Some(map)) = (schema["properties"].as_object(), value.as_object()) else { return };
    for (name, property) in properties {
        match map.get(name) {
            Some(Value::Null) if is_optional(property) => {}
            Some(value) => validate(property, value, &format!("{at}.{name}"), problems),
            None if is_optional(property) || name.ends_with("[n]") => {}
            None => problems.push(format!("{at}.{name} is missing")),
        }
    }
    let closed = schema["additionalProperties"] == 0 || schema["additionalProperties"] == false;
    for name in map.keys().filter(|name| closed && !named(properties, name)) {
        problems.push(format!("{at}.{name} is not in the schema"));
    }
}

fn is_optional(property: &Value) -> bool {
    property["optional"] == 1 || property["optional"] == "1"
}

fn named(properties: &serde_json::Map<String, Value>, name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    properties.contains_key(name) || properties.contains_key(&format!("{stem}[n]"))
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let schema = json!({"type": "array", "items": {"type": "object", "additionalProperties": 0, "properties": {
        "a": {"type": "integer"}, "b": {"type": "string", "enum": ["x"], "optional": 1}, "c": {"type": "boolean"}}}});
    let check = |value: Value| {
        let mut problems = Vec::new();
        validate(&schema, &value, "data", &mut problems);
        problems
    };
    assert!(check(json!([{"a": 1, "b": "x", "c": 1}, {"a": "2", "c": 0}])).is_empty());
    let bad = check(json!([{"a": 1.5, "b": "y", "c": 2, "d": 1}, {"c": 0}]));
    assert_eq!(bad.len(), 5, "{bad:?}");
    assert_eq!(check(json!({})).len(), 1);
}
