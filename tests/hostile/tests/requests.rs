//! Requests that mean something else than they say, or go elsewhere than they should.

use serde_json::{Value, json};

use crate::stage::{START_101, Stage, VERSION};

fn gets<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    paths.into_iter().map(|path| json!({"path": path})).collect()
}

#[tokio::test]
async fn other_servers_ports_and_schemes() {
    let stage = Stage::open().await;
    let other = proxmox_sim::Sim::start(proxmox_sim::Options::instant()).unwrap();
    let real = stage.sim.addr().to_string();
    let foreign = other.addr().to_string();
    let mut attacks: Vec<Value> = [
        real.as_str(),
        foreign.as_str(),
        "evil.example",
        "localhost",
        "pve.internal:443",
        "pve.internal:8006",
        "pve.internal:80",
        "pve.internal.",
        "x.pve.internal",
        "pve.internal.evil.example",
        "root@pve.internal",
        "root:secret@pve.internal",
        "pve.internal@evil.example",
        "evil.example@pve.internal",
        "pve.internal:443@evil.example",
        "169.254.169.254",
        "[::1]",
        "pve.internal/x",
        "pve.internal%2f",
        "pve.internal#",
        "",
    ]
    .iter()
    .map(|authority| json!({"authority": authority, "path": VERSION}))
    .collect();
    for scheme in ["http", "HTTP", "ws", "wss", "ftp", "file", "unix", "https+insecure", "httpss"] {
        attacks.push(json!({"scheme": scheme, "path": VERSION}));
    }
    stage.all_refused(attacks).await;
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn dots_slashes_and_encodings_in_paths() {
    let stage = Stage::open().await;
    stage
        .all_refused(gets([
            "/api2/json/../extjs/version",
            "/api2/json/nodes/pve1/../../version",
            "/api2/json/./version",
            "/api2/json//version",
            "//api2/json/version",
            "/api2/json/version/",
            "/api2/json/nodes/%2e%2e/version",
            "/api2/json/nodes/pve1/qemu/%2e/config",
            "/api2/json/nodes/pve1/qemu/101/snapshot/%2e%2e/config",
            "/api2/json/nodes%2fpve1%2fqemu",
            "/api2/json/nodes/pve1%2Fqemu%2F101%2Fconfig",
            "/api2/json/nodes/pve1%5cqemu/qemu",
            "/api2/json/nodes/pve1%00/qemu",
            "/api2/json/version%00",
            "/api2/json/nodes/pve1%252fqemu/qemu",
            "/api2/json/%2576ersion",
            "/api2/json/%76ersion",
            "/api2/json/nodes/pve1%0d%0aX-Evil:%201/qemu",
            "/api2/json/nodes/pve1%c0%ae/qemu",
            "/api2/json/nodes/pve1%/qemu",
            "/api2/json/version\\x",
            "/api2/json/nodes/localhost/qemu/101/config",
            "/api2/json/nodes/pve1;x/qemu",
            "/api2/json/nodes/pve1/qemu/0101/config",
            "/api2/json/nodes/pve1/qemu/101%20/config",
            "*",
            "https://evil.example/api2/json/version",
            "api2/json/version",
        ]))
        .await;
}

#[tokio::test]
async fn line_breaks_in_paths() {
    let stage = Stage::open().await;
    stage
        .all_refused(gets([
            "/api2/json/version\r\nX-Evil: 1",
            "/api2/json/version HTTP/1.1\r\nHost: evil.example\r\n\r\nGET /api2/json/version",
            "/api2/json/version\n",
            "/api2/json/version\u{0}",
            "/api2/json/ver\tsion",
            "/api2/json/version?x=1\r\ny: 2",
        ]))
        .await;
}

#[tokio::test]
async fn other_formatters_and_places_of_the_server() {
    let stage = Stage::open().await;
    stage
        .all_refused(gets([
            "/api2/extjs/version",
            "/api2/html/version",
            "/api2/text/version",
            "/api2/spiceconfig/version",
            "/api2/JSON/version",
            "/api2/png/nodes/pve1/rrd?ds=cpu&timeframe=hour",
            "/api2/json",
            "/api2/",
            "/",
            "/pve2/js/pvemanagerlib.js",
            "/novnc/app.js",
            "/api2/json/nosuch",
            "/api2/json/nodes/pve1/qemu/101/config/x",
        ]))
        .await;
}

#[tokio::test]
async fn other_verbs() {
    let stage = Stage::open().await;
    let verbs =
        ["HEAD", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "Get", "GETT", "PURGE", "G%45T", "PRI"];
    let mut attacks: Vec<Value> = verbs.iter().map(|verb| json!({"verb": verb, "path": VERSION})).collect();
    for verb in ["GET /api2/json/nodes HTTP/1.1\r\nX:", "GET\r\n", "GET ", ""] {
        attacks.push(json!({"verb": verb, "path": VERSION}));
    }
    attacks.push(json!({"verb": "post", "path": START_101}));
    attacks.push(json!({"verb": "POST", "path": VERSION}));
    attacks.push(json!({"verb": "GET", "path": START_101}));
    stage.all_refused(attacks).await;
}

#[tokio::test]
async fn parameters_that_contradict_the_path() {
    let stage = Stage::open().await;
    const CONFIG_101: &str = "/api2/json/nodes/pve1/qemu/101/config";
    let form = json!([["content-type", "application/x-www-form-urlencoded"]]);
    let typed = |path: &str, kind: &str, body: &str| json!({"verb": "POST", "path": path, "headers": [["content-type", kind]], "body": body});
    let post = |path: &str, body: &str| json!({"verb": "POST", "path": path, "headers": form, "body": body});
    let query = |text: &str| json!({"verb": "POST", "path": format!("{START_101}?{text}")});
    stage
        .all_refused(vec![
            query("vmid=102"),
            query("node=pve2"),
            query("vmid=101"),
            query("%76mid=102"),
            query("timeout=1&timeout=2"),
            query("timeout=1;vmid=102"),
            query("nosuch=1"),
            post(START_101, "vmid=102"),
            post(START_101, "node=pve2"),
            post(START_101, "timeout=1&timeout=2"),
            post(&format!("{START_101}?timeout=1"), "timeout=2"),
            post(START_101, "timeout=1\r\n\r\nPOST /api2/json/version HTTP/1.1"),
            typed(START_101, "application/json", r#"{"vmid": 102}"#),
            typed(START_101, "application/json", r#"{"timeout": 1, "timeout": 2}"#),
            typed(START_101, "application/json", r#"{"timeout": {"x": 1}}"#),
            typed(START_101, "text/plain", "timeout=1"),
            typed(START_101, "multipart/form-data; boundary=x", "--x--"),
            typed(START_101, "application/json, application/x-www-form-urlencoded", "timeout=1"),
            json!({"verb": "GET", "path": VERSION, "body": "x=1", "headers": form}),
            json!({"verb": "GET", "path": CONFIG_101, "body": "current=1", "headers": form}),
            json!({"verb": "GET", "path": format!("{CONFIG_101}?vmid=102")}),
            json!({"verb": "DELETE", "path": "/api2/json/nodes/pve1/qemu/101", "body": "vmid=102", "headers": form}),
        ])
        .await;
}

#[tokio::test]
async fn no_header_of_the_component_leaves() {
    let stage = Stage::open().await;
    stage.still_works().await;
    stage.requests(vec![json!({"path": VERSION})]).await;
    let plain = stage.sim.requests().remove(0).headers;
    let names = [
        ("host", "evil.example"),
        ("authorization", "PVEAPIToken=evil@pve!x=00000000-0000-4000-8000-000000000000"),
        ("cookie", "PVEAuthCookie=PVE:root@pam:x"),
        ("proxy-authorization", "Basic eDp4"),
        ("csrfpreventiontoken", "x"),
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
        ("x-method-override", "DELETE"),
        ("x-original-url", "/api2/json/nodes"),
        ("x-rewrite-url", "/api2/json/nodes"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=127.0.0.1"),
        ("pvedisableproxy", "true"),
        ("pveclientip", "127.0.0.1"),
        ("user-agent", "evil"),
        ("accept-encoding", "gzip"),
        ("transfer-encoding", "chunked"),
        ("transfer-encoding", "gzip, chunked"),
        ("content-length", "0"),
        ("content-length", "5"),
        ("connection", "upgrade"),
        ("connection", "close, authorization"),
        ("upgrade", "websocket"),
        ("expect", "100-continue"),
        ("te", "trailers"),
        ("trailer", "authorization"),
        ("range", "bytes=0-1"),
        ("x-evil", "1\r\nAuthorization: x"),
        ("x-evil\r\nauthorization", "x"),
        ("x evil", "1"),
        (":authority", "evil.example"),
        ("", "x"),
    ];
    let attack = |(name, value): &(&str, &str)| json!({"path": VERSION, "headers": [[name, value]]});
    stage.sim.clear_requests();
    let outcomes = stage.requests(names.iter().map(attack).collect()).await;
    let arrived = stage.sim.requests();
    assert!(arrived.len() >= 5, "only {} passed: {outcomes:?}", arrived.len());
    for request in arrived {
        assert_eq!((request.verb.as_str(), request.path.as_str()), ("GET", VERSION));
        assert_eq!(request.headers, plain, "a header of the component left");
    }
    for ((name, _), outcome) in names.iter().zip(&outcomes) {
        let own = ["authorization", "cookie", "proxy-authorization"];
        assert!(!own.contains(name) || outcome["stopped"] == "headers", "{name}: {outcome}");
    }
    stage.still_works().await;
}

#[tokio::test]
async fn lengths_that_are_not_the_bodys() {
    let stage = Stage::open().await;
    let post = |length: &str, body: &str| {
        let headers =
            json!([["content-type", "application/x-www-form-urlencoded"], ["content-length", length]]);
        json!({"verb": "POST", "path": START_101, "headers": headers, "body": body})
    };
    let smuggled = "timeout=1&x=POST /api2/json/nodes/pve1/qemu/102/status/start";
    stage
        .all_refused(vec![
            post("9", smuggled),
            post("0", "timeout=1"),
            post("500", "timeout=1"),
            post("-1", ""),
            post("9, 9", "timeout=1"),
        ])
        .await;
}

#[tokio::test]
async fn bodies_beyond_the_limit() {
    let stage = Stage::open().await;
    let post = |bytes: u64| {
        let headers = json!([["content-type", "application/x-www-form-urlencoded"]]);
        json!({"verb": "POST", "path": START_101, "headers": headers, "body_bytes": bytes})
    };
    stage.sim.clear_requests();
    let outcomes = stage.requests(vec![post(600 << 10), post(64 << 20), post(u64::MAX)]).await;
    for outcome in outcomes {
        assert!(outcome["error"].as_str().unwrap().contains("BodySize"), "{outcome}");
        assert!(outcome["wrote"].as_u64().unwrap() < 2 << 20, "the host took {}", outcome["wrote"]);
    }
    assert_eq!(stage.arrived(), Vec::<String>::new());
    stage.still_works().await;
}

#[tokio::test]
async fn what_is_sent_is_written_anew() {
    let stage = Stage::open().await;
    stage.sim.clear_requests();
    let json = json!([["content-type", "application/json"]]);
    let sent = vec![
        json!({"path": "/api2/json/nodes/pve%31/qemu/%3101/config?snap%73hot=a%62c&current=0"}),
        json!({"verb": "POST", "path": START_101, "headers": json, "body": r#"{"timeout": 3}"#}),
        json!({"path": "/api2/json/version#/../nodes?x=1"}),
    ];
    stage.requests(sent).await;
    let arrived = stage.arrived();
    let read = "GET /api2/json/nodes/pve1/qemu/101/config?current=0&snapshot=abc";
    assert_eq!(arrived, [read, &format!("POST {START_101}"), &format!("GET {VERSION}")]);
    assert_eq!(stage.sim.requests()[1].body, b"timeout=3");
}
