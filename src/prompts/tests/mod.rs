use serde_json::{Map, Value, json};

use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, NOW_MS};
use crate::tools;

/// Arguments as a client sends them.
fn arguments(given: &[(&str, &str)]) -> Map<String, Value> {
    given.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}

/// The pieces of a prompt.
#[track_caller]
pub(crate) fn pieces(name: &str, given: &[(&str, &str)]) -> Vec<Piece> {
    write(name, &arguments(given)).unwrap()
}

/// The calls of a prompt, each as `tool {arguments}`.
#[track_caller]
pub(crate) fn calls(name: &str, given: &[(&str, &str)]) -> Vec<String> {
    let call = |piece: &Piece| match piece {
        Piece::Call(call) => Some(format!("{} {}", call.tool, Value::Object(call.arguments.clone()))),
        Piece::Text(_) => None,
    };
    pieces(name, given).iter().filter_map(call).collect()
}

/// The text of a prompt, without its calls.
#[track_caller]
pub(crate) fn text(name: &str, given: &[(&str, &str)]) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => Some(text.clone()),
        Piece::Call(_) => None,
    };
    pieces(name, given).iter().filter_map(text).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_prompt_calls_what_it_says_and_only_reads() {
    for prompt in ALL {
        let given: Vec<(&str, &str)> =
            prompt.arguments.iter().map(|argument| (argument.name, sample(argument.name))).collect();
        let required: Vec<(&str, &str)> =
            given.iter().copied().filter(|(name, _)| is_required(prompt, name)).collect();
        let mut called: Vec<&str> = Vec::new();
        for given in [&given, &required] {
            let pieces = pieces(prompt.name, given);
            assert!(
                matches!(pieces.first(), Some(Piece::Text(_)))
                    && matches!(pieces.last(), Some(Piece::Text(_)))
            );
            for piece in pieces {
                let Piece::Call(call) = piece else { continue };
                let (_, tool) = tools::ALL.iter().find(|(name, _)| *name == call.tool).unwrap();
                assert!(
                    tool.read_only() && prompt.tools.contains(&call.tool),
                    "{}: {}",
                    prompt.name,
                    call.tool
                );
                for name in call.arguments.keys() {
                    assert!(tool.params.iter().any(|param| param.name == name), "{}: {name}", call.tool);
                }
                called.push(call.tool);
            }
        }
        assert!(
            prompt.tools.iter().all(|tool| called.contains(tool)),
            "{} says more than it calls",
            prompt.name
        );
    }
}

#[test]
fn the_calls_of_each_prompt_are_answered_by_the_demo_cluster() {
    let demo = Demo::new();
    for prompt in ALL {
        let given: Vec<(&str, &str)> =
            prompt.arguments.iter().map(|argument| (argument.name, sample(argument.name))).collect();
        let mut size = 0;
        for piece in pieces(prompt.name, &given) {
            size += match piece {
                Piece::Text(text) => text.len(),
                Piece::Call(call) => {
                    let arguments = Value::Object(call.arguments).to_string();
                    match catalogue::call(&demo, NOW_MS, call.tool, &arguments) {
                        Ok(Step::Done(output)) => output.text.len(),
                        other => panic!("{}: {} {arguments}: {other:?}", prompt.name, call.tool),
                    }
                }
            };
        }
        assert!(size < 20_000, "{} has {size} bytes", prompt.name);
    }
}

#[test]
fn a_prompt_is_named_as_its_file_and_read_at_a_glance() {
    let names: Vec<&str> = ALL.iter().map(|prompt| prompt.name).collect();
    assert_eq!(
        names,
        [
            "diagnose_guest",
            "diagnose_permissions",
            "health_check",
            "provision_container",
            "provision_vm",
            "roll_back",
            "upgrade_node"
        ]
    );
    for prompt in ALL {
        assert!(prompt.title.len() < 40 && prompt.description.len() < 150, "{}", prompt.name);
    }
}

#[test]
fn wrong_arguments_are_said_with_what_is_right() {
    let long = "x".repeat(501);
    for (name, given, says) in [
        ("health", json!({}), "`health_check`"),
        (
            "diagnose_guest",
            json!({}),
            "`vmid` is missing. The prompt `diagnose_guest` takes `vmid` (id of the guest, required)",
        ),
        ("diagnose_guest", json!({"vmid": " "}), "`vmid` is missing"),
        ("diagnose_guest", json!({"vmid": 101}), "`vmid` has to be text"),
        ("diagnose_guest", json!({"vm_id": "101"}), "Did you mean `vmid`?"),
        ("diagnose_guest", json!({"vmid": "101", "symptom": long}), "longer than 500"),
    ] {
        let error = write(name, given.as_object().unwrap()).unwrap_err();
        assert!(matches!(error, Error::Arguments(_)), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

/// A value that the demo cluster knows.
fn sample(argument: &str) -> &'static str {
    match argument {
        "vmid" => "101",
        "node" => "pve1",
        "memory" => "2048",
        "disk" | "cores" => "4",
        "storage" => "local-zfs",
        "action" => "proxmox_power",
        "snapshot" => "before-upgrade",
        _ => "x",
    }
}

fn is_required(prompt: &Prompt, name: &str) -> bool {
    prompt.arguments.iter().any(|argument| argument.name == name && argument.required)
}
