//! Changing a guest's configuration.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::guests::guest_of;
use super::{Row, on_node};
use crate::agent::Agent;
use crate::auth::permission;
use crate::failure::{Failure, Pause};
use crate::rest::{Call, Reply};
use crate::world::{Guest, GuestKind, Plan, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::PUT_NODES_NODE_QEMU_VMID_CONFIG, change),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_CONFIG, change_later),
    on_node(&m::PUT_NODES_NODE_LXC_VMID_CONFIG, change),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_FIREWALL_OPTIONS, firewall),
    on_node(&m::GET_NODES_NODE_LXC_VMID_FIREWALL_OPTIONS, firewall),
];

/// Parameters that say how to change, not what.
const NOT_OPTIONS: &[&str] =
    &["node", "vmid", "digest", "skiplock", "force", "revert", "delete", "background_delay"];
/// What only root@pam itself may set.
const ROOT_ONLY: &[&str] = &["args", "hookscript", "lock"];

/// An empty firewall configuration, which has the digest of nothing.
fn firewall(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    guest_of(world, call)?;
    Ok(json!({ "digest": "da39a3ee5e6b4b0d3255bfef95601890afd80709" }).into())
}

fn change(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (set, delete) = wanted(world, call)?;
    apply(world, call.params.vmid(), set, &delete);
    Ok(Value::Null.into())
}

fn change_later(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (set, delete) = wanted(world, call)?;
    let vmid = call.params.vmid();
    let effect = Box::new(move |world: &mut World| {
        apply(world, vmid, set, &delete);
        Ok(())
    });
    let (takes, id) = (world.takes(0.2), vmid.to_string());
    let plan = Plan { kind: "qmconfig", id, takes, log: Vec::new(), warnings: 0, effect };
    Ok(json!(world.start_task(&call.caller, call.params.node(), plan)).into())
}

type Options = Vec<(String, Value)>;

/// What the call sets and deletes, once it may.
fn wanted(world: &World, call: &Call) -> Result<(Options, Vec<String>), Failure> {
    let set: Options = call
        .params
        .iter()
        .filter(|(name, _)| !NOT_OPTIONS.contains(name))
        .map(|(name, value)| (name.to_owned(), stored(value)))
        .collect();
    let delete: Vec<String> = call
        .params
        .text("delete")
        .split([',', ';', ' '])
        .filter(|d| !d.is_empty())
        .map(str::to_owned)
        .collect();
    if set.is_empty() && delete.is_empty() {
        return Err(Failure::internal("no options specified"));
    }
    for name in set.iter().map(|(name, _)| name).chain(&delete) {
        may_set(world, call, name)?;
    }
    let guest = guest_of(world, call)?;
    if guest.held {
        let file = format!("/var/lock/{}/lock-{}.conf", guest.kind.config_dir(), guest.vmid);
        let text = format!("can't lock file '{file}' - got timeout");
        return Err(Failure { pause: Pause::FileLock, ..Failure::internal(text) });
    }
    if call.params.optional("digest").is_some_and(|digest| digest != guest.digest()) {
        return Err(Failure::internal("checksum mismatch (file change by other user?)"));
    }
    if let Some(lock) = guest.lock.as_ref().filter(|_| !call.params.flag("skiplock")) {
        return Err(Failure::internal(format!("{} is locked ({lock})", guest.kind.noun())));
    }
    if !world.quorate {
        return Err(Failure::internal(read_only(guest, world.last_pid)));
    }
    Ok((set, delete))
}

/// The text of a write without a majority, when `/etc/pve` is read-only.
pub(super) fn read_only(guest: &Guest, pid: u32) -> String {
    let (node, dir, vmid) = (&guest.node, guest.kind.config_dir(), guest.vmid);
    format!("unable to open file '/etc/pve/nodes/{node}/{dir}/{vmid}.conf.tmp.{pid}' - Permission denied")
}

