use serde_json::json;

use super::*;
use crate::testing::{Demo, finish, run, text};

const ISO: &str = "https://releases.example.org/noble/ubuntu-24.04-live.iso?mirror=1";

fn has(demo: &Demo, node: &str, volume: &str) -> bool {
    let rows = demo.get(&format!("/nodes/{node}/storage/local/content"));
    rows.as_array().unwrap().iter().any(|row| row["volid"] == volume)
}

#[test]
fn an_image_is_fetched_and_verified_once() {
    let demo = Demo::new();
    let args = json!({"storage": "local", "node": "pve2", "url": ISO, "checksum": format!("SHA256:{}", "a1".repeat(32))});
    let output = finish(&TOOL, &demo, args.clone()).unwrap();
    assert!(output.text.contains("Checksum: sha256, verified by Proxmox VE"), "{}", output.text);
    assert!(has(&demo, "pve2", "local:iso/ubuntu-24.04-live.iso") && !has(&demo, "pve1", "local:iso/ubuntu-24.04-live.iso"));
    assert_eq!(output.data["undo"]["arguments"], r#"{"volume":"local:iso/ubuntu-24.04-live.iso","node":"pve2"}"#);
    let again = finish(&TOOL, &demo, args).unwrap();
    assert_eq!((&again.data["changed"], demo.changes().len()), (&json!(false), 1));
}

#[test]
fn a_wrong_checksum_or_address_fails() {
    for (extra, expected) in [
        (json!({"url": ISO, "checksum": "0".repeat(64)}), "checksum verification failed"),
        (json!({"url": "https://missing.example.org/a.iso"}), "404 Not Found"),
    ] {
        let mut args = json!({"storage": "local", "node": "pve1"});
        args.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let error = finish(&TOOL, &Demo::new(), args).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_template_is_found_by_the_beginning_of_its_name() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"storage": "local", "node": "pve1", "template": "debian-13"})).unwrap();
    assert!(output.text.contains("Result: done"), "{}", output.text);
    assert!(has(&demo, "pve1", "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"));
    for (template, expected) in
        [("debain-13-standard", "Did you mean `debian-13-standard`?"), ("gitea", "debian-12-turnkey-gitea")]
    {
        let args = json!({"storage": "local", "node": "pve1", "template": template});
        let error = run(&TOOL, &demo, args).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_newest_of_one_package_is_taken_and_several_are_named() {
    let names = ["debian-12-standard_12.7-1_amd64.tar.zst", "debian-12-standard_12.12-1_amd64.tar.zst",
                 "debian-12-turnkey-x_1_amd64.tar.gz", "alpine-3.21-default_1_amd64.tar.xz", "alpine-3.22-default_1_amd64.tar.xz"];
    assert_eq!(choose(&names, "debian-12").unwrap(), names[1]);
    assert_eq!(choose(&names, names[2]).unwrap(), names[2]);
    assert!(choose(&names, "alpine").is_err(), "a release has to be named");
    assert!(choose(&[], "alpine").unwrap_err().to_string().contains("pveam update"));
}

#[test]
fn a_dry_run_says_what_is_needed() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"storage": "local", "node": "pve1", "url": ISO, "dry_run": true}));
    assert!(shown.contains("Datastore.AllocateTemplate on /storage/local"), "{shown}");
    assert!(shown.contains("not verified"), "{shown}");
    assert!(demo.changes().is_empty());
}

#[test]
fn wrong_arguments_name_what_is_right() {
    let demo = Demo::new();
    for (args, expected) in [
        (json!({"storage": "local"}), "`url` or `template` is needed"),
        (json!({"storage": "local", "url": ISO, "template": "x"}), "exclude each other"),
        (json!({"storage": "local", "url": ISO}), "`node` is needed: each node has its own `local`: pve1, pve2, pve3"),
        (json!({"storage": "ceph-prod", "url": ISO}), "holds no iso"),
        (json!({"storage": "local", "url": "ftp://x/a.iso"}), "https://"),
        (json!({"storage": "local", "url": "https://me:secret@x/a.iso"}), "without a password"),
        (json!({"storage": "local", "url": "https://x/y"}), "does not say what it is"),
        (json!({"storage": "local", "url": ISO, "filename": "../../a.iso"}), "cannot be a file's name"),
        (json!({"storage": "local", "url": ISO, "checksum": "abc"}), "hexadecimal digits"),
        (json!({"storage": "local", "url": ISO, "checksum": format!("md5:{}", "a".repeat(64))}), "hexadecimal digits"),
        (json!({"storage": "local", "url": ISO, "checksum": "a".repeat(64), "checksum_algorithm": "sha1"}), "length of sha256"),
    ] {
        let error = run(&TOOL, &demo, args).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert!(demo.changes().is_empty());
}
