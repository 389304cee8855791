use proxmox_gate::Grants;
use serde_json::{Value, json};

use super::{MODERN, Still, modern, rights, slow};
use crate::door::Caller;
use crate::server::Server;
use crate::server::http::{Answer, Head, Keys, Served, follow, serve};
use crate::testing::Demo;

const TOKEN: &str = "0123456789abcdef0123";

fn keys(pairs: &[(&str, &str)]) -> Result<Keys, String> {
    let pairs: Vec<(&str, &str)> = pairs.iter().copied().chain([("MCP_HTTP_TOKEN", TOKEN)]).collect();
    Keys::read(&|name| {
        let found = pairs.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

/// What becomes of a request up to its body: 0 where it goes on.
fn admitted(keys: &Keys, method: &str, path: &str, authority: &str, headers: &[(&str, &str)]) -> u16 {
    let header = |name: &str| {
        let found = headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let head = Head { method, path, authority: Some(authority), header: &header };
    keys.admit(&head).err().map_or(0, |answer| answer.status)
}

const BEARER: (&str, &str) = ("authorization", "Bearer 0123456789abcdef0123");
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

#[test]
fn nobody_is_let_in_without_the_token() {
    let keys = keys(&[]).unwrap();
    let post = |headers: &[(&str, &str)]| admitted(&keys, "POST", "/mcp", "localhost:8080", headers);
    assert_eq!(post(&[BEARER, JSON]), 0);
    assert_eq!(post(&[("authorization", "bearer 0123456789abcdef0123"), JSON]), 0);
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer 0123456789abcdef012",
        "Bearer 0123456789abcdef01234",
        "Bearer 0123456789abcdef0124",
        "Basic 0123456789abcdef0123",
        "0123456789abcdef0123",
    ] {
        assert_eq!(post(&[("authorization", wrong), JSON]), 401, "{wrong}");
    }
    assert_eq!(post(&[JSON]), 401);
    let open = Keys::read(&|_| None).unwrap();
    assert_eq!(admitted(&open, "POST", "/mcp", "localhost", &[BEARER, JSON]), 403, "no token lets nobody in");
    assert!(Keys::read(&|_| Some("short".to_owned())).unwrap_err().contains("easy to guess"));
}

#[test]
fn only_the_right_verb_place_and_kind() {
    let keys = keys(&[]).unwrap();
    let at = |method: &str, path: &str, headers: &[(&str, &str)]| admitted(&keys, method, path, "x", headers);
    assert_eq!(at("GET", "/healthz", &[]), 200);
    assert_eq!(at("POST", "/mcp?x=1", &[BEARER, JSON]), 0);
    for method in ["GET", "DELETE", "other"] {
        assert_eq!(at(method, "/mcp", &[BEARER, JSON]), 405, "{method}");
    }
    for path in ["/", "/mcp/", "/healthz/x", "/mcpx"] {
        assert_eq!(at("POST", path, &[BEARER, JSON]), 404, "{path}");
    }
    for kind in ["text/plain", "", "application/jsonx"] {
        assert_eq!(at("POST", "/mcp", &[BEARER, ("content-type", kind)]), 415, "{kind}");
    }
}

#[test]
fn a_page_of_a_foreign_place_may_not_call() {
    let usual = keys(&[]).unwrap();
    let from = |keys: &Keys, origin: &str, host: &str| {
        admitted(keys, "POST", "/mcp", host, &[BEARER, JSON, ("origin", origin)])
    };
    for origin in ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:9", "HTTP://LOCALHOST"] {
        assert_eq!(from(&usual, origin, "any"), 0, "{origin}");
    }
    for origin in
        ["https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1.evil.example:80"]
    {
        assert_eq!(from(&usual, origin, "localhost"), 403, "{origin}");
    }
    let named =
        keys(&[("MCP_HTTP_ORIGINS", "https://chat.example"), ("MCP_HTTP_HOSTS", "mcp.example, [::1]")])
            .unwrap();
    for (origin, host, status) in [
        ("https://chat.example", "mcp.example:8080", 0),
        ("https://chat.example", "[::1]:8080", 0),
        ("https://chat.example", "rebound.example", 403),
        ("https://evil.example", "mcp.example", 403),
    ] {
        assert_eq!(from(&named, origin, host), status, "{origin} {host}");
    }
}

/// Posts a message with these headers, follows it to its end, and gives status and body.
fn post(demo: &Demo, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let (clock, rights) = (Still::new(), rights(Grants::elevated()));
    let server = Server::new(Caller::new(demo, Some(&rights)), &clock);
    let header = |name: &str| {
        let found = headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let head = Head { method: "POST", path: "/mcp", authority: None, header: &header };
    let Answer { status, body, .. } = match serve(&server, &head, body.as_bytes()) {
        Served::Over(answer) => answer,
        Served::Waits(id, waiting) => {
            let response = follow(&server, &id, waiting, &mut |_| true).expect("a response");
            Answer::message(200, &response)
        }
    };
    (status, serde_json::from_str(&body).unwrap_or_default())
}

fn message(method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string()
}

#[test]
fn older_clients_need_no_session() {
    let demo = Demo::new();
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {}});
    let (status, body) = post(&demo, &[], &message("initialize", hello));
    assert_eq!((status, body["result"]["protocolVersion"].as_str()), (200, Some("2025-06-18")));
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(post(&demo, &[], initialized), (202, Value::Null));
    let version = ("mcp-protocol-version", "2025-06-18");
    assert!(post(&demo, &[version], &message("tools/list", json!({}))).1["result"]["tools"].is_array());
    let (status, body) = post(&demo, &[version], &message("nope", json!({})));
    assert_eq!((status, body["error"]["code"].as_i64()), (200, Some(-32601)));
    let (status, body) = post(&demo, &[("mcp-protocol-version", "1999-01-01")], &message("ping", json!({})));
    assert_eq!((status, body["error"]["code"].as_i64(), &body["id"]), (400, Some(-32022), &json!(7)));
    assert_eq!(post(&demo, &[], "{").1["error"]["code"], -32700);
    let call = json!({"name": "proxmox_power", "arguments": {"vmid": 101, "action": "shutdown"}});
    let (status, body) = post(&demo, &[version], &message("tools/call", call));
    assert_eq!((status, &body["result"]["structuredContent"]["finished"]), (200, &json!(true)), "{body}");
}

#[test]
fn batches_are_taken_from_those_who_may_send_them() {
    let demo = Demo::new();
    let call = json!({"name": "proxmox_power", "arguments": {"vmid": 101, "action": "shutdown"}});
    let batch = format!("[{},7,{}]", message("ping", json!({})), message("tools/call", call));
    let (status, body) = post(&demo, &[], &batch);
    assert_eq!((status, body.as_array().map(Vec::len)), (200, Some(3)));
    let (status, body) = post(&demo, &[("mcp-protocol-version", "2025-11-25")], &batch);
    assert_eq!((status, body["error"]["code"].as_i64()), (400, Some(-32600)));
    assert_eq!(post(&demo, &[], "[]").0, 400);
}

#[test]
fn newer_clients_say_all_in_each_request_and_headers_may_not_differ() {
    let demo = Demo::new();
    let call = message("tools/call", modern(json!({"name": "proxmox_get_nodes"})));
    let version = ("mcp-protocol-version", MODERN.name());
    let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "proxmox_get_nodes"));
    let (status, body) = post(&demo, &[version, method, name], &call);
    assert_eq!((status, body["result"]["resultType"].as_str()), (200, Some("complete")), "{body}");
    let encoded = ("mcp-name", "=?base64?cHJveG1veF9nZXRfbm9kZXM=?=");
    assert_eq!(post(&demo, &[version, method, encoded], &call).0, 200);
    for headers in [
        &[version, method][..],
        &[version, name],
        &[method, name],
        &[("mcp-protocol-version", "2025-11-25"), method, name],
        &[version, method, ("mcp-name", "proxmox_delete")],
        &[version, ("mcp-method", "tools/list"), name],
        &[version, method, ("mcp-name", "=?base64?%%?=")],
    ] {
        let (status, body) = post(&demo, headers, &call);
        assert_eq!((status, body["error"]["code"].as_i64()), (400, Some(-32020)), "{headers:?}");
    }
    let at = |method: &str, params: Value| {
        post(&demo, &[version, ("mcp-method", method)], &message(method, params))
    };
    assert_eq!(at("server/discover", modern(json!({}))).0, 200);
    assert_eq!(at("nope", modern(json!({}))).0, 404);
    assert_eq!(at("ping", modern(json!({}))).0, 404);
    let (status, body) = at("tools/list", json!({}));
    assert_eq!(
        (status, body["error"]["code"].as_i64()),
        (400, Some(-32602)),
        "the revision has to be in the message"
    );
}

#[test]
fn a_call_is_given_up_when_nobody_is_there() {
    let (demo, clock, rights) = (slow(), Still::new(), rights(Grants::elevated()));
    let server = Server::new(Caller::new(&demo, Some(&rights)), &clock);
    let call = json!({"name": "proxmox_power", "arguments": {"vmid": 101, "action": "shutdown"}, "_meta": {"progressToken": "p"}});
    let head = Head { method: "POST", path: "/mcp", authority: None, header: &|_| None };
    let Served::Waits(id, waiting) = serve(&server, &head, message("tools/call", call).as_bytes()) else {
        panic!("it does not wait")
    };
    let mut heard = Vec::new();
    let mut tell = |progress: Option<Value>| {
        heard.extend(progress);
        heard.len() < 3
    };
    assert_eq!(follow(&server, &id, waiting, &mut tell), None);
    assert_eq!(heard.len(), 3);
    assert_eq!(heard[0]["params"]["progressToken"], "p");
}
