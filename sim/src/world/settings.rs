//! Changing the configuration of a guest: at once, or at its next start.

use serde_json::{Map, Value, json};

use super::disks::GuestDisk;
use super::guest::{Guest, GuestKind};
use crate::agent::Agent;

/// Options of a running virtual machine that change at once; of others the change waits.
const AT_ONCE: &[&str] = &[
    "name",
    "description",
    "tags",
    "onboot",
    "protection",
    "startup",
    "lock",
    "shares",
    "hookscript",
    "vmstatestorage",
    "boot",
    "template",
    "parent",
];
/// The same by the word before the number: hotplug is on for network cards, disks and USB devices.
const HOTPLUGGED: &[&str] = &["net", "scsi", "virtio", "unused", "usb", "ipconfig"];
/// Options of a running container that wait; all others change at once.
const LATE_IN_CONTAINERS: &[&str] = &["rootfs", "features", "unprivileged", "arch", "ostype", "lxc", "mp"];

impl Guest {
    /// Sets an option now, or at the next start where the running guest cannot take it yet.
    pub fn change(&mut self, name: &str, value: Value) {
        // What comes back of a password is that there is one.
        let value = if name == "cipassword" { json!("**********") } else { value };
        if self.waits(name) {
            self.pending.insert(name.to_owned(), Some(value));
        } else {
            self.pending.remove(name);
            self.set(name, value);
        }
    }

    /// Removes an option, now or at the next start.
    pub fn take_out(&mut self, name: &str) {
        if self.waits(name) {
            self.pending.insert(name.to_owned(), None);
        } else {
            self.pending.remove(name);
            self.unset(name);
        }
    }

    /// Makes the changes that waited for a start.
    pub fn apply_pending(&mut self) {
        for (name, value) in std::mem::take(&mut self.pending) {
            match value {
                Some(value) => self.set(&name, value),
                None => self.unset(&name),
            }
        }
    }

    /// Whether a change of this option waits for the next start.
    pub fn waits(&self, name: &str) -> bool {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        self.running
            && match self.kind {
                GuestKind::Qemu => !AT_ONCE.contains(&name) && !HOTPLUGGED.contains(&stem),
                GuestKind::Lxc => LATE_IN_CONTAINERS.contains(&stem),
            }
    }

    /// Removes an option.
    pub fn unset(&mut self, name: &str) {
        if self.disk_of(name).is_some() {
            match name.starts_with("unused") {
                true => self.remove_disk(name),
                false => self.detach_disk(name),
            };
            return;
        }
        match name {
            "tags" => self.tags.clear(),
            "protection" => self.protection = false,
            "lock" => self.lock = None,
            "agent" => self.agent = Agent::default(),
            "cores" => self.cores = 1,
            "net0" => self.mac.clear(),
            _ => {}
        }
        self.extra.remove(name);
    }

