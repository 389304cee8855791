//! A piece of work, done so many times: `bench-work gate-read 100`, `bench-work call 10 3 30 TOOL ARGUMENTS`.
//! `figures` runs it under callgrind with two numbers, and the difference is what one time costs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hint::black_box;

use anyhow::{Context, Result, bail, ensure};
use proxmox_audit::answers;
use proxmox_gate::{Gate, Grants, NoPools, RawRequest, Scope, Walls};
use proxmox_sim::{Options, Sim};
use proxmox_tools::catalogue::{self, Step};
use proxmox_tools::cx::{Request, Response, SendError, Transport};

/// When the tools think they are, in milliseconds since 1970.
const NOW_MS: u64 = 1_795_340_000_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["gate-read", times] => gate("GET", "/api2/json/nodes/pve1/qemu/101/status/current", "", times),
        ["gate-change", times] => {
            gate("POST", "/api2/json/nodes/pve1/qemu/101/status/shutdown", "timeout=60", times)
        }
        ["gate-filter", times] => filter(times),
        ["secrets-search", times] => search(times),
        ["call", times, nodes, guests, tool, arguments] => call(times, nodes, guests, tool, arguments),
        _ => bail!(
            "usage: bench-work gate-read|gate-change|gate-filter|secrets-search TIMES \
             | call TIMES NODES GUESTS TOOL JSON"
        ),
    }
}

fn grants() -> Result<Grants> {
    let mut grants = Grants::basic();
    for grant in
        ["VM.PowerMgmt@/vms/100-199", "VM.Console@/vms/101", "Sys.Audit@/", "PVEVMAdmin@/vms/200-299"]
    {
        grants.add(grant)?;
    }
    Ok(grants)
}

/// What the gate does with a request that it lets through.
fn gate(verb: &str, path: &str, body: &str, times: &str) -> Result<()> {
    let gate = Gate::new(grants()?, Walls::default(), "root@pam!mcp");
    let methods = proxmox_api::methods::ALL
        .iter()
        .copied()
        .filter(|method| method.path.contains("/qemu/{vmid}/status/"));
    let scope = Scope::new(methods).on_node("pve1").on_guest(101);
    let content_type = (!body.is_empty()).then_some(proxmox_gate::FORM);
    for _ in 0..times.parse()? {
        let raw = RawRequest { verb, path_and_query: path, content_type, body: body.as_bytes() };
        let permit = gate.check(&scope, black_box(raw), &NoPools);
        ensure!(black_box(permit).is_ok(), "the gate refuses {verb} {path}");
    }
    Ok(())
}

/// What Proxmox says of 2,000 guests.
fn large_list() -> Result<Vec<u8>> {
    let sim = Sim::start(Options { nodes: 16, guests: 2_000, ..Options::instant() })?;
    let (_, _, body) = sim.answer("GET", "/api2/json/cluster/resources", None);
    Ok(body)
}

/// What looking for secrets in it takes.
fn search(times: &str) -> Result<()> {
    let body = large_list()?;
    for _ in 0..times.parse()? {
        ensure!(!answers::may_hold_secrets(black_box(&body)), "a list of guests holds no secrets");
    }
    Ok(())
}

/// What cutting it to an allow-list takes.
fn filter(times: &str) -> Result<()> {
    let body = large_list()?;
    let walls = Walls::parse(Some("pve1,pve2"), Some("100-999"))?;
    let gate = Gate::new(grants()?, walls, "root@pam!mcp");
    for _ in 0..times.parse()? {
        let cut = gate.filter(&proxmox_api::methods::GET_CLUSTER_RESOURCES, black_box(&body), &NoPools);
        ensure!(cut.is_some_and(|cut| cut.len() < body.len()), "nothing was cut");
    }
    Ok(())
}

/// The simulated cluster, which works out each answer once.
struct Recorded {
    sim: Sim,
    answers: RefCell<HashMap<String, Response>>,
    requests: RefCell<usize>,
}

impl Transport for Recorded {
    fn send_all(&self, requests: &[Request]) -> Vec<Result<Response, SendError>> {
        *self.requests.borrow_mut() += requests.len();
        let send = |request: &Request| {
            let verb = request.verb.as_str();
            let key = format!("{verb} {} {:?}", request.path, request.form);
            let new = || {
                let (status, reason, body) = self.sim.answer(verb, &request.path, request.form.as_deref());
                Response { status, reason: Some(reason), body }
            };
            Ok(self.answers.borrow_mut().entry(key).or_insert_with(new).clone())
        };
        requests.iter().map(send).collect()
    }
}

/// A call of a tool, natively, up to its first answer. Says how many requests it made, and the bytes of it.
fn call(times: &str, nodes: &str, guests: &str, tool: &str, arguments: &str) -> Result<()> {
    let options = Options { nodes: nodes.parse()?, guests: guests.parse()?, ..Options::instant() };
    let recorded =
        Recorded { sim: Sim::start(options)?, answers: RefCell::default(), requests: RefCell::default() };
    let (mut bytes, times) = (0, times.parse::<usize>()?);
    for _ in 0..times {
        let step = catalogue::call(&recorded, NOW_MS, tool, black_box(arguments));
        bytes = match step.map_err(|error| anyhow::anyhow!("{tool}: {error}"))? {
            Step::Done(output) => output.text.len() + output.data.to_string().len(),
            Step::Pending(continuation, _) => continuation.len(),
        };
    }
    let requests = recorded.requests.borrow().checked_div(times).context("no times")?;
    println!("{requests} {bytes}");
    Ok(())
}
