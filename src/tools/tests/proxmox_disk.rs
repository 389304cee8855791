use serde_json::Value;

use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, NOW_MS, finish, run, text};
use crate::tool::Output;

/// What a guest of the simulated cluster has under a key.
fn key(demo: &Demo, guest: &str, key: &str) -> String {
    demo.get(&format!("/nodes/{guest}/config"))[key].as_str().unwrap_or("none").to_owned()
}

const VM: &str = "pve1/qemu/101";
const CT: &str = "pve2/lxc/102";
const STOPPED_CT: &str = "pve2/lxc/108";

fn alias(demo: &Demo, name: &str, arguments: Value) -> Result<Output, Error> {
    let mut step = catalogue::call(demo, NOW_MS, name, &arguments.to_string())?;
    for later in 1..100 {
        match step {
            Step::Done(output) => return Ok(output),
            Step::Pending(state, _) => step = catalogue::resume(demo, NOW_MS + later * 2000, &state)?,
        }
    }
    panic!("{name} never ends")
}

#[test]
fn a_new_disk_takes_a_free_key_and_the_storage_of_the_first() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "action": "add", "size": "512M"})).unwrap();
    assert!(output.text.starts_with("💽 Disk `scsi1` of prod-web-01 (ID: 101)\n"), "{}", output.text);
    assert_eq!(key(&demo, VM, "scsi1"), "ceph-prod:vm-101-disk-1,size=512M");
    assert_eq!(output.data["undo"]["tool"], "proxmox_disk");
    // The VM runs all the while.
    let undo: Value = serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap();
    finish(&TOOL, &demo, undo).unwrap();
    assert_eq!(demo.get("/nodes/pve1/qemu/101/config")["scsi1"], Value::Null);
    let taken = run(&TOOL, &demo, json!({"vmid": 101, "action": "add", "disk": "scsi0", "size": "1G"}));
    let error = taken.unwrap_err().to_string();
    assert!(error.contains("has a `scsi0` already"), "{error}");
}

#[test]
fn a_mount_point_needs_its_path() {
    let demo = Demo::new();
    let without = run(&TOOL, &demo, json!({"vmid": 102, "action": "add", "size": "8G"})).unwrap_err().to_string();
    assert!(without.contains("`path` is missing") && without.contains("/mnt/mp0"), "{without}");
    finish(&TOOL, &demo, json!({"vmid": 102, "action": "add", "size": "8G", "path": "/srv/data"})).unwrap();
    let value = key(&demo, CT, "mp0");
    assert!(value.starts_with("local-zfs:subvol-102-disk-1") && value.contains("mp=/srv/data"), "{value}");
}

#[test]
fn a_disk_grows_and_never_shrinks() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"vmid": 101, "action": "grow", "disk": "scsi0", "size": "+10G"}));
    assert!(shown.contains("size = 80.0 GB") && shown.contains("inside the VM"), "{shown}");
    assert!(key(&demo, VM, "scsi0").ends_with("size=90G"), "{}", key(&demo, VM, "scsi0"));
    finish(&TOOL, &demo, json!({"vmid": 102, "action": "grow", "disk": "rootfs", "size": "40G"})).unwrap();
    assert!(key(&demo, CT, "rootfs").ends_with("size=40G"));
    let sent = demo.changes().len();
    let smaller = run(&TOOL, &demo, json!({"vmid": 101, "action": "grow", "disk": "scsi0", "size": "20G"}));
    let error = smaller.unwrap_err().to_string();
    assert!(error.contains("has 90.0 GB already and cannot be made smaller"), "{error}");
    let same = text(&TOOL, &demo, json!({"vmid": 101, "action": "grow", "disk": "scsi0", "size": "90G"}));
    assert!(same.contains("nothing was sent"), "{same}");
    assert_eq!(demo.changes().len(), sent);
}

