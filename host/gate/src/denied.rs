//! Why a request was refused, in words that a person or a model can act on, with the narrowest
//! grant that would open it. Text from the request appears quoted, escaped and cut.

use crate::value::quote;
use proxmox_api::{Method, privileges, rules};
use std::fmt;

/// A privilege that is missing, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The privilege.
    pub privilege: &'static str,
    /// The ACL path.
    pub path: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.privilege, self.path)
    }
}

/// A node or a guest, as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A node.
    Node(String),
    /// A guest.
    Guest(u32),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Node(name) => write!(f, "node {}", quote(name)),
            Subject::Guest(vmid) => write!(f, "guest {vmid}"),
        }
    }
}

/// An allow-list of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    /// `PROXMOX_NODE_ALLOWLIST`.
    Nodes,
    /// `PROXMOX_VMID_ALLOWLIST`.
    Guests,
}

impl Wall {
    /// The setting that holds the list.
    pub const fn setting(self) -> &'static str {
        match self {
            Wall::Nodes => "PROXMOX_NODE_ALLOWLIST",
            Wall::Guests => "PROXMOX_VMID_ALLOWLIST",
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Wall::Nodes => "nodes",
            Wall::Guests => "guests",
        }
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.setting())
    }
}

/// A refused request. `Display` says in one or two sentences what was refused and why.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Denied {
    /// The request can be read in more than one way, or in none.
    #[error("The request is malformed: {0}.")]
    Malformed(String),
    /// Larger than the server takes.
    #[error("The request is too large: {what} is limited to {limit} bytes.")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// Its limit in bytes.
        limit: usize,
    },
    /// Not in the table of the API.
    #[error("Proxmox VE has no method {verb} {}.", quote(path))]
    UnknownMethod {
        /// The verb.
        verb: String,
        /// The path, below the prefix.
        path: String,
    },
    /// A parameter that the method does not take, or a value that the parameter does not take.
    #[error("{method} does not take the parameter {}: {why}.", quote(name))]
    BadParameter {
        /// The method.
        method: &'static Method,
        /// The parameter's name.
        name: String,
        /// Why not.
        why: String,
    },
    /// A method that the called tool did not declare.
    #[error("The tool that was called does not declare {0}, so it may not call it.")]
    NotDeclared(&'static Method),
    /// Another node or guest than the call is about.
    #[error("The request is about {0}, which this call is not about.")]
    OutOfScope(Subject),
    /// About guests, without saying which, in a call that is about certain ones.
    #[error("{0} does not say which guests it is about, and this call is about certain ones.")]
    ScopeExceeded(&'static Method),
    /// A node or guest outside the operator's allow-list.
    #[error("The operator's {wall} leaves out {subject}.")]
    Walled {
        /// The node or guest.
        subject: Subject,
        /// The list.
        wall: Wall,
    },
    /// A request of which an allow-list cannot tell what it is about.
    #[error("{method} may concern {} that the operator's {wall} leaves out, and does not say which.", wall.kind())]
    Unbounded {
        /// The method.
        method: &'static Method,
        /// The list.
        wall: Wall,
    },
    /// For root@pam itself.
    #[error("{0} is for root@pam itself: Proxmox VE takes it from no API token.")]
    RootOnly(&'static Method),
    /// For logins with a ticket.
    #[error("{0} needs a login ticket: Proxmox VE takes it from no API token.")]
    NeedsTicket(&'static Method),
    /// A parameter for root@pam itself.
    #[error(
        "{method} takes the parameter {} from root@pam itself, and from no API token: {why}.",
        quote(name)
    )]
    RootOnlyParameter {
        /// The method.
        method: &'static Method,
        /// The parameter's name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// A method whose needs are not known.
    #[error("{0} is refused: {why}.", why = why_undecided(.0))]
    Undecided(&'static Method),
    /// A method whose check depends on users and groups.
    #[error("{0} depends on users and groups, so it needs every privilege on /.")]
    NeedsElevated(&'static Method),
    /// Privileges that are not granted.
    #[error("{method} is not granted: it needs {}.", list(missing))]
    Missing {
        /// The method.
        method: &'static Method,
        /// The least that would open it.
        missing: Vec<Missing>,
    },
}

impl Denied {
    pub(crate) fn malformed(why: impl Into<String>) -> Self {
        Denied::Malformed(why.into())
    }

    /// The narrowest grant that opens it (`VM.PowerMgmt@/vms/101`), several separated by commas.
    /// `None` where no grant would help.
    pub fn grant(&self) -> Option<String> {
        match self {
            Denied::Missing { missing, .. } => Some(joined(missing)),
            Denied::NeedsElevated(_) => Some("Administrator@/".to_owned()),
            _ => None,
        }
    }

    /// What the operator would set to open it: `--grant VM.PowerMgmt@/vms/101`, or an allow-list's
    /// setting. `None` where nothing opens it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Denied::Walled { subject: Subject::Node(node), wall } => Some(format!("add {node} to {wall}")),
            Denied::Walled { subject: Subject::Guest(vmid), wall } => Some(format!("add {vmid} to {wall}")),
            _ => self.grant().map(|grant| format!("--grant {grant}")),
        }
    }

    /// A stable word for logs.
    pub fn code(&self) -> &'static str {
        match self {
            Denied::Malformed(_) => "malformed_request",
            Denied::TooLarge { .. } => "too_large",
            Denied::UnknownMethod { .. } => "unknown_method",
            Denied::BadParameter { .. } => "bad_parameter",
            Denied::NotDeclared(_) => "not_declared",
            Denied::OutOfScope(_) | Denied::ScopeExceeded(_) => "out_of_scope",
            Denied::Walled { .. } => "not_on_allowlist",
            Denied::Unbounded { .. } => "unbounded_under_allowlist",
            Denied::RootOnly(_) => "root_only",
            Denied::NeedsTicket(_) => "needs_ticket",
            Denied::RootOnlyParameter { .. } => "root_only_parameter",
            Denied::Undecided(_) => "undecided",
            Denied::NeedsElevated(_) => "needs_elevated",
            Denied::Missing { .. } => "missing_grant",
        }
    }
}

/// The words of the rule that shuts a method.
fn why_undecided(method: &Method) -> &'static str {
    rules::for_method(method).map_or("no rule says what it needs", |rule| rule.reason)
}

