//! Both protocol eras over HTTP: sessions and none, progress, questions, cancelling.

use std::time::Duration;

use proxmox_sim::{Fault, FaultKind, Options, Sim};
use serde_json::{Value, json};

use super::client::{Ask, Served, Session};
use crate::approvals::{retry, yes};
use crate::harness::{arrived, is_error, stateless_meta, text};

/// A guest that does not run.
const STOPPED: u64 = 108;
const SHUT_DOWN: &str = "POST /nodes/pve1/qemu/101/status/shutdown";

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

fn changes(sim: &Sim) -> Vec<String> {
    arrived(sim).into_iter().filter(|line| !line.starts_with("GET ")).collect()
}

/// Time for a request to be on its way; the cluster takes longer to answer it.
fn on_its_way() {
    std::thread::sleep(Duration::from_millis(800));
}

#[test]
fn the_era_without_sessions() {
    let sim = sim();
    let server = Served::start(&sim, &[]);
    let found = Ask::modern("server/discover", json!({})).send(&server);
    assert_eq!(found.header("mcp-session-id"), None);
    let found = found.result();
    assert!(found["supportedVersions"].as_array().unwrap().contains(&json!("2026-07-28")), "{found}");
    let list = Ask::modern("tools/list", json!({})).send(&server).result();
    assert_eq!(list["resultType"], "complete");
    let nodes = Ask::call("proxmox_get_nodes", json!({})).send(&server);
    assert_eq!(nodes.header("content-type"), Some("application/json"));
    assert!(text(&nodes.result()).contains("pve1"), "{nodes:?}");
    let resource = Ask::modern("resources/read", json!({"uri": "proxmox://nodes"})).send(&server).result();
    assert!(resource["contents"][0]["text"].as_str().unwrap().contains("pve1"), "{resource}");

    let call = Ask::call("proxmox_get_nodes", json!({}));
    for (ask, status, code) in [
        (call.clone().with("Mcp-Name", "proxmox_delete"), 400, -32020),
        (call.clone().with("Mcp-Method", "tools/list"), 400, -32020),
        (call.clone().with("MCP-Protocol-Version", "2025-11-25"), 400, -32020),
        (Ask::modern("no/such", json!({})), 404, -32601),
    ] {
        let reply = ask.send(&server);
        let message = reply.messages().pop().unwrap();
        assert_eq!((reply.status, &message["error"]["code"]), (status, &json!(code)), "{message}");
    }
    for method in ["GET", "DELETE"] {
        let ask = Ask { method, ..call.clone() };
        assert_eq!(ask.send(&server).status, 405, "{method}");
    }
}

