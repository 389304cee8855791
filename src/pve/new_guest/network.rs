//! Network cards of new guests.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::pve::config::properties;
use crate::pve::ids::NodeName;
use crate::tool::{Argument, Kind, Whole};

/// Models that QEMU has for Proxmox VE.
const MODELS: &[&str] = &["virtio", "e1000", "e1000e", "rtl8139", "vmxnet3"];

/// The tag of a virtual LAN.
pub type Vlan = Whole<1, 4094>;

/// A bridge or virtual network of a node; `none` for no network card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge(String);

impl Bridge {
    /// The bridge, if one can be called that.
    pub fn parse(text: &str) -> Option<Bridge> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        ((2..=20).contains(&text.len()) && text.chars().all(plain)).then(|| Bridge(text.to_owned()))
    }

    /// The bridge that a new guest has where nothing else is said.
    pub fn usual() -> Bridge {
        Bridge("vmbr0".to_owned())
    }

    /// Its name; nothing for no network card.
    pub fn name(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|name| *name != "none")
    }
}

impl Argument for Bridge {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "the name of a bridge such as vmbr0, or none";

    fn read(value: &Value) -> Option<Self> {
        Bridge::parse(value.as_str()?)
    }
}

/// A network card of a VM as Proxmox writes it: `virtio,bridge=vmbr0,tag=5`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    text: String,
    bridge: Option<String>,
}

impl Card {
    /// The card as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The bridge that it is on.
    pub fn bridge(&self) -> Option<&str> {
        self.bridge.as_deref()
    }

    fn parse(text: &str) -> Option<Card> {
        const KEYS: &[&str] = &[
            "model",
            "bridge",
            "tag",
            "firewall",
            "rate",
            "mtu",
            "queues",
            "link_down",
            "trunks",
            "macaddr",
        ];
        let plain = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:;".contains(c))
        };
        let parts = properties(text);
        let is_model = |(key, value): &(&str, &str)| match *key {
            "" | "model" => MODELS.contains(value),
            key => MODELS.contains(&key),
        };
        let known = |part: &(&str, &str)| is_model(part) || KEYS.contains(&part.0);
        let valid = parts.iter().all(|part| known(part) && plain(part.1))
            && parts.iter().filter(|part| is_model(part)).count() == 1;
        let bridge = parts.iter().find(|(key, _)| *key == "bridge");
        let bridge = bridge.map(|(_, name)| (*name).to_owned());
        valid.then(|| Card { text: text.to_owned(), bridge })
    }
}

impl Argument for Card {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "a network card such as virtio,bridge=vmbr0";

    fn read(value: &Value) -> Option<Self> {
        Card::parse(value.as_str()?)
    }
}

/// An address of a container: `dhcp`, `manual`, or an address with the length of its network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// `dhcp`.
    pub fn dhcp() -> Address {
        Address("dhcp".to_owned())
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Option<Address> {
        let cidr = || {
            let (address, length) = text.split_once('/')?;
            let address: Ipv4Addr = address.parse().ok()?;
            let length: u32 = length.parse().ok()?;
            (!address.is_unspecified() && (1..=32).contains(&length)).then_some(())
        };
        (matches!(text, "dhcp" | "manual") || cidr().is_some()).then(|| Address(text.to_owned()))
    }
}

impl Argument for Address {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str =
        "dhcp, manual, or an IPv4 address with its network's length such as 10.0.0.5/24";

    fn read(value: &Value) -> Option<Self> {
        Address::parse(value.as_str()?)
    }
}

impl Argument for IpAddr {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "an IP address such as 10.0.0.1";

    fn read(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
}

/// Whether the node has the bridge; `list` is that of `GET /nodes/{node}/network`. An empty list says
/// that none may be seen.
///
/// # Errors
/// [`Error::NotFound`], with those that it has.
pub fn has_bridge(list: &Value, bridge: &str, node: &NodeName) -> Result<(), Error> {
    let names = || list.as_array().into_iter().flatten().filter_map(|row| row.get("iface")?.as_str());
    if names().next().is_none() || names().any(|name| name == bridge) {
        return Ok(());
    }
    let meant = nearest(bridge, names());
    let meant = meant.map(|name| format!(" Did you mean `{}`?", foreign::name(name))).unwrap_or_default();
    let there: Vec<String> = names().take(super::NAMED).map(foreign::name).collect();
    Err(Error::NotFound(format!(
        "Node `{node}` has no bridge `{bridge}`, or the API token may not see it.{meant} It has {}.",
        there.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_card_is_of_known_parts() {
        for (good, bridge) in [
            ("virtio,bridge=vmbr0", Some("vmbr0")),
            ("model=e1000,bridge=vmbr1,tag=5,firewall=1", Some("vmbr1")),
            ("virtio=BC:24:11:00:00:01,bridge=vnet1", Some("vnet1")),
            ("virtio", None),
        ] {
            let card = Card::parse(good).unwrap_or_else(|| panic!("{good}"));
            assert_eq!((card.as_str(), card.bridge()), (good, bridge));
        }
        for bad in [
            "",
            "bridge=vmbr0",
            "virtio,e1000",
            "virtio,script=/bin/x",
            "virtio,bridge=a b",
            "virtio,bridge=",
        ] {
            assert_eq!(Card::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_address_is_one_or_a_word() {
        for good in ["dhcp", "manual", "10.0.0.5/24"] {
            assert_eq!(Address::parse(good).unwrap().as_str(), good);
        }
        for bad in ["10.0.0.5", "10.0.0.5/33", "10.0.0.5/0", "0.0.0.0/8", "fe80::1/64", "dhcp,gw=1", ""] {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_bridge_that_is_not_there_is_named() {
        let node = NodeName::parse("pve1").unwrap();
        let list = json!([{"iface": "vmbr0", "type": "bridge"}, {"iface": "vnet1", "type": "vnet"}]);
        assert_eq!(has_bridge(&list, "vnet1", &node), Ok(()));
        assert_eq!(has_bridge(&json!([]), "vmbr9", &node), Ok(()));
        let error = has_bridge(&list, "vmbr9", &node).unwrap_err().to_string();
        assert!(error.contains("Did you mean `vmbr0`?") && error.contains("vmbr0, vnet1"), "{error}");
    }

    #[test]
    fn none_is_no_card() {
        assert_eq!(Bridge::parse("none").unwrap().name(), None);
        assert_eq!(Bridge::usual().name(), Some("vmbr0"));
        assert_eq!(Bridge::parse("vmbr0,tag=5"), None);
    }
}
