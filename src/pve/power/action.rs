//! What can be done to a guest's power, and what it takes.

use proxmox_api::methods;
use serde_json::{Value, json};

use crate::cx::Call;
use crate::error::Error;
use crate::foreign;
use crate::pve::guests::{Guest, GuestKind, Live};
use crate::pve::quirks::Quirk;

crate::words! {
    /// What to do with a guest.
    pub enum Action {
        /// Start it.
        Start = "start",
        /// Ask it to shut down.
        Shutdown = "shutdown",
        /// Ask it to shut down and start it again.
        Reboot = "reboot",
        /// Stop its processors; its memory stays.
        Suspend = "suspend",
        /// Write its memory to disk and turn it off.
        Hibernate = "hibernate",
        /// Let it go on.
        Resume = "resume",
        /// Turn it off at once.
        Stop = "stop",
        /// Press its reset button.
        Reset = "reset",
    }
}

/// What is to be done about a guest that is in some state.
pub(super) enum Ready {
    /// The request can be sent.
    Go,
    /// It is so already.
    Already,
}

impl Action {
    /// The call that asks for it.
    ///
    /// # Errors
    /// [`Error::Arguments`] where containers cannot do that.
    pub fn call(self, guest: &Guest) -> Result<Call, Error> {
        use methods as m;
        let both = |vm, container| Ok(guest.call(vm, container));
        let for_vms = |vm, instead: &str| match guest.kind {
            GuestKind::Vm => Ok(guest.call(vm, vm)),
            GuestKind::Container => Err(Error::Arguments(format!(
                "{guest} is a container, and only VMs can {} through the API. {instead}",
                match self {
                    Action::Reset => "be reset",
                    Action::Resume => "be resumed",
                    _ => "be suspended",
                }
            ))),
        };
        let shutdown = "`proxmox_power` with action `shutdown` or `reboot` works for both kinds.";
        match self {
            Action::Start => {
                both(&m::POST_NODES_NODE_QEMU_VMID_STATUS_START, &m::POST_NODES_NODE_LXC_VMID_STATUS_START)
            }
            Action::Shutdown => both(
                &m::POST_NODES_NODE_QEMU_VMID_STATUS_SHUTDOWN,
                &m::POST_NODES_NODE_LXC_VMID_STATUS_SHUTDOWN,
            ),
            Action::Reboot => {
                both(&m::POST_NODES_NODE_QEMU_VMID_STATUS_REBOOT, &m::POST_NODES_NODE_LXC_VMID_STATUS_REBOOT)
            }
            Action::Stop => {
                both(&m::POST_NODES_NODE_QEMU_VMID_STATUS_STOP, &m::POST_NODES_NODE_LXC_VMID_STATUS_STOP)
            }
            Action::Suspend => for_vms(&m::POST_NODES_NODE_QEMU_VMID_STATUS_SUSPEND, shutdown),
            Action::Hibernate => for_vms(&m::POST_NODES_NODE_QEMU_VMID_STATUS_SUSPEND, shutdown)
                .map(|call| call.with("todisk", true)),
            Action::Resume => for_vms(&m::POST_NODES_NODE_QEMU_VMID_STATUS_RESUME, shutdown),
            Action::Reset => for_vms(&m::POST_NODES_NODE_QEMU_VMID_STATUS_RESET, shutdown),
        }
    }

    /// Whether a guest in this state can have it done.
    ///
    /// # Errors
    /// Why not, and what to do instead.
    pub(super) fn ready(self, guest: &Guest, live: &Live) -> Result<Ready, Error> {
        if self.repeats() {
            self.possible(guest, live)?;
            return Ok(Ready::Go);
        }
        if self.is_done(live) {
            return Ok(Ready::Already);
        }
        self.possible(guest, live).map(|()| Ready::Go)
    }

    fn possible(self, guest: &Guest, live: &Live) -> Result<(), Error> {
        let no = |why: &str| Err(Error::Failed(format!("{guest} is {}. {why}", live.words())));
        let asks_the_guest = matches!(self, Action::Shutdown | Action::Reboot);
        match self {
            Action::Start if live.is_paused() => {
                return no("`proxmox_power` with action `resume` lets it go on.");
            }
            _ if asks_the_guest && live.is_paused() => {
                return no(
                    "It cannot react before `proxmox_power` with action `resume` lets it go on; `proxmox_stop` \
                           turns it off hard.",
                );
            }
            Action::Start | Action::Shutdown | Action::Stop => {}
            Action::Resume if live.is_hibernated() => {}
            _ if !live.is_running() => return no("Start it with `proxmox_power`, action `start`."),
            _ => {}
        }
        match &live.lock {
            Some(lock) if !self.passes(lock) => {
                no(&format!("It is locked ({}). {}", foreign::code(lock, 40), Quirk::Locked.advice()))
            }
            _ => Ok(()),
        }
    }

