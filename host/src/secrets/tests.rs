use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "hunter2SECRET";

/// The data of an answer with this data, as the component sees it.
fn seen(method: &Method, data: &Value) -> Value {
    let answer = json!({ "data": data }).to_string();
    let shown = taken_out(method, StatusCode::OK, answer.as_bytes()).unwrap_or(answer.into_bytes());
    serde_json::from_slice::<Value>(&shown).unwrap()["data"].take()
}

/// Nothing is taken out, to the last byte.
fn untouched(method: &Method, data: &Value) {
    let answer = json!({ "data": data }).to_string();
    let shown = taken_out(method, StatusCode::OK, answer.as_bytes());
    assert_eq!(shown.map(|shown| String::from_utf8(shown).unwrap()), None, "{method}: {answer}");
}

#[test]
fn every_rule_is_about_a_method_that_there_is() {
    for (verb, path) in bodies::ruled() {
        let verb = Verb::parse(verb).unwrap();
        assert!(proxmox_api::find(verb, path).is_some(), "{verb} {path}");
    }
}

#[test]
fn a_guests_configuration_keeps_everything_but_its_secrets() {
    let config = |password: &str, notes: &str| {
        json!({
            "digest": "69b9a3ad09992e2c076287887ad6a4ee6c8613f0", "cipassword": password, "ciuser": "admin",
            "sshkeys": "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIJxO0tAc1q9rZ2f4U8b4A8QmX3Yw%20me%40here", "cores": 4,
            "smbios1": "uuid=1b4e28ba-2fa1-11d2-883f-0016d3cca427", "vmgenid": "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
            "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0", "scsi0": "secret-store:vm-101-disk-0,size=32G",
            "description": notes, "onboot": 1, "name": "token-server", "meta": "creation-qemu=10.0.2,ctime=1795339584",
        })
    };
    let notes = format!("Web server\nroot password: {SECRET}\nasks 10.0.0.5");
    let without = format!("Web server\nroot password: {TAKEN_OUT}\nasks 10.0.0.5");
    for method in [&m::GET_NODES_NODE_QEMU_VMID_CONFIG, &m::GET_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME_CONFIG]
    {
        assert_eq!(seen(method, &config(SECRET, &notes)), config(TAKEN_OUT, &without), "{method}");
    }
    let env = format!("PATH=/bin\0DB_PASSWORD={SECRET}\0TZ=UTC");
    assert_eq!(
        seen(&m::GET_NODES_NODE_LXC_VMID_CONFIG, &json!({"env": env})),
        json!({"env": format!("PATH=/bin\0DB_PASSWORD={TAKEN_OUT}\0TZ=UTC")})
    );
    untouched(&m::GET_NODES_NODE_QEMU_VMID_CONFIG, &config("", "Web server"));
}

#[test]
fn values_beside_the_name_of_a_secret() {
    let rows = |old: &str, new: &str| {
        json!([
            {"key": "cipassword", "value": old, "pending": new, "delete": 1},
            {"key": "cipassword", "old": old, "new": new},
            {"key": "cores", "value": "4", "pending": "8"},
            {"key": "sshkeys", "value": "ssh-rsa%20AAAAB3NzaC1yc2EAAAADAQAB"},
        ])
    };
    for method in [&m::GET_NODES_NODE_QEMU_VMID_PENDING, &m::GET_NODES_NODE_QEMU_VMID_CLOUDINIT] {
        assert_eq!(seen(method, &rows("**********", SECRET)), rows(TAKEN_OUT, TAKEN_OUT), "{method}");
    }
}

#[test]
fn a_cloud_init_file_keeps_its_form() {
    let file = |hash: &str| {
        format!(
            "#cloud-config\nhostname: web\nuser: ci\npassword: {hash}\nssh_authorized_keys:\n  - ssh-ed25519 AAAAC3Nz me\n\
             chpasswd:\n  expire: False\npackage_upgrade: true\n"
        )
    };
    let method = &m::GET_NODES_NODE_QEMU_VMID_CLOUDINIT_DUMP;
    assert_eq!(seen(method, &file("$5$abcd$0123456789abcdef").into()), json!(file(TAKEN_OUT)));
}

