//! Who gets in: tokens, names, origins, certificates, sessions.

use std::io::Write;
use std::sync::Arc;

use proxmox_sim::{Options, Sim};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;

use super::client::{Ask, Reply, Served, Session};
use super::team::Team;
use crate::approvals::{retry, yes};
use crate::harness::{arrived, binary, is_error, run, stateless_meta, text};

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

#[test]
fn without_a_token_nobody_gets_in() {
    let sim = sim();
    let team = Team::of(&[("alice", "-")]);
    let server = team.serve(&sim, &[]);
    let ask = Ask::call("proxmox_get_nodes", json!({}));
    let alice = team.token("alice");
    let digest = team.line("alice").rsplit(':').next().unwrap().to_owned();
    for (ask, challenge) in [
        (ask.clone(), ""),
        (ask.clone().by("pmcp_0000"), "invalid_token"),
        (ask.clone().by(""), "invalid_token"),
        (ask.clone().by(&digest), "invalid_token"),
        (ask.clone().by(&alice.to_uppercase()), "invalid_token"),
        (ask.clone().by(&alice[..alice.len() - 1]), "invalid_token"),
        (ask.clone().with("Authorization", alice), "invalid_token"),
        (ask.clone().with("Authorization", &format!("Basic {alice}")), "invalid_token"),
        (ask.clone().by(alice).and("Authorization", &format!("Bearer {alice}")), ""),
        (ask.clone().with("Cookie", &format!("token={alice}")), ""),
        (Ask { path: "/mcp?access_token=x", ..ask.clone() }, ""),
    ] {
        let reply = ask.send(&server);
        assert_eq!(reply.status, 401, "{reply:?}");
        let said = reply.header("www-authenticate").unwrap();
        assert!(said.starts_with("Bearer realm=") && said.contains(challenge), "{said}");
        assert_eq!(reply.header("connection"), Some("close"));
    }
    for method in ["GET", "DELETE", "OPTIONS", "PUT"] {
        assert_eq!(Ask { method, ..ask.clone() }.send(&server).status, 401, "{method}");
    }
    assert!(arrived(&sim).is_empty(), "{:?}", arrived(&sim));
    assert!(!is_error(&ask.by(alice).send(&server).result()));
}

#[test]
fn beside_the_endpoint_one_path_answers_and_says_nothing() {
    let sim = sim();
    let server = Team::of(&[("alice", "-")]).serve(&sim, &[]);
    let ask = |method, path| Ask { method, path, ..Ask::post(&json!(null)) }.send(&server);
    let health = ask("GET", "/healthz");
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    let paths =
        ["/", "/healthz/", "/healthz/x", "/mcp/", "/MCP", "/mcp/../healthz", "/metrics", "/sse", "//mcp"];
    for path in paths {
        let reply = ask("GET", path);
        assert_eq!(reply.status, 404, "{path}");
        assert!(
            !reply.body.contains("pve") && !reply.body.contains(path.trim_matches('/'))
                || reply.body.contains("/mcp")
        );
    }
    assert_eq!(ask("POST", "/healthz").status, 404);
    assert!(arrived(&sim).is_empty());
}

#[test]
fn a_web_page_cannot_call_by_way_of_the_browser() {
    let sim = sim();
    let server = Served::start(&sim, &["--http-origins", "https://app.example.com:443"]);
    let port = server.address.port();
    let ask = Ask::call("proxmox_get_nodes", json!({}));
    // A name that its owner moved to 127.0.0.1 is still that name in `Host`.
    for host in
        ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0"]
    {
        let reply = ask.clone().with("Host", host).send(&server);
        assert_eq!(reply.status, 403, "{host}: {reply:?}");
    }
    let other_port = format!("http://localhost:{}", port ^ 1);
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost",
        &other_port,
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "file://",
    ] {
        let reply = ask.clone().with("Origin", origin).send(&server);
        assert_eq!(reply.status, 403, "{origin}: {reply:?}");
    }
    assert!(arrived(&sim).is_empty());
    for (name, value) in [
        ("Host", format!("127.0.0.1:{port}")),
        ("Host", format!("[::1]:{port}")),
        ("Origin", format!("http://localhost:{port}")),
        ("Origin", "https://app.example.com".to_owned()),
    ] {
        assert_eq!(ask.clone().with(name, &value).send(&server).status, 200, "{name}: {value}");
    }
    let nameless = Ask::post(&json!({})).bytes();
    let nameless = String::from_utf8(nameless).unwrap().replace("Host: localhost\r\n", "");
    assert_eq!(server.raw(nameless.as_bytes()).status, 400);
}

