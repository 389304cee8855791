use serde_json::json;

use super::*;
use crate::testing::{Demo, by_name, finish, run, text};

#[test]
fn a_guest_is_turned_off_and_what_is_lost_is_said() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"vmid": 101})).unwrap();
    assert!(output.text.starts_with("⛔ Stop: prod-web-01 (ID: 101)\n"), "{}", output.text);
    assert!(output.text.contains("Status: STOPPED") && output.text.contains("Lost: Whatever"), "{}", output.text);
    assert!(output.data["undo"]["arguments"].as_str().unwrap().contains(r#""action":"start""#));
    assert_eq!(demo.get("/nodes/pve1/qemu/101/status/current")["status"], "stopped");
    let again = finish(&TOOL, &demo, json!({"vmid": 101})).unwrap();
    assert!(again.text.contains("STOPPED (already; nothing was sent)") && !again.text.contains("Lost"));
    assert_eq!(demo.changes().len(), 1);
}

#[test]
fn a_reset_is_for_running_vms() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "action": "reset"})).unwrap();
    assert_eq!((&output.data["changed"], &output.data["status"]), (&json!(true), &json!("running")));
    assert_eq!(demo.changes(), ["POST /nodes/pve1/qemu/101/status/reset"]);
    for (vmid, expected) in [(102, "only VMs can be reset"), (111, "It is locked (`backup`)")] {
        let error = run(&TOOL, &demo, json!({"vmid": vmid, "action": "reset"})).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    finish(&TOOL, &demo, json!({"vmid": 101})).unwrap();
    let error = run(&TOOL, &demo, json!({"vmid": 101, "action": "reset"})).unwrap_err().to_string();
    assert!(error.contains("is stopped. Start it with"), "{error}");
}

#[test]
fn a_dry_run_sends_nothing() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"vmid": 101, "overrule_shutdown": true, "dry_run": true}));
    assert!(shown.contains("POST /nodes/pve1/qemu/101/status/stop overrule-shutdown=1"), "{shown}");
    assert!(shown.contains("Would be lost: Whatever"), "{shown}");
    let error = run(&TOOL, &demo, json!({"vmid": 101, "action": "reset", "overrule_shutdown": true})).unwrap_err();
    assert!(error.to_string().contains("goes with `stop` only"), "{error}");
    assert!(demo.changes().is_empty());
}

#[test]
fn the_older_names_do_the_same() {
    let demo = Demo::new();
    for (name, node, kind, vmid) in
        [("proxmox_stop_vm", "pve1", "qemu", 101), ("proxmox_stop_lxc", "pve2", "lxc", 102)]
    {
        by_name(name, &demo, json!({"node": node, "vmid": vmid.to_string()}));
        assert_eq!(demo.get(&format!("/nodes/{node}/{kind}/{vmid}/status/current"))["status"], "stopped");
    }
    by_name("proxmox_reset_vm", &demo, json!({"vmid": 100}));
    assert_eq!(demo.changes().last().unwrap(), "POST /nodes/pve1/qemu/100/status/reset");
}
