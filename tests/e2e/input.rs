//! Odd input of a client or a model, from the line that it is in to what arrives at the cluster.

use std::time::Duration;

use proxmox_sim::{Fault, FaultKind, Options, Sim};
use serde_json::{Value, json};

use crate::harness::{Client, arrived, is_error, text};

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

/// The requests that changed something.
fn changes(sim: &Sim) -> Vec<String> {
    arrived(sim).into_iter().filter(|line| !line.starts_with("GET ")).collect()
}

/// Sends a line as it is and gives the answer.
fn answer(client: &mut Client, line: &str) -> Value {
    client.send_line(line);
    client.next_within(Duration::from_secs(60)).expect(line)
}

#[test]
fn a_vmid_that_is_none_touches_nobody() {
    let sim = sim();
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    for vmid in [
        json!("0101"),
        json!("\u{ff11}\u{ff10}\u{ff11}"),
        json!(101.5),
        json!("101.0"),
        json!("101/../102"),
        json!("101,102"),
        json!("101\n"),
        json!(" 101"),
        json!("+101"),
        json!(-101),
        json!(4_294_967_397_u64),
        json!(99),
        json!([101]),
        json!({"vmid": 101}),
        json!(true),
        Value::Null,
    ] {
        sim.clear_requests();
        let answer =
            client.request("tools/call", json!({"name": "proxmox_shutdown_vm", "arguments": {"vmid": vmid}}));
        assert!(answer.get("error").is_some() || is_error(&answer["result"]), "{vmid}: {answer}");
        assert_eq!(changes(&sim), Vec::<String>::new(), "{vmid}");
    }
    assert!(!is_error(&client.call("proxmox_shutdown_vm", json!({"vmid": 101}))));
}

/// A number with a fraction of nothing is 101 in JSON; who takes it takes it for 101 and nobody else.
#[test]
fn a_vmid_with_a_point_is_that_guest_or_none() {
    let sim = sim();
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    for spelt in ["101.0", "1.01e2", "101e0"] {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{{"name":"proxmox_shutdown_vm","arguments":{{"vmid":{spelt}}}}}}}"#
        );
        sim.clear_requests();
        answer(&mut client, &line);
        assert!(changes(&sim).iter().all(|line| line.contains("/qemu/101/")), "{spelt}: {:?}", changes(&sim));
    }
}

#[test]
fn a_node_that_is_none_is_not_asked_for() {
    let sim = sim();
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    for node in [
        "pve1\n",
        "pve1\r\nX-Evil: 1",
        "pve1/../pve2",
        "pve1%2f..",
        "..",
        "localhost",
        "127.0.0.1",
        "",
        "pve1\u{0}",
    ] {
        sim.clear_requests();
        let result = client.call("proxmox_get_node_status", json!({"node": node}));
        assert!(is_error(&result), "{node:?}: {}", text(&result));
        for request in sim.requests() {
            let own = request.path.contains("/nodes/");
            assert!(!own && request.header("x-evil").is_none(), "{node:?}: {request:?}");
        }
    }
}

/// Of two members of one name the last counts, and for gate, tool and audit log alike.
#[test]
fn of_a_name_that_comes_twice_all_see_the_same_value() {
    let sim = sim();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.log");
    let mut client =
        Client::connect(&sim, &["--grant", "VM.PowerMgmt@/vms/101", "--audit-log", log.to_str().unwrap()]);
    let mut call = |members: &str| {
        let line = format!(r#"{{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{{{members}}}}}"#);
        answer(&mut client, &line)["result"].clone()
    };
    let refused = call(r#""name":"proxmox_shutdown_vm","arguments":{"vmid":101,"vmid":106}"#);
    assert!(is_error(&refused) && text(&refused).contains("VM.PowerMgmt@/vms/106"), "{refused}");
    let refused = call(r#""name":"proxmox_shutdown_vm","arguments":{"vmid":101},"arguments":{"vmid":106}"#);
    assert!(is_error(&refused) && text(&refused).contains("VM.PowerMgmt@/vms/106"), "{refused}");
    assert!(!is_error(&call(
        r#""name":"proxmox_shutdown_vm","arguments":{"vmid":101},"name":"proxmox_get_nodes","arguments":{}"#
    )));
    assert_eq!(changes(&sim), Vec::<String>::new());
    let done = call(r#""name":"proxmox_shutdown_vm","arguments":{"vmid":106,"\u0076mid":101}"#);
    assert!(!is_error(&done), "{done}");
    assert_eq!(changes(&sim), ["POST /nodes/pve1/qemu/101/status/shutdown"]);
    drop(client);
    let log = std::fs::read_to_string(&log).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let done: Vec<Value> = lines.filter(|line| line["outcome"] == "done").collect();
    assert_eq!(done.len(), 2, "{done:?}");
    assert_eq!((&done[1]["vmid"], &done[1]["arguments"]), (&json!(101), &json!({"vmid": 101})));
}

/// What the cluster says of a guest decides neither which guest is meant nor where a request goes.
#[test]
fn an_answer_that_claims_another_guest_moves_no_call() {
    let sim = sim();
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    let row = |vmid: Value, node: &str, kind: &str| json!({"id": "qemu/101", "type": kind, "vmid": vmid, "node": node, "name": "web", "status": "running", "template": 0});
    for row in [
        row(json!(101), "pve1/qemu/106/status/shutdown?", "qemu"),
        row(json!(101), "pve1/qemu/106/../..", "qemu"),
        row(json!(101), "pve1\r\nHost: evil.example", "qemu"),
        row(json!(101), "localhost", "qemu"),
        row(json!(101), "pve2", "lxc"),
        row(json!(101), "pve1", "../qemu/106"),
        row(json!("101/../106"), "pve1", "qemu"),
        row(json!("0101"), "pve1", "qemu"),
        row(json!(106), "pve1", "qemu"),
        json!({"id": "qemu/101", "vmid": 101, "vmid ": 106, "node": "pve1"}),
    ] {
        sim.clear_requests();
        sim.fault(Fault::always("/cluster/resources", FaultKind::Body(json!({"data": [row]}).to_string())));
        client.call("proxmox_shutdown_vm", json!({"vmid": 101}));
        sim.clear_faults();
        let known = [
            "POST /nodes/pve1/qemu/101/status/shutdown",
            "POST /nodes/pve2/qemu/101/status/shutdown",
            "POST /nodes/pve2/lxc/101/status/shutdown",
        ];
        let changed = changes(&sim);
        assert!(changed.iter().all(|line| known.contains(&line.as_str())), "{row}: {changed:?}");
        // As a word: a UPID is full of digits.
        let names_it = |line: &String| line.split(|c: char| !c.is_alphanumeric()).any(|word| word == "106");
        assert!(!arrived(&sim).iter().any(names_it), "{row}: {:?}", arrived(&sim));
    }
}
