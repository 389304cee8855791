use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, NOW_MS};

/// The data of the call that has the candidates, from the demo cluster.
fn data(demo: &Demo, call: &ToolCall) -> Value {
    let arguments = Value::Object(call.arguments.clone()).to_string();
    match catalogue::call(demo, NOW_MS, call.tool, &arguments) {
        Ok(Step::Done(output)) => output.data,
        other => panic!("{call:?}: {other:?}"),
    }
}

/// What is offered for an argument on the demo cluster.
#[track_caller]
fn offered(reference: &Reference, argument: &str, typed: &str, context: Value) -> Vec<String> {
    let call = source(reference, argument, context.as_object().unwrap()).unwrap();
    let data = call.map_or(Value::Null, |call| data(&Demo::new(), &call));
    choose(argument, typed, &data)
}

fn prompt(name: &str) -> Reference {
    Reference::Prompt(name.to_owned())
}

fn template(uri: &str) -> Reference {
    Reference::Resource(uri.to_owned())
}

#[test]
fn what_there_is_is_offered() {
    let none = || json!({});
    let guest = template("proxmox://guests/{vmid}");
    assert_eq!(offered(&template("proxmox://nodes/{node}"), "node", "", none()), ["pve1", "pve2", "pve3"]);
    assert_eq!(offered(&prompt("health_check"), "node", "PVE2", none()), ["pve2"]);
    assert!(offered(&guest, "vmid", "", none()).len() > 5);
    // By the beginning of the id, and by the name.
    assert_eq!(offered(&guest, "vmid", "101", none()), ["101"]);
    assert_eq!(offered(&guest, "vmid", "prod-web-01", none()), ["101"]);
    assert_eq!(offered(&guest, "vmid", "web", none()), ["101", "103"]);
    let on_node = offered(&prompt("diagnose_permissions"), "vmid", "", json!({"node": "pve1"}));
    assert!(on_node.contains(&"101".to_owned()) && !on_node.contains(&"102".to_owned()), "{on_node:?}");
    assert!(
        offered(&template("proxmox://storages/{storage}"), "storage", "local", none())
            .contains(&"local".to_owned())
    );
    assert!(!offered(&template("proxmox://pools/{pool}"), "pool", "", none()).is_empty());
    assert!(offered(&template("proxmox://tasks/{upid}"), "upid", "", none())[0].starts_with("UPID:"));
    assert!(offered(&prompt("provision_vm"), "iso", "iso/", none())[0].contains(":iso/"));
    assert!(offered(&prompt("provision_container"), "template", "debian", none())[0].contains(":vztmpl/"));
    assert_eq!(
        offered(&template("proxmox://guests/{vmid}/metrics{?timeframe}"), "timeframe", "w", none()),
        ["week"]
    );
    assert_eq!(
        offered(&template("proxmox://nodes/{node}/info/{topic}"), "topic", "upd", none()),
        ["updates"]
    );
    assert_eq!(offered(&prompt("diagnose_permissions"), "action", "power", none()), ["proxmox_power"]);
    // Free text has no candidates.
    assert_eq!(offered(&prompt("diagnose_guest"), "symptom", "s", none()), [""; 0]);
}

#[test]
fn snapshots_are_those_of_the_guest_that_is_filled_in() {
    let names = offered(&prompt("roll_back"), "snapshot", "", json!({"vmid": "101"}));
    assert!(!names.is_empty() && names.iter().all(|name| !name.contains(' ')), "{names:?}");
    assert_eq!(offered(&prompt("roll_back"), "snapshot", "", json!({"vmid": " "})), [""; 0]);
}

#[test]
fn only_tools_that_change_nothing_can_be_read() {
    let names = choose("tool", "", &Value::Null);
    assert!(
        names.contains(&"proxmox_get_vms".to_owned()) && !names.contains(&"proxmox_power".to_owned()),
        "{names:?}"
    );
}

#[test]
fn the_best_comes_first_and_nothing_twice() {
    let rows = json!({"guests": [
        {"vmid": 205, "name": "app-10"}, {"vmid": 410, "name": "x"}, {"vmid": 100, "name": "db"},
        {"vmid": 100, "name": "db"}, {"vmid": 300, "name": "10-x"}, {"name": "without"}, {"vmid": [], "name": "10"},
    ]});
    assert_eq!(choose("vmid", "10", &rows), ["100", "300", "410", "205"]);
    assert_eq!(choose("vmid", " DB ", &rows), ["100"]);
    assert_eq!(choose("vmid", &"1".repeat(300), &rows), [""; 0]);
    for data in [Value::Null, json!([]), json!({"guests": 5}), json!({"guests": [1, null]})] {
        assert_eq!(choose("vmid", "", &data), [""; 0]);
    }
}

#[test]
fn a_name_that_would_act_on_a_terminal_is_not_offered() {
    let rows = json!({"rows": [["fine", 1], ["bad\u{1b}[2J", 2], ["two\nlines", 3], ["re\u{202e}versed", 4], ["cut sh…", 5], []]});
    assert_eq!(choose("snapshot", "", &rows), ["fine"]);
}

#[test]
fn what_is_not_there_to_be_filled_in_is_said() {
    for (reference, argument, says) in [
        (prompt("health"), "node", "`health_check`"),
        (prompt("health_check"), "vmid", "it has `node`"),
        (template("proxmox://guest/{vmid}"), "vmid", "`proxmox://guests/{vmid}`"),
        (template("proxmox://guests/{vmid}"), "node", "it has `vmid`"),
        (template("proxmox://nodes"), "node", "nothing to fill in"),
    ] {
        let error = source(&reference, argument, &Map::new()).unwrap_err();
        assert!(matches!(error, Error::Arguments(_)) && error.to_string().contains(says), "{error}");
    }
}

#[test]
fn every_argument_that_is_not_free_text_has_candidates() {
    const FREE: [&str; 8] =
        ["arguments", "symptom", "purpose", "hostname", "memory", "disk", "cores", "name"];
    let of_prompts =
        prompts::ALL.iter().flat_map(|prompt| prompt.arguments.iter().map(|argument| argument.name));
    let of_resources = resources::templates().iter().flat_map(|template| template.variables());
    for name in of_prompts.chain(of_resources).filter(|name| !FREE.contains(name)) {
        assert!(source_of(name).is_some(), "{name}");
    }
}
