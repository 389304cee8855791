//! Virtual machines and containers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::disks::GuestDisk;
use super::figures::{counter, drift, fraction, part, seed};
use crate::agent::Agent;

/// What kind of guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestKind {
    /// A virtual machine.
    Qemu,
    /// A container.
    Lxc,
}

impl GuestKind {
    /// `qemu` or `lxc`, as the API has it.
    pub fn as_str(self) -> &'static str {
        match self {
            GuestKind::Qemu => "qemu",
            GuestKind::Lxc => "lxc",
        }
    }

    /// `VM` or `CT`, as messages have it.
    pub fn noun(self) -> &'static str {
        match self {
            GuestKind::Qemu => "VM",
            GuestKind::Lxc => "CT",
        }
    }

    /// The directory of its configuration files.
    pub fn config_dir(self) -> &'static str {
        match self {
            GuestKind::Qemu => "qemu-server",
            GuestKind::Lxc => "lxc",
        }
    }
}

/// A virtual machine or container.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Its id.
    pub vmid: u32,
    /// What it is.
    pub kind: GuestKind,
    /// Its name.
    pub name: String,
    /// The node that it is on.
    pub node: String,
    /// Tags, sorted.
    pub tags: Vec<String>,
    /// Whether it is a template.
    pub template: bool,
    /// What it is locked for (`backup`).
    pub lock: Option<String>,
    /// Whether it may not be removed.
    pub protection: bool,
    /// Whether it runs.
    pub running: bool,
    /// Unix time in seconds of its start.
    pub started: u64,
    /// Process id on the node.
    pub pid: u32,
    /// Cores; a container without a limit of its own (`cores` in [`Guest::extra`]) has all of its node.
    pub cores: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// Swap of a container in bytes.
    pub swap: u64,
    /// The storage of its disk.
    pub storage: String,
    /// Size of its disk in bytes.
    pub disk: u64,
    /// The volume of its disk, below the storage.
    pub volume: String,
    /// The key of that disk in the configuration (`scsi0`, `rootfs`); empty where it has none.
    pub disk_key: String,
    /// Further options of that disk, as the configuration has them (`discard=on`).
    pub disk_options: String,
    /// Sizes in bytes of volumes that it has and does not use, by volume id.
    pub unused: BTreeMap<String, u64>,
    /// MAC address of its network card; empty for none.
    pub mac: String,
    /// Its address.
    pub ip: String,
    /// Operating system as Proxmox names it (`l26`, `win11`, `debian`).
    pub ostype: String,
    /// The rest of its configuration.
    pub extra: BTreeMap<String, Value>,
    /// Changes that wait for the next start: a value, or none for a removal.
    pub pending: BTreeMap<String, Option<Value>>,
    /// Its snapshots, the oldest first.
    pub snapshots: Vec<Snapshot>,
    /// The snapshot that it was put back to, unless a later one was made since.
    pub rolled_back: Option<String>,
    /// Whether its processors stand still.
    pub paused: bool,
    /// Whether its agent froze its file systems.
    pub frozen: bool,
    /// The guest agent of a virtual machine.
    pub agent: Agent,
    /// State in HA, for a managed guest.
    pub ha: Option<String>,
    /// Usual load, 0..1.
    pub load: f64,
    /// Usual use of memory, 0..1.
    pub memory_use: f64,
    /// It does not react to a request to shut down.
    pub ignores_shutdown: bool,
    /// A warning that each start prints.
    pub start_warning: Option<String>,
    /// What each start fails with.
    pub start_failure: Option<String>,
    /// Something else holds its configuration file.
    pub held: bool,
    /// The template that its disk is a linked clone of.
    pub base: Option<u32>,
}

/// A snapshot of a guest.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// Unix time in seconds.
    pub time: u64,
    /// Its description.
    pub description: String,
    /// The snapshot before it.
    pub parent: Option<String>,
    /// Whether it holds the memory too.
    pub with_memory: bool,
    /// Whether the guest ran then.
    pub running: bool,
    /// The configuration then; empty where it was not kept.
    pub config: Map<String, Value>,
}

