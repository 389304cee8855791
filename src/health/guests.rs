//! Guests: short of memory or disk, locked, in a state that nobody knows; old snapshots, silent agents, full file
//! systems inside VMs.

use serde_json::{Value, json};

use super::{DAY, Limits};
use crate::error::Error;
use crate::foreign;
use crate::pve::findings::{Finding, Severity};
use crate::pve::guests::GuestKind;
use crate::pve::quirks::Quirk;
use crate::pve::resources::{Figure, Resource};
use crate::text;

/// Part of the memory in use. A VM's file cache counts as used, so that there it means less.
const MEMORY: f64 = 0.95;
/// Part of a container's root disk in use. Of a VM's disks only the guest knows.
const DISK: f64 = 0.9;
/// Part of a VM's file system in use.
const FILE_SYSTEM: Limits = Limits { warning: 0.9, critical: 0.97 };
/// File systems that are full by nature: of CDs and packages.
const READ_ONLY: &[&str] = &["iso9660", "udf", "cdfs", "squashfs", "erofs", "cramfs"];
/// How many days a snapshot is nothing to speak of, and from when on it is a warning.
const SNAPSHOT: (u64, u64) = (30, 90);

fn share(pair: Option<(f64, f64)>) -> f64 {
    pair.filter(|(_, all)| *all > 0.0).map_or(0.0, |(used, all)| used / all)
}

/// The guests that a group is about, and the most that was measured of them.
type Group = (Vec<u32>, f64);

