//! Changing who may what: users, groups, roles, ACLs, tokens.

use std::collections::BTreeSet;

use proxmox_api::methods as m;
use proxmox_api::privileges::ROLES;
use serde_json::{Map, Value, json};

use super::access::random_uuid;
use super::{Row, here};
use crate::auth::access::Privileges;
use crate::auth::{Entry, Subject, User};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::World;
use crate::world::resources::add;

pub(super) const ROWS: &[Row] = &[
    here(&m::POST_ACCESS_USERS, create_user),
    here(&m::GET_ACCESS_USERS_USERID, user),
    here(&m::PUT_ACCESS_USERS_USERID, change_user),
    here(&m::DELETE_ACCESS_USERS_USERID, delete_user),
    here(&m::GET_ACCESS_USERS_USERID_TOKEN_TOKENID, token),
    here(&m::PUT_ACCESS_USERS_USERID_TOKEN_TOKENID, change_token),
    here(&m::GET_ACCESS_GROUPS, groups),
    here(&m::POST_ACCESS_GROUPS, create_group),
    here(&m::GET_ACCESS_GROUPS_GROUPID, group),
    here(&m::PUT_ACCESS_GROUPS_GROUPID, change_group),
    here(&m::DELETE_ACCESS_GROUPS_GROUPID, delete_group),
    here(&m::POST_ACCESS_ROLES, create_role),
    here(&m::GET_ACCESS_ROLES_ROLEID, role),
    here(&m::PUT_ACCESS_ROLES_ROLEID, change_role),
    here(&m::DELETE_ACCESS_ROLES_ROLEID, delete_role),
    here(&m::PUT_ACCESS_ACL, change_acl),
    here(&m::GET_ACCESS_DOMAINS_REALM, domain),
];

/// The words of a list.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', ' ']).filter(|word| !word.is_empty())
}

fn no_user(id: &str) -> Failure {
    Failure::internal(format!("no such user ('{id}')"))
}

fn create_user(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let id = call.params.text("userid").to_owned();
    if world.access.users.contains_key(&id) {
        return Err(Failure::internal(format!("create user failed: user '{id}' already exists")));
    }
    if !["pam", "pve"].iter().any(|realm| id.ends_with(&format!("@{realm}"))) {
        let realm = id.rsplit_once('@').map_or("", |(_, realm)| realm);
        return Err(Failure::internal(format!("create user failed: domain '{realm}' does not exist")));
    }
    let mut user = User { enabled: true, email: Some(String::new()), ..User::default() };
    set_user(call, &mut user);
    user.password = call.params.optional("password").map(str::to_owned);
    world.access.users.insert(id.clone(), user);
    set_groups(world, call, &id)?;
    Ok(Value::Null.into())
}

fn set_user(call: &Call, user: &mut User) {
    let params = &call.params;
    if params.has("enable") {
        user.enabled = params.flag("enable");
    }
    if let Some(expire) = params.integer("expire").and_then(|e| u64::try_from(e).ok()) {
        user.expire = expire;
    }
    if let Some(comment) = params.optional("comment") {
        user.comment = Some(comment.to_owned());
    }
    if let Some(email) = params.optional("email") {
        user.email = Some(email.to_owned());
    }
}

fn set_groups(world: &mut World, call: &Call, id: &str) -> Result<(), Failure> {
    let Some(listed) = call.params.optional("groups") else { return Ok(()) };
    if let Some(unknown) = words(listed).find(|name| !world.access.groups.contains_key(*name)) {
        return Err(Failure::internal(format!("no such group '{unknown}'")));
    }
    let wanted: BTreeSet<&str> = words(listed).collect();
    for (name, members) in &mut world.access.groups {
        if wanted.contains(name.as_str()) {
            members.insert(id.to_owned());
        } else if !call.params.flag("append") {
            members.remove(id);
        }
    }
    Ok(())
}

fn user(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let id = call.params.text("userid");
    let user = world.access.users.get(id).ok_or_else(|| no_user(id))?;
    let groups: Vec<&String> =
        world.access.groups.iter().filter(|(_, m)| m.contains(id)).map(|(name, _)| name).collect();
    let tokens: Map<String, Value> = user
        .tokens
        .iter()
        .map(|(name, token)| {
            (name.clone(), json!({ "privsep": u8::from(token.privsep), "expire": token.expire }))
        })
        .collect();
    let mut row = json!({ "enable": u8::from(user.enabled), "expire": user.expire, "groups": groups, "tokens": tokens });
    for (key, value) in [("comment", &user.comment), ("email", &user.email)] {
        if let Some(value) = value {
            add(&mut row, json!({ key: value }));
        }
    }
    Ok(row.into())
}

