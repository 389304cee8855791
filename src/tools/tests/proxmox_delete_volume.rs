use serde_json::json;

use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, NOW_MS, Script, finish, run, text};

const BACKUP: &str = "nfs-backup:backup/vzdump-qemu-101-2026_11_21-02_00_00.vma.zst";

fn volumes_of(demo: &Demo, path: &str) -> Vec<String> {
    let rows = demo.get(path);
    rows.as_array().unwrap().iter().map(|row| row["volid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_backup_is_deleted_and_what_is_left_is_said() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"volume": BACKUP})).unwrap();
    assert!(output.text.contains("Result: done"), "{}", output.text);
    assert!(output.text.contains("Lost: This backup of guest 101."), "{}", output.text);
    assert!(output.text.contains("Backups left: 2 of guest 101 on nfs-backup"), "{}", output.text);
    assert!(!volumes_of(&demo, "/nodes/pve1/storage/nfs-backup/content").contains(&BACKUP.to_owned()));
}

#[test]
fn the_older_name_takes_its_parameters() {
    for volume in [BACKUP, BACKUP.split_once(':').unwrap().1] {
        let demo = Demo::new();
        let arguments = json!({"node": "pve2", "storage": "nfs-backup", "volume": volume, "wait": false});
        let step = catalogue::call(&demo, NOW_MS, "proxmox_delete_backup", &arguments.to_string()).unwrap();
        assert!(matches!(step, Step::Done(_)));
        assert_eq!(demo.changes().len(), 1);
        assert!(demo.changes()[0].starts_with("DELETE /nodes/pve2/storage/nfs-backup/content/nfs-backup%3Abackup%2F"));
    }
}

#[test]
fn a_disk_of_a_guest_is_never_deleted() {
    for disk in ["ceph-prod:vm-101-disk-0", "local:101/vm-101-disk-0.qcow2", "local-zfs:subvol-102-disk-0", "a1:b"] {
        let script = Script::new();
        let error = run(&TOOL, &script, json!({"volume": disk})).unwrap_err().to_string();
        assert!(error.contains("proxmox_remove_disk"), "{disk}: {error}");
        assert!(script.sent().is_empty());
    }
}

#[test]
fn a_file_that_several_nodes_have_needs_the_node() {
    let demo = Demo::new();
    let iso = "local:iso/virtio-win-0.1.266.iso";
    let error = run(&TOOL, &demo, json!({"volume": iso})).unwrap_err().to_string();
    assert!(error.contains("`node` is needed") && error.contains("pve1, pve2, pve3"), "{error}");
    let done = text(&TOOL, &demo, json!({"volume": iso, "node": "pve2"}));
    assert!(done.contains("Lost: The image.") && done.contains("Node: pve2"), "{done}");
    assert!(volumes_of(&demo, "/nodes/pve1/storage/local/content").contains(&iso.to_owned()));
    assert!(!volumes_of(&demo, "/nodes/pve2/storage/local/content").contains(&iso.to_owned()));
}

#[test]
fn what_is_not_there_is_not_deleted() {
    let demo = Demo::new();
    let missing = "nfs-backup:backup/vzdump-qemu-101-2026_11_21-02_00_01.vma.zst";
    let error = run(&TOOL, &demo, json!({"volume": missing})).unwrap_err();
    assert!(matches!(&error, Error::NotFound(text) if text.contains(&format!("Did you mean `{BACKUP}`?"))), "{error}");
    for (args, expected) in [
        (json!({"volume": "x"}), "it takes a volume id"),
        (json!({"volume": BACKUP, "storage": "local"}), "is not on `local`"),
        (json!({"volume": "nosuch:iso/a.iso"}), "There is no storage `nosuch`"),
    ] {
        let error = run(&TOOL, &demo, args).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(demo.changes().is_empty());
}

#[test]
fn protection_is_respected_and_the_only_backup_is_named() {
    let script = |protected: u8| {
        Script::new()
            .data(
                "GET /cluster/resources",
                json!([{"type": "storage", "storage": "nfs", "node": "a", "shared": 1, "status": "available",
                        "content": "backup"}]),
            )
            .data(
                "GET /nodes/a/storage/nfs/content?content=backup",
                json!([{"volid": "nfs:backup/x.vma", "content": "backup", "vmid": 101, "protected": protected}]),
            )
    };
    let locked = script(1);
    let error = run(&TOOL, &locked, json!({"volume": "nfs:backup/x.vma"})).unwrap_err().to_string();
    assert!(error.contains("is protected against deletion") && error.contains("protected=0"), "{error}");
    assert!(locked.changes().is_empty());
    let shown = text(&TOOL, &script(0), json!({"volume": "nfs:backup/x.vma", "dry_run": true}));
    assert!(shown.contains("Warning: It is the only backup of guest 101 on nfs."), "{shown}");
    assert!(shown.contains("Would be lost: This backup of guest 101."), "{shown}");
}
