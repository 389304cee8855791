use serde_json::json;

use super::*;
use crate::cx::SendError;
use crate::testing::{HOSTILE, Script, assert_tame, finish};

const LIST: &str = "GET /cluster/resources?type=node";
const STATUS: &str = "GET /nodes/pve1/status";
const RATES: &str = "GET /nodes/pve1/rrddata?timeframe=hour";
const DISKS: &str = "GET /nodes/pve1/disks/list?skipsmart=1";
const SDA: &str = "GET /nodes/pve1/disks/smart?disk=%2Fdev%2Fsda";
const NVME: &str = "GET /nodes/pve1/disks/smart?disk=%2Fdev%2Fnvme0n1";
const GB: u64 = 1024 * 1024 * 1024;

fn nodes() -> Value {
    json!([
        {"type": "node", "node": "pve1", "status": "online", "uptime": 100, "cpu": 0.1, "maxcpu": 64,
         "mem": 1865 * GB / 10, "maxmem": 512 * GB, "disk": 10 * GB, "maxdisk": 100 * GB},
        {"type": "node", "node": "pve2", "status": "offline"},
    ])
}

fn status() -> Value {
    json!({"uptime": 13_521_600, "cpu": 0.423, "loadavg": ["7.89", "7.58", "7.1"],
           "cpuinfo": {"cpus": 64, "model": "AMD EPYC 7763"}, "memory": {"used": 1865 * GB / 10, "total": 512 * GB},
           "rootfs": {"used": 11 * GB, "total": 100 * GB}, "pveversion": "pve-manager/9.2.11/14a22df35955d97d"})
}

fn rates() -> Value {
    json!([{"time": 1, "netin": 1.0, "netout": 2.0}, {"time": 2, "netin": 92 * GB / 10, "netout": 128 * GB / 10}, {"time": 3}])
}

fn ata(celsius: &str) -> Value {
    json!({"type": "ata", "attributes": [{"name": "Temperature_Celsius", "raw": celsius}]})
}

fn healthy() -> Script {
    Script::new().data(LIST, nodes()).data(STATUS, status()).data(RATES, rates())
}

fn whole() -> Script {
    healthy()
        .data(DISKS, json!([{"devpath": "/dev/sda"}, {"devpath": "/dev/nvme0n1"}]))
        .data(SDA, ata("31 (Min/Max 20/45)"))
        .data(NVME, json!({"type": "text", "text": "Temperature:    38 Celsius"}))
}

#[test]
fn a_node_shows_all_that_proxmox_knows() {
    let output = finish(&TOOL, &whole(), json!({"node": "pve1"})).unwrap();
    assert_eq!(
        output.text,
        "🖥️ Node: pve1\n  • Status: ONLINE\n  • Uptime: ⏳ 156d 12h\n  • CPU Usage: 42.3%\n  \
         • CPU Cores: 64 (AMD EPYC 7763)\n  • Memory: 186.5 GB / 512.0 GB (36.4%)\n  • Load: 7.89, 7.58, 7.10\n  \
         • Root Disk: 11.0 GB / 100.0 GB (11.0%)\n  • Network: ⬆️ 12.8 GB/s ⬇️ 9.2 GB/s\n  \
         • Temperature: 38°C (hottest disk; /dev/sda 31°C, /dev/nvme0n1 38°C)\n  • Version: 9.2.11\n"
    );
    assert_eq!(output.data["temperature_celsius"], 38);
    assert_eq!(output.data["load"], json!([7.89, 7.58, 7.1]));
    assert_eq!(output.data["missing"], json!([]));
}

#[test]
fn in_basic_mode_one_line_says_what_is_missing() {
    let mut script = Script::new().data(LIST, nodes());
    for request in [STATUS, RATES, DISKS] {
        script = script.fails(request, SendError::Denied);
    }
    let output = finish(&TOOL, &script, json!({"node": "pve1"})).unwrap();
    assert_eq!(
        output.text,
        "🖥️ Node: pve1\n  • Status: ONLINE\n  • Uptime: ⏳ 1m 40s\n  • CPU Usage: 10.0%\n  • CPU Cores: 64\n  \
         • Memory: 186.5 GB / 512.0 GB (36.4%)\n  • Root Disk: 10.0 GB / 100.0 GB (10.0%)\n  \
         • Not shown: CPU model, load, version, network, temperature: not granted: needs Sys.Audit on /nodes/pve1 \
         (`--grant Sys.Audit@/nodes/pve1`)\n"
    );
    assert!(output.data.get("load").is_none() && output.data.get("temperature_celsius").is_none());
}

