//! The privileges and built-in roles of Proxmox VE 9, and the older names that mean the same.

/// Every privilege, in alphabetical order.
pub const PRIVILEGES: &[&str] = &[
    "Datastore.Allocate",
    "Datastore.AllocateSpace",
    "Datastore.AllocateTemplate",
    "Datastore.Audit",
    "Group.Allocate",
    "Mapping.Audit",
    "Mapping.Modify",
    "Mapping.Use",
    "Permissions.Modify",
    "Pool.Allocate",
    "Pool.Audit",
    "Realm.Allocate",
    "Realm.AllocateUser",
    "SDN.Allocate",
    "SDN.Audit",
    "SDN.Use",
    "Sys.AccessNetwork",
    "Sys.Audit",
    "Sys.Console",
    "Sys.Incoming",
    "Sys.Modify",
    "Sys.PowerMgmt",
    "Sys.Syslog",
    "User.Modify",
    "VM.Allocate",
    "VM.Audit",
    "VM.Backup",
    "VM.Clone",
    "VM.Config.CDROM",
    "VM.Config.CPU",
    "VM.Config.Cloudinit",
    "VM.Config.Disk",
    "VM.Config.HWType",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.Console",
    "VM.GuestAgent.Audit",
    "VM.GuestAgent.FileRead",
    "VM.GuestAgent.FileSystemMgmt",
    "VM.GuestAgent.FileWrite",
    "VM.GuestAgent.Unrestricted",
    "VM.Migrate",
    "VM.PowerMgmt",
    "VM.Replicate",
    "VM.Snapshot",
    "VM.Snapshot.Rollback",
];

/// A built-in role.
#[derive(Debug)]
pub struct Role {
    /// Its name, as `pveum` writes it.
    pub name: &'static str,
    /// What it consists of.
    pub privileges: &'static [&'static str],
}

/// The built-in roles, in alphabetical order; `Administrator` is every privilege.
pub const ROLES: &[Role] = &[
    Role { name: "Administrator", privileges: PRIVILEGES },
    Role { name: "NoAccess", privileges: &[] },
    Role {
        name: "PVEAdmin",
        privileges: &[
            "Datastore.Allocate",
            "Datastore.AllocateSpace",
            "Datastore.AllocateTemplate",
            "Datastore.Audit",
            "Group.Allocate",
            "Mapping.Audit",
            "Mapping.Use",
            "Pool.Allocate",
            "Pool.Audit",
            "Realm.AllocateUser",
            "SDN.Allocate",
            "SDN.Audit",
            "SDN.Use",
            "Sys.Audit",
            "Sys.Console",
            "Sys.Syslog",
            "User.Modify",
            "VM.Allocate",
            "VM.Audit",
            "VM.Backup",
            "VM.Clone",
            "VM.Config.CDROM",
            "VM.Config.CPU",
            "VM.Config.Cloudinit",
            "VM.Config.Disk",
            "VM.Config.HWType",
            "VM.Config.Memory",
            "VM.Config.Network",
            "VM.Config.Options",
            "VM.Console",
            "VM.GuestAgent.Audit",
            "VM.GuestAgent.FileRead",
            "VM.GuestAgent.FileSystemMgmt",
            "VM.GuestAgent.FileWrite",
            "VM.GuestAgent.Unrestricted",
            "VM.Migrate",
            "VM.PowerMgmt",
            "VM.Replicate",
            "VM.Snapshot",
            "VM.Snapshot.Rollback",
        ],
    },
    Role {
        name: "PVEAuditor",
        privileges: &[
            "Datastore.Audit",
            "Mapping.Audit",
            "Pool.Audit",
            "SDN.Audit",
            "Sys.Audit",
            "VM.Audit",
            "VM.GuestAgent.Audit",
        ],
    },
    Role {
        name: "PVEDatastoreAdmin",
        privileges: &[
            "Datastore.Allocate",
            "Datastore.AllocateSpace",
            "Datastore.AllocateTemplate",
            "Datastore.Audit",
        ],
    },
    Role { name: "PVEDatastoreUser", privileges: &["Datastore.AllocateSpace", "Datastore.Audit"] },
    Role { name: "PVEMappingAdmin", privileges: &["Mapping.Audit", "Mapping.Modify", "Mapping.Use"] },
    Role { name: "PVEMappingUser", privileges: &["Mapping.Audit", "Mapping.Use"] },
    Role { name: "PVEPoolAdmin", privileges: &["Pool.Allocate", "Pool.Audit"] },
    Role { name: "PVEPoolUser", privileges: &["Pool.Audit"] },
    Role { name: "PVESDNAdmin", privileges: &["SDN.Allocate", "SDN.Audit", "SDN.Use"] },
    Role { name: "PVESDNUser", privileges: &["SDN.Audit", "SDN.Use"] },
    Role { name: "PVESysAdmin", privileges: &["Sys.Audit", "Sys.Console", "Sys.Syslog"] },
    Role { name: "PVETemplateUser", privileges: &["VM.Audit", "VM.Clone"] },
    Role { name: "PVEUserAdmin", privileges: &["Group.Allocate", "Realm.AllocateUser", "User.Modify"] },
    Role {
        name: "PVEVMAdmin",
        privileges: &[
            "VM.Allocate",
            "VM.Audit",
            "VM.Backup",
            "VM.Clone",
            "VM.Config.CDROM",
            "VM.Config.CPU",
            "VM.Config.Cloudinit",
            "VM.Config.Disk",
            "VM.Config.HWType",
            "VM.Config.Memory",
            "VM.Config.Network",
            "VM.Config.Options",
            "VM.Console",
            "VM.GuestAgent.Audit",
            "VM.GuestAgent.FileRead",
            "VM.GuestAgent.FileSystemMgmt",
            "VM.GuestAgent.FileWrite",
            "VM.GuestAgent.Unrestricted",
            "VM.Migrate",
            "VM.PowerMgmt",
            "VM.Replicate",
            "VM.Snapshot",
            "VM.Snapshot.Rollback",
        ],
    },
    Role {
        name: "PVEVMUser",
        privileges: &[
            "VM.Audit",
            "VM.Backup",
            "VM.Config.CDROM",
            "VM.Config.Cloudinit",
            "VM.Console",
            "VM.GuestAgent.Audit",
            "VM.GuestAgent.FileRead",
            "VM.GuestAgent.FileSystemMgmt",
            "VM.GuestAgent.FileWrite",
            "VM.PowerMgmt",
        ],
    },
];

/// Names of Proxmox VE 8 and what carries their meaning in version 9.
pub const FORMER: &[(&str, &[&str])] = &[(
    "VM.Monitor",
    &[
        "VM.GuestAgent.Audit",
        "VM.GuestAgent.FileRead",
        "VM.GuestAgent.FileSystemMgmt",
        "VM.GuestAgent.FileWrite",
        "VM.GuestAgent.Unrestricted",
    ],
)];

/// Whether this is the name of a privilege.
pub fn is_known(name: &str) -> bool {
    PRIVILEGES.binary_search(&name).is_ok()
}

/// The built-in role of this name.
pub fn role(name: &str) -> Option<&'static Role> {
    ROLES.iter().find(|r| r.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_agree() {
        assert!(PRIVILEGES.is_sorted());
        assert!(ROLES.iter().map(|r| r.name).is_sorted());
        for p in ROLES.iter().flat_map(|r| r.privileges).chain(FORMER.iter().flat_map(|f| f.1)) {
            assert!(is_known(p), "{p}");
        }
        assert!(!is_known("VM.Monitor"));
    }
}
