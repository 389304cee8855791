//! Firewalls: of the cluster, of nodes, of guests.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The options of a rule, as the API has them, without its position.
pub type Rule = Map<String, Value>;

/// A firewall's configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Firewall {
    /// Options.
    pub options: Map<String, Value>,
    /// Rules, in their order.
    pub rules: Vec<Rule>,
    /// Names for addresses.
    pub aliases: BTreeMap<String, Alias>,
    /// Sets of addresses.
    pub ipsets: BTreeMap<String, IpSet>,
    /// Groups of rules; of the cluster only.
    pub groups: BTreeMap<String, Group>,
}

/// A name for an address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alias {
    /// Address or network.
    pub cidr: String,
    /// Its comment.
    pub comment: String,
}

/// A set of addresses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IpSet {
    /// Its comment.
    pub comment: String,
    /// Addresses and networks: whether each is an exception, and its comment.
    pub entries: BTreeMap<String, (bool, String)>,
}

/// A group of rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// Its comment.
    pub comment: String,
    /// Rules, in their order.
    pub rules: Vec<Rule>,
}

impl Firewall {
    /// What the configuration is told by: SHA-1 of its text, as hexadecimal digits.
    pub fn digest(&self) -> String {
        let empty = *self == Firewall::default();
        let text = if empty { String::new() } else { format!("{self:?}") };
        let sha1 = &ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
        ring::digest::digest(sha1, text.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// A rule with a few words: direction, action, what it is about.
pub(crate) fn rule(kind: &str, action: &str, options: &[(&str, &str)]) -> Rule {
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), json!(value)));
    let fixed = [("type", json!(kind)), ("action", json!(action)), ("enable", json!(1))];
    fixed.map(|(key, value)| (key.to_owned(), value)).into_iter().chain(options).collect()
}