    /// Whether Proxmox does it under this lock.
    fn passes(self, lock: &str) -> bool {
        match lock {
            "suspended" => matches!(self, Action::Start | Action::Resume | Action::Stop),
            "backup" => matches!(self, Action::Suspend | Action::Resume),
            _ => false,
        }
    }

    /// Whether doing it again does something.
    fn repeats(self) -> bool {
        matches!(self, Action::Reboot | Action::Reset)
    }

    /// Whether the guest is as it should be. `since`: how it was before, and the seconds since then.
    pub(super) fn is_done_since(self, live: &Live, before: Option<u64>, seconds: u64) -> bool {
        let anew = || match live.uptime {
            Some(uptime) => {
                uptime <= seconds.saturating_add(5) || before.is_some_and(|before| uptime < before)
            }
            None => true,
        };
        self.is_done(live) && (self != Action::Reboot || anew())
    }

    fn is_done(self, live: &Live) -> bool {
        match self {
            Action::Start | Action::Reboot | Action::Resume | Action::Reset => {
                live.is_running() && !live.is_paused()
            }
            Action::Shutdown | Action::Stop => !live.is_running(),
            Action::Suspend => live.is_paused(),
            Action::Hibernate => live.is_hibernated(),
        }
    }

    pub(super) fn headline(self) -> &'static str {
        match self {
            Action::Start => "▶️ Start",
            Action::Shutdown => "⏹️ Shutdown",
            Action::Reboot => "🔄 Reboot",
            Action::Suspend => "⏸️ Suspend",
            Action::Hibernate => "💤 Suspend to disk",
            Action::Resume => "⏯️ Resume",
            Action::Stop => "⛔ Stop",
            Action::Reset => "⚡ Reset",
        }
    }

    pub(super) fn goal(self) -> &'static str {
        match self {
            Action::Start | Action::Reset | Action::Resume => "running",
            Action::Reboot => "started anew",
            Action::Shutdown | Action::Stop => "stopped",
            Action::Suspend => "paused",
            Action::Hibernate => "suspended to disk",
        }
    }

    pub(super) fn doing(self) -> &'static str {
        match self {
            Action::Start => "Starting",
            Action::Shutdown => "Shutting down",
            Action::Reboot => "Rebooting",
            Action::Suspend => "Suspending",
            Action::Hibernate => "Suspending to disk",
            Action::Resume => "Resuming",
            Action::Stop => "Stopping",
            Action::Reset => "Resetting",
        }
    }

    /// The kinds of task that it becomes, those of the HA manager among them.
    pub(super) fn tasks(self) -> &'static [&'static str] {
        match self {
            Action::Start => &["qmstart", "vzstart", "hastart"],
            Action::Shutdown => &["qmshutdown", "vzshutdown", "hastop"],
            Action::Reboot => &["qmreboot", "vzreboot"],
            Action::Suspend | Action::Hibernate => &["qmpause", "qmsuspend"],
            Action::Resume => &["qmresume"],
            Action::Stop => &["qmstop", "vzstop", "hastop"],
            Action::Reset => &["qmreset"],
        }
    }

    /// What Proxmox says when someone else was quicker.
    pub(super) fn is_overtaken(self, words: &str) -> bool {
        match self {
            Action::Start => Quirk::of(words) == Some(Quirk::AlreadyRunning),
            Action::Shutdown | Action::Stop => Quirk::of(words) == Some(Quirk::NotRunning),
            _ => false,
        }
    }

    /// The call of a tool that puts it back.
    pub(super) fn undo(self, guest: &Guest) -> Option<(&'static str, Value)> {
        let back = match self {
            Action::Start => Action::Shutdown,
            Action::Shutdown | Action::Stop => Action::Start,
            Action::Suspend | Action::Hibernate => Action::Resume,
            Action::Resume => Action::Suspend,
            Action::Reboot | Action::Reset => return None,
        };
        Some(("proxmox_power", json!({"vmid": guest.vmid.number(), "action": back.word()})))
    }

    /// What is lost for good, where something is. `force`: that a shutdown may end hard.
    pub(super) fn loses(self, force: bool) -> Option<&'static str> {
        match self {
            Action::Stop | Action::Reset => Some("Whatever the guest had not written to its disks."),
            Action::Shutdown if force => {
                Some("Whatever the guest has not written to its disks, if it does not react in time.")
            }
            _ => None,
        }
    }
}
