//! Firewalls of the cluster, of nodes and of guests: which methods each has, and the fields of their rules.

use proxmox_api::{Method, methods as m};
use serde_json::{Map, Value};

use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::pve::admin::Position;
use crate::pve::guests::{Guest, GuestKind};
use crate::pve::ids::NodeName;
use crate::tool::quoted;

/// The methods of one kind of firewall.
struct Methods {
    rules: &'static Method,
    add: &'static Method,
    change: &'static Method,
    remove: &'static Method,
    options: &'static Method,
    set: &'static Method,
}

static CLUSTER: Methods = Methods {
    rules: &m::GET_CLUSTER_FIREWALL_RULES,
    add: &m::POST_CLUSTER_FIREWALL_RULES,
    change: &m::PUT_CLUSTER_FIREWALL_RULES_POS,
    remove: &m::DELETE_CLUSTER_FIREWALL_RULES_POS,
    options: &m::GET_CLUSTER_FIREWALL_OPTIONS,
    set: &m::PUT_CLUSTER_FIREWALL_OPTIONS,
};
static NODE: Methods = Methods {
    rules: &m::GET_NODES_NODE_FIREWALL_RULES,
    add: &m::POST_NODES_NODE_FIREWALL_RULES,
    change: &m::PUT_NODES_NODE_FIREWALL_RULES_POS,
    remove: &m::DELETE_NODES_NODE_FIREWALL_RULES_POS,
    options: &m::GET_NODES_NODE_FIREWALL_OPTIONS,
    set: &m::PUT_NODES_NODE_FIREWALL_OPTIONS,
};
static VM: Methods = Methods {
    rules: &m::GET_NODES_NODE_QEMU_VMID_FIREWALL_RULES,
    add: &m::POST_NODES_NODE_QEMU_VMID_FIREWALL_RULES,
    change: &m::PUT_NODES_NODE_QEMU_VMID_FIREWALL_RULES_POS,
    remove: &m::DELETE_NODES_NODE_QEMU_VMID_FIREWALL_RULES_POS,
    options: &m::GET_NODES_NODE_QEMU_VMID_FIREWALL_OPTIONS,
    set: &m::PUT_NODES_NODE_QEMU_VMID_FIREWALL_OPTIONS,
};
static CONTAINER: Methods = Methods {
    rules: &m::GET_NODES_NODE_LXC_VMID_FIREWALL_RULES,
    add: &m::POST_NODES_NODE_LXC_VMID_FIREWALL_RULES,
    change: &m::PUT_NODES_NODE_LXC_VMID_FIREWALL_RULES_POS,
    remove: &m::DELETE_NODES_NODE_LXC_VMID_FIREWALL_RULES_POS,
    options: &m::GET_NODES_NODE_LXC_VMID_FIREWALL_OPTIONS,
    set: &m::PUT_NODES_NODE_LXC_VMID_FIREWALL_OPTIONS,
};

/// Every method that the firewalls here use, with what finds a guest.
pub const CALLS: &[&Method] = &[
    &m::GET_CLUSTER_RESOURCES,
    &m::GET_CLUSTER_FIREWALL_RULES,
    &m::POST_CLUSTER_FIREWALL_RULES,
    &m::PUT_CLUSTER_FIREWALL_RULES_POS,
    &m::DELETE_CLUSTER_FIREWALL_RULES_POS,
    &m::GET_CLUSTER_FIREWALL_OPTIONS,
    &m::PUT_CLUSTER_FIREWALL_OPTIONS,
    &m::GET_NODES_NODE_FIREWALL_RULES,
    &m::POST_NODES_NODE_FIREWALL_RULES,
    &m::PUT_NODES_NODE_FIREWALL_RULES_POS,
    &m::DELETE_NODES_NODE_FIREWALL_RULES_POS,
    &m::GET_NODES_NODE_FIREWALL_OPTIONS,
    &m::PUT_NODES_NODE_FIREWALL_OPTIONS,
    &m::GET_NODES_NODE_QEMU_VMID_FIREWALL_RULES,
    &m::POST_NODES_NODE_QEMU_VMID_FIREWALL_RULES,
    &m::PUT_NODES_NODE_QEMU_VMID_FIREWALL_RULES_POS,
    &m::DELETE_NODES_NODE_QEMU_VMID_FIREWALL_RULES_POS,
    &m::GET_NODES_NODE_QEMU_VMID_FIREWALL_OPTIONS,
    &m::PUT_NODES_NODE_QEMU_VMID_FIREWALL_OPTIONS,
    &m::GET_NODES_NODE_LXC_VMID_FIREWALL_RULES,
    &m::POST_NODES_NODE_LXC_VMID_FIREWALL_RULES,
    &m::PUT_NODES_NODE_LXC_VMID_FIREWALL_RULES_POS,
    &m::DELETE_NODES_NODE_LXC_VMID_FIREWALL_RULES_POS,
    &m::GET_NODES_NODE_LXC_VMID_FIREWALL_OPTIONS,
    &m::PUT_NODES_NODE_LXC_VMID_FIREWALL_OPTIONS,
];

