//! Storages and what lies on them.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::{Row, here, index, on_node};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{Guest, GuestKind, Storage, World};

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_STORAGE, configured),
    here(&m::GET_STORAGE_STORAGE, one_configured),
    on_node(&m::GET_NODES_NODE_STORAGE, list),
    here(&m::GET_NODES_NODE_STORAGE_STORAGE, index),
    on_node(&m::GET_NODES_NODE_STORAGE_STORAGE_STATUS, status),
    on_node(&m::GET_NODES_NODE_STORAGE_STORAGE_CONTENT, content),
    on_node(&m::GET_NODES_NODE_STORAGE_STORAGE_CONTENT_VOLUME, volume),
];

/// What lets a caller see a storage.
const SEES: &[&str] = &["Datastore.Audit", "Datastore.AllocateSpace"];

fn visible(world: &World, call: &Call, storage: &Storage) -> bool {
    permission::require_any(world, &call.caller, &format!("/storage/{}", storage.name), SEES).is_ok()
}

/// The storage of this name.
pub(super) fn storage_of<'w>(world: &'w World, name: &str) -> Result<&'w Storage, Failure> {
    let storage = world.storages.iter().find(|s| s.name == name);
    storage.ok_or_else(|| Failure::internal(format!("storage '{name}' does not exist")))
}

fn configured(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let kind = call.params.optional("type");
    let shown = world.storages.iter().filter(|s| visible(world, call, s) && kind.is_none_or(|k| s.kind == k));
    Ok(shown.map(configuration).collect::<Vec<Value>>().into_iter().collect::<Value>().into())
}

fn one_configured(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    Ok(configuration(storage_of(world, call.params.text("storage"))?).into())
}

fn configuration(storage: &Storage) -> Value {
    let mut row = json!({
        "storage": storage.name, "type": storage.kind, "content": storage.content_text(),
        "digest": "b023bb58c86da66564e7da114c1a15842cbe635d",
    });
    if let Some(map) = row.as_object_mut() {
        if storage.shared {
            map.insert("shared".into(), json!(1));
        }
        map.extend(storage.options.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
    }
    row
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (now, params) = (world.clock.unix(), &call.params);
    let holds = |s: &Storage, wanted: &str| wanted.split([',', ';', ' ']).any(|w| s.content.contains(&w));
    let rows: Vec<Value> = world
        .storages
        .iter()
        .filter(|s| visible(world, call, s))
        .filter(|s| params.optional("storage").is_none_or(|name| s.name == name))
        .filter(|s| params.optional("content").is_none_or(|wanted| holds(s, wanted)))
        .filter(|s| !params.flag("enabled") || s.enabled)
        .map(|s| s.status(params.node(), now, true))
        .collect();
    Ok(json!(rows).into())
}

fn status(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    Ok(storage_of(world, call.params.text("storage"))?.status(call.params.node(), now, false).into())
}

fn content(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let storage = storage_of(world, call.params.text("storage"))?;
    let node = call.params.node();
    let here = |place: &Option<String>| place.as_deref().is_none_or(|n| n == node);
    let kept = storage.volumes.iter().filter(|v| here(&v.node)).map(|v| {
        let mut row = json!({
            "volid": format!("{}:{}", storage.name, v.name), "content": v.content, "format": v.format,
            "size": v.size, "ctime": v.ctime,
        });
        if let Some(map) = row.as_object_mut() {
            let optional = [
                ("vmid", v.vmid.map(|id| json!(id))),
                ("subtype", v.subtype.map(|s| json!(s))),
                ("notes", v.notes.as_ref().map(|n| json!(n))),
            ];
            map.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        }
        row
    });
    let on_storage = |g: &&Guest| g.storage == storage.name && (storage.shared || g.node == node);
    let disks = world.guests.values().filter(on_storage).map(|g| guest_disk(storage, g));
    let wanted = |row: &Value| {
        call.params.optional("content").is_none_or(|content| row["content"] == *content)
            && call.params.integer("vmid").is_none_or(|vmid| row["vmid"] == vmid)
    };
    let seen = |row: &Value| match row["vmid"].as_u64() {
        Some(vmid) => {
            world.may(&call.caller, &format!("/vms/{vmid}"), "VM.Audit")
                || world.may(&call.caller, &format!("/storage/{}", storage.name), "Datastore.Allocate")
        }
        None => true,
    };
    let rows: Vec<Value> = kept.chain(disks).filter(|row| wanted(row) && seen(row)).collect();
    Ok(json!(rows).into())
}

fn guest_disk(storage: &Storage, guest: &Guest) -> Value {
    let format = match (guest.kind, storage.kind) {
        (GuestKind::Lxc, "zfspool") => "subvol",
        (_, "dir") if guest.volume.ends_with("qcow2") => "qcow2",
        _ => "raw",
    };
    let content = if guest.kind == GuestKind::Lxc { "rootdir" } else { "images" };
    json!({
        "volid": format!("{}:{}", storage.name, guest.volume), "content": content, "format": format,
        "size": guest.disk, "vmid": guest.vmid, "ctime": guest.started,
    })
}

fn volume(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let storage = storage_of(world, call.params.text("storage"))?;
    permission::require_any(world, &call.caller, &format!("/storage/{}", storage.name), SEES)?;
    let wanted = call.params.text("volume");
    let name = wanted.strip_prefix(&format!("{}:", storage.name)).unwrap_or(wanted);
    let Some(found) = storage.volumes.iter().find(|v| v.name == name) else {
        return Err(Failure::internal(format!("volume '{}:{name}' does not exist", storage.name)));
    };
    let root = storage.options.iter().find(|(key, _)| *key == "path").map_or("/mnt/pve", |(_, path)| path);
    let file = name.rsplit('/').next().unwrap_or_default();
    let dir = match found.content {
        "vztmpl" => "template/cache",
        "iso" => "template/iso",
        _ => "dump",
    };
    Ok(json!({ "path": format!("{root}/{dir}/{file}"), "size": found.size, "used": found.size, "format": "raw" }).into())
}
