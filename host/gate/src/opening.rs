//! The threat: a catalogue that hides what is shut, or promises it. For each method this file says,
//! before any call is made, whether the grants open it everywhere, somewhere or nowhere. It decides
//! nothing: every request is checked by `decide`.

use crate::NoPools;
use crate::denied::{self, Missing};
use crate::grant::Grants;
use proxmox_api::{Check, Method, rules};

/// Whether the grants open a method, for listings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// On every path.
    Open,
    /// On some paths.
    Scoped,
    /// Nowhere.
    Shut {
        /// The privileges that are missing; empty where none would help.
        missing: Vec<&'static str>,
        /// The grants that would open it, with path templates (`VM.PowerMgmt@/vms/{vmid}`), separated
        /// by commas; `None` where none would.
        grant: Option<String>,
    },
}

/// Whether the grants open a method everywhere, somewhere or nowhere.
pub(crate) fn of(method: &'static Method, grants: &Grants) -> Opening {
    let shut = Opening::Shut { missing: Vec::new(), grant: None };
    match rules::decision(method) {
        rules::Decision::RootOnly | rules::Decision::Undecided | rules::Decision::Schema => shut,
        _ if !method.token => shut,
        rules::Decision::Open | rules::Decision::Rows => Opening::Open,
        rules::Decision::OwnTask(check) | rules::Decision::OfOther(_, check) => match reach(check, grants) {
            Reach::Everywhere => Opening::Open,
            _ => Opening::Scoped,
        },
        // Which further privileges the parameters ask for is not known before they are.
        rules::Decision::Parameters(_, least) => match reach(least, grants) {
            Reach::Everywhere if grants.is_elevated() => Opening::Open,
            Reach::Everywhere | Reach::Somewhere => Opening::Scoped,
            Reach::Nowhere(missing) => shut_for(missing),
        },
        rules::Decision::Check(check) => match reach(check, grants) {
            Reach::Everywhere => Opening::Open,
            Reach::Somewhere => Opening::Scoped,
            Reach::Nowhere(missing) => shut_for(missing),
        },
    }
}

fn shut_for(missing: Vec<Missing>) -> Opening {
    Opening::Shut {
        grant: (!missing.is_empty()).then(|| denied::joined(&missing)),
        missing: missing.into_iter().map(|m| m.privilege).collect(),
    }
}

/// How far a check holds, whatever the parameters are.
enum Reach {
    Everywhere,
    Somewhere,
    Nowhere(Vec<Missing>),
}

fn reach(check: &Check, grants: &Grants) -> Reach {
    match check {
        Check::Perm { path, privileges, any, only_with } => {
            reach_of(path, privileges, *any, only_with.is_some(), grants)
        }
        Check::All(checks) => checks.iter().map(|c| reach(c, grants)).fold(Reach::Everywhere, Reach::and),
        Check::Any(checks) => {
            checks.iter().map(|c| reach(c, grants)).reduce(Reach::or).unwrap_or(Reach::Nowhere(Vec::new()))
        }
        Check::UserGroup(_) | Check::UserParam(_) | Check::ModifyPermissions(_) if grants.is_elevated() => {
            Reach::Everywhere
        }
        Check::UserGroup(_) | Check::UserParam(_) | Check::ModifyPermissions(_) => Reach::Nowhere(Vec::new()),
    }
}

fn reach_of(path: &str, privileges: &[&'static str], any: bool, conditional: bool, grants: &Grants) -> Reach {
    let whole = path.split_once("/{").map_or(path, |(above, _)| above);
    let whole = if whole.is_empty() { "/" } else { whole };
    let each = privileges.iter().map(|privilege| {
        if grants.covers(privilege, whole, &NoPools).is_some() {
            return if conditional { Reach::Somewhere } else { Reach::Everywhere };
        }
        if grants.somewhere(privilege, path) {
            return Reach::Somewhere;
        }
        Reach::Nowhere(vec![Missing { privilege, path: path.to_owned() }])
    });
    let reach = if any { each.reduce(Reach::or) } else { each.reduce(Reach::and) };
    reach.unwrap_or(Reach::Nowhere(Vec::new()))
}

impl Reach {
    fn and(self, other: Reach) -> Reach {
        match (self, other) {
            (Reach::Nowhere(mut a), Reach::Nowhere(b)) => {
                a.extend(b);
                Reach::Nowhere(a)
            }
            (Reach::Nowhere(missing), _) | (_, Reach::Nowhere(missing)) => Reach::Nowhere(missing),
            (Reach::Everywhere, Reach::Everywhere) => Reach::Everywhere,
            _ => Reach::Somewhere,
        }
    }

    fn or(self, other: Reach) -> Reach {
        match (self, other) {
            (Reach::Everywhere, _) | (_, Reach::Everywhere) => Reach::Everywhere,
            (Reach::Somewhere, _) | (_, Reach::Somewhere) => Reach::Somewhere,
            (Reach::Nowhere(a), Reach::Nowhere(b)) => {
                if b.is_empty() || !a.is_empty() && denied::weight(&a) <= denied::weight(&b) {
                    Reach::Nowhere(a)
                } else {
                    Reach::Nowhere(b)
                }
            }
        }
    }
}
