//! How the server behaves on the wire, and what faults do to a client.

use std::time::{Duration, Instant};

use proxmox_sim::{Fault, FaultKind, Options, Sim};

use crate::support::{Answer, Connection, request};

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

fn get(sim: &Sim, path: &str) -> Answer {
    Connection::open(sim).exchange(&request(&sim.token().header(), "GET", path, "")).expect("an answer")
}

/// Sends a request on a connection of its own; `None` where no whole answer came back.
fn attempt(sim: &Sim, verb: &str, path: &str) -> Option<Answer> {
    Connection::open(sim).exchange(&request(&sim.token().header(), verb, path, ""))
}

#[test]
fn a_connection_serves_a_hundred_requests_and_an_error_closes_it() {
    let sim = sim();
    let version = request(&sim.token().header(), "GET", "/version", "");
    let mut connection = Connection::open(&sim);
    for served in 1..=100 {
        let answer = connection.exchange(&version).unwrap_or_else(|| panic!("answer {served}"));
        let expected = if served < 100 { "Keep-Alive" } else { "close" };
        assert_eq!(answer.header("Connection"), Some(expected), "{served}");
    }
    assert!(connection.exchange(&version).is_none());
    let mut connection = Connection::open(&sim);
    let unknown = request(&sim.token().header(), "GET", "/nosuch", "");
    assert_eq!(connection.exchange(&unknown).unwrap().status, 501);
    assert!(connection.exchange(&version).is_none());
    let numbers: Vec<u64> = sim.requests().iter().map(|r| r.connection).collect();
    assert_eq!((numbers[0], numbers[99], numbers[100]), (1, 1, 2));
}

#[test]
fn an_idle_connection_is_closed_after_five_seconds() {
    let sim = sim();
    let version = request(&sim.token().header(), "GET", "/version", "");
    let mut connection = Connection::open(&sim);
    assert!(connection.exchange(&version).is_some());
    std::thread::sleep(Duration::from_millis(5_500));
    assert!(connection.exchange(&version).is_none());
}