#[test]
fn smart_needs_more_than_the_node() {
    let script = healthy().data(DISKS, json!([{"devpath": "/dev/sda"}])).fails(SDA, SendError::Denied);
    let output = finish(&TOOL, &script, json!({"node": "pve1"})).unwrap();
    let line = "  • Not shown: temperature: not granted: needs Sys.Audit on / (`--grant Sys.Audit@/`)\n";
    assert!(output.text.ends_with(line), "{}", output.text);
    assert!(output.text.contains("• Network: ⬆️"), "{}", output.text);
}

#[test]
fn one_part_that_fails_leaves_the_rest() {
    for (script, part) in [
        (whole_but(STATUS), "CPU model, load, version: broken (500)"),
        (whole_but(RATES), "network: broken (500)"),
        (whole_but(DISKS), "temperature: broken (500)"),
    ] {
        let output = finish(&TOOL, &script, json!({"node": "pve1"})).unwrap();
        assert!(output.text.contains(&format!("  • Not shown: {part}\n")), "{}", output.text);
        assert!(output.text.contains("• Memory: 186.5 GB"), "{}", output.text);
        assert_eq!(output.data["missing"].as_array().unwrap().len(), 1);
    }
}

fn whole_but(broken: &str) -> Script {
    let answers = [
        (LIST, nodes()),
        (STATUS, status()),
        (RATES, rates()),
        (DISKS, json!([{"devpath": "/dev/sda"}])),
        (SDA, ata("31")),
    ];
    answers.into_iter().fold(Script::new(), |script, (request, data)| {
        if request == broken { script.error(request, 500, "broken") } else { script.data(request, data) }
    })
}

#[test]
fn a_disk_that_does_not_answer_is_left_out() {
    let script = healthy()
        .data(DISKS, json!([{"devpath": "/dev/sda"}, {"devpath": "/dev/nvme0n1"}]))
        .data(SDA, ata("31"))
        .error(NVME, 500, "no SMART");
    let output = finish(&TOOL, &script, json!({"node": "pve1"})).unwrap();
    assert!(output.text.contains("  • Temperature: 31°C (disk /dev/sda)\n"), "{}", output.text);
}

#[test]
fn what_nobody_measures_is_said_to_be_unknown() {
    let script = Script::new()
        .data(LIST, json!([{"type": "node", "node": "pve1", "status": "online"}]))
        .data(STATUS, json!({}))
        .data(RATES, json!([{"time": 1}]))
        .data(DISKS, json!([]));
    let output = finish(&TOOL, &script, json!({})).unwrap();
    assert_eq!(output.text.matches("not reported by Proxmox").count(), 9, "{}", output.text);
}

#[test]
fn an_offline_node_is_asked_nothing() {
    let script = Script::new().data(LIST, nodes());
    let output = finish(&TOOL, &script, json!({"node": "pve2"})).unwrap();
    assert!(output.text.contains("Status: OFFLINE") && output.text.contains("node is offline"), "{}", output.text);
    assert_eq!(script.sent(), [LIST]);
}

#[test]
fn several_nodes_need_a_name() {
    let error = finish(&TOOL, &Script::new().data(LIST, nodes()), json!({})).unwrap_err();
    assert_eq!(error.to_string(), "`node` is needed: this cluster has 2 nodes: pve1, pve2.");
}

#[test]
fn hostile_figures_are_tame() {
    for text in HOSTILE {
        let script = Script::new()
            .data(LIST, json!([{"type": "node", "node": "pve1", "status": "online"}]))
            .data(STATUS, json!({"cpuinfo": {"model": text}, "pveversion": format!("x/{text}"), "loadavg": [text]}))
            .data(RATES, json!({"x": text}))
            .data(DISKS, json!([{"devpath": text}]));
        assert_tame(&finish(&TOOL, &script, json!({})).unwrap().text);
    }
}
