//! `proxmox_disk`: adds, grows, moves, detaches and attaches disks of VMs and mount points of containers.

use proxmox_api::methods;
use serde_json::json;

use crate::change::{self, Change, How};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::pve::config::{Config, Edit};
use crate::pve::disks::{Disk, DiskKey, Size, free_key, unused_key};
use crate::pve::edits;
use crate::pve::guests::{self, Guest, GuestKind};
use crate::pve::ids::{NodeName, StorageId, Vmid};
use crate::tool::{Alias, Args, Argument, Hidden, Kind, Outcome, Tool, Toolset};

crate::words! {
    /// What to do.
    enum Action {
        /// A new, empty disk.
        Add = "add",
        /// More room on a disk.
        Grow = "grow",
        /// A disk on another storage.
        Move = "move",
        /// A disk that the guest no longer has; its data stays.
        Detach = "detach",
        /// A disk again, of what was detached.
        Attach = "attach",
    }
}

crate::words! {
    /// How a disk is kept in files.
    enum Format {
        /// As it is.
        Raw = "raw",
        /// With snapshots.
        Qcow2 = "qcow2",
        /// As VMware keeps it.
        Vmdk = "vmdk",
    }
}

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// What to do.
    action: Action,
    /// scsi1, mp0, unused0.
    disk: Option<DiskKey>,
    /// 32G, or +10G.
    size: Option<Size>,
    /// Storage.
    storage: Option<StorageId>,
    /// In a container.
    path: Option<MountPath>,
    /// After a move: do not keep the old volume.
    delete_source: Hidden<bool>,
    /// The key that an attached volume gets.
    to: Hidden<DiskKey>,
    /// How files keep it.
    format: Hidden<Format>,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_disk",
    title: "Guest disk",
    description: "Disks of a VM, mount points of a container. detach keeps the data as unusedN.",
    toolset: Toolset::Guests,
    aliases: &[
        Alias::of("proxmox_add_disk_vm").fixed(&[("action", "\"add\"")]),
        Alias::of("proxmox_add_mountpoint_lxc").fixed(&[("action", "\"add\"")]).renamed(&[("mp", "disk")]),
        Alias::of("proxmox_resize_disk_vm").fixed(&[("action", "\"grow\"")]),
        Alias::of("proxmox_resize_disk_lxc").fixed(&[("action", "\"grow\"")]),
        Alias::of("proxmox_move_disk_vm").fixed(&[("action", "\"move\"")]).renamed(&[("delete", "delete_source")]),
        Alias::of("proxmox_move_disk_lxc").fixed(&[("action", "\"move\"")]).renamed(&[("delete", "delete_source")]),
        Alias::of("proxmox_remove_disk_vm").fixed(&[("action", "\"detach\"")]),
        Alias::of("proxmox_remove_mountpoint_lxc").fixed(&[("action", "\"detach\"")]).renamed(&[("mp", "disk")]),
    ],
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &methods::POST_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::PUT_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::PUT_NODES_NODE_LXC_VMID_CONFIG,
        &methods::PUT_NODES_NODE_QEMU_VMID_RESIZE,
        &methods::PUT_NODES_NODE_LXC_VMID_RESIZE,
        &methods::POST_NODES_NODE_QEMU_VMID_MOVE_DISK,
        &methods::POST_NODES_NODE_LXC_VMID_MOVE_VOLUME,
        &methods::GET_NODES_NODE_QEMU_VMID_PENDING,
        &methods::GET_NODES_NODE_LXC_VMID_PENDING,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    run,
    resume: Some(edits::resume),
    ..Tool::PLAIN
};

/// Where a container mounts a volume: an absolute path without tricks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MountPath(String);

impl Argument for MountPath {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "an absolute path in the container such as /srv/data, without commas";

    fn read(value: &serde_json::Value) -> Option<Self> {
        let text = value.as_str()?;
        let plain = |c: char| !c.is_control() && !c.is_whitespace() && !",=\\\"'".contains(c);
        let parts = || text.split('/').skip(1);
        let valid = text.starts_with('/')
            && (2..=200).contains(&text.len())
            && text.chars().all(plain)
            && !parts().any(|part| part.is_empty() || part == "." || part == "..");
        valid.then(|| MountPath(text.to_owned()))
    }
}

