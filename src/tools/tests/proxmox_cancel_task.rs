use proxmox_sim::Options;
use serde_json::json;

use super::*;
use crate::testing::{Demo, by_name, finish, run};
use crate::tools;

/// A task that runs: a shutdown that takes its time.
fn running(demo: &Demo) -> String {
    let arguments = json!({"vmid": 101, "wait": false});
    by_name("proxmox_shutdown_vm", demo, arguments).data["upid"].as_str().unwrap().to_owned()
}

fn slow() -> Demo {
    Demo::of(Options { task_seconds: 600.0, ..Options::instant() })
}

#[test]
fn a_running_task_is_stopped() {
    let demo = slow();
    let upid = running(&demo);
    let output = finish(&TOOL, &demo, json!({"upid": upid})).unwrap();
    assert_eq!((&output.data["changed"], &output.data["node"]), (&json!(true), &json!("pve1")));
    assert!(output.text.contains("half done"), "{}", output.text);
    let task = finish(&tools::proxmox_get_task::TOOL, &demo, json!({"upid": upid})).unwrap();
    assert_eq!((&task.data["status"], &task.data["exit"]), (&json!("failed"), &json!("received interrupt")));
    assert_eq!(demo.get("/nodes/pve1/qemu/101/status/current")["status"], "running");
    let again = finish(&TOOL, &demo, json!({"upid": upid})).unwrap();
    assert_eq!(again.data["changed"], false);
}

#[test]
fn a_dry_run_stops_nothing() {
    let demo = slow();
    let upid = running(&demo);
    let before = demo.changes().len();
    let output = finish(&TOOL, &demo, json!({"upid": upid, "dry_run": true})).unwrap();
    assert!(output.text.contains("dry run") && output.data["requests"][0]["request"].as_str().unwrap().starts_with("DELETE "));
    assert_eq!(demo.changes().len(), before);
}

#[test]
fn no_task_id_is_refused_before_anything_is_sent() {
    let demo = Demo::new();
    let error = run(&TOOL, &demo, json!({"upid": "UPID:pve1"})).unwrap_err().to_string();
    assert!(error.contains("a task id as Proxmox VE gives it"), "{error}");
    assert!(demo.0.requests().is_empty());
}
