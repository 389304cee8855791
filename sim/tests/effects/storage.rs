//! Storages: backups, images, volumes, configuration.

use serde_json::Value;

use crate::support::Api;

const STORE: &str = "/nodes/pve1/storage/nfs-backup";

/// The backups of a guest, newest last.
fn backups(api: &Api, vmid: u32) -> Vec<Value> {
    let rows = api.get(&format!("{STORE}/content?content=backup&vmid={vmid}"));
    let mut rows = rows.as_array().unwrap().clone();
    rows.sort_by_key(|row| row["ctime"].as_u64());
    rows
}

#[test]
fn a_backup_lies_on_the_storage_with_its_notes() {
    let api = Api::demo();
    let used = api.get(&format!("{STORE}/status"))["used"].as_u64().unwrap();
    let body = "vmid=104&storage=nfs-backup&mode=snapshot&notes-template={{guestname}} on {{node}}&protected=1&remove=0";
    let upid = api.post("/nodes/pve3/vzdump", &body.replace(' ', "%20"));
    assert_eq!(api.exit(&upid), "OK");
    assert!(api.log(&upid).contains("INFO: Starting Backup of CT 104 (lxc)"), "{}", api.log(&upid));
    let made = backups(&api, 104).pop().unwrap();
    assert_eq!((&made["notes"], &made["protected"]), (&"monitoring on pve3".into(), &1.into()));
    assert!(api.get(&format!("{STORE}/status"))["used"].as_u64().unwrap() > used);
    let volid = made["volid"].as_str().unwrap();
    let path = format!("{STORE}/content/{volid}");
    assert!(api.refused("DELETE", &path, "").contains("protected volume"));
    api.put(&path, "notes=other&protected=0");
    assert_eq!(api.get(&path)["notes"], "other");
    assert_eq!(api.get(&path)["protected"], 0);
    let config = api.get(&format!("/nodes/pve1/vzdump/extractconfig?volume={volid}"));
    assert!(config.as_str().unwrap().contains("hostname: monitoring\n"), "{config}");
    api.done("DELETE", &path, "");
    assert!(api.refused("GET", &path, "").contains("does not exist"));
}

#[test]
fn a_locked_guest_and_an_unknown_one_make_job_errors() {
    let api = Api::demo();
    let upid = api.post("/nodes/pve3/vzdump", "vmid=111&storage=nfs-backup");
    assert_eq!(api.exit(&upid), "job errors");
    assert!(api.log(&upid).contains("VM is locked (backup)"));
    assert!(backups(&api, 111).is_empty());
}

#[test]
fn guests_of_other_nodes_are_passed_over() {
    let api = Api::demo();
    let before = backups(&api, 104).len();
    assert_eq!(api.post("/nodes/pve1/vzdump", "vmid=104&storage=nfs-backup"), "OK");
    let upid = api.post("/nodes/pve1/vzdump", "vmid=104,107&storage=nfs-backup");
    assert_eq!(api.exit(&upid), "OK");
    assert!(api.log(&upid).contains("skip external VMs: 104"), "{}", api.log(&upid));
    assert_eq!((backups(&api, 104).len(), backups(&api, 107).len()), (before, 1));
}

#[test]
fn old_backups_are_thinned_out() {
    let api = Api::demo();
    let path = format!("{STORE}/prunebackups");
    let plan = api.get(&format!("{path}?prune-backups=keep-last=1&vmid=101").replace("=1&", "%3D1&"));
    let marks: Vec<&str> = plan.as_array().unwrap().iter().map(|r| r["mark"].as_str().unwrap()).collect();
    assert_eq!(marks.iter().filter(|m| **m == "keep").count(), 1, "{plan}");
    let newest = backups(&api, 101).pop().unwrap();
    let others = backups(&api, 100).len();
    api.done("DELETE", &path, "prune-backups=keep-last=1&vmid=101");
    assert_eq!(backups(&api, 101), [newest]);
    assert_eq!(backups(&api, 100).len(), others);
    // A backup thins out by the rule of its storage, which keeps one of a day.
    api.done("POST", "/nodes/pve1/vzdump", "vmid=101&storage=nfs-backup");
    api.done("POST", "/nodes/pve1/vzdump", "vmid=101&storage=nfs-backup&prune-backups=keep-last=1");
    assert_eq!(backups(&api, 101).len(), 1);
}

