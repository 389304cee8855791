//! Requests beside guests whose parameters decide; and volumes of other guests, wherever they are named.

use super::*;
use Verb::{Delete, Post, Put};

const BACKUP: &str = "VM.Backup@/vms/101";
const SPACE: &str = "Datastore.AllocateSpace@/storage/b1";
const MODIFY: &str = "Sys.Modify@/";
const STORAGES: &str = "Datastore.Allocate@/storage";

#[test]
fn backups() {
    let any_space = "Datastore.AllocateSpace@/storage";
    for (pairs, needed) in [
        ("vmid=101 storage=b1", &[BACKUP, SPACE][..]),
        ("vmid=101,102 storage=b1", &[BACKUP, "VM.Backup@/vms/102", SPACE]),
        ("vmid=101", &[BACKUP, any_space]),
        ("storage=b1", &["VM.Backup@/vms", SPACE]),
        ("all=1 storage=b1", &["VM.Backup@/vms", SPACE]),
        ("all=1 vmid=101 storage=b1", &["VM.Backup@/vms", SPACE]),
        ("exclude=102 storage=b1", &["VM.Backup@/vms", SPACE]),
        ("pool=dev storage=b1", &["VM.Backup@/pool/dev", SPACE]),
        ("vmid=101 storage=b1 prune-backups=keep-last=1", &[BACKUP, SPACE, "Datastore.Allocate@/storage/b1"]),
        ("vmid=101 storage=b1 bwlimit=1 ionice=1 performance=max-workers=1", &[BACKUP, SPACE, MODIFY]),
        ("vmid=101 storage=b1 stop=1", &[BACKUP, SPACE, "Sys.Modify@/nodes/pve1"]),
        (
            "vmid=101 storage=b1 fleecing=1,storage=f1",
            &[BACKUP, SPACE, "Datastore.AllocateSpace@/storage/f1"],
        ),
        ("vmid=101 storage=b1 fleecing=enabled=0", &[BACKUP, SPACE]),
    ] {
        needs_exactly(&Call::of(Post, "/nodes/pve1/vzdump", pairs), needed);
    }
    for option in ["tmpdir=/tmp", "dumpdir=/tmp", "script=/tmp/x", "job-id=x", "stdout=1"] {
        let call = Call::of(Post, "/nodes/pve1/vzdump", &format!("vmid=101 storage=b1 {option}"));
        assert_eq!(elevated(call.raw()).unwrap_err().code(), "root_only_parameter", "{option}");
    }
    let odd = Call::of(Post, "/nodes/pve1/vzdump", "pool=a/../b");
    assert_eq!(elevated(odd.raw()).unwrap_err().code(), "bad_parameter");
}

#[test]
fn jobs_retention_and_replication() {
    for (verb, path, pairs, needed) in [
        (Post, "/cluster/backup", "vmid=101", &[MODIFY][..]),
        (Post, "/cluster/backup", "vmid=101 storage=b1", &[MODIFY, SPACE]),
        (Put, "/cluster/backup/j1", "prune-backups=keep-last=1", &[MODIFY, "Datastore.Allocate@/storage"]),
        (Delete, "/cluster/backup/j1", "", &[MODIFY]),
        (Delete, "/nodes/pve1/storage/b1/prunebackups", "", &["Datastore.Allocate@/storage/b1"]),
        (Delete, "/nodes/pve1/storage/b1/prunebackups", "vmid=101", &[BACKUP, SPACE]),
        (Post, "/cluster/replication", "id=101-0 target=pve2 type=local", &["VM.Replicate@/vms/101"]),
        (Delete, "/cluster/replication/101-0", "", &["VM.Replicate@/vms/101"]),
        (Post, "/nodes/pve1/replication/101-0/schedule_now", "", &["VM.Replicate@/vms/101"]),
    ] {
        needs_exactly(&Call::of(verb, path, pairs), needed);
    }
    let script = Call::of(Post, "/cluster/backup", "script=/tmp/x");
    assert_eq!(elevated(script.raw()).unwrap_err().code(), "root_only_parameter");
}

