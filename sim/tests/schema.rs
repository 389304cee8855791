//! Calls every simulated method on the demo cluster and holds the answer against the schema that
//! the vendor publishes for it.

use std::collections::HashMap;
use std::path::Path;

use proxmox_api::{Method, Verb};
use proxmox_sim::{Options, Sim, handlers};
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
];

/// Further parameters of single methods.
const ARGUMENTS: &[(Verb, &str, &str)] = &[
    (Verb::Post, "/nodes/{node}/qemu", "vmid=900&memory=512&scsi0=local-zfs:8"),
    (Verb::Post, "/nodes/{node}/qemu/{vmid}/clone", "newid=901"),
    (Verb::Put, "/nodes/{node}/qemu/{vmid}/resize", "disk=scsi0&size=%2B1G"),
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
    (Verb::Post, "/pools", "poolid=fresh"),
    (Verb::Post, "/access/ticket", "username=monitoring@pve&password=Secret-123"),
];

/// A fresh cluster for each call, so that none depends on what another left behind.
fn cluster(method: &Method) -> Sim {
    let sim = Sim::start(Options { guests: 20, ..Options::instant() }).unwrap();
    sim.with_world(|world| {
        world.access.users.get_mut("monitoring@pve").unwrap().password = Some("Secret-123".into());
        let snapshots = world.guests[&101].snapshots.clone();
        let container = world.guests.get_mut(&102).unwrap();
        container.node = "pve1".into();
        container.snapshots = snapshots;
        if method.verb == Verb::Delete || method.path.ends_with("/lxc/{vmid}/status/start") {
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
    prepare(sim, method);
    let found = ARGUMENTS.iter().find(|(verb, template, _)| (*verb, *template) == (method.verb, method.path));
    let arguments = found.map_or("", |(_, _, arguments)| arguments);
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
        (Verb::Delete, "/access/users/{userid}/token/{tokenid}") => {
            send("/access/users/root@pam/token/extra", "")
        }
        (Verb::Delete, "/pools/{poolid}") => sim.with_world(|world| {
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
