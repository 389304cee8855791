use super::*;
use crate::NoPools;
use proxmox_api::{find, methods, rules};
use serde_json::{Value, json};

const LOGIN: &str = "root@pam!mcp";

struct InDev;

impl Pools for InDev {
    fn pool_of(&self, vmid: u32) -> Option<&str> {
        (vmid == 101).then_some("dev")
    }
}

/// What is left of the rows, by the value of `field`; `None` where the answer passes unread.
fn left(path: &str, grants: &str, walls: &Walls, rows: &Json, field: &str) -> Option<Vec<String>> {
    let mut all = Grants::default();
    all.add(grants).unwrap();
    let judge = Judge { grants: &all, walls, login: LOGIN, pools: &InDev };
    let method = find(Verb::Get, path).unwrap();
    let body = judge.filter(method, json!({ "data": rows }).to_string().as_bytes())?;
    let answer: Json = serde_json::from_slice(&body).unwrap();
    let shown = |row: &Json| row[field].as_str().map_or(row[field].to_string(), str::to_owned);
    Some(answer["data"].as_array().unwrap().iter().map(shown).collect())
}

fn walls(nodes: &str, guests: &str) -> Walls {
    let list = |text: &'static str| (!text.is_empty()).then_some(text);
    Walls::parse(list(nodes.to_owned().leak()), list(guests.to_owned().leak())).unwrap()
}

fn resources() -> Json {
    json!([
        {"id": "/pool/dev", "type": "pool", "pool": "dev"},
        {"id": "/pool/prod", "type": "pool", "pool": "prod"},
        {"id": "qemu/101", "type": "qemu", "vmid": 101, "node": "pve1", "name": "a\"},{\"vmid\":999"},
        {"id": "lxc/200", "type": "lxc", "vmid": 200, "node": "pve2"},
        {"id": "qemu/300", "type": "qemu", "vmid": "300", "node": "pve1"},
        {"id": "node/pve1", "type": "node", "node": "pve1"},
        {"id": "node/pve2", "type": "node", "node": "pve2"},
        {"id": "storage/pve1/local", "type": "storage", "storage": "local", "node": "pve1"},
        {"id": "storage/pve2/nfs", "type": "storage", "storage": "nfs", "node": "pve2"},
        {"id": "sdn/pve1/lab", "type": "sdn", "sdn": "lab", "node": "pve1"},
        {"id": "lost/1", "type": "qemu", "node": "pve1"},
        {"id": "lost/2", "type": "qemu", "vmid": 101},
        {"id": "lost/3", "type": "novelty", "node": "pve1"},
        {"id": "lost/4", "vmid": 101, "node": "pve1"},
        {"id": "lost/5", "type": "qemu", "vmid": 4294967397_u64, "node": "pve1"},
    ])
}

#[test]
fn what_is_granted_everywhere_passes_unread() {
    let basic = "VM.Audit@/ Datastore.Audit@/ Pool.Audit@/ SDN.Audit@/";
    let open = Walls::default();
    for path in
        ["/cluster/resources", "/nodes", "/nodes/{node}/qemu", "/storage", "/pools", "/cluster/status"]
    {
        assert_eq!(left(path, basic, &open, &resources(), "id"), None, "{path}");
    }
    let judge =
        Judge { grants: &Grants::default(), walls: &walls("pve1", "101"), login: LOGIN, pools: &NoPools };
    assert_eq!(judge.filter(&methods::GET_VERSION, b"{\"data\":{\"node\":\"pve2\"}}"), None);
}

#[test]
fn resources_are_cut_to_the_grants() {
    let open = Walls::default();
    for (grants, expected) in [
        ("VM.Audit@/vms/101", vec!["qemu/101", "node/pve1", "node/pve2", "lost/2"]),
        ("VM.Audit@/vms/200-300", vec!["lxc/200", "qemu/300", "node/pve1", "node/pve2"]),
        ("VM.Audit@/pool/dev", vec!["qemu/101", "node/pve1", "node/pve2", "lost/2"]),
        ("Pool.Audit@/pool/dev", vec!["/pool/dev", "node/pve1", "node/pve2"]),
        ("Datastore.Audit@/storage/nfs", vec!["node/pve1", "node/pve2", "storage/pve2/nfs"]),
        ("Datastore.AllocateSpace@/storage/nfs", vec!["node/pve1", "node/pve2", "storage/pve2/nfs"]),
        ("SDN.Audit@/sdn/zones/lab", vec!["node/pve1", "node/pve2", "sdn/pve1/lab"]),
        ("VM.PowerMgmt@/", vec!["node/pve1", "node/pve2"]),
    ] {
        let kept = left("/cluster/resources", grants, &open, &resources(), "id").unwrap();
        assert_eq!(kept, expected, "{grants}");
    }
}

