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
        json!({"verb": "POST", "path": "/api2/json/nodes/pve1/qemu/100/clone?newid=999"}),
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
    let about_one = left(&stage, "all", json!({"node": "pve1"}), requests).await;
    assert_eq!(about_one, ["GET /api2/json/nodes/pve1/status"]);
    // A guest that moves touches two.
    let requests =
        ["pve1", "pve2", "pve3"].map(|node| json!({"path": format!("/api2/json/nodes/{node}/status")}));
    let about_two = left(&stage, "all", json!({"node": "pve1", "target": "pve2"}), requests.to_vec()).await;
    assert_eq!(about_two, ["GET /api2/json/nodes/pve1/status", "GET /api2/json/nodes/pve2/status"]);
}

#[tokio::test]
async fn a_call_about_a_new_guest_touches_no_other() {
    let stage = Stage::open().await;
    let clone = |newid: u32| json!({"verb": "POST", "path": format!("/api2/json/nodes/pve1/qemu/101/clone?newid={newid}")});
    let config = |vmid: u32| json!({"path": format!("/api2/json/nodes/pve1/qemu/{vmid}/config")});
    let requests = vec![post(START_102), clone(998), config(102), config(999), clone(999)];
    assert_eq!(
        left(&stage, "all", json!({"newid": 999}), requests.clone()).await,
        ["GET /api2/json/nodes/pve1/qemu/999/config"]
    );
    let about_both = left(&stage, "all", json!({"vmid": 101, "newid": "999"}), requests.clone()).await;
    assert_eq!(
        about_both,
        ["GET /api2/json/nodes/pve1/qemu/999/config", "POST /api2/json/nodes/pve1/qemu/101/clone"]
    );
    let made = stage.sim.with_world(|world| [998, 999].map(|vmid| world.guests.contains_key(&vmid)));
    assert_eq!(made, [false, true]);
    for newid in [json!("0999"), json!([999]), json!(999.5)] {
        let opened = left(&stage, "all", json!({"vmid": 101, "newid": newid}), requests.clone()).await;
        assert_eq!(opened, Vec::<String>::new(), "{newid}");
    }
}

#[tokio::test]
async fn a_guest_that_is_named_by_no_id_can_only_be_looked_up() {
    const RESOURCES: &str = "/api2/json/cluster/resources";
    let stage = Stage::open().await;
    let requests = || {
        let reads =
            [RESOURCES, "/api2/json/nodes/pve1/qemu/101/config", VERSION].map(|path| json!({"path": path}));
        [post(START_101), post(START_102)].into_iter().chain(reads).collect::<Vec<_>>()
    };
    for name in ["web", "web 101", "101 or 102", "vm101"] {
        assert_eq!(
            left(&stage, "all", json!({"vmid": name}), requests()).await,
            [format!("GET {RESOURCES}")]
        );
        // Not even that, unless the tool declares it.
        assert_eq!(left(&stage, "nothing", json!({"vmid": name}), requests()).await, Vec::<String>::new());
    }
    for vmid in
        [json!("0101"), json!([101]), json!(101.5), json!({"vmid": 101}), json!(true), json!("101,102")]
    {
        assert_eq!(
            left(&stage, "all", json!({"vmid": vmid}), requests()).await,
            Vec::<String>::new(),
            "{vmid}"
        );
    }
}

