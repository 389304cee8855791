//! Pools: a grant on a pool reaches its guests and storages, and nothing else.

use super::*;
use crate::Pools;
use Verb::{Get, Post};

/// Guest 101 and storage `a1` are in `dev/web`, `a1` is in `lab` too.
struct Lookup;

impl Pools for Lookup {
    fn pool_of(&self, vmid: u32) -> Option<&str> {
        (vmid == 101).then_some("dev/web")
    }

    fn pools_of_storage(&self, storage: &str) -> Vec<&str> {
        if storage == "a1" { vec!["dev/web", "lab"] } else { Vec::new() }
    }
}

fn passes(grants: &str, call: &Call) -> bool {
    granted(grants).check(&anything(), call.raw(), &Lookup).is_ok()
}

#[test]
fn a_grant_on_a_pool_reaches_guests_and_storages_in_it() {
    let start = Call::of(Post, "/nodes/pve1/qemu/101/status/start", "");
    let other = Call::of(Post, "/nodes/pve1/qemu/102/status/start", "");
    for pool in ["/pool/dev/web", "/pool/dev", "/pool"] {
        assert!(passes(&format!("VM.PowerMgmt@{pool}"), &start), "{pool}");
        assert!(!passes(&format!("VM.PowerMgmt@{pool}"), &other), "{pool}");
        assert!(!passes(&format!("VM.Audit@{pool}"), &start), "{pool}");
    }
    assert!(!passes("VM.PowerMgmt@/pool/lab", &start));
    let status = |storage: &str| Call::of(Get, &format!("/nodes/pve1/storage/{storage}/status"), "");
    for pool in ["/pool/dev/web", "/pool/dev", "/pool/lab", "/pool"] {
        assert!(passes(&format!("Datastore.Audit@{pool}"), &status("a1")), "{pool}");
        assert!(!passes(&format!("Datastore.Audit@{pool}"), &status("b1")), "{pool}");
    }
    assert!(!passes("Datastore.Audit@/pool/prod", &status("a1")));
    let nothing_known = granted("Datastore.Audit@/pool/dev,VM.PowerMgmt@/pool/dev");
    assert!(nothing_known.check(&anything(), status("a1").raw(), &NoPools).is_err());
    assert!(nothing_known.check(&anything(), start.raw(), &NoPools).is_err());
}

#[test]
fn a_change_may_rest_on_the_pool_of_guest_and_storage() {
    let grow = Call::of(Verb::Put, "/nodes/pve1/qemu/101/config", "scsi1=a1:32");
    assert!(passes("VM.Config.Disk@/pool/dev,Datastore.AllocateSpace@/pool/lab", &grow));
    assert!(!passes("VM.Config.Disk@/pool/dev", &grow));
    let elsewhere = Call::of(Verb::Put, "/nodes/pve1/qemu/101/config", "scsi1=b1:32");
    assert!(!passes("VM.Config.Disk@/pool/dev,Datastore.AllocateSpace@/pool/dev", &elsewhere));
}

#[test]
fn lists_are_cut_by_pools_too() {
    let gate = granted("Datastore.Audit@/pool/lab,VM.Audit@/pool/dev");
    let cut = |path: &str, body: &str| {
        let kept = gate.filter(method(Get, path), body.as_bytes(), &Lookup).unwrap();
        String::from_utf8(kept).unwrap()
    };
    assert_eq!(
        cut("/storage", r#"{"data":[{"storage":"a1"},{"storage":"b1"}]}"#),
        r#"{"data":[{"storage":"a1"}]}"#
    );
    assert_eq!(
        cut("/nodes/{node}/qemu", r#"{"data":[{"vmid":101},{"vmid":102}]}"#),
        r#"{"data":[{"vmid":101}]}"#
    );
}

#[test]
fn a_listing_says_that_a_pool_may_open_a_storage() {
    let status = method(Get, "/nodes/{node}/storage/{storage}/status");
    assert_eq!(granted("Datastore.Audit@/pool/lab").opens(status), crate::Opening::Scoped);
    assert!(matches!(granted("VM.Audit@/pool/lab").opens(status), crate::Opening::Shut { .. }));
}
