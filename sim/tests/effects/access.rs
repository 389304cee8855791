//! Users, groups, roles, ACLs, tokens, pools.

use serde_json::Value;

use crate::support::{Api, Connection, request};

#[test]
fn a_user_gets_rights_through_a_group_and_a_role() {
    let api = Api::demo();
    api.post("/access/groups", "groupid=ops&comment=on call");
    api.post("/access/users", "userid=eve@pve&comment=new&groups=ops&email=eve@example.com");
    api.post("/access/roles", "roleid=Restart&privs=VM.Audit,VM.PowerMgmt");
    api.put("/access/acl", "path=/vms/101&roles=Restart&groups=ops&propagate=0");
    let rights = || api.get("/access/permissions?userid=eve@pve&path=/vms/101");
    assert_eq!(rights()["/vms/101"]["VM.PowerMgmt"], 0);
    assert_eq!(api.get("/access/users/eve@pve")["groups"][0], "ops");
    assert_eq!(api.get("/access/groups/ops")["members"][0], "eve@pve");
    let acl = api.get("/access/acl");
    assert!(
        acl.as_array()
            .unwrap()
            .iter()
            .any(|r| r["ugid"] == "ops" && r["path"] == "/vms/101" && r["propagate"] == 0)
    );
    api.put("/access/roles/Restart", "privs=VM.Audit");
    assert!(rights()["/vms/101"]["VM.PowerMgmt"].is_null());
    api.put("/access/acl", "path=/vms/101&roles=Restart&groups=ops&delete=1");
    assert_eq!(rights(), serde_json::json!({}));
    api.put("/access/users/eve@pve", "enable=0&expire=1800000000");
    assert_eq!(api.get("/access/users/eve@pve")["enable"], 0);
    api.delete("/access/users/eve@pve");
    assert_eq!(api.get("/access/groups/ops")["members"], Value::Array(vec![]));
    api.delete("/access/groups/ops");
    api.delete("/access/roles/Restart");
    assert!(api.refused("GET", "/access/roles/Restart", "").contains("does not exist"));
    assert!(api.refused("PUT", "/access/roles/PVEAuditor", "privs=VM.Audit").contains("cannot be modified"));
    assert!(
        api.refused("POST", "/access/roles", "roleid=Bad&privs=VM.Nothing").contains("invalid privilege")
    );
    assert!(
        api.refused("PUT", "/access/acl", "path=/&roles=PVEAuditor&users=nobody@pve")
            .contains("does not exist")
    );
}

#[test]
fn a_token_is_renewed_and_the_old_secret_is_worth_nothing() {
    let api = Api::demo();
    let made = api.post("/access/users/monitoring@pve/token/probe", "privsep=0&comment=x");
    let status = |secret: &Value| {
        let header = format!("PVEAPIToken=monitoring@pve!probe={}", secret.as_str().unwrap());
        Connection::open(&api.sim).exchange(&request(&header, "GET", "/version", "")).unwrap().status
    };
    assert_eq!(status(&made["value"]), 200);
    let fresh = api.put("/access/users/monitoring@pve/token/probe", "regenerate=1&comment=later");
    assert_eq!((status(&made["value"]), status(&fresh["value"])), (401, 200));
    assert_eq!(api.get("/access/users/monitoring@pve/token/probe")["comment"], "later");
}

#[test]
fn pools_take_guests_and_storages() {
    let api = Api::demo();
    api.post("/pools", "poolid=lab");
    let refused = api.refused("PUT", "/pools", "poolid=lab&vms=101");
    assert!(refused.contains("belongs already to pool 'production'"), "{refused}");
    api.put("/pools", "poolid=lab&vms=101,104&storage=local&allow-move=1&comment=trials");
    let members = api.get("/pools?poolid=lab")[0]["members"].clone();
    let ids: Vec<&str> = members.as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["qemu/101", "lxc/104", "storage/pve1/local"]);
    assert!(!api.get("/pools?poolid=production")[0]["members"].to_string().contains("qemu/101"));
    assert!(api.refused("DELETE", "/pools", "poolid=lab").contains("is not empty"));
    api.put("/pools/lab", "vms=101,104&storage=local&delete=1");
    api.send("DELETE", "/pools", "poolid=lab");
    assert!(api.refused("GET", "/pools", "poolid=lab").contains("does not exist"));
}
