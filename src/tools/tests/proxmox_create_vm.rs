use proxmox_sim::{Fault, FaultKind, Options};
use serde_json::{Value, json};

use super::*;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, finish, run, text};

const ISO: &str = "local:iso/debian-12.9.0-amd64-netinst.iso";

#[test]
fn a_vm_is_made_of_what_was_asked_for() {
    let demo = Demo::new();
    let output = finish(
        &TOOL,
        &demo,
        json!({"vmid": 500, "node": "pve3", "name": "web-02", "memory": 4096, "cores": 2, "sockets": 2, "disk_size": "1T",
               "storage": "local-zfs", "iso": ISO, "bridge": "vmbr0", "vlan": 20, "tags": ["Web", "prod"],
               "description": "made for a test", "onboot": true, "pool": "development"}),
    )
    .unwrap();
    assert!(output.text.starts_with("🖥️ New VM: web-02 (ID: 500)\n"), "{}", output.text);
    assert!(output.text.contains("Disk: 1024G on local-zfs, as scsi0"), "{}", output.text);
    assert_eq!(output.data["undo"]["arguments"], r#"{"vmid":500,"confirm":"web-02"}"#);
    let config = demo.get("/nodes/pve3/qemu/500/config");
    for (key, expected) in [
        ("name", "web-02"),
        ("memory", "4096"),
        ("ide2", &format!("{ISO},media=cdrom")),
        ("tags", "prod;web"),
        ("boot", "order=scsi0;ide2"),
        ("description", "made for a test"),
    ] {
        assert!(config[key].as_str().unwrap().starts_with(expected), "{key}: {config}");
    }
    assert!(config["scsi0"].as_str().unwrap().contains("size=1T") || config["scsi0"].as_str().unwrap().contains("size=1024G"));
    assert!(config["net0"].as_str().unwrap().contains("bridge=vmbr0,tag=20"), "{config}");
    assert_eq!(demo.get("/nodes/pve3/qemu/500/status/current")["status"], "stopped");
    assert_eq!(demo.changes(), ["POST /nodes/pve3/qemu"]);
}

/// The parameters that a dry run would send.
fn sent(arguments: Value) -> String {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, arguments);
    assert!(demo.changes().is_empty());
    shown.lines().find(|line| line.contains("POST /nodes/")).unwrap().to_owned()
}

#[test]
fn a_size_has_a_unit_and_a_plain_number_is_gib() {
    for (size, expected) in [
        (json!("8G"), "scsi0=local-zfs:8 "),
        (json!(32), "scsi0=local-zfs:32 "),
        (json!("512M"), "scsi0=local-zfs:0.5 "),
        (json!("2T"), "scsi0=local-zfs:2048 "),
    ] {
        let line = sent(json!({"disk_size": size, "storage": "local-zfs", "dry_run": true}));
        assert!(line.contains(expected), "{size}: {line}");
    }
    for (size, expected) in [("+8G", "without `+`"), ("8G,ssd=1", "`disk_size` is not valid"), ("8 G", "not valid")] {
        let error = run(&TOOL, &Script::new(), json!({"disk_size": size})).unwrap_err().to_string();
        assert!(error.contains(expected), "{size}: {error}");
    }
}

