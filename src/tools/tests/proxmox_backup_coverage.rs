use proxmox_sim::Options;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Altered, Demo, HOSTILE, NOW_MS, Script, assert_tame, basic_mode, finish, run, spoiled, text};

const NOW: u64 = NOW_MS / 1000;

fn states(data: &Value) -> Vec<(u64, &str)> {
    let rows = data["guests"].as_array().unwrap();
    rows.iter().map(|row| (row["vmid"].as_u64().unwrap(), row["state"].as_str().unwrap())).collect()
}

fn cluster() -> Script {
    let guest = |vmid: u32, node: &str| json!({"type": "qemu", "vmid": vmid, "node": node, "name": format!("g{vmid}"), "pool": "prod"});
    let volume = |vmid: u32, age: u64, verification: Value| {
        json!({"volid": format!("pbs:backup/vm/{vmid}/x"), "vmid": vmid, "ctime": NOW - age, "size": 1_073_741_824, "verification": verification})
    };
    Script::new()
        .data("GET /cluster/resources", json!([
            {"type": "node", "node": "a", "status": "online"},
            {"type": "storage", "storage": "pbs", "node": "a", "shared": 1, "status": "available", "content": "backup"},
            guest(100, "a"), guest(101, "a"), guest(102, "a"), guest(103, "a"), guest(104, "b"),
            {"type": "qemu", "vmid": 105, "node": "a", "template": 1},
        ]))
        .data("GET /cluster/backup", json!([
            {"id": "nightly", "schedule": "02:00", "pool": "prod", "node": "a"}, {"id": "off", "all": 1, "enabled": 0},
        ]))
        .data("GET /cluster/backup-info/not-backed-up", json!([{"vmid": 104}]))
        .data("GET /nodes/a/storage/pbs/content?content=backup", json!([
            volume(100, 3600, json!({"state": "ok"})), volume(100, 90_000, Value::Null),
            volume(101, 2 * 86_400 + 1, Value::Null), volume(102, 60, json!({"state": "failed"})), volume(104, 60, Value::Null),
        ]))
}

#[test]
fn guests_are_judged_and_the_worst_come_first() {
    let output = finish(&TOOL, &cluster(), json!({})).unwrap();
    assert_eq!(states(&output.data), [(102, "broken"), (103, "none"), (101, "old"), (104, "no_job"), (100, "ok")]);
    assert!(
        output.text.ends_with(
            "🔴 g102 (ID: 102): newest 1m 0s old on pbs, 1.0 GB, verification FAILED, 1 kept; job nightly (02:00)\n\
             🔴 g103 (ID: 103): no backup seen; job nightly (02:00)\n\
             🟡 g101 (ID: 101): newest 2d 0h old on pbs, 1.0 GB, 1 kept; job nightly (02:00)\n\
             🟡 g104 (ID: 104): newest 1m 0s old on pbs, 1.0 GB, 1 kept; in no job\n\
             🟢 g100 (ID: 100): newest 1h 0m old on pbs, 1.0 GB, verified, 2 kept; job nightly (02:00)\n"
        ),
        "{}",
        output.text
    );
    assert!(output.text.starts_with("🛟 Backups: 1 of 5 guests fine (a backup within 2 days, and a job)\n"), "{}", output.text);
    let wider = finish(&TOOL, &cluster(), json!({"max_age_days": 3})).unwrap();
    assert_eq!(wider.data["old"], 0);
}

#[test]
fn without_jobs_the_backups_still_count() {
    let demo = Demo::new();
    let output = finish(&TOOL, &Altered { inner: &demo, change: &basic_mode }, json!({"limit": 50})).unwrap();
    assert_eq!((&output.data["no_job"], &output.data["none"]), (&json!(0), &json!(5)));
    assert!(output.text.contains("; jobs are not known)"), "{}", output.text);
    let gap = "Not checked: backup jobs, guests in no backup job: not granted: needs Sys.Audit on / (`--grant Sys.Audit@/`)";
    assert!(output.text.contains(gap), "{}", output.text);
}

#[test]
fn what_proxmox_does_not_count_is_computed_from_the_jobs() {
    let (script, off) = (cluster(), |request: &str| request.contains("not-backed-up").then(|| spoiled().remove(6)));
    let output = finish(&TOOL, &Altered { inner: &script, change: &off }, json!({})).unwrap();
    assert_eq!(output.data["no_job"], 1, "{}", output.text);
}

#[test]
fn a_storage_that_fails_makes_missing_backups_unknown() {
    let demo = Demo::new();
    let change = |request: &str| request.contains("/nfs-backup/content").then(|| spoiled().remove(7));
    let output = finish(&TOOL, &Altered { inner: &demo, change: &change }, json!({"limit": 50})).unwrap();
    assert_eq!((&output.data["unknown"], &output.data["none"]), (&json!(11), &json!(0)), "{}", output.text);
    assert!(output.text.contains("Not checked: backups on nfs-backup: No route to host (595)"), "{}", output.text);
}

#[test]
fn one_guest_is_asked_for_alone() {
    let request = "GET /nodes/a/storage/pbs/content?content=backup&vmid=103";
    let script = cluster().data(request, json!([{"volid": "pbs:x", "vmid": 103, "ctime": NOW - 60}]));
    let output = finish(&TOOL, &script, json!({"vmid": 103})).unwrap();
    assert_eq!(states(&output.data), [(103, "ok")]);
    assert!(script.sent().contains(&request.to_owned()), "{:?}", script.sent());
    assert!(run(&TOOL, &script, json!({"vmid": 999})).is_err());
}

#[test]
fn a_large_cluster_gets_a_small_answer() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    let output = finish(&TOOL, &demo, json!({})).unwrap();
    let size = output.text.len() + output.data.to_string().len();
    assert!(size <= 4096, "{size}\n{}", output.text);
    assert_eq!(output.data["total"], 1999);
    assert!(demo.0.requests().len() <= 3 + STORAGES);
}

#[test]
fn wrong_answers_and_hostile_names_do_no_harm() {
    let demo = Demo::new();
    for part in ["/cluster/backup", "/not-backed-up", "/nfs-backup/content"] {
        for answer in spoiled() {
            let change = |request: &str| request.contains(part).then(|| answer.clone());
            let result = run(&TOOL, &Altered { inner: &demo, change: &change }, json!({}));
            assert!(result.is_ok(), "{part} {answer:?}: {result:?}");
        }
    }
    for name in HOSTILE {
        let body = json!({"data": [{"id": name, "schedule": name, "all": 1, "volid": format!("{name}:x"), "vmid": 101, "ctime": NOW}]});
        let change = |request: &str| (!request.contains("/resources")).then(|| {
            Ok(crate::cx::Response { status: 200, reason: None, body: body.to_string().into() })
        });
        assert_tame(&text(&TOOL, &Altered { inner: &demo, change: &change }, json!({"limit": 50})));
    }
}