#[test]
fn resources_are_cut_to_the_allow_lists() {
    let all = "Administrator@/";
    let path = "/cluster/resources";
    assert_eq!(
        left(path, all, &walls("pve1", ""), &resources(), "id").unwrap(),
        [
            "/pool/dev",
            "/pool/prod",
            "qemu/101",
            "qemu/300",
            "node/pve1",
            "storage/pve1/local",
            "sdn/pve1/lab"
        ]
    );
    assert_eq!(
        left(path, all, &walls("", "101"), &resources(), "id").unwrap(),
        [
            "/pool/dev",
            "/pool/prod",
            "qemu/101",
            "node/pve1",
            "node/pve2",
            "storage/pve1/local",
            "storage/pve2/nfs",
            "sdn/pve1/lab",
            "lost/2"
        ]
    );
    assert_eq!(
        left(path, all, &walls("pve2", "101"), &resources(), "id").unwrap(),
        ["/pool/dev", "/pool/prod", "node/pve2", "storage/pve2/nfs"]
    );
}

#[test]
fn each_list_is_cut_by_its_own_fields() {
    let task = |node: &str, id: &str, login: &str| json!({"upid": format!("UPID:{node}:00003215:0004ADDD:6B02B8E4:qmstart:{id}:{login}:"), "id": id, "node": "pve1"});
    let walls = walls("pve1", "101");
    for (path, rows, field, expected) in [
        ("/nodes", json!([{"node": "pve1"}, {"node": "pve2"}, {"id": "node/pve1"}]), "node", vec!["pve1"]),
        (
            "/nodes/{node}/qemu",
            json!([{"vmid": 101}, {"vmid": 102}, {"vmid": "101"}, {"name": "x"}]),
            "vmid",
            vec!["101", "101"],
        ),
        ("/nodes/{node}/lxc", json!([{"vmid": 102}, {"vmid": 101}, {"vmid": null}]), "vmid", vec!["101"]),
        (
            "/nodes/{node}/storage/{storage}/content",
            json!([
                {"volid": "local:vm-101-disk-0", "vmid": 101},
                {"volid": "local:vm-102-disk-0", "vmid": 102},
                {"volid": "local:vm-103-disk-0"},
                {"volid": "local:iso/a.iso"},
                {"volid": "local:x", "vmid": "odd"},
                {"vmid": 101},
            ]),
            "volid",
            vec!["local:vm-101-disk-0", "local:iso/a.iso"],
        ),
        (
            "/cluster/tasks",
            json!([
                task("pve1", "101", LOGIN),
                task("pve1", "102", LOGIN),
                task("pve2", "101", LOGIN),
                task("pve1", "", LOGIN)
            ]),
            "id",
            vec!["101"],
        ),
        (
            "/cluster/status",
            json!([{"type": "cluster", "name": "c"}, {"type": "node", "name": "pve1"}, {"type": "node", "name": "pve2"}, {"name": "x"}]),
            "name",
            vec!["c", "pve1"],
        ),
    ] {
        assert_eq!(left(path, "Administrator@/", &walls, &rows, field).unwrap(), expected, "{path}");
    }
}

#[test]
fn jobs_and_services_are_cut_by_their_own_fields() {
    let walls = walls("pve1", "101");
    for (path, rows, field, expected) in [
        (
            "/cluster/ha/status/current",
            json!([
                {"id": "quorum", "type": "quorum", "node": "pve1"},
                {"id": "master", "type": "master", "node": "pve2"},
                {"id": "lrm:pve1", "type": "lrm", "node": "pve1"},
                {"id": "service:vm:101", "type": "service", "sid": "vm:101", "node": "pve1"},
                {"id": "service:vm:102", "type": "service", "sid": "vm:102", "node": "pve1"},
                {"id": "service:ct:101", "type": "service", "sid": "ct:101", "node": "pve2"},
                {"id": "service:vm:103", "type": "service", "node": "pve1"},
            ]),
            "id",
            vec!["quorum", "lrm:pve1", "service:vm:101"],
        ),
        (
            "/cluster/backup",
            json!([
                {"id": "a", "vmid": "101", "node": "pve1"},
                {"id": "b", "vmid": "101,102", "node": "pve1"},
                {"id": "c", "all": 1, "node": "pve1"},
                {"id": "d", "pool": "dev", "node": "pve1"},
                {"id": "e", "vmid": "101"},
                {"id": "f", "vmid": 102, "node": "pve1"},
            ]),
            "id",
            vec!["a"],
        ),
        (
            "/cluster/replication",
            json!([
                {"id": "101-0", "guest": 101, "source": "pve1", "target": "pve1"},
                {"id": "101-1", "guest": 101, "source": "pve1", "target": "pve2"},
                {"id": "102-0", "guest": 102, "source": "pve1", "target": "pve1"},
                {"id": "101-2", "guest": 101, "target": "pve1"},
            ]),
            "id",
            vec!["101-0"],
        ),
    ] {
        assert_eq!(left(path, "Administrator@/", &walls, &rows, field).unwrap(), expected, "{path}");
    }
    let sids = json!([{"sid": "vm:101"}, {"sid": "vm:102"}, {"sid": "vm:x"}, {"type": "x"}]);
    let guests_only = self::walls("", "101");
    assert_eq!(
        left("/cluster/ha/resources", "Administrator@/", &guests_only, &sids, "sid").unwrap(),
        ["vm:101"]
    );
}