fn change_user(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let id = call.params.text("userid");
    set_user(call, world.access.users.get_mut(id).ok_or_else(|| no_user(id))?);
    set_groups(world, call, id)?;
    Ok(Value::Null.into())
}

fn delete_user(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let id = call.params.text("userid");
    if id == "root@pam" {
        return Err(Failure::internal("can't delete root@pam"));
    }
    world.access.users.remove(id).ok_or_else(|| no_user(id))?;
    world.access.groups.values_mut().for_each(|members| {
        members.remove(id);
    });
    let own = format!("{id}!");
    let gone = |subject: &Subject| match subject {
        Subject::User(user) => user == id,
        Subject::Token(token) => token.starts_with(&own),
        Subject::Group(_) => false,
    };
    world.access.drop_entries(gone);
    Ok(Value::Null.into())
}

fn token(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (id, name) = (call.params.text("userid"), call.params.text("tokenid"));
    let user = world.access.users.get(id).ok_or_else(|| no_user(id))?;
    let missing = || Failure::internal(format!("no such token '{name}' for user '{id}'"));
    let token = user.tokens.get(name).ok_or_else(missing)?;
    let mut row = json!({ "privsep": u8::from(token.privsep), "expire": token.expire });
    if let Some(comment) = &token.comment {
        add(&mut row, json!({ "comment": comment }));
    }
    Ok(row.into())
}

fn change_token(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (id, name) = (call.params.text("userid"), call.params.text("tokenid"));
    let params = &call.params;
    let fresh = params.flag("regenerate").then(random_uuid).transpose()?;
    let user = world.access.users.get_mut(id).ok_or_else(|| no_user(id))?;
    let missing = || Failure::internal(format!("no such token '{name}' for user '{id}'"));
    let token = user.tokens.get_mut(name).ok_or_else(missing)?;
    if params.has("privsep") {
        token.privsep = params.flag("privsep");
    }
    if let Some(expire) = params.integer("expire").and_then(|e| u64::try_from(e).ok()) {
        token.expire = expire;
    }
    if let Some(comment) = params.optional("comment") {
        token.comment = Some(comment.to_owned());
    }
    let mut row = json!({ "privsep": u8::from(token.privsep), "expire": token.expire });
    if let Some(secret) = fresh {
        token.secret.clone_from(&secret);
        add(&mut row, json!({ "full-tokenid": format!("{id}!{name}"), "value": secret }));
    }
    Ok(row.into())
}

fn group_row(world: &World, name: &str) -> Value {
    match world.access.group_comments.get(name) {
        Some(comment) => json!({ "comment": comment }),
        None => json!({}),
    }
}

fn groups(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let privileges = ["User.Modify", "Sys.Audit", "Group.Allocate"];
    let sees =
        |name: &str| privileges.iter().any(|p| world.may(&call.caller, &format!("/access/groups/{name}"), p));
    let rows: Vec<Value> = world
        .access
        .groups
        .iter()
        .filter(|(name, _)| sees(name))
        .map(|(name, members)| {
            let users: Vec<&str> = members.iter().map(String::as_str).collect();
            let mut row = group_row(world, name);
            add(&mut row, json!({ "groupid": name, "users": users.join(",") }));
            row
        })
        .collect();
    Ok(json!(rows).into())
}

fn no_group(name: &str) -> Failure {
    Failure::internal(format!("group '{name}' does not exist"))
}

fn create_group(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("groupid").to_owned();
    if world.access.groups.contains_key(&name) {
        return Err(Failure::internal(format!("create group failed: group '{name}' already exists")));
    }
    world.access.groups.insert(name, BTreeSet::new());
    comment_group(world, call)
}

fn comment_group(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    if let Some(comment) = call.params.optional("comment") {
        world.access.group_comments.insert(call.params.text("groupid").to_owned(), comment.to_owned());
    }
    Ok(Value::Null.into())
}

fn group(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("groupid");
    let members = world.access.groups.get(name).ok_or_else(|| no_group(name))?;
    let mut row = group_row(world, name);
    add(&mut row, json!({ "members": members }));
    Ok(row.into())
}

fn change_group(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("groupid");
    match world.access.groups.contains_key(name) {
        true => comment_group(world, call),
        false => Err(no_group(name)),
    }
}

fn delete_group(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("groupid");
    world.access.groups.remove(name).ok_or_else(|| no_group(name))?;
    world.access.group_comments.remove(name);
    world.access.drop_entries(|subject| matches!(subject, Subject::Group(group) if group == name));
    Ok(Value::Null.into())
}

