//! Secrets that Proxmox VE tells of do not come out at the other end.

use proxmox_sim::{Fault, FaultKind, Options, Sim};
use serde_json::json;

use crate::harness::{Client, arrived, is_error, text};

#[test]
fn an_error_of_the_server_is_told_without_the_password_in_it() {
    let sim = Sim::start(Options::instant()).unwrap();
    let mut client = Client::connect(&sim, &[]);
    let reason = "mount error: //nas/share user=backup password=hunter2SECRET".to_owned();
    sim.fault(Fault::always("/cluster/resources", FaultKind::Status(500, reason)));
    let answer = client.call("proxmox_get_vms", json!({}));
    assert!(is_error(&answer) && text(&answer).contains("mount error"), "{answer}");
    assert!(!answer.to_string().contains("hunter2"), "{answer}");
    assert!(text(&answer).contains("taken out by proxmox-mcp"), "{answer}");
}

#[test]
fn the_word_for_a_secret_is_not_written_back() {
    let sim = Sim::start(Options::instant()).unwrap();
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    let mut snapshot = |notes: &str| {
        let arguments = json!({"vmid": 101, "name": "before", "description": notes});
        client.call("proxmox_create_snapshot", arguments)
    };
    let refused = snapshot("root password: [taken out by proxmox-mcp]");
    assert!(is_error(&refused) && text(&refused).contains("in place of a secret"), "{refused}");
    assert!(arrived(&sim).iter().all(|line| line.starts_with("GET ")), "{:?}", arrived(&sim));
    let made = snapshot("root password: see the safe");
    assert!(!is_error(&made), "{made}");
}
