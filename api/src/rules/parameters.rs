//! Families of methods that decide by their parameters, and the parameters that are for root@pam.
//!
//! Two things hold for every family. What a request names is judged by what it names. What it leaves
//! for the server to pick (the storages of a clone's source) needs the privilege on the whole tree,
//! which covers each. What it replaces or inherits and does not name (the bridge that a network card
//! is on now, the mapped devices of a clone's source, tags that an administrator reserved) is left to
//! the server, which checks it against the API token.

use crate::{Method, Verb};

/// Methods whose parameters decide in the same way. The gate has the code of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Options of a virtual machine.
    QemuConfig,
    /// Options of a container.
    LxcConfig,
    /// Making or restoring a virtual machine.
    QemuCreate,
    /// Making or restoring a container.
    LxcCreate,
    /// Copying a guest.
    Clone,
    /// Moving a guest to another node.
    Migrate,
    /// Moving a disk to another storage or guest.
    MoveDisk,
    /// Making a disk larger.
    Resize,
    /// Detaching or deleting disks.
    Unlink,
    /// Going back to a snapshot.
    Rollback,
    /// Pausing a virtual machine, or writing its memory to disk.
    Suspend,
    /// Starting or stopping many guests.
    BulkPower,
    /// Suspending many guests.
    BulkSuspend,
    /// Moving many guests.
    BulkMigrate,
    /// Backing up guests.
    Backup,
    /// Jobs that back up guests.
    BackupJob,
    /// Deleting old backups.
    Prune,
    /// Deleting a volume.
    RemoveVolume,
    /// Notes and protection of a volume.
    ChangeVolume,
    /// Replication jobs.
    Replication,
    /// File systems on a node's disks, pools and file systems of Ceph.
    DiskSetup,
    /// Guests and storages in a pool.
    PoolMembers,
    /// Stopping a task.
    StopTask,
}

impl Family {
    /// What decides, in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Family::QemuConfig | Family::LxcConfig => {
                "each option needs its own privilege, volumes their storage or owner, bridges SDN.Use"
            }
            Family::QemuCreate | Family::LxcCreate => {
                "VM.Allocate on the vmid or pool, and what each option, storage, archive and bridge needs"
            }
            Family::Clone => {
                "VM.Clone on the source, VM.Allocate on the new vmid or pool, the storage and bridges used"
            }
            Family::Migrate => "VM.Migrate, and on the target what is written to its storages",
            Family::MoveDisk => {
                "VM.Config.Disk on both guests, Datastore.AllocateSpace on the target storage"
            }
            Family::Resize => {
                "VM.Config.Disk, and Datastore.AllocateSpace on the disk's storage, which is not named"
            }
            Family::Unlink => {
                "VM.Config.Disk, and for what is deleted Datastore.AllocateSpace on its storage"
            }
            Family::Rollback => "a snapshot privilege, and VM.PowerMgmt to start the guest afterwards",
            Family::Suspend => "VM.PowerMgmt; to disk also VM.Config.Disk and space on the state's storage",
            Family::BulkPower => "VM.PowerMgmt on each guest that is named, or on all",
            Family::BulkSuspend => {
                "VM.PowerMgmt on each guest that is named, or on all; more when it writes to disk"
            }
            Family::BulkMigrate => "VM.Migrate on each guest that is named, or on all",
            Family::Backup => {
                "VM.Backup on each guest, space on the storage, more for the limits and retention"
            }
            Family::BackupJob => "Sys.Modify on /, and what the storages and the retention need",
            Family::Prune => "Datastore.Allocate, or for one guest Datastore.AllocateSpace and VM.Backup",
            Family::RemoveVolume => {
                "a backup needs VM.Backup on its guest, any other volume Datastore.Allocate"
            }
            Family::ChangeVolume => "what access to the kind of volume needs, and never less than a change",
            Family::Replication => "VM.Replicate on the guest that the job's id begins with",
            Family::DiskSetup => "Sys.Modify on /, and Datastore.Allocate where storages are changed too",
            Family::PoolMembers => "Pool.Allocate, and the right to change permissions of each member",
            Family::StopTask => {
                "one's own task needs what it took to start it, another's Sys.Modify on the node"
            }
        }
    }
}

/// Parameters that the server takes from root@pam alone, in whatever method they occur.
const ROOT_ONLY: &[&str] = &[
    "dumpdir",
    "force-cpu",
    "job-id",
    "keepActive",
    "migratedfrom",
    "migration_network",
    "migration_type",
    "nets-host-mtu",
    "nocheck",
    "script",
    "skiplock",
    "stateuri",
    "stdout",
    "tmpdir",
    "tmpfilename",
];

/// Parameters that it takes from root@pam alone in one method, and the method.
const ROOT_ONLY_IN: &[(&str, &[&str])] = &[
    ("/nodes/{node}/qemu/{vmid}/status/start", &["machine", "targetstorage", "with-conntrack-state"]),
    ("/nodes/{node}/qemu/{vmid}/migrate", &["force"]),
    ("/nodes/{node}/termproxy", &["cmd", "cmd-opts"]),
    ("/nodes/{node}/vncshell", &["cmd", "cmd-opts"]),
    ("/nodes/{node}/spiceshell", &["cmd", "cmd-opts"]),
];

/// Whether the server takes this parameter of a change from root@pam only, and from no token.
pub fn is_root_only(method: &Method, name: &str) -> bool {
    let here = |(path, names): &(&str, &[&str])| *path == method.path && names.contains(&name);
    method.verb != Verb::Get && (ROOT_ONLY.contains(&name) || ROOT_ONLY_IN.iter().any(here))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{find, methods};

    #[test]
    fn each_name_is_a_parameter_of_some_change() {
        let changes = || methods::ALL.iter().filter(|m| m.verb != Verb::Get);
        for name in ROOT_ONLY {
            assert!(changes().any(|m| m.param(name).is_some()), "{name}");
        }
        for (path, names) in ROOT_ONLY_IN {
            let method = find(Verb::Post, path).unwrap();
            for name in *names {
                assert!(method.param(name).is_some(), "{path}: {name}");
                assert!(is_root_only(method, name));
            }
        }
        let config = find(Verb::Put, "/nodes/{node}/qemu/{vmid}/config").unwrap();
        assert!(is_root_only(config, "skiplock") && !is_root_only(config, "machine"));
    }
}