#[test]
fn a_chunked_body_is_refused() {
    let sim = sim();
    let header = sim.token().header();
    let text = format!(
        "POST /api2/json/nodes/pve1/qemu/101/status/start HTTP/1.1\r\nHost: x\r\nAuthorization: {header}\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    let answer = Answer::parse(&Connection::open(&sim).until_closed(text.as_bytes()));
    assert_eq!((answer.status, answer.header("Content-Type")), (501, None));
}

#[test]
fn a_refused_login_waits_and_says_nothing_in_its_body() {
    let sim = Sim::start(Options { auth_delay: Duration::from_millis(300), ..Options::instant() }).unwrap();
    let start = Instant::now();
    let bytes = request("PVEAPIToken=root@pam!mcp=wrong", "GET", "/version", "");
    let answer = Answer::parse(&Connection::open(&sim).until_closed(&bytes));
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!((answer.status, answer.reason.as_str()), (401, "Authentication failed!"));
    assert!(answer.body.is_empty() && answer.header("Content-Type").is_none());
}

#[test]
fn a_token_may_do_what_its_acl_says_and_no_more() {
    let sim = sim();
    let token = sim.add_token("agent@pve", "t", &[("/vms/101", "VM.PowerMgmt"), ("/vms/101", "VM.Audit")]);
    let send = |verb: &str, path: &str| {
        let bytes = request(&token.header(), verb, path, "");
        Connection::open(&sim).exchange(&bytes).unwrap()
    };
    assert_eq!(send("POST", "/nodes/pve1/qemu/101/status/stop").status, 200);
    let refused = send("POST", "/nodes/pve1/qemu/100/status/stop");
    assert_eq!(refused.reason, "Permission check failed (/vms/100, VM.PowerMgmt)");
    let refused = send("POST", "/nodes/pve1/qemu/101/agent/exec");
    assert_eq!(refused.reason, "Permission check failed (/vms/101, VM.GuestAgent.Unrestricted)");
    let rows = send("GET", "/cluster/resources?type=vm").json();
    let ids: Vec<&str> = rows["data"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["qemu/101"]);
    assert_eq!(send("GET", "/cluster/status").status, 403);
}

#[test]
fn an_offline_node_keeps_its_guests_last_word_for_five_minutes() {
    let sim = sim();
    let of = |path: &str, id: &str| {
        let rows = get(&sim, path).json();
        rows["data"].as_array().unwrap().iter().find(|r| r["id"] == id).cloned().unwrap()
    };
    assert_eq!(of("/cluster/resources", "qemu/103")["status"], "running");
    sim.fault(Fault::always("", FaultKind::NodeDown("pve2".into())));
    assert_eq!(of("/nodes", "node/pve2")["status"], "offline");
    assert_eq!(of("/cluster/resources", "qemu/103")["status"], "running");
    assert_eq!(get(&sim, "/nodes/pve2/status").reason, "No route to host");
    sim.with_world(|world| world.skip(Duration::from_secs(301)));
    let forgotten = of("/cluster/resources", "qemu/103");
    assert_eq!((&forgotten["status"], &forgotten["name"]), (&"unknown".into(), &serde_json::Value::Null));
    sim.clear_faults();
    assert_eq!(of("/cluster/resources", "qemu/103")["status"], "running");
}

#[test]
fn lists_lag_behind_and_the_status_does_not() {
    let refresh = Duration::from_secs(600);
    let sim = Sim::start(Options { refresh, ..Options::instant() }).unwrap();
    let listed = || {
        let rows = get(&sim, "/cluster/resources?type=vm").json();
        rows["data"].as_array().unwrap().iter().find(|r| r["vmid"] == 101).unwrap()["status"].clone()
    };
    assert_eq!(listed(), "running");
    assert_eq!(attempt(&sim, "POST", "/nodes/pve1/qemu/101/status/stop").unwrap().status, 200);
    assert_eq!(get(&sim, "/nodes/pve1/qemu/101/status/current").json()["data"]["status"], "stopped");
    assert_eq!(listed(), "running");
    sim.with_world(|world| world.skip(refresh));
    assert_eq!(listed(), "stopped");
}

#[test]
fn which_guests_there_are_is_known_at_once() {
    let sim = Sim::start(Options { refresh: Duration::from_secs(600), ..Options::instant() }).unwrap();
    let listed = |vmid: u32| {
        let rows = get(&sim, "/cluster/resources?type=vm").json();
        rows["data"].as_array().unwrap().iter().find(|r| r["vmid"] == vmid).cloned()
    };
    assert_eq!(listed(900), None);
    sim.answer("POST", "/api2/json/nodes/pve1/qemu", Some("vmid=900&name=new"));
    let new = listed(900).unwrap();
    assert_eq!((&new["node"], &new["status"]), (&"pve1".into(), &"unknown".into()));
    sim.answer("DELETE", "/api2/json/nodes/pve1/qemu/900", None);
    assert_eq!(listed(900), None);
}

#[test]
fn faults_spoil_answers_in_their_ways() {
    let sim = sim();
    let spoiled = |kind: FaultKind| {
        sim.fault(Fault::once("/version", kind));
        attempt(&sim, "GET", "/version")
    };
    assert!(spoiled(FaultKind::DropConnection).is_none());
    assert!(spoiled(FaultKind::CutBody).is_none());
    assert!(spoiled(FaultKind::LoseAnswer).is_none());
    let status = spoiled(FaultKind::Status(500, "out of luck".into())).unwrap();
    assert_eq!((status.status, status.json()["message"].as_str()), (500, Some("out of luck\n")));
    assert!(spoiled(FaultKind::NotJson).unwrap().body.starts_with(b"<html>"));
    assert!(spoiled(FaultKind::Huge(1 << 20)).unwrap().body.len() > 1 << 20);
    let start = Instant::now();
    assert_eq!(spoiled(FaultKind::Slow(Duration::from_millis(200))).unwrap().status, 200);
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(get(&sim, "/version").status, 200);
}

#[test]
fn a_lost_answer_is_one_whose_request_took_effect() {
    let sim = sim();
    let running = || sim.with_world(|world| world.guests[&101].running);
    sim.fault(Fault::once("/nodes/*/status/stop", FaultKind::DropConnection));
    assert!(attempt(&sim, "POST", "/nodes/pve1/qemu/101/status/stop").is_none());
    assert!(running());
    sim.fault(Fault::once("/nodes/*/status/stop", FaultKind::LoseAnswer));
    assert!(attempt(&sim, "POST", "/nodes/pve1/qemu/101/status/stop").is_none());
    assert!(!running());
}

#[test]
fn tasks_take_time_fail_and_can_be_stopped() {
    let sim = Sim::start(Options { task_seconds: 600.0, ..Options::instant() }).unwrap();
    let start = |path: &str| {
        let answer = attempt(&sim, "POST", path).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.reason);
        answer.json()["data"].as_str().unwrap().to_owned()
    };
    let status = |upid: &str| get(&sim, &format!("/nodes/pve1/tasks/{upid}/status")).json()["data"].clone();
    let first = start("/nodes/pve1/qemu/101/status/shutdown");
    assert_eq!((&status(&first)["status"], status(&first).get("exitstatus")), (&"running".into(), None));
    assert_eq!(attempt(&sim, "DELETE", &format!("/nodes/pve1/tasks/{first}")).unwrap().status, 200);
    assert_eq!(status(&first)["exitstatus"], "received interrupt");
    let second = start("/nodes/pve1/qemu/101/status/start");
    sim.with_world(|world| world.skip(Duration::from_secs(3600)));
    assert_eq!(status(&second)["exitstatus"], "VM 101 already running");
}

#[test]
fn a_large_cluster_is_built_and_listed() {
    let sim = Sim::start(Options { nodes: 32, guests: 20_000, ..Options::instant() }).unwrap();
    let rows = get(&sim, "/cluster/resources?type=vm").json();
    assert_eq!(rows["data"].as_array().unwrap().len(), 20_000);
}
