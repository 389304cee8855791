//! `proxmox_get_guest`: one guest, seen from the side that is asked for.

use proxmox_api::methods;

use crate::cx::Cx;
use crate::data::Data;
use crate::error::Error;
use crate::listing::{Cursor, Pattern};
use crate::missing;
use crate::pve::guests::{self, OriginalKind};
use crate::pve::ids::{NodeName, Vmid};
use crate::shape::{Shape, always};
use crate::show::firewall::{self, Level};
use crate::show::{agent, guest, snapshots};
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset};
use crate::view::{self, Limit, Wanted};

crate::words! {
    /// What to show of a guest.
    enum Show {
        /// How it is right now.
        Status = "status",
        /// Its configuration.
        Config = "config",
        /// Changes that wait for a restart.
        Pending = "pending",
        /// Its snapshots.
        Snapshots = "snapshots",
        /// Its addresses.
        Addresses = "addresses",
        /// Its operating system.
        Os = "os",
        /// Its file systems.
        Filesystems = "filesystems",
        /// Who is logged in.
        Users = "users",
        /// Its firewall.
        Firewall = "firewall",
        /// What cloud-init is given.
        Cloudinit = "cloudinit",
    }
}

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Show.
    show: Show = Show::Status,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Kind of the guest.
    r#type: Hidden<OriginalKind>,
    /// Only rows with this.
    filter: Hidden<Pattern>,
    /// How many rows.
    limit: Hidden<Limit>,
    /// Where the page begins.
    cursor: Hidden<Cursor>,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_guest",
    title: "Show guest",
    description: "Shows one VM or container.",
    toolset: Toolset::Guests,
    aliases: &[
        Alias::of("proxmox_get_vm_status").fixed(&[("show", "\"status\"")]),
        Alias::of("proxmox_get_vm_config").fixed(&[("show", "\"config\"")]),
        Alias::of("proxmox_list_snapshots_vm").fixed(&[("show", "\"snapshots\"")]),
        Alias::of("proxmox_list_snapshots_lxc").fixed(&[("show", "\"snapshots\"")]),
        Alias::of("proxmox_get_guest_ips").fixed(&[("show", "\"addresses\"")]),
    ],
    params: PARAMS,
    output: Shape::Object(&[
        always("vmid", Shape::Count),
        always("name", Shape::Text),
        always("kind", Shape::Words(&["vm", "container"])),
        always("node", Shape::Text),
        always("show", Shape::Text),
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
        &methods::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_QEMU_VMID_PENDING,
        &methods::GET_NODES_NODE_LXC_VMID_PENDING,
        &methods::GET_NODES_NODE_LXC_VMID_CONFIG,
        &methods::GET_NODES_NODE_QEMU_VMID_SNAPSHOT,
        &methods::GET_NODES_NODE_LXC_VMID_SNAPSHOT,
        &methods::GET_NODES_NODE_QEMU_VMID_AGENT_NETWORK_GET_INTERFACES,
        &methods::GET_NODES_NODE_LXC_VMID_INTERFACES,
        &methods::GET_NODES_NODE_QEMU_VMID_AGENT_GET_OSINFO,
        &methods::GET_NODES_NODE_QEMU_VMID_AGENT_GET_HOST_NAME,
        &methods::GET_NODES_NODE_QEMU_VMID_AGENT_GET_TIMEZONE,
        &methods::GET_NODES_NODE_QEMU_VMID_AGENT_GET_FSINFO,
        &methods::GET_NODES_NODE_QEMU_VMID_AGENT_GET_USERS,
        &methods::GET_NODES_NODE_QEMU_VMID_FIREWALL_RULES,
        &methods::GET_NODES_NODE_LXC_VMID_FIREWALL_RULES,
        &methods::GET_NODES_NODE_QEMU_VMID_FIREWALL_OPTIONS,
        &methods::GET_NODES_NODE_LXC_VMID_FIREWALL_OPTIONS,
        &methods::GET_NODES_NODE_QEMU_VMID_CLOUDINIT,
    ],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let guest = guests::locate(cx, params.vmid, params.node.get())?;
    params.r#type.get().map_or(Ok(()), |kind| kind.check(&guest))?;
    let head = Data::new()
        .always("vmid", guest.vmid.number())
        .always("name", guest.name.as_str())
        .always("kind", guest.kind.word())
        .always("node", guest.node.as_str())
        .always("show", params.show.word());
    let wanted = Wanted { filter: params.filter.0, limit: params.limit.0, cursor: params.cursor.0 };
    let view = match params.show {
        Show::Status => guest::status(cx, &guest),
        Show::Config => guest::config(cx, &guest),
        Show::Pending => guest::pending(cx, &guest),
        Show::Snapshots => snapshots::tree(cx, &guest),
        Show::Addresses => agent::addresses(cx, &guest),
        Show::Os => agent::system(cx, &guest),
        Show::Filesystems => agent::filesystems(cx, &guest),
        Show::Users => agent::users(cx, &guest),
        Show::Firewall => firewall::rules(cx, &Level::Guest(guest)),
        Show::Cloudinit => guest::cloudinit(cx, &guest),
    }?;
    view.outcome(head, &wanted)
}

#[cfg(test)]
#[path = "tests/proxmox_get_guest.rs"]
mod tests;