#[test]
fn what_is_a_key_to_the_cluster_is_taken_out_of_every_answer() {
    let cases: &[(&Method, Value, &[&str])] = &[
        (
            &m::POST_ACCESS_USERS_USERID_TOKEN_TOKENID,
            json!({"value": SECRET, "full-tokenid": "root@pam!x", "info": {"privsep": 1, "comment": "for me"}}),
            &["root@pam!x", "for me"],
        ),
        (
            &m::PUT_ACCESS_USERS_USERID_TOKEN_TOKENID,
            json!({"value": SECRET, "full-tokenid": "a@b!c"}),
            &["a@b!c"],
        ),
        (
            &m::POST_NODES_NODE_QEMU_VMID_VNCPROXY,
            json!({"ticket": format!("PVEVNC:6A::{SECRET}"), "password": SECRET, "port": "5900", "user": "root@pam"}),
            &["5900", "root@pam"],
        ),
        (&m::POST_NODES_NODE_TERMPROXY, json!({"ticket": SECRET.repeat(2), "port": 5900}), &["5900"]),
        (
            &m::POST_NODES_NODE_QEMU_VMID_SPICEPROXY,
            json!({"password": SECRET, "proxyticket": SECRET, "type": "spice", "host": "pvespiceproxy"}),
            &["pvespiceproxy"],
        ),
        (
            &m::POST_CLUSTER_CONFIG_NODES_NODE,
            json!({"corosync_authkey": SECRET, "corosync_conf": "totem"}),
            &["totem"],
        ),
        (
            &m::POST_STORAGE,
            json!({"storage": "pbs", "config": {"encryption-key": format!("{{\"data\":\"{SECRET}\"}}")}}),
            &["pbs"],
        ),
        (
            &m::GET_STORAGE_STORAGE,
            json!({"storage": "pbs", "encryption-key": "E4:5D:53:43:B9:8D:21:B2", "keyring": SECRET, "fingerprint": "AB:CD"}),
            &["E4:5D:53:43:B9:8D:21:B2", "AB:CD"],
        ),
        (
            &m::GET_ACCESS_DOMAINS_REALM,
            json!({"client-id": "pve", "client-key": SECRET, "password": SECRET}),
            &["pve"],
        ),
        (
            &m::GET_ACCESS_USERS_USERID,
            json!({"keys": SECRET, "email": "me@example.org"}),
            &["me@example.org"],
        ),
        (&m::GET_CLUSTER_ACME_PLUGINS_ID, json!({"plugin": "cf", "data": SECRET, "api": "cf"}), &["cf"]),
        (
            &m::GET_CLUSTER_METRICS_SERVER_ID,
            json!({"token": SECRET, "server": "influx", "port": 8086}),
            &["influx", "8086"],
        ),
        (
            &m::GET_CLUSTER_NOTIFICATIONS_ENDPOINTS_WEBHOOK_NAME,
            json!({"header": [format!("name=X-Auth,value={SECRET}")], "secret": [format!("name=a,value={SECRET}")], "url": "https://hook/"}),
            &["https://hook/"],
        ),
        (
            &m::GET_CLUSTER_NOTIFICATIONS_ENDPOINTS_GOTIFY_NAME,
            json!({"token": SECRET, "server": "https://g/"}),
            &["https://g/"],
        ),
        (
            &m::GET_CLUSTER_NOTIFICATIONS_ENDPOINTS_SMTP_NAME,
            json!({"password": SECRET, "username": "me"}),
            &["me"],
        ),
        (
            &m::GET_CLUSTER_SDN_IPAMS_IPAM,
            json!({"token": SECRET, "url": "https://netbox/"}),
            &["https://netbox/"],
        ),
        (&m::GET_CLUSTER_SDN_DNS_DNS, json!({"key": "hunterSECRET", "type": "powerdns"}), &["powerdns"]),
        (
            &m::GET_NODES_NODE_SUBSCRIPTION,
            json!({"key": format!("pve4b-{SECRET}"), "level": "b"}),
            &["\"level\":\"b\""],
        ),
        (
            &m::GET_CLUSTER_OPTIONS,
            json!({"http_proxy": format!("http://me:{SECRET}@proxy:3128"), "keyboard": "de"}),
            &["proxy:3128", "\"keyboard\":\"de\""],
        ),
    ];
    for (method, data, kept) in cases {
        let shown = seen(method, data).to_string();
        assert!(!shown.contains("SECRET") && shown.contains(TAKEN_OUT), "{method}: {shown}");
        for kept in *kept {
            assert!(shown.contains(kept), "{method}: {shown} lacks {kept}");
        }
    }
}

