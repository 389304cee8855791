//! Which tools a client sees, and how many bytes of its model's context they cost.

use proxmox_sim::{Options, Sim};
use serde_json::{Value, json};

use crate::harness::{Client, is_error, text};

fn listed(arguments: &[&str]) -> Vec<Value> {
    let sim = Sim::start(Options::instant()).unwrap();
    let list = Client::connect(&sim, arguments).request("tools/list", json!({}));
    list["result"]["tools"].as_array().unwrap().clone()
}

fn names(tools: &[Value]) -> Vec<&str> {
    tools.iter().map(|tool| tool["name"].as_str().unwrap().trim_start_matches("proxmox_")).collect()
}

/// What a model sees of a tool: name, title, description and input schema.
fn seen(tool: &Value) -> usize {
    let seen = json!({
        "name": tool["name"],
        "title": tool["title"],
        "description": tool["description"],
        "inputSchema": tool["inputSchema"],
    });
    seen.to_string().len()
}

#[test]
fn lists_are_small_enough_for_a_model() {
    for (what, arguments, most) in [
        ("basic mode", &[] as &[&str], 4_000),
        ("everything granted, every toolset", &["--allow-elevated", "--toolsets", "all"], 12_000),
    ] {
        let tools = listed(arguments);
        let bytes: usize = tools.iter().map(seen).sum();
        println!("{what}: {} tools, {bytes} bytes of at most {most}", tools.len());
        for tool in &tools {
            println!("  {:5}  {}", seen(tool), tool["name"].as_str().unwrap());
        }
        assert!(bytes <= most, "{what}: {bytes} bytes");
    }
}

#[test]
fn what_is_not_granted_is_not_listed_and_says_what_it_lacks() {
    let sim = Sim::start(Options::instant()).unwrap();
    let mut client = Client::connect(&sim, &[]);
    let list = client.request("tools/list", json!({}));
    let list = list["result"]["tools"].as_array().unwrap().clone();
    assert!(
        names(&list).contains(&"get_vms") && !names(&list).contains(&"create_snapshot"),
        "{:?}",
        names(&list)
    );
    let said = text(&client.call("proxmox_create_snapshot", json!({"vmid": 101, "name": "x1"})));
    assert!(said.contains("--grant VM.Snapshot@/vms/101"), "{said}");
    for granted in [&["--grant", "VM.Snapshot@/vms/101"], &["--ask", "VM.Snapshot@/vms/101"]] {
        assert!(names(&listed(granted)).contains(&"create_snapshot"), "{granted:?}");
    }
}

#[test]
fn the_operator_chooses_the_tools() {
    let storage = listed(&["--allow-elevated", "--toolsets", "storage"]);
    assert!(names(&storage).contains(&"get_storage") && !names(&storage).contains(&"get_vms"));
    let read_only = listed(&["--allow-elevated", "--toolsets", "all", "--read-only"]);
    assert!(read_only.iter().all(|tool| tool["annotations"]["readOnlyHint"] == true));
    let without = listed(&["--exclude-tools", "proxmox_get_vms"]);
    assert!(!names(&without).contains(&"get_vms") && names(&without).contains(&"get_nodes"));

    let sim = Sim::start(Options::instant()).unwrap();
    let off = |arguments: &[&str], tool: &str, args: Value| {
        let answer = Client::connect(&sim, arguments).call(tool, args);
        assert!(is_error(&answer), "{answer}");
        text(&answer)
    };
    let snapshot = json!({"vmid": 101, "name": "x1"});
    let said = off(&["--allow-elevated", "--read-only"], "proxmox_create_snapshot_vm", snapshot);
    assert!(said.contains("--read-only"), "{said}");
    let said = off(&["--toolsets", "storage"], "proxmox_get_vms", json!({}));
    assert!(said.contains("--toolsets"), "{said}");
    assert!(!sim.requests().iter().any(|request| request.verb != "GET"));
}

#[test]
fn a_dry_run_says_what_is_granted_and_sends_nothing() {
    let sim = Sim::start(Options::instant()).unwrap();
    let arguments = json!({"vmid": 101, "name": "x1", "dry_run": true});
    let dry = |granted: &[&str]| {
        text(&Client::connect(&sim, granted).call("proxmox_create_snapshot", arguments.clone()))
    };
    let refused = dry(&[]);
    assert!(refused.contains("needs VM.Snapshot on /vms/101: not granted"), "{refused}");
    assert!(refused.contains("--grant VM.Snapshot@/vms/101"), "{refused}");
    assert!(dry(&["--grant", "VM.Snapshot@/vms/101"]).contains("this server allows it"));
    assert!(dry(&["--ask", "VM.Snapshot@/vms/101"]).contains("this server would ask a person first"));
    assert!(!sim.requests().iter().any(|request| request.verb != "GET"));
}

#[test]
fn an_older_name_is_the_same_tool_under_the_same_guards() {
    let sim = Sim::start(Options::instant()).unwrap();
    let arguments = json!({"node": "pve1", "vmid": "101", "snapname": "old-name"});
    let refused = text(&Client::connect(&sim, &[]).call("proxmox_create_snapshot_vm", arguments.clone()));
    assert!(refused.contains("--grant VM.Snapshot@/vms/101"), "{refused}");
    let granted = ["--grant", "VM.Snapshot@/vms/101"];
    let done = Client::connect(&sim, &granted).call("proxmox_create_snapshot_vm", arguments);
    assert!(!is_error(&done), "{}", text(&done));
}
