use serde_json::json;

use super::*;
use crate::error::Kind;
use crate::tools;

/// The call of a URI, as `tool {arguments}`.
#[track_caller]
fn call(uri: &str) -> String {
    let call = locate(uri).unwrap_or_else(|error| panic!("{uri}: {error}"));
    format!("{} {}", call.tool, Value::Object(call.arguments))
}

#[test]
fn each_resource_is_a_call_of_a_tool_that_only_reads() {
    let named = all().iter().map(|one| (one.uri, one.tool)).chain(
        templates().iter().filter(|each| !each.tool.is_empty()).map(|each| (each.uri_template, each.tool)),
    );
    for (uri, tool) in named {
        let (_, found) =
            tools::ALL.iter().find(|(name, _)| *name == tool).unwrap_or_else(|| panic!("{uri}: {tool}"));
        assert!(found.read_only(), "{uri} is of {tool}");
        // A value for each variable, as a client fills them in.
        let filled = uri.split("{?").next().unwrap().replace("{vmid}", "101").replace(['{', '}'], "");
        let call = locate(&filled).unwrap();
        assert_eq!(call.tool, tool, "{filled}");
        for name in call.arguments.keys() {
            assert!(found.params.iter().any(|param| param.name == name), "{uri}: {tool} takes no {name}");
        }
    }
}

