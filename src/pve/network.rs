//! Network cards of guests, as a guest's configuration has them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use crate::error::Error;
use crate::pve::config::{Config, properties};
use crate::pve::guests::{Guest, GuestKind};
use crate::tool::{Argument, Kind};

/// How many cards a guest has at most.
const MANY: u32 = 32;

crate::words! {
    /// What kind of card a VM sees.
    pub enum Model {
        /// The fast one, for guests with its drivers.
        Virtio = "virtio",
        /// Intel 82540EM.
        E1000 = "e1000",
        /// Intel 82574.
        E1000e = "e1000e",
        /// Realtek 8139.
        Rtl8139 = "rtl8139",
        /// VMware's.
        Vmxnet3 = "vmxnet3",
    }
}

/// Models that a configuration may hold beyond those that are offered.
const OLD_MODELS: &[&str] = &[
    "e1000-82540em",
    "e1000-82544gc",
    "e1000-82545em",
    "i82551",
    "i82557b",
    "i82559er",
    "ne2k_isa",
    "ne2k_pci",
    "pcnet",
];

/// The key of a card: `net0` to `net31`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetKey(u32);

impl NetKey {
    /// Its number.
    pub fn number(&self) -> u32 {
        self.0
    }

    /// The first one that is free.
    ///
    /// # Errors
    /// [`Error::Failed`] where all are taken.
    pub fn free(config: &Config, guest: &Guest) -> Result<NetKey, Error> {
        let free = (0..MANY).map(NetKey).find(|key| config.text(&key.to_string()).is_none());
        free.ok_or_else(|| {
            Error::Failed(format!("{guest} has {MANY} network cards already; there can be no more."))
        })
    }
}

impl fmt::Display for NetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net{}", self.0)
    }
}

impl Argument for NetKey {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "the key of a network card: net0 to net31";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        (0..MANY).map(NetKey).find(|key| key.to_string() == text)
    }
}

/// The name of a bridge or virtual network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge(pub String);

impl Argument for Bridge {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "the name of a bridge or virtual network such as vmbr0";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        let valid = (1..=15).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        valid.then(|| Bridge(text.to_owned()))
    }
}

/// A MAC address of one card, in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mac(pub String);

impl Mac {
    fn parse(text: &str) -> Option<Mac> {
        let parts: Vec<&str> = text.split(':').collect();
        let hex = |part: &&str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        let first = u8::from_str_radix(parts.first()?, 16).ok()?;
        // An odd first byte is an address of many.
        (parts.len() == 6 && parts.iter().all(hex) && first & 1 == 0).then(|| Mac(text.to_ascii_uppercase()))
    }
}

impl Argument for Mac {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "the MAC address of one card such as BC:24:11:00:00:01";

    fn read(value: &Value) -> Option<Self> {
        Mac::parse(value.as_str()?)
    }
}

/// An IPv4 address with its network, `dhcp` or `manual`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address4(pub String);

impl Argument for Address4 {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "an IPv4 address with its network such as 10.0.0.5/24, or dhcp or manual";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        let valid = matches!(text, "dhcp" | "manual") || network::<Ipv4Addr>(text, 32);
        valid.then(|| Address4(text.to_owned()))
    }
}

/// An IPv6 address with its network, `auto`, `dhcp` or `manual`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address6(pub String);

impl Argument for Address6 {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str =
        "an IPv6 address with its network such as fd00::5/64, or auto, dhcp or manual";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        let valid = matches!(text, "auto" | "dhcp" | "manual") || network::<Ipv6Addr>(text, 128);
        valid.then(|| Address6(text.to_owned()))
    }
}

fn network<A: std::str::FromStr>(text: &str, most: u8) -> bool {
    let bits = |bits: &str| bits.parse().is_ok_and(|number: u8| number <= most && number.to_string() == bits);
    text.split_once('/').is_some_and(|(address, length)| address.parse::<A>().is_ok() && bits(length))
}

/// The address of a router, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gateway {
    /// No router.
    None,
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

impl Argument for Gateway {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "the IP address of a router such as 10.0.0.1, or none";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        match text {
            "none" => Some(Gateway::None),
            _ => text.parse().map(Gateway::V4).or_else(|_| text.parse().map(Gateway::V6)).ok(),
        }
    }
}

/// A rate in megabytes per second; 0 for no limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate(pub f64);

impl Argument for Rate {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "megabytes per second such as 12.5; 0 for no limit";

    fn read(value: &Value) -> Option<Self> {
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let number = match value {
            Value::Number(number) => number.as_f64()?,
            value => value.as_str().filter(|text| plain(text))?.parse().ok()?,
        };
        (0.0..=100_000.0).contains(&number).then_some(Rate(number))
    }
}

/// A network card: its options in their order. What is not changed stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    kind: GuestKind,
    options: Vec<(String, String)>,
}

impl Card {
    /// A new card of this kind of guest.
    pub fn new(kind: GuestKind) -> Card {
        Card { kind, options: Vec::new() }
    }

