//! The case files of the tools (`tests/tools/*.toml`), run natively: which requests a tool makes, whether it
//! fails, and that its data has the declared shape. The end-to-end tests run them again, behind the gate.
//!
//! `TOOL=proxmox_get_vms cargo test -p proxmox-mcp-component cases -- --nocapture` shows the answers.

use proxmox_sim::{Fault, FaultKind};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Demo, NOW_MS, validate};
use crate::catalogue::{self, Step};
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

#[test]
fn the_requests_of_every_case_are_those_of_its_file() {
    let only = std::env::var("TOOL").ok();
    for (name, tool) in tools::ALL.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name))
    {
        let path = format!("{}/tests/tools/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        for case in file.case {
            let demo = cluster(&case);
            let at = format!("{name}, {}", case.name);
            let result = finish(name, &demo, &Value::Object(case.args.clone()).to_string());
            match &result {
                Ok(output) => println!("== {at}\n{}\n--- {}\n", output.text, output.data),
                Err(error) => println!("== {at} FAILS\n{error}\n"),
            }
            assert_eq!(result.is_err(), case.fails, "{at}: {result:?}");
            if let Ok(output) = result {
                validate(&tool.output, &output.data);
            }
            let (mut made, mut expected) = (made(&demo), case.calls);
            expected.sort();
            made.dedup();
            assert_eq!(made, expected, "{at}: requests made on the left, declared on the right");
        }
    }
}

fn cluster(case: &Case) -> Demo {
    let demo = Demo::new();
    for node in &case.offline {
        demo.0.fault(Fault::always("", FaultKind::NodeDown(node.clone())));
    }
    for (path, status, reason) in &case.fault {
        demo.0.fault(Fault::always(path, FaultKind::Status(*status, reason.clone())));
    }
    demo
}

fn finish(name: &str, demo: &Demo, arguments: &str) -> Result<crate::tool::Output, crate::error::Error> {
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
    let line = |request: &proxmox_sim::Logged| {
        let path = request
            .path
            .trim_start_matches("/api2/json")
            .replace("%3A", ":")
            .replace("%40", "@")
            .replace("%21", "!");
        format!("{} {}", request.verb, steady(&path))
    };
    let mut made: Vec<String> = demo.0.requests().iter().map(line).collect();
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
