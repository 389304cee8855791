//! The guest agent: file systems, time, users, freezing.

use proxmox_api::methods as m;
use serde_json::json;

use super::agent::{answering, wrapped};
use super::{Row, on_node};
use crate::agent::System;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::World;

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_QEMU_VMID_AGENT_GET_FSINFO, file_systems),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_AGENT_GET_TIME, time),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_AGENT_GET_TIMEZONE, timezone),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_AGENT_GET_USERS, users),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_AGENT_GET_VCPUS, processors),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_AGENT_SET_USER_PASSWORD, set_password),
];

/// Share of the disk that the commands of the guest call used, in percent.
const USED: u64 = 37;

fn file_systems(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (guest, facts) = answering(world, call)?;
    let (mount, kind, name) = match guest.agent.system {
        System::Linux => ("/", "ext4", "sda1"),
        System::Windows => ("C:\\", "NTFS", "\\\\?\\Volume{5f0c9a1d-0000-0000-0000-100000000000}\\"),
    };
    wrapped(json!([{
        "mountpoint": mount, "type": kind, "name": name, "total-bytes": facts.disk, "used-bytes": facts.disk / 100 * USED,
        "disk": [{ "bus-type": "scsi", "dev": "/dev/sda", "bus": 0, "target": 0, "unit": 0, "serial": "drive-scsi0" }],
    }]))
}

fn time(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (_, facts) = answering(world, call)?;
    wrapped(json!(facts.now * 1_000_000_000))
}

fn timezone(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    answering(world, call)?;
    wrapped(json!({ "zone": "UTC", "offset": 0 }))
}

fn users(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (guest, facts) = answering(world, call)?;
    let since = facts.now.saturating_sub(facts.uptime / 2);
    wrapped(match guest.agent.system {
        System::Linux => json!([{ "user": "root", "login-time": since as f64 }]),
        System::Windows => {
            json!([{ "user": "Administrator", "domain": "WIN-DC-01", "login-time": since as f64 }])
        }
    })
}

fn processors(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (_, facts) = answering(world, call)?;
    let rows = (0..facts.cores).map(|n| json!({ "logical-id": n, "online": true, "can-offline": n > 0 }));
    wrapped(json!(rows.collect::<Vec<_>>()))
}

fn set_password(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (guest, _) = answering(world, call)?;
    let known = match guest.agent.system {
        System::Linux => "root",
        System::Windows => "Administrator",
    };
    if call.params.text("username") != known {
        return Err(Failure::internal("Agent error: child process has failed to set user password"));
    }
    wrapped(json!({}))
}
