use serde_json::json;

use super::*;

fn target(verb: Verb, path: &str) -> Result<Target, String> {
    Target::find(verb, path).map_err(|error| error.to_string())
}

fn parameters(verb: Verb, path: &str, params: Value) -> Result<String, String> {
    let call = target(verb, path)?.call(params.as_object().unwrap()).map_err(|error| error.to_string())?;
    let all: Vec<String> = call.parameters().map(|(name, value)| format!("{name}={value}")).collect();
    Ok(format!("{call} {}", all.join(" ")))
}

#[test]
fn a_path_means_a_method() {
    for path in [
        "/nodes/pve1/qemu/101/config",
        "nodes/pve1/qemu/101/config/",
        "/api2/json/nodes/pve1/qemu/101/config",
    ] {
        let target = target(Verb::Get, path).unwrap();
        assert_eq!(target.method.path, "/nodes/{node}/qemu/{vmid}/config");
        assert_eq!((target.value("node"), target.value("vmid")), (Some("pve1"), Some("101")));
    }
    let volume = target(Verb::Get, "/nodes/pve1/storage/local/content/local:iso%2Fx.iso").unwrap();
    assert_eq!(volume.value("volume"), Some("local:iso/x.iso"));
    assert!(!target(Verb::Get, "/nodes/{node}/status").unwrap().is_whole());
}

#[test]
fn what_means_none_names_the_nearest() {
    for (verb, path, expected) in [
        (Verb::Get, "/nodes/pve1/qemu/101/cofnig", "`/nodes/{node}/qemu/{vmid}/config`"),
        (Verb::Get, "/clusters/resource", "`/cluster/resources`"),
        (Verb::Get, "/nodes/pve1/qemu/101/status/start", "takes POST, not GET"),
        (Verb::Delete, "/version", "takes GET, not DELETE"),
        (Verb::Get, "/nodes?x=1", "parameters go into `params`"),
        (Verb::Get, "/nodes/../access", "dotted"),
        (Verb::Get, "/nodes/%2e%2e/status", "dotted"),
        (Verb::Get, "/nodes//status", "empty"),
        (Verb::Get, "/nodes/%zz/status", "percent-encoding"),
        (Verb::Get, "/", "it is empty"),
    ] {
        let error = target(verb, path).unwrap_err();
        assert!(error.contains(expected), "{path}: {error}");
    }
}

#[test]
fn parameters_become_what_proxmox_reads() {
    let made = parameters(
        Verb::Put,
        "/nodes/pve1/qemu/101/config",
        json!({"cores": "4", "onboot": true, "net1": "virtio,bridge=vmbr0", "delete": ["net2", "net3"]}),
    );
    assert_eq!(
        made.unwrap(),
        "PUT /nodes/pve1/qemu/101/config cores=4 onboot=1 net1=virtio,bridge=vmbr0 delete=net2,net3"
    );
    let exec = parameters(
        Verb::Post,
        "/nodes/pve1/qemu/101/agent/exec",
        json!({"command": ["ls", "-l"], "vmid": 101}),
    );
    assert_eq!(exec.unwrap(), "POST /nodes/pve1/qemu/101/agent/exec command=ls command=-l");
}

#[test]
fn a_rule_of_high_availability_has_a_type() {
    let rule =
        json!({"rule": "db-home", "type": "node-affinity", "resources": "vm:100", "nodes": "pve1,pve2"});
    let made = parameters(Verb::Post, "/cluster/ha/rules", rule).unwrap();
    assert!(made.contains(" type=node-affinity"), "{made}");
    let changed = json!({"type": "resource-affinity", "comment": "x"});
    assert!(parameters(Verb::Put, "/cluster/ha/rules/far", changed).is_ok());
    let error = parameters(Verb::Post, "/cluster/ha/rules", json!({"rule": "x"})).unwrap_err();
    assert!(error.contains("`type` (one of node-affinity, resource-affinity)"), "{error}");
}