    /// Sets an option.
    pub fn set(&mut self, name: &str, value: Value) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Some(disk) = GuestDisk::parse(name, &text) {
            self.extra.remove(name);
            self.set_disk(disk);
            return;
        }
        let number = text.split(['=', ',']).find_map(|part| part.parse::<u64>().ok());
        match (name, number) {
            ("name" | "hostname", _) => self.name = text,
            ("ostype", _) => self.ostype = text,
            ("memory", Some(mib)) => self.memory = mib << 20,
            ("swap", Some(mib)) if self.kind == GuestKind::Lxc => self.swap = mib << 20,
            ("cores", Some(cores)) => self.set_cores(cores, value),
            ("tags", _) => self.set_tags(&text),
            ("protection", _) => self.protection = text == "1",
            ("template", _) => self.template = text == "1",
            ("lock", _) => self.lock = Some(text),
            ("agent", Some(0)) => self.agent = Agent::default(),
            // An agent that was not there before needs an installation in the guest to answer.
            ("agent", _) if !self.agent_configured() => self.agent = Agent::silent(),
            ("agent", _) => {}
            ("net0", _) => self.set_first_card(&text),
            // Cards beyond the first get an address of their own, too.
            _ if name.starts_with("net") => {
                let number = name.trim_start_matches("net").parse::<u64>().unwrap_or(1);
                let text = with_address(self.kind, &text, &further_mac(self.vmid, number));
                self.extra.insert(name.into(), json!(text));
            }
            _ => {
                self.extra.insert(name.into(), value);
            }
        }
    }

    fn set_cores(&mut self, cores: u64, value: Value) {
        self.cores = u32::try_from(cores).unwrap_or(1);
        if self.kind == GuestKind::Lxc {
            self.extra.insert("cores".into(), value);
        }
    }

    fn set_tags(&mut self, text: &str) {
        self.tags = text.split([';', ',', ' ']).filter(|t| !t.is_empty()).map(str::to_lowercase).collect();
        self.tags.sort_unstable();
        self.tags.dedup();
    }

    fn set_first_card(&mut self, text: &str) {
        match address(text) {
            Some(mac) => self.mac = mac.to_owned(),
            None if self.mac.is_empty() => self.mac = further_mac(self.vmid, 0),
            None => {}
        }
        if let Some((_, ip)) = text.split(',').filter_map(|p| p.split_once('=')).find(|(k, _)| *k == "ip")
            && ip.contains('.')
        {
            self.ip = ip.split('/').next().unwrap_or_default().to_owned();
        }
        let text = with_address(self.kind, text, &self.mac);
        self.extra.insert("net0".into(), json!(text));
    }

    /// Goes back to a configuration that was kept, such as a snapshot's.
    pub fn restore(&mut self, kept: &Map<String, Value>) {
        let unused = std::mem::take(&mut self.unused);
        self.extra.clear();
        self.pending.clear();
        self.tags.clear();
        self.disk_key.clear();
        self.mac.clear();
        self.cores = 1;
        self.protection = false;
        let agent = std::mem::take(&mut self.agent);
        for (name, value) in kept.iter().filter(|(name, _)| !matches!(name.as_str(), "parent" | "digest")) {
            match name.as_str() {
                // The agent is what it was: the configuration says no more than that it is wanted.
                "agent" => self.agent = agent.clone(),
                name => self.set(name, value.clone()),
            }
        }
        self.unused = unused;
    }
}

/// The MAC address in the text of a network card.
fn address(text: &str) -> Option<&str> {
    text.split([',', '=']).find(|part| part.len() == 17 && part.matches(':').count() == 5)
}

/// The text of a network card with a MAC address, which it gets where it has none.
fn with_address(kind: GuestKind, text: &str, mac: &str) -> String {
    if address(text).is_some() {
        return text.to_owned();
    }
    match (kind, text.split_once(',')) {
        (GuestKind::Lxc, _) => format!("{text},hwaddr={mac},type=veth"),
        (GuestKind::Qemu, Some((model, rest))) => {
            format!("{}={mac},{rest}", model.trim_start_matches("model="))
        }
        (GuestKind::Qemu, None) => format!("{}={mac}", text.trim_start_matches("model=")),
    }
}

/// A MAC address that is always the same for the same guest and card.
fn further_mac(vmid: u32, card: u64) -> String {
    let own = super::figures::seed(&format!("{vmid}/{card}"));
    format!("BC:24:11:{:02X}:{:02X}:{:02X}", own & 0xff, (own >> 8) & 0xff, (own >> 16) & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_machine_takes_memory_at_its_next_start() {
        let mut guest = Guest::new(101, GuestKind::Qemu, "x", "pve1");
        guest.running = true;
        guest.change("memory", json!("8192"));
        guest.change("description", json!("new"));
        assert_eq!((guest.memory, guest.extra["description"].as_str()), (4 << 30, Some("new")));
        guest.apply_pending();
        assert_eq!((guest.memory, guest.pending.len()), (8 << 30, 0));
    }

    #[test]
    fn a_network_card_gets_an_address() {
        let mut guest = Guest::new(101, GuestKind::Qemu, "x", "pve1");
        guest.set("net1", json!("virtio,bridge=vmbr1"));
        let text = guest.extra["net1"].as_str().unwrap();
        assert!(text.starts_with("virtio=BC:24:11:") && text.ends_with(",bridge=vmbr1"), "{text}");
    }

    #[test]
    fn a_kept_configuration_comes_back() {
        let mut guest = Guest::new(101, GuestKind::Qemu, "x", "pve1");
        let before = guest.config(true);
        guest.set("memory", json!(512));
        guest.set("scsi1", json!("local-zfs:vm-101-disk-1,size=1G"));
        guest.set("description", json!("later"));
        guest.restore(&before);
        assert_eq!(guest.config(true), before);
    }
}
