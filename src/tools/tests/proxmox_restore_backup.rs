use serde_json::json;

use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, NOW_MS, finish, run, text};

const OF_VM: &str = "nfs-backup:backup/vzdump-qemu-101-2026_11_21-02_00_00.vma.zst";
const OF_CT: &str = "nfs-backup:backup/vzdump-lxc-102-2026_11_21-02_00_00.tar.zst";

fn stopped(vmid: u32) -> Demo {
    let demo = Demo::new();
    demo.0.with_world(|world| {
        let guest = world.guests.get_mut(&vmid).unwrap();
        (guest.running, guest.protection) = (false, false);
    });
    demo
}

#[test]
fn a_new_guest_is_made_of_a_backup() {
    let demo = Demo::new();
    let args = json!({"archive": OF_VM, "vmid": 500, "node": "pve2", "storage": "ceph-prod", "start": true});
    let output = finish(&TOOL, &demo, args).unwrap();
    assert!(output.text.starts_with("♻️ Restore as guest 500\n"), "{}", output.text);
    assert!(output.text.contains("Warning: Guest 101 is still there and has the same MAC"), "{}", output.text);
    assert_eq!(output.data["undo"]["tool"], "proxmox_delete");
    let config = demo.get("/nodes/pve2/qemu/500/config");
    assert!(config["scsi0"].as_str().unwrap().starts_with("ceph-prod:vm-500-disk-"), "{config}");
    assert_eq!(demo.get("/nodes/pve2/qemu/500/status/current")["status"], "running");
}

#[test]
fn the_older_names_restore_both_kinds() {
    for (name, archive, path) in [
        ("proxmox_restore_backup_vm", OF_VM, "/nodes/pve2/qemu/500/config"),
        ("proxmox_restore_backup_lxc", OF_CT, "/nodes/pve2/lxc/500/config"),
    ] {
        let demo = Demo::new();
        let arguments = json!({"node": "pve2", "vmid": "500", "archive": archive, "storage": "local-zfs"});
        let mut step = catalogue::call(&demo, NOW_MS, name, &arguments.to_string()).unwrap();
        while let Step::Pending(continuation, _) = step {
            step = catalogue::resume(&demo, NOW_MS + 5000, &continuation).unwrap();
        }
        assert!(demo.get(path)["net0"].is_string(), "{name}");
    }
}

#[test]
fn overwriting_says_what_is_lost() {
    let demo = stopped(101);
    let args = json!({"archive": OF_VM, "vmid": 101, "overwrite": true, "dry_run": true});
    let shown = text(&TOOL, &demo, args);
    assert!(shown.contains("Would be lost: What is on scsi0 (`ceph-prod:vm-101-disk-0`, 80G) now."), "{shown}");
    assert!(shown.contains("configuration since 2026-11-21 02:00 UTC, and the snapshots"), "{shown}");
    assert!(shown.contains("POST /nodes/pve1/qemu vmid=101 archive=nfs-backup"), "{shown}");
    assert!(demo.changes().is_empty());
    let output = finish(&TOOL, &demo, json!({"archive": OF_VM, "vmid": 101, "overwrite": true})).unwrap();
    assert!(output.text.contains("Result: done") && output.data.get("undo").is_none(), "{}", output.text);
    let snapshots = demo.get("/nodes/pve1/qemu/101/snapshot");
    assert_eq!(snapshots.as_array().unwrap().len(), 1, "only the present state: {snapshots}");
}

#[test]
fn what_may_not_be_replaced_is_not() {
    let of_100 = "nfs-backup:backup/vzdump-qemu-100-2026_11_21-02_00_00.vma.zst";
    let protected = Demo::new();
    protected.0.with_world(|world| world.guests.get_mut(&100).unwrap().running = false);
    for (demo, args, expected) in [
        (Demo::new(), json!({"archive": OF_VM, "vmid": 101}), "`overwrite` = true"),
        (Demo::new(), json!({"archive": OF_VM, "vmid": 101, "overwrite": true}), "is running"),
        (Demo::new(), json!({"archive": OF_VM, "vmid": 102, "overwrite": true}), "of its own kind"),
        (Demo::new(), json!({"archive": OF_VM, "vmid": 109, "overwrite": true}), "is a template"),
        (protected, json!({"archive": of_100, "vmid": 100, "overwrite": true}), "is protected"),
        (Demo::new(), json!({"archive": OF_VM, "vmid": 101, "node": "pve2", "overwrite": true}), "is on node `pve1`"),
    ] {
        let error = run(&TOOL, &demo, args).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(demo.changes().is_empty());
    }
}

#[test]
fn a_wrong_backup_storage_or_node_is_put_right() {
    let demo = Demo::new();
    let missing = "nfs-backup:backup/vzdump-qemu-101-2020_01_01-02_00_00.vma.zst";
    for (args, expected) in [
        (json!({"archive": missing, "vmid": 500, "node": "pve1"}), OF_VM),
        (json!({"archive": "local:iso/debian.iso", "vmid": 500}), "is not the name of a backup"),
        (json!({"archive": OF_VM, "vmid": 500}), "`node` is needed"),
        (json!({"archive": OF_VM, "vmid": 500, "node": "pve1", "storage": "local"}), "holds no images"),
        (json!({"archive": OF_CT, "vmid": 500, "node": "pve1", "storage": "nfs-backup"}), "holds no rootdir"),
    ] {
        let error = run(&TOOL, &demo, args).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert!(demo.changes().is_empty());
}
