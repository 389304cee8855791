//! Pools of guests and storages.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::{Row, here};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::resources::{add, guest_row};
use crate::world::{Pool, World};

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_POOLS, list),
    here(&m::GET_POOLS_POOLID, one),
    here(&m::POST_POOLS, create),
    here(&m::PUT_POOLS, change),
    here(&m::PUT_POOLS_POOLID, change),
    here(&m::DELETE_POOLS, delete),
    here(&m::DELETE_POOLS_POOLID, delete),
];

fn row(name: &str, pool: &Pool) -> Value {
    let mut row = json!({ "poolid": name });
    if !pool.comment.is_empty() {
        add(&mut row, json!({ "comment": pool.comment }));
    }
    row
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let wanted = call.params.optional("poolid");
    let rows: Vec<Value> = world
        .pools
        .iter()
        .filter(|(name, _)| wanted.is_none_or(|w| w == *name))
        .filter(|(name, _)| world.may(&call.caller, &format!("/pool/{name}"), "Pool.Audit"))
        .map(|(name, pool)| {
            let mut row = row(name, pool);
            if wanted.is_some() {
                add(&mut row, json!({ "members": members(world, pool) }));
            }
            row
        })
        .collect();
    match (wanted, rows.is_empty()) {
        (Some(name), true) => Err(Failure::internal(format!("pool '{name}' does not exist"))),
        _ => Ok(json!(rows).into()),
    }
}

fn one(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("poolid");
    let pool =
        world.pools.get(name).ok_or_else(|| Failure::internal(format!("pool '{name}' does not exist")))?;
    let mut row = json!({ "members": members(world, pool) });
    if !pool.comment.is_empty() {
        add(&mut row, json!({ "comment": pool.comment }));
    }
    Ok(row.into())
}

fn members(world: &World, pool: &Pool) -> Vec<Value> {
    let now = world.clock.unix();
    let guests = pool.guests.iter().filter_map(|id| world.guests.get(id)).map(|g| {
        let mut row = guest_row(g, None, now);
        if let Some(map) = row.as_object_mut() {
            map.remove("tags");
        }
        row
    });
    let storages = world.storages.iter().filter(|s| pool.storages.contains(&s.name)).map(|s| {
        let node = &world.local;
        json!({
            "id": format!("storage/{node}/{}", s.name), "type": "storage", "storage": s.name, "node": node,
            "plugintype": s.kind, "content": s.content_text(), "shared": u8::from(s.shared), "status": "available",
            "disk": s.used(node, now), "maxdisk": s.total,
        })
    });
    guests.chain(storages).collect()
}

fn create(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("poolid").to_owned();
    if world.pools.contains_key(&name) {
        return Err(Failure::internal(format!("create pool failed: pool '{name}' already exists")));
    }
    let comment = call.params.text("comment").to_owned();
    world.pools.insert(name, Pool { comment, ..Pool::default() });
    Ok(Value::Null.into())
}

fn change(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (name, params) = (call.params.text("poolid"), &call.params);
    let failed = |why: String| Failure::internal(format!("update pools failed: {why}"));
    let pool = world.pools.get(name).ok_or_else(|| failed(format!("pool '{name}' does not exist")))?;
    let words = |key: &str| -> Vec<String> {
        params.text(key).split([',', ';', ' ']).filter(|w| !w.is_empty()).map(str::to_owned).collect()
    };
    let guests: Vec<u32> = words("vms").iter().filter_map(|id| id.parse().ok()).collect();
    let (storages, removes) = (words("storage"), params.flag("delete"));
    for vmid in &guests {
        permission::require_any(
            world,
            &call.caller,
            &format!("/vms/{vmid}"),
            &["Permissions.Modify", "VM.Allocate"],
        )?;
        let other = world.pool_of(*vmid).filter(|other| *other != name);
        let why = if removes && !pool.guests.contains(vmid) {
            Some(format!("VM {vmid} is not a pool member"))
        } else if !removes && pool.guests.contains(vmid) {
            Some(format!("VM {vmid} is already a pool member"))
        } else if !removes && !world.guests.contains_key(vmid) {
            Some(format!("VM {vmid} does not exist"))
        } else {
            other.filter(|_| !removes && !params.flag("allow-move")).map(|other| {
                format!("VM {vmid} belongs already to pool '{other}' and 'allow-move' is not set")
            })
        };
        if let Some(why) = why {
            return Err(failed(why));
        }
    }
    for storage in &storages {
        let path = format!("/storage/{storage}");
        permission::require_any(world, &call.caller, &path, &["Permissions.Modify", "Datastore.Allocate"])?;
        if !removes && !world.storages.iter().any(|s| s.name == *storage) {
            return Err(failed(format!("storage '{storage}' does not exist")));
        }
    }
    if !removes {
        world.pools.values_mut().for_each(|pool| pool.guests.retain(|id| !guests.contains(id)));
    }
    let Some(pool) = world.pools.get_mut(name) else { return Ok(Value::Null.into()) };
    if let Some(comment) = params.optional("comment") {
        comment.clone_into(&mut pool.comment);
    }
    if removes {
        pool.guests.retain(|id| !guests.contains(id));
        pool.storages.retain(|name| !storages.contains(name));
    } else {
        pool.guests.extend(guests);
        pool.storages.extend(storages);
    }
    Ok(Value::Null.into())
}

fn delete(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("poolid");
    let failed = |why: &str| Failure::internal(format!("delete pool failed: pool '{name}' {why}"));
    let pool = world.pools.get(name).ok_or_else(|| failed("does not exist"))?;
    if !pool.guests.is_empty() || !pool.storages.is_empty() {
        return Err(failed("is not empty"));
    }
    world.pools.remove(name);
    Ok(Value::Null.into())
}
