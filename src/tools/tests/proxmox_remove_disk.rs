use serde_json::{Value, json};

use super::*;
use crate::testing::{Demo, Script, finish, run, text};
use crate::tools::proxmox_disk;

fn config(demo: &Demo, guest: &str) -> Value {
    demo.get(&format!("/nodes/{guest}/config"))
}

#[test]
fn an_unused_volume_is_destroyed_and_named_with_its_size() {
    let demo = Demo::new();
    finish(&proxmox_disk::TOOL, &demo, json!({"vmid": 101, "action": "add", "size": "8G"})).unwrap();
    finish(&proxmox_disk::TOOL, &demo, json!({"vmid": 101, "action": "detach", "disk": "scsi1"})).unwrap();
    let volume = config(&demo, "pve1/qemu/101")["unused0"].as_str().unwrap().to_owned();
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "disk": "unused0"})).unwrap();
    let lost = output.data["lost"][0].as_str().unwrap();
    assert!(lost.contains(volume.split(',').next().unwrap()) && lost.contains("8.0 GB"), "{lost}");
    assert!(output.text.contains("Lost: "), "{}", output.text);
    assert_eq!(config(&demo, "pve1/qemu/101")["unused0"], Value::Null);
    assert_eq!(output.data.get("undo"), None);
}

#[test]
fn a_disk_in_use_goes_only_while_the_guest_is_off() {
    let demo = Demo::new();
    let error = run(&TOOL, &demo, json!({"vmid": 101, "disk": "scsi0"})).unwrap_err().to_string();
    assert!(error.contains("is running and uses `scsi0`"), "{error}");
    assert!(demo.changes().is_empty());
    let add = json!({"vmid": 108, "action": "add", "size": "8G", "path": "/data"});
    finish(&proxmox_disk::TOOL, &demo, add).unwrap();
    let shown = text(&TOOL, &demo, json!({"vmid": 108, "disk": "mp0", "dry_run": true}));
    assert!(shown.contains("delete=mp0 digest=") && shown.contains("delete=unused0"), "{shown}");
    let output = finish(&TOOL, &demo, json!({"vmid": 108, "disk": "mp0"})).unwrap();
    assert!(output.text.contains("8.0 GB"), "{}", output.text);
    let now = config(&demo, "pve2/lxc/108");
    assert_eq!((&now["mp0"], &now["unused0"]), (&Value::Null, &Value::Null));
    assert!(now["rootfs"].is_string());
}

#[test]
fn what_is_not_to_be_destroyed_is_refused() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"vmid": 108, "disk": "rootfs"}), "cannot be without its `rootfs`"),
        (json!({"vmid": 100, "disk": "scsi0"}), "is protected"),
        (json!({"vmid": 101, "disk": "scsi9"}), "has no `scsi9`"),
        (json!({"vmid": 111, "disk": "scsi0"}), "is locked"),
    ] {
        let error = run(&TOOL, &demo, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(demo.changes().is_empty());
}

fn guest(config: Value) -> Script {
    let rows = json!([{"type": "qemu", "vmid": 101, "node": "pve1", "name": "web", "status": "stopped"},
        {"type": "node", "node": "pve1", "status": "online"}]);
    Script::new()
        .data("GET /cluster/resources", rows)
        .data("GET /nodes/pve1/qemu/101/config", config)
        .data("GET /nodes/pve1/qemu/101/status/current", json!({"status": "stopped"}))
}

#[test]
fn a_volume_of_another_guest_a_path_and_a_drive_are_left_alone() {
    for (value, expected) in [
        ("ceph:vm-100-disk-0,size=8G", "belongs to another guest"),
        ("ceph:vm-1011-disk-0,size=8G", "belongs to another guest"),
        ("/dev/sdb,size=8G", "no volume of a storage"),
        ("local:iso/x.iso,media=cdrom", "CD or cloud-init drive"),
    ] {
        let script = guest(json!({"scsi1": value, "digest": "abc"}));
        let error = run(&TOOL, &script, json!({"vmid": 101, "disk": "scsi1"})).unwrap_err().to_string();
        assert!(error.contains(expected), "{value}: {error}");
        assert!(script.changes().is_empty());
    }
}

#[test]
fn a_volume_that_stays_after_all_is_named() {
    let script = guest(json!({"scsi1": "ceph:vm-101-disk-1,size=8G", "digest": "abc"}))
        .data("GET /nodes/pve1/qemu/101/config", json!({"unused0": "ceph:vm-101-disk-1", "digest": "def"}))
        .data("PUT /nodes/pve1/qemu/101/config", Value::Null)
        .error("POST /nodes/pve1/qemu/101/config", 500, "checksum mismatch (file change by other user?)");
    let error = run(&TOOL, &script, json!({"vmid": 101, "disk": "scsi1"})).unwrap_err().to_string();
    assert!(error.contains("was not destroyed and stays with the guest as unusedN"), "{error}");
    assert_eq!(
        script.changes(),
        [
            "PUT /nodes/pve1/qemu/101/config delete=scsi1&digest=abc",
            "POST /nodes/pve1/qemu/101/config delete=unused0&digest=def"
        ]
    );
}
