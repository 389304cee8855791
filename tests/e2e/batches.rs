//! Batches of JSON-RPC, which one revision of the protocol has, and what must not be answered.

use std::time::Duration;

use proxmox_sim::{Fault, FaultKind, Options, Sim};
use serde_json::{Value, json};

use crate::harness::{Client, arrived, configured, stateless_meta, text};

const PATIENCE: Duration = Duration::from_secs(60);

fn client(sim: &Sim, version: &str) -> Client {
    let mut client = Client::start(configured(sim, &sim.token()));
    client.shake_hands(version);
    client
}

fn call(id: impl Into<Value>) -> Value {
    let params = json!({"name": "proxmox_get_nodes", "arguments": {}});
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params})
}

fn ping(id: impl Into<Value>) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "ping"})
}

/// The answer to a batch, by the id of each of its parts.
fn parts(answer: &Value) -> std::collections::BTreeMap<String, &Value> {
    let parts = answer.as_array().unwrap_or_else(|| panic!("no array: {answer}"));
    parts.iter().map(|part| (part["id"].to_string(), part)).collect()
}

#[test]
fn a_batch_is_answered_with_one_array_in_which_notifications_have_no_place() {
    let sim = Sim::start(Options::instant()).unwrap();
    let mut client = client(&sim, "2025-03-26");
    let misfit = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": 5}});
    let told = json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"});
    client.send(&json!([ping("a"), told, call(7), misfit, 42, call(7), ping(8)]));
    let answer = client.next_within(PATIENCE).unwrap();
    let parts = parts(&answer);
    assert_eq!(answer.as_array().unwrap().len(), 6, "{answer}");
    assert_eq!(parts["\"a\""]["result"], json!({}));
    assert_eq!(parts["8"]["result"], json!({}));
    assert_eq!(parts["9"]["error"]["code"], -32602);
    assert_eq!(parts["null"]["error"]["code"], -32600);
    let sevens: Vec<&Value> = answer.as_array().unwrap().iter().filter(|part| part["id"] == 7).collect();
    assert_eq!(sevens.len(), 2, "{answer}");
    assert!(sevens.iter().any(|part| text(&part["result"]).contains("pve1")), "{answer}");
    assert!(sevens.iter().any(|part| part["error"]["code"] == -32600), "an id stands for one request");
    // A message alone is answered alone.
    client.send(&ping(10));
    assert_eq!(client.next_within(PATIENCE).unwrap()["id"], 10);
}

#[test]
fn a_batch_that_asks_nothing_has_no_answer_and_an_empty_one_is_refused() {
    let sim = Sim::start(Options::instant()).unwrap();
    let mut client = client(&sim, "2025-03-26");
    let told = json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"});
    client.send(&json!([told, told]));
    client.send(&ping(1));
    assert_eq!(client.next_within(PATIENCE).unwrap()["id"], 1, "the first thing that is said");
    client.send(&json!([]));
    let refused = client.next_within(PATIENCE).unwrap();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&Value::Null, &json!(-32600)));
    client.send(&Value::Array(vec![ping(1); 101]));
    let refused = client.next_within(PATIENCE).unwrap();
    assert!(refused["error"]["message"].as_str().unwrap().contains("at most 100"), "{refused}");
}

#[test]
fn other_revisions_have_no_batches() {
    let sim = Sim::start(Options::instant()).unwrap();
    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let mut client = client(&sim, version);
        client.send(&json!([call(1)]));
        let refused = client.next_within(PATIENCE).unwrap();
        assert_eq!(refused["error"]["code"], -32600, "{version}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("2025-03-26"), "{refused}");
    }
    let mut client = Client::start(configured(&sim, &sim.token()));
    let mut modern = call(1);
    modern["params"]["_meta"] = stateless_meta();
    client.send(&json!([modern]));
    assert_eq!(client.next_within(PATIENCE).unwrap()["error"]["code"], -32600);
    assert_eq!(arrived(&sim), [""; 0]);
}

#[test]
fn what_is_cancelled_has_no_place_in_the_answer() {
    let sim = Sim::start(Options::instant()).unwrap();
    let mut client = client(&sim, "2025-03-26");
    sim.fault(Fault::always("/cluster/resources", FaultKind::Slow(Duration::from_secs(20))));
    client.send(&json!([call(1), ping(2)]));
    client.send(&ping(3));
    assert_eq!(client.next_within(PATIENCE).unwrap()["id"], 3, "the batch waits for its call");
    let params = json!({"requestId": 1});
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}));
    let answer = client.next_within(PATIENCE).unwrap();
    assert_eq!(parts(&answer).into_keys().collect::<Vec<_>>(), ["2"]);
    // Where nothing is left, nothing is said.
    client.send(&json!([call(4)]));
    client
        .send(&json!([{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 4}}]));
    client.send(&ping(5));
    assert_eq!(client.next_within(PATIENCE).unwrap()["id"], 5);
    sim.clear_faults();
    assert_eq!(client.finish(), (Vec::new(), Some(0)));
}

#[test]
fn a_batch_is_answered_although_the_input_closes() {
    let sim = Sim::start(Options::instant()).unwrap();
    let mut client = client(&sim, "2025-03-26");
    sim.fault(Fault::always("/cluster/resources", FaultKind::Slow(Duration::from_millis(300))));
    client.send(&json!([call(1), call(2)]));
    let (rest, code) = client.finish();
    assert_eq!((rest.len(), code), (1, Some(0)), "{rest:?}");
    assert_eq!(parts(&rest[0]).len(), 2);
}
