//! Asking a person, in both eras: what is asked, what a yes opens, and what is no yes.

use std::time::Duration;

use proxmox_sim::{Options, Sim};
use serde_json::{Value, json};

use crate::harness::{Client, arrived, configured, is_error, json_lines, run, stateless_meta, text};

const POWER: &[&str] = &["--ask", "VM.PowerMgmt@/vms/100-101"];

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

/// The requests that changed something.
fn changes(sim: &Sim) -> Vec<String> {
    arrived(sim).into_iter().filter(|line| !line.starts_with("GET ")).collect()
}

fn start(sim: &Sim, arguments: &[&str]) -> Client {
    let mut command = configured(sim, &sim.token());
    command.args(arguments);
    Client::start(command)
}

/// A client of the era with a handshake that can ask.
pub(crate) fn legacy(sim: &Sim, arguments: &[&str], version: &str) -> Client {
    let mut client = start(sim, arguments);
    let info = json!({"name": "e2e", "version": "1"});
    let capabilities = json!({"elicitation": {}});
    client.request(
        "initialize",
        json!({"protocolVersion": version, "capabilities": capabilities, "clientInfo": info}),
    );
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    client
}

/// Begins a call and gives its id with the question that comes of it.
pub(crate) fn ask(client: &mut Client, tool: &str, arguments: Value) -> (i64, Value) {
    let id = client.begin("tools/call", json!({"name": tool, "arguments": arguments}));
    let question = client.next_within(Duration::from_secs(60)).expect("a question");
    assert_eq!(question["method"], "elicitation/create", "{question}");
    (id, question)
}

pub(crate) fn answer(client: &mut Client, question: &Value, result: Value) {
    client.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": result}));
}

pub(crate) fn yes() -> Value {
    json!({"action": "accept", "content": {"approve": true}})
}

/// A call in the stateless era by a client that can ask, with these further parameters.
pub(crate) fn stateless(client: &mut Client, tool: &str, arguments: Value, further: Value) -> Value {
    let mut meta = stateless_meta();
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {"form": {}}});
    let mut params = json!({"name": tool, "arguments": arguments, "_meta": meta});
    for (name, value) in further.as_object().unwrap() {
        params[name] = value.clone();
    }
    client.request("tools/call", params)["result"].clone()
}

/// The retry of a question.
pub(crate) fn retry(asked: &Value, reply: Value) -> Value {
    json!({"requestState": asked["requestState"], "inputResponses": {"approval": reply}})
}

#[test]
fn a_yes_lets_exactly_this_call_through() {
    let sim = sim();
    let mut client = legacy(&sim, POWER, "2025-11-25");
    let (id, question) = ask(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}));
    assert!(changes(&sim).is_empty(), "asked first");
    let message = question["params"]["message"].as_str().unwrap();
    assert!(message.starts_with("Shut down VM \"prod-web-01\" (id 101) on node pve1?"), "{message}");
    for part in ["POST /nodes/pve1/qemu/101/status/shutdown", "VM.PowerMgmt@/vms/101", "proxmox_shutdown_vm"]
    {
        assert!(message.contains(part), "{part}: {message}");
    }
    let schema = &question["params"]["requestedSchema"];
    assert_eq!(schema["properties"]["approve"]["type"], "boolean");
    assert_eq!(schema["required"], json!(["approve"]));
    assert_eq!(schema["properties"]["approve"].get("default"), None, "nobody approves by pressing return");
    answer(&mut client, &question, yes());
    let done = client.answer_to(&json!(id))["result"].clone();
    assert!(!is_error(&done), "{}", text(&done));
    assert_eq!(changes(&sim), ["POST /nodes/pve1/qemu/101/status/shutdown"]);
    // The next call asks again.
    let (_, again) = ask(&mut client, "proxmox_shutdown_vm", json!({"vmid": 100}));
    assert!(again["params"]["message"].as_str().unwrap().contains("prod-db-master"), "{again}");
    assert_eq!(changes(&sim).len(), 1);
}