#[tokio::test]
async fn a_call_that_names_its_request_makes_that_one() {
    let stage = Stage::open().await;
    let requests = vec![
        post(START_102),
        post("/api2/json/nodes/pve1/qemu/101/status/stop"),
        json!({"verb": "DELETE", "path": "/api2/json/nodes/pve1/qemu/101"}),
        json!({"path": VERSION}),
        post(START_101),
    ];
    for path in [START_101, "/nodes/pve1/qemu/101/status/start", "nodes/pve1/qemu/101/status/start/"] {
        let named = json!({"method": "POST", "path": path});
        assert_eq!(left(&stage, "names", named, requests.clone()).await, [format!("POST {START_101}")]);
    }
    // Only a tool that says so is called with a request of its own.
    let named = json!({"path": VERSION});
    assert_eq!(left(&stage, "names", named.clone(), requests.clone()).await, [format!("GET {VERSION}")]);
    assert_eq!(left(&stage, "nothing", named, requests.clone()).await, Vec::<String>::new());
    for named in [
        json!({}),
        json!({"method": "POST"}),
        json!({"method": "post", "path": START_101}),
        json!({"method": "POST", "path": [START_101]}),
        json!({"method": "POST", "path": "/nodes/{node}/qemu/{vmid}/status/start"}),
        json!({"method": "POST", "path": format!("{START_101}?skiplock=1")}),
        // Each of the two narrows.
        json!({"method": "POST", "path": START_101, "vmid": 102}),
        json!({"method": "POST", "path": START_101, "node": "pve2"}),
    ] {
        assert_eq!(
            left(&stage, "names", named.clone(), requests.clone()).await,
            Vec::<String>::new(),
            "{named}"
        );
    }
}

#[tokio::test]
async fn a_call_that_names_values_to_change_looks_at_just_these() {
    let stage = Stage::open().await;
    let config = "/api2/json/nodes/pve1/qemu/101/config";
    let requests = vec![
        json!({"path": config}),
        json!({"path": "/api2/json/nodes/pve1/qemu/101/pending"}),
        json!({"path": "/api2/json/nodes/pve1/qemu/100/config"}),
        json!({"path": "/api2/json/nodes/pve2/qemu/101/config"}),
        json!({"path": "/api2/json/nodes/pve1/qemu"}),
        json!({"verb": "POST", "path": config, "body": "onboot=1"}),
        json!({"path": VERSION}),
    ];
    let named = json!({"method": "PUT", "path": config});
    assert_eq!(left(&stage, "names", named, requests.clone()).await, [format!("GET {config}")]);
    for (verb, path) in [("POST", config), ("POST", "/nodes/pve1/qemu"), ("DELETE", "/nodes/pve1/qemu/101")] {
        let named = json!({"method": verb, "path": path});
        let left = left(&stage, "names", named, requests.clone()).await;
        assert!(!left.iter().any(|request| request.starts_with("GET ")), "{verb} {path}: {left:?}");
    }
}

#[tokio::test]
async fn a_tool_that_says_it_only_reads_names_no_change() {
    let stage = Stage::open().await;
    let config = "/api2/json/nodes/pve1/qemu/101/config";
    let requests = vec![
        post(START_101),
        json!({"verb": "PUT", "path": config, "body": "onboot=1"}),
        json!({"verb": "DELETE", "path": "/api2/json/nodes/pve1/qemu/101"}),
        json!({"path": config}),
    ];
    for (verb, path) in [("POST", START_101), ("PUT", config), ("DELETE", "/nodes/pve1/qemu/101")] {
        let named = json!({"method": verb, "path": path});
        assert_eq!(
            left(&stage, "names-reads", named, requests.clone()).await,
            Vec::<String>::new(),
            "{verb}"
        );
    }
    for named in [json!({"path": config}), json!({"method": "GET", "path": config})] {
        assert_eq!(left(&stage, "names-reads", named, requests.clone()).await, [format!("GET {config}")]);
    }
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
        json!("\u{ff11}\u{ff10}\u{ff11}"),
        json!(101.0),
        json!("101.0"),
        json!("101/../102"),
        json!("101\n"),
        json!("0x65"),
        json!(4_294_967_397_u64),
        json!(true),
    ] {
        assert_eq!(
            left(&stage, "all", json!({"vmid": vmid}), vec![post(START_101), post(START_102)]).await,
            Vec::<String>::new(),
            "{vmid}"
        );
    }
    for node in
        [json!(["pve1"]), json!("pve1\n"), json!("pve1\r\nX: y"), json!("pve1/../pve2"), json!("PVE1")]
    {
        assert_eq!(
            left(&stage, "all", json!({"node": node}), vec![post(START_101), post(START_102)]).await,
            Vec::<String>::new(),
            "{node}"
        );
    }
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
