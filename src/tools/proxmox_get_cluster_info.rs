//! `proxmox_get_cluster_info`: what there is to know of the cluster beyond its figures.

use proxmox_api::methods;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::listing::{Cursor, Pattern};
use crate::missing;
use crate::pve::guests::{self, OriginalKind};
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::{nodes, resources};
use crate::shape::{Shape, always, known};
use crate::show::firewall::{self, Level};
use crate::show::{cluster, logs};
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset};
use crate::view::{self, Limit, View, Wanted};

crate::words! {
    /// What to show of the cluster.
    enum Topic {
        /// High availability.
        Ha = "ha",
        /// Pools.
        Pools = "pools",
        /// The firewall.
        Firewall = "firewall",
        /// Backup jobs.
        BackupJobs = "backup_jobs",
        /// Replication.
        Replication = "replication",
        /// The cluster's log.
        Log = "log",
        /// Options of the datacenter.
        Options = "options",
        /// What the API token may do.
        Permissions = "permissions",
        /// Users.
        Users = "users",
        /// Software-defined networks.
        Sdn = "sdn",
    }
}

crate::words! {
    /// Whose firewall rules.
    enum Whose {
        /// The cluster's.
        Cluster = "cluster",
        /// A node's.
        Node = "node",
        /// A guest's.
        Guest = "guest",
    }
}

crate::params! {
    /// Topic.
    topic: Topic,
    /// One pool or ACL path.
    name: Option<String>,
    /// Filter.
    filter: Option<Pattern>,
    /// How many rows.
    limit: Option<Limit>,
    /// Where the page begins.
    cursor: Option<Cursor>,
    /// Whose firewall rules.
    level: Hidden<Whose>,
    /// Node whose firewall rules.
    node: Hidden<NodeName>,
    /// Guest whose firewall rules.
    vmid: Hidden<Vmid>,
    /// Kind of the guest.
    r#type: Hidden<OriginalKind>,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_cluster_info",
    title: "Cluster details",
    description: "Shows one topic of the cluster.",
    toolset: Toolset::Admin,
    aliases: &[
        Alias::of("proxmox_get_pools").renamed(&[("poolid", "name")]).fixed(&[("topic", "\"pools\"")]),
        Alias::of("proxmox_get_ha_resources").fixed(&[("topic", "\"ha\"")]),
        Alias::of("proxmox_get_firewall_rules").fixed(&[("topic", "\"firewall\"")]),
        Alias::of("proxmox_whoami").renamed(&[("path", "name")]).fixed(&[("topic", "\"permissions\"")]),
    ],
    params: PARAMS,
    unlisted: &["filter"],
    output: Shape::Object(&[
        always("topic", Shape::Text),
        known("name", Shape::Text),
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
        &methods::GET_CLUSTER_HA_RESOURCES,
        &methods::GET_CLUSTER_HA_STATUS_CURRENT,
        &methods::GET_CLUSTER_HA_RULES,
        &methods::GET_CLUSTER_HA_GROUPS,
        &methods::GET_POOLS,
        &methods::GET_CLUSTER_FIREWALL_RULES,
        &methods::GET_CLUSTER_FIREWALL_OPTIONS,
        &methods::GET_NODES_NODE_FIREWALL_RULES,
        &methods::GET_NODES_NODE_FIREWALL_OPTIONS,
        &methods::GET_NODES_NODE_QEMU_VMID_FIREWALL_RULES,
        &methods::GET_NODES_NODE_QEMU_VMID_FIREWALL_OPTIONS,
        &methods::GET_NODES_NODE_LXC_VMID_FIREWALL_RULES,
        &methods::GET_NODES_NODE_LXC_VMID_FIREWALL_OPTIONS,
        &methods::GET_CLUSTER_BACKUP,
        &methods::GET_CLUSTER_REPLICATION,
        &methods::GET_NODES_NODE_REPLICATION,
        &methods::GET_CLUSTER_LOG,
        &methods::GET_CLUSTER_OPTIONS,
        &methods::GET_ACCESS_PERMISSIONS,
        &methods::GET_ACCESS_USERS,
        &methods::GET_CLUSTER_SDN_ZONES,
        &methods::GET_CLUSTER_SDN_VNETS,
    ],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let name = params.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    if name.is_some() && !matches!(params.topic, Topic::Pools | Topic::Permissions) {
        return Err(Error::Arguments(format!(
            "`name` is for the topics `pools` and `permissions`; `filter` finds rows of `{}`.",
            params.topic.word()
        )));
    }
    let view = match params.topic {
        Topic::Ha => cluster::ha(cx),
        Topic::Pools => cluster::pools(cx, name),
        Topic::Firewall => firewall_of(cx, &params),
        Topic::BackupJobs => cluster::backup_jobs(cx),
        Topic::Replication => cluster::replication(cx),
        Topic::Log => logs::cluster(cx),
        Topic::Options => cluster::options(cx),
        Topic::Permissions => cluster::permissions(cx, name),
        Topic::Users => cluster::users(cx),
        Topic::Sdn => cluster::sdn(cx),
    }?;
    let head = Data::new()
        .always("topic", params.topic.word())
        .known("name", name.map(|name| crate::foreign::line(name, 100)));
    view.outcome(head, &Wanted { filter: params.filter, limit: params.limit, cursor: params.cursor })
}

/// The rules of the cluster, a node or a guest; whose is said, or follows from what else is given.
fn firewall_of(cx: &Cx<'_>, params: &Params) -> Result<View, Error> {
    let (node, vmid) = (params.node.get(), params.vmid.get());
    let whose = params.level.get().copied().unwrap_or(match (node, vmid) {
        (_, Some(_)) => Whose::Guest,
        (Some(_), None) => Whose::Node,
        (None, None) => Whose::Cluster,
    });
    let level = match whose {
        Whose::Cluster => Level::Cluster,
        Whose::Node => {
            let reply = cx.reply(Call::of(&methods::GET_CLUSTER_RESOURCES).with("type", "node"))?;
            Level::Node(nodes::choose(&resources::rows(&reply)?, node)?.0)
        }
        Whose::Guest => {
            let needed = || Error::Arguments("`vmid` is needed: the id of the guest whose rules to show.".to_owned());
            let guest = guests::locate(cx, *vmid.ok_or_else(needed)?, node)?;
            params.r#type.get().map_or(Ok(()), |kind| kind.check(&guest))?;
            Level::Guest(guest)
        }
    };
    firewall::rules(cx, &level)
}

#[cfg(test)]
#[path = "tests/proxmox_get_cluster_info.rs"]
mod tests;