#[test]
fn the_era_with_sessions() {
    let sim = sim();
    let server = Served::start(&sim, &[]);
    let mut session = Session::open(&server, None, json!({}));
    assert_eq!(session.ask("ping", json!({})).send(&server).result(), json!({}));
    let list = session.ask("tools/list", json!({})).send(&server).result();
    assert!(list["tools"].as_array().unwrap().len() > 10 && list.get("resultType").is_none(), "{list}");
    assert!(text(&session.call("proxmox_get_nodes", json!({}))).contains("pve1"));
    let task = session.ask("tasks/get", json!({"taskId": "x"})).send(&server);
    assert_eq!((task.status, &task.messages()[0]["error"]["code"]), (200, &json!(-32601)), "{task:?}");

    let list = session.ask("tools/list", json!({}));
    assert_eq!(list.clone().with("Mcp-Session-Id", "no-such-session").send(&server).status, 404);
    assert_eq!(list.clone().with("MCP-Protocol-Version", "1999-01-01").send(&server).status, 400);
    let none = Ask::post(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
    assert_eq!(none.send(&server).status, 400);
    let end = Ask { method: "DELETE", ..session.message(&json!(null)) };
    assert_eq!(end.send(&server).status, 204);
    assert_eq!((list.send(&server).status, end.send(&server).status), (404, 404));
}

#[test]
fn what_is_no_message_gets_an_error() {
    let sim = sim();
    let server = Served::start(&sim, &[]);
    let modern = Ask::modern("tools/list", json!({}));
    let with = |body: &str| Ask { body: body.to_owned(), ..modern.clone() };
    for (body, code) in
        [("{\"jsonrpc\":", -32700), ("", -32700), ("[]", -32600), ("[{}]", -32600), ("7", -32600)]
    {
        let reply = with(body).send(&server);
        let error = reply.messages().pop().unwrap();
        assert_eq!((reply.status, &error["error"]["code"]), (400, &json!(code)), "{body}: {error}");
    }
    assert_eq!(with("{}").with("Content-Type", "text/plain").send(&server).status, 415);
    assert_eq!(modern.clone().with("Accept", "application/json").send(&server).status, 406);
    assert_eq!(modern.send(&server).status, 200);
}

#[test]
fn progress_comes_as_it_is_made_in_both_eras() {
    let sim = Sim::start(Options { task_seconds: 2.0, ..Options::instant() }).unwrap();
    let server = Served::start(&sim, &["--allow-elevated"]);
    let mut params = json!({"name": "proxmox_start_vm", "arguments": {"vmid": STOPPED}});
    params["_meta"] = stateless_meta();
    params["_meta"]["progressToken"] = json!("t1");
    let modern = Ask::modern("tools/call", params.clone());
    let mut session = Session::open(&server, None, json!({}));
    params["_meta"] = json!({"progressToken": "t1"});
    params["name"] = json!("proxmox_shutdown_vm");
    params["arguments"]["vmid"] = json!(101);
    let legacy = session.ask("tools/call", params);
    for ask in [modern, legacy] {
        let mut events = ask.open(&server);
        assert_eq!(events.header("content-type"), Some("text/event-stream"));
        let mut steps = Vec::new();
        let last = loop {
            let message = events.next().expect("an answer before the end");
            if message["method"] == "notifications/progress" {
                assert_eq!(message["params"]["progressToken"], "t1");
                steps.push(message["params"]["progress"].as_f64().unwrap());
            } else if message.get("result").is_some() {
                break message;
            }
        };
        assert!(!is_error(&last["result"]), "{last}");
        assert!(!steps.is_empty() && steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
        assert_eq!(events.next(), None);
    }
}

#[test]
fn a_person_is_asked_in_the_era_with_sessions() {
    let sim = sim();
    let server = Served::start(&sim, &["--ask", "VM.PowerMgmt@/vms/101"]);
    let mut session = Session::open(&server, None, json!({"elicitation": {}}));
    let params = json!({"name": "proxmox_shutdown_vm", "arguments": {"vmid": 101}});
    for (reply, done) in [(json!({"action": "decline"}), 0), (yes(), 1)] {
        let mut events = session.ask("tools/call", params.clone()).open(&server);
        let question = events.next().expect("a question");
        assert_eq!(question["method"], "elicitation/create", "{question}");
        assert!(changes(&sim).is_empty(), "asked first");
        let answer = session.message(&json!({"jsonrpc": "2.0", "id": question["id"], "result": reply}));
        assert_eq!(answer.send(&server).status, 202);
        let result = events.next().expect("the answer")["result"].clone();
        assert_eq!((is_error(&result), changes(&sim).len()), (done == 0, done), "{result}");
    }
    assert_eq!(changes(&sim), [SHUT_DOWN]);
    // Who cannot ask gets a refusal.
    let mut mute = Session::open(&server, None, json!({}));
    assert!(is_error(&mute.call("proxmox_start_vm", json!({"vmid": 101}))));
}

#[test]
fn a_person_is_asked_in_the_era_without_sessions() {
    let sim = sim();
    let server = Served::start(&sim, &["--ask", "VM.PowerMgmt@/vms/101"]);
    let call = |more: Value| {
        let mut params =
            json!({"name": "proxmox_shutdown_vm", "arguments": {"vmid": 101}, "_meta": stateless_meta()});
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {"form": {}}});
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        Ask::modern("tools/call", params).send(&server).result()
    };
    let asked = call(json!({}));
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert!(is_error(&call(retry(&asked, json!({"action": "decline"})))));
    assert!(is_error(&call(retry(&asked, yes()))), "one answer for one question");
    assert!(changes(&sim).is_empty());
    let asked = call(json!({}));
    assert!(!is_error(&call(retry(&asked, yes()))));
    assert_eq!(changes(&sim), [SHUT_DOWN]);
}

