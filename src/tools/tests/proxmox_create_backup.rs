use proxmox_sim::Options;
use serde_json::json;

use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, NOW_MS, Script, finish, resume as go_on, run, text};

#[test]
fn a_backup_is_made_and_named() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "notes": "before C:\\update\nof {{guestname}}"})).unwrap();
    assert!(output.text.contains("Storage: nfs-backup (the only shared one for backups)"), "{}", output.text);
    let volume = "nfs-backup:backup/vzdump-qemu-101-2026_11_22-10_00_00.vma.zst";
    assert!(output.text.contains(&format!("Volume: `{volume}`")), "{}", output.text);
    assert_eq!(output.data["undo"]["arguments"], json!({ "volume": volume }).to_string());
    let there = demo.get("/nodes/pve1/storage/nfs-backup/content?vmid=101");
    let there = there.as_array().unwrap();
    let made = there.iter().find(|row| row["volid"] == volume).unwrap();
    assert!(made["notes"].as_str().unwrap().starts_with("before C:\\update"), "{made}");
    assert_eq!(there.len(), 4, "no older backup is thinned out");
    assert_eq!(demo.changes(), ["POST /nodes/pve1/vzdump"]);
}

#[test]
fn the_older_names_take_their_parameters() {
    for (name, vmid, node) in [("proxmox_create_backup_vm", 103, "pve2"), ("proxmox_create_backup_lxc", 104, "pve3")] {
        let demo = Demo::new();
        let arguments = json!({"node": node, "vmid": vmid.to_string(), "storage": "local", "mode": "stop",
                               "compress": "none"});
        let mut step = catalogue::call(&demo, NOW_MS, name, &arguments.to_string()).unwrap();
        while let Step::Pending(continuation, _) = step {
            step = catalogue::resume(&demo, NOW_MS + 5000, &continuation).unwrap();
        }
        let Step::Done(output) = step else { panic!("it ends") };
        assert!(output.text.contains("Warning: The guest is shut down for the backup"), "{}", output.text);
        let request = demo.0.requests().into_iter().find(|request| request.verb == "POST").unwrap();
        let form = String::from_utf8(request.body).unwrap();
        assert!(form.contains("compress=0"), "{form}");
        let there = demo.get(&format!("/nodes/{node}/storage/local/content?content=backup"));
        assert_eq!(there[0]["vmid"], vmid, "{name}");
        assert!(output.data["undo"]["arguments"].as_str().unwrap().contains(&format!(r#""node":"{node}""#)));
    }
}

#[test]
fn a_dry_run_shows_the_request() {
    let demo = Demo::new();
    let args = json!({"vmid": 101, "compress": "none", "protected": true, "dry_run": true});
    let shown = text(&TOOL, &demo, args);
    assert!(
        shown.contains("POST /nodes/pve1/vzdump vmid=101 storage=nfs-backup mode=snapshot compress=0 remove=0 protected=1"),
        "{shown}"
    );
    assert!(demo.changes().is_empty());
}

#[test]
fn progress_comes_from_the_log() {
    let status = "GET /nodes/a/tasks/UPID%3Aa%3A000034B9%3A0004C977%3A6B02B92A%3Avzdump%3A101%3Aroot%40pam%3A/status";
    let log = "GET /nodes/a/tasks/UPID%3Aa%3A000034B9%3A0004C977%3A6B02B92A%3Avzdump%3A101%3Aroot%40pam%3A/log";
    let line = |n: u32, text: &str| json!({"n": n, "t": text});
    let script = Script::new()
        .data(
            "GET /cluster/resources",
            json!([{"type": "qemu", "node": "a", "vmid": 101, "status": "running", "name": "web"},
                   {"type": "storage", "storage": "nfs", "node": "a", "shared": 1, "status": "available",
                    "content": "backup"}]),
        )
        .data("POST /nodes/a/vzdump", json!("UPID:a:000034B9:0004C977:6B02B92A:vzdump:101:root@pam:"))
        .data(status, json!({"status": "running"}))
        .data(&format!("{log}?start=0&limit=500"), json!([line(1, "no content")]))
        .data(
            &format!("{log}?start=0&limit=500"),
            json!([line(1, "INFO: VM Name: web"), line(2, "INFO:  25% (16.0 GiB of 64.0 GiB) in 1m")]),
        )
        .data(&format!("{log}?start=2&limit=500"), json!([line(1, "no content")]));
    let mut outcome = run(&TOOL, &script, json!({"vmid": 101})).unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let Outcome::Pending(pending) = outcome else { panic!("{outcome:?}") };
        outcome = go_on(&TOOL, &script, &pending.state, 1000).unwrap();
        let Outcome::Pending(pending) = &outcome else { panic!("{outcome:?}") };
        seen.push(pending.progress);
    }
    assert_eq!(seen, [None, Some(0.25), Some(0.25)]);
}

#[test]
fn what_cannot_be_backed_up_is_said_before_anything_is_sent() {
    let demo = Demo::new();
    for (args, expected) in [
        (json!({"vmid": 111}), "is locked (backup)"),
        (json!({"vmid": 101, "storage": "ceph-prod"}), "holds no backup"),
        (json!({"vmid": 101, "storage": "nfs-backups"}), "Did you mean `nfs-backup`?"),
        (json!({"vmid": 101, "compress": "zip"}), "one of `zstd`"),
        (json!({"vmid": 101, "notes": "x".repeat(1025)}), "it takes 1024"),
    ] {
        let error = run(&TOOL, &demo, args).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    demo.0.with_world(|world| world.storages.iter_mut().for_each(|storage| storage.shared = false));
    let error = run(&TOOL, &demo, json!({"vmid": 101})).unwrap_err().to_string();
    assert!(error.contains("several storages on `pve1` take backups: `local`, `nfs-backup`"), "{error}");
    assert!(demo.changes().is_empty());
}

#[test]
fn a_task_that_takes_its_time_is_followed() {
    let demo = Demo::of(Options { task_seconds: 0.01, ..Options::instant() });
    let Outcome::Pending(pending) = run(&TOOL, &demo, json!({"vmid": 101})).unwrap() else { panic!("it waits") };
    std::thread::sleep(std::time::Duration::from_millis(80));
    let outcome = go_on(&TOOL, &demo, &pending.state, 1000).unwrap();
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}
