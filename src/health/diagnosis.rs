//! One guest: why it is slow or down. What its node says of it, its configuration, its figures of the last
//! hour, its storages and its tasks.

use serde_json::{Value, json};

use super::{DAY, Limits, storages};
use crate::foreign;
use crate::pve::config::properties;
use crate::pve::findings::{Finding, Severity};
use crate::pve::guests::{Guest, GuestKind};
use crate::pve::history::{Entry, Went};
use crate::pve::quirks::Quirk;
use crate::pve::resources::{Figure, Resource};
use crate::pve::storages::Storage;
use crate::pve::trend;
use crate::table::plain;
use crate::text;

/// Average use of the processors in the last hour, 0 to 1.
const CPU: f64 = 0.9;
/// Part of the memory in use, and of a container's root disk.
const MEMORY: f64 = 0.95;
const GIB: f64 = 1_073_741_824.0;
const DISK: Limits = Limits { warning: 0.9, critical: 0.97 };
/// Pressure (PSI): part of the last hour in which something had to wait, in percent.
const PRESSURE: f64 = 10.0;
/// A guest that has run for less than this, in seconds, was started anew.
const FRESH: f64 = 900.0;
/// For how long a failed task of a guest matters.
const TASKS: u64 = 7 * DAY;

const STARTS: &[&str] = &["qmstart", "vzstart", "hastart", "qmresume"];
const STOPS: &[&str] = &["qmstop", "vzstop", "qmshutdown", "vzshutdown", "hastop", "qmsuspend"];

