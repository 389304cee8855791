//! Files, sockets, environment, standard streams: an instance has none.

use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::stage::{Stage, engine};

fn none_reached(tried: &Value) {
    let tried = tried.as_array().unwrap();
    assert!(!tried.is_empty());
    for outcome in tried {
        assert!(outcome["error"].is_string(), "{outcome} in {tried:?}");
    }
}

#[tokio::test]
async fn no_files() {
    let stage = Stage::open().await;
    let folder = std::env::temp_dir().join(format!("hostile-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("secret");
    std::fs::write(&file, "secret").unwrap();
    let paths = [
        file.to_str().unwrap(),
        folder.to_str().unwrap(),
        "/",
        ".",
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/stdin",
        "",
    ];
    let seen = stage.seen("all", json!({"do": "files", "paths": paths})).await;
    assert_eq!(seen["preopened"], 0);
    none_reached(&seen["tried"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "secret");
    std::fs::remove_dir_all(&folder).unwrap();
    stage.still_works().await;
}

#[tokio::test]
async fn no_sockets() {
    let stage = Stage::open().await;
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    tcp.set_nonblocking(true).unwrap();
    let udp = UdpSocket::bind(tcp.local_addr().unwrap()).unwrap();
    udp.set_nonblocking(true).unwrap();
    for address in [tcp.local_addr().unwrap(), stage.sim.addr()] {
        let seen = stage.seen("all", json!({"do": "sockets", "address": address.to_string()})).await;
        none_reached(&seen["tried"]);
        none_reached(&seen["raw"]);
        none_reached(&seen["names"]);
    }
    assert!(tcp.accept().is_err(), "somebody connected");
    assert!(udp.recv(&mut [0; 8]).is_err(), "something was sent");
    assert_eq!(stage.arrived(), Vec::<String>::new());
    stage.still_works().await;
}

/// The place of an instance is used again, and its first pages stay: wiped.
#[tokio::test]
async fn nothing_is_left_in_memory_for_the_next_call() {
    let stage = Stage::open().await;
    for _ in 0..4 {
        let left = stage.seen("all", json!({"do": "marks", "leave": true})).await;
        assert!(left["found"].as_u64().unwrap() >= 64 << 10, "{left}");
        let found = stage.seen("all", json!({"do": "marks", "leave": false})).await;
        assert!(found["found"].as_u64().unwrap() < 16, "{found}");
    }
}

#[test]
fn no_environment() {
    let mut child = alone("surroundings::looks_around_in_a_process_of_its_own")
        .env("PROXMOX_TOKEN_VALUE", "secret")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"secret").unwrap();
    let output = child.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
}

#[tokio::test]
#[ignore = "run by the test above, with something on its input"]
async fn looks_around_in_a_process_of_its_own() {
    let stage = Stage::open().await;
    let seen = stage.seen("all", json!({"do": "environment"})).await;
    assert_eq!(seen["variables"], 0);
    assert_eq!(seen["arguments"], 0);
    assert_eq!(seen["input"], 0);
    assert_eq!(seen["folder"], Value::Null);
    assert!(seen["seconds"].as_u64().unwrap() > 1_600_000_000, "the time of day is no secret");
}

/// One of the tests here, alone in a process.
fn alone(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command
}

/// MCP is spoken on standard output: one stray line would be a message of the attacker's.
#[test]
fn nothing_that_is_printed_leaves_the_instance() {
    let output = alone("surroundings::prints_in_a_process_of_its_own").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(all.contains("1 passed"), "{all}");
    assert!(all.len() < 4_000 && !all.contains("HOSTILE-OUTPUT") && !all.contains("on purpose"), "{all}");
}

#[tokio::test]
#[ignore = "run by the test above, which reads its output"]
async fn prints_in_a_process_of_its_own() {
    let stage = Stage::with(engine(), proxmox_gate::Walls::default()).await;
    let seen = stage.seen("all", json!({"do": "print", "bytes": 8 << 20})).await;
    assert!(seen["wrote"].as_u64().unwrap() >= 8 << 20, "{seen}");
    stage.fails(json!({"do": "end", "how": "panic"}), "defect").await;
}
