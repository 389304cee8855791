//! Thinning out backups: which ones a rule keeps.

use std::collections::BTreeSet;

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::backups::option;
use super::storage::storage_of;
use super::{Row, on_node, tasks};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{Storage, Volume, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_STORAGE_STORAGE_PRUNEBACKUPS, preview),
    on_node(&m::DELETE_NODES_NODE_STORAGE_STORAGE_PRUNEBACKUPS, prune),
];

/// The rule of the call, or the storage's own.
fn rule(world: &World, call: &Call) -> Result<String, Failure> {
    let storage = storage_of(world, call.params.text("storage"))?;
    let asked = call.params.optional("prune-backups").map(str::to_owned);
    Ok(asked.or_else(|| option(&storage.options, "prune-backups")).unwrap_or_else(|| "keep-all=1".into()))
}

/// The backups of the call, each with what becomes of it.
fn plan(world: &World, call: &Call) -> Result<Vec<(Volume, &'static str)>, Failure> {
    let rule = rule(world, call)?;
    let storage = storage_of(world, call.params.text("storage"))?;
    let vmid = call.params.integer("vmid").and_then(|id| u32::try_from(id).ok());
    let marks = marked(storage, &rule, vmid, call.params.optional("type"), call.params.node());
    let volumes = storage.volumes.iter().filter_map(|volume| {
        let (_, mark) = marks.iter().find(|(name, _)| *name == volume.name)?;
        Some((volume.clone(), *mark))
    });
    Ok(volumes.collect())
}

fn preview(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let storage = call.params.text("storage");
    let rows: Vec<Value> = plan(world, call)?
        .into_iter()
        .map(|(volume, mark)| {
            json!({
                "volid": format!("{storage}:{}", volume.name), "ctime": volume.ctime, "mark": mark,
                "type": volume.subtype.unwrap_or("unknown"), "vmid": volume.vmid,
            })
        })
        .collect();
    Ok(json!(rows).into())
}

fn prune(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let storage = call.params.text("storage").to_owned();
    let path = format!("/storage/{storage}");
    if !world.may(&call.caller, &path, "Datastore.Allocate") {
        permission::require(world, &call.caller, &path, &["Datastore.AllocateSpace"])?;
        match call.params.integer("vmid") {
            Some(vmid) => permission::require(world, &call.caller, &format!("/vms/{vmid}"), &["VM.Backup"])?,
            None => return Err(Failure::forbidden(&format!("{path}, Datastore.Allocate"))),
        }
    }
    let plan = plan(world, call)?;
    let log = plan.iter().map(|(v, mark)| format!("{mark} {storage}:{}", v.name)).collect();
    let gone: Vec<String> =
        plan.into_iter().filter(|(_, mark)| *mark == "remove").map(|(v, _)| v.name).collect();
    let id = storage.clone();
    let effect = Box::new(move |world: &mut World| {
        if let Some(storage) = world.storages.iter_mut().find(|s| s.name == storage) {
            storage.remove(|v| gone.contains(&v.name));
        }
        Ok(())
    });
    tasks::on_node_itself(world, call, ("prunebackups", id), 0.5, log, effect)
}

/// What a rule (`keep-last=3,keep-daily=7`) says of each backup: `keep`, `remove`, `protected`.
pub(super) fn marked(
    storage: &Storage,
    rule: &str,
    vmid: Option<u32>,
    kind: Option<&str>,
    node: &str,
) -> Vec<(String, &'static str)> {
    let here = |v: &&Volume| v.node.as_deref().is_none_or(|place| place == node);
    let mut backups: Vec<&Volume> = storage
        .volumes
        .iter()
        .filter(|v| v.content == "backup" && (vmid.is_none() || v.vmid == vmid))
        .filter(|v| kind.is_none() || v.subtype == kind)
        .filter(here)
        .collect();
    backups.sort_by_key(|v| std::cmp::Reverse(v.ctime));
    let groups: BTreeSet<(Option<u32>, Option<&str>)> = backups.iter().map(|v| (v.vmid, v.subtype)).collect();
    groups
        .into_iter()
        .flat_map(|group| {
            let own: Vec<&&Volume> = backups.iter().filter(|v| (v.vmid, v.subtype) == group).collect();
            let kept = kept(rule, &own);
            own.into_iter().map(move |v| {
                let mark = match (v.protected, kept.contains(&v.name)) {
                    (true, _) => "protected",
                    (false, true) => "keep",
                    (false, false) => "remove",
                };
                (v.name.clone(), mark)
            })
        })
        .collect()
}

/// The names of the backups of one guest, newest first, that a rule keeps.
fn kept(rule: &str, backups: &[&&Volume]) -> BTreeSet<String> {
    let amount = |name: &str| -> usize {
        let found = rule.split(',').filter_map(|p| p.split_once('=')).find(|(key, _)| *key == name);
        found.and_then(|(_, n)| n.parse().ok()).unwrap_or_default()
    };
    let periods: [(&str, u64); 6] = [
        ("keep-last", 1),
        ("keep-hourly", 3600),
        ("keep-daily", 86_400),
        ("keep-weekly", 7 * 86_400),
        ("keep-monthly", 30 * 86_400),
        ("keep-yearly", 365 * 86_400),
    ];
    if amount("keep-all") > 0 || periods.iter().all(|(name, _)| amount(name) == 0) {
        return backups.iter().map(|v| v.name.clone()).collect();
    }
    let mut names = BTreeSet::new();
    for (name, seconds) in periods {
        // A period that an earlier rule has kept something of is done.
        let mut done: BTreeSet<u64> =
            backups.iter().filter(|v| names.contains(&v.name)).map(|v| v.ctime / seconds).collect();
        let mut left = amount(name);
        for backup in backups {
            if left > 0 && !names.contains(&backup.name) && done.insert(backup.ctime / seconds) {
                names.insert(backup.name.clone());
                left -= 1;
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_keeps_the_last_ones_and_one_of_each_day() {
        let at = |hours: u64| Volume { name: hours.to_string(), ctime: hours * 3600, ..Volume::default() };
        let volumes: Vec<Volume> = [100, 99, 98, 75, 74, 50, 26, 2].map(at).into();
        let newest: Vec<&Volume> = volumes.iter().collect();
        let newest: Vec<&&Volume> = newest.iter().collect();
        let names = |rule: &str| kept(rule, &newest).into_iter().collect::<Vec<_>>();
        assert_eq!(names("keep-last=2"), ["100", "99"]);
        assert_eq!(names("keep-last=1,keep-daily=2"), ["100", "50", "75"]);
        assert_eq!(names("keep-all=1").len(), 8);
    }
}
