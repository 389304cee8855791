//! Storages and what lies on them.

use serde_json::{Value, json};

use super::Guest;
use super::figures::{drift, part, ratio, seed};

/// A storage of the cluster's configuration.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Its name.
    pub name: String,
    /// Its type (`dir`, `zfspool`, `rbd`, `nfs`).
    pub kind: &'static str,
    /// What it may hold.
    pub content: Vec<&'static str>,
    /// Whether all nodes see the same.
    pub shared: bool,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Size in bytes.
    pub total: u64,
    /// How full it is, 0..1.
    pub fill: f64,
    /// How many bytes a day it gains.
    pub growth: u64,
    /// How many bytes its volumes gained since the start.
    pub written: i64,
    /// Further configuration (`path`, `pool`, `server`).
    pub options: Vec<(String, String)>,
    /// Volumes beside the guests' disks: backups, images, templates.
    pub volumes: Vec<Volume>,
}

/// A volume on a storage.
#[derive(Clone, Debug, Default)]
pub struct Volume {
    /// Id without the storage (`iso/debian.iso`).
    pub name: String,
    /// The node, where the storage is not shared.
    pub node: Option<String>,
    /// `backup`, `iso`, `vztmpl`, `images`.
    pub content: &'static str,
    /// Format (`iso`, `vma.zst`).
    pub format: &'static str,
    /// Size in bytes.
    pub size: u64,
    /// Unix time in seconds.
    pub ctime: u64,
    /// The guest that it belongs to.
    pub vmid: Option<u32>,
    /// Kind of that guest (`qemu`), for a backup.
    pub subtype: Option<&'static str>,
    /// Notes on a backup.
    pub notes: Option<String>,
    /// Whether it may not be removed.
    pub protected: bool,
    /// The guest as it was, in a backup.
    pub saved: Option<Box<Guest>>,
}

impl Storage {
    /// Bytes in use on a node.
    pub fn used(&self, node: &str, now: u64) -> u64 {
        let place = if self.shared { "" } else { node };
        let seed = seed(&format!("{}/{place}", self.name));
        let offset = if self.shared { 0.0 } else { (super::figures::fraction(seed, 1) - 0.5) * 0.06 };
        let usual = part(self.total, (self.fill + offset + drift(seed, now, 7200) * 0.004).clamp(0.0, 0.995));
        usual.saturating_add_signed(self.written).min(self.total)
    }

    /// Adds a volume.
    pub fn put(&mut self, volume: Volume) {
        self.written = self.written.saturating_add_unsigned(volume.size);
        self.volumes.push(volume);
    }

    /// Removes the volumes that `gone` picks.
    pub fn remove(&mut self, gone: impl Fn(&Volume) -> bool) {
        let freed: u64 = self.volumes.iter().filter(|v| gone(v)).map(|v| v.size).sum();
        self.written = self.written.saturating_sub_unsigned(freed);
        self.volumes.retain(|v| !gone(v));
    }

    /// Bytes that were in use on a node at an earlier time.
    pub fn used_then(&self, node: &str, then: u64, now: u64) -> u64 {
        let gained = self.growth as f64 * now.saturating_sub(then) as f64 / 86_400.0;
        self.used(node, then).saturating_sub(gained as u64)
    }

    /// The contents as Proxmox lists them.
    pub fn content_text(&self) -> String {
        self.content.join(",")
    }

    /// The status on a node; `fraction` adds the used share, as the list does and the single status does not.
    pub fn status(&self, node: &str, now: u64, fraction: bool) -> Value {
        let used = self.used(node, now);
        let mut status = json!({
            "type": self.kind, "content": self.content_text(), "shared": u8::from(self.shared),
            "enabled": u8::from(self.enabled), "active": u8::from(self.enabled),
            "total": self.total, "used": used, "avail": self.total.saturating_sub(used),
        });
        if let Some(map) = status.as_object_mut().filter(|_| fraction) {
            map.insert("storage".into(), json!(self.name));
            map.insert("used_fraction".into(), json!(ratio(used, self.total)));
        }
        status
    }
}
