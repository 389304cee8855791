use serde_json::json;

use super::*;
use crate::testing::{Demo, Script, finish, run};

#[test]
fn a_path_tells_what_it_takes_and_needs_and_what_proxmox_says() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, json!({"path": "/nodes/pve1/qemu/101/clone"})).unwrap();
    assert!(output.text.starts_with("📖 `POST /nodes/{node}/qemu/{vmid}/clone`\n"), "{}", output.text);
    assert!(output.text.contains("- `newid` (whole number 100 to 999999999): "), "{}", output.text);
    assert!(output.text.contains("Needs: VM.Clone on /vms/101"), "{}", output.text);
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