#[test]
fn a_closed_stream_ends_the_call() {
    let sim = sim();
    let server = Served::start(&sim, &["--allow-elevated"]);
    sim.fault(Fault::always("/cluster/resources", FaultKind::Slow(Duration::from_secs(3))));
    let call = Ask::call("proxmox_start_vm", json!({"vmid": STOPPED}));
    let mut stream = server.connect();
    std::io::Write::write_all(&mut stream, &call.bytes()).unwrap();
    on_its_way();
    drop(stream);
    // The other one shows when the first would have been answered.
    let other = Ask::call("proxmox_get_vms", json!({})).send(&server).result();
    assert!(!is_error(&other), "{other}");
    assert!(changes(&sim).is_empty(), "{:?}", changes(&sim));
    sim.clear_faults();
    assert!(!is_error(&call.send(&server).result()));
    assert_eq!(changes(&sim).len(), 1);
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[test]
fn what_is_taken_note_of_says_who_took_it() {
    let sim = Sim::start(Options { task_seconds: 3_600.0, ..Options::instant() }).unwrap();
    let server = Served::start(&sim, &["--allow-elevated"]);
    let ask = |method: &str, mut params: Value| {
        params["_meta"] = stateless_meta();
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
            json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
        Ask::modern(method, params).send(&server).result()
    };
    let start = json!({"name": "proxmox_start_vm", "arguments": {"vmid": STOPPED}});
    let id = ask("tools/call", start)["taskId"].clone();
    for (method, params) in [
        ("tasks/update", json!({"taskId": id, "inputResponses": {}})),
        ("tasks/get", json!({"taskId": id})),
        ("tasks/cancel", json!({"taskId": id})),
    ] {
        let result = ask(method, params);
        assert_eq!(result["resultType"], "complete", "{method}: {result}");
        let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(server["name"], "proxmox-mcp", "{method}: {result}");
    }
}

#[test]
fn a_session_cancels_a_call_by_its_id() {
    let sim = sim();
    let server = Served::start(&sim, &["--allow-elevated"]);
    sim.fault(Fault::always("/cluster/resources", FaultKind::Slow(Duration::from_secs(3))));
    let mut session = Session::open(&server, None, json!({}));
    let params = json!({"name": "proxmox_start_vm", "arguments": {"vmid": STOPPED}});
    let call = session.ask("tools/call", params);
    let id = serde_json::from_str::<Value>(&call.body).unwrap()["id"].clone();
    let mut stream = server.connect();
    std::io::Write::write_all(&mut stream, &call.bytes()).unwrap();
    on_its_way();
    let cancelled =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    assert_eq!(session.message(&cancelled).send(&server).status, 202);
    let other = Ask::call("proxmox_get_vms", json!({})).send(&server).result();
    assert!(!is_error(&other) && changes(&sim).is_empty(), "{:?}", changes(&sim));
}

#[test]
fn a_batch_is_answered_as_one_array_where_its_revision_was_agreed_on() {
    let sim = sim();
    let server = Served::start(&sim, &[]);
    let client = json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}});
    let opened = Ask::post(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}))
        .send(&server);
    let session = opened.header("mcp-session-id").unwrap().to_owned();
    assert_eq!(opened.result()["protocolVersion"], "2025-03-26");
    let send = |messages: Value| Ask::post(&messages).with("Mcp-Session-Id", &session);

    let told = send(json!([{"jsonrpc": "2.0", "method": "notifications/initialized"}])).send(&server);
    assert_eq!((told.status, told.body.as_str()), (202, ""));
    let call =
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "proxmox_get_nodes"}});
    let answered = send(json!([
        {"jsonrpc": "2.0", "id": "a", "method": "ping"}, call, {"jsonrpc": "2.0", "method": "notifications/cancelled"},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": 5}}, 7
    ]))
    .send(&server);
    let answers: Vec<Value> = serde_json::from_str(&answered.body).unwrap();
    let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&json!("a"), &json!(2), &json!(3), &Value::Null], "{answers:?}");
    assert!(text(&answers[1]["result"]).contains("pve1"));
    let codes: Vec<&Value> = answers[2..].iter().map(|answer| &answer["error"]["code"]).collect();
    assert_eq!(codes, [-32602, -32600]);

    for (ask, says) in [
        (send(json!([])), "empty"),
        (
            send(json!([{"jsonrpc": "2.0", "id": 1, "method": "ping"}]))
                .with("MCP-Protocol-Version", "2025-11-25"),
            "2025-03-26",
        ),
    ] {
        let refused = ask.send(&server);
        assert!(refused.status == 400 && refused.body.contains(says), "{refused:?}");
    }
}

