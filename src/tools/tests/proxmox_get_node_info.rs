use serde_json::{Value, json};

use super::*;
use crate::testing::{Demo, HOSTILE, NOW_MS, Script, assert_tame, finish, run, text};
use crate::view::BUDGET;

const NODES: &str = "GET /cluster/resources?type=node";

fn script(path: &str, data: Value) -> Script {
    Script::new()
        .data(NODES, json!([{"type": "node", "node": "pve1", "status": "online"}]))
        .data(&format!("GET /nodes/pve1/{path}"), data)
}

/// Each topic with its path, rows out of order, and what the text shows of them in this order.
#[test]
fn every_topic_shows_what_is_unlike_the_rest_first() {
    let now = NOW_MS / 1000;
    let cases: &[(&str, &str, Value, &[&str])] = &[
        ("services", "services", json!([{"service": "a", "state": "running", "unit-state": "enabled"},
            {"service": "b", "state": "dead", "unit-state": "masked"}, {"service": "c", "state": "failed", "unit-state": "enabled"}]),
            &["Running: 1 of 3", "| c | failed |", "| a | running |", "| b | dead |"]),
        ("updates", "apt/update", json!([{"Package": "zlib", "OldVersion": "1", "Version": "2", "Origin": "Debian"},
            {"Package": "pve-manager", "OldVersion": "9.1", "Version": "9.2", "Origin": "Proxmox"}]),
            &["Waiting: 2 packages (1 of Proxmox)", "| pve-manager | 9.1 | 9.2 | Proxmox |", "| zlib |"]),
        ("versions", "apt/versions", json!([{"Package": "proxmox-ve", "OldVersion": "9.1", "Version": "9.2", "RunningKernel": "6.17"},
            {"Package": "pve-manager", "Version": "9.2", "CurrentState": "Installed"}]),
            &["Running kernel: 6.17", "| proxmox-ve | 9.1 | 9.2 |", "| pve-manager | 9.2 |  | Installed |"]),
        ("certificates", "certificates/info", json!([{"filename": "late.pem", "notafter": now + 86_400 * 90},
            {"filename": "soon.pem", "notafter": now + 86_400, "san": ["a", "b"]}]),
            &["| soon.pem | in 1d 0h | a, b |", "| late.pem | in 90d 0h |"]),
        ("disks", "disks/list", json!([{"devpath": "/dev/sda", "health": "PASSED"}, {"devpath": "/dev/sdb", "health": "FAILED!"}]),
            &["1 disk not well", "| /dev/sdb | FAILED! |", "| /dev/sda |"]),
        ("zfs", "disks/zfs", json!([{"name": "a", "health": "ONLINE", "size": 1024}, {"name": "b", "health": "DEGRADED"}]),
            &["| b | DEGRADED |", "| a | ONLINE | 1.0 KB |"]),
        ("network", "network", json!([{"iface": "eno1", "type": "eth", "active": 1},
            {"iface": "vmbr0", "type": "bridge", "cidr": "10.0.0.1/24", "gateway": "10.0.0.254", "bridge_ports": "eno1", "active": 1}]),
            &["| vmbr0 | bridge | yes | 10.0.0.1/24 | 10.0.0.254 | eno1 |", "| eno1 | eth | yes |"]),
        ("dns", "dns", json!({"search": "example.com", "dns1": "10.0.0.1", "dns3": "10.0.0.3"}),
            &["Search domain: example.com", "Server: 10.0.0.1", "Server: 10.0.0.3"]),
        ("time", "time", json!({"timezone": "UTC", "time": now + 125}), &["Time zone: UTC", "2m 5s away"]),
        ("subscription", "subscription", json!({"status": "active", "key": "pve2c-secret", "nextduedate": "2027-01-01"}),
            &["Status: active", "Due: 2027-01-01", "Key: set (not shown)"]),
        ("replication", "replication", json!([{"id": "101-0", "guest": 101, "target": "pve2", "last_sync": now - 60},
            {"id": "102-0", "guest": 102, "target": "pve2", "fail_count": 3, "error": "no route"}]),
            &["1 of 2 jobs fail", "| 102-0 | 102 | pve2 |  | 3 | no route |", "| 101-0 |"]),
    ];
    for (topic, path, data, expected) in cases {
        let shown = text(&TOOL, &script(path, data.clone()), json!({"topic": topic}));
        let mut rest = shown.as_str();
        for part in *expected {
            let at = rest.find(part).unwrap_or_else(|| panic!("{topic}: {part}\nnot in order in\n{shown}"));
            rest = &rest[at + part.len()..];
        }
        assert!(!shown.contains("pve2c-secret"), "{shown}");
    }
}

