//! What it takes to use, change and delete volumes that are there.

use super::{Demand, Fault, storage};
use crate::request::Request;
use crate::volume::{self, Kind, Volume};

const NODE_PATH: &str = "it is a path in the node's own file system";

/// Using a volume in a call about the guest `about`: one's own needs nothing more.
pub(super) fn access(storage: &str, name: &str, about: Option<u32>) -> Demand {
    match volume::kind(name) {
        Kind::Image => readable(storage),
        Kind::Backup(owners) => backup(storage, &owners),
        Kind::Disk(owners) => {
            let others = owners.iter().filter(|owner| Some(**owner) != about);
            let mut demands: Vec<Demand> =
                others.map(|owner| Demand::guest("VM.Config.Disk", *owner)).collect();
            if !demands.is_empty() {
                demands.push(Demand::storage("Datastore.Audit", Some(storage)));
            }
            Demand::All(demands)
        }
        Kind::Other => Demand::storage("Datastore.Allocate", Some(storage)),
    }
}

/// Seeing what is on a storage.
fn readable(storage: &str) -> Demand {
    let each = ["Datastore.Audit", "Datastore.AllocateSpace"];
    Demand::Any(each.into_iter().map(|privilege| Demand::storage(privilege, Some(storage))).collect())
}

/// Reading, changing or deleting a backup of these guests.
fn backup(storage: &str, owners: &[u32]) -> Demand {
    if owners.is_empty() {
        return Demand::storage("Datastore.Allocate", Some(storage));
    }
    let mut demands: Vec<Demand> = owners.iter().map(|owner| Demand::guest("VM.Backup", *owner)).collect();
    demands.push(Demand::storage("Datastore.AllocateSpace", Some(storage)));
    Demand::All(demands)
}

/// A backup or template that a guest is made from; whether it is a backup.
pub(super) fn archive(param: &str, text: &str) -> Result<(Demand, bool), Fault> {
    match Volume::read(text).map_err(|why| Fault::bad(param, why))? {
        Volume::Existing { storage, name } => {
            let is_backup = matches!(volume::kind(name), Kind::Backup(_));
            Ok((access(storage, name, None), is_backup))
        }
        Volume::Path => Err(Fault::root_only(param, NODE_PATH)),
        _ => Err(Fault::bad(param, "it names no volume that is there")),
    }
}

/// Filling a new disk from `text`.
pub(super) fn import(param: &str, text: &str, request: &Request) -> Result<Demand, Fault> {
    let (on, name) = match Volume::read(text).map_err(|why| Fault::bad(param, why))? {
        Volume::Existing { storage, name } => (storage, name),
        Volume::Path => return Err(Fault::root_only(param, NODE_PATH)),
        _ => return Err(Fault::bad(param, "it imports from no volume that is there")),
    };
    let unpacked_on = storage(request, "import-working-storage").unwrap_or(on);
    let unpacked = Demand::storage("Datastore.AllocateSpace", Some(unpacked_on));
    match volume::kind(name) {
        Kind::Disk(owners) => {
            let mut demands: Vec<Demand> =
                owners.iter().map(|owner| Demand::guest("VM.Clone", *owner)).collect();
            demands.push(Demand::storage("Datastore.Audit", Some(on)));
            Ok(Demand::All(demands))
        }
        // Whoever may write there may read there.
        Kind::Image if unpacked_on == on => Ok(unpacked),
        Kind::Image => Ok(Demand::All(vec![readable(on), unpacked])),
        Kind::Other => Ok(Demand::All(vec![Demand::storage("Datastore.Allocate", Some(on)), unpacked])),
        Kind::Backup(_) => Err(Fault::bad(param, "a backup is no disk to import from")),
    }
}

/// Refuses what is a path on the node.
pub(super) fn node_path(param: &str) -> Fault {
    Fault::root_only(param, NODE_PATH)
}

/// `DELETE /nodes/{node}/storage/{storage}/content/{volume}`.
pub(super) fn remove(request: &Request) -> Result<Demand, Fault> {
    let (storage, name) = in_path(request)?;
    match volume::kind(name) {
        Kind::Backup(owners) => Ok(backup(storage, &owners)),
        Kind::Disk(owners) => {
            let mut demands = vec![Demand::storage("Datastore.Allocate", Some(storage))];
            demands.extend(owners.iter().map(|owner| Demand::guest("VM.Config.Disk", *owner)));
            Ok(Demand::All(demands))
        }
        Kind::Image | Kind::Other => Ok(Demand::storage("Datastore.Allocate", Some(storage))),
    }
}

/// `PUT /nodes/{node}/storage/{storage}/content/{volume}`: the server wants no more than reading; a
/// change needs a privilege to change here.
pub(super) fn change(request: &Request) -> Result<Demand, Fault> {
    let (storage, name) = in_path(request)?;
    let access = access(storage, name, None);
    match volume::kind(name) {
        Kind::Image => {
            Ok(Demand::All(vec![Demand::storage("Datastore.AllocateTemplate", Some(storage)), access]))
        }
        _ => Ok(access),
    }
}

/// Storage and name of the volume in the path; the name may have the storage in front.
fn in_path(request: &Request) -> Result<(&str, &str), Fault> {
    let absent = |name: &str| Fault::bad(name, "the permission depends on it, and it is absent");
    let storage = storage(request, "storage").ok_or_else(|| absent("storage"))?;
    let volume = request.value("volume").ok_or_else(|| absent("volume"))?;
    let prefixed = volume.split_once(':').filter(|(prefix, _)| *prefix == storage);
    Ok((storage, prefixed.map_or(volume, |(_, name)| name)))
}