#[test]
fn parameters_that_do_not_fit_are_told_from_methods_that_there_are_not() {
    let sim = sim();
    let server = Served::start(&sim, &[]);
    for (message, code) in [
        (json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": 5}}), -32602),
        (json!({"jsonrpc": "2.0", "id": "a", "method": "resources/read"}), -32602),
        (json!({"id": "a", "method": "ping"}), -32600),
    ] {
        let reply = Ask::post(&message).send(&server);
        let answer = reply.messages().pop().unwrap();
        assert_eq!(
            (reply.status, &answer["id"], &answer["error"]["code"]),
            (400, &json!("a"), &json!(code)),
            "{message}"
        );
    }
    // In the era without sessions headers and methods are judged first.
    let nodes = |arguments: Value| json!({"name": "proxmox_get_nodes", "arguments": arguments});
    let call = Ask::modern("tools/call", json!({"name": 5}));
    let mut body: Value = serde_json::from_str(&call.body).unwrap();
    body["id"] = Value::Null;
    let nameless = Ask { body: body.to_string(), ..call.clone() };
    let unversioned = Ask { body: call.body.replace("\"jsonrpc\":\"2.0\",", ""), ..call.clone() };
    assert_ne!(unversioned.body, call.body);
    for (ask, status, code) in [
        (call.clone(), 400, -32602),
        (Ask::modern("tools/call", json!({})), 400, -32602),
        (Ask::modern("tools/call", nodes(json!("x"))), 400, -32602),
        (Ask::modern("tools/call", nodes(json!([]))), 400, -32602),
        (Ask::modern("prompts/get", json!({})), 400, -32602),
        (Ask::modern("resources/read", json!({"uri": 5})), 400, -32602),
        (Ask::modern("tasks/get", json!({})), 400, -32602),
        (Ask::modern("subscriptions/listen", json!({"notifications": 5})), 400, -32602),
        (Ask::modern("completion/complete", json!({})), 400, -32602),
        (Ask::modern("tools/list", json!({"cursor": 5})), 400, -32602),
        (call.clone().with("Mcp-Method", "tools/list"), 400, -32020),
        (Ask::modern("resources/subscribe", json!({"uri": 5})), 404, -32601),
        (Ask::modern("logging/setLevel", json!({})), 404, -32601),
        (Ask::modern("ping", json!({})), 404, -32601),
        (nameless, 400, -32600),
        (unversioned, 400, -32600),
    ] {
        let reply = ask.send(&server);
        let answer = reply.messages().pop().unwrap();
        assert_eq!(
            (reply.status, &answer["error"]["code"]),
            (status, &json!(code)),
            "{}: {answer}",
            ask.body
        );
    }
    let lost = call.with("Mcp-Session-Id", "no-such-session").with("MCP-Protocol-Version", "2025-11-25");
    let older = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 5}});
    let lost = Ask { body: older.to_string(), ..lost }.send(&server);
    assert_eq!(lost.status, 404, "the session is what is amiss: {lost:?}");
}

#[test]
fn each_message_of_a_batch_counts_as_a_request() {
    let sim = sim();
    let server = Served::start(&sim, &["--http-rate", "10"]);
    let ping = |id: usize| json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
    let many = Ask::post(&Value::Array((0..11).map(ping).collect())).send(&server);
    assert_eq!((many.status, many.header("retry-after").is_some()), (429, true));
}
