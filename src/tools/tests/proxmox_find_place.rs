use serde_json::json;

use super::*;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, finish, text};
use proxmox_sim::Options;

#[test]
fn the_demo_cluster_has_room_and_the_best_node_is_first() {
    let output = finish(&TOOL, &Demo::new(), json!({"memory": 65536, "cores": 8, "disk": 100})).unwrap();
    let places = output.data["places"].as_array().unwrap();
    assert_eq!(places.len(), 3, "{}", output.text);
    let tightest = |place: &Value| {
        ["memory_used_fraction", "memory_allocated_fraction", "cpu_fraction"]
            .iter()
            .map(|key| place[*key].as_f64().unwrap())
            .fold(place["cores_per_cpu"].as_f64().unwrap() / 4.0, f64::max)
    };
    assert!(places.is_sorted_by(|a, b| tightest(a) <= tightest(b)), "{places:#?}");
    assert!(output.text.contains("3 of 3 nodes fit"), "{}", output.text);
}

#[test]
fn what_does_not_fit_is_said_with_the_reason() {
    let demo = Demo::new();
    let said = |arguments: Value| text(&TOOL, &demo, arguments);
    let huge = said(json!({"memory": 2_000_000}));
    assert!(huge.contains("No node has room for it.") && huge.contains("🚫 pve1: memory would be"), "{huge}");
    let apart = said(json!({"memory": 1024, "avoid": ["100", "pve2"]}));
    assert!(apart.contains("🚫 pve1: guest 100 is there\n🚫 pve2: to be avoided\n"), "{apart}");
    let disk = said(json!({"memory": 1024, "disk": 10, "storage": "nfs-backup"}));
    assert!(disk.contains("🚫 pve1: storage nfs-backup is not there, or holds no images"), "{disk}");
    let container = said(json!({"memory": 1024, "disk": 10, "storage": "local-zfs", "kind": "container"}));
    assert!(container.contains("local-zfs 4"), "{container}");
}

#[test]
fn names_that_are_wrong_are_put_right() {
    let demo = Demo::new();
    for (arguments, expected) in [
        (json!({"memory": 1024, "avoid": "pve11"}), "Did you mean `pve1`?"),
        (json!({"memory": 1024, "avoid": ["999"]}), "There is no guest 999"),
        (json!({"memory": 1024, "storage": "local-zf"}), "Did you mean `local-zfs`?"),
        (json!({"memory": 1}), "`memory` is not valid"),
    ] {
        let error = finish(&TOOL, &demo, arguments).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn hostile_names_are_tame() {
    for name in HOSTILE {
        let script = Script::new().data(
            "GET /cluster/resources",
            json!([
                {"type": "node", "node": name, "status": "online", "maxcpu": 8, "mem": 1, "maxmem": 1e12},
                {"type": "node", "node": "pve1", "status": "online", "maxcpu": 8, "mem": 1, "maxmem": 1e12},
                {"type": "storage", "storage": name, "node": name, "status": "available", "content": "images", "disk": 1, "maxdisk": 1e13},
                {"type": "storage", "storage": name, "node": "pve1", "status": "available", "content": "images", "disk": 1, "maxdisk": 9},
            ]),
        );
        let said = text(&TOOL, &script, json!({"memory": 1024, "disk": 10}));
        assert!(said.contains("1 of 2 nodes fit"), "{said}");
        assert_tame(&said);
    }
}

#[test]
fn a_large_cluster_gets_a_small_answer() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    for memory in [1024, 2_000_000] {
        let output = finish(&TOOL, &demo, json!({"memory": memory, "cores": 4, "disk": 100})).unwrap();
        assert!(output.text.len() + output.data.to_string().len() <= 4096, "{}", output.text);
    }
}
