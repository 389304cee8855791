//! `proxmox_create_backup`: backs up one guest now.

use proxmox_api::methods;
use serde_json::{Value, json};

use crate::change::{self, Change, Ended, Follow, How};
use crate::cx::Cx;
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::missing::Missing;
use crate::pve::backups;
use crate::pve::guests::{self, Guest};
use crate::pve::ids::{NodeName, StorageId, Vmid, Volume};
use crate::pve::quirks::Quirk;
use crate::pve::resources::{self, Resource};
use crate::pve::volumes::{self, Place, Want};
use crate::text;
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset};

/// The longest notes, in characters after escaping.
const LONGEST_NOTES: usize = 1024;

crate::words! {
    /// What happens to a running guest meanwhile.
    enum Mode {
        /// It runs on.
        Snapshot = "snapshot",
        /// It is paused for a while.
        Suspend = "suspend",
        /// It is shut down and started again.
        Stop = "stop",
    }
}

crate::words! {
    /// How the backup is compressed.
    enum Compress {
        /// Fast and small.
        Zstd = "zstd",
        /// Slow.
        Gzip = "gzip",
        /// Fast and large.
        Lzo = "lzo",
        /// Not at all.
        None = "none",
    }
}

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Where to.
    storage: Option<StorageId>,
    /// Mode.
    mode: Hidden<Mode>,
    /// Compression.
    compress: Hidden<Compress>,
    /// Notes.
    notes: Option<String>,
    /// Protected.
    protected: Hidden<bool>,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_create_backup",
    title: "Back up guest",
    description: "Backs up a VM or container now.",
    toolset: Toolset::Backups,
    aliases: &[Alias::of("proxmox_create_backup_vm"), Alias::of("proxmox_create_backup_lxc")],
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::POST_NODES_NODE_VZDUMP,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
        &methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT,
    ],
    run,
    resume: Some(resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let mode = params.mode.get().copied().unwrap_or(Mode::Snapshot);
    let protected = params.protected.get() == Some(&true);
    let notes = params.notes.as_deref().map(template).transpose()?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    let guest = guests::find(&rows, params.vmid, params.node.get())?;
    let row = rows.iter().find(|row| row.is_guest() && row.guest_id() == Some(guest.vmid));
    if let Some(lock) = row.map(|row| &*row.lock).filter(|lock| !lock.is_empty()) {
        let lock = foreign::words(lock, 40);
        return Err(Error::Failed(format!("{guest} is locked ({lock}). {}", Quirk::Locked.advice())));
    }
    let (place, why) = target(&rows, &guest, params.storage.as_ref())?;
    let compress = params.compress.get().copied().unwrap_or(Compress::Zstd);
    let call = crate::cx::Call::of(&methods::POST_NODES_NODE_VZDUMP)
        .at("node", &guest.node)
        .with("vmid", guest.vmid.number())
        .with("storage", place.storage.as_str())
        .with("mode", mode.word())
        .with("compress", if compress == Compress::None { "0" } else { compress.word() })
        // Else the retention of the storage would delete older backups on the way.
        .with("remove", false)
        .with_some("notes-template", notes)
        .with_some("protected", protected.then_some(true));
    let mut change = Change::new(format!("💾 Backup of {guest}"))
        .guest(&guest)
        .fact("Storage", format_args!("{place}{why}"))
        .fact("Mode", mode.word())
        .fact("Compression", compress.word())
        .extra(json!({"storage": place.storage.as_str(), "shared": place.shared}));
    if protected {
        change = change.fact("Protected", "yes");
    }
    if row.is_some_and(|row| &*row.status == "running") {
        change = match mode {
            Mode::Snapshot => change,
            Mode::Suspend => change.warning("The guest is paused while the backup begins."),
            Mode::Stop => change.warning("The guest is shut down for the backup, and started again."),
        };
    }
    change.make(cx, call, How { wait: params.wait, dry_run: params.dry_run })
}

