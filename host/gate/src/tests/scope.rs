//! What a call may do at most, whatever is granted: the methods that its tool declared, or the one request
//! that its arguments name.

use super::*;

fn code(scope: &Scope, verb: &str, path: &str) -> Result<(), &'static str> {
    let checked = gate(Grants::elevated()).check(scope, raw(verb, path), &NoPools);
    checked.map(|_| ()).map_err(|denied| denied.code())
}

#[test]
fn a_named_request_is_that_request_and_no_other() {
    let scope = Scope::default().naming(Verb::Get, "/nodes/pve1/qemu/101/config");
    assert_eq!(code(&scope, "GET", "/api2/json/nodes/pve1/qemu/101/config"), Ok(()));
    assert_eq!(code(&scope, "GET", "/api2/json/nodes/pve1/qemu/101/config?current=1"), Ok(()));
    assert_eq!(
        code(&scope, "GET", "/api2/json/nodes/pve%31/qemu/101/config"),
        Ok(()),
        "the same, written otherwise"
    );
    for (verb, path) in [
        ("GET", "/api2/json/nodes/pve1/qemu/102/config"),
        ("GET", "/api2/json/nodes/pve2/qemu/101/config"),
        ("GET", "/api2/json/nodes/pve1/lxc/101/config"),
        ("GET", "/api2/json/nodes/pve1/qemu/101/status/current"),
        ("DELETE", "/api2/json/nodes/pve1/qemu/101"),
        ("GET", "/api2/json/version"),
    ] {
        assert_eq!(code(&scope, verb, path), Err("not_declared"), "{verb} {path}");
    }
}

#[test]
fn a_path_that_means_nothing_names_nothing() {
    for path in ["", "/", "version", "/nope", "/nodes/../version", "/version?x=1", "/api2/json/version"] {
        let scope = Scope::default().naming(Verb::Get, path);
        assert_eq!(code(&scope, "GET", "/api2/json/version"), Err("not_declared"), "{path}");
    }
}

#[test]
fn what_is_declared_stands_beside_what_is_named() {
    let scope = Scope::new([&methods::GET_VERSION]).naming(Verb::Delete, "/nodes/pve1/qemu/101");
    assert_eq!(code(&scope, "GET", "/api2/json/version"), Ok(()));
    assert_eq!(code(&scope, "DELETE", "/api2/json/nodes/pve1/qemu/101"), Ok(()));
    assert_eq!(code(&scope, "DELETE", "/api2/json/nodes/pve1/qemu/101/snapshot/x1"), Err("not_declared"));
}

#[test]
fn a_call_about_a_guest_may_read_the_archive_that_it_names() {
    const ARCHIVE: &str = "local:backup/vzdump-qemu-101-2026_11_20-00_00_00.vma.zst";
    let path =
        "/api2/json/nodes/pve1/storage/local/content/backup%2Fvzdump-qemu-101-2026_11_20-00_00_00.vma.zst";
    let scope = Scope::new(methods::ALL).on_guest(150);
    assert_eq!(code(&scope, "GET", path), Err("out_of_scope"));
    assert_eq!(code(&scope.clone().on_owners_of(ARCHIVE), "GET", path), Ok(()));
    // Without a guest the call is about all of them, and a volume narrows nothing.
    assert_eq!(
        code(&Scope::new(methods::ALL).on_owners_of(ARCHIVE), "GET", "/api2/json/nodes/pve1/qemu/102/config"),
        Ok(())
    );
}
