use proxmox_sim::{Options, Fault, FaultKind};
use serde_json::json;

use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, HOSTILE, NOW_MS, Script, assert_tame, finish, text};

#[test]
fn each_guest_has_a_row_and_those_without_are_named() {
    let output = finish(&TOOL, &Demo::new(), json!({})).unwrap();
    assert!(output.text.starts_with("💾 Backups: 18 of 6 guests, "), "{}", output.text);
    assert!(output.text.contains("⚠️ No backup: 5 guests: 106, 107, 108, 110, 111\n"), "{}", output.text);
    assert!(output.text.contains("prod-web-01 (ID: 101): 2026-11-21 02:00 UTC on nfs-backup (3 backups, 48.0 GB)"));
    assert_eq!(output.data["guests"].as_array().unwrap().len(), 6);
}

#[test]
fn one_guest_shows_its_backups_newest_first() {
    let output = finish(&TOOL, &Demo::new(), json!({"vmid": 101})).unwrap();
    assert!(output.text.starts_with("💾 Backups of prod-web-01 (ID: 101): 3, 48.0 GB\n"), "{}", output.text);
    let volumes: Vec<&str> =
        output.data["backups"].as_array().unwrap().iter().map(|row| row["volume"].as_str().unwrap()).collect();
    assert_eq!(volumes[0], "nfs-backup:backup/vzdump-qemu-101-2026_11_21-02_00_00.vma.zst");
    assert!(volumes.is_sorted_by(|a, b| a > b), "{volumes:?}");
}

#[test]
fn since_and_pages_narrow_it() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"storage": "nfs-backup", "since": "2026-11-21", "limit": 4})).unwrap();
    assert_eq!((&output.data["total"], &output.data["next_cursor"]), (&json!(6), &json!("from-4")));
    let next = finish(
        &TOOL,
        &demo,
        json!({"storage": "nfs-backup", "since": "2026-11-21", "limit": 4, "cursor": "from-4"}),
    );
    assert_eq!(next.unwrap().data["backups"].as_array().unwrap().len(), 2);
    let none = text(&TOOL, &demo, json!({"since": "2026-11-22"}));
    assert!(none.contains("No backup: 11 guests in that time:"), "{none}");
}

#[test]
fn the_older_parameters_are_taken() {
    let step =
        catalogue::call(&Demo::new(), NOW_MS, "proxmox_list_backups", r#"{"node":"pve2","storage":"nfs-backup"}"#);
    let Step::Done(output) = step.unwrap() else { panic!("it reads") };
    assert!(output.text.starts_with("💾 Backups on nfs-backup: 18, "), "{}", output.text);
}

#[test]
fn a_shared_storage_is_asked_once_and_a_dead_node_is_a_line() {
    let demo = Demo::new();
    demo.0.fault(Fault::always("/nodes/pve2/storage", FaultKind::Status(595, "No route to host".to_owned())));
    let output = finish(&TOOL, &demo, json!({})).unwrap();
    assert!(output.text.contains("Not shown: local on pve2: No route to host (595)"), "{}", output.text);
    assert_eq!(output.data["total"], 18);
    let asked = demo.0.requests().iter().filter(|request| request.path.contains("nfs-backup")).count();
    assert_eq!(asked, 1);
}

#[test]
fn a_shared_storage_is_asked_for_at_another_node() {
    let demo = Demo::new();
    demo.0.fault(Fault::always("/nodes/pve1/storage", FaultKind::Status(596, "Broken pipe".to_owned())));
    let output = finish(&TOOL, &demo, json!({})).unwrap();
    assert_eq!(output.data["total"], 18);
    assert!(output.text.contains("Not shown: local on pve1") && !output.text.contains("Not shown: nfs"), "{}", output.text);
}

#[test]
fn all_that_fails_is_a_failure() {
    let demo = Demo::new();
    for node in ["pve1", "pve2", "pve3"] {
        demo.0.fault(Fault::always(&format!("/nodes/{node}/storage"), FaultKind::Status(500, "got timeout".to_owned())));
    }
    assert!(finish(&TOOL, &demo, json!({})).unwrap_err().to_string().contains("got timeout"));
}

#[test]
fn verification_protection_and_strangers_are_shown() {
    let script = Script::new()
        .data(
            "GET /cluster/resources",
            json!([
                {"type": "node", "node": "a", "status": "online"},
                {"type": "storage", "storage": "pbs", "node": "a", "shared": 1, "status": "available",
                 "plugintype": "pbs", "content": "backup"},
            ]),
        )
        .data(
            "GET /nodes/a/storage/pbs/content?content=backup",
            json!([
                {"volid": "pbs:backup/vm/100/2026-11-22T02:00:00Z", "content": "backup", "vmid": 100, "ctime": 20,
                 "size": 1024, "protected": 1, "verification": {"state": "ok"}, "encrypted": "aa"},
                {"volid": "pbs:backup/vm/100/2026-11-21T02:00:00Z", "content": "backup", "vmid": 100, "ctime": 10,
                 "size": 1024, "verification": {"state": "failed"}},
                {"volid": "pbs:backup/odd", "content": "backup", "ctime": 5},
            ]),
        );
    let overview = text(&TOOL, &script, json!({}));
    assert!(
        overview.contains("Guest 100: 1970-01-01 00:00 UTC on pbs (2 backups, 2.0 KB, 🔒 1 protected, ✅ 1 verified, ❌ 1 failed verification)"),
        "{overview}"
    );
    assert!(overview.contains("Other backups:"), "{overview}");
    let each = text(&TOOL, &script, json!({"storage": "pbs"}));
    assert!(each.contains("1.0 KB, 🔒 protected, encrypted, ✅ verified\n"), "{each}");
    assert!(each.contains("❌ verification: failed"), "{each}");
}

#[test]
fn a_large_cluster_stays_small() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    demo.0.with_world(|world| {
        let nfs = world.storages.iter_mut().find(|storage| storage.name == "nfs-backup").unwrap();
        let model = nfs.volumes[0].clone();
        nfs.volumes = (100..2050)
            .flat_map(|vmid| (0..3).map(move |night| (vmid, night)))
            .map(|(vmid, night)| proxmox_sim::world::Volume {
                name: format!("backup/vzdump-qemu-{vmid}-2026_11_2{night}-02_00_00.vma.zst"),
                vmid: Some(vmid),
                ctime: 1_795_000_000 + u64::from(night * vmid),
                notes: Some("prod-web".to_owned()),
                ..model.clone()
            })
            .collect();
    });
    for args in [json!({}), json!({"storage": "nfs-backup"}), json!({"vmid": 101})] {
        let output = finish(&TOOL, &demo, args.clone()).unwrap();
        let size = output.text.len() + output.data.to_string().len();
        assert!(size <= 4096, "{args}: {size}");
    }
}

#[test]
fn hostile_text_is_tame() {
    let rows: Vec<Value> = HOSTILE
        .iter()
        .map(|text| json!({"volid": format!("nfs:{text}"), "content": "backup", "vmid": 101, "notes": text, "ctime": 1}))
        .collect();
    let script = Script::new()
        .data(
            "GET /cluster/resources",
            json!([{"type": "storage", "storage": "nfs", "node": "a", "shared": 1, "status": "available",
                    "content": "backup"}]),
        )
        .data("GET /nodes/a/storage/nfs/content?content=backup&vmid=101", Value::from(rows));
    assert_tame(&text(&TOOL, &script, json!({"vmid": 101})));
}