#[test]
fn a_disk_moves_with_or_without_its_old_volume() {
    let demo = Demo::new();
    let go = |rest: Value| {
        let mut arguments = json!({"vmid": 101, "action": "move", "disk": "scsi0"});
        arguments.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        finish(&TOOL, &demo, arguments).unwrap()
    };
    let output = go(json!({"storage": "local-zfs", "delete_source": false}));
    assert!(output.text.contains("kept as unusedN"), "{}", output.text);
    assert!(key(&demo, VM, "scsi0").starts_with("local-zfs:"));
    assert!(key(&demo, VM, "unused0").starts_with("ceph-prod:"));
    assert!(output.data["undo"]["arguments"].as_str().unwrap().contains(r#""storage":"ceph-prod""#));
    go(json!({"storage": "ceph-prod"}));
    assert!(key(&demo, VM, "scsi0").starts_with("ceph-prod:"));
    assert_eq!(key(&demo, VM, "unused1"), "none");
    assert!(go(json!({"storage": "ceph-prod"})).text.contains("nothing was sent"));
    let running = run(&TOOL, &demo, json!({"vmid": 102, "action": "move", "disk": "rootfs", "storage": "local"}));
    assert!(running.unwrap_err().to_string().contains("only while it is off"));
}

#[test]
fn a_detached_disk_keeps_its_data_and_comes_back() {
    let demo = Demo::new();
    finish(&TOOL, &demo, json!({"vmid": 101, "action": "add", "size": "8G"})).unwrap();
    let before = key(&demo, VM, "scsi1");
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "action": "detach", "disk": "scsi1"})).unwrap();
    assert!(output.text.contains("all of it stays, as `unused0`"), "{}", output.text);
    assert_eq!(key(&demo, VM, "scsi1"), "none");
    assert!(before.starts_with(key(&demo, VM, "unused0").split(',').next().unwrap()));
    let undo: Value = serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap();
    finish(&crate::tools::proxmox_configure::TOOL, &demo, undo).unwrap();
    assert_eq!(key(&demo, VM, "scsi1"), before);
    finish(&TOOL, &demo, json!({"vmid": 101, "action": "detach", "disk": "scsi1"})).unwrap();
    finish(&TOOL, &demo, json!({"vmid": 101, "action": "attach", "disk": "unused0", "to": "virtio3"})).unwrap();
    assert!(key(&demo, VM, "virtio3").starts_with("ceph-prod:vm-101-disk-1"), "{}", key(&demo, VM, "virtio3"));
    let boot = text(&TOOL, &demo, json!({"vmid": 101, "action": "detach", "disk": "scsi0", "dry_run": true}));
    assert!(boot.contains("boots from `scsi0`"), "{boot}");
}

#[test]
fn nothing_but_a_size_can_be_a_size() {
    let demo = Demo::new();
    for size in ["vm-100-disk-0", "32G,ssd=1", "0", "-5G", "1e3", "8,backup=0"] {
        let error = run(&TOOL, &demo, json!({"vmid": 101, "action": "add", "size": size})).unwrap_err().to_string();
        assert!(error.contains("`size` is not valid"), "{size}: {error}");
    }
    for path in ["srv", "/", "/a,ro=1", "/a/../b", "/a//b", "/a b", "/a=b"] {
        let arguments = json!({"vmid": 102, "action": "add", "size": "1G", "path": path});
        let error = run(&TOOL, &demo, arguments).unwrap_err().to_string();
        assert!(error.contains("`path` is not valid"), "{path}: {error}");
    }
    assert!(demo.0.requests().is_empty());
}

#[test]
fn what_cannot_be_meant_is_refused_without_a_change() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"vmid": 101, "action": "add"}), "`size` is missing"),
        (json!({"vmid": 101, "action": "add", "size": "+1G"}), "without a plus"),
        (json!({"vmid": 101, "action": "add", "disk": "unused0", "size": "1G"}), "made by detaching"),
        (json!({"vmid": 101, "action": "add", "disk": "mp0", "size": "1G"}), "is a VM"),
        (json!({"vmid": 102, "action": "add", "disk": "scsi0", "size": "1G", "path": "/x"}), "is a container"),
        (json!({"vmid": 101, "action": "add", "size": "1G", "path": "/x"}), "leave `path` out"),
        (json!({"vmid": 102, "action": "add", "size": "1G", "path": "/x", "format": "qcow2"}), "is for disks of VMs"),
        (json!({"vmid": 101, "action": "grow", "size": "1G"}), "`disk` is missing"),
        (json!({"vmid": 101, "action": "grow", "disk": "scsi0"}), "`size` is missing"),
        (json!({"vmid": 101, "action": "grow", "disk": "scsi0", "size": "100"}), "needs its unit"),
        (json!({"vmid": 101, "action": "move", "disk": "scsi0"}), "`storage` is missing"),
        (json!({"vmid": 101, "action": "move", "disk": "scsi5", "storage": "local"}), "has no `scsi5`. It has `scsi0`"),
        (json!({"vmid": 101, "action": "attach", "disk": "scsi0"}), "an unused volume"),
        (json!({"vmid": 101, "action": "detach", "disk": "unused0"}), "can be attached"),
        (json!({"vmid": 102, "action": "detach", "disk": "rootfs"}), "cannot be without"),
        (json!({"vmid": 111, "action": "grow", "disk": "scsi0", "size": "+1G"}), "is locked (backup)"),
        (json!({"vmid": 111, "action": "add", "size": "1G"}), "is locked (backup)"),
    ] {
        let error = run(&TOOL, &demo, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(demo.changes().is_empty());
}

#[test]
fn a_dry_run_sends_nothing() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"vmid": 101, "action": "add", "size": 8, "dry_run": true}));
    assert!(shown.contains("POST /nodes/pve1/qemu/101/config scsi1=ceph-prod:8 digest="), "{shown}");
    assert!(demo.changes().is_empty());
}

