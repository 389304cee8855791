use serde_json::json;

use super::*;
use crate::testing::{HOSTILE, Script, assert_tame, finish};

const LIST: &str = "GET /cluster/resources";

#[test]
fn guests_of_both_kinds_are_listed_by_id() {
    let gb = 1024_u64.pow(3);
    let script = Script::new().data(
        LIST,
        json!([
            {"type": "node", "node": "pve1", "status": "online"},
            {"type": "node", "node": "pve2", "status": "offline"},
            {"type": "lxc", "vmid": 201, "name": "ct-dns", "status": "stopped", "node": "pve1", "maxcpu": 2,
             "mem": 0, "maxmem": gb, "lock": "backup"},
            {"type": "qemu", "vmid": "102", "name": "prod-web-01", "status": "running", "node": "pve1", "maxcpu": 8,
             "cpu": 1.2, "mem": 128 * gb / 10, "maxmem": 32 * gb, "uptime": 60, "template": 0},
            {"type": "qemu", "vmid": 111, "name": "halt111", "status": "running", "node": "pve2", "maxcpu": 1},
            {"type": "qemu", "vmid": 9000, "name": "tmpl", "status": "stopped", "node": "pve1", "template": 1},
            {"type": "qemu", "vmid": 112, "status": "unknown", "node": "pve2"},
            {"type": "storage", "storage": "local", "node": "pve1"},
        ]),
    );
    let output = finish(&TOOL, &script, json!({})).unwrap();
    let expected = [
        "🗃️ Virtual Machines and Containers\n\n\
         🗃️ prod-web-01 (ID: 102)\n  • Status: RUNNING\n  • Node: pve1\n  • CPU Cores: 8\n  \
         • Memory: 12.8 GB / 32.0 GB (40.0%)\n\n",
        "🗃️ halt111 (ID: 111)\n  • Status: RUNNING (last known; node pve2 is offline)\n",
        "🗃️ Guest 112\n  • Status: UNKNOWN (last known",
        "📦 ct-dns (ID: 201)\n  • Status: STOPPED\n  • Type: Container\n  • Node: pve1\n  • Lock: backup\n",
        "🗃️ tmpl (ID: 9000)\n  • Status: STOPPED\n  • Type: VM template\n",
    ];
    let mut rest = output.text.as_str();
    for part in expected {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part}\nnot in order in\n{}", output.text));
        rest = &rest[at + part.len()..];
    }
    assert_eq!((&output.data["total"], &output.data["running"]), (&json!(5), &json!(1)));
    assert_eq!(output.data["guests"][0]["cpu_fraction"], 1.0);
    assert_eq!(output.data["guests"][1]["last_known"], true);
    assert_eq!(script.sent(), [LIST]);
}

#[test]
fn a_large_cluster_is_cut_and_says_so() {
    let rows: Vec<Value> = (0..2000)
        .rev()
        .map(|n| json!({"type": "qemu", "vmid": 100 + n, "name": format!("g{n}"), "node": "a", "status": "running"}))
        .collect();
    let script = Script::new().data(LIST, rows.into());
    let output = finish(&TOOL, &script, json!({})).unwrap();
    assert!(output.text.contains("the first 100 of 2000 guests by ID (2000 run); 1900 are left out"), "{:.300}", output.text);
    assert!(output.text.starts_with("🗃️ Virtual Machines\n"));
    let guests = output.data["guests"].as_array().unwrap();
    assert_eq!((guests.len(), &guests[0]["vmid"], &guests[99]["vmid"]), (100, &json!(100), &json!(199)));
    assert_eq!(output.text.matches("• Status").count(), 100);
    assert_eq!(output.data["left_out"], 1900);
    assert_eq!(script.sent().len(), 1);
}

#[test]
fn no_guests_is_an_answer() {
    let output = finish(&TOOL, &Script::new().data(LIST, json!([])), json!({})).unwrap();
    assert!(output.text.contains("VM.Audit"), "{}", output.text);
    assert_eq!(output.data["total"], 0);
}

#[test]
fn hostile_names_are_tame() {
    let rows: Vec<Value> = HOSTILE
        .iter()
        .enumerate()
        .map(|(n, name)| {
            json!({"type": "qemu", "vmid": 100 + n, "name": name, "node": name, "status": name, "lock": name})
        })
        .collect();
    let output = finish(&TOOL, &Script::new().data(LIST, rows.into()), json!({})).unwrap();
    assert_tame(&output.text);
    assert_tame(&output.data.to_string().replace("](", ""));
}