    /// Reads the value of a key. A VM's model and MAC address are written `virtio=BC:...`, or apart.
    pub fn read(kind: GuestKind, text: &str) -> Card {
        let mut card = Card::new(kind);
        for (key, value) in properties(text) {
            match key {
                "" if kind == GuestKind::Vm => card.set("model", value),
                model if kind == GuestKind::Vm && is_model(model) => {
                    card.set("model", model);
                    card.set("macaddr", value);
                }
                key => card.set(key, value),
            }
        }
        card
    }

    /// The card under this key.
    ///
    /// # Errors
    /// [`Error::NotFound`], with those that there are.
    pub fn of(config: &Config, guest: &Guest, key: &NetKey) -> Result<Card, Error> {
        if let Some(text) = config.text(&key.to_string()) {
            return Ok(Card::read(guest.kind, &text));
        }
        let there: Vec<String> = (0..MANY)
            .map(|number| NetKey(number).to_string())
            .filter(|key| config.text(key).is_some())
            .map(|key| format!("`{key}`"))
            .collect();
        Err(Error::NotFound(match there.is_empty() {
            true => {
                format!("{guest} has no `{key}`; it has no network card at all. `action` = `add` makes one.")
            }
            false => format!("{guest} has no `{key}`. It has {}.", there.join(", ")),
        }))
    }

    /// An option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Sets an option.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        let value = value.to_string();
        match self.options.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.options.push((name.to_owned(), value)),
        }
    }

    /// Takes an option away.
    pub fn remove(&mut self, name: &str) {
        self.options.retain(|(key, _)| key != name);
    }

    /// The name of the option with the MAC address.
    pub fn mac_option(&self) -> &'static str {
        match self.kind {
            GuestKind::Vm => "macaddr",
            GuestKind::Container => "hwaddr",
        }
    }
}

fn is_model(word: &str) -> bool {
    use Model::{E1000, E1000e, Rtl8139, Virtio, Vmxnet3};
    [Virtio, E1000, E1000e, Rtl8139, Vmxnet3].iter().any(|model| model.word() == word)
        || OLD_MODELS.contains(&word)
}

/// As Proxmox takes it.
impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let apart = |key: &str| self.kind == GuestKind::Vm && matches!(key, "model" | "macaddr");
        if self.kind == GuestKind::Vm {
            let model = self.option("model").unwrap_or(Model::Virtio.word());
            parts.push(match self.option("macaddr") {
                Some(mac) => format!("{model}={mac}"),
                None => model.to_owned(),
            });
        }
        let others = self.options.iter().filter(|(key, _)| !apart(key));
        parts.extend(others.map(|(key, value)| format!("{key}={value}")));
        f.write_str(&parts.join(","))
    }
}

/// The name of a new card inside a container: the first `ethN` that none has.
pub fn free_name(config: &Config) -> String {
    let names: Vec<String> = (0..MANY)
        .filter_map(|number| config.text(&NetKey(number).to_string()))
        .filter_map(|text| Card::read(GuestKind::Container, &text).option("name").map(str::to_owned))
        .collect();
    (0..=MANY).map(|number| format!("eth{number}")).find(|name| !names.contains(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_written_as_it_was_read() {
        for (kind, text) in [
            (GuestKind::Vm, "virtio=BC:24:11:00:00:65,bridge=vmbr0,firewall=1,queues=4,trunks=10;20"),
            (GuestKind::Vm, "e1000,bridge=vmbr0"),
            (GuestKind::Vm, "ne2k_pci=BC:24:11:00:00:65"),
            (
                GuestKind::Container,
                "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:66,ip=10.20.0.102/24,type=veth",
            ),
        ] {
            assert_eq!(Card::read(kind, text).to_string(), text);
        }
        let apart = Card::read(GuestKind::Vm, "bridge=vmbr0,model=virtio,macaddr=BC:24:11:00:00:65");
        assert_eq!(apart.to_string(), "virtio=BC:24:11:00:00:65,bridge=vmbr0");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "BC:24:11:00:00",
            "bc-24-11-00-00-01",
            "01:00:00:00:00:01",
            "BC:24:11:00:00:0G",
            "BC:24:11:00:00:01,tag=5",
        ] {
            assert_eq!(Mac::parse(bad), None, "{bad}");
        }
        assert_eq!(Mac::parse("bc:24:11:00:00:01"), Some(Mac("BC:24:11:00:00:01".to_owned())));
        for bad in
            ["10.0.0.5", "10.0.0.5/33", "10.0.0.5/024", "10.0.0/24", "10.0.0.5/24,gw=1.1.1.1", "auto", ""]
        {
            assert_eq!(Address4::read(&bad.into()), None, "{bad}");
        }
        for (good, valid) in
            [("fd00::5/64", true), ("auto", true), ("fd00::5", false), ("fd00::5/129", false)]
        {
            assert_eq!(Address6::read(&good.into()).is_some(), valid, "{good}");
        }
        for bad in ["vmbr0,tag=1", "", "0vmbr", "averyveryverylongname", "vm br"] {
            assert_eq!(Bridge::read(&bad.into()), None, "{bad}");
        }
        for (rate, valid) in [("12.5", true), ("-1", false), ("1e9", false), ("nan", false), ("", false)] {
            assert_eq!(Rate::read(&rate.into()).is_some(), valid, "{rate}");
        }
    }
}
