//! Guests: lists, status, configuration, figures over time.

use std::collections::BTreeMap;

use proxmox_api::methods as m;
use serde_json::{Map, Value, json};

use super::nodes::points;
use super::{Row, here, index, on_node, snapshots};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::resources::add;
use crate::world::{Guest, GuestKind, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_QEMU, list),
    on_node(&m::GET_NODES_NODE_LXC, list),
    on_node(&m::GET_NODES_NODE_QEMU_VMID, index),
    on_node(&m::GET_NODES_NODE_LXC_VMID, index),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT, current),
    on_node(&m::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT, current),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_CONFIG, config),
    on_node(&m::GET_NODES_NODE_LXC_VMID_CONFIG, config),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_PENDING, pending),
    on_node(&m::GET_NODES_NODE_LXC_VMID_PENDING, pending),
    here(&m::GET_NODES_NODE_QEMU_VMID_RRDDATA, rrddata),
    here(&m::GET_NODES_NODE_LXC_VMID_RRDDATA, rrddata),
    on_node(&m::GET_NODES_NODE_LXC_VMID_INTERFACES, interfaces),
];

/// The kind of guest that the call's path is about.
pub(super) fn kind_of(call: &Call) -> GuestKind {
    if call.method.path.starts_with("/nodes/{node}/lxc") { GuestKind::Lxc } else { GuestKind::Qemu }
}

/// The guest of the call's path.
pub(super) fn guest_of<'w>(world: &'w World, call: &Call) -> Result<&'w Guest, Failure> {
    world.guest_on(call.params.node(), kind_of(call), call.params.vmid())
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (now, kind, node) = (world.clock.unix(), kind_of(call), call.params.node());
    let full = call.params.flag("full");
    let rows: Vec<Value> = world
        .guests
        .values()
        .filter(|g| g.kind == kind && g.node == node)
        .filter(|g| world.may(&call.caller, &format!("/vms/{}", g.vmid), "VM.Audit"))
        .map(|g| {
            let mut row = figures(g, now);
            if full && kind == GuestKind::Qemu {
                add(&mut row, json!({ "qmpstatus": g.qmp_status() }));
                add(&mut row, network_cards(g, now));
            }
            row
        })
        .collect();
    Ok(json!(rows).into())
}

/// What both the list and the status tell of a guest.
fn figures(guest: &Guest, now: u64) -> Value {
    let usage = guest.usage(now);
    let mut row = json!({
        "vmid": guest.vmid, "name": guest.name, "status": guest.status(), "cpu": usage.cpu, "cpus": guest.cores,
        "mem": usage.memory, "maxmem": guest.memory, "disk": usage.disk, "maxdisk": guest.disk,
        "netin": usage.netin, "netout": usage.netout, "uptime": usage.uptime,
    });
    if !guest.tags.is_empty() {
        add(&mut row, json!({ "tags": guest.tag_text() }));
    }
    if guest.template {
        add(&mut row, json!({ "template": 1 }));
    }
    if let Some(lock) = &guest.lock {
        add(&mut row, json!({ "lock": lock }));
    }
    if guest.running {
        add(&mut row, json!({ "pid": guest.pid }));
        add(&mut row, pressure(guest.kind));
    }
    match guest.kind {
        GuestKind::Lxc => add(
            &mut row,
            json!({
                "type": "lxc", "swap": 0, "maxswap": guest.swap,
                "diskread": usage.diskread, "diskwrite": usage.diskwrite,
            }),
        ),
        GuestKind::Qemu => add(&mut row, json!({ "memhost": usage.memory })),
    }
    if guest.extra.contains_key("serial0") {
        add(&mut row, json!({ "serial": 1 }));
    }
    row
}

/// The traffic of each network card of a running virtual machine.
fn network_cards(guest: &Guest, now: u64) -> Value {
    if !guest.running || guest.mac.is_empty() {
        return json!({});
    }
    let usage = guest.usage(now);
    let card = json!({ "netin": usage.netin, "netout": usage.netout });
    let cards: Map<String, Value> = [(format!("tap{}i0", guest.vmid), card)].into_iter().collect();
    json!({ "nics": cards })
}

