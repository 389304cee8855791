use super::*;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, finish, run, text};

/// How high availability manages a guest of the simulated cluster.
fn managed(demo: &Demo, sid: &str) -> Value {
    let rows = demo.get("/cluster/ha/resources");
    rows.as_array().unwrap().iter().find(|row| row["sid"] == sid).cloned().unwrap_or_default()
}

#[test]
fn a_guest_is_added_as_it_is_and_taken_out_again() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "action": "add", "max_restart": 3, "failback": true})).unwrap();
    assert!(output.text.contains("state: started") && output.text.contains("max_restart: 3"), "{}", output.text);
    assert_eq!((&managed(&demo, "vm:101")["state"], &managed(&demo, "vm:101")["max_restart"]), (&json!("started"), &json!(3)));
    finish(&TOOL, &demo, json!({"vmid": 108, "action": "add"})).unwrap();
    assert_eq!(demo.get("/nodes/pve2/lxc/108/status/current")["status"], "stopped", "a guest that is off stays off");
    let undo: Value = serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap();
    let output = finish(&TOOL, &demo, undo).unwrap();
    assert_eq!(managed(&demo, "vm:101"), Value::Null);
    let again: Value = serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap();
    finish(&TOOL, &demo, again).unwrap();
    assert_eq!(managed(&demo, "vm:101")["max_restart"], json!(3));
}

#[test]
fn what_differs_is_changed_with_the_digest() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"vmid": 100, "action": "update", "state": "stopped", "dry_run": true}));
    assert!(shown.contains("PUT /cluster/ha/resources/vm:100 state=stopped digest="), "{shown}");
    assert!(shown.contains("shuts the guest down"), "{shown}");
    let same = text(&TOOL, &demo, json!({"vmid": 100, "action": "update", "state": "started"}));
    assert!(same.contains("nothing was sent"), "{same}");
    assert!(demo.changes().is_empty());
    let output = finish(&TOOL, &demo, json!({"vmid": 100, "action": "update", "comment": "db"})).unwrap();
    assert_eq!(managed(&demo, "vm:100")["comment"], "db");
    assert!(output.text.contains("comment = not set"), "{}", output.text);
}

#[test]
fn what_was_not_set_is_put_back_as_well() {
    let demo = Demo::new();
    let undo_of = |output: &crate::tool::Output| -> Value {
        serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap()
    };
    let change = json!({"vmid": 100, "action": "update", "failback": false, "comment": "4711"});
    let output = finish(&TOOL, &demo, change).unwrap();
    assert!(output.text.contains("failback = not set, which is 1"), "{}", output.text);
    assert_eq!(managed(&demo, "vm:100")["failback"].to_string().trim_matches('"'), "0");
    finish(&TOOL, &demo, undo_of(&output)).unwrap();
    assert_eq!(managed(&demo, "vm:100")["failback"].to_string().trim_matches('"'), "1");
    let digits = finish(&TOOL, &demo, json!({"vmid": 100, "action": "update", "comment": "4711"})).unwrap();
    let taken_out = finish(&TOOL, &demo, json!({"vmid": 100, "action": "remove"})).unwrap();
    finish(&TOOL, &demo, undo_of(&taken_out)).unwrap();
    assert_eq!(managed(&demo, "vm:100")["comment"].to_string().trim_matches('"'), "4711", "{}", digits.text);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"vmid": 100, "action": "update"}), "Nothing to change"),
        (json!({"vmid": 100, "action": "remove", "state": "started"}), "takes no options"),
        (json!({"vmid": 100, "action": "add", "state": "stopped"}), "manages prod-db-master (ID: 100) already, as `started`"),
        (json!({"vmid": 103, "action": "update", "state": "stopped"}), "does not manage"),
        (json!({"vmid": 109, "action": "add"}), "is a template"),
        (json!({"vmid": 101, "action": "add", "state": "off"}), "`state` is not valid"),
    ] {
        let error = run(&TOOL, &demo, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    let same = text(&TOOL, &demo, json!({"vmid": 103, "action": "remove"}));
    assert!(same.contains("nothing was sent"), "{same}");
    assert!(demo.changes().is_empty());
}

#[test]
fn hostile_comments_are_shown_tame() {
    for hostile in HOSTILE {
        let rows = json!([{"type": "qemu", "vmid": 101, "node": "pve1", "name": hostile, "status": "running"}]);
        let resource = json!([{"sid": "vm:101", "state": hostile, "comment": hostile, "digest": "x"}]);
        let script = Script::new()
            .data("GET /cluster/resources", rows)
            .data("GET /cluster/ha/resources", resource)
            .data("DELETE /cluster/ha/resources/vm%3A101", Value::Null);
        assert_tame(&text(&TOOL, &script, json!({"vmid": 101, "action": "remove"})));
        let error = run(&TOOL, &script, json!({"vmid": 101, "action": "add", "state": "started"})).unwrap_err();
        assert_tame(&error.to_string());
    }
}
