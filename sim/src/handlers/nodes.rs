//! Nodes: their list, status, figures over time, disks and services.

use proxmox_api::methods as m;
use serde_json::{Map, Value, json};

use super::{Row, cluster, here, index, on_node};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{Disk, Node, World};

pub(super) const ROWS: &[Row] = &[
    here(&m::GET_NODES, list),
    here(&m::GET_NODES_NODE, index),
    on_node(&m::GET_NODES_NODE_VERSION, cluster::version),
    on_node(&m::GET_NODES_NODE_STATUS, status),
    here(&m::GET_NODES_NODE_RRDDATA, rrddata),
    on_node(&m::GET_NODES_NODE_DISKS_LIST, disks),
    on_node(&m::GET_NODES_NODE_DISKS_SMART, smart),
];

/// The node of the call's path. It is known: the request got through to it.
pub(super) fn node_of<'w>(world: &'w World, call: &Call) -> Result<&'w Node, Failure> {
    let name = call.params.node();
    world.node(name).ok_or_else(|| Failure::internal(format!("no such cluster node '{name}'")))
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let rows: Vec<Value> = world.nodes.iter().map(|node| world.node_row(&call.caller, node)).collect();
    Ok(json!(rows).into())
}

fn status(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let node = node_of(world, call)?;
    let (used, disk) = (node.memory_used(now), node.rootfs_used(now));
    let (release, build) = world.release.kernel();
    let boot =
        if node.efi { json!({ "mode": "efi", "secureboot": 0 }) } else { json!({ "mode": "legacy-bios" }) };
    let (_, version, repoid) = world.release.version();
    let available = node.memory - used;
    Ok(json!({
        "uptime": node.uptime(now), "cpu": node.cpu(now), "wait": 0.0012, "idle": 0,
        "loadavg": node.load_averages(now).map(|l| format!("{l:.2}")),
        "memory": { "total": node.memory, "used": used, "free": available / 10 * 7, "available": available },
        "swap": { "total": node.swap, "used": 0, "free": node.swap },
        "rootfs": { "total": node.rootfs, "used": disk, "free": node.rootfs - disk, "avail": node.rootfs - disk },
        "ksm": { "shared": 0 }, "boot-info": boot,
        "cpuinfo": {
            "model": node.model, "cpus": node.cpus, "cores": node.cores, "sockets": node.sockets, "mhz": node.mhz,
            "user_hz": 100, "hvm": "1", "vendor": "AuthenticAMD", "family": "25",
            "flags": "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht syscall nx svm aes avx2",
        },
        "current-kernel": { "sysname": "Linux", "machine": "x86_64", "release": release, "version": build },
        "kversion": format!("Linux {release} {build}"),
        "pveversion": format!("pve-manager/{version}/{repoid}"),
    })
    .into())
}

/// The points of a time series: how many, and how many seconds apart.
pub(super) fn series(call: &Call) -> (u64, u64) {
    match call.params.text("timeframe") {
        "hour" => (60, 70),
        "day" => (1800, 70),
        "week" => (10_800, 70),
        "month" => (43_200, 70),
        "year" => (604_800, 70),
        _ => (604_800, 500),
    }
}

/// A series up to now; `point` gives the figures of one time, none for a gap.
pub(super) fn points(now: u64, call: &Call, point: impl Fn(u64) -> Option<Map<String, Value>>) -> Reply {
    let (step, count) = series(call);
    let last = now / step * step;
    let rows: Vec<Value> = (0..count)
        .map(|i| last - (count - 1 - i) * step)
        .map(|time| {
            let mut row = point(time).unwrap_or_default();
            row.insert("time".into(), json!(time));
            Value::Object(row)
        })
        .collect();
    Reply::Data(json!(rows))
}

fn rrddata(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let name = call.params.node();
    // Figures of a node that was never there are not an error, just not there.
    let Some(node) = world.node(name) else { return Ok(json!([]).into()) };
    let latest = (call.params.text("timeframe") == "hour").then_some(now / 60 * 60);
    Ok(points(now, call, |time| {
        // The running minute has no figures yet, nor has the time before the last boot.
        if time < node.booted || Some(time) == latest || !node.online() {
            return None;
        }
        let (netin, netout) = node.traffic(time);
        let used = node.memory_used(time);
        let figures = json!({
            "cpu": node.cpu(time), "maxcpu": node.cpus, "iowait": 0.0011, "loadavg": node.load_averages(time)[0],
            "memtotal": node.memory, "memused": used, "memavailable": node.memory - used,
            "swaptotal": node.swap, "swapused": 0, "arcsize": 0,
            "roottotal": node.rootfs, "rootused": node.rootfs_used(time), "netin": netin, "netout": netout,
            "pressurecpusome": 1.4, "pressureiosome": 0.3, "pressureiofull": 0.2,
            "pressurememorysome": 0, "pressurememoryfull": 0,
        });
        figures.as_object().cloned()
    }))
}

fn disks(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let node = node_of(world, call)?;
    let wanted = |disk: &&Disk| match call.params.optional("type") {
        Some("unused") => disk.used.is_empty(),
        Some(_) => disk.used.is_empty() || disk.kind != "hdd",
        None => true,
    };
    let rows: Vec<Value> = node.disks.iter().filter(wanted).map(Disk::row).collect();
    Ok(json!(rows).into())
}

fn smart(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let path = call.params.text("disk");
    let node = node_of(world, call)?;
    let Some(disk) = node.disks.iter().find(|d| d.path == path) else {
        return Err(Failure::internal(format!("can't get disk info for '{path}'")));
    };
    let degrees = disk.temperature_now(now);
    if call.params.flag("healthonly") {
        return Ok(json!({ "health": disk.health }).into());
    }
    if disk.kind == "nvme" {
        return Ok(json!({ "health": disk.health, "type": "text", "text": nvme_text(disk, degrees) }).into());
    }
    Ok(json!({ "health": disk.health, "type": "ata", "attributes": attributes(disk, degrees) }).into())
}

/// What smartctl prints for an NVMe disk.
fn nvme_text(disk: &Disk, degrees: u32) -> String {
    format!(
        "\nSMART/Health Information (NVMe Log 0x02)\nCritical Warning:                   0x00\n\
         Temperature:                        {degrees} Celsius\nAvailable Spare:                    100%\n\
         Available Spare Threshold:          10%\nPercentage Used:                    {}%\n\
         Data Units Read:                    812,331,904 [415 TB]\nPower On Hours:                     18,211\n\
         Unsafe Shutdowns:                   7\nMedia and Data Integrity Errors:    0\n\
         Temperature Sensor 1:               {degrees} Celsius\n",
        disk.wear
    )
}

/// The attribute table of a SATA disk.
fn attributes(disk: &Disk, degrees: u32) -> Value {
    let row = |id: u32, name: &str, value: u32, raw: String| {
        json!({
            "id": format!("{id:>3}"), "name": name, "value": value, "normalized": value, "worst": value, "threshold": 0,
            "flags": "-O--CK", "fail": "-", "raw": raw,
        })
    };
    let reallocated = if disk.health == "PASSED" { 0 } else { 184 };
    json!([
        row(5, "Reallocated_Sector_Ct", 100, reallocated.to_string()),
        row(9, "Power_On_Hours", 96, "18211".into()),
        row(12, "Power_Cycle_Count", 99, "31".into()),
        row(177, "Wear_Leveling_Count", 100 - disk.wear, disk.wear.to_string()),
        row(194, "Temperature_Celsius", 100 - degrees, format!("{degrees} (Min/Max 19/{})", degrees + 11)),
    ])
}
