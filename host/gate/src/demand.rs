//! The threat: a change that is judged by its name alone. What a request needs depends on what it
//! says: this folder turns a parsed request into its demands, before anybody looks at a grant. A
//! parameter whose demand nobody has written down is refused.

mod backup;
mod bulk;
mod guest;
mod keys;
mod options;
mod others;
mod source;

use crate::denied::{Denied, Missing};
use crate::request::Request;
use crate::value;
use proxmox_api::rules::{self, Family};
use proxmox_api::{Check, Method};

/// What a request needs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Demand {
    /// A privilege on an ACL path.
    Privilege(Missing),
    /// All of these; nothing where there is none.
    All(Vec<Demand>),
    /// One of these.
    Any(Vec<Demand>),
    /// Every privilege on `/`.
    Elevated,
    /// Impossible: this parameter, which the ACL path is made of, is absent or not fit for one.
    Parameter(&'static str),
}

impl Demand {
    /// A privilege on an ACL path.
    pub(crate) fn on(privilege: &'static str, path: impl Into<String>) -> Self {
        Demand::Privilege(Missing { privilege, path: path.into() })
    }

    /// A privilege on a guest.
    pub(crate) fn guest(privilege: &'static str, vmid: u32) -> Self {
        Demand::on(privilege, format!("/vms/{vmid}"))
    }

    /// A privilege on a storage; on all of them where the request leaves open which.
    pub(crate) fn storage(privilege: &'static str, name: Option<&str>) -> Self {
        match name {
            Some(name) => Demand::on(privilege, format!("/storage/{name}")),
            None => Demand::on(privilege, "/storage"),
        }
    }

    /// Nothing.
    pub(crate) fn nothing() -> Self {
        Demand::All(Vec::new())
    }
}

/// Why a family's code refuses a parameter.
#[derive(Debug)]
pub(crate) struct Fault {
    name: String,
    kind: FaultKind,
}

#[derive(Debug)]
enum FaultKind {
    RootOnly(&'static str),
    Bad(String),
}

impl Fault {
    /// The server takes this from root@pam only.
    pub(crate) fn root_only(name: &str, why: &'static str) -> Self {
        Fault { name: name.to_owned(), kind: FaultKind::RootOnly(why) }
    }

    /// It cannot be read, or its demand is not known.
    pub(crate) fn bad(name: &str, why: impl Into<String>) -> Self {
        Fault { name: name.to_owned(), kind: FaultKind::Bad(why.into()) }
    }