fn group<'r>(
    guests: &[&'r Resource<'r>],
    wanted: impl Fn(&Resource<'_>) -> bool,
    measured: impl Fn(&Resource<'_>) -> f64,
) -> Group {
    let rows = || guests.iter().filter(|row| wanted(row));
    let mut ids: Vec<u32> = rows().filter_map(|row| row.guest_id()).map(|id| id.number()).collect();
    ids.sort_unstable();
    (ids, rows().map(|row| measured(row)).fold(0.0, f64::max))
}

/// What `/cluster/resources` says of guests on online nodes. `busy`: guests and nodes that a running task is
/// about, as text.
pub fn of_rows(guests: &[&Resource<'_>], busy: &[String]) -> Vec<Finding> {
    let container = |row: &Resource<'_>| GuestKind::of(row) == GuestKind::Container;
    let running = |row: &Resource<'_>| &*row.status == "running";
    let short = |row: &Resource<'_>| running(row) && share(row.memory()) >= MEMORY;
    let at_work = |row: &Resource<'_>| {
        busy.iter().any(|id| *id == *row.node || row.guest_id().is_some_and(|vmid| *id == vmid.to_string()))
    };
    let stuck = |row: &Resource<'_>| !row.lock.is_empty() && !at_work(row);
    let lost =
        |row: &Resource<'_>| !running(row) && !matches!(&*row.status, "stopped" | "paused" | "suspended");
    let memory = |row: &Resource<'_>| share(row.memory());
    let disk = |row: &Resource<'_>| share(row.space());
    let nothing = |_: &Resource<'_>| 0.0;
    let groups = [
        (
            Severity::Warning,
            "guest-memory-full",
            "memory nearly full in containers",
            Some(MEMORY),
            group(guests, |row| container(row) && short(row), memory),
        ),
        (
            Severity::Info,
            "guest-memory-full",
            "memory nearly full (with caches) in VMs",
            Some(MEMORY),
            group(guests, |row| !container(row) && short(row), memory),
        ),
        (
            Severity::Warning,
            "guest-disk-full",
            "root disk nearly full in containers",
            Some(DISK),
            group(guests, |row| container(row) && running(row) && disk(row) >= DISK, disk),
        ),
        (
            Severity::Warning,
            "guest-locked",
            "locked, and no task at work",
            None,
            group(guests, stuck, nothing),
        ),
        (
            Severity::Info,
            "guest-locked",
            "locked by a task at work",
            None,
            group(guests, |row| !row.lock.is_empty() && at_work(row), nothing),
        ),
        (
            Severity::Warning,
            "guest-state-unknown",
            "in a state that their node does not know",
            None,
            group(guests, lost, nothing),
        ),
    ];
    let finding =
        |(severity, code, says, limit, (ids, most)): (_, &'static str, &str, Option<f64>, Group)| {
            let vmid = *ids.first()?;
            let about = text::count(ids.len(), "guest");
            let finding = Finding::new(severity, code, about, says).guests(ids);
            let finding = match limit {
                Some(limit) => finding.measured(most, limit, "fraction"),
                None => finding,
            };
            Some(finding.next("proxmox_diagnose", json!({"vmid": vmid})))
        };
    groups.into_iter().filter_map(finding).collect()
}

/// Old snapshots of a guest (`GET .../snapshot`).
pub fn snapshots(vmid: u32, answer: &Value, now: u64) -> Option<Finding> {
    let rows = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let taken = |row: &Value| {
        let named = row.get("name").and_then(Value::as_str).filter(|name| *name != "current")?;
        let time = Figure::of(row.get("snaptime")).whole()?;
        Some((time, named.to_owned()))
    };
    let (quiet, loud) = SNAPSHOT;
    let old: Vec<(u64, String)> =
        rows.iter().filter_map(taken).filter(|(time, _)| now.saturating_sub(*time) / DAY >= quiet).collect();
    let (time, name) = old.iter().min()?;
    let days = now.saturating_sub(*time) / DAY;
    let severity = if days >= loud { Severity::Warning } else { Severity::Info };
    let says = format!(
        "{}, the oldest {days} days old ({})",
        text::count(old.len(), "old snapshot"),
        foreign::name(name)
    );
    let finding = Finding::new(severity, "snapshot-old", format!("guest {vmid}"), says);
    Some(
        finding
            .measured(figure(days), figure(quiet), "days")
            .count(old.len())
            .next("proxmox_get_guest", json!({"vmid": vmid, "show": "snapshots"})),
    )
}

/// What the agent says of the file systems in a VM (`GET .../agent/get-fsinfo`): one that is nearly full, or that
/// the agent is turned on and silent; an error if neither can be told.
///
/// # Errors
/// The one that came, if it does not tell how the agent is.
pub fn inside(vmid: u32, answer: Result<Value, Error>) -> Result<Option<Finding>, Error> {
    let error = match answer {
        Ok(answer) => return Ok(file_systems(vmid, &answer)),
        Err(error) => error,
    };
    let quirk = if let Error::Refused(refusal) = &error { refusal.quirk() } else { None };
    match quirk {
        Some(Quirk::AgentSilent) => Ok(Some(
            Finding::new(
                Severity::Warning,
                "agent-silent",
                format!("guest {vmid}"),
                "the guest agent is turned on, but does not answer",
            )
            .next("proxmox_diagnose", json!({"vmid": vmid})),
        )),
        Some(Quirk::AgentOff | Quirk::NotRunning) => Ok(None),
        _ => Err(error),
    }
}

/// The fullest file system, where it is nearly full.
fn file_systems(vmid: u32, answer: &Value) -> Option<Finding> {
    let rows = answer.get("result").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let words = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let used = |row: &Value| {
        let figure = |key: &str| Figure::of(row.get(key)).value();
        Some(share(figure("used-bytes").zip(figure("total-bytes"))))
            .filter(|_| !READ_ONLY.contains(&words(row, "type").to_lowercase().as_str()))
    };
    let mut full: Vec<(f64, String)> = rows
        .iter()
        .filter_map(|row| {
            Some((used(row).filter(|used| FILE_SYSTEM.judge(*used).is_some())?, words(row, "mountpoint")))
        })
        .collect();
    full.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (used, place) = full.first()?;
    let (severity, limit) = FILE_SYSTEM.judge(*used)?;
    let more = match full.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more nearly full"),
    };
    let says = format!("file system {} is {} used{more}", foreign::words(place, 80), text::percent(*used));
    Some(
        Finding::new(severity, "filesystem-full", format!("guest {vmid}"), says)
            .measured(*used, limit, "fraction")
            .next("proxmox_get_guest", json!({"vmid": vmid, "show": "filesystems"})),
    )
}

