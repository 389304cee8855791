//! `proxmox_delete`: deletes a guest with its disks.

use proxmox_api::methods;
use serde_json::Value;

use crate::change::{self, Change, Follow, How};
use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::pve::config::Config;
use crate::pve::disks::Disk;
use crate::pve::edits;
use crate::pve::guests::{self, Guest, Live};
use crate::pve::ids::{NodeName, StorageId, Vmid};
use crate::pve::power::Action;
use crate::text;
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset};

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// The guest's name, as a check.
    confirm: Option<String>,
    /// Take it out of jobs too.
    purge: Option<bool>,
    /// Stop it first if it runs.
    force: Option<bool>,
    /// Delete disks that its configuration does not name too, if their names say that they are its own.
    unreferenced_disks: Hidden<bool>,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_delete",
    title: "Delete guest",
    description: "Deletes a guest with its disks and snapshots, for good.",
    toolset: Toolset::Guests,
    aliases: &[Alias::of("proxmox_delete_vm"), Alias::of("proxmox_delete_lxc")],
    params: PARAMS,
    unlisted: &["purge"],
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_CONFIG,
        &methods::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_QEMU_VMID_SNAPSHOT,
        &methods::GET_NODES_NODE_LXC_VMID_SNAPSHOT,
        &methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT,
        &methods::POST_NODES_NODE_QEMU_VMID_STATUS_STOP,
        &methods::POST_NODES_NODE_LXC_VMID_STATUS_STOP,
        &methods::DELETE_NODES_NODE_QEMU_VMID,
        &methods::DELETE_NODES_NODE_LXC_VMID,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    destructive: true,
    run,
    resume: Some(resume),
    ..Tool::PLAIN
};

/// How many lines a list of losses has at most.
const LISTED: usize = 8;

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let mut guest = guests::locate(cx, params.vmid, params.node.get())?;
    if !guest.name.is_empty() {
        params.confirmed(&guest)?;
    }
    let snapshots =
        guest.call(&methods::GET_NODES_NODE_QEMU_VMID_SNAPSHOT, &methods::GET_NODES_NODE_LXC_VMID_SNAPSHOT);
    let [config, live, snapshots] = cx.all([Config::call(&guest), guests::live_call(&guest), snapshots]);
    let config = Config::read(config?, &guest)?;
    let live = guests::read_live(&live?, &guest)?;
    if guest.name.is_empty() {
        // Of a guest that was just made, the list does not have the name yet.
        guest.name.clone_from(&live.name);
        params.confirmed(&guest)?;
    }
    params.allowed(&guest, &config, &live)?;
    if guest.template {
        no_clones(cx, &guest, &config)?;
    }
    let how = How { wait: params.wait, dry_run: params.dry_run };
    let change = params.described(&guest, &config, snapshots);
    params.make(cx, &guest, live.is_running(), change, how)
}

/// Goes on, from the stop of a guest that ran to its deletion, and on to its end.
fn resume(cx: &Cx<'_>, state: &Value) -> Result<Outcome, Error> {
    let ended = match change::follow(cx, state)? {
        Follow::Waits(outcome) => return Ok(outcome),
        Follow::Ended(ended) => *ended,
    };
    let Some(options) = Options::from_state(ended.change.kept()) else { return Ok(ended.done()) };
    let guest = ended.change.subject().filter(|guest| ended.upid.id() == guest.vmid.to_string()).cloned();
    let bad = || Error::Arguments("This continuation is not one that this tool gave out.".to_owned());
    let call = options.call(&guest.ok_or_else(bad)?);
    ended.change.extra(Value::Null).make(cx, call, How { wait: true, dry_run: false })
}

/// How it is deleted.
#[derive(Clone, Copy)]
struct Options {
    purge: bool,
    unreferenced: bool,
}

impl Options {
    fn state(self) -> Data {
        Data::new().always("purge", self.purge).always("unreferenced", self.unreferenced)
    }

    fn from_state(state: &Value) -> Option<Options> {
        let flag = |name: &str| state.get(name)?.as_bool();
        Some(Options { purge: flag("purge")?, unreferenced: flag("unreferenced")? })
    }

    fn call(self, guest: &Guest) -> Call {
        guest
            .call(&methods::DELETE_NODES_NODE_QEMU_VMID, &methods::DELETE_NODES_NODE_LXC_VMID)
            .with_some("purge", self.purge.then_some(true))
            .with_some("destroy-unreferenced-disks", self.unreferenced.then_some(true))
    }
}

impl Params {
    fn options(&self) -> Options {
        let unreferenced = self.unreferenced_disks.or(false);
        Options { purge: self.purge.unwrap_or_default(), unreferenced }
    }

    /// Refuses another name than the guest's.
    fn confirmed(&self, guest: &Guest) -> Result<(), Error> {
        let name = if guest.name.is_empty() { guest.vmid.to_string() } else { guest.name.clone() };
        match &self.confirm {
            Some(given) if *given != name => Err(Error::Arguments(format!(
                "`confirm` is {}, but guest {} is called “{}”. Nothing was sent.",
                foreign::code(given, 80),
                guest.vmid,
                foreign::name(&name)
            ))),
            _ => Ok(()),
        }
    }

