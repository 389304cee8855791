//! Answers of a server that was taken over, or of a proxy in between.

use std::time::{Duration, Instant};

use proxmox_gate::Walls;
use proxmox_sim::{Fault, FaultKind, Options, Sim};
use serde_json::{Value, json};

use crate::stage::{Stage, VERSION, engine};

/// Spoils every answer below `path` and gives what the component saw of one.
async fn answered(stage: &Stage, path: &str, kind: FaultKind) -> Value {
    stage.sim.fault(Fault::always(path, kind));
    let seen = stage.requests(vec![json!({"path": format!("/api2/json{path}")})]).await.remove(0);
    stage.sim.clear_faults();
    seen
}

fn header<'a>(seen: &'a Value, name: &str) -> Option<&'a str> {
    let headers = seen["headers"].as_array()?;
    headers.iter().find(|pair| pair[0] == name).and_then(|pair| pair[1].as_str())
}

#[tokio::test]
async fn redirects_are_not_followed_and_their_target_is_not_told() {
    let stage = Stage::open().await;
    let other = Sim::start(Options::instant()).unwrap();
    for status in [301, 302, 303, 307, 308] {
        stage.sim.clear_requests();
        let reason = format!("Found\r\nLocation: https://{}{VERSION}", other.addr());
        let seen = answered(&stage, "/version", FaultKind::Status(status, reason)).await;
        assert_eq!(seen["status"], status);
        assert_eq!(header(&seen, "location"), None);
        let reason = format!("Found\r\nLocation: https://{}/api2/json/nodes", stage.sim.addr());
        answered(&stage, "/version", FaultKind::Status(status, reason)).await;
        assert_eq!(stage.arrived(), [format!("GET {VERSION}"), format!("GET {VERSION}")]);
    }
    assert_eq!(other.requests().len(), 0);
    stage.still_works().await;
}

#[tokio::test]
async fn headers_of_an_answer_stay_here() {
    let stage = Stage::open().await;
    let secrets = "OK\r\nSet-Cookie: PVEAuthCookie=PVE:root@pam:stolen\r\nAuthorization: stolen\r\n\
                   WWW-Authenticate: stolen\r\nPVE-Reason-Phrase: stolen\r\nX-Evil: stolen\r\nAlt-Svc: h2=\"stolen\"";
    let seen = answered(&stage, "/version", FaultKind::Status(200, secrets.to_owned())).await;
    assert_eq!(seen["status"], 200, "{seen}");
    assert!(!seen["headers"].to_string().contains("stolen"), "{seen}");
    // The length is that of what the host hands on.
    for pair in seen["headers"].as_array().unwrap() {
        assert!(
            ["content-length", "content-type", "pve-reason-phrase"].contains(&pair[0].as_str().unwrap()),
            "{pair}"
        );
    }
    stage.still_works().await;
}