/// Pressure stall figures: numbers for a virtual machine, texts for a container.
fn pressure(kind: GuestKind) -> Value {
    let all = [
        ("pressurecpusome", 0.42),
        ("pressurecpufull", 0.0),
        ("pressureiosome", 0.31),
        ("pressureiofull", 0.12),
        ("pressurememorysome", 0.0),
        ("pressurememoryfull", 0.0),
    ];
    let shown = |v: f64| if kind == GuestKind::Lxc { json!(format!("{v:.2}")) } else { json!(v) };
    Value::Object(all.into_iter().map(|(name, v)| (name.to_owned(), shown(v))).collect())
}

fn current(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let guest = guest_of(world, call)?;
    let mut row = figures(guest, now);
    let ha = match &guest.ha {
        Some(state) => json!({ "managed": 1, "state": state }),
        None => json!({ "managed": 0 }),
    };
    add(&mut row, json!({ "ha": ha }));
    if guest.kind == GuestKind::Qemu {
        add(&mut row, json!({ "qmpstatus": guest.qmp_status() }));
        if guest.agent_configured() {
            add(&mut row, json!({ "agent": 1 }));
        }
        if guest.running {
            add(&mut row, json!({ "clipboard": null }));
            add(&mut row, network_cards(guest, now));
        }
    }
    Ok(row.into())
}

fn config(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let mut config = match call.params.optional("snapshot") {
        Some(name) => snapshots::config_of(guest, name)?,
        None => guest.config(call.params.flag("current")),
    };
    config.insert("digest".into(), json!(guest.digest()));
    Ok(Value::Object(config).into())
}

fn pending(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let mut config = guest.config(true);
    config.insert("digest".into(), json!(guest.digest()));
    Ok(json!(pending_rows(config, &guest.pending)).into())
}

/// Each option with its value and what waits for a start.
pub(super) fn pending_rows(
    config: Map<String, Value>,
    pending: &BTreeMap<String, Option<Value>>,
) -> Vec<Value> {
    let new = pending
        .iter()
        .filter(|(key, _)| !config.contains_key(*key))
        .filter_map(|(key, value)| Some(json!({ "key": key, "pending": value.as_ref()? })));
    let new: Vec<Value> = new.collect();
    let known = config.into_iter().map(|(key, value)| {
        let mut row = json!({ "key": key, "value": value });
        match pending.get(&key) {
            Some(Some(value)) => add(&mut row, json!({ "pending": value })),
            Some(None) => add(&mut row, json!({ "delete": 1 })),
            None => {}
        }
        row
    });
    known.chain(new).collect()
}

fn rrddata(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let Some(guest) = world.guests.get(&call.params.vmid()) else { return Ok(json!([]).into()) };
    Ok(points(now, call, |time| {
        if !guest.running || time < guest.started || time == now / 60 * 60 {
            return None;
        }
        let (at, before) = (guest.usage(time), guest.usage(time - 1));
        let mut figures = json!({
            "cpu": at.cpu, "maxcpu": guest.cores, "mem": at.memory, "maxmem": guest.memory,
            "disk": at.disk, "maxdisk": guest.disk, "netin": at.netin - before.netin, "netout": at.netout - before.netout,
            "diskread": at.diskread - before.diskread, "diskwrite": at.diskwrite - before.diskwrite,
        });
        if guest.kind == GuestKind::Qemu {
            add(&mut figures, json!({ "memhost": at.memory }));
        }
        add(&mut figures, pressure(GuestKind::Qemu));
        figures.as_object().cloned()
    }))
}

fn interfaces(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    if !guest.running {
        return Ok(Value::Null.into());
    }
    let mac = guest.mac.to_lowercase();
    Ok(json!([
        { "name": "lo", "hwaddr": "00:00:00:00:00:00", "hardware-address": "00:00:00:00:00:00", "ip-addresses": [
            { "ip-address": "127.0.0.1", "ip-address-type": "inet", "prefix": 8 } ], "inet": "127.0.0.1/8" },
        { "name": "eth0", "hwaddr": mac, "hardware-address": mac, "ip-addresses": [
            { "ip-address": guest.ip, "ip-address-type": "inet", "prefix": 24 } ], "inet": format!("{}/24", guest.ip) },
    ])
    .into())
}
