use serde_json::json;

use super::*;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, by_name, finish, resume as go_on, run, text};
use crate::tool::Pending;

fn is_there(demo: &Demo, vmid: u32) -> bool {
    demo.get("/cluster/resources").as_array().unwrap().iter().any(|row| row["vmid"] == vmid)
}

#[test]
fn a_guest_is_gone_and_what_is_lost_is_said() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"vmid": 108, "confirm": "wiki"})).unwrap();
    assert!(output.text.starts_with("🗑️ Delete wiki (ID: 108)\n"), "{}", output.text);
    assert!(output.text.contains("Lost: Disk rootfs: 40.0 GB, local-zfs:"), "{}", output.text);
    assert!(output.text.contains("Backups: kept") && output.data.get("undo").is_none(), "{}", output.text);
    assert!(!is_there(&demo, 108));
    assert_eq!(demo.changes(), ["DELETE /nodes/pve2/lxc/108"]);
}

/// The list knows that it is there, and not yet what it is called.
#[test]
fn a_guest_that_was_just_made_is_confirmed_by_its_name() {
    let refresh = std::time::Duration::from_secs(600);
    let demo = Demo::of(proxmox_sim::Options { refresh, ..proxmox_sim::Options::instant() });
    assert!(!is_there(&demo, 900));
    demo.0.answer("POST", "/api2/json/nodes/pve1/qemu", Some("vmid=900&name=fresh"));
    let error = run(&TOOL, &demo, json!({"vmid": 900, "confirm": "900"})).unwrap_err().to_string();
    assert!(error.contains("guest 900 is called “fresh”"), "{error}");
    let output = finish(&TOOL, &demo, json!({"vmid": 900, "confirm": "fresh"})).unwrap();
    assert!(output.text.starts_with("🗑️ Delete fresh (ID: 900)\n"), "{}", output.text);
    assert!(!is_there(&demo, 900));
}

#[test]
fn a_running_guest_is_stopped_first_where_that_is_wanted() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"vmid": 101, "force": true, "purge": true, "dry_run": true}));
    for part in ["POST /nodes/pve1/qemu/101/status/stop", "DELETE /nodes/pve1/qemu/101 purge=1", "1 snapshot: before-upgrade"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(demo.changes().is_empty());
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "force": true})).unwrap();
    assert!(output.text.contains("Result: done") && output.text.contains(":qmdestroy:101:"), "{}", output.text);
    assert_eq!(demo.changes(), ["POST /nodes/pve1/qemu/101/status/stop", "DELETE /nodes/pve1/qemu/101"]);
    assert!(!is_there(&demo, 101));
}