/// A value as a configuration file keeps it: truth values are 1 and 0.
fn stored(value: &Value) -> Value {
    match value {
        Value::Bool(b) => json!(u8::from(*b)),
        other => other.clone(),
    }
}

/// Each option has its privilege.
fn may_set(world: &World, call: &Call, name: &str) -> Result<(), Failure> {
    if ROOT_ONLY.contains(&name) && !call.caller.is_root() {
        return Err(Failure::internal(format!("only root can set '{name}' config")));
    }
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let privilege = match stem {
        "memory" | "balloon" | "shares" | "swap" => "VM.Config.Memory",
        "cores" | "sockets" | "cpu" | "cpulimit" | "cpuunits" | "numa" | "vcpus" | "affinity" => {
            "VM.Config.CPU"
        }
        "net" | "ipconfig" | "nameserver" | "searchdomain" | "hostname" => "VM.Config.Network",
        "scsi" | "virtio" | "sata" | "ide" | "efidisk" | "tpmstate" | "unused" | "rootfs" | "mp" => {
            "VM.Config.Disk"
        }
        "cdrom" => "VM.Config.CDROM",
        "ciuser" | "cipassword" | "cicustom" | "sshkeys" | "citype" | "ciupgrade" => "VM.Config.Cloudinit",
        "vga" | "machine" | "bios" | "serial" | "usb" | "hostpci" | "scsihw" | "kvm" | "rng" | "watchdog" => {
            "VM.Config.HWType"
        }
        _ => "VM.Config.Options",
    };
    permission::require(world, &call.caller, &format!("/vms/{}", call.params.vmid()), &[privilege])
}

fn apply(world: &mut World, vmid: u32, set: Options, delete: &[String]) {
    let Some(guest) = world.guests.get_mut(&vmid) else { return };
    for name in delete {
        remove(guest, name);
    }
    for (name, value) in set {
        put(guest, &name, value);
    }
}

fn remove(guest: &mut Guest, name: &str) {
    match name {
        "tags" => guest.tags.clear(),
        "protection" => guest.protection = false,
        "lock" => guest.lock = None,
        "agent" => guest.agent = Agent::default(),
        "cores" => guest.cores = 1,
        _ => {}
    }
    guest.extra.remove(name);
}

/// Sets an option of a guest's configuration.
pub(super) fn put(guest: &mut Guest, name: &str, value: Value) {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let number = text.split(['=', ',']).find_map(|part| part.parse::<u64>().ok());
    match (name, number) {
        ("name" | "hostname", _) => guest.name = text,
        ("ostype", _) => guest.ostype = text,
        ("memory", Some(mib)) => guest.memory = mib << 20,
        ("swap", Some(mib)) if guest.kind == GuestKind::Lxc => guest.swap = mib << 20,
        ("cores", Some(cores)) => {
            guest.cores = u32::try_from(cores).unwrap_or(1);
            if guest.kind == GuestKind::Lxc {
                guest.extra.insert(name.into(), value);
            }
        }
        ("tags", _) => {
            guest.tags =
                text.split([';', ',', ' ']).filter(|t| !t.is_empty()).map(str::to_lowercase).collect();
            guest.tags.sort_unstable();
            guest.tags.dedup();
        }
        ("protection", _) => guest.protection = text == "1",
        ("lock", _) => guest.lock = Some(text),
        ("agent", Some(0)) => guest.agent = Agent::default(),
        // An agent that was not there before needs an installation in the guest to answer.
        ("agent", _) if !guest.agent_configured() => guest.agent = Agent::silent(),
        ("agent", _) => {}
        ("net0", _) => {
            if let Some(mac) = text.split([',', '=']).find(|part| part.len() == 17 && part.contains(':')) {
                guest.mac = mac.to_owned();
            }
            guest.extra.insert(name.into(), json!(text));
        }
        _ => {
            guest.extra.insert(name.into(), value);
        }
    }
}
