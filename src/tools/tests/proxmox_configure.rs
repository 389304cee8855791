use serde_json::json;

use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, HOSTILE, NOW_MS, Script, assert_tame, finish, run, text};
use crate::tool::Output;

/// Calls under an older name, which never waits here.
fn alias(demo: &Demo, name: &str, arguments: Value) -> Result<Output, Error> {
    match catalogue::call(demo, NOW_MS, name, &arguments.to_string())? {
        Step::Done(output) => Ok(output),
        Step::Pending(..) => panic!("{name} waits"),
    }
}

#[test]
fn a_change_says_what_was_before_and_its_undo_puts_it_back() {
    let demo = Demo::new();
    let before = demo.get("/nodes/pve1/qemu/101/config");
    let output = finish(
        &TOOL,
        &demo,
        json!({"vmid": 101, "cores": 4, "memory": 65536, "add_tags": ["blue"], "set": {"balloon": 1024, "acpi": false}}),
    )
    .unwrap();
    assert!(output.text.contains("Before: "), "{}", output.text);
    assert!(output.text.contains("cores = 8"), "{}", output.text);
    let after = demo.get("/nodes/pve1/qemu/101/config");
    assert_eq!((&after["cores"], &after["memory"], &after["acpi"]), (&json!(4), &json!("65536"), &json!(0)));
    assert_eq!(after["tags"], "blue;prod;web");
    let undo: Value = serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(output.data["undo"]["tool"], "proxmox_configure");
    finish(&TOOL, &demo, undo).unwrap();
    let back = demo.get("/nodes/pve1/qemu/101/config");
    for key in ["cores", "memory", "tags", "balloon", "acpi"] {
        assert_eq!(back.get(key), before.get(key), "{key}");
    }
}

#[test]
fn what_is_so_already_is_not_sent() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "cores": 8, "add_tags": ["prod"], "delete": ["hookscript"]}));
    let output = output.unwrap();
    assert_eq!(output.data["changed"], false);
    assert!(output.text.contains("nothing was sent"), "{}", output.text);
    assert!(demo.changes().is_empty());
}

#[test]
fn a_dry_run_shows_the_request_with_the_digest_and_sends_none() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"vmid": 102, "memory": 2048, "name": "cache-2", "dry_run": true}));
    assert!(shown.contains("PUT /nodes/pve2/lxc/102/config hostname=cache-2 memory=2048 digest="), "{shown}");
    assert!(shown.contains("needs VM.Config"), "{shown}");
    assert!(demo.changes().is_empty());
}

#[test]
fn the_digest_goes_along_and_a_change_made_meanwhile_is_not_overwritten() {
    let rows = json!([{"type": "qemu", "vmid": 101, "node": "pve1", "name": "web", "status": "running"},
        {"type": "node", "node": "pve1", "status": "online"}]);
    let script = Script::new()
        .data("GET /cluster/resources", rows)
        .data("GET /nodes/pve1/qemu/101/config", json!({"cores": 2, "digest": "abc"}))
        .error("PUT /nodes/pve1/qemu/101/config", 500, "checksum mismatch (file change by other user?)");
    let error = run(&TOOL, &script, json!({"vmid": 101, "cores": 4})).unwrap_err().to_string();
    assert!(error.contains("nothing was overwritten"), "{error}");
    assert_eq!(script.changes(), ["PUT /nodes/pve1/qemu/101/config cores=4&digest=abc"]);
}

#[test]
fn what_waits_for_a_restart_is_said() {
    let rows = json!([{"type": "qemu", "vmid": 101, "node": "pve1", "name": "web", "status": "running"},
        {"type": "node", "node": "pve1", "status": "online"}]);
    let script = Script::new()
        .data("GET /cluster/resources", rows)
        .data("GET /nodes/pve1/qemu/101/config", json!({"cores": 2, "digest": "abc"}))
        .data("PUT /nodes/pve1/qemu/101/config", Value::Null)
        .data("GET /nodes/pve1/qemu/101/pending", json!([{"key": "cores", "value": 2, "pending": 4}, {"key": "bios", "pending": "ovmf"}]));
    let shown = text(&TOOL, &script, json!({"vmid": 101, "cores": 4}));
    assert!(shown.contains("`cores` is not yet in effect") && !shown.contains("bios"), "{shown}");
}

