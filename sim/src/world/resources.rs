//! What `/cluster/resources` and `/nodes` are made from: figures that each node reports every few
//! seconds, and the last word of a node that is gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Guest, Node, NodeState, World};
use crate::auth::Caller;

/// A guest of a node that is gone for longer than this has status `unknown`.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);

/// The reported figures.
#[derive(Debug)]
pub(crate) struct View {
    refresh: Duration,
    at: Option<Duration>,
    nodes_stale: bool,
    guests: BTreeMap<u32, String>,
    rows: Vec<Row>,
    /// Whole answers for callers who see everything, by type.
    texts: BTreeMap<String, Arc<str>>,
}

#[derive(Debug)]
struct Row {
    kind: &'static str,
    /// Privilege and ACL path that it takes to see the row.
    needs: Option<(&'static str, String)>,
    text: String,
    /// What others see of it.
    bare: Option<String>,
}

impl View {
    pub(crate) fn new(refresh: Duration) -> View {
        let (guests, rows, texts) = Default::default();
        View { refresh, at: None, nodes_stale: true, guests, rows, texts }
    }

    /// A node came or went: that shows at once.
    pub(crate) fn nodes_changed(&mut self) {
        self.nodes_stale = true;
    }
}

impl World {
    /// The rows of `/cluster/resources` that the caller may see, as JSON text.
    pub(crate) fn resources(&mut self, caller: &Caller, kind: &str) -> Arc<str> {
        self.refresh_view();
        if self.access.is_unrestricted(caller) {
            if let Some(text) = self.view.texts.get(kind) {
                return Arc::clone(text);
            }
            let text: Arc<str> = join(self.rows_of(kind).map(|row| row.text.as_str())).into();
            self.view.texts.insert(kind.to_owned(), Arc::clone(&text));
            return text;
        }
        let visible =
            |row: &Row| row.needs.as_ref().is_none_or(|(privilege, path)| self.may(caller, path, privilege));
        join(
            self.rows_of(kind)
                .filter_map(|row| if visible(row) { Some(row.text.as_str()) } else { row.bare.as_deref() }),
        )
        .into()
    }

    fn rows_of(&self, kind: &str) -> impl Iterator<Item = &Row> {
        self.view.rows.iter().filter(move |row| kind.is_empty() || row.kind == kind)
    }

    fn refresh_view(&mut self) {
        let elapsed = self.clock.elapsed();
        let due = self.view.at.is_none_or(|at| elapsed.saturating_sub(at) >= self.view.refresh);
        if due {
            self.view.at = Some(elapsed);
            self.report_guests();
        }
        if due || self.view.nodes_stale || self.guests_came_or_went() {
            self.view.nodes_stale = false;
            self.view.texts.clear();
            self.view.rows = self.build_rows();
        }
    }

    /// Nodes that are up report their guests; of others the last report stays for a while.
    fn report_guests(&mut self) {
        let now = self.clock.unix();
        let mut before = std::mem::take(&mut self.view.guests);
        let pools: BTreeMap<u32, &str> = self
            .pools
            .iter()
            .flat_map(|(name, p)| p.guests.iter().map(move |id| (*id, name.as_str())))
            .collect();
        let mut reports = BTreeMap::new();
        for guest in self.guests.values() {
            let last = before.remove(&guest.vmid);
            let text = match self.node(&guest.node) {
                Some(node) if node.online() => {
                    guest_row(guest, pools.get(&guest.vmid).copied(), now).to_string()
                }
                Some(node) if self.forgotten(node) => forgotten_row(guest).to_string(),
                _ => {
                    last.unwrap_or_else(|| guest_row(guest, pools.get(&guest.vmid).copied(), now).to_string())
                }
            };
            reports.insert(guest.vmid, text);
        }
        self.view.guests = reports;
    }

    /// Which guests there are is known at once on all nodes; how they are, when their node reports it.
    fn guests_came_or_went(&mut self) -> bool {
        if self.view.guests.keys().eq(self.guests.keys()) {
            return false;
        }
        self.view.guests.retain(|vmid, _| self.guests.contains_key(vmid));
        for (vmid, guest) in &self.guests {
            self.view.guests.entry(*vmid).or_insert_with(|| forgotten_row(guest).to_string());
        }
        true
    }

    fn forgotten(&self, node: &Node) -> bool {
        match node.state {
            NodeState::Offline(since) => self.clock.elapsed().saturating_sub(since) > FORGOTTEN_AFTER,
            _ => false,
        }
    }

