use serde_json::json;

use super::*;
use crate::testing::{Demo, Script, finish, run, text};

#[test]
fn a_task_is_followed_and_the_effect_is_there() {
    let demo = Demo::new();
    let arguments = json!({"method": "POST", "path": "/nodes/pve2/lxc/108/status/start"});
    let output = finish(&TOOL, &demo, arguments).unwrap();
    assert!(output.text.contains("Result: done") && output.text.contains("vzstart"), "{}", output.text);
    assert_eq!(demo.get("/nodes/pve2/lxc/108/status/current")["status"], "running");
}

#[test]
fn a_change_at_once_is_done_at_once() {
    let demo = Demo::new();
    let arguments = json!({"method": "PUT", "path": "/nodes/pve1/qemu/101/config", "params": {"description": "by path"}});
    assert!(text(&TOOL, &demo, arguments).contains("Result: done"));
    assert_eq!(demo.get("/nodes/pve1/qemu/101/config")["description"], "by path");
}

#[test]
fn a_dry_run_and_a_mistake_send_nothing() {
    let script = Script::new();
    let path = "/nodes/pve1/qemu/101";
    let shown = text(&TOOL, &script, json!({"method": "DELETE", "path": path, "params": {"purge": true}, "dry_run": true}));
    assert!(shown.contains("DELETE /nodes/pve1/qemu/101 purge=1") && shown.contains("Would be lost"), "{shown}");
    for arguments in [
        json!({"method": "DELETE", "path": path, "params": {"prune": true}}),
        json!({"method": "GET", "path": path}),
        json!({"method": "PUT", "path": path}),
    ] {
        assert!(matches!(run(&TOOL, &script, arguments), Err(Error::Arguments(_))));
    }
    assert!(script.sent().is_empty());
}
