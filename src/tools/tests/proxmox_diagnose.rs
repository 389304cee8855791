use serde_json::{Value, json};

use super::*;
use crate::testing::{Altered, Demo, HOSTILE, assert_tame, basic_mode, finish, run, spoiled, text};

fn codes(data: &Value) -> Vec<&str> {
    data["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

fn diagnosed(vmid: u32) -> crate::tool::Output {
    finish(&TOOL, &Demo::new(), json!({"vmid": vmid})).unwrap()
}

#[test]
fn guests_of_the_demo_cluster_are_told_apart() {
    for (vmid, code) in [(111, "guest-locked"), (108, "stopped"), (107, "agent-silent"), (109, "template"), (103, "agent-off")] {
        let output = diagnosed(vmid);
        assert!(codes(&output.data).contains(&code), "{vmid}: {}", output.text);
        assert!(output.text.contains(&format!("(`{code}`)")), "{}", output.text);
    }
    assert!(!codes(&diagnosed(101).data).contains(&"agent-silent"));
}

#[test]
fn a_guest_under_pressure_is_found_by_its_figures() {
    let demo = Demo::new();
    let points = json!({"data": [{"time": 60, "cpu": 0.99, "maxcpu": 8, "pressurecpusome": 61.5, "pressureiosome": 2}]});
    let change = |request: &str| {
        request.contains("/rrddata").then(|| {
            Ok(crate::cx::Response { status: 200, reason: None, body: points.to_string().into() })
        })
    };
    let output = finish(&TOOL, &Altered { inner: &demo, change: &change }, json!({"vmid": 101})).unwrap();
    assert_eq!(&codes(&output.data)[..2], ["cpu-full", "cpu-pressure"], "{}", output.text);
    assert!(output.text.contains("it waits for processors of the node, 62% of the last hour"), "{}", output.text);
}

#[test]
fn a_full_file_system_inside_a_vm_is_found() {
    let demo = Demo::new();
    let rows = json!({"data": {"result": [{"mountpoint": "/var", "total-bytes": 1000, "used-bytes": 980, "type": "ext4"}]}});
    let change = |request: &str| {
        let answer = crate::cx::Response { status: 200, reason: None, body: rows.to_string().into() };
        request.contains("/get-fsinfo").then_some(Ok(answer))
    };
    let output = finish(&TOOL, &Altered { inner: &demo, change: &change }, json!({"vmid": 101})).unwrap();
    let found = &output.data["findings"][0];
    assert_eq!((&found["code"], &found["severity"]), (&json!("filesystem-full"), &json!("critical")), "{}", output.text);
    assert!(output.text.contains("/var is 98.0% used"), "{}", output.text);
}

#[test]
fn basic_mode_names_what_is_not_checked() {
    let demo = Demo::new();
    let said = text(&TOOL, &Altered { inner: &demo, change: &basic_mode }, json!({"vmid": 101}));
    assert!(said.contains("Not checked: tasks of other users, swap and load of the node: not granted: needs Sys.Audit on /nodes/pve1"), "{said}");
    assert!(said.contains("Not checked: guest agent and file systems: not granted: needs VM.GuestAgent.Audit on /vms/101"), "{said}");
}

#[test]
fn a_guest_of_a_dead_node_is_not_asked() {
    let demo = Demo::new();
    demo.0.fault(proxmox_sim::Fault::always("", proxmox_sim::FaultKind::NodeDown("pve2".to_owned())));
    let output = finish(&TOOL, &demo, json!({"vmid": 103})).unwrap();
    assert_eq!(codes(&output.data), ["node-offline"]);
    assert_eq!(demo.0.requests().len(), 1);
    assert!(output.text.contains("(last known)"), "{}", output.text);
}

#[test]
fn the_wrong_node_and_no_guest_are_said() {
    for (arguments, expected) in
        [(json!({"vmid": 101, "node": "pve2"}), "is on node `pve1`"), (json!({"vmid": 999}), "There is no guest 999")]
    {
        let error = run(&TOOL, &Demo::new(), arguments).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_answer_that_is_wrong_is_a_gap_and_nothing_more() {
    let demo = Demo::new();
    for part in ["/status/current", "/config", "/rrddata", "/snapshot", "/tasks", "/pve1/status", "/agent/get-fsinfo"] {
        for answer in spoiled() {
            let change = |request: &str| request.contains(part).then(|| answer.clone());
            let result = run(&TOOL, &Altered { inner: &demo, change: &change }, json!({"vmid": 101}));
            assert!(result.is_ok(), "{part} {answer:?}: {result:?}");
        }
    }
}

#[test]
fn an_older_release_is_looked_at_as_well() {
    let options = proxmox_sim::Options { release: proxmox_sim::Release::V8_4, ..proxmox_sim::Options::instant() };
    let output = finish(&TOOL, &Demo::of(options), json!({"vmid": 107})).unwrap();
    assert_eq!(output.data["not_checked"], json!([]));
    assert!(codes(&output.data).contains(&"agent-silent"), "{}", output.text);
}

#[test]
fn hostile_names_are_tame() {
    let demo = Demo::new();
    for name in HOSTILE {
        let body = json!({"data": {"status": "running", "qmpstatus": name, "lock": name, "name": name, "uptime": 5,
            "ha": {"state": "error"}, "scsi0": format!("{name}:x,cache=unsafe"), "net0": "e1000=x", (*name): name}});
        let tasks = json!({"data": [{"starttime": 1_795_339_000, "endtime": 1_795_339_001, "status": name, "type": name, "user": name}]});
        let answer = |body: &Value| Some(Ok(crate::cx::Response { status: 200, reason: None, body: body.to_string().into() }));
        let change = |request: &str| match request {
            request if request.contains("/tasks") => answer(&tasks),
            request if request.contains("/qemu/") => answer(&body),
            _ => None,
        };
        assert_tame(&text(&TOOL, &Altered { inner: &demo, change: &change }, json!({"vmid": 101})));
    }
}
