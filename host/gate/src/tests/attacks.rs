//! Requests that try to mean two things. All are made with every privilege and every method declared,
//! so that nothing but the guard under test stands in their way; each refusal is held to its code.

use super::*;

const EXEC: &str = "/api2/json/nodes/pve1/qemu/101/agent/exec";
const CONTENT: &str = "/api2/json/nodes/pve1/storage/local/content";

#[track_caller]
fn refused(request: RawRequest<'_>, code: &str) {
    match elevated(request) {
        Err(denied) => assert_eq!(denied.code(), code, "{request:?}: {denied}"),
        Ok(permit) => panic!("{request:?} was permitted as {permit:?}"),
    }
}

#[test]
fn the_plain_request_passes() {
    for path in [
        "/api2/json/version",
        "/api2/json/nodes/pve1/qemu/101/config",
        "/api2/json/nodes/pve1/qemu/101/config?current=1",
        "/api2/json/nodes/pve%31/qemu/101/config",
        "/api2/json/nodes/pve1/storage/local/content/local%3Aiso%2Fdebian.iso",
    ] {
        assert!(elevated(raw("GET", path)).is_ok(), "{path}: {:?}", elevated(raw("GET", path)));
    }
}

#[test]
fn odd_paths() {
    for path in [
        // The prefix.
        "",
        "/",
        "/api2/json",
        "/api2/extjs/version",
        "/api2/html/version",
        "/api2/JSON/version",
        "/API2/json/version",
        "/api2//json/version",
        "//api2/json/version",
        "/api2/json%2Fversion",
        "api2/json/version",
        "https://pve1:8006/api2/json/version",
        "/api2/json/../extjs/version",
        "/./api2/json/version",
        // Empty and dot segments, plain and encoded.
        "/api2/json/",
        "/api2/json//version",
        "/api2/json/version/",
        "/api2/json/nodes//qemu",
        "/api2/json/nodes/pve1/",
        "/api2/json/nodes/pve1/./qemu",
        "/api2/json/nodes/pve1/../pve2/qemu",
        "/api2/json/nodes/%2e%2e/qemu",
        "/api2/json/nodes/%2E./qemu",
        "/api2/json/nodes/.%2e/qemu",
        "/api2/json/nodes/%2e/qemu",
    ] {
        refused(raw("GET", path), "malformed_request");
    }
}

#[test]
fn odd_characters_in_paths() {
    for path in [
        // Encoded slashes outside a volume, double encoding, NUL, broken encoding.
        "/api2/json/nodes/pve1%2Fqemu%2F101%2Fconfig",
        "/api2/json/nodes/pve1%5Cqemu/qemu",
        "/api2/json/nodes/pve1/qemu/101/snapshot/a%2F..%2Fconfig/config",
        "/api2/json/nodes/pve1%252Fqemu/qemu",
        "/api2/json/nodes/%252e%252e/qemu",
        "/api2/json/nodes/pve1%00/qemu",
        "/api2/json/nodes/pve1%/qemu",
        "/api2/json/nodes/pve1%2/qemu",
        "/api2/json/nodes/pve1%zz/qemu",
        "/api2/json/nodes/pve1%+1/qemu",
        "/api2/json/nodes/pve1%ff/qemu",
        "/api2/json/nodes/pve1%c0%af/qemu",
        "/api2/json/nodes/pve1%e2%80%ae/qemu",
        // A fixed part of the template, encoded.
        "/api2/json/%6eodes/pve1/qemu",
        "/api2/json/nodes/pve1/%71emu",
        "/api2/json/nodes/pve1/qemu/101/stat%75s/current",
        // Characters.
        "/api2/json/nodes/pve1 /qemu",
        "/api2/json/nodes/pve1\t/qemu",
        "/api2/json/nodes/pve1\r\nX: y/qemu",
        "/api2/json/nodes/pve1\0/qemu",
        "/api2/json/nodes/pve1\\qemu/qemu",
        "/api2/json/nodes/pv\u{e9}/qemu",
        "/api2/json/nodes/\u{ff50}ve1/qemu",
        "/api2/json/version#frag",
        "/api2/json/nodes/pve1;x=y/qemu",
        "/api2/json/nodes/pve1%3Bx/qemu",
        "/api2/json/nodes/pve1%3Fx/qemu",
        "/api2/json/nodes/pve1%20/qemu",
        "/api2/json/nodes/pve1%0a/qemu",
    ] {
        refused(raw("GET", path), "malformed_request");
    }
}