#[test]
fn volumes() {
    let content = "/nodes/pve1/storage/b1/content";
    let allocate = "Datastore.Allocate@/storage/b1";
    for (verb, volume, pairs, needed) in [
        (Delete, "b1%3Abackup%2Fvzdump-qemu-101-x.vma", "", &[BACKUP, SPACE][..]),
        (Delete, "backup%2Fvzdump-qemu-101-x.vma", "", &[BACKUP, SPACE]),
        (Delete, "backup%2Fodd.vma", "", &[allocate]),
        (Delete, "iso%2Fa.iso", "", &[allocate]),
        (Delete, "vm-101-disk-0", "delay=5", &[allocate, "VM.Config.Disk@/vms/101"]),
        (Delete, "odd", "", &[allocate]),
        (Put, "backup%2Fvzdump-qemu-101-x.vma", "notes=x", &[BACKUP, SPACE]),
        (
            Put,
            "iso%2Fa.iso",
            "notes=x",
            &["Datastore.AllocateTemplate@/storage/b1", "Datastore.Audit@/storage/b1"],
        ),
        (Put, "vm-101-disk-0", "notes=x", &["VM.Config.Disk@/vms/101", "Datastore.Audit@/storage/b1"]),
        (Put, "snippets%2Fa", "notes=x", &[allocate]),
    ] {
        needs_exactly(&Call::of(verb, &format!("{content}/{volume}"), pairs), needed);
    }
    let upload = Call::of(
        Post,
        "/nodes/pve1/storage/b1/upload",
        "content=iso filename=a.iso tmpfilename=/var/tmp/pveupload-0",
    );
    assert_eq!(elevated(upload.raw()).unwrap_err().code(), "root_only_parameter");
    let url = "content=iso filename=a.iso url=https://example.com/a.iso";
    let fetch = Call::of(Post, "/nodes/pve1/storage/b1/download-url", url);
    needs_exactly(&fetch, &["Datastore.AllocateTemplate@/storage/b1", "Sys.AccessNetwork@/nodes/pve1"]);
}

#[test]
fn many_guests_at_once() {
    for (path, pairs, needed) in [
        ("/nodes/pve1/startall", "vms=101", &["VM.PowerMgmt@/vms/101"][..]),
        ("/nodes/pve1/stopall", "vms=101,102", &["VM.PowerMgmt@/vms/101", "VM.PowerMgmt@/vms/102"]),
        ("/nodes/pve1/stopall", "", &["VM.PowerMgmt@/"]),
        ("/nodes/pve1/stopall", "vms=;", &["VM.PowerMgmt@/"]),
        (
            "/nodes/pve1/suspendall",
            "vms=101",
            &["VM.PowerMgmt@/vms/101", "VM.Config.Disk@/vms/101", "Datastore.AllocateSpace@/storage"],
        ),
        ("/nodes/pve1/migrateall", "vms=101 target=pve2", &["VM.Migrate@/vms/101"]),
        (
            "/nodes/pve1/migrateall",
            "target=pve2 with-local-disks=1",
            &["VM.Migrate@/", "Datastore.AllocateSpace@/storage"],
        ),
        (
            "/cluster/bulk-action/guest/shutdown",
            "vms=101 vms=102",
            &["VM.PowerMgmt@/vms/101", "VM.PowerMgmt@/vms/102"],
        ),
        ("/cluster/bulk-action/guest/start", "", &["VM.PowerMgmt@/"]),
        ("/cluster/bulk-action/guest/suspend", "vms=101", &["VM.PowerMgmt@/vms/101"]),
        (
            "/cluster/bulk-action/guest/suspend",
            "vms=101 to-disk=1 statestorage=b1",
            &["VM.PowerMgmt@/vms/101", "VM.Config.Disk@/vms/101", SPACE],
        ),
        ("/cluster/bulk-action/guest/migrate", "vms=101 target=pve2", &["VM.Migrate@/vms/101"]),
    ] {
        needs_exactly(&Call::of(Post, path, pairs), needed);
    }
}

