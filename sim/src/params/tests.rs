use super::*;
use crate::request;
use proxmox_api::methods as m;

fn errors(method: &'static Method, form: &str) -> Vec<(String, String)> {
    check(method, request::form(form)).unwrap_err().errors
}

#[test]
fn unknown_missing_and_mistyped_parameters_are_named() {
    let unknown = errors(&m::GET_VERSION, "foo=bar");
    assert_eq!(unknown[0].0, "foo");
    assert!(unknown[0].1.starts_with("property is not defined in schema"));
    let missing = errors(&m::POST_NODES_NODE_QEMU_VMID_AGENT_EXEC, "node=pve1&vmid=101");
    let why = "property is missing and it is not optional";
    assert_eq!(missing, [("command".to_owned(), why.to_owned())]);
    let mistyped = errors(&m::GET_NODES_NODE_QEMU_VMID_CONFIG, "node=pve1&vmid=abc");
    assert_eq!(mistyped[0].1, "type check ('integer') failed - got 'abc'");
}

#[test]
fn a_truth_value_is_1_or_0_and_true_only_in_json() {
    for bad in ["true", "yes", "on", "", "2"] {
        let why = format!("type check ('boolean') failed - got '{bad}'");
        assert_eq!(errors(&m::GET_NODES_NODE_QEMU, &format!("node=a&full={bad}"))[0].1, why);
    }
    let json = [("node".to_owned(), json!("a")), ("full".to_owned(), json!(true))].into();
    assert!(check(&m::GET_NODES_NODE_QEMU, json).unwrap().flag("full"));
}

#[test]
fn a_guest_id_has_three_to_nine_digits_and_no_leading_zero() {
    let why = "invalid format - value does not look like a valid VM ID\n";
    for bad in ["5", "0101", "99999999999"] {
        let found = errors(&m::GET_NODES_NODE_QEMU_VMID_CONFIG, &format!("node=a&vmid={bad}"));
        assert_eq!(found, [("vmid".to_owned(), why.to_owned())], "{bad}");
    }
    let good = check(&m::GET_NODES_NODE_QEMU_VMID_CONFIG, request::form("node=a&vmid=101")).unwrap();
    assert_eq!(good.vmid(), 101);
}

#[test]
fn words_ranges_lengths_and_formats_are_checked() {
    let create = &m::POST_NODES_NODE_QEMU;
    let found = errors(create, "node=a&vmid=150&net0=banana&name=bad%20name%21&cores=0&memory=lots");
    let of = |name: &str| found.iter().find(|(n, _)| n == name).map(|(_, why)| why.as_str()).unwrap();
    assert_eq!(of("cores"), "value must have a minimum value of 1");
    assert_eq!(of("name"), "invalid format - value does not look like a valid DNS name\n");
    assert!(
        of("net0").starts_with("invalid format - format error\nnet0.model: value 'banana' does not have")
    );
    let memory =
        "invalid format - format error\nmemory.current: type check ('integer') failed - got 'lots'\n";
    assert_eq!(of("memory"), memory);
    let long = "x".repeat(8193);
    let config = &m::PUT_NODES_NODE_QEMU_VMID_CONFIG;
    let found = errors(config, &format!("node=a&vmid=150&description={long}"));
    assert_eq!(found[0].1, "value may only be 8192 characters long");
    let words = errors(&m::GET_CLUSTER_RESOURCES, "type=bogus");
    assert!(words[0].1.starts_with("value 'bogus' does not have a value in the enumeration '"));
}

#[test]
fn every_pattern_of_the_schema_compiles() {
    fn patterns(kind: &'static Kind) -> &'static str {
        match kind {
            Kind::String { pattern, .. } => pattern,
            Kind::Array(item) => patterns(item),
            _ => "",
        }
    }
    for method in m::ALL {
        for param in method.params {
            let pattern = patterns(&param.kind);
            if !pattern.is_empty() {
                matches_whole(pattern, "x");
                let perl = pattern.replace("(?^:", "(?:").replace("(?^u:", "(?:").replace("(?^i:", "(?i:");
                let made = Regex::new(&format!("^(?:{})$", perl.replace(r"\0", r"\x00")));
                assert!(made.is_ok(), "{method} {}: {pattern}: {made:?}", param.name);
            }
        }
    }
}

#[test]
fn a_single_value_makes_a_list_of_one() {
    let one = request::form("node=a&vmid=101&command=ls");
    assert_eq!(check(&m::POST_NODES_NODE_QEMU_VMID_AGENT_EXEC, one).unwrap().list("command"), ["ls"]);
    let two = request::form("node=a&vmid=101&command=ls&command=-l");
    assert_eq!(check(&m::POST_NODES_NODE_QEMU_VMID_AGENT_EXEC, two).unwrap().list("command"), ["ls", "-l"]);
}
