//! Proxmox's odd ways: most failures are a plain 500, so that only the words tell them apart.
//!
//! The words were seen on Proxmox VE 9.2; each entry names the call that it was seen on.

/// Something that Proxmox says in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// There is no such guest on that node (any call below `/nodes/{node}/qemu/{vmid}`).
    GuestMissing,
    /// There is no such node (any call below `/nodes/{node}`).
    NodeUnknown,
    /// There is no such storage (`GET /nodes/{node}/storage/{storage}/content`).
    StorageMissing,
    /// The guest is locked by another operation (`PUT .../config`, and tasks such as `qmstart`).
    Locked,
    /// Another operation holds the guest's configuration file (`PUT .../config`, after 10 s).
    LockTimeout,
    /// The cluster has no quorum (`POST .../status/start`).
    NoQuorum,
    /// The guest agent is off in the VM's configuration (`POST .../agent/exec`).
    AgentOff,
    /// The guest agent is on, but does not answer (`POST .../agent/exec`, after 3 s).
    AgentSilent,
    /// The guest is not running (`POST .../agent/exec`, `POST .../lxc/{vmid}/status/stop`).
    NotRunning,
    /// The guest runs already (task of `POST .../qemu/{vmid}/status/start`; the call itself for LXC).
    AlreadyRunning,
    /// The agent does not know the process any more (`GET .../agent/exec-status`; the number is lost
    /// in Proxmox's text: `PID ld does not exist`).
    PidGone,
    /// The agent did not hand its answer over in time (`GET .../agent/exec-status`, with big output).
    AgentTimeout,
    /// A template cannot be started (task of `POST .../qemu/{vmid}/status/start`).
    Template,
    /// The guest did not shut down in time (task of `POST .../qemu/{vmid}/status/shutdown`, and of LXC).
    ShutdownTimeout,
    /// Other guests stand on the template's disks (task of `DELETE .../qemu/{vmid}`).
    LinkedClones,
    /// There is no such task on that node (`GET /nodes/{node}/tasks/{upid}/status`).
    TaskMissing,
    /// Someone changed the configuration since it was read (`PUT .../config` with a digest).
    Changed,
    /// Someone stopped the task (`GET /nodes/{node}/tasks/{upid}/status`).
    Interrupted,
}

/// The words, all of which have to occur, in the order in which they are tried.
const WORDS: &[(&[&str], Quirk)] = &[
    (&["Configuration file 'nodes/", ".conf' does not exist"], Quirk::GuestMissing),
    (&["hostname lookup '", "failed"], Quirk::NodeUnknown),
    (&["storage '", "' does not exist"], Quirk::StorageMissing),
    (&["can't lock file '", "got timeout"], Quirk::LockTimeout),
    (&["is locked ("], Quirk::Locked),
    (&["no quorum"], Quirk::NoQuorum),
    (&["No QEMU guest agent configured"], Quirk::AgentOff),
    (&["QEMU guest agent is not running"], Quirk::AgentSilent),
    (&["PID ", " does not exist"], Quirk::PidGone),
    (&["qga command '", "got timeout"], Quirk::AgentTimeout),
    (&["already running"], Quirk::AlreadyRunning),
    (&["a vm if it's a template"], Quirk::Template),
    (&["a template"], Quirk::Template),
    (&["powerdown failed", "got timeout"], Quirk::ShutdownTimeout),
    (&["shutdown", "timeout"], Quirk::ShutdownTimeout),
    (&["base volume '", "is still in use by linked clone"], Quirk::LinkedClones),
    (&["no such task"], Quirk::TaskMissing),
    (&["received interrupt"], Quirk::Interrupted),
    (&["checksum mismatch"], Quirk::Changed),
    (&["not running"], Quirk::NotRunning),
];

/// Lines that the task log gives in place of a log: nothing yet, and no such task.
pub const EMPTY_LOG: &[&str] = &["no content", "unable to open file - No such file or directory"];

impl Quirk {
    /// What these words mean; nothing if they are not known.
    pub fn of(message: &str) -> Option<Quirk> {
        let all = |words: &&(&[&str], Quirk)| words.0.iter().all(|word| message.contains(word));
        WORDS.iter().find(all).map(|(_, quirk)| *quirk)
    }

