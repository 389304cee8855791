//! What a call may touch, whatever is granted: the methods that its tool declared, on the guest and the
//! node that its arguments name.

use proxmox_mcp_host::calls::Answer;
use serde_json::{Value, json};

use crate::stage::{START_101, Stage, VERSION, failure};

const START_102: &str = "/api2/json/nodes/pve2/qemu/102/status/start";

fn post(path: &str) -> Value {
    json!({"verb": "POST", "path": path})
}

/// Makes requests from a call with more arguments, and gives what left.
async fn left(stage: &Stage, tool: &str, more: Value, requests: Vec<Value>) -> Vec<String> {
    let mut arguments = json!({"do": "requests", "requests": requests});
    let Value::Object(more) = more else { panic!("{more} is no object") };
    arguments.as_object_mut().unwrap().extend(more);
    stage.sim.clear_requests();
    stage.seen(tool, arguments).await;
    stage.arrived()
}

#[tokio::test]
async fn a_tool_that_declares_reads_starts_nothing() {
    let stage = Stage::open().await;
    let requests = vec![
        post(START_101),
        json!({"verb": "PUT", "path": "/api2/json/nodes/pve1/qemu/101/config"}),
        json!({"verb": "DELETE", "path": "/api2/json/nodes/pve1/qemu/101"}),
        json!({"path": "/api2/json/nodes"}),
        json!({"path": VERSION}),
    ];
    assert_eq!(left(&stage, "reads", json!({}), requests.clone()).await, [format!("GET {VERSION}")]);
    assert_eq!(left(&stage, "nothing", json!({}), requests).await, Vec::<String>::new());
    // The same request from a tool that declares it.
    assert_eq!(left(&stage, "all", json!({}), vec![post(START_101)]).await, [format!("POST {START_101}")]);
}

#[tokio::test]
async fn a_call_about_one_guest_touches_no_other() {
    let stage = Stage::open().await;
    let requests = vec![
        post(START_102),
        post("/api2/json/nodes/pve1/lxc/102/status/start"),
        json!({"path": "/api2/json/nodes/pve1/qemu/100/config"}),
        json!({"path": "/api2/json/nodes/pve1/qemu/1010/config"}),
        json!({"verb": "POST", "path": "/api2/json/nodes/pve1/vzdump?vmid=102"}),
        json!({"verb": "POST", "path": "/api2/json/nodes/pve1/vzdump?vmid=101,102"}),
        json!({"verb": "POST", "path": "/api2/json/nodes/pve1/qemu/101/clone?newid=999"}),
        post(START_101),
    ];
    for vmid in [json!(101), json!("101")] {
        let left = left(&stage, "all", json!({"vmid": vmid}), requests.clone()).await;
        assert_eq!(left, [format!("POST {START_101}")]);
    }
}

#[tokio::test]
async fn a_call_about_one_node_touches_no_other() {
    let stage = Stage::open().await;
    let requests = vec![
        json!({"path": "/api2/json/nodes/pve2/status"}),
        post("/api2/json/nodes/pve3/stopall"),
        json!({"verb": "POST", "path": "/api2/json/nodes/pve1/qemu/101/migrate?target=pve2"}),
        json!({"path": "/api2/json/nodes/pve1/status"}),
    ];
    let left = left(&stage, "all", json!({"node": "pve1"}), requests).await;
    assert_eq!(left, ["GET /api2/json/nodes/pve1/status"]);
}

#[tokio::test]
async fn a_guest_named_in_a_way_that_cannot_be_read_opens_nothing() {
    let stage = Stage::open().await;
    for vmid in [
        json!("0101"),
        json!(" 101"),
        json!("101,102"),
        json!(101.5),
        json!([101]),
        json!(-101),
        json!({}),
        json!("+101"),
    ] {
        assert_eq!(
            left(&stage, "all", json!({"vmid": vmid}), vec![post(START_101), post(START_102)]).await,
            Vec::<String>::new(),
            "{vmid}"
        );
    }
    assert_eq!(
        left(&stage, "all", json!({"node": ["pve1"]}), vec![post(START_101)]).await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_later_step_may_do_no_more_than_the_first() {
    let stage = Stage::open().await;
    let later = |vmid: u32, path: &str| {
        let then = json!({"do": "requests", "vmid": vmid, "requests": [post(path), {"path": VERSION}]});
        json!({"do": "wait", "then": then, "message": "wait"})
    };
    // As if the continuation of a call about another guest came in.
    let mut about_101 = later(102, START_102);
    about_101["vmid"] = json!(101);
    stage.sim.clear_requests();
    stage.seen("all", about_101).await;
    assert_eq!(stage.arrived(), [format!("GET {VERSION}")]);
    // As if the continuation of another tool's call came in.
    stage.sim.clear_requests();
    stage.seen("reads", later(101, START_101)).await;
    assert_eq!(stage.arrived(), [format!("GET {VERSION}")]);
}

#[tokio::test]
async fn a_forged_continuation_is_only_text() {
    let stage = Stage::open().await;
    for forged in ["garbage", "", "\u{0}\r\n", "{\"do\":", "UPID:pve1:0:0:0:qmstart:101:root@pam:"] {
        let seen = stage.seen("all", json!({"do": "wait", "then": forged})).await;
        assert_eq!(seen, json!({"not_json": forged}));
    }
    let answer = stage.call("all", json!({"do": "wait", "then": {"do": "end", "how": "abort"}})).await;
    assert_eq!(failure(&answer).0, "defect");
    assert!(matches!(
        stage.call("no such tool", json!({})).await,
        Answer::Failed { kind: "unknown-tool", .. }
    ));
    stage.still_works().await;
}