#[test]
fn what_must_not_be_deleted_is_told_before_anything_is_sent() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"vmid": 101}), "is running. Shut it down first"),
        (json!({"vmid": 101, "force": true, "wait": false}), "leave `wait` out"),
        (json!({"vmid": 100, "force": true}), "is protected against being deleted"),
        (json!({"vmid": 111, "force": true}), "is locked (backup)"),
        (json!({"vmid": 108, "confirm": "wiki-2"}), "`confirm` is `wiki-2`, but guest 108 is called “wiki”"),
        (json!({"vmid": 108, "node": "pve1"}), "is on node `pve2`, not on `pve1`"),
    ] {
        let error = run(&TOOL, &demo, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(demo.changes().is_empty());
}

/// A guest of which the snapshots are not seen.
fn world(kind: &str, extra: Value, config: Value, live: Value) -> Script {
    let mut row = json!({"type": kind, "vmid": 200, "name": "odd", "node": "pve1", "status": "stopped"});
    row.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    Script::new()
        .data("GET /cluster/resources", json!([row]))
        .data(&format!("GET /nodes/pve1/{kind}/200/config"), config)
        .data(&format!("GET /nodes/pve1/{kind}/200/status/current"), live)
        .error(&format!("GET /nodes/pve1/{kind}/200/snapshot"), 500, "broken")
}

#[test]
fn a_guest_under_ha_is_taken_out_of_it_first() {
    let script = world("lxc", json!({}), json!({}), json!({"status": "stopped", "ha": {"managed": 1}}));
    let error = run(&TOOL, &script, json!({"vmid": 200})).unwrap_err().to_string();
    assert!(error.contains("looked after by the HA manager"), "{error}");
    let script = world("lxc", json!({}), json!({}), json!({"status": "stopped", "ha": {"managed": 0}}));
    let shown = text(&TOOL, &script, json!({"vmid": 200, "dry_run": true}));
    assert!(shown.contains("Whether it has snapshots is not known: broken (500)"), "{shown}");
}

#[test]
fn a_template_that_others_stand_on_stays() {
    let config = json!({"scsi0": "pool:base-200-disk-0,size=8G", "template": 1});
    for volume in [
        json!({"volid": "pool:vm-301-disk-0", "vmid": 301, "parent": "base-200-disk-0@__base__"}),
        json!({"volid": "pool:200/base-200-disk-0.qcow2/301/vm-301-disk-0.qcow2", "vmid": "301"}),
    ] {
        let list = json!([{"volid": "pool:base-200-disk-0", "vmid": 200}, {"volid": "pool:vm-9-disk-0", "vmid": 9}, volume]);
        let script = world("qemu", json!({"template": 1}), config.clone(), json!({"status": "stopped"}))
            .data("GET /nodes/pve1/storage/pool/content", list);
        let error = run(&TOOL, &script, json!({"vmid": 200})).unwrap_err().to_string();
        assert!(error.contains("is the template of 1 guest") && error.contains(": 301."), "{error}");
        assert!(script.changes().is_empty());
    }
    let free = world("qemu", json!({"template": 1}), config, json!({"status": "stopped"}))
        .data("GET /nodes/pve1/storage/pool/content", json!([{"volid": "pool:vm-12001-disk-0", "vmid": 12001}]));
    assert!(text(&TOOL, &free, json!({"vmid": 200, "dry_run": true})).contains("DELETE /nodes/pve1/qemu/200"));
}

#[test]
fn hostile_names_are_tame() {
    for words in HOSTILE {
        let config = json!({"scsi0": format!("pool:{words},size=8G"), "name": words});
        let script = Script::new()
            .data("GET /cluster/resources", json!([{"type": "qemu", "vmid": 200, "name": words, "node": "pve1"}]))
            .data("GET /nodes/pve1/qemu/200/config", config)
            .data("GET /nodes/pve1/qemu/200/status/current", json!({"status": "stopped", "name": words}))
            .data("GET /nodes/pve1/qemu/200/snapshot", json!([{"name": words}, {"name": "current"}]));
        assert_tame(&text(&TOOL, &script, json!({"vmid": 200, "dry_run": true})));
        let error = run(&TOOL, &script, json!({"vmid": 200, "confirm": "x"})).unwrap_err().to_string();
        assert_tame(&error);
    }
}

#[test]
fn a_template_with_clones_that_are_not_seen_is_explained() {
    let demo = Demo::new();
    by_name("proxmox_clone", &demo, json!({"vmid": 109, "name": "web-09"}));
    let error = finish(&TOOL, &demo, json!({"vmid": 109})).unwrap_err().to_string();
    assert!(error.contains("linked"), "{error}");
    assert!(is_there(&demo, 109));
}

#[test]
fn a_forged_state_deletes_no_other_guest() {
    let demo = Demo::new();
    let Outcome::Pending(Pending { state, .. }) = run(&TOOL, &demo, json!({"vmid": 101, "force": true})).unwrap() else { panic!() };
    let sent = demo.changes().len();
    let mut forged = state.clone();
    *forged.pointer_mut("/change/guest/vmid").unwrap() = json!(108);
    let mut result = go_on(&TOOL, &demo, &forged, 0);
    for _ in 0..5 {
        let Ok(Outcome::Pending(Pending { state, .. })) = result else { break };
        result = go_on(&TOOL, &demo, &state, 5000);
    }
    assert!(matches!(result, Err(Error::Arguments(_))), "{result:?}");
    assert_eq!(demo.changes().len(), sent);
}

#[test]
fn the_older_names_do_the_same() {
    let demo = Demo::new();
    by_name("proxmox_delete_lxc", &demo, json!({"node": "pve2", "vmid": "108"}));
    by_name("proxmox_delete_vm", &demo, json!({"node": "pve2", "vmid": "109"}));
    assert!(!is_there(&demo, 108) && !is_there(&demo, 109));
}
