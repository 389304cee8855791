//! Where a guest fits: what is left on each node, and what would be left with one guest more.

use crate::foreign;
use crate::pve::nodes::is_online;
use crate::pve::resources::Resource;
use crate::pve::storages::{Storage, all};
use crate::text;

/// So much of a node's memory, or of a storage, may be in use afterwards.
const FULL: f64 = 0.95;
/// So many cores of guests for each processor count as full.
const CORES_EACH: f64 = 4.0;

/// What is to be placed.
#[derive(Debug, Clone)]
pub struct Wanted<'w> {
    /// Memory in bytes.
    pub memory: f64,
    /// Cores.
    pub cores: f64,
    /// Disk space in bytes; 0 for none.
    pub disk: f64,
    /// The storage that it has to be on; any that may hold the content where there is none.
    pub storage: Option<&'w str>,
    /// What the storage has to hold, one of these: `images` for VMs, `rootdir` for containers.
    pub content: &'static [&'static str],
    /// Nodes that are out of the question, each with why.
    pub avoid: Vec<(String, String)>,
}

/// A node with the guest on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Place<'r> {
    /// The node.
    pub node: &'r str,
    /// Memory in use then, 0 to 1.
    pub memory_used: f64,
    /// Memory given to running guests then, by the node's; over 1 is more than there is.
    pub memory_allocated: f64,
    /// Cores of running guests then, for each processor.
    pub cores_ratio: f64,
    /// Processors in use now, 0 to 1.
    pub cpu: f64,
    /// The storage with the most room, where a disk is wanted.
    pub storage: Option<Room<'r>>,
}

/// A storage with the disk on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room<'r> {
    /// Its id.
    pub name: &'r str,
    /// What is free on it then, in bytes.
    pub free: f64,
    /// How full it is then, 0 to 1.
    pub full: f64,
    shared: bool,
}

impl Place<'_> {
    /// What will be the scarcest on the node, and how full it is. A shared storage is the same for all nodes.
    pub fn tightest(&self) -> (&'static str, f64) {
        let storage = self.storage.filter(|room| !room.shared).map_or(0.0, |room| room.full);
        let all = [
            ("memory in use", self.memory_used),
            ("memory given to guests", self.memory_allocated),
            ("cores", self.cores_ratio / CORES_EACH),
            ("processors in use", self.cpu),
            ("storage", storage),
        ];
        all.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or(("memory in use", 0.0))
    }
}

/// The nodes with room, best first, and the others, each with why not.
pub fn places<'r>(rows: &'r [Resource<'r>], wanted: &Wanted<'_>) -> (Vec<Place<'r>>, Vec<(&'r str, String)>) {
    let storages = all(rows);
    let (mut fit, mut out) = (Vec::new(), Vec::new());
    for row in rows.iter().filter(|row| row.is_node()) {
        match place(row, rows, &storages, wanted) {
            Ok(place) => fit.push(place),
            Err(why) => out.push((&*row.node, why)),
        }
    }
    fit.sort_by(|a, b| a.tightest().1.total_cmp(&b.tightest().1).then_with(|| a.node.cmp(b.node)));
    out.sort_by(|a, b| a.0.cmp(b.0));
    (fit, out)
}

fn place<'r>(
    row: &'r Resource<'r>,
    rows: &[Resource<'_>],
    storages: &[Storage<'r>],
    wanted: &Wanted<'_>,
) -> Result<Place<'r>, String> {
    if let Some((_, why)) = wanted.avoid.iter().find(|(node, _)| *node == *row.node) {
        return Err(why.clone());
    }
    if !is_online(row) {
        return Err("offline".to_owned());
    }
    let unknown = || "its memory and processors are not known".to_owned();
    let (used, memory) = row.memory().filter(|(_, memory)| *memory > 0.0).ok_or_else(unknown)?;
    let cpus = row.maxcpu.value().filter(|cpus| *cpus > 0.0).ok_or_else(unknown)?;
    if wanted.cores > cpus {
        return Err(format!("{} cores wanted, {cpus:.0} processors there", wanted.cores));
    }
    let memory_used = (used + wanted.memory) / memory;
    if memory_used >= FULL {
        return Err(format!(
            "memory would be {} in use ({} free now)",
            text::percent(memory_used),
            text::bytes((memory - used).max(0.0))
        ));
    }
    let here = || {
        rows.iter().filter(|guest| guest.is_guest() && guest.node == row.node && &*guest.status == "running")
    };
    let given: f64 = here().filter_map(|guest| guest.maxmem.value()).sum();
    let cores: f64 = here().filter_map(|guest| guest.maxcpu.value()).sum();
    Ok(Place {
        node: &row.node,
        memory_used,
        memory_allocated: (given + wanted.memory) / memory,
        cores_ratio: (cores + wanted.cores) / cpus,
        cpu: row.cpu.fraction().unwrap_or_default(),
        storage: room(&row.node, storages, wanted)?,
    })
}