/// Whose firewall it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Firewall {
    /// The cluster's: for all nodes, and the main switch of all firewalls.
    Cluster,
    /// A node's.
    Node(NodeName),
    /// A guest's.
    Guest(Guest),
}

impl Firewall {
    fn methods(&self) -> &'static Methods {
        match self {
            Firewall::Cluster => &CLUSTER,
            Firewall::Node(_) => &NODE,
            Firewall::Guest(guest) if guest.kind == GuestKind::Vm => &VM,
            Firewall::Guest(_) => &CONTAINER,
        }
    }

    fn call(&self, method: &'static Method) -> Call {
        let call = Call::of(method);
        match self {
            Firewall::Cluster => call,
            Firewall::Node(node) => call.at("node", node),
            Firewall::Guest(guest) => call.at("node", &guest.node).at("vmid", &guest.vmid),
        }
    }

    /// Whose it is, in words.
    pub fn owner(&self) -> String {
        match self {
            Firewall::Cluster => "the cluster".to_owned(),
            Firewall::Node(node) => format!("node `{node}`"),
            Firewall::Guest(guest) => guest.to_string(),
        }
    }

    /// The rules, in their order.
    ///
    /// # Errors
    /// What the request comes to.
    pub fn rules(&self, cx: &Cx<'_>) -> Result<Vec<Value>, Error> {
        match cx.call(self.call(self.methods().rules))? {
            Value::Array(rows) => Ok(rows),
            _ => Err(Error::Unreachable(format!(
                "Proxmox VE did not give the firewall rules of {}.",
                self.owner()
            ))),
        }
    }

    /// The options, the switch `enable` among them.
    ///
    /// # Errors
    /// What the request comes to.
    pub fn options(&self, cx: &Cx<'_>) -> Result<Value, Error> {
        cx.call(self.call(self.methods().options))
    }

    /// Whether a firewall is on where its options do not say.
    pub fn on_by_default(&self) -> bool {
        matches!(self, Firewall::Node(_))
    }

    /// The call that adds a rule.
    pub fn add(&self) -> Call {
        self.call(self.methods().add)
    }

    /// The call that changes the rule at a position.
    pub fn change(&self, position: Position) -> Call {
        self.call(self.methods().change).at("pos", &position)
    }

    /// The call that removes the rule at a position.
    pub fn remove(&self, position: Position) -> Call {
        self.call(self.methods().remove).at("pos", &position)
    }

    /// The call that sets options.
    pub fn set(&self) -> Call {
        self.call(self.methods().set)
    }
}

/// Parameters of the method that are no fields of a rule.
const STEERING: &[&str] = &["node", "vmid", "digest", "pos", "moveto", "delete"];

/// The names of a rule's fields.
pub fn fields() -> impl Iterator<Item = &'static str> {
    m::POST_CLUSTER_FIREWALL_RULES
        .params
        .iter()
        .map(|param| param.name)
        .filter(|name| !STEERING.contains(name))
}

/// The fields of a rule as the API takes them; nothing for a field that is to be taken away.
///
/// # Errors
/// [`Error::Arguments`] with the nearest field, or what a value has to be.
pub fn read(rule: &Map<String, Value>) -> Result<Vec<(&'static str, Option<String>)>, Error> {
    let odd = |c: char| c.is_control();
    let field = |(name, value): (&String, &Value)| {
        let wanted = if name == "direction" { "type" } else { name };
        let name = fields().find(|field| *field == wanted).ok_or_else(|| {
            let near =
                nearest(name, fields()).map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
            Error::Arguments(format!(
                "A firewall rule has no field {}.{near} It has {}.",
                foreign::code(name, 40),
                fields().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ")
            ))
        })?;
        let value = match value {
            Value::Null => None,
            Value::Bool(flag) => Some(u8::from(*flag).to_string()),
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) if name == "action" && is_verdict(text) => Some(text.to_uppercase()),
            Value::String(text) if !text.is_empty() && text.len() <= 1000 && !text.contains(odd) => {
                Some(text.clone())
            }
            other => {
                return Err(Error::Arguments(format!(
                    "`{name}` of a rule takes text, a number, true or false, or null to take it away; it got {}.",
                    quoted(other)
                )));
            }
        };
        Ok((name, value))
    };
    rule.iter().map(field).collect()
}

fn is_verdict(text: &str) -> bool {
    ["ACCEPT", "DROP", "REJECT"].iter().any(|verdict| verdict.eq_ignore_ascii_case(text))
}

/// A field of a row as text.
pub fn text(row: &Value, field: &str) -> Option<String> {
    match row.get(field)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        value => Some(value.to_string()),
    }
}

/// A rule as one line of Markdown: `in ACCEPT proto=tcp dport=22`.
pub fn line(field: impl Fn(&str) -> Option<String>) -> String {
    let words = ["type", "action"].iter().filter_map(|name| field(name));
    let others = fields().filter(|name| !matches!(*name, "type" | "action"));
    let named = others.filter_map(|name| Some(format!("{name}={}", field(name)?)));
    foreign::words(&words.chain(named).collect::<Vec<_>>().join(" "), 300)
}
