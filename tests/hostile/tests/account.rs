//! What the audit log and the brakes make of a component that tries to confuse them.

use std::path::Path;
use std::sync::Arc;

use proxmox_audit::{AuditLog, Brakes, Recorder};
use proxmox_gate::{Gate, Grants, Walls};
use proxmox_mcp_host::approvals::Consent;
use proxmox_mcp_host::calls::{Attempt, Tools};
use proxmox_mcp_host::egress::Egress;
use proxmox_mcp_host::watch::Safeguards;
use proxmox_sim::{Options, Sim};
use serde_json::{Value, json};

use crate::stage::{self, START_101, engine};

/// The hostile component before this cluster, with these grants and safeguards.
async fn tools(sim: &Sim, grants: &str, safeguards: Safeguards) -> Tools {
    let (login, endpoint) = stage::endpoint(sim);
    let mut all = Grants::basic();
    all.add(grants).unwrap();
    let gate = Gate::new(all, Walls::default(), login);
    let tools = Tools::with_engine(engine(), gate, Egress::new(endpoint)).await.unwrap();
    tools.guarded(Arc::new(safeguards))
}

fn arguments(requests: Vec<Value>) -> serde_json::Map<String, Value> {
    serde_json::Map::from_iter([
        ("do".to_owned(), json!("requests")),
        ("requests".to_owned(), requests.into()),
    ])
}

fn requests(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["event"] == "request").collect()
}

#[tokio::test]
async fn each_refusal_is_recorded_with_its_own_reason_however_many_there_are() {
    let sim = Sim::start(Options::instant()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let recorder = Recorder::new(AuditLog::open(&file).unwrap());
    let tools = tools(&sim, "VM.Audit@/", Safeguards::new(recorder, Brakes::default())).await;
    let mut attack = vec![json!({"verb": "POST", "path": START_101}); 120];
    attack.push(json!({"path": "/api2/json/version", "authority": "example.org"}));
    attack.push(json!({"path": "/api2/json/no/such/method"}));
    attack.push(json!({"verb": "POST", "path": START_101}));
    tools.call("all", &arguments(attack), |_| {}).await;

    let codes: Vec<String> =
        requests(&file).iter().map(|line| line["refused"].as_str().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 123);
    let (many, last) = codes.split_at(120);
    assert!(many.iter().all(|code| code == "missing_grant"), "{many:?}");
    assert_eq!(last, ["foreign_address", "unknown_method", "missing_grant"]);
    assert!(sim.requests().is_empty());
}

#[tokio::test]
async fn a_change_that_a_brake_held_back_does_not_count_as_made() {
    let sim = Sim::start(Options::instant()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stop = folder.path().join("stop");
    std::fs::write(&stop, "").unwrap();
    let brakes = Brakes::new(None, Some(stop));
    let tools = tools(&sim, "VM.PowerMgmt@/vms/101", Safeguards::new(Recorder::off(), brakes)).await;
    let (login, _) = stage::endpoint(&sim);
    let tools = tools.asking(Gate::new(Grants::elevated(), Walls::default(), login));
    // After a change it is too late to ask, since the call would begin again after a yes.
    let attack = vec![
        json!({"verb": "POST", "path": START_101}),
        json!({"verb": "POST", "path": "/api2/json/nodes/pve1/qemu/100/status/shutdown"}),
    ];
    let attempt = tools.attempt("all", &arguments(attack), Consent::open(), |_| {}).await;
    assert!(matches!(&attempt, Attempt::Asks(request) if request.grants.contains("/vms/100")), "{attempt:?}");
    assert!(sim.requests().iter().all(|request| request.verb == "GET"));
}
