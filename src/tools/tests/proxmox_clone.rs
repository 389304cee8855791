use serde_json::{Value, json};

use super::*;
use crate::testing::{Demo, by_name, finish, run, text};

#[test]
fn a_template_becomes_a_linked_clone_and_a_vm_a_full_copy() {
    let demo = Demo::new();
    let linked = finish(&TOOL, &demo, json!({"vmid": 109, "name": "web-09"})).unwrap();
    assert!(linked.text.starts_with("🧬 Clone of debian-12-template (ID: 109): web-09 (ID: 112)\n"), "{}", linked.text);
    assert!(linked.text.contains("Kind: linked to the template") && linked.text.contains("Disks: scsi0 16.0 GB"), "{}", linked.text);
    assert_eq!(linked.data["undo"]["arguments"], r#"{"vmid":112,"confirm":"web-09"}"#);
    assert_eq!(demo.get("/nodes/pve2/qemu/112/config")["name"], "web-09");
    assert_eq!(demo.get("/nodes/pve2/qemu/112/status/current")["status"], "stopped");

    let full = finish(&TOOL, &demo, json!({"vmid": 101, "newid": 300, "storage": "local-zfs", "snapshot": "before-upgrade",
                                          "pool": "development", "description": "a copy"})).unwrap();
    assert!(full.text.contains("Kind: full copy") && full.text.contains("Storage: local-zfs"), "{}", full.text);
    let config = demo.get("/nodes/pve1/qemu/300/config");
    assert!(config["scsi0"].as_str().unwrap().starts_with("local-zfs:") && config["description"] == "a copy", "{config}");
}

/// What a dry run would send.
fn sent(arguments: Value) -> String {
    let demo = Demo::new();
    let mut arguments = arguments;
    arguments["dry_run"] = json!(true);
    let shown = text(&TOOL, &demo, arguments);
    assert!(demo.changes().is_empty());
    shown.lines().find(|line| line.contains("POST ")).unwrap().to_owned()
}

#[test]
fn what_is_sent_fits_the_kind_of_clone() {
    assert!(sent(json!({"vmid": 109})).contains("POST /nodes/pve2/qemu/109/clone newid=112`"));
    assert!(sent(json!({"vmid": 109, "full": true})).contains("newid=112 full=1"));
    let snapshot = sent(json!({"vmid": 101, "full": false, "snapshot": "before-upgrade"}));
    assert!(snapshot.contains("newid=112 full=0 snapname=before-upgrade"), "{snapshot}");
    let moved = sent(json!({"vmid": 109, "storage": "ceph-prod", "target": "pve3"}));
    assert!(moved.contains("full=1 target=pve3 storage=ceph-prod"), "{moved}");
    let container = sent(json!({"vmid": 108, "name": "wiki-2"}));
    assert!(container.contains("POST /nodes/pve2/lxc/108/clone newid=112 hostname=wiki-2 full=1"), "{container}");
}

#[test]
fn what_does_not_fit_is_told_before_anything_is_sent() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"vmid": 101, "full": false}), "is no template"),
        (json!({"vmid": 109, "full": false, "storage": "ceph-prod"}), "stays on the storage of its source"),
        (json!({"vmid": 109, "newid": 101}), "`newid` 101 is taken, by prod-web-01 (ID: 101)"),
        (json!({"vmid": 111}), "is locked (backup)"),
        (json!({"vmid": 102}), "is a running container"),
        (json!({"vmid": 107, "target": "pve3"}), "`scsi0` of build-runner-01 (ID: 107) is on local-zfs, which only node `pve1` has"),
        (json!({"vmid": 109, "target": "pve8"}), "There is no node `pve8`"),
        (json!({"vmid": 1099}), "There is no guest 1099"),
    ] {
        let error = run(&TOOL, &demo, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(demo.changes().is_empty());
    let shown = text(&TOOL, &demo, json!({"vmid": 109, "name": "wiki", "dry_run": true}));
    assert!(shown.contains("wiki (ID: 108) has the same name"), "{shown}");
}

#[test]
fn the_older_names_do_the_same() {
    let demo = Demo::new();
    by_name("proxmox_clone_vm", &demo, json!({"node": "pve2", "vmid": "109", "newid": "300", "name": "web-09"}));
    assert_eq!(demo.get("/nodes/pve2/qemu/300/config")["name"], "web-09");
    by_name("proxmox_clone_lxc", &demo, json!({"node": "pve2", "vmid": "108", "newid": "301", "hostname": "wiki-2"}));
    assert_eq!(demo.get("/nodes/pve2/lxc/301/config")["hostname"], "wiki-2");
}
