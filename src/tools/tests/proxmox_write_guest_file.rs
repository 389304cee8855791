use serde_json::json;

use super::*;
use crate::testing::{Demo, finish, run, text};

#[test]
fn a_file_is_written_as_it_was_given() {
    let demo = Demo::new();
    let content = "a=b;c&d é\n\ttab\r\n";
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "path": "/etc/motd", "content": content})).unwrap();
    assert!(output.text.contains("Lost: What the file held before"), "{}", output.text);
    let read = demo.get("/nodes/pve1/qemu/101/agent/file-read?file=/etc/motd");
    assert_eq!(read["content"], content);
}

#[test]
fn a_dry_run_writes_nothing_and_shows_little() {
    let demo = Demo::new();
    let args = json!({"vmid": 101, "path": "/etc/motd", "content": "x".repeat(50_000), "dry_run": true});
    let shown = text(&TOOL, &demo, args);
    assert!(shown.contains("POST /nodes/pve1/qemu/101/agent/file-write file=/etc/motd") && shown.len() < 2000, "{shown}");
    assert!(demo.changes().is_empty());
}

#[test]
fn what_cannot_be_written_is_explained() {
    let demo = Demo::new();
    for (args, expected) in [
        (json!({"vmid": 101, "path": "/x", "content": "x".repeat(61_441)}), "at most 61440 bytes"),
        (json!({"vmid": 101, "path": "/x", "content": "a\u{0}b"}), "without NUL"),
        (json!({"vmid": 101, "path": "x", "content": ""}), "a whole path"),
        (json!({"vmid": 102, "path": "/x", "content": ""}), "pct push 102"),
    ] {
        let error = run(&TOOL, &demo, args).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    demo.0.with_world(|world| world.guests.get_mut(&101).unwrap().agent.strict = true);
    let error = run(&TOOL, &demo, json!({"vmid": 101, "path": "/x", "content": "y"})).unwrap_err().to_string();
    assert!(error.contains("The file was not written: the guest agent of") && error.contains("Red Hat"), "{error}");
}
