use proxmox_sim::Options;
use serde_json::json;

use super::*;
use crate::cx::SendError;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, by_name, finish};

const LIST: &str = "GET /cluster/resources";
const CEPH: &str = "GET /cluster/ceph/status";
const TB: u64 = 1024 * 1024 * 1024 * 1024;

fn ceph_on_two_nodes() -> Value {
    let row = |node: &str| {
        json!({"type": "storage", "storage": "ceph-prod", "node": node, "shared": 1, "status": "available",
               "plugintype": "rbd", "disk": 128 * TB / 10, "maxdisk": 20 * TB})
    };
    json!([
        {"type": "node", "node": "pve1", "status": "online"}, {"type": "node", "node": "pve2", "status": "online"},
        row("pve1"), row("pve2"),
        {"type": "storage", "storage": "local-zfs", "node": "pve2", "shared": 0, "status": "available",
         "plugintype": "zfspool", "disk": 32 * TB / 10, "maxdisk": 8 * TB},
    ])
}

#[test]
fn storages_look_as_people_know_them() {
    let script = Script::new()
        .data(LIST, ceph_on_two_nodes())
        .data(CEPH, json!({"pgmap": {"write_op_per_sec": 15_200, "read_op_per_sec": "12800"}}));
    let output = finish(&TOOL, &script, json!({})).unwrap();
    assert_eq!(
        output.text,
        "💾 Storage Pools\n\n\
         💾 ceph-prod\n  • Status: ONLINE\n  • Type: rbd\n  • Nodes: pve1, pve2 (shared)\n  \
         • Usage: 12.8 TB / 20.0 TB (64.0%)\n  \
         • IOPS: ⬆️ 15.2k ⬇️ 12.8k (writes and reads of the whole Ceph cluster)\n\n\
         💾 local-zfs\n  • Status: ONLINE\n  • Type: zfspool\n  • Node: pve2\n  • Usage: 3.2 TB / 8.0 TB (40.0%)\n  \
         • IOPS: not reported by Proxmox\n"
    );
    assert_eq!(output.data["storages"][0]["write_iops"], 15_200.0);
    assert_eq!(output.data["storages"][0]["nodes"], json!(["pve1", "pve2"]));
    assert!(output.data["storages"][1].get("write_iops").is_none());
}

#[test]
fn without_ceph_one_request_is_enough() {
    let script = Script::new().data(
        LIST,
        json!([{"type": "storage", "storage": "local", "node": "pve1", "status": "available", "plugintype": "dir"}]),
    );
    finish(&TOOL, &script, json!({})).unwrap();
    assert_eq!(script.sent(), [LIST]);
}

#[test]
fn iops_that_cannot_be_had_are_explained() {
    for (script, expected) in [
        (
            Script::new().fails(CEPH, SendError::Denied),
            "IOPS: not granted: needs Sys.Audit on / (`--grant Sys.Audit@/`)",
        ),
        (Script::new().error(CEPH, 500, "ceph not installed"), "IOPS: ceph not installed (500)"),
        (Script::new().data(CEPH, json!({})), "IOPS: not reported by Proxmox"),
        (Script::new().data(CEPH, json!({"pgmap": {}})), "IOPS: ⬆️ 0 ⬇️ 0"),
    ] {
        let output = finish(&TOOL, &script.data(LIST, ceph_on_two_nodes()), json!({})).unwrap();
        assert!(output.text.contains(expected), "{expected}\n{}", output.text);
        assert!(output.text.contains("Usage: 12.8 TB"), "{}", output.text);
    }
}

#[test]
fn what_is_down_says_why() {
    let script = Script::new().data(
        LIST,
        json!([
            {"type": "node", "node": "a", "status": "online"}, {"type": "node", "node": "b", "status": "offline"},
            {"type": "storage", "storage": "nfs", "node": "a", "status": "unknown", "plugintype": "nfs"},
            {"type": "storage", "storage": "local", "node": "b", "status": "available", "plugintype": "dir",
             "disk": 1024, "maxdisk": 2048},
            {"type": "storage", "storage": "pool", "node": "a", "status": "unknown", "shared": 1},
            {"type": "storage", "storage": "pool", "node": "c", "status": "available", "shared": 1},
        ]),
    );
    let text = finish(&TOOL, &script, json!({})).unwrap().text;
    assert!(text.contains("💾 nfs\n  • Status: UNKNOWN (no figures: it may be down"), "{text}");
    assert!(text.contains("💾 local\n  • Status: UNKNOWN (node is offline)"), "{text}");
    assert!(text.contains("• Usage: 1.0 KB / 2.0 KB (50.0%) (last known)"), "{text}");
    assert!(text.contains("💾 pool\n  • Status: ONLINE\n  • Note: no figures from a: it may be down there"), "{text}");
}

#[test]
fn a_large_cluster_s_answer_is_small() {
    for (nodes, guests) in [(16, 2000), (64, 2000)] {
        let demo = Demo::of(Options { nodes, guests, ..Options::instant() });
        let output = finish(&TOOL, &demo, json!({})).unwrap();
        let size = output.text.len() + output.data.to_string().len();
        assert!(size <= BUDGET, "{size} bytes\n{}\n{}", output.text, output.data);
        let shown = output.data["storages"].as_array().unwrap().len();
        assert!(shown >= 5 && output.data["left_out"] != 0, "{}", output.text);
        let one = finish(&TOOL, &demo, json!({"node": output.data["storages"][0]["nodes"][0]})).unwrap();
        assert!(one.data["total"].as_u64().unwrap() < 8, "{}", one.text);
    }
}

#[test]
fn of_many_what_is_down_comes_first_then_the_fullest() {
    let row = |n: u64, status: &str, used: u64| {
        json!({"type": "storage", "storage": format!("s{n:03}"), "node": "a", "status": status, "plugintype": "dir",
               "disk": used, "maxdisk": 100})
    };
    let mut rows: Vec<Value> = (0..20).map(|n| row(n, "available", n)).collect();
    rows.push(row(20, "unknown", 5));
    let output = finish(&TOOL, &Script::new().data(LIST, rows.into()), json!({"limit": 3})).unwrap();
    let names: Vec<&str> =
        output.data["storages"].as_array().unwrap().iter().map(|row| row["storage"].as_str().unwrap()).collect();
    assert_eq!(names, ["s020", "s019", "s018"]);
    assert!(output.text.contains("Storages: 21: 20 online, 1 not"), "{}", output.text);
    assert!(output.text.contains("| s020 | dir | a | unknown | 5 B / 100 B (5.0%) |"), "{}", output.text);
}

#[test]
fn filters_and_none_are_answers() {
    let demo = Demo::new();
    for (arguments, total) in [(json!({"name": "local"}), 6), (json!({"name": "local", "node": "pve2"}), 2), (json!({"name": "x*y"}), 0)] {
        let output = by_name("proxmox_get_storage", &demo, arguments);
        assert_eq!(output.data["total"], total, "{}", output.text);
    }
    let output = finish(&TOOL, &Script::new().data(LIST, json!([])), json!({})).unwrap();
    assert!(output.text.contains("Datastore.Audit"), "{}", output.text);
}

#[test]
fn hostile_names_are_tame() {
    let rows: Vec<Value> = HOSTILE
        .iter()
        .map(|name| json!({"type": "storage", "storage": name, "node": name, "plugintype": name, "status": name}))
        .collect();
    assert_tame(&finish(&TOOL, &Script::new().data(LIST, rows.into()), json!({})).unwrap().text);
}
