use proxmox_sim::Options;
use serde_json::json;

use super::*;
use crate::testing::{Demo, Script, finish, run, text};

#[test]
fn rows_are_filtered_and_projected() {
    let demo = Demo::new();
    let arguments = json!({"path": "/cluster/resources", "params": {"type": "vm"}, "fields": ["vmid", "name"], "filter": "web"});
    let output = finish(&TOOL, &demo, arguments).unwrap();
    assert!(output.text.contains("vmid: 101") && output.text.contains("name: prod-web-01"), "{}", output.text);
    let rows = output.data["rows"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row.as_object().unwrap().len() == 2), "{rows:?}");
}

#[test]
fn a_large_answer_stays_small_and_goes_on() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    let output = finish(&TOOL, &demo, json!({"path": "/cluster/resources"})).unwrap();
    assert!(output.text.len() + output.data.to_string().len() <= 4096);
    let next = output.data["next_cursor"].as_str().unwrap();
    let second = finish(&TOOL, &demo, json!({"path": "/cluster/resources", "cursor": next})).unwrap();
    assert_ne!(second.data["rows"][0], output.data["rows"][0]);
}

#[test]
fn one_object_and_nothing_are_answers() {
    let demo = Demo::new();
    assert!(text(&TOOL, &demo, json!({"path": "/version"})).contains("version: "));
    let script = Script::new().data("GET /cluster/backup", json!([]));
    assert!(text(&TOOL, &script, json!({"path": "/cluster/backup"})).contains("Nothing."));
}

#[test]
fn nothing_is_sent_for_what_is_wrong() {
    let script = Script::new();
    for arguments in [
        json!({"path": "/nodes/pve1/status/start"}),
        json!({"path": "/cluster/resources", "params": {"type": "guests"}}),
        json!({"path": "/nodes/{node}/status"}),
    ] {
        assert!(matches!(run(&TOOL, &script, arguments), Err(Error::Arguments(_))));
    }
    assert!(script.sent().is_empty());
}
