use serde_json::{Value, json};

use super::*;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, by_name, finish, run, text};
use crate::view::BUDGET;

const ALL: &str = "GET /cluster/resources";

fn script(kind: &str) -> Script {
    Script::new().data(
        ALL,
        json!([{"type": "node", "node": "pve1", "status": "online"},
               {"type": kind, "vmid": 101, "name": "web", "node": "pve1", "status": "running"}]),
    )
}

#[test]
fn the_older_names_show_what_they_showed() {
    let demo = Demo::new();
    for (name, arguments, expected) in [
        ("proxmox_get_vm_status", json!({"node": "pve1", "vmid": "101"}), "• Status: RUNNING"),
        ("proxmox_get_vm_status", json!({"node": "pve1", "vmid": "106", "type": "lxc"}), "📦 dns-01 (ID: 106)"),
        ("proxmox_get_vm_config", json!({"node": "pve1", "vmid": "101", "type": "qemu"}), "| scsihw | virtio-scsi-single |"),
        ("proxmox_list_snapshots_vm", json!({"node": "pve1", "vmid": "101"}), "| before-upgrade |"),
        ("proxmox_list_snapshots_lxc", json!({"node": "pve2", "vmid": "108"}), "No snapshots."),
        ("proxmox_get_guest_ips", json!({"node": "pve1", "vmid": "101"}), "10.20.0.101/24"),
        ("proxmox_get_guest_ips", json!({"node": "pve1", "vmid": "106"}), "10.20.0.106/24"),
    ] {
        let text = by_name(name, &demo, arguments).text;
        assert!(text.contains(expected), "{name}: {expected}\n{text}");
    }
}

