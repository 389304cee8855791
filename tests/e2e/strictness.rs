//! What the protocol wants of every request and every result, in both eras.

use proxmox_sim::{Options, Sim};
use serde_json::{Value, json};

use crate::harness::{Client, arrived, configured, is_error, stateless_meta, text};

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

fn stateless(mut params: Value) -> Value {
    params["_meta"] = stateless_meta();
    params
}

#[test]
fn arguments_that_do_not_fit_the_schema_are_told_as_results_of_the_call() {
    let sim = sim();
    let mut legacy = Client::connect(&sim, &["--allow-elevated"]);
    let mut command = configured(&sim, &sim.token());
    command.arg("--allow-elevated");
    let mut modern = Client::start(command);
    for (tool, arguments, says) in [
        ("proxmox_power", json!({}), "vmid"),
        ("proxmox_power", json!({"vmid": 101}), "action"),
        ("proxmox_power", json!({"vmid": null, "action": "start"}), "vmid"),
        ("proxmox_power", json!({"vmid": 101, "action": "start", "force_it": true}), "force_it"),
        ("proxmox_power", json!({"vmid": 101, "action": "explode"}), "action"),
        ("proxmox_power", json!({"vmid": 101, "action": 5}), "action"),
        ("proxmox_power", json!({"vmid": {"id": 101}, "action": "start"}), "vmid"),
        ("proxmox_power", json!({"vmid": [101], "action": "start"}), "vmid"),
        ("proxmox_power", json!({"vmid": 101.5, "action": "start"}), "vmid"),
        ("proxmox_power", json!({"vmid": -1, "action": "start"}), "vmid"),
        ("proxmox_power", json!({"vmid": 101, "action": "start", "wait": "perhaps"}), "wait"),
        ("proxmox_get_vms", json!({"limit": "many"}), "limit"),
        ("proxmox_get_vms", json!({"status": ["running", 5]}), "status"),
    ] {
        let params = json!({"name": tool, "arguments": arguments});
        let answers =
            [legacy.request("tools/call", params.clone()), modern.request("tools/call", stateless(params))];
        for answer in answers {
            let result = &answer["result"];
            assert!(is_error(result), "{arguments}: {answer}");
            assert!(text(result).contains(says), "{arguments}: {}", text(result));
        }
    }
    assert!(arrived(&sim).iter().all(|line| line.starts_with("GET ")), "{:?}", arrived(&sim));
}

#[test]
fn every_result_of_the_era_without_a_handshake_says_who_gave_it() {
    let sim = sim();
    let mut client = Client::start(configured(&sim, &sim.token()));
    let methods = [
        ("server/discover", json!({})),
        ("tools/list", json!({})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({"uri": "proxmox://nodes"})),
        ("tools/call", json!({"name": "proxmox_get_nodes", "arguments": {}})),
        ("tools/call", json!({"name": "proxmox_get_guest", "arguments": {}})),
    ];
    for (method, params) in &methods {
        let answer = client.request(method, stateless(params.clone()));
        let signed = &answer["result"]["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(signed["name"], "proxmox-mcp", "{method}: {answer}");
        assert!(signed["version"].is_string(), "{answer}");
    }
    let refused = client.request("no/such/method", stateless(json!({})));
    assert_eq!(refused["error"]["code"], -32601);
    // A client of the other era would not expect it.
    let mut legacy = Client::connect(&sim, &[]);
    for (method, params) in methods.into_iter().skip(1) {
        let answer = legacy.request(method, params);
        assert_eq!(answer["result"].get("_meta"), None, "{method}: {answer}");
    }
}

#[test]
fn what_is_advertised_is_served_and_nothing_else() {
    let sim = sim();
    let mut client = Client::start(configured(&sim, &sim.token()));
    let discovered = client.request("server/discover", stateless(json!({})));
    let modern = discovered["result"]["capabilities"].clone();
    let mut legacy = Client::start(configured(&sim, &sim.token()));
    let shaken = legacy.shake_hands("2025-11-25")["result"]["capabilities"].clone();
    for (capability, method, params) in [
        ("tools", "tools/list", json!({})),
        ("resources", "resources/list", json!({})),
        ("prompts", "prompts/list", json!({})),
        ("logging", "logging/setLevel", json!({"level": "info"})),
        (
            "completions",
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": ""}}),
        ),
    ] {
        for (era, capabilities, answer) in [
            ("legacy", &shaken, legacy.request(method, params.clone())),
            ("modern", &modern, client.request(method, stateless(params))),
        ] {
            let served = answer["error"]["code"] != -32601;
            assert_eq!(served, capabilities.get(capability).is_some(), "{era} {method}: {answer}");
        }
    }
}

#[test]
fn a_cursor_that_nobody_gave_out_is_refused() {
    let sim = sim();
    let mut client = Client::connect(&sim, &[]);
    for method in ["tools/list", "resources/list", "resources/templates/list", "prompts/list"] {
        for params in [json!({"cursor": "x"}), stateless(json!({"cursor": "x"}))] {
            let refused = client.request(method, params);
            assert_eq!(refused["error"]["code"], -32602, "{method}: {refused}");
        }
        assert!(client.request(method, json!({"cursor": null})).get("result").is_some(), "{method}");
    }
}
