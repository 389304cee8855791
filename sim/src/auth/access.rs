//! Users, groups, tokens, roles and ACLs, and what they add up to on a path.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proxmox_api::privileges::{PRIVILEGES, ROLES};

use super::Caller;
use crate::Release;
use crate::release::MONITOR;

/// A set of privileges: one bit for each of [`PRIVILEGES`], and one for `VM.Monitor` of version 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privileges(u64);

impl Privileges {
    /// Every privilege that a release knows.
    pub fn all(release: Release) -> Privileges {
        known().filter(|name| release.knows(name)).collect()
    }

    /// Whether this privilege is in the set.
    pub fn has(self, name: &str) -> bool {
        bit(name).is_some_and(|i| self.0 & (1 << i) != 0)
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in both sets.
    #[must_use]
    pub fn and(self, other: Privileges) -> Privileges {
        Privileges(self.0 & other.0)
    }

    /// What is in one of the sets.
    #[must_use]
    pub fn or(self, other: Privileges) -> Privileges {
        Privileges(self.0 | other.0)
    }

    /// The names, in alphabetical order but for the one of version 8.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        known().enumerate().filter(move |(i, _)| self.0 & (1 << i) != 0).map(|(_, n)| n)
    }
}

/// All privileges in the order of their bits.
fn known() -> impl Iterator<Item = &'static str> {
    PRIVILEGES.iter().copied().chain([MONITOR])
}

fn bit(name: &str) -> Option<usize> {
    match name {
        MONITOR => Some(PRIVILEGES.len()),
        name => PRIVILEGES.binary_search(&name).ok(),
    }
}

impl<'a> FromIterator<&'a str> for Privileges {
    fn from_iter<T: IntoIterator<Item = &'a str>>(names: T) -> Privileges {
        let bits = names.into_iter().filter_map(bit);
        Privileges(bits.fold(0, |set, i| set | (1 << i)))
    }
}

/// What a caller may do on a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// The privileges.
    pub set: Privileges,
    /// Those of them that hold below the path too.
    pub propagated: Privileges,
}

impl Granted {
    /// Everything, everywhere.
    pub fn everything(release: Release) -> Granted {
        Granted { set: Privileges::all(release), propagated: Privileges::all(release) }
    }
}

/// A user.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// Whether it may log in.
    pub enabled: bool,
    /// Unix time in seconds after which it may not; 0 for never.
    pub expire: u64,
    /// The password, in a realm of Proxmox's own.
    pub password: Option<String>,
    /// What `/access/users` says about it.
    pub comment: Option<String>,
    /// Mail address; shown even when empty, once it was set.
    pub email: Option<String>,
    /// API tokens by name.
    pub tokens: BTreeMap<String, ApiToken>,
}

/// An API token.
#[derive(Clone, Debug)]
pub struct ApiToken {
    /// The secret, a UUID.
    pub secret: String,
    /// Privilege separation: the token has its own ACL, cut to what its user may.
    pub privsep: bool,
    /// Unix time in seconds after which it is refused; 0 for never.
    pub expire: u64,
    /// A remark.
    pub comment: Option<String>,
}

/// Whom an ACL entry is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A user (`operator@pve`).
    User(String),
    /// A group.
    Group(String),
    /// An API token (`operator@pve!power`).
    Token(String),
}

/// A line of an ACL.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whom it is about.
    pub subject: Subject,
    /// The role.
    pub role: String,
    /// Whether it holds below the path too.
    pub propagate: bool,
}

/// All there is about access.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Users by id.
    pub users: BTreeMap<String, User>,
    /// Members of groups.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// Comments on groups.
    pub group_comments: BTreeMap<String, String>,
    /// Roles that were added to the built-in ones.
    pub roles: BTreeMap<String, Privileges>,
    /// ACL entries by path.
    pub acl: BTreeMap<String, Vec<Entry>>,
    /// The release, which knows more or fewer privileges.
    pub release: Release,
    /// User of each ticket that was handed out.
    pub tickets: HashMap<String, String>,
}

impl Access {
    /// Whether this token may be used now, in Unix time.
    pub fn token_is_valid(&self, user: &str, name: &str, secret: &str, now: u64) -> bool {
        let current = |expire: u64| expire == 0 || expire > now;
        let Some(user) = self.users.get(user) else { return false };
        let Some(token) = user.tokens.get(name) else { return false };
        user.enabled && current(user.expire) && current(token.expire) && token.secret == secret
    }

