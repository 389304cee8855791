//! The threat: an answer that tells of what the operator left out. The API token may see more than
//! the grants give, so lists are cut row by row, and while an allow-list is in force a method whose
//! answer nobody here knows how to cut is refused.

use crate::demand::words;
use crate::denied::Wall;
use crate::gate::Pools;
use crate::grant::Grants;
use crate::row::{self, About, Facts};
use crate::walls::Walls;
use proxmox_api::{Method, Verb};
use serde_json::Value as Json;

/// A method that answers with a list.
struct List {
    path: &'static str,
    /// Reads what a row is about; `None` for a row that it does not understand.
    facts: fn(&Json) -> Option<Facts>,
    /// The privileges that rows can need. Where all are granted on `/`, and no allow-list is in
    /// force, the answer passes unread.
    privileges: &'static [&'static str],
}

const fn list(
    path: &'static str,
    facts: fn(&Json) -> Option<Facts>,
    privileges: &'static [&'static str],
) -> List {
    List { path, facts, privileges }
}

const ALL_AUDIT: &[&str] = &["VM.Audit", "Datastore.Audit", "Pool.Audit", "SDN.Audit"];

static LISTS: &[List] = &[
    list("/cluster/resources", row::resource, ALL_AUDIT),
    list("/nodes", row::node, &[]),
    list("/nodes/{node}/qemu", row::guest, &["VM.Audit"]),
    list("/nodes/{node}/lxc", row::guest, &["VM.Audit"]),
    list("/nodes/{node}/storage", row::storage, &["Datastore.Audit"]),
    list("/storage", row::storage, &["Datastore.Audit"]),
    list("/storage/{storage}", row::one_storage, &[]),
    list("/nodes/{node}/storage/{storage}/content", row::volume_on_storage, &[]),
    list("/pools", row::pool, ALL_AUDIT),
    list("/pools/{poolid}", row::pool, ALL_AUDIT),
    list("/cluster/tasks", row::task, &["Sys.Audit"]),
    list("/nodes/{node}/tasks", row::task, &["Sys.Audit"]),
    list("/cluster/status", row::cluster, &[]),
    list("/cluster/ha/status/current", row::ha, &[]),
    list("/cluster/ha/resources", row::ha, &[]),
    list("/cluster/backup", row::backup, &[]),
    list("/cluster/replication", row::replication, &["VM.Audit"]),
    list("/nodes/{node}/replication", row::replication, &["VM.Audit"]),
];

/// Reads whose answers tell of no node or guest but those in the path, although they name none.
const PLAIN: &[&str] = &[
    "/version",
    "/pve-docs/api-viewer/apidoc.js",
    "/cluster/options",
    "/cluster/nextid",
    "/nodes/{node}/status",
    "/nodes/{node}/rrddata",
    "/nodes/{node}/version",
    "/nodes/{node}/time",
    "/nodes/{node}/dns",
    "/nodes/{node}/network",
    "/nodes/{node}/network/{iface}",
    "/nodes/{node}/services",
    "/nodes/{node}/subscription",
    "/nodes/{node}/apt/update",
    "/nodes/{node}/apt/versions",
    "/nodes/{node}/certificates/info",
    "/nodes/{node}/disks/list",
    "/nodes/{node}/disks/smart",
    "/nodes/{node}/disks/zfs",
    "/nodes/{node}/storage/{storage}/status",
    "/nodes/{node}/storage/{storage}/rrddata",
];

/// Reads whose answers tell of no guest, but may of any node.
const OF_NODES: &[&str] = &["/cluster/ceph/status"];

/// Whether a request that names no node (or guest) still stays inside an allow-list of them: its
/// answer is cut, or tells of none. Changes never do.
pub(crate) fn is_bounded(method: &Method, wall: Wall) -> bool {
    let plain =
        || PLAIN.contains(&method.path) || (matches!(wall, Wall::Guests) && OF_NODES.contains(&method.path));
    method.verb.reads() && (find(method).is_some() || plain())
}

fn find(method: &Method) -> Option<&'static List> {
    LISTS.iter().find(|list| method.verb == Verb::Get && list.path == method.path)
}

/// Decides row by row.
pub(crate) struct Judge<'a> {
    pub(crate) grants: &'a Grants,
    pub(crate) walls: &'a Walls,
    pub(crate) login: &'a str,
    pub(crate) pools: &'a dyn Pools,
}

impl Judge<'_> {
    pub(crate) fn filter(&self, method: &Method, body: &[u8]) -> Option<Vec<u8>> {
        let list = find(method)?;
        let walled = self.walls.bounds_nodes() || self.walls.bounds_guests();
        if !walled && list.privileges.iter().all(|privilege| self.grants.everywhere(privilege)) {
            return None;
        }
        let mut answer: Json = serde_json::from_slice(body).unwrap_or(Json::Null);
        let data = answer.get_mut("data").map(Json::take).unwrap_or_default();
        let kept = match data {
            Json::Array(rows) => {
                Json::Array(rows.into_iter().filter_map(|row| self.cut(list, row)).collect())
            }
            Json::Object(one) => self.cut(list, Json::Object(one)).unwrap_or_default(),
            _ => Json::Array(Vec::new()),
        };
        let mut cut = serde_json::Map::new();
        cut.insert("data".to_owned(), kept);
        if let Some(total) = answer.get("total") {
            cut.insert("total".to_owned(), total.clone());
        }
        Some(Json::Object(cut).to_string().into_bytes())
    }

    /// The row, its members and names of nodes cut too; `None` where it has to go.
    fn cut(&self, list: &List, mut row: Json) -> Option<Json> {
        if !self.admits(&(list.facts)(&row)?) || !self.admits(&row::plain(&row)) {
            return None;
        }
        if self.walls.bounds_nodes() && row.get("nodes").is_some() {
            let inside = self.nodes_inside(row.get("nodes")?)?;
            row.as_object_mut()?.insert("nodes".to_owned(), Json::String(inside));
        }
        if let Some(Json::Array(members)) = row.get_mut("members") {
            let shown = |facts: &Facts, member: &Json| self.admits(facts) && self.admits(&row::plain(member));
            members.retain(|member| row::resource(member).is_some_and(|facts| shown(&facts, member)));
        }
        Some(row)
    }

    /// Of a list of nodes (those that a storage is kept to) the ones inside; `None` where there is none, or
    /// where it cannot be read.
    fn nodes_inside(&self, list: &Json) -> Option<String> {
        let inside: Vec<&str> = words(list.as_str()?).filter(|name| self.walls.admits_node(name)).collect();
        (!inside.is_empty()).then(|| inside.join(","))
    }

    fn admits(&self, facts: &Facts) -> bool {
        let nodes = match &facts.nodes {
            About::Nothing => true,
            About::These(names) => names.iter().all(|name| self.walls.admits_node(name)),
            About::Unknown => !self.walls.bounds_nodes(),
        };
        let guests = match &facts.guests {
            About::Nothing => true,
            About::These(vmids) => vmids.iter().all(|vmid| self.walls.admits_guest(*vmid)),
            About::Unknown => !self.walls.bounds_guests(),
        };
        nodes && guests && (self.owns(facts) || self.granted(facts))
    }

    fn owns(&self, facts: &Facts) -> bool {
        facts.login.as_deref() == Some(self.login)
    }

    /// Whether one of the privileges is granted where the row is.
    fn granted(&self, facts: &Facts) -> bool {
        let Some((privileges, path)) = &facts.needs else { return true };
        privileges.iter().any(|privilege| self.grants.covers(privilege, path, self.pools).is_some())
    }
}

#[cfg(test)]
mod tests;
