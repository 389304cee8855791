//! `proxmox_node_service`: starts, stops, restarts and reloads the services of a node.

use proxmox_api::methods;
use serde_json::{Value, json};

use crate::change::{self, Change, How};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::pve::admin::ServiceName;
use crate::pve::ids::NodeName;
use crate::tool::{Args, Outcome, Tool, Toolset};

crate::words! {
    /// What to do.
    enum Action {
        /// On.
        Start = "start",
        /// Off.
        Stop = "stop",
        /// Off and on.
        Restart = "restart",
        /// Its settings read anew.
        Reload = "reload",
    }
}

crate::params! {
    /// Node.
    node: NodeName,
    /// Service.
    service: String,
    /// What to do.
    action: Action,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_node_service",
    title: "Node service",
    description: "Services of a node, such as pveproxy or corosync.",
    toolset: Toolset::ByName,
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_NODES_NODE_SERVICES_SERVICE_STATE,
        &methods::POST_NODES_NODE_SERVICES_SERVICE_START,
        &methods::POST_NODES_NODE_SERVICES_SERVICE_STOP,
        &methods::POST_NODES_NODE_SERVICES_SERVICE_RESTART,
        &methods::POST_NODES_NODE_SERVICES_SERVICE_RELOAD,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    destructive: true,
    run,
    resume: Some(change::resume),
    ..Tool::PLAIN
};

/// What the API itself works with: once one of these is off, nobody could turn it on again from here.
const API: &[&str] = &["pveproxy", "pvedaemon", "pve-cluster"];
/// What holds the cluster together.
const CLUSTER: &[&str] = &["corosync", "pve-cluster", "pve-ha-lrm", "pve-ha-crm"];

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let service = known(&params.service)?;
    let (node, action) = (&params.node, params.action);
    if action == Action::Stop && API.contains(&service.as_str()) {
        return Err(Error::Failed(format!(
            "`{service}` is what this server reaches node `{node}` through; once stopped, it could not be started again from \
             here. Use `restart`, or stop it on the node itself with `systemctl stop {service}`."
        )));
    }
    let about = |method| Call::of(method).at("node", node).at("service", &service);
    let state = cx.call(about(&methods::GET_NODES_NODE_SERVICES_SERVICE_STATE))?;
    let word = |key: &str| foreign::state(state.get(key).and_then(Value::as_str).unwrap_or_default()).to_owned();
    let runs = word("state") == "running";
    let change = Change::new(format!("🔧 Service `{service}`: {}", action.word())).node(node).before("state", word("state"));
    let method = match action {
        Action::Start if runs => return Ok(change.unchanged()),
        Action::Stop if word("state") == "dead" => return Ok(change.unchanged()),
        Action::Start => &methods::POST_NODES_NODE_SERVICES_SERVICE_START,
        Action::Stop => &methods::POST_NODES_NODE_SERVICES_SERVICE_STOP,
        Action::Restart => &methods::POST_NODES_NODE_SERVICES_SERVICE_RESTART,
        Action::Reload => &methods::POST_NODES_NODE_SERVICES_SERVICE_RELOAD,
    };
    let change = match action {
        Action::Stop | Action::Start => {
            let back = if action == Action::Stop { Action::Start } else { Action::Stop };
            // What must not be stopped has no such way back.
            let possible = back == Action::Start || !API.contains(&service.as_str());
            let arguments = json!({"node": node.as_str(), "service": service.as_str(), "action": back.word()});
            if possible { change.undo("proxmox_node_service", arguments) } else { change }
        }
        Action::Restart | Action::Reload => change,
    };
    warned(change, service, action).make(cx, about(method), How { wait: params.wait, dry_run: params.dry_run })
}

fn known(name: &str) -> Result<ServiceName, Error> {
    let plain = name.strip_suffix(".service").unwrap_or(name);
    ServiceName::parse(plain).ok_or_else(|| {
        let near = nearest(plain, ServiceName::all().iter().copied());
        let near = near.map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
        Error::Arguments(format!(
            "`service` is not valid: Proxmox VE manages no service {}.{near} It manages {}.",
            foreign::code(name, 40),
            ServiceName::all().join(", ")
        ))
    })
}

/// The change with what it means for the node or the cluster.
fn warned(change: Change, service: ServiceName, action: Action) -> Change {
    let cuts = matches!(action, Action::Stop | Action::Restart);
    let name = service.as_str();
    if cuts && CLUSTER.contains(&name) {
        return change.warning(
            "The node may leave the cluster for that time. Where high availability is in use, a node that is away for a minute \
             is restarted hard, with all its guests.",
        );
    }
    if cuts && API.contains(&name) {
        return change.warning("The API of the node is away for a few seconds.");
    }
    match (action, name) {
        (Action::Stop, "pve-firewall" | "proxmox-firewall") => {
            change.warning("The firewalls of the node and of its guests filter nothing while it is off.")
        }
        (Action::Stop, "sshd") => change.warning("Nobody can log in to the node by SSH; migrations use it too."),
        (Action::Stop, "pvestatd") => change.warning("The node's figures and states stand still while it is off."),
        _ => change,
    }
}

#[cfg(test)]
#[path = "tests/proxmox_node_service.rs"]
mod tests;
