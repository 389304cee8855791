//! MCP on standard input and output, in both eras, with clients that behave and clients that do not.

use std::time::Duration;

use proxmox_sim::{Fault, FaultKind, Options, Sim};
use serde_json::{Value, json};

use crate::harness::{
    Client, arrived, binary, configured, is_error, json_lines, run_with_input, stateless_meta, text,
};

/// A stopped container of the demo cluster.
const STOPPED: u32 = 108;

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

#[test]
fn a_request_without_handshake_is_answered_although_the_input_closes_at_once() {
    let mut list = binary();
    let output =
        run_with_input(list.arg("--demo"), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n");
    let lines = json_lines(&output.stdout);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["id"], 1);
    let names: Vec<&str> =
        lines[0]["result"]["tools"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"proxmox_get_nodes"), "{names:?}");
    assert_eq!(output.status.code(), Some(0));

    // No newline at the end, and an answer that takes its time.
    let slow = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"proxmox_get_nodes","arguments":{}}}"#;
    let output = run_with_input(binary().args(["--demo", "--demo-latency-ms", "300"]), slow);
    let lines = json_lines(&output.stdout);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(text(&lines[0]["result"]).contains("pve1"), "{lines:?}");
}

#[test]
fn every_handshake_revision_is_spoken() {
    let sim = sim();
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut client = Client::start(configured(&sim, &sim.token()));
        let answer = client.shake_hands(version);
        assert_eq!(answer["result"]["protocolVersion"], version);
        assert_eq!(answer["result"]["serverInfo"]["name"], "proxmox-mcp");
        assert!(answer["result"]["instructions"].as_str().unwrap().len() > 50);
        let result = client.call("proxmox_get_nodes", json!({}));
        assert!(text(&result).contains("pve1"));
        assert_eq!(result.get("resultType"), None, "not a field of {version}");
        assert_eq!(client.finish().1, Some(0));
    }
    let mut client = Client::start(configured(&sim, &sim.token()));
    assert_eq!(client.shake_hands("1999-01-01")["result"]["protocolVersion"], "2025-11-25");
}

#[test]
fn the_stateless_era_is_spoken_and_a_handshake_may_still_follow() {
    let sim = sim();
    let mut client = Client::start(configured(&sim, &sim.token()));
    let discovered = client.request("server/discover", json!({"_meta": stateless_meta()}));
    let versions = discovered["result"]["supportedVersions"].as_array().unwrap();
    assert!(
        versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2024-11-05")),
        "{versions:?}"
    );
    // Whether or not the client then shakes hands, requests of the stateless era are taken.
    let answer = client.shake_hands("2025-06-18");
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
    assert!(text(&client.call("proxmox_get_nodes", json!({}))).contains("pve1"));
    stateless_calls(&mut client);

    // So may who has asked for something without one.
    let mut client = Client::start(configured(&sim, &sim.token()));
    stateless_calls(&mut client);
    assert_eq!(client.shake_hands("2025-06-18")["result"]["protocolVersion"], "2025-06-18");
    assert!(text(&client.call("proxmox_get_nodes", json!({}))).contains("pve1"));
    assert_eq!(client.request("ping", json!({}))["result"], json!({}));
    stateless_calls(&mut client);

    let mut client = Client::start(configured(&sim, &sim.token()));
    stateless_calls(&mut client);
    assert_eq!(client.request("ping", json!({"_meta": stateless_meta()}))["error"]["code"], -32601);
    let mut wrong = stateless_meta();
    wrong["io.modelcontextprotocol/protocolVersion"] = json!("2031-01-01");
    let refused = client.request("tools/list", json!({"_meta": wrong}));
    assert_eq!(refused["error"]["code"], -32022, "{refused}");
}