fn about(guest: &Guest) -> String {
    format!("guest {}", guest.vmid)
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn figure(value: &Value, key: &str) -> Option<f64> {
    Figure::of(value.get(key)).value()
}

/// What `.../status/current` says: state, lock, high availability, memory and disk right now.
pub fn state(guest: &Guest, current: &Value, tasks: &[Entry]) -> Vec<Finding> {
    let finding = |severity, code, says: String| Finding::new(severity, code, about(guest), says);
    let mut found = Vec::new();
    let (status, qmp) = (text_of(current, "status"), text_of(current, "qmpstatus"));
    let vmid = guest.vmid.number();
    match (status, qmp) {
        _ if guest.template => found.push(finding(
            Severity::Info,
            "template",
            "a template, which cannot run; clone it".to_owned(),
        )),
        ("stopped", _) => found.push(stopped(guest, tasks)),
        (_, "io-error") => found.push(
            finding(
                Severity::Critical,
                "paused-io-error",
                "paused by an I/O error: its storage is full or failed".to_owned(),
            )
            .next("proxmox_get_storage", json!({})),
        ),
        (_, "internal-error" | "guest-panicked") => found.push(
            finding(Severity::Critical, "crashed", format!("QEMU says {}", foreign::state(qmp)))
                .next("proxmox_stop", json!({"vmid": vmid, "action": "reset"})),
        ),
        (_, "paused" | "suspended" | "prelaunch") => found.push(
            finding(
                Severity::Warning,
                "paused",
                format!("{}: it does not go on by itself", foreign::state(qmp)),
            )
            .next("proxmox_power", json!({"vmid": vmid, "action": "resume"})),
        ),
        _ => {}
    }
    let uptime = figure(current, "uptime").filter(|uptime| status == "running" && *uptime < FRESH);
    found.extend(uptime.map(|uptime| {
        finding(Severity::Info, "just-started", format!("started {} ago", text::duration(uptime)))
            .measured(uptime, FRESH, "seconds")
    }));
    let lock = text_of(current, "lock");
    if !lock.is_empty() {
        let at_work = tasks.iter().find(|task| task.went == Went::Running);
        found.push(match at_work {
            Some(task) => finding(Severity::Info, "guest-locked", format!("locked ({}) by a running task {}", foreign::name(lock), foreign::name(&task.kind)))
                .next("proxmox_get_task", json!({"upid": foreign::line(&task.upid, 200)})),
            None => finding(Severity::Warning, "guest-locked", format!("locked ({}), and no task of its own runs; unless a backup of several guests holds it, an administrator can unlock it (`{} unlock {vmid}`)", foreign::name(lock), if guest.kind == GuestKind::Vm { "qm" } else { "pct" })),
        });
    }
    let ha = current.get("ha").map(|ha| text_of(ha, "state")).unwrap_or_default();
    if matches!(ha, "error" | "fence" | "recovery") {
        found.push(
            finding(
                Severity::Critical,
                "ha-error",
                format!("high availability is in state {}", foreign::state(ha)),
            )
            .read(super::cluster::HA),
        );
    }
    found.extend(room(guest, current).into_iter().filter(|_| status == "running"));
    found
}

/// A guest that does not run, and why: a start that failed, or who stopped it.
fn stopped(guest: &Guest, tasks: &[Entry]) -> Finding {
    let of = |kinds: &[&str]| {
        let matching = tasks.iter().filter(|task| kinds.contains(&task.kind.as_str()));
        matching.max_by_key(|task| task.started)
    };
    let (start, stop) = (of(STARTS), of(STOPS));
    let failed =
        start.filter(|task| task.went == Went::Failed && stop.is_none_or(|stop| stop.started < task.started));
    let finding = match (failed, stop) {
        (Some(task), _) => {
            let advice = Quirk::of(&task.exit)
                .map_or(String::new(), |quirk| format!(". {}", quirk.advice().trim_end_matches('.')));
            let says = format!("stopped; its last start failed: {}{advice}", foreign::words(&task.exit, 150));
            return Finding::new(Severity::Critical, "start-failed", about(guest), says)
                .next("proxmox_get_task", json!({"upid": foreign::line(&task.upid, 200)}));
        }
        (None, Some(task)) => {
            format!(
                "stopped by {} ({}, {})",
                foreign::name(&task.user),
                foreign::name(&task.kind),
                crate::dates::minute(task.started)
            )
        }
        (None, None) => "stopped; no task of late says by whom: perhaps from inside".to_owned(),
    };
    Finding::new(Severity::Warning, "stopped", about(guest), finding)
        .next("proxmox_power", json!({"vmid": guest.vmid.number(), "action": "start"}))
}

/// Memory, balloon and a container's root disk.
fn room(guest: &Guest, current: &Value) -> Vec<Finding> {
    let share = |used: &str, all: &str| {
        figure(current, used)
            .zip(figure(current, all))
            .filter(|(_, all)| *all > 0.0)
            .map(|(used, all)| used / all)
    };
    let container = guest.kind == GuestKind::Container;
    let mut found = Vec::new();
    if let Some(used) = share("mem", "maxmem").filter(|used| *used >= MEMORY) {
        let severity = if container { Severity::Warning } else { Severity::Info };
        let caches = if container { "" } else { ", caches of the guest included" };
        let says = format!("memory {} used{caches}", text::percent(used));
        found.push(
            Finding::new(severity, "memory-full", about(guest), says)
                .measured(used, MEMORY, "fraction")
                .next("proxmox_get_metrics", json!({"vmid": guest.vmid.number()})),
        );
    }
    if let Some(left) = share("balloon", "maxmem").filter(|left| *left < 0.9) {
        let says = format!(
            "the host took memory back (balloon): {} of its memory is left to it",
            text::percent(left)
        );
        found.push(
            Finding::new(Severity::Warning, "ballooned", about(guest), says).measured(left, 0.9, "fraction"),
        );
    }
    let disk = share("disk", "maxdisk").filter(|_| container);
    if let Some((used, (severity, limit))) = disk.and_then(|used| Some((used, DISK.judge(used)?))) {
        let says = format!("root disk {} used", text::percent(used));
        let more = figure(current, "maxdisk").map_or(1.0, |all| (all / 4.0 / GIB).ceil().max(1.0));
        let grow = json!({"vmid": guest.vmid.number(), "action": "grow", "disk": "rootfs", "size": format!("+{more}G")});
        found.push(
            Finding::new(severity, "disk-full", about(guest), says)
                .measured(used, limit, "fraction")
                .next("proxmox_disk", grow),
        );
    }
    found
}

/// The last hour (`.../rrddata`): processors, and pressure where Proxmox measures it (PVE 9).
pub fn last_hour(guest: &Guest, points: &Value, config: Option<&Value>) -> Vec<Finding> {
    let vmid = guest.vmid.number();
    let average = |key: &str| trend::average(&trend::series(points, key));
    let mut found = Vec::new();
    let (cpu, cores) = (average("cpu"), average("maxcpu"));
    if let Some(cpu) = cpu.filter(|cpu| *cpu >= CPU) {
        let says = format!(
            "processors {} busy over the last hour: it needs more cores, or does too much",
            text::percent(cpu)
        );
        found.push(
            Finding::new(Severity::Warning, "cpu-full", about(guest), says).measured(cpu, CPU, "fraction"),
        );
    }
    let limit = config.and_then(|config| figure(config, "cpulimit")).filter(|limit| *limit > 0.0);
    if let Some((used, limit)) =
        cpu.zip(cores).map(|(cpu, cores)| cpu * cores).zip(limit).filter(|(used, limit)| *used >= CPU * limit)
    {
        let says = format!("held back by its CPU limit: uses {used:.1} of {limit:.1} cores");
        found.push(
            Finding::new(Severity::Warning, "cpu-limited", about(guest), says)
                .measured(used, limit, "cores")
                .next("proxmox_configure", json!({"vmid": vmid, "delete": ["cpulimit"]})),
        );
    }
    for (key, code, what) in [
        ("pressurecpusome", "cpu-pressure", "it waits for processors of the node"),
        ("pressurememorysome", "memory-pressure", "it waits for memory: the node or its limit is short"),
        ("pressureiosome", "io-pressure", "it waits for disks: the storage is slow or busy"),
    ] {
        if let Some(share) = average(key).filter(|share| *share >= PRESSURE) {
            let says = format!("{what}, {share:.0}% of the last hour");
            found.push(
                Finding::new(Severity::Warning, code, about(guest), says)
                    .measured(share, PRESSURE, "percent"),
            );
        }
    }
    found
        .into_iter()
        .map(|finding| {
            if finding.next_tool().is_some() {
                finding
            } else {
                finding.next("proxmox_get_metrics", json!({"vmid": vmid}))
            }
        })
        .collect()
}

/// Whether a key of a configuration is a disk.
fn is_disk(key: &str) -> bool {
    let bus = key.trim_end_matches(|c: char| c.is_ascii_digit());
    matches!(bus, "scsi" | "virtio" | "sata" | "ide" | "mp" | "efidisk" | "tpmstate") && bus.len() < key.len()
        || key == "rootfs"
}

/// A disk of a configuration.
struct Disk<'c> {
    /// Its key, such as `scsi0`.
    key: &'c str,
    /// The storage that it is on; empty for a path of the node.
    storage: &'c str,
    /// Its properties, the volume first.
    options: Vec<(&'c str, &'c str)>,
}

