use serde_json::json;

use super::*;
use crate::testing::{Demo, Script, finish, run, text};

#[test]
fn both_kinds_become_templates() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"node": "pve2", "vmid": "108", "type": "lxc"})).unwrap();
    assert!(output.text.starts_with("📐 Template of wiki (ID: 108)\n"), "{}", output.text);
    assert!(output.text.contains("Lost: The guest as one that can be started"), "{}", output.text);
    assert_eq!(demo.get("/nodes/pve2/lxc/108/config")["template"], 1);
    let again = finish(&TOOL, &demo, json!({"vmid": 108})).unwrap();
    assert_eq!(again.data["changed"], false);

    crate::testing::by_name("proxmox_stop", &demo, json!({"vmid": 103}));
    finish(&TOOL, &demo, json!({"vmid": 103})).unwrap();
    assert_eq!(demo.get("/nodes/pve2/qemu/103/config")["template"], 1);
}

#[test]
fn what_stands_in_the_way_is_told_before_anything_is_sent() {
    let demo = Demo::new();
    crate::testing::by_name("proxmox_stop", &demo, json!({"vmid": 101}));
    let sent = demo.changes().len();
    for (arguments, expected) in [
        (json!({"vmid": 101}), "has snapshots, and a template has none"),
        (json!({"vmid": 103}), "is running. Shut it down first"),
        (json!({"vmid": 111}), "is locked (backup)"),
        (json!({"vmid": 108, "type": "qemu"}), "is a container, not `qemu`"),
    ] {
        let error = run(&TOOL, &demo, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert_eq!(demo.changes().len(), sent);
    let script = Script::new()
        .data("GET /cluster/resources", json!([{"type": "qemu", "vmid": 200, "name": "h", "node": "pve1"}]))
        .data("GET /nodes/pve1/qemu/200/config", json!({"lock": "suspended"}))
        .data("GET /nodes/pve1/qemu/200/status/current", json!({"status": "stopped", "lock": "suspended"}));
    let error = run(&TOOL, &script, json!({"vmid": 200})).unwrap_err().to_string();
    assert!(error.contains("is suspended to disk"), "{error}");
}

#[test]
fn a_dry_run_warns_and_sends_nothing() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"vmid": 108, "dry_run": true}));
    assert!(shown.contains("Would be lost: The guest") && shown.contains("POST /nodes/pve2/lxc/108/template"), "{shown}");
    assert!(demo.changes().is_empty());
}
