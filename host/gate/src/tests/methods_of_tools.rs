//! The methods that the tools call: what each needs, exactly.

use super::*;
use crate::Opening;
use proxmox_api::{Check, privileges::PRIVILEGES, rules};

/// Verb, path, and the grants that just suffice (none: any login).
const METHODS: &[(&str, &str, &[&str])] = &[
    ("GET", "/api2/json/version", &[]),
    ("GET", "/api2/json/nodes", &[]),
    ("GET", "/api2/json/cluster/resources?type=vm", &[]),
    ("GET", "/api2/json/cluster/status", &["Sys.Audit@/"]),
    ("GET", "/api2/json/cluster/ha/status/current", &["Sys.Audit@/"]),
    ("GET", "/api2/json/cluster/ceph/status", &["Sys.Audit@/"]),
    ("GET", "/api2/json/nodes/pve1/status", &["Sys.Audit@/nodes/pve1"]),
    ("GET", "/api2/json/nodes/pve1/rrddata?cf=AVERAGE&timeframe=hour", &["Sys.Audit@/nodes/pve1"]),
    ("GET", "/api2/json/nodes/pve1/disks/list", &["Sys.Audit@/nodes/pve1"]),
    ("GET", "/api2/json/nodes/pve1/disks/smart?disk=%2Fdev%2Fsda", &["Sys.Audit@/"]),
    ("GET", "/api2/json/nodes/pve1/qemu/101/status/current", &["VM.Audit@/vms/101"]),
    ("GET", "/api2/json/nodes/pve1/lxc/101/status/current", &["VM.Audit@/vms/101"]),
    ("GET", "/api2/json/nodes/pve1/qemu/101/config", &["VM.Audit@/vms/101"]),
    ("GET", "/api2/json/nodes/pve1/lxc/101/config", &["VM.Audit@/vms/101"]),
    ("POST", "/api2/json/nodes/pve1/qemu/101/agent/exec", &["VM.GuestAgent.Unrestricted@/vms/101"]),
    (
        "GET",
        "/api2/json/nodes/pve1/qemu/101/agent/exec-status?pid=7",
        &["VM.GuestAgent.Unrestricted@/vms/101"],
    ),
    ("POST", "/api2/json/nodes/pve1/qemu/101/status/start", &["VM.PowerMgmt@/vms/101"]),
    ("POST", "/api2/json/nodes/pve1/lxc/101/status/start", &["VM.PowerMgmt@/vms/101"]),
    ("POST", "/api2/json/nodes/pve1/qemu/101/status/shutdown", &["VM.PowerMgmt@/vms/101"]),
    ("POST", "/api2/json/nodes/pve1/lxc/101/status/shutdown", &["VM.PowerMgmt@/vms/101"]),
    ("GET", "/api2/json/cluster/backup", &["Sys.Audit@/"]),
    (
        "GET",
        "/api2/json/nodes/pve1/storage/local/file-restore/list?filepath=%2F&volume=b",
        &["Datastore.Allocate@/storage/local"],
    ),
    ("GET", "/api2/json/cluster/sdn/fabrics/node/f1", &["SDN.Audit@/sdn/fabrics/f1", "Sys.Audit@/nodes"]),
    ("GET", "/api2/json/nodes/pve1/vzdump/defaults", &["Datastore.Audit@/storage", "Sys.Audit@/nodes/pve1"]),
];

fn check(gate: &Gate, verb: &str, path: &str) -> Result<Permit, Denied> {
    gate.check(&anything(), raw(verb, path), &NoPools)
}

#[test]
fn exactly_the_named_grants_suffice() {
    for (verb, path, needed) in METHODS {
        let all = granted_all(needed);
        assert!(check(&all, verb, path).is_ok(), "{path}: {:?}", check(&all, verb, path));
        for left_out in *needed {
            let rest: Vec<&str> = needed.iter().copied().filter(|grant| grant != left_out).collect();
            let denied = check(&granted_all(&rest), verb, path).unwrap_err();
            assert_eq!(denied.grant().as_deref(), Some(*left_out), "{path}");
            assert_eq!(denied.remedy(), Some(format!("--grant {left_out}")), "{path}");
            assert_eq!(denied.code(), "missing_grant");
            let (privilege, on) = left_out.split_once('@').unwrap();
            assert!(denied.to_string().contains(&format!("{privilege} on {on}")), "{denied}");
        }
    }
}

#[test]
fn every_other_privilege_is_no_substitute() {
    let agent = "/api2/json/nodes/pve1/qemu/101/agent/exec";
    let start = "/api2/json/nodes/pve1/qemu/101/status/start";
    for (path, needed) in [(agent, "VM.GuestAgent.Unrestricted"), (start, "VM.PowerMgmt")] {
        for privilege in PRIVILEGES.iter().filter(|privilege| **privilege != needed) {
            let gate = granted(&format!("{privilege}@/"));
            assert!(check(&gate, "POST", path).is_err(), "{privilege} opens {path}");
        }
        for elsewhere in ["/vms/102", "/vms/200-299", "/nodes", "/pool/dev", "/storage"] {
            let gate = granted(&format!("{needed}@{elsewhere}"));
            assert!(check(&gate, "POST", path).is_err(), "{needed}@{elsewhere} opens {path}");
        }
        for above in ["/vms/101", "/vms/100-101", "/vms", "/"] {
            assert!(check(&granted(&format!("{needed}@{above}")), "POST", path).is_ok(), "{above}");
        }
    }
}