/// The disks of a configuration, without CD drives.
fn disks(config: &Value) -> Vec<Disk<'_>> {
    let entries = config.as_object().into_iter().flatten();
    entries
        .filter(|(key, _)| is_disk(key))
        .filter_map(|(key, value)| {
            let options = properties(value.as_str()?);
            let (_, volume) = options.first().filter(|(key, _)| matches!(*key, "" | "file" | "volume"))?;
            let storage = volume.split_once(':').map_or("", |(storage, _)| storage);
            (!options.contains(&("media", "cdrom"))).then(|| Disk { key, storage, options: options.clone() })
        })
        .collect()
}

/// What the configuration (`.../config`) makes slow or unsafe.
pub fn setup(guest: &Guest, config: &Value) -> Vec<Finding> {
    let vmid = guest.vmid.number();
    let finding = |severity, code, says: String| {
        Finding::new(severity, code, about(guest), says)
            .next("proxmox_get_guest", json!({"vmid": vmid, "show": "config"}))
    };
    let mut found = Vec::new();
    for Disk { key, options, .. } in disks(config) {
        if options.contains(&("cache", "unsafe")) {
            found.push(finding(
                Severity::Warning,
                "disk-cache-unsafe",
                format!("disk {key} has cache=unsafe: a crash of the node loses data"),
            ));
        }
        let limits: Vec<&str> = options
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| key.starts_with("iops") || key.starts_with("mbps"))
            .collect();
        if !limits.is_empty() {
            found.push(finding(
                Severity::Info,
                "disk-limited",
                format!("disk {key} is held back by {}", foreign::name(&limits.join(", "))),
            ));
        }
        if key.starts_with("ide") || key.starts_with("sata") {
            found.push(finding(
                Severity::Info,
                "disk-bus-slow",
                format!("disk {key} is on an emulated bus; virtio-scsi is faster"),
            ));
        }
    }
    let cards = config.as_object().into_iter().flatten().filter(|(key, _)| key.starts_with("net"));
    for (key, value) in cards {
        let slow = ["e1000", "rtl8139", "vmxnet3"]
            .iter()
            .find(|model| value.as_str().is_some_and(|value| value.starts_with(*model)));
        if let Some(model) = slow {
            found.push(finding(
                Severity::Info,
                "network-emulated",
                format!("card {} is an emulated {model}; virtio is faster", foreign::name(key)),
            ));
        }
    }
    if guest.kind == GuestKind::Vm && !agent_is_on(config) && !guest.template {
        found.push(finding(
            Severity::Info,
            "agent-off",
            "no guest agent: addresses are unknown, backups not consistent, shutdown by ACPI only".to_owned(),
        ));
    }
    found
}

