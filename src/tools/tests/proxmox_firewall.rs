use serde_json::json;

use super::*;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, finish, run, text};

const GUEST: &str = "/nodes/pve1/qemu/101/firewall";

fn rules(demo: &Demo) -> Vec<String> {
    let rows = demo.get(&format!("{GUEST}/rules"));
    rows.as_array().unwrap().iter().map(|row| firewall::line(|name| firewall::text(row, name))).collect()
}

fn with(rest: Value) -> Value {
    let mut arguments = json!({"level": "guest", "vmid": 101});
    arguments.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    arguments
}

fn undo(output: &crate::tool::Output) -> Value {
    serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap()
}

#[test]
fn a_rule_is_added_first_and_on() {
    let demo = Demo::new();
    let before = rules(&demo);
    let rule = json!({"direction": "in", "action": "accept", "proto": "tcp", "dport": 8443, "comment": "admin"});
    let output = finish(&TOOL, &demo, with(json!({"action": "add", "rule": rule}))).unwrap();
    let after = rules(&demo);
    assert_eq!(after.len(), before.len() + 1);
    let first = &after[0];
    for part in ["in ACCEPT", "proto=tcp", "dport=8443", "enable=1", "comment=admin"] {
        assert!(first.contains(part) && output.text.contains(part), "{first} {}", output.text);
    }
    finish(&TOOL, &demo, undo(&output)).unwrap();
    assert_eq!(rules(&demo), before);
}

#[test]
fn a_rule_is_changed_moved_and_removed_and_comes_back() {
    let demo = Demo::new();
    for port in ["1001", "1002", "1003"] {
        let rule = json!({"type": "in", "action": "ACCEPT", "proto": "tcp", "dport": port});
        finish(&TOOL, &demo, with(json!({"action": "add", "rule": rule}))).unwrap();
    }
    let start = rules(&demo);
    for change in [
        json!({"action": "update", "position": 1, "rule": {"dport": "2002", "source": "10.0.0.0/8", "proto": "udp"}}),
        json!({"action": "update", "position": 1, "rule": {"comment": "x"}}),
        json!({"action": "disable", "position": 2}),
        json!({"action": "update", "position": 0, "to": 2}),
        json!({"action": "update", "position": 2, "to": 0}),
        json!({"action": "remove", "position": 0}),
    ] {
        let output = finish(&TOOL, &demo, with(change.clone())).unwrap();
        assert_ne!(rules(&demo), start, "{change}");
        finish(&TOOL, &demo, undo(&output)).unwrap();
        assert_eq!(rules(&demo), start, "{change}");
    }
    finish(&TOOL, &demo, with(json!({"action": "update", "position": 0, "to": 2}))).unwrap();
    assert_eq!(rules(&demo)[2], start[0]);
    let sent = demo.changes().len();
    for same in [json!({"action": "enable", "position": 0}), json!({"action": "update", "position": 1, "to": 1})] {
        assert!(text(&TOOL, &demo, with(same)).contains("nothing was sent"));
    }
    assert_eq!(demo.changes().len(), sent);
}

#[test]
fn a_whole_firewall_is_switched() {
    let demo = Demo::new();
    let on = |path: &str| Figure::of(demo.get(&format!("{path}/options")).get("enable")).flag();
    let was = on(GUEST);
    let word = if was { "disable" } else { "enable" };
    let output = finish(&TOOL, &demo, with(json!({"action": word}))).unwrap();
    assert_ne!(on(GUEST), was);
    finish(&TOOL, &demo, undo(&output)).unwrap();
    assert_eq!(on(GUEST), was);
    let node = text(&TOOL, &demo, json!({"level": "node", "node": "pve1", "action": "disable", "dry_run": true}));
    assert!(node.contains("PUT /nodes/pve1/firewall/options enable=0 digest="), "{node}");
}

#[test]
fn who_turns_the_clusters_firewall_on_is_warned() {
    let script = Script::new().data("GET /cluster/firewall/options", json!({"digest": "abc"}));
    let shown = text(&TOOL, &script, json!({"level": "cluster", "action": "enable", "dry_run": true}));
    assert!(shown.contains("locked out") && shown.contains("enable=1 digest=abc"), "{shown}");
    let same = text(&TOOL, &script, json!({"level": "cluster", "action": "disable"}));
    assert!(same.contains("nothing was sent"), "{same}");
}

#[test]
fn what_cannot_be_meant_is_refused_before_a_request() {
    let script = Script::new();
    let rule = json!({"type": "in", "action": "DROP"});
    for (arguments, expected) in [
        (json!({"level": "guest", "action": "enable"}), "`vmid` is missing"),
        (json!({"level": "node", "action": "enable"}), "`node` is missing"),
        (json!({"level": "cluster", "vmid": 101, "action": "enable"}), "has no `node` or `vmid`"),
        (json!({"level": "node", "node": "pve1", "vmid": 101, "action": "enable"}), "leave `vmid` out"),
        (json!({"level": "cluster", "action": "add"}), "needs `type`"),
        (json!({"level": "cluster", "action": "add", "rule": {"type": "in"}}), "and `action`"),
        (json!({"level": "cluster", "action": "add", "position": 3, "rule": rule}), "always comes first"),
        (json!({"level": "cluster", "action": "update", "rule": rule}), "`position` is missing"),
        (json!({"level": "cluster", "action": "update", "position": 0}), "either `rule`"),
        (json!({"level": "cluster", "action": "update", "position": 0, "to": 1, "rule": rule}), "either `rule`"),
        (json!({"level": "cluster", "action": "remove", "position": 0, "rule": rule}), "is for `add`"),
        (json!({"level": "cluster", "action": "add", "rule": {"type": "in", "action": "DROP", "dportt": 1}}), "Did you mean `dport`?"),
        (json!({"level": "cluster", "action": "add", "rule": {"type": "in", "action": "DROP", "digest": "x"}}), "no field `digest`"),
        (json!({"level": "cluster", "action": "add", "rule": {"type": "in", "action": "DROP", "dport": [1]}}), "takes text"),
    ] {
        let error = run(&TOOL, &script, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(script.sent().is_empty());
}

#[test]
fn a_position_without_a_rule_is_said() {
    let script = Script::new().data("GET /cluster/firewall/rules", json!([{"pos": 0, "type": "in", "action": "DROP"}]));
    let error = run(&TOOL, &script, json!({"level": "cluster", "action": "remove", "position": 4})).unwrap_err();
    assert!(error.to_string().contains("no rule at position 4") && error.to_string().contains("1 rule"), "{error}");
}

#[test]
fn hostile_comments_are_shown_tame() {
    for hostile in HOSTILE {
        let row = json!([{"pos": 0, "type": "in", "action": "DROP", "comment": hostile, "digest": "x"}]);
        let script = Script::new()
            .data("GET /cluster/firewall/rules", row)
            .data("PUT /cluster/firewall/rules/0", Value::Null)
            .data("DELETE /cluster/firewall/rules/0?digest=x", Value::Null);
        let level = json!({"level": "cluster", "position": 0});
        for rest in [json!({"action": "remove"}), json!({"action": "update", "rule": {"comment": "new"}})] {
            let mut arguments = level.clone();
            arguments.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            assert_tame(&text(&TOOL, &script, arguments));
        }
    }
}
