//! The release before: what it has instead of what came with Proxmox VE 9.

use proxmox_sim::{Options, Release, Sim};
use serde_json::json;

use crate::harness::{Client, configured, is_error, text};

fn older() -> Sim {
    Sim::start(Options { release: Release::V8_4, ..Options::instant() }).unwrap()
}

#[test]
fn the_guest_agent_and_groups_of_high_availability_work_on_8_4() {
    let sim = older();
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    let mut answer = |tool: &str, arguments| {
        let result = client.call(tool, arguments);
        assert!(!is_error(&result), "{tool}: {}", text(&result));
        (text(&result), result["structuredContent"].clone())
    };
    let (run, data) = answer("proxmox_execute_vm_command", json!({"vmid": 101, "command": "uname -a"}));
    assert!(run.contains("Linux") && data["exit_code"] == 0, "{run} {data}");
    let (addresses, _) = answer("proxmox_get_guest", json!({"vmid": 101, "show": "addresses"}));
    assert!(addresses.contains("10."), "{addresses}");
    let group = json!({"group": "west", "nodes": "pve1,pve2:2"});
    answer("proxmox_change_api", json!({"method": "POST", "path": "/cluster/ha/groups", "params": group}));
    let (groups, _) = answer("proxmox_read_api", json!({"path": "/cluster/ha/groups"}));
    assert!(groups.contains("group: west") && groups.contains("pve1,pve2:2"), "{groups}");
    let (high, _) = answer("proxmox_get_cluster_info", json!({"topic": "ha"}));
    assert!(high.contains("west"), "{high}");
    let rules = client.call("proxmox_read_api", json!({"path": "/cluster/ha/rules"}));
    assert!(is_error(&rules) && text(&rules).contains("not implemented"), "{}", text(&rules));
}

#[test]
fn a_token_without_monitor_is_told_the_role_that_has_it() {
    let sim = older();
    let token = sim.add_token("agent@pve", "t", &[("/", "PVEAuditor")]);
    let mut command = configured(&sim, &token);
    command.arg("--allow-elevated");
    let mut client = Client::start(command);
    client.shake_hands("2025-11-25");
    let refused = client.call("proxmox_execute_vm_command", json!({"vmid": 101, "command": "uname"}));
    let said = text(&refused);
    assert!(
        is_error(&refused) && said.contains("VM.Monitor") && said.contains("--roles PVEVMAdmin"),
        "{said}"
    );
}