    /// Adds an ACL line.
    pub fn grant(&mut self, path: &str, subject: Subject, role: &str, propagate: bool) {
        let entry = Entry { subject, role: role.into(), propagate };
        self.acl.entry(path.into()).or_default().push(entry);
    }

    /// Removes the ACL lines about whomever `gone` picks.
    pub fn drop_entries(&mut self, gone: impl Fn(&Subject) -> bool) {
        self.acl.values_mut().for_each(|entries| entries.retain(|entry| !gone(&entry.subject)));
        self.acl.retain(|_, entries| !entries.is_empty());
    }

    /// The privileges of a role; none for an unknown one.
    pub fn role(&self, name: &str) -> Privileges {
        let built_in = || ROLES.iter().find(|r| r.name == name);
        let added = self.roles.get(name).copied();
        added.or_else(|| Some(self.as_released(built_in()?))).unwrap_or_default()
    }

    /// A built-in role as the release has it.
    fn as_released(&self, role: &proxmox_api::privileges::Role) -> Privileges {
        let agent = role.privileges.contains(&"VM.GuestAgent.Unrestricted").then_some(MONITOR);
        let named = role.privileges.iter().copied().chain(agent);
        named.filter(|name| self.release.knows(name)).collect()
    }

    /// Whether the caller is unrestricted: root@pam or a token of root@pam without separation.
    pub fn is_unrestricted(&self, caller: &Caller) -> bool {
        caller.user == "root@pam" && !self.is_separated(caller)
    }

    /// What the caller may do on `path`. `pools` names the pools that the object of the path is in.
    pub fn granted(&self, caller: &Caller, path: &str, pools: &[&str]) -> Granted {
        let of_user = match caller.user.as_str() {
            "root@pam" => Granted::everything(self.release),
            user => self.by_acl(&Subject::User(user.into()), path, pools),
        };
        if !self.is_separated(caller) {
            return of_user;
        }
        let own = self.by_acl(&Subject::Token(caller.id()), path, pools);
        Granted { set: own.set.and(of_user.set), propagated: own.propagated.and(of_user.propagated) }
    }

    /// The paths that an ACL names.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.acl.keys().map(String::as_str)
    }

    fn is_separated(&self, caller: &Caller) -> bool {
        let Some(name) = &caller.token else { return false };
        self.users.get(&caller.user).and_then(|u| u.tokens.get(name)).is_none_or(|t| t.privsep)
    }

    fn by_acl(&self, subject: &Subject, path: &str, pools: &[&str]) -> Granted {
        let mut roles = self.roles_on(subject, path);
        if !roles.contains_key("NoAccess") {
            for pool in pools {
                for role in self.roles_on(subject, &format!("/pool/{pool}")).into_keys() {
                    roles.entry(role).or_insert(false);
                }
            }
        }
        if roles.contains_key("NoAccess") {
            return Granted::default();
        }
        roles.into_iter().fold(Granted::default(), |granted, (role, propagate)| {
            let set = self.role(&role);
            let propagated = if propagate { set } else { Privileges::default() };
            Granted { set: granted.set.or(set), propagated: granted.propagated.or(propagated) }
        })
    }

    /// Roles on a path, and whether each propagates. Walks down from `/`; an entry on a more
    /// specific path replaces what was inherited, and the subject's own entry beats its groups'.
    fn roles_on(&self, subject: &Subject, path: &str) -> BTreeMap<String, bool> {
        let mut roles = BTreeMap::new();
        for prefix in prefixes(path) {
            let Some(entries) = self.acl.get(prefix) else { continue };
            let last = prefix == path;
            let holding = |about: &dyn Fn(&Subject) -> bool| -> BTreeMap<String, bool> {
                let hits = entries.iter().filter(|e| about(&e.subject) && (e.propagate || last));
                hits.map(|e| (e.role.clone(), e.propagate)).collect()
            };
            let own = holding(&|s| s == subject);
            let found = if own.is_empty() { holding(&|s| self.is_group_of(s, subject)) } else { own };
            if !found.is_empty() {
                roles = found;
            }
        }
        roles
    }

    fn is_group_of(&self, group: &Subject, subject: &Subject) -> bool {
        match (group, subject) {
            (Subject::Group(group), Subject::User(user)) => {
                self.groups.get(group).is_some_and(|members| members.contains(user))
            }
            _ => false,
        }
    }
}

/// `/`, `/vms`, `/vms/100` for `/vms/100`.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let inner = path.match_indices('/').map(|(i, _)| i).filter(|i| *i > 0);
    let inner = inner.filter_map(|i| path.get(..i));
    let whole = (path != "/").then_some(path);
    std::iter::once("/").chain(inner).chain(whole)
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
