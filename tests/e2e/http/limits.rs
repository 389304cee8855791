//! What one client can take of the server: bytes, time, connections, requests. And the end of it all.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use proxmox_sim::{Fault, FaultKind, Options, Sim};
use serde_json::json;

use super::client::{Ask, Reply, Served, Session};
use super::team::Team;
use crate::harness::{arrived, is_error, text};

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

/// That the server is there, and answers.
fn answers(server: &Served) -> bool {
    !is_error(&Ask::call("proxmox_get_nodes", json!({})).send(server).result())
}

#[test]
fn a_message_of_more_than_four_mebibytes_is_not_read() {
    let sim = sim();
    let server = Served::start(&sim, &[]);
    let ask = Ask::call("proxmox_get_nodes", json!({}));
    let head = String::from_utf8(ask.bytes()).unwrap();
    let head = head.split("Content-Length").next().unwrap();
    // Said in advance: refused before a byte of it came.
    let reply = server.raw(format!("{head}Content-Length: {}\r\n\r\n", (4 << 20) + 1).as_bytes());
    assert_eq!(reply.status, 413, "{reply:?}");
    // Not said: refused once it is too long.
    let mut stream = server.connect();
    write!(stream, "{head}Transfer-Encoding: chunked\r\n\r\n").unwrap();
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 16, " ".repeat(1 << 16));
    for _ in 0..65 {
        if stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    assert_eq!(Reply::read(stream).status, 413);
    // As long as allowed: read.
    let mut body = ask.body.clone();
    body.push_str(&" ".repeat((4 << 20) - body.len()));
    assert_eq!(Ask { body, ..ask }.send(&server).status, 200);
}

#[test]
fn heads_are_short() {
    let sim = sim();
    let server = Served::start(&sim, &[]);
    let ask = Ask::call("proxmox_get_nodes", json!({}));
    let long = ask.clone().with("X-Long", &"a".repeat(64 << 10)).send(&server);
    assert_eq!(long.status, 431, "{long:?}");
    let mut many = ask;
    for number in 0..80 {
        many = many.and(&format!("X-{number}"), "1");
    }
    assert_eq!(many.send(&server).status, 431);
    assert!(arrived(&sim).is_empty() && answers(&server));
}

/// What comes on a connection until it is closed.
fn until_closed(mut stream: std::net::TcpStream) -> String {
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
fn who_is_slow_to_ask_is_hung_up_on() {
    let sim = sim();
    let server = Served::start(&sim, &["--http-connections", "5"]);
    let ask = String::from_utf8(Ask::call("proxmox_get_nodes", json!({})).bytes()).unwrap();
    let (head, _) = ask.split_once("\r\n\r\n").unwrap();
    let silent = server.connect();
    let mut half = server.connect();
    half.write_all(&head.as_bytes()[..40]).unwrap();
    let mut bodyless = server.connect();
    write!(bodyless, "{head}\r\n\r\n{{\"jsonrpc\"").unwrap();
    // One that trickles: a byte now and then does not make the time begin anew.
    let mut trickle = server.connect();
    trickle.write_all(b"POST /mcp HTTP/1.1\r\n").unwrap();
    let mut writer = trickle.try_clone().unwrap();
    let trickling = std::thread::spawn(move || {
        let mut sent = 0;
        while sent < 600 && writer.write_all(b"a").is_ok() {
            sent += 1;
            std::thread::sleep(Duration::from_millis(100));
        }
        sent
    });
    let idle = server.connect();
    assert_eq!(until_closed(silent), "");
    assert!(!until_closed(half).contains(" 200 "));
    assert!(until_closed(bodyless).starts_with("HTTP/1.1 408"));
    until_closed(trickle);
    assert!(trickling.join().unwrap() < 600, "it was listened to for a minute");
    until_closed(idle);
    assert!(arrived(&sim).is_empty() && answers(&server));
}

#[test]
fn there_are_only_so_many_connections() {
    let sim = sim();
    let server = Served::start(&sim, &["--http-connections", "2"]);
    let held = [server.connect(), server.connect()];
    let mut third = server.connect();
    third.write_all(&Ask::call("proxmox_get_nodes", json!({})).bytes()).unwrap();
    third.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let heard = third.read(&mut [0; 16]);
    assert!(heard.is_err(), "it was answered: {heard:?}");
    // It has waited for its turn.
    drop(held);
    third.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert_eq!(Reply::read(third).status, 200);
}

#[test]
fn each_token_has_its_number_of_requests() {
    let sim = sim();
    let team = Team::of(&[("alice", "-"), ("bob", "-")]);
    let server = team.serve(&sim, &["--http-rate", "5"]);
    let ask = |token: &str| Ask::modern("tools/list", json!({})).by(token).send(&server);
    for _ in 0..5 {
        assert_eq!(ask(team.token("alice")).status, 200);
    }
    let refused = ask(team.token("alice"));
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=13).contains(&wait), "{wait}");
    assert_eq!(ask(team.token("bob")).status, 200, "it is hers alone");
    // And so have those without one, each address for itself.
    let strangers: Vec<u16> = (0..8).map(|_| ask("pmcp_unknown").status).collect();
    assert_eq!(strangers, [401, 401, 401, 401, 401, 429, 429, 429]);
    assert_eq!(ask(team.token("bob")).status, 200, "who has a token does not pay for them");
}

