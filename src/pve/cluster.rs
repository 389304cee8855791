//! The cluster as a whole: health, and sums over its nodes, storages and guests.

use serde_json::Value;

use crate::foreign;
use crate::pve::guests::GuestKind;
use crate::pve::nodes::{self, Offline};
use crate::pve::resources::{Figure, Resource};
use crate::pve::storages;

/// How the cluster is.
#[derive(Debug, Default)]
pub struct Health {
    /// Its name, cleaned; nothing for a stand-alone node, or if it is not known.
    pub name: Option<String>,
    /// Whether it is a stand-alone node, no cluster.
    pub alone: bool,
    /// Whether it has quorum; nothing if that is not known, or for a stand-alone node.
    pub quorate: Option<bool>,
    /// How many nodes are online.
    pub online: usize,
    /// The names of the other nodes, cleaned and sorted.
    pub offline: Vec<String>,
    /// High availability; nothing if that is not known.
    pub ha: Option<Ha>,
}

/// High availability.
#[derive(Debug, PartialEq, Eq)]
pub struct Ha {
    /// `active`, `inactive` or `error`.
    pub status: &'static str,
    /// How many guests it looks after.
    pub guests: usize,
}

impl Health {
    /// Reads it from the rows of `/cluster/resources` and, where they could be had, the answers of
    /// `/cluster/status` and `/cluster/ha/status/current`.
    pub fn read(rows: &[Resource<'_>], status: Option<&Value>, ha: Option<&Value>) -> Health {
        let (online, offline): (Vec<_>, Vec<_>) =
            rows.iter().filter(|row| row.is_node()).partition(|row| nodes::is_online(row));
        let mut offline: Vec<String> = offline.iter().map(|row| foreign::line(&row.node, 80)).collect();
        offline.sort_unstable();
        let entries = status.and_then(Value::as_array);
        let of_type = |entry: &&Value, kind: &str| entry.get("type").and_then(Value::as_str) == Some(kind);
        let cluster = entries.into_iter().flatten().find(|entry| of_type(entry, "cluster"));
        let name = cluster.and_then(|entry| entry.get("name")?.as_str());
        Health {
            name: name.map(|name| foreign::line(name, 80)),
            alone: entries.is_some() && cluster.is_none(),
            quorate: cluster.map(|entry| Figure::of(entry.get("quorate")).flag()),
            online: online.len(),
            offline,
            ha: ha.and_then(Value::as_array).map(|entries| Ha::read(entries)),
        }
    }

    /// `healthy`, `degraded` (a node is offline) or `no_quorum`.
    pub fn status(&self) -> &'static str {
        match (self.quorate, self.offline.is_empty()) {
            (Some(false), _) => "no_quorum",
            (_, false) => "degraded",
            (_, true) => "healthy",
        }
    }
}

impl Ha {
    fn read(entries: &[Value]) -> Ha {
        let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let services: Vec<&Value> =
            entries.iter().filter(|entry| text(entry, "type").as_deref() == Some("service")).collect();
        let broken = |entry: &&Value| {
            let state = text(entry, "state").or_else(|| text(entry, "crm_state")).unwrap_or_default();
            matches!(state.as_str(), "error" | "fence" | "recovery")
        };
        let status = if services.iter().any(broken) {
            "error"
        } else if services.is_empty() {
            "inactive"
        } else {
            "active"
        };
        Ha { status, guests: services.len() }
    }
}

/// Sums over the cluster.
#[derive(Debug, Default)]
pub struct Totals {
    /// Processors of all nodes of which they are known.
    pub cores: u64,
    /// Memory of these nodes, in bytes.
    pub memory: f64,
    /// Storage in bytes, shared ones once.
    pub storage: f64,
    /// Virtual machines, without templates.
    pub vms: Count,
    /// Containers, without templates.
    pub containers: Count,
    /// Templates of both kinds.
    pub templates: usize,
    /// Guests of which only an old state is known.
    pub on_offline_nodes: usize,
    /// Average processor use of the online nodes, weighted by processors, 0 to 1.
    pub cpu: Option<f64>,
    /// Memory in use on the online nodes, 0 to 1.
    pub memory_used: Option<f64>,
}

/// How many guests.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// That run, on online nodes.
    pub running: usize,
    /// In all.
    pub all: usize,
}

