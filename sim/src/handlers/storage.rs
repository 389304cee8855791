//! Storages and what lies on them.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::nodes::points;
use super::{Row, here, index, on_node};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::resources::add;
use crate::world::{Guest, GuestDisk, GuestKind, Storage, World};

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_STORAGE, configured),
    here(&m::GET_STORAGE_STORAGE, one_configured),
    on_node(&m::GET_NODES_NODE_STORAGE, list),
    here(&m::GET_NODES_NODE_STORAGE_STORAGE, index),
    on_node(&m::GET_NODES_NODE_STORAGE_STORAGE_STATUS, status),
    on_node(&m::GET_NODES_NODE_STORAGE_STORAGE_RRDDATA, rrddata),
    on_node(&m::GET_NODES_NODE_STORAGE_STORAGE_CONTENT, content),
    on_node(&m::GET_NODES_NODE_STORAGE_STORAGE_CONTENT_VOLUME, volume),
    on_node(&m::GET_NODES_NODE_STORAGE_STORAGE_FILE_RESTORE_LIST, file_restore),
];

/// What the configuration of storages is told by. It is one file for all of them.
pub(super) const CONFIG_DIGEST: &str = "b023bb58c86da66564e7da114c1a15842cbe635d";

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
        "digest": CONFIG_DIGEST,
    });
    if let Some(map) = row.as_object_mut() {
        if !storage.enabled {
            map.insert("disable".into(), json!(1));
        }
        if storage.shared {
            map.insert("shared".into(), json!(1));
        }
        map.extend(storage.options.iter().map(|(key, value)| (key.clone(), json!(value))));
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

/// The disks in a backup; only a Proxmox Backup Server can look into one.
fn file_restore(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    if storage_of(world, call.params.text("storage"))?.kind != "pbs" {
        return Err(Failure::internal("Only PBS storages supported for file-restore."));
    }
    Ok(json!([{
        "filepath": "L2RyaXZlLXNjc2kwLmltZy5maWR4", "text": "drive-scsi0.img.fidx", "type": "v", "leaf": 0,
    }])
    .into())
}

fn rrddata(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (now, node) = (world.clock.unix(), call.params.node());
    let storage = storage_of(world, call.params.text("storage"))?;
    Ok(points(now, call, |time| {
        let used = storage.used_then(node, time, now);
        json!({ "total": storage.total, "used": used }).as_object().cloned()
    }))
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
                ("protected", v.protected.then(|| json!(1))),
            ];
            map.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        }
        row
    });
    let near = world.guests.values().filter(|g| storage.shared || g.node == node);
    let disks = near.flat_map(|g| {
        let disks = g.disks().into_iter().filter(|d| d.storage == storage.name);
        disks.map(|d| guest_disk(storage, g, &d)).collect::<Vec<_>>()
    });
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

fn guest_disk(storage: &Storage, guest: &Guest, disk: &GuestDisk) -> Value {
    let format = match (guest.kind, storage.kind) {
        (GuestKind::Lxc, "zfspool") => "subvol",
        (_, "dir") if disk.volume.ends_with("qcow2") => "qcow2",
        _ => "raw",
    };
    let content = if guest.kind == GuestKind::Lxc { "rootdir" } else { "images" };
    json!({
        "volid": disk.volid(), "content": content, "format": format, "size": disk.size,
        "vmid": guest.vmid, "ctime": guest.started,
    })
}

fn volume(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let storage = storage_of(world, call.params.text("storage"))?;
    permission::require_any(world, &call.caller, &format!("/storage/{}", storage.name), SEES)?;
    let wanted = call.params.text("volume");
    let name = wanted.strip_prefix(&format!("{}:", storage.name)).unwrap_or(wanted);
    let volid = format!("{}:{name}", storage.name);
    let Some(found) = storage.volumes.iter().find(|v| v.name == name) else {
        let disk = world.guests.values().flat_map(Guest::disks).find(|disk| disk.volid() == volid);
        let size = disk.ok_or_else(|| Failure::internal(format!("volume '{volid}' does not exist")))?.size;
        return Ok(
            json!({ "path": format!("/dev/{name}"), "size": size, "used": size, "format": "raw" }).into()
        );
    };
    let root = storage.options.iter().find(|(key, _)| key == "path").map_or("/mnt/pve", |(_, path)| path);
    let file = name.rsplit('/').next().unwrap_or_default();
    let dir = match found.content {
        "vztmpl" => "template/cache",
        "iso" => "template/iso",
        _ => "dump",
    };
    let path = format!("{root}/{dir}/{file}");
    let mut row = json!({ "path": path, "size": found.size, "used": found.size, "format": "raw" });
    if found.content == "backup" {
        add(&mut row, json!({ "protected": u8::from(found.protected), "format": found.format }));
    }
    if let Some(notes) = &found.notes {
        add(&mut row, json!({ "notes": notes }));
    }
    Ok(row.into())
}
