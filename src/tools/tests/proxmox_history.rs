use proxmox_sim::Options;
use serde_json::{Value, json};

use super::*;
use crate::cx::SendError;
use crate::testing::{Altered, Demo, HOSTILE, Script, assert_tame, basic_mode, finish, run, spoiled, text};

const NOW: u64 = crate::testing::NOW_MS / 1000;
const RESOURCES: &str = "GET /cluster/resources";
const STATUS: &str = "GET /cluster/status";
const LOG: &str = "GET /cluster/log?max=300";

fn tasks(node: &str, since: u64, rest: &str) -> String {
    format!("GET /nodes/{node}/tasks?source=all&since={since}&limit=300{rest}")
}

fn task(kind: &str, id: &str, ago: u64, exit: &str) -> Value {
    let mut task = json!({"upid": "UPID:pve1:00001BB3:0069B623:6B00862C:vzdump:101:root@pam!mcp:", "node": "pve1", "type": kind, "id": id, "user": "root@pam",
        "tokenid": "mcp", "starttime": NOW - ago, "status": exit});
    if exit.is_empty() {
        task["status"] = "RUNNING".into();
    } else {
        task["endtime"] = (NOW - ago + 1).into();
    }
    task
}

fn one_node() -> Script {
    Script::new()
        .data(RESOURCES, json!([{"type": "node", "node": "pve1", "status": "online"}, {"type": "qemu", "vmid": 101, "node": "pve1"}]))
        .data(STATUS, json!([]))
}

#[test]
fn failed_tasks_come_first_and_configuration_changes_are_told() {
    let script = one_node()
        .data(&tasks("pve1", NOW - 7200, ""), json!([
            task("qmstart", "101", 60, "OK"), task("vzdump", "101", 7000, "job *errors*"), task("vzdump", "", 600, ""),
            task("qmstop", "102", 90, "WARNINGS: 1"),
        ]))
        .data(LOG, json!([
            {"time": NOW - 30, "node": "pve1", "user": "ann@pve", "msg": "update VM 101: -cores 2"},
            {"time": NOW - 30, "node": "pve1", "user": "ann@pve", "msg": "end task UPID:x OK"},
            {"time": NOW - 7201, "node": "pve1", "user": "ann@pve", "msg": "too old"},
        ]));
    let output = finish(&TOOL, &script, json!({"since": "2h"})).unwrap();
    assert_eq!(
        output.text,
        "🕘 Since 2026-11-22 07:33 UTC: 4 tasks, 1 failed, 1 running\n  • Kinds: 2× vzdump (1 failed), 1× qmstart, 1× qmstop\n\n\
         🔴 2026-11-22 07:36 vzdump 101 on pve1 by root@pam!mcp: job \\*errors\\*\n\
         ⏳ 2026-11-22 09:23 vzdump on pve1 by root@pam!mcp\n\
         🟢 2026-11-22 09:32 qmstart 101 on pve1 by root@pam!mcp\n\
         🟡 2026-11-22 09:31 qmstop 102 on pve1 by root@pam!mcp: WARNINGS: 1\n\
         \nCluster log:\n  • 2026-11-22 09:32 pve1 ann@pve: update VM 101: -cores 2\n"
    );
    let statuses: Vec<&str> = output.data["tasks"].as_array().unwrap().iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["failed", "running", "ok", "warnings"]);
}

#[test]
fn filters_are_sent_and_applied_to_the_log() {
    let script = one_node().data(&tasks("pve1", NOW - 86_400, "&vmid=101&userfilter=ann"), json!([])).data(
        LOG,
        json!([
            {"time": NOW, "node": "pve1", "user": "ann@pve", "msg": "update VM 101: a"},
            {"time": NOW, "node": "pve1", "user": "bob@pve", "msg": "update VM 101: b"},
            {"time": NOW, "node": "pve1", "user": "ann@pve", "msg": "update VM 1010: c"},
            {"time": NOW, "node": "pve2", "user": "ann@pve", "msg": "update VM 101: d"},
        ]),
    );
    let output = finish(&TOOL, &script, json!({"vmid": 101, "user": "ann", "node": "pve1"})).unwrap();
    assert_eq!((&output.data["log_total"], &output.data["log"][0]["text"]), (&json!(1), &json!("update VM 101: a")));
}