#[test]
fn paths_and_verbs_that_the_api_does_not_have() {
    for (verb, path) in [
        ("GET", "/api2/json/nosuch"),
        ("GET", "/api2/json/nodes/pve1/qemu/101/config/extra"),
        ("GET", "/api2/json/Version"),
        ("GET", "/api2/json/nodes%2Fpve1/qemu"),
        ("GET", "/api2/json/nodes/pve1/qemu/101/STATUS/current"),
        ("POST", "/api2/json/version"),
        ("get", "/api2/json/version"),
        ("HEAD", "/api2/json/version"),
        ("PATCH", "/api2/json/version"),
        ("OPTIONS", "/api2/json/version"),
        ("CONNECT", "/api2/json/version"),
        ("GET ", "/api2/json/version"),
        ("GET\r\nX", "/api2/json/version"),
        ("", "/api2/json/version"),
    ] {
        refused(raw(verb, path), "unknown_method");
    }
}

#[test]
fn names_in_the_path_that_are_none() {
    let long_node = format!("/api2/json/nodes/{}/qemu", "n".repeat(64));
    let task = |upid: &str| format!("/api2/json/nodes/pve1/tasks/{upid}/status");
    for path in [
        "/api2/json/nodes/pve1/qemu/99/config",
        "/api2/json/nodes/pve1/qemu/0101/config",
        "/api2/json/nodes/pve1/qemu/+101/config",
        "/api2/json/nodes/pve1/qemu/-101/config",
        "/api2/json/nodes/pve1/qemu/101.0/config",
        "/api2/json/nodes/pve1/qemu/1e3/config",
        "/api2/json/nodes/pve1/qemu/1000000000/config",
        "/api2/json/nodes/pve1/qemu/4294967397/config",
        "/api2/json/nodes/pve1/qemu/config/config",
        "/api2/json/nodes/localhost/qemu",
        "/api2/json/nodes/LOCALHOST/qemu",
        "/api2/json/nodes/127.0.0.1/qemu",
        "/api2/json/nodes/2130706433/qemu",
        "/api2/json/nodes/0x7f000001/qemu",
        "/api2/json/nodes/pve1.example.com/qemu",
        "/api2/json/nodes/-pve1/qemu",
        "/api2/json/nodes/pve1-/qemu",
        "/api2/json/nodes/pve1:8006/qemu",
        "/api2/json/nodes/root@pve1/qemu",
        &long_node,
        "/api2/json/nodes/pve1/storage/9x/status",
        "/api2/json/nodes/pve1/storage/a/status",
        "/api2/json/nodes/pve1/qemu/101/snapshot/9x/config",
        "/api2/json/nodes/pve1/qemu/101/snapshot/a.b/config",
        &task("1"),
        &task("UPID:pve2:00003215:0004ADDD:6B02B8E4:qmstart:101:root@pam!mcp:"),
        &task("UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:101:root@pam!mcp"),
        &task("UPID:pve1:00003215:0004ADDD:6B02B8E4::101:root@pam!mcp:"),
    ] {
        refused(raw("GET", path), "bad_parameter");
    }
    refused(raw("GET", "/api2/json/nodes/pve1/qemu/\u{661}\u{660}\u{661}/config"), "malformed_request");
}

