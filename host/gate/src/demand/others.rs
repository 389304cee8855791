//! Replication, disks of nodes, members of pools, tasks.

use super::{Demand, Fault, flag, words};
use crate::request::Request;
use crate::value;

/// Replication jobs: the job's id begins with the guest's.
pub(super) fn replication(request: &Request) -> Result<Demand, Fault> {
    let id = request.value("id").unwrap_or_default();
    let vmid = id.split_once('-').and_then(|(vmid, _)| value::vmid(vmid));
    let vmid = vmid.ok_or_else(|| Fault::bad("id", "it does not begin with a vmid"))?;
    Ok(Demand::guest("VM.Replicate", vmid))
}

/// What adds storages to the cluster's configuration or takes them out of it, by method.
const STORAGES_TOO: &[&str] =
    &["add_storage", "cleanup-config", "add_storages", "add-storage", "remove_storages", "remove-storages"];

/// File systems on a node's disks and in Ceph, and the storages on them.
pub(super) fn disk_setup(request: &Request) -> Result<Demand, Fault> {
    let mut demands = vec![Demand::on("Sys.Modify", "/")];
    // For an erasure-coded pool Proxmox adds them unless told otherwise.
    let by_default = request.value("erasure-coding").is_some() && request.value("add_storages").is_none();
    if by_default || STORAGES_TOO.iter().any(|name| flag(request, name)) {
        demands.push(Demand::storage("Datastore.Allocate", None));
    }
    Ok(Demand::All(demands))
}

/// `PUT /pools`: who puts a guest into a pool gives its holders rights on it.
pub(super) fn pool_members(request: &Request) -> Result<Demand, Fault> {
    let pool = request.value("poolid").filter(|pool| value::is_pool(pool));
    let pool = pool.ok_or_else(|| Fault::bad("poolid", "it is not the name of a pool"))?;
    let mut demands = vec![Demand::on("Pool.Allocate", format!("/pool/{pool}"))];
    for word in words(request.value("vms").unwrap_or_default()) {
        let vmid = value::vmid(word)
            .ok_or_else(|| Fault::bad("vms", format!("{} is not a vmid", value::quote(word))))?;
        demands.push(hand_over("VM.Allocate", format!("/vms/{vmid}")));
    }
    for word in words(request.value("storage").unwrap_or_default()) {
        if !value::is_storage(word) {
            return Err(Fault::bad(
                "storage",
                format!("{} is not the name of a storage", value::quote(word)),
            ));
        }
        demands.push(hand_over("Datastore.Allocate", format!("/storage/{word}")));
    }
    // The guest leaves another pool, which the request does not name.
    if flag(request, "allow-move") {
        demands.push(Demand::on("Pool.Allocate", "/pool"));
    }
    Ok(Demand::All(demands))
}

/// The right to change the permissions of something.
fn hand_over(privilege: &'static str, path: String) -> Demand {
    Demand::Any(vec![Demand::on(privilege, path.clone()), Demand::on("Permissions.Modify", path)])
}

/// `DELETE /nodes/{node}/tasks/{upid}`: a task of another needs Sys.Modify on the node. One's own needs
/// nothing on the server; here it needs what it took to start it, so that reading stays reading.
pub(super) fn stop_task(request: &Request, login: &str) -> Result<Demand, Fault> {
    let upid = request.upid().ok_or_else(|| Fault::bad("upid", "it is not a task id"))?;
    let on_node = Demand::on("Sys.Modify", format!("/nodes/{}", upid.node));
    let own = upid.vmid().zip(started_with(upid.kind)).filter(|_| upid.login == login);
    Ok(match own {
        Some((vmid, privilege)) => Demand::Any(vec![Demand::guest(privilege, vmid), on_node]),
        None => on_node,
    })
}

/// The privilege that a task of this type takes on its guest.
fn started_with(kind: &str) -> Option<&'static str> {
    if kind == "qmigrate" {
        return Some("VM.Migrate");
    }
    let action = kind.strip_prefix("qm").or_else(|| kind.strip_prefix("vz"))?;
    match action {
        "start" | "stop" | "shutdown" | "reboot" | "reset" | "suspend" | "resume" | "pause" => {
            Some("VM.PowerMgmt")
        }
        "dump" => Some("VM.Backup"),
        "snapshot" | "delsnapshot" | "rollback" => Some("VM.Snapshot"),
        "migrate" => Some("VM.Migrate"),
        "clone" => Some("VM.Clone"),
        "create" | "destroy" | "restore" | "template" => Some("VM.Allocate"),
        "move" | "config" => Some("VM.Config.Disk"),
        _ => None,
    }
}
