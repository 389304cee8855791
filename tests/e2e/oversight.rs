//! The audit log and the brakes.

use proxmox_sim::{Options, Sim};
use serde_json::{Value, json};

use crate::approvals::{answer, ask, legacy, retry, stateless, yes};
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

/// The lines of an audit log that tell of this event.
fn lines(file: &std::path::Path, event: &str) -> Vec<Value> {
    let lines = json_lines(&std::fs::read(file).unwrap());
    lines.into_iter().filter(|line| line["event"] == event).collect()
}

#[test]
fn what_the_host_looks_up_is_written_down_in_its_own_name() {
    let sim = sim();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let log = ["--audit-log", file.to_str().unwrap()];
    let pool = ["--grant", "VM.PowerMgmt@/pool/development", "--ask", "VM.PowerMgmt@/vms/101"];
    let mut client = legacy(&sim, &[&log[..], &pool[..]].concat(), "2025-11-25");
    let (id, question) = ask(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}));
    answer(&mut client, &question, yes());
    assert!(!is_error(&client.answer_to(&json!(id))["result"]));
    client.finish();

    let requests = lines(&file, "request");
    assert_eq!(requests.len(), arrived(&sim).len() + 1, "every request, and the one that was asked for");
    let asked: Vec<&Value> = requests.iter().filter(|line| line["refused"] == "needs_approval").collect();
    assert!(asked.len() == 1 && asked[0]["path"] == "/nodes/pve1/qemu/101/status/shutdown", "{asked:?}");
    let by_host: Vec<&Value> = requests.iter().filter(|line| line["by"] == "host").collect();
    // The members of the pool, the guest in the question, and the same guest right before the act.
    assert_eq!(by_host.len(), 3, "{by_host:?}");
    let call = &asked[0]["call"];
    for line in by_host {
        assert_eq!((&line["path"], &line["verb"]), (&json!("/cluster/resources"), &json!("GET")));
        assert_eq!((&line["status"], &line["call"]), (&json!(200), call));
        assert!(line["allowed"].is_string(), "{line}");
    }
}

#[test]
fn an_approval_names_the_call_that_it_was_for() {
    let sim = sim();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let arguments = ["--audit-log", file.to_str().unwrap(), "--ask", "VM.PowerMgmt@/vms/101"];
    let shutdown =
        |client: &mut Client, more| stateless(client, "proxmox_shutdown_vm", json!({"vmid": 101}), more);
    let mut client = legacy(&sim, &arguments, "2025-11-25");
    assert!(!is_error(&client.call("proxmox_get_nodes", json!({}))));
    let (id, question) = ask(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}));
    answer(&mut client, &question, json!({"action": "decline"}));
    client.answer_to(&json!(id));
    client.finish();
    // In the other era the client makes the call again.
    let mut client = Client::start({
        let mut command = configured(&sim, &sim.token());
        command.args(arguments);
        command
    });
    let asked = shutdown(&mut client, json!({}));
    assert!(!is_error(&shutdown(&mut client, retry(&asked, yes()))));
    client.finish();

    let ends: Vec<Value> =
        lines(&file, "call").into_iter().filter(|line| line["tool"] == "proxmox_shutdown_vm").collect();
    let outcomes: Vec<&Value> = ends.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["asks", "asks", "done"], "{ends:?}");
    let approvals = lines(&file, "approval");
    let told: Vec<_> = approvals.iter().map(|line| (&line["answer"], &line["call"])).collect();
    assert_eq!(told, [(&json!("declined"), &ends[0]["id"]), (&json!("approved"), &ends[1]["id"])]);
    assert_eq!(ends[1]["id"], ends[2]["id"], "it is one call that was asked about and then made");
    let change =
        lines(&file, "request").into_iter().find(|line| line["verb"] == "POST" && !line["allowed"].is_null());
    assert_eq!(change.unwrap()["call"], ends[2]["id"]);
}

#[test]
fn a_call_from_a_shell_says_so() {
    let sim = sim();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let mut command = configured(&sim, &sim.token());
    let output = run(command.args(["--audit-log", file.to_str().unwrap(), "call", "proxmox_get_nodes"]));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let calls = lines(&file, "call");
    assert_eq!((calls.len(), &calls[0]["client"]), (1, &json!("proxmox-mcp call")));
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
fn a_log_that_was_moved_away_takes_no_change() {
    let sim = sim();
    let folder = tempfile::tempdir().unwrap();
    let (file, moved) = (folder.path().join("audit.log"), folder.path().join("audit.log.1"));
    let mut client = Client::connect(&sim, &["--allow-elevated", "--audit-log", file.to_str().unwrap()]);
    assert!(!is_error(&client.call("proxmox_shutdown_vm", json!({"vmid": 101}))));
    std::fs::rename(&file, &moved).unwrap();
    sim.clear_requests();
    let refused = client.call("proxmox_shutdown_vm", json!({"vmid": 106}));
    assert!(is_error(&refused) && text(&refused).contains("renamed"), "{}", text(&refused));
    assert!(!is_error(&client.call("proxmox_get_nodes", json!({}))), "reading goes on");
    assert!(arrived(&sim).iter().all(|line| line.starts_with("GET ")), "{:?}", arrived(&sim));
    std::fs::rename(&moved, &file).unwrap();
    assert!(!is_error(&client.call("proxmox_shutdown_vm", json!({"vmid": 106}))));
    client.finish();
    assert_eq!(verify(&file, &[]).0, Some(0));
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
