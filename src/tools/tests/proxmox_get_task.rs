use serde_json::json;

use super::*;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, by_name, finish, resume as go_on, run, text};

const UPID: &str = "UPID:pve1:000031E5:0004AC50:6B02B8E0:qmstart:150:root@pam!mcp:";
const STATUS: &str = "GET /nodes/pve1/tasks/UPID%3Apve1%3A000031E5%3A0004AC50%3A6B02B8E0%3Aqmstart%3A150%3Aroot%40pam%21mcp%3A/status";
const LOG: &str = "GET /nodes/pve1/tasks/UPID%3Apve1%3A000031E5%3A0004AC50%3A6B02B8E0%3Aqmstart%3A150%3Aroot%40pam%21mcp%3A/log?start=0&limit=5000";

fn status(exit: Option<&str>) -> Value {
    let status = if exit.is_some() { "stopped" } else { "running" };
    json!({"upid": UPID, "node": "pve1", "type": "qmstart", "id": "150", "user": "root@pam", "tokenid": "mcp",
           "starttime": 1_795_339_940, "status": status, "exitstatus": exit})
}

fn log(lines: &[&str]) -> Value {
    lines.iter().enumerate().map(|(n, line)| json!({"n": n + 1, "t": line})).collect()
}

#[test]
fn warnings_are_no_failure() {
    for (exit, word, line) in [
        ("OK", "ok", "Status: OK\n"),
        ("WARNINGS: 1", "warnings", "Status: OK with warnings: 1\n"),
        ("got timeout", "failed", "Status: FAILED: got timeout\n"),
        ("VM is locked (backup)", "failed", "Note: Another operation"),
    ] {
        let script = Script::new().data(STATUS, status(Some(exit))).data(LOG, log(&["one", "two"]));
        let output = finish(&TOOL, &script, json!({"upid": UPID, "wait": true})).unwrap();
        assert!(output.text.contains(line), "{}", output.text);
        assert_eq!((&output.data["status"], &output.data["exit"]), (&json!(word), &json!(exit)));
        assert!(output.text.contains("Log:\n```\none\ntwo\n```"), "{}", output.text);
    }
}

#[test]
fn a_task_that_runs_is_followed_to_its_end_and_no_longer_than_asked() {
    let script = Script::new()
        .data(STATUS, status(None))
        .data(STATUS, status(None))
        .data(STATUS, status(Some("OK")))
        .data(LOG, log(&["done"]));
    let output = finish(&TOOL, &script, json!({"upid": UPID, "wait": true})).unwrap();
    assert_eq!(output.data["status"], "ok");

    let script = Script::new().data(STATUS, status(None)).data(LOG, log(&["no content"]));
    let Outcome::Pending(pending) = run(&TOOL, &script, json!({"upid": UPID, "wait": true, "timeout_seconds": 5})).unwrap() else {
        panic!("it does not wait")
    };
    let soon = go_on(&TOOL, &script, &pending.state, 4_900).unwrap();
    assert!(matches!(soon, Outcome::Pending(_)));
    let Outcome::Done(output) = go_on(&TOOL, &script, &pending.state, 5_000).unwrap() else { panic!("it goes on") };
    assert!(output.text.contains("Status: RUNNING\n") && output.text.contains("Log: empty"), "{}", output.text);
    let Outcome::Done(at_once) = run(&TOOL, &script, json!({"upid": UPID})).unwrap() else { panic!("it waits") };
    assert_eq!(at_once.data["status"], "running");
}

#[test]
fn the_end_of_a_long_log_is_shown() {
    let page = |from: usize, to: usize| -> Value { (from..to).map(|n| json!({"t": format!("line {n}")})).collect() };
    let second = LOG.replace("start=0", "start=5000");
    let script =
        Script::new().data(STATUS, status(Some("OK"))).data(LOG, page(0, 5000)).data(&second, page(5000, 5100));
    let output = finish(&TOOL, &script, json!({"upid": UPID, "log_lines": 3})).unwrap();
    assert_eq!(output.data["log"], json!(["line 5097", "line 5098", "line 5099"]));
    assert_eq!(output.data["log_left_out"], 5097);
    let long = "x".repeat(1000);
    let script = Script::new().data(STATUS, status(Some("OK"))).data(LOG, log(&[long.as_str(); 100]));
    let output = finish(&TOOL, &script, json!({"upid": UPID})).unwrap();
    assert!(output.text.len() + output.data.to_string().len() <= 4096, "{}", output.text.len());
}

#[test]
fn the_older_name_works_with_its_parameters() {
    let demo = Demo::new();
    let upid = "UPID:pve1:00001BB3:0069B623:6B00862C:vzdump:101:root@pam:";
    let arguments = json!({"node": "pve1", "upid": upid, "wait": true, "timeout": 60});
    let output = by_name("proxmox_get_task_status", &demo, arguments);
    assert_eq!((&output.data["status"], &output.data["exit"]), (&json!("failed"), &json!("job errors")));
    let error = run(&TOOL, &demo, json!({"node": "pve2", "upid": upid})).unwrap_err().to_string();
    assert!(error.contains("runs on node `pve1`"), "{error}");
}

#[test]
fn hostile_logs_are_tame() {
    let script = Script::new().data(STATUS, status(Some(HOSTILE[1]))).data(LOG, log(HOSTILE));
    let shown = text(&TOOL, &script, json!({"upid": UPID}));
    let before_log = shown.split("\nLog").next().unwrap();
    assert_tame(before_log);
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{200b}', '\u{7}']), "{shown:?}");
    let script = Script::new().data(STATUS, status(Some("OK"))).data(LOG, log(&["```", "escaped?"]));
    assert!(text(&TOOL, &script, json!({"upid": UPID})).contains("````\n```\nescaped?\n````"));
}

#[test]
fn a_forged_continuation_is_refused() {
    for state in [json!({}), json!({"task": {"upid": "x"}, "lines": 1}), json!({"task": {"upid": UPID, "looks": 0, "misses": 0}})] {
        let script = Script::new();
        assert!(matches!(go_on(&TOOL, &script, &state, 0), Err(Error::Arguments(_))), "{state}");
        assert!(script.sent().is_empty());
    }
}