#[test]
fn a_slash_is_a_volume_s_only_and_stays_inside() {
    for volume in [
        "..%2F..%2Fstatus",
        "%2Fetc%2Fshadow",
        "iso%2F..%2F..%2Fstatus",
        "iso%2F%2Fa",
        "iso%2F",
        "iso%2Fa%00",
        "iso%252Fa",
        "iso%5Ca",
        "iso%2Fa%3Fx",
        "iso%2Fa%20b",
        "a/b",
    ] {
        let path = format!("{CONTENT}/{volume}");
        let denied = elevated(raw("GET", &path)).unwrap_err();
        assert!(["malformed_request", "unknown_method"].contains(&denied.code()), "{volume}: {denied}");
    }
    refused(raw("GET", &format!("{CONTENT}/other%3Aiso%2Fa.iso")), "bad_parameter");
    refused(raw("GET", "/api2/json/nodes/pve1%2Fx/storage/local/content/a"), "malformed_request");
    for other in ["/api2/json/storage/a%2Fb", "/api2/json/cluster/backup/a%2Fb", "/api2/json/pools/a%2Fb"] {
        refused(raw("GET", other), "malformed_request");
    }
    let permit = elevated(raw("GET", &format!("{CONTENT}/local:iso%2Fdebian-13.iso"))).unwrap();
    assert_eq!(permit.path_and_query(), format!("{CONTENT}/local%3Aiso%2Fdebian-13.iso"));
}

#[test]
fn an_encoded_value_is_judged_as_what_it_decodes_to() {
    let shut = granted("VM.Audit@/vms/102");
    let path = "/api2/json/nodes/pve1/qemu/10%31/config";
    let denied = shut.check(&anything(), raw("GET", path), &NoPools).unwrap_err();
    assert_eq!(denied.grant().as_deref(), Some("VM.Audit@/vms/101"));
    let permit = elevated(raw("GET", path)).unwrap();
    assert_eq!(permit.path_and_query(), "/api2/json/nodes/pve1/qemu/101/config");
}

#[test]
fn smuggled_parameters_in_a_query() {
    let config = "/api2/json/nodes/pve1/qemu/101/config";
    for (query, code) in [
        ("vmid=102", "bad_parameter"),
        ("vmi%64=102", "bad_parameter"),
        ("node=pve2", "bad_parameter"),
        ("nosuch=1", "bad_parameter"),
        ("Current=1", "bad_parameter"),
        ("current=1&current=1", "bad_parameter"),
        ("current=1&curren%74=0", "bad_parameter"),
        ("current=true", "bad_parameter"),
        ("current=", "bad_parameter"),
        ("current=2", "bad_parameter"),
        ("current=+1", "bad_parameter"),
        ("current[]=1", "bad_parameter"),
        ("snapshot=..", "bad_parameter"),
        ("snapshot=a%00", "malformed_request"),
        ("snapshot=a%zz", "malformed_request"),
        ("snapshot=%ff", "malformed_request"),
        ("current=1;vmid=102", "malformed_request"),
        ("snapshot=a;b", "malformed_request"),
        ("snapshot=a\\b", "malformed_request"),
        ("current=1%26vmid=102", "malformed_request"),
        ("snapshot=a=b", "malformed_request"),
        ("current", "malformed_request"),
        ("=1", "malformed_request"),
        ("&", "malformed_request"),
        ("current=1&", "malformed_request"),
        ("current=1&&snapshot=a", "malformed_request"),
        ("?current=1", "bad_parameter"),
        ("current=1#x", "malformed_request"),
        ("snapshot=\u{e9}", "malformed_request"),
        ("snapshot=a b", "malformed_request"),
    ] {
        refused(raw("GET", &format!("{config}?{query}")), code);
    }
}

#[test]
fn a_query_value_outside_its_type() {
    let smart = "/api2/json/nodes/pve1/disks/smart";
    for disk in ["%2Fetc%2Fshadow", "%2Fdev%2F..%2Fetc", "%2Fdev%2Fsda%0a", "sda", "%2Fdev%2Fsda%3Bid"] {
        refused(raw("GET", &format!("{smart}?disk={disk}")), "bad_parameter");
    }
    for path in [
        "/api2/json/cluster/resources?type=VM",
        "/api2/json/nodes/pve1/rrddata?timeframe=hour%20",
        "/api2/json/nodes/pve1/qemu/101/agent/exec-status?pid=0x7",
        "/api2/json/nodes/pve1/storage?storage=..",
        "/api2/json/pools?poolid=a%2F..",
        "/api2/json/nodes/pve1/qemu/101/migrate?target=localhost",
    ] {
        refused(raw("GET", path), "bad_parameter");
    }
}

