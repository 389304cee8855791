//! Making, copying, moving and pausing guests.

use super::keys;
use super::options::Guest;
use super::{Demand, Fault, flag, of_check, source, storage, vmid, words};
use crate::request::Request;
use crate::value;
use proxmox_api::Check;

/// Parameters of making a guest that are no options of it.
pub(super) const STEERING: &[&str] = &[
    "archive",
    "bwlimit",
    "force",
    "ha-managed",
    "ignore-unpack-errors",
    "import-working-storage",
    "live-restore",
    "ostemplate",
    "password",
    "pool",
    "restore",
    "ssh-public-keys",
    "start",
    "storage",
    "unique",
    "vmid",
];

/// Parameters that belong to both: an option of a container, and what its making turns on.
const BOTH: &str = "unprivileged";

/// `POST /nodes/{node}/qemu`.
pub(super) fn create_qemu(request: &Request) -> Result<Demand, Fault> {
    let guest = new_guest(request, keys::qemu)?;
    let mut demands = making(&guest);
    if flag(request, "live-restore") {
        demands.push(guest.on("VM.PowerMgmt"));
    }
    if let Some(archive) = request.value("archive") {
        let (access, is_backup) = source::archive("archive", archive)?;
        if !is_backup {
            return Err(Fault::bad("archive", "it is not a backup"));
        }
        demands.push(access);
        demands.extend(restoring(request));
    }
    demands.extend(options(&guest)?);
    Ok(Demand::All(demands))
}

/// `POST /nodes/{node}/lxc`.
pub(super) fn create_lxc(request: &Request) -> Result<Demand, Fault> {
    let guest = new_guest(request, keys::lxc)?;
    let mut demands = making(&guest);
    let template = request.value("ostemplate").unwrap_or_default();
    let (access, is_backup) = source::archive("ostemplate", template)?;
    demands.push(access);
    let restores = is_backup || flag(request, "restore");
    if restores {
        demands.extend(restoring(request));
    }
    // A new container is unprivileged unless said otherwise, a restored one as its backup says.
    let unprivileged = match request.value(BOTH) {
        Some(text) => text == "1",
        None => !restores,
    };
    if !unprivileged {
        demands.push(Demand::on("Sys.Modify", "/"));
    }
    if request.value("rootfs").is_none() {
        let default = storage(request, "storage").unwrap_or("local");
        demands.push(Demand::storage("Datastore.AllocateSpace", Some(default)));
    }
    demands.extend(options(&guest)?);
    Ok(Demand::All(demands))
}

fn new_guest<'a>(request: &'a Request, key: fn(&str) -> Option<keys::Key>) -> Result<Guest<'a>, Fault> {
    let pool = request.value("pool").filter(|pool| value::is_pool(pool));
    Ok(Guest { request, table: request.method, key, vmid: vmid(request)?, pool, new: true })
}

/// What making a guest needs, whatever it is made of.
fn making(guest: &Guest<'_>) -> Vec<Demand> {
    let request = guest.request;
    let mut demands = vec![guest.on("VM.Allocate")];
    if let Some(name) = storage(request, "storage") {
        demands.push(Demand::storage("Datastore.AllocateSpace", Some(name)));
    }
    if flag(request, "ha-managed") {
        demands.push(Demand::on("Sys.Console", "/"));
    }
    if flag(request, "start") {
        demands.push(guest.on("VM.PowerMgmt"));
    }
    demands
}

/// What a backup brings that the request does not name: bridges, and storages unless one is given.
fn restoring(request: &Request) -> Vec<Demand> {
    let mut demands = vec![Demand::on("SDN.Use", "/sdn/zones")];
    if storage(request, "storage").is_none() {
        demands.push(Demand::storage("Datastore.AllocateSpace", None));
    }
    demands
}

fn options(guest: &Guest<'_>) -> Result<Vec<Demand>, Fault> {
    let mut demands = Vec::new();
    for (name, texts) in &guest.request.params {
        if STEERING.contains(&name.as_str()) || name == BOTH {
            continue;
        }
        for text in texts {
            demands.push(guest.option(name, text)?);
        }
    }
    Ok(demands)
}

/// `POST /nodes/{node}/{qemu,lxc}/{vmid}/clone`. The bridges are the source's, and so are the storages
/// unless one is given.
pub(super) fn clone(request: &Request, least: &'static Check) -> Result<Demand, Fault> {
    Ok(Demand::All(vec![
        of_check(least, request),
        Demand::storage("Datastore.AllocateSpace", storage(request, "storage")),
        Demand::on("SDN.Use", "/sdn/zones"),
    ]))
}

/// `POST /nodes/{node}/{qemu,lxc}/{vmid}/migrate`.
pub(super) fn migrate(request: &Request) -> Result<Demand, Fault> {
    let vmid = vmid(request)?;
    let mut demands = vec![Demand::guest("VM.Migrate", vmid)];
    let mut named = false;
    for param in ["targetstorage", "target-storage"] {
        for entry in words(request.value(param).unwrap_or_default()).filter(|entry| *entry != "1") {
            let target = entry.split_once(':').map_or(entry, |(_, target)| target);
            if !value::is_storage(target) {
                return Err(Fault::bad(
                    param,
                    format!("{} is not the name of a storage", value::quote(target)),
                ));
            }
            named = true;
            demands.push(Demand::storage("Datastore.AllocateSpace", Some(target)));
        }
    }
    if named {
        demands.push(Demand::guest("VM.Config.Disk", vmid));
    } else if flag(request, "with-local-disks") {
        demands.push(Demand::storage("Datastore.AllocateSpace", None));
    }
    Ok(Demand::All(demands))
}

/// `POST .../move_disk` and `.../move_volume`: to another storage, or to another guest on the same one.
pub(super) fn move_disk(request: &Request) -> Result<Demand, Fault> {
    let mut demands = vec![
        Demand::guest("VM.Config.Disk", vmid(request)?),
        Demand::storage("Datastore.AllocateSpace", storage(request, "storage")),
    ];
    if let Some(target) = request.value("target-vmid").and_then(value::vmid) {
        demands.push(Demand::guest("VM.Config.Disk", target));
        demands.push(Demand::storage("Datastore.AllocateSpace", None));
    }
    Ok(Demand::All(demands))
}

/// `PUT .../resize`.
pub(super) fn resize(request: &Request) -> Result<Demand, Fault> {
    let disk = Demand::guest("VM.Config.Disk", vmid(request)?);
    Ok(Demand::All(vec![disk, Demand::storage("Datastore.AllocateSpace", None)]))
}

/// `POST .../snapshot/{snapname}/rollback`.
pub(super) fn rollback(request: &Request, least: &'static Check) -> Result<Demand, Fault> {
    let mut demands = vec![of_check(least, request)];
    if flag(request, "start") {
        demands.push(Demand::guest("VM.PowerMgmt", vmid(request)?));
    }
    Ok(Demand::All(demands))
}

/// `POST /nodes/{node}/qemu/{vmid}/status/suspend`.
pub(super) fn suspend(request: &Request) -> Result<Demand, Fault> {
    let vmid = vmid(request)?;
    let mut demands = vec![Demand::guest("VM.PowerMgmt", vmid)];
    let state = storage(request, "statestorage");
    if flag(request, "todisk") || state.is_some() {
        demands.push(Demand::guest("VM.Config.Disk", vmid));
        demands.push(Demand::storage("Datastore.AllocateSpace", state));
    }
    Ok(Demand::All(demands))
}
