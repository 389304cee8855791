//! What the gate says about its own decisions.

use super::*;
use Verb::{Get, Post, Put};

fn explain(gate: &Gate, call: &Call) -> crate::Verdict {
    gate.explain(&anything(), call.raw(), &NoPools)
}

#[test]
fn it_says_what_is_needed_and_what_covers_it() {
    let call = Call::of(Put, "/nodes/pve1/qemu/101/config", "scsi1=a1:32 memory=64");
    let verdict = explain(&granted("VM.Config.*@/vms/100-199"), &call);
    assert_eq!(verdict.method, Some(&methods::PUT_NODES_NODE_QEMU_VMID_CONFIG));
    assert!(verdict.rule.starts_with("each option"), "{}", verdict.rule);
    let shown: Vec<String> = verdict.needs.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "VM.Config.Memory on /vms/101, granted by VM.Config.*@/vms/100-199",
            "VM.Config.Disk on /vms/101, granted by VM.Config.*@/vms/100-199",
            "Datastore.AllocateSpace on /storage/a1, not granted",
        ]
    );
    assert_eq!(verdict.narrowest_grants().as_deref(), Some("Datastore.AllocateSpace@/storage/a1"));
    assert_eq!(verdict.outcome.as_ref().map_err(Denied::code), Err("missing_grant"));
    assert!(verdict.to_string().ends_with("it needs Datastore.AllocateSpace on /storage/a1."), "{verdict}");
}

#[test]
fn of_alternatives_it_shows_the_one_that_counts() {
    let call = Call::of(Post, "/nodes/pve1/qemu/101/agent/ping", "");
    let needs = |grants: &str| explain(&granted(grants), &call).needs[0].to_string();
    assert_eq!(needs("Sys.Audit@/"), "VM.GuestAgent.Audit on /vms/101, not granted");
    assert_eq!(
        needs("VM.GuestAgent.Unrestricted@/vms"),
        "VM.GuestAgent.Unrestricted on /vms/101, granted by VM.GuestAgent.Unrestricted@/vms"
    );
}

#[test]
fn it_agrees_with_the_check() {
    for (call, grants, rule, code) in [
        (Call::of(Get, "/version", ""), "VM.Audit@/", "the schema opens it to any login", None),
        (
            Call::of(Post, "/nodes/pve1/qemu/101/status/start", ""),
            "VM.PowerMgmt@/",
            "the schema's check",
            None,
        ),
        (
            Call::of(Post, "/nodes/pve1/execute", "commands=x"),
            "Administrator@/",
            "the schema keeps it to root@pam",
            Some("root_only"),
        ),
        (
            Call::of(Put, "/nodes/pve1/qemu/101/config", "args=x"),
            "Administrator@/",
            "each option needs its own privilege, volumes their storage or owner, bridges SDN.Use",
            Some("root_only_parameter"),
        ),
        (
            Call::of(Post, "/access/roles", "roleid=x"),
            "VM.Audit@/",
            "the schema's check",
            Some("missing_grant"),
        ),
    ] {
        let verdict = explain(&granted(grants), &call);
        assert_eq!((verdict.rule, verdict.outcome.err().map(|denied| denied.code())), (rule, code));
    }
    let nonsense = gate(Grants::elevated()).explain(&anything(), raw("GET", "/api2/json/../x"), &NoPools);
    assert_eq!((nonsense.method, nonsense.needs.len()), (None, 0));
    assert_eq!(nonsense.outcome.unwrap_err().code(), "malformed_request");
}

#[test]
fn everything_is_the_grant_where_users_are_concerned() {
    let call = Call::of(Put, "/access/acl", "path=/vms roles=PVEAuditor users=joe@pve");
    let verdict = explain(&granted("VM.Audit@/"), &call);
    assert_eq!(verdict.narrowest_grants().as_deref(), Some("Administrator@/"));
    assert_eq!(explain(&gate(Grants::elevated()), &call).narrowest_grants(), None);
}
