use serde_json::json;

use super::*;
use crate::testing::{Demo, finish, run, text};

#[test]
fn a_snapshot_is_taken_and_the_way_back_is_named() {
    let demo = Demo::new();
    let output = finish(
        &TOOL,
        &demo,
        json!({"vmid": 101, "name": "before-update", "description": "kernel 6.17"}),
    )
    .unwrap();
    assert!(output.text.starts_with("📸 Snapshot `before-update` of prod-web-01 (ID: 101)\n"), "{}", output.text);
    assert!(output.text.contains("Result: done"), "{}", output.text);
    assert_eq!(output.data["undo"]["arguments"], r#"{"vmid":101,"name":"before-update"}"#);
    let snapshots = demo.get("/nodes/pve1/qemu/101/snapshot");
    let taken = snapshots.as_array().unwrap().iter().find(|row| row["name"] == "before-update").unwrap();
    assert_eq!(taken["description"], "kernel 6.17");
}

#[test]
fn a_dry_run_shows_the_request_and_sends_none() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"vmid": 101, "name": "x1", "ram": true, "dry_run": true}));
    assert!(shown.contains("POST /nodes/pve1/qemu/101/snapshot snapname=x1 vmstate=1"), "{shown}");
    assert!(shown.contains("needs VM.Snapshot on /vms/101"), "{shown}");
    assert!(demo.changes().is_empty());
}

#[test]
fn a_container_has_no_memory_to_keep() {
    let demo = Demo::new();
    let error = run(&TOOL, &demo, json!({"vmid": 102, "name": "x1", "ram": true})).unwrap_err();
    assert!(error.to_string().contains("is a container"), "{error}");
    assert!(demo.changes().is_empty());
}

#[test]
fn without_waiting_the_task_is_named() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "name": "x1", "wait": false})).unwrap();
    assert_eq!((&output.data["finished"], &output.data["changed"]), (&json!(false), &json!(true)));
    assert!(output.text.contains("begun; the task runs on") && output.text.contains("UPID:pve1:"), "{}", output.text);
}
