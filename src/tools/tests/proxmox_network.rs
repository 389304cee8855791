use serde_json::{Value, json};

use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, NOW_MS, finish, run, text};

/// The card of a guest in the simulated cluster.
fn card(demo: &Demo, guest: &str, key: &str) -> String {
    demo.get(&format!("/nodes/{guest}/config"))[key].as_str().unwrap_or("none").to_owned()
}

fn alias(demo: &Demo, name: &str, arguments: Value) -> crate::tool::Output {
    match catalogue::call(demo, NOW_MS, name, &arguments.to_string()) {
        Ok(Step::Done(output)) => output,
        other => panic!("{name}: {other:?}"),
    }
}

const VM: &str = "pve1/qemu/101";
const CT: &str = "pve2/lxc/102";
const MAC: &str = "BC:24:11:00:00:09";

#[test]
fn a_new_card_takes_the_first_free_key_and_overwrites_none() {
    let demo = Demo::new();
    let old = card(&demo, VM, "net0");
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "action": "add", "bridge": "vmbr0", "vlan": 20, "firewall": true, "mac": MAC}));
    let output = output.unwrap();
    assert!(output.text.starts_with("🔌 Network card `net1` of prod-web-01 (ID: 101)\n"), "{}", output.text);
    assert_eq!(card(&demo, VM, "net1"), format!("virtio={MAC},bridge=vmbr0,tag=20,firewall=1"));
    assert_eq!(card(&demo, VM, "net0"), old);
    assert_eq!(output.data["undo"]["arguments"], r#"{"vmid":101,"delete":["net1"]}"#);
    let taken = run(&TOOL, &demo, json!({"vmid": 101, "action": "add", "net": "net0", "bridge": "vmbr0"}));
    let error = taken.unwrap_err().to_string();
    assert!(error.contains("has a `net0` already") && error.contains("`update`"), "{error}");
}

#[test]
fn an_update_keeps_what_is_not_named() {
    let demo = Demo::new();
    let old = card(&demo, VM, "net0");
    let mac = old.split(['=', ',']).nth(1).unwrap().to_owned();
    let change = |arguments: Value| {
        let mut arguments = arguments;
        arguments["vmid"] = json!(101);
        arguments["action"] = json!("update");
        arguments["net"] = json!("net0");
        let output = finish(&TOOL, &demo, arguments).unwrap();
        (card(&demo, VM, "net0"), output)
    };
    assert_eq!(change(json!({"model": "e1000"})).0, format!("e1000={mac},bridge=vmbr0"));
    assert_eq!(change(json!({"vlan": 30, "link_down": true})).0, format!("e1000={mac},bridge=vmbr0,tag=30,link_down=1"));
    assert_eq!(change(json!({"vlan": 0, "rate": 12.5})).0, format!("e1000={mac},bridge=vmbr0,link_down=1,rate=12.5"));
    assert_eq!(
        change(json!({"mac": "bc:24:11:aa:bb:cc", "rate": 0, "link_down": false})).0,
        "e1000=BC:24:11:AA:BB:CC,bridge=vmbr0"
    );
    let sent = demo.changes().len();
    let (_, output) = change(json!({"bridge": "vmbr0"}));
    assert!(output.text.contains("nothing was sent"), "{}", output.text);
    assert_eq!(demo.changes().len(), sent);
}

#[test]
fn a_containers_card_has_addresses() {
    let demo = Demo::new();
    finish(
        &TOOL,
        &demo,
        json!({"vmid": 102, "action": "add", "bridge": "vmbr0", "ip": "10.9.0.5/24", "gateway": "10.9.0.1", "ip6": "auto", "mac": MAC}),
    )
    .unwrap();
    assert_eq!(card(&demo, CT, "net1"), format!("name=eth1,bridge=vmbr0,hwaddr={MAC},ip=10.9.0.5/24,ip6=auto,gw=10.9.0.1"));
    finish(&TOOL, &demo, json!({"vmid": 102, "action": "update", "net": "net1", "ip": "dhcp"})).unwrap();
    assert_eq!(card(&demo, CT, "net1"), format!("name=eth1,bridge=vmbr0,hwaddr={MAC},ip=dhcp,ip6=auto"));
}

