//! The guest agent of a virtual machine.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::guests::guest_of;
use super::{Row, index, on_node, power};
use crate::agent::{AgentState, Facts, text};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{Guest, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_QEMU_VMID_AGENT, index),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_AGENT_PING, ping),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_AGENT_EXEC, exec),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_AGENT_EXEC_STATUS, exec_status),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_AGENT_FILE_READ, file_read),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_AGENT_FILE_WRITE, file_write),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_AGENT_GET_OSINFO, os_info),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_AGENT_GET_HOST_NAME, host_name),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_AGENT_NETWORK_GET_INTERFACES, interfaces),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_AGENT_INFO, info),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_AGENT_FSFREEZE_FREEZE, freeze),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_AGENT_FSFREEZE_THAW, thaw),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_AGENT_FSFREEZE_STATUS, freeze_status),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_AGENT_FSTRIM, trim),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_AGENT_SHUTDOWN, shutdown),
];

/// The guest of the call and what its programs see, if its agent answers.
pub(super) fn answering<'w>(world: &'w mut World, call: &Call) -> Result<(&'w mut Guest, Facts), Failure> {
    let now = world.clock.unix();
    guest_of(world, call)?;
    let guest = world.guests.get_mut(&call.params.vmid());
    let guest = guest.ok_or_else(|| Failure::internal("guest has gone"))?;
    if !guest.agent_configured() {
        return Err(Failure::internal("No QEMU guest agent configured"));
    }
    if !guest.running {
        return Err(Failure::internal(format!("VM {} is not running", guest.vmid)));
    }
    if guest.agent.state == AgentState::Silent {
        return Err(Failure::silent_agent());
    }
    refuse(guest, call)?;
    let usage = guest.usage(now);
    let facts = Facts {
        hostname: guest.name.clone(),
        ip: guest.ip.clone(),
        mac: guest.mac.clone(),
        cores: guest.cores,
        memory: guest.memory,
        used: usage.memory,
        disk: guest.disk,
        uptime: usage.uptime,
        now,
    };
    Ok((guest, facts))
}

/// What the agent itself refuses: nearly all while file systems are frozen, the dangerous where it is strict.
fn refuse(guest: &Guest, call: &Call) -> Result<(), Failure> {
    let command = match call.method.path.rsplit('/').next().unwrap_or_default() {
        "file-read" | "file-write" => "file-open",
        other => other,
    };
    let frozen =
        guest.agent.frozen && !matches!(command, "ping" | "info" | "fsfreeze-status" | "fsfreeze-thaw");
    let forbidden = guest.agent.strict && matches!(command, "exec" | "exec-status" | "file-open");
    let why = match (frozen, forbidden) {
        (true, _) => "the agent is in frozen state",
        (false, true) => "the command is not allowed",
        (false, false) => return Ok(()),
    };
    Err(Failure::internal(format!("Agent error: Command guest-{command} has been disabled: {why}")))
}

/// Most answers of the agent come wrapped.
pub(super) fn wrapped(result: Value) -> Result<Reply, Failure> {
    Ok(json!({ "result": result }).into())
}

fn ping(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    answering(world, call)?;
    wrapped(json!({}))
}

fn exec(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let elapsed = world.clock.elapsed();
    let (guest, facts) = answering(world, call)?;
    let input = call.params.text("input-data").as_bytes();
    let pid =
        guest.agent.exec(&facts, &call.params.list("command"), input, elapsed).map_err(Failure::internal)?;
    Ok(json!({ "pid": pid }).into())
}

fn exec_status(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let elapsed = world.clock.elapsed();
    let (guest, _) = answering(world, call)?;
    let pid = call.params.integer("pid").and_then(|p| u32::try_from(p).ok()).unwrap_or_default();
    match guest.agent.exec_status(pid, elapsed) {
        Some(status) => Ok(status.into()),
        // The text is the real one: the agent prints a format letter where the id belongs.
        None => Err(Failure::internal("Agent error: PID ld does not exist")),
    }
}

