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
fn a_report_can_be_read_to_its_end() {
    let demo = Demo::new();
    let report = demo.get("/nodes/pve1/report");
    let (mut read, mut cursor) = (String::new(), None);
    for _ in 0..100 {
        let output = finish(&TOOL, &demo, json!({"path": "/nodes/pve1/report", "cursor": cursor})).unwrap();
        assert!(output.text.len() + output.data.to_string().len() <= 4096, "{}", output.text);
        read += output.data["rows"][0]["value"].as_str().unwrap();
        cursor = output.data.get("next_cursor").cloned();
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(Some(read.as_str()), report.as_str());
}

#[test]
fn what_is_permitted_is_a_list_that_goes_on() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    let output = finish(&TOOL, &demo, json!({"path": "/access/permissions"})).unwrap();
    assert!(output.text.len() + output.data.to_string().len() <= 4096);
    assert!(output.data["total"].as_u64().unwrap() > 1000 && output.data["next_cursor"].is_string());
    let filter = json!({"path": "/access/permissions", "filter": "*/vms/101"});
    let one = finish(&TOOL, &demo, filter).unwrap();
    assert_eq!(one.data["rows"][0]["value"]["VM.Audit"], 1, "{}", one.text);
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
