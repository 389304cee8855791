//! The case files of the tools (`tests/tools/*.toml`), run natively: which requests a tool makes, whether it
//! fails, and that its data has the declared shape. The end-to-end tests run them again, behind the gate.
//!
//! `TOOL=proxmox_get_vms cargo test -p proxmox-mcp-component cases -- --nocapture` shows the answers.

use proxmox_sim::{Fault, FaultKind, Options, Release};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Demo, NOW_MS, validate};
use crate::catalogue::{self, Step};
use crate::cx::{Request, Response, SendError, Transport};
use crate::error::{Error, Kind};
use crate::tools;

#[derive(Deserialize)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    args: Map<String, Value>,
    #[serde(default)]
    offline: Vec<String>,
    #[serde(default)]
    fault: Vec<(String, u16, String)>,
    calls: Vec<String>,
    #[serde(default)]
    fails: bool,
}

/// The cases of each tool, or of the one that the variable `TOOL` names.
fn each(mut f: impl FnMut(&'static str, &crate::tool::Tool, &Case)) {
    let only = std::env::var("TOOL").ok();
    for (name, tool) in tools::ALL.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name))
    {
        let path = format!("{}/tests/tools/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        file.case.iter().for_each(|case| f(name, tool, case));
    }
}

#[test]
fn the_requests_of_every_case_are_those_of_its_file() {
    each(|name, tool, case| {
        let demo = cluster(case, Release::V9_2);
        let at = format!("{name}, {}", case.name);
        let result = finish(name, &demo, &arguments(case));
        match &result {
            Ok(output) => println!("== {at}\n{}\n--- {}\n", output.text, output.data),
            Err(error) => println!("== {at} FAILS\n{error}\n"),
        }
        assert_eq!(result.is_err(), case.fails, "{at}: {result:?}");
        if let Ok(output) = result {
            validate(&tool.output, &output.data);
        }
        let (mut made, mut expected) = (made(&demo), case.calls.clone());
        expected.sort();
        made.dedup();
        assert_eq!(made, expected, "{at}: requests made on the left, declared on the right");
    });
}

/// What Proxmox VE 8.4 has no word for is said to be so; all else works there as it does on 9.
#[test]
fn every_case_works_on_the_release_before_as_well() {
    each(|name, tool, case| {
        let demo = cluster(case, Release::V8_4);
        let at = format!("{name}, {}", case.name);
        match finish(name, &demo, &arguments(case)) {
            Ok(output) => validate(&tool.output, &output.data),
            Err(error) => {
                let known = case.fails || matches!(&error, Error::Refused(refusal) if refusal.status == 501);
                assert!(known, "{at}: {error}");
            }
        }
    });
}

/// What can go wrong with one request.
#[derive(Debug, Clone, Copy)]
enum Spoil {
    Status(u16, &'static str),
    Body(&'static str),
    /// It never arrives.
    Unsent(fn() -> SendError),
    /// It arrives, and its answer does not.
    Unanswered,
}

const SPOILS: &[Spoil] = &[
    Spoil::Status(401, "Authentication failed!"),
    Spoil::Status(403, "Permission check failed (/, Sys.Audit)"),
    Spoil::Status(500, "can't lock file '/var/lock/qemu-server/lock-101.conf' - got timeout"),
    Spoil::Status(501, "Method 'GET /x' not implemented"),
    Spoil::Status(595, "No route to host"),
    Spoil::Status(596, "Broken pipe"),
    Spoil::Body("<html>not JSON</html>"),
    Spoil::Body("{\"data\":null}"),
    Spoil::Body("{\"data\":\"text\"}"),
    Spoil::Body("{\"data\":[]}"),
    Spoil::Body("{\"data\":{}}"),
    Spoil::Body("{\"data\":[{\"vmid\":{},\"node\":7}]}"),
    Spoil::Unsent(|| SendError::Denied),
    Spoil::Unsent(|| SendError::Timeout),
    Spoil::Unanswered,
];

/// A cluster that always spoils one request.
struct Spoiled<'a> {
    demo: &'a Demo,
    line: &'a str,
    spoil: Spoil,
}

impl Transport for Spoiled<'_> {
    fn send_all(&self, requests: &[Request]) -> Vec<Result<Response, SendError>> {
        let send = |request: &Request| {
            let path = request.path.split('?').next().unwrap_or_default();
            if line(request.verb.as_str(), path) != self.line {
                return self.demo.send_all(std::slice::from_ref(request)).remove(0);
            }
            match self.spoil {
                Spoil::Status(status, reason) => {
                    Ok(Response { status, reason: Some(reason.to_owned()), body: Vec::new() })
                }
                Spoil::Body(body) => Ok(Response { status: 200, reason: None, body: body.into() }),
                Spoil::Unsent(error) => Err(error()),
                Spoil::Unanswered => {
                    self.demo.send_all(std::slice::from_ref(request));
                    Err(SendError::Closed)
                }
            }
        };
        requests.iter().map(send).collect()
    }
}

