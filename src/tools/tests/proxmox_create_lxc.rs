use serde_json::{Value, json};

use super::*;
use crate::testing::{Demo, finish, run, text};

const TEMPLATE: &str = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfakekeyfakekeyfakekeyfakekeyfake a@b";

fn arguments(more: Value) -> Value {
    let mut arguments = json!({"ostemplate": TEMPLATE, "node": "pve1", "storage": "local-zfs"});
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    arguments
}

/// The line of a dry run that shows what would be sent.
fn sent(more: Value) -> String {
    let demo = Demo::new();
    let mut arguments = arguments(more);
    arguments["dry_run"] = json!(true);
    let shown = text(&TOOL, &demo, arguments);
    assert!(demo.changes().is_empty());
    shown.lines().find(|line| line.contains("POST /nodes/pve1/lxc")).unwrap().to_owned()
}

#[test]
fn a_container_is_made_of_what_was_asked_for() {
    let demo = Demo::new();
    let output = finish(
        &TOOL,
        &demo,
        arguments(json!({"vmid": 500, "hostname": "dns-02", "memory": 1024, "swap": 0, "cores": 2, "disk_size": "16G",
                         "ip": "10.0.0.5/24", "gateway": "10.0.0.1", "vlan": 20, "tags": "infra", "start": true})),
    )
    .unwrap();
    assert!(output.text.starts_with("📦 New container: dns-02 (ID: 500)\n"), "{}", output.text);
    assert!(output.text.contains("Login: none set; `pct enter`"), "{}", output.text);
    assert_eq!(output.data["undo"]["arguments"], r#"{"vmid":500,"confirm":"dns-02"}"#);
    let config = demo.get("/nodes/pve1/lxc/500/config");
    assert_eq!((&config["hostname"], &config["cores"]), (&json!("dns-02"), &json!(2)), "{config}");
    assert!(config["rootfs"].as_str().unwrap().starts_with("local-zfs:") && config.to_string().contains("size=16G"), "{config}");
    for part in ["bridge=vmbr0", "ip=10.0.0.5/24", "gw=10.0.0.1", "tag=20"] {
        assert!(config["net0"].as_str().unwrap().contains(part), "{part}: {config}");
    }
    assert_eq!((&config["unprivileged"], &config["features"]), (&json!(1), &json!("nesting=1")));
    assert_eq!(demo.get("/nodes/pve1/lxc/500/status/current")["status"], "running");
}

#[test]
fn the_originals_call_works_as_it_is() {
    let line = sent(json!({"vmid": "500", "hostname": "ct500", "password": "s3cret-pass", "memory": 512, "rootfs": "8"}));
    for part in ["vmid=500", "hostname=ct500", "memory=512", "rootfs=local-zfs:8 ", "net0=name=eth0,bridge=vmbr0,ip=dhcp "] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(line.contains("password=(not shown)") && !line.contains("s3cret"), "{line}");
}

#[test]
fn a_generated_password_is_sent_and_shown_only_where_that_was_asked_for() {
    let demo = Demo::new();
    let quiet = finish(&TOOL, &demo, arguments(json!({"vmid": 500, "generate_password": true}))).unwrap();
    assert!(quiet.text.contains("with a generated password") && quiet.text.contains("is not shown"), "{}", quiet.text);
    assert!(!quiet.text.contains("Password:"), "{}", quiet.text);
    let loud = json!({"vmid": 501, "generate_password": true, "show_password": true});
    let output = finish(&TOOL, &demo, arguments(loud.clone())).unwrap();
    let shown = output.text.split("Password: `").nth(1).unwrap().split('`').next().unwrap();
    assert_eq!(shown.len(), 24, "{}", output.text);
    let requests = demo.0.requests();
    let form = |at: usize| requests.iter().filter(|request| request.verb == "POST").nth(at).unwrap().body.clone();
    assert!(String::from_utf8_lossy(&form(1)).contains(&format!("password={shown}")));
    assert!(String::from_utf8_lossy(&form(0)).contains("password="));
    let dry = sent(loud);
    assert!(!dry.contains("password="), "a dry run makes none: {dry}");
}

#[test]
fn keys_are_sent_as_they_are() {
    let demo = Demo::new();
    let output = finish(&TOOL, &demo, arguments(json!({"vmid": 500, "sshkeys": format!("\n{KEY}\n")}))).unwrap();
    assert!(output.text.contains("Login: root, with the SSH keys"), "{}", output.text);
    assert!(sent(json!({"sshkeys": KEY})).contains(&format!("ssh-public-keys={KEY}")));
}

#[test]
fn a_privileged_container_is_said_to_be_one() {
    let line = sent(json!({"unprivileged": false}));
    assert!(line.contains("unprivileged=0") && !line.contains("features"), "{line}");
    assert!(!sent(json!({"nesting": false})).contains("features"));
    assert!(!sent(json!({"bridge": "none"})).contains("net0"));
}

#[test]
fn what_does_not_fit_is_told_before_anything_is_sent() {
    let demo = Demo::new();
    for (more, expected) in [
        (json!({"ostemplate": "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.gz"}), "Did you mean `local:vztmpl/debian-12"),
        (json!({"ostemplate": "debian-12"}), "`ostemplate` is not valid"),
        (json!({"storage": "local"}), "takes no disks of this kind of guest (its content lacks `rootdir`)"),
        (json!({"gateway": "10.0.0.1"}), "`gateway` goes with an address"),
        (json!({"ip": "10.0.0.5"}), "`ip` is not valid"),
        (json!({"disk_size": "8G", "rootfs": "8"}), "are the same"),
        (json!({"password": "abc"}), "too short"),
        (json!({"password": "abcdef", "generate_password": true}), "not both"),
        (json!({"show_password": true}), "goes with `generate_password` only"),
        (json!({"sshkeys": "nonsense"}), "is none"),
        (json!({"vmid": 102}), "is taken, by prod-cache-01 (ID: 102)"),
    ] {
        let error = run(&TOOL, &demo, arguments(more.clone())).unwrap_err().to_string();
        assert!(error.contains(expected), "{more}: {error}");
        assert!(!error.contains("abcdef"));
    }
    assert!(demo.changes().is_empty());
}