/// Whether the guest agent is turned on: `1`, `1,fstrim_cloned_disks=1` or `enabled=1`.
fn agent_is_on(config: &Value) -> bool {
    let text = config.get("agent").map(|value| plain(Some(value))).unwrap_or_default();
    let flag =
        properties(&text).into_iter().find(|(key, _)| matches!(*key, "" | "enabled")).map(|(_, flag)| flag);
    matches!(flag, Some("1" | "yes" | "on" | "true"))
}

/// The storages of a guest's disks that are full, filling up or not there.
pub fn its_storages(
    guest: &Guest,
    config: &Value,
    rows: &[Resource<'_>],
    all: &[Storage<'_>],
    now: f64,
) -> Vec<Finding> {
    let here = |storage: &&Storage<'_>| {
        storage.nodes.contains(&guest.node.as_str()) || storage.failing.contains(&guest.node.as_str())
    };
    let mut names: Vec<&str> =
        disks(config).into_iter().map(|disk| disk.storage).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let mut found = Vec::new();
    for name in names {
        match all.iter().filter(here).find(|storage| &*storage.row.storage == name) {
            Some(storage) => {
                found.extend(storages::offline(storage));
                found.extend(storages::space(storage, None, now));
            }
            None if rows.iter().any(Resource::is_storage) => found.push(
                Finding::new(
                    Severity::Warning,
                    "storage-missing",
                    format!("storage {name}"),
                    format!("not on node {}, or the API token may not see it", guest.node),
                )
                .next("proxmox_get_storage", json!({})),
            ),
            None => {}
        }
    }
    found
}

/// Tasks of the guest that failed within a week, one for each kind, the latest first. `told`: what was found
/// before; a failed start is not told twice.
pub fn failures(guest: &Guest, tasks: &[Entry], now: u64, told: &[Finding]) -> Vec<Finding> {
    let mut failed: Vec<&Entry> = tasks
        .iter()
        .filter(|task| task.went == Went::Failed && now.saturating_sub(task.started) < TASKS)
        .collect();
    failed.sort_by_key(|task| std::cmp::Reverse(task.started));
    let start_told = told.iter().any(|finding| finding.code == "start-failed");
    let mut kinds: Vec<&str> = if start_told { STARTS.to_vec() } else { Vec::new() };
    let mut found = Vec::new();
    for task in failed {
        if kinds.contains(&task.kind.as_str()) {
            continue;
        }
        kinds.push(&task.kind);
        let well = tasks
            .iter()
            .any(|other| other.kind == task.kind && other.went.is_fine() && other.started > task.started);
        let severity = if well { Severity::Info } else { Severity::Warning };
        let number =
            tasks.iter().filter(|other| other.kind == task.kind && other.went == Went::Failed).count();
        let later = if well { "; went well later" } else { "" };
        let says = format!(
            "{} failed ({}): {}{later}",
            foreign::name(&task.kind),
            crate::dates::minute(task.started),
            foreign::words(&task.exit, 100)
        );
        found.push(
            Finding::new(severity, "task-failed", about(guest), says)
                .count(number)
                .next("proxmox_get_task", json!({"upid": foreign::line(&task.upid, 200)})),
        );
    }
    found
}

#[cfg(test)]
#[path = "diagnosis_tests.rs"]
mod tests;
