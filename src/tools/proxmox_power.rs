//! `proxmox_power`: starts, shuts down, reboots, suspends or resumes one guest.

use proxmox_api::methods;

use crate::change::{self, How};
use crate::cx::Cx;
use crate::error::Error;
use crate::pve::guests;
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::power::{self, Action, Wish};
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset, Whole};

crate::words! {
    /// What to do.
    enum Verb {
        /// Start it.
        Start = "start",
        /// Ask its operating system to shut down.
        Shutdown = "shutdown",
        /// Shut down and start.
        Reboot = "reboot",
        /// Pause it.
        Suspend = "suspend",
        /// Let it go on.
        Resume = "resume",
    }
}

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Suspend, resume: VMs only.
    action: Verb,
    /// How long it may take to shut down.
    timeout_seconds: Hidden<Whole<1, 3600>>,
    /// Stop it hard if it does not shut down.
    force: Option<bool>,
    /// With suspend: write the memory to disk and turn it off.
    to_disk: Hidden<bool>,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_power",
    title: "Power",
    description: "Starts, shuts down, reboots, suspends or resumes a guest.",
    toolset: Toolset::Guests,
    aliases: &[
        Alias::of("proxmox_start_vm").fixed(START),
        Alias::of("proxmox_start_lxc").fixed(START),
        Alias::of("proxmox_shutdown_vm").fixed(SHUTDOWN),
        Alias::of("proxmox_shutdown_lxc").fixed(SHUTDOWN),
        Alias::of("proxmox_reboot_vm").fixed(REBOOT),
        Alias::of("proxmox_reboot_lxc").fixed(REBOOT),
        Alias::of("proxmox_pause_vm").fixed(&[("action", "\"suspend\"")]),
        Alias::of("proxmox_resume_vm").fixed(&[("action", "\"resume\"")]),
    ],
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &methods::POST_NODES_NODE_QEMU_VMID_STATUS_START,
        &methods::POST_NODES_NODE_LXC_VMID_STATUS_START,
        &methods::POST_NODES_NODE_QEMU_VMID_STATUS_SHUTDOWN,
        &methods::POST_NODES_NODE_LXC_VMID_STATUS_SHUTDOWN,
        &methods::POST_NODES_NODE_QEMU_VMID_STATUS_REBOOT,
        &methods::POST_NODES_NODE_LXC_VMID_STATUS_REBOOT,
        &methods::POST_NODES_NODE_QEMU_VMID_STATUS_SUSPEND,
        &methods::POST_NODES_NODE_QEMU_VMID_STATUS_RESUME,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    destructive: true,
    run,
    resume: Some(power::go_on),
    ..Tool::PLAIN
};

const START: &[(&str, &str)] = &[("action", "\"start\"")];
const SHUTDOWN: &[(&str, &str)] = &[("action", "\"shutdown\"")];
const REBOOT: &[(&str, &str)] = &[("action", "\"reboot\"")];

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let action = params.wanted()?;
    let guest = guests::locate(cx, params.vmid, params.node.get())?;
    let mut call = action.call(&guest)?;
    if let Some(timeout) = params.timeout_seconds.get() {
        call = call.with("timeout", timeout.0);
    }
    if params.is_forced() {
        call = call.with("forceStop", true);
    }
    let how = How { wait: params.wait, dry_run: params.dry_run };
    power::begin(cx, Wish { action, call, force: params.is_forced() }, &guest, how)
}

impl Params {
    fn is_forced(&self) -> bool {
        self.force.unwrap_or_default()
    }

    /// The action, once all that was given fits to it.
    fn wanted(&self) -> Result<Action, Error> {
        let word = self.action.word();
        let only = |name: &str, with: &str| {
            Err(Error::Arguments(format!("`{name}` goes with {with} only, not with `{word}`. Leave it out.")))
        };
        let to_disk = self.to_disk.or(false);
        match self.action {
            verb if self.is_forced() && verb != Verb::Shutdown => only("force", "`shutdown`"),
            verb if self.timeout_seconds.get().is_some() && !matches!(verb, Verb::Shutdown | Verb::Reboot) => {
                only("timeout_seconds", "`shutdown` and `reboot`")
            }
            verb if to_disk && verb != Verb::Suspend => only("to_disk", "`suspend`"),
            Verb::Start => Ok(Action::Start),
            Verb::Shutdown => Ok(Action::Shutdown),
            Verb::Reboot => Ok(Action::Reboot),
            Verb::Suspend if to_disk => Ok(Action::Hibernate),
            Verb::Suspend => Ok(Action::Suspend),
            Verb::Resume => Ok(Action::Resume),
        }
    }
}

#[cfg(test)]
#[path = "tests/proxmox_power.rs"]
mod tests;

#[cfg(test)]
#[path = "tests/proxmox_power_shutdown.rs"]
mod shutdown_tests;
