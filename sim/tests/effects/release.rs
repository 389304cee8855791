//! What an older release does differently.

use proxmox_sim::{Options, Release, Sim};

use crate::support::{Api, Connection, request};

fn older() -> Sim {
    Sim::start(Options { release: Release::V8_4, ..Options::instant() }).unwrap()
}

/// The status of a request with a token that has just these rights, and why it was refused.
fn ask(sim: &Sim, rights: &[(&str, &str)], verb: &str, path: &str, body: &str) -> (u16, String) {
    let token = sim.add_token("agent@pve", "t", rights);
    let answer = Connection::open(sim).exchange(&request(&token.header(), verb, path, body)).unwrap();
    (answer.status, answer.reason)
}

#[test]
fn version_8_has_groups_and_no_rules() {
    let api = Api::new(older());
    assert_eq!(api.get("/version")["release"], "8.4");
    assert!(api.get("/nodes/pve1/status")["pveversion"].as_str().unwrap().starts_with("pve-manager/8.4"));
    assert_eq!(api.send("GET", "/cluster/ha/rules", "").0, 501);
    assert_eq!(api.send("POST", "/cluster/bulk-action/guest/start", "").0, 501);
    api.post("/cluster/ha/groups", "group=west&nodes=pve1,pve2:2&restricted=1");
    api.put("/cluster/ha/resources/vm:100", "group=west");
    assert_eq!(api.get("/cluster/ha/groups/west")["nodes"], "pve1,pve2:2");
    assert_eq!(api.get("/cluster/ha/resources/vm:100")["group"], "west");
    let newer = Api::demo();
    assert_eq!(newer.get("/version")["release"], "9.2");
    let refused = newer.refused("GET", "/cluster/ha/groups", "");
    assert_eq!(refused, "cannot index groups: ha groups have been migrated to rules");
}

#[test]
fn version_8_asks_for_monitor_where_version_9_asks_for_the_agent() {
    let exec = ("POST", "/nodes/pve1/qemu/101/agent/exec", "command=uname");
    let (verb, path, body) = exec;
    let sim = older();
    let (status, reason) = ask(&sim, &[("/vms/101", "VM.Audit")], verb, path, body);
    assert_eq!((status, reason.as_str()), (403, "Permission check failed (/vms/101, VM.Monitor)"));
    assert_eq!(ask(&sim, &[("/vms/101", "VM.GuestAgent.Unrestricted")], verb, path, body).0, 403);
    assert_eq!(ask(&older(), &[("/vms/101", "VM.Monitor")], verb, path, body).0, 200);
    assert_eq!(ask(&older(), &[("/", "PVEVMAdmin")], verb, path, body).0, 200);
    assert_eq!(ask(&older(), &[("/", "PVEVMUser")], verb, path, body).0, 403);
    let newer = Sim::start(Options::instant()).unwrap();
    assert_eq!(ask(&newer, &[("/vms/101", "VM.Monitor")], verb, path, body).0, 403);
}

#[test]
fn each_release_lists_its_own_privileges() {
    let roles = |api: &Api| api.get("/access/roles").to_string();
    let (old, new) = (Api::new(older()), Api::demo());
    assert!(roles(&old).contains("VM.Monitor") && !roles(&old).contains("VM.GuestAgent"));
    assert!(!roles(&new).contains("VM.Monitor") && roles(&new).contains("VM.GuestAgent"));
    let own = old.get("/access/permissions?path=/vms/101")["/vms/101"].clone();
    assert!(own["VM.Monitor"] == 1 && own["VM.Replicate"].is_null(), "{own}");
}
