//! Nodes and their disks.

use std::time::Duration;

use serde_json::{Value, json};

use super::figures::{drift, part, seed};
use super::system::System;

/// A node of the cluster.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its number in the cluster, from 1.
    pub number: usize,
    /// Its address.
    pub ip: String,
    /// Whether the others see it.
    pub state: NodeState,
    /// Unix time in seconds of its last boot.
    pub booted: u64,
    /// Threads.
    pub cpus: u32,
    /// Cores of each socket.
    pub cores: u32,
    /// Sockets.
    pub sockets: u32,
    /// Processor model.
    pub model: String,
    /// Clock of the processor as `/proc/cpuinfo` has it, in MHz.
    pub mhz: String,
    /// Memory in bytes.
    pub memory: u64,
    /// Swap in bytes.
    pub swap: u64,
    /// Root file system in bytes.
    pub rootfs: u64,
    /// SHA-256 of its certificate.
    pub fingerprint: String,
    /// Its disks.
    pub disks: Vec<Disk>,
    /// Usual load, 0..1.
    pub load: f64,
    /// Usual use of memory, 0..1.
    pub memory_use: f64,
    /// Boots with EFI and Secure Boot.
    pub efi: bool,
    /// Its operating system.
    pub system: System,
}

/// Whether a node is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// Everything works.
    Online,
    /// In the cluster, but its API server is down.
    Refusing,
    /// Gone, since this time of the cluster's clock.
    Offline(Duration),
}

/// A disk of a node.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Device path (`/dev/sda`).
    pub path: String,
    /// Kind as Proxmox names it: `nvme`, `ssd`, `hdd`.
    pub kind: &'static str,
    /// Model.
    pub model: String,
    /// Vendor, as the kernel has it.
    pub vendor: String,
    /// Serial number.
    pub serial: String,
    /// World wide name.
    pub wwn: String,
    /// Size in bytes.
    pub size: u64,
    /// What it is used for (`ZFS`, `LVM`, `BIOS boot`).
    pub used: &'static str,
    /// `PASSED` or what SMART says else.
    pub health: &'static str,
    /// Ceph OSD on it.
    pub osd: Option<i64>,
    /// Usual temperature in degrees Celsius.
    pub temperature: u32,
    /// Share of its life that is used up, in percent.
    pub wear: u32,
}

impl Node {
    /// Whether the cluster sees the node.
    pub fn online(&self) -> bool {
        !matches!(self.state, NodeState::Offline(_))
    }

    /// Processor load now, 0..1.
    pub fn cpu(&self, now: u64) -> f64 {
        (self.load + (drift(seed(&self.name), now, 45) - 0.5) * 0.12).clamp(0.003, 0.99)
    }

    /// Memory in use now, in bytes.
    pub fn memory_used(&self, now: u64) -> u64 {
        let moved = (drift(seed(&self.name) ^ 1, now, 300) - 0.5) * 0.02;
        part(self.memory, (self.memory_use + moved).clamp(0.05, 0.98))
    }

    /// Root file system in use, in bytes.
    pub fn rootfs_used(&self, now: u64) -> u64 {
        let share = 0.11 + 0.2 * super::figures::fraction(seed(&self.name), 2);
        part(self.rootfs, share + drift(seed(&self.name) ^ 2, now, 3600) * 0.01)
    }

    /// Seconds since boot.
    pub fn uptime(&self, now: u64) -> u64 {
        now.saturating_sub(self.booted)
    }

    /// Network traffic in bytes per second: in, out.
    pub fn traffic(&self, now: u64) -> (f64, f64) {
        let scale = f64::from(self.cpus) * 1_400_000.0 * self.load;
        let inward = drift(seed(&self.name) ^ 3, now, 120);
        let outward = drift(seed(&self.name) ^ 4, now, 120);
        (scale * (0.4 + inward), scale * (0.3 + 0.8 * outward))
    }

    /// Load averages over 1, 5 and 15 minutes.
    pub fn load_averages(&self, now: u64) -> [f64; 3] {
        let threads = f64::from(self.cpus);
        [60, 300, 900].map(|period| {
            let moved = (drift(seed(&self.name) ^ period, now, period) - 0.5) * 0.1;
            threads * (self.load + moved).max(0.01)
        })
    }
}

impl Disk {
    /// Temperature now, in degrees Celsius.
    pub fn temperature_now(&self, now: u64) -> u32 {
        self.temperature + u32::from(drift(seed(&self.serial), now, 900) > 0.6)
    }

    /// The row of the disk list.
    pub fn row(&self) -> Value {
        let osds: Vec<i64> = self.osd.into_iter().collect();
        json!({
            "devpath": self.path, "by_id_link": format!("/dev/disk/by-id/wwn-{}", self.wwn),
            "type": self.kind, "model": self.model, "vendor": self.vendor, "serial": self.serial,
            "wwn": self.wwn, "size": self.size, "used": self.used, "health": self.health, "gpt": 1,
            "mounted": 0, "rpm": if self.kind == "hdd" { 7200 } else { 0 },
            "wearout": if self.kind == "hdd" { json!("N/A") } else { json!(100 - self.wear) },
            "osdid": self.osd.unwrap_or(-1),
            "osdid-list": osds,
        })
    }
}