#[test]
fn lists_and_tasks_stay_as_they_are() {
    let upid = "UPID:pve:00003215:0004ADDD:6B02B8E4:vncproxy:101:root@pam!token:";
    untouched(
        &m::GET_NODES_NODE_TASKS,
        &json!([{"upid": upid, "tokenid": "token", "user": "root@pam", "status": "OK"}]),
    );
    untouched(
        &m::GET_NODES_NODE_TASKS_UPID_LOG,
        &json!([{"n": 1, "t": "start VM 101: "}, {"n": 2, "t": upid}]),
    );
    untouched(
        &m::GET_CLUSTER_RESOURCES,
        &json!([{"name": "password-safe", "storage": "secrets", "tags": "auth;key"}]),
    );
    untouched(
        &m::GET_ACCESS_USERS,
        &json!([{"userid": "a@b", "tokens": [{"tokenid": "mcp", "privsep": 1}]}]),
    );
    untouched(&m::GET_NODES, &json!([{"ssl_fingerprint": "E4:5D:53:43:B9:8D:21:B2:1B:96:4B:63:E7:1E"}]));
    untouched(&m::GET_CLUSTER_SDN_FABRICS_ALL, &json!({"nodes": [{"lock-token": "6f1c"}]}));
}

#[test]
fn logs_lose_what_has_the_look_of_a_secret() {
    let lines = json!([{"n": 1, "t": format!("login to https://me:{SECRET}@nas/ failed")}, {"n": 2, "t": "TASK ERROR: exit 1"}]);
    let shown = seen(&m::GET_NODES_NODE_TASKS_UPID_LOG, &lines);
    assert_eq!(shown[0]["t"], format!("login to https://me:{TAKEN_OUT}@nas/ failed"));
    assert_eq!(shown[1], lines[1]);
    // Also where it is no JSON.
    let text = format!("<p>password={SECRET}</p>");
    let shown = taken_out(&m::GET_VERSION, StatusCode::OK, text.as_bytes()).unwrap();
    assert!(!String::from_utf8(shown).unwrap().contains(SECRET));
}

#[test]
fn what_a_call_is_for_stays() {
    let text = json!(format!("password={SECRET}"));
    for method in
        [&m::GET_NODES_NODE_QEMU_VMID_AGENT_EXEC_STATUS, &m::GET_NODES_NODE_QEMU_VMID_AGENT_FILE_READ]
    {
        untouched(method, &json!({"exited": 1, "out-data": text, "content": text}));
    }
}

#[test]
fn an_error_says_what_is_wrong_with_a_password_and_not_which() {
    let answer = json!({"errors": {"password": "value must be at least 5 characters long"}, "message": "x"})
        .to_string();
    let status = StatusCode::BAD_REQUEST;
    assert_eq!(taken_out(&m::POST_ACCESS_USERS, status, answer.as_bytes()), None);
    let answer = json!({"message": format!("command 'mount -o password={SECRET}' failed")}).to_string();
    let shown = taken_out(&m::POST_STORAGE, StatusCode::INTERNAL_SERVER_ERROR, answer.as_bytes()).unwrap();
    assert!(!String::from_utf8(shown).unwrap().contains(SECRET));
}

#[test]
fn the_word_is_not_written_back() {
    fn write(verb: &str, path_and_query: &str, body: &str) -> bool {
        writes_back(&RawRequest { verb, path_and_query, content_type: None, body: body.as_bytes() })
    }
    let config = "/api2/json/nodes/pve1/qemu/101/config";
    let json = json!({"description": format!("root password: {TAKEN_OUT}")}).to_string();
    for body in [
        "description=root+password%3A%5Btaken+out+by+proxmox-mcp%5D",
        "a=b;description=x%0A%5Bt%61ken%20out by proxmox%2Dmcp]y",
        &json,
        &json.replace("taken", "\\u0074aken"),
    ] {
        assert!(write("PUT", config, body) && write("POST", config, body), "{body}");
        assert!(!write("GET", config, body));
    }
    assert!(write("PUT", &format!("{config}?description=%5Btaken%20out%20by%20proxmox-mcp%5D"), ""));
    assert!(!write("PUT", config, "description=taken out by proxmox-mcp"));
}
