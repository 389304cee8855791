//! The command line on the demo cluster: what a person sees first.

use serde_json::Value;

use crate::harness::{binary, run};

fn stdout(arguments: &[&str]) -> String {
    let output = run(binary().args(arguments));
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_demo_needs_nothing_configured() {
    let nodes = stdout(&["--demo", "call", "proxmox_get_nodes"]);
    for node in ["pve1", "pve2", "pve3"] {
        assert!(nodes.contains(node), "{nodes}");
    }
    let five = stdout(&["call", "proxmox_get_nodes", "--demo", "--demo-nodes", "5", "--demo-guests", "50"]);
    assert!(five.contains("pve5"), "{five}");
}

#[test]
fn a_command_runs_in_the_demo_guest() {
    let arguments = ["--demo", "--allow-elevated", "call", "proxmox_execute_vm_command", "vmid=101"];
    let text = stdout(&[&arguments[..], &["command=echo one two | wc -w; echo oops >&2; exit 3"]].concat());
    assert!(text.contains('2') && text.contains("oops") && text.contains("exit code 3"), "{text}");
    let data = stdout(&[&arguments[..], &["command=[\"echo\", \"a b\"]", "--json"]].concat());
    let data: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(data["exit_code"], 0, "{data}");
}

#[test]
fn tools_says_what_each_needs_and_whether_it_is_granted() {
    let listed = stdout(&["--demo", "tools"]);
    assert!(listed.contains("proxmox_power  [not granted; guests]"), "{listed}");
    assert!(listed.contains("VM.PowerMgmt on /vms/{vmid}"), "{listed}");
    let elevated: Value =
        serde_json::from_str(&stdout(&["--demo", "--allow-elevated", "tools", "--json"])).unwrap();
    // What decides by its arguments is granted as far as they are.
    let open = |tool: &Value| tool["reach"] == "granted" || tool["reach"] == "granted in part";
    assert!(elevated.as_array().unwrap().iter().all(open), "{elevated}");
}

#[test]
fn wrong_usage_is_explained() {
    for (arguments, part) in [
        (&["--demo", "call", "proxmox_get_node"][..], "Did you mean `proxmox_get_nodes`"),
        (&["--demo", "call", "proxmox_start_vm", "101"], "key=value"),
        (&["--demo", "call", "proxmox_start_vm", "vmid=101", "vmid=102"], "twice"),
        (&["--demo-nodes", "3", "tools"], "--demo"),
        (&["frobnicate"], "unrecognized"),
    ] {
        let output = run(binary().args(arguments));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty() && said.contains(part), "{arguments:?}: {said}");
    }
    let failed = run(binary().args(["--demo", "call", "proxmox_start_vm", "vmid=abc"]));
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("vmid"), "{said}");
}

#[test]
fn help_and_version_are_complete() {
    let help = stdout(&["--help"]);
    for word in
        ["serve", "call", "tools", "--demo", "--grant", "PROXMOX_HOST", "PROXMOX_TOKEN_VALUE", "Exit codes"]
    {
        assert!(help.contains(word), "{word}");
    }
    assert!(stdout(&["--version"]).starts_with("proxmox-mcp 0."));
}