#[test]
fn a_wrong_parameter_names_what_it_takes() {
    const CONFIG: &str = "/nodes/pve1/qemu/101/config";
    for (params, expected) in [
        (json!({"corse": 4}), "no parameter `corse`. Did you mean `cores`?"),
        (
            json!({"cores": 0}),
            "`cores` of `PUT /nodes/{node}/qemu/{vmid}/config` is not valid: it takes whole number from 1, and got `0`",
        ),
        (json!({"cores": {"a": 1}}), "and got `{\"a\":1}`"),
        (json!({"onboot": "perhaps"}), "true or false"),
        (json!({"bios": "bios"}), "one of seabios, ovmf"),
        (json!({"vmid": 102}), "`vmid` stands in the path already, as `101`"),
    ] {
        let error = parameters(Verb::Put, CONFIG, params).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let error = parameters(Verb::Post, "/nodes/pve1/qemu/101/clone", json!({})).unwrap_err();
    assert!(error.contains("also needs `newid` (whole number 100 to 999999999)"), "{error}");
    let error = parameters(Verb::Get, "/nodes/{node}/status", json!({})).unwrap_err();
    assert!(error.contains("is a template"), "{error}");
}

#[test]
fn any_answer_is_shown_small() {
    let rows: Vec<Value> =
        (0..500).map(|n| json!({"id": n, "name": format!("row-{n}"), "note": "x".repeat(400)})).collect();
    let view = show::View { limit: 100, ..show::View::default() };
    let shown = view.show(Value::Array(rows.clone())).unwrap();
    let bytes = shown.text.len() + Value::from(shown.rows.clone()).to_string().len();
    assert!(bytes < 4096 && shown.total == 500 && !shown.rows.is_empty(), "{bytes}");
    let fields = ["id".to_owned()];
    let shown =
        show::View { fields: &fields, limit: 100, ..show::View::default() }.show(Value::Array(rows)).unwrap();
    assert_eq!(shown.rows.len(), 100);
    assert_eq!(shown.rows[7], json!({"id": 7}));
    assert_eq!(shown.next.as_deref(), Some("from-100"));
    for (data, rows) in [(json!("text"), 1), (json!(null), 0), (json!({"a": 1}), 1), (json!([1, 2]), 2)] {
        assert_eq!(view.show(data).unwrap().rows.len(), rows);
    }
    let unknown = ["nope".to_owned()];
    let error =
        show::View { fields: &unknown, limit: 9, ..show::View::default() }.show(json!({"a": 1})).unwrap_err();
    assert!(error.to_string().contains("There are `a`."), "{error}");
}

#[test]
fn hostile_rows_stay_data() {
    let data: Vec<Value> =
        crate::testing::HOSTILE.iter().map(|text| json!({"name": text, *text: 1})).collect();
    let shown = show::View { limit: 100, ..show::View::default() }.show(Value::Array(data)).unwrap();
    crate::testing::assert_tame(&shown.text);
}

#[test]
fn nested_values_stay_nested_and_long_ones_are_cut_in_a_list() {
    let rows = json!([{"a": {"b": [1, "x\u{1b}[31my"]}, "c": ["z".repeat(300)]}, {"a": 1}]);
    let view = show::View { limit: 9, whole: true, ..show::View::default() };
    let shown = view.show(rows).unwrap();
    assert_eq!(shown.rows[0]["a"], json!({"b": [1, "xy"]}));
    assert_eq!(shown.rows[0]["c"].as_str().map(|text| text.chars().count()), Some(160));
    assert!(shown.text.contains("Long values are cut: `fields`"), "{}", shown.text);
}

/// All parts of an answer, put together again.
fn collected(data: &Value, fields: &[String]) -> (String, usize) {
    let (mut whole, mut parts, mut cursor) = (String::new(), 0, None);
    loop {
        let view = show::View { fields, limit: 50, cursor, whole: true, ..show::View::default() };
        let shown = view.show(data.clone()).unwrap();
        let bytes = shown.text.len() + Value::from(shown.rows.clone()).to_string().len();
        assert!(bytes < 3800, "{bytes}");
        for value in shown.rows.iter().filter_map(Value::as_object).flat_map(|row| row.values()) {
            whole += value.as_str().unwrap();
        }
        parts += 1;
        match shown.next {
            Some(next) => cursor = crate::tool::Argument::read(&Value::from(next)),
            None => return (whole, parts),
        }
    }
}

#[test]
fn a_long_value_is_shown_whole_in_parts() {
    for text in [
        (0..900).map(|n| format!("line {n}: größer\n")).collect::<String>(),
        "\"\\*`".repeat(3000),
        "\n".repeat(5000),
        "🦀".repeat(2000),
    ] {
        let (whole, parts) = collected(&json!(text), &[]);
        assert!(whole == text && parts > 2, "{parts}");
        let (whole, _) =
            collected(&json!([{"note": text, "x": "x"}, {"note": "second"}]), &["note".to_owned()]);
        assert_eq!(whole, format!("{text}second"));
    }
    let data = json!({"a": "1".repeat(3000), "b": "", "c": "2".repeat(3000), "d": "3".repeat(399), "e": "4"});
    let (whole, _) = collected(&data, &[]);
    assert_eq!(whole.len(), 3000 + 3000 + 399 + 1);
    let behind = crate::tool::Argument::read(&json!("from-0+99999"));
    let view = show::View { limit: 50, cursor: behind, whole: true, ..show::View::default() };
    assert!(view.show(json!({"a": 1})).is_err());
}

#[test]
fn an_object_with_many_names_is_a_list() {
    let data: Map<String, Value> =
        (100..2100).map(|n| (format!("/vms/{n}"), json!({"VM.Audit": 1}))).collect();
    let view = show::View { limit: 50, whole: true, ..show::View::default() };
    let shown = view.show(Value::Object(data.clone())).unwrap();
    assert_eq!((shown.total, &shown.rows[0]), (2000, &json!({"key": "/vms/100", "value": {"VM.Audit": 1}})));
    assert!(shown.text.len() < 2500 && shown.next.is_some(), "{}", shown.text);
    let fields = ["/vms/101".to_owned()];
    let shown = show::View { fields: &fields, ..view }.show(Value::Object(data)).unwrap();
    assert_eq!(shown.rows, [json!({"/vms/101": {"VM.Audit": 1}})]);
}
