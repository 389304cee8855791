//! `proxmox_restore_backup`: makes a guest of a backup, a new one or in the place of one that is there.

use proxmox_api::methods;
use serde_json::{Value, json};

use crate::change::{self, Change, Follow, How};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::missing::Missing;
use crate::pve::backups::{self, Archive};
use crate::pve::config::{Config, properties};
use crate::dates::moment;
use crate::pve::guests::{self, Guest, GuestKind};
use crate::pve::ids::{NodeName, StorageId, Vmid, Volume};
use crate::pve::nodes;
use crate::pve::quirks::Quirk;
use crate::pve::resources::{self, Resource};
use crate::pve::volumes::{self, Item, Place, Want};
use crate::text;
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset};

/// How many other backups of the same guest an error names.
const NAMED: usize = 3;
/// How many disks a report names.
const DISKS: usize = 12;

crate::params! {
    /// Archive.
    archive: Volume,
    /// Guest id.
    vmid: Vmid,
    /// For the disks.
    storage: Option<StorageId>,
    /// Node for a new guest.
    node: Option<NodeName>,
    /// Overwrite.
    overwrite: bool = false,
    /// New MAC addresses.
    unique: Hidden<bool>,
    /// Start.
    start: Hidden<bool>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_restore_backup",
    title: "Restore backup",
    description: "Makes a guest of a backup; with overwrite, over guest vmid.",
    toolset: Toolset::Backups,
    aliases: &[Alias::of("proxmox_restore_backup_vm"), Alias::of("proxmox_restore_backup_lxc")],
    params: PARAMS,
    unlisted: &["node"],
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT,
        &methods::GET_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_CONFIG,
        &methods::POST_NODES_NODE_QEMU,
        &methods::POST_NODES_NODE_LXC,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    destructive: true,
    run,
    resume: Some(resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let archive = Archive::of(params.archive.clone())?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    let old = replaced(&rows, &params, &archive)?;
    let on = old.as_ref().map(|guest| &guest.node).or(params.node.as_ref());
    let (place, found) = look(cx, &rows, &archive, on)?;
    let node = node(&rows, on, &place)?;
    if let Some(storage) = &params.storage {
        takes_disks(&rows, storage, &node, archive.kind)?;
    }
    let lost = old.as_ref().map(|guest| Lost::of(cx, guest)).transpose()?;
    let call = call(&params, &archive, &node, old.is_some());
    let mut change = described(&params, &archive, &node, &found, old.as_ref());
    change = match (&old, lost) {
        (Some(guest), Some(lost)) => lost.said(change, guest, found.made_at),
        _ => change.undo("proxmox_delete", json!({"vmid": params.vmid.number()})),
    };
    if params.unique.get() != Some(&true) && archive.vmid != params.vmid && guests::find(&rows, archive.vmid, None).is_ok() {
        change = change.warning(format!(
            "Guest {} is still there and has the same MAC addresses and network settings; `unique` = true makes new \
             MAC addresses.",
            archive.vmid
        ));
    }
    change.make(cx, call, How { wait: params.wait, dry_run: params.dry_run })
}

/// The guest whose place is taken; nothing for a new one.
fn replaced(rows: &[Resource<'_>], params: &Params, archive: &Archive) -> Result<Option<Guest>, Error> {
    let Some(row) = rows.iter().find(|row| row.is_guest() && row.guest_id() == Some(params.vmid)) else {
        return Ok(None);
    };
    let guest = guests::find(rows, params.vmid, params.node.as_ref())?;
    if !params.overwrite {
        return Err(Error::Arguments(format!(
            "There is a guest {guest} already. Give a `vmid` that is free (`proxmox_get_next_vmid`), or `overwrite` = \
             true to replace it, with the loss of what it holds now."
        )));
    }
    if guest.kind != archive.kind {
        return Err(Error::Arguments(format!(
            "{guest} is a {}, and the backup is one of a {}; it can only replace a guest of its own kind. Give another \
             `vmid`.",
            guest.kind.noun(),
            archive.kind.noun()
        )));
    }
    if guest.template {
        return Err(Error::Failed(format!("{guest} is a template, which others may hang on; it is not replaced.")));
    }
    if &*row.status == "running" {
        return Err(Error::Failed(format!(
            "{guest} is running, and a running guest cannot be replaced. Shut it down first, or restore to another \
             `vmid`."
        )));
    }
    Ok(Some(guest))
}

/// What is known of the backup.
struct Found {
    made_at: Option<u64>,
    bytes: Option<f64>,
    notes: String,
}

/// Looks whether the backup is there, and where.
fn look(
    cx: &Cx<'_>,
    rows: &[Resource<'_>],
    archive: &Archive,
    on: Option<&NodeName>,
) -> Result<(Place, Found), Error> {
    let mut missing = Missing::new();
    let storage = archive.volume.storage();
    let want = Want { content: Some("backup"), vmid: Some(archive.vmid), storage: Some(storage), node: on };
    let mut places = volumes::places(rows, want, &mut missing)?;
    let replies = volumes::ask(cx, &mut places, want);
    let answers = volumes::answered(places, replies, &mut missing)?;
    let mut all: Vec<(&Place, Item<'_>)> = Vec::new();
    for (place, reply) in &answers {
        all.extend(volumes::items(reply)?.into_iter().map(|item| (place, item)));
    }
    if let Some((place, item)) = all.iter().find(|(_, item)| *item.volid == *archive.volume.as_str()) {
        let found = Found {
            made_at: item.ctime.whole(),
            bytes: item.size.value(),
            notes: foreign::words(&item.notes, 100),
        };
        return Ok(((*place).clone(), found));
    }
    all.sort_by_key(|(_, item)| std::cmp::Reverse(item.made()));
    let others: Vec<String> = all.iter().take(NAMED).map(|(_, item)| volumes::shown(&item.volid)).collect();
    let others = match others.as_slice() {
        [] => format!("`proxmox_list_backups` with `vmid` = {} lists what there is.", archive.vmid),
        some => format!("The newest of guest {} there: {}.", archive.vmid, some.join(", ")),
    };
    let unseen = if missing.is_empty() { String::new() } else { format!("\n{}", missing.lines()) };
    Err(Error::NotFound(format!("There is no backup `{}`. {others}{unseen}", archive.volume)))
}

/// The node to restore on: the one that is given, that of a local backup, or the only one.
fn node(rows: &[Resource<'_>], on: Option<&NodeName>, place: &Place) -> Result<NodeName, Error> {
    match on {
        Some(node) => Ok(node.clone()),
        None if !place.shared => Ok(place.node.clone()),
        None => nodes::choose(rows, None).map(|(node, _)| node),
    }
}

fn takes_disks(
    rows: &[Resource<'_>],
    storage: &StorageId,
    node: &NodeName,
    kind: GuestKind,
) -> Result<(), Error> {
    let content = match kind {
        GuestKind::Vm => "images",
        GuestKind::Container => "rootdir",
    };
    let mut missing = Missing::new();
    let want = Want { content: Some(content), storage: Some(storage), node: Some(node), vmid: None };
    match volumes::places(rows, want, &mut missing)?.is_empty() {
        false => Ok(()),
        true => {
            Err(Error::Failed(format!("Storage `{storage}` cannot be used on `{node}` now.\n{}", missing.lines())))
        }
    }
}

fn call(params: &Params, archive: &Archive, node: &NodeName, replaces: bool) -> Call {
    let (method, name) = match archive.kind {
        GuestKind::Vm => (&methods::POST_NODES_NODE_QEMU, "archive"),
        GuestKind::Container => (&methods::POST_NODES_NODE_LXC, "ostemplate"),
    };
    Call::of(method)
        .at("node", node)
        .with("vmid", params.vmid.number())
        .with(name, archive.volume.as_str())
        .with_some("restore", (archive.kind == GuestKind::Container).then_some(true))
        .with_some("storage", params.storage.as_ref().map(StorageId::as_str))
        .with_some("force", replaces.then_some(true))
        .with_some("unique", params.unique.get().copied())
        .with_some("start", params.start.get().copied())
}

fn described(
    params: &Params,
    archive: &Archive,
    node: &NodeName,
    found: &Found,
    old: Option<&Guest>,
) -> Change {
    let title = match old {
        Some(guest) => format!("♻️ Restore over {guest}"),
        None => format!("♻️ Restore as guest {}", params.vmid),
    };
    let mut change = Change::new(title);
    change = match old {
        Some(guest) => change.guest(guest),
        None => change.node(node).fact("Type", archive.kind),
    };
    change = change.fact("Backup", format_args!("`{}`", archive.volume));
    if let Some(made) = found.made_at {
        change = change.fact("Made", moment(made));
    }
    if let Some(bytes) = found.bytes {
        change = change.fact("Backup size", text::bytes(bytes));
    }
    if !found.notes.is_empty() {
        change = change.fact("Notes", &found.notes);
    }
    let storage = params.storage.as_ref().map_or("as in the backup", StorageId::as_str);
    change.fact("Storage", storage).fact("Start", if params.start.get() == Some(&true) { "yes" } else { "no" })
}

/// What a guest holds that is replaced.
struct Lost {
    disks: Vec<String>,
}

impl Lost {
    /// Looks at the guest's configuration.
    ///
    /// # Errors
    /// [`Error::Failed`] if the guest is protected or locked.
    fn of(cx: &Cx<'_>, guest: &Guest) -> Result<Lost, Error> {
        let config = Config::fetch(cx, guest)?;
        if config.is_protected() {
            return Err(Error::Failed(format!(
                "{guest} is protected, so it is not replaced. Restore to another `vmid`, or turn its protection off \
                 first."
            )));
        }
        if let Some(lock) = config.lock() {
            return Err(Error::Failed(format!("{guest} is locked ({lock}). {}", Quirk::Locked.advice())));
        }
        let disks = config.entries().filter_map(|(key, value)| disk(key, value.as_str()?)).collect();
        Ok(Lost { disks })
    }

    fn said(self, mut change: Change, guest: &Guest, made_at: Option<u64>) -> Change {
        let more = self.disks.len().saturating_sub(DISKS);
        for disk in self.disks.into_iter().take(DISKS) {
            change = change.loses(format!("What is on {disk} now."));
        }
        if more > 0 {
            change = change.loses(format!("What is on {more} more disks now."));
        }
        let since = made_at.map(|made| format!(" since {}", moment(made))).unwrap_or_default();
        change.loses(format!("All changes of the configuration{since}, and the snapshots.")).warning(format!(
            "`proxmox_create_backup` with `vmid` = {} would keep the present state.",
            guest.vmid
        ))
    }
}

/// A disk of a configuration as text; nothing for other keys and for drives.
fn disk(key: &str, value: &str) -> Option<String> {
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_disk =
        matches!(stem, "scsi" | "virtio" | "sata" | "ide" | "efidisk" | "tpmstate" | "rootfs" | "mp");
    let parts = properties(value);
    let option = |name: &str| parts.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    if !is_disk || option("media") == Some("cdrom") {
        return None;
    }
    let volume = option("").or(option("file")).or(option("volume"))?;
    let size = option("size").map(|size| format!(", {}", foreign::words(size, 12))).unwrap_or_default();
    Some(format!("{key} ({}{size})", volumes::shown(volume)))
}

fn resume(cx: &Cx<'_>, state: &Value) -> Result<Outcome, Error> {
    match change::follow(cx, state)? {
        Follow::Waits(Outcome::Pending(mut pending)) => {
            backups::progress(cx, state, &mut pending);
            Ok(Outcome::Pending(pending))
        }
        Follow::Waits(done) => Ok(done),
        Follow::Ended(ended) => Ok(ended.done()),
    }
}

#[cfg(test)]
#[path = "tests/proxmox_restore_backup.rs"]
mod tests;
