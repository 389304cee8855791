//! Every tool, by its case file `tests/tools/<tool>.toml`: arguments, what the cluster is like, the grants that
//! the call needs beyond the basic ones, and the requests that it makes.
//!
//! From each case follow: the accepted answer (`INSTA_UPDATE=always` accepts a new one), that just these
//! grants suffice, that each of them is needed and named where it is missing, and that nothing that can go
//! wrong with one of the requests breaks the tool, hangs it, or makes it send a change twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proxmox_sim::{Fault, FaultKind, Options, Sim};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Client, arrived, is_error, root, text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What is special about it; part of the snapshot's name.
    name: String,
    /// The arguments.
    #[serde(default)]
    args: BTreeMap<String, Value>,
    /// Nodes that are down.
    #[serde(default)]
    offline: Vec<String>,
    /// Faults of the cluster: path pattern, status and reason.
    #[serde(default)]
    fault: Vec<(String, u16, String)>,
    /// The grants that it needs beyond the basic ones.
    #[serde(default)]
    grants: Vec<String>,
    /// The requests that it makes. Those that follow a task or a command are named once.
    calls: Vec<String>,
    /// Whether it fails.
    #[serde(default)]
    fails: bool,
}

fn files() -> BTreeMap<String, File> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("tests/tools")).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let file = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            files.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), file);
        }
    }
    files
}

fn cluster(case: &Case) -> Sim {
    let sim = Sim::start(Options::instant()).unwrap();
    for node in &case.offline {
        sim.fault(Fault::always("", FaultKind::NodeDown(node.clone())));
    }
    for (path, status, reason) in &case.fault {
        sim.fault(Fault::always(path, FaultKind::Status(*status, reason.clone())));
    }
    sim
}

/// Runs the case on a new cluster with these grants.
fn answer(tool: &str, case: &Case, sim: &Sim, grants: &[&str]) -> Value {
    let arguments: Vec<&str> = grants.iter().flat_map(|grant| ["--grant", grant]).collect();
    Client::connect(sim, &arguments).call(tool, json!(case.args))
}

/// The text with what differs from run to run taken out.
fn steady(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("UPID:") {
        let (before, upid) = rest.split_at(at);
        let fields: Vec<&str> = upid.splitn(9, ':').collect();
        out.push_str(before);
        rest = match fields.as_slice() {
            [_, node, _, _, _, kind, id, user, tail] => {
                out.push_str(&format!("UPID:{node}:PID:PSTART:START:{kind}:{id}:{user}:"));
                tail
            }
            _ => {
                out.push_str("UPID:");
                upid.trim_start_matches("UPID:")
            }
        };
    }
    without_fingerprints(without_ages(&(out + rest)))
}

/// Each simulated cluster makes its own certificates.
fn without_fingerprints(mut text: String) -> String {
    const LENGTH: usize = 32 * 3 - 1;
    let is_one = |bytes: &[u8]| {
        bytes.iter().enumerate().all(|(at, b)| if at % 3 == 2 { *b == b':' } else { b.is_ascii_hexdigit() })
    };
    while let Some(at) = text.as_bytes().windows(LENGTH).position(is_one) {
        text.replace_range(at..at + LENGTH, "FINGERPRINT");
    }
    text
}

/// `3d 4h ago`, `in 3d 4h` and `5m 2s away` depend on when the test runs: the cluster's clock stands still.
fn without_ages(text: &str) -> String {
    let is_span = |word: &str| {
        let number = word.trim_end_matches(['d', 'h', 'm', 's']);
        number.len() + 1 == word.len() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    };
    let mut words: Vec<&str> = text.split(' ').collect();
    for at in 0..words.len() {
        let is_end = ["ago", "away"].iter().any(|end| words[at].starts_with(end));
        let spans: Vec<usize> = if is_end {
            (at.saturating_sub(2)..at).filter(|i| is_span(words[*i])).collect()
        } else if words[at].ends_with("in") {
            (at + 1..words.len().min(at + 3)).filter(|i| is_span(words[*i])).collect()
        } else {
            Vec::new()
        };
        spans.into_iter().for_each(|i| words[i] = "N");
    }
    words.join(" ")
}

fn each(mut f: impl FnMut(&str, &Case)) {
    for (tool, file) in &files() {
        assert!(!file.case.is_empty(), "{tool} has no case");
        for case in &file.case {
            f(tool, case);
        }
    }
}

/// The definitions of all tools.
fn all_tools(sim: &Sim) -> Value {
    let named: Vec<String> = files().into_keys().collect();
    let mut client = Client::connect(sim, &["--allow-elevated", "--tools", &named.join(",")]);
    client.request("tools/list", json!({}))["result"]["tools"].clone()
}

