//! `proxmox_stop`: turns one guest off hard, or presses its reset button.

use proxmox_api::methods;

use crate::change::{self, How};
use crate::cx::Cx;
use crate::error::Error;
use crate::pve::guests;
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::power::{self, Action, Wish};
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset};

crate::words! {
    /// What to do.
    enum Verb {
        /// Turn it off.
        Stop = "stop",
        /// Press its reset button.
        Reset = "reset",
    }
}

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Reset: VMs only.
    action: Option<Verb>,
    /// End a shutdown that is under way.
    overrule_shutdown: Hidden<bool>,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_stop",
    title: "Stop hard",
    description: "Cuts a guest's power or resets it; unsaved data is lost.",
    toolset: Toolset::Guests,
    aliases: &[
        Alias::of("proxmox_stop_vm").fixed(&[("action", "\"stop\"")]),
        Alias::of("proxmox_stop_lxc").fixed(&[("action", "\"stop\"")]),
        Alias::of("proxmox_reset_vm").fixed(&[("action", "\"reset\"")]),
    ],
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &methods::POST_NODES_NODE_QEMU_VMID_STATUS_STOP,
        &methods::POST_NODES_NODE_LXC_VMID_STATUS_STOP,
        &methods::POST_NODES_NODE_QEMU_VMID_STATUS_RESET,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    destructive: true,
    run,
    resume: Some(power::go_on),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let verb = params.action.unwrap_or(Verb::Stop);
    let action = if verb == Verb::Reset { Action::Reset } else { Action::Stop };
    let overrule = params.overrule_shutdown.or(false);
    if overrule && verb != Verb::Stop {
        let word = verb.word();
        return Err(Error::Arguments(format!(
            "`overrule_shutdown` goes with `stop` only, not with `{word}`. Leave it out."
        )));
    }
    let guest = guests::locate(cx, params.vmid, params.node.get())?;
    let call = action.call(&guest)?.with_some("overrule-shutdown", overrule.then_some(true));
    let how = How { wait: params.wait, dry_run: params.dry_run };
    power::begin(cx, Wish { action, call, force: false }, &guest, how)
}

#[cfg(test)]
#[path = "tests/proxmox_stop.rs"]
mod tests;