#[test]
fn backup_jobs_come_and_go() {
    let api = Api::demo();
    let missing = |api: &Api, vmid: u64| {
        api.get("/cluster/backup-info/not-backed-up").as_array().unwrap().iter().any(|r| r["vmid"] == vmid)
    };
    assert!(missing(&api, 107));
    api.post(
        "/cluster/backup",
        "id=ci&schedule=daily&vmid=107&storage=nfs-backup&enabled=1&prune-backups=keep-last=3",
    );
    assert_eq!(api.get("/cluster/backup/ci")["prune-backups"]["keep-last"], "3");
    assert!(!missing(&api, 107));
    assert_eq!(api.get("/cluster/backup/ci/included_volumes")["children"][0]["id"], 107);
    api.put("/cluster/backup/ci", "enabled=0&comment=later&delete=schedule");
    let job = api.get("/cluster/backup/ci");
    assert_eq!(
        (&job["comment"], &job["enabled"], &job["schedule"]),
        (&"later".into(), &0.into(), &Value::Null)
    );
    assert!(missing(&api, 107));
    api.delete("/cluster/backup/ci");
    assert!(!api.get("/cluster/backup").to_string().contains("\"ci\""));
    assert!(api.refused("GET", "/cluster/backup/ci", "").contains("No such job"));
}

#[test]
fn images_and_templates_are_fetched() {
    let api = Api::demo();
    let path = "/nodes/pve2/storage/local";
    let has = |file: &str| api.get(&format!("{path}/content")).to_string().contains(file);
    let url = "https://example.com/images/small.iso";
    assert_eq!(api.get(&format!("/nodes/pve2/query-url-metadata?url={url}"))["filename"], "small.iso");
    api.done("POST", &format!("{path}/download-url"), &format!("content=iso&filename=small.iso&url={url}"));
    assert!(has("local:iso/small.iso"));
    let body = "content=iso&filename=gone.iso&url=https://missing.example.com/gone.iso";
    let upid = api.post(&format!("{path}/download-url"), body);
    assert_eq!(api.exit(&upid), "download failed: 404 Not Found");
    assert!(!has("gone.iso"));
    assert!(
        api.refused("POST", &format!("{path}/download-url"), &body.replace("gone.iso&", "gone.txt&"))
            .contains("extension")
    );
    let template = "alpine-3.22-default_20250617_amd64.tar.xz";
    assert!(api.get("/nodes/pve2/aplinfo").to_string().contains(template));
    api.done("POST", "/nodes/pve2/aplinfo", &format!("storage=local&template={template}"));
    assert!(has(template));
    api.done("DELETE", &format!("{path}/content/local:iso/small.iso"), "");
    assert!(!has("small.iso"));
}

#[test]
fn storages_are_configured() {
    let api = Api::demo();
    api.post("/storage", "storage=archive&type=nfs&server=10.20.0.9&export=/tank&content=backup,iso");
    let made = api.get("/storage/archive");
    assert_eq!(
        (&made["server"], &made["content"], &made["shared"]),
        (&"10.20.0.9".into(), &"backup,iso".into(), &1.into())
    );
    assert!(api.refused("POST", "/storage", "storage=archive&type=dir&path=/x").contains("already defined"));
    assert!(api.refused("POST", "/storage", "storage=other&type=nfs&server=x").contains("export"));
    api.put("/storage/archive", "content=backup&disable=1");
    assert_eq!(api.get("/nodes/pve1/storage/archive/status")["enabled"], 0);
    api.done("POST", "/nodes/pve1/vzdump", "vmid=101&storage=archive");
    assert_eq!(api.get("/nodes/pve1/storage/archive/content").as_array().unwrap().len(), 1);
    api.delete("/storage/archive");
    assert!(api.refused("GET", "/storage/archive", "").contains("does not exist"));
}

#[test]
fn a_storage_shows_how_it_filled_up() {
    let api = Api::demo();
    let points = api.get(&format!("{STORE}/rrddata?timeframe=month"));
    let used: Vec<f64> = points.as_array().unwrap().iter().map(|p| p["used"].as_f64().unwrap()).collect();
    assert!(used.last().unwrap() - used[0] > 1e12, "{} {}", used[0], used.last().unwrap());
}
