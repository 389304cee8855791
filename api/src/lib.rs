//! Every method of the Proxmox VE API as constant data: verb, path template, parameters and the
//! privileges that it checks.
//!
//! [`methods`] is generated from the schema that each Proxmox VE server publishes
//! (`cargo xtask generate`); it holds facts only. [`rules`] is written by hand: what the schema
//! leaves to prose. The component uses this crate for typed paths and computed hints; the gate
//! uses it as law.

#[rustfmt::skip]
pub mod methods;
pub mod privileges;
pub mod rules;

use std::fmt;

/// An HTTP verb that the API knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// Reads.
    Get,
    /// Starts something or creates something.
    Post,
    /// Changes something that exists.
    Put,
    /// Removes something.
    Delete,
}

impl Verb {
    /// The verb as it stands in a request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
        }
    }

    /// The verb of a request line; `None` for one that the API does not take (HEAD, PATCH, lower case).
    pub fn parse(text: &str) -> Option<Verb> {
        match text {
            "GET" => Some(Verb::Get),
            "POST" => Some(Verb::Post),
            "PUT" => Some(Verb::Put),
            "DELETE" => Some(Verb::Delete),
            _ => None,
        }
    }

    /// Whether a request with this verb only reads.
    pub const fn reads(self) -> bool {
        matches!(self, Verb::Get)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One method of the API.
#[derive(Debug, PartialEq)]
pub struct Method {
    /// How it is called.
    pub verb: Verb,
    /// Path template below `/api2/json`, such as `/nodes/{node}/qemu/{vmid}/status/start`.
    pub path: &'static str,
    /// All parameters, those of the path included.
    pub params: &'static [Param],
    /// Whether parameters beyond `params` are taken.
    pub open: bool,
    /// What the caller must be allowed.
    pub permission: Permission,
    /// Whether an API token may call it; the rest needs a login ticket.
    pub token: bool,
}

/// One parameter of a method.
#[derive(Debug, PartialEq)]
pub struct Param {
    /// Its name; `[n]` at the end stands for a number (`net[n]` is `net0`, `net1`, ...).
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What a parameter takes.
#[derive(Debug, PartialEq)]
pub enum Kind {
    /// Text. Empty `format` or `pattern`: none. Lengths are in characters.
    String {
        /// The name of a format that the server knows (`pve-node`); `{}` for a property string.
        format: &'static str,
        /// A Perl regular expression that the whole value matches.
        pattern: &'static str,
        /// Least length.
        min: Option<u32>,
        /// Greatest length.
        max: Option<u32>,
    },
    /// A whole number.
    Integer {
        /// Least value.
        min: Option<i64>,
        /// Greatest value.
        max: Option<i64>,
    },
    /// A number.
    Number {
        /// Least value.
        min: Option<f64>,
        /// Greatest value.
        max: Option<f64>,
    },
    /// `1` or `0`.
    Boolean,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// The parameter repeated.
    Array(&'static Kind),
}

/// What the server demands of the caller of a method.
#[derive(Debug, PartialEq)]
pub enum Permission {
    /// Only root@pam itself; no token, whatever its privileges.
    RootOnly,
    /// Nothing, not even a login.
    World,
    /// Any login. With `prose`, the handler decides more, by a rule that the schema has in words.
    AnyLogin {
        /// Whether the schema adds a rule in words.
        prose: bool,
    },
    /// A check. With `prose`, the handler decides more.
    Check {
        /// The check.
        check: Check,
        /// Whether the schema adds a rule in words.
        prose: bool,
    },
}

/// A check of privileges, as the schema writes it.
#[derive(Debug, PartialEq)]
pub enum Check {
    /// Privileges on an ACL path.
    Perm {
        /// ACL path template; `{name}` stands for a parameter.
        path: &'static str,
        /// The privileges.
        privileges: &'static [&'static str],
        /// Whether one of them is enough.
        any: bool,
        /// Checked only where this parameter is given.
        only_with: Option<&'static str>,
    },
    /// All of these.
    All(&'static [Check]),
    /// One of these.
    Any(&'static [Check]),
    /// Privileges on a group of the user that the call is about.
    UserGroup(&'static [&'static str]),
    /// A relation to the user that the call is about (`self`, or a privilege on the user's realm).
    UserParam(&'static str),
    /// `Permissions.Modify` on the ACL path, or what Proxmox allows in its stead.
    ModifyPermissions(&'static str),
}

impl Method {
    /// The names of the parameters that stand in the path, in order.
    pub fn path_params(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }

    /// The parameter that `name` means; `net0` finds `net[n]`.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.params.iter().find(|param| match param.name.strip_suffix("[n]") {
            Some(stem) => name
                .strip_prefix(stem)
                .is_some_and(|n| !n.is_empty() && n.len() <= 3 && n.bytes().all(|b| b.is_ascii_digit())),
            None => param.name == name,
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.path)
    }
}

/// Not a method of the API, but a file that each server serves beside it to everybody: its own
/// description of all methods, in words. The only path that is not below `/api2/json`.
pub static API_DOC: Method = Method {
    verb: Verb::Get,
    path: "/pve-docs/api-viewer/apidoc.js",
    params: &[],
    open: false,
    permission: Permission::World,
    token: true,
};

/// The method with exactly this verb and path template.
pub fn find(verb: Verb, template: &str) -> Option<&'static Method> {
    methods::ALL.iter().copied().chain([&API_DOC]).find(|m| m.verb == verb && m.path == template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_there_once() {
        assert_eq!(methods::ALL.len(), 661);
        let mut seen = std::collections::HashSet::new();
        for m in methods::ALL {
            assert!(seen.insert((m.verb, m.path)), "{m} twice");
            for name in m.path_params() {
                assert!(m.param(name).is_some(), "{m}: path parameter {name} is not declared");
            }
        }
    }

    #[test]
    fn a_numbered_parameter_is_found_by_its_stem() {
        let m = &methods::POST_NODES_NODE_QEMU_VMID_CONFIG;
        assert_eq!(m.param("net0").map(|p| p.name), Some("net[n]"));
        assert_eq!(m.param("net"), None);
        assert_eq!(m.param("netx"), None);
        assert_eq!(m.param("memory").map(|p| p.name), Some("memory"));
    }

    #[test]
    fn every_privilege_of_the_table_is_known() {
        fn walk(check: &Check, m: &Method) {
            match check {
                Check::Perm { privileges, .. } | Check::UserGroup(privileges) => {
                    for p in *privileges {
                        assert!(privileges::is_known(p), "{m}: {p}");
                    }
                }
                Check::All(all) | Check::Any(all) => all.iter().for_each(|c| walk(c, m)),
                Check::UserParam(_) | Check::ModifyPermissions(_) => {}
            }
        }
        for m in methods::ALL {
            if let Permission::Check { check, .. } = &m.permission {
                walk(check, m);
            }
        }
    }
}
