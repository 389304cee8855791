use serde_json::json;

use super::*;
use crate::testing::{Demo, Script, finish, run};

#[test]
fn a_path_tells_what_it_takes_and_needs_and_what_proxmox_says() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"path": "/nodes/pve1/qemu/101/clone"})).unwrap();
    assert!(output.text.starts_with("📖 `POST /nodes/{node}/qemu/{vmid}/clone`\n"), "{}", output.text);
    assert!(output.text.contains("- `newid` (whole number 100 to 999999999): "), "{}", output.text);
    assert!(output.text.contains("Needs: at least VM.Clone on /vms/101"), "{}", output.text);
    assert!(output.data["methods"][0]["said"].as_str().is_some_and(|said| !said.is_empty()), "{}", output.data);
}

#[test]
fn a_template_is_described_too_and_one_method_can_be_chosen() {
    let all = finish(&TOOL, &Script::new(), json!({"path": "/pools/{poolid}"})).unwrap();
    assert_eq!(all.data["methods"].as_array().unwrap().len(), 3);
    let one = finish(&TOOL, &Demo::new(), json!({"path": "/pools/{poolid}", "method": "DELETE"})).unwrap();
    assert_eq!(one.data["methods"][0]["method"], "DELETE");
    assert!(one.text.contains("Pool.Allocate on /pool/{poolid}"), "{}", one.text);
}

#[test]
fn a_method_of_many_parameters_stays_small() {
    let demo = Demo::new();
    let arguments = json!({"path": "/nodes/pve1/qemu/101/config", "method": "PUT"});
    let output = finish(&TOOL, &demo, arguments).unwrap();
    assert!(output.text.len() + output.data.to_string().len() <= 4096, "{}", output.text.len());
    assert!(output.text.contains("`params` shows more of "), "{}", output.text);
    let one = json!({"path": "/nodes/pve1/qemu/101/config", "method": "PUT", "params": ["vmgenid", "net0"]});
    let output = finish(&TOOL, &demo, one).unwrap();
    assert!(output.text.contains("`vmgenid`") && output.text.contains("`net0`") && !output.text.contains("`cores`"));
}

#[test]
fn without_the_servers_description_the_rest_is_there() {
    let script = Script::new().error("GET /pve-docs/api-viewer/apidoc.js", 404, "no such file");
    let output = finish(&TOOL, &script, json!({"path": "/version", "method": "GET"})).unwrap();
    assert!(output.text.contains("Without Proxmox's own words: no such file (404)"), "{}", output.text);
}

#[test]
fn a_path_that_there_is_not_names_the_nearest() {
    let error = run(&TOOL, &Script::new(), json!({"path": "/nodes/pve1/qemu/101/clon"})).unwrap_err();
    assert!(error.to_string().contains("The nearest: "), "{error}");
}

#[test]
fn each_path_of_the_api_is_described_in_a_small_answer() {
    let silent = || Script::new().error("GET /pve-docs/api-viewer/apidoc.js", 404, "no such file");
    let mut paths: Vec<&str> = proxmox_api::methods::ALL.iter().map(|method| method.path).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let output = finish(&TOOL, &silent(), json!({"path": path})).unwrap();
        let size = output.text.len() + output.data.to_string().len();
        assert!(size <= 4096, "{path}: {size}\n{}", output.text);
    }
    let config = json!({"path": "/nodes/{node}/qemu/{vmid}/config"});
    let output = finish(&TOOL, &silent(), config).unwrap();
    assert!(output.text.contains("more, which `method` = `PUT` shows"), "{}", output.text);
}

#[test]
fn what_the_parameters_decide_is_said_to_be_the_least() {
    for (method, path, expected) in [
        ("POST", "/nodes/pve1/qemu", "Needs: at least VM.Allocate on /vms/{vmid}; "),
        ("POST", "/nodes/pve1/qemu/101/clone", "at least VM.Clone on /vms/101 and VM.Allocate on /vms/{newid}; "),
        ("PUT", "/nodes/pve1/qemu/101/config", "at least one of VM.Config.* on /vms/101; each option needs its own"),
    ] {
        let output = finish(&TOOL, &Demo::new(), json!({"method": method, "path": path})).unwrap();
        assert!(output.text.contains(expected), "{}", output.text);
        assert!(output.text.len() + output.data.to_string().len() <= 4096, "{}", output.text.len());
    }
}
