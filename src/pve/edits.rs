//! Edits of a guest's configuration from their check to what waits for a restart.

use proxmox_api::methods::{GET_NODES_NODE_LXC_VMID_PENDING, GET_NODES_NODE_QEMU_VMID_PENDING};
use serde_json::Value;

use crate::change::{self, Change, Follow, How};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::pve::config::{Config, Edit};
use crate::pve::guests::{Guest, GuestKind};
use crate::tool::Outcome;

/// Makes an edit: nothing is sent where it changes nothing, and afterwards it is said what waits for a
/// restart of the guest.
///
/// # Errors
/// Where the guest is locked, and what the request comes to.
pub fn apply(
    cx: &Cx<'_>,
    guest: &Guest,
    config: &Config,
    edit: &Edit<'_>,
    change: Change,
    how: How,
) -> Result<Outcome, Error> {
    if edit.is_empty() {
        return Ok(change.unchanged());
    }
    let keys: Vec<String> = edit.keys().map(str::to_owned).collect();
    send(cx, guest, config, edit.call(guest), keys, change, how)
}

/// Makes a request that changes these keys of a configuration. Where it starts a task, the tool's `resume`
/// has to be [`resume`].
///
/// # Errors
/// Where the guest is locked, and what the request comes to.
pub fn send(
    cx: &Cx<'_>,
    guest: &Guest,
    config: &Config,
    call: Call,
    keys: Vec<String>,
    change: Change,
    how: How,
) -> Result<Outcome, Error> {
    unlocked(guest, config)?;
    let change = change.extra(keys);
    if how.dry_run || call.method().verb == proxmox_api::Verb::Post {
        return change.make(cx, call, how);
    }
    cx.call(call)?;
    Ok(looked(cx, change).done())
}

/// Goes on with a change whose request started a task.
///
/// # Errors
/// The task's own words where it failed.
pub fn resume(cx: &Cx<'_>, state: &Value) -> Result<Outcome, Error> {
    match change::follow(cx, state)? {
        Follow::Waits(outcome) => Ok(outcome),
        Follow::Ended(mut ended) => {
            ended.change = looked(cx, ended.change);
            Ok(ended.done())
        }
    }
}

/// Refuses where another operation holds the guest.
///
/// # Errors
/// [`Error::Failed`], with the lock's name.
pub fn unlocked(guest: &Guest, config: &Config) -> Result<(), Error> {
    match config.lock() {
        None => Ok(()),
        Some(lock) => Err(Error::Failed(format!(
            "{guest} is locked ({}): another operation holds it, so nothing was sent. Wait until it is over; \
             `proxmox_get_tasks` shows what runs. If nothing runs any more, an administrator can remove the lock \
             with `{} unlock {}`.",
            foreign::words(&lock, 40),
            if guest.kind == GuestKind::Vm { "qm" } else { "pct" },
            guest.vmid
        ))),
    }
}

/// The change with a warning for those of its keys that wait for a restart (`GET .../pending`).
fn looked(cx: &Cx<'_>, change: Change) -> Change {
    let keys: Vec<String> = change.kept().as_array().into_iter().flatten().filter_map(text).collect();
    let Some(guest) = change.subject().cloned().filter(|_| !keys.is_empty()) else { return change };
    match cx.call(guest.call(&GET_NODES_NODE_QEMU_VMID_PENDING, &GET_NODES_NODE_LXC_VMID_PENDING)) {
        Ok(rows) => {
            let waiting: Vec<String> = waiting(&rows).into_iter().filter(|key| keys.contains(key)).collect();
            if waiting.is_empty() {
                return change;
            }
            let listed: Vec<String> = waiting.iter().map(|key| format!("`{key}`")).collect();
            change.warning(format!(
                "{} not yet in effect: the guest has to be shut down and started again (a reboot from inside is not enough).",
                match listed.as_slice() {
                    [one] => format!("{one} is"),
                    many => format!("{} are", many.join(", ")),
                }
            ))
        }
        Err(error) => change.warning(format!(
            "The change was made; whether it waits for a restart could not be looked up: {}.",
            error.brief()
        )),
    }
}

/// The keys with a value that waits, or that wait to be deleted.
fn waiting(rows: &Value) -> Vec<String> {
    let waits = |row: &&Value| row.get("pending").is_some() || row.get("delete").is_some_and(|d| *d != 0);
    let key = |row: &Value| row.get("key").and_then(text).filter(|key| key.len() <= 40 && plain(key));
    rows.as_array().into_iter().flatten().filter(waits).filter_map(key).collect()
}

fn plain(key: &str) -> bool {
    key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_waits_for_a_restart_is_found() {
        let rows = json!([
            {"key": "memory", "value": "2048", "pending": "4096"},
            {"key": "cores", "value": 2},
            {"key": "net1", "value": "virtio", "delete": 1},
            {"key": "net2", "value": "virtio", "delete": 0},
            {"key": "a`b", "pending": 1},
        ]);
        assert_eq!(waiting(&rows), ["memory", "net1"]);
        assert!(waiting(&Value::Null).is_empty());
    }
}