/// The storage of a node with the most room for the disk; nothing where no disk is wanted.
fn room<'r>(node: &str, storages: &[Storage<'r>], wanted: &Wanted<'_>) -> Result<Option<Room<'r>>, String> {
    if wanted.disk <= 0.0 && wanted.storage.is_none() {
        return Ok(None);
    }
    let here = |storage: &&Storage<'r>| storage.online && storage.nodes.contains(&node);
    let named = |storage: &&Storage<'r>| wanted.storage.is_none_or(|name| name == &*storage.row.storage);
    let holds = |storage: &&Storage<'r>| wanted.content.iter().any(|content| storage.row.holds(content));
    let free = |storage: &Storage<'r>| {
        let (used, all) = storage.row.space().filter(|(_, all)| *all > 0.0)?;
        let (free, full) = (all - used - wanted.disk, (used + wanted.disk) / all);
        Some(Room { name: &storage.row.storage, free, full, shared: storage.is_shared() })
    };
    let possible = storages.iter().filter(here).filter(named).filter(holds);
    let best = possible.filter_map(free).max_by(|a, b| a.free.total_cmp(&b.free));
    let kind = wanted.content.join(" or ");
    match (best, wanted.storage) {
        (Some(best), _) if best.full < FULL => Ok(Some(best)),
        (Some(best), _) => {
            let free = text::bytes((best.free + wanted.disk).max(0.0));
            Err(format!("storage {} has {free} free", foreign::name(best.name)))
        }
        (None, Some(name)) => {
            Err(format!("storage {} is not there, or holds no {kind}", foreign::name(name)))
        }
        (None, None) => Err(format!("no storage there holds {kind}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = r#"[
        {"type":"node","node":"a","status":"online","maxcpu":8,"cpu":0.1,"mem":20,"maxmem":100},
        {"type":"node","node":"b","status":"online","maxcpu":8,"cpu":0.1,"mem":70,"maxmem":100},
        {"type":"node","node":"c","status":"offline","maxcpu":8,"mem":0,"maxmem":100},
        {"type":"node","node":"d","status":"online"},
        {"type":"qemu","vmid":100,"node":"a","status":"running","maxmem":60,"maxcpu":4},
        {"type":"qemu","vmid":101,"node":"a","status":"stopped","maxmem":60,"maxcpu":4},
        {"type":"storage","storage":"ssd","node":"a","status":"available","disk":10,"maxdisk":100,"content":"images,rootdir"},
        {"type":"storage","storage":"ssd","node":"b","status":"available","disk":90,"maxdisk":100,"content":"images,rootdir"},
        {"type":"storage","storage":"iso","node":"b","status":"available","disk":0,"maxdisk":1000,"content":"iso"}]"#;

    fn wanted(memory: f64, cores: f64, disk: f64) -> Wanted<'static> {
        Wanted { memory, cores, disk, storage: None, content: &["images"], avoid: Vec::new() }
    }

    fn answer(wanted: &Wanted<'_>) -> (Vec<String>, Vec<(String, String)>) {
        let rows: Vec<Resource<'_>> = serde_json::from_str(ROWS).unwrap();
        let (fit, out) = places(&rows, wanted);
        let fit = fit.iter().map(|place| place.node.to_owned()).collect();
        (fit, out.into_iter().map(|(node, why)| (node.to_owned(), why)).collect())
    }

    #[test]
    fn figures_are_those_with_the_guest_in_place() {
        let rows: Vec<Resource<'_>> = serde_json::from_str(ROWS).unwrap();
        let (fit, _) = places(&rows, &wanted(10.0, 4.0, 20.0));
        let place = &fit[0];
        assert_eq!(
            (place.node, place.memory_used, place.memory_allocated, place.cores_ratio),
            ("a", 0.3, 0.7, 1.0)
        );
        assert_eq!(place.storage, Some(Room { name: "ssd", free: 70.0, full: 0.3, shared: false }));
        assert_eq!(place.tightest(), ("memory given to guests", 0.7));
    }

    #[test]
    fn the_roomiest_node_is_first_and_others_say_why_not() {
        let (fit, out) = answer(&wanted(10.0, 1.0, 0.0));
        assert_eq!(fit, ["a", "b"]);
        assert_eq!(out[0], ("c".to_owned(), "offline".to_owned()));
        assert!(out[1].1.contains("not known"), "{out:?}");
        for (wanted, node, why) in [
            (wanted(25.0, 1.0, 0.0), "b", "memory would be 95.0% in use"),
            (wanted(1.0, 9.0, 0.0), "a", "9 cores wanted, 8 processors there"),
            (wanted(1.0, 1.0, 20.0), "b", "storage ssd has 10 B free"),
            (Wanted { storage: Some("iso"), ..wanted(1.0, 1.0, 20.0) }, "a", "storage iso is not there"),
            (
                Wanted { avoid: vec![("a".to_owned(), "to be avoided".to_owned())], ..wanted(1.0, 1.0, 0.0) },
                "a",
                "to be avoided",
            ),
        ] {
            let (_, out) = answer(&wanted);
            let said =
                out.iter().find(|(name, _)| name == node).map(|(_, why)| why.as_str()).unwrap_or_default();
            assert!(said.contains(why), "{out:?}");
        }
    }
}