/// What one action works with.
struct Work<'a> {
    cx: &'a Cx<'a>,
    params: &'a Params,
    guest: &'a Guest,
    config: &'a Config,
}

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    params.complete()?;
    let guest = guests::locate(cx, params.vmid, params.node.get())?;
    let config = Config::fetch(cx, &guest)?;
    let work = Work { cx, params: &params, guest: &guest, config: &config };
    match (params.action, &params.disk) {
        (Action::Add, _) => work.add(),
        (Action::Grow, Some(key)) => work.grow(&work.own(key)?),
        (Action::Move, Some(key)) => work.relocate(&work.own(key)?),
        (Action::Detach, Some(key)) => work.detach(&work.own(key)?),
        (Action::Attach, Some(key)) => work.attach(&work.own(key)?),
        (_, None) => Err(Error::Defect("a disk without its key".to_owned())),
    }
}

impl Params {
    /// Refuses what cannot be meant, before anything is looked up.
    fn complete(&self) -> Result<(), Error> {
        let word = self.action.word();
        let missing = |name: &str, such: &str| Some(format!("`{name}` is missing: `{word}` needs {such}."));
        let unused = self.disk.as_ref().is_some_and(DiskKey::is_unused);
        let size = self.size;
        let problem = match self.action {
            Action::Add if size.is_none() => missing("size", "the size of the new disk, such as 32G"),
            Action::Add if size.is_some_and(|size| size.more) => {
                Some("`size` of a new disk is its whole size, such as 32G, without a plus.".to_owned())
            }
            Action::Add if unused => Some("`unusedN` is made by detaching; a new disk is scsi1 or mp0, say.".to_owned()),
            Action::Add => None,
            _ if self.disk.is_none() => missing("disk", "the key of a disk, such as scsi0, rootfs, mp0 or unused0"),
            Action::Grow if size.is_none() => missing("size", "the new size such as 64G, or how much more such as +10G"),
            Action::Grow if size.is_some_and(|size| size.bare) => {
                Some("`size` needs its unit here: 64G for the new size, or +10G for 10 GiB more.".to_owned())
            }
            Action::Move if self.storage.is_none() => missing("storage", "the storage to move the disk to"),
            Action::Attach if !unused => {
                Some("`disk` has to be an unused volume such as unused0; `add` makes a new disk.".to_owned())
            }
            Action::Grow | Action::Detach if unused => {
                Some("an unused volume can be attached (`action` = `attach`), moved or destroyed (`proxmox_remove_disk`).".to_owned())
            }
            _ => None,
        };
        problem.map_or(Ok(()), |text| Err(Error::Arguments(text)))
    }

    fn how(&self) -> How {
        How { wait: self.wait, dry_run: self.dry_run }
    }
}

