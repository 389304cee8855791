//! What decides whether a method may be called, where the schema's own check is not the whole story.
//!
//! The schema opens many methods to any login and says in a sentence what the handler then demands.
//! This folder turns such sentences into checks, one reason each. Two principles: a rule may be
//! stricter than the server and never laxer, and a method of which nobody has said what it needs
//! stays shut.

use crate::{Check, Method, Permission, Verb};

mod changes;
mod parameters;
mod reads;

pub use parameters::{Family, is_root_only};

/// What decides about a method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// Any login may call it.
    Open,
    /// Any login may call it; the answer is a list, cut row by row to what the caller may see.
    Rows,
    /// This check.
    Check(&'static Check),
    /// The schema's check, although the schema adds a sentence. Only in rules: [`decision`] gives the check.
    Schema,
    /// Nothing for the login that started the task, this check for others.
    OwnTask(&'static Check),
    /// Nothing about the caller itself, this check where the parameter of this name names another.
    OfOther(&'static str, &'static Check),
    /// The parameters, in the way of the family. The check is the least that a request of it needs,
    /// for listings.
    Parameters(Family, &'static Check),
    /// Only root@pam itself, never a token.
    RootOnly,
    /// Unknown: nobody may call it.
    Undecided,
}

/// A rule written by hand.
#[derive(Debug)]
pub struct Rule {
    /// Verb of the method.
    pub verb: Verb,
    /// Path template of the method.
    pub path: &'static str,
    /// What decides.
    pub decision: Decision,
    /// Why that is right.
    pub reason: &'static str,
}

/// What decides about a method: its rule, else the schema where it leaves nothing to prose.
pub fn decision(method: &'static Method) -> Decision {
    match (for_method(method).map(|rule| rule.decision), &method.permission) {
        (Some(Decision::Schema), Permission::Check { check, .. }) => Decision::Check(check),
        (Some(Decision::Schema), _) => Decision::Undecided,
        (Some(decision), _) => decision,
        (None, permission) => of_schema(permission, method.verb.reads()),
    }
}

fn of_schema(permission: &'static Permission, reads: bool) -> Decision {
    match permission {
        Permission::RootOnly => Decision::RootOnly,
        Permission::World | Permission::AnyLogin { prose: false } if reads => Decision::Open,
        Permission::World | Permission::AnyLogin { .. } => Decision::Undecided,
        Permission::Check { check, prose: false } => Decision::Check(check),
        Permission::Check { .. } => Decision::Undecided,
    }
}

/// The rule for a method, if there is one.
pub fn for_method(method: &Method) -> Option<&'static Rule> {
    all().find(|r| r.verb == method.verb && r.path == method.path)
}

/// The hand-written rules.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    reads::READS.iter().chain(changes::CHANGES)
}

/// Whether it is known what the method needs.
pub fn is_decidable(method: &'static Method) -> bool {
    decision(method) != Decision::Undecided
}

/// The words in which a decision is explained: the rule's reason, or that the schema decides.
pub fn reason(method: &'static Method) -> &'static str {
    match (for_method(method), &method.permission) {
        (Some(rule), _) => rule.reason,
        (None, Permission::RootOnly) => "the schema keeps it to root@pam",
        (None, Permission::World | Permission::AnyLogin { .. }) => "the schema opens it to any login",
        (None, Permission::Check { .. }) => "the schema's check",
    }
}

const fn perm(path: &'static str, privileges: &'static [&'static str]) -> Check {
    Check::Perm { path, privileges, any: false, only_with: None }
}

#[cfg(test)]
mod tests;
