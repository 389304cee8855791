use proxmox_sim::Options;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Demo, HOSTILE, NOW_MS, Script, assert_tame, by_name, finish, run, text};
use crate::view::BUDGET;

#[test]
fn the_older_names_show_what_they_showed() {
    let demo = Demo::new();
    for (name, arguments, expected) in [
        ("proxmox_get_pools", json!({}), "| production | 6 | customer-facing |"),
        ("proxmox_get_pools", json!({"poolid": "production"}), "| qemu/101 | prod-web-01 | pve1 | running |"),
        ("proxmox_get_ha_resources", json!({}), "vm:100"),
        ("proxmox_whoami", json!({}), "| /vms | as on / |"),
        ("proxmox_whoami", json!({"path": "/vms/101"}), "| /vms/101 | Datastore.{Allocate"),
    ] {
        let output = by_name(name, &demo, arguments);
        assert!(output.text.contains(expected), "{name}: {expected}\n{}", output.text);
    }
}

#[test]
fn firewall_rules_of_all_three_levels_can_be_had_by_the_older_name() {
    let rule = json!([{"pos": 0, "enable": 1, "type": "in", "action": "ACCEPT"}]);
    let all = json!([{"type": "node", "node": "pve1", "status": "online"}, {"type": "lxc", "vmid": 106, "name": "dns", "node": "pve1"}]);
    let script = |at: &str| {
        Script::new()
            .data("GET /cluster/resources", all.clone())
            .data("GET /cluster/resources?type=node", all.clone())
            .data(&format!("GET {at}/firewall/rules"), rule.clone())
            .data(&format!("GET {at}/firewall/options"), json!({"enable": 1}))
    };
    for (at, arguments, title) in [
        ("/cluster", json!({}), "🛡️ Firewall of the cluster"),
        ("/nodes/pve1", json!({"level": "node", "node": "pve1"}), "🛡️ Firewall of pve1"),
        ("/nodes/pve1/lxc/106", json!({"level": "guest", "node": "pve1", "vmid": "106", "type": "lxc"}), "📦 dns (ID: 106): firewall"),
        ("/nodes/pve1/lxc/106", json!({"vmid": 106}), "📦 dns (ID: 106): firewall"),
    ] {
        let output = by_name("proxmox_get_firewall_rules", &script(at), arguments);
        assert!(output.text.starts_with(title) && output.text.contains("Firewall: on"), "{}", output.text);
        assert_eq!(output.data["total"], 1);
    }
    let error = run(&TOOL, &script("/x"), json!({"topic": "firewall", "level": "guest"})).unwrap_err().to_string();
    assert!(error.contains("`vmid` is needed"), "{error}");
}

const RULES: &str = "GET /cluster/ha/rules";

fn ha() -> Script {
    Script::new()
        .data("GET /cluster/ha/resources", json!([{"sid": "vm:100", "state": "started"}, {"sid": "ct:101", "group": "g"}]))
        .data("GET /cluster/ha/status/current", json!([{"type": "quorum", "status": "OK"},
            {"type": "service", "sid": "ct:101", "state": "error", "node": "pve2"}, {"type": "service", "sid": "vm:100", "state": "started", "node": "pve1"}]))
}

#[test]
fn guests_under_ha_are_shown_with_rules_or_on_older_servers_groups() {
    let rules = json!([{"rule": "keep-apart", "type": "resource-affinity", "resources": "vm:100,ct:101", "affinity": "negative"}]);
    let shown = text(&TOOL, &ha().data(RULES, rules), json!({"topic": "ha"}));
    assert!(shown.contains("| ct:101 | error | started | pve2 | g |\n| vm:100 | started | started | pve1 |"), "{shown}");
    assert!(shown.contains("Rule: rule keep-apart, type resource-affinity, resources vm:100,ct:101"), "{shown}");
    let older = ha()
        .error(RULES, 501, "Method 'GET /cluster/ha/rules' not implemented")
        .data("GET /cluster/ha/groups", json!([{"group": "g", "nodes": "pve1,pve2", "restricted": 1}]));
    let shown = text(&TOOL, &older, json!({"topic": "ha"}));
    assert!(shown.contains("Rule: group g, nodes pve1,pve2, restricted 1"), "{shown}");
}

#[test]
fn a_part_that_is_refused_does_not_spoil_the_rest() {
    let script = ha().error(RULES, 500, "out of order");
    let output = finish(&TOOL, &script, json!({"topic": "ha"})).unwrap();
    assert_eq!((&output.data["total"], &output.data["missing"][0]["parts"]), (&json!(2), &json!(["rules"])));
}