/// The storage to use, and why it was chosen.
fn target(
    rows: &[Resource<'_>],
    guest: &Guest,
    wanted: Option<&StorageId>,
) -> Result<(Place, &'static str), Error> {
    let mut missing = Missing::new();
    let want = Want { content: Some("backup"), storage: wanted, node: Some(&guest.node), vmid: None };
    let places = volumes::places(rows, want, &mut missing)?;
    let shared: Vec<&Place> = places.iter().filter(|place| place.shared).collect();
    let chosen = match (wanted, places.as_slice(), shared.as_slice()) {
        (Some(_), [place], _) => Some((place, "")),
        (None, [place], _) => Some((place, " (the only one for backups)")),
        (None, _, [place]) => Some((*place, " (the only shared one for backups)")),
        _ => None,
    };
    if let Some((place, why)) = chosen {
        return Ok((place.clone(), why));
    }
    let down = if missing.is_empty() { String::new() } else { format!("\n{}", missing.lines()) };
    let node = &guest.node;
    Err(match (wanted, places.is_empty()) {
        (Some(storage), _) => {
            Error::Failed(format!("Storage `{storage}` cannot be used on `{node}` now.{down}"))
        }
        (None, true) => Error::Failed(format!("No storage on `{node}` takes backups now.{down}")),
        (None, false) => {
            let names: Vec<String> = places.iter().map(|place| format!("`{}`", place.storage)).collect();
            Error::Arguments(format!(
                "`storage` is needed: several storages on `{node}` take backups: {}.",
                names.join(", ")
            ))
        }
    })
}

/// Notes as Proxmox's template has them: backslashes and line ends are escaped. `{{guestname}}`, `{{node}}`,
/// `{{cluster}}` and `{{vmid}}` are filled in by Proxmox.
fn template(notes: &str) -> Result<String, Error> {
    let escaped = notes.replace('\\', r"\\").replace('\n', r"\n");
    let length = escaped.chars().count();
    if length > LONGEST_NOTES {
        return Err(Error::Arguments(format!(
            "`notes` is too long: {length} characters; it takes {LONGEST_NOTES}."
        )));
    }
    Ok(escaped)
}

fn resume(cx: &Cx<'_>, state: &Value) -> Result<Outcome, Error> {
    match change::follow(cx, state)? {
        Follow::Waits(Outcome::Pending(mut pending)) => {
            backups::progress(cx, state, &mut pending);
            Ok(Outcome::Pending(pending))
        }
        Follow::Waits(done) => Ok(done),
        Follow::Ended(ended) => Ok(found(cx, *ended).done()),
    }
}

/// With what was made, if it can be seen.
fn found(cx: &Cx<'_>, ended: Ended) -> Ended {
    let Ended { change, upid } = ended;
    let kept = change.kept();
    let shared = kept.get("shared").and_then(Value::as_bool).unwrap_or_default();
    let storage = kept.get("storage").and_then(Value::as_str).and_then(StorageId::parse);
    let vmid = upid.id().parse().ok().and_then(Vmid::new);
    let (Some(storage), Some(vmid)) = (storage, vmid) else { return Ended { change, upid } };
    let mut place = Place { storage, node: upid.node().clone(), shared, other: None };
    let want = Want { content: Some("backup"), vmid: Some(vmid), ..Want::default() };
    let reply = volumes::ask(cx, std::slice::from_mut(&mut place), want).pop().and_then(Result::ok);
    let items = reply.as_ref().and_then(|reply| volumes::items(reply).ok()).unwrap_or_default();
    // Older ones are not it: a backup bears the time of its task or a later one.
    let since = upid.as_str().split(':').nth(4).and_then(|hex| u64::from_str_radix(hex, 16).ok());
    let newest = items.iter().filter(|item| since.is_some_and(|since| item.made() >= since));
    let made = newest.max_by_key(|item| item.made()).and_then(|item| Some((Volume::parse(&item.volid)?, item)));
    let Some((volume, item)) = made else { return Ended { change, upid } };
    let node = (!place.shared).then_some(place.node.as_str());
    let undo = Data::new().always("volume", volume.as_str()).known("node", node);
    let mut change = change.fact("Volume", format_args!("`{volume}`")).undo("proxmox_delete_volume", undo);
    if let Some(bytes) = item.size.value() {
        change = change.fact("Size", text::bytes(bytes));
    }
    Ended { change, upid }
}

#[cfg(test)]
#[path = "tests/proxmox_create_backup.rs"]
mod tests;
