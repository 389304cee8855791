//! Firewall rules of the cluster, a node or a guest, and whether they are in force.

use proxmox_api::methods;
use serde_json::Value;

use super::{figure, list, text};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::missing::Missing;
use crate::pve::guests::Guest;
use crate::pve::ids::NodeName;
use crate::show::guest::heading;
use crate::table::{Column, Read, Table, column};
use crate::view::View;

/// Whose rules.
#[derive(Debug)]
pub enum Level {
    /// Those of the cluster.
    Cluster,
    /// Those of a node.
    Node(NodeName),
    /// Those of a guest.
    Guest(Guest),
}

const COLUMNS: &[Column] = &[
    column("#", "pos", Read::Words(6)),
    column("On", "enable", Read::Flag),
    column("Way", "type", Read::Words(10)),
    column("Action", "action", Read::Words(40)),
    column("Macro", "macro", Read::Words(30)),
    column("Protocol", "proto", Read::Words(20)),
    column("From", "source", Read::Words(60)),
    column("From port", "sport", Read::Words(40)),
    column("To", "dest", Read::Words(60)),
    column("Port", "dport", Read::Words(40)),
    column("Card", "iface", Read::Words(20)),
    column("Log", "log", Read::Words(10)),
    column("Comment", "comment", Read::Words(60)),
];

impl Level {
    fn calls(&self) -> [Call; 2] {
        match self {
            Level::Cluster => [
                Call::of(&methods::GET_CLUSTER_FIREWALL_RULES),
                Call::of(&methods::GET_CLUSTER_FIREWALL_OPTIONS),
            ],
            Level::Node(node) => [
                Call::of(&methods::GET_NODES_NODE_FIREWALL_RULES).at("node", node),
                Call::of(&methods::GET_NODES_NODE_FIREWALL_OPTIONS).at("node", node),
            ],
            Level::Guest(guest) => [
                guest.call(
                    &methods::GET_NODES_NODE_QEMU_VMID_FIREWALL_RULES,
                    &methods::GET_NODES_NODE_LXC_VMID_FIREWALL_RULES,
                ),
                guest.call(
                    &methods::GET_NODES_NODE_QEMU_VMID_FIREWALL_OPTIONS,
                    &methods::GET_NODES_NODE_LXC_VMID_FIREWALL_OPTIONS,
                ),
            ],
        }
    }

    /// Whether it is on where nothing is said.
    fn by_default(&self) -> bool {
        matches!(self, Level::Node(_))
    }

    fn heading(&self) -> String {
        match self {
            Level::Cluster => "🛡️ Firewall of the cluster".to_owned(),
            Level::Node(node) => format!("🛡️ Firewall of {node}"),
            Level::Guest(guest) => heading(guest, "firewall"),
        }
    }
}

/// The rules, in the order in which they are tried (`GET .../firewall/rules` and `/options`).
pub fn rules(cx: &Cx<'_>, level: &Level) -> Result<View, Error> {
    let mut missing = Missing::new();
    let [rules, options] = cx.all(level.calls());
    let options = missing.take(&["whether it is on"], options);
    let mut rules = list(rules?);
    rules.sort_by_key(|rule| figure(rule, "pos").whole());
    let mut view = View::new(level.heading());
    if let Some(options) = &options {
        let on = options.get("enable").map_or(level.by_default(), |_| figure(options, "enable").flag());
        view = view.says("Firewall", if on { "on" } else { "off: its rules are not in force" });
        view = policies(view, level, options);
    }
    let table = Table::of("firewall rules", COLUMNS, &rules, super::now(cx));
    Ok(view.missing(missing).table(table))
}

/// What becomes of traffic that no rule speaks of. A node has no policies of its own.
fn policies(view: View, level: &Level, options: &Value) -> View {
    if matches!(level, Level::Node(_)) {
        return view;
    }
    let policy = |key: &str, default: &str| {
        let said = text(options, key);
        if said.is_empty() { format!("{default} (default)") } else { crate::foreign::words(said, 20) }
    };
    view.says(
        "Other traffic",
        format!("in {}, out {}", policy("policy_in", "DROP"), policy("policy_out", "ACCEPT")),
    )
}