#[tokio::test]
async fn an_answer_that_repeats_the_request_tells_no_token() {
    let stage = Stage::open().await;
    let token = stage.sim.token();
    let header = token.header();
    let page =
        format!("<h1>Bad Gateway</h1><pre>Authorization: {header}\r\n{}</pre>", token.secret.repeat(3));
    let echoes = [
        FaultKind::Body(page.clone()),
        FaultKind::Body(json!({"data": {"header": header, "list": [token.secret]}}).to_string()),
        FaultKind::Status(502, format!("Bad Gateway ({header})")),
        FaultKind::Status(502, format!("{}{header}", "x".repeat(480))),
        FaultKind::Status(401, format!("no such token {}", token.secret)),
        FaultKind::Status(502, format!("Bad Gateway\r\nContent-Type: text/html; x={}", token.secret)),
    ];
    for kind in echoes {
        let shown = format!("{kind:?}");
        let seen = answered(&stage, "/version", kind).await;
        assert!(seen["status"].is_u64(), "{shown}: {seen}");
        assert!(!seen.to_string().contains(&token.secret), "{shown}: {seen}");
        // What looks like a secret beside it is taken out in its turn.
        let marked =
            ["[API token]", "[taken out by proxmox-mcp]"].iter().any(|mark| seen.to_string().contains(mark));
        assert!(marked, "{shown}: {seen}");
    }
    // Nor does a list that is cut row by row.
    let walls = Walls::parse(Some("pve1"), Some("101")).unwrap();
    let stage = Stage::with(engine(), walls).await;
    let secret = stage.sim.token().secret;
    let row = json!({"type": "qemu", "id": "qemu/101", "vmid": 101, "node": "pve1", "name": secret});
    let seen =
        answered(&stage, "/cluster/resources", FaultKind::Body(json!({"data": [row]}).to_string())).await;
    assert!(seen["body"].as_str().unwrap().contains("[API token]"), "{seen}");
    stage.still_works().await;
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let stage = Stage::open().await;
    for (status, count) in [(100, 1), (102, 1), (103, 3), (103, 200), (199, 2)] {
        let seen = answered(&stage, "/version", FaultKind::Interim(status, count)).await;
        assert_eq!(seen["status"], 200, "{count} times {status}: {seen}");
        assert!(seen["body"].as_str().unwrap().contains("version"), "{seen}");
        assert!(!seen["headers"].to_string().contains("interim"), "{seen}");
        stage.still_works().await;
    }
}