fn granted_all(texts: &[&str]) -> Gate {
    let mut grants = Grants::default();
    grants.add(&texts.join(",")).unwrap();
    gate(grants)
}

#[test]
fn the_modes() {
    let (basic, elevated) = (gate(Grants::basic()), gate(Grants::elevated()));
    let open_in_basic = |needed: &[&str]| {
        needed.iter().all(|grant| {
            ["VM.Audit@", "Datastore.Audit@", "Pool.Audit@", "SDN.Audit@"]
                .iter()
                .any(|own| grant.starts_with(own))
        })
    };
    for (verb, path, needed) in METHODS {
        assert!(check(&elevated, verb, path).is_ok(), "{path}");
        // Ceph's status takes Datastore.Audit in place of Sys.Audit.
        let open = open_in_basic(needed) || path.contains("/ceph/");
        assert_eq!(check(&basic, verb, path).is_ok(), open, "{path}");
    }
}

#[test]
fn basic_mode_changes_nothing_at_all() {
    let basic = gate(Grants::basic());
    for method in methods::ALL.iter().filter(|method| !method.verb.reads()) {
        assert!(matches!(basic.opens(method), Opening::Shut { .. }), "{method}");
    }
}

#[test]
fn a_task_is_followed_by_its_own_login_or_by_an_auditor_of_its_node() {
    let other = "UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:101:root@pam:";
    for leaf in ["status", "log"] {
        let path = |upid: &str| format!("/api2/json/nodes/pve1/tasks/{upid}/{leaf}");
        let nothing = gate(Grants::default());
        assert!(check(&nothing, "GET", &path(OWN_TASK)).is_ok());
        assert!(check(&nothing, "GET", &path(&OWN_TASK.replace(':', "%3A"))).is_ok());
        let denied = check(&nothing, "GET", &path(other)).unwrap_err();
        assert_eq!(denied.grant().as_deref(), Some("Sys.Audit@/nodes/pve1"));
        assert!(check(&granted("Sys.Audit@/nodes/pve1"), "GET", &path(other)).is_ok());
    }
}

#[test]
fn what_no_grant_opens() {
    for (verb, path, code) in [
        ("POST", "/api2/json/nodes/pve1/execute", "root_only"),
        ("PUT", "/api2/json/nodes/pve1/disks/wipedisk", "root_only"),
        ("POST", "/api2/json/nodes/pve1/qemu/101/monitor", "undecided"),
        ("POST", "/api2/json/nodes/pve1/qemu/101/mtunnel", "undecided"),
        ("POST", "/api2/json/nodes/pve1/qemu/101/remote_migrate", "undecided"),
        ("POST", "/api2/json/access/ticket", "needs_ticket"),
        ("POST", "/api2/json/access/openid/login", "undecided"),
    ] {
        let denied = check(&gate(Grants::elevated()), verb, path).unwrap_err();
        assert_eq!((denied.code(), denied.grant(), denied.remedy()), (code, None, None), "{path}: {denied}");
    }
    for path in ["/access/ticket", "/nodes/{node}/qemu/{vmid}/monitor", "/nodes/{node}/execute"] {
        let opening = gate(Grants::elevated()).opens(method(Verb::Post, path));
        assert_eq!(opening, Opening::Shut { missing: vec![], grant: None }, "{path}");
    }
}

#[test]
fn users_and_access_lists_need_everything() {
    let path = "/api2/json/access/users/joe%40pve/token/new";
    let most = PRIVILEGES
        .iter()
        .filter(|p| **p != "Mapping.Use")
        .map(|p| format!("{p}@/"))
        .collect::<Vec<_>>()
        .join(",");
    let denied = check(&granted(&most), "POST", path).unwrap_err();
    assert_eq!((denied.code(), denied.grant().as_deref()), ("needs_elevated", Some("Administrator@/")));
    assert!(check(&granted("Administrator@/access"), "POST", path).is_err());
    assert!(check(&gate(Grants::elevated()), "POST", path).is_ok());
}

#[test]
fn a_path_in_a_check_is_filled_from_parameters_and_fails_without_them() {
    let gate = granted("SDN.Allocate@/sdn/zones/lab");
    let vnets = "/api2/json/cluster/sdn/vnets";
    let send = |body: &str| {
        gate.check(&anything(), with_body("POST", vnets, FORM, body), &NoPools).map_err(|d| d.code())
    };
    assert!(send("vnet=v1&zone=lab").is_ok());
    assert_eq!(send("vnet=v1&zone=prod"), Err("missing_grant"));
    assert_eq!(send("vnet=v1"), Err("bad_parameter"));
    assert_eq!(send("vnet=v1&zone=lab%2Fv2"), Err("bad_parameter"));
    assert_eq!(send("vnet=v1&zone=.."), Err("bad_parameter"));
}

