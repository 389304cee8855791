use super::*;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, finish, run, text};

fn members(demo: &Demo, pool: &str) -> Members {
    Members::read(&demo.get(&format!("/pools?poolid={pool}"))[0])
}

fn undo(output: &crate::tool::Output) -> Value {
    serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap()
}

#[test]
fn a_pool_is_made_filled_emptied_and_deleted() {
    let demo = Demo::new();
    let output = finish(
        &TOOL,
        &demo,
        json!({"pool": "lab", "action": "create", "comment": "tests", "vmids": [104], "storages": ["local-zfs"]}),
    );
    let made = output.unwrap();
    assert_eq!((members(&demo, "lab").guests(), members(&demo, "lab").storages()), ("104".into(), "local-zfs".into()));
    let output = finish(&TOOL, &demo, json!({"pool": "lab", "action": "add", "vmids": "104,105", "comment": "lab"}));
    let output = output.unwrap();
    assert!(output.text.contains("Members: 105\n"), "{}", output.text);
    assert_eq!(members(&demo, "lab").guests(), "104,105");
    finish(&TOOL, &demo, undo(&output)).unwrap();
    assert_eq!(members(&demo, "lab").guests(), "104");
    let full = run(&TOOL, &demo, undo(&made)).unwrap_err().to_string();
    assert!(full.contains("is not empty") && full.contains("104 and local-zfs"), "{full}");
    finish(&TOOL, &demo, json!({"pool": "lab", "action": "remove", "vmids": [104], "storages": ["local-zfs"]})).unwrap();
    let output = finish(&TOOL, &demo, undo(&made)).unwrap();
    assert!(output.text.contains("Lost: the permissions"), "{}", output.text);
    assert_eq!(undo(&output), json!({"pool": "lab", "action": "create", "comment": "lab"}));
    let error = run(&TOOL, &demo, json!({"pool": "lab", "action": "delete"})).unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error}");
}

#[test]
fn what_is_so_already_is_not_sent() {
    let demo = Demo::new();
    for arguments in [
        json!({"pool": "production", "action": "add", "vmids": [101], "comment": "customer-facing"}),
        json!({"pool": "production", "action": "remove", "vmids": [104]}),
    ] {
        let shown = text(&TOOL, &demo, arguments);
        assert!(shown.contains("nothing was sent"), "{shown}");
    }
    let shown = text(&TOOL, &demo, json!({"pool": "x", "action": "create", "vmids": [104], "dry_run": true}));
    assert!(shown.contains("POST /pools poolid=x") && shown.contains("PUT /pools poolid=x vms=104"), "{shown}");
    assert!(demo.changes().is_empty());
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"pool": "production", "action": "create"}), "a pool `production` already"),
        (json!({"pool": "productoin", "action": "delete"}), "Did you mean `production`?"),
        (json!({"pool": "production", "action": "delete"}), "is not empty"),
        (json!({"pool": "production", "action": "add"}), "Nothing to add"),
        (json!({"pool": "production", "action": "remove"}), "Nothing to remove"),
        (json!({"pool": "production", "action": "delete", "vmids": [101]}), "leave `vmids`"),
        (json!({"pool": "production", "action": "add", "vmids": ["web"]}), "`web` is not the number of a guest"),
        (json!({"pool": "a;b", "action": "create"}), "`pool` is not valid"),
    ] {
        let error = run(&TOOL, &demo, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(demo.changes().is_empty());
}

#[test]
fn members_that_cannot_be_added_leave_a_pool_and_a_word_of_it() {
    let script = Script::new()
        .data("GET /pools", json!([]))
        .data("POST /pools", Value::Null)
        .error("PUT /pools", 500, "VM 101 belongs already to pool 'a' and 'allow-move' is not set");
    let error = run(&TOOL, &script, json!({"pool": "x", "action": "create", "vmids": [101]})).unwrap_err().to_string();
    assert!(error.contains("was made, but its members were not added"), "{error}");
}

#[test]
fn hostile_comments_are_shown_tame() {
    for hostile in HOSTILE {
        let script = Script::new()
            .data("GET /pools?poolid=x", json!([{"poolid": "x", "comment": hostile, "members": []}]))
            .data("PUT /pools", Value::Null)
            .data("DELETE /pools?poolid=x", Value::Null);
        assert_tame(&text(&TOOL, &script, json!({"pool": "x", "action": "add", "comment": "new"})));
        assert_tame(&text(&TOOL, &script, json!({"pool": "x", "action": "delete"})));
    }
}