#[expect(clippy::cast_precision_loss, reason = "days are far below 2^53")]
fn figure(days: u64) -> f64 {
    days as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Refusal;

    fn found(json: &str, busy: &[String]) -> Vec<(&'static str, Severity, String)> {
        let rows: Vec<Resource<'_>> = serde_json::from_str(json).unwrap();
        let guests: Vec<&Resource<'_>> = rows.iter().collect();
        of_rows(&guests, busy)
            .into_iter()
            .map(|finding| (finding.code, finding.severity, finding.about))
            .collect()
    }

    #[test]
    fn guests_are_grouped_by_what_they_lack() {
        let json = r#"[
            {"type":"lxc","vmid":100,"node":"a","status":"running","mem":95,"maxmem":100,"disk":90,"maxdisk":100},
            {"type":"lxc","vmid":101,"node":"a","status":"running","mem":94,"maxmem":100,"disk":89,"maxdisk":100},
            {"type":"qemu","vmid":102,"node":"a","status":"running","mem":99,"maxmem":100,"disk":99,"maxdisk":100},
            {"type":"qemu","vmid":103,"node":"a","status":"stopped","mem":99,"maxmem":100},
            {"type":"qemu","vmid":104,"node":"a","status":"unknown"}]"#;
        let one = |code, severity| (code, severity, "1 guest".to_owned());
        assert_eq!(
            found(json, &[]),
            [
                one("guest-memory-full", Severity::Warning),
                one("guest-memory-full", Severity::Info),
                one("guest-disk-full", Severity::Warning),
                one("guest-state-unknown", Severity::Warning)
            ]
        );
    }

    #[test]
    fn what_was_measured_is_said_beside_the_limit() {
        let json = r#"[
            {"type":"lxc","vmid":100,"node":"a","status":"running","mem":96,"maxmem":100,"disk":93,"maxdisk":100},
            {"type":"lxc","vmid":101,"node":"a","status":"running","mem":98,"maxmem":100,"disk":91,"maxdisk":100}]"#;
        let rows: Vec<Resource<'_>> = serde_json::from_str(json).unwrap();
        let guests: Vec<&Resource<'_>> = rows.iter().collect();
        let data: Vec<Value> = of_rows(&guests, &[]).iter().map(Finding::datum).collect();
        assert_eq!((&data[0]["value"], &data[0]["limit"]), (&json!(0.98), &json!(MEMORY)));
        assert_eq!((&data[1]["value"], &data[1]["limit"]), (&json!(0.93), &json!(DISK)));
    }

    #[test]
    fn a_lock_is_a_problem_where_no_task_is_at_work() {
        let json = r#"[{"type":"qemu","vmid":100,"node":"a","status":"running","lock":"backup"}]"#;
        assert_eq!(found(json, &[])[0].1, Severity::Warning);
        assert_eq!(found(json, &["101".to_owned()])[0].1, Severity::Warning);
        for busy in ["100", "a"] {
            assert_eq!(found(json, &[busy.to_owned()])[0].1, Severity::Info, "{busy}");
        }
    }

    #[test]
    fn snapshots_are_judged_by_their_age() {
        const NOW: u64 = 1_795_340_000;
        let judged = |days: u64| {
            let answer = json!([{"name": "a", "snaptime": NOW - days * DAY}, {"name": "b", "snaptime": NOW}, {"name": "current"}]);
            snapshots(100, &answer, NOW).map(|finding| finding.severity)
        };
        assert_eq!(
            (judged(29), judged(30), judged(89), judged(90)),
            (None, Some(Severity::Info), Some(Severity::Info), Some(Severity::Warning))
        );
    }

    #[test]
    fn only_an_agent_that_is_on_can_be_silent() {
        let said = |message: &str| {
            Err(Error::Refused(Refusal { request: String::new(), status: 500, message: message.to_owned() }))
        };
        assert_eq!(inside(100, Ok(Value::Null)), Ok(None));
        assert_eq!(inside(100, said("No QEMU guest agent configured")), Ok(None));
        assert_eq!(inside(100, said("VM 100 is not running")), Ok(None));
        let silent = inside(100, said("QEMU guest agent is not running")).unwrap();
        assert_eq!(silent.map(|finding| finding.code), Some("agent-silent"));
        assert!(inside(100, said("something else")).is_err());
    }

    #[test]
    fn the_fullest_file_system_of_a_vm_is_told() {
        let row = |place: &str, used: u64, kind: &str| json!({"mountpoint": place, "used-bytes": used, "total-bytes": 100, "type": kind});
        let told = |rows: Value| {
            inside(100, Ok(json!({"result": rows}))).unwrap().map(|found| (found.severity, found.says))
        };
        assert_eq!(
            told(json!([row("/", 89, "ext4"), row("/cdrom", 100, "iso9660"), {"mountpoint": "/x"}])),
            None
        );
        let (severity, says) = told(json!([row("/", 91, "ext4"), row("/var", 98, "xfs")])).unwrap();
        assert_eq!(
            (severity, says.as_str()),
            (Severity::Critical, "file system /var is 98.0% used, and 1 more nearly full")
        );
        assert_eq!(told(json!([row("C:\\", 91, "NTFS")])).unwrap().0, Severity::Warning);
        for odd in [json!(null), json!({}), json!([7, null, {"used-bytes": "x"}])] {
            assert_eq!(told(odd), None);
        }
    }
}
