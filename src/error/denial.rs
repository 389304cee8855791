//! A request that was not allowed, and what would allow it.

use std::fmt;

use proxmox_api::privileges::ROLES;
use proxmox_api::rules::{self, Decision};
use proxmox_api::{Check, Method};

use crate::foreign;

/// A request that was not allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial {
    /// Who did not allow it.
    pub by: By,
    /// The request, such as `POST /nodes/pve1/qemu/101/status/start`.
    pub request: String,
    /// What it needs: all of these. Empty where nothing is known to help.
    pub needs: Vec<Need>,
}

/// Who did not allow a request.
#[derive(Debug, Clone, PartialEq)]
pub enum By {
    /// The host that runs this component.
    Host,
    /// Proxmox VE, to the API token; with its own words.
    Proxmox(String),
    /// Proxmox VE, which does not know the API token; with its own words.
    Login(String),
}

/// A privilege on an ACL path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The privilege, `VM.PowerMgmt`.
    pub privilege: String,
    /// The ACL path, `/vms/101`.
    pub path: String,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.privilege, self.path)
    }
}

/// What a method needs, with its path's parameters filled in by `fill`; where it has a choice, the
/// narrowest. Where its parameters decide, the least of it.
pub(crate) fn needs(method: &'static Method, fill: &dyn Fn(&str) -> Option<String>) -> Vec<Need> {
    match rules::decision(method) {
        Decision::Check(check)
        | Decision::OwnTask(check)
        | Decision::OfOther(_, check)
        | Decision::Parameters(_, check) => of_check(check, fill),
        _ => Vec::new(),
    }
}

/// The same in words for whoever reads them: where a method's parameters decide, it is the least of it, and
/// where one privilege of many is enough, which one depends on them.
pub(crate) fn needed(method: &'static Method, fill: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let needs: Vec<String> = needs(method, fill).iter().map(Need::to_string).collect();
    match rules::decision(method) {
        Decision::Parameters(_, Check::Perm { path, privileges, any: true, .. }) => {
            vec![format!("at least one of {} on {}", together(privileges), filled(path, fill))]
        }
        Decision::Parameters(..) if !needs.is_empty() => vec![format!("at least {}", needs.join(" and "))],
        _ => needs,
    }
}

/// The names of privileges; many of one kind as `VM.Config.*`.
fn together(privileges: &[&str]) -> String {
    let kind = |name: &str| name.rsplit_once('.').map(|(kind, _)| kind.to_owned()).unwrap_or_default();
    match privileges {
        [first, rest @ ..] if rest.len() > 3 && rest.iter().all(|name| kind(name) == kind(first)) => {
            format!("{}.*", kind(first))
        }
        _ => privileges.join(", "),
    }
}

/// Whether a check counts only where some parameter is given.
fn is_conditional(check: &Check) -> bool {
    match check {
        Check::Perm { only_with, .. } => only_with.is_some(),
        Check::All(checks) | Check::Any(checks) => checks.iter().any(is_conditional),
        Check::UserGroup(_) | Check::UserParam(_) | Check::ModifyPermissions(_) => false,
    }
}

fn of_check(check: &Check, fill: &dyn Fn(&str) -> Option<String>) -> Vec<Need> {
    match check {
        Check::Perm { path, privileges, any, .. } => {
            let path = filled(path, fill);
            let need = |privilege: &&str| Need { privilege: (*privilege).to_owned(), path: path.clone() };
            if *any {
                let audit = privileges.iter().find(|privilege| privilege.ends_with(".Audit"));
                audit.or(privileges.first()).map(need).into_iter().collect()
            } else {
                privileges.iter().map(need).collect()
            }
        }
        Check::All(checks) => checks.iter().flat_map(|check| of_check(check, fill)).collect(),
        Check::Any(checks) => checks
            .iter()
            .map(|check| (!is_conditional(check), of_check(check, fill)))
            .filter(|(_, needs)| !needs.is_empty())
            .max_by_key(|(always, needs)| {
                let narrow = needs.iter().map(|need| need.path.len()).sum::<usize>();
                (*always, narrow, needs.iter().all(|need| need.privilege.ends_with(".Audit")))
            })
            .map(|(_, needs)| needs)
            .unwrap_or_default(),
        Check::UserGroup(_) | Check::UserParam(_) | Check::ModifyPermissions(_) => Vec::new(),
    }
}

fn filled(path: &str, fill: &dyn Fn(&str) -> Option<String>) -> String {
    let segments = path.split('/').map(|segment| {
        let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        name.and_then(fill).unwrap_or_else(|| segment.to_owned())
    });
    segments.collect::<Vec<_>>().join("/")
}

