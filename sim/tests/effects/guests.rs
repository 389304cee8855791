//! Guests: power, configuration, disks, copies, moves, snapshots.

use serde_json::Value;

use crate::support::Api;

const VM: &str = "/nodes/pve1/qemu/101";
const CT: &str = "/nodes/pve2/lxc/102";

fn config(api: &Api, path: &str) -> Value {
    api.get(&format!("{path}/config"))
}

#[test]
fn a_machine_is_paused_and_hibernated() {
    let api = Api::demo();
    let status =
        |key: &str| api.get(&format!("{VM}/status/current"))[key].as_str().unwrap_or_default().to_owned();
    api.done("POST", &format!("{VM}/status/suspend"), "");
    assert_eq!((status("status"), status("qmpstatus")), ("running".into(), "paused".into()));
    api.done("POST", &format!("{VM}/status/resume"), "");
    assert_eq!(status("qmpstatus"), "running");
    api.done("POST", &format!("{VM}/status/suspend"), "todisk=1");
    assert_eq!((status("status"), status("lock")), ("stopped".into(), "suspended".into()));
    assert_eq!(api.refused("POST", &format!("{VM}/status/suspend"), ""), "VM not running");
    api.done("POST", &format!("{VM}/status/resume"), "");
    assert_eq!((status("status"), status("lock")), ("running".into(), String::new()));
}

#[test]
fn memory_of_a_running_machine_waits_for_its_reboot() {
    let api = Api::demo();
    let digest = config(&api, VM)["digest"].as_str().unwrap().to_owned();
    api.put(&format!("{VM}/config"), &format!("memory=65536&description=hello&digest={digest}"));
    let stale = api.refused("PUT", &format!("{VM}/config"), &format!("memory=1&digest={digest}"));
    assert!(stale.contains("checksum mismatch"), "{stale}");
    let waiting = |api: &Api| {
        let rows = api.get(&format!("{VM}/pending"));
        rows.as_array().unwrap().iter().find(|r| r["key"] == "memory").unwrap().clone()
    };
    assert_eq!(waiting(&api)["pending"], "65536");
    assert_eq!(config(&api, VM)["memory"], "65536");
    assert_eq!(api.get(&format!("{VM}/config?current=1"))["memory"], "32768");
    assert_eq!(api.get(&format!("{VM}/status/current"))["maxmem"], 32_u64 << 30);
    api.put(&format!("{VM}/config"), "revert=memory");
    assert!(waiting(&api)["pending"].is_null());
    api.put(&format!("{VM}/config"), "memory=65536");
    api.done("POST", &format!("{VM}/status/reboot"), "");
    assert_eq!(api.get(&format!("{VM}/status/current"))["maxmem"], 64_u64 << 30);
    api.put(&format!("{VM}/config"), "delete=description");
    assert!(config(&api, VM)["description"].is_null());
}

