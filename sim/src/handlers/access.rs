//! Users, tokens, roles, ACLs, tickets.

use std::collections::BTreeSet;

use proxmox_api::methods as m;
use proxmox_api::privileges::ROLES;
use serde_json::{Map, Value, json};

use super::{Row, here, index};
use crate::auth::access::Granted;
use crate::auth::{self, ApiToken, Caller, Entry, Subject, User};
use crate::failure::{Failure, Pause};
use crate::rest::{Call, Reply};
use crate::world::World;
use crate::world::resources::add;

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_ACCESS, index),
    here(&m::GET_ACCESS_PERMISSIONS, permissions),
    here(&m::GET_ACCESS_USERS, users),
    here(&m::GET_ACCESS_ROLES, roles),
    here(&m::GET_ACCESS_ACL, acl),
    here(&m::GET_ACCESS_USERS_USERID_TOKEN, tokens),
    here(&m::POST_ACCESS_USERS_USERID_TOKEN_TOKENID, create_token),
    here(&m::DELETE_ACCESS_USERS_USERID_TOKEN_TOKENID, delete_token),
    here(&m::GET_ACCESS_DOMAINS, domains),
    here(&m::POST_ACCESS_TICKET, login),
];

/// Paths that `/access/permissions` always looks at.
const PATHS: &[&str] = &["/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"];

fn permissions(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let subject = match call.params.optional("userid") {
        Some(id) if id != call.caller.id() => {
            auth::permission::require(world, &call.caller, "/access", &["Sys.Audit"])?;
            let (user, token) = id.split_once('!').map_or((id, None), |(user, token)| (user, Some(token)));
            Caller { user: user.into(), token: token.map(str::to_owned) }
        }
        _ => call.caller.clone(),
    };
    let paths: BTreeSet<String> = match call.params.optional("path") {
        Some(path) => [path.to_owned()].into(),
        None => {
            let members = world.pools.values().flat_map(|pool| &pool.guests).map(|id| format!("/vms/{id}"));
            let named = PATHS.iter().copied().chain(world.access.paths()).map(str::to_owned);
            named.chain(members).collect()
        }
    };
    let map: Map<String, Value> = paths
        .into_iter()
        .map(|path| (path.clone(), world.granted(&subject, &path)))
        .filter(|(_, granted)| !granted.set.is_empty())
        .map(|(path, granted)| (path, flags(granted)))
        .collect();
    Ok(Value::Object(map).into())
}

/// Each privilege with 1 where it holds below the path too.
fn flags(granted: Granted) -> Value {
    let all =
        granted.set.names().map(|name| (name.to_owned(), json!(u8::from(granted.propagated.has(name)))));
    Value::Object(all.collect())
}

fn realm(user: &str) -> &str {
    user.rsplit_once('@').map_or("pam", |(_, realm)| realm)
}

fn users(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let sees_all = ["User.Modify", "Sys.Audit"].iter().any(|p| world.may(&call.caller, "/access/groups", p));
    let shown = world.access.users.iter().filter(|(id, _)| sees_all || **id == call.caller.user);
    let rows: Vec<Value> = shown
        .filter(|(_, user)| !call.params.has("enabled") || call.params.flag("enabled") == user.enabled)
        .map(|(id, user)| {
            let groups = world.access.groups.iter().filter(|(_, members)| members.contains(id));
            let groups: Vec<&str> = groups.map(|(name, _)| name.as_str()).collect();
            user_row(id, user, &groups.join(","), call.params.flag("full"))
        })
        .collect();
    Ok(json!(rows).into())
}

fn user_row(id: &str, user: &User, groups: &str, full: bool) -> Value {
    let mut row = json!({
        "userid": id, "realm-type": realm(id), "enable": u8::from(user.enabled), "expire": user.expire,
    });
    if let Some(comment) = &user.comment {
        add(&mut row, json!({ "comment": comment }));
    }
    if let Some(email) = &user.email {
        add(&mut row, json!({ "email": email }));
    }
    if full {
        let tokens: Vec<Value> = user.tokens.iter().map(|(name, token)| token_row(name, token)).collect();
        add(&mut row, json!({ "tokens": tokens, "groups": groups }));
    }
    row
}

fn token_row(name: &str, token: &ApiToken) -> Value {
    let mut row = json!({ "tokenid": name, "privsep": u8::from(token.privsep), "expire": token.expire });
    if let Some(comment) = &token.comment {
        add(&mut row, json!({ "comment": comment }));
    }
    row
}

fn roles(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let built_in = ROLES.iter().map(|r| {
        let names: Vec<&str> = world.access.role(r.name).names().collect();
        json!({ "roleid": r.name, "privs": names.join(","), "special": 1 })
    });
    let added = world.access.roles.iter().map(|(name, privileges)| {
        json!({ "roleid": name, "privs": privileges.names().collect::<Vec<_>>().join(","), "special": 0 })
    });
    Ok(json!(built_in.chain(added).collect::<Vec<_>>()).into())
}