#[test]
fn smuggled_parameters_in_a_form() {
    for (body, code) in [
        ("command=id&vmid=102", "bad_parameter"),
        ("command=id&node=pve2", "bad_parameter"),
        ("command=id&nosuch=1", "bad_parameter"),
        ("command=id&input-data=a&input-data=b", "bad_parameter"),
        ("command=id;input-data=a", "malformed_request"),
        ("command=id;ls", "malformed_request"),
        ("command=id;", "malformed_request"),
        ("command=a=b", "malformed_request"),
        ("command=id%00", "malformed_request"),
        ("command=id\n", "malformed_request"),
        ("command=caf\u{e9}", "malformed_request"),
        ("command", "malformed_request"),
        ("{\"command\":[\"id\"]}", "malformed_request"),
    ] {
        refused(with_body("POST", EXEC, FORM, body), code);
    }
    refused(
        with_body("POST", &format!("{EXEC}?input-data=a"), FORM, "command=id&input-data=b"),
        "bad_parameter",
    );
    refused(with_body("POST", &format!("{EXEC}?command=a"), FORM, "command=b"), "bad_parameter");
}

#[test]
fn a_numbered_parameter_has_one_spelling() {
    let config = "/api2/json/nodes/pve1/qemu/101/config";
    assert!(elevated(with_body("PUT", config, FORM, "net0=virtio")).is_ok());
    for name in ["net00", "net01", "net", "net-1", "net%2B1", "netx", "net1000"] {
        refused(with_body("PUT", config, FORM, &format!("{name}=virtio")), "bad_parameter");
    }
}

#[test]
fn a_plus_is_a_space_in_a_form_and_a_plus_in_a_path() {
    let permit = elevated(with_body("POST", EXEC, FORM, "command=a+b%2Bc&command=%26%3B%3D%25")).unwrap();
    assert_eq!(permit.body().unwrap().1, b"command=a%20b%2Bc&command=%26%3B%3D%25");
    let permit = elevated(raw("GET", &format!("{CONTENT}/a+b"))).unwrap();
    assert_eq!(permit.path_and_query(), format!("{CONTENT}/a%2Bb"));
}

