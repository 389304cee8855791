//! The names and parameters of the server that this one began from: each of them works.

use serde_json::{Value, json};

use super::*;
use crate::testing::{Demo, NOW_MS};

/// Runs a call to its end, as an older client makes it.
fn finish(demo: &Demo, name: &str, arguments: &Value) -> Result<String, Error> {
    let mut step = call(demo, NOW_MS, name, &arguments.to_string())?;
    for later in 1..200 {
        match step {
            Step::Done(output) => return Ok(output.text),
            Step::Pending(continuation, _) => step = resume(demo, NOW_MS + later * 2000, &continuation)?,
        }
    }
    panic!("{name} never ends")
}

/// A call that has to come before, as name and arguments.
type Before = Option<(&'static str, Value)>;

const CT: &str = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst";

fn calls() -> Vec<(&'static str, Value, Before)> {
    let vm = |more: Value| merged(json!({"node": "pve1", "vmid": "101"}), more);
    let ct = |more: Value| merged(json!({"node": "pve2", "vmid": "108"}), more);
    let snapshot_vm = || Some(("proxmox_create_snapshot_vm", vm(json!({"snapname": "before"}))));
    let snapshot_ct = || Some(("proxmox_create_snapshot_lxc", ct(json!({"snapname": "before"}))));
    vec![
        ("proxmox_get_nodes", json!({}), None),
        ("proxmox_get_node_status", json!({"node": "pve1"}), None),
        ("proxmox_get_vms", json!({"node": "pve1", "type": "qemu"}), None),
        ("proxmox_get_vm_status", vm(json!({"type": "qemu"})), None),
        ("proxmox_execute_vm_command", vm(json!({"command": "uname", "type": "qemu", "wait": true})), None),
        ("proxmox_get_storage", json!({"node": "pve1"}), None),
        ("proxmox_get_cluster_status", json!({}), None),
        ("proxmox_list_templates", json!({"node": "pve1", "storage": "local"}), None),
        ("proxmox_get_next_vmid", json!({}), None),
        ("proxmox_start_lxc", ct(json!({})), None),
        ("proxmox_start_vm", vm(json!({})), None),
        ("proxmox_stop_lxc", json!({"node": "pve2", "vmid": "102"}), None),
        ("proxmox_stop_vm", vm(json!({})), None),
        ("proxmox_delete_lxc", ct(json!({})), None),
        ("proxmox_delete_vm", vm(json!({})), Some(("proxmox_stop_vm", vm(json!({}))))),
        ("proxmox_reboot_lxc", json!({"node": "pve2", "vmid": "102"}), None),
        ("proxmox_reboot_vm", vm(json!({})), None),
        ("proxmox_shutdown_lxc", json!({"node": "pve2", "vmid": "102"}), None),
        ("proxmox_shutdown_vm", vm(json!({})), None),
        ("proxmox_pause_vm", vm(json!({})), None),
        ("proxmox_resume_vm", vm(json!({})), Some(("proxmox_pause_vm", vm(json!({}))))),
        ("proxmox_clone_lxc", ct(json!({"newid": "900", "hostname": "copy"})), None),
        ("proxmox_clone_vm", vm(json!({"newid": "900", "name": "copy"})), None),
        ("proxmox_resize_lxc", ct(json!({"memory": 1024, "cores": 2})), None),
        ("proxmox_resize_vm", vm(json!({"memory": 4096, "cores": 2})), None),
        ("proxmox_create_snapshot_lxc", ct(json!({"snapname": "before"})), None),
        ("proxmox_create_snapshot_vm", vm(json!({"snapname": "before"})), None),
        ("proxmox_list_snapshots_lxc", ct(json!({})), snapshot_ct()),
        ("proxmox_list_snapshots_vm", vm(json!({})), snapshot_vm()),
        ("proxmox_rollback_snapshot_lxc", ct(json!({"snapname": "before"})), snapshot_ct()),
        ("proxmox_rollback_snapshot_vm", vm(json!({"snapname": "before"})), snapshot_vm()),
        ("proxmox_delete_snapshot_lxc", ct(json!({"snapname": "before"})), snapshot_ct()),
        ("proxmox_delete_snapshot_vm", vm(json!({"snapname": "before"})), snapshot_vm()),
        (
            "proxmox_create_backup_lxc",
            ct(json!({"storage": "nfs-backup", "mode": "stop", "compress": "none"})),
            None,
        ),
        ("proxmox_create_backup_vm", vm(json!({"storage": "nfs-backup", "compress": "zstd"})), None),
        ("proxmox_list_backups", json!({"node": "pve1", "storage": "nfs-backup"}), None),
        (
            "proxmox_create_lxc",
            ct(
                json!({"vmid": "901", "ostemplate": CT, "hostname": "new", "memory": 512, "storage": "ceph-prod", "rootfs": "8"}),
            ),
            None,
        ),
        (
            "proxmox_create_vm",
            vm(
                json!({"vmid": "901", "name": "new", "memory": 512, "cores": 1, "sockets": 1, "disk_size": "8G",
                "storage": "ceph-prod", "ostype": "l26", "net0": "virtio,bridge=vmbr0"}),
            ),
            None,
        ),
        ("proxmox_resize_disk_vm", vm(json!({"disk": "scsi0", "size": "+1G"})), None),
        ("proxmox_resize_disk_lxc", ct(json!({"disk": "rootfs", "size": "+1G"})), None),
        ("proxmox_add_disk_vm", vm(json!({"disk": "scsi5", "storage": "ceph-prod", "size": "10"})), None),
        (
            "proxmox_add_mountpoint_lxc",
            ct(json!({"mp": "mp3", "storage": "ceph-prod", "size": "10", "path": "/data"})),
            None,
        ),
        (
            "proxmox_remove_disk_vm",
            vm(json!({"disk": "scsi5"})),
            Some(("proxmox_add_disk_vm", vm(json!({"disk": "scsi5", "storage": "ceph-prod", "size": "10"})))),
        ),
        (
            "proxmox_remove_mountpoint_lxc",
            ct(json!({"mp": "mp3"})),
            Some((
                "proxmox_add_mountpoint_lxc",
                ct(json!({"mp": "mp3", "storage": "ceph-prod", "size": "10", "path": "/data"})),
            )),
        ),
        ("proxmox_move_disk_vm", vm(json!({"disk": "scsi0", "storage": "local-zfs", "delete": true})), None),
        (
            "proxmox_move_disk_lxc",
            ct(json!({"disk": "rootfs", "storage": "local-zfs", "delete": true})),
            None,
        ),
        (
            "proxmox_add_network_vm",
            vm(json!({"net": "net3", "bridge": "vmbr0", "model": "virtio", "vlan": 20, "firewall": true})),
            None,
        ),
        ("proxmox_add_network_lxc", ct(json!({"net": "net3", "bridge": "vmbr0", "ip": "dhcp"})), None),
        (
            "proxmox_update_network_vm",
            vm(json!({"net": "net0", "vlan": 20, "macaddr": "BC:24:11:00:00:42"})),
            None,
        ),
        ("proxmox_update_network_lxc", ct(json!({"net": "net0", "firewall": true})), None),
        ("proxmox_remove_network_vm", vm(json!({"net": "net0"})), None),
        ("proxmox_remove_network_lxc", ct(json!({"net": "net0"})), None),
        (
            "proxmox_generate_terraform",
            json!({"node": "pve1", "vmid": "101", "type": "qemu", "include_provider": true}),
            None,
        ),
        ("proxmox_get_vm_config", vm(json!({"type": "qemu"})), None),
        ("proxmox_whoami", json!({}), None),
        ("proxmox_migrate_vm", vm(json!({"target": "pve2", "type": "qemu", "online": true})), None),
        ("proxmox_get_guest_ips", vm(json!({})), None),
        ("proxmox_convert_to_template", ct(json!({"type": "lxc"})), None),
        ("proxmox_set_cloudinit", vm(json!({"ciuser": "admin", "ipconfig0": "ip=dhcp"})), None),
        ("proxmox_get_rrd_data", json!({"node": "pve1", "timeframe": "hour"}), None),
        ("proxmox_get_pools", json!({}), None),
        ("proxmox_get_ha_resources", json!({}), None),
        ("proxmox_get_firewall_rules", json!({"level": "cluster"}), None),
    ]
}

fn merged(mut one: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        one[name] = value.clone();
    }
    one
}