fn acl(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let sees_all = world.may(&call.caller, "/access", "Sys.Audit");
    let seen = |path: &str| sees_all || world.may(&call.caller, path, "Permissions.Modify");
    let rows: Vec<Value> = world
        .access
        .acl
        .iter()
        .filter(|(path, _)| seen(path))
        .flat_map(|(path, entries)| entries.iter().map(move |entry| acl_row(path, entry)))
        .collect();
    Ok(json!(rows).into())
}

fn acl_row(path: &str, entry: &Entry) -> Value {
    let (kind, id) = match &entry.subject {
        Subject::User(id) => ("user", id),
        Subject::Group(id) => ("group", id),
        Subject::Token(id) => ("token", id),
    };
    json!({ "path": path, "type": kind, "ugid": id, "roleid": entry.role, "propagate": u8::from(entry.propagate) })
}

fn owner<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut User, Failure> {
    let id = call.params.text("userid");
    world.access.users.get_mut(id).ok_or_else(|| Failure::internal(format!("no such user ('{id}')")))
}

fn tokens(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let rows: Vec<Value> =
        owner(world, call)?.tokens.iter().map(|(name, token)| token_row(name, token)).collect();
    Ok(json!(rows).into())
}

fn create_token(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (user, name) = (call.params.text("userid"), call.params.text("tokenid"));
    let privsep = !call.params.has("privsep") || call.params.flag("privsep");
    let comment = call.params.optional("comment").map(str::to_owned);
    let expire = call.params.integer("expire").and_then(|e| u64::try_from(e).ok()).unwrap_or_default();
    let secret = random_uuid()?;
    let tokens = &mut owner(world, call)?.tokens;
    if tokens.contains_key(name) {
        return Err(Failure::parameter("tokenid", "Token already exists."));
    }
    let mut info = json!({ "privsep": u8::from(privsep).to_string() });
    if let Some(comment) = &comment {
        add(&mut info, json!({ "comment": comment }));
    }
    tokens.insert(name.to_owned(), ApiToken { secret: secret.clone(), privsep, expire, comment });
    Ok(json!({ "full-tokenid": format!("{user}!{name}"), "info": info, "value": secret }).into())
}

fn delete_token(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (user, name) = (call.params.text("userid"), call.params.text("tokenid"));
    match owner(world, call)?.tokens.remove(name) {
        Some(_) => {
            let own = format!("{user}!{name}");
            world.access.drop_entries(|subject| matches!(subject, Subject::Token(id) if *id == own));
            Ok(Value::Null.into())
        }
        None => Err(Failure::internal(format!("no such token '{name}' for user '{user}'"))),
    }
}

/// A secret for a token.
pub(super) fn random_uuid() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    let filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    filled.map_err(|_| Failure::internal("no random numbers to be had"))?;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let cut = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Ok(format!("{}-{}-4{}-8{}-{}", cut(0, 8), cut(8, 12), cut(13, 16), cut(17, 20), cut(20, 32)))
}

fn domains(_: &mut World, _: &Call) -> Result<Reply, Failure> {
    Ok(json!([
        { "realm": "pam", "type": "pam", "comment": "Linux PAM standard authentication" },
        { "realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server" },
    ])
    .into())
}

fn login(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let id = call.params.text("username").to_owned();
    let id = match call.params.optional("realm") {
        Some(realm) if !id.contains('@') => format!("{id}@{realm}"),
        _ => id,
    };
    let known = world.access.users.get(&id).filter(|u| u.enabled);
    if known.and_then(|u| u.password.as_deref()) != Some(call.params.text("password")) {
        let refused = Failure::internal("authentication failure");
        return Err(Failure { status: 401, pause: Pause::Unauthorized, ..refused });
    }
    let ticket = format!("PVE:{id}:{:08X}::{}", world.clock.unix(), random_uuid()?);
    let csrf = auth::csrf_token(&ticket);
    let caller = Caller::user(&id);
    let of = |path: &str| {
        let names = world.granted(&caller, path).set.names().map(|n| (n.to_owned(), json!(1)));
        Value::Object(names.collect())
    };
    let cap = json!({
        "access": of("/access"), "dc": of("/"), "mapping": of("/mapping"), "nodes": of("/nodes"), "sdn": of("/sdn"),
        "storage": of("/storage"), "vms": of("/vms"),
    });
    world.access.tickets.insert(ticket.clone(), id.clone());
    Ok(json!({ "username": id, "ticket": ticket, "CSRFPreventionToken": csrf, "cap": cap }).into())
}