#[test]
fn all_of_several_privileges_are_needed() {
    let path = "/api2/json/nodes/pve1/query-url-metadata?url=http%3A%2F%2Fa";
    let denied = |grants: &str| check(&granted(grants), "GET", path).map_err(|denied| denied.grant());
    let network = Some("Sys.AccessNetwork@/nodes/pve1".to_owned());
    assert_eq!(denied("VM.Audit@/").unwrap_err(), network);
    assert_eq!(denied("Sys.Audit@/").unwrap_err(), network);
    assert_eq!(denied("Sys.Modify@/").unwrap_err(), network);
    assert!(denied("Sys.Audit@/,Sys.Modify@/").is_ok());
    assert!(denied("Sys.AccessNetwork@/nodes/pve1").is_ok());
}

#[test]
fn alternatives_name_the_least() {
    let nothing = gate(Grants::default());
    for (path, grant) in [
        ("/api2/json/nodes/pve1/qemu/101/agent/ping", "VM.GuestAgent.Audit@/vms/101"),
        ("/api2/json/nodes/pve1/qemu/101/agent/shutdown", "VM.PowerMgmt@/vms/101"),
    ] {
        assert_eq!(check(&nothing, "POST", path).unwrap_err().grant().as_deref(), Some(grant));
    }
    assert!(
        check(
            &granted("VM.GuestAgent.Unrestricted@/vms/101"),
            "POST",
            "/api2/json/nodes/pve1/qemu/101/agent/ping"
        )
        .is_ok()
    );
}

#[test]
fn openings_for_listings() {
    let start = &methods::POST_NODES_NODE_QEMU_VMID_STATUS_START;
    let shut =
        |privilege, grant: &str| Opening::Shut { missing: vec![privilege], grant: Some(grant.to_owned()) };
    assert_eq!(gate(Grants::basic()).opens(start), shut("VM.PowerMgmt", "VM.PowerMgmt@/vms/{vmid}"));
    for (grant, opening) in [
        ("VM.PowerMgmt@/vms/101", Opening::Scoped),
        ("VM.PowerMgmt@/vms/100-199", Opening::Scoped),
        ("VM.PowerMgmt@/pool/dev", Opening::Scoped),
        ("VM.PowerMgmt@/vms", Opening::Open),
        ("PVEVMUser@/", Opening::Open),
        ("VM.PowerMgmt@/nodes", shut("VM.PowerMgmt", "VM.PowerMgmt@/vms/{vmid}")),
    ] {
        assert_eq!(granted(grant).opens(start), opening, "{grant}");
    }
    let status = &methods::GET_CLUSTER_STATUS;
    assert_eq!(granted("Sys.Audit@/nodes/pve1").opens(status), shut("Sys.Audit", "Sys.Audit@/"));
    assert_eq!(granted("Sys.Audit@/").opens(status), Opening::Open);
    let disks = method(Verb::Get, "/nodes/{node}/disks/list");
    assert_eq!(gate(Grants::basic()).opens(disks), shut("Sys.Audit", "Sys.Audit@/nodes/{node}"));
    assert_eq!(granted("Sys.Audit@/nodes/pve1").opens(disks), Opening::Scoped);
    let log = method(Verb::Get, "/nodes/{node}/tasks/{upid}/log");
    assert_eq!(gate(Grants::basic()).opens(log), Opening::Scoped);
    assert_eq!(gate(Grants::basic()).opens(&methods::GET_CLUSTER_RESOURCES), Opening::Open);
}

#[test]
fn what_a_check_permits_is_not_shut_in_a_listing() {
    let texts = METHODS.iter().flat_map(|(_, _, needed)| needed.iter().copied());
    for grants in
        texts.chain(["VM.*@/vms/100-199", "Administrator@/vms", "Administrator@/", "Datastore.Audit@/"])
    {
        let gate = granted(grants);
        for (verb, path, _) in METHODS {
            if let Ok(permit) = check(&gate, verb, path) {
                assert!(!matches!(gate.opens(permit.method()), Opening::Shut { .. }), "{grants}: {path}");
            }
        }
    }
}

#[test]
fn no_check_of_the_table_is_empty() {
    fn walk(check: &Check) -> bool {
        match check {
            Check::Perm { privileges, .. } | Check::UserGroup(privileges) => !privileges.is_empty(),
            Check::All(checks) | Check::Any(checks) => !checks.is_empty() && checks.iter().all(walk),
            Check::UserParam(_) | Check::ModifyPermissions(_) => true,
        }
    }
    for method in methods::ALL {
        if let rules::Decision::Check(check) = rules::decision(method) {
            assert!(walk(check), "{method}");
        }
    }
}
