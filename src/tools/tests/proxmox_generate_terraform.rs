use proxmox_sim::{Fault, FaultKind, Options};
use serde_json::json;

use super::*;
use crate::catalogue::{self, Step};
use crate::testing::{Demo, NOW_MS, finish, run};

fn blocks(hcl: &str, kind: &str) -> usize {
    let body: hcl::Body = hcl::from_str(hcl).unwrap_or_else(|error| panic!("{error}\n{hcl}"));
    body.blocks().filter(|block| block.identifier() == kind).count()
}

#[test]
fn the_demo_cluster_becomes_code_that_parses() {
    let demo = Demo::new();
    let first = finish(&TOOL, &demo, json!({"limit": 10})).unwrap();
    let rest = finish(&TOOL, &demo, json!({"cursor": first.data["next_cursor"], "limit": 10})).unwrap();
    let (first_hcl, rest_hcl) = (first.data["hcl"].as_str().unwrap(), rest.data["hcl"].as_str().unwrap());
    assert_eq!((blocks(first_hcl, "resource"), blocks(rest_hcl, "resource")), (10, 2));
    assert_eq!((blocks(first_hcl, "provider"), blocks(rest_hcl, "provider")), (1, 0));
    assert!(first.text.contains(first_hcl), "the text shows it");
}

#[test]
fn the_older_parameters_are_taken() {
    let call = |arguments: &str| match catalogue::call(&Demo::new(), NOW_MS, "proxmox_generate_terraform", arguments) {
        Ok(Step::Done(output)) => output,
        other => panic!("{other:?}"),
    };
    let output = call(r#"{"node":"pve1","vmid":"101","type":"qemu","include_provider":false,"format":"opentofu"}"#);
    let hcl = output.data["hcl"].as_str().unwrap();
    assert!(hcl.starts_with("import {\n"), "{hcl}");
    assert!(hcl.contains("resource \"proxmox_virtual_environment_vm\" \"vm_101_prod_web_01\" {"), "{hcl}");
    assert_eq!(output.data["guests"], json!([101]));
    let containers = call(r#"{"type":"lxc","include_provider":false}"#);
    assert!(!containers.data["hcl"].as_str().unwrap().contains("environment_vm"));
}

#[test]
fn a_guest_that_cannot_be_read_is_a_line() {
    let demo = Demo::new();
    demo.0.fault(Fault::always("/nodes/pve1/qemu/101", FaultKind::Status(500, "got timeout".to_owned())));
    demo.0.with_world(|world| world.guests.get_mut(&103).unwrap().name = "x${y}".to_owned());
    let output = finish(&TOOL, &demo, json!({"include_provider": false})).unwrap();
    assert!(output.text.contains("Not shown: prod-web-01 (ID: 101): got timeout (500)"), "{}", output.text);
    assert!(!output.data["guests"].as_array().unwrap().contains(&json!(101)));
    let error = run(&TOOL, &demo, json!({"vmid": 101})).unwrap_err().to_string();
    assert!(error.contains("got timeout"), "{error}");
}

#[test]
fn what_is_not_there_is_put_right() {
    for (args, expected) in [
        (json!({"vmid": 999}), "There is no guest 999"),
        (json!({"node": "pve9"}), "pve"),
        (json!({"vmid": 101, "type": "lxc"}), "is a VM, not `lxc`"),
    ] {
        let error = run(&TOOL, &Demo::new(), args).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_large_cluster_gives_a_summary_and_asks_for_a_filter() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    let output = finish(&TOOL, &demo, json!({})).unwrap();
    assert!(output.text.len() + output.data.to_string().len() <= 4096, "{}", output.text);
    assert!(output.text.contains("2000 guests") && output.text.contains("give `node` or `vmid`"), "{}", output.text);
    assert_eq!(demo.0.requests().len(), 1);
    let many = finish(&TOOL, &demo, json!({"node": "pve7", "limit": 25})).unwrap();
    assert_eq!(blocks(many.data["hcl"].as_str().unwrap(), "resource"), 25);
}

#[test]
fn a_page_ends_by_its_bytes_and_the_pages_are_one_piece_of_code() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    let (mut seen, mut code, mut cursor) = (Vec::new(), String::new(), Value::Null);
    for _ in 0..12 {
        demo.0.clear_requests();
        let page = finish(&TOOL, &demo, json!({"node": "pve7", "cursor": cursor})).unwrap();
        let size = page.text.len() + page.data.to_string().len() + LINK;
        let guests = page.data["guests"].as_array().unwrap();
        assert!(size <= BUDGET || guests.len() == 1, "{size}\n{}", page.text);
        assert!(demo.0.requests().len() <= 1 + ASKED);
        seen.extend(guests.clone());
        code += page.data["hcl"].as_str().unwrap();
        cursor = page.data["next_cursor"].clone();
    }
    let all = finish(&TOOL, &demo, json!({"node": "pve7", "limit": seen.len()})).unwrap();
    assert_eq!(all.data["guests"], json!(seen));
    assert_eq!((blocks(&code, "resource"), blocks(&code, "provider")), (seen.len(), 1));
}