    fn of(self, method: &'static Method) -> Denied {
        let Fault { name, kind } = self;
        match kind {
            FaultKind::RootOnly(why) => Denied::RootOnlyParameter { method, name, why },
            FaultKind::Bad(why) => Denied::BadParameter { method, name, why },
        }
    }
}

/// What the request needs; an error where no grant would do.
pub(crate) fn of(request: &Request, login: &str) -> Result<Demand, Denied> {
    let method = request.method;
    match rules::decision(method) {
        rules::Decision::RootOnly => return Err(Denied::RootOnly(method)),
        _ if !method.token => return Err(Denied::NeedsTicket(method)),
        _ => {}
    }
    if let Some(name) = request.params.keys().find(|name| rules::is_root_only(method, name)) {
        let why = "it is an option of Proxmox VE's own programs";
        return Err(Fault::root_only(name, why).of(method));
    }
    match rules::decision(method) {
        rules::Decision::Open | rules::Decision::Rows => Ok(Demand::nothing()),
        // The login is part of the task's id: with another login in it the id names no task.
        rules::Decision::OwnTask(_) if request.upid().is_some_and(|upid| upid.login == login) => {
            Ok(Demand::nothing())
        }
        rules::Decision::OfOther(name, _) if !request.params.contains_key(name) => Ok(Demand::nothing()),
        rules::Decision::Check(check)
        | rules::Decision::OwnTask(check)
        | rules::Decision::OfOther(_, check) => Ok(of_check(check, request)),
        rules::Decision::Parameters(family, least) => {
            of_family(family, least, request, login).map_err(|fault| fault.of(method))
        }
        rules::Decision::RootOnly | rules::Decision::Undecided | rules::Decision::Schema => {
            Err(Denied::Undecided(method))
        }
    }
}

fn of_family(family: Family, least: &'static Check, request: &Request, login: &str) -> Result<Demand, Fault> {
    match family {
        Family::QemuConfig | Family::LxcConfig => options::change(request, least),
        Family::QemuCreate => guest::create_qemu(request),
        Family::LxcCreate => guest::create_lxc(request),
        Family::Clone => guest::clone(request, least),
        Family::Migrate => guest::migrate(request),
        Family::MoveDisk => guest::move_disk(request),
        Family::Resize => guest::resize(request),
        Family::Unlink => options::unlink(request),
        Family::Rollback => guest::rollback(request, least),
        Family::Suspend => guest::suspend(request),
        Family::BulkPower => bulk::power(request),
        Family::BulkSuspend => bulk::suspend(request),
        Family::BulkMigrate => bulk::migrate(request),
        Family::Backup => backup::start(request),
        Family::BackupJob => backup::job(request),
        Family::Prune => backup::prune(request),
        Family::RemoveVolume => source::remove(request),
        Family::ChangeVolume => source::change(request),
        Family::Replication => others::replication(request),
        Family::DiskSetup => others::disk_setup(request),
        Family::PoolMembers => others::pool_members(request),
        Family::StopTask => others::stop_task(request, login),
    }
}

/// The demand of a check in the API's table.
pub(crate) fn of_check(check: &Check, request: &Request) -> Demand {
    match check {
        Check::Perm { only_with: Some(name), .. } if request.value(name).is_none() => Demand::Parameter(name),
        Check::Perm { path, privileges, any, .. } => match fill(path, request) {
            Ok(path) => {
                let each = privileges.iter().map(|privilege| Demand::on(privilege, path.clone())).collect();
                if *any { Demand::Any(each) } else { Demand::All(each) }
            }
            Err(name) => Demand::Parameter(name),
        },
        Check::All(checks) => Demand::All(checks.iter().map(|check| of_check(check, request)).collect()),
        Check::Any(checks) => Demand::Any(checks.iter().map(|check| of_check(check, request)).collect()),
        Check::UserGroup(_) | Check::UserParam(_) | Check::ModifyPermissions(_) => Demand::Elevated,
    }
}

/// Fills the `{name}`s of an ACL path from the request; fails with the name that it cannot fill.
fn fill(template: &'static str, request: &Request) -> Result<String, &'static str> {
    let mut path = String::with_capacity(template.len());
    for segment in template.split('/').skip(1) {
        path.push('/');
        match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => {
                let nested = template.starts_with("/pool/");
                let fits = |text: &&str| value::is_plain(text) || nested && value::is_pool(text);
                path.push_str(request.value(name).filter(fits).ok_or(name)?);
            }
            None => path.push_str(segment),
        }
    }
    Ok(path)
}

/// The optional parameter that says which guests the request is about, and about no other: where it is
/// given, it counts like a vmid in the path.
pub(crate) fn narrowed_by(request: &Request) -> Option<&'static str> {
    let rules::Decision::Parameters(family, _) = rules::decision(request.method) else { return None };
    match family {
        Family::Backup => {
            ["all", "exclude", "pool"].iter().all(|name| request.value(name).is_none()).then_some("vmid")
        }
        Family::Prune => Some("vmid"),
        Family::BulkPower | Family::BulkSuspend | Family::BulkMigrate => Some("vms"),
        _ => None,
    }
}

/// Whether the request is about guests, of which it may name some or leave open which.
pub(crate) fn is_about_guests(method: &'static Method) -> bool {
    let rules::Decision::Parameters(family, _) = rules::decision(method) else { return false };
    matches!(
        family,
        Family::Backup | Family::Prune | Family::BulkPower | Family::BulkSuspend | Family::BulkMigrate
    )
}

/// The entries of a list. Proxmox separates them by commas, semicolons, white space or NUL.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c == ';' || c == '\0' || c.is_whitespace())
        .filter(|word| !word.is_empty())
}

/// The vmid in the path or among the parameters.
fn vmid(request: &Request) -> Result<u32, Fault> {
    let vmid = request.value("vmid").and_then(value::vmid);
    vmid.ok_or_else(|| Fault::bad("vmid", "the permission depends on it, and it is absent"))
}

/// Whether a flag is set.
fn flag(request: &Request, name: &str) -> bool {
    request.value(name).is_some_and(|text| text != "0")
}

/// A parameter that names a storage.
fn storage<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.value(name).filter(|text| value::is_storage(text))
}