#[test]
fn pools_disks_and_zones() {
    let pool = "Pool.Allocate@/pool/dev";
    for (verb, path, pairs, needed) in [
        (Put, "/pools", "poolid=dev comment=x", &[pool][..]),
        (Put, "/pools", "poolid=dev vms=101,102", &[pool, "VM.Allocate@/vms/101", "VM.Allocate@/vms/102"]),
        (Put, "/pools/dev", "storage=b1 delete=1", &[pool, "Datastore.Allocate@/storage/b1"]),
        (Put, "/pools", "poolid=dev vms=101 allow-move=1", &["VM.Allocate@/vms/101", "Pool.Allocate@/pool"]),
        (Delete, "/pools", "poolid=dev", &[pool]),
        (Delete, "/pools/dev", "", &[pool]),
        (Post, "/pools", "poolid=dev", &[pool]),
        (Post, "/nodes/pve1/disks/directory", "name=d1 device=/dev/sdb", &[MODIFY]),
        (Post, "/nodes/pve1/disks/directory", "name=d1 device=/dev/sdb add_storage=1", &[MODIFY, STORAGES]),
        (Delete, "/nodes/pve1/disks/zfs/z1", "cleanup-config=1", &[MODIFY, STORAGES]),
        (Post, "/nodes/pve1/ceph/pool", "name=p1", &[MODIFY]),
        (Post, "/nodes/pve1/ceph/pool", "name=p1 add_storages=0", &[MODIFY]),
        (Post, "/nodes/pve1/ceph/pool", "name=p1 add_storages=1", &[MODIFY, STORAGES]),
        (Post, "/nodes/pve1/ceph/pool", "name=p1 erasure-coding=k=2,m=1", &[MODIFY, STORAGES]),
        (Post, "/nodes/pve1/ceph/pool", "name=p1 erasure-coding=k=2,m=1 add_storages=0", &[MODIFY]),
        (Delete, "/nodes/pve1/ceph/pool/p1", "", &[MODIFY]),
        (Delete, "/nodes/pve1/ceph/pool/p1", "remove_storages=1", &[MODIFY, STORAGES]),
        (Post, "/nodes/pve1/ceph/fs/f1", "", &[MODIFY]),
        (Post, "/nodes/pve1/ceph/fs/f1", "add-storage=1", &[MODIFY, STORAGES]),
        (Delete, "/nodes/pve1/ceph/fs/f1", "remove-storages=1", &[MODIFY, STORAGES]),
        (Put, "/cluster/sdn/vnets/v1", "alias=x", &["SDN.Allocate@/sdn/zones"]),
        (Delete, "/cluster/sdn/vnets/v1/subnets/s1", "", &["SDN.Allocate@/sdn/zones"]),
    ] {
        needs_exactly(&Call::of(verb, path, pairs), needed);
    }
}

#[test]
fn stopping_a_task_takes_what_starting_it_took() {
    let stop = |kind: &str, id: &str, login: &str| {
        Call::of(
            Delete,
            &format!("/nodes/pve1/tasks/UPID:pve1:00003215:0004ADDD:6B02B8E4:{kind}:{id}:{login}:"),
            "",
        )
    };
    needs_exactly(&stop("vzdump", "101", LOGIN), &[BACKUP]);
    needs_exactly(&stop("qmshutdown", "101", LOGIN), &["VM.PowerMgmt@/vms/101"]);
    needs_exactly(&stop("qmigrate", "101", LOGIN), &["VM.Migrate@/vms/101"]);
    let modify = "Sys.Modify@/nodes/pve1";
    assert!(granted(modify).check(&anything(), stop("vzdump", "101", LOGIN).raw(), &NoPools).is_ok());
    for other in [
        stop("vzdump", "101", "root@pam"),
        stop("vzdump", "101", "root@pam!other"),
        stop("vzdump", "", LOGIN),
        stop("aptupdate", "101", LOGIN),
    ] {
        needs_exactly(&other, &[modify]);
        assert!(granted("VM.*@/").check(&anything(), other.raw(), &NoPools).is_err());
    }
}