/// What Proxmox's own text names: `Permission check failed (/vms/102, VM.Audit)`. Of alternatives
/// (`A|B`) the first.
pub(crate) fn named_need(message: &str) -> Option<Need> {
    let inside = message.split_once("Permission check failed (")?.1.split_once(')')?.0;
    let (path, privileges) = inside.split_once(", ")?;
    let privilege = privileges.split(['|', ',']).next()?.trim();
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "/.-_".contains(c));
    let usable = path.starts_with('/') && !privilege.is_empty() && plain(path) && plain(privilege);
    usable.then(|| Need { privilege: privilege.to_owned(), path: path.to_owned() })
}

impl Denial {
    /// Why, in one short clause with the line that would change it.
    pub fn brief(&self) -> String {
        let needs = self.joined(|need| need.to_string(), " and ");
        match &self.by {
            By::Host if self.needs.is_empty() => "not granted".to_owned(),
            By::Host => format!("not granted: needs {needs} (`{}`)", self.grants()),
            By::Proxmox(_) if !self.needs.is_empty() => {
                let command = self.pveum().map(|line| format!(" (`{line}`)")).unwrap_or_default();
                format!("the API token lacks {needs}{command}")
            }
            By::Proxmox(words) | By::Login(words) => {
                format!("Proxmox VE refused: {}", foreign::words(words, 200))
            }
        }
    }

    fn joined(&self, one: impl Fn(&Need) -> String, between: &str) -> String {
        self.needs.iter().map(one).collect::<Vec<_>>().join(between)
    }

    fn grants(&self) -> String {
        self.joined(|need| format!("--grant {}@{}", need.privilege, need.path), " ")
    }

    /// The command that gives the token what it lacks; nothing where no role is known that has it.
    fn pveum(&self) -> Option<String> {
        let line = |need: &Need| {
            let role = role_with(&need.privilege)?;
            Some(format!("pveum acl modify {} --tokens 'USER@REALM!TOKEN' --roles {role}", need.path))
        };
        let lines: Option<Vec<String>> = self.needs.iter().map(line).collect();
        lines.map(|lines| lines.join(" && "))
    }
}

