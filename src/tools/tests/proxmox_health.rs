use proxmox_sim::{Options, Release};
use serde_json::{Value, json};

use super::*;
use crate::testing::{Altered, Demo, HOSTILE, Script, assert_tame, basic_mode, finish, run, spoiled, text};

fn codes(data: &Value) -> Vec<&str> {
    data["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[test]
fn what_is_wrong_in_the_demo_cluster_is_found() {
    let output = finish(&TOOL, &Demo::new(), json!({"limit": 50})).unwrap();
    let found = codes(&output.data);
    for code in ["storage-filling", "guest-locked", "agent-silent", "backup-missing"] {
        assert!(found.contains(&code), "{code}: {}", output.text);
    }
    let finding = output.data["findings"].as_array().unwrap().iter().find(|row| row["code"] == "storage-filling");
    let finding = finding.unwrap();
    assert!(finding["date"].as_str().unwrap().starts_with("202"), "{finding}");
    assert!(finding["value"].as_f64().unwrap() > 0.9, "{finding}");
    for (finding, code) in output.data["findings"].as_array().unwrap().iter().zip(found) {
        let says = format!("(`{code}`): {}", finding["says"].as_str().unwrap());
        assert!(output.text.contains(&says), "{finding}");
    }
}

#[test]
fn a_large_cluster_gets_a_small_answer_and_few_requests() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    let output = finish(&TOOL, &demo, json!({})).unwrap();
    let size = output.text.len() + output.data.to_string().len();
    assert!(size <= 4096, "{size}\n{}\n{}", output.text, output.data);
    assert_eq!(output.data["requests"], demo.0.requests().len());
    assert!(demo.0.requests().len() <= survey::REQUESTS, "{}", demo.0.requests().len());
    assert!(output.text.contains("updates of 15 nodes, "), "{}", output.text);
    let certificates = demo.0.requests().iter().filter(|r| r.path.ends_with("/certificates/info")).count();
    assert!(certificates >= 12, "{certificates}: they cannot be seen in any list");
}

#[test]
fn basic_mode_names_each_grant_once_and_finds_the_rest() {
    let demo = Demo::new();
    let output = finish(&TOOL, &Altered { inner: &demo, change: &basic_mode }, json!({"limit": 50})).unwrap();
    for grant in ["Sys.Audit@/", "Sys.Modify@/nodes", "VM.GuestAgent.Audit@/vms"] {
        assert_eq!(output.text.matches(&format!("(`--grant {grant}`)")).count(), 1, "{grant}: {}", output.text);
    }
    let first = "tasks of other users, quorum, high availability, guests in no backup job, ";
    assert!(output.text.contains(first), "{}", output.text);
    assert!(codes(&output.data).contains(&"storage-filling"), "{}", output.text);
}

#[test]
fn one_node_is_looked_at_alone() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"node": "pve3", "limit": 50})).unwrap();
    assert_eq!((&output.data["nodes"], &output.data["guests"]), (&json!(1), &json!(4)));
    let asked = demo.0.requests();
    let status = |node: &str| asked.iter().any(|request| request.path.ends_with(&format!("/nodes/{node}/status")));
    assert!(status("pve3") && !status("pve1"));
    let error = run(&TOOL, &demo, json!({"node": "pve33"})).unwrap_err().to_string();
    assert!(error.contains("Did you mean `pve3`?"), "{error}");
}

/// A call about a node may ask nothing of another one, not even a storage that both have.
#[test]
fn shared_storages_are_asked_through_the_node_that_is_looked_at() {
    for node in ["pve1", "pve2", "pve3"] {
        let demo = Demo::new();
        let output = finish(&TOOL, &demo, json!({"node": node, "limit": 50})).unwrap();
        let own = format!("/api2/json/nodes/{node}/");
        for request in demo.0.requests().iter().filter(|request| request.path.contains("/nodes/")) {
            assert!(request.path.starts_with(&own), "{node}: {}", request.path);
        }
        assert!(!output.text.contains("Not checked: backups"), "{}", output.text);
    }
}

#[test]
fn no_backup_is_missing_while_a_storage_that_may_hold_it_is_not_read() {
    let whole = finish(&TOOL, &Demo::new(), json!({"limit": 50})).unwrap();
    assert!(codes(&whole.data).contains(&"backup-missing"), "{}", whole.text);
    let demo = Demo::new();
    let refused = |request: &str| {
        request.contains("/storage/nfs-backup/content").then_some(Err(crate::cx::SendError::Denied))
    };
    let output = finish(&TOOL, &Altered { inner: &demo, change: &refused }, json!({"limit": 50})).unwrap();
    for code in ["backup-missing", "backup-old"] {
        assert!(!codes(&output.data).contains(&code), "{}", output.text);
    }
    assert!(output.text.contains("recent backups: not every storage"), "{}", output.text);
}