/// A request about guest 100 that names a volume of 101 is a request about 101 as well.
#[test]
fn a_volume_of_another_guest_is_another_guest() {
    let config = "/nodes/pve1/qemu/100/config";
    let calls = [
        Call::of(Put, config, "scsi1=a1:vm-101-disk-0"),
        Call::of(Put, config, "scsi1=file=a1:vm-101-disk-0,size=8G"),
        Call::of(Put, config, "scsi1=a1:101/vm-101-disk-0.qcow2"),
        Call::of(Put, config, "scsi1=a1:101/odd.qcow2"),
        Call::of(Put, config, "scsi1=a1:100/vm-101-disk-0.qcow2"),
        Call::of(Put, config, "scsi1=a1:base-101-disk-0"),
        Call::of(Put, config, "unused0=a1:vm-101-disk-0"),
        Call::of(Put, config, "ide2=a1:vm-101-cloudinit,media=cdrom"),
        Call::of(Put, config, "cdrom=a1:vm-101-disk-0"),
        Call::of(Put, config, "efidisk0=a1:vm-101-disk-0"),
        Call::of(Put, config, "scsi1=a1:0,import-from=a1:vm-101-disk-0"),
        Call::of(Put, config, "cicustom=user=a1:snippets/a,meta=a1:vm-101-x"),
        Call::of(Put, "/nodes/pve1/lxc/100/config", "mp0=a1:subvol-101-disk-0,mp=/x"),
        Call::of(Put, "/nodes/pve1/lxc/100/config", "rootfs=volume=a1:subvol-101-disk-0"),
        Call::of(Post, "/nodes/pve1/qemu", "vmid=100 archive=b1:backup/vzdump-qemu-101-x.vma"),
        Call::of(Post, "/nodes/pve1/qemu", "vmid=100 archive=pbs:backup/vm/101/2026-11-22T09:00:00Z"),
        Call::of(Post, "/nodes/pve1/qemu", "vmid=100 scsi0=a1:vm-101-disk-0"),
        Call::of(Post, "/nodes/pve1/lxc", "vmid=100 ostemplate=b1:backup/vzdump-lxc-101-x.tar"),
        Call::of(Post, "/nodes/pve1/qemu/100/move_disk", "disk=scsi0 target-vmid=101"),
        Call::of(Post, "/nodes/pve1/qemu/100/clone", "newid=101"),
        Call::of(Post, "/nodes/pve1/storage/a1/content", "vmid=100 filename=vm-101-disk-0 size=1G"),
    ];
    for call in &calls {
        let what = format!("{} {}", call.path_and_query, call.body);
        let scope = anything().on_guest(100);
        let denied =
            gate(Grants::elevated()).check(&scope, call.raw(), &NoPools).map(|_| ()).expect_err(&what);
        assert_eq!(denied, Denied::OutOfScope(crate::Subject::Guest(101)), "{what}");
        let walled = Gate::new(Grants::elevated(), Walls::parse(None, Some("100")).unwrap(), LOGIN);
        let denied = walled.check(&anything(), call.raw(), &NoPools).map(|_| ()).expect_err(&what);
        assert_eq!(denied.code(), "not_on_allowlist", "{what}: {denied}");
        assert!(gate(Grants::elevated()).check(&scope.on_guest(101), call.raw(), &NoPools).is_ok(), "{what}");
    }
    // All that may be granted on 100 and beside guests: the privilege on 101 is missing, but for the
    // allocation of a volume, which the storage decides.
    for call in calls.split_last().unwrap().1 {
        let all = "VM.*@/vms/100,Datastore.*@/,SDN.*@/,Mapping.*@/,Sys.*@/,Pool.*@/";
        let denied = granted(all).check(&anything(), call.raw(), &NoPools).unwrap_err();
        let grant = denied.grant().unwrap();
        assert!(grant.split(',').all(|one| one.ends_with("@/vms/101")), "{}: {grant}", call.body);
    }
}

#[test]
fn a_call_about_one_guest_does_not_reach_all() {
    let scope = anything().on_guest(101);
    for (path, pairs, ok) in [
        ("/nodes/pve1/vzdump", "vmid=101", true),
        ("/nodes/pve1/vzdump", "all=1", false),
        ("/nodes/pve1/vzdump", "vmid=101 all=1", false),
        ("/nodes/pve1/vzdump", "pool=dev", false),
        ("/nodes/pve1/vzdump", "vmid=101,102", false),
        ("/nodes/pve1/stopall", "", false),
        ("/nodes/pve1/stopall", "vms=101", true),
        ("/cluster/bulk-action/guest/start", "vms=101 vms=102", false),
    ] {
        let call = Call::of(Post, path, pairs);
        let result = gate(Grants::elevated()).check(&scope, call.raw(), &NoPools).map(|_| ());
        assert_eq!(result.is_ok(), ok, "{path} {pairs}");
        assert!(ok || result.unwrap_err().code() == "out_of_scope");
    }
    let prune = Call::of(Delete, "/nodes/pve1/storage/b1/prunebackups", "");
    assert_eq!(
        gate(Grants::elevated()).check(&scope, prune.raw(), &NoPools).unwrap_err().code(),
        "out_of_scope"
    );
}
