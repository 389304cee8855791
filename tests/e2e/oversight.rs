//! The audit log and the brakes.

use proxmox_sim::{Options, Sim};
use serde_json::{Value, json};

use crate::harness::{Client, arrived, binary, configured, is_error, json_lines, run, text};

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

fn verify(file: &std::path::Path, more: &[&str]) -> (Option<i32>, String) {
    let output = run(binary().args(["audit", "verify"]).arg(file).args(more));
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn what_was_done_is_written_down_and_a_changed_line_is_found() {
    let sim = sim();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let mut client =
        Client::connect(&sim, &["--grant", "VM.PowerMgmt@/vms/108", "--audit-log", file.to_str().unwrap()]);
    assert!(!is_error(&client.call("proxmox_start_vm", json!({"vmid": 108}))));
    assert!(is_error(&client.call("proxmox_shutdown_vm", json!({"vmid": 101}))));
    client.finish();

    let bytes = std::fs::read(&file).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(&sim.token().secret));
    let lines = json_lines(&bytes);
    let of = |event: &str| -> Vec<&Value> { lines.iter().filter(|line| line["event"] == event).collect() };
    assert_eq!(lines[0]["event"], "start");
    let calls = of("call");
    assert_eq!(calls.len(), 2);
    assert_eq!((&calls[0]["tool"], &calls[0]["outcome"]), (&json!("proxmox_start_vm"), &json!("done")));
    assert_eq!((&calls[0]["vmid"], &calls[0]["client"]), (&json!(108), &json!("e2e")));
    assert_eq!((&calls[1]["outcome"], &calls[1]["kind"]), (&json!("failed"), &json!("denied")));
    let changes: Vec<&Value> = of("request").into_iter().filter(|line| line["verb"] != "GET").collect();
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert_eq!(changes[0]["path"], "/nodes/pve2/lxc/108/status/start");
    assert_eq!(changes[0]["allowed"], "VM.PowerMgmt@/vms/108");
    assert_eq!(changes[1]["refused"], "missing_grant");
    assert_eq!(of("answer")[0]["status"], 200);
    let ends: Vec<&Value> = of("task").into_iter().filter(|task| task["end"] == "OK").collect();
    assert!(ends.len() == 1 && ends[0]["upid"].as_str().unwrap().contains("vzstart:108"), "{ends:?}");
    assert_eq!(of("request").len(), arrived(&sim).len() + 1, "every request, and the one that was refused");

    let (code, said) = verify(&file, &[]);
    assert_eq!(code, Some(0), "{said}");
    let head = said.split("--expect ").nth(1).unwrap().trim().to_owned();
    assert_eq!(verify(&file, &["--expect", &head]).0, Some(0));

    let text = String::from_utf8(bytes).unwrap();
    let all: Vec<&str> = text.lines().collect();
    let spoil = |lines: Vec<String>| {
        std::fs::write(&file, lines.join("\n") + "\n").unwrap();
        verify(&file, &["--expect", &head])
    };
    let owned = || all.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>();
    let mut changed = owned();
    changed[3] = changed[3].replacen("108", "109", 1).replacen("pve2", "pve1", 1);
    let mut removed = owned();
    removed.remove(2);
    let mut swapped = owned();
    swapped.swap(2, 3);
    let mut cut = owned();
    cut.pop();
    for (what, lines) in [("changed", changed), ("removed", removed), ("swapped", swapped), ("cut", cut)] {
        let (code, said) = spoil(lines);
        assert_eq!(code, Some(1), "{what}: {said}");
        assert!(said.contains("line"), "{what}: {said}");
    }
}

#[test]
fn what_cannot_be_written_down_is_not_done_and_reading_goes_on() {
    let sim = sim();
    let mut client = Client::connect(&sim, &["--allow-elevated", "--audit-log", "/dev/full"]);
    assert!(!is_error(&client.call("proxmox_get_nodes", json!({}))));
    let refused = client.call("proxmox_shutdown_vm", json!({"vmid": 101}));
    assert!(is_error(&refused));
    assert!(text(&refused).contains("audit log"), "{}", text(&refused));
    assert!(arrived(&sim).iter().all(|line| line.starts_with("GET ")), "{:?}", arrived(&sim));
}

#[test]
fn an_audit_log_that_cannot_be_opened_stops_the_start() {
    let sim = sim();
    let mut command = configured(&sim, &sim.token());
    let output = run(command.args(["--audit-log", "/no/such/folder/audit.log"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/folder/audit.log"));
}

#[test]
fn more_changes_than_allowed_in_a_minute_are_refused() {
    let sim = sim();
    let mut client = Client::connect(&sim, &["--allow-elevated", "--changes-per-minute", "1"]);
    assert!(!is_error(&client.call("proxmox_shutdown_vm", json!({"vmid": 101}))));
    let second = client.call("proxmox_shutdown_vm", json!({"vmid": 106}));
    assert!(is_error(&second) && text(&second).contains("1 change a minute"), "{}", text(&second));
    assert!(!is_error(&client.call("proxmox_get_vms", json!({}))));
    let changes = arrived(&sim).into_iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(changes, 1);
}

#[test]
fn while_the_stop_file_exists_nothing_changes() {
    let sim = sim();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stop");
    let mut client = Client::connect(&sim, &["--allow-elevated", "--stop-file", file.to_str().unwrap()]);
    std::fs::write(&file, "").unwrap();
    let stopped = client.call("proxmox_shutdown_vm", json!({"vmid": 101}));
    assert!(is_error(&stopped) && text(&stopped).contains(file.to_str().unwrap()), "{}", text(&stopped));
    assert!(!is_error(&client.call("proxmox_get_vms", json!({}))));
    assert!(arrived(&sim).iter().all(|line| line.starts_with("GET ")));
    std::fs::remove_file(&file).unwrap();
    assert!(!is_error(&client.call("proxmox_shutdown_vm", json!({"vmid": 101}))));
}
