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
    let with_archive = scope.on_owners_of(ARCHIVE);
    assert_eq!(code(&with_archive, "GET", path), Ok(()));
    assert_eq!(
        code(&with_archive, "GET", "/api2/json/nodes/pve1/qemu/102/config"),
        Err("out_of_scope"),
        "a third guest"
    );
    let restore = |vmid: &str| {
        let form = format!(
            "vmid={vmid}&archive=local%3Abackup%2Fvzdump-qemu-101-2026_11_20-00_00_00.vma.zst&force=1"
        );
        let request = with_body("POST", "/api2/json/nodes/pve1/qemu", FORM, &form);
        gate(Grants::elevated())
            .check(&with_archive, request, &NoPools)
            .map(|_| ())
            .map_err(|denied| denied.code())
    };
    assert_eq!(
        (restore("150"), restore("101")),
        (Ok(()), Err("out_of_scope")),
        "used, and not restored over"
    );
    assert_eq!(code(&with_archive, "DELETE", path), Err("out_of_scope"));
    // Without a guest the call is about all of them, and a volume narrows nothing.
    assert_eq!(
        code(&Scope::new(methods::ALL).on_owners_of(ARCHIVE), "GET", "/api2/json/nodes/pve1/qemu/102/config"),
        Ok(())
    );
}

#[test]
fn a_container_is_restored_from_the_backup_of_another() {
    const ARCHIVE: &str = "nfs:backup/vzdump-lxc-102-2026_11_26-02_00_00.tar.zst";
    let restore = |scope: &Scope, vmid: &str| {
        let form =
            format!("vmid={vmid}&ostemplate={}&restore=1", ARCHIVE.replace(':', "%3A").replace('/', "%2F"));
        let request = with_body("POST", "/api2/json/nodes/pve1/lxc", FORM, &form);
        gate(Grants::elevated()).check(scope, request, &NoPools).map(|_| ()).map_err(|denied| denied.code())
    };
    let scope = Scope::new(methods::ALL).on_guest(903);
    assert_eq!(restore(&scope, "903"), Err("out_of_scope"), "a backup that the call does not name");
    let with_archive = scope.on_owners_of(ARCHIVE);
    assert_eq!(restore(&with_archive, "903"), Ok(()));
    assert_eq!(restore(&with_archive, "102"), Err("out_of_scope"), "used, and not restored over");
}

#[test]
fn a_clone_may_name_the_guest_that_it_makes_and_nothing_else_may() {
    let scope = Scope::new(methods::ALL).on_guest(101);
    let code = |scope: &Scope, path: &str, form: &str| {
        let request = with_body("POST", path, FORM, form);
        gate(Grants::elevated()).check(scope, request, &NoPools).map(|_| ()).map_err(|denied| denied.code())
    };
    const CLONE: &str = "/api2/json/nodes/pve1/qemu/101/clone";
    assert_eq!(code(&scope, CLONE, "newid=900"), Err("out_of_scope"));
    let making = scope.making_a_guest();
    assert_eq!(code(&making, CLONE, "newid=900"), Ok(()));
    assert_eq!(code(&making, "/api2/json/nodes/pve1/qemu/102/clone", "newid=900"), Err("out_of_scope"));
    assert_eq!(code(&making, "/api2/json/nodes/pve1/qemu/900/status/start", ""), Err("out_of_scope"));
    let elsewhere = "newid=900&target=x&target-bridge=1&target-endpoint=e&target-storage=1&target-vmid=900";
    assert!(code(&making, "/api2/json/nodes/pve1/qemu/101/remote_migrate", elsewhere).is_err());
    assert_eq!(code(&making, "/api2/json/nodes/pve1/qemu/101/clone", "newid=900&pool=x&name=y"), Ok(()));
}

#[test]
fn ones_own_permissions_are_ones_own_and_those_of_others_are_not() {
    let scope = Scope::new([&methods::GET_ACCESS_PERMISSIONS]);
    let code = |path: &str| {
        let checked = gate(Grants::basic()).check(&scope, raw("GET", path), &NoPools);
        checked.map(|_| ()).map_err(|denied| denied.code())
    };
    assert_eq!(code("/api2/json/access/permissions"), Ok(()));
    assert_eq!(code("/api2/json/access/permissions?path=%2Fvms%2F101"), Ok(()));
    for other in ["?userid=root%40pam", "?userid=", "?path=%2F&userid=a%40pam"] {
        assert!(code(&format!("/api2/json/access/permissions{other}")).is_err(), "{other}");
    }
}
