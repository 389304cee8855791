//! The tasks extension: calls that become tasks, tasks that outlive the server, and ids that somebody made up.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proxmox_sim::{Options, Sim};
use serde_json::{Value, json};

use crate::harness::{Client, arrived, configured, is_error, json_lines, stateless_meta, text};

const TASKS: &str = "io.modelcontextprotocol/tasks";
const GRANT: [&str; 2] = ["--grant", "VM.PowerMgmt@/vms/108"];
const LONG: f64 = 3_600.0;

fn sim() -> Sim {
    Sim::start(Options { task_seconds: LONG, ..Options::instant() }).unwrap()
}

/// Lets all that runs in the cluster come to its end.
fn finish_all(sim: &Sim) {
    sim.with_world(|world| world.tasks.iter_mut().for_each(|task| task.takes = Duration::ZERO));
}

fn server(sim: &Sim, arguments: &[&str]) -> Client {
    let mut command = configured(sim, &sim.token());
    command.args(arguments);
    Client::start(command)
}

/// Parameters of a client that takes tasks and can ask a person.
fn params(mut params: Value) -> Value {
    params["_meta"] = stateless_meta();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
        json!({"elicitation": {"form": {}}, "extensions": {TASKS: {}}});
    params
}

fn call(client: &mut Client, tool: &str, arguments: Value) -> Value {
    let answer = client.request("tools/call", params(json!({"name": tool, "arguments": arguments})));
    answer.get("result").cloned().unwrap_or_else(|| panic!("{answer}"))
}

/// Starts a guest, and gives the id of the task.
fn start(client: &mut Client) -> String {
    let task = call(client, "proxmox_power", json!({"vmid": 108, "action": "start"}));
    assert_eq!(task["resultType"], "task", "{task}");
    task["taskId"].as_str().unwrap().to_owned()
}

fn get(client: &mut Client, id: &str) -> Value {
    client.request("tasks/get", params(json!({"taskId": id})))
}

fn cancel(client: &mut Client, id: &str) -> Value {
    client.request("tasks/cancel", params(json!({"taskId": id})))
}