#[test]
fn the_originals_call_works_as_it_is() {
    let line = sent(json!({"node": "pve1", "vmid": "500", "name": "web-02", "memory": 512, "cores": 1, "sockets": 1,
                           "disk_size": "8G", "storage": "local-zfs", "ostype": "l26", "net0": "virtio,bridge=vmbr0",
                           "dry_run": true}));
    for part in ["vmid=500 name=web-02 memory=512 cores=1 sockets=1 ostype=l26", "scsi0=local-zfs:8", "net0=virtio,bridge=vmbr0"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[test]
fn windows_gets_what_its_installer_knows() {
    let line = sent(json!({"ostype": "win11", "storage": "ceph-prod", "disk_size": "64G", "dry_run": true}));
    for part in [
        "sata0=ceph-prod:64",
        "net0=e1000,bridge=vmbr0",
        "bios=ovmf machine=q35 efidisk0=ceph-prod:1,efitype=4m,pre-enrolled-keys=1 tpmstate0=ceph-prod:1,version=v2.0",
        "boot=order=sata0;net0",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!sent(json!({"ostype": "win10", "dry_run": true})).contains("efidisk0"));
    assert!(sent(json!({"bios": "ovmf", "dry_run": true})).contains("efidisk0"));
}

#[test]
fn cloud_init_has_a_drive_and_no_password_is_shown() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfakekeyfakekeyfakekeyfakekeyfake a@b";
    let arguments = json!({"name": "ci-01", "storage": "ceph-prod", "ciuser": "admin", "cipassword": "s3cret-pass", "sshkeys": key,
                           "ipconfig0": "ip=10.0.0.5/24,gw=10.0.0.1"});
    let demo = Demo::new();
    let mut dry = arguments.clone();
    dry["dry_run"] = json!(true);
    let shown = finish(&TOOL, &demo, dry).unwrap();
    let made = finish(&TOOL, &demo, arguments).unwrap();
    for output in [&shown, &made] {
        assert!(!output.text.contains("s3cret") && !output.data.to_string().contains("s3cret"), "{}", output.text);
    }
    assert!(shown.text.contains("ide0=ceph-prod:cloudinit ciuser=admin cipassword=(not shown)"), "{}", shown.text);
    assert!(shown.text.contains("sshkeys=ssh-ed25519%20AAAA"), "{}", shown.text);
    let node = made.data["node"].as_str().unwrap();
    let config = demo.get(&format!("/nodes/{node}/qemu/112/config"));
    assert_eq!((&config["ciuser"], &config["ipconfig0"]), (&json!("admin"), &json!("ip=10.0.0.5/24,gw=10.0.0.1")));
}

#[test]
fn a_place_is_chosen_and_said() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    let output = finish(&TOOL, &demo, json!({"name": "web-02", "storage": "local-zfs"})).unwrap();
    assert!(output.text.contains("Node chosen: ") && output.text.contains("most free memory of 16"), "{}", output.text);
    assert!(output.text.len() + output.data.to_string().len() <= 4096);
    let rows = demo.get("/cluster/resources");
    let free = |node: &Value| node["maxmem"].as_f64().unwrap() - node["mem"].as_f64().unwrap();
    let nodes = rows.as_array().unwrap().iter().filter(|row| row["type"] == "node");
    let best = nodes.max_by(|a, b| free(a).total_cmp(&free(b))).unwrap();
    assert_eq!(output.data["node"], best["node"]);

    let demo = Demo::new();
    demo.0.fault(Fault::always("", FaultKind::NodeDown("pve2".to_owned())));
    let output = finish(&TOOL, &demo, json!({"name": "web-02", "dry_run": true})).unwrap();
    assert!(output.data["node"] != "pve2" && output.text.contains("of 2 that fit"), "{}", output.text);
    let error = run(&TOOL, &demo, json!({"node": "pve2"})).unwrap_err().to_string();
    assert!(error.contains("Node `pve2` is offline"), "{error}");
}