#[test]
fn the_older_names_work() {
    let demo = Demo::new();
    let vm = |rest: Value| with(json!({"node": "pve1", "vmid": "101"}), rest);
    let ct = |rest: Value| with(json!({"node": "pve2", "vmid": "108"}), rest);
    alias(&demo, "proxmox_add_disk_vm", vm(json!({"disk": "scsi2", "storage": "local-zfs", "size": "32"}))).unwrap();
    assert_eq!(key(&demo, VM, "scsi2"), "local-zfs:vm-101-disk-0,size=32G");
    alias(&demo, "proxmox_resize_disk_vm", vm(json!({"disk": "scsi2", "size": "+1G"}))).unwrap();
    assert!(key(&demo, VM, "scsi2").ends_with("size=33G"));
    alias(&demo, "proxmox_move_disk_vm", vm(json!({"disk": "scsi2", "storage": "ceph-prod", "delete": false}))).unwrap();
    assert!(key(&demo, VM, "unused0").starts_with("local-zfs:"));
    let output = alias(&demo, "proxmox_remove_disk_vm", vm(json!({"disk": "scsi2"}))).unwrap();
    assert!(output.text.contains("all of it stays, as `unused1`"), "{}", output.text);

    let mp = json!({"mp": "mp0", "storage": "local-zfs", "size": "8", "path": "/data"});
    alias(&demo, "proxmox_add_mountpoint_lxc", ct(mp)).unwrap();
    let pathless = alias(&demo, "proxmox_add_mountpoint_lxc", ct(json!({"mp": "mp1", "storage": "local-zfs", "size": "8"})));
    assert!(pathless.unwrap_err().to_string().contains("`path` is missing"));
    alias(&demo, "proxmox_resize_disk_lxc", ct(json!({"disk": "mp0", "size": "9G"}))).unwrap();
    assert!(key(&demo, STOPPED_CT, "mp0").contains("size=9G"), "{}", key(&demo, STOPPED_CT, "mp0"));
    let moved = alias(&demo, "proxmox_move_disk_lxc", ct(json!({"disk": "mp0", "storage": "ceph-prod", "delete": true})));
    moved.unwrap();
    assert!(key(&demo, STOPPED_CT, "mp0").starts_with("ceph-prod:"));
    alias(&demo, "proxmox_remove_mountpoint_lxc", ct(json!({"mp": "mp0"}))).unwrap();
    assert!(key(&demo, STOPPED_CT, "unused0").starts_with("ceph-prod:"));
}

fn with(mut arguments: Value, rest: Value) -> Value {
    arguments.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    arguments
}

#[test]
fn a_mount_point_of_a_running_container_waits_for_its_restart() {
    let demo = Demo::new();
    let add = |vmid: u32| json!({"vmid": vmid, "action": "add", "disk": "mp4", "size": "1G", "path": "/x"});
    let shown = text(&TOOL, &demo, add(102));
    assert!(shown.contains("Mounted at: `/x`") && shown.contains("`mp4` is not yet in effect"), "{shown}");
    let shown = text(&TOOL, &demo, add(108));
    assert!(!shown.contains("not yet in effect"), "{shown}");
    demo.0.answer("POST", "/api2/json/nodes/pve2/lxc/108/status/start", Some(""));
    let before = key(&demo, STOPPED_CT, "mp4");
    let output = finish(&TOOL, &demo, json!({"vmid": 108, "action": "detach", "disk": "mp4"})).unwrap();
    assert!(output.text.contains("`mp4` is not yet in effect"), "{}", output.text);
    let undo: Value = serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap();
    finish(&crate::tools::proxmox_configure::TOOL, &demo, undo).unwrap();
    assert_eq!(key(&demo, STOPPED_CT, "mp4"), before);
}