#[test]
fn whatever_is_no_clear_yes_ends_the_call() {
    let sim = sim();
    let mut client = legacy(&sim, POWER, "2025-06-18");
    for (reply, said) in [
        (json!({"action": "decline"}), "said no"),
        (json!({"action": "cancel"}), "closed the question"),
        (json!({"action": "accept"}), "said no"),
        (json!({"action": "accept", "content": {}}), "said no"),
        (json!({"action": "accept", "content": {"approve": false}}), "said no"),
        (json!({"action": "accept", "content": {"approve": "true"}}), "said no"),
        (json!({"action": "perhaps", "content": {"approve": true}}), "did not put the question"),
        (json!({"approve": true}), "did not put the question"),
    ] {
        let (id, question) = ask(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}));
        answer(&mut client, &question, reply.clone());
        let result = client.answer_to(&json!(id))["result"].clone();
        assert!(is_error(&result) && text(&result).contains(said), "{reply}: {}", text(&result));
    }
    let (id, question) = ask(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}));
    let error = json!({"code": -32601, "message": "no such method"});
    client.send(&json!({"jsonrpc": "2.0", "id": question["id"], "error": error}));
    assert!(is_error(&client.answer_to(&json!(id))["result"]));
    assert!(changes(&sim).is_empty(), "{:?}", changes(&sim));
}

#[test]
fn a_command_is_shown_as_it_would_run_and_its_result_is_read_without_asking_again() {
    let sim = sim();
    let mut client = legacy(&sim, &["--ask", "VM.GuestAgent.Unrestricted@/vms/101"], "2025-11-25");
    let command = "echo hello; echo '\u{202e}```x' > /tmp/f\nid";
    let arguments = json!({"vmid": 101, "command": command});
    let (id, question) = ask(&mut client, "proxmox_execute_vm_command", arguments);
    let message = question["params"]["message"].as_str().unwrap();
    assert!(message.starts_with("Run a command in VM \"prod-web-01\" (id 101) on node pve1?"), "{message}");
    assert!(message.contains("````\n/bin/sh -c 'echo hello; echo"), "fenced: {message}");
    assert!(message.contains("\\u{202e}") && !message.contains('\u{202e}'), "{message}");
    answer(&mut client, &question, yes());
    let done = client.answer_to(&json!(id))["result"].clone();
    assert!(!is_error(&done), "{}", text(&done));
    assert!(text(&done).contains("hello"), "{}", text(&done));
    assert_eq!(changes(&sim), ["POST /nodes/pve1/qemu/101/agent/exec"]);
}

