use proxmox_sim::Options;
use serde_json::json;

use super::*;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, by_name, finish};

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

fn size(output: &crate::tool::Output) -> usize {
    output.text.len() + output.data.to_string().len()
}

#[test]
fn a_large_cluster_s_answer_is_small_and_leads_on() {
    for (nodes, guests) in [(16, 2000), (64, 20_000)] {
        let demo = Demo::of(Options { nodes, guests, ..Options::instant() });
        let output = finish(&TOOL, &demo, json!({})).unwrap();
        assert!(size(&output) <= BUDGET, "{} bytes\n{}\n{}", size(&output), output.text, output.data);
        assert_eq!(output.data["total"], guests);
        let shown = output.data["guests"].as_array().unwrap().len();
        assert!(shown >= 5, "{shown} guests\n{}", output.text);
        assert_eq!(output.data["left_out"], guests - shown);
        assert!(output.text.contains(&format!("`cursor` = `from-{shown}`")), "{}", output.text);
        assert!(output.text.contains("legacy-erp (ID: 111): locked (backup)"), "{}", output.text);
        let next = finish(&TOOL, &demo, json!({"cursor": output.data["next_cursor"], "limit": 50})).unwrap();
        assert_eq!(next.data["guests"][0]["vmid"], 100 + shown);
        assert_eq!(next.data["guests"].as_array().unwrap().len(), 50);
    }
}

fn found(demo: &Demo, arguments: Value) -> Vec<u64> {
    let output = finish(&TOOL, demo, arguments).unwrap();
    output.data["guests"].as_array().unwrap().iter().map(|guest| guest["vmid"].as_u64().unwrap()).collect()
}

#[test]
fn filters_can_be_combined() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"node": "pve1"}), vec![100, 101, 106, 107]),
        (json!({"node": "pve1", "kind": "container"}), vec![106]),
        (json!({"type": "lxc", "status": "stopped"}), vec![108]),
        (json!({"type": "all", "status": "Locked"}), vec![111]),
        (json!({"status": "template"}), vec![109]),
        (json!({"name": "WEB"}), vec![101, 103]),
        (json!({"name": "prod-*-01", "kind": "vm"}), vec![101]),
        (json!({"tag": "Infra", "node": "pve3"}), vec![104, 105, 110]),
        (json!({"pool": "development"}), vec![107]),
        (json!({"sort": "name", "limit": 2}), vec![107, 109]),
        (json!({"sort": "disk", "limit": 2}), vec![100, 111]),
    ] {
        assert_eq!(found(&demo, arguments.clone()), expected, "{arguments}");
    }
    let busiest = finish(&TOOL, &demo, json!({"sort": "cpu"})).unwrap();
    let shares: Vec<f64> =
        busiest.data["guests"].as_array().unwrap().iter().map(|g| g["cpu_fraction"].as_f64().unwrap_or(0.0)).collect();
    assert!(shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
}

#[test]
fn where_nothing_fits_it_is_said_what_there_is() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"tag": "nosuch"}), "Tags in use: cache, ci, db"),
        (json!({"pool": "prod"}), "Pools with guests: development, production"),
        (json!({"status": "paused"}), "Statuses in use: locked, running, stopped, template"),
        (json!({"name": "nosuch"}), "None of 12 guests fits."),
    ] {
        let output = finish(&TOOL, &demo, arguments).unwrap();
        assert!(output.text.contains(expected), "{}", output.text);
        assert_eq!(output.data["total"], 0);
    }
    let error = finish(&TOOL, &demo, json!({"node": "PVE1"})).unwrap_err().to_string();
    assert!(error.contains("Did you mean `pve1`?"), "{error}");
}

#[test]
fn the_original_s_parameters_are_taken() {
    let output = by_name("proxmox_get_vms", &Demo::new(), json!({"node": "pve1", "type": "qemu"}));
    assert_eq!(output.data["total"], 3);
}

#[test]
fn among_many_those_unlike_the_rest_are_named_worst_first() {
    let mut rows: Vec<Value> = (0..40)
        .map(|n| json!({"type": "qemu", "vmid": 200 + n, "name": format!("g{n}"), "node": "a", "status": "running", "mem": 1, "maxmem": 9}))
        .collect();
    rows[30] = json!({"type": "qemu", "vmid": 230, "name": "full", "node": "a", "status": "running", "mem": 99, "maxmem": 100});
    rows[31] = json!({"type": "qemu", "vmid": 231, "name": "io", "node": "a", "status": "io-error"});
    rows[32] = json!({"type": "qemu", "vmid": 232, "name": "hot", "node": "a", "status": "running", "cpu": 1.0});
    rows[33] = json!({"type": "lxc", "vmid": 233, "name": "held", "node": "a", "status": "stopped", "lock": "backup"});
    let output = finish(&TOOL, &Script::new().data(LIST, rows.into()), json!({})).unwrap();
    let notable: Vec<&str> =
        output.data["notable"].as_array().unwrap().iter().map(|row| row["why"].as_str().unwrap()).collect();
    assert_eq!(notable, ["io-error", "locked (backup)", "memory 99.0%", "CPU 100.0%"]);
    assert!(output.text.contains("40: 1 io-error, 38 running, 1 stopped"), "{}", output.text);
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
