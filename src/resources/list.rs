//! The resources there are. Each is one row here.

use super::{MIME_TYPE, Of, Resource, Template};

/// Those with a URI of their own, in a stable order.
pub fn all() -> &'static [Resource] {
    ALL
}

/// The others.
pub fn templates() -> &'static [Template] {
    TEMPLATES
}

const fn one(
    uri: &'static str,
    name: &'static str,
    title: &'static str,
    description: &'static str,
    tool: &'static str,
) -> Resource {
    Resource { uri, name, title, description, mime_type: MIME_TYPE, tool, call: Of::PLAIN }
}

const fn each(
    uri_template: &'static str,
    name: &'static str,
    title: &'static str,
    description: &'static str,
    tool: &'static str,
) -> Template {
    Template { uri_template, name, title, description, mime_type: MIME_TYPE, tool, call: Of::PLAIN }
}

impl Resource {
    const fn with(self, fixed: &'static [(&'static str, &'static str)]) -> Resource {
        Resource { call: Of { fixed, ..self.call }, ..self }
    }
}

impl Template {
    const fn with(self, fixed: &'static [(&'static str, &'static str)]) -> Template {
        Template { call: Of { fixed, ..self.call }, ..self }
    }

    const fn calling(self, renamed: &'static [(&'static str, &'static str)]) -> Template {
        Template { call: Of { renamed, ..self.call }, ..self }
    }
}

static ALL: &[Resource] = &[
    one(
        "proxmox://cluster",
        "cluster",
        "Cluster",
        "Quorum, nodes, high availability and totals",
        "proxmox_get_cluster_status",
    ),
    one("proxmox://health", "health", "Health", "What is wrong, or soon will be", "proxmox_health"),
    one("proxmox://nodes", "nodes", "Nodes", "All nodes", "proxmox_get_nodes"),
    one("proxmox://guests", "guests", "Guests", "All VMs and containers", "proxmox_get_vms"),
    one("proxmox://storages", "storages", "Storages", "All storages", "proxmox_get_storage"),
    one("proxmox://tasks", "tasks", "Tasks", "Running and recent tasks", "proxmox_get_tasks"),
    one("proxmox://backups", "backups", "Backups", "The last backup of each guest", "proxmox_list_backups"),
    one("proxmox://pools", "pools", "Pools", "All pools", "proxmox_get_cluster_info")
        .with(&[("topic", "\"pools\"")]),
];

/// URIs that are not listed any more, and what they stand for.
pub(super) const OLDER: [(&str, &str); 2] =
    [("proxmox://vms", "proxmox://guests"), ("proxmox://storage", "proxmox://storages")];

static TEMPLATES: &[Template] = &[
    each(
        "proxmox://nodes/{node}",
        "node",
        "Node",
        "CPU, memory, load, network, disks and version of a node",
        "proxmox_get_node_status",
    ),
    each(
        "proxmox://nodes/{node}/guests",
        "node-guests",
        "Guests of a node",
        "All of them",
        "proxmox_get_vms",
    ),
    each(
        "proxmox://nodes/{node}/tasks",
        "node-tasks",
        "Tasks of a node",
        "Running and past ones",
        "proxmox_get_tasks",
    ),
    each(
        "proxmox://nodes/{node}/metrics{?timeframe}",
        "node-metrics",
        "Load of a node",
        "Over the last hour, day, week, month or year",
        "proxmox_get_metrics",
    ),
    each(
        "proxmox://nodes/{node}/info/{topic}",
        "node-info",
        "Details of a node",
        "One topic, such as services, updates, disks or network",
        "proxmox_get_node_info",
    ),
    each("proxmox://guests/{vmid}", "guest", "Guest", "State of a VM or container", "proxmox_get_guest"),
    each(
        "proxmox://guests/{vmid}/config",
        "guest-config",
        "Configuration of a guest",
        "All keys, with changes that wait for a restart",
        "proxmox_get_guest",
    )
    .with(&[("show", "\"config\"")]),
    each(
        "proxmox://guests/{vmid}/snapshots",
        "guest-snapshots",
        "Snapshots of a guest",
        "All of them",
        "proxmox_get_guest",
    )
    .with(&[("show", "\"snapshots\"")]),
    each(
        "proxmox://guests/{vmid}/metrics{?timeframe}",
        "guest-metrics",
        "Load of a guest",
        "Over the last hour, day, week, month or year",
        "proxmox_get_metrics",
    ),
    each(
        "proxmox://guests/{vmid}/tasks",
        "guest-tasks",
        "Tasks of a guest",
        "Running and past ones",
        "proxmox_get_tasks",
    ),
    each(
        "proxmox://guests/{vmid}/backups",
        "guest-backups",
        "Backups of a guest",
        "All of them",
        "proxmox_list_backups",
    ),
    each(
        "proxmox://tasks/{upid}",
        "task",
        "Task",
        "How it goes or went, with the end of its log",
        "proxmox_get_task",
    ),
    each("proxmox://tasks/{upid}/log", "task-log", "Log of a task", "With all lines", "proxmox_get_task")
        .with(&[("log_lines", "50000")]),
    each(
        "proxmox://storages/{storage}",
        "storage",
        "Storage",
        "Its ISOs, templates, disks and backups",
        "proxmox_get_storage_content",
    ),
    each(
        "proxmox://storages/{storage}/metrics{?timeframe,node}",
        "storage-metrics",
        "Usage of a storage",
        "Over the last hour, day, week, month or year",
        "proxmox_get_metrics",
    ),
    each("proxmox://pools/{pool}", "pool", "Pool", "Its guests and storages", "proxmox_get_cluster_info")
        .with(&[("topic", "\"pools\"")])
        .calling(&[("pool", "name")]),
    each(
        super::uri::TEMPLATE,
        "tool",
        "All rows of a list",
        "What a tool that only reads answers, all pages of it; `arguments` is a JSON object without `limit` and \
         `cursor`",
        "",
    ),
];