fn stateless_calls(client: &mut Client) {
    let listed = client.request("tools/list", json!({"_meta": stateless_meta()}));
    assert_eq!(listed["result"]["resultType"], "complete");
    assert!(listed["result"]["ttlMs"].as_u64().unwrap() > 0);
    assert_eq!(listed["result"]["cacheScope"], "private");
    let params = json!({"name": "proxmox_get_nodes", "arguments": {}, "_meta": stateless_meta()});
    let called = client.request("tools/call", params);
    assert_eq!(called["result"]["resultType"], "complete");
    assert_eq!(called["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "proxmox-mcp");
}

#[test]
fn a_client_that_only_probes_ends_well() {
    let line = json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": stateless_meta()}});
    let output = run_with_input(binary().arg("--demo"), &format!("{line}\n"));
    assert_eq!(json_lines(&output.stdout).len(), 1);
    assert_eq!(output.status.code(), Some(0));
    let output = run_with_input(binary().arg("--demo"), "");
    assert_eq!((output.stdout.len(), output.status.code()), (0, Some(0)));
}

#[test]
fn what_is_no_message_gets_an_error_and_does_no_harm() {
    let sim = sim();
    let mut client = Client::start(configured(&sim, &sim.token()));
    // Before the handshake, too.
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    for (line, code) in [
        ("this is no JSON", -32700),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,", -32700),
        ("[]", -32600),
        ("null", -32600),
        ("42", -32600),
        ("{\"id\":1,\"method\":\"ping\"}", -32600),
        ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":5}}", -32602),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}", -32602),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":{\"uri\":5}}", -32602),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/get\",\"params\":{\"name\":[]}}", -32602),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"completion/complete\",\"params\":{\"ref\":{\"type\":\"ref/x\"}}}",
            -32602,
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"proxmox_get_nodes\",\"arguments\":\"x\"}}",
            -32602,
        ),
    ] {
        client.send_line(line);
        let answer = client.next_within(Duration::from_secs(30)).expect(line);
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
        assert!(answer["error"]["message"].as_str().is_some_and(|m| m.len() > 10), "{answer}");
    }
    client.send_line("   ");
    let long = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{}\"}}", "x".repeat(5 << 20));
    client.send_line(&long);
    assert_eq!(client.next_within(Duration::from_secs(30)).unwrap()["error"]["code"], -32600);
    client.shake_hands("2025-11-25");
    assert!(text(&client.call("proxmox_get_nodes", json!({}))).contains("pve1"));
    assert_eq!(client.request("no/such/method", json!({}))["error"]["code"], -32601);
    let unknown = client.request("tools/call", json!({"name": "proxmox_get_node", "arguments": {}}));
    assert_eq!(unknown["error"]["code"], -32602);
    assert!(unknown["error"]["message"].as_str().unwrap().contains("`proxmox_get_nodes`"), "{unknown}");
}

#[test]
fn calls_run_at_the_same_time() {
    let sim = Sim::start(Options { latency: Duration::from_millis(400), ..Options::instant() }).unwrap();
    let mut client = Client::connect(&sim, &[]);
    // Each reads something else: the same would be one request.
    let ids: Vec<(u32, i64)> = (100..112)
        .map(|vmid| {
            (
                vmid,
                client.begin("tools/call", json!({"name": "proxmox_get_guest", "arguments": {"vmid": vmid}})),
            )
        })
        .collect();
    // One at a time would take 9.6 s; while the slowest waits, all the others are on their way.
    for (vmid, id) in &ids {
        assert!(text(&client.answer_to(&json!(id))["result"]).contains(&vmid.to_string()));
    }
    let connections: std::collections::HashSet<u64> = sim.requests().iter().map(|r| r.connection).collect();
    assert!(connections.len() > 8, "only {} connections at one time", connections.len());
}

#[test]
fn a_cancelled_call_stops_and_gets_no_answer() {
    let sim = sim();
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    sim.fault(Fault::always("/cluster/resources", FaultKind::Slow(Duration::from_secs(20))));
    let id = client.begin("tools/call", json!({"name": "proxmox_start_vm", "arguments": {"vmid": STOPPED}}));
    // Time for the request to be on its way; the ping shows that the call is being worked on.
    client.request("ping", json!({}));
    std::thread::sleep(Duration::from_millis(200));
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
    // The ping is a barrier: nothing was said before its answer, and the call did not hold it up.
    client.request("ping", json!({}));
    sim.clear_faults();
    assert!(client.aside.is_empty(), "{:?}", client.aside);
    let (rest, code) = client.finish();
    assert!(rest.is_empty(), "{rest:?}");
    assert_eq!(code, Some(0));
    assert!(!arrived(&sim).iter().any(|line| line.starts_with("POST")), "{:?}", arrived(&sim));
}

#[test]
fn progress_is_told_to_who_asks_and_grows() {
    let sim = Sim::start(Options { task_seconds: 3.0, ..Options::instant() }).unwrap();
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    let params =
        json!({"name": "proxmox_start_vm", "arguments": {"vmid": STOPPED}, "_meta": {"progressToken": "t1"}});
    let answer = client.request("tools/call", params);
    assert!(!is_error(&answer["result"]), "{answer}");
    let told: Vec<&Value> = client.aside.iter().filter(|m| m["method"] == "notifications/progress").collect();
    assert!(!told.is_empty(), "no progress");
    let steps: Vec<f64> = told.iter().map(|m| m["params"]["progress"].as_f64().unwrap()).collect();
    assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
    assert!(told.iter().all(|m| m["params"]["progressToken"] == "t1"));
    assert!(
        told.iter()
            .all(|m| m["params"]["message"].as_str().is_some_and(|t| t.contains(&STOPPED.to_string())))
    );
}
