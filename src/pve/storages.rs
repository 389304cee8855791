//! Storages of the whole cluster: a shared one counts once, a local one once for each node.

use crate::pve::nodes::Offline;
use crate::pve::resources::Resource;

/// A storage, shared by nodes or local to one.
#[derive(Debug)]
pub struct Storage<'r> {
    /// The row that tells most of it.
    pub row: &'r Resource<'r>,
    /// The nodes that it is on, sorted; those where it has figures, if there are any.
    pub nodes: Vec<&'r str>,
    /// Whether an online node has figures of it.
    pub online: bool,
    /// Whether all of its nodes are offline.
    pub nodes_offline: bool,
    /// Nodes that are online but have no figures of it, while others have.
    pub failing: Vec<&'r str>,
}

impl Storage<'_> {
    /// Whether it is one and the same on all nodes.
    pub fn is_shared(&self) -> bool {
        self.row.shared.flag()
    }

    /// Whether Ceph keeps it.
    pub fn is_ceph(&self) -> bool {
        matches!(&*self.row.plugintype, "rbd" | "cephfs")
    }
}

/// All storages among the rows, by id and node.
pub fn all<'r>(rows: &'r [Resource<'r>]) -> Vec<Storage<'r>> {
    seen_from(rows, None)
}

/// The storages as one node sees them, or all.
pub fn seen_from<'r>(rows: &'r [Resource<'r>], node: Option<&str>) -> Vec<Storage<'r>> {
    let here = |row: &&Resource<'_>| row.is_storage() && node.is_none_or(|node| *row.node == *node);
    let mut found: Vec<&Resource<'_>> = rows.iter().filter(here).collect();
    found.sort_unstable_by(|a, b| (&*a.storage, &*a.node).cmp(&(&*b.storage, &*b.node)));
    let offline = Offline::of(rows);
    let same =
        |a: &&Resource<'_>, b: &&Resource<'_>| a.storage == b.storage && a.shared.flag() && b.shared.flag();
    found.chunk_by(same).filter_map(|same| one(same, &offline)).collect()
}

fn one<'r>(same: &[&'r Resource<'r>], offline: &Offline<'_>) -> Option<Storage<'r>> {
    let online = |row: &Resource<'_>| &*row.status == "available" && !offline.has(&row.node);
    let size = |row: &&&Resource<'_>| (online(row), row.maxdisk.whole());
    let row = *same.iter().max_by_key(size)?;
    let (with, without): (Vec<&Resource<'_>>, Vec<&Resource<'_>>) = same.iter().partition(|row| online(row));
    let failing = without.iter().filter(|row| !offline.has(&row.node)).map(|row| &*row.node).collect();
    Some(Storage {
        row,
        nodes: if with.is_empty() { same } else { &with }.iter().map(|row| &*row.node).collect(),
        online: !with.is_empty(),
        nodes_offline: same.iter().all(|row| offline.has(&row.node)),
        failing: if with.is_empty() { Vec::new() } else { failing },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_storage_is_one_and_local_ones_are_several() {
        let json = r#"[
            {"type":"node","node":"a","status":"online"},{"type":"node","node":"b","status":"online"},
            {"type":"node","node":"c","status":"offline"},
            {"type":"storage","storage":"nfs","node":"b","shared":1,"status":"available","maxdisk":10,"disk":5},
            {"type":"storage","storage":"nfs","node":"a","shared":1,"status":"unknown"},
            {"type":"storage","storage":"nfs","node":"c","shared":1,"status":"available","maxdisk":99,"disk":1},
            {"type":"storage","storage":"local","node":"a","shared":0,"status":"available","maxdisk":7},
            {"type":"storage","storage":"local","node":"b","shared":"0","status":"unknown"},
            {"type":"storage","storage":"local","node":"c","status":"available","maxdisk":7}
        ]"#;
        let rows: Vec<Resource<'_>> = serde_json::from_str(json).unwrap();
        let all = all(&rows);
        let ids: Vec<_> = all.iter().map(|s| (&*s.row.storage, s.nodes.clone(), s.online)).collect();
        assert_eq!(
            ids,
            [
                ("local", vec!["a"], true),
                ("local", vec!["b"], false),
                ("local", vec!["c"], false),
                ("nfs", vec!["b"], true)
            ]
        );
        assert_eq!(all[3].row.maxdisk.whole(), Some(10), "figures of an offline node are old");
        assert_eq!(all[3].failing, ["a"]);
        assert!(all[2].nodes_offline && !all[1].nodes_offline && all[3].is_shared());
        let of_a: Vec<_> = seen_from(&rows, Some("a")).iter().map(|s| (&*s.row.storage, s.online)).collect();
        assert_eq!(of_a, [("local", true), ("nfs", false)]);
    }
}