#[test]
fn a_client_that_cannot_ask_is_told_what_would_allow_it() {
    let sim = sim();
    let without = |client: &mut Client| {
        let refused = client.call("proxmox_shutdown_vm", json!({"vmid": 101}));
        let said = text(&refused);
        assert!(is_error(&refused) && said.contains("person's approval"), "{said}");
        assert!(said.contains("elicitation") && said.contains("--grant VM.PowerMgmt@/vms/101"), "{said}");
        assert!(client.aside.is_empty(), "{:?}", client.aside);
    };
    without(&mut Client::connect(&sim, POWER));
    // Before elicitation there was none, whatever the client says.
    without(&mut legacy(&sim, POWER, "2025-03-26"));
    let mut client = start(&sim, POWER);
    let params =
        json!({"name": "proxmox_shutdown_vm", "arguments": {"vmid": 101}, "_meta": stateless_meta()});
    let refused = client.request("tools/call", params)["result"].clone();
    assert_eq!(refused["resultType"], "complete");
    assert!(is_error(&refused) && text(&refused).contains("elicitation"), "{refused}");
    let mut shell = configured(&sim, &sim.token());
    let output = run(shell.args(POWER).args(["call", "proxmox_shutdown_vm", "vmid=101"]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("no terminal") && said.contains("--grant VM.PowerMgmt@/vms/101"), "{said}");
    assert!(changes(&sim).is_empty(), "{:?}", changes(&sim));
}

#[test]
fn in_the_stateless_era_the_call_comes_back_with_the_answer() {
    let sim = sim();
    let mut client = start(&sim, POWER);
    let call = json!({"vmid": 101});
    let asked = stateless(&mut client, "proxmox_shutdown_vm", call.clone(), json!({}));
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert_eq!(asked["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "proxmox-mcp");
    let question = &asked["inputRequests"]["approval"];
    assert_eq!(question["method"], "elicitation/create");
    assert!(question["params"]["message"].as_str().unwrap().starts_with("Shut down VM \"prod-web-01\""));
    // An answer without its state, and a state without its answer, begin from the start.
    let alone = json!({"inputResponses": {"approval": yes()}});
    assert_eq!(
        stateless(&mut client, "proxmox_shutdown_vm", call.clone(), alone)["resultType"],
        "input_required"
    );
    let alone = json!({"requestState": asked["requestState"]});
    assert_eq!(
        stateless(&mut client, "proxmox_shutdown_vm", call.clone(), alone)["resultType"],
        "input_required"
    );
    assert!(changes(&sim).is_empty());

    let done = stateless(&mut client, "proxmox_shutdown_vm", call.clone(), retry(&asked, yes()));
    assert!(!is_error(&done), "{}", text(&done));
    assert_eq!(done["resultType"], "complete");
    assert_eq!(changes(&sim), ["POST /nodes/pve1/qemu/101/status/shutdown"]);

    sim.with_world(|world| world.guests.get_mut(&101).unwrap().running = true);
    let replayed = stateless(&mut client, "proxmox_shutdown_vm", call, retry(&asked, yes()));
    assert!(is_error(&replayed) && text(&replayed).contains("answered before"), "{replayed}");
    assert_eq!(changes(&sim).len(), 1, "once");
}

#[test]
fn an_answer_holds_for_no_other_call() {
    let sim = sim();
    let mut client = start(&sim, POWER);
    let mut asked = |arguments: Value| stateless(&mut client, "proxmox_shutdown_vm", arguments, json!({}));
    let (first, second, third, fourth) = (
        asked(json!({"vmid": 101})),
        asked(json!({"vmid": 101})),
        asked(json!({"vmid": 101})),
        asked(json!({"vmid": 101})),
    );
    for (tool, arguments, state) in [
        ("proxmox_shutdown_vm", json!({"vmid": 100}), &first),
        ("proxmox_shutdown_vm", json!({"vmid": 101, "force": true}), &second),
        ("proxmox_start_vm", json!({"vmid": 101}), &third),
    ] {
        let result = stateless(&mut client, tool, arguments.clone(), retry(state, yes()));
        assert!(is_error(&result), "{tool} {arguments}: {result}");
        assert!(text(&result).contains("another call"), "{tool} {arguments}: {result}");
    }
    let no = json!({"action": "decline"});
    let declined = stateless(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}), retry(&fourth, no));
    assert!(is_error(&declined) && text(&declined).contains("said no"), "{declined}");
    // Whoever said no has not said yes afterwards.
    let again = stateless(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}), retry(&fourth, yes()));
    assert!(is_error(&again) && text(&again).contains("answered before"), "{again}");

    let fresh = stateless(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}), json!({}));
    let state = fresh["requestState"].as_str().unwrap();
    let mut tampered = fresh.clone();
    let at = state.len() / 2;
    let other = if state.as_bytes()[at] == b'A' { "B" } else { "A" };
    tampered["requestState"] = json!(format!("{}{other}{}", &state[..at], &state[at + 1..]));
    let result = stateless(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}), retry(&tampered, yes()));
    assert!(is_error(&result) && text(&result).contains("was changed"), "{result}");
    // A state of another process is no state of this one.
    let mut other = start(&sim, POWER);
    let result = stateless(&mut other, "proxmox_shutdown_vm", json!({"vmid": 101}), retry(&fresh, yes()));
    assert!(is_error(&result) && text(&result).contains("not given out by this server"), "{result}");
    assert!(changes(&sim).is_empty(), "{:?}", changes(&sim));
}

#[test]
fn a_guest_that_changed_meanwhile_is_not_the_one_that_was_shown() {
    let sim = sim();
    let rename = |name: &str| {
        sim.with_world(|world| world.guests.get_mut(&101).unwrap().name = name.to_owned());
    };
    let mut client = legacy(&sim, POWER, "2025-11-25");
    let (id, question) = ask(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}));
    rename("payroll");
    answer(&mut client, &question, yes());
    let result = client.answer_to(&json!(id))["result"].clone();
    let said = text(&result);
    assert!(is_error(&result) && said.contains("prod-web-01") && said.contains("payroll"), "{said}");
    assert!(changes(&sim).is_empty());

    let mut client = start(&sim, POWER);
    let asked = stateless(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}), json!({}));
    rename("prod-web-01");
    let result = stateless(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}), retry(&asked, yes()));
    assert!(is_error(&result) && text(&result).contains("payroll"), "{result}");
    // On another node it is another request, which is asked for anew.
    let asked = stateless(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}), json!({}));
    sim.with_world(|world| world.guests.get_mut(&101).unwrap().node = "pve2".to_owned());
    let result = stateless(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}), retry(&asked, yes()));
    assert_eq!(result["resultType"], "input_required", "{result}");
    assert!(
        result["inputRequests"]["approval"]["params"]["message"].as_str().unwrap().contains("on node pve2")
    );
    assert!(changes(&sim).is_empty(), "{:?}", changes(&sim));
}