/// The privileges that the call lists, all of them known to the release.
fn privileges(world: &World, call: &Call) -> Result<Privileges, Failure> {
    let all = Privileges::all(world.release);
    let listed = call.params.text("privs");
    match words(listed).find(|name| !all.has(name)) {
        Some(unknown) => {
            Err(Failure::parameter("privs", format!("invalid format - invalid privilege '{unknown}'\n")))
        }
        None => Ok(words(listed).collect()),
    }
}

fn is_built_in(name: &str) -> bool {
    ROLES.iter().any(|role| role.name == name)
}

fn create_role(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("roleid").to_owned();
    if is_built_in(&name) || world.access.roles.contains_key(&name) {
        return Err(Failure::internal(format!("create role failed: role '{name}' already exists")));
    }
    let privileges = privileges(world, call)?;
    world.access.roles.insert(name, privileges);
    Ok(Value::Null.into())
}

fn no_role(name: &str) -> Failure {
    Failure::internal(format!("role '{name}' does not exist"))
}

fn role(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("roleid");
    if !is_built_in(name) && !world.access.roles.contains_key(name) {
        return Err(no_role(name));
    }
    let names = world.access.role(name).names().map(|name| (name.to_owned(), json!(1)));
    Ok(Value::Object(names.collect()).into())
}

fn change_role(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("roleid");
    if is_built_in(name) {
        return Err(Failure::internal(format!("auto-generated role '{name}' cannot be modified")));
    }
    let new = privileges(world, call)?;
    let role = world.access.roles.get_mut(name).ok_or_else(|| no_role(name))?;
    *role = if call.params.flag("append") { role.or(new) } else { new };
    Ok(Value::Null.into())
}

fn delete_role(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("roleid");
    if is_built_in(name) {
        return Err(Failure::internal(format!("auto-generated role '{name}' cannot be deleted")));
    }
    world.access.roles.remove(name).ok_or_else(|| no_role(name))?;
    Ok(Value::Null.into())
}

/// Whom the call's ACL lines are about; all of them have to be there.
fn subjects(world: &World, call: &Call) -> Result<Vec<Subject>, Failure> {
    let access = &world.access;
    let mut all = Vec::new();
    for name in words(call.params.text("users")) {
        access.users.get(name).ok_or_else(|| Failure::internal(format!("user '{name}' does not exist")))?;
        all.push(Subject::User(name.to_owned()));
    }
    for name in words(call.params.text("groups")) {
        access.groups.get(name).ok_or_else(|| no_group(name))?;
        all.push(Subject::Group(name.to_owned()));
    }
    for id in words(call.params.text("tokens")) {
        let (user, name) = id.split_once('!').unwrap_or_default();
        let known = access.users.get(user).is_some_and(|u| u.tokens.contains_key(name));
        if !known {
            return Err(Failure::internal(format!("no such token '{name}' for user '{user}'")));
        }
        all.push(Subject::Token(id.to_owned()));
    }
    match all.is_empty() {
        true => Err(Failure::parameter("users", "either 'users', 'groups' or 'tokens' is required.")),
        false => Ok(all),
    }
}

fn change_acl(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let path = match call.params.text("path").trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    };
    let subjects = subjects(world, call)?;
    let propagate = !call.params.has("propagate") || call.params.flag("propagate");
    let roles: Vec<String> = words(call.params.text("roles")).map(str::to_owned).collect();
    if let Some(unknown) =
        roles.iter().find(|name| !is_built_in(name) && !world.access.roles.contains_key(*name))
    {
        return Err(no_role(unknown));
    }
    let entries = world.access.acl.entry(path.clone()).or_default();
    for (subject, role) in subjects.iter().flat_map(|s| roles.iter().map(move |r| (s, r))) {
        entries.retain(|entry| entry.subject != *subject || entry.role != *role);
        if !call.params.flag("delete") {
            entries.push(Entry { subject: subject.clone(), role: role.clone(), propagate });
        }
    }
    if entries.is_empty() {
        world.access.acl.remove(&path);
    }
    Ok(Value::Null.into())
}

fn domain(_: &mut World, call: &Call) -> Result<Reply, Failure> {
    match call.params.text("realm") {
        "pam" => Ok(json!({ "type": "pam", "comment": "Linux PAM standard authentication" }).into()),
        "pve" => Ok(json!({ "type": "pve", "comment": "Proxmox VE authentication server" }).into()),
        other => Err(Failure::internal(format!("domain '{other}' does not exist"))),
    }
}
