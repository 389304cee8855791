//! What new guests are called, and the pool that they go to.

use std::fmt;

use serde_json::Value;

use crate::tool::{Argument, Kind};

/// The name of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestName(String);

impl GuestName {
    /// The name, if a guest can be called that: a DNS name.
    pub fn parse(text: &str) -> Option<GuestName> {
        let letter = |c: char| c.is_ascii_alphanumeric();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.starts_with(letter)
                && label.ends_with(letter)
                && label.chars().all(|c| letter(c) || c == '-')
        };
        (text.len() <= 253 && text.split('.').all(label)).then(|| GuestName(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GuestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Argument for GuestName {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "a DNS name: letters, digits and hyphens, with dots between its parts";

    fn read(value: &Value) -> Option<Self> {
        GuestName::parse(value.as_str()?)
    }
}

/// The name of a pool, with those that it is in before it: `dev/team`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolId(String);

impl PoolId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Argument for PoolId {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "the name of a pool";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        let part = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        (text.len() <= 100 && text.split('/').all(part)).then(|| PoolId(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_a_dns_name() {
        for good in ["web", "web-01.example.com", "9lives"] {
            assert_eq!(GuestName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-web", "web_1", "a..b", "a b", "web,x=1", "a.", &"a".repeat(64)] {
            assert_eq!(GuestName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_pool_may_be_in_another() {
        assert_eq!(PoolId::read(&json!("dev/team")).unwrap().as_str(), "dev/team");
        for bad in ["", "/dev", "a//b", "a b"] {
            assert_eq!(PoolId::read(&json!(bad)), None, "{bad}");
        }
    }
}
