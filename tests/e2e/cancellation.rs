//! Calls that the client gives up: nothing is said any more, and the task in Proxmox goes on unless the operator
//! wants it stopped.

use std::time::Duration;

use proxmox_sim::{Options, Sim};
use serde_json::{Value, json};

use crate::harness::{Client, arrived, configured, is_error, json_lines, stateless_meta};

/// A stopped container of the demo cluster, and the grant to start it.
const STOPPED: u32 = 108;
const GRANT: [&str; 2] = ["--grant", "VM.PowerMgmt@/vms/108"];
/// Longer than any test.
const LONG: f64 = 3_600.0;

fn sim() -> Sim {
    Sim::start(Options { task_seconds: LONG, ..Options::instant() }).unwrap()
}

/// Begins to start the guest, and gives the call up once its task runs.
fn give_up(client: &mut Client, stateless: bool) {
    let mut meta = if stateless { stateless_meta() } else { json!({}) };
    meta["progressToken"] = json!("p");
    let params = json!({"name": "proxmox_start_vm", "arguments": {"vmid": STOPPED}, "_meta": meta});
    let id = client.begin("tools/call", params);
    let told = client.next_within(Duration::from_secs(60)).expect("progress: the task runs");
    assert_eq!(told["method"], "notifications/progress", "{told}");
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
}

/// The requests that changed something.
fn changes(sim: &Sim) -> Vec<String> {
    arrived(sim).into_iter().filter(|line| !line.starts_with("GET ")).collect()
}

/// The id of the one task that this server began.
fn task(sim: &Sim) -> String {
    let ids = sim.with_world(|world| {
        let started = world.tasks.iter().filter(|task| task.upid.kind == "vzstart" && task.upid.id == "108");
        started
            .filter(|task| task.takes.as_secs_f64() >= LONG)
            .map(|task| task.upid.to_string())
            .collect::<Vec<_>>()
    });
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids[0].clone()
}

fn runs(sim: &Sim) -> bool {
    let upid = task(sim);
    sim.with_world(|world| world.task(&upid).unwrap().end.is_none())
}

fn calls(file: &std::path::Path) -> Vec<Value> {
    let lines = json_lines(&std::fs::read(file).unwrap());
    lines.into_iter().filter(|line| line["event"] == "call").collect()
}

#[test]
fn the_task_of_a_cancelled_call_goes_on_and_the_audit_log_names_it() {
    for stateless in [false, true] {
        let sim = sim();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.log");
        let mut command = configured(&sim, &sim.token());
        command.args(GRANT).args(["--audit-log", file.to_str().unwrap()]);
        let mut client = Client::start(command);
        if !stateless {
            client.shake_hands("2025-11-25");
        }
        give_up(&mut client, stateless);
        let (rest, code) = client.finish();
        let answers: Vec<&Value> = rest.iter().filter(|message| message.get("id").is_some()).collect();
        assert!(answers.is_empty() && code == Some(0), "no answer to a cancelled request: {answers:?}");
        assert_eq!(changes(&sim), ["POST /nodes/pve2/lxc/108/status/start"]);
        assert!(runs(&sim));
        let calls = calls(&file);
        assert_eq!(calls.len(), 1, "{calls:?}");
        assert_eq!((&calls[0]["outcome"], &calls[0]["goes_on"]), (&json!("cancelled"), &json!([task(&sim)])));
    }
}

#[test]
fn a_call_that_a_stop_cuts_off_is_written_down() {
    // Once could be luck.
    for _ in 0..6 {
        let sim = sim();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.log");
        let mut command = configured(&sim, &sim.token());
        command.args(GRANT).args(["--audit-log", file.to_str().unwrap()]);
        let mut client = Client::start(command);
        client.shake_hands("2025-11-25");
        let params = json!({"name": "proxmox_start_vm", "arguments": {"vmid": STOPPED}, "_meta": {"progressToken": 1}});
        client.begin("tools/call", params);
        client.next_within(Duration::from_secs(60)).expect("progress: the task runs");
        client.terminate();
        assert_eq!(client.finish().1, Some(0));
        let calls = calls(&file);
        assert_eq!(calls.len(), 1, "{calls:?}");
        assert_eq!((&calls[0]["outcome"], &calls[0]["goes_on"]), (&json!("cancelled"), &json!([task(&sim)])));
    }
}

#[test]
fn of_many_calls_each_ends_as_it_should_and_is_written_down() {
    const MANY: usize = 40;
    let sim = Sim::start(Options { latency: Duration::from_millis(1_500), ..Options::instant() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let mut command = configured(&sim, &sim.token());
    command.args(["--audit-log", file.to_str().unwrap()]);
    let mut client = Client::start(command);
    client.shake_hands("2025-11-25");
    let begin = |client: &mut Client| -> Vec<i64> {
        sim.clear_requests();
        let params = json!({"name": "proxmox_get_nodes", "arguments": {}});
        let ids = (0..MANY).map(|_| client.begin("tools/call", params.clone())).collect();
        while arrived(&sim).len() < MANY {
            std::thread::sleep(Duration::from_millis(20));
        }
        ids
    };
    let (given_up, kept): (Vec<i64>, Vec<i64>) = begin(&mut client).into_iter().partition(|id| id % 2 == 0);
    for id in &given_up {
        client.send(
            &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}),
        );
    }
    for id in &kept {
        assert!(!is_error(&client.answer_to(&json!(id))["result"]));
    }
    // The rest is under way when the server is stopped.
    begin(&mut client);
    client.terminate();
    assert_eq!(client.finish().1, Some(0));
    let lines = json_lines(&std::fs::read(&file).unwrap());
    let ended = |outcome: &str| lines.iter().filter(|line| line["outcome"] == outcome).count();
    assert_eq!((ended("done"), ended("cancelled")), (kept.len(), given_up.len() + MANY));
}

#[test]
fn the_task_is_stopped_where_the_operator_wants_it() {
    for stateless in [false, true] {
        let sim = sim();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.log");
        let mut command = configured(&sim, &sim.token());
        command
            .args(GRANT)
            .args(["--audit-log", file.to_str().unwrap()])
            .env("PROXMOX_STOP_CANCELLED_TASKS", "true");
        let mut client = Client::start(command);
        if !stateless {
            let said =
                client.shake_hands("2025-11-25")["result"]["instructions"].as_str().unwrap().to_owned();
            assert!(said.contains("cancelled stops its Proxmox task"), "{said}");
        }
        give_up(&mut client, stateless);
        let (rest, code) = client.finish();
        assert!(rest.iter().all(|message| message.get("id").is_none()) && code == Some(0), "{rest:?}");
        let upid = task(&sim);
        assert_eq!(
            changes(&sim),
            ["POST /nodes/pve2/lxc/108/status/start".to_owned(), format!("DELETE /nodes/pve2/tasks/{upid}")]
        );
        assert!(!runs(&sim));
        // It is a call like any other, and written down as one.
        let calls = calls(&file);
        assert_eq!((calls.len(), &calls[1]["tool"]), (2, &json!("proxmox_cancel_task")));
    }
}

#[test]
fn what_may_not_be_stopped_goes_on() {
    for further in [["--exclude-tools", "proxmox_cancel_task"], ["--changes-per-minute", "1"]] {
        let sim = sim();
        let arguments = [&GRANT[..], &["--stop-cancelled-tasks"], &further].concat();
        let mut client = Client::connect(&sim, &arguments);
        give_up(&mut client, false);
        assert_eq!(client.finish().1, Some(0));
        assert_eq!(changes(&sim).len(), 1, "{further:?}: {:?}", changes(&sim));
        assert!(runs(&sim));
    }
}