#[test]
fn a_token_has_so_many_sessions() {
    let sim = sim();
    let server = Served::start(&sim, &["--http-rate", "100000"]);
    let client = json!({"name": "e2e", "version": "1"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    let open = Ask::post(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}));
    let first = open.send(&server);
    for _ in 1..256 {
        assert_eq!(open.send(&server).status, 200);
    }
    assert_eq!(open.send(&server).status, 429);
    let id = first.header("mcp-session-id").unwrap();
    let end = Ask { method: "DELETE", ..open.clone() }.with("Mcp-Session-Id", id);
    assert_eq!(end.send(&server).status, 204);
    assert_eq!(open.send(&server).status, 200);
}

#[test]
fn at_the_end_calls_end_and_nothing_new_begins() {
    let sim = sim();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.log");
    let server = Served::start(&sim, &["--audit-log", log.to_str().unwrap(), "--log", "info"]);
    let idle = server.connect();
    let session = Session::open(&server, None, json!({}));
    let mut stream = Ask { method: "GET", ..session.message(&json!(null)) }.open(&server);
    assert_eq!(stream.status, 200);
    let listen = json!({"notifications": {"resourceSubscriptions": ["proxmox://guests"]}});
    let mut listening = Ask::modern("subscriptions/listen", listen).open(&server);
    assert_eq!(listening.next().unwrap()["method"], "notifications/subscriptions/acknowledged");
    sim.fault(Fault::always("/", FaultKind::Slow(Duration::from_secs(3))));
    let mut call = server.connect();
    call.write_all(&Ask::call("proxmox_get_nodes", json!({})).bytes()).unwrap();
    // Time for the call to be on its way; the cluster takes longer to answer.
    std::thread::sleep(Duration::from_millis(800));
    let address = server.address;
    let asked = Instant::now();
    server.signal("-TERM");
    // The call under way is answered, and the rest is closed.
    let answered = Reply::read(call).result();
    assert!(text(&answered).contains("pve1"), "{answered}");
    assert_eq!(stream.next(), None);
    // Who only listens is not waited for.
    while listening.next().is_some() {}
    assert_eq!(until_closed(idle), "");
    assert!(!is_taken(address), "nobody listens any more");
    server.has_said("the audit log ends");
    assert_eq!(server.end(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(15), "it took {:?}", asked.elapsed());
    let lines = crate::harness::json_lines(&std::fs::read(&log).unwrap());
    assert!(lines.iter().any(|line| line["event"] == "call" && line["outcome"] == "done"), "{lines:?}");
}

/// Whether somebody listens there.
#[expect(clippy::disallowed_methods, reason = "a test that plays a client")]
fn is_taken(address: std::net::SocketAddr) -> bool {
    std::net::TcpStream::connect(address).is_ok()
}
