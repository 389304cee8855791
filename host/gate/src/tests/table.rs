//! The whole table of the API: a request is made up for each method, and held against what must hold of all.

use super::*;
use crate::{Opening, params, typed};
use proxmox_api::{Kind, Param, rules};

/// Values that, between them, fit most parameters.
const SAMPLES: &[&str] = &[
    "dev",
    "1",
    "101",
    "1G",
    "101-0",
    "vm:101",
    "/dev/sdb",
    "socket",
    "a1:iso/a.iso",
    "https://example.com/a",
    "10.0.0.0/24",
    "0000:01:00.0",
    "ab:cd",
    "debian:12",
    "00:00:5e:00:53:01",
    "none",
    "pve1c-0123456789",
    "AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB",
];

fn sample(param: &Param) -> Option<String> {
    let fits = |text: &str| typed::check(params::param_kind(param), text).is_ok();
    match (params::param_kind(param), param.name) {
        (_, "upid") => return Some(OWN_TASK.to_owned()),
        (_, "volume" | "archive") if fits("a1:backup/vzdump-qemu-101-x.vma") => {
            return Some("a1:backup/vzdump-qemu-101-x.vma".to_owned());
        }
        (_, "idlist") => return Some("scsi0".to_owned()),
        (_, "storage") => return Some("a1".to_owned()),
        (_, "ostemplate") => return Some("a1:vztmpl/debian.tar".to_owned()),
        (_, "poolid" | "pool") => return Some("dev".to_owned()),
        (Kind::Enum(words), _) => return words.first().map(|word| (*word).to_owned()),
        (Kind::String { format: "pve-node" | "pve-node-list", .. }, _) => return Some("pve1".to_owned()),
        (Kind::String { format: "pve-replication-job-id", .. }, _) => return Some("101-0".to_owned()),
        (Kind::String { format: "pve-ha-resource-or-vm-id" | "pve-ha-resource-id-list", .. }, _) => {
            return Some("vm:101".to_owned());
        }
        (Kind::String { format: "pve-vmid-list", .. }, _) => return Some("101".to_owned()),
        (Kind::Integer { min: Some(min), .. }, _) => {
            return Some(min.max(&101).to_string()).filter(|n| fits(n)).or(Some(min.to_string()));
        }
        _ => {}
    }
    SAMPLES.iter().find(|text| fits(text)).map(|text| (*text).to_owned())
}

/// A request with the parameters that the method demands; `None` where none could be made up.
fn call(method: &'static Method) -> Option<Call> {
    let mut path = method.path.to_owned();
    let mut pairs = Vec::new();
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    for param in method.params {
        let in_path = method.path_params().any(|name| name == param.name);
        // Some checks are about the realm, which the schema calls optional.
        if !in_path && param.optional && param.name != "realm" {
            continue;
        }
        let text = sample(param)?;
        if in_path {
            path = path.replace(&format!("{{{}}}", param.name), &encode(&text));
        } else {
            pairs.push(format!("{}={}", param.name, encode(&text)));
        }
    }
    Some(Call::new(method.verb, &path, &pairs.join("&")))
}

fn calls() -> impl Iterator<Item = (&'static Method, Call)> {
    methods::ALL.into_iter().filter_map(|method| Some((method, call(method)?)))
}

#[test]
fn a_request_is_made_up_for_every_method() {
    let without: Vec<String> =
        methods::ALL.iter().filter(|m| call(m).is_none()).map(|m| m.to_string()).collect();
    assert_eq!(without, Vec::<String>::new(), "add a sample that fits");
}

#[test]
fn with_everything_granted_what_is_decided_passes() {
    let mut odd = Vec::new();
    for (method, call) in calls() {
        let decided = rules::is_decidable(method)
            && method.token
            && rules::decision(method) != rules::Decision::RootOnly;
        match elevated(call.raw()) {
            Ok(permit) => assert!(decided && permit.method() == method, "{method}"),
            Err(denied) if decided => odd.push(format!("{} {}: {denied}", call.path_and_query, call.body)),
            Err(denied) => assert!(
                ["undecided", "root_only", "needs_ticket"].contains(&denied.code()),
                "{method}: {denied}"
            ),
        }
    }
    assert_eq!(odd, Vec::<String>::new());
}

#[test]
fn with_nothing_or_reading_granted_every_change_is_refused() {
    for gate in [gate(Grants::default()), gate(Grants::basic())] {
        for (method, call) in calls().filter(|(method, _)| !method.verb.reads()) {
            assert!(gate.check(&anything(), call.raw(), &NoPools).is_err(), "{method}");
        }
    }
}

#[test]
fn exactly_what_is_named_suffices_and_each_of_it_is_necessary() {
    let nothing = gate(Grants::default());
    let mut held = 0;
    for (method, call) in calls() {
        let verdict = nothing.explain(&anything(), call.raw(), &NoPools);
        let missing = match &verdict.outcome {
            Ok(()) => continue,
            Err(denied) if denied.code() == "missing_grant" => denied.grant().unwrap(),
            Err(_) => continue,
        };
        assert_eq!(verdict.narrowest_grants(), Some(missing.clone()), "{method}");
        let needed: Vec<&str> = missing.split(',').collect();
        assert!(
            granted(&missing).check(&anything(), call.raw(), &NoPools).is_ok(),
            "{method} with {missing}"
        );
        for left_out in &needed {
            let rest: Vec<&str> = needed.iter().copied().filter(|one| one != left_out).collect();
            let gate = granted(&rest.join(","));
            let (privilege, path) = left_out.split_once('@').unwrap();
            if gate.grants().covers(privilege, path, &NoPools).is_some() {
                continue;
            }
            let denied = gate.check(&anything(), call.raw(), &NoPools).map(|_| ()).expect_err(left_out);
            assert_eq!(denied.grant().as_deref(), Some(*left_out), "{method}");
            held += 1;
        }
    }
    assert!(held > 500, "only {held} privileges were left out");
}

#[test]
fn what_passes_is_not_listed_as_shut() {
    let nothing = gate(Grants::default());
    for (method, call) in calls() {
        let verdict = nothing.explain(&anything(), call.raw(), &NoPools);
        let Some(grants) = verdict.narrowest_grants() else { continue };
        let gate = granted(&grants);
        if gate.check(&anything(), call.raw(), &NoPools).is_ok() {
            assert!(!matches!(gate.opens(method), Opening::Shut { .. }), "{method} with {grants}");
        }
    }
}

#[test]
fn what_is_permitted_is_permitted_again_as_the_same() {
    for (method, call) in calls() {
        let Ok(permit) = elevated(call.raw()) else { continue };
        let body = permit.body().map_or(&b""[..], |(_, bytes)| bytes);
        let again = RawRequest {
            verb: permit.verb().as_str(),
            path_and_query: permit.path_and_query(),
            content_type: permit.body().map(|(kind, _)| kind),
            body,
        };
        assert_eq!(elevated(again).unwrap(), permit, "{method}");
    }
}
