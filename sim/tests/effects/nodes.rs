//! Nodes: services, packages, network, power, all guests at once.

use serde_json::Value;

use crate::support::Api;

#[test]
fn a_service_is_stopped_and_started() {
    let api = Api::demo();
    let path = "/nodes/pve2/services/chrony";
    let state = || api.get(&format!("{path}/state"))["state"].clone();
    api.done("POST", &format!("{path}/stop"), "");
    assert_eq!(state(), "dead");
    api.done("POST", &format!("{path}/restart"), "");
    assert_eq!(state(), "running");
    assert!(api.refused("POST", "/nodes/pve2/services/none/start", "").contains("enumeration"));
    assert!(api.get("/nodes/pve2/syslog?service=pvedaemon").to_string().contains("srvrestart"));
    assert_eq!(api.get("/nodes/pve2/journal?lastentries=3").as_array().unwrap().len(), 5);
}

#[test]
fn files_and_options_of_a_node_are_changed() {
    let api = Api::demo();
    let digest = api.get("/nodes/pve1/hosts")["digest"].as_str().unwrap().to_owned();
    api.post("/nodes/pve1/hosts", &format!("data=10.0.0.1 box&digest={digest}").replace(' ', "%20"));
    assert_eq!(api.get("/nodes/pve1/hosts")["data"], "10.0.0.1 box");
    assert!(
        api.refused("POST", "/nodes/pve1/hosts", &format!("data=x&digest={digest}")).contains("checksum")
    );
    api.put("/nodes/pve1/dns", "search=example.net&dns1=1.1.1.1&dns2=9.9.9.9");
    assert_eq!(api.get("/nodes/pve1/dns")["dns2"], "9.9.9.9");
    api.put("/nodes/pve1/time", "timezone=Europe/Vienna");
    assert_eq!(api.get("/nodes/pve1/time")["timezone"], "Europe/Vienna");
    api.put("/nodes/pve1/config", "description=rack 4&wakeonlan=00:11:22:33:44:55");
    assert_eq!(api.get("/nodes/pve1/config")["description"], "rack 4");
    api.post("/nodes/pve1/network", "iface=vmbr9&type=bridge&cidr=10.9.0.1/24");
    assert!(api.get("/nodes/pve1/network/vmbr9")["active"].is_null());
    api.done("PUT", "/nodes/pve1/network", "");
    assert_eq!(api.get("/nodes/pve1/network/vmbr9")["active"], 1);
    api.delete("/nodes/pve1/network/vmbr9");
    assert!(api.refused("GET", "/nodes/pve1/network/vmbr9", "").contains("does not exist"));
}

#[test]
fn a_node_shuts_down_is_woken_and_reboots() {
    let api = Api::demo();
    let online = |api: &Api| {
        let rows = api.get("/nodes");
        rows.as_array().unwrap().iter().find(|r| r["node"] == "pve3").unwrap()["status"].clone()
    };
    assert!(api.refused("POST", "/nodes/pve3/wakeonlan", "").contains("No wake on LAN"));
    api.put("/nodes/pve3/config", "wakeonlan=00:11:22:33:44:55");
    api.post("/nodes/pve3/status", "command=shutdown");
    assert_eq!(online(&api), "offline");
    assert_eq!(api.send("GET", "/nodes/pve3/status", "").0, 595);
    assert_eq!(api.post("/nodes/pve3/wakeonlan", ""), "00:11:22:33:44:55");
    assert_eq!(online(&api), "online");
    assert_eq!(api.get("/nodes/pve3/qemu/105/status/current")["status"], "stopped");
    api.post("/nodes/pve1/status", "command=reboot");
    assert_eq!(api.get("/nodes/pve1/status")["uptime"], 0);
    assert_eq!(api.get("/nodes/pve1/qemu/101/status/current")["uptime"], 0);
}

#[test]
fn all_guests_of_a_node_at_once() {
    let api = Api::demo();
    let running = |node: &str| {
        let rows = api.get("/cluster/resources?type=vm");
        let here = rows.as_array().unwrap().iter().filter(|r| r["node"] == node && r["status"] == "running");
        here.map(|r| r["vmid"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    api.done("POST", "/nodes/pve2/stopall", "");
    assert_eq!(running("pve2"), Vec::<u64>::new());
    api.done("POST", "/nodes/pve2/startall", "force=1&vms=102,103");
    assert_eq!(running("pve2"), [102, 103]);
    api.done("POST", "/nodes/pve2/migrateall", "target=pve1&vms=103");
    assert!(running("pve1").contains(&103));
    api.done("POST", "/cluster/bulk-action/guest/shutdown", "vms=103&vms=105");
    assert!(!running("pve1").contains(&103) && !running("pve3").contains(&105));
    api.done("POST", "/cluster/bulk-action/guest/start", "vms=105");
    assert!(running("pve3").contains(&105));
    // A local disk does not go along unasked.
    let exit = api.exit(&api.post("/nodes/pve1/migrateall", "target=pve2&vms=107"));
    assert_eq!(exit, "some guests failed");
}

#[test]
fn what_a_node_is_made_of() {
    let api = Api::demo();
    assert!(api.get("/nodes/pve1/disks/zfs").to_string().contains("rpool"));
    assert!(api.get("/nodes/pve1/report").as_str().unwrap().contains("pve-manager"));
    assert_eq!(
        api.get("/nodes/pve1/ceph/osd")["root"]["children"][0]["children"].as_array().unwrap().len(),
        3
    );
    assert_eq!(api.get("/nodes/pve1/ceph/mgr")[0]["state"], "active");
    api.sim.with_world(|world| world.ceph = false);
    assert_eq!(api.refused("GET", "/nodes/pve1/ceph/osd", ""), "binary not installed: /usr/bin/ceph-mon");
    assert!(api.get("/nodes/pve1/apt/update").to_string().contains("pve-manager"));
    let certificates = api.get("/nodes/pve2/certificates/info");
    let now = api.get("/nodes/pve2/time")["time"].as_u64().unwrap();
    let ends = certificates[1]["notafter"].as_u64().unwrap();
    assert!(ends > now && ends < now + 14 * 86_400, "{certificates}");
    let rows = api.get("/nodes/pve1/netstat");
    assert!(rows.as_array().unwrap().iter().any(|r| r["vmid"] == "101" && r["in"] != Value::Null));
}
