use proxmox_sim::Options;
use serde_json::json;

use super::*;
use crate::testing::{Demo, HOSTILE, NOW_MS, Script, assert_tame, finish, run, text};

const NODES: &str = "GET /cluster/resources?type=node";
const RECENT: &str = "GET /cluster/tasks";

fn nodes() -> Value {
    json!([{"type": "node", "node": "pve1", "status": "online"}, {"type": "node", "node": "pve2", "status": "offline"}])
}

fn row(n: u64, status: Option<&str>) -> Value {
    let started = NOW_MS / 1000 - n * 60;
    json!({"upid": format!("UPID:pve1:{n:08X}:00000001:{started:08X}:qmstart:{}:root@pam!mcp:", 100 + n), "node": "pve1",
           "type": "qmstart", "id": (100 + n).to_string(), "user": "root@pam", "tokenid": "mcp", "starttime": started,
           "endtime": status.map(|_| started + 5), "status": status})
}

#[test]
fn what_runs_and_what_failed_is_named_in_full() {
    let recent = json!([row(1, Some("OK")), row(2, Some("got timeout")), row(3, None), row(4, Some("WARNINGS: 2"))]);
    let script = Script::new().data(NODES, nodes()).data(RECENT, recent);
    let output = finish(&TOOL, &script, json!({})).unwrap();
    let rows: Vec<&str> = output.text.lines().filter(|line| line.contains(" ago | ")).collect();
    assert!(rows[0].contains("| 103 | pve1 | root@pam!mcp | RUNNING for 3m 0s `UPID:pve1:00000003:"), "{}", rows[0]);
    assert!(rows[1].ends_with("| OK in 5s |"), "{}", rows[1]);
    assert!(rows[2].contains("FAILED: got timeout `UPID:"), "{}", rows[2]);
    assert!(rows[3].contains("WARNINGS: 2 in 5s `UPID:"), "{}", rows[3]);
    assert_eq!((&output.data["running"], &output.data["failed"], &output.data["total"]), (&json!(1), &json!(1), &json!(4)));
    assert_eq!(output.data["tasks"][2]["error"], "got timeout");
    assert!(output.text.contains("4 recent tasks: 1 running, 1 failed"), "{}", output.text);
}

#[test]
fn filters_ask_the_nodes_that_are_there_and_say_which_are_not() {
    let asked = format!(
        "GET /nodes/pve1/tasks?source=all&limit=1000&vmid=102&typefilter=qmstart&since={}&errors=1",
        NOW_MS / 1000 - 7200
    );
    let script = Script::new().data(NODES, nodes()).data(&asked, json!([row(2, Some("got timeout")), row(3, Some("x"))]));
    let arguments = json!({"vmid": 102, "kind": " qmstart", "status": "failed", "since": "2h"});
    let output = finish(&TOOL, &script, arguments).unwrap();
    assert_eq!((&output.data["total"], &output.data["tasks"][0]["id"]), (&json!(1), &json!("102")));
    assert!(output.text.contains("Not shown: pve2: the node is offline"), "{}", output.text);
}

#[test]
fn a_node_that_fails_does_not_spoil_the_list() {
    let nodes = json!([{"type": "node", "node": "a", "status": "online"}, {"type": "node", "node": "b", "status": "online"}]);
    let script = Script::new()
        .data(NODES, nodes)
        .error("GET /nodes/a/tasks?source=all&limit=1000&errors=1", 595, "")
        .data("GET /nodes/b/tasks?source=all&limit=1000&errors=1", json!([row(1, Some("x"))]));
    let output = finish(&TOOL, &script, json!({"status": "failed"})).unwrap();
    assert_eq!((&output.data["total"], &output.data["missing"][0]["parts"]), (&json!(1), &json!(["a"])));
}

#[test]
fn a_list_that_was_cut_says_so() {
    let many: Vec<Value> = (1..=1000).map(|n| row(n, Some("OK"))).collect();
    let script = Script::new().data(NODES, nodes()).data("GET /nodes/pve1/tasks?source=all&limit=1000", many.into());
    let output = finish(&TOOL, &script, json!({"node": "pve1"})).unwrap();
    assert!(output.text.contains("only its newest 1000 tasks were looked at"), "{}", output.text);
    assert!(output.text.len() + output.data.to_string().len() <= BUDGET);
    let page = finish(&TOOL, &script, json!({"node": "pve1", "cursor": output.data["next_cursor"], "limit": 2})).unwrap();
    assert_eq!(page.data["tasks"].as_array().unwrap().len(), 2);
    assert_ne!(page.data["tasks"][0], output.data["tasks"][0]);
}

#[test]
fn a_large_cluster_s_answer_is_small() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    for arguments in [json!({}), json!({"since": "30d"})] {
        let output = finish(&TOOL, &demo, arguments).unwrap();
        assert!(output.text.len() + output.data.to_string().len() <= BUDGET, "{}", output.text);
    }
}

#[test]
fn odd_arguments_are_explained() {
    for (arguments, expected) in [
        (json!({"since": "yesterday"}), "a span such as 30m, 2h, 1d"),
        (json!({"status": "error"}), "one of `running`, `failed`, `ok`"),
        (json!({"cursor": "7"}), "`next_cursor`"),
    ] {
        let error = run(&TOOL, &Script::new(), arguments).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn hostile_names_are_tame() {
    let rows: Vec<Value> = HOSTILE
        .iter()
        .map(|name| json!({"upid": format!("UPID:{name}"), "type": name, "id": name, "node": name, "user": name, "status": name, "endtime": 1}))
        .collect();
    let script = Script::new().data(NODES, nodes()).data(RECENT, rows.into());
    assert_tame(&text(&TOOL, &script, json!({})));
}
