//! Firewalls of the cluster, of nodes and of guests.

use serde_json::Value;

use crate::support::Api;

const VM: &str = "/nodes/pve1/qemu/107/firewall";

/// What the rules of a firewall are about, by their comments.
fn comments(api: &Api, path: &str) -> Vec<String> {
    let rows = api.get(path);
    rows.as_array().unwrap().iter().map(|r| r["comment"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn rules_are_added_on_top_moved_changed_and_removed() {
    let api = Api::demo();
    let path = format!("{VM}/rules");
    for comment in ["first", "second", "third"] {
        api.post(&path, &format!("type=in&action=ACCEPT&macro=SSH&comment={comment}&pos=7"));
    }
    assert_eq!(comments(&api, &path), ["third", "second", "first"]);
    assert_eq!(api.get(&format!("{path}/0"))["enable"], 0);
    let digest = api.get(&path)[0]["digest"].as_str().unwrap().to_owned();
    api.put(&format!("{path}/2"), &format!("moveto=0&digest={digest}"));
    assert_eq!(comments(&api, &path), ["first", "third", "second"]);
    let stale = api.refused("PUT", &format!("{path}/1"), &format!("enable=1&digest={digest}"));
    assert!(stale.contains("checksum mismatch"), "{stale}");
    api.put(&format!("{path}/1"), "enable=1&source=10.0.0.0/8&delete=comment");
    let changed = api.get(&format!("{path}/1"));
    assert_eq!(
        (&changed["enable"], &changed["source"], &changed["comment"]),
        (&1.into(), &"10.0.0.0/8".into(), &Value::Null)
    );
    api.delete(&format!("{path}/0"));
    assert_eq!(comments(&api, &path), ["", "second"]);
    assert_eq!(api.refused("GET", &format!("{path}/9"), ""), "no rule at position 9");
    assert!(api.refused("POST", &path, "type=in&action=ACCEPT&macro=Nothing").contains("unknown macro"));
    assert!(api.refused("POST", &path, "type=in&action=ACCEPT&dport=22").contains("proto"));
}

#[test]
fn a_firewall_is_switched_on_and_logs() {
    let api = Api::demo();
    assert_eq!(api.get(&format!("{VM}/log"))[0]["t"], "no content");
    api.put(&format!("{VM}/options"), "enable=1&policy_in=DROP");
    let options = api.get(&format!("{VM}/options"));
    assert_eq!((&options["enable"], &options["policy_in"]), (&1.into(), &"DROP".into()));
    assert!(api.get(&format!("{VM}/log?limit=2")).to_string().contains("policy DROP"));
    api.put(&format!("{VM}/options"), "delete=policy_in");
    assert!(api.get(&format!("{VM}/options"))["policy_in"].is_null());
    api.put("/nodes/pve2/firewall/options", "enable=0");
    assert_eq!(api.get("/nodes/pve2/firewall/options")["enable"], 0);
}

#[test]
fn groups_aliases_and_sets_can_be_named_in_rules() {
    let api = Api::demo();
    api.post("/cluster/firewall/groups", "group=backend&comment=internal");
    api.post("/cluster/firewall/groups/backend", "type=in&action=ACCEPT&proto=tcp&dport=5432&comment=db");
    api.post(&format!("{VM}/rules"), "type=group&action=backend&enable=1");
    assert!(api.refused("POST", &format!("{VM}/rules"), "type=group&action=none").contains("does not exist"));
    assert!(api.refused("DELETE", "/cluster/firewall/groups/backend", "").contains("not empty"));
    api.delete("/cluster/firewall/groups/backend/0");
    api.delete("/cluster/firewall/groups/backend");
    assert!(!api.get("/cluster/firewall/groups").to_string().contains("backend"));

    api.post(&format!("{VM}/aliases"), "name=desk&cidr=10.20.5.5");
    api.put(&format!("{VM}/aliases/desk"), "cidr=10.20.5.6&rename=table");
    assert_eq!(api.get(&format!("{VM}/aliases/table"))["cidr"], "10.20.5.6");
    api.post("/cluster/firewall/ipset", "name=blocked");
    api.post("/cluster/firewall/ipset/blocked", "cidr=203.0.113.0/24&comment=scanner");
    let entry = "/cluster/firewall/ipset/blocked/203.0.113.0%2F24";
    assert_eq!(api.get(entry)["comment"], "scanner");
    api.put(entry, "nomatch=1");
    assert_eq!(api.get("/cluster/firewall/ipset/blocked")[0]["nomatch"], 1);
    let refs = api.get(&format!("{VM}/refs")).to_string();
    assert!(refs.contains("guest/table") && refs.contains("+dc/blocked"), "{refs}");
    assert!(api.refused("DELETE", "/cluster/firewall/ipset/blocked", "").contains("not empty"));
    api.delete(entry);
    api.delete("/cluster/firewall/ipset/blocked");
    api.delete(&format!("{VM}/aliases/table"));
    assert!(api.refused("GET", &format!("{VM}/aliases/table"), "").contains("no such alias"));
}
