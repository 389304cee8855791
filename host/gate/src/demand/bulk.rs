//! One call, many guests: each that is named, or all of them.

use super::{Demand, Fault, flag, storage, words};
use crate::request::Request;
use crate::value;

/// Starting and stopping.
pub(super) fn power(request: &Request) -> Result<Demand, Fault> {
    each(request, &["VM.PowerMgmt"])
}

/// Suspending. A node's `suspendall` always writes to disk.
pub(super) fn suspend(request: &Request) -> Result<Demand, Fault> {
    let state = storage(request, "statestorage");
    let asked = flag(request, "to-disk") || state.is_some();
    if !asked && request.method.param("to-disk").is_some() {
        return each(request, &["VM.PowerMgmt"]);
    }
    let guests = each(request, &["VM.PowerMgmt", "VM.Config.Disk"])?;
    Ok(Demand::All(vec![guests, Demand::storage("Datastore.AllocateSpace", state)]))
}

/// Moving to another node.
pub(super) fn migrate(request: &Request) -> Result<Demand, Fault> {
    let mut demands = vec![each(request, &["VM.Migrate"])?];
    if flag(request, "with-local-disks") {
        demands.push(Demand::storage("Datastore.AllocateSpace", None));
    }
    Ok(Demand::All(demands))
}

/// These privileges on each guest in `vms`, or on `/` where it names none.
fn each(request: &Request, privileges: &[&'static str]) -> Result<Demand, Fault> {
    let texts = request.params.get("vms").into_iter().flatten();
    let mut demands = Vec::new();
    for word in texts.flat_map(|text| words(text)) {
        let vmid = value::vmid(word)
            .ok_or_else(|| Fault::bad("vms", format!("{} is not a vmid", value::quote(word))))?;
        demands.extend(privileges.iter().map(|privilege| Demand::guest(privilege, vmid)));
    }
    if demands.is_empty() {
        demands.extend(privileges.iter().map(|privilege| Demand::on(privilege, "/")));
    }
    Ok(Demand::All(demands))
}
