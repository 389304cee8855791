//! What a node is beside its guests: services, packages, network, names.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The operating system of a node.
#[derive(Clone, Debug)]
pub struct System {
    /// Services by name, and whether each runs.
    pub services: BTreeMap<&'static str, bool>,
    /// Packages that wait to be updated: name, installed version, new version.
    pub updates: Vec<(&'static str, &'static str, &'static str)>,
    /// Unix time in seconds of the last look for updates.
    pub refreshed: u64,
    /// Network interfaces.
    pub network: Vec<Map<String, Value>>,
    /// Changes of the network that wait to be applied.
    pub network_changes: bool,
    /// Search domain and name servers.
    pub dns: (String, Vec<String>),
    /// The text of `/etc/hosts`.
    pub hosts: String,
    /// Time zone.
    pub timezone: String,
    /// Options of the node, among them notes (`description`) and `wakeonlan`.
    pub options: Map<String, Value>,
    /// Days until its certificate expires; negative where it has.
    pub certificate_days: i64,
    /// Its subscription: `active` with its level, or none.
    pub subscription: Option<&'static str>,
}

/// Services of a node and what each is.
pub(crate) const SERVICES: &[(&str, &str)] = &[
    ("chrony", "chrony, an NTP client/server"),
    ("corosync", "Corosync Cluster Engine"),
    ("cron", "Regular background program processing daemon"),
    ("pve-cluster", "The Proxmox VE cluster filesystem"),
    ("pve-firewall", "Proxmox VE firewall"),
    ("pve-ha-crm", "PVE Cluster HA Resource Manager Daemon"),
    ("pve-ha-lrm", "PVE Local HA Resource Manager Daemon"),
    ("pvedaemon", "PVE API Daemon"),
    ("pveproxy", "PVE API Proxy Server"),
    ("pvestatd", "PVE Status Daemon"),
    ("sshd", "OpenBSD Secure Shell server"),
];

impl System {
    /// An ordinary system at an address.
    pub fn new(name: &str, ip: &str, now: u64) -> System {
        let interface = |value: Value| value.as_object().cloned().unwrap_or_default();
        let network = vec![
            interface(json!({
                "iface": "eno1", "type": "eth", "method": "manual", "method6": "manual", "active": 1, "exists": 1,
                "families": ["inet"], "priority": 3,
            })),
            interface(json!({
                "iface": "vmbr0", "type": "bridge", "method": "static", "method6": "manual", "autostart": 1, "active": 1,
                "address": ip, "netmask": "24", "cidr": format!("{ip}/24"), "gateway": "10.20.0.1", "bridge_ports": "eno1",
                "bridge_fd": "0", "bridge_stp": "off", "families": ["inet"], "priority": 4,
            })),
        ];
        System {
            services: SERVICES.iter().map(|(name, _)| (*name, true)).collect(),
            updates: Vec::new(),
            refreshed: now - 86_400 / 2,
            network,
            network_changes: false,
            dns: ("example.com".into(), vec!["10.20.0.1".into()]),
            hosts: format!("127.0.0.1 localhost.localdomain localhost\n{ip} {name}.example.com {name}\n"),
            timezone: "UTC".into(),
            options: Map::new(),
            certificate_days: 500,
            subscription: None,
        }
    }
}
