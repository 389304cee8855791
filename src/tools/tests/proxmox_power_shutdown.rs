use serde_json::{Value, json};

use super::*;
use crate::testing::{Script, finish};

const LIST: &str = "GET /cluster/resources";
const LIVE: &str = "GET /nodes/pve1/qemu/103/status/current";
const SHUTDOWN: &str = "POST /nodes/pve1/qemu/103/status/shutdown";
const UPID: &str = "UPID:pve1:000008C5:00066464:6B02BD46:qmshutdown:103:root@pam!mcp:";
const TASK: &str =
    "GET /nodes/pve1/tasks/UPID%3Apve1%3A000008C5%3A00066464%3A6B02BD46%3Aqmshutdown%3A103%3Aroot%40pam%21mcp%3A/status";
const LOG: &str =
    "GET /nodes/pve1/tasks/UPID%3Apve1%3A000008C5%3A00066464%3A6B02BD46%3Aqmshutdown%3A103%3Aroot%40pam%21mcp%3A/log?limit=500";

fn world() -> Script {
    Script::new().data(
        LIST,
        json!([
            {"type": "qemu", "vmid": 103, "name": "db", "node": "pve1", "status": "running"},
            {"type": "lxc", "vmid": 200, "name": "ct-dns", "node": "pve1", "status": "running"},
        ]),
    )
}

fn status(status: &str) -> Value {
    json!({"status": status})
}

fn ended(words: &str) -> Value {
    json!({"status": "stopped", "exitstatus": words})
}

#[test]
fn a_shutdown_is_followed_to_its_end() {
    let script = world()
        .data(LIVE, status("running"))
        .data(LIVE, status("stopped"))
        .data(SHUTDOWN, json!(UPID))
        .data(TASK, ended("OK"));
    let output = finish(&TOOL, &script, json!({"action": "shutdown", "vmid": 103})).unwrap();
    assert!(output.text.starts_with("⏹️ Shutdown: db (ID: 103)\n"), "{}", output.text);
    assert_eq!((&output.data["status"], &output.data["changed"]), (&json!("stopped"), &json!(true)));
    assert_eq!(script.changes(), [SHUTDOWN]);
}

#[test]
fn time_and_force_are_handed_on_to_both_kinds() {
    let arguments = |vmid: u32| json!({"action": "shutdown", "vmid": vmid, "timeout_seconds": 30, "force": true, "wait": false});
    let script = world().data(LIVE, status("running")).data(SHUTDOWN, json!(UPID));
    finish(&TOOL, &script, arguments(103)).unwrap();
    assert_eq!(script.changes(), [format!("{SHUTDOWN} timeout=30&forceStop=1")]);

    let (live, shutdown) = ("GET /nodes/pve1/lxc/200/status/current", "POST /nodes/pve1/lxc/200/status/shutdown");
    let upid = UPID.replace("qmshutdown:103", "vzshutdown:200");
    let script = world().data(live, status("running")).data(shutdown, json!(upid));
    finish(&TOOL, &script, arguments(200)).unwrap();
    assert_eq!(script.changes(), [format!("{shutdown} timeout=30&forceStop=1")]);
}

#[test]
fn a_guest_that_is_off_is_left_alone() {
    let script = world().data(LIVE, status("stopped"));
    let output = finish(&TOOL, &script, json!({"action": "shutdown", "vmid": 103})).unwrap();
    assert!(output.text.contains("STOPPED (already; nothing was sent)"), "{}", output.text);
    assert!(script.changes().is_empty());
}

#[test]
fn a_guest_that_does_not_react_is_explained() {
    let words = "VM quit/powerdown failed - got timeout";
    let script = world()
        .data(LIVE, status("running"))
        .data(SHUTDOWN, json!(UPID))
        .data(TASK, ended(words))
        .data(LOG, json!([{"n": 1, "t": format!("TASK ERROR: {words}")}]));
    let error = finish(&TOOL, &script, json!({"action": "shutdown", "vmid": 103})).unwrap_err().to_string();
    assert!(error.starts_with(&format!("Shutting down db (ID: 103) failed: {words}.")), "{error}");
    assert!(error.contains("`force: true`") && !error.contains("log"), "{error}");
}

#[test]
fn a_guest_that_runs_after_all_is_no_success() {
    let script = world().data(LIVE, status("running")).data(SHUTDOWN, json!(UPID)).data(TASK, ended("OK"));
    let error = finish(&TOOL, &script, json!({"action": "shutdown", "vmid": 103})).unwrap_err().to_string();
    assert!(error.contains("is running now, not stopped"), "{error}");
    assert_eq!(script.changes(), [SHUTDOWN]);
}

#[test]
fn a_look_afterwards_that_fails_does_not_hide_the_success() {
    let script = world()
        .data(LIVE, status("running"))
        .error(LIVE, 500, "broken")
        .data(SHUTDOWN, json!(UPID))
        .data(TASK, ended("OK"));
    let output = finish(&TOOL, &script, json!({"action": "shutdown", "vmid": 103})).unwrap();
    assert!(output.text.contains("the task ended well; not looked at: broken (500)"), "{}", output.text);
    assert!(output.data.get("status").is_none());
}
