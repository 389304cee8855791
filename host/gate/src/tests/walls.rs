//! Allow-lists: nothing goes past them, not even with every privilege.

use super::*;

fn walled(nodes: Option<&str>, guests: Option<&str>) -> Gate {
    Gate::new(Grants::elevated(), Walls::parse(nodes, guests).unwrap(), LOGIN)
}

fn code(gate: &Gate, verb: &str, path: &str) -> Result<(), &'static str> {
    gate.check(&anything(), raw(verb, path), &NoPools).map(|_| ()).map_err(|denied| denied.code())
}

#[test]
fn inside_the_walls_all_is_as_granted() {
    let gate = walled(Some("pve1"), Some("101,200-299"));
    for (verb, path) in [
        ("GET", "/api2/json/version"),
        ("GET", "/api2/json/cluster/resources"),
        ("GET", "/api2/json/cluster/status"),
        ("GET", "/api2/json/cluster/ha/status/current"),
        ("GET", "/api2/json/storage/local"),
        ("GET", "/api2/json/nodes"),
        ("GET", "/api2/json/nodes/pve1/status"),
        ("GET", "/api2/json/nodes/pve1/rrddata?timeframe=hour"),
        ("GET", "/api2/json/nodes/pve1/disks/list"),
        ("GET", "/api2/json/nodes/pve1/disks/smart?disk=%2Fdev%2Fsda"),
        ("GET", "/api2/json/nodes/pve1/qemu/101/config"),
        ("POST", "/api2/json/nodes/pve1/lxc/200/status/start"),
        ("POST", "/api2/json/nodes/pve1/storage/local/content?vmid=101&filename=vm-101-disk-1&size=1G"),
        (
            "GET",
            "/api2/json/nodes/pve1/tasks/UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:101:root@pam!mcp:/log",
        ),
    ] {
        assert_eq!(code(&gate, verb, path), Ok(()), "{path}");
    }
}

#[test]
fn a_guest_outside_is_refused_wherever_it_is_named() {
    let gate = walled(None, Some("101"));
    for (verb, path) in [
        ("GET", "/api2/json/nodes/pve1/qemu/102/config"),
        ("GET", "/api2/json/nodes/pve1/lxc/102/status/current"),
        ("POST", "/api2/json/nodes/pve1/qemu/102/status/start"),
        ("GET", "/api2/json/cluster/nextid?vmid=102"),
        ("GET", "/api2/json/nodes/pve1/tasks?vmid=102"),
        ("GET", "/api2/json/nodes/pve1/storage/local/content?vmid=102"),
        ("GET", "/api2/json/nodes/pve1/storage/local/content/local%3A102%2Fvm-102-disk-0.qcow2"),
        ("GET", "/api2/json/nodes/pve1/storage/local/content/backup%2Fvzdump-qemu-102-x.vma.zst"),
        ("GET", "/api2/json/nodes/pve1/vzdump/extractconfig?volume=local%3Abackup%2Fvzdump-qemu-102-x.vma"),
        (
            "GET",
            "/api2/json/nodes/pve1/storage/pbs/file-restore/list?filepath=%2F&volume=backup%2Fvm%2F102%2Fx",
        ),
        ("GET", "/api2/json/cluster/replication/102-0"),
        ("GET", "/api2/json/nodes/pve1/replication/102-0/log"),
        ("GET", "/api2/json/cluster/ha/resources/vm%3A102"),
        ("GET", "/api2/json/cluster/ha/resources/102"),
        ("DELETE", "/api2/json/cluster/ha/resources/ct%3A102"),
        (
            "GET",
            "/api2/json/nodes/pve1/tasks/UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:102:root@pam!mcp:/log",
        ),
        (
            "GET",
            "/api2/json/nodes/pve1/tasks/UPID:pve1:00003215:0004ADDD:6B02B8E4:imgdel:102@local:root@pam!mcp:/log",
        ),
        ("POST", "/api2/json/nodes/pve1/storage/local/content?vmid=102&filename=vm-101-x&size=1G"),
        ("POST", "/api2/json/nodes/pve1/storage/local/content?vmid=101&filename=vm-101-x&size=1G&vmid=102"),
    ] {
        let expected = if path.ends_with("&vmid=102") { "bad_parameter" } else { "not_on_allowlist" };
        assert_eq!(code(&gate, verb, path), Err(expected), "{path}");
    }
}

