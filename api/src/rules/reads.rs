//! Reads that the schema opens to any login and the handler then decides in its own way.

use super::{Decision, Rule, perm};
use crate::{Check, Verb};

const fn read(path: &'static str, decision: Decision, reason: &'static str) -> Rule {
    Rule { verb: Verb::Get, path, decision, reason }
}

const fn shut(verb: Verb, path: &'static str, reason: &'static str) -> Rule {
    Rule { verb, path, decision: Decision::Undecided, reason }
}

static TASK_AUDIT: Check = perm("/nodes/{node}", &["Sys.Audit"]);
static SYSLOG: Check = perm("/", &["Sys.Syslog"]);
static EVERY_GUEST: Check = perm("/vms", &["VM.Audit"]);
static SDN: Check = perm("/sdn", &["SDN.Audit"]);
static MAPPINGS: Check = perm("/mapping", &["Mapping.Audit"]);
static USERS: Check = perm("/access", &["Sys.Audit"]);
static VOLUME: Check = perm("/storage/{storage}", &["Datastore.Allocate"]);
static BACKUP_DEFAULTS: Check =
    Check::All(&[perm("/storage", &["Datastore.Audit"]), perm("/nodes/{node}", &["Sys.Audit"])]);
static BACKUP_CONFIG: Check =
    Check::All(&[perm("/vms", &["VM.Backup"]), perm("/storage", &["Datastore.AllocateSpace"])]);
static FABRIC_NODES: Check =
    Check::All(&[perm("/sdn/fabrics", &["SDN.Audit"]), perm("/nodes", &["Sys.Audit"])]);
static FABRIC_NODES_OF_ONE: Check =
    Check::All(&[perm("/sdn/fabrics/{fabric_id}", &["SDN.Audit"]), perm("/nodes", &["Sys.Audit"])]);

const OWN_TASK: &str =
    "the login that started a task follows it; the server wants Sys.Audit on the node for a task of another";
const WHOLE_SDN: &str =
    "the server cuts or checks by zone and network; the privilege on all of /sdn covers each";
const WHOLE_MAPPING: &str = "the server lists what one may use; the privilege on all of /mapping covers each";
const READ_VOLUME: &str =
    "reading a volume's content needs Datastore.Allocate, or privileges that depend on the kind of volume";
const NODES_OF_FABRIC: &str =
    "the server lists the nodes that one may audit; Sys.Audit on all of /nodes covers each";
const CONSOLE: &str = "the schema's check; besides it takes the ticket of a console";
const CUT_BY_SERVER: &str = "the server lists what the caller may audit, and so does the gate";

const FETCHES: &str = "the server fetches whatever address the caller names";
const TUNNEL: &str = "it needs the ticket of a migration, and carries no answer but the stream";

