//! Questions about requests that are not made: they are answered as the gate decides, and nothing is sent.

use proxmox_gate::Walls;
use serde_json::{Value, json};

use crate::stage::{START_101, Stage, VERSION, engine};

const START_102: &str = "/api2/json/nodes/pve2/qemu/102/status/start";

fn asked(verb: &str, path: &str) -> Value {
    json!({"verb": verb, "path": path, "authority": "verdict.pve.internal"})
}

/// The answers to these questions; nothing may leave for them.
async fn answers(stage: &Stage, questions: Vec<Value>) -> Vec<Value> {
    stage.sim.clear_requests();
    let seen = stage.requests(questions).await;
    assert_eq!(stage.arrived(), Vec::<String>::new());
    let data = |one: Value| -> Value {
        assert_eq!(one["status"], 200, "{one}");
        serde_json::from_str::<Value>(one["body"].as_str().unwrap()).unwrap()["data"].take()
    };
    seen.into_iter().map(data).collect()
}

#[tokio::test]
async fn a_question_about_a_request_sends_nothing() {
    let stage = Stage::open().await;
    let questions = vec![
        asked("POST", START_101),
        asked("DELETE", "/api2/json/nodes/pve1/qemu/100"),
        asked("GET", VERSION),
        asked("GET", "/api2/json/cluster/resources"),
    ];
    for answer in answers(&stage, questions).await {
        assert_eq!(answer["allowed"], true, "{answer}");
    }
    let told = answers(&stage, vec![asked("GET", "/no/such/path")]).await.remove(0);
    assert_eq!(told["allowed"], false, "{told}");
    // The address stands for the question in just this form.
    for (name, value) in [("scheme", "http"), ("authority", "verdict.pve.internal:443")] {
        let mut question = asked("POST", START_101);
        question[name] = json!(value);
        stage.all_refused(vec![question]).await;
    }
}

#[tokio::test]
async fn a_question_is_answered_as_the_gate_decides() {
    let questions = || vec![asked("POST", START_101), asked("POST", START_102), asked("GET", VERSION)];
    let allowed = |answers: &[Value]| answers.iter().map(|one| one["allowed"].clone()).collect::<Vec<_>>();
    let stage = Stage::asking().await;
    let told = answers(&stage, questions()).await;
    assert_eq!(allowed(&told), [json!(false), json!(false), json!(true)]);
    assert_eq!(told[0]["needs"], json!([["VM.PowerMgmt on /vms/101", false]]), "{told:?}");
    assert!(told[0]["why"].as_str().unwrap().contains("--grant VM.PowerMgmt@/vms/101"), "{told:?}");
    assert_eq!((&told[0]["asks"], &told[2]["asks"]), (&json!(true), &json!(false)));
    let stage = Stage::with(engine(), Walls::parse(None, Some("101")).unwrap()).await;
    assert_eq!(allowed(&answers(&stage, questions()).await), [json!(true), json!(false), json!(true)]);
}

#[tokio::test]
async fn a_question_is_answered_as_the_request_of_this_very_call() {
    let stage = Stage::open().await;
    let allowed = async |tool: &str, more: Value, questions: Vec<Value>| {
        let mut arguments = json!({"do": "requests", "requests": questions});
        let Value::Object(more) = more else { panic!("{more} is no object") };
        arguments.as_object_mut().unwrap().extend(more);
        let seen = stage.seen(tool, arguments).await;
        let allowed = |one: &Value| {
            let body: Value = serde_json::from_str(one["body"].as_str().unwrap()).unwrap();
            body["data"]["allowed"] == true
        };
        seen.as_array().unwrap().iter().map(allowed).collect::<Vec<_>>()
    };
    let both = || vec![asked("POST", START_101), asked("POST", START_102)];
    assert_eq!(allowed("all", json!({"vmid": 101}), both()).await, [true, false]);
    assert_eq!(allowed("all", json!({"node": "pve2"}), both()).await, [false, true]);
    assert_eq!(allowed("all", json!({}), both()).await, [true, true]);
    // What only reads may ask about the requests of others; it makes none of them.
    assert_eq!(allowed("reads", json!({}), both()).await, [true, true]);
    let named = json!({"method": "POST", "path": "/nodes/pve1/qemu/101/status/start"});
    assert_eq!(allowed("names", named, both()).await, [true, false]);
}
