//! Changes that the schema leaves to a sentence, or whose check is not all that the server demands.

use super::{Decision, Family, Rule, perm};
use crate::Check::{self, All, Any};
use crate::Verb::{self, Delete, Post, Put};

const fn any(path: &'static str, privileges: &'static [&'static str]) -> Check {
    Check::Perm { path, privileges, any: true, only_with: None }
}

const fn repeated(verb: Verb, path: &'static str) -> Rule {
    Rule { verb, path, decision: Decision::Schema, reason: CHECK_REPEATED }
}

const fn by(verb: Verb, path: &'static str, family: Family, least: &'static Check) -> Rule {
    Rule { verb, path, decision: Decision::Parameters(family, least), reason: family.reason() }
}

const fn zone(verb: Verb, path: &'static str) -> Rule {
    Rule { verb, path, decision: Decision::Check(&ZONES), reason: ANY_ZONE }
}

const fn shut(verb: Verb, path: &'static str, reason: &'static str) -> Rule {
    Rule { verb, path, decision: Decision::Undecided, reason }
}

const CHECK_REPEATED: &str = "the schema's check; its sentence adds no demand";
const ANY_ZONE: &str =
    "SDN.Allocate on the network's zone, which the request does not name; on /sdn/zones it covers each";
const ELSEWHERE: &str = "it sends the guest to whatever host the caller names";
const TUNNEL: &str = "it is one half of a migration, and what it may do is decided while it runs";
const MONITOR: &str = "a command to QEMU itself can reach any file and device of the node";
const LOGIN: &str = "it is a login, and no business of a program that holds a token";

static GUEST_DISK: Check = perm("/vms/{vmid}", &["VM.Config.Disk"]);
static GUEST_MIGRATE: Check = perm("/vms/{vmid}", &["VM.Migrate"]);
static GUEST_POWER: Check = perm("/vms/{vmid}", &["VM.PowerMgmt"]);
static ROLLBACK: Check = any("/vms/{vmid}", &["VM.Snapshot", "VM.Snapshot.Rollback"]);
static QEMU_CONFIG: Check = any(
    "/vms/{vmid}",
    &[
        "VM.Config.Options",
        "VM.Config.CDROM",
        "VM.Config.CPU",
        "VM.Config.Cloudinit",
        "VM.Config.Disk",
        "VM.Config.HWType",
        "VM.Config.Memory",
        "VM.Config.Network",
    ],
);
static LXC_CONFIG: Check = any(
    "/vms/{vmid}",
    &["VM.Config.Options", "VM.Config.CPU", "VM.Config.Disk", "VM.Config.Memory", "VM.Config.Network"],
);
static CREATE: Check = Any(&[
    perm("/vms/{vmid}", &["VM.Allocate"]),
    Check::Perm { path: "/pool/{pool}", privileges: &["VM.Allocate"], any: false, only_with: Some("pool") },
]);
static CLONE: Check = All(&[
    perm("/vms/{vmid}", &["VM.Clone"]),
    Any(&[
        perm("/vms/{newid}", &["VM.Allocate"]),
        Check::Perm {
            path: "/pool/{pool}",
            privileges: &["VM.Allocate"],
            any: false,
            only_with: Some("pool"),
        },
    ]),
]);
static EACH_BACKUP: Check = perm("/vms/{vmid}", &["VM.Backup"]);
static EACH_POWER: Check = perm("/vms/{vms}", &["VM.PowerMgmt"]);
static EACH_MIGRATE: Check = perm("/vms/{vms}", &["VM.Migrate"]);
static EACH_REPLICATE: Check = perm("/vms/{id}", &["VM.Replicate"]);
static CLUSTER_MODIFY: Check = perm("/", &["Sys.Modify"]);
static BACKUPS: Check = any("/storage/{storage}", &["Datastore.Allocate", "Datastore.AllocateSpace"]);
static VOLUME: Check = Any(&[
    any("/storage/{storage}", &["Datastore.AllocateTemplate", "Datastore.AllocateSpace"]),
    perm("/vms/{volume}", &["VM.Config.Disk"]),
]);
static POOL: Check = perm("/pool/{poolid}", &["Pool.Allocate"]);
static TASK: Check = Any(&[
    perm("/nodes/{node}", &["Sys.Modify"]),
    any(
        "/vms/{upid}",
        &[
            "VM.PowerMgmt",
            "VM.Allocate",
            "VM.Backup",
            "VM.Clone",
            "VM.Config.Disk",
            "VM.Migrate",
            "VM.Snapshot",
        ],
    ),
]);
static EACH_REALM: Check =
    All(&[perm("/access/realm", &["Realm.AllocateUser"]), perm("/access/groups", &["User.Modify"])]);
static ZONES: Check = perm("/sdn/zones", &["SDN.Allocate"]);

/// The rules for changes. The check of a family is for listings: its `{name}`s stand for what the
/// parameter leads to (`/vms/{volume}` is the volume's owner).
pub(super) static CHANGES: &[Rule] = &[
    // Guests: what they are made of.
    by(Post, "/nodes/{node}/qemu/{vmid}/config", Family::QemuConfig, &QEMU_CONFIG),
    by(Put, "/nodes/{node}/qemu/{vmid}/config", Family::QemuConfig, &QEMU_CONFIG),
    by(Put, "/nodes/{node}/lxc/{vmid}/config", Family::LxcConfig, &LXC_CONFIG),
    by(Put, "/nodes/{node}/qemu/{vmid}/unlink", Family::Unlink, &GUEST_DISK),
    by(Post, "/nodes/{node}/qemu/{vmid}/move_disk", Family::MoveDisk, &GUEST_DISK),
    by(Post, "/nodes/{node}/lxc/{vmid}/move_volume", Family::MoveDisk, &GUEST_DISK),
    by(Put, "/nodes/{node}/qemu/{vmid}/resize", Family::Resize, &GUEST_DISK),
    by(Put, "/nodes/{node}/lxc/{vmid}/resize", Family::Resize, &GUEST_DISK),
    // Guests: making, copying, moving.
    by(Post, "/nodes/{node}/qemu", Family::QemuCreate, &CREATE),
    by(Post, "/nodes/{node}/lxc", Family::LxcCreate, &CREATE),
    by(Post, "/nodes/{node}/qemu/{vmid}/clone", Family::Clone, &CLONE),
    by(Post, "/nodes/{node}/lxc/{vmid}/clone", Family::Clone, &CLONE),
    by(Post, "/nodes/{node}/qemu/{vmid}/migrate", Family::Migrate, &GUEST_MIGRATE),
    by(Post, "/nodes/{node}/lxc/{vmid}/migrate", Family::Migrate, &GUEST_MIGRATE),
    repeated(Post, "/nodes/{node}/qemu/{vmid}/template"),
    repeated(Post, "/nodes/{node}/lxc/{vmid}/template"),
    shut(Post, "/nodes/{node}/qemu/{vmid}/remote_migrate", ELSEWHERE),
    shut(Post, "/nodes/{node}/lxc/{vmid}/remote_migrate", ELSEWHERE),
    shut(Post, "/nodes/{node}/qemu/{vmid}/mtunnel", TUNNEL),
    shut(Post, "/nodes/{node}/lxc/{vmid}/mtunnel", TUNNEL),
    shut(Post, "/nodes/{node}/qemu/{vmid}/monitor", MONITOR),
    // Guests: state.
    by(Post, "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback", Family::Rollback, &ROLLBACK),
    by(Post, "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/rollback", Family::Rollback, &ROLLBACK),
    by(Post, "/nodes/{node}/qemu/{vmid}/status/suspend", Family::Suspend, &GUEST_POWER),
    // Many guests at once.
    by(Post, "/nodes/{node}/startall", Family::BulkPower, &EACH_POWER),
    by(Post, "/nodes/{node}/stopall", Family::BulkPower, &EACH_POWER),
    by(Post, "/nodes/{node}/suspendall", Family::BulkSuspend, &EACH_POWER),
    by(Post, "/nodes/{node}/migrateall", Family::BulkMigrate, &EACH_MIGRATE),
    by(Post, "/cluster/bulk-action/guest/start", Family::BulkPower, &EACH_POWER),
    by(Post, "/cluster/bulk-action/guest/shutdown", Family::BulkPower, &EACH_POWER),
    by(Post, "/cluster/bulk-action/guest/suspend", Family::BulkSuspend, &EACH_POWER),
    by(Post, "/cluster/bulk-action/guest/migrate", Family::BulkMigrate, &EACH_MIGRATE),
    // Backups, volumes, replication.
    by(Post, "/nodes/{node}/vzdump", Family::Backup, &EACH_BACKUP),
    by(Post, "/cluster/backup", Family::BackupJob, &CLUSTER_MODIFY),
    by(Put, "/cluster/backup/{id}", Family::BackupJob, &CLUSTER_MODIFY),
    by(Delete, "/nodes/{node}/storage/{storage}/prunebackups", Family::Prune, &BACKUPS),
    by(Delete, "/nodes/{node}/storage/{storage}/content/{volume}", Family::RemoveVolume, &BACKUPS),
    by(Put, "/nodes/{node}/storage/{storage}/content/{volume}", Family::ChangeVolume, &VOLUME),
    repeated(Post, "/nodes/{node}/storage/{storage}/download-url"),
    by(Post, "/cluster/replication", Family::Replication, &EACH_REPLICATE),
    by(Put, "/cluster/replication/{id}", Family::Replication, &EACH_REPLICATE),
    by(Delete, "/cluster/replication/{id}", Family::Replication, &EACH_REPLICATE),
    by(Post, "/nodes/{node}/replication/{id}/schedule_now", Family::Replication, &EACH_REPLICATE),
    // Nodes, pools, tasks.
    by(Post, "/nodes/{node}/disks/directory", Family::DiskSetup, &CLUSTER_MODIFY),
    by(Post, "/nodes/{node}/disks/lvm", Family::DiskSetup, &CLUSTER_MODIFY),
    by(Post, "/nodes/{node}/disks/lvmthin", Family::DiskSetup, &CLUSTER_MODIFY),
    by(Post, "/nodes/{node}/disks/zfs", Family::DiskSetup, &CLUSTER_MODIFY),
    by(Delete, "/nodes/{node}/disks/directory/{name}", Family::DiskSetup, &CLUSTER_MODIFY),
    by(Delete, "/nodes/{node}/disks/lvm/{name}", Family::DiskSetup, &CLUSTER_MODIFY),
    by(Delete, "/nodes/{node}/disks/lvmthin/{name}", Family::DiskSetup, &CLUSTER_MODIFY),
    by(Delete, "/nodes/{node}/disks/zfs/{name}", Family::DiskSetup, &CLUSTER_MODIFY),
    by(Post, "/nodes/{node}/ceph/fs/{name}", Family::DiskSetup, &CLUSTER_MODIFY),
    by(Delete, "/nodes/{node}/ceph/fs/{name}", Family::DiskSetup, &CLUSTER_MODIFY),
    by(Post, "/nodes/{node}/ceph/pool", Family::DiskSetup, &CLUSTER_MODIFY),
    by(Delete, "/nodes/{node}/ceph/pool/{name}", Family::DiskSetup, &CLUSTER_MODIFY),
    by(Put, "/pools", Family::PoolMembers, &POOL),
    by(Put, "/pools/{poolid}", Family::PoolMembers, &POOL),
    repeated(Delete, "/pools"),
    repeated(Delete, "/pools/{poolid}"),
    by(Delete, "/nodes/{node}/tasks/{upid}", Family::StopTask, &TASK),
    // Networks.
    zone(Put, "/cluster/sdn/vnets/{vnet}"),
    zone(Delete, "/cluster/sdn/vnets/{vnet}"),
    zone(Put, "/cluster/sdn/vnets/{vnet}/firewall/options"),
    zone(Post, "/cluster/sdn/vnets/{vnet}/firewall/rules"),
    zone(Put, "/cluster/sdn/vnets/{vnet}/firewall/rules/{pos}"),
    zone(Delete, "/cluster/sdn/vnets/{vnet}/firewall/rules/{pos}"),
    zone(Post, "/cluster/sdn/vnets/{vnet}/subnets"),
    zone(Put, "/cluster/sdn/vnets/{vnet}/subnets/{subnet}"),
    zone(Delete, "/cluster/sdn/vnets/{vnet}/subnets/{subnet}"),
    // Users.
    repeated(Post, "/access/users"),
    repeated(Put, "/access/password"),
    repeated(Post, "/access/domains/{realm}/sync"),
    repeated(Post, "/cluster/jobs/realm-sync/{id}"),
    Rule {
        verb: Put,
        path: "/cluster/jobs/realm-sync/{id}",
        decision: Decision::Check(&EACH_REALM),
        reason: "the schema's check is about a realm that the request does not name; this covers each",
    },
    shut(Post, "/access/openid/auth-url", LOGIN),
    shut(Post, "/access/openid/login", LOGIN),
    shut(Post, "/access/ticket", LOGIN),
    shut(Post, "/access/vncticket", LOGIN),
];