impl Totals {
    /// Sums up the rows of `/cluster/resources`.
    pub fn sum(rows: &[Resource<'_>]) -> Totals {
        let mut totals = Totals::default();
        totals.add_nodes(rows);
        totals.storage = storages::all(rows).iter().filter_map(|storage| storage.row.maxdisk.value()).sum();
        let offline = Offline::of(rows);
        for row in rows.iter().filter(|row| row.is_guest()) {
            totals.add_guest(row, offline.has(&row.node));
        }
        totals
    }

    fn add_nodes(&mut self, rows: &[Resource<'_>]) {
        let all = || rows.iter().filter(|row| row.is_node());
        self.cores = all().filter_map(|row| row.maxcpu.whole()).sum();
        self.memory = all().filter_map(|row| row.maxmem.value()).sum();
        let online = || all().filter(|row| nodes::is_online(row));
        self.cpu = average(online().filter_map(|row| row.cpu.fraction().zip(row.maxcpu.value())));
        let share = |row: &Resource<'_>| {
            let (used, total) = row.memory().filter(|(_, total)| *total > 0.0)?;
            Some(((used / total).clamp(0.0, 1.0), total))
        };
        self.memory_used = average(online().filter_map(share));
    }

    fn add_guest(&mut self, row: &Resource<'_>, offline: bool) {
        if row.is_template() {
            self.templates += 1;
            return;
        }
        let count = match GuestKind::of(row) {
            GuestKind::Vm => &mut self.vms,
            GuestKind::Container => &mut self.containers,
        };
        count.all += 1;
        count.running += usize::from(!offline && &*row.status == "running");
        self.on_offline_nodes += usize::from(offline);
    }
}

/// The average of shares, each with its weight.
fn average(shares: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (sum, weight) =
        shares.fold((0.0, 0.0), |(sum, all), (share, weight)| (sum + share * weight, all + weight));
    (weight > 0.0).then(|| sum / weight)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sums_count_shared_storage_once_and_leave_offline_nodes_out_of_averages() {
        let json = r#"[
            {"type":"node","node":"a","status":"online","maxcpu":30,"cpu":0.1,"maxmem":300,"mem":150},
            {"type":"node","node":"b","status":"online","maxcpu":10,"cpu":0.5,"maxmem":100,"mem":90},
            {"type":"node","node":"c","status":"offline","maxcpu":10,"maxmem":100},
            {"type":"storage","storage":"nfs","node":"a","shared":1,"status":"available","maxdisk":1000},
            {"type":"storage","storage":"nfs","node":"b","shared":1,"status":"available","maxdisk":1000},
            {"type":"storage","storage":"local","node":"a","status":"available","maxdisk":10},
            {"type":"storage","storage":"local","node":"b","status":"available","maxdisk":20},
            {"type":"qemu","vmid":100,"node":"a","status":"running"},
            {"type":"qemu","vmid":101,"node":"c","status":"running"},
            {"type":"qemu","vmid":102,"node":"a","status":"stopped","template":1},
            {"type":"lxc","vmid":103,"node":"b","status":"stopped"}
        ]"#;
        let rows: Vec<Resource<'_>> = serde_json::from_str(json).unwrap();
        let totals = Totals::sum(&rows);
        assert_eq!((totals.cores, totals.memory, totals.storage), (50, 500.0, 1030.0));
        assert_eq!((totals.cpu, totals.memory_used), (Some(0.2), Some(0.6)));
        assert_eq!(totals.vms, Count { running: 1, all: 2 });
        assert_eq!(totals.containers, Count { running: 0, all: 1 });
        assert_eq!((totals.templates, totals.on_offline_nodes), (1, 1));

        let health = Health::read(&rows, None, None);
        assert_eq!((health.status(), health.online, health.offline), ("degraded", 2, vec!["c".to_owned()]));
    }

    #[test]
    fn ha_is_judged_by_its_guests() {
        let service = |state: &str| json!({"type": "service", "sid": "vm:100", "state": state});
        for (entries, status, guests) in [
            (vec![json!({"type": "quorum", "quorate": 1})], "inactive", 0),
            (vec![service("started"), service("stopped")], "active", 2),
            (vec![service("started"), service("error")], "error", 2),
        ] {
            assert_eq!(Ha::read(&entries), Ha { status, guests });
        }
    }
}