#[test]
fn a_log_shows_its_end_without_the_marks_of_its_place() {
    let lines: Vec<Value> = std::iter::once("s=0123;i=45;b=67".to_owned())
        .chain((0..2000).map(|n| format!("Nov 22 pve1 pvedaemon[1]: line {n}")))
        .chain(std::iter::once("s=0123;i=99;b=67".to_owned()))
        .map(Value::from)
        .collect();
    let script = script("journal?lastentries=2000", lines.into());
    let output = finish(&TOOL, &script, json!({"topic": "log"})).unwrap();
    assert!(output.text.len() + output.data.to_string().len() <= BUDGET, "{}", output.text.len());
    assert!(output.text.contains("line 1998\nNov 22 pve1 pvedaemon[1]: line 1999\n```"), "{}", output.text);
    assert!(!output.text.contains("s=0123"), "{}", output.text);
    let output = finish(&TOOL, &script, json!({"topic": "log", "filter": "*line 1?", "limit": 100})).unwrap();
    assert_eq!(output.data["total"], 10);
}

#[test]
fn devices_of_both_buses_are_shown() {
    let script = script("hardware/pci", json!([{"id": "0000:01:00.0", "device_name": "GPU", "vendor_name": "X", "iommugroup": -1}]))
        .data("GET /nodes/pve1/hardware/usb", json!([{"busnum": 1, "usbpath": "3", "vendid": "046d", "prodid": "c52b", "product": "Receiver"}]));
    let shown = text(&TOOL, &script, json!({"topic": "hardware"}));
    assert!(shown.contains("| 0000:01:00.0 | GPU | X |"), "{shown}");
    assert!(shown.contains("| usb 1-3 | 046d:c52b Receiver |"), "{shown}");
}

#[test]
fn a_firewall_of_a_node_is_on_unless_turned_off() {
    for (options, expected) in [(json!({}), "Firewall: on\n"), (json!({"enable": 0}), "Firewall: off")] {
        let script = script("firewall/rules", json!([])).data("GET /nodes/pve1/firewall/options", options);
        let shown = text(&TOOL, &script, json!({"topic": "firewall"}));
        assert!(shown.contains(expected) && shown.contains("No firewall rules."), "{shown}");
    }
}

#[test]
fn a_node_that_is_not_there_is_explained() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"topic": "disks"}), "`node` is needed"),
        (json!({"topic": "disks", "node": "pve9"}), "There is no node `pve9`"),
        (json!({"topic": "disk", "node": "pve1"}), "one of `services`"),
    ] {
        let error = run(&TOOL, &demo, arguments).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn hostile_names_are_tame() {
    let keys = ["service", "state", "desc", "Package", "Version", "filename", "subject", "devpath", "model", "iface", "comments", "name"];
    let rows: Vec<Value> = HOSTILE
        .iter()
        .map(|name| Value::Object(keys.iter().map(|key| ((*key).to_owned(), Value::from(*name))).collect()))
        .collect();
    for (topic, path) in
        [("services", "services"), ("updates", "apt/update"), ("certificates", "certificates/info"), ("disks", "disks/list"), ("network", "network"), ("zfs", "disks/zfs")]
    {
        assert_tame(&text(&TOOL, &script(path, rows.clone().into()), json!({"topic": topic, "limit": 50})));
    }
    let shown = text(&TOOL, &script("journal?lastentries=2000", HOSTILE.iter().map(|name| Value::from(*name)).collect()), json!({"topic": "log"}));
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{7}', '\u{200b}']), "{shown:?}");
}