#[test]
fn lists_of_guests_storages_and_pools_are_cut_to_the_grants() {
    let open = Walls::default();
    let guests = json!([{"vmid": 101}, {"vmid": 102}]);
    let storages = json!([{"storage": "local"}, {"storage": "nfs"}, {"type": "dir"}]);
    let pools = json!([{"poolid": "dev"}, {"poolid": "prod"}, {"comment": "x"}]);
    let jobs = json!([{"guest": 101, "source": "a", "target": "b"}, {"guest": 102}]);
    for (path, grants, rows, field, expected) in [
        ("/nodes/{node}/qemu", "VM.Audit@/vms/101", &guests, "vmid", ["101"]),
        ("/nodes/{node}/lxc", "VM.Audit@/vms/102", &guests, "vmid", ["102"]),
        ("/storage", "Datastore.Audit@/storage/nfs", &storages, "storage", ["nfs"]),
        ("/nodes/{node}/storage", "Datastore.Audit@/storage/local", &storages, "storage", ["local"]),
        ("/pools", "Pool.Audit@/pool/dev", &pools, "poolid", ["dev"]),
        ("/nodes/{node}/replication", "VM.Audit@/vms/101", &jobs, "guest", ["101"]),
    ] {
        assert_eq!(left(path, grants, &open, rows, field).unwrap(), expected, "{path}");
    }
}

#[test]
fn tasks_of_others_need_an_auditor_of_their_node() {
    let task = |node: &str, login: &str| json!({"upid": format!("UPID:{node}:00003215:0004ADDD:6B02B8E4:aptupdate::{login}:")});
    let rows = json!([task("pve1", LOGIN), task("pve1", "root@pam"), task("pve2", "root@pam"), task("pve2", "root@pam!mcp2"), {"upid": "x"}]);
    let seen = |grants: &str| {
        left("/cluster/tasks", grants, &Walls::default(), &rows, "upid").map(|rows| rows.len())
    };
    assert_eq!(seen("VM.Audit@/"), Some(1));
    assert_eq!(seen("Sys.Audit@/nodes/pve1"), Some(2));
    assert_eq!(seen("Sys.Audit@/nodes"), Some(4));
    assert_eq!(seen("Sys.Audit@/"), None);
}

#[test]
fn the_members_of_a_pool_are_cut_too() {
    let rows = json!([{"poolid": "dev", "members": [
        {"type": "qemu", "vmid": 101, "node": "pve1"},
        {"type": "qemu", "vmid": 102, "node": "pve1"},
        {"type": "storage", "storage": "nfs", "node": "pve1"},
    ]}]);
    let members =
        left("/pools", "Pool.Audit@/,VM.Audit@/vms/101", &Walls::default(), &rows, "members").unwrap();
    assert_eq!(members.len(), 1);
    // The order of keys is not ours to promise.
    let members: Value = serde_json::from_str(&members[0]).unwrap();
    assert_eq!(members, json!([{"type": "qemu", "vmid": 101, "node": "pve1"}]));
    let members = left("/pools", "Administrator@/", &walls("", "102"), &rows, "members").unwrap();
    assert!(members[0].contains("102") && members[0].contains("nfs") && !members[0].contains("101"));
}