#[test]
fn every_tool_has_its_cases() {
    let sim = Sim::start(Options::instant()).unwrap();
    let listed = all_tools(&sim);
    let names: BTreeSet<String> =
        listed.as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap().to_owned()).collect();
    let cases: BTreeSet<String> = files().into_keys().collect();
    assert_eq!(names, cases, "tools on the left, case files in tests/tools on the right");
    for tool in listed.as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        insta::with_settings!({snapshot_path => "../tools/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_json_snapshot!(format!("{name}.definition"), tool);
        });
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{name}: {hint}");
        }
        assert!(
            tool["title"].is_string() && tool["description"].as_str().is_some_and(|d| d.len() > 20),
            "{name}"
        );
        jsonschema::meta::validate(&tool["inputSchema"]).unwrap_or_else(|e| panic!("{name}: {e}"));
        jsonschema::meta::validate(&tool["outputSchema"]).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn answers_are_as_accepted_and_data_is_as_declared() {
    let sim = Sim::start(Options::instant()).unwrap();
    let listed = all_tools(&sim);
    let schemas: BTreeMap<String, Value> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|t| (t["name"].as_str().unwrap().to_owned(), t["outputSchema"].clone()))
        .collect();
    each(|tool, case| {
        let sim = cluster(case);
        let grants: Vec<&str> = case.grants.iter().map(String::as_str).collect();
        let result = answer(tool, case, &sim, &grants);
        assert_eq!(is_error(&result), case.fails, "{tool}, {}: {}", case.name, text(&result));
        let mut made: Vec<String> = arrived(&sim).iter().map(|line| steady(line)).collect();
        // The host looks up who is in a pool that a grant names.
        if case.grants.iter().any(|grant| grant.contains("@/pool/")) {
            made.retain(|line| line != "GET /cluster/resources" || case.calls.contains(line));
        }
        made.sort();
        made.dedup();
        let mut expected = case.calls.clone();
        expected.sort();
        assert_eq!(made, expected, "{tool}, {}: requests made on the left, declared on the right", case.name);
        let data = &result["structuredContent"];
        if !case.fails {
            let validator = jsonschema::validator_for(&schemas[tool]).unwrap();
            if let Err(error) = validator.validate(data) {
                panic!(
                    "{tool}, {}: data does not fit the schema: {error} at {}",
                    case.name,
                    error.instance_path()
                );
            }
        }
        let mut shown = steady(&text(&result));
        if !data.is_null() {
            shown += &format!("\n--- data\n{}", steady(&serde_json::to_string_pretty(data).unwrap()));
        }
        insta::with_settings!({snapshot_path => "../tools/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("{tool}.{}", case.name.replace(' ', "-")), shown);
        });
    });
}

#[test]
fn the_declared_grants_suffice_and_each_is_needed_and_named() {
    each(|tool, case| {
        let all: Vec<&str> = case.grants.iter().map(String::as_str).collect();
        // A dry run works without grants, and says which there are.
        if all.is_empty() && case.args.get("dry_run") == Some(&json!(true)) {
            return;
        }
        let granted = answer(tool, case, &cluster(case), &all);
        let elevated = {
            let sim = cluster(case);
            Client::connect(&sim, &["--allow-elevated"]).call(tool, json!(case.args))
        };
        assert_eq!(
            steady(&text(&granted)),
            steady(&text(&elevated)),
            "{tool}, {}: the declared grants give less than all of them",
            case.name
        );
        for missing in &all {
            let rest: Vec<&str> = all.iter().copied().filter(|grant| grant != missing).collect();
            let sim = cluster(case);
            let result = answer(tool, case, &sim, &rest);
            assert!(
                text(&result).contains(&format!("--grant {missing}")),
                "{tool}, {}: without {missing} it says: {}",
                case.name,
                text(&result)
            );
        }
    });
}

/// Faults that only a real connection has, and some of the others; the component's own tests try them all.
fn faults(verb: &str) -> Vec<FaultKind> {
    let status = |code, reason: &str| FaultKind::Status(code, reason.to_owned());
    let mut faults = vec![status(595, "No route to host"), FaultKind::CutBody];
    if verb != "GET" {
        faults.extend([
            status(403, "Permission check failed (/, Sys.Audit)"),
            FaultKind::Slow(Duration::from_millis(300)),
            FaultKind::DropConnection,
            FaultKind::LoseAnswer,
            FaultKind::NotJson,
        ]);
    }
    faults
}

#[test]
fn no_fault_of_a_request_breaks_a_tool_or_makes_it_send_a_change_twice() {
    let mut jobs = Vec::new();
    let files = files();
    for (tool, file) in &files {
        for case in &file.case {
            for call in &case.calls {
                let verb = call.split(' ').next().unwrap_or_default();
                jobs.extend(
                    faults(verb).into_iter().map(|fault| (tool.as_str(), case, call.as_str(), fault)),
                );
            }
        }
    }
    // Most of the time is waiting.
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((tool, case, call, fault)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    spoil(tool, case, call, fault);
                }
            });
        }
    });
}

/// Runs a case on a cluster that always answers one of its requests with this fault.
fn spoil(tool: &str, case: &Case, call: &str, fault: &FaultKind) {
    let (verb, path) = call.split_once(' ').unwrap();
    // A task's UPID differs from run to run.
    let pattern = match path.split_once("UPID:") {
        Some((before, rest)) => format!("{before}*{}", rest.rsplit_once('/').map_or("", |(_, end)| end)),
        None => path.to_owned(),
    };
    let sim = cluster(case);
    sim.fault(Fault::always(&pattern, fault.clone()).verb(verb));
    let at = format!("{tool}, {}, {call}, {fault:?}", case.name);
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    client.about.clone_from(&at);
    let result = client.call(tool, json!(case.args));
    let said = text(&result);
    assert!(!said.is_empty() && said.len() < 20_000, "{at}: {} bytes", said.len());
    assert!(!said.contains("sandbox"), "{at}: {said}");
    let changes = sim.requests();
    let changes = changes.iter().filter(|request| request.verb != "GET");
    let mut changes: Vec<(&String, &String, &Vec<u8>)> =
        changes.map(|request| (&request.path, &request.query, &request.body)).collect();
    let sent = changes.len();
    changes.sort();
    changes.dedup();
    assert_eq!(changes.len(), sent, "{at}: a change was sent twice");
}
