use serde_json::json;

use super::*;
use crate::testing::{Demo, Script, by_name, finish, run};
use crate::view::BUDGET;

const ALL: &str = "GET /cluster/resources";

#[test]
fn the_older_name_works_for_nodes_and_guests() {
    let demo = Demo::new();
    for (arguments, title) in [
        (json!({"node": "pve1"}), "📈 Node pve1 over the last day"),
        (json!({"node": "pve1", "vmid": "101", "type": "qemu", "timeframe": "week"}), "📈 prod-web-01 (ID: 101) over the last week"),
        (json!({"node": "pve1", "vmid": 106, "type": "lxc", "timeframe": "hour"}), "📈 dns-01 (ID: 106) over the last hour"),
    ] {
        let output = by_name("proxmox_get_rrd_data", &demo, arguments);
        assert!(output.text.starts_with(title), "{}", output.text);
        assert!(output.text.len() + output.data.to_string().len() <= BUDGET, "{}", output.data);
        assert_eq!(output.data["metrics"][0]["name"], "cpu");
    }
}

fn storages() -> Script {
    let row = |storage: &str, node: &str, shared: u8| {
        json!({"type": "storage", "storage": storage, "node": node, "shared": shared, "status": "available"})
    };
    Script::new().data(
        ALL,
        json!([{"type": "node", "node": "a", "status": "offline"}, {"type": "node", "node": "b", "status": "online"},
               row("nfs", "a", 1), row("nfs", "b", 1), row("local", "a", 0), row("local", "b", 0)]),
    )
}

#[test]
fn a_shared_storage_is_asked_where_a_node_is_up() {
    let points = json!([{"time": 60, "used": 50, "total": 100}, {"time": 120, "used": 75, "total": 100}]);
    let script = storages().data("GET /nodes/b/storage/nfs/rrddata?timeframe=year&cf=MAX", points);
    let output = finish(&TOOL, &script, json!({"storage": "nfs", "timeframe": "year", "cf": "MAX"})).unwrap();
    assert!(output.text.contains("| Used | 50 B | 62 B | 75 B | 75 B |"), "{}", output.text);
    assert_eq!(output.data["metrics"][0]["average"], 63);
    assert_eq!((&output.data["from"], &output.data["node"]), (&json!(60), &json!("b")));
}

#[test]
fn what_cannot_be_asked_is_explained() {
    for (arguments, expected) in [
        (json!({"storage": "local"}), "`node` is needed: `local` is a storage of its own on each of these nodes: a, b."),
        (json!({"storage": "local", "node": "a"}), "The nodes of storage `local` are offline."),
        (json!({"storage": "loca"}), "Did you mean `local`?"),
        (json!({"storage": "nfs", "node": "c"}), "There is no node `c`"),
        (json!({"storage": "nfs", "vmid": 100}), "either `vmid` or `storage`"),
        (json!({"timeframe": "decade", "node": "b"}), "one of `hour`"),
    ] {
        let error = run(&TOOL, &storages(), arguments).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_figures_can_be_of_is_said_where_nothing_is_named() {
    let error = run(&TOOL, &Demo::new(), json!({})).unwrap_err().to_string();
    assert!(error.contains("Give `vmid`, `storage` or `node`.") && error.contains("pve1"), "{error}");
}

#[test]
fn no_figures_is_an_answer() {
    let script = storages().data("GET /nodes/b/storage/local/rrddata?timeframe=day", json!([{"time": 60}]));
    let output = finish(&TOOL, &script, json!({"storage": "local", "node": "b"})).unwrap();
    assert!(output.text.contains("no figures of that time"), "{}", output.text);
    assert_eq!((&output.data["gaps"], &output.data["metrics"]), (&json!(1), &json!([])));
}
