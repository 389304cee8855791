//! `proxmox_get_node_info`: what there is to know of a node beyond its figures.

use proxmox_api::methods;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::listing::{Cursor, Pattern};
use crate::missing;
use crate::pve::ids::NodeName;
use crate::pve::{nodes, resources};
use crate::shape::{Shape, always};
use crate::show::firewall::{self, Level};
use crate::show::{logs, node};
use crate::tool::{Args, Outcome, Tool, Toolset};
use crate::view::{self, Limit, Wanted};

crate::words! {
    /// What to show of a node.
    enum Topic {
        /// Its services.
        Services = "services",
        /// Its system log.
        Log = "log",
        /// Packages to update.
        Updates = "updates",
        /// Packages that are there.
        Versions = "versions",
        /// Its certificates.
        Certificates = "certificates",
        /// Its disks.
        Disks = "disks",
        /// Its ZFS pools.
        Zfs = "zfs",
        /// Its network interfaces.
        Network = "network",
        /// Its name servers.
        Dns = "dns",
        /// Its clock.
        Time = "time",
        /// Its subscription.
        Subscription = "subscription",
        /// Its PCI and USB devices.
        Hardware = "hardware",
        /// Replication from it.
        Replication = "replication",
        /// Its firewall.
        Firewall = "firewall",
    }
}

crate::params! {
    /// Name of the node; needed if there are several.
    node: Option<NodeName>,
    /// Topic.
    topic: Topic,
    /// Filter.
    filter: Option<Pattern>,
    /// How many rows.
    limit: Option<Limit>,
    /// Where the page begins.
    cursor: Option<Cursor>,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_node_info",
    title: "Node details",
    description: "Shows one topic of a node.",
    toolset: Toolset::Admin,
    params: PARAMS,
    unlisted: &["filter"],
    output: Shape::Object(&[
        always("node", Shape::Text),
        always("topic", Shape::Text),
        view::FACTS,
        view::NOTES,
        missing::FIELD,
        view::COLUMNS,
        view::ROWS,
        view::TOTAL,
        view::NEXT,
    ]),
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_SERVICES,
        &methods::GET_NODES_NODE_JOURNAL,
        &methods::GET_NODES_NODE_APT_UPDATE,
        &methods::GET_NODES_NODE_APT_VERSIONS,
        &methods::GET_NODES_NODE_CERTIFICATES_INFO,
        &methods::GET_NODES_NODE_DISKS_LIST,
        &methods::GET_NODES_NODE_DISKS_ZFS,
        &methods::GET_NODES_NODE_NETWORK,
        &methods::GET_NODES_NODE_DNS,
        &methods::GET_NODES_NODE_TIME,
        &methods::GET_NODES_NODE_SUBSCRIPTION,
        &methods::GET_NODES_NODE_HARDWARE_PCI,
        &methods::GET_NODES_NODE_HARDWARE_USB,
        &methods::GET_NODES_NODE_REPLICATION,
        &methods::GET_NODES_NODE_FIREWALL_RULES,
        &methods::GET_NODES_NODE_FIREWALL_OPTIONS,
    ],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let reply = cx.reply(Call::of(&methods::GET_CLUSTER_RESOURCES).with("type", "node"))?;
    let rows = resources::rows(&reply)?;
    let (node, row) = nodes::choose(&rows, params.node.as_ref())?;
    if !nodes::is_online(row) {
        return Err(Error::Failed(format!("Node `{node}` is offline, so it cannot be asked. Bring it back first.")));
    }
    let view = match params.topic {
        Topic::Services => node::services(cx, &node),
        Topic::Log => logs::system(cx, &node),
        Topic::Updates => node::updates(cx, &node),
        Topic::Versions => node::versions(cx, &node),
        Topic::Certificates => node::certificates(cx, &node),
        Topic::Disks => node::disks(cx, &node),
        Topic::Zfs => node::zfs(cx, &node),
        Topic::Network => node::network(cx, &node),
        Topic::Dns => node::dns(cx, &node),
        Topic::Time => node::time(cx, &node),
        Topic::Subscription => node::subscription(cx, &node),
        Topic::Hardware => node::hardware(cx, &node),
        Topic::Replication => node::replication(cx, &node),
        Topic::Firewall => firewall::rules(cx, &Level::Node(node.clone())),
    }?;
    let head = Data::new().always("node", node.as_str()).always("topic", params.topic.word());
    view.outcome(head, &Wanted { filter: params.filter, limit: params.limit, cursor: params.cursor })
}

#[cfg(test)]
#[path = "tests/proxmox_get_node_info.rs"]
mod tests;