#[test]
fn what_does_not_fit_is_told_before_anything_is_sent() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"vmid": 101}), "is taken, by prod-web-01 (ID: 101)"),
        (json!({"node": "pve9"}), "There is no node `pve9`"),
        (json!({"storage": "ceph-prd"}), "Did you mean `ceph-prod`?"),
        (json!({"node": "pve1", "storage": "nosuch"}), "There is no storage `nosuch` on node `pve1`. These there would do"),
        (json!({"storage": "nfs-backup"}), "takes no disks of this kind of guest"),
        (json!({"node": "pve1", "iso": "local:iso/debian-12.9.0-amd64.iso"}), "Did you mean `local:iso/debian-12.9.0"),
        (json!({"net0": "virtio,bridge=vmbr0", "vlan": 5}), "leave `bridge` and `vlan` out"),
        (json!({"net0": "virtio,script=/x"}), "`net0` is not valid"),
        (json!({"name": "web_1"}), "`name` is not valid"),
        (json!({"tags": ["a=b"]}), "cannot be a tag"),
        (json!({"sshkeys": "-----BEGIN OPENSSH PRIVATE KEY-----"}), "private key"),
        (json!({"ostype": "linux"}), "one of `l26`"),
    ] {
        let error = run(&TOOL, &demo, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(demo.changes().is_empty());
}

#[test]
fn what_looks_wrong_is_a_warning() {
    let demo = Demo::new();
    let shown = text(
        &TOOL,
        &demo,
        json!({"name": "prod-web-01", "storage": "local-zfs", "disk_size": "20T", "memory": 4_000_000, "start": true,
               "dry_run": true}),
    );
    for part in
        ["prod-web-01 (ID: 101) has the same name", "the disk may grow to 20480G", "of free memory only", "nothing to boot from"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

/// A cluster of one node, as far as this tool looks at it.
fn world(storages: Value) -> Script {
    Script::new()
        .data("GET /cluster/resources", json!([{"type": "node", "node": "pve1", "status": "online"}]))
        .data("GET /cluster/nextid", json!("100"))
        .data("GET /nodes/pve1/storage?enabled=1", storages)
}

#[test]
fn a_bridge_is_looked_for_where_it_can_be_seen() {
    let network = "GET /nodes/pve1/network?type=any_bridge";
    let storages = json!([{"storage": "vmdata", "content": "images", "active": 1, "enabled": 1, "type": "dir"}]);
    let script = world(storages.clone()).data(network, json!([{"iface": "vmbr0"}, {"iface": "vmbr1"}]));
    let error = run(&TOOL, &script, json!({"bridge": "vmbr9"})).unwrap_err().to_string();
    assert!(error.contains("has no bridge `vmbr9`") && error.contains("It has vmbr0, vmbr1."), "{error}");
    assert!(text(&TOOL, &script, json!({"bridge": "vmbr1", "dry_run": true})).contains("virtio,bridge=vmbr1"));
    let script = world(storages.clone()).error(network, 595, "");
    assert!(text(&TOOL, &script, json!({"dry_run": true})).contains("`vmbr0` was not checked: the node does not answer"));
    let shown = text(&TOOL, &world(storages), json!({"bridge": "none", "dry_run": true}));
    assert!(shown.contains("Network: none") && !shown.contains("net0="), "{shown}");
}

#[test]
fn a_disk_that_cannot_grow_needs_its_room_now() {
    let thick = json!([{"storage": "san", "content": "images", "active": 1, "type": "lvm", "avail": 1_073_741_824}]);
    let error = run(&TOOL, &world(thick), json!({"bridge": "none"})).unwrap_err().to_string();
    assert!(error.contains("`san` has 1.0 GB of free space only, and the disk takes 8G"), "{error}");
    let none = json!([{"storage": "san", "content": "images", "active": 0}, {"storage": "b1", "content": "backup"}]);
    let error = run(&TOOL, &world(none), json!({"bridge": "none"})).unwrap_err().to_string();
    assert!(error.contains("no storage that takes disks"), "{error}");
}

#[test]
fn hostile_names_are_tame() {
    for words in HOSTILE {
        let storages = json!([{"storage": words, "content": "images", "active": 1}]);
        let network = json!([{"iface": words}]);
        let script = world(storages)
            .data("GET /nodes/pve1/network?type=any_bridge", network)
            .data("GET /nodes/pve1/storage/local/content?content=iso", json!([{"volid": words}]));
        for arguments in [json!({}), json!({"storage": "local-lvm"}), json!({"bridge": "vmbr9"})] {
            assert_tame(&run(&TOOL, &script, arguments).unwrap_err().to_string());
        }
        let storages = json!([{"storage": "vmdata", "content": "images", "active": 1}]);
        let script = world(storages)
            .data("GET /nodes/pve1/network?type=any_bridge", json!([{"iface": words}]))
            .data("GET /nodes/pve1/storage/vmdata/content?content=iso", json!([{"volid": words}]));
        for arguments in [json!({"node": "pve1", "iso": "vmdata:iso/a.iso"}), json!({"bridge": "vmbr9"})] {
            assert_tame(&run(&TOOL, &script, arguments).unwrap_err().to_string());
        }
    }
}

#[test]
fn an_id_that_somebody_unseen_has_is_taken() {
    let script = Script::new()
        .data("GET /cluster/resources", json!([{"type": "node", "node": "pve1", "status": "online"}]))
        .error("GET /cluster/nextid?vmid=150", 400, "Parameter verification failed.");
    let error = run(&TOOL, &script, json!({"vmid": 150})).unwrap_err().to_string();
    assert!(error.contains("`vmid` 150 is taken"), "{error}");
}