#[test]
fn replication_is_told_with_how_it_went_where_the_node_answers() {
    let job = |id: &str, source: &str| json!({"id": id, "source": source, "target": "x", "schedule": "*/15"});
    let script = Script::new()
        .data("GET /cluster/replication", json!([job("101-0", "pve1"), job("102-0", "pve1"), job("103-0", "pve2")]))
        .data("GET /nodes/pve1/replication", json!([{"id": "102-0", "fail_count": 2, "error": "timeout", "last_sync": NOW_MS / 1000 - 60}]))
        .error("GET /nodes/pve2/replication", 595, "");
    let shown = text(&TOOL, &script, json!({"topic": "replication"}));
    assert!(shown.contains("how the jobs of pve2 went is not known"), "{shown}");
    assert!(shown.contains("| 102-0 | pve1 | x | 1m 0s ago | 2 | timeout | \\*/15 |\n| 101-0 |"), "{shown}");
}

#[test]
fn jobs_that_are_off_come_first() {
    let next = NOW_MS / 1000 + 3600;
    let jobs = json!([{"id": "on", "all": 1, "storage": "pbs", "next-run": next, "prune-backups": {"keep-last": 3}},
        {"id": "off", "enabled": "0", "vmid": "101,102"}]);
    let shown = text(&TOOL, &Script::new().data("GET /cluster/backup", jobs), json!({"topic": "backup_jobs"}));
    assert!(shown.contains("| off | no | 101,102 |") && shown.contains("| on | yes | all | pbs | in 1h 0m | keep-last=3 |"), "{shown}");
    assert!(shown.find("| off |") < shown.find("| on |"), "{shown}");
}

#[test]
fn networks_stand_with_their_zones() {
    let script = Script::new()
        .data("GET /cluster/sdn/zones?pending=1", json!([{"zone": "z1", "type": "vlan"}, {"zone": "z2", "type": "simple"}]))
        .data("GET /cluster/sdn/vnets?pending=1", json!([{"vnet": "v1", "zone": "z1", "tag": 7, "state": "new"}]));
    let shown = text(&TOOL, &script, json!({"topic": "sdn"}));
    assert!(shown.contains("| z1 | vlan | v1 | 7 | new |\n| z2 | simple |"), "{shown}");
}

#[test]
fn a_token_that_may_do_nothing_is_told_how_to() {
    let script = Script::new().data("GET /access/permissions", json!({}));
    let shown = text(&TOOL, &script, json!({"topic": "permissions"}));
    assert!(shown.contains("pveum acl modify") && shown.contains("No paths with privileges."), "{shown}");
}

#[test]
fn a_large_cluster_s_answers_are_small() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    for arguments in [
        json!({"topic": "pools"}),
        json!({"topic": "pools", "name": "production"}),
        json!({"topic": "log"}),
        json!({"topic": "permissions"}),
        json!({"topic": "ha"}),
    ] {
        let output = finish(&TOOL, &demo, arguments.clone()).unwrap();
        let size = output.text.len() + output.data.to_string().len();
        assert!(size <= BUDGET, "{arguments}: {size} bytes\n{}", output.text);
    }
}

#[test]
fn hostile_names_are_tame() {
    let keys = ["sid", "state", "comment", "poolid", "id", "name", "node", "msg", "user", "tag", "userid", "groups", "zone", "vnet"];
    let rows: Vec<Value> = HOSTILE
        .iter()
        .map(|name| Value::Object(keys.iter().map(|key| ((*key).to_owned(), Value::from(*name))).collect()))
        .collect();
    let map = |value: &Value| Value::Object(HOSTILE.iter().map(|name| ((*name).to_owned(), value.clone())).collect());
    let script = Script::new()
        .data("GET /cluster/log?max=2000", rows.clone().into())
        .data("GET /cluster/backup", rows.clone().into())
        .data("GET /access/users?full=1", rows.clone().into())
        .data("GET /cluster/resources", json!([]))
        .data("GET /pools", rows.clone().into())
        .data("GET /cluster/options", map(&json!(HOSTILE[1])))
        .data("GET /access/permissions", map(&map(&json!(1))));
    for topic in ["log", "backup_jobs", "users", "pools", "options", "permissions"] {
        assert_tame(&text(&TOOL, &script, json!({"topic": topic, "limit": 50})));
    }
}