#[test]
fn a_removed_card_can_be_put_back() {
    let demo = Demo::new();
    finish(&TOOL, &demo, json!({"vmid": 102, "action": "add", "bridge": "vmbr0"})).unwrap();
    let old = card(&demo, CT, "net1");
    let output = finish(&TOOL, &demo, json!({"vmid": 102, "action": "remove", "net": "net1"})).unwrap();
    assert_eq!(card(&demo, CT, "net1"), "none");
    let undo: Value = serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap();
    finish(&crate::tools::proxmox_configure::TOOL, &demo, undo).unwrap();
    assert_eq!(card(&demo, CT, "net1"), old);
}

#[test]
fn what_cannot_be_meant_is_refused_without_a_change() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"vmid": 101, "action": "add"}), "`bridge` is missing"),
        (json!({"vmid": 101, "action": "update", "bridge": "vmbr1"}), "`net` is missing"),
        (json!({"vmid": 101, "action": "remove"}), "`net` is missing"),
        (json!({"vmid": 101, "action": "update", "net": "net0"}), "Nothing to change"),
        (json!({"vmid": 101, "action": "remove", "net": "net0", "bridge": "vmbr1"}), "are for `update`"),
        (json!({"vmid": 101, "action": "update", "net": "net7", "bridge": "vmbr0"}), "has no `net7`. It has `net0`"),
        (json!({"vmid": 101, "action": "update", "net": "net0", "bridge": "vmbr77"}), "has no bridge `vmbr77`"),
        (json!({"vmid": 101, "action": "add", "bridge": "vmbr0", "ip": "dhcp"}), "\"ipconfig0\""),
        (json!({"vmid": 102, "action": "add", "bridge": "vmbr0", "model": "e1000"}), "only VMs have a `model`"),
        (json!({"vmid": 102, "action": "add", "bridge": "vmbr0", "gateway": "fd00::1"}), "an IPv4 address"),
        (json!({"vmid": 101, "action": "add", "bridge": "vmbr0,tag=5"}), "`bridge` is not valid"),
        (json!({"vmid": 101, "action": "add", "bridge": "vmbr0", "vlan": 4095}), "`vlan` is not valid"),
        (json!({"vmid": 101, "action": "add", "bridge": "vmbr0", "mac": "x"}), "`mac` is not valid"),
        (json!({"vmid": 101, "action": "add", "net": "net32", "bridge": "vmbr0"}), "`net` is not valid"),
        (json!({"vmid": 111, "action": "remove", "net": "net0"}), "is locked (backup)"),
    ] {
        let error = run(&TOOL, &demo, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(demo.changes().is_empty());
}

#[test]
fn a_dry_run_sends_nothing() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"vmid": 101, "action": "remove", "net": "net0", "dry_run": true}));
    assert!(shown.contains("PUT /nodes/pve1/qemu/101/config delete=net0 digest="), "{shown}");
    assert!(demo.changes().is_empty());
}

#[test]
fn the_older_names_work() {
    let demo = Demo::new();
    let vm = |rest: Value| with(json!({"node": "pve1", "vmid": "101", "net": "net1"}), rest);
    let ct = |rest: Value| with(json!({"node": "pve2", "vmid": "102", "net": "net1"}), rest);
    alias(
        &demo,
        "proxmox_add_network_vm",
        vm(json!({"bridge": "vmbr0", "model": "e1000", "macaddr": "BC:24:11:00:00:01", "vlan": 5, "firewall": true})),
    );
    assert_eq!(card(&demo, VM, "net1"), "e1000=BC:24:11:00:00:01,bridge=vmbr0,tag=5,firewall=1");
    alias(&demo, "proxmox_update_network_vm", vm(json!({"macaddr": "BC:24:11:00:00:02", "vlan": 0})));
    assert_eq!(card(&demo, VM, "net1"), "e1000=BC:24:11:00:00:02,bridge=vmbr0,firewall=1");
    alias(&demo, "proxmox_remove_network_vm", vm(json!({})));
    assert_eq!(card(&demo, VM, "net1"), "none");
    alias(&demo, "proxmox_add_network_lxc", ct(json!({"bridge": "vmbr0", "ip": "10.9.0.5/24", "gw": "10.9.0.1", "mac": MAC})));
    alias(&demo, "proxmox_update_network_lxc", ct(json!({"firewall": true})));
    assert_eq!(card(&demo, CT, "net1"), format!("name=eth1,bridge=vmbr0,hwaddr={MAC},ip=10.9.0.5/24,gw=10.9.0.1,firewall=1"));
    alias(&demo, "proxmox_remove_network_lxc", ct(json!({})));
    assert_eq!(card(&demo, CT, "net1"), "none");
}

fn with(mut arguments: Value, rest: Value) -> Value {
    arguments.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    arguments
}
