//! Backups: what their names say, and how far a task is that makes or restores one.

use proxmox_api::methods::GET_NODES_NODE_TASKS_UPID_LOG;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::pve::guests::GuestKind;
use crate::pve::ids::{Upid, Vmid, Volume};
use crate::pve::quirks::EMPTY_LOG;
use crate::tool::Pending;

/// How many lines of a log one look reads.
const LINES: u32 = 500;

/// A backup, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The volume.
    pub volume: Volume,
    /// What kind of guest it holds.
    pub kind: GuestKind,
    /// The guest that it was made of.
    pub vmid: Vmid,
}

impl Archive {
    /// Reads a name such as `nfs:backup/vzdump-qemu-101-2026_11_22-02_00_00.vma.zst` or, of a Proxmox Backup
    /// Server, `pbs:backup/vm/101/2026-11-22T02:00:00Z`.
    ///
    /// # Errors
    /// [`Error::Arguments`] for anything else.
    pub fn of(volume: Volume) -> Result<Archive, Error> {
        match parts(volume.as_str()) {
            Some((kind, vmid)) => Ok(Archive { volume, kind, vmid }),
            None => Err(Error::Arguments(format!(
                "`{volume}` is not the name of a backup of a guest, such as \
                 local:backup/vzdump-qemu-101-2026_11_22-02_00_00.vma.zst; `proxmox_list_backups` lists them."
            ))),
        }
    }
}

fn parts(volid: &str) -> Option<(GuestKind, Vmid)> {
    let name = volid.split_once(':')?.1.strip_prefix("backup/")?;
    let (kind, rest) = match name.strip_prefix("vzdump-") {
        Some(rest) => rest.split_once('-')?,
        None => name.split_once('/')?,
    };
    let kind = match kind {
        "qemu" | "vm" => GuestKind::Vm,
        "lxc" | "ct" => GuestKind::Container,
        _ => return None,
    };
    let vmid = rest.split(['-', '/']).next()?.parse().ok()?;
    Some((kind, Vmid::new(vmid)?))
}

/// Adds to a wait how far its task is, by the task's log. Nothing is added where the log says nothing, or cannot
/// be had. `state` is that of the look before.
pub fn progress(cx: &Cx<'_>, state: &Value, pending: &mut Pending) {
    let Some(upid) = state.pointer("/task/upid").and_then(Value::as_str).and_then(Upid::parse) else {
        return;
    };
    let seen = |key: &str| state.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let from = seen("log_from").unwrap_or_default();
    let call = Call::of(&GET_NODES_NODE_TASKS_UPID_LOG)
        .at("node", upid.node())
        .at("upid", &upid)
        .with("start", from)
        .with("limit", LINES);
    let answer = cx.call(call).unwrap_or_default();
    let lines: Vec<&str> =
        answer.as_array().into_iter().flatten().filter_map(|line| line.get("t")?.as_str()).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| !EMPTY_LOG.contains(line)).collect();
    let percent = lines.iter().rev().find_map(|line| percent(line)).or(seen("percent").filter(|n| *n <= 100));
    if let Some(percent) = percent {
        pending.progress = Some(f64::from(percent) / 100.0);
        pending.message = format!("{}: {percent}%", pending.message);
    }
    if let Some(state) = pending.state.as_object_mut() {
        let read = u32::try_from(lines.len()).unwrap_or_default();
        state.insert("log_from".to_owned(), from.saturating_add(read).into());
        if let Some(percent) = percent {
            state.insert("percent".to_owned(), percent.into());
        }
    }
}

/// The percentage of a line such as `INFO:  25% (16.0 GiB of 64.0 GiB) in 1m` or `progress 25% (...)`.
fn percent(line: &str) -> Option<u32> {
    let line = line.trim_start_matches("INFO:").trim_start();
    let line = line.strip_prefix("progress ").unwrap_or(line);
    let (digits, _) = line.split_once('%')?;
    digits.parse().ok().filter(|percent| *percent <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_it_is_a_backup_of() {
        for (name, kind, vmid) in [
            ("nfs:backup/vzdump-qemu-101-2026_11_22-02_00_00.vma.zst", GuestKind::Vm, 101),
            ("nfs:backup/vzdump-lxc-102-2026_11_22-02_00_00.tar.zst", GuestKind::Container, 102),
            ("pbs:backup/vm/101/2026-11-22T02:00:00Z", GuestKind::Vm, 101),
            ("pbs:backup/ct/999999/2026-11-22T02:00:00Z", GuestKind::Container, 999_999),
        ] {
            let archive = Archive::of(Volume::parse(name).unwrap()).unwrap();
            assert_eq!((archive.kind, archive.vmid.number()), (kind, vmid), "{name}");
        }
        for bad in
            ["a1:iso/x.iso", "a1:backup/x.vma", "a1:backup/vzdump-qemu-x-1.vma", "a1:backup/host/h/2026Z"]
        {
            assert!(Archive::of(Volume::parse(bad).unwrap()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_log_says_how_far_it_is() {
        for (line, expected) in [
            ("INFO:  25% (16.0 GiB of 64.0 GiB) in 1m, read: 64.0 MiB/s", Some(25)),
            ("INFO: 100% (64.0 MiB of 64.0 MiB) in 1s", Some(100)),
            ("progress 7% (read 4 bytes, duration 0 sec)", Some(7)),
            ("INFO: backup is sparse: 44.50 MiB (69%) total zero data", None),
            ("INFO: VM Name: 50%off", None),
            ("INFO: 101% done", None),
        ] {
            assert_eq!(percent(line), expected, "{line}");
        }
    }
}
