use super::*;
use crate::cx::SendError;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, finish, run, text};

fn tell(demo: &Demo, action: &str) -> String {
    text(&TOOL, demo, json!({"vmid": 101, "action": action}))
}

#[test]
fn a_freeze_says_how_to_thaw_and_shows() {
    let demo = Demo::new();
    assert!(tell(&demo, "freeze_status").contains("File systems: thawed"));
    let frozen = finish(&TOOL, &demo, json!({"vmid": 101, "action": "freeze"})).unwrap();
    assert!(frozen.text.contains("every program in the guest that writes hangs"), "{}", frozen.text);
    assert_eq!(frozen.data["undo"]["arguments"], r#"{"vmid":101,"action":"thaw"}"#);
    let status = tell(&demo, "freeze_status");
    assert!(status.contains("File systems: frozen") && status.contains("\"thaw\" ends that"), "{status}");
    let error = run(&TOOL, &demo, json!({"vmid": 101, "action": "trim"})).unwrap_err().to_string();
    assert!(error.contains("are frozen") && error.contains("`action` = \"thaw\""), "{error}");
    assert!(tell(&demo, "thaw").contains("File systems: 1"));
    assert!(!demo.0.with_world(|world| world.guests[&101].agent.frozen));
}

#[test]
fn questions_change_nothing() {
    let output = finish(&TOOL, &Demo::new(), json!({"vmid": 101, "action": "ping"})).unwrap();
    assert_eq!(output.text, "🤝 Guest agent of prod-web-01 (ID: 101)\n  • Node: pve1\n  • Agent: answers\n");
    assert_eq!(output.data["changed"], false);
}

#[test]
fn trim_and_shutdown_do_their_work() {
    let demo = Demo::new();
    let trimmed = tell(&demo, "trim");
    assert!(trimmed.contains("/: 8.0 GB given back") && trimmed.contains("/boot/efi: not trimmed: trim not supported"), "{trimmed}");
    tell(&demo, "shutdown");
    assert_eq!(demo.get("/nodes/pve1/qemu/101/status/current")["status"], "stopped");
}

#[test]
fn a_dry_run_freezes_nothing() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"vmid": 101, "action": "freeze", "dry_run": true}));
    assert!(shown.contains("POST /nodes/pve1/qemu/101/agent/fsfreeze-freeze"), "{shown}");
    assert!(demo.changes().is_empty());
}

#[test]
fn every_state_of_the_agent_is_explained() {
    let demo = Demo::new();
    for (vmid, expected) in [
        (102, "is a container"),
        (103, "qm set 103 --agent enabled=1"),
        (107, "turned on but does not answer"),
        (109, "is a template"),
        (100, ""),
    ] {
        let result = run(&TOOL, &demo, json!({"vmid": vmid, "action": "ping"}));
        match expected {
            "" => drop(result.unwrap()),
            words => assert!(result.unwrap_err().to_string().contains(words), "{vmid}"),
        }
    }
    demo.0.with_world(|world| world.guests.get_mut(&101).unwrap().running = false);
    let error = run(&TOOL, &demo, json!({"vmid": 101, "action": "ping"})).unwrap_err().to_string();
    assert!(error.contains("The agent did not do it: prod-web-01 (ID: 101) is not running."), "{error}");
}

#[test]
fn a_freeze_whose_answer_is_lost_may_have_happened() {
    let script = Script::new()
        .data("GET /cluster/resources", json!([{"type": "qemu", "vmid": 101, "node": "a", "status": "running"}]))
        .fails("POST /nodes/a/qemu/101/agent/fsfreeze-freeze", SendError::Timeout);
    let error = run(&TOOL, &script, json!({"vmid": 101, "action": "freeze"})).unwrap_err();
    assert!(matches!(&error, Error::Unreachable(text) if text.contains("may be frozen all the same")), "{error}");
}

#[test]
fn hostile_text_is_tame() {
    let paths: Vec<Value> = HOSTILE.iter().map(|text| json!({"path": text, "error": text})).collect();
    let script = Script::new()
        .data("GET /cluster/resources", json!([{"type": "qemu", "vmid": 101, "node": "a", "status": "running"}]))
        .data("POST /nodes/a/qemu/101/agent/fstrim", json!({"result": {"paths": paths}}))
        .data("POST /nodes/a/qemu/101/agent/fsfreeze-status", json!({"result": HOSTILE[1]}));
    assert_tame(&text(&TOOL, &script, json!({"vmid": 101, "action": "trim"})));
    assert!(text(&TOOL, &script, json!({"vmid": 101, "action": "freeze_status"})).contains("File systems: unknown"));
}
