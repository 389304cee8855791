//! The cluster: high availability, replication, options.

use serde_json::Value;

use crate::support::Api;

#[test]
fn guests_are_managed_and_let_go() {
    let api = Api::demo();
    let path = "/cluster/ha/resources/vm:103";
    api.post("/cluster/ha/resources", "sid=vm:103&max_restart=3&comment=web");
    let made = api.get(path);
    assert_eq!(
        (&made["state"], &made["max_restart"], &made["comment"]),
        (&"started".into(), &3.into(), &"web".into())
    );
    assert!(api.refused("POST", "/cluster/ha/resources", "sid=103").contains("already defined"));
    assert!(api.refused("POST", "/cluster/ha/resources", "sid=vm:999").contains("no such guest"));
    // What HA is asked for happens in a task of its own.
    api.put(path, "state=stopped");
    assert_eq!(api.get("/nodes/pve2/qemu/103/status/current")["status"], "stopped");
    api.done("POST", "/nodes/pve2/qemu/103/status/start", "");
    assert_eq!(api.get("/nodes/pve2/qemu/103/status/current")["status"], "running");
    assert_eq!(api.get(path)["state"], "started");
    let kinds = api.get("/nodes/pve2/tasks?vmid=103&limit=2");
    assert_eq!((&kinds[0]["type"], &kinds[1]["type"]), (&"qmstart".into(), &"hastart".into()));
    assert_eq!(api.post(&format!("{path}/migrate"), "node=pve3")["requested-node"], "pve3");
    assert_eq!(api.get("/nodes/pve3/qemu/103/status/current")["ha"]["managed"], 1);
    let status = api.get("/cluster/ha/status/current");
    assert!(
        status.as_array().unwrap().iter().any(|r| r["sid"] == "vm:103" && r["node"] == "pve3"),
        "{status}"
    );
    assert_eq!(
        api.get("/cluster/ha/status/manager_status")["manager_status"]["service_status"]["vm:103"]["node"],
        "pve3"
    );
    api.delete(path);
    assert!(api.refused("GET", path, "").contains("no such resource"));
}

#[test]
fn rules_say_where_guests_belong() {
    let api = Api::demo();
    let there = api.get("/cluster/ha/rules");
    let near = "rule=db-near&resources=vm:100&nodes=pve1,pve2&strict=1";
    assert!(api.refused("POST", "/cluster/ha/rules", near).contains("type"));
    let far = "rule=far&type=resource-affinity&resources=vm:100";
    assert!(api.refused("POST", "/cluster/ha/rules", far).contains("affinity"));
    api.post("/cluster/ha/rules", &format!("{near}&type=node-affinity"));
    let made = api.get("/cluster/ha/rules/db-near");
    assert_eq!((&made["type"], &made["nodes"]), (&"node-affinity".into(), &"pve1,pve2".into()));
    assert!(
        api.refused(
            "POST",
            "/cluster/ha/rules",
            "rule=other&type=resource-affinity&resources=vm:101&affinity=negative"
        )
        .contains("unmanaged")
    );
    api.put("/cluster/ha/rules/db-near", "type=node-affinity&disable=1&delete=strict");
    let changed = api.get("/cluster/ha/rules/db-near");
    assert_eq!((&changed["disable"], &changed["strict"]), (&1.into(), &Value::Null));
    api.delete("/cluster/ha/rules/db-near");
    assert_eq!(api.get("/cluster/ha/rules"), there);
}

