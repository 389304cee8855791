//! How much of a tool the grants open, for lists. It decides nothing: every request is checked by itself.

use std::collections::BTreeSet;

use proxmox_api::{Method, methods};
use proxmox_gate::{Gate, Grants, Opening, Walls};

use crate::calls::Tools;
use crate::catalogue::Entry;

/// How much of a tool the grants open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// All of it.
    All,
    /// For some guests, nodes or storages.
    Scoped,
    /// Some of what it shows.
    Part,
    /// After a person said yes.
    Ask,
    /// Nothing.
    None,
}

impl Reach {
    /// Its word in lists.
    pub fn word(self) -> &'static str {
        match self {
            Reach::All => "granted",
            Reach::Scoped => "granted for some",
            Reach::Part => "granted in part",
            Reach::Ask => "ask",
            Reach::None => "not granted",
        }
    }
}

/// How much the grants open; where that is nothing, whether asking would open it.
pub fn reach(tools: &Tools, entry: &Entry) -> Reach {
    match reach_by(entry, |method| tools.opening(method)) {
        Reach::None if reach_by(entry, |method| tools.opening_with_asking(method)) != Reach::None => {
            Reach::Ask
        }
        granted => granted,
    }
}

/// A tool that changes something needs one of its changes; one that reads shows what it may.
fn reach_by(entry: &Entry, opening: impl Fn(&'static Method) -> Opening) -> Reach {
    if entry.tool.names_its_call {
        return reach_of_any(entry, opening);
    }
    // What asks Proxmox nothing needs nothing.
    if entry.methods.is_empty() {
        return Reach::All;
    }
    let openings: Vec<Opening> = entry.methods.iter().map(|method| opening(method)).collect();
    let shut = openings.iter().filter(|o| matches!(o, Opening::Shut { .. })).count();
    let mut changes =
        entry.methods.iter().zip(&openings).filter(|(method, _)| !method.verb.reads()).peekable();
    let change_shut =
        changes.peek().is_some() && changes.all(|(_, opening)| matches!(opening, Opening::Shut { .. }));
    // What a tool does inside a guest is what it is for; finding the guest is not.
    let mut inside =
        entry.methods.iter().zip(&openings).filter(|(method, _)| method.path.contains("/agent/")).peekable();
    let guest_shut = entry.tool.annotations.open_world
        && inside.peek().is_some()
        && inside.all(|(_, opening)| matches!(opening, Opening::Shut { .. }));
    if shut == openings.len() || change_shut || guest_shut {
        Reach::None
    } else if shut > 0 {
        Reach::Part
    } else if entry.methods.iter().zip(&openings).any(|(method, opening)| limits(opening, method)) {
        Reach::Scoped
    } else {
        Reach::All
    }
}

/// For a tool that may call whatever its arguments name: whether a grant opens any of it.
fn reach_of_any(entry: &Entry, opening: impl Fn(&'static Method) -> Opening) -> Reach {
    if entry.tool.annotations.read_only {
        return Reach::Part;
    }
    let granted = |method: &&'static Method| {
        !method.verb.reads()
            && matches!(ungranted(method), Opening::Shut { .. })
            && !matches!(opening(method), Opening::Shut { .. })
    };
    if methods::ALL.iter().copied().any(|method| granted(&method)) { Reach::Part } else { Reach::None }
}

/// Whether grants limit a method to some paths. Some methods are limited by nature: one's own tasks.
fn limits(opening: &Opening, method: &'static Method) -> bool {
    *opening == Opening::Scoped && matches!(ungranted(method), Opening::Shut { .. })
}

/// How far a method is open where nothing is granted.
fn ungranted(method: &'static Method) -> Opening {
    Gate::new(Grants::default(), Walls::default(), "").opens(method)
}

/// The grants that would open all that the grants in force do not, with path templates.
pub fn beyond(tools: &Tools, entry: &Entry) -> BTreeSet<String> {
    let limited = entry.methods.iter().filter(|method| limits(&tools.opening(method), method));
    let further = limited.filter_map(|method| match ungranted(method) {
        Opening::Shut { grant, .. } => grant,
        Opening::Open | Opening::Scoped => None,
    });
    further.chain(missing(tools, entry)).collect()
}

/// The grants that would open what is shut, with path templates.
pub fn missing(tools: &Tools, entry: &Entry) -> BTreeSet<String> {
    let shut = |method: &&'static Method| match tools.opening(method) {
        Opening::Shut { grant, .. } => grant,
        Opening::Open | Opening::Scoped => None,
    };
    entry.methods.iter().filter_map(shut).collect()
}