#[test]
fn a_disk_is_added_enlarged_moved_detached_and_removed() {
    let api = Api::demo();
    api.put(&format!("{VM}/config"), "scsi1=local-zfs:8,discard=on");
    assert_eq!(config(&api, VM)["scsi1"], "local-zfs:vm-101-disk-0,discard=on,size=8G");
    api.done("PUT", &format!("{VM}/resize"), "disk=scsi1&size=%2B2G");
    assert_eq!(config(&api, VM)["scsi1"], "local-zfs:vm-101-disk-0,discard=on,size=10G");
    assert!(api.refused("PUT", &format!("{VM}/resize"), "disk=scsi1&size=1G").contains("shrinking"));
    assert!(api.refused("PUT", &format!("{VM}/resize"), "disk=scsi9&size=1G").contains("does not exist"));
    api.done("POST", &format!("{VM}/move_disk"), "disk=scsi1&storage=ceph-prod");
    assert_eq!(config(&api, VM)["scsi1"], "ceph-prod:vm-101-disk-1,discard=on,size=10G");
    assert_eq!(config(&api, VM)["unused0"], "local-zfs:vm-101-disk-0");
    api.put(&format!("{VM}/unlink"), "idlist=scsi1");
    assert_eq!(config(&api, VM)["unused1"], "ceph-prod:vm-101-disk-1");
    let on_ceph = || {
        let rows = api.get("/nodes/pve1/storage/ceph-prod/content?vmid=101");
        rows.as_array().unwrap().iter().map(|r| r["volid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(on_ceph().contains(&"ceph-prod:vm-101-disk-1".to_owned()));
    api.put(&format!("{VM}/config"), "delete=unused1");
    assert!(config(&api, VM)["unused1"].is_null() && on_ceph() == ["ceph-prod:vm-101-disk-0"]);
    // With force the volume goes at once.
    api.put(&format!("{VM}/config"), "scsi1=ceph-prod:8");
    assert_eq!(on_ceph().len(), 2);
    api.put(&format!("{VM}/config"), "delete=scsi1&force=1");
    let now = config(&api, VM);
    assert!(now["scsi1"].is_null() && now["unused1"].is_null(), "{now}");
    assert_eq!(on_ceph(), ["ceph-prod:vm-101-disk-0"]);
}

#[test]
fn a_volume_of_a_container_changes_its_owner() {
    let api = Api::demo();
    let other = "/nodes/pve2/lxc/990";
    let template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst";
    api.done("POST", "/nodes/pve2/lxc", &format!("vmid=990&ostemplate={template}&rootfs=local-zfs:4"));
    api.put(&format!("{CT}/config"), "mp0=local-zfs:2,mp=/srv");
    // A mount point of a running container waits for its next start.
    assert!(api.get(&format!("{CT}/config?current=1"))["mp0"].is_null());
    api.done("POST", &format!("{CT}/status/stop"), "");
    api.done("POST", &format!("{CT}/move_volume"), "volume=mp0&target-vmid=990&target-volume=mp3");
    assert!(config(&api, CT)["mp0"].is_null());
    assert_eq!(config(&api, other)["mp3"], "local-zfs:subvol-990-disk-1,mp=/srv,size=2G");
}

#[test]
fn machines_and_containers_are_made() {
    let api = Api::demo();
    let body = "vmid=900&name=new&memory=2048&cores=2&scsi0=local-zfs:16&net0=virtio,bridge=vmbr0&ide2=local:iso/debian-12.9.0-amd64-netinst.iso,media=cdrom&pool=development&start=1";
    api.done("POST", "/nodes/pve2/qemu", body);
    let made = config(&api, "/nodes/pve2/qemu/900");
    assert_eq!(made["scsi0"], "local-zfs:vm-900-disk-0,size=16G");
    assert!(made["net0"].as_str().unwrap().starts_with("virtio=BC:24:11:"), "{made}");
    assert!(made["ide2"].as_str().unwrap().ends_with("media=cdrom"), "{made}");
    assert_eq!(api.get("/nodes/pve2/qemu/900/status/current")["status"], "running");
    let pool = api.get("/pools?poolid=development");
    assert!(pool[0]["members"].as_array().unwrap().iter().any(|m| m["vmid"] == 900), "{pool}");

    let template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst";
    let body = format!(
        "vmid=901&ostemplate={template}&rootfs=local-zfs:8&hostname=box&password=secret1&net0=name=eth0,bridge=vmbr0,ip=10.20.9.9/24"
    );
    api.done("POST", "/nodes/pve1/lxc", &body);
    let made = config(&api, "/nodes/pve1/lxc/901");
    assert_eq!((&made["hostname"], &made["ostype"]), (&"box".into(), &"debian".into()));
    assert_eq!(
        (&made["rootfs"], &made["unprivileged"]),
        (&"local-zfs:subvol-901-disk-0,size=8G".into(), &1.into())
    );
    assert!(made["password"].is_null(), "{made}");
    let taken = api.refused("POST", "/nodes/pve1/lxc", &format!("vmid=901&ostemplate={template}"));
    assert_eq!(taken, "unable to create CT 901 - CT 901 already exists on node 'pve1'");
    let missing = api.refused("POST", "/nodes/pve1/lxc", "vmid=902&ostemplate=local:vztmpl/none.tar.zst");
    assert_eq!(missing, "volume 'local:vztmpl/none.tar.zst' does not exist");
}

#[test]
fn guests_come_back_from_their_backups() {
    let api = Api::demo();
    let rows = api.get("/nodes/pve1/storage/nfs-backup/content?vmid=101");
    let volid = rows[0]["volid"].as_str().unwrap().to_owned();
    api.done("POST", "/nodes/pve1/qemu", &format!("vmid=950&archive={volid}&storage=local-zfs&unique=1"));
    let made = config(&api, "/nodes/pve1/qemu/950");
    assert_eq!((&made["name"], &made["memory"]), (&"prod-web-01".into(), &"32768".into()));
    assert_eq!(made["scsi0"], "local-zfs:vm-950-disk-0,size=80G");
    assert_ne!(made["net0"], config(&api, VM)["net0"]);
    let over = format!("vmid=101&archive={volid}&force=1");
    assert_eq!(
        api.refused("POST", "/nodes/pve1/qemu", &over),
        "unable to restore VM 101 - VM 101 is running"
    );
    api.done("POST", &format!("{VM}/status/stop"), "");
    api.put(&format!("{VM}/config"), "memory=512");
    api.done("POST", "/nodes/pve1/qemu", &over);
    assert_eq!(config(&api, VM)["memory"], "32768");

    let rows = api.get("/nodes/pve1/storage/nfs-backup/content?vmid=102");
    let volid = rows[0]["volid"].as_str().unwrap();
    api.done("POST", "/nodes/pve1/lxc", &format!("vmid=951&ostemplate={volid}&restore=1"));
    assert_eq!(config(&api, "/nodes/pve1/lxc/951")["hostname"], "prod-cache-01");
    assert!(
        api.refused(
            "POST",
            "/nodes/pve1/lxc",
            "vmid=952&ostemplate=nfs-backup:backup/none.tar.zst&restore=1"
        )
        .contains("does not exist")
    );
}

#[test]
fn guests_are_copied() {
    let api = Api::demo();
    api.done("POST", "/nodes/pve2/qemu/109/clone", "newid=960&name=linked");
    assert!(
        api.refused("POST", "/nodes/pve2/qemu/109/clone", "newid=960").contains("config file already exists")
    );
    api.done(
        "POST",
        "/nodes/pve2/qemu/109/clone",
        "newid=961&full=1&storage=local-zfs&pool=development&description=x",
    );
    let full = config(&api, "/nodes/pve2/qemu/961");
    assert_eq!(
        (&full["scsi0"], &full["template"]),
        (&"local-zfs:vm-961-disk-0,size=16G".into(), &Value::Null)
    );
    let refused = api.refused("POST", "/nodes/pve2/qemu/109/clone", "newid=962&storage=local-zfs");
    assert_eq!(refused, "parameter 'storage' not allowed for linked clones");
    api.done("POST", "/nodes/pve2/qemu/109/clone", "newid=963&target=pve3");
    assert_eq!(config(&api, "/nodes/pve3/qemu/963")["name"], "Copy-of-VM-debian-12-template");
    let local = api.refused("POST", &format!("{CT}/clone"), "newid=964&target=pve3&snapname=none");
    assert_eq!(local, "snapshot 'none' does not exist");
    assert!(api.refused("POST", &format!("{CT}/clone"), "newid=964").contains("running container"));
    // While a linked clone is there, its template cannot go.
    let exit = api.exit(&api.delete("/nodes/pve2/qemu/109"));
    assert!(exit.contains("still in use"), "{exit}");
}

#[test]
fn guests_are_moved() {
    let api = Api::demo();
    let at = |api: &Api, vmid: u64| {
        let rows = api.get("/cluster/resources?type=vm");
        rows.as_array().unwrap().iter().find(|r| r["vmid"] == vmid).unwrap()["node"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(api.get(&format!("{VM}/migrate"))["local_disks"], Value::Array(vec![]));
    let refused = api.refused("POST", &format!("{VM}/migrate"), "target=pve2");
    assert_eq!(refused, "can't migrate running VM without --online");
    api.done("POST", &format!("{VM}/migrate"), "target=pve2&online=1");
    assert_eq!(at(&api, 101), "pve2");
    let runner = "/nodes/pve1/qemu/107";
    let upid = api.post(&format!("{runner}/migrate"), "target=pve2&online=1");
    assert_eq!(api.exit(&upid), "migration aborted");
    assert!(api.log(&upid).contains("with-local-disks"), "{}", api.log(&upid));
    api.done(
        "POST",
        &format!("{runner}/migrate"),
        "target=pve2&online=1&with-local-disks=1&targetstorage=ceph-prod",
    );
    assert_eq!(config(&api, "/nodes/pve2/qemu/107")["scsi0"], "ceph-prod:vm-107-disk-0,size=200G");
    assert!(api.refused("POST", &format!("{CT}/migrate"), "target=pve3").contains("--restart"));
    api.done("POST", &format!("{CT}/migrate"), "target=pve3&restart=1");
    assert_eq!(at(&api, 102), "pve3");
    // A managed guest is moved by HA: the first task only takes the order.
    api.done("POST", "/nodes/pve1/qemu/100/migrate", "target=pve3&online=1");
    assert_eq!(at(&api, 100), "pve3");
    let kinds = api.get("/nodes/pve1/tasks?vmid=100&limit=2");
    assert_eq!((&kinds[0]["type"], &kinds[1]["type"]), (&"qmigrate".into(), &"hamigrate".into()));
}

#[test]
fn guests_become_templates_and_go() {
    let api = Api::demo();
    let wiki = "/nodes/pve2/lxc/108";
    api.post(&format!("{wiki}/template"), "");
    assert_eq!(config(&api, wiki)["template"], 1);
    assert!(api.refused("POST", &format!("{VM}/template"), "").contains("running"));
    api.done("DELETE", wiki, "purge=1");
    assert!(api.refused("GET", &format!("{wiki}/config"), "").contains("does not exist"));
    assert_eq!(
        api.refused("DELETE", "/nodes/pve1/qemu/100", ""),
        "can't remove VM 100 - protection mode enabled"
    );
    api.put("/nodes/pve1/qemu/100/config", "protection=0");
    assert!(api.refused("DELETE", "/nodes/pve1/qemu/100", "").contains("used in HA resources"));
    assert_eq!(api.refused("DELETE", CT, ""), "unable to destroy CT 102 - container is running");
    api.done("DELETE", CT, "force=1&destroy-unreferenced-disks=1");
    assert!(api.refused("GET", &format!("{CT}/config"), "").contains("does not exist"));
}

#[test]
fn a_snapshot_keeps_the_configuration_and_gives_it_back() {
    let api = Api::demo();
    api.done("POST", &format!("{VM}/snapshot"), "snapname=with-memory&vmstate=1&description=first");
    api.put(&format!("{VM}/config"), "description=later");
    api.put(&format!("{VM}/snapshot/with-memory/config"), "description=second");
    let kept = api.get(&format!("{VM}/snapshot/with-memory/config"));
    assert_eq!((&kept["description"], &kept["parent"]), (&"second".into(), &"before-upgrade".into()));
    assert!(kept["vmstate"].is_string(), "{kept}");
    api.done("POST", &format!("{VM}/status/stop"), "");
    api.done("POST", &format!("{VM}/snapshot/with-memory/rollback"), "");
    assert_eq!(api.get(&format!("{VM}/status/current"))["status"], "running");
    assert_ne!(config(&api, VM)["description"], "later");
    // Ceph goes back past newer snapshots; what is made next grows from there.
    api.done("POST", &format!("{VM}/snapshot/before-upgrade/rollback"), "start=1");
    api.done("POST", &format!("{VM}/snapshot"), "snapname=branch");
    let rows = api.get(&format!("{VM}/snapshot"));
    let parent = |name: &str| {
        let row = rows.as_array().unwrap().iter().find(|r| r["name"] == name).unwrap();
        row["parent"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!((parent("branch"), parent("current")), ("before-upgrade".into(), "branch".into()));
    api.done("DELETE", &format!("{VM}/snapshot/branch"), "");
    assert!(!api.get(&format!("{VM}/snapshot")).to_string().contains("branch"));
}

#[test]
fn zfs_goes_back_to_the_latest_snapshot_only() {
    let api = Api::demo();
    api.done("POST", &format!("{CT}/snapshot"), "snapname=one");
    api.done("POST", &format!("{CT}/snapshot"), "snapname=two");
    let exit = api.exit(&api.post(&format!("{CT}/snapshot/one/rollback"), ""));
    assert_eq!(exit, "can't rollback, 'one' is not most recent snapshot on 'subvol-102-disk-0'");
    api.done("POST", &format!("{CT}/snapshot/two/rollback"), "");
    assert_eq!(api.get(&format!("{CT}/status/current"))["status"], "stopped");
}

#[test]
fn cloud_init_shows_what_a_machine_reads() {
    let api = Api::demo();
    api.put(
        &format!("{VM}/config"),
        "ciuser=admin&cipassword=secret&ipconfig0=ip=dhcp&ide2=local-zfs:cloudinit",
    );
    assert_eq!(config(&api, VM)["cipassword"], "**********");
    let rows = api.get(&format!("{VM}/cloudinit"));
    assert!(
        rows.as_array().unwrap().iter().any(|r| r["key"] == "ciuser" && r["pending"] == "admin"),
        "{rows}"
    );
    api.put(&format!("{VM}/cloudinit"), "");
    let user = api.get(&format!("{VM}/cloudinit/dump?type=user"));
    assert!(user.as_str().unwrap().contains("user: admin"), "{user}");
    assert!(api.get(&format!("{VM}/cloudinit/dump?type=network")).as_str().unwrap().contains("dhcp4"));
}

#[test]
fn a_container_is_paused() {
    let api = Api::demo();
    api.done("POST", &format!("{CT}/status/suspend"), "");
    assert!(api.sim.with_world(|world| world.guests[&102].paused));
    api.done("POST", &format!("{CT}/status/resume"), "");
    assert!(!api.sim.with_world(|world| world.guests[&102].paused));
    let refused = api.refused("POST", "/nodes/pve2/lxc/108/status/suspend", "");
    assert_eq!(refused, "CT 108 not running");
}

#[test]
fn the_agent_freezes_tells_and_turns_off() {
    let api = Api::demo();
    let agent = format!("{VM}/agent");
    let frozen = || api.post(&format!("{agent}/fsfreeze-status"), "")["result"].clone();
    assert_eq!(frozen(), "thawed");
    api.post(&format!("{agent}/fsfreeze-freeze"), "");
    assert_eq!(frozen(), "frozen");
    assert_eq!(api.post(&format!("{agent}/fsfreeze-thaw"), "")["result"], 1);
    assert_eq!(frozen(), "thawed");
    assert_eq!(api.get(&format!("{agent}/get-fsinfo"))["result"][0]["mountpoint"], "/");
    let refused =
        api.refused("POST", &format!("{agent}/set-user-password"), "username=nobody&password=secret");
    assert!(refused.contains("Agent error"), "{refused}");
    api.post(&format!("{agent}/shutdown"), "");
    assert_eq!(api.get(&format!("{VM}/status/current"))["status"], "stopped");
}