#[test]
fn a_kind_or_node_that_contradicts_is_put_right() {
    for (arguments, expected) in [
        (json!({"vmid": 101, "type": "lxc"}), "is a VM, not `lxc`"),
        (json!({"vmid": 106, "type": "qemu"}), "is a container, not `qemu`"),
        (json!({"vmid": 101, "node": "pve2"}), "is on node `pve1`"),
        (json!({"vmid": 101, "show": "stauts"}), "one of `status`"),
    ] {
        let error = run(&TOOL, &Demo::new(), arguments).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_state_below_running_and_a_lock_are_shown() {
    let current = json!({"status": "running", "qmpstatus": "paused", "lock": "backup", "cpu": 0.5, "cpus": 1,
        "mem": 1024, "maxmem": 2048, "uptime": 60, "ha": {"managed": 1, "state": "error"}, "agent": "1", "tags": "a;b"});
    let script = script("qemu").data("GET /nodes/pve1/qemu/101/status/current", current);
    let output = finish(&TOOL, &script, json!({"vmid": 101})).unwrap();
    for line in ["Status: RUNNING (paused)", "Lock: backup", "CPU: 50.0% of 1 core", "HA: error", "Tags: a, b"] {
        assert!(output.text.contains(&format!("• {line}\n")), "{line}\n{}", output.text);
    }
    assert_eq!(output.data["facts"][0], json!({"name": "Status", "value": "paused"}));
}

#[test]
fn a_configuration_shows_what_waits_and_keeps_secrets() {
    let rows = json!([
        {"key": "digest", "value": "abc"}, {"key": "memory", "value": "2048", "pending": 4096},
        {"key": "cipassword", "value": "hunter2", "pending": "hunter3"}, {"key": "net1", "value": "virtio", "delete": 1},
        {"key": "cores", "value": 2, "pending": 2}, {"key": "description", "value": "a | b\n## c"},
    ]);
    let script = script("qemu").data("GET /nodes/pve1/qemu/101/pending", rows);
    let output = finish(&TOOL, &script, json!({"vmid": 101, "show": "config"})).unwrap();
    let text = &output.text;
    assert!(text.contains("| memory | 2048 | 4096 |\n| net1 | virtio | deleted |\n"), "{text}");
    assert!(text.contains("| cores | 2 |  |\n") && text.contains("3 changes wait"), "{text}");
    assert!(!text.contains("digest") && text.contains("a \\| b ## c"), "{text}");
    assert!(!format!("{text}{}", output.data).contains("hunter"), "{text}");
    let output = finish(&TOOL, &script, json!({"vmid": 101, "show": "pending"})).unwrap();
    assert_eq!(output.data["total"], 3);
}

#[test]
fn snapshots_are_a_tree_with_age_and_ram() {
    let row = |name: &str, parent: Option<&str>, ago: u64, ram: u8| {
        json!({"name": name, "parent": parent, "snaptime": crate::testing::NOW_MS / 1000 - ago, "vmstate": ram, "description": "x"})
    };
    let list = json!([row("b", Some("a"), 3600, 1), row("a", None, 7200, 0), {"name": "current", "parent": "b"}]);
    let script = script("qemu").data("GET /nodes/pve1/qemu/101/snapshot", list);
    let text = text(&TOOL, &script, json!({"vmid": 101, "show": "snapshots"}));
    assert!(text.contains("| a |  | 2h 0m ago | no | x |\n| └ b | a | 1h 0m ago | yes | x |\n"), "{text}");
    assert!(text.contains("• Present state: after b"), "{text}");
}

#[test]
fn many_rows_stay_small_and_can_be_filtered() {
    let list: Vec<Value> = (0..500).map(|n| json!({"name": format!("auto{n:03}"), "snaptime": n, "vmstate": 0})).collect();
    let script = script("lxc").data("GET /nodes/pve1/lxc/101/snapshot", list.into());
    let output = finish(&TOOL, &script, json!({"vmid": 101, "show": "snapshots"})).unwrap();
    assert!(output.text.len() + output.data.to_string().len() <= BUDGET, "{}", output.text.len());
    assert!(output.text.contains("of 500 snapshots shown"), "{}", output.text);
    let output = finish(&TOOL, &script, json!({"vmid": 101, "show": "snapshots", "filter": "auto49?"})).unwrap();
    assert_eq!(output.data["total"], 10);
}

#[test]
fn what_the_agent_knows_is_shown_fullest_first() {
    let about = |what: &str| format!("GET /nodes/pve1/qemu/101/agent/{what}");
    let file_systems = json!({"result": [
        {"mountpoint": "/", "used-bytes": 10, "total-bytes": 100, "type": "ext4"},
        {"mountpoint": "/var", "used-bytes": 99, "total-bytes": 100, "type": "xfs"}, {"mountpoint": "/boot", "type": "vfat"},
    ]});
    let script = script("qemu")
        .data(&about("get-fsinfo"), file_systems)
        .data(&about("get-users"), json!({"result": [{"user": "root", "login-time": 1_795_339_940.5}]}));
    let shown = text(&TOOL, &script, json!({"vmid": 101, "show": "filesystems"}));
    assert!(shown.contains("| /var | 99 B (99.0%) | 100 B | xfs |\n| / | 10 B (10.0%) |"), "{shown}");
    let shown = text(&TOOL, &script, json!({"vmid": 101, "show": "users"}));
    assert!(shown.contains("| root | 1m 0s ago |"), "{shown}");
}

#[test]
fn a_container_is_not_asked_for_what_only_vms_have() {
    for show in ["users", "cloudinit"] {
        let error = run(&TOOL, &script("lxc"), json!({"vmid": 101, "show": show})).unwrap_err();
        assert!(matches!(&error, Error::Arguments(text) if text.contains("is a container")), "{error}");
    }
    let script = script("lxc").data("GET /nodes/pve1/lxc/101/interfaces", Value::Null);
    let error = run(&TOOL, &script, json!({"vmid": 101, "show": "addresses"})).unwrap_err();
    assert!(error.to_string().contains("is not running, so it has no addresses"), "{error}");
}

#[test]
fn every_state_of_the_agent_is_explained() {
    for (words, expected) in [
        ("No QEMU guest agent configured", "qm set 101 --agent enabled=1"),
        ("QEMU guest agent is not running", "does not answer"),
        ("VM 101 is not running", "it is not running"),
        ("VM 101 qga command 'guest-network-get-interfaces' failed - got timeout", "did not answer in time"),
        ("Agent error: The command guest-network-get-interfaces has not been found", "does not do this"),
    ] {
        let script = script("qemu").error("GET /nodes/pve1/qemu/101/agent/network-get-interfaces", 500, words);
        let error = run(&TOOL, &script, json!({"vmid": 101, "show": "addresses"})).unwrap_err().to_string();
        assert!(error.contains(expected), "{words}: {error}");
    }
}

#[test]
fn firewall_rules_that_are_not_in_force_are_called_so() {
    let at = "GET /nodes/pve1/qemu/101/firewall";
    let script = script("qemu")
        .data(&format!("{at}/rules"), json!([{"pos": 1, "enable": 0, "type": "in", "action": "DROP"},
            {"pos": 0, "enable": 1, "type": "in", "action": "ACCEPT", "proto": "tcp", "dport": "22", "comment": "*ssh*"}]))
        .data(&format!("{at}/options"), json!({"policy_in": "REJECT"}));
    let shown = text(&TOOL, &script, json!({"vmid": 101, "show": "firewall"}));
    assert!(shown.contains("• Firewall: off: its rules are not in force"), "{shown}");
    assert!(shown.contains("in REJECT, out ACCEPT (default)"), "{shown}");
    assert!(shown.contains("| 0 | yes | in | ACCEPT | tcp | 22 | \\*ssh\\* |\n| 1 | no | in | DROP |"), "{shown}");
}

#[test]
fn hostile_names_are_tame() {
    let rows: Vec<Value> = HOSTILE
        .iter()
        .map(|name| json!({"name": name, "description": name, "parent": name, "key": name, "value": name, "pending": name,
                           "hardware-address": name, "ip-addresses": [{"ip-address": name}], "mountpoint": name}))
        .collect();
    let about = |what: &str| format!("GET /nodes/pve1/qemu/101/{what}");
    let odd = json!({"status": HOSTILE[0], "qmpstatus": HOSTILE[1], "lock": HOSTILE[1], "tags": HOSTILE[4]});
    let script = script("qemu")
        .data(&about("snapshot"), rows.clone().into())
        .data(&about("pending"), rows.clone().into())
        .data(&about("cloudinit"), rows.clone().into())
        .data(&about("status/current"), odd)
        .data(&about("agent/network-get-interfaces"), json!({"result": rows}))
        .data(&about("agent/get-fsinfo"), json!({"result": rows}));
    for show in ["status", "snapshots", "config", "pending", "cloudinit", "addresses", "filesystems"] {
        let output = finish(&TOOL, &script, json!({"vmid": 101, "show": show, "limit": 100})).unwrap();
        assert_tame(&output.text);
        for sign in ["\\u001b", "\\u0007", "\u{202e}"] {
            assert!(!output.data.to_string().contains(sign), "{show}: {}", output.data);
        }
    }
}
