use proxmox_sim::{Fault, FaultKind, Options};
use serde_json::json;

use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, HOSTILE, NOW_MS, Script, assert_tame, finish, text};

#[test]
fn the_same_file_on_several_nodes_is_one_row() {
    let output = finish(&TOOL, &Demo::new(), json!({"content": "iso"})).unwrap();
    assert!(output.text.starts_with("💾 ISO images: 2\n"), "{}", output.text);
    let row = "`local:iso/debian-12.9.0-amd64-netinst.iso`: iso, 633.0 MB, 2026-04-26 10:00 UTC, on pve1, pve2, pve3\n";
    assert!(output.text.contains(row), "{}", output.text);
    assert_eq!(output.data["volumes"][0]["nodes"], json!(["pve1", "pve2", "pve3"]));
}

#[test]
fn a_storage_of_all_kinds_shows_their_sums() {
    let output = finish(&TOOL, &Demo::new(), json!({"storage": "local", "node": "pve1"})).unwrap();
    assert!(output.text.contains("  • iso: 2, 1.3 GB\n  • vztmpl: 1, 120.7 MB\n"), "{}", output.text);
}

#[test]
fn disks_of_a_guest_and_names_are_found() {
    let demo = Demo::new();
    let disks = text(&TOOL, &demo, json!({"vmid": 101, "content": "images"}));
    assert!(disks.contains("`ceph-prod:vm-101-disk-0`: images, 80.0 GB, guest 101"), "{disks}");
    let found = finish(&TOOL, &demo, json!({"name": "iso/virtio*"})).unwrap();
    assert_eq!(found.data["total"], 1);
}

#[test]
fn the_older_name_lists_templates() {
    let call = |arguments: &str| match catalogue::call(&Demo::new(), NOW_MS, "proxmox_list_templates", arguments) {
        Ok(Step::Done(output)) => output,
        other => panic!("{other:?}"),
    };
    let output = call(r#"{"node":"pve2","storage":"local"}"#);
    assert!(output.text.contains("Container templates on local: 1\n"), "{}", output.text);
    assert_eq!(output.data["volumes"][0]["volume"], "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst");
    assert_eq!(call(r#"{"node":"pve2"}"#).data["total"], 1);
}

#[test]
fn a_dead_node_is_a_line() {
    let demo = Demo::new();
    demo.0.fault(Fault::always("/nodes/pve3/storage", FaultKind::Status(595, "No route to host".to_owned())));
    let output = finish(&TOOL, &demo, json!({"content": "iso"})).unwrap();
    assert!(output.text.contains("Not shown: local on pve3: No route to host (595)"), "{}", output.text);
    assert_eq!(output.data["total"], 2);
}

#[test]
fn a_large_cluster_stays_small() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    for args in [json!({}), json!({"storage": "ceph-prod"}), json!({"content": "iso"})] {
        let output = finish(&TOOL, &demo, args.clone()).unwrap();
        let size = output.text.len() + output.data.to_string().len();
        assert!(size <= 4096, "{args}: {size}");
    }
    let output = finish(&TOOL, &demo, json!({"limit": 12, "cursor": "from-12"})).unwrap();
    assert_eq!(output.data["next_cursor"], "from-24");
}

#[test]
fn hostile_text_is_tame() {
    let rows: Vec<Value> =
        HOSTILE.iter().map(|text| json!({"volid": format!("s1:{text}"), "content": text, "format": text})).collect();
    let script = Script::new()
        .data(
            "GET /cluster/resources",
            json!([{"type": "storage", "storage": "s1", "node": "a", "status": "available", "content": "iso"}]),
        )
        .data("GET /nodes/a/storage/s1/content", Value::from(rows));
    assert_tame(&text(&TOOL, &script, json!({})));
}