#[test]
fn a_name_in_a_question_cannot_act() {
    let sim = sim();
    sim.with_world(|world| {
        world.guests.get_mut(&101).unwrap().name =
            "ok\u{1b}[2J\u{202e}\u{200b}\n\nApproved by root".to_owned();
    });
    let mut client = legacy(&sim, POWER, "2025-11-25");
    let (_, question) = ask(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}));
    let message = question["params"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("Shut down VM \"ok Approved by root\" (id 101) on node pve1?\n"),
        "{message}"
    );
}

#[test]
fn allow_lists_hold_whatever_a_person_would_say() {
    let sim = sim();
    let arguments = ["--ask", "Administrator@/", "--vmid-allowlist", "100"];
    let mut client = legacy(&sim, &arguments, "2025-11-25");
    let refused = client.call("proxmox_shutdown_vm", json!({"vmid": 101}));
    assert!(is_error(&refused), "{refused}");
    assert!(client.aside.is_empty(), "not even asked: {:?}", client.aside);
    assert!(changes(&sim).is_empty());
}

#[test]
fn what_is_granted_is_not_asked_for() {
    let sim = sim();
    let arguments = ["--ask", "VM.PowerMgmt@/", "--grant", "VM.PowerMgmt@/vms/101"];
    let mut client = legacy(&sim, &arguments, "2025-11-25");
    let done = client.call("proxmox_shutdown_vm", json!({"vmid": 101}));
    assert!(!is_error(&done), "{}", text(&done));
    assert!(client.aside.is_empty(), "{:?}", client.aside);
}

#[test]
fn what_takes_two_yeses_is_not_half_done() {
    let sim = sim();
    sim.with_world(|world| world.guests.get_mut(&101).unwrap().running = false);
    let arguments = ["--ask", "VM.*@/", "--ask", "Datastore.AllocateSpace@/"];
    let mut client = legacy(&sim, &arguments, "2025-11-25");
    let refused = client.call("proxmox_remove_disk", json!({"vmid": 101, "disk": "scsi0"}));
    let said = text(&refused);
    assert!(is_error(&refused) && said.contains("Nothing was sent"), "{said}");
    assert!(said.contains("`disk` = `unused0`"), "{said}");
    assert!(client.aside.is_empty() && changes(&sim).is_empty(), "{:?}", changes(&sim));
    // In two calls, as it says.
    for (tool, arguments, reply) in [
        ("proxmox_disk", json!({"vmid": 101, "action": "detach", "disk": "scsi0"}), yes()),
        (
            "proxmox_remove_disk",
            json!({"vmid": 101, "disk": "unused0"}),
            json!({"action": "accept", "content": {"confirm": "prod-web-01"}}),
        ),
    ] {
        let (id, question) = ask(&mut client, tool, arguments);
        answer(&mut client, &question, reply);
        let done = client.answer_to(&json!(id))["result"].clone();
        assert!(!is_error(&done), "{tool}: {}", text(&done));
    }
    assert_eq!(changes(&sim).len(), 2, "{:?}", changes(&sim));
}

#[test]
fn what_destroys_by_a_parameter_takes_the_name_and_a_list_of_guests_is_shown() {
    let sim = sim();
    let mut client = legacy(&sim, &["--ask", "Administrator@/"], "2025-11-25");
    let forced = json!({"method": "PUT", "path": "/nodes/pve1/qemu/101/config",
        "params": {"delete": "scsi0", "force": 1}});
    let (id, question) = ask(&mut client, "proxmox_change_api", forced);
    let message = question["params"]["message"].as_str().unwrap();
    assert!(message.contains("lost for good") && message.contains("delete=scsi0"), "{message}");
    assert_eq!(question["params"]["requestedSchema"]["required"], json!(["confirm"]));
    answer(&mut client, &question, yes());
    assert!(is_error(&client.answer_to(&json!(id))["result"]), "a tick is no name");
    let many = json!({"method": "POST", "path": "/cluster/bulk-action/guest/shutdown",
        "params": {"vms": [100, 101]}});
    let (id, question) = ask(&mut client, "proxmox_change_api", many);
    let message = question["params"]["message"].as_str().unwrap();
    assert!(message.contains("prod-db-master") && message.contains("prod-web-01"), "{message}");
    assert_eq!(question["params"]["requestedSchema"]["required"], json!(["confirm"]));
    answer(&mut client, &question, json!({"action": "decline"}));
    client.answer_to(&json!(id));
    assert!(changes(&sim).is_empty(), "{:?}", changes(&sim));
}

