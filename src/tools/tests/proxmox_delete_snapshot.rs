use serde_json::json;

use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, NOW_MS, finish, run, text};
use crate::tools::proxmox_create_snapshot;

fn names(demo: &Demo, guest: &str) -> Vec<String> {
    let rows = demo.get(&format!("/nodes/{guest}/snapshot"));
    let name = |row: &serde_json::Value| row["name"].as_str().unwrap().to_owned();
    rows.as_array().unwrap().iter().map(name).filter(|name| name != "current").collect()
}

#[test]
fn a_snapshot_is_deleted_and_later_ones_stay() {
    let demo = Demo::new();
    finish(&proxmox_create_snapshot::TOOL, &demo, json!({"vmid": 101, "name": "later"})).unwrap();
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "name": "before-upgrade"})).unwrap();
    assert!(output.text.contains("Lost: the snapshot `before-upgrade` (1"), "{}", output.text);
    assert!(output.text.contains("Stay: `later`, which came after it"), "{}", output.text);
    assert_eq!(names(&demo, "pve1/qemu/101"), ["later"]);
}

#[test]
fn a_dry_run_sends_nothing() {
    let demo = Demo::new();
    let arguments = json!({"vmid": 101, "name": "before-upgrade", "force": true, "dry_run": true});
    let shown = text(&TOOL, &demo, arguments);
    assert!(shown.contains("DELETE /nodes/pve1/qemu/101/snapshot/before-upgrade force=1"), "{shown}");
    assert!(shown.contains("Would be lost"), "{shown}");
    assert!(demo.changes().is_empty());
}

#[test]
fn a_wrong_name_is_put_right() {
    let demo = Demo::new();
    let error = run(&TOOL, &demo, json!({"vmid": 101, "name": "Before-Upgrade"})).unwrap_err().to_string();
    assert!(error.contains("Did you mean `before-upgrade`?"), "{error}");
    assert!(demo.changes().is_empty());
}

#[test]
fn the_older_names_work() {
    let demo = Demo::new();
    finish(&proxmox_create_snapshot::TOOL, &demo, json!({"vmid": 102, "name": "old"})).unwrap();
    for (name, node, vmid, snapname) in [
        ("proxmox_delete_snapshot_vm", "pve1", "101", "before-upgrade"),
        ("proxmox_delete_snapshot_lxc", "pve2", "102", "old"),
    ] {
        let arguments = json!({"node": node, "vmid": vmid, "snapname": snapname}).to_string();
        let Step::Pending(state, _) = catalogue::call(&demo, NOW_MS, name, &arguments).unwrap() else {
            panic!("{name} does not wait")
        };
        assert!(matches!(catalogue::resume(&demo, NOW_MS + 2000, &state).unwrap(), Step::Done(_)));
    }
    assert!(names(&demo, "pve1/qemu/101").is_empty() && names(&demo, "pve2/lxc/102").is_empty());
}
