//! The names of what administrators of nodes and clusters work with: resources of high availability,
//! services, pools, and positions in a list of firewall rules.

use std::fmt;

use proxmox_api::Kind as Takes;
use proxmox_api::methods::POST_NODES_NODE_SERVICES_SERVICE_RESTART;
use serde_json::Value;

use crate::pve::guests::{Guest, GuestKind};
use crate::tool::{Argument, Kind};

/// The id of a guest in high availability: `vm:101`, `ct:102`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaId(String);

impl HaId {
    /// The id of this guest.
    pub fn of(guest: &Guest) -> HaId {
        let kind = if guest.kind == GuestKind::Vm { "vm" } else { "ct" };
        HaId(format!("{kind}:{}", guest.vmid))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a service of a node that the API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceName(&'static str);

impl ServiceName {
    /// All of them.
    pub fn all() -> &'static [&'static str] {
        match POST_NODES_NODE_SERVICES_SERVICE_RESTART.param("service").map(|param| &param.kind) {
            Some(Takes::Enum(names)) => names,
            _ => &[],
        }
    }

    /// The service of this name.
    pub fn parse(text: &str) -> Option<ServiceName> {
        ServiceName::all().iter().find(|name| **name == text).map(|name| ServiceName(name))
    }

    /// The name as text.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A position in a list of firewall rules; 0 is the first, which is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position(pub u32);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Argument for Position {
    const KIND: Kind = Kind::Whole(0, u32::MAX);
    const TAKES: &'static str = "the position of a rule; 0 is the first";

    fn read(value: &Value) -> Option<Self> {
        crate::tool::whole(value).map(Position)
    }
}

/// The name of a pool; one within another is written `parent/child`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolName(String);

impl PoolName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PoolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Argument for PoolName {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str =
        "the name of a pool: letters, digits and - _ ., at most three of them with / between";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        let valid = text.len() <= 100 && text.split('/').count() <= 3 && text.split('/').all(plain);
        valid.then(|| PoolName(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        assert!(ServiceName::all().len() > 10);
        assert_eq!(ServiceName::parse("pveproxy").map(ServiceName::as_str), Some("pveproxy"));
        for bad in ["", "pveproxy/..", "nosuch", "PVEPROXY"] {
            assert_eq!(ServiceName::parse(bad), None, "{bad}");
        }
        for (pool, valid) in [
            ("prod", true),
            ("a/b/c", true),
            ("a/b/c/d", false),
            ("..", false),
            ("a//b", false),
            ("a b", false),
            ("", false),
        ] {
            assert_eq!(PoolName::read(&pool.into()).is_some(), valid, "{pool}");
        }
    }
}
