use serde_json::json;

use super::*;
use crate::testing::{Demo, Script, finish, run, text};

#[test]
fn a_task_is_followed_and_the_effect_is_there() {
    let demo = Demo::new();
    let arguments = json!({"method": "POST", "path": "/nodes/pve2/lxc/108/status/start"});
    let output = finish(&TOOL, &demo, arguments).unwrap();
    assert!(output.text.contains("Result: done") && output.text.contains("vzstart"), "{}", output.text);
    assert_eq!(demo.get("/nodes/pve2/lxc/108/status/current")["status"], "running");
}

#[test]
fn a_change_at_once_is_done_at_once() {
    let demo = Demo::new();
    let arguments = json!({"method": "PUT", "path": "/nodes/pve1/qemu/101/config", "params": {"description": "by path"}});
    assert!(text(&TOOL, &demo, arguments).contains("Result: done"));
    assert_eq!(demo.get("/nodes/pve1/qemu/101/config")["description"], "by path");
}

#[test]
fn a_put_shows_what_was_there_and_how_to_put_it_back() {
    let demo = Demo::new();
    let path = "/cluster/options";
    let mac = demo.get(path)["mac_prefix"].as_str().unwrap().to_owned();
    let params = json!({"keyboard": "de", "mac_prefix": "BC:24:99"});
    let dry = json!({"method": "PUT", "path": path, "params": params, "dry_run": true});
    let shown = text(&TOOL, &demo, dry);
    assert!(shown.contains(&format!("Now: keyboard = not set; mac_prefix = {mac}")), "{shown}");
    assert_eq!(demo.changes(), [""; 0]);
    let output = finish(&TOOL, &demo, json!({"method": "PUT", "path": path, "params": params})).unwrap();
    assert!(output.text.contains(&format!("Before: keyboard = not set; mac_prefix = {mac}")), "{}", output.text);
    assert_eq!(demo.get(path)["keyboard"], "de");
    assert_eq!(output.data["undo"]["tool"], TOOL.name);
    let undo = serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap();
    let undone = finish(&TOOL, &demo, undo).unwrap();
    assert!(undone.text.contains("keyboard = de"), "{}", undone.text);
    assert!(demo.get(path).get("keyboard").is_none() && demo.get(path)["mac_prefix"] == *mac);
}

#[test]
fn a_change_made_meanwhile_is_not_overwritten() {
    let path = "/nodes/pve1/qemu/101/config";
    let put = |params| json!({"method": "PUT", "path": path, "params": params});
    let script = || {
        Script::new()
            .data(&format!("GET {path}"), json!({"digest": "abc", "cores": 2, "net0": "virtio=AA,bridge=x", "cipassword": "**********"}))
            .data(&format!("PUT {path}"), json!(null))
    };
    let own = script();
    let output = finish(&TOOL, &own, put(json!({"cores": 4, "onboot": true, "delete": "net0"}))).unwrap();
    assert_eq!(own.changes(), [format!("PUT {path} cores=4&onboot=1&delete=net0&digest=abc")]);
    let undo: Value = serde_json::from_str(output.data["undo"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(undo["params"], json!({"cores": "2", "net0": "virtio=AA,bridge=x", "delete": "onboot"}));
    let given = script();
    finish(&TOOL, &given, put(json!({"cores": 4, "digest": "mine"}))).unwrap();
    assert_eq!(given.changes(), [format!("PUT {path} cores=4&digest=mine")]);
    // What nobody can read nobody can put back.
    let output = finish(&TOOL, &script(), put(json!({"cipassword": "x"}))).unwrap();
    assert!(output.data.get("undo").is_none() && output.text.contains("cipassword = (not shown)"), "{}", output.text);
}

#[test]
fn what_may_not_be_read_is_changed_all_the_same_and_said() {
    let script = Script::new()
        .fails("GET /cluster/options", crate::cx::SendError::Denied)
        .data("PUT /cluster/options", json!(null));
    let arguments = json!({"method": "PUT", "path": "/cluster/options", "params": {"keyboard": "de"}});
    let output = finish(&TOOL, &script, arguments).unwrap();
    assert!(output.text.contains("What is there now was not read: not granted: needs Sys.Audit on /"), "{}", output.text);
    assert_eq!((script.changes().len(), output.data.get("undo")), (1, None));
    // What is no set of values has nothing to put back: the list of changes that wait.
    let script = Script::new().data("GET /cluster/sdn", json!([{"id": "zones"}])).data("PUT /cluster/sdn", json!(null));
    let output = finish(&TOOL, &script, json!({"method": "PUT", "path": "/cluster/sdn"})).unwrap();
    assert!(output.data.get("undo").is_none() && output.data.get("before").is_none(), "{}", output.text);
}

#[test]
fn a_dry_run_and_a_mistake_send_nothing() {
    let script = Script::new();
    let path = "/nodes/pve1/qemu/101";
    let shown = text(&TOOL, &script, json!({"method": "DELETE", "path": path, "params": {"purge": true}, "dry_run": true}));
    assert!(shown.contains("DELETE /nodes/pve1/qemu/101 purge=1") && shown.contains("Would be lost"), "{shown}");
    for arguments in [
        json!({"method": "DELETE", "path": path, "params": {"prune": true}}),
        json!({"method": "GET", "path": path}),
        json!({"method": "PUT", "path": path}),
    ] {
        assert!(matches!(run(&TOOL, &script, arguments), Err(Error::Arguments(_))));
    }
    assert!(script.sent().is_empty());
}