fn file_read(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (guest, facts) = answering(world, call)?;
    let path = call.params.text("file");
    let Some(content) = guest.agent.read(&facts, path) else {
        let text =
            format!("Agent error: failed to open file '{path}' (mode: 'r'): No such file or directory");
        return Err(Failure::internal(text));
    };
    let number = |name: &str| call.params.integer(name).and_then(|n| usize::try_from(n).ok());
    let rest: Vec<u8> = content.into_iter().skip(number("offset").unwrap_or_default()).collect();
    let part: Vec<u8> = rest.iter().copied().take(number("count").unwrap_or(usize::MAX)).collect();
    let mut answer = json!({ "bytes-read": part.len() });
    if let Some(map) = answer.as_object_mut() {
        if part.len() < rest.len() {
            map.insert("truncated".into(), json!(1));
        }
        map.insert("content".into(), json!(text(part)));
    }
    Ok(answer.into())
}

/// How many file systems a guest has.
const FILE_SYSTEMS: u32 = 1;

fn freeze(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (guest, _) = answering(world, call)?;
    guest.agent.frozen = true;
    wrapped(json!(FILE_SYSTEMS))
}

fn thaw(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (guest, _) = answering(world, call)?;
    let thawed = if guest.agent.frozen { FILE_SYSTEMS } else { 0 };
    guest.agent.frozen = false;
    wrapped(json!(thawed))
}

fn freeze_status(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (guest, _) = answering(world, call)?;
    wrapped(json!(if guest.agent.frozen { "frozen" } else { "thawed" }))
}

fn trim(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (guest, _) = answering(world, call)?;
    let given_back = guest.disk / 10;
    wrapped(json!({ "paths": [
        { "path": "/", "trimmed": given_back, "minimum": 0 },
        { "path": "/boot/efi", "error": "trim not supported" },
    ] }))
}

fn shutdown(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let vmid = answering(world, call)?.0.vmid;
    power::halt(world, vmid, false).map_err(Failure::internal)?;
    wrapped(Value::Null)
}

fn file_write(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (guest, _) = answering(world, call)?;
    guest.agent.write(call.params.text("file"), call.params.text("content").as_bytes().to_vec());
    Ok(Value::Null.into())
}

fn os_info(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (guest, _) = answering(world, call)?;
    wrapped(guest.agent.os_info())
}

fn host_name(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (_, facts) = answering(world, call)?;
    wrapped(json!({ "host-name": facts.hostname }))
}

fn interfaces(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let (guest, facts) = answering(world, call)?;
    let usage = guest.usage(now);
    let counters = |bytes_in: u64, bytes_out: u64| {
        json!({
            "rx-bytes": bytes_in, "rx-packets": bytes_in / 900, "rx-errs": 0, "rx-dropped": 0,
            "tx-bytes": bytes_out, "tx-packets": bytes_out / 900, "tx-errs": 0, "tx-dropped": 0,
        })
    };
    let address = |kind: &str, ip: &str, prefix: u8| json!({ "ip-address": ip, "ip-address-type": kind, "prefix": prefix });
    wrapped(json!([
        { "name": "lo", "hardware-address": "00:00:00:00:00:00", "statistics": counters(0, 0),
          "ip-addresses": [address("ipv4", "127.0.0.1", 8), address("ipv6", "::1", 128)] },
        { "name": "eth0", "hardware-address": facts.mac.to_lowercase(), "statistics": counters(usage.netin, usage.netout),
          "ip-addresses": [address("ipv4", &facts.ip, 24), address("ipv6", "fe80::be24:11ff:fe82:8acd", 64)] },
    ]))
}

fn info(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    answering(world, call)?;
    let commands = [
        "guest-ping",
        "guest-info",
        "guest-exec",
        "guest-exec-status",
        "guest-file-open",
        "guest-file-read",
        "guest-file-write",
        "guest-file-close",
        "guest-get-osinfo",
        "guest-get-host-name",
        "guest-network-get-interfaces",
    ];
    let rows: Vec<Value> = commands
        .iter()
        .map(|name| json!({ "name": name, "enabled": true, "success-response": true }))
        .collect();
    wrapped(json!({ "version": "10.0.2", "supported_commands": rows }))
}