#[test]
fn a_uri_says_the_call() {
    let upid = "UPID:pve1:0000C530:001B3F1A:6929F1A0:vzdump:101:root@pam:";
    let encoded = upid.replace(':', "%3A").replace('@', "%40");
    for (uri, expected) in [
        ("proxmox://nodes", "proxmox_get_nodes {}"),
        ("proxmox://vms", "proxmox_get_vms {}"),
        ("proxmox://storage", "proxmox_get_storage {}"),
        ("proxmox://pools", r#"proxmox_get_cluster_info {"topic":"pools"}"#),
        ("proxmox://nodes/pve1", r#"proxmox_get_node_status {"node":"pve1"}"#),
        (
            "proxmox://nodes/pve1/metrics?timeframe=hour",
            r#"proxmox_get_metrics {"node":"pve1","timeframe":"hour"}"#,
        ),
        ("proxmox://nodes/pve1/metrics?", r#"proxmox_get_metrics {"node":"pve1"}"#),
        (
            "proxmox://storages/local/metrics?timeframe=hour&node=pve1",
            r#"proxmox_get_metrics {"storage":"local","timeframe":"hour","node":"pve1"}"#,
        ),
        ("proxmox://nodes/pve1/info/disks", r#"proxmox_get_node_info {"node":"pve1","topic":"disks"}"#),
        ("proxmox://guests/101", r#"proxmox_get_guest {"vmid":"101"}"#),
        ("proxmox://guests/101/config", r#"proxmox_get_guest {"vmid":"101","show":"config"}"#),
        ("proxmox://guests/101/snapshots", r#"proxmox_get_guest {"vmid":"101","show":"snapshots"}"#),
        ("proxmox://storages/local-lvm", r#"proxmox_get_storage_content {"storage":"local-lvm"}"#),
        ("proxmox://pools/a%2Fb", r#"proxmox_get_cluster_info {"name":"a/b","topic":"pools"}"#),
        (&format!("proxmox://tasks/{upid}"), &format!(r#"proxmox_get_task {{"upid":"{upid}"}}"#)),
        (
            &format!("proxmox://tasks/{encoded}/log"),
            &format!(r#"proxmox_get_task {{"upid":"{upid}","log_lines":50000}}"#),
        ),
        ("proxmox://tools/proxmox_get_nodes", "proxmox_get_nodes {}"),
        ("proxmox://tools/proxmox_list_templates", "proxmox_list_templates {}"),
        (
            "proxmox://tools/proxmox_get_vms?arguments=%7B%22node%22%3A%22pve1%22%7D",
            r#"proxmox_get_vms {"node":"pve1"}"#,
        ),
    ] {
        assert_eq!(call(uri), expected, "{uri}");
    }
}

#[test]
fn nothing_is_lost_on_the_way_to_the_arguments() {
    let arguments = json!({"node": "pve1", "name": "a&b=c #ü\"%7D?/", "vmid": 101, "tag": null});
    let query: String = arguments.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    let found = locate(&format!("{OF_TOOLS}proxmox_get_vms?arguments={query}")).unwrap();
    assert_eq!(Value::Object(found.arguments), arguments);
}

#[test]
fn what_is_no_uri_of_ours_is_refused() {
    let long = format!("proxmox://guests/{}", "1".repeat(20_000));
    for (uri, kind, says) in [
        ("proxmox://node", Kind::NotFound, "`proxmox://nodes`"),
        ("PROXMOX://nodes", Kind::NotFound, "`proxmox://tools/{tool}{?arguments}`"),
        ("file:///etc/passwd", Kind::NotFound, "`proxmox://guests/{vmid}`"),
        ("", Kind::NotFound, "There is no resource"),
        ("proxmox://nodes/", Kind::Arguments, "no `node`"),
        ("proxmox://nodes/pve1/", Kind::NotFound, "There is no resource"),
        ("proxmox://guests//config", Kind::Arguments, "no `vmid`"),
        ("proxmox://nodes/%ZZ", Kind::Arguments, "percent-encoded"),
        ("proxmox://nodes/%FF", Kind::Arguments, "percent-encoded"),
        ("proxmox://nodes?x=1", Kind::NotFound, "There is no resource"),
        ("proxmox://guests/101?show=config", Kind::Arguments, "cannot say `show=config`"),
        ("proxmox://guests/101/metrics?cf=MAX", Kind::Arguments, "{?timeframe}"),
        ("proxmox://guests/101/metrics?timeframe=day&timeframe=hour", Kind::Arguments, "cannot say"),
        (&long, Kind::Arguments, "at most"),
        ("proxmox://tools/proxmox_get_vm", Kind::NotFound, "Did you mean `proxmox_get_vms`?"),
        ("proxmox://tools/", Kind::NotFound, "There is no tool"),
        (
            "proxmox://tools/proxmox_power?arguments=%7B%22vmid%22%3A101%7D",
            Kind::Arguments,
            "changes something",
        ),
        ("proxmox://tools/proxmox_start_vm", Kind::Arguments, "changes something"),
        ("proxmox://tools/proxmox_change_api", Kind::Arguments, "changes something"),
        ("proxmox://tools/proxmox_get_vms?node=pve1", Kind::NotFound, "{?arguments}"),
        ("proxmox://tools/proxmox_get_vms?arguments=%7B%7D&arguments=%7B%7D", Kind::Arguments, "JSON object"),
        ("proxmox://tools/proxmox_get_vms?arguments=[]", Kind::Arguments, "JSON object"),
        ("proxmox://tools/proxmox_get_vms?arguments=%FF", Kind::Arguments, "UTF-8"),
        ("proxmox://tools/proxmox_get_vms?arguments={\"cursor\":\"from-9\"}", Kind::Arguments, "`cursor`"),
        ("proxmox://tools/proxmox_get_vms?arguments={\"limit\":9}", Kind::Arguments, "`limit`"),
    ] {
        let error = locate(uri).unwrap_err();
        assert_eq!(error.kind(), kind, "{uri}: {error}");
        assert!(error.to_string().contains(says), "{uri}: {error}");
    }
}

#[test]
fn names_and_uris_are_told_apart() {
    let uris: std::collections::BTreeSet<&str> =
        all().iter().map(|one| one.uri).chain(templates().iter().map(|each| each.uri_template)).collect();
    assert_eq!(uris.len(), all().len() + templates().len());
    let names: std::collections::BTreeSet<&str> =
        all().iter().map(|one| one.name).chain(templates().iter().map(|each| each.name)).collect();
    assert_eq!(names.len(), uris.len());
    let variables: Vec<&str> = templates().iter().flat_map(Template::variables).collect();
    assert!(
        variables.contains(&"vmid") && variables.contains(&"timeframe") && variables.contains(&"arguments")
    );
    // Both lists are read by models.
    let written: usize =
        all().iter().map(|one| one.uri.len() + one.title.len() + one.description.len()).sum();
    assert!(written < 1_000, "{written}");
}
