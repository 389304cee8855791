use serde_json::{Value, json};

use super::*;
use crate::testing::{Demo, Script, by_name, finish, resume as go_on, run, text};

fn node_of(demo: &Demo, vmid: u32) -> String {
    let rows = demo.get("/cluster/resources");
    let row = rows.as_array().unwrap().iter().find(|row| row["vmid"] == vmid).unwrap();
    row["node"].as_str().unwrap().to_owned()
}

#[test]
fn a_running_vm_moves_live_and_the_way_back_is_named() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "target": "pve2"})).unwrap();
    assert!(output.text.starts_with("🚚 Migrate prod-web-01 (ID: 101) to pve2\n"), "{}", output.text);
    assert!(output.text.contains("How: live") && output.text.contains("From: pve1"), "{}", output.text);
    assert_eq!((&output.data["node"], &output.data["changed"]), (&json!("pve2"), &json!(true)));
    assert_eq!(output.data["undo"]["arguments"], r#"{"vmid":101,"target":"pve1"}"#);
    assert_eq!(node_of(&demo, 101), "pve2");
    let again = finish(&TOOL, &demo, json!({"vmid": 101, "target": "pve2"})).unwrap();
    assert_eq!(again.data["changed"], false);
    assert_eq!(demo.changes().len(), 1);
}

/// The line of a dry run that shows what would be sent, and all that it says.
fn sent(arguments: Value) -> (String, String) {
    let demo = Demo::new();
    let mut arguments = arguments;
    arguments["dry_run"] = json!(true);
    let shown = text(&TOOL, &demo, arguments);
    assert!(demo.changes().is_empty());
    (shown.lines().find(|line| line.contains("POST ")).unwrap().to_owned(), shown)
}

#[test]
fn each_kind_and_state_moves_in_its_own_way() {
    let (line, _) = sent(json!({"vmid": 101, "target": "pve3"}));
    assert!(line.ends_with("POST /nodes/pve1/qemu/101/migrate target=pve3 online=1`"), "{line}");
    let (line, shown) = sent(json!({"vmid": 102, "target": "pve3", "timeout_seconds": 30}));
    assert!(line.ends_with("POST /nodes/pve2/lxc/102/migrate target=pve3 restart=1 timeout=30`"), "{line}");
    assert!(shown.contains("with a restart"), "{shown}");
    let (line, shown) = sent(json!({"vmid": 108, "target": "pve3", "timeout_seconds": 30}));
    assert!(line.ends_with("migrate target=pve3`") && shown.contains("while it is off"), "{shown}");
    let (line, shown) = sent(json!({"vmid": 107, "target": "pve3", "with_local_disks": true}));
    assert!(line.ends_with("target=pve3 online=1 with-local-disks=1`"), "{line}");
    assert!(shown.contains("Copied: scsi0 200.0 GB"), "{shown}");
    let (line, _) = sent(json!({"vmid": 107, "target": "pve3", "target_storage": "ceph-prod"}));
    assert!(line.ends_with("with-local-disks=1 targetstorage=ceph-prod`"), "{line}");
    let (line, _) = sent(json!({"vmid": 102, "target": "pve3", "target_storage": "ceph-prod"}));
    assert!(line.ends_with("restart=1 target-storage=ceph-prod`"), "{line}");
}

#[test]
fn what_stands_in_the_way_is_told_before_anything_is_sent() {
    let demo = Demo::new();
    demo.0.fault(proxmox_sim::Fault::always("", proxmox_sim::FaultKind::NodeDown("pve3".to_owned())));
    for (arguments, expected) in [
        (json!({"vmid": 107, "target": "pve2"}), "has disks that only its node has: scsi0 200.0 GB"),
        (json!({"vmid": 101, "target": "pve2", "online": false}), "is running. Leave `online` out"),
        (json!({"vmid": 101, "target": "pve3"}), "Node `pve3` is offline"),
        (json!({"vmid": 101, "target": "pve22"}), "There is no node `pve22`. Did you mean `pve2`?"),
        (json!({"vmid": 101, "target": "pve2", "type": "lxc"}), "is a VM, not `lxc`"),
        (json!({"vmid": 111, "target": "pve2"}), "offline"),
    ] {
        let error = run(&TOOL, &demo, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(demo.changes().is_empty());
    let error = run(&TOOL, &Demo::new(), json!({"vmid": 111, "target": "pve2"})).unwrap_err().to_string();
    assert!(error.contains("is locked (`backup`)"), "{error}");
}

const UPID: &str = "UPID:pve1:000031E5:0004AC50:6B02B8E0:hamigrate:200:root@pam!mcp:";
const TASK: &str =
    "GET /nodes/pve1/tasks/UPID%3Apve1%3A000031E5%3A0004AC50%3A6B02B8E0%3Ahamigrate%3A200%3Aroot%40pam%21mcp%3A/status";

fn rows(node: &str) -> Value {
    json!([{"type": "node", "node": "pve1", "status": "online"}, {"type": "node", "node": "pve2", "status": "online"},
           {"type": "qemu", "vmid": 200, "name": "ha", "node": node, "status": "running"}])
}

fn managed() -> Script {
    Script::new()
        .data("GET /nodes/pve1/qemu/200/status/current", json!({"status": "running", "ha": {"managed": 1}}))
        .error("GET /nodes/pve1/qemu/200/migrate?target=pve2", 501, "not implemented")
        .data("POST /nodes/pve1/qemu/200/migrate", json!(UPID))
        .data(TASK, json!({"status": "stopped", "exitstatus": "OK"}))
}

#[test]
fn the_ha_manager_is_waited_for() {
    let list = "GET /cluster/resources";
    let script = managed().data(list, rows("pve1")).data(list, rows("pve1")).data(list, rows("pve2"));
    let output = finish(&TOOL, &script, json!({"vmid": 200, "target": "pve2"})).unwrap();
    assert!(output.text.contains("HA: the HA manager makes the move"), "{}", output.text);
    assert!(output.text.contains("could not be asked: not implemented (501)"), "{}", output.text);
    assert_eq!((script.changes().len(), &output.data["node"]), (1, &json!("pve2")));

    let script = managed().data(list, rows("pve1")).error(list, 595, "").data(list, rows("pve2"));
    assert_eq!(finish(&TOOL, &script, json!({"vmid": 200, "target": "pve2"})).unwrap().data["node"], "pve2");

    let script = managed().data(list, rows("pve1"));
    let Outcome::Pending(pending) = run(&TOOL, &script, json!({"vmid": 200, "target": "pve2"})).unwrap() else { panic!() };
    let error = go_on(&TOOL, &script, &pending.state, 601_000).unwrap_err().to_string();
    assert!(error.contains("it is not on `pve2` yet"), "{error}");
}

#[test]
fn the_older_name_does_the_same() {
    let demo = Demo::new();
    let arguments = json!({"node": "pve1", "vmid": "101", "target": "pve2", "type": "qemu", "online": true, "wait": true});
    by_name("proxmox_migrate_vm", &demo, arguments);
    assert_eq!(node_of(&demo, 101), "pve2");
    by_name("proxmox_migrate_vm", &demo, json!({"node": "pve2", "vmid": "102", "target": "pve1", "type": "lxc"}));
    assert_eq!(node_of(&demo, 102), "pve1");
}