#[test]
fn nothing_listens_to_the_network_without_tokens() {
    for arguments in [
        &["--http", "0.0.0.0:0"][..],
        &["--http", "0.0.0.0:0", "--http-hosts", "mcp.example.com"],
        &["--http", "[::]:0", "--http-hosts", "mcp.example.com"],
    ] {
        let output = run(binary().args(["--demo", "serve"]).args(arguments));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("proxmox-mcp token new") && said.contains("--http-tokens"), "{said}");
    }
    let output = run(binary().args(["--demo", "serve", "--http-tokens", "tokens"]));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--http 8080"));
    let output = run(binary().args(["--demo", "serve", "--http", "0", "--http-tokens", "/no/such/file"]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("/no/such/file"), "{said}");
}

#[test]
fn a_session_is_worth_nothing_to_another_token() {
    let sim = sim();
    let team = Team::of(&[("alice", "-"), ("bob", "-")]);
    let server = team.serve(&sim, &[]);
    let mut alices = Session::open(&server, Some(team.token("alice")), json!({}));
    let id = alices.id.clone();
    let list = alices.ask("tools/list", json!({}));
    assert_eq!(list.send(&server).status, 200);
    let bobs = |ask: &Ask| ask.clone().by(team.token("bob")).send(&server).status;
    assert_eq!(bobs(&list), 404);
    let stream = Ask { method: "GET", ..alices.message(&json!(null)) };
    assert_eq!(bobs(&stream.with("Last-Event-ID", "0")), 404);
    let call = json!({"name": "proxmox_get_nodes", "arguments": {}});
    assert_eq!(bobs(&alices.ask("tools/call", call)), 404);
    bobs(&Ask { method: "DELETE", ..alices.message(&json!(null)) });
    assert_eq!(arrived(&sim).len(), 0);
    // It is as it was, and hers.
    assert_eq!(alices.id, id);
    assert!(!is_error(&alices.call("proxmox_get_nodes", json!({}))));
}

#[test]
fn a_question_put_to_one_is_not_answered_by_another() {
    let sim = sim();
    let team = Team::of(&[("alice", "-"), ("bob", "-")]);
    let server = team.serve(&sim, &["--ask", "VM.PowerMgmt@/vms/101"]);
    let call = |more: serde_json::Value| {
        let mut params =
            json!({"name": "proxmox_shutdown_vm", "arguments": {"vmid": 101}, "_meta": stateless_meta()});
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {"form": {}}});
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        Ask::modern("tools/call", params)
    };
    let asked = call(json!({})).by(team.token("alice")).send(&server).result();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let answered = call(retry(&asked, yes()));
    let bobs = answered.clone().by(team.token("bob")).send(&server).result();
    assert!(is_error(&bobs) && text(&bobs).contains("not given out by this server"), "{bobs}");
    let changes = || arrived(&sim).into_iter().filter(|line| !line.starts_with("GET")).count();
    assert_eq!(changes(), 0);
    let hers = answered.by(team.token("alice")).send(&server).result();
    assert!(!is_error(&hers) && changes() == 1, "{hers}");
}

#[test]
fn https_shows_the_operators_certificate_and_speaks_nothing_else() {
    let sim = sim();
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let paths = [certificate.to_str().unwrap(), key.to_str().unwrap()];
    let server = Served::start(&sim, &["--http-cert", paths[0], "--http-key", paths[1]]);
    assert!(server.log().contains("https://127.0.0.1"), "{}", server.log());

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, server.connect());
    stream.write_all(&Ask::call("proxmox_get_nodes", json!({})).bytes()).unwrap();
    assert!(text(&Reply::read(stream).result()).contains("pve1"));

    // Without TLS there is no answer in HTTP.
    let mut plain = server.connect();
    plain.write_all(&Ask::call("proxmox_get_nodes", json!({})).bytes()).unwrap();
    let mut heard = Vec::new();
    let _ = std::io::Read::read_to_end(&mut plain, &mut heard);
    assert!(!heard.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&heard));

    let output = run(binary().args([
        "--demo",
        "serve",
        "--http",
        "0",
        "--http-cert",
        paths[0],
        "--http-key",
        paths[0],
    ]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("PROXMOX_HTTP_KEY"), "{said}");
}
