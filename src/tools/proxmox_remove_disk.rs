//! `proxmox_remove_disk`: destroys a volume of a guest.

use proxmox_api::methods;

use crate::change::{self, Change, How};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::pve::config::Config;
use crate::pve::disks::{Disk, DiskKey, unused_key};
use crate::pve::edits;
use crate::pve::guests::{self, Guest, GuestKind};
use crate::pve::ids::{NodeName, Vmid, Volume};
use crate::pve::resources::Figure;
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset};

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Disk.
    disk: DiskKey,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_remove_disk",
    title: "Destroy disk",
    description: "Destroys a guest's disk and its data.",
    toolset: Toolset::Guests,
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_CONFIG,
        &methods::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT_VOLUME,
        &methods::PUT_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::POST_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::PUT_NODES_NODE_LXC_VMID_CONFIG,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    destructive: true,
    run,
    resume: Some(change::resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let guest = guests::locate(cx, params.vmid, params.node.get())?;
    let config = Config::fetch(cx, &guest)?;
    let disk = Disk::of(&config, &guest, &params.disk)?;
    let volume = destroyable(&guest, &config, &disk)?;
    edits::unlocked(&guest, &config)?;
    if !disk.key.is_unused() && guests::live(cx, &guest)?.is_running() {
        return Err(Error::Failed(format!(
            "{guest} is running and uses `{}`, so nothing was sent. Take it off first (`proxmox_disk` with `action` = \
             `detach`), or shut the guest down.",
            disk.key
        )));
    }
    let shown = foreign::code(volume.as_str(), 200);
    let mut change = Change::new(format!("🗑️ Disk `{}` of {guest}", disk.key))
        .guest(&guest)
        .fact("Volume", &shown)
        .loses(format!("{shown} ({}) with all data on it", size(cx, &guest, &disk, &volume)));
    if config.text("parent").is_some() {
        change = change.warning(
            "The guest has snapshots. As long as one of them holds this volume, Proxmox VE does not destroy it; it stays as \
             `unusedN`.",
        );
    }
    let how = How { wait: params.wait, dry_run: params.dry_run };
    destroy(cx, &guest, &config, &disk, change, how)
}

/// The volume of a disk that may be destroyed.
fn destroyable(guest: &Guest, config: &Config, disk: &Disk) -> Result<Volume, Error> {
    let key = &disk.key;
    let no = |why: String| Err(Error::Arguments(why));
    if disk.is_drive() {
        return no(format!("`{key}` is a CD or cloud-init drive; `proxmox_configure` with `delete` takes it away."));
    }
    if key.as_str() == "rootfs" {
        return no(format!("{guest} cannot be without its `rootfs`; `proxmox_delete` destroys the whole container."));
    }
    if config.is_protected() {
        return Err(Error::Failed(format!(
            "{guest} is protected, so Proxmox VE does not let a disk of it be destroyed. If that is what is wanted, turn the \
             protection off first: `proxmox_configure` with `set` = {{\"protection\": 0}}."
        )));
    }
    let Some(volume) = Volume::parse(disk.volume()) else {
        return no(format!(
            "`{key}` is {}, which is no volume of a storage; there is nothing to destroy. `proxmox_disk` with `action` = \
             `detach` takes it off the guest.",
            foreign::code(disk.volume(), 80)
        ));
    };
    if !disk.belongs_to(guest) {
        return no(format!(
            "`{key}` is {}, which by its name belongs to another guest; Proxmox VE would not destroy it from here. \
             `proxmox_disk` with `action` = `detach` takes it off this guest.",
            foreign::code(volume.as_str(), 80)
        ));
    }
    Ok(volume)
}

/// How large a volume is: as the configuration says, or else its storage.
fn size(cx: &Cx<'_>, guest: &Guest, disk: &Disk, volume: &Volume) -> String {
    if disk.bytes().is_some() {
        return disk.size();
    }
    let call = Call::of(&methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT_VOLUME)
        .at("node", &guest.node)
        .at("storage", volume.storage())
        .at("volume", volume);
    let bytes = cx.call(call).ok().and_then(|data| Figure::of(data.get("size")).value());
    bytes.map_or_else(|| "size not known".to_owned(), text::bytes)
}

/// Detaches a disk that is in use, and destroys the volume that is kept of it.
fn destroy(
    cx: &Cx<'_>,
    guest: &Guest,
    config: &Config,
    disk: &Disk,
    change: Change,
    how: How,
) -> Result<Outcome, Error> {
    if disk.key.is_unused() {
        return change.make(cx, deletion(guest, config, disk.key.as_str()), how);
    }
    let detach = config.edit().delete(disk.key.as_str()).call(guest);
    let unused = unused_key(config);
    let then = method(guest).with("delete", unused.as_str());
    if how.dry_run {
        return change.plan(cx, &[detach, then]);
    }
    whole(cx, disk, &unused, [&detach, &then])?;
    cx.call(detach)?;
    let kept = |error: &dyn std::fmt::Display| {
        Error::Failed(format!(
            "`{}` was taken off {guest}, but its volume {} was not destroyed and stays with the guest as unusedN: {error}",
            disk.key,
            foreign::code(disk.volume(), 200)
        ))
    };
    let now = Config::fetch(cx, guest).map_err(|error| kept(&error))?;
    let unused = Disk::all(&now).find(|other| other.key.is_unused() && other.volume() == disk.volume());
    let unused = unused.ok_or_else(|| kept(&"Proxmox VE does not list it as unused."))?;
    change.make(cx, deletion(guest, &now, unused.key.as_str()), how).map_err(|error| kept(&error))
}

/// Refuses, before anything is sent, where the first change would be made and the second held up: half of it
/// is not what was asked for, and once something has changed nobody can be asked any more.
fn whole(cx: &Cx<'_>, disk: &Disk, unused: &str, [first, then]: [&Call; 2]) -> Result<(), Error> {
    let (Some(first), Some(then)) = (cx.verdict(first)?, cx.verdict(then)?) else { return Ok(()) };
    if then.allowed || !(first.allowed || first.asks) {
        return Ok(());
    }
    let why = match then.asks {
        true => format!(
            "A person has to agree to the second one, and can be asked only before anything has changed. Make two calls of \
             it: `proxmox_disk` with `action` = `detach`, then `proxmox_remove_disk` with `disk` = `{unused}`."
        ),
        false => foreign::line(&then.why, 600),
    };
    Err(Error::Failed(format!(
        "To destroy `{}` takes two changes, taking it off the guest and deleting the volume that is kept. Nothing was \
         sent. {why}",
        disk.key
    )))
}

/// The call that deletes a key; of an unused volume, with its data.
fn deletion(guest: &Guest, config: &Config, key: &str) -> Call {
    let edit = config.edit().delete(key);
    match guest.kind {
        GuestKind::Vm => edit.call_as_task(guest),
        GuestKind::Container => edit.call(guest),
    }
}

fn method(guest: &Guest) -> Call {
    guest.call(&methods::POST_NODES_NODE_QEMU_VMID_CONFIG, &methods::PUT_NODES_NODE_LXC_VMID_CONFIG)
}

#[cfg(test)]
#[path = "tests/proxmox_remove_disk.rs"]
mod tests;
