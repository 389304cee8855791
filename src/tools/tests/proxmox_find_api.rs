use serde_json::json;

use super::*;
use crate::testing::{HOSTILE, Script, assert_tame, finish, text};

#[test]
fn a_question_names_methods_and_asks_nobody() {
    let script = Script::new();
    let output = finish(&TOOL, &script, json!({"query": "take a snapshot of a vm"})).unwrap();
    assert!(output.text.contains("`POST /nodes/{node}/qemu/{vmid}/snapshot`"), "{}", output.text);
    assert!(output.text.contains("needs VM.Snapshot on /vms/{vmid}"), "{}", output.text);
    assert!(output.text.contains("tool: `proxmox_create_snapshot`"), "{}", output.text);
    assert!(output.text.len() + output.data.to_string().len() < 4096);
    assert!(script.sent().is_empty());
}

#[test]
fn nonsense_is_answered() {
    assert!(text(&TOOL, &Script::new(), json!({"query": "xyzzy"})).contains("None. Other words may do"));
    for query in HOSTILE {
        assert_tame(&text(&TOOL, &Script::new(), json!({"query": query.replace(|c: char| c.is_control() && c != '\n', "")})));
    }
}