#[test]
fn a_guest_in_a_list_or_an_array_is_seen() {
    let gate = walled(None, Some("101"));
    for (path, body, expected) in [
        ("/api2/json/nodes/pve1/vzdump", "all=1", "unbounded_under_allowlist"),
        ("/api2/json/nodes/pve1/vzdump", "pool=dev", "unbounded_under_allowlist"),
        ("/api2/json/nodes/pve1/vzdump", "vmid=101&all=1", "unbounded_under_allowlist"),
        ("/api2/json/nodes/pve1/vzdump", "vmid=101&all=0", "unbounded_under_allowlist"),
        ("/api2/json/nodes/pve1/vzdump", "vmid=101&pool=dev", "unbounded_under_allowlist"),
        ("/api2/json/nodes/pve1/vzdump", "vmid=101&exclude=101", "unbounded_under_allowlist"),
        ("/api2/json/nodes/pve1/vzdump", "vmid=%2C", "unbounded_under_allowlist"),
        ("/api2/json/nodes/pve1/vzdump", "vmid=101%2C102", "not_on_allowlist"),
        ("/api2/json/nodes/pve1/vzdump", "vmid=101%3B102", "not_on_allowlist"),
        ("/api2/json/nodes/pve1/vzdump", "vmid=101%20102", "not_on_allowlist"),
        ("/api2/json/nodes/pve1/vzdump", "vmid=101%2C0102", "bad_parameter"),
        ("/api2/json/cluster/bulk-action/guest/start", "timeout=9", "unbounded_under_allowlist"),
        ("/api2/json/nodes/pve1/stopall", "vms=%20", "unbounded_under_allowlist"),
        ("/api2/json/nodes/pve1/stopall", "", "unbounded_under_allowlist"),
        ("/api2/json/cluster/bulk-action/guest/start", "vms=101&vms=102", "not_on_allowlist"),
        ("/api2/json/nodes/pve1/qemu/101/clone", "newid=102", "not_on_allowlist"),
        ("/api2/json/cluster/ha/rules", "rule=r1&resources=vm%3A101%2Cvm%3A102", "not_on_allowlist"),
        ("/api2/json/cluster/replication", "id=102-0&target=pve2&type=local", "not_on_allowlist"),
    ] {
        let denied = gate.check(&anything(), with_body("POST", path, FORM, body), &NoPools).unwrap_err();
        assert_eq!(denied.code(), expected, "{path} {body}: {denied}");
    }
    for (path, body) in [
        ("/api2/json/nodes/pve1/vzdump", "vmid=101"),
        ("/api2/json/nodes/pve1/vzdump", "vmid=101%2C101&storage=local"),
        ("/api2/json/cluster/bulk-action/guest/start", "vms=101"),
        ("/api2/json/nodes/pve1/stopall", "vms=101"),
    ] {
        let permit = gate.check(&anything(), with_body("POST", path, FORM, body), &NoPools);
        assert!(permit.is_ok(), "{path} {body}: {:?}", permit.map_err(|denied| denied.to_string()));
    }
}

#[test]
fn a_node_outside_is_refused_wherever_it_is_named() {
    let gate = walled(Some("pve1"), None);
    for (verb, path) in [
        ("GET", "/api2/json/nodes/pve2/status"),
        ("GET", "/api2/json/nodes/PVE1/status"),
        ("GET", "/api2/json/nodes/pve2/qemu/101/config"),
        ("GET", "/api2/json/nodes/pve1/qemu/101/migrate?target=pve2"),
        ("GET", "/api2/json/nodes/pve1/storage?target=pve2"),
        ("GET", "/api2/json/cluster/mapping/pci?check-node=pve2"),
        ("POST", "/api2/json/nodes/pve1/qemu/101/status/start?migratedfrom=pve2"),
        ("POST", "/api2/json/nodes/pve1/qemu/101/migrate?target=pve2"),
        ("POST", "/api2/json/storage?storage=nfs1&type=nfs&nodes=pve1%2Cpve2"),
        ("POST", "/api2/json/cluster/ha/groups?group=g1&nodes=pve1%3A2%2Cpve2%3A1"),
        ("POST", "/api2/json/cluster/replication?id=101-0&target=pve2&type=local"),
    ] {
        assert_eq!(code(&gate, verb, path), Err("not_on_allowlist"), "{path}");
    }
}

