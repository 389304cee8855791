//! Secrets in what Proxmox VE answers: the component asks for them, and does not get to see them.

use proxmox_sim::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::stage::{Stage, failure};

const SECRET: &str = "hunter2SECRET";
const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAhunter2SECRET\n-----END OPENSSH PRIVATE KEY-----";
const CONFIG: &str = "/api2/json/nodes/pve1/qemu/101/config";

/// A cluster in which guest 101 has secrets in its configuration.
async fn stage() -> Stage {
    let stage = Stage::open().await;
    stage.sim.with_world(|world| {
        let guest = world.guests.get_mut(&101).unwrap();
        for (name, value) in [
            ("cipassword", SECRET.to_owned()),
            ("ciuser", "admin".to_owned()),
            ("description", format!("Web server of Anna\nroot password: {SECRET}\n{KEY}\nasks 10.0.0.5")),
        ] {
            guest.extra.insert(name.to_owned(), json!(value));
        }
    });
    stage
}

#[tokio::test]
async fn a_guests_configuration_shows_no_password_and_no_key() {
    let stage = stage().await;
    for path in [CONFIG, "/api2/json/nodes/pve1/qemu/101/pending"] {
        let seen = stage.requests(vec![json!({"path": path})]).await.remove(0);
        let body = seen["body"].as_str().unwrap();
        assert_eq!(seen["status"], 200, "{seen}");
        assert!(!body.contains("hunter2") && !body.contains("b3BlbnNzaC1rZXktdjE"), "{path}: {body}");
        // Everything else is there, and it is to be seen that there is a secret.
        for kept in
            ["admin", "Web server of Anna", "asks 10.0.0.5", "cipassword", "[taken out by proxmox-mcp]"]
        {
            assert!(body.contains(kept), "{path}: {kept} is not in {body}");
        }
    }
    let digest = |answer: &Value| answer["data"]["digest"].clone();
    let seen = stage.requests(vec![json!({"path": CONFIG})]).await.remove(0);
    let seen = serde_json::from_str(seen["body"].as_str().unwrap()).unwrap();
    let real = stage.sim.with_world(|world| world.guests.get(&101).unwrap().digest());
    assert_eq!(digest(&seen), json!(real), "a change can still name the configuration that it is for");
}

#[tokio::test]
async fn what_opens_the_cluster_without_this_program_is_not_shown() {
    let stage = Stage::open().await;
    let told = |value: Value| FaultKind::Body(json!({ "data": value }).to_string());
    for (verb, path, data) in [
        (
            "POST",
            "/access/users/root@pam/token/second",
            json!({"value": SECRET, "full-tokenid": "root@pam!second"}),
        ),
        (
            "POST",
            "/nodes/pve1/qemu/101/vncproxy",
            json!({"ticket": format!("PVEVNC:6A::{SECRET}"), "port": 5900}),
        ),
        ("GET", "/cluster/acme/plugins/dns", json!({"plugin": "dns", "data": SECRET})),
        ("GET", "/storage/backup", json!({"storage": "backup", "password": SECRET})),
    ] {
        stage.sim.fault(Fault::always(path, told(data)));
        let request = json!({"verb": verb, "path": format!("/api2/json{path}")});
        let seen = stage.requests(vec![request]).await.remove(0);
        assert_eq!(seen["status"], 200, "{seen}");
        assert!(!seen.to_string().contains("hunter2"), "{seen}");
        assert!(seen["body"].as_str().unwrap().contains("[taken out by proxmox-mcp]"), "{seen}");
    }
}

#[tokio::test]
async fn an_error_shows_no_password() {
    let stage = Stage::open().await;
    let reason = format!("mount error: //nas/share password={SECRET}");
    stage.sim.fault(Fault::always("/version", FaultKind::Status(500, reason)));
    let seen = stage.requests(vec![json!({"path": "/api2/json/version"})]).await.remove(0);
    assert_eq!(seen["status"], 500, "{seen}");
    assert!(seen.to_string().contains("mount error") && !seen.to_string().contains("hunter2"), "{seen}");
}

#[tokio::test]
async fn the_word_for_a_secret_is_not_written_over_it() {
    let stage = stage().await;
    let form = json!([["content-type", "application/x-www-form-urlencoded"]]);
    let change = |body: &str| json!({"verb": "PUT", "path": CONFIG, "body": body, "headers": form});
    for body in [
        "description=root+password%3A+%5Btaken+out+by+proxmox-mcp%5D",
        "cipassword=%5B%74aken%20out%20by%20proxmox%2Dmcp%5D",
    ] {
        stage.all_refused(vec![change(body)]).await;
    }
    let first = json!([change("cipassword=%5Btaken+out+by+proxmox-mcp%5D")]);
    let arguments = json!({"do": "fail", "kind": "denied", "message": "no", "first": first});
    let (kind, message) = failure(&stage.call("all", arguments).await);
    assert_eq!(kind, "denied");
    assert!(message.contains("in place of a secret"), "{message}");
    // A dry run says the same.
    let mut dry = change("cipassword=%5Btaken+out+by+proxmox-mcp%5D");
    dry["authority"] = json!("verdict.pve.internal");
    let told = stage.requests(vec![dry]).await.remove(0);
    let told: Value = serde_json::from_str(told["body"].as_str().unwrap()).unwrap();
    assert_eq!(told["data"]["allowed"], json!(false));
    assert!(told["data"]["why"].as_str().unwrap().contains("in place of a secret"), "{told}");
    let kept = stage.sim.with_world(|world| world.guests.get(&101).unwrap().extra.get("cipassword").cloned());
    assert_eq!(kept, Some(json!(SECRET)));
}

#[tokio::test]
async fn lists_and_figures_stay_as_they_are() {
    let stage = Stage::open().await;
    for path in [
        "/cluster/resources",
        "/nodes/pve1/tasks",
        "/nodes/pve1/qemu/101/config",
        "/storage",
        "/access/users",
    ] {
        let seen = stage.requests(vec![json!({"path": format!("/api2/json{path}")})]).await.remove(0);
        assert_eq!(seen["status"], 200, "{seen}");
        assert!(!seen.to_string().contains("taken out"), "{path}: {seen}");
    }
}
