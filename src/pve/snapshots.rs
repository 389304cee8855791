//! Snapshots of guests.

use proxmox_api::methods::{GET_NODES_NODE_LXC_VMID_SNAPSHOT, GET_NODES_NODE_QEMU_VMID_SNAPSHOT};
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::pve::config::Config;
use crate::pve::guests::Guest;
use crate::pve::ids::SnapshotName;
use crate::pve::resources::Figure;
use crate::text;

/// A snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// The one before it.
    pub parent: Option<String>,
    /// When it was taken, in seconds since 1970.
    pub time: Option<f64>,
    /// Whether it keeps the memory too.
    pub ram: bool,
}

impl Snapshot {
    /// How old it is, such as `12d 3h old`.
    pub fn age(&self, now_ms: u64) -> String {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let now = now_ms as f64 / 1000.0;
        match self.time {
            Some(time) => format!("{} old", text::duration(now - time)),
            None => "age not known".to_owned(),
        }
    }

    /// Name and age as Markdown.
    pub fn shown(&self, now_ms: u64) -> String {
        let ram = if self.ram { ", with memory" } else { "" };
        format!("{} ({}{ram})", foreign::code(&self.name, 60), self.age(now_ms))
    }
}

/// All snapshots of a guest.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshots {
    /// In Proxmox's order.
    pub rows: Vec<Snapshot>,
    /// The one that the present state goes back to.
    pub current: Option<String>,
    /// Whether the guest runs, where Proxmox says so.
    pub running: Option<bool>,
}

impl Snapshots {
    /// Reads them together with the configuration, as a tool needs before it touches one.
    ///
    /// # Errors
    /// What one of the two requests comes to.
    pub fn fetch(cx: &Cx<'_>, guest: &Guest) -> Result<(Snapshots, Config), Error> {
        let [snapshots, config] = cx.all([Snapshots::call(guest), Config::call(guest)]);
        let rows = snapshots?;
        Ok((Snapshots::read(&rows), Config::read(config?, guest)?))
    }

    fn call(guest: &Guest) -> Call {
        guest.call(&GET_NODES_NODE_QEMU_VMID_SNAPSHOT, &GET_NODES_NODE_LXC_VMID_SNAPSHOT)
    }

    fn read(data: &Value) -> Snapshots {
        let mut all = Snapshots { rows: Vec::new(), current: None, running: None };
        for row in data.as_array().into_iter().flatten() {
            let text = |key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
            let Some(name) = text("name") else { continue };
            if name == "current" {
                all.current = text("parent");
                all.running = row.get("running").map(|running| Figure::of(Some(running)).flag());
                continue;
            }
            let ram = Figure::of(row.get("vmstate")).flag();
            all.rows.push(Snapshot {
                name,
                parent: text("parent"),
                time: Figure::of(row.get("snaptime")).value(),
                ram,
            });
        }
        all
    }

    /// The snapshot of this name.
    ///
    /// # Errors
    /// [`Error::NotFound`], with the nearest name and all others.
    pub fn find(&self, guest: &Guest, name: &SnapshotName) -> Result<&Snapshot, Error> {
        if let Some(found) = self.rows.iter().find(|row| row.name == name.as_str()) {
            return Ok(found);
        }
        let near = nearest(name.as_str(), self.rows.iter().map(|row| row.name.as_str()));
        let near = near.map(|near| format!(" Did you mean {}?", foreign::code(near, 60))).unwrap_or_default();
        let names: Vec<String> = self.rows.iter().take(20).map(|row| foreign::code(&row.name, 60)).collect();
        let has = if names.is_empty() { "no snapshot at all".to_owned() } else { names.join(", ") };
        Err(Error::NotFound(format!("{guest} has no snapshot `{name}`.{near} It has {has}.")))
    }

    /// The snapshots that were taken after this one.
    pub fn newer(&self, than: &Snapshot) -> Vec<&Snapshot> {
        let later = |row: &&Snapshot| row.name != than.name && row.time > than.time;
        self.rows.iter().filter(later).collect()
    }

    /// The snapshots whose parent this one is.
    pub fn children(&self, of: &Snapshot) -> Vec<&Snapshot> {
        self.rows.iter().filter(|row| row.parent.as_ref() == Some(&of.name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_tree_is_read() {
        let all = Snapshots::read(&json!([
            {"snaptime": 200, "name": "b", "vmstate": 1, "parent": "a"},
            {"snaptime": "100", "name": "a", "vmstate": 0},
            {"name": "current", "parent": "b", "running": 1},
        ]));
        let a = all.rows.iter().find(|row| row.name == "a").unwrap();
        assert_eq!((all.current.as_deref(), all.running), (Some("b"), Some(true)));
        assert_eq!(all.newer(a).iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(all.children(a), all.newer(a));
        assert_eq!(all.newer(&all.rows[0]), Vec::<&Snapshot>::new());
        assert_eq!(all.rows[0].shown(300_000), "`b` (1m 40s old, with memory)");
    }
}