/// `VM.Audit on /vms/101 and Datastore.Audit on /storage/local`.
fn list(missing: &[Missing]) -> String {
    let words: Vec<String> = missing.iter().map(|m| format!("{} on {}", m.privilege, m.path)).collect();
    words.join(" and ")
}

/// `VM.Audit@/vms/101,Datastore.Audit@/storage/local`.
pub(crate) fn joined(missing: &[Missing]) -> String {
    missing.iter().map(Missing::to_string).collect::<Vec<_>>().join(",")
}

/// How much it takes to grant these: the number of privileges, then how far up the paths are, then how much
/// the privileges allow.
pub(crate) fn weight(missing: &[Missing]) -> (usize, usize, usize) {
    let depth = |path: &str| path.split('/').filter(|part| !part.is_empty()).count();
    let highest = missing.iter().map(|m| depth(&m.path)).min().unwrap_or_default();
    (missing.len(), usize::MAX - highest, missing.iter().map(|m| reach(m.privilege)).sum())
}

/// How much a privilege allows, roughly: looking, a part of what another one allows (`VM.Snapshot.Rollback`
/// of `VM.Snapshot`), or a whole.
fn reach(privilege: &str) -> usize {
    let is_part = || privilege.rsplit_once('.').is_some_and(|(whole, _)| privileges::is_known(whole));
    match privilege {
        _ if privilege.ends_with(".Audit") => 0,
        _ if is_part() => 1,
        _ => 2,
    }
}