/// What an older client finds out first: a backup to restore or delete, a task to look at.
fn of_what_there_is(demo: &Demo) -> Vec<(&'static str, Value)> {
    let vm = json!({"node": "pve1", "vmid": "101"});
    finish(demo, "proxmox_create_backup_vm", &merged(vm, json!({"storage": "nfs-backup"}))).unwrap();
    finish(
        demo,
        "proxmox_create_backup_lxc",
        &json!({"node": "pve2", "vmid": "108", "storage": "nfs-backup"}),
    )
    .unwrap();
    let volumes = demo.get("/nodes/pve1/storage/nfs-backup/content?content=backup");
    let of = |kind: &str| {
        let volumes = volumes.as_array().unwrap().iter().rev();
        volumes.map(|row| row["volid"].as_str().unwrap()).find(|id| id.contains(kind)).unwrap().to_owned()
    };
    let upid = demo.get("/cluster/tasks")[0]["upid"].as_str().unwrap().to_owned();
    let node = upid.split(':').nth(1).unwrap().to_owned();
    vec![
        (
            "proxmox_restore_backup_vm",
            json!({"node": "pve1", "vmid": "902", "archive": of("qemu-101"), "storage": "ceph-prod"}),
        ),
        (
            "proxmox_restore_backup_lxc",
            json!({"node": "pve2", "vmid": "903", "archive": of("lxc-108"), "storage": "ceph-prod"}),
        ),
        ("proxmox_delete_backup", json!({"node": "pve1", "storage": "nfs-backup", "volume": of("qemu-101")})),
        ("proxmox_get_task_status", json!({"node": node, "upid": upid, "wait": true, "timeout": 10})),
    ]
}

#[test]
fn each_of_the_67_names_works_with_its_parameters() {
    let mut seen = std::collections::HashSet::new();
    let mut failed = Vec::new();
    for (name, arguments, before) in calls() {
        assert!(seen.insert(name), "{name} twice");
        let demo = Demo::new();
        if let Some((name, arguments)) = before {
            finish(&demo, name, &arguments).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        if let Err(error) = finish(&demo, name, &arguments) {
            failed.push(format!("{name}: {error}"));
        }
    }
    let demo = Demo::new();
    for (name, arguments) in of_what_there_is(&demo) {
        assert!(seen.insert(name), "{name} twice");
        if let Err(error) = finish(&demo, name, &arguments) {
            failed.push(format!("{name}: {error}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(seen.len(), 67);
}
