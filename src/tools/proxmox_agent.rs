//! `proxmox_agent`: what a VM's guest agent does beside commands and files.

use proxmox_api::{Method, methods};
use serde_json::{Value, json};

use crate::change::{self, Change};
use crate::cx::Cx;
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::pve::agent;
use crate::pve::guests::Guest;
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::resources::Figure;
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset};

/// How many file systems a report names.
const NAMED: usize = 12;

crate::words! {
    /// What the agent is to do.
    enum Action {
        /// Say that it is there.
        Ping = "ping",
        /// Hold all writes to file systems.
        Freeze = "freeze",
        /// Let them go on.
        Thaw = "thaw",
        /// Say whether they are held.
        FreezeStatus = "freeze_status",
        /// Give back unused blocks.
        Trim = "trim",
        /// Shut the guest down.
        Shutdown = "shutdown",
    }
}

impl Action {
    fn method(self) -> &'static Method {
        match self {
            Action::Ping => &methods::POST_NODES_NODE_QEMU_VMID_AGENT_PING,
            Action::Freeze => &methods::POST_NODES_NODE_QEMU_VMID_AGENT_FSFREEZE_FREEZE,
            Action::Thaw => &methods::POST_NODES_NODE_QEMU_VMID_AGENT_FSFREEZE_THAW,
            Action::FreezeStatus => &methods::POST_NODES_NODE_QEMU_VMID_AGENT_FSFREEZE_STATUS,
            Action::Trim => &methods::POST_NODES_NODE_QEMU_VMID_AGENT_FSTRIM,
            Action::Shutdown => &methods::POST_NODES_NODE_QEMU_VMID_AGENT_SHUTDOWN,
        }
    }

    /// Whether it only asks.
    fn asks(self) -> bool {
        matches!(self, Action::Ping | Action::FreezeStatus)
    }

    fn title(self) -> &'static str {
        match self {
            Action::Ping => "🤝 Guest agent",
            Action::Freeze => "🧊 Freeze file systems",
            Action::Thaw => "💧 Thaw file systems",
            Action::FreezeStatus => "🧊 File systems",
            Action::Trim => "✂️ Trim file systems",
            Action::Shutdown => "⏹️ Shutdown by the agent",
        }
    }
}

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Action.
    action: Action,
    /// Node of the VM.
    node: Hidden<NodeName>,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_agent",
    title: "Guest agent",
    description: "Asks the guest agent; freeze holds all writes until thaw.",
    toolset: Toolset::ByName,
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::POST_NODES_NODE_QEMU_VMID_AGENT_PING,
        &methods::POST_NODES_NODE_QEMU_VMID_AGENT_FSFREEZE_FREEZE,
        &methods::POST_NODES_NODE_QEMU_VMID_AGENT_FSFREEZE_THAW,
        &methods::POST_NODES_NODE_QEMU_VMID_AGENT_FSFREEZE_STATUS,
        &methods::POST_NODES_NODE_QEMU_VMID_AGENT_FSTRIM,
        &methods::POST_NODES_NODE_QEMU_VMID_AGENT_SHUTDOWN,
    ],
    idempotent: Some(true),
    open_world: true,
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let instead = "Its processes and files belong to its node; `proxmox_power` starts and stops it.";
    let guest = agent::vm(cx, params.vmid, params.node.get(), instead)?;
    let action = params.action;
    let call = agent::about(&guest, action.method());
    let change = Change::new(format!("{} of {guest}", action.title())).guest(&guest);
    if params.dry_run {
        return warned(change, &guest, action).plan(cx, &[call]);
    }
    let answer = cx.call(call).map_err(|error| failed(error, &guest, action))?;
    let result = answer.get("result").cloned().unwrap_or(answer);
    Ok(match action.asks() {
        true => asked(&guest, action, &result),
        false => told(warned(change, &guest, action), action, &result).done(),
    })
}

/// With what has to be known before it is done.
fn warned(change: Change, guest: &Guest, action: Action) -> Change {
    match action {
        Action::Freeze => change
            .warning("Until they are thawed, every program in the guest that writes hangs. Thaw soon.")
            .undo("proxmox_agent", json!({"vmid": guest.vmid.number(), "action": Action::Thaw.word()})),
        Action::Thaw | Action::Trim | Action::Ping | Action::FreezeStatus => change,
        Action::Shutdown => change.warning("The agent does not wait: look whether the guest has stopped."),
    }
}

fn failed(error: Error, guest: &Guest, action: Action) -> Error {
    let error = agent::not_done(error, guest, "The agent did not do it");
    match (action, error) {
        // The request may have arrived although no answer did.
        (Action::Freeze, Error::Unreachable(text)) => Error::Unreachable(format!(
            "{text} The file systems may be frozen all the same: `proxmox_agent` with `vmid` = {} and `action` = \
             \"thaw\" makes sure that they are not.",
            guest.vmid
        )),
        (_, error) => error,
    }
}

/// The answer to a question.
fn asked(guest: &Guest, action: Action, result: &Value) -> Outcome {
    let (name, value) = match action {
        Action::FreezeStatus => ("File systems", foreign::state(result.as_str().unwrap_or_default()).to_owned()),
        _ => ("Agent", "answers".to_owned()),
    };
    let mut text = format!("{} of {guest}\n", action.title());
    text += &text::bullet("Node", &guest.node);
    text += &text::bullet(name, &value);
    if value == "frozen" {
        text += &text::bullet("Warning", "every program in the guest that writes hangs; `action` = \"thaw\" ends that");
    }
    let data = Data::new()
        .always("changed", false)
        .always("finished", true)
        .always("vmid", guest.vmid.number())
        .always("name", guest.name.as_str())
        .always("kind", guest.kind.word())
        .always("node", guest.node.as_str())
        .always("facts", vec![json!({"name": name, "value": value})])
        .always("warnings", Vec::<Value>::new());
    Outcome::done(text, data.into())
}

/// With what the agent says that it did.
fn told(change: Change, action: Action, result: &Value) -> Change {
    match action {
        Action::Freeze | Action::Thaw => match Figure::of(Some(result)).whole() {
            Some(0) => change.fact("File systems", "none"),
            Some(count) => change.fact("File systems", count),
            None => change,
        },
        Action::Trim => trimmed(change, result),
        _ => change,
    }
}

fn trimmed(mut change: Change, result: &Value) -> Change {
    let paths = result.get("paths").and_then(Value::as_array).cloned().unwrap_or_default();
    for path in paths.iter().take(NAMED) {
        let name = foreign::name(path.get("path").and_then(Value::as_str).unwrap_or_default());
        let error = path.get("error").and_then(Value::as_str);
        let bytes = Figure::of(path.get("trimmed")).value();
        change = change.fact(
            &name,
            match (error, bytes) {
                (Some(error), _) => format!("not trimmed: {}", foreign::words(error, 120)),
                (None, Some(bytes)) => format!("{} given back", text::bytes(bytes)),
                (None, None) => "trimmed".to_owned(),
            },
        );
    }
    match paths.len().saturating_sub(NAMED) {
        0 => change,
        more => change.fact("And", text::count(more, "more file system")),
    }
}

#[cfg(test)]
#[path = "tests/proxmox_agent.rs"]
mod tests;