#[test]
fn replication_is_set_up_runs_and_goes() {
    let api = Api::demo();
    api.post("/cluster/replication", "id=107-0&type=local&target=pve3&schedule=*/30&comment=copy");
    assert!(
        api.refused("POST", "/cluster/replication", "id=101-0&type=local&target=pve2")
            .contains("replicate feature")
    );
    let state = |key: &str| api.get("/nodes/pve1/replication/107-0/status")[key].clone();
    assert_eq!((state("last_sync"), state("target")), (0.into(), "pve3".into()));
    api.post("/nodes/pve1/replication/107-0/schedule_now", "");
    assert!(state("last_sync").as_u64().unwrap() > 0);
    api.put("/cluster/replication/107-0", "disable=1&rate=10");
    assert_eq!(api.get("/cluster/replication/107-0")["disable"], 1);
    api.delete("/cluster/replication/107-0");
    assert!(!api.get("/cluster/replication").to_string().contains("107-0"));
}

#[test]
fn options_of_the_cluster_are_kept() {
    let api = Api::demo();
    api.put("/cluster/options", "description=ours&next-id=lower=500,upper=900");
    let options = api.get("/cluster/options");
    assert_eq!(
        (&options["description"], &options["next-id"]),
        (&"ours".into(), &"lower=500,upper=900".into())
    );
    assert_eq!(api.get("/cluster/nextid"), "500");
    api.put("/cluster/options", "delete=next-id");
    assert_eq!(api.get("/cluster/nextid"), "112");
}

#[test]
fn metrics_are_those_of_the_nodes_asked_for() {
    let api = Api::demo();
    let rows = api.get("/cluster/metrics/export?node-list=pve2")["data"].clone();
    let ids: Vec<&str> = rows.as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"node/pve2") && !ids.contains(&"node/pve1"), "{ids:?}");
    assert!(ids.contains(&"lxc/102") && !ids.contains(&"qemu/101"), "{ids:?}");
}

#[test]
fn named_entries_are_made_changed_and_taken_away() {
    let api = Api::demo();
    for (list, create, key, name, change) in [
        (
            "/cluster/notifications/endpoints/sendmail",
            "name=ops&mailto=ops@example.com",
            "name",
            "ops",
            Some("comment=on call"),
        ),
        (
            "/cluster/notifications/matchers",
            "name=ops&mode=any&target=mail-to-root",
            "name",
            "ops",
            Some("comment=on call"),
        ),
        ("/cluster/mapping/usb", "id=stick&map=node%3Dpve2,id%3D0781:5583", "id", "stick", None),
        (
            "/cluster/mapping/pci",
            "id=gpu&map=node%3Dpve1,path%3D0000:01:00.0,id%3D10de:2230",
            "id",
            "gpu",
            None,
        ),
    ] {
        api.post(list, create);
        assert!(api.refused("POST", list, create).contains("already exists"), "{list}");
        let path = format!("{list}/{name}");
        if let Some(change) = change {
            api.put(&path, change);
            assert_eq!(api.get(&path)["comment"], "on call", "{list}");
            api.put(&path, "delete=comment");
        }
        let made = api.get(&path);
        assert!(made[key] == name && made.get("comment").is_none(), "{list}: {made}");
        let listed = api.get(list);
        assert!(listed.as_array().unwrap().iter().any(|row| row[key] == name), "{listed}");
        api.delete(&path);
        assert!(api.refused("GET", &path, "").contains("does not exist"), "{list}");
    }
    let server = "/cluster/metrics/server/graphite";
    api.post(server, "type=graphite&server=10.0.0.9&port=2003");
    api.put(server, "server=10.0.0.9&port=2004");
    let listed = api.get("/cluster/metrics/server");
    let row = listed.as_array().unwrap().iter().find(|row| row["id"] == "graphite").unwrap().clone();
    assert_eq!((&row["port"], &row["disable"]), (&2004.into(), &0.into()));
    api.delete(server);
    let targets = api.get("/cluster/notifications/targets");
    assert_eq!((&targets[0]["name"], &targets[0]["type"]), (&"mail-to-root".into(), &"sendmail".into()));
    api.post("/cluster/notifications/targets/mail-to-root/test", "");
    assert!(api.refused("POST", "/cluster/notifications/targets/nobody/test", "").contains("no such target"));
}