/// What a guest uses now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor load, 0..1 of its cores.
    pub cpu: f64,
    /// Memory in bytes.
    pub memory: u64,
    /// Bytes received and sent since start.
    pub netin: u64,
    /// Bytes sent since start.
    pub netout: u64,
    /// Bytes read from disk since start.
    pub diskread: u64,
    /// Bytes written to disk since start.
    pub diskwrite: u64,
    /// Disk in use in bytes; known for containers only.
    pub disk: u64,
    /// Seconds since start.
    pub uptime: u64,
}

impl Guest {
    /// A stopped guest of moderate size.
    pub fn new(vmid: u32, kind: GuestKind, name: &str, node: &str) -> Guest {
        let (volume, ostype) = match kind {
            GuestKind::Qemu => (format!("vm-{vmid}-disk-0"), "l26"),
            GuestKind::Lxc => (format!("subvol-{vmid}-disk-0"), "debian"),
        };
        Guest {
            vmid,
            kind,
            name: name.into(),
            node: node.into(),
            tags: Vec::new(),
            template: false,
            lock: None,
            protection: false,
            running: false,
            started: 0,
            pid: 2000 + vmid * 3,
            cores: 2,
            memory: 4 << 30,
            swap: 512 << 20,
            storage: "local-zfs".into(),
            disk: 32 << 30,
            volume,
            disk_key: if kind == GuestKind::Qemu { "scsi0" } else { "rootfs" }.into(),
            disk_options: String::new(),
            unused: BTreeMap::new(),
            mac: format!(
                "BC:24:11:{:02X}:{:02X}:{:02X}",
                (vmid >> 16) & 0xff,
                (vmid >> 8) & 0xff,
                vmid & 0xff
            ),
            ip: format!("10.20.{}.{}", (vmid >> 8) & 0xff, vmid & 0xff),
            ostype: ostype.into(),
            extra: BTreeMap::new(),
            pending: BTreeMap::new(),
            snapshots: Vec::new(),
            rolled_back: None,
            paused: false,
            frozen: false,
            agent: Agent::default(),
            ha: None,
            load: 0.1,
            memory_use: 0.4,
            ignores_shutdown: false,
            start_warning: None,
            start_failure: None,
            held: false,
            base: None,
        }
    }

