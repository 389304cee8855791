//! The configuration of storages.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::config::same_digest;
use super::storage::{CONFIG_DIGEST, storage_of};
use super::{Row, here};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{Storage, World};

pub(super) const ROWS: &[Row] = &[
    here(&m::POST_STORAGE, add),
    here(&m::PUT_STORAGE_STORAGE, change),
    here(&m::DELETE_STORAGE_STORAGE, remove),
];

/// Types of storages, and what each may hold unless told otherwise.
const KINDS: &[(&str, &[&str])] = &[
    ("btrfs", &["images", "rootdir"]),
    ("cephfs", &["backup", "iso", "vztmpl"]),
    ("cifs", &["backup", "images", "iso", "vztmpl"]),
    ("dir", &["backup", "images", "iso", "vztmpl"]),
    ("esxi", &["import"]),
    ("iscsi", &["images", "none"]),
    ("iscsidirect", &["images"]),
    ("lvm", &["images", "rootdir"]),
    ("lvmthin", &["images", "rootdir"]),
    ("nfs", &["backup", "images", "iso", "vztmpl"]),
    ("pbs", &["backup"]),
    ("rbd", &["images"]),
    ("zfs", &["images"]),
    ("zfspool", &["images", "rootdir"]),
];
const CONTENTS: &[&str] = &["images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none"];
/// Types that all nodes see the same.
const SHARED: &[&str] = &["cephfs", "cifs", "esxi", "iscsi", "iscsidirect", "nfs", "pbs", "rbd", "zfs"];
/// Parameters that stand in fields of their own, or nowhere.
const NOT_OPTIONS: &[&str] =
    &["storage", "type", "content", "shared", "disable", "delete", "digest", "password"];
/// What a type cannot do without.
const NEEDED: &[(&str, &[&str])] = &[
    ("dir", &["path"]),
    ("nfs", &["server", "export"]),
    ("cifs", &["server", "share"]),
    ("pbs", &["server", "datastore"]),
    ("zfspool", &["pool"]),
    ("lvmthin", &["thinpool", "vgname"]),
    ("btrfs", &["path"]),
];
/// Size of a storage that was added here: 1 TiB.
const SIZE: u64 = 1 << 40;

fn contents(text: &str) -> Result<Vec<&'static str>, Failure> {
    let words = text.split([',', ';', ' ']).filter(|w| !w.is_empty());
    words
        .map(|word| {
            let known = CONTENTS.iter().find(|known| **known == word).copied();
            known.ok_or_else(|| Failure::parameter("content", format!("unknown content type '{word}'")))
        })
        .collect()
}

/// The options of a call as a configuration keeps them.
fn options(call: &Call) -> impl Iterator<Item = (String, String)> {
    let given = call.params.iter().filter(|(name, _)| !NOT_OPTIONS.contains(name));
    given.map(|(name, value)| {
        (
            name.to_owned(),
            match value {
                Value::String(text) => text.clone(),
                Value::Bool(on) => u8::from(*on).to_string(),
                other => other.to_string(),
            },
        )
    })
}

fn add(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (name, kind) = (call.params.text("storage"), call.params.text("type"));
    if world.storages.iter().any(|s| s.name == name) {
        return Err(Failure::internal(format!("create storage failed: storage ID '{name}' already defined")));
    }
    let Some((kind, usual)) = KINDS.iter().find(|(known, _)| *known == kind) else {
        return Err(Failure::parameter("type", format!("unknown storage type '{kind}'")));
    };
    let needed = NEEDED.iter().find(|(needing, _)| needing == kind).map_or(&[][..], |(_, names)| names);
    if let Some(missing) = needed.iter().find(|name| !call.params.has(name)) {
        return Err(Failure::parameter(missing, "property is missing and it is not optional"));
    }
    let content = match call.params.optional("content") {
        Some(text) => contents(text)?,
        None => usual.to_vec(),
    };
    world.storages.push(Storage {
        name: name.to_owned(),
        kind,
        content,
        shared: call.params.flag("shared") || SHARED.contains(kind),
        enabled: !call.params.flag("disable"),
        total: SIZE,
        fill: 0.02,
        growth: 0,
        written: 0,
        options: options(call).collect(),
        volumes: Vec::new(),
    });
    Ok(json!({ "storage": name, "type": kind }).into())
}

fn change(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("storage");
    storage_of(world, name)?;
    same_digest(call, CONFIG_DIGEST)?;
    let content = call.params.optional("content").map(contents).transpose()?;
    let Some(storage) = world.storages.iter_mut().find(|s| s.name == name) else {
        return Ok(Value::Null.into());
    };
    if let Some(content) = content {
        storage.content = content;
    }
    if call.params.has("disable") {
        storage.enabled = !call.params.flag("disable");
    }
    if call.params.has("shared") {
        storage.shared = call.params.flag("shared");
    }
    let deleted: Vec<&str> = call.params.text("delete").split([',', ';', ' ']).collect();
    if deleted.contains(&"disable") {
        storage.enabled = true;
    }
    let new: Vec<(String, String)> = options(call).collect();
    storage.options.retain(|(key, _)| !deleted.contains(&key.as_str()) && !new.iter().any(|(k, _)| k == key));
    storage.options.extend(new);
    Ok(json!({ "storage": name, "type": storage.kind }).into())
}

fn remove(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.params.text("storage");
    let failed = |why: String| Failure::internal(format!("delete storage failed: {why}"));
    storage_of(world, name).map_err(|_| failed(format!("storage '{name}' does not exist")))?;
    world.storages.retain(|s| s.name != name);
    for pool in world.pools.values_mut() {
        pool.storages.remove(name);
    }
    world.access.acl.remove(&format!("/storage/{name}"));
    Ok(Value::Null.into())
}
