use proxmox_sim::Options;
use serde_json::json;

use super::*;
use crate::cx::SendError;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, finish};

const ALL: &str = "GET /cluster/resources";
const STATUS: &str = "GET /cluster/status";
const VERSION_CALL: &str = "GET /version";
const HA_CALL: &str = "GET /cluster/ha/status/current";
const GB: u64 = 1024 * 1024 * 1024;

fn rows() -> Value {
    let node = |name: &str| {
        json!({"type": "node", "node": name, "status": "online", "maxcpu": 48, "cpu": 0.386,
               "mem": 384 * GB * 428 / 1000, "maxmem": 384 * GB})
    };
    let vm = |id: u32, status: &str| json!({"type": "qemu", "vmid": id, "node": "pve1", "status": status});
    json!([node("pve1"), node("pve2"), node("pve3"), node("pve4"), vm(100, "running"), vm(101, "stopped"),
        {"type": "storage", "storage": "ceph", "node": "pve1", "shared": 1, "status": "available", "maxdisk": 70 * 1024 * GB},
        {"type": "storage", "storage": "ceph", "node": "pve2", "shared": 1, "status": "available", "maxdisk": 70 * 1024 * GB},
    ])
}

fn cluster(quorate: u8) -> Value {
    json!([{"type": "cluster", "name": "enterprise-cloud", "quorate": quorate, "nodes": 4}, {"type": "node", "name": "pve1"}])
}

fn ha() -> Value {
    json!([{"type": "quorum", "quorate": 1}, {"type": "service", "sid": "vm:100", "state": "started"}])
}

fn script(rows: Value) -> Script {
    Script::new().data(ALL, rows).data(VERSION_CALL, json!({"version": "9.2.11"})).data(HA_CALL, ha())
}

#[test]
fn a_cluster_looks_as_people_know_it() {
    let output = finish(&TOOL, &script(rows()).data(STATUS, cluster(1)), json!({})).unwrap();
    assert_eq!(
        output.text,
        "⚙️ Proxmox Cluster\n\n  • Name: enterprise-cloud\n  • Status: HEALTHY\n  • Quorum: OK\n  • Nodes: 4 ONLINE\n  \
         • Version: 9.2.11\n  • HA Status: ACTIVE (1 guest)\n  • Resources:\n    - Total CPU Cores: 192\n    \
         - Total Memory: 1536 GB\n    - Total Storage: 70 TB\n  • Workload:\n    - Running VMs: 1\n    \
         - Total VMs: 2\n    - Average CPU Usage: 38.6%\n    - Average Memory Usage: 42.8%\n"
    );
    assert_eq!(output.data["storage_total_bytes"], 70 * 1024 * GB);
    assert_eq!((&output.data["quorate"], &output.data["ha_guests"]), (&json!(true), &json!(1)));
}

#[test]
fn in_basic_mode_one_line_says_what_is_missing() {
    let script = Script::new()
        .data(ALL, rows())
        .data(VERSION_CALL, json!({"version": "9.2.11"}))
        .fails(STATUS, SendError::Denied)
        .fails(HA_CALL, SendError::Denied);
    let output = finish(&TOOL, &script, json!({})).unwrap();
    assert!(output.text.contains("• Status: HEALTHY\n  • Nodes: 4 ONLINE\n"), "{}", output.text);
    let line = "  • Not shown: name, quorum, HA status: not granted: needs Sys.Audit on / (`--grant Sys.Audit@/`)\n";
    assert!(output.text.ends_with(line), "{}", output.text);
    assert!(output.data.get("quorate").is_none());
}

#[test]
fn trouble_is_named() {
    let mut all = rows();
    all.as_array_mut().unwrap().push(json!({"type": "node", "node": "pve5", "status": "offline"}));
    all.as_array_mut().unwrap().push(json!({"type": "lxc", "vmid": 200, "node": "pve5", "status": "running"}));
    let output = finish(&TOOL, &script(all).data(STATUS, cluster(0)), json!({})).unwrap();
    for line in [
        "• Status: NO QUORUM",
        "• Quorum: LOST",
        "• Nodes: 4 ONLINE, 1 OFFLINE (pve5)",
        "- Running Containers: 0",
        "- Total Containers: 1",
        "- Guests on offline nodes: 1 (not counted as running)",
    ] {
        assert!(output.text.contains(line), "{line}\n{}", output.text);
    }
    assert_eq!(output.data["status"], "no_quorum");
}

#[test]
fn a_stand_alone_node_is_no_broken_cluster() {
    let one = json!([{"type": "node", "node": "pve1", "status": "online"}]);
    let status = json!([{"type": "node", "name": "pve1", "nodeid": 0}]);
    let output = finish(&TOOL, &script(one).data(STATUS, status), json!({})).unwrap();
    assert!(output.text.contains("• Name: none (a stand-alone node)"), "{}", output.text);
    assert!(output.text.contains("• Quorum: not needed by a stand-alone node"), "{}", output.text);
    assert!(output.text.contains("• Status: HEALTHY"), "{}", output.text);
    assert!(output.text.contains("Average CPU Usage: not reported by Proxmox"), "{}", output.text);
}

#[test]
fn one_part_that_fails_leaves_the_rest() {
    let script = Script::new()
        .data(ALL, rows())
        .data(STATUS, cluster(1))
        .error(VERSION_CALL, 595, "")
        .error(HA_CALL, 500, "broken");
    let output = finish(&TOOL, &script, json!({})).unwrap();
    assert!(output.text.contains("• Not shown: version: the node does not answer (595)\n"), "{}", output.text);
    assert!(output.text.contains("• Not shown: HA status: broken (500)\n"), "{}", output.text);
    assert!(output.text.contains("• Quorum: OK"), "{}", output.text);
}

#[test]
fn hostile_names_are_tame() {
    for name in HOSTILE {
        let script = Script::new()
            .data(ALL, json!([{"type": "node", "node": name, "status": "offline"}]))
            .data(STATUS, json!([{"type": "cluster", "name": name, "quorate": 1}]))
            .data(VERSION_CALL, json!({"version": name}))
            .error(HA_CALL, 500, name);
        assert_tame(&finish(&TOOL, &script, json!({})).unwrap().text);
    }
}

#[test]
fn a_large_cluster_s_answer_is_small() {
    for (nodes, guests) in [(16, 2000), (64, 2000)] {
        let demo = Demo::of(Options { nodes, guests, ..Options::instant() });
        let output = finish(&TOOL, &demo, json!({})).unwrap();
        assert!(output.text.len() + output.data.to_string().len() <= 4096);
    }
}
