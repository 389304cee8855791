use proxmox_api::methods;
use serde_json::json;

use super::*;
use crate::pve::ids::NodeName;
use crate::shape::Shape;
use crate::testing::{NOW_MS, Script};
use crate::tool::{Args, Outcome};

static TOOL: Tool = Tool {
    name: "a_test",
    title: "A test",
    description: "",
    params: &[],
    output: Shape::Object(&[]),
    calls: &[
        &methods::GET_NODES,
        &methods::GET_VERSION,
        &methods::GET_NODES_NODE_STATUS,
        &methods::POST_POOLS,
    ],
    run: never,
    ..Tool::PLAIN
};

fn never(_: &Cx<'_>, _: &Args) -> Result<Outcome, Error> {
    unreachable!("these tests use the context directly")
}

fn call(script: &Script, call: Call) -> Result<Value, Error> {
    Cx::new(&TOOL, script, NOW_MS).call(call)
}

fn status_of(node: &str) -> Call {
    Call::of(&methods::GET_NODES_NODE_STATUS).at("node", &NodeName::parse(node).unwrap())
}

#[test]
fn a_call_that_was_not_declared_is_never_sent() {
    let script = Script::new();
    let error = call(&script, Call::of(&methods::GET_CLUSTER_STATUS)).unwrap_err();
    assert!(matches!(&error, Error::Defect(text) if text.contains("GET /cluster/status")), "{error}");
    assert!(script.sent().is_empty());
}

#[test]
fn several_calls_keep_their_order_whatever_becomes_of_each() {
    let script = Script::new().data("GET /nodes", json!([1])).error("GET /version", 500, "broken");
    let cx = Cx::new(&TOOL, &script, NOW_MS);
    let [nodes, undeclared, version] = cx.all([
        Call::of(&methods::GET_NODES),
        Call::of(&methods::GET_CLUSTER_STATUS),
        Call::of(&methods::GET_VERSION),
    ]);
    assert_eq!(nodes.unwrap(), json!([1]));
    assert!(matches!(undeclared, Err(Error::Defect(_))));
    assert!(matches!(version, Err(Error::Refused(refusal)) if refusal.message == "broken"));
}

#[test]
fn a_denial_names_what_is_needed() {
    let script = Script::new().fails("GET /nodes/pve1/status", SendError::Denied);
    let error = call(&script, status_of("pve1")).unwrap_err();
    assert!(error.to_string().contains("`--grant Sys.Audit@/nodes/pve1`"), "{error}");

    let words = "Permission check failed (/nodes/pve1, Sys.Audit)";
    for message in [words, "Permission check failed"] {
        let script = Script::new().error("GET /nodes/pve1/status", 403, message);
        let error = call(&script, status_of("pve1")).unwrap_err();
        assert!(error.to_string().contains("pveum acl modify /nodes/pve1"), "{error}");
    }
}

#[test]
fn a_bad_token_is_told_from_the_reason_phrase() {
    let answer =
        Response { status: 401, reason: Some("Authentication failed!".to_owned()), body: Vec::new() };
    let script = Script::new().result("GET /nodes", Ok(answer));
    let error = call(&script, Call::of(&methods::GET_NODES)).unwrap_err();
    assert_eq!(error.kind(), crate::error::Kind::Denied);
    assert!(error.to_string().contains("did not accept the API token (Authentication failed!)"), "{error}");
}

#[test]
fn the_words_of_an_error_come_from_wherever_they_are() {
    let text = |response: Response| message(&response);
    let with = |reason: Option<&str>, body: &str| Response {
        status: 500,
        reason: reason.map(str::to_owned),
        body: body.as_bytes().to_vec(),
    };
    assert_eq!(
        text(with(None, r#"{"data":null,"message":"no options specified\n"}"#)),
        "no options specified"
    );
    assert_eq!(text(with(Some("Broken pipe"), "")), "Broken pipe");
    assert_eq!(text(with(None, "no such uri")), "no such uri");
    assert_eq!(text(with(None, "<html>")), "");
    assert_eq!(
        text(with(
            None,
            r#"{"message":"Parameter verification failed.\n","errors":{"upid":"no such task"}}"#
        )),
        "Parameter verification failed. upid: no such task"
    );
}

#[test]
fn an_answer_of_something_else_is_no_answer() {
    for body in ["<html>login</html>", "", "[]", r#"{"nodata":1}"#, r#"{"data":"#] {
        let script = Script::new().body("GET /nodes", 200, body);
        let error = call(&script, Call::of(&methods::GET_NODES)).unwrap_err();
        assert!(matches!(&error, Error::Unreachable(text) if text.contains("GET /nodes")), "{body}: {error}");
    }
}

#[test]
fn only_a_change_that_may_have_happened_is_in_doubt() {
    for (error, doubt) in [(SendError::Closed, true), (SendError::Timeout, true), (SendError::Refused, false)]
    {
        let script = Script::new().fails("POST /pools", error.clone()).fails("GET /nodes", error.clone());
        let change = call(&script, Call::of(&methods::POST_POOLS)).unwrap_err().to_string();
        assert_eq!(change.contains("not known whether"), doubt, "{change}");
        let read = call(&script, Call::of(&methods::GET_NODES)).unwrap_err().to_string();
        assert!(!read.contains("not known whether"), "{read}");
    }
}