/// The built-in role with this privilege that allows least besides: first in what is more than
/// auditing, then in number.
fn role_with(privilege: &str) -> Option<&'static str> {
    let beyond_audit = |role: &&proxmox_api::privileges::Role| {
        (role.privileges.iter().filter(|name| !name.ends_with(".Audit")).count(), role.privileges.len())
    };
    let holders = ROLES.iter().filter(|role| role.privileges.contains(&privilege));
    // Proxmox VE 8 has one privilege for all of the guest agent, and the same role has it.
    let of_8 = (privilege == "VM.Monitor").then_some("PVEVMAdmin");
    holders.min_by_key(beyond_audit).map(|role| role.name).or(of_8)
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs = self.joined(|need| need.to_string(), " and ");
        match &self.by {
            By::Host => {
                write!(f, "The server is not allowed to send `{}`.", self.request)?;
                if self.needs.is_empty() {
                    return Ok(());
                }
                write!(f, " It needs {needs}; whoever runs the server can add `{}`.", self.grants())
            }
            By::Proxmox(words) => {
                let words = foreign::words(words, 300);
                write!(f, "Proxmox VE does not allow the API token `{}`: {words}.", self.request)?;
                if self.needs.is_empty() {
                    return Ok(());
                }
                write!(f, " The token lacks {needs}. An administrator of Proxmox VE can ")?;
                match self.pveum() {
                    Some(line) => write!(f, "run `{line}` (for the token's user too, if the user lacks it)."),
                    None => {
                        f.write_str("give the token a role that has it (`pveum role list`), and its user.")
                    }
                }
            }
            By::Login(words) => write!(
                f,
                "Proxmox VE did not accept the API token ({}). Check that user, token name and secret are right \
                 and that neither has expired or was disabled.",
                foreign::words(words, 200)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proxmox_api::methods;

    use super::*;

    fn fill(name: &str) -> Option<String> {
        match name {
            "node" => Some("pve1".to_owned()),
            "vmid" => Some("101".to_owned()),
            _ => None,
        }
    }

    fn needs_of(method: &'static Method) -> Vec<String> {
        needs(method, &fill).iter().map(Need::to_string).collect()
    }

    #[test]
    fn needs_are_computed_from_the_method() {
        assert_eq!(needs_of(&methods::GET_NODES_NODE_STATUS), ["Sys.Audit on /nodes/pve1"]);
        assert_eq!(needs_of(&methods::GET_NODES_NODE_DISKS_LIST), ["Sys.Audit on /nodes/pve1"]);
        assert_eq!(needs_of(&methods::GET_NODES_NODE_DISKS_SMART), ["Sys.Audit on /"]);
        assert_eq!(needs_of(&methods::POST_NODES_NODE_QEMU_VMID_STATUS_START), ["VM.PowerMgmt on /vms/101"]);
        assert!(needs_of(&methods::GET_CLUSTER_RESOURCES).is_empty());
        assert_eq!(needs_of(&methods::POST_NODES_NODE_QEMU), ["VM.Allocate on /vms/101"]);
        let targets = needs_of(&methods::GET_CLUSTER_NOTIFICATIONS_TARGETS);
        assert_eq!(targets, ["Mapping.Audit on /mapping/notifications"]);
        let clone = needs_of(&methods::POST_NODES_NODE_QEMU_VMID_CLONE);
        assert_eq!(clone, ["VM.Clone on /vms/101", "VM.Allocate on /vms/{newid}"]);
    }

    #[test]
    fn where_parameters_decide_it_is_the_least() {
        for (method, expected) in [
            (&methods::POST_NODES_NODE_QEMU, "at least VM.Allocate on /vms/101"),
            (&methods::PUT_NODES_NODE_QEMU_VMID_CONFIG, "at least one of VM.Config.* on /vms/101"),
            (
                &methods::POST_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME_ROLLBACK,
                "at least one of VM.Snapshot, VM.Snapshot.Rollback on /vms/101",
            ),
            (&methods::GET_NODES_NODE_STATUS, "Sys.Audit on /nodes/pve1"),
        ] {
            assert_eq!(needed(method, &fill), [expected]);
        }
    }

    #[test]
    fn a_denial_by_the_host_names_the_grant() {
        let denial = Denial {
            by: By::Host,
            request: "POST /nodes/pve1/qemu/101/status/start".to_owned(),
            needs: needs(&methods::POST_NODES_NODE_QEMU_VMID_STATUS_START, &fill),
        };
        assert_eq!(
            denial.brief(),
            "not granted: needs VM.PowerMgmt on /vms/101 (`--grant VM.PowerMgmt@/vms/101`)"
        );
        assert!(denial.to_string().contains("`--grant VM.PowerMgmt@/vms/101`"), "{denial}");
    }

    #[test]
    fn a_denial_by_proxmox_names_the_command() {
        let words = "Permission check failed (/vms/101, VM.PowerMgmt)";
        let needs = named_need(words).into_iter().collect();
        let denial = Denial { by: By::Proxmox(words.to_owned()), request: "POST /x".to_owned(), needs };
        let line = "`pveum acl modify /vms/101 --tokens 'USER@REALM!TOKEN' --roles PVEVMUser`";
        assert!(denial.to_string().contains(line), "{denial}");
        assert!(denial.brief().contains(line), "{}", denial.brief());
    }

    #[test]
    fn what_proxmox_names_is_read_with_care() {
        let named = |text: &str| named_need(text).map(|need| need.to_string());
        assert_eq!(named("Permission check failed (/vms/1, A.B|C.D)"), Some("A.B on /vms/1".to_owned()));
        for odd in ["Permission check failed", "Permission check failed (, Sys.Audit)", "(/x, Y)", ""] {
            assert_eq!(named(odd), None, "{odd}");
        }
        assert_eq!(named("Permission check failed (/vms/`rm -rf`, A)"), None);
    }

    #[test]
    fn the_least_role_is_named() {
        for (privilege, role) in [
            ("Sys.Audit", "PVEAuditor"),
            ("VM.PowerMgmt", "PVEVMUser"),
            ("VM.GuestAgent.Unrestricted", "PVEVMAdmin"),
            ("VM.Monitor", "PVEVMAdmin"),
            ("Sys.Modify", "Administrator"),
        ] {
            assert_eq!(role_with(privilege), Some(role));
        }
        let needs = vec![Need { privilege: "VM.New".to_owned(), path: "/vms/101".to_owned() }];
        let denial = Denial { by: By::Proxmox("no".to_owned()), request: "GET /x".to_owned(), needs };
        assert_eq!(denial.brief(), "the API token lacks VM.New on /vms/101");
        assert!(
            denial.to_string().ends_with("a role that has it (`pveum role list`), and its user."),
            "{denial}"
        );
    }
}
