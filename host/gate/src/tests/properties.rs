//! What holds for every request, drawn at random.

use super::*;
use crate::permit::FORM as FORM_TYPE;
use proptest::prelude::*;

/// Segments that build real paths, and others that try to break them.
fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "nodes", "pve1", "qemu", "lxc", "101", "status", "current", "config", "agent", "exec", "tasks", "storage",
            "local", "content", "cluster", "resources", "version", "snapshot", "snap1", "start", "pools", "dev",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "..", ".", "", "%2e%2e", "%2F", "a%2Fb", "%00", "%252e", "local%3Aiso%2Fa.iso", "vm-101-disk-0", "a;b",
            "UPID%3Apve1%3A00003215%3A0004ADDD%3A6B02B8E4%3Aqmstart%3A101%3Aroot%40pam%21mcp%3A", "pve%31", "\\",
        ]).prop_map(str::to_owned),
        1 => "[a-z0-9%.:@/-]{1,12}",
    ]
}

/// A template of the table with its values filled in, mostly sound.
fn filled() -> impl Strategy<Value = String> {
    (0..methods::ALL.len(), prop::collection::vec(segment(), 5)).prop_map(|(index, values)| {
        let mut values = values.into_iter();
        let fill = |part: &str| match part {
            "{node}" => "pve1".to_owned(),
            "{vmid}" => "101".to_owned(),
            "{storage}" => "local".to_owned(),
            part if part.starts_with('{') => values.next().unwrap_or_default(),
            part => part.to_owned(),
        };
        let parts: Vec<String> = methods::ALL[index].path.split('/').map(fill).collect();
        format!("/api2/json{}", parts.join("/"))
    })
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => filled(),
        1 => prop::collection::vec(segment(), 1..7).prop_map(|parts| format!("/api2/json/{}", parts.join("/"))),
    ]
}

fn query() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        1 => prop::sample::select(vec![
            "?current=1", "?type=vm", "?pid=7", "?limit=5&start=0", "?command=a&command=b%26c%3Dd", "?vmid=102", "?full=1",
            "?a=b=c", "?poolid=dev", "?comment=caf%C3%A9+%2B", "?description=%0A%25%3B",
        ]).prop_map(str::to_owned),
        1 => "\\?[a-z]{1,8}=[a-zA-Z0-9%+&;=]{0,20}",
    ]
}

fn verb() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["GET", "POST", "PUT", "DELETE"])
}

fn again(permit: &Permit) -> Result<Permit, Denied> {
    let (content_type, body) = permit.body().map_or((None, &b""[..]), |(kind, body)| (Some(kind), body));
    elevated(RawRequest {
        verb: permit.verb().as_str(),
        path_and_query: permit.path_and_query(),
        content_type,
        body,
    })
}

fn sound(permit: &Permit) {
    let (path, query) = permit.path_and_query().split_once('?').unwrap_or((permit.path_and_query(), ""));
    assert!(path.starts_with("/api2/json/"), "{path}");
    assert!(!path.split('/').skip(1).any(|part| part.is_empty() || part == "." || part == ".."), "{path}");
    assert!(!path.contains("%00") && !path.contains("%25") && !path.contains("%5C"), "{path}");
    let head =
        if permit.method().path.ends_with("/{volume}") { path.rsplit_once('/').unwrap().0 } else { path };
    assert!(!head.contains("%2F"), "{path}");
    for text in [path, query] {
        let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%/&=".contains(&b));
        assert!(clean, "{text}");
    }
    if let Some((kind, body)) = permit.body() {
        assert_eq!(kind, FORM_TYPE);
        assert!(body.iter().all(|b| b.is_ascii_alphanumeric() || b"-._~%&=".contains(b)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_permit_is_sound_and_permitted_again_unchanged(verb in verb(), path in path(), query in query()) {
        if let Ok(permit) = elevated(raw(verb, &format!("{path}{query}"))) {
            sound(&permit);
            prop_assert_eq!(again(&permit).unwrap(), permit);
        }
    }

    #[test]
    fn a_body_keeps_its_meaning_in_either_form(words in prop::collection::vec("[^\u{0}]{0,12}", 1..4), input in "[^\u{0}]{0,20}") {
        let path = "/api2/json/nodes/pve1/qemu/101/agent/exec";
        let json = serde_json::json!({ "command": words, "input-data": input }).to_string();
        let permit = elevated(with_body("POST", path, JSON, &json)).unwrap();
        sound(&permit);
        prop_assert_eq!(&again(&permit).unwrap(), &permit);
        let body = std::str::from_utf8(permit.body().unwrap().1).unwrap();
        let pairs: Vec<(String, String)> = body.split('&').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            let plain = |text| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
            (plain(name), plain(value))
        }).collect();
        let mut expected: Vec<(String, String)> = words.into_iter().map(|word| ("command".to_owned(), word)).collect();
        expected.push(("input-data".to_owned(), input));
        prop_assert_eq!(pairs, expected);
    }

    #[test]
    fn no_text_at_all_breaks_the_gate(verb in ".{0,6}", path in ".{0,60}", kind in ".{0,20}", body in prop::collection::vec(any::<u8>(), 0..60)) {
        let request = RawRequest { verb: &verb, path_and_query: &path, content_type: Some(&kind), body: &body };
        let _ = elevated(request);
        let _ = gate(Grants::basic()).filter(&methods::GET_CLUSTER_TASKS, &body, &NoPools);
        let _ = path.parse::<crate::Grant>().map_err(|error| error.to_string());
        let _ = Walls::parse(Some(&path), Some(&verb));
    }
}

/// The whole table: what a sound request to each method becomes is again that method.
#[test]
fn every_method_is_found_by_its_own_path() {
    for method in methods::ALL {
        let parts: Vec<&str> = method.path.split('/').map(sample).collect();
        let path = format!("/api2/json{}", parts.join("/"));
        match elevated(raw(method.verb.as_str(), &path)) {
            Ok(permit) => assert_eq!(permit.method(), method),
            Err(Denied::RootOnly(m) | Denied::NeedsTicket(m) | Denied::Undecided(m)) => assert_eq!(m, method),
            Err(Denied::BadParameter { method: m, .. } | Denied::Missing { method: m, .. }) => {
                assert_eq!(m, method)
            }
            Err(other) => panic!("{method}: {other:?}"),
        }
    }
}

fn sample(part: &'static str) -> &'static str {
    match part {
        "{vmid}" | "{pos}" | "{osdid}" => "101",
        "{upid}" => OWN_TASK,
        "{volume}" => "vm-101-disk-0",
        part if part.starts_with('{') => "pve1",
        part => part,
    }
}

/// Time per check, for a person to read: `cargo test -p proxmox-gate --release -- --ignored --nocapture`.
#[test]
#[ignore = "prints a measurement"]
fn time_per_check() {
    let gate = granted("VM.PowerMgmt@/vms/100-199,VM.Audit@/,Sys.Audit@/nodes/pve1");
    let scope =
        Scope::new([&methods::POST_NODES_NODE_QEMU_VMID_STATUS_START, &methods::GET_CLUSTER_RESOURCES]);
    for (verb, path) in [
        ("POST", "/api2/json/nodes/pve1/qemu/101/status/start"),
        ("GET", "/api2/json/cluster/resources?type=vm"),
    ] {
        let rounds = 100_000_u32;
        let start = std::time::Instant::now();
        for _ in 0..rounds {
            assert!(gate.check(&scope, raw(verb, path), &NoPools).is_ok());
        }
        println!("{verb} {path}: {:.2} us", start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds));
    }
}
