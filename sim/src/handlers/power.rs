//! Starting, stopping and all between.

use proxmox_api::methods as m;
use serde_json::json;

use super::guests::{guest_of, kind_of};
use super::{Row, on_node};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{Guest, GuestKind, Plan, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::POST_NODES_NODE_QEMU_VMID_STATUS_START, start),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_STATUS_STOP, stop),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_STATUS_SHUTDOWN, shutdown),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_STATUS_REBOOT, reboot),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_STATUS_RESET, reset),
    on_node(&m::POST_NODES_NODE_LXC_VMID_STATUS_START, start),
    on_node(&m::POST_NODES_NODE_LXC_VMID_STATUS_STOP, stop),
    on_node(&m::POST_NODES_NODE_LXC_VMID_STATUS_SHUTDOWN, shutdown),
    on_node(&m::POST_NODES_NODE_LXC_VMID_STATUS_REBOOT, reboot),
];

/// What a change does to a guest at the end of its task.
type Change = fn(&mut World, u32, bool) -> Result<(), String>;

fn start(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    only_root_skips_locks(call)?;
    world.need_quorum()?;
    let guest = guest_of(world, call)?;
    if guest.kind == GuestKind::Lxc && guest.running {
        return Err(Failure::internal(format!("CT {} already running", guest.vmid)));
    }
    let log: Vec<String> = guest.start_warning.iter().map(|w| format!("WARN: {w}")).collect();
    let warnings = log.len();
    let fails_early = guest.running || guest.template || guest.lock.is_some();
    let takes = world.takes(if fails_early { 0.1 } else { 1.0 });
    run(world, call, "start", takes, (log, warnings), boot)
}

fn stop(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    only_root_skips_locks(call)?;
    world.need_quorum()?;
    let guest = guest_of(world, call)?;
    if guest.kind == GuestKind::Lxc && !guest.running {
        return Err(Failure::internal(format!("CT {} not running", guest.vmid)));
    }
    let takes = world.takes(if guest.running { 0.5 } else { 0.1 });
    run(world, call, "stop", takes, no_log(), halt)
}

fn shutdown(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    only_root_skips_locks(call)?;
    world.need_quorum()?;
    let guest = guest_of(world, call)?;
    if guest.kind == GuestKind::Lxc && !guest.running {
        return Err(Failure::internal(format!("CT {} not running", guest.vmid)));
    }
    let deaf = guest.running && guest.ignores_shutdown;
    let takes = match (guest.running, deaf) {
        (false, _) => world.takes(0.1),
        (true, false) => world.takes(2.0),
        // A guest that does not react is waited for as long as was asked for.
        (true, true) => patience(call).max(world.takes(2.0)),
    };
    run(world, call, "shutdown", takes, no_log(), turn_off)
}

fn patience(call: &Call) -> std::time::Duration {
    let default = if kind_of(call) == GuestKind::Lxc { 60 } else { 180 };
    let asked = call.params.integer("timeout").and_then(|t| u64::try_from(t).ok());
    std::time::Duration::from_secs(asked.unwrap_or(default))
}

fn reboot(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    world.need_quorum()?;
    let guest = guest_of(world, call)?;
    if !guest.running {
        let text = match guest.kind {
            GuestKind::Qemu => "VM not running".to_owned(),
            GuestKind::Lxc => format!("CT {} not running", guest.vmid),
        };
        return Err(Failure::internal(text));
    }
    run(world, call, "reboot", world.takes(3.0), no_log(), restart)
}

fn reset(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    only_root_skips_locks(call)?;
    let guest = guest_of(world, call)?;
    if !guest.running {
        return Err(Failure::internal(format!("VM {} not running", guest.vmid)));
    }
    run(world, call, "reset", world.takes(0.1), no_log(), restart)
}

fn no_log() -> (Vec<String>, usize) {
    (Vec::new(), 0)
}

