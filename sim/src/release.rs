//! The releases of Proxmox VE that can be simulated, and in what they differ.

use proxmox_api::Method;

/// A release of Proxmox VE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// Proxmox VE 8.4: `VM.Monitor` for the guest agent, groups in place of rules for HA.
    V8_4,
    /// Proxmox VE 9.2.
    #[default]
    V9_2,
}

/// Paths that came after 8.4, with what lies below them.
const SINCE_9: &[&str] = &[
    "/access/vncticket",
    "/cluster/bulk-action",
    "/cluster/ceph/restart-bulk",
    "/cluster/ha/rules",
    "/cluster/ha/status/arm-ha",
    "/cluster/ha/status/disarm-ha",
    "/cluster/qemu",
    "/cluster/sdn/dry-run",
    "/cluster/sdn/fabrics",
    "/cluster/sdn/lock",
    "/cluster/sdn/rollback",
    "/nodes/{node}/capabilities/qemu/cpu-flags",
    "/nodes/{node}/capabilities/qemu/migration",
    "/nodes/{node}/ceph/restart-bulk",
    "/nodes/{node}/qemu/{vmid}/dbus-vmstate",
    "/nodes/{node}/query-oci-repo-tags",
    "/nodes/{node}/sdn/fabrics",
    "/nodes/{node}/sdn/vnets",
    "/nodes/{node}/storage/{storage}/identity",
    "/nodes/{node}/storage/{storage}/oci-registry-pull",
];

/// Privileges that 8.4 does not know.
const PRIVILEGES_SINCE_9: &[&str] = &[
    "VM.GuestAgent.Audit",
    "VM.GuestAgent.FileRead",
    "VM.GuestAgent.FileSystemMgmt",
    "VM.GuestAgent.FileWrite",
    "VM.GuestAgent.Unrestricted",
    "VM.Replicate",
];

impl Release {
    /// Release, version and build as `/version` has them.
    pub fn version(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Release::V8_4 => ("8.4", "8.4.14", "b502d23c55afcba1"),
            Release::V9_2 => ("9.2", "9.2.11", "14a22df35955d97d"),
        }
    }

    /// The kernel that it comes with.
    pub(crate) fn kernel(self) -> (&'static str, &'static str) {
        match self {
            Release::V8_4 => ("6.8.12-15-pve", "#1 SMP PREEMPT_DYNAMIC PMX 6.8.12-15 (2025-09-12T11:02Z)"),
            Release::V9_2 => ("6.17.4-1-pve", "#1 SMP PREEMPT_DYNAMIC PMX 6.17.4-1 (2026-10-14T09:12Z)"),
        }
    }

    /// Whether the release has this method.
    pub fn has(self, method: &Method) -> bool {
        let below = |path: &&str| {
            method.path.strip_prefix(*path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self == Release::V9_2 || !SINCE_9.iter().any(below)
    }

    /// Whether the release knows this privilege.
    pub fn knows(self, privilege: &str) -> bool {
        match self {
            Release::V8_4 => !PRIVILEGES_SINCE_9.contains(&privilege),
            Release::V9_2 => privilege != MONITOR,
        }
    }

    /// The privilege that stands in the place of one of version 9.
    pub(crate) fn named(self, privilege: &'static str) -> &'static str {
        match self {
            Release::V8_4 if privilege.starts_with("VM.GuestAgent.") => MONITOR,
            Release::V8_4 if privilege == "VM.Replicate" => self.replicates(),
            _ => privilege,
        }
    }

    /// The privilege that replication of a guest needs.
    pub(crate) fn replicates(self) -> &'static str {
        match self {
            Release::V8_4 => "VM.Config.Disk",
            Release::V9_2 => "VM.Replicate",
        }
    }
}

impl std::str::FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Release, String> {
        match text {
            "8.4" => Ok(Release::V8_4),
            "9.2" => Ok(Release::V9_2),
            other => Err(format!("'{other}' is not simulated; 8.4 and 9.2 are")),
        }
    }
}

/// What version 8 has in place of the privileges of the guest agent.
pub(crate) const MONITOR: &str = "VM.Monitor";

#[cfg(test)]
mod tests {
    use proxmox_api::methods;

    use super::*;

    #[test]
    fn what_came_later_is_in_the_table_of_methods() {
        for path in SINCE_9 {
            assert!(methods::ALL.iter().any(|m| m.path.starts_with(path)), "{path}");
        }
        for privilege in PRIVILEGES_SINCE_9 {
            assert!(proxmox_api::privileges::is_known(privilege), "{privilege}");
        }
    }
}