    /// What to do, in a sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Quirk::GuestMissing => {
                "There is no such guest on that node; it may have been moved or removed. `proxmox_get_vms` lists them."
            }
            Quirk::NodeUnknown => "There is no such node; `proxmox_get_nodes` lists them.",
            Quirk::StorageMissing => "There is no such storage; `proxmox_get_storage` lists them.",
            Quirk::Locked => {
                "Another operation (in brackets: backup, migrate, snapshot, ...) holds the guest; wait until it is \
                 over. If nothing runs any more, an administrator can remove the lock with `qm unlock` or `pct unlock`."
            }
            Quirk::LockTimeout => "Another operation is at work on this guest; try again in half a minute.",
            Quirk::NoQuorum => {
                "The cluster has no quorum: too few nodes see each other, so nothing can be changed. Bring the other \
                 nodes back first; `proxmox_get_cluster_status` shows them."
            }
            Quirk::AgentOff => {
                "Turn the guest agent on (`qm set VMID --agent enabled=1`), install `qemu-guest-agent` in the guest, \
                 then stop and start the VM once."
            }
            Quirk::AgentSilent => {
                "The guest may still be starting; otherwise install or start the service `qemu-guest-agent` in it."
            }
            Quirk::NotRunning => "Start the guest first, with `proxmox_power`.",
            Quirk::AlreadyRunning => "Nothing has to be done.",
            Quirk::PidGone => "The result was fetched already, or the guest or its agent was started anew.",
            Quirk::AgentTimeout => "The guest is slow, or the output is too big to pass through its agent.",
            Quirk::Template => "A template cannot run; clone it and start the clone.",
            Quirk::ShutdownTimeout => {
                "The guest did not react in time and still runs. Try a longer `timeout_seconds`, or `force: true` to \
                 stop it hard afterwards (unsaved data in it is lost)."
            }
            Quirk::LinkedClones => {
                "Other guests are linked clones of this template; delete them or make full copies of them first."
            }
            Quirk::TaskMissing => "Proxmox has no such task on that node.",
            Quirk::Interrupted => "Someone stopped the task.",
            Quirk::Changed => {
                "Someone else changed it at the same moment, and nothing was overwritten. Look at it again, then repeat \
                 the call."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_words_are_understood() {
        for (words, quirk) in [
            ("Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist", Quirk::GuestMissing),
            ("Configuration file 'nodes/pve1/lxc/101.conf' does not exist", Quirk::GuestMissing),
            ("hostname lookup 'x' failed - failed to get address info for: x", Quirk::NodeUnknown),
            ("storage 'nope' does not exist", Quirk::StorageMissing),
            ("VM is locked (backup)", Quirk::Locked),
            ("can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout", Quirk::LockTimeout),
            ("cluster not ready - no quorum?", Quirk::NoQuorum),
            ("No QEMU guest agent configured", Quirk::AgentOff),
            ("QEMU guest agent is not running", Quirk::AgentSilent),
            ("VM 102 is not running", Quirk::NotRunning),
            ("CT 200 not running", Quirk::NotRunning),
            ("CT 200 already running", Quirk::AlreadyRunning),
            ("VM 150 already running", Quirk::AlreadyRunning),
            ("Agent error: PID ld does not exist", Quirk::PidGone),
            ("VM 101 qga command 'guest-exec-status' failed - got timeout", Quirk::AgentTimeout),
            ("you can't start a vm if it's a template", Quirk::Template),
            ("VM quit/powerdown failed - got timeout", Quirk::ShutdownTimeout),
            (
                "base volume 'vmdata:9000/base-9000-disk-0.qcow2' is still in use by linked cloned",
                Quirk::LinkedClones,
            ),
            ("no such task", Quirk::TaskMissing),
            ("received interrupt", Quirk::Interrupted),
            ("checksum mismatch (file change by other user?)", Quirk::Changed),
        ] {
            assert_eq!(Quirk::of(words), Some(quirk), "{words}");
        }
        assert_eq!(Quirk::of("no options specified"), None);
        assert_eq!(Quirk::of(""), None);
    }
}