/// Asks until the task is over.
fn settled(client: &mut Client, id: &str) -> Value {
    for _ in 0..600 {
        let answer = get(client, id);
        let task = answer.get("result").unwrap_or_else(|| panic!("{answer}"));
        if task["status"] != "working" {
            return task.clone();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the task does not end");
}

fn changes(sim: &Sim) -> Vec<String> {
    arrived(sim).into_iter().filter(|line| !line.starts_with("GET ")).collect()
}

fn taken_apart(id: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(id).unwrap()).unwrap()
}

fn forged(id: &Value) -> String {
    URL_SAFE_NO_PAD.encode(id.to_string())
}

#[test]
fn the_extension_is_offered_in_the_era_that_has_it() {
    let sim = sim();
    let mut client = server(&sim, &[]);
    let discovered = client.request("server/discover", params(json!({})));
    assert_eq!(discovered["result"]["capabilities"]["extensions"][TASKS], json!({}));
    for version in ["2025-03-26", "2025-11-25"] {
        let shaken = Client::start(configured(&sim, &sim.token())).shake_hands(version);
        assert_eq!(shaken["result"]["capabilities"].get("extensions"), None, "{shaken}");
        assert_eq!(shaken["result"]["capabilities"].get("tasks"), None);
    }
}

#[test]
fn a_call_that_waits_becomes_a_task_and_the_task_has_its_result() {
    let sim = sim();
    let mut client = server(&sim, &GRANT);
    let task = call(&mut client, "proxmox_power", json!({"vmid": 108, "action": "start"}));
    assert_eq!((&task["resultType"], &task["status"]), (&json!("task"), &json!("working")));
    assert_eq!(task["ttlMs"], Value::Null);
    assert!(task["pollIntervalMs"].as_u64().unwrap() > 0);
    assert!(task["statusMessage"].as_str().unwrap().contains("108"), "{task}");
    assert!(task["createdAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(task["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "proxmox-mcp");
    let id = task["taskId"].as_str().unwrap().to_owned();

    let working = get(&mut client, &id)["result"].clone();
    assert_eq!((&working["resultType"], &working["status"]), (&json!("complete"), &json!("working")));
    assert_eq!((&working["taskId"], &working["createdAt"]), (&json!(id), &task["createdAt"]));
    let updated = client.request("tasks/update", params(json!({"taskId": id, "inputResponses": {}})));
    assert_eq!(updated["result"]["resultType"], "complete", "{updated}");

    finish_all(&sim);
    let over = settled(&mut client, &id);
    assert_eq!(over["status"], "completed", "{over}");
    let result = &over["result"];
    assert!(!is_error(result) && text(result).contains("(ID: 108)"), "{}", text(result));
    assert_eq!(result["structuredContent"]["vmid"], 108);
    assert_eq!(over["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "proxmox-mcp");
    assert_eq!(get(&mut client, &id)["result"], over, "what is over stays as it is");
    assert_eq!(cancel(&mut client, &id)["result"]["resultType"], "complete", "nothing left to stop");
    assert_eq!(changes(&sim), ["POST /nodes/pve2/lxc/108/status/start"]);
}

#[test]
fn what_does_not_wait_for_a_task_and_who_takes_none_is_answered_at_once() {
    let sim = Sim::start(Options::instant()).unwrap();
    let mut client = server(&sim, &["--allow-elevated"]);
    assert_eq!(call(&mut client, "proxmox_get_nodes", json!({}))["resultType"], "complete");
    let command =
        call(&mut client, "proxmox_execute_vm_command", json!({"vmid": 101, "command": "hostname"}));
    assert_eq!(command["resultType"], "complete", "that waits, but for no task: {command}");
    let undeclared = json!({"name": "proxmox_power", "arguments": {"vmid": 108, "action": "start"}, "_meta": stateless_meta()});
    let answer = client.request("tools/call", undeclared);
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
        let mut undeclared = json!({"taskId": "x", "inputResponses": {}, "_meta": stateless_meta()});
        let refused = client.request(method, undeclared.clone());
        assert_eq!(refused["error"]["code"], -32021, "{method}: {refused}");
        assert_eq!(refused["error"]["data"]["requiredCapabilities"]["extensions"][TASKS], json!({}));
        undeclared.as_object_mut().unwrap().remove("_meta");
        let mut legacy = Client::connect(&sim, &[]);
        assert_eq!(legacy.request(method, undeclared)["error"]["code"], -32601, "{method}");
    }
}

#[test]
fn a_task_outlives_the_server() {
    let sim = sim();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let arguments = [&GRANT[..], &["--audit-log", file.to_str().unwrap()]].concat();
    let mut client = server(&sim, &arguments);
    let id = start(&mut client);
    drop(client);

    let mut client = server(&sim, &arguments);
    let working = get(&mut client, &id)["result"].clone();
    assert_eq!(working["status"], "working", "{working}");
    drop(client);
    finish_all(&sim);
    let mut client = server(&sim, &arguments);
    let over = settled(&mut client, &id);
    assert!(!is_error(&over["result"]) && text(&over["result"]).contains("(ID: 108)"), "{over}");
    assert_eq!(over["result"]["structuredContent"]["vmid"], 108);
    assert_eq!(get(&mut client, &id)["result"], over);
    client.finish();
    assert_eq!(changes(&sim), ["POST /nodes/pve2/lxc/108/status/start"], "begun once");
    let lines = json_lines(&std::fs::read(&file).unwrap());
    let ends: Vec<&Value> =
        lines.iter().filter(|line| line["event"] == "task" && line["end"] == "OK").collect();
    assert_eq!(ends.len(), 1, "the end is written down by whoever saw it");
    assert!(lines.iter().any(|line| line["event"] == "call" && line["outcome"] == "waits"));
}

#[test]
fn a_server_that_lives_does_all_steps_and_one_that_looks_changes_nothing() {
    let delete = json!({"vmid": 101, "force": true});
    let stop = "POST /nodes/pve1/qemu/101/status/stop".to_owned();
    let arguments = ["--grant", "PVEVMAdmin@/vms/101"];

    let sim = sim();
    let mut client = server(&sim, &arguments);
    let task = call(&mut client, "proxmox_delete", delete.clone());
    let id = task["taskId"].as_str().unwrap_or_else(|| panic!("{task}")).to_owned();
    sim.with_world(|world| world.task_seconds = 0.0);
    finish_all(&sim);
    let over = settled(&mut client, &id);
    assert!(!is_error(&over["result"]), "{over}");
    assert_eq!(changes(&sim), [stop.clone(), "DELETE /nodes/pve1/qemu/101".to_owned()]);

    let sim = self::sim();
    let mut client = server(&sim, &arguments);
    let id = call(&mut client, "proxmox_delete", delete)["taskId"].as_str().unwrap().to_owned();
    drop(client);
    finish_all(&sim);
    let mut client = server(&sim, &arguments);
    let over = settled(&mut client, &id);
    assert!(is_error(&over["result"]) && text(&over["result"]).contains("changes nothing"), "{over}");
    assert_eq!(changes(&sim), [stop]);
}

#[test]
fn an_id_that_somebody_made_up_opens_nothing() {
    let sim = sim();
    let mut client = server(&sim, &["--grant", "PVEVMAdmin@/vms/101"]);
    let task = call(&mut client, "proxmox_delete", json!({"vmid": 101, "force": true}));
    let real = taken_apart(task["taskId"].as_str().unwrap());
    drop(client);
    finish_all(&sim);
    let begun = changes(&sim);
    sim.clear_requests();
    let elsewhere = |of: &Value| {
        let moved = of.to_string().replace("pve1", "pve2").replace("101", "108");
        serde_json::from_str::<Value>(&moved).unwrap()
    };
    let with = |name: &str, value: Value| {
        let mut changed = real.clone();
        changed[name] = value;
        changed
    };
    // Approvals, grants, allow-lists, tools that are off: whatever the id says, each request is judged.
    for (arguments, id) in [
        (&["--ask", "PVEVMAdmin@/vms/101"][..], real.clone()),
        (&[][..], real.clone()),
        (&["--grant", "PVEVMAdmin@/"][..], with("about", json!({}))),
        (&["--grant", "PVEVMAdmin@/", "--vmid-allowlist", "102"][..], real.clone()),
        (&["--grant", "PVEVMAdmin@/", "--node-allowlist", "pve2"][..], real.clone()),
        (&["--grant", "PVEVMAdmin@/", "--exclude-tools", "proxmox_delete"][..], real.clone()),
        (&["--grant", "PVEVMAdmin@/", "--read-only"][..], real.clone()),
        (&["--grant", "PVEVMAdmin@/"][..], elsewhere(&real)),
        (&["--grant", "PVEVMAdmin@/"][..], with("tool", json!("proxmox_change_api"))),
        (&["--grant", "PVEVMAdmin@/"][..], with("tool", json!("proxmox_get_nodes"))),
        (&["--grant", "PVEVMAdmin@/"][..], with("tool", json!("no_such_tool"))),
        (&["--grant", "PVEVMAdmin@/"][..], with("about", json!({"vmid": 108}))),
        (&["--grant", "PVEVMAdmin@/"][..], with("continuation", json!("{}"))),
        (&["--grant", "PVEVMAdmin@/"][..], with("upid", json!("UPID:x"))),
    ] {
        let mut client = server(&sim, arguments);
        let answer = get(&mut client, &forged(&id));
        let refused = answer["error"]["code"] == -32602;
        let failed = is_error(&answer["result"]["result"]);
        let waits = answer["result"]["status"] == "working";
        assert!(refused || failed || waits, "{arguments:?} {id}: {answer}");
        assert!(client.aside.is_empty(), "nobody is asked: {:?}", client.aside);
        assert_eq!(changes(&sim), [""; 0], "{arguments:?} {id}");
    }
    assert_eq!(begun, ["POST /nodes/pve1/qemu/101/status/stop"]);
    // Nothing is told of a guest that the operator walled off, and what is off says so.
    let mut client = server(&sim, &["--grant", "PVEVMAdmin@/", "--exclude-tools", "proxmox_delete"]);
    let refused = get(&mut client, &forged(&real));
    assert!(refused["error"]["message"].as_str().unwrap().contains("--exclude-tools"), "{refused}");
    for id in [
        "",
        "x",
        "786512e2-9e0d-44bd-8f29-789f320fe840",
        "UPID:pve1:00000001:00000001:00000001:qmstart:101:a@b:",
    ] {
        for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
            let answer = client.request(method, params(json!({"taskId": id, "inputResponses": {}})));
            assert_eq!(answer["error"]["code"], -32602, "{method} {id}");
        }
    }
}

#[test]
fn a_task_is_stopped_as_far_as_that_is_granted() {
    let sim = sim();
    let mut client = server(&sim, &GRANT);
    let id = start(&mut client);
    let upid = taken_apart(&id)["upid"].as_str().unwrap().to_owned();
    let stop = format!("DELETE /nodes/pve2/tasks/{upid}");

    // A server that may not: it says what is missing, and the task goes on.
    for (arguments, says) in [
        (&[][..], "--grant VM.PowerMgmt@/vms/108"),
        (&["--ask", "VM.PowerMgmt@/vms/108"][..], "needs a person's approval"),
        (
            &["--grant", "VM.PowerMgmt@/vms/108", "--exclude-tools", "proxmox_cancel_task"][..],
            "--exclude-tools",
        ),
        (&["--grant", "VM.PowerMgmt@/vms/108", "--read-only"][..], "--read-only"),
    ] {
        let mut other = server(&sim, arguments);
        let refused = cancel(&mut other, &id);
        let message = refused["error"]["message"].as_str().unwrap_or_else(|| panic!("{refused}"));
        assert!(message.contains("The task goes on") && message.contains(says), "{message}");
        assert_eq!(changes(&sim).len(), 1);
    }
    assert_eq!(get(&mut client, &id)["result"]["status"], "working");
    assert_eq!(cancel(&mut client, &id)["result"]["resultType"], "complete");
    let over = get(&mut client, &id)["result"].clone();
    assert_eq!(over["status"], "cancelled", "{over}");
    assert!(over["statusMessage"].as_str().unwrap().contains(&upid));
    assert_eq!(changes(&sim), ["POST /nodes/pve2/lxc/108/status/start".to_owned(), stop.clone()]);
    assert_eq!(cancel(&mut client, &id)["result"]["resultType"], "complete");
    assert_eq!(changes(&sim).len(), 2, "stopped once");
}

#[test]
fn a_server_that_was_started_anew_can_stop_a_task_too() {
    let sim = sim();
    let mut client = server(&sim, &GRANT);
    let id = start(&mut client);
    drop(client);
    let mut client = server(&sim, &GRANT);
    assert_eq!(cancel(&mut client, &id)["result"]["resultType"], "complete");
    assert_eq!(get(&mut client, &id)["result"]["status"], "cancelled");
    assert!(changes(&sim)[1].starts_with("DELETE /nodes/pve2/tasks/UPID:"), "{:?}", changes(&sim));
}

#[test]
fn a_person_is_asked_before_there_is_a_task() {
    let sim = sim();
    let mut client = server(&sim, &["--ask", "VM.PowerMgmt@/vms/108"]);
    let arguments = json!({"vmid": 108, "action": "start"});
    let asked = call(&mut client, "proxmox_power", arguments.clone());
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert_eq!(changes(&sim), [""; 0]);
    let answered = json!({
        "name": "proxmox_power", "arguments": arguments, "requestState": asked["requestState"],
        "inputResponses": {"approval": {"action": "accept", "content": {"approve": true}}},
    });
    let task = client.request("tools/call", params(answered))["result"].clone();
    assert_eq!(task["resultType"], "task", "{task}");
    let id = task["taskId"].as_str().unwrap().to_owned();
    finish_all(&sim);
    let over = settled(&mut client, &id);
    assert!(!is_error(&over["result"]), "{over}");
    assert_eq!(changes(&sim), ["POST /nodes/pve2/lxc/108/status/start"]);
    // The id of an approved call approves nothing.
    let again = forged(&taken_apart(&id));
    let mut other = server(&sim, &["--ask", "VM.PowerMgmt@/vms/108"]);
    settled(&mut other, &again);
    assert_eq!(changes(&sim).len(), 1);
}
