use proxmox_gate::Grants;
use serde_json::{Value, json};

use super::{Still, modern, rights, slow};
use crate::door::Caller;
use crate::server::session::Session;
use crate::server::{Clock as _, Server};
use crate::testing::Demo;

const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"VERSION","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#;

/// Plays lines to a session with everything granted; `None` goes on with the calls that are due.
fn play(demo: &Demo, lines: &[Option<&str>]) -> Vec<Value> {
    let (clock, rights) = (Still::new(), rights(Grants::elevated()));
    let server = Server::new(Caller::new(demo, Some(&rights)), &clock);
    let mut session = Session::new(server);
    let mut said = Vec::new();
    for line in lines {
        match line {
            Some(line) => session.line(line.as_bytes(), &mut |message| said.push(message)),
            None => {
                if let Some(due_ms) = session.due_ms() {
                    clock.sleep_ms(due_ms.saturating_sub(clock.now_ms()));
                }
                session.go_on(&mut |message| said.push(message));
            }
        }
    }
    said
}

fn start(id: u32, vmid: u32) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {
        "name": "proxmox_power", "arguments": {"vmid": vmid, "action": "shutdown"}, "_meta": {"progressToken": id},
    }})
    .to_string()
}

fn ids(said: &[Value]) -> Vec<&Value> {
    said.iter().filter_map(|message| message.get("id")).collect()
}

#[test]
fn a_client_of_each_era_and_one_that_does_not_say() {
    let modern =
        json!({"jsonrpc": "2.0", "id": "m", "method": "tools/list", "params": modern(json!({}))}).to_string();
    let lines = [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#,
        &modern,
        &HELLO.replace("VERSION", "2025-06-18"),
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        "  ",
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/list"}"#,
    ];
    let said = play(&Demo::new(), &lines.map(Some));
    assert_eq!(ids(&said), [&json!(1), &json!(2), &json!("m"), &json!(0), &json!(3)]);
    assert!(said.iter().all(|message| message.get("result").is_some()), "{said:?}");
    assert_eq!(said[2]["result"]["resultType"], "complete");
    assert_eq!(said[3]["result"]["protocolVersion"], "2025-06-18");
}

#[test]
fn what_is_no_message_gets_an_error_and_the_rest_goes_on() {
    let lines = ["nonsense", "[]", "5", r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#];
    let said = play(&Demo::new(), &lines.map(Some));
    let codes: Vec<_> =
        said.iter().map(|message| message["error"]["code"].as_i64().unwrap_or_default()).collect();
    assert_eq!(codes, [-32700, -32600, -32600, 0]);
}

#[test]
fn a_call_that_waits_holds_nobody_up_and_tells_how_far_it_is() {
    let demo = slow();
    let (first, ping) = (start(1, 101), r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#);
    let said = play(&demo, &[Some(&first), Some(ping), None, None]);
    assert_eq!(ids(&said), [&json!(2)], "the call goes on");
    let progress: Vec<f64> =
        said.iter().filter_map(|message| message["params"]["progress"].as_f64()).collect();
    assert_eq!(progress.len(), 3, "{said:?}");
    assert!(progress.is_sorted_by(|a, b| a < b), "{progress:?}");
    assert!(
        said.iter()
            .filter(|m| m["method"] == "notifications/progress")
            .all(|m| m["params"]["progressToken"] == 1)
    );
}

#[test]
fn a_call_that_waits_is_answered_in_the_end() {
    // Tasks that end at once still are looked at.
    let said = play(&Demo::new(), &[Some(&start(1, 101)), None, None, None]);
    let answer = said.iter().find(|message| message["id"] == 1).expect("an answer");
    assert_eq!(answer["result"]["structuredContent"]["finished"], true, "{answer}");
}

#[test]
fn a_cancelled_call_is_not_answered() {
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let other = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"1"}}"#;
    let demo = Demo::new();
    let (one, two) = (start(1, 101), start(2, 100));
    let said = play(&demo, &[Some(&one), Some(&two), Some(cancel), Some(other), None, None, None]);
    assert_eq!(ids(&said), [&json!(2)]);
}

#[test]
fn batches_are_of_one_revision() {
    let batch = format!(
        r#"[{{"jsonrpc":"2.0","id":1,"method":"ping"}},{},{{"jsonrpc":"2.0","method":"notifications/x"}},7,{{"jsonrpc":"2.0","id":3,"method":"nope"}}]"#,
        start(2, 101)
    );
    let hello = HELLO.replace("VERSION", "2025-03-26");
    let said = play(&Demo::new(), &[Some(&hello), Some(&batch), None, None, None]);
    let answers = said.iter().find_map(Value::as_array).expect("one message with all answers");
    let mut ids: Vec<String> = answers.iter().map(|answer| answer["id"].to_string()).collect();
    ids.sort();
    assert_eq!(ids, ["1", "2", "3", "null"]);
    // Those that want no answers get none.
    let silent = r#"[{"jsonrpc":"2.0","method":"notifications/x"}]"#;
    assert_eq!(play(&Demo::new(), &[Some(&hello), Some(silent)]).len(), 1);

    let newer = play(&Demo::new(), &[Some(&HELLO.replace("VERSION", "2025-06-18")), Some(&batch)]);
    assert_eq!(newer[1]["error"]["code"], -32600);
}

#[test]
fn a_batch_goes_out_without_what_was_cancelled() {
    let batch = format!(r#"[{},{{"jsonrpc":"2.0","id":1,"method":"ping"}}]"#, start(2, 101));
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#;
    let said = play(&slow(), &[Some(&HELLO.replace("VERSION", "2025-03-26")), Some(&batch), Some(cancel)]);
    let answers = said.iter().find_map(Value::as_array).expect("the other answer");
    assert_eq!(answers.len(), 1, "{answers:?}");
}
