//! The checks that a method's schema demands before its handler runs.

use proxmox_api::{Check, Method, Permission};
use serde_json::Value;

use super::Caller;
use super::access::Privileges;
use crate::failure::Failure;
use crate::request::Raw;
use crate::world::World;

/// Refuses the caller unless the method's permission allows the call.
pub(crate) fn check(world: &World, caller: &Caller, method: &Method, params: &Raw) -> Result<(), Failure> {
    if caller.token.is_some() && !method.token {
        let path = fill(method.path, params);
        let text = format!("URI '{path}' not available with API token, need proper ticket.\n");
        return Err(Failure::forbidden(&text));
    }
    if caller.is_root() {
        return Ok(());
    }
    match &method.permission {
        Permission::World | Permission::AnyLogin { .. } => Ok(()),
        Permission::RootOnly => Err(Failure::forbidden("user != root@pam")),
        Permission::Check { check, .. } => run(world, caller, check, params),
    }
}

/// Refuses unless the caller has all of `privileges` on `path`; the text names the first that is missing.
pub(crate) fn require(
    world: &World,
    caller: &Caller,
    path: &str,
    privileges: &[&str],
) -> Result<(), Failure> {
    if caller.is_root() {
        return Ok(());
    }
    let granted = granted(world, caller, path);
    match privileges.iter().find(|p| !granted.has(p)) {
        Some(missing) => Err(Failure::forbidden(&format!("{path}, {missing}"))),
        None => Ok(()),
    }
}

/// Refuses unless the caller has one of `privileges` on `path`.
pub(crate) fn require_any(
    world: &World,
    caller: &Caller,
    path: &str,
    privileges: &[&str],
) -> Result<(), Failure> {
    let granted = granted(world, caller, path);
    match caller.is_root() || privileges.iter().any(|p| granted.has(p)) {
        true => Ok(()),
        false => Err(Failure::forbidden(&format!("{path}, {}", privileges.join("|")))),
    }
}

/// Nobody has anything on what is no ACL path, not even a token of root@pam.
fn granted(world: &World, caller: &Caller, path: &str) -> Privileges {
    if path.is_empty() { Privileges::default() } else { world.granted(caller, path).set }
}

fn run(world: &World, caller: &Caller, check: &Check, params: &Raw) -> Result<(), Failure> {
    let refused = || Failure::forbidden("");
    match check {
        Check::Perm { path, privileges, any, only_with } => {
            if only_with.is_some_and(|name| !params.contains_key(name)) {
                return Err(refused());
            }
            let path = normal(&fill(path, params));
            let privileges: Vec<&str> = privileges.iter().map(|name| world.release.named(name)).collect();
            match any {
                true => require_any(world, caller, &path, &privileges),
                false => require(world, caller, &path, &privileges),
            }
        }
        Check::All(all) => all.iter().try_for_each(|check| run(world, caller, check, params)),
        Check::Any(any) => {
            let one = any.iter().any(|check| run(world, caller, check, params).is_ok());
            if one { Ok(()) } else { Err(refused()) }
        }
        Check::UserGroup(privileges) => user_group(world, caller, privileges, params),
        Check::UserParam("self") => {
            // A token is not its user here: it is its own name that has to be the same.
            let same = params.get("userid").and_then(Value::as_str) == Some(caller.id().as_str());
            if same { Ok(()) } else { Err(refused()) }
        }
        Check::UserParam(privilege) => {
            let user = params.get("userid").and_then(Value::as_str).unwrap_or_default();
            let realm = user.rsplit_once('@').map_or("", |(_, realm)| realm);
            require(world, caller, &format!("/access/realm/{realm}"), &[*privilege])
        }
        Check::ModifyPermissions(path) => modify(world, caller, &fill(path, params)),
    }
}

/// One of the privileges on one of the groups of the user that the call is about.
fn user_group(world: &World, caller: &Caller, privileges: &[&str], params: &Raw) -> Result<(), Failure> {
    let user = params.get("userid").and_then(Value::as_str).unwrap_or_default();
    let named = params.get("groups").and_then(Value::as_str).unwrap_or_default();
    let member = world.access.groups.iter().filter(|(_, m)| m.contains(user)).map(|(g, _)| g.as_str());
    let groups = named.split([',', ';', ' ']).filter(|g| !g.is_empty()).chain(member);
    if require_any(world, caller, "/access/groups", privileges).is_ok() {
        return Ok(());
    }
    let mut paths = groups.map(|group| format!("/access/groups/{group}"));
    match paths.any(|path| require_any(world, caller, &path, privileges).is_ok()) {
        true => Ok(()),
        false => Err(Failure::forbidden("")),
    }
}

fn modify(world: &World, caller: &Caller, path: &str) -> Result<(), Failure> {
    let own = match path.split('/').nth(1) {
        Some("storage") => "Datastore.Allocate",
        Some("vms") => "VM.Allocate",
        Some("pool") => "Pool.Allocate",
        _ => "Permissions.Modify",
    };
    require_any(world, caller, path, &["Permissions.Modify", own])
}

/// A template with its parameters filled in; a missing one is empty.
fn fill(template: &str, params: &Raw) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(before);
        match params.get(name) {
            Some(Value::String(text)) => out.push_str(text),
            Some(other) => out.push_str(&other.to_string()),
            None => {}
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// An ACL path as Proxmox keeps it; one with a character that none has is empty.
fn normal(path: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/:@".contains(c);
    if !path.chars().all(allowed) {
        return String::new();
    }
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_are_filled_and_paths_are_normalised() {
        let params: Raw = [("node".to_owned(), json!("pve1")), ("vmid".to_owned(), json!(7))].into();
        assert_eq!(normal(&fill("/nodes/{node}", &params)), "/nodes/pve1");
        assert_eq!(normal(&fill("/vms/{vmid}", &params)), "/vms/7");
        assert_eq!(normal(&fill("/pool/{pool}", &params)), "/pool");
        assert_eq!(normal("/nodes/bad!"), "");
        assert_eq!(normal("/"), "/");
    }
}
