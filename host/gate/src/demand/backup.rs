//! Backups: of which guests, to which storage, and what else a job may do.

use super::{Demand, Fault, flag, storage, vmid, words};
use crate::property::Properties;
use crate::request::Request;
use crate::value;

/// `POST /nodes/{node}/vzdump`.
pub(super) fn start(request: &Request) -> Result<Demand, Fault> {
    let mut demands = guests(request)?;
    demands.push(Demand::storage("Datastore.AllocateSpace", storage(request, "storage")));
    demands.extend(retention(request)?);
    for limit in ["bwlimit", "ionice", "performance"] {
        if request.value(limit).is_some() {
            demands.push(Demand::on("Sys.Modify", "/"));
        }
    }
    if flag(request, "stop") {
        let node = request.value("node").unwrap_or_default();
        demands.push(Demand::on("Sys.Modify", format!("/nodes/{node}")));
    }
    Ok(Demand::All(demands))
}

/// `POST /cluster/backup`, `PUT /cluster/backup/{id}`: a job runs as root@pam, so it needs what the
/// cluster's settings need.
pub(super) fn job(request: &Request) -> Result<Demand, Fault> {
    let mut demands = vec![Demand::on("Sys.Modify", "/")];
    if let Some(name) = storage(request, "storage") {
        demands.push(Demand::storage("Datastore.AllocateSpace", Some(name)));
    }
    demands.extend(retention(request)?);
    Ok(Demand::All(demands))
}

/// `DELETE /nodes/{node}/storage/{storage}/prunebackups`.
pub(super) fn prune(request: &Request) -> Result<Demand, Fault> {
    let on = storage(request, "storage");
    if request.value("vmid").is_none() {
        return Ok(Demand::storage("Datastore.Allocate", on));
    }
    let guest = Demand::guest("VM.Backup", vmid(request)?);
    Ok(Demand::All(vec![guest, Demand::storage("Datastore.AllocateSpace", on)]))
}

/// Each guest that is named, the pool, or all guests.
fn guests(request: &Request) -> Result<Vec<Demand>, Fault> {
    let mut demands = Vec::new();
    for word in words(request.value("vmid").unwrap_or_default()) {
        let vmid = value::vmid(word)
            .ok_or_else(|| Fault::bad("vmid", format!("{} is not a vmid", value::quote(word))))?;
        demands.push(Demand::guest("VM.Backup", vmid));
    }
    let pool = request.value("pool");
    if let Some(pool) = pool {
        if !value::is_pool(pool) {
            return Err(Fault::bad("pool", format!("{} is not the name of a pool", value::quote(pool))));
        }
        let of_pool = Demand::on("VM.Backup", format!("/pool/{pool}"));
        demands.push(Demand::Any(vec![of_pool, Demand::on("VM.Backup", "/vms")]));
    }
    let all = flag(request, "all") || request.value("exclude").is_some() && pool.is_none();
    if all || demands.is_empty() {
        demands.push(Demand::on("VM.Backup", "/vms"));
    }
    Ok(demands)
}

/// What is deleted, and what is written on the way.
fn retention(request: &Request) -> Result<Vec<Demand>, Fault> {
    let mut demands = Vec::new();
    if request.value("prune-backups").is_some() {
        demands.push(Demand::storage("Datastore.Allocate", storage(request, "storage")));
    }
    if let Some(text) = request.value("fleecing") {
        let fleecing = Properties::parse(text, "enabled").map_err(|why| Fault::bad("fleecing", why))?;
        let on = fleecing.get("storage");
        if on.is_some_and(|name| !value::is_storage(name)) {
            return Err(Fault::bad("fleecing", "its storage is not the name of one"));
        }
        if on.is_some() || fleecing.get("enabled") != Some("0") {
            demands.push(Demand::storage("Datastore.AllocateSpace", on));
        }
    }
    Ok(demands)
}