#[test]
fn no_fault_of_a_request_breaks_a_tool_or_makes_it_send_a_change_twice() {
    each(|name, _, case| {
        for (line, spoil) in case.calls.iter().flat_map(|line| SPOILS.iter().map(move |spoil| (line, *spoil)))
        {
            let demo = cluster(case, Release::V9_2);
            let at = format!("{name}, {}, {line}, {spoil:?}", case.name);
            let said = match finish(name, &Spoiled { demo: &demo, line, spoil }, &arguments(case)) {
                Ok(output) => output.text,
                Err(error) => {
                    assert_ne!(error.kind(), Kind::Defect, "{at}: {error}");
                    error.to_string()
                }
            };
            assert!(!said.is_empty() && said.len() < 20_000, "{at}: {} bytes", said.len());
            let mut changes: Vec<String> =
                demo.0.requests().iter().filter(|request| request.verb != "GET").map(whole).collect();
            let sent = changes.len();
            changes.sort();
            changes.dedup();
            assert_eq!(changes.len(), sent, "{at}: a change was sent twice");
        }
    });
}

fn whole(request: &proxmox_sim::Logged) -> String {
    format!("{} {}?{} {}", request.verb, request.path, request.query, String::from_utf8_lossy(&request.body))
}

fn arguments(case: &Case) -> String {
    Value::Object(case.args.clone()).to_string()
}

fn cluster(case: &Case, release: Release) -> Demo {
    let demo = Demo::of(Options { release, ..Options::instant() });
    for node in &case.offline {
        demo.0.fault(Fault::always("", FaultKind::NodeDown(node.clone())));
    }
    for (path, status, reason) in &case.fault {
        demo.0.fault(Fault::always(path, FaultKind::Status(*status, reason.clone())));
    }
    demo
}

fn finish(name: &str, demo: &dyn Transport, arguments: &str) -> Result<crate::tool::Output, Error> {
    let mut step = catalogue::call(demo, NOW_MS, name, arguments)?;
    for later in 1..100 {
        match step {
            Step::Done(output) => return Ok(output),
            Step::Pending(continuation, _) => {
                step = catalogue::resume(demo, NOW_MS + later * 2000, &continuation)?
            }
        }
    }
    panic!("{name} never ends")
}

/// The requests that arrived, sorted, without what differs from run to run.
fn made(demo: &Demo) -> Vec<String> {
    let mut made: Vec<String> =
        demo.0.requests().iter().map(|request| line(&request.verb, &request.path)).collect();
    made.sort();
    made
}

/// The path with the times and process ids of a task id taken out.
fn steady(path: &str) -> String {
    let Some((before, upid)) = path.split_once("UPID:") else { return path.to_owned() };
    let fields: Vec<&str> = upid.splitn(9, ':').collect();
    match fields.as_slice() {
        [node, _, _, _, kind, id, user, tail] => {
            format!("{before}UPID:{node}:PID:PSTART:START:{kind}:{id}:{user}:{tail}")
        }
        _ => path.to_owned(),
    }
}

/// A request as case files write it.
fn line(verb: &str, path: &str) -> String {
    let path =
        path.trim_start_matches("/api2/json").replace("%3A", ":").replace("%40", "@").replace("%21", "!");
    format!("{verb} {}", steady(&path))
}
