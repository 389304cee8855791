//! Starting, stopping and all between.

use proxmox_api::methods as m;
use serde_json::json;

use super::guests::{guest_of, kind_of};
use super::{Row, here, index, on_node, tasks};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{Guest, GuestKind, Plan, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::POST_NODES_NODE_QEMU_VMID_STATUS_START, start),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_STATUS_STOP, stop),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_STATUS_SHUTDOWN, shutdown),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_STATUS_REBOOT, reboot),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_STATUS_RESET, reset),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_STATUS_SUSPEND, suspend),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_STATUS_RESUME, resume),
    here(&m::GET_NODES_NODE_QEMU_VMID_STATUS, index),
    here(&m::GET_NODES_NODE_LXC_VMID_STATUS, index),
    on_node(&m::POST_NODES_NODE_LXC_VMID_STATUS_SUSPEND, suspend),
    on_node(&m::POST_NODES_NODE_LXC_VMID_STATUS_RESUME, resume),
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
    let fails_early = guest.running || guest.template || (guest.lock.is_some() && !guest.is_hibernated());
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
        return Err(not_running(guest));
    }
    run(world, call, "reboot", world.takes(3.0), no_log(), restart)
}

fn not_running(guest: &Guest) -> Failure {
    Failure::internal(match guest.kind {
        GuestKind::Qemu => "VM not running".to_owned(),
        GuestKind::Lxc => format!("CT {} not running", guest.vmid),
    })
}

fn reset(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    only_root_skips_locks(call)?;
    let guest = guest_of(world, call)?;
    if !guest.running {
        return Err(Failure::internal(format!("VM {} not running", guest.vmid)));
    }
    run(world, call, "reset", world.takes(0.1), no_log(), press_reset)
}

/// Stops the processors, or writes the memory to disk and turns the machine off.
fn suspend(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    only_root_skips_locks(call)?;
    let guest = guest_of(world, call)?;
    let to_disk = call.params.flag("todisk");
    if to_disk {
        let path = format!("/vms/{}", guest.vmid);
        permission::require(world, &call.caller, &path, &["VM.Config.Disk"])?;
    } else if call.params.has("statestorage") {
        return Err(Failure::parameter("statestorage", "missing property - 'todisk'"));
    }
    if !guest.running {
        return Err(not_running(guest));
    }
    if to_disk {
        return run(world, call, "hibernate", world.takes(3.0), no_log(), hibernate);
    }
    run(world, call, "pause", world.takes(0.2), no_log(), pause)
}

fn resume(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    only_root_skips_locks(call)?;
    let guest = guest_of(world, call)?;
    if guest.is_hibernated() {
        return run(world, call, "resume", world.takes(1.5), no_log(), boot);
    }
    if !guest.running {
        return Err(not_running(guest));
    }
    run(world, call, "resume", world.takes(0.2), no_log(), unpause)
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
    let managed = world.guests.get(&vmid).is_some_and(|g| g.ha.is_some());
    if managed && let Some((kind, state)) = order(action) {
        // HA is asked, and its task is over when it has taken the order.
        let effect = Box::new(move |world: &mut World| {
            still_there(world, vmid)?;
            world.ask_ha(vmid, state);
            Ok(())
        });
        let log = vec![format!("Requesting HA {action} for {} {vmid}", kind_of(call).noun())];
        return tasks::on_guest(world, call, kind, 0.2, log, effect);
    }
    let force = call.params.flag("forceStop");
    let kind = task_kind(kind_of(call), action);
    let effect = Box::new(move |world: &mut World| change(world, vmid, force));
    let plan = Plan { kind, id: vmid.to_string(), takes, log, warnings, effect };
    Ok(json!(world.start_task(&call.caller, call.params.node(), plan)).into())
}

/// What HA is asked for in place of an action: the type of the task and the state.
fn order(action: &str) -> Option<(&'static str, &'static str)> {
    match action {
        "start" => Some(("hastart", "started")),
        "stop" => Some(("hastop", "stopped")),
        "shutdown" => Some(("hashutdown", "stopped")),
        _ => None,
    }
}

/// The type of a task: `qmstart`, `vzstop`.
fn task_kind(kind: GuestKind, action: &str) -> &'static str {
    match (kind, action) {
        (GuestKind::Qemu, "start") => "qmstart",
        (GuestKind::Qemu, "stop") => "qmstop",
        (GuestKind::Qemu, "shutdown") => "qmshutdown",
        (GuestKind::Qemu, "reboot") => "qmreboot",
        (GuestKind::Qemu, "pause") => "qmpause",
        (GuestKind::Qemu, "hibernate") => "qmsuspend",
        (GuestKind::Qemu, "resume") => "qmresume",
        (GuestKind::Qemu, _) => "qmreset",
        (GuestKind::Lxc, "pause") => "vzsuspend",
        (GuestKind::Lxc, "resume") => "vzresume",
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
    if guest.is_hibernated() {
        guest.lock = None;
    }
    unlocked(guest)?;
    if guest.running {
        return Err(format!("{} {vmid} already running", guest.kind.noun()));
    }
    if let Some(failure) = &guest.start_failure {
        return Err(failure.clone());
    }
    guest.apply_pending();
    guest.running = true;
    guest.started = now;
    guest.pid = pid + 1;
    guest.agent.reboot();
    Ok(())
}

pub(super) fn halt(world: &mut World, vmid: u32, _: bool) -> Result<(), String> {
    let guest = still_there(world, vmid)?;
    unlocked(guest)?;
    (guest.running, guest.paused) = (false, false);
    guest.apply_pending();
    guest.agent.reboot();
    Ok(())
}

fn hibernate(world: &mut World, vmid: u32, _: bool) -> Result<(), String> {
    let guest = still_there(world, vmid)?;
    unlocked(guest)?;
    (guest.running, guest.paused) = (false, false);
    guest.lock = Some("suspended".into());
    Ok(())
}

fn pause(world: &mut World, vmid: u32, _: bool) -> Result<(), String> {
    let guest = still_there(world, vmid)?;
    unlocked(guest)?;
    guest.paused = true;
    Ok(())
}

fn unpause(world: &mut World, vmid: u32, _: bool) -> Result<(), String> {
    still_there(world, vmid)?.paused = false;
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

/// Starts the processors anew; the machine itself stays as it was made.
fn press_reset(world: &mut World, vmid: u32, _: bool) -> Result<(), String> {
    let guest = still_there(world, vmid)?;
    unlocked(guest)?;
    if !guest.running {
        return Err(format!("{} {vmid} not running", guest.kind.noun()));
    }
    guest.paused = false;
    guest.agent.reboot();
    Ok(())
}

/// Shuts down and starts: what waited for that happens.
fn restart(world: &mut World, vmid: u32, _: bool) -> Result<(), String> {
    let now = world.clock.unix();
    let guest = still_there(world, vmid)?;
    unlocked(guest)?;
    if !guest.running {
        return Err(format!("{} {vmid} not running", guest.kind.noun()));
    }
    (guest.started, guest.paused) = (now, false);
    guest.apply_pending();
    guest.agent.reboot();
    Ok(())
}
