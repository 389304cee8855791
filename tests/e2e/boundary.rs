//! What may leave the process, seen from the cluster: what arrived there.

use proxmox_sim::{Fault, FaultKind, Options, Sim};
use serde_json::json;

use crate::harness::{Client, arrived, configured, is_error, text};

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

#[test]
fn beyond_the_grants_nothing_that_changes_leaves_and_the_missing_line_works() {
    let sim = sim();
    let mut client = Client::connect(&sim, &[]);
    let refused = client.call("proxmox_shutdown_vm", json!({"vmid": 101}));
    assert!(is_error(&refused));
    let said = text(&refused);
    assert!(said.contains("VM.PowerMgmt") && said.contains("/vms/101"), "{said}");
    assert!(said.contains("--grant VM.PowerMgmt@/vms/101"), "{said}");
    assert!(arrived(&sim).iter().all(|line| line.starts_with("GET ")), "{:?}", arrived(&sim));

    let mut client = Client::connect(&sim, &["--grant", "VM.PowerMgmt@/vms/101"]);
    let done = client.call("proxmox_shutdown_vm", json!({"vmid": 101}));
    assert!(!is_error(&done), "{}", text(&done));
    let changes: Vec<String> = arrived(&sim).into_iter().filter(|line| !line.starts_with("GET ")).collect();
    assert_eq!(changes.len(), 1, "{changes:?}");
    // No wider than needed: another guest stays shut.
    assert!(is_error(&client.call("proxmox_shutdown_vm", json!({"vmid": 100}))));
}

#[test]
fn commands_in_a_guest_need_their_own_grant() {
    let sim = sim();
    let mut client = Client::connect(&sim, &["--grant", "VM.PowerMgmt@/"]);
    let refused = client.call("proxmox_execute_vm_command", json!({"vmid": 101, "command": "id"}));
    assert!(is_error(&refused));
    assert!(text(&refused).contains("--grant VM.GuestAgent.Unrestricted@/vms/101"), "{}", text(&refused));
    assert!(arrived(&sim).iter().all(|line| line.starts_with("GET ")), "{:?}", arrived(&sim));
}

#[test]
fn the_allow_lists_are_walls_around_everything() {
    let sim = sim();
    let mut client = Client::connect(
        &sim,
        &["--allow-elevated", "--vmid-allowlist", "101", "--node-allowlist", "pve1,pve2"],
    );
    let listed = client.call("proxmox_get_vms", json!({}));
    let vmids: Vec<u64> = listed["structuredContent"]["guests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| g["vmid"].as_u64().unwrap())
        .collect();
    assert!(vmids.iter().all(|vmid| *vmid == 101), "{vmids:?}");
    assert!(!text(&client.call("proxmox_get_nodes", json!({}))).contains("pve3"));
    sim.clear_requests();
    let other = client.call("proxmox_start_vm", json!({"vmid": 100}));
    assert!(is_error(&other), "{}", text(&other));
    assert!(is_error(&client.call("proxmox_get_node_status", json!({"node": "pve3"}))));
    let touched = arrived(&sim);
    assert!(!touched.iter().any(|line| line.contains("/100/") || line.contains("/pve3/")), "{touched:?}");
}

#[test]
fn the_component_neither_sees_nor_sends_more_than_it_should() {
    let sim = sim();
    let token = sim.token();
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    client.call("proxmox_get_node_status", json!({"node": "pve1"}));
    client.call("proxmox_execute_vm_command", json!({"vmid": 101, "command": "echo hello"}));
    for request in sim.requests() {
        let authorization: Vec<_> =
            request.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case("authorization")).collect();
        assert_eq!(authorization.len(), 1, "{request:?}");
        assert_eq!(request.header("authorization"), Some(token.header().as_str()));
        let known = ["authorization", "host", "user-agent", "content-type", "content-length", "accept"];
        for (name, _) in &request.headers {
            assert!(known.contains(&name.to_ascii_lowercase().as_str()), "header {name} went out");
        }
    }
}

#[test]
fn connections_are_kept_and_shared() {
    let sim = sim();
    let mut client = Client::connect(&sim, &[]);
    for _ in 0..30 {
        client.call("proxmox_get_nodes", json!({}));
    }
    let connections: std::collections::HashSet<u64> = sim.requests().iter().map(|r| r.connection).collect();
    assert_eq!(connections.len(), 1);
}

#[test]
fn a_read_survives_a_dropped_connection_and_a_change_is_never_sent_twice() {
    let sim = sim();
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    sim.fault(Fault::once("/cluster/resources", FaultKind::DropConnection));
    assert!(!is_error(&client.call("proxmox_get_nodes", json!({}))));
    sim.clear_faults();
    sim.clear_requests();
    sim.fault(Fault::always("/nodes/*/status/shutdown", FaultKind::LoseAnswer));
    let result = client.call("proxmox_shutdown_vm", json!({"vmid": 101}));
    assert!(is_error(&result));
    assert!(text(&result).contains("may have happened"), "{}", text(&result));
    let changes = arrived(&sim).into_iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(changes, 1);
}

#[test]
fn answers_that_are_too_large_or_endless_end_in_an_error() {
    let sim = sim();
    let mut client = Client::connect(&sim, &[]);
    for kind in [FaultKind::Huge(40 << 20), FaultKind::EndlessBody, FaultKind::NotJson, FaultKind::CutBody] {
        sim.fault(Fault::always("/cluster/resources", kind.clone()));
        let result = client.call("proxmox_get_nodes", json!({}));
        assert!(is_error(&result), "{kind:?}");
        assert!(text(&result).len() < 2_000, "{kind:?}");
        sim.clear_faults();
    }
    assert!(!is_error(&client.call("proxmox_get_nodes", json!({}))), "the server goes on");
}

#[test]
fn a_wrong_token_is_named_and_not_tried_again() {
    let sim = sim();
    let mut wrong = sim.token();
    wrong.secret = "00000000-0000-4000-8000-000000000000".to_owned();
    let mut client = Client::start(configured(&sim, &wrong));
    client.shake_hands("2025-11-25");
    let result = client.call("proxmox_get_nodes", json!({}));
    assert!(is_error(&result));
    assert!(text(&result).contains("token"), "{}", text(&result));
    assert_eq!(sim.requests().len(), 1);
}

#[test]
fn an_offline_node_spoils_nothing_but_its_own_lines() {
    let sim = sim();
    sim.fault(Fault::always("", FaultKind::NodeDown("pve2".to_owned())));
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    for tool in ["proxmox_get_nodes", "proxmox_get_vms", "proxmox_get_storage", "proxmox_get_cluster_status"]
    {
        let result = client.call(tool, json!({}));
        assert!(!is_error(&result), "{tool}: {}", text(&result));
        assert!(text(&result).to_lowercase().contains("offline"), "{tool}: {}", text(&result));
    }
    let status = client.call("proxmox_get_node_status", json!({"node": "pve2"}));
    assert!(!is_error(&status) && text(&status).contains("OFFLINE"), "{}", text(&status));
}