/// An answer that comes byte by byte is no end of waiting: 30 s for a body, 40 s for what comes before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_trickle_end() {
    let engine = engine().tightened(Duration::from_secs(5), Duration::from_secs(70));
    let pause = Duration::from_millis(100);
    let trickles = [FaultKind::DripBody(pause), FaultKind::DripHead(pause), FaultKind::EndlessInterim(pause)];
    let begun = Instant::now();
    let stages = trickles.map(|kind| {
        let engine = engine.clone();
        tokio::spawn(async move {
            let stage = Stage::with(engine, Walls::default()).await;
            let shown = format!("{kind:?}");
            let seen = answered(&stage, "/version", kind).await;
            assert!(seen["error"].as_str().is_some_and(|error| error.contains("Timeout")), "{shown}: {seen}");
            stage.still_works().await;
        })
    });
    for stage in stages {
        stage.await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn odd_answers_break_one_request_at_most() {
    let stage = Stage::open().await;
    let long = "x".repeat(1 << 20);
    let odd = [
        FaultKind::Status(0, String::new()),
        FaultKind::Status(99, "too small".to_owned()),
        FaultKind::Status(999, "too large".to_owned()),
        FaultKind::Status(1000, "far too large".to_owned()),
        FaultKind::Status(101, "Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade".to_owned()),
        FaultKind::Status(200, format!("OK\r\nX-Huge: {long}")),
        FaultKind::Status(200, format!("OK{}", "\r\nX-Many: 1".repeat(20_000))),
        FaultKind::Status(200, "OK\r\nContent-Length: 1\r\nContent-Length: 2".to_owned()),
        FaultKind::Status(200, "OK\r\nTransfer-Encoding: chunked".to_owned()),
        FaultKind::Status(200, "OK\r\nContent-Length: 99999999999999999999".to_owned()),
        FaultKind::Status(200, "\u{0}\u{1b}[31m".to_owned()),
        FaultKind::Status(500, long.clone()),
        FaultKind::Status(500, "y".repeat(5_000)),
        FaultKind::NotJson,
        FaultKind::CutBody,
        FaultKind::DropConnection,
        FaultKind::LoseAnswer,
        FaultKind::Body("{\"data\": ".to_owned() + &"[".repeat(200_000)),
    ];
    for kind in odd {
        let shown = format!("{kind:?}").chars().take(80).collect::<String>();
        let seen = answered(&stage, "/version", kind).await;
        let told = header(&seen, "pve-reason-phrase").unwrap_or_default();
        assert!(told.len() <= 500 && told.bytes().all(|byte| byte >= 0x20), "{shown}: {told}");
        assert!(seen["status"].is_u64() || seen["error"].is_string(), "{shown}: {seen}");
        stage.still_works().await;
    }
}

#[tokio::test]
async fn answers_beyond_the_limit() {
    let stage = Stage::open().await;
    for kind in [FaultKind::EndlessBody, FaultKind::Huge(33 << 20), FaultKind::Huge(100 << 20)] {
        let seen = answered(&stage, "/version", kind).await;
        assert!(seen["error"].as_str().is_some_and(|error| error.contains("BodySize")), "{seen}");
    }
    let seen = answered(&stage, "/version", FaultKind::Huge(20 << 20)).await;
    assert!(seen["length"].as_u64().unwrap() > 20 << 20 && seen["whole"] == true);
    stage.still_works().await;
}

#[tokio::test]
async fn what_the_allow_lists_leave_out_is_cut_from_answers() {
    let walls = Walls::parse(Some("pve1"), Some("101")).unwrap();
    let stage = Stage::with(engine(), walls).await;
    let row = |id: u64, node: &str| json!({"type": "qemu", "id": format!("qemu/{id}"), "vmid": id, "node": node, "name": format!("guest-{id}")});
    let rows = json!({"data": [
        row(101, "pve1"),
        row(102, "pve1"),
        row(103, "pve2"),
        {"type": "qemu", "id": "qemu/104", "vmid": "101", "node": "pve1", "name": "guest-104"},
        {"type": "qemu", "id": "qemu/105", "node": "pve1", "name": "guest-105"},
        {"type": "node", "id": "node/pve2", "node": "pve2"},
        {"type": "unheard-of", "id": "x/106", "name": "guest-106"},
        "guest-107",
    ]});
    let seen = answered(&stage, "/cluster/resources", FaultKind::Body(rows.to_string())).await;
    let body = seen["body"].as_str().unwrap();
    assert!(body.contains("guest-101"), "{body}");
    for other in ["guest-102", "guest-103", "guest-105", "guest-106", "guest-107", "pve2"] {
        assert!(!body.contains(other), "{other} is in {body}");
    }
    // What is no list of rows cannot be judged.
    for body in [r#"{"data":{"vmid":102,"name":"guest-102"}}"#, r#"{"data":"guest-102"}"#, "guest-102"] {
        let seen = answered(&stage, "/cluster/resources", FaultKind::Body(body.to_owned())).await;
        assert!(!seen.to_string().contains("guest-102"), "{seen}");
    }
    // Success has more than one status.
    let odd = FaultKind::Status(206, "guest-102".to_owned());
    let seen = answered(&stage, "/cluster/resources", odd).await;
    assert_eq!((&seen["status"], &seen["body"]), (&json!(206), &json!(r#"{"data":[]}"#)));
}

#[tokio::test]
async fn requests_beyond_the_allow_lists_do_not_leave() {
    let walls = Walls::parse(Some("pve1"), Some("101")).unwrap();
    let stage = Stage::with(engine(), walls).await;
    let read = |path: &str| json!({"path": format!("/api2/json{path}")});
    let requests = [
        "/nodes/pve1/qemu/100/config",
        "/nodes/pve2/qemu/101/config",
        "/nodes/pve2/status",
        "/nodes/pve2/tasks/UPID:pve2:00000001:00000002:65000000:qmstart:102:root@pam:/log",
        "/nodes/pve1/tasks/UPID:pve1:00000001:00000002:65000000:qmstart:102:root@pam:/log",
        "/nodes/pve1/storage/local/content/local%3A102%2Fdisk.raw",
        "/cluster/log",
        "/access/users/root@pam/token",
    ];
    let mut requests: Vec<Value> = requests.iter().map(|path| read(path)).collect();
    for path in [
        "/nodes/pve1/qemu/101/clone?newid=102",
        "/nodes/pve1/qemu/101/migrate?target=pve2",
        "/nodes/pve1/vzdump?all=1",
    ] {
        requests.push(json!({"verb": "POST", "path": format!("/api2/json{path}")}));
    }
    stage.all_refused(requests).await;
}