    /// `qemu/101`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.kind.as_str(), self.vmid)
    }

    /// `running` or `stopped`.
    pub fn status(&self) -> &'static str {
        if self.running { "running" } else { "stopped" }
    }

    /// What it uses now, in Unix time.
    pub fn usage(&self, now: u64) -> Usage {
        if !self.running {
            return Usage::default();
        }
        let seed = u64::from(self.vmid).wrapping_mul(0x9e37_79b9);
        let uptime = now.saturating_sub(self.started);
        let pace = |part: u64| 2_000.0 + 150_000.0 * self.load * fraction(seed, part);
        Usage {
            cpu: (self.load * (0.6 + 0.8 * drift(seed, now, 30))).min(1.0),
            memory: part(self.memory, (self.memory_use + 0.04 * drift(seed ^ 1, now, 240)).min(0.99)),
            netin: counter(pace(1), uptime),
            netout: counter(pace(2), uptime),
            diskread: counter(pace(3), uptime),
            diskwrite: counter(pace(4), uptime),
            disk: self.disk_used(),
            uptime,
        }
    }

    fn disk_used(&self) -> u64 {
        match self.kind {
            // A virtual machine's disk is opaque to the node.
            GuestKind::Qemu => 0,
            GuestKind::Lxc => part(self.disk, 0.15 + 0.6 * fraction(u64::from(self.vmid), 9)),
        }
    }

    /// The tags as Proxmox writes them.
    pub fn tag_text(&self) -> String {
        self.tags.join(";")
    }

    /// Whether the configuration has the agent on.
    pub fn agent_configured(&self) -> bool {
        self.agent.configured()
    }

    /// What its processors do, as the hypervisor has it: `running`, `paused`, `stopped`.
    pub fn qmp_status(&self) -> &'static str {
        if self.running && self.paused { "paused" } else { self.status() }
    }

    /// Whether its memory lies on disk until it is started or resumed.
    pub fn is_hibernated(&self) -> bool {
        self.lock.as_deref() == Some("suspended")
    }

    /// The snapshot that its disks go on from.
    pub fn parent(&self) -> Option<&str> {
        self.rolled_back.as_deref().or_else(|| self.snapshots.last().map(|s| s.name.as_str()))
    }

    /// The configuration without its digest: the one in force, or with what waits for a start.
    pub fn config(&self, in_force: bool) -> Map<String, Value> {
        let mut config = self.config_in_force();
        if !in_force {
            for (name, value) in &self.pending {
                match value {
                    Some(value) => config.insert(name.clone(), value.clone()),
                    None => config.remove(name),
                };
            }
        }
        config
    }

    fn config_in_force(&self) -> Map<String, Value> {
        let mut config: Map<String, Value> = self.extra.clone().into_iter().collect();
        match self.kind {
            GuestKind::Qemu => self.qemu_config(&mut config),
            GuestKind::Lxc => self.lxc_config(&mut config),
        }
        let mut put = |key: &str, value: Value| config.insert(key.to_owned(), value);
        put("ostype", json!(self.ostype));
        if !self.tags.is_empty() {
            put("tags", json!(self.tag_text()));
        }
        if self.template {
            put("template", json!(1));
        }
        if self.protection {
            put("protection", json!(1));
        }
        if let Some(lock) = &self.lock {
            put("lock", json!(lock));
        }
        if let Some(parent) = self.parent() {
            put("parent", json!(parent));
        }
        if let Some(main) = self.disks().into_iter().find(|d| d.key == self.disk_key) {
            config.insert(main.key.clone(), json!(GuestDisk::text(&main)));
        }
        config
    }

    fn qemu_config(&self, config: &mut Map<String, Value>) {
        let mut put = |key: &str, value: Value| {
            config.entry(key).or_insert(value);
        };
        put("name", json!(self.name));
        put("memory", json!((self.memory >> 20).to_string()));
        if self.cores > 1 {
            put("cores", json!(self.cores));
        }
        if !self.mac.is_empty() {
            put("net0", json!(format!("virtio={},bridge=vmbr0", self.mac)));
        }
        put("scsihw", json!("virtio-scsi-single"));
        if !self.disk_key.is_empty() {
            put("boot", json!(format!("order={}", self.disk_key)));
        }
        put("smbios1", json!(format!("uuid={}", uuid(&self.name, u64::from(self.vmid)))));
        put("vmgenid", json!(uuid(&self.name, u64::from(self.vmid) + 1)));
        put("meta", json!("creation-qemu=10.0.2,ctime=1741256400"));
        if self.agent_configured() {
            put("agent", json!("1"));
        }
    }

    fn lxc_config(&self, config: &mut Map<String, Value>) {
        let mut put = |key: &str, value: Value| {
            config.entry(key).or_insert(value);
        };
        put("hostname", json!(self.name));
        put("arch", json!("amd64"));
        put("memory", json!(self.memory >> 20));
        put("swap", json!(self.swap >> 20));
        if !self.mac.is_empty() {
            let net = format!("name=eth0,bridge=vmbr0,hwaddr={},ip={}/24,type=veth", self.mac, self.ip);
            put("net0", json!(net));
        }
    }

    /// SHA-1 of the configuration, as hexadecimal digits; changes with every change.
    pub fn digest(&self) -> String {
        let text = json!([self.config(true), self.pending]).to_string();
        let sha1 = &ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
        ring::digest::digest(sha1, text.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// A UUID that is always the same for the same name and number.
pub(crate) fn uuid(name: &str, number: u64) -> String {
    let a = seed(name) ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d);
    let b = seed(&format!("{name}/{number}"));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | (b >> 50),
        b & 0xffff_ffff_ffff
    )
}
