//! The names and parameters of the server that this one began from (`tests/original.toml`), through the gate: what
//! works natively works here.

use std::collections::BTreeMap;

use proxmox_sim::{Options, Sim};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Client, is_error, root, text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    call: Vec<Call>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    name: String,
    #[serde(default)]
    args: BTreeMap<String, Value>,
    before: Option<Box<Call>>,
}

/// The arguments, with the latest task for what stands for it.
fn arguments(sim: &Sim, call: &Call) -> Value {
    let (_, _, tasks) = sim.answer("GET", "/api2/json/cluster/tasks", None);
    let tasks: Value = serde_json::from_slice(&tasks).unwrap();
    let upid = tasks["data"][0]["upid"].as_str().unwrap();
    let node = upid.split(':').nth(1).unwrap();
    let text = json!(call.args).to_string().replace("{upid}", upid).replace("{node}", node);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn each_of_the_67_names_works_behind_the_gate() {
    let text_of = std::fs::read_to_string(root().join("tests/original.toml")).unwrap();
    let file: File = toml::from_str(&text_of).unwrap();
    assert_eq!(file.call.len(), 67);
    let mut failed = Vec::new();
    for call in &file.call {
        let sim = Sim::start(Options::instant()).unwrap();
        let mut client = Client::connect(&sim, &["--allow-elevated"]);
        for step in call.before.as_deref().into_iter().chain([call]) {
            let result = client.call(&step.name, arguments(&sim, step));
            if is_error(&result) {
                failed.push(format!("{}: {}", call.name, text(&result)));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
