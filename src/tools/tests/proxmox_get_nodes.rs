use proxmox_sim::Options;
use serde_json::json;

use super::*;
use crate::cx::SendError;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, finish};

const LIST: &str = "GET /cluster/resources?type=node";

#[test]
fn nodes_look_as_people_know_them() {
    let gb = 1024_u64.pow(3);
    let script = Script::new().data(
        LIST,
        json!([
            {"type": "node", "node": "pve-compute-02", "status": "offline", "maxcpu": 64},
            {"type": "node", "node": "pve-compute-01", "status": "online", "uptime": 13_521_600, "maxcpu": 64,
             "cpu": 0.423, "mem": 1865 * gb / 10, "maxmem": 512 * gb},
            {"type": "sdn", "node": "pve-compute-01", "sdn": "x"},
        ]),
    );
    let output = finish(&TOOL, &script, json!({})).unwrap();
    assert_eq!(
        output.text,
        "🖥️ Proxmox Nodes\n\n\
         🖥️ pve-compute-01\n  • Status: ONLINE\n  • Uptime: ⏳ 156d 12h\n  • CPU Cores: 64\n  \
         • Memory: 186.5 GB / 512.0 GB (36.4%)\n\n\
         🖥️ pve-compute-02\n  • Status: OFFLINE\n  • CPU Cores: 64\n  • Memory: not reported by Proxmox\n"
    );
    assert_eq!(
        output.data["nodes"][0],
        json!({"node": "pve-compute-01", "status": "online", "uptime_seconds": 13_521_600, "cpu_cores": 64,
               "memory_used_bytes": 1865 * gb / 10, "memory_total_bytes": 512 * gb, "cpu_fraction": 0.423})
    );
    assert_eq!(output.data["nodes"][1], json!({"node": "pve-compute-02", "status": "offline", "cpu_cores": 64}));
    assert_eq!(script.sent(), [LIST]);
}

#[test]
fn a_token_that_may_see_little_gets_what_there_is() {
    let script = Script::new().data(LIST, json!([{"type": "node", "node": "pve1", "status": "online"}]));
    let output = finish(&TOOL, &script, json!({})).unwrap();
    assert_eq!(output.text.matches("not reported by Proxmox").count(), 3, "{}", output.text);
    let script = Script::new().data(LIST, json!([]));
    assert!(matches!(finish(&TOOL, &script, json!({})), Err(Error::NotFound(_))));
}

#[test]
fn hostile_names_are_tame() {
    let rows: Vec<Value> =
        HOSTILE.iter().map(|name| json!({"type": "node", "node": name, "status": name})).collect();
    let output = finish(&TOOL, &Script::new().data(LIST, rows.into()), json!({})).unwrap();
    assert_tame(&output.text);
    for node in output.data["nodes"].as_array().unwrap() {
        assert!(!node["node"].as_str().unwrap().contains(['\u{1b}', '\n', '\u{202e}', '\u{200b}']));
    }
}

#[test]
fn a_refusal_is_handed_on() {
    let script = Script::new().fails(LIST, SendError::Denied);
    assert!(matches!(finish(&TOOL, &script, json!({})), Err(Error::Denied(_))));
}

#[test]
fn a_large_cluster_s_answer_is_small_and_shows_what_is_down_first() {
    for (nodes, guests, all) in [(16, 2000, true), (64, 2000, false)] {
        let demo = Demo::of(Options { nodes, guests, ..Options::instant() });
        demo.0.fault(proxmox_sim::Fault::always("", proxmox_sim::FaultKind::NodeDown("pve3".to_owned())));
        let output = finish(&TOOL, &demo, json!({})).unwrap();
        let size = output.text.len() + output.data.to_string().len();
        assert!(size <= BUDGET, "{size} bytes\n{}\n{}", output.text, output.data);
        assert_eq!((&output.data["total"], &output.data["online"]), (&json!(nodes), &json!(nodes - 1)));
        assert_eq!((&output.data["nodes"][0]["node"], &output.data["nodes"][0]["status"]), (&json!("pve3"), &json!("offline")));
        assert_eq!(output.data.get("next_cursor").is_none(), all, "{}", output.text);
    }
}