#[test]
fn a_target_inside_says_nothing_of_where_the_guest_is() {
    let nodes = walled(Some("pve1"), None);
    for path in [
        "/api2/json/cluster/bulk-action/guest/migrate?target=pve1&vms=102",
        "/api2/json/cluster/replication?id=102-0&target=pve1&type=local",
        "/api2/json/cluster/ha/resources/vm%3A103/migrate?node=pve1",
        "/api2/json/cluster/ha/resources/vm%3A103/relocate?node=pve1",
    ] {
        assert_eq!(code(&nodes, "POST", path), Err("unbounded_under_allowlist"), "{path}");
        let outside = path.replace("pve1", "pve2");
        assert_eq!(code(&nodes, "POST", &outside), Err("not_on_allowlist"), "{outside}");
        assert_eq!(code(&walled(None, Some("102-103")), "POST", path), Ok(()), "{path}");
    }
    let from_inside = "/api2/json/nodes/pve1/qemu/101/migrate?target=pve1";
    assert_eq!(code(&nodes, "POST", from_inside), Ok(()), "the path says where it is");
}

#[test]
fn what_names_no_guest_or_node_and_may_concern_any_is_refused() {
    let guests = walled(None, Some("101"));
    for (verb, path) in [
        ("GET", "/api2/json/nodes/pve1/report"),
        ("GET", "/api2/json/nodes/pve1/syslog"),
        ("GET", "/api2/json/cluster/log"),
        ("GET", "/api2/json/nodes/pve1/tasks/UPID:pve1:00003215:0004ADDD:6B02B8E4:vzdump::root@pam!mcp:/log"),
        ("POST", "/api2/json/nodes/pve1/status?command=reboot"),
        ("DELETE", "/api2/json/cluster/backup/job1"),
        ("GET", "/api2/json/cluster/sdn/ipams/pve/status"),
        ("PUT", "/api2/json/cluster/backup/job1?vmid=101"),
        ("PUT", "/api2/json/cluster/options?description=x"),
    ] {
        assert_eq!(code(&guests, verb, path), Err("unbounded_under_allowlist"), "{path}");
    }
    let nodes = walled(Some("pve1"), None);
    for (verb, path) in [
        ("GET", "/api2/json/cluster/log"),
        ("GET", "/api2/json/cluster/config/nodes"),
        ("DELETE", "/api2/json/storage/local"),
        ("GET", "/api2/json/cluster/mapping/pci?check-node=pve1"),
        ("PUT", "/api2/json/storage/local?nodes=pve1"),
        ("PUT", "/api2/json/cluster/options?description=x"),
        ("GET", "/api2/json/cluster/ceph/status"),
    ] {
        assert_eq!(code(&nodes, verb, path), Err("unbounded_under_allowlist"), "{path}");
    }
    assert_eq!(code(&guests, "GET", "/api2/json/cluster/ceph/status"), Ok(()), "it tells of nodes only");
    let open = walled(None, None);
    assert_eq!(code(&open, "GET", "/api2/json/nodes/pve1/report"), Ok(()));
    assert_eq!(code(&open, "PUT", "/api2/json/cluster/options?description=x"), Ok(()));
}

#[test]
fn the_refusal_names_the_list() {
    let denied = walled(None, Some("101"))
        .check(&anything(), raw("GET", "/api2/json/nodes/pve1/qemu/102/config"), &NoPools)
        .unwrap_err();
    assert_eq!(denied.to_string(), "The operator's PROXMOX_VMID_ALLOWLIST leaves out guest 102.");
    assert_eq!(denied.remedy().as_deref(), Some("add 102 to PROXMOX_VMID_ALLOWLIST"));
    assert_eq!(denied.grant(), None);
}