#[test]
fn basic_mode_says_that_it_sees_own_tasks_only() {
    let demo = Demo::new();
    let said = text(&TOOL, &Altered { inner: &demo, change: &basic_mode }, json!({}));
    assert!(said.contains("Not checked: tasks of other users: not granted: needs Sys.Audit on / (`--grant Sys.Audit@/`)"), "{said}");
    let denied = |request: &str| request.contains("/cluster/log").then_some(Err(SendError::Denied));
    let said = text(&TOOL, &Altered { inner: &demo, change: &denied }, json!({}));
    assert!(said.contains("cluster log, with changes of configurations: "), "{said}");
}

#[test]
fn a_list_that_was_cut_is_said_to() {
    let many = Value::from(vec![task("qmstart", "101", 60, "OK"); 300]);
    let script = one_node().data(&tasks("pve1", NOW - 86_400, ""), many).data(LOG, json!([]));
    let said = text(&TOOL, &script, json!({}));
    assert!(said.contains("older tasks of pve1: only the last 300 of each node are counted"), "{said}");
    assert!(said.contains("294 tasks more"), "{said}");
}

#[test]
fn a_large_cluster_gets_a_small_answer() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    let output = finish(&TOOL, &demo, json!({"since": "30d"})).unwrap();
    let size = output.text.len() + output.data.to_string().len();
    assert!(size <= 4096, "{size}\n{}", output.text);
    let rows: Vec<Value> = (0..290).map(|n| task(&format!("kind{}", n % 20), "100", 60 + n, "a long reason why this failed, of which there is more")).collect();
    let lines: Vec<Value> = (0..290).map(|n| json!({"time": NOW - n, "node": "pve-compute-01", "user": "administrator@pve", "msg": "update VM 101: -description something that is rather long"})).collect();
    let script = one_node().data(&tasks("pve1", NOW - 86_400, ""), rows.into()).data(LOG, lines.into());
    let output = finish(&TOOL, &script, json!({})).unwrap();
    let size = output.text.len() + output.data.to_string().len();
    assert!(size <= 4096, "{size}\n{}\n{}", output.text, output.data);
}

#[test]
fn wrong_arguments_say_what_is_right() {
    for (arguments, expected) in [
        (json!({"since": "yesterday"}), "a span such as 30m, 2h, 1d"),
        (json!({"since": NOW + 60}), "in the future"),
        (json!({"vmid": 999}), "There is no guest 999"),
        (json!({"node": "pve11"}), "Did you mean `pve1`?"),
    ] {
        let error = run(&TOOL, &Demo::new(), arguments).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn wrong_answers_and_hostile_names_do_no_harm() {
    let demo = Demo::new();
    for part in ["/cluster/log", "/cluster/status", "/nodes/pve2/tasks"] {
        for answer in spoiled() {
            let change = |request: &str| request.contains(part).then(|| answer.clone());
            let result = run(&TOOL, &Altered { inner: &demo, change: &change }, json!({"since": "9d"}));
            assert!(result.is_ok(), "{part} {answer:?}: {result:?}");
        }
    }
    for name in HOSTILE {
        let mut row = task(name, name, 60, name);
        row["user"] = (*name).into();
        row["node"] = (*name).into();
        let script = one_node()
            .data(&tasks("pve1", NOW - 86_400, ""), json!([row]))
            .data(LOG, json!([{"time": NOW, "node": name, "user": name, "msg": name}]));
        assert_tame(&text(&TOOL, &script, json!({})));
    }
}
