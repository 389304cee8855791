use std::collections::HashSet;

use proxmox_api::API_DOC;

use super::*;
use crate::cx::{Request, Response, SendError, Transport};
use crate::testing::{NOW_MS, Script};
use crate::tool::Toolset;

#[test]
fn a_file_is_a_tool_of_the_same_name() {
    assert!(tools::ALL.len() >= 8);
    let mut titles = HashSet::new();
    for (file, tool) in tools::ALL {
        assert_eq!(*file, tool.name);
        assert!((3..=40).contains(&tool.name.len()), "{}", tool.name);
        assert!(tool.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", tool.name);
        assert!(titles.insert(tool.title), "{} twice", tool.title);
        assert!(tool.description.ends_with('.'), "{}", tool.name);
        assert!(tool.params.iter().all(|param| param.about.trim().ends_with('.')), "{}", tool.name);
    }
    assert!(tools::ALL.is_sorted_by_key(|(name, _)| *name));
}

#[test]
fn hints_follow_from_the_calls() {
    for (name, tool) in tools::ALL {
        assert!(!(tool.read_only() && tool.destructive), "{name}");
        assert!(tool.read_only() || tool.idempotent() == tool.idempotent.unwrap_or(false), "{name}");
    }
    assert!(tools::proxmox_get_vms::TOOL.read_only() && tools::proxmox_get_vms::TOOL.idempotent());
    assert!(!tools::proxmox_create_snapshot::TOOL.read_only());
}

#[test]
fn schemas_are_plain_and_valid() {
    for (name, tool) in tools::ALL {
        for schema in [tool.input_schema(), tool.output.schema()] {
            assert_eq!(schema["type"], "object", "{name}");
            for combinator in ["anyOf", "oneOf", "allOf"] {
                assert!(schema.get(combinator).is_none(), "{name}");
            }
            assert!(jsonschema::meta::is_valid(&schema), "{name}: {schema}");
            assert!(!has_list_of_types(&schema), "{name}: {schema}");
        }
    }
}

fn has_list_of_types(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            map.get("type").is_some_and(Value::is_array) || map.values().any(has_list_of_types)
        }
        Value::Array(list) => list.iter().any(has_list_of_types),
        _ => false,
    }
}

/// What a model sees of a tool in a list.
fn seen(tool: &Tool) -> usize {
    let seen = json!({"name": tool.name, "title": tool.title, "description": tool.description, "inputSchema": tool.input_schema()});
    seen.to_string().len()
}

#[test]
fn the_list_of_tools_is_small() {
    let listed = || tools::ALL.iter().filter(|(_, tool)| tool.toolset != Toolset::ByName);
    let total: usize = listed().map(|(_, tool)| seen(tool)).sum();
    assert!(total <= 12_000, "{total} bytes");
    for (name, tool) in listed() {
        assert!(seen(tool) <= 500, "{name}: {} bytes", seen(tool));
    }
}

#[test]
fn an_unknown_tool_is_put_right() {
    let error = call(&Script::new(), NOW_MS, "proxmox_get_vm", "{}").unwrap_err();
    assert_eq!(
        error,
        Error::UnknownTool("There is no tool `proxmox_get_vm`. Did you mean `proxmox_get_vms`?".into())
    );
}

#[test]
fn every_tool_refuses_what_it_does_not_know_before_it_sends_anything() {
    for (name, _) in tools::ALL {
        let script = Script::new();
        let error = call(&script, NOW_MS, name, r#"{"nosuch": 1}"#).unwrap_err();
        assert!(matches!(error, Error::Arguments(_)), "{name}: {error}");
        assert!(script.sent().is_empty(), "{name}");
    }
}

/// A transport that reaches nobody.
struct Nobody;

impl Transport for Nobody {
    fn send_all(&self, requests: &[Request]) -> Vec<Result<Response, SendError>> {
        requests.iter().map(|_| Err(SendError::Refused)).collect()
    }
}

/// The arguments of the first case of the tool's case file.
fn arguments(tool: &Tool) -> String {
    let path = format!("{}/tests/tools/{}.toml", env!("CARGO_MANIFEST_DIR"), tool.name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let file: toml::Table = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
    let first = file["case"][0].get("args");
    first.map_or("{}".to_owned(), |args| serde_json::to_string(args).unwrap())
}

#[test]
fn no_tool_hides_that_proxmox_is_not_there() {
    // What looks into the table of methods, and has no use for Proxmox or hardly any.
    let asks_nobody =
        |tool: &Tool| !tool.names_its_call && tool.calls.iter().all(|call| std::ptr::eq(*call, &API_DOC));
    for (name, tool) in tools::ALL.iter().filter(|(_, tool)| !asks_nobody(tool)) {
        let error = call(&Nobody, NOW_MS, name, &arguments(tool)).unwrap_err();
        assert!(
            matches!(&error, Error::Unreachable(text) if text.contains("nobody listens")),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_continuation_that_nobody_gave_out_is_refused_without_a_request() {
    let long = format!(r#"{{"tool":"proxmox_power","state":"{}"}}"#, "x".repeat(LONGEST_CONTINUATION));
    for forged in [
        "",
        "null",
        "{}",
        r#"{"tool":"proxmox_power"}"#,
        r#"{"tool":"proxmox_power","state":{}}"#,
        r#"{"tool":"proxmox_power","state":{"action":"start","vmid":101}}"#,
        r#"{"tool":"proxmox_execute_vm_command","state":{"vmid":101,"pid":1}}"#,
        r#"{"tool":"proxmox_get_nodes","state":{}}"#,
        &long,
    ] {
        let script = Script::new();
        let error = resume(&script, NOW_MS, forged).unwrap_err();
        assert!(matches!(error, Error::Arguments(_)), "{forged:.80}: {error}");
        assert!(script.sent().is_empty(), "{forged:.80}");
    }
    let error = resume(&Script::new(), NOW_MS, r#"{"tool":"nosuch","state":{}}"#).unwrap_err();
    assert!(matches!(error, Error::UnknownTool(_)), "{error}");
}

#[test]
fn a_guest_or_node_that_was_meant_is_named() {
    let demo = crate::testing::Demo::new();
    for (tool, arguments, expected) in [
        (
            "proxmox_create_snapshot",
            r#"{"vmid": "prod-web-01", "name": "x1"}"#,
            "Did you mean 101 (prod-web-01, on pve1)?",
        ),
        ("proxmox_create_snapshot", r#"{"vmid": "PROD-WEB-1", "name": "x1"}"#, "prod-web-0"),
        ("proxmox_get_node_status", r#"{"node": "PVE1"}"#, "There is no node `PVE1`. Did you mean `pve1`?"),
        ("proxmox_get_node_status", r#"{"node": "zeus"}"#, "There is no node `zeus`."),
    ] {
        let error = call(&demo, NOW_MS, tool, arguments).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(demo.changes().is_empty());
    let plain =
        call(&demo, NOW_MS, "proxmox_create_snapshot", r#"{"vmid": "???", "name": "x1"}"#).unwrap_err();
    assert!(plain.to_string().contains("`vmid` is not valid"), "{plain}");
}