fn only_root_skips_locks(call: &Call) -> Result<(), Failure> {
    match call.params.flag("skiplock") && !call.caller.is_root() {
        true => Err(Failure::parameter("skiplock", "Only root may use this option.")),
        false => Ok(()),
    }
}

fn run(
    world: &mut World,
    call: &Call,
    action: &str,
    takes: std::time::Duration,
    (log, warnings): (Vec<String>, usize),
    change: Change,
) -> Result<Reply, Failure> {
    let vmid = call.params.vmid();
    let force = call.params.flag("forceStop");
    let kind = task_kind(kind_of(call), action);
    let effect = Box::new(move |world: &mut World| change(world, vmid, force));
    let plan = Plan { kind, id: vmid.to_string(), takes, log, warnings, effect };
    Ok(json!(world.start_task(&call.caller, call.params.node(), plan)).into())
}

/// The type of a task: `qmstart`, `vzstop`.
fn task_kind(kind: GuestKind, action: &str) -> &'static str {
    match (kind, action) {
        (GuestKind::Qemu, "start") => "qmstart",
        (GuestKind::Qemu, "stop") => "qmstop",
        (GuestKind::Qemu, "shutdown") => "qmshutdown",
        (GuestKind::Qemu, "reboot") => "qmreboot",
        (GuestKind::Qemu, _) => "qmreset",
        (GuestKind::Lxc, "start") => "vzstart",
        (GuestKind::Lxc, "stop") => "vzstop",
        (GuestKind::Lxc, "shutdown") => "vzshutdown",
        (GuestKind::Lxc, _) => "vzreboot",
    }
}

/// The guest that a task is about, unless it has gone since.
fn still_there(world: &mut World, vmid: u32) -> Result<&mut Guest, String> {
    world.guests.get_mut(&vmid).ok_or_else(|| format!("Configuration file for guest {vmid} does not exist"))
}

fn unlocked(guest: &Guest) -> Result<(), String> {
    match &guest.lock {
        Some(lock) => Err(format!("{} is locked ({lock})", guest.kind.noun())),
        None => Ok(()),
    }
}

fn boot(world: &mut World, vmid: u32, _: bool) -> Result<(), String> {
    let (now, pid) = (world.clock.unix(), world.last_pid);
    let guest = still_there(world, vmid)?;
    if guest.template {
        return Err(match guest.kind {
            GuestKind::Qemu => "you can't start a vm if it's a template".into(),
            GuestKind::Lxc => "you can't start a CT if it's a template".into(),
        });
    }
    unlocked(guest)?;
    if guest.running {
        return Err(format!("{} {vmid} already running", guest.kind.noun()));
    }
    if let Some(failure) = &guest.start_failure {
        return Err(failure.clone());
    }
    guest.running = true;
    guest.started = now;
    guest.pid = pid + 1;
    guest.agent.reboot();
    Ok(())
}

fn halt(world: &mut World, vmid: u32, _: bool) -> Result<(), String> {
    let guest = still_there(world, vmid)?;
    unlocked(guest)?;
    guest.running = false;
    guest.agent.reboot();
    Ok(())
}

fn turn_off(world: &mut World, vmid: u32, force: bool) -> Result<(), String> {
    let guest = still_there(world, vmid)?;
    if guest.running && guest.ignores_shutdown && !force {
        return Err(match guest.kind {
            GuestKind::Qemu => "VM quit/powerdown failed - got timeout".into(),
            GuestKind::Lxc => {
                format!("command 'lxc-stop -n {vmid} --nokill --timeout 60' failed: exit code 1")
            }
        });
    }
    halt(world, vmid, force)
}

fn restart(world: &mut World, vmid: u32, _: bool) -> Result<(), String> {
    let now = world.clock.unix();
    let guest = still_there(world, vmid)?;
    unlocked(guest)?;
    if !guest.running {
        return Err(format!("{} {vmid} not running", guest.kind.noun()));
    }
    guest.started = now;
    guest.agent.reboot();
    Ok(())
}
