use serde_json::{Value, json};

use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, HOSTILE, NOW_MS, Script, assert_tame, finish, run, text};
use crate::tools::{proxmox_configure, proxmox_create_snapshot};

fn snapshot(demo: &Demo, vmid: u32, name: &str) {
    finish(&proxmox_create_snapshot::TOOL, demo, json!({"vmid": vmid, "name": name})).unwrap();
}

#[test]
fn a_guest_goes_back_and_what_is_lost_is_said() {
    let demo = Demo::new();
    let before = demo.get("/nodes/pve1/qemu/101/config");
    snapshot(&demo, 101, "now1");
    finish(&proxmox_configure::TOOL, &demo, json!({"vmid": 101, "notes": "changed"})).unwrap();
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "name": "now1", "start": true})).unwrap();
    assert!(output.text.starts_with("⏪ prod-web-01 (ID: 101) back to snapshot `now1`\n"), "{}", output.text);
    assert!(output.text.contains("Lost: everything that was written"), "{}", output.text);
    assert!(output.text.contains("cut off without a shutdown"), "{}", output.text);
    assert_eq!(demo.get("/nodes/pve1/qemu/101/config").get("description"), before.get("description"));
    assert_eq!(demo.get("/nodes/pve1/qemu/101/status/current")["status"], "running");
}

#[test]
fn newer_snapshots_are_named() {
    let demo = Demo::new();
    snapshot(&demo, 101, "later");
    let shown = text(&TOOL, &demo, json!({"vmid": 101, "name": "before-upgrade", "dry_run": true}));
    assert!(shown.contains("Newer snapshots stay, beside the state of now: `later`"), "{shown}");
    assert!(shown.contains("it is off; `start` = true"), "{shown}");
    let sent = demo.changes().len();
    finish(&TOOL, &demo, json!({"vmid": 101, "name": "before-upgrade"})).unwrap();
    assert_eq!(demo.changes().len(), sent + 1);
    assert_eq!(demo.get("/nodes/pve1/qemu/101/status/current")["status"], "stopped");
}

/// A VM with two snapshots and its disk on a storage of this type.
fn on(plugintype: &str, name: &str) -> Script {
    let rows = json!([
        {"type": "qemu", "vmid": 101, "node": "pve1", "name": name, "status": "running"},
        {"type": "node", "node": "pve1", "status": "online"},
        {"type": "storage", "storage": "tank", "node": "pve1", "plugintype": plugintype, "status": "available"},
    ]);
    let snapshots = json!([
        {"name": "first", "snaptime": 1_795_300_000, "vmstate": 0, "description": name},
        {"name": "second", "snaptime": 1_795_330_000, "vmstate": 1, "parent": "first"},
        {"name": "current", "parent": "second", "running": 0},
    ]);
    Script::new()
        .data("GET /cluster/resources", rows)
        .data("GET /nodes/pve1/qemu/101/snapshot", snapshots)
        .data("GET /nodes/pve1/qemu/101/config", json!({"scsi0": "tank:vm-101-disk-0,size=8G", "digest": "x"}))
}

#[test]
fn zfs_does_not_go_past_a_newer_snapshot() {
    let script = on("zfspool", "web");
    let error = run(&TOOL, &script, json!({"vmid": 101, "name": "first"})).unwrap_err().to_string();
    assert!(error.contains("`tank` (ZFS)") && error.contains("`second` (2h 46m old, with memory)"), "{error}");
    assert!(error.contains("`proxmox_delete_snapshot`"), "{error}");
    assert!(script.changes().is_empty());
    let shown = text(&TOOL, &on("zfspool", "web"), json!({"vmid": 101, "name": "second", "dry_run": true}));
    assert!(shown.contains("goes on from the memory"), "{shown}");
    let shown = text(&TOOL, &on("lvmthin", "web"), json!({"vmid": 101, "name": "first", "dry_run": true}));
    assert!(shown.contains("Newer snapshots stay"), "{shown}");
}

#[test]
fn a_wrong_name_is_put_right_and_a_locked_guest_left_alone() {
    let demo = Demo::new();
    let error = run(&TOOL, &demo, json!({"vmid": 101, "name": "before-upgrad"})).unwrap_err().to_string();
    assert!(error.contains("Did you mean `before-upgrade`?"), "{error}");
    let error = run(&TOOL, &demo, json!({"vmid": 103, "name": "any"})).unwrap_err().to_string();
    assert!(error.contains("no snapshot at all"), "{error}");
    let script = on("lvm", "web").data("GET /nodes/pve1/qemu/101/config", json!({"lock": "backup"}));
    let locked = Script::new()
        .data("GET /cluster/resources", json!([{"type": "qemu", "vmid": 101, "node": "pve1", "status": "running"}]))
        .data("GET /nodes/pve1/qemu/101/snapshot", json!([{"name": "first", "snaptime": 1}]))
        .data("GET /nodes/pve1/qemu/101/config", json!({"lock": "backup"}));
    let error = run(&TOOL, &locked, json!({"vmid": 101, "name": "first"})).unwrap_err().to_string();
    assert!(error.contains("is locked (backup)"), "{error}");
    assert!(demo.changes().is_empty() && script.changes().is_empty());
}

#[test]
fn hostile_names_are_shown_tame() {
    for hostile in HOSTILE {
        let shown = text(&TOOL, &on("lvm", hostile), json!({"vmid": 101, "name": "first", "dry_run": true}));
        assert_tame(&shown);
    }
}

#[test]
fn the_older_names_work() {
    let demo = Demo::new();
    snapshot(&demo, 108, "back");
    for (name, node, vmid, snapname) in [
        ("proxmox_rollback_snapshot_vm", "pve1", "101", "before-upgrade"),
        ("proxmox_rollback_snapshot_lxc", "pve2", "108", "back"),
    ] {
        let arguments: Value = json!({"node": node, "vmid": vmid, "snapname": snapname});
        let step = catalogue::call(&demo, NOW_MS, name, &arguments.to_string()).unwrap();
        let Step::Pending(state, _) = step else { panic!("{step:?}") };
        assert!(matches!(catalogue::resume(&demo, NOW_MS + 2000, &state).unwrap(), Step::Done(_)));
    }
    assert_eq!(demo.get("/nodes/pve1/qemu/101/status/current")["status"], "stopped");
    assert!(demo.changes().iter().any(|change| change.ends_with("/lxc/108/snapshot/back/rollback")));
}
