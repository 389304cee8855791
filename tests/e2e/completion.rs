//! Completion: what there is is offered, under the same guards as a call, and what is refused offers nothing.

use proxmox_sim::{Fault, FaultKind, Options, Sim};
use serde_json::{Value, json};

use crate::harness::{Client, arrived, configured, stateless_meta};

fn few() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

fn of_prompt(name: &str, argument: &str, typed: &str) -> Value {
    json!({"ref": {"type": "ref/prompt", "name": name}, "argument": {"name": argument, "value": typed}})
}

fn of_resource(uri: &str, argument: &str, typed: &str) -> Value {
    json!({"ref": {"type": "ref/resource", "uri": uri}, "argument": {"name": argument, "value": typed}})
}

/// The values that are offered; the rest of the answer fits them.
#[track_caller]
fn values(client: &mut Client, params: Value) -> Vec<String> {
    let answer = client.request("completion/complete", params.clone());
    let completion = &answer["result"]["completion"];
    let values: Vec<String> =
        serde_json::from_value(completion["values"].clone()).unwrap_or_else(|_| panic!("{params}: {answer}"));
    let total = completion["total"].as_u64().unwrap();
    assert!(values.len() <= 100, "{params}");
    assert_eq!(completion["hasMore"], json!(total > values.len() as u64), "{params}");
    values
}

#[test]
fn guests_are_offered_by_id_and_by_name() {
    let sim = few();
    let mut client = Client::connect(&sim, &["--grant", "Sys.Audit@/nodes"]);
    assert_eq!(values(&mut client, of_prompt("diagnose_guest", "vmid", "prod-web-01")), ["101"]);
    assert_eq!(values(&mut client, of_resource("proxmox://guests/{vmid}", "vmid", "10"))[0], "100");
    assert_eq!(values(&mut client, of_prompt("health_check", "node", "")), ["pve1", "pve2", "pve3"]);
    let storages = values(&mut client, of_resource("proxmox://storages/{storage}", "storage", ""));
    assert!(storages.contains(&"local".to_owned()), "{storages:?}");
    let tasks = values(&mut client, of_resource("proxmox://tasks/{upid}", "upid", "UPID:pve1"));
    assert!(!tasks.is_empty() && tasks.iter().all(|upid| upid.starts_with("UPID:pve1:")), "{tasks:?}");
    assert_eq!(values(&mut client, of_prompt("diagnose_guest", "symptom", "s")), [""; 0]);
    let tools =
        values(&mut client, of_resource("proxmox://tools/{tool}{?arguments}", "tool", "proxmox_get_v"));
    assert_eq!(tools, ["proxmox_get_vms"]);
    assert!(arrived(&sim).iter().all(|line| line.starts_with("GET ")), "{:?}", arrived(&sim));
}

#[test]
fn snapshots_are_those_of_the_guest_in_the_context() {
    let sim = few();
    let mut client = Client::connect(&sim, &[]);
    let mut params = of_prompt("roll_back", "snapshot", "");
    assert_eq!(values(&mut client, params.clone()), [""; 0]);
    params["context"] = json!({"arguments": {"vmid": "101"}});
    let offered = values(&mut client, params.clone());
    let snapshots = client.call("proxmox_get_guest", json!({"vmid": 101, "show": "snapshots"}));
    let known: Vec<&str> = snapshots["structuredContent"]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[0].as_str().unwrap())
        .collect();
    assert!(!offered.is_empty());
    assert_eq!(offered, known);
    for odd in ["prod-web-01", "../101", "999", ""] {
        params["context"] = json!({"arguments": {"vmid": odd}});
        assert_eq!(values(&mut client, params.clone()), [""; 0], "{odd}");
    }
}

#[test]
fn of_many_a_hundred_are_offered_and_all_are_counted() {
    let sim = Sim::start(Options { nodes: 20, guests: 2_000, ..Options::instant() }).unwrap();
    let mut client = Client::connect(&sim, &[]);
    let answer = client.request("completion/complete", of_prompt("diagnose_guest", "vmid", ""));
    let completion = &answer["result"]["completion"];
    assert_eq!(completion["values"].as_array().unwrap().len(), 100);
    assert_eq!((&completion["total"], &completion["hasMore"]), (&json!(2_000), &json!(true)));
    // Also the last of them is found.
    assert_eq!(values(&mut client, of_prompt("diagnose_guest", "vmid", "2099")), ["2099"]);
}

#[test]
fn what_may_not_be_seen_is_not_offered() {
    let sim = few();
    let mut client = Client::connect(&sim, &["--vmid-allowlist", "101", "--node-allowlist", "pve1"]);
    assert_eq!(values(&mut client, of_prompt("diagnose_guest", "vmid", "")), ["101"]);
    assert_eq!(values(&mut client, of_prompt("health_check", "node", "")), ["pve1"]);
    // Neither refused nor broken is an error.
    let mut client = Client::connect(&sim, &["--exclude-tools", "proxmox_get_vms"]);
    assert_eq!(values(&mut client, of_prompt("diagnose_guest", "vmid", "")), [""; 0]);
    let mut client = Client::connect(&sim, &["--ask", "Pool.Audit@/", "--read-only"]);
    sim.fault(Fault::always("/cluster/resources", FaultKind::LoseAnswer));
    assert_eq!(values(&mut client, of_prompt("diagnose_guest", "vmid", "")), [""; 0]);
}

#[test]
fn what_is_not_there_to_be_filled_in_is_an_error() {
    let sim = few();
    let mut client = Client::connect(&sim, &[]);
    for (params, says) in [
        (of_prompt("health", "node", ""), "`health_check`"),
        (of_prompt("health_check", "vmid", ""), "it has `node`"),
        (of_resource("proxmox://guests/{id}", "id", ""), "`proxmox://guests/{vmid}`"),
        (of_resource("proxmox://guests/{vmid}", "node", ""), "it has `vmid`"),
        (of_resource("proxmox://nodes", "node", ""), "nothing to fill in"),
    ] {
        let error = client.request("completion/complete", params.clone())["error"].clone();
        assert_eq!(error["code"], -32602, "{params}: {error}");
        assert!(error["message"].as_str().unwrap().contains(says), "{params}: {error}");
    }
    for params in [
        json!({}),
        json!({"ref": {"type": "ref/other", "name": "x"}, "argument": {"name": "node", "value": ""}}),
    ] {
        assert_eq!(
            client.request("completion/complete", params.clone())["error"]["code"],
            -32602,
            "{params}"
        );
    }
    assert_eq!(arrived(&sim), [""; 0]);
}

#[test]
fn both_eras_complete() {
    let sim = few();
    let mut client = Client::start(configured(&sim, &sim.token()));
    let discovered = client.request("server/discover", json!({"_meta": stateless_meta()}));
    assert_eq!(discovered["result"]["capabilities"]["completions"], json!({}));
    let mut params = of_prompt("health_check", "node", "pve3");
    params["_meta"] = stateless_meta();
    let result = client.request("completion/complete", params)["result"].clone();
    assert_eq!(
        (&result["resultType"], &result["completion"]["values"]),
        (&json!("complete"), &json!(["pve3"]))
    );
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "proxmox-mcp");

    let mut client = Client::start(configured(&sim, &sim.token()));
    assert_eq!(client.shake_hands("2025-06-18")["result"]["capabilities"]["completions"], json!({}));
    let result =
        client.request("completion/complete", of_prompt("health_check", "node", "pve3"))["result"].clone();
    assert_eq!((&result["completion"]["values"], result.get("resultType")), (&json!(["pve3"]), None));
}