impl Work<'_> {
    /// A disk of the guest that holds data of its own.
    fn own(&self, key: &DiskKey) -> Result<Disk, Error> {
        let disk = Disk::of(self.config, self.guest, key)?;
        if disk.is_drive() {
            return Err(Error::Arguments(format!(
                "`{key}` of {} is a CD or cloud-init drive ({}), not a disk; `proxmox_configure` sets and resets it.",
                self.guest,
                foreign::code(disk.volume(), 80)
            )));
        }
        Ok(disk)
    }

    fn change(&self, icon: &str, key: impl std::fmt::Display) -> Change {
        Change::new(format!("{icon} Disk `{key}` of {}", self.guest)).guest(self.guest)
    }

    fn add(&self) -> Result<Outcome, Error> {
        let size = self.params.size.ok_or_else(|| Error::Defect("a disk without a size".to_owned()))?;
        let key = self.new_key(self.params.disk.as_ref())?;
        let storage = self.storage()?;
        let mut text = format!("{storage}:{}", size.gib());
        if let Some(format) = self.params.format.get() {
            if self.guest.kind == GuestKind::Container {
                return Err(Error::Arguments("`format` is for disks of VMs; leave it out for a container.".to_owned()));
            }
            text += &format!(",format={}", format.word());
        }
        text += &self.mount(&key)?;
        let change = self
            .change("💽", &key)
            .fact("Size", size)
            .fact("Storage", &storage)
            // A disk that a running VM has cannot be destroyed at once.
            .undo("proxmox_disk", self.detaching(&key));
        let change = self.mounted(change);
        self.make(&self.config.edit().set(key.as_str(), text), change)
    }

    fn detaching(&self, key: &DiskKey) -> serde_json::Value {
        json!({"vmid": self.guest.vmid.number(), "action": "detach", "disk": key.as_str()})
    }

    fn attach(&self, unused: &Disk) -> Result<Outcome, Error> {
        let key = self.new_key(self.params.to.get())?;
        let text = format!("{}{}", unused.volume(), self.mount(&key)?);
        let change = self
            .change("💽", &key)
            .fact("Volume", foreign::code(unused.volume(), 120))
            .undo("proxmox_disk", self.detaching(&key));
        let change = self.mounted(change);
        self.make(&self.config.edit().set(key.as_str(), text), change)
    }

    /// Sends an edit that may take a while: for VMs as a task.
    fn make(&self, edit: &Edit<'_>, change: Change) -> Result<Outcome, Error> {
        let call = match self.guest.kind {
            GuestKind::Container => edit.call(self.guest),
            GuestKind::Vm => edit.call_as_task(self.guest),
        };
        let keys = edit.keys().map(str::to_owned).collect();
        edits::send(self.cx, self.guest, self.config, call, keys, change, self.params.how())
    }

    /// The key for a new disk: the one that is named, if it is free, or the first free one.
    fn new_key(&self, named: Option<&DiskKey>) -> Result<DiskKey, Error> {
        let Some(key) = named else { return free_key(self.config, self.guest) };
        key.suits(self.guest)?;
        match self.config.text(key.as_str()) {
            None if !key.is_unused() => Ok(key.clone()),
            None => Err(Error::Arguments("a disk in use cannot be called `unusedN`; name scsi1 or mp0, say.".to_owned())),
            Some(taken) => Err(Error::Arguments(format!(
                "{} has a `{key}` already ({}). Leave the key out to take the first free one.",
                self.guest,
                foreign::code(&taken, 120)
            ))),
        }
    }

    /// The storage for a new disk: the one that is named, or that of the first disk.
    fn storage(&self) -> Result<StorageId, Error> {
        let own = || Disk::all(self.config).filter(|disk| !disk.is_drive()).find_map(|disk| disk.storage());
        self.params.storage.clone().or_else(own).ok_or_else(|| {
            Error::Arguments("`storage` is missing: name the storage for the new disk; `proxmox_get_storage` lists them.".to_owned())
        })
    }

    /// The option that says where a container mounts it; nothing for a VM.
    fn mount(&self, key: &DiskKey) -> Result<String, Error> {
        match (self.guest.kind, &self.params.path) {
            (GuestKind::Vm, None) => Ok(String::new()),
            (GuestKind::Container, Some(path)) => Ok(format!(",mp={}", path.0)),
            (GuestKind::Vm, Some(_)) => Err(Error::Arguments(format!(
                "{} is a VM: it mounts its disks itself, so leave `path` out.",
                self.guest
            ))),
            (GuestKind::Container, None) => Err(Error::Arguments(format!(
                "`path` is missing: say where the container is to mount `{key}`, such as `path` = `/mnt/{key}`."
            ))),
        }
    }

    fn mounted(&self, change: Change) -> Change {
        match &self.params.path {
            Some(path) => change.fact("Mounted at", foreign::code(&path.0, 200)),
            None => change,
        }
    }

    fn grow(&self, disk: &Disk) -> Result<Outcome, Error> {
        let size = self.params.size.ok_or_else(|| Error::Defect("growing without a size".to_owned()))?;
        let change = self.change("📈", &disk.key).fact("Size", size).before("size", disk.size());
        match disk.bytes().filter(|_| !size.more) {
            Some(now) if now == size.bytes() => return Ok(change.unchanged()),
            Some(now) if now > size.bytes() => {
                return Err(Error::Arguments(format!(
                    "`{}` of {} has {} already and cannot be made smaller: the data at its end would be lost. Give a larger \
                     `size`, or +10G for 10 GiB more.",
                    disk.key,
                    self.guest,
                    disk.size()
                )));
            }
            _ => {}
        }
        edits::unlocked(self.guest, self.config)?;
        let call = self
            .guest
            .call(&methods::PUT_NODES_NODE_QEMU_VMID_RESIZE, &methods::PUT_NODES_NODE_LXC_VMID_RESIZE)
            .with("disk", disk.key.as_str())
            .with("size", size.to_string())
            .with_some("digest", self.config.digest());
        let then = match self.guest.kind {
            GuestKind::Vm => "A disk cannot be made smaller again. The partition and file system in it have to be grown inside the VM.",
            GuestKind::Container => "A volume cannot be made smaller again. Its file system grows along.",
        };
        change.warning(then).make(self.cx, call, self.params.how())
    }

    fn relocate(&self, disk: &Disk) -> Result<Outcome, Error> {
        let storage = self.params.storage.as_ref().ok_or_else(|| Error::Defect("a move to nowhere".to_owned()))?;
        let from = disk.storage().ok_or_else(|| {
            Error::Arguments(format!("`{}` is a directory or device of the node; it is on no storage and cannot be moved.", disk.key))
        })?;
        let change = self.change("🚚", &disk.key).fact("To", storage).before("storage", &from);
        if from == *storage && self.params.format.get().is_none() {
            return Ok(change.unchanged());
        }
        edits::unlocked(self.guest, self.config)?;
        if self.guest.kind == GuestKind::Container && guests::live(self.cx, self.guest)?.is_running() {
            return Err(Error::Failed(format!(
                "{} is running: volumes of a container are moved only while it is off. Shut it down first, then move, then \
                 start it.",
                self.guest
            )));
        }
        let delete = self.params.delete_source.get().copied().unwrap_or(true);
        let change = change.fact("Old volume", if delete { "deleted after the copy" } else { "kept as unusedN" });
        let change = match self.config.text("parent") {
            Some(_) if delete => change.warning(
                "The guest has snapshots: where they are kept in the disk itself, Proxmox VE refuses to delete the old volume. Then \
                 delete the snapshots first, or move with `delete_source` = false.",
            ),
            _ => change,
        };
        let back = json!({"vmid": self.guest.vmid.number(), "action": "move", "disk": disk.key.as_str(), "storage": from.as_str()});
        change.undo("proxmox_disk", back).make(self.cx, self.move_call(disk, storage, delete)?, self.params.how())
    }

    fn move_call(&self, disk: &Disk, storage: &StorageId, delete: bool) -> Result<Call, Error> {
        let (name, format) = match (self.guest.kind, self.params.format.get()) {
            (GuestKind::Vm, format) => ("disk", format),
            (GuestKind::Container, None) => ("volume", None),
            (GuestKind::Container, Some(_)) => {
                return Err(Error::Arguments("`format` is for disks of VMs; leave it out for a container.".to_owned()));
            }
        };
        Ok(self
            .guest
            .call(&methods::POST_NODES_NODE_QEMU_VMID_MOVE_DISK, &methods::POST_NODES_NODE_LXC_VMID_MOVE_VOLUME)
            .with(name, disk.key.as_str())
            .with("storage", storage.as_str())
            .with("delete", delete)
            .with_some("format", format.map(|format| format.word()))
            .with_some("digest", self.config.digest()))
    }

    fn detach(&self, disk: &Disk) -> Result<Outcome, Error> {
        if disk.key.as_str() == "rootfs" {
            return Err(Error::Arguments(format!("{} cannot be without its `rootfs`.", self.guest)));
        }
        let kept = match disk.storage() {
            Some(_) => format!("all of it stays, as `{}`; `proxmox_remove_disk` would destroy it", unused_key(self.config)),
            None => "it is a directory or device of the node and stays there".to_owned(),
        };
        let mut change = self.change("⏏️", &disk.key).fact("Data", kept);
        let boots = self.config.text("boot").unwrap_or_default();
        if boots.split(['=', ';', ',']).any(|word| word == disk.key.as_str()) {
            change = change.warning(format!("The VM boots from `{}`; without it, it may not start.", disk.key));
        }
        let edit = self.config.edit().delete(disk.key.as_str());
        let change = edit.described(change, self.guest);
        edits::apply(self.cx, self.guest, self.config, &edit, change, self.params.how())
    }
}

#[cfg(test)]
#[path = "tests/proxmox_disk.rs"]
mod tests;