/// The rules for reads.
pub(super) static READS: &[Rule] = &[
    // Tasks.
    read("/nodes/{node}/tasks/{upid}/status", Decision::OwnTask(&TASK_AUDIT), OWN_TASK),
    read("/nodes/{node}/tasks/{upid}/log", Decision::OwnTask(&TASK_AUDIT), OWN_TASK),
    read("/nodes/{node}/tasks", Decision::Rows, "own tasks, and with Sys.Audit on the node all"),
    read("/cluster/tasks", Decision::Rows, "own tasks, and with Sys.Audit on the node all"),
    read(
        "/cluster/log",
        Decision::Check(&SYSLOG),
        "without the privilege it holds the caller's own lines only",
    ),
    // Lists.
    read("/cluster/resources", Decision::Rows, CUT_BY_SERVER),
    read(
        "/nodes",
        Decision::Rows,
        "the server names every node to any login; an allow-list of nodes cuts it",
    ),
    read("/nodes/{node}/qemu", Decision::Rows, CUT_BY_SERVER),
    read("/nodes/{node}/lxc", Decision::Rows, CUT_BY_SERVER),
    read("/nodes/{node}/storage", Decision::Rows, CUT_BY_SERVER),
    read("/storage", Decision::Rows, CUT_BY_SERVER),
    read("/pools", Decision::Rows, CUT_BY_SERVER),
    read("/cluster/replication", Decision::Rows, CUT_BY_SERVER),
    read("/nodes/{node}/replication", Decision::Rows, CUT_BY_SERVER),
    // Replication jobs, named by a number that starts with the guest's.
    read("/cluster/replication/{id}", Decision::Check(&EVERY_GUEST), "VM.Audit on the job's guest"),
    read(
        "/nodes/{node}/replication/{id}/status",
        Decision::Check(&EVERY_GUEST),
        "VM.Audit on the job's guest",
    ),
    read("/nodes/{node}/replication/{id}/log", Decision::Check(&EVERY_GUEST), "VM.Audit on the job's guest"),
    // Volumes and backups.
    read("/nodes/{node}/storage/{storage}/content/{volume}", Decision::Check(&VOLUME), READ_VOLUME),
    read("/nodes/{node}/storage/{storage}/file-restore/list", Decision::Check(&VOLUME), READ_VOLUME),
    read("/nodes/{node}/storage/{storage}/file-restore/download", Decision::Check(&VOLUME), READ_VOLUME),
    read("/nodes/{node}/storage/{storage}/import-metadata", Decision::Check(&VOLUME), READ_VOLUME),
    read(
        "/nodes/{node}/vzdump/defaults",
        Decision::Check(&BACKUP_DEFAULTS),
        "Datastore.Audit on the storage; some properties need Sys.Audit on the node",
    ),
    read(
        "/nodes/{node}/vzdump/extractconfig",
        Decision::Check(&BACKUP_CONFIG),
        "VM.Backup on the guest and Datastore.AllocateSpace on the storage, which only the volume's name tells",
    ),
    // Networks and mappings.
    read("/cluster/sdn/vnets", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/vnets/{vnet}", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/vnets/{vnet}/firewall/rules", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/vnets/{vnet}/firewall/rules/{pos}", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/vnets/{vnet}/firewall/options", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/vnets/{vnet}/subnets", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/vnets/{vnet}/subnets/{subnet}", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/zones", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/controllers", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/ipams", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/ipams/{ipam}/status", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/dns", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/fabrics/fabric", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/sdn/fabrics/node", Decision::Check(&FABRIC_NODES), WHOLE_SDN),
    read("/cluster/sdn/fabrics/all", Decision::Check(&FABRIC_NODES), WHOLE_SDN),
    read("/cluster/sdn/fabrics/node/{fabric_id}", Decision::Check(&FABRIC_NODES_OF_ONE), NODES_OF_FABRIC),
    read("/nodes/{node}/sdn/zones", Decision::Check(&SDN), WHOLE_SDN),
    read("/nodes/{node}/sdn/vnets/{vnet}", Decision::Check(&SDN), WHOLE_SDN),
    read("/nodes/{node}/sdn/vnets/{vnet}/mac-vrf", Decision::Check(&SDN), WHOLE_SDN),
    read("/cluster/mapping/dir", Decision::Check(&MAPPINGS), WHOLE_MAPPING),
    read("/cluster/mapping/pci", Decision::Check(&MAPPINGS), WHOLE_MAPPING),
    read("/cluster/mapping/usb", Decision::Check(&MAPPINGS), WHOLE_MAPPING),
    read("/cluster/qemu/custom-cpu-models", Decision::Check(&MAPPINGS), WHOLE_MAPPING),
    read("/nodes/{node}/capabilities/qemu/cpu", Decision::Check(&MAPPINGS), WHOLE_MAPPING),
    // Users.
    read("/access/users", Decision::Check(&USERS), "users are shown to who may audit their groups"),
    read("/access/groups", Decision::Check(&USERS), "groups are shown to who may audit them"),
    read(
        "/access/acl",
        Decision::Check(&USERS),
        "access lists are shown to who may change them or audit users",
    ),
    read(
        "/access/permissions",
        Decision::OfOther("userid", &USERS),
        "one's own permissions are anybody's; another user's need Sys.Audit on /access",
    ),
    read("/access/tfa", Decision::Check(&USERS), "without privileges it holds the caller's own entries only"),
    // Consoles.
    read("/nodes/{node}/vncwebsocket", Decision::Schema, CONSOLE),
    read("/nodes/{node}/qemu/{vmid}/vncwebsocket", Decision::Schema, CONSOLE),
    read("/nodes/{node}/lxc/{vmid}/vncwebsocket", Decision::Schema, CONSOLE),
    // Reads that make the server send a request of its own.
    shut(Verb::Get, "/cluster/acme/meta", FETCHES),
    shut(Verb::Get, "/cluster/acme/tos", FETCHES),
    // One end of a migration.
    shut(Verb::Get, "/nodes/{node}/qemu/{vmid}/mtunnelwebsocket", TUNNEL),
    shut(Verb::Get, "/nodes/{node}/lxc/{vmid}/mtunnelwebsocket", TUNNEL),
];