    fn build_rows(&self) -> Vec<Row> {
        let pool = |name: &String| {
            let text = json!({ "id": format!("/pool/{name}"), "pool": name, "type": "pool" });
            Row {
                kind: "pool",
                needs: Some(("Pool.Audit", format!("/pool/{name}"))),
                text: text.to_string(),
                bare: None,
            }
        };
        let guest = |(vmid, text): (&u32, &String)| Row {
            kind: "vm",
            needs: Some(("VM.Audit", format!("/vms/{vmid}"))),
            text: text.clone(),
            bare: None,
        };
        let mut rows: Vec<Row> = self.pools.keys().map(pool).collect();
        rows.extend(self.view.guests.iter().map(guest));
        rows.extend(self.nodes.iter().map(|node| self.node_resource(node)));
        rows.extend(self.storages.iter().flat_map(|s| self.nodes.iter().map(move |n| (s, n))).map(
            |(s, n)| {
                let needs = Some(("Datastore.Audit", format!("/storage/{}", s.name)));
                Row { kind: "storage", needs, text: self.storage_resource(s, n).to_string(), bare: None }
            },
        ));
        rows.extend(self.nodes.iter().map(|node| {
            let text = json!({
                "id": format!("network/{}/zone/localnetwork", node.name), "node": node.name, "type": "network",
                "network": "localnetwork", "network-type": "zone", "status": "ok",
            });
            let needs = Some(("SDN.Audit", "/sdn/zones/localnetwork".to_owned()));
            Row { kind: "sdn", needs, text: text.to_string(), bare: None }
        }));
        rows
    }

    fn node_resource(&self, node: &Node) -> Row {
        let status = if node.online() { "online" } else { "offline" };
        let mut bare = json!({
            "id": format!("node/{}", node.name), "node": node.name, "type": "node", "status": status,
            "cgroup-mode": 1, "level": "",
        });
        if self.forgotten(node) {
            // Not even its subscription level is known any more.
            let _ = bare.as_object_mut().and_then(|map| map.remove("level"));
        }
        let mut full = bare.clone();
        add(&mut full, self.node_figures(node));
        Row {
            kind: "node",
            needs: Some(("Sys.Audit", format!("/nodes/{}", node.name))),
            text: full.to_string(),
            bare: Some(bare.to_string()),
        }
    }

    /// What is known of a node's load and size: all, the sizes of one that is offline, nothing of one
    /// that is so for long.
    pub(crate) fn node_figures(&self, node: &Node) -> Value {
        let now = self.clock.unix();
        if node.online() {
            return json!({
                "cpu": node.cpu(now), "maxcpu": node.cpus, "mem": node.memory_used(now), "maxmem": node.memory,
                "disk": node.rootfs_used(now), "maxdisk": node.rootfs, "uptime": node.uptime(now),
            });
        }
        match self.forgotten(node) {
            true => json!({}),
            false => json!({ "maxcpu": node.cpus, "maxmem": node.memory, "maxdisk": node.rootfs }),
        }
    }

    /// The row of `/nodes`.
    pub(crate) fn node_row(&self, caller: &Caller, node: &Node) -> Value {
        let status = if node.online() { "online" } else { "offline" };
        let mut row = json!({
            "id": format!("node/{}", node.name), "node": node.name, "type": "node", "status": status,
            "ssl_fingerprint": node.fingerprint,
        });
        if !self.forgotten(node) {
            add(&mut row, json!({ "level": "" }));
        }
        if self.may(caller, &format!("/nodes/{}", node.name), "Sys.Audit") {
            add(&mut row, self.node_figures(node));
        }
        row
    }

    fn storage_resource(&self, storage: &super::Storage, node: &Node) -> Value {
        let mut row = json!({
            "id": format!("storage/{}/{}", node.name, storage.name), "storage": storage.name, "node": node.name,
            "type": "storage", "plugintype": storage.kind, "content": storage.content_text(),
            "shared": u8::from(storage.shared), "status": "unknown",
        });
        if !self.forgotten(node) {
            let used = storage.used(&node.name, self.clock.unix());
            add(&mut row, json!({ "status": "available", "disk": used, "maxdisk": storage.total }));
        }
        row
    }
}

/// The reported figures of a guest.
pub(crate) fn guest_row(guest: &Guest, pool: Option<&str>, now: u64) -> Value {
    let usage = guest.usage(now);
    let mut row = json!({
        "id": guest.id(), "type": guest.kind.as_str(), "vmid": guest.vmid, "node": guest.node,
        "name": guest.name, "status": guest.status(), "template": u8::from(guest.template),
        "cpu": usage.cpu, "maxcpu": guest.cores, "mem": usage.memory, "maxmem": guest.memory,
        "memhost": if guest.kind == super::GuestKind::Qemu { usage.memory } else { 0 },
        "disk": usage.disk, "maxdisk": guest.disk, "diskread": usage.diskread, "diskwrite": usage.diskwrite,
        "netin": usage.netin, "netout": usage.netout, "uptime": usage.uptime,
    });
    let optional = [
        ("pool", pool.map(str::to_owned)),
        ("tags", (!guest.tags.is_empty()).then(|| guest.tag_text())),
        ("lock", guest.lock.clone()),
        ("hastate", guest.ha.clone()),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            add(&mut row, json!({ key: value }));
        }
    }
    row
}

fn forgotten_row(guest: &Guest) -> Value {
    let mut row = json!({
        "id": guest.id(), "type": guest.kind.as_str(), "vmid": guest.vmid, "node": guest.node, "status": "unknown",
    });
    if !guest.tags.is_empty() {
        add(&mut row, json!({ "tags": guest.tag_text() }));
    }
    row
}

/// Adds the keys of one object to another.
pub(crate) fn add(to: &mut Value, from: Value) {
    if let (Value::Object(to), Value::Object(from)) = (to, from) {
        to.extend(from);
    }
}

fn join<'a>(rows: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::from("[");
    for row in rows {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(row);
    }
    text.push(']');
    text
}