#[test]
fn smuggled_parameters_in_json() {
    for (body, code) in [
        (r#"{"command":["id"],"vmid":102}"#, "bad_parameter"),
        (r#"{"command":["id"],"v\u006did":102}"#, "bad_parameter"),
        (r#"{"command":["id"],"nosuch":1}"#, "bad_parameter"),
        (r#"{"command":["id"],"command":["ls"]}"#, "bad_parameter"),
        (r#"{"command":["id"],"comman\u0064":["ls"]}"#, "bad_parameter"),
        (r#"{"command":[["id"]]}"#, "bad_parameter"),
        (r#"{"command":[{"a":1}]}"#, "bad_parameter"),
        (r#"{"command":{"a":1}}"#, "bad_parameter"),
        (r#"{"command":[]}"#, "bad_parameter"),
        (r#"{"command":[null]}"#, "bad_parameter"),
        (r#"{"command":null}"#, "bad_parameter"),
        (r#"{"command":["a\u0000b"]}"#, "bad_parameter"),
        (r#"{"command":["id"],"input-data":["a","b"]}"#, "bad_parameter"),
        (r#"{"command":["id"],"input-data":true}"#, "bad_parameter"),
        (r#"["command"]"#, "malformed_request"),
        (r#""command=id""#, "malformed_request"),
        (r#"{"command":["id"]}{"command":["ls"]}"#, "malformed_request"),
        (r#"{"command":["id"],}"#, "malformed_request"),
        (r#"{command:["id"]}"#, "malformed_request"),
        ("", "permitted"),
        ("command=id", "malformed_request"),
        ("\u{feff}{}", "malformed_request"),
    ] {
        match code {
            "permitted" => assert!(elevated(with_body("POST", EXEC, JSON, body)).is_ok()),
            code => refused(with_body("POST", EXEC, JSON, body), code),
        }
    }
    refused(with_body("POST", &format!("{EXEC}?command=a"), JSON, r#"{"command":["b"]}"#), "bad_parameter");
    let shutdown = "/api2/json/nodes/pve1/qemu/101/status/shutdown";
    for body in [
        r#"{"timeout":-1}"#,
        r#"{"timeout":1.5}"#,
        r#"{"timeout":1e3}"#,
        r#"{"timeout":"01"}"#,
        r#"{"timeout":true}"#,
        r#"{"timeout":[1]}"#,
        r#"{"forceStop":2}"#,
        r#"{"forceStop":"yes"}"#,
        r#"{"forceStop":{}}"#,
    ] {
        refused(with_body("POST", shutdown, JSON, body), "bad_parameter");
    }
    let permit = elevated(with_body("POST", shutdown, JSON, r#"{"timeout":60,"forceStop":true}"#)).unwrap();
    assert_eq!(permit.body().unwrap().1, b"forceStop=1&timeout=60");
}

#[test]
fn bodies_where_none_belongs_and_of_other_kinds() {
    for verb in ["GET", "DELETE"] {
        let path = "/api2/json/nodes/pve1/qemu/101/snapshot/a";
        let path = if verb == "GET" { "/api2/json/version" } else { path };
        refused(with_body(verb, path, FORM, "force=1"), "malformed_request");
        refused(with_body(verb, path, JSON, "{}"), "malformed_request");
    }
    for kind in [
        None,
        Some("text/plain"),
        Some("multipart/form-data; boundary=x"),
        Some("application/jsonx"),
        Some(""),
    ] {
        refused(with_body("POST", EXEC, kind, "command=id"), "malformed_request");
    }
    for kind in ["application/x-www-form-urlencoded; charset=utf-8", "Application/X-WWW-Form-Urlencoded"] {
        assert!(elevated(with_body("POST", EXEC, Some(kind), "command=id")).is_ok(), "{kind}");
    }
}

#[test]
fn what_is_too_large() {
    let body = format!("command={}", "a".repeat(512 * 1024));
    refused(with_body("POST", EXEC, FORM, &body), "too_large");
    let grows = format!("{{\"command\":[\"{}\"]}}", "%".repeat(200 * 1024));
    refused(with_body("POST", EXEC, JSON, &grows), "too_large");
    let long = format!("/api2/json/cluster/resources?type={}", "a".repeat(9000));
    refused(raw("GET", &long), "too_large");
    let padded = format!("{{\"command\":[\"id\"]{}}}", " ".repeat(512 * 1024));
    refused(with_body("POST", EXEC, JSON, &padded), "too_large");
    let grows =
        format!("/api2/json/nodes/pve1/storage/pbs/file-restore/list?volume=b&filepath={}", "/".repeat(7000));
    refused(raw("GET", &grows), "too_large");
}

#[test]
fn only_what_the_tool_declared() {
    let scope = Scope::new([
        &methods::GET_VERSION,
        &methods::GET_NODES_NODE_QEMU_VMID,
        &methods::POST_NODES_NODE_QEMU_VMID_STATUS_START,
    ]);
    let gate = gate(Grants::elevated());
    assert!(gate.check(&scope, raw("GET", "/api2/json/version"), &NoPools).is_ok());
    for (verb, path) in [
        ("GET", "/api2/json/nodes"),
        ("GET", "/api2/json/nodes/pve1/qemu/101/status/current"),
        ("DELETE", "/api2/json/nodes/pve1/qemu/101"),
        ("POST", "/api2/json/nodes/pve1/qemu/101/status/stop"),
        ("POST", "/api2/json/nodes/pve1/lxc/101/status/start"),
    ] {
        let denied = gate.check(&scope, raw(verb, path), &NoPools).unwrap_err();
        assert_eq!(denied.code(), "not_declared", "{path}");
        let none = gate.check(&Scope::default(), raw(verb, path), &NoPools).unwrap_err();
        assert_eq!(none.code(), "not_declared", "{path}");
    }
}

#[test]
fn only_the_node_and_guest_that_the_call_is_about() {
    let gate = gate(Grants::elevated());
    let scope = anything().on_node("pve1").on_guest(101);
    let passes = |verb, path: &str| gate.check(&scope, raw(verb, path), &NoPools);
    for path in [
        "/api2/json/nodes/pve1/qemu/101/config",
        "/api2/json/cluster/resources",
        "/api2/json/nodes/pve1/status",
    ] {
        assert!(passes("GET", path).is_ok(), "{path}");
    }
    for path in [
        "/api2/json/nodes/pve1/qemu/102/config",
        "/api2/json/nodes/pve2/qemu/101/config",
        "/api2/json/nodes/PVE1/qemu/101/config",
        "/api2/json/nodes/pve2/status",
        "/api2/json/cluster/nextid?vmid=102",
        "/api2/json/nodes/pve1/tasks?vmid=102",
        "/api2/json/nodes/pve1/tasks/UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:102:root@pam!mcp:/status",
        "/api2/json/nodes/pve1/storage/local/content/vm-102-disk-0",
        "/api2/json/cluster/replication/102-0",
        "/api2/json/cluster/ha/resources/vm%3A102",
    ] {
        let denied = passes("GET", path).unwrap_err();
        assert_eq!(denied.code(), "out_of_scope", "{path}: {denied}");
    }
    let both = anything().on_guest(101).on_guest(150);
    assert!(gate.check(&both, raw("GET", "/api2/json/nodes/pve1/qemu/150/config"), &NoPools).is_ok());
}

#[test]
fn a_message_shows_text_from_the_request_escaped_and_cut() {
    let path = format!("/api2/json/nodes/{}%1b[31m/qemu", "x".repeat(300));
    let text = elevated(raw("GET", &path)).unwrap_err().to_string();
    assert!(text.len() < 250 && !text.contains('\u{1b}'), "{text}");
    let text = elevated(raw("GET", "/api2/json/nodes/x%1b[31m%0aDone/qemu")).unwrap_err().to_string();
    assert!(!text.contains('\u{1b}') && !text.contains('\n'), "{text}");
    let query = format!("/api2/json/version?{}%0aDone=1", "y".repeat(300));
    let text = elevated(raw("GET", &query)).unwrap_err().to_string();
    assert!(text.len() < 250 && !text.contains('\n'), "{text}");
}

#[test]
fn the_one_file_beside_the_api_is_that_file() {
    const DOC: &str = "/pve-docs/api-viewer/apidoc.js";
    let doc = gate(Grants::default());
    let scope = Scope::new([&proxmox_api::API_DOC]);
    let permit = doc.check(&scope, raw("GET", DOC), &NoPools).unwrap();
    assert_eq!(permit.path_and_query(), DOC);
    assert!(doc.check(&anything(), raw("GET", DOC), &NoPools).is_err(), "it has to be declared, too");
    for (verb, path) in [
        ("GET", "/pve-docs/api-viewer/apidoc.js?x=1"),
        ("GET", "/pve-docs/api-viewer/../../api2/json/version"),
        ("GET", "/pve-docs/api-viewer/apidoc.js/"),
        ("GET", "/pve-docs//api-viewer/apidoc.js"),
        ("GET", "/pve-docs/api-viewer/apidoc%2ejs"),
        ("GET", "/pve-docs/index.html"),
        ("GET", "/api2/json/pve-docs/api-viewer/apidoc.js"),
        ("POST", DOC),
        ("DELETE", DOC),
    ] {
        assert!(doc.check(&scope, raw(verb, path), &NoPools).is_err(), "{verb} {path}");
    }
}