#[test]
fn reads_are_asked_for_together() {
    let sim = sim();
    let mut client = legacy(&sim, &["--ask", "Sys.Audit@/nodes/pve1"], "2025-11-25");
    let (id, question) = ask(&mut client, "proxmox_get_node_status", json!({"node": "pve1"}));
    let message = question["params"]["message"].as_str().unwrap();
    assert!(message.contains("GET /nodes/pve1/status"), "{message}");
    sim.clear_requests();
    answer(&mut client, &question, yes());
    let done = client.answer_to(&json!(id))["result"].clone();
    assert!(!is_error(&done), "{}", text(&done));
    assert!(client.aside.is_empty(), "asked once: {:?}", client.aside);
    assert!(arrived(&sim).iter().any(|line| line == "GET /nodes/pve1/status"), "{:?}", arrived(&sim));
}

#[test]
fn a_client_that_is_gone_is_not_waited_for() {
    let sim = sim();
    let mut client = legacy(&sim, POWER, "2025-11-25");
    ask(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}));
    client.hang_up();
    let last = client.next_within(Duration::from_secs(20)).expect("the call ends with its client");
    assert!(text(&last["result"]).contains("Nothing was done"), "{last}");
    let (rest, code) = client.finish();
    assert_eq!((rest, code), (Vec::new(), Some(0)));
    assert!(changes(&sim).is_empty());
}

#[test]
fn what_a_person_said_is_written_down_in_both_eras() {
    let sim = sim();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.log");
    let arguments = [POWER, &["--audit-log", log.to_str().unwrap()]].concat();
    let mut client = legacy(&sim, &arguments, "2025-11-25");
    for reply in [json!({"action": "decline"}), json!({"action": "cancel"}), yes()] {
        let (id, question) = ask(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}));
        answer(&mut client, &question, reply);
        client.answer_to(&json!(id));
    }
    client.finish();
    sim.with_world(|world| world.guests.get_mut(&101).unwrap().running = true);
    let mut client = start(&sim, &arguments);
    for reply in [json!({"action": "decline"}), yes()] {
        let asked = stateless(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}), json!({}));
        stateless(&mut client, "proxmox_shutdown_vm", json!({"vmid": 101}), retry(&asked, reply));
    }
    client.finish();
    let lines = json_lines(&std::fs::read(&log).unwrap());
    let approvals: Vec<&Value> = lines.iter().filter(|line| line["event"] == "approval").collect();
    let said: Vec<&str> = approvals.iter().map(|line| line["answer"].as_str().unwrap()).collect();
    assert_eq!(said, ["declined", "cancelled", "approved", "declined", "approved"]);
    for line in approvals {
        assert_eq!(line["tool"], "proxmox_shutdown_vm");
        assert_eq!(line["grants"], json!(["VM.PowerMgmt@/vms/101"]));
    }
    let allowed = |line: &&Value| line["allowed"] == "a person's approval" && line["verb"] == "POST";
    assert_eq!(lines.iter().filter(allowed).count(), 2);
}

#[test]
fn the_list_of_tools_says_which_ask() {
    let sim = sim();
    let listed = |arguments: &[&str]| -> Vec<Value> {
        let output = run(configured(&sim, &sim.token()).args(arguments).args(["tools", "--json"]));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let reach = |list: &[Value], name: &str| {
        list.iter().find(|tool| tool["name"] == name).unwrap()["reach"].as_str().unwrap().to_owned()
    };
    let list = listed(&["--ask", "VM.PowerMgmt@/vms/101"]);
    assert_eq!(reach(&list, "proxmox_power"), "ask");
    assert_eq!(reach(&list, "proxmox_execute_vm_command"), "not granted");
    assert_eq!(reach(&listed(&[]), "proxmox_power"), "not granted");
    let wrong = run(configured(&sim, &sim.token()).env("PROXMOX_ASK", "VM.PowerMgnt@/").arg("tools"));
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("PROXMOX_ASK"));
}