    fn allowed(&self, guest: &Guest, config: &Config, live: &Live) -> Result<(), Error> {
        let no = |why: &str| Err(Error::Failed(format!("{guest} {why} Nothing was sent.")));
        if config.is_protected() {
            return no("is protected against being deleted. Whoever is sure turns `protection` off first \
                       (`proxmox_configure`).");
        }
        if live.managed {
            return no("is looked after by the HA manager. Take it out of HA first (`proxmox_ha`, or \
                       `ha-manager remove`).");
        }
        if !live.is_hibernated() {
            edits::unlocked(guest, config)?;
        }
        match (live.is_running(), self.force.unwrap_or_default(), self.wait || self.dry_run) {
            (true, false, _) => {
                no("is running. Shut it down first (`proxmox_power`), or give `force: true` to stop it hard.")
            }
            (true, true, false) => {
                no("is running, and is only deleted once it has stopped: leave `wait` out, or stop it first.")
            }
            _ => Ok(()),
        }
    }

    fn described(&self, guest: &Guest, config: &Config, snapshots: Result<Value, Error>) -> Change {
        let mut change = Change::new(format!("🗑️ Delete {guest}")).guest(guest).fact("Backups", "kept");
        let jobs = if self.options().purge { "the guest is taken out of them" } else { "go on naming it; `purge` takes it out" };
        change = change.fact("Backup and replication jobs", jobs);
        let disks: Vec<Disk> = Disk::all(config).filter(|disk| !disk.is_drive() && disk.storage().is_some()).collect();
        for disk in disks.iter().take(LISTED) {
            let volume = foreign::name(disk.volume());
            change = change.loses(format!("Disk {}: {}, {volume}.", disk.key, disk.size()));
        }
        if disks.len() > LISTED {
            change = change.loses(format!("{} more.", text::count(disks.len() - LISTED, "disk")));
        }
        if self.options().unreferenced {
            change = change.loses("Every other disk whose name says that it is this guest's.");
        }
        match snapshots.map(|list| names(&list)) {
            Ok(names) if names.is_empty() => change,
            Ok(names) => {
                let first: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
                let count = text::count(names.len(), "snapshot");
                change.loses(format!("{count}: {}{}.", first.join(", "), if names.len() > LISTED { ", ..." } else { "" }))
            }
            Err(error) => change.warning(format!("Whether it has snapshots is not known: {}.", error.brief())),
        }
    }

    fn make(&self, cx: &Cx<'_>, guest: &Guest, running: bool, change: Change, how: How) -> Result<Outcome, Error> {
        let delete = self.options().call(guest);
        if !running {
            return change.make(cx, delete, how);
        }
        let stop = Action::Stop.call(guest)?;
        if how.dry_run {
            return change.plan(cx, &[stop, delete]);
        }
        change.extra(self.options().state()).make(cx, stop, how)
    }
}

/// The names of snapshots; the present state is not one.
fn names(list: &Value) -> Vec<String> {
    let names = list.as_array().into_iter().flatten().filter_map(|row| row.get("name")?.as_str());
    names.filter(|name| *name != "current").map(foreign::name).collect()
}

/// Refuses a template that others stand on, as far as its storages show it.
fn no_clones(cx: &Cx<'_>, guest: &Guest, config: &Config) -> Result<(), Error> {
    let mut storages: Vec<StorageId> = Disk::all(config).filter_map(|disk| disk.storage()).collect();
    storages.sort_unstable();
    storages.dedup();
    let call = |storage: &StorageId| {
        Call::of(&methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT).at("node", &guest.node).at("storage", storage)
    };
    let lists = cx.replies(storages.iter().map(call).collect());
    // What cannot be looked at is left to Proxmox VE, which refuses in the task.
    let rows: Vec<Value> = lists.into_iter().filter_map(|list| list.ok()?.data().ok()).collect();
    let rows = rows.iter().filter_map(Value::as_array).flatten();
    let mut clones: Vec<u64> = rows.filter(|row| stands_on(row, guest.vmid)).filter_map(owner).collect();
    clones.sort_unstable();
    clones.dedup();
    if clones.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = clones.iter().take(LISTED).map(ToString::to_string).collect();
    Err(Error::Failed(format!(
        "{guest} is the template of {}, which are linked to its disks: {}{}. Delete or fully copy them first. Nothing was \
         sent.",
        text::count(clones.len(), "guest"),
        named.join(", "),
        if clones.len() > LISTED { ", ..." } else { "" }
    )))
}

/// Whether a volume is a linked clone of this template's disk: by its `parent`, or by its own name, which
/// begins with that of the template's disk.
fn stands_on(row: &Value, template: Vmid) -> bool {
    let base = |text: &str| {
        [format!("base-{template}-"), format!("basevol-{template}-")].iter().any(|base| text.contains(base.as_str()))
    };
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
    owner(row).is_some_and(|owner| owner != u64::from(template.number())) && (base(text("parent")) || base(text("volid")))
}

/// The guest that a volume belongs to.
fn owner(row: &Value) -> Option<u64> {
    crate::pve::resources::Figure::of(row.get("vmid")).whole()
}

#[cfg(test)]
#[path = "tests/proxmox_delete.rs"]
mod tests;
