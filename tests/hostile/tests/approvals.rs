//! A component that asks for one thing and does another. Reading is granted here; the rest a person is
//! asked for, and what the component sees of the cluster changes with the question, so that it knows.

use std::sync::Mutex;

use proxmox_mcp_host::approvals::{Asker, Consent, Reply, Request};
use proxmox_mcp_host::calls::Answer;
use proxmox_sim::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::stage::{Stage, VERSION, failure};

const SHUTDOWN_101: &str = "/api2/json/nodes/pve1/qemu/101/status/shutdown";
const SHUTDOWN_103: &str = "/api2/json/nodes/pve2/qemu/103/status/shutdown";
const EXEC_101: &str = "/api2/json/nodes/pve1/qemu/101/agent/exec";

/// A person who says yes to the first question and no to all others.
struct Person<'a> {
    stage: &'a Stage,
    heard: Mutex<Vec<String>>,
}

impl Asker for Person<'_> {
    fn consent(&self) -> Consent {
        Consent::open()
    }

    async fn ask(&self, request: &Request) -> Reply {
        let asked = r#"{"data":{"version":"asked"}}"#;
        self.stage.sim.fault(Fault::always("/version", FaultKind::Body(asked.to_owned())));
        let mut heard = self.heard.lock().unwrap();
        heard.push(request.question.text.clone());
        if heard.len() == 1 { Reply::Yes } else { Reply::No }
    }
}

fn post(path: &str) -> Value {
    json!({"verb": "POST", "path": path})
}

fn command(line: &str) -> Value {
    post(&format!("{EXEC_101}?command={line}"))
}

/// Makes `before` until a person said yes, and `after` then. Gives how the call ended, the questions, and
/// what arrived but for looking around.
async fn ask_and_do(before: Value, after: Vec<Value>) -> (Answer, Vec<String>, Vec<String>) {
    let stage = Stage::asking().await;
    let person = Person { stage: &stage, heard: Mutex::default() };
    let attack = json!({
        "do": "choose",
        "first": {"path": VERSION},
        "if": "asked",
        "else": {"do": "requests", "requests": [before]},
        "then": {"do": "requests", "requests": after},
    });
    let answer = stage.tools.call_asking("all", attack.as_object().unwrap(), |_| (), &person).await;
    let looks = |line: &String| line.contains("/cluster/resources") || line.contains("/version");
    let arrived = stage.arrived().into_iter().filter(|line| !looks(line)).collect();
    (answer, person.heard.into_inner().unwrap(), arrived)
}

#[tokio::test]
async fn what_was_asked_for_is_done_once() {
    let again = vec![post(SHUTDOWN_101), post(SHUTDOWN_101)];
    let (answer, heard, arrived) = ask_and_do(post(SHUTDOWN_101), again).await;
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(arrived, [format!("POST {SHUTDOWN_101}")]);
}

#[tokio::test]
async fn a_yes_for_one_guest_is_none_for_another() {
    let (answer, heard, arrived) = ask_and_do(post(SHUTDOWN_101), vec![post(SHUTDOWN_103)]).await;
    assert_eq!(arrived, Vec::<String>::new());
    assert!(heard[0].contains("(id 101)") && !heard[0].contains("103"), "{heard:?}");
    assert!(heard[1].contains("(id 103)"), "{heard:?}");
    assert!(failure(&answer).1.contains("said no"), "{answer:?}");
}

#[tokio::test]
async fn a_yes_is_for_the_whole_request() {
    for (before, after) in [
        (post(SHUTDOWN_101), post(&format!("{SHUTDOWN_101}?forceStop=1"))),
        (post(SHUTDOWN_101), post("/api2/json/nodes/pve1/qemu/101/status/stop")),
        (command("id"), command("reboot")),
        (post(SHUTDOWN_101), json!({"verb": "DELETE", "path": "/api2/json/nodes/pve1/qemu/101"})),
    ] {
        let (answer, heard, arrived) = ask_and_do(before, vec![after.clone()]).await;
        assert_eq!(arrived, Vec::<String>::new(), "{after}");
        assert_eq!(heard.len(), 2, "{after}: {heard:?}");
        assert!(failure(&answer).1.contains("said no"), "{after}: {answer:?}");
    }
}

#[tokio::test]
async fn behind_what_was_approved_no_other_change_slips_through() {
    let after = vec![post(SHUTDOWN_101), post(SHUTDOWN_103), post(&format!("{SHUTDOWN_101}?forceStop=1"))];
    let (_, heard, arrived) = ask_and_do(post(SHUTDOWN_101), after).await;
    assert_eq!(arrived, [format!("POST {SHUTDOWN_101}")]);
    assert_eq!(heard.len(), 1, "after a change it is too late to ask: {heard:?}");
}

#[tokio::test]
async fn of_an_approved_command_its_own_result_may_be_read() {
    let result = |guest: &str| json!({"path": format!("/api2/json/nodes/{guest}/agent/exec-status?pid=1")});
    let reads = |guest: &str| json!({"path": format!("/api2/json/nodes/{guest}/agent/file-read?file=%2Fetc%2Fshadow")});
    let after = vec![
        command("id"),
        result("pve1/qemu/101"),
        result("pve2/qemu/103"),
        reads("pve2/qemu/103"),
        command("reboot"),
    ];
    let (_, heard, arrived) = ask_and_do(command("id"), after).await;
    assert_eq!(heard.len(), 1, "{heard:?}");
    let read = "GET /api2/json/nodes/pve1/qemu/101/agent/exec-status?pid=1".to_owned();
    assert_eq!(arrived, [format!("POST {EXEC_101}"), read]);
}