#[test]
fn one_object_is_cut_like_a_row() {
    let grants = Grants::elevated();
    let walls = walls("", "101");
    let judge = Judge { grants: &grants, walls: &walls, login: LOGIN, pools: &NoPools };
    let method = find(Verb::Get, "/pools/{poolid}").unwrap();
    let cut = |body: &str| String::from_utf8(judge.filter(method, body.as_bytes()).unwrap()).unwrap();
    let one = r#"{"data":{"members":[{"type":"qemu","vmid":102,"node":"pve1"}]}}"#;
    assert_eq!(cut(one), r#"{"data":{"members":[]}}"#);
    assert_eq!(cut(r#"{"data":{"vmid":102}}"#), r#"{"data":null}"#);
}

#[test]
fn of_the_nodes_of_a_storage_those_outside_are_not_named() {
    let grants = Grants::elevated();
    let walls = walls("pve1,pve3", "");
    let judge = Judge { grants: &grants, walls: &walls, login: LOGIN, pools: &NoPools };
    let cut = |path: &str, data: Json| {
        let body = json!({ "data": data }).to_string();
        let method = find(Verb::Get, path).unwrap();
        let cut: Json = serde_json::from_slice(&judge.filter(method, body.as_bytes()).unwrap()).unwrap();
        cut["data"].clone()
    };
    let rows = json!([
        {"storage": "a", "nodes": "pve1,pve2,pve3"},
        {"storage": "b", "nodes": "pve2"},
        {"storage": "c", "nodes": {"pve1": 1, "pve2": 1}},
        {"storage": "d"},
    ]);
    let expected = json!([{"storage": "a", "nodes": "pve1,pve3"}, {"storage": "d"}]);
    assert_eq!(cut("/storage", rows), expected);
    let one = |nodes: &str| json!({"storage": "a", "type": "nfs", "nodes": nodes});
    assert_eq!(cut("/storage/{storage}", one("pve2,pve1")), one("pve1"));
    assert_eq!(cut("/storage/{storage}", one("pve2")), Json::Null);
    let method = find(Verb::Get, "/storage/{storage}").unwrap();
    let open = Judge { walls: &Walls::default(), ..judge };
    assert_eq!(open.filter(method, b"{\"data\":{\"nodes\":\"pve2\"}}"), None, "no allow-list, no cut");
}

#[test]
fn a_row_that_contradicts_itself_is_left_out() {
    let upid = format!("UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:101:{LOGIN}:");
    let rows = json!([
        {"upid": upid, "n": 1},
        {"upid": upid, "vmid": 102, "n": 2},
        {"upid": upid, "node": "pve2", "n": 3},
    ]);
    let seen = left("/cluster/tasks", "Administrator@/", &walls("pve1", "101"), &rows, "n").unwrap();
    assert_eq!(seen, ["1"]);
    let members = json!([{"poolid": "dev", "members": [
        {"type": "storage", "storage": "a1", "vmid": 102},
        {"type": "storage", "storage": "a1"},
    ]}]);
    let seen = left("/pools", "Administrator@/", &walls("", "101"), &members, "members").unwrap();
    assert_eq!(seen.len(), 1);
    let seen: Value = serde_json::from_str(&seen[0]).unwrap();
    assert_eq!(seen, json!([{"type": "storage", "storage": "a1"}]));
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let walls = walls("pve1", "");
    let judge = Judge { grants: &Grants::elevated(), walls: &walls, login: LOGIN, pools: &NoPools };
    let cut = |body: &[u8]| String::from_utf8(judge.filter(&methods::GET_NODES, body).unwrap()).unwrap();
    for body in [
        &b"pve2"[..],
        b"",
        b"[]",
        b"{\"data\":\"pve2\"}",
        b"{\"other\":[{\"node\":\"pve2\"}]}",
        b"\xff",
        b"{\"data\":[1]}",
    ] {
        assert_eq!(cut(body), "{\"data\":[]}", "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(cut(br#"{"data":[],"total":7,"extra":"pve2"}"#), r#"{"data":[],"total":7}"#);
    assert_eq!(cut(br#"{"data":[{"node":"pve2","node":"pve1"}]}"#), r#"{"data":[{"node":"pve1"}]}"#);
}

#[test]
fn every_list_is_a_method_and_every_rule_for_rows_has_a_list() {
    for path in LISTS.iter().map(|list| list.path).chain(PLAIN.iter().chain(OF_NODES).copied()) {
        assert!(proxmox_api::find(Verb::Get, path).is_some(), "{path}");
    }
    for rule in rules::all() {
        if rule.decision == rules::Decision::Rows {
            assert!(LISTS.iter().any(|list| list.path == rule.path), "{}", rule.path);
        }
    }
}