#[test]
fn wrong_keys_and_values_are_refused_before_a_change() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"vmid": 101}), "Nothing to change"),
        (json!({"vmid": 101, "set": {}}), "Nothing to change"),
        (json!({"vmid": 101, "set": {"memry": 1}}), "Did you mean `memory`?"),
        (json!({"vmid": 101, "set": {"digest": "x"}}), "no configuration key `digest`"),
        (json!({"vmid": 101, "set": {"skiplock": 1}}), "no configuration key `skiplock`"),
        (json!({"vmid": 102, "set": {"name": "x"}}), "Did you mean `hostname`?"),
        (json!({"vmid": 101, "delete": ["coress"]}), "Did you mean `cores`?"),
        (json!({"vmid": 101, "set": {"cpu": null}}), "name it in `delete`"),
        (json!({"vmid": 101, "set": {"cpu": ["x"]}}), "takes text"),
        (json!({"vmid": 101, "cores": 2, "set": {"cores": 3}}), "given twice"),
        (json!({"vmid": 101, "set": {"cpu": "host"}, "delete": ["cpu"]}), "say one of them"),
        (json!({"vmid": 101, "add_tags": ["a b"]}), "cannot be a tag"),
        (json!({"vmid": 111, "cores": 2}), "is locked (backup)"),
        (json!({"vmid": 102, "ciuser": "x"}), "has no cloud-init"),
    ] {
        let error = run(&TOOL, &demo, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(demo.changes().is_empty());
}

#[test]
fn no_disk_is_lost_by_the_way() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"vmid": 101, "delete": ["scsi0"]}), "`proxmox_disk` with `action` = `detach`"),
        (json!({"vmid": 101, "set": {"scsi0": "local-zfs:8"}}), "would take that disk away"),
        (json!({"vmid": 101, "set": {"scsi0": "ceph-prod:vm-100-disk-0"}}), "would take that disk away"),
        (json!({"vmid": 101, "set": {"scsi1": "ceph-prod:vm-100-disk-0"}}), "would be a new disk"),
        (json!({"vmid": 101, "set": {"scsi1": "local-zfs:8"}}), "would be a new disk"),
        (json!({"vmid": 101, "set": {"scsi1": "local-zfs:101"}}), "would be a new disk"),
        (json!({"vmid": 101, "set": {"scsi1": "ceph-prod:vm-101-disk-0"}}), "would be a new disk"),
        (json!({"vmid": 101, "set": {"scsi1": "/dev/disk/101"}}), "would be a new disk"),
        (json!({"vmid": 102, "set": {"rootfs": "local-zfs:8"}}), "would take that disk away"),
        (json!({"vmid": 102, "set": {"mp0": "/etc,mp=/host"}}), "would be a new disk"),
    ] {
        let error = run(&TOOL, &demo, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(demo.changes().is_empty());
    let now = demo.get("/nodes/pve1/qemu/101/config")["scsi0"].as_str().unwrap().to_owned();
    let options = format!("{now},ssd=1");
    finish(&TOOL, &demo, json!({"vmid": 101, "set": {"scsi0": options}})).unwrap();
    assert_eq!(demo.changes(), ["PUT /nodes/pve1/qemu/101/config"]);
}

#[test]
fn the_older_names_work() {
    let demo = Demo::new();
    alias(&demo, "proxmox_resize_vm", json!({"node": "pve1", "vmid": "101", "memory": 4096, "cores": 2})).unwrap();
    alias(&demo, "proxmox_resize_lxc", json!({"node": "pve2", "vmid": "102", "memory": 1024})).unwrap();
    assert_eq!(demo.get("/nodes/pve1/qemu/101/config")["memory"], "4096");
    assert_eq!(demo.get("/nodes/pve2/lxc/102/config")["memory"], 1024);
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfakekeyfakekeyfakekeyfakekeyfake a@b";
    let output = alias(
        &demo,
        "proxmox_set_cloudinit",
        json!({"node": "pve1", "vmid": "101", "ciuser": "admin", "cipassword": "hunter2-secret", "sshkeys": key,
            "ipconfig0": "ip=10.0.0.5/24,gw=10.0.0.1", "nameserver": "10.0.0.53", "searchdomain": "example.com"}),
    )
    .unwrap();
    let config = demo.get("/nodes/pve1/qemu/101/config");
    assert_eq!((&config["ciuser"], &config["ipconfig0"]), (&json!("admin"), &json!("ip=10.0.0.5/24,gw=10.0.0.1")));
    assert!(config["sshkeys"].as_str().unwrap().starts_with("ssh-ed25519%20AAAA"), "{config}");
    assert!(output.text.contains("no cloud-init drive"), "{}", output.text);
    assert!(output.text.contains("sshkeys: 1 key"), "{}", output.text);
}

#[test]
fn a_password_is_never_repeated() {
    let demo = Demo::new();
    let secret = "hunter2-secret";
    for dry_run in [true, false] {
        for arguments in [json!({"cipassword": secret}), json!({"set": {"cipassword": secret}})] {
            let mut arguments = arguments;
            arguments["vmid"] = json!(101);
            arguments["dry_run"] = json!(dry_run);
            let output = finish(&TOOL, &demo, arguments).unwrap();
            let all = format!("{}{}", output.text, output.data);
            assert!(!all.contains(secret) && !all.contains("**********"), "{all}");
            assert!(all.contains("(not shown)"), "{all}");
        }
    }
    for bad in [json!({"vmid": 101, "cipassword": [secret]}), json!({"vmid": 101, "set": {"cipassword": {"x": secret}}})] {
        let error = run(&TOOL, &demo, bad).unwrap_err().to_string();
        assert!(error.contains("cipassword") && !error.contains(secret), "{error}");
    }
}

#[test]
fn hostile_values_are_shown_tame() {
    for hostile in HOSTILE {
        let rows = json!([{"type": "qemu", "vmid": 101, "node": "pve1", "name": hostile, "status": "running"},
            {"type": "node", "node": "pve1", "status": "online"}]);
        let script = Script::new()
            .data("GET /cluster/resources", rows)
            .data("GET /nodes/pve1/qemu/101/config", json!({"description": hostile, "digest": "abc"}))
            .data("PUT /nodes/pve1/qemu/101/config", Value::Null)
            .data("GET /nodes/pve1/qemu/101/pending", json!([{"key": hostile, "pending": hostile}]));
        let output = finish(&TOOL, &script, json!({"vmid": 101, "notes": "new"})).unwrap();
        assert_tame(&output.text);
    }
}

#[test]
fn nothing_left_is_a_key_less() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "notes": "", "remove_tags": ["prod", "web"]})).unwrap();
    let config = demo.get("/nodes/pve1/qemu/101/config");
    assert_eq!((config.get("tags"), config.get("description")), (None, None), "{config}");
    let undo: Value = serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap();
    finish(&TOOL, &demo, undo).unwrap();
    assert_eq!(demo.get("/nodes/pve1/qemu/101/config")["tags"], "prod;web");
}

#[test]
fn a_running_guest_is_told_apart_from_its_configuration() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"vmid": 101, "set": {"bios": "ovmf", "onboot": true}}));
    assert!(shown.contains("`bios` is not yet in effect"), "{shown}");
    let shown = text(&TOOL, &demo, json!({"vmid": 108, "memory": 2048}));
    assert!(!shown.contains("not yet in effect"), "{shown}");
}