#[test]
fn severity_and_limit_cut_the_answer() {
    let demo = Demo::new();
    let all = finish(&TOOL, &demo, json!({"limit": 50})).unwrap().data;
    let some = finish(&TOOL, &demo, json!({"severity": "warning", "limit": 1})).unwrap();
    assert_eq!((&some.data["info"], &some.data["warning"]), (&json!(0), &all["warning"]));
    assert_eq!(codes(&some.data).len(), 1);
    assert!(some.text.contains("more (`limit`)"), "{}", some.text);
}

#[test]
fn a_node_that_is_down_is_critical_and_spoils_nothing_else() {
    let demo = Demo::new();
    demo.0.fault(proxmox_sim::Fault::always("", proxmox_sim::FaultKind::NodeDown("pve2".to_owned())));
    let output = finish(&TOOL, &demo, json!({"limit": 50})).unwrap();
    assert_eq!(output.data["findings"][0]["code"], "node-offline", "{}", output.text);
    let found = codes(&output.data);
    assert!(found.contains(&"quorum-at-risk") && found.contains(&"storage-filling"), "{}", output.text);
    assert!(!demo.0.requests().iter().any(|request| request.path.contains("/nodes/pve2/")), "a request to a dead node");
}

#[test]
fn stopped_guests_are_asked_for_snapshots_after_those_that_run() {
    let row = |vmid: u32| json!({"type": "qemu", "vmid": vmid, "node": "pve1", "status": "stopped", "maxdisk": 1000 - vmid});
    let of = |vmids: std::ops::Range<u32>| {
        let silent = ["cluster/status", "cluster/ha/status/current", "cluster/tasks", "cluster/replication",
            "cluster/backup-info/not-backed-up"];
        let script = Script::new().data("GET /cluster/resources", vmids.clone().map(row).collect());
        let script = silent.iter().fold(script, |script, path| script.error(&format!("GET /{path}"), 500, "no"));
        let old = json!([{"name": "old", "snaptime": 1_700_000_000}]);
        let asked = |script: Script, vmid| script.data(&format!("GET /nodes/pve1/qemu/{vmid}/snapshot"), old.clone());
        finish(&TOOL, &vmids.take(3).fold(script, asked), json!({})).unwrap()
    };
    let few = of(100..102);
    assert_eq!(codes(&few.data).iter().filter(|code| **code == "snapshot-old").count(), 2, "{}", few.text);
    assert!(!few.text.contains("snapshots of"), "{}", few.text);
    let more = of(100..105);
    assert!(more.text.contains("Not checked: snapshots of 2 guests: a request for each"), "{}", more.text);
}

#[test]
fn an_answer_that_is_wrong_is_a_gap_and_nothing_more() {
    let demo = Demo::new();
    let arguments = json!({"node": "pve3", "limit": 50});
    finish(&TOOL, &demo, arguments.clone()).unwrap();
    let mut paths: Vec<String> =
        demo.0.requests().iter().map(|request| request.path.trim_start_matches("/api2/json").to_owned()).collect();
    // One of each kind.
    let kind = |path: &mut String| (path.starts_with("/nodes/"), path.rsplit('/').next().map(str::to_owned));
    paths.sort_by_key(|path| kind(&mut path.clone()));
    paths.dedup_by_key(kind);
    for path in &paths {
        for answer in spoiled() {
            let change = |request: &str| {
                let asked = request.split([' ', '?']).nth(1).unwrap_or_default();
                (asked == *path).then(|| answer.clone())
            };
            let result = run(&TOOL, &Altered { inner: &demo, change: &change }, arguments.clone());
            assert!(result.is_ok() || *path == "/cluster/resources", "{path} {answer:?}: {result:?}");
        }
    }
}

#[test]
fn an_older_release_is_looked_at_as_well() {
    let demo = Demo::of(Options { release: Release::V8_4, ..Options::instant() });
    let (old, new) = (finish(&TOOL, &demo, json!({})).unwrap(), finish(&TOOL, &Demo::new(), json!({})).unwrap());
    assert_eq!(old.data["not_checked"], new.data["not_checked"]);
    assert_eq!(codes(&old.data), codes(&new.data));
}

#[test]
fn hostile_names_are_tame() {
    for name in HOSTILE {
        let script = Script::new()
            .data("GET /cluster/resources", json!([
                {"type": "node", "node": name, "status": "offline"},
                {"type": "node", "node": "pve1", "status": "unknown"},
                {"type": "storage", "storage": name, "node": name, "status": "unknown", "content": "backup"},
                {"type": "qemu", "vmid": 100, "name": name, "node": name, "status": name, "lock": name},
            ]))
            .data("GET /cluster/status", json!([{"type": "cluster", "name": name, "quorate": 0}]))
            .data("GET /cluster/ha/status/current", json!([{"type": "service", "sid": name, "state": "error"}]))
            .data("GET /cluster/tasks", json!([{"upid": name, "node": name, "type": name, "id": name, "user": name,
                "starttime": 1_795_339_000, "endtime": 1_795_339_001, "status": name}]))
            .data("GET /cluster/backup-info/not-backed-up", json!([{"vmid": 100, "name": name}]))
            .error("GET /cluster/replication", 500, name);
        assert_tame(&text(&TOOL, &script, json!({"limit": 50})));
    }
}
