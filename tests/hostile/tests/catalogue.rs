//! Lists of tools that promise what is not, and change.

use std::sync::Arc;
use std::time::Duration;

use proxmox_gate::Walls;
use proxmox_mcp_attacks::COMPONENT;
use proxmox_mcp_host::calls::{Answer, Tools};
use proxmox_mcp_host::engine::Engine;
use proxmox_mcp_host::mcp::Server;
use proxmox_sim::{Options, Sim};
use serde_json::json;

use crate::stage::{self, Stage, VERSION, compiled};

/// The hostile component with another list of tools.
fn listing(mode: &str) -> Engine {
    let honest = b"@@catalogue=honest            @@";
    let other = format!("@@catalogue={mode:<18}@@");
    assert_eq!(other.len(), honest.len());
    let mut bytes = COMPONENT.to_vec();
    let places: Vec<usize> =
        bytes.windows(honest.len()).enumerate().filter(|(_, w)| w == honest).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the list's name is not in the component");
    for at in places {
        bytes[at..at + honest.len()].copy_from_slice(other.as_bytes());
    }
    compiled(&bytes)
}

/// What the host says of this list; nothing may leave while it looks.
async fn loaded(mode: &str) -> Result<Tools, String> {
    let sim = Sim::start(Options::instant()).unwrap();
    let engine = listing(mode).tightened(Duration::from_secs(2), Duration::from_secs(10));
    let tools = stage::tools(&sim, engine, Walls::default()).await;
    assert_eq!(sim.requests().len(), 0);
    tools
}

#[tokio::test]
async fn lists_that_make_no_sense_are_refused_at_the_start() {
    for (mode, named) in [
        ("trap", "did not list its tools"),
        ("spin", "computed for too long"),
        ("no-such-method", "/nodes/{node}/secrets"),
        ("no-such-verb", "get /version"),
        ("twice", "reads"),
        ("false-hint", "meek"),
        ("nameless", "name"),
        ("endless-name", "name"),
        ("trap-resources", "did not list its resources"),
        ("resource-changes", "all does not only read"),
        ("resource-of-none", "no-such-tool"),
        ("resource-elsewhere", "proxmox://"),
        ("resource-twice", "two resources"),
        ("resource-many", "too much"),
        ("trap-prompts", "did not list its prompts"),
        ("prompt-changes", "all does not only read"),
        ("prompt-of-none", "no-such-tool"),
        ("prompt-odd", "name"),
        ("prompt-twice", "two prompts"),
    ] {
        match loaded(mode).await {
            Ok(_) => panic!("{mode} was accepted"),
            Err(error) => assert!(error.contains(named) && error.len() < 1_000, "{mode}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_schema_that_is_none_is_refused_at_the_start() {
    let tools = loaded("no-schema").await.unwrap();
    assert!(Server::new(Arc::new(tools)).is_err());
    assert!(Server::new(Arc::new(loaded("honest").await.unwrap())).is_ok());
}

#[tokio::test]
async fn no_tools_and_very_many() {
    assert_eq!(loaded("empty").await.unwrap().catalogue().len(), 0);
    // Either is well, as long as the host lives to say it.
    match loaded("many").await {
        Ok(tools) => assert_eq!(tools.catalogue().len(), 50_000),
        Err(error) => assert!(error.len() < 1_000, "{error}"),
    }
}

#[tokio::test]
async fn what_was_declared_first_holds() {
    let stage = Stage::with(listing("changing"), Walls::default()).await;
    let declared: Vec<&str> = stage.tools.find("changing").unwrap().methods.iter().map(|m| m.path).collect();
    let requests = json!([{"path": VERSION}, {"path": "/api2/json/cluster/resources"}]);
    for _ in 0..10 {
        stage.sim.clear_requests();
        let answer = stage.call("changing", json!({"do": "requests", "requests": requests})).await;
        assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
        assert_eq!(stage.arrived(), [format!("GET /api2/json{}", declared[0])]);
    }
}
