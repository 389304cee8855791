//! Changing a guest's configuration.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::guests::guest_of;
use super::{Row, disks, on_node};
use crate::auth::permission;
use crate::failure::{Failure, Pause};
use crate::rest::{Call, Reply};
use crate::world::{Guest, Plan, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::PUT_NODES_NODE_QEMU_VMID_CONFIG, change),
    on_node(&m::POST_NODES_NODE_QEMU_VMID_CONFIG, change_later),
    on_node(&m::PUT_NODES_NODE_LXC_VMID_CONFIG, change),
];

/// Parameters that say how to change, not what.
const NOT_OPTIONS: &[&str] =
    &["node", "vmid", "digest", "skiplock", "force", "revert", "delete", "background_delay"];
/// What only root@pam itself may set.
const ROOT_ONLY: &[&str] = &["args", "hookscript", "lock"];

/// What a call changes.
struct Wanted {
    set: Vec<(String, Value)>,
    delete: Vec<String>,
    /// A disk that is deleted goes with its volume, which otherwise stays as an unused one.
    force: bool,
    revert: Vec<String>,
}

fn change(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let wanted = wanted(world, call)?;
    apply(world, call.params.vmid(), wanted);
    Ok(Value::Null.into())
}

fn change_later(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let wanted = wanted(world, call)?;
    let vmid = call.params.vmid();
    let effect = Box::new(move |world: &mut World| {
        apply(world, vmid, wanted);
        Ok(())
    });
    let (takes, id) = (world.takes(0.2), vmid.to_string());
    let plan = Plan { kind: "qmconfig", id, takes, log: Vec::new(), warnings: 0, effect };
    Ok(json!(world.start_task(&call.caller, call.params.node(), plan)).into())
}

/// What the call sets, deletes and takes back, once it may.
fn wanted(world: &World, call: &Call) -> Result<Wanted, Failure> {
    let list = |name: &str| -> Vec<String> {
        let words = call.params.text(name).split([',', ';', ' ']);
        words.filter(|d| !d.is_empty()).map(str::to_owned).collect()
    };
    let (delete, revert) = (list("delete"), list("revert"));
    let names: Vec<&str> =
        call.params.iter().map(|(name, _)| name).filter(|name| !NOT_OPTIONS.contains(name)).collect();
    if names.is_empty() && delete.is_empty() && revert.is_empty() {
        return Err(Failure::internal("no options specified"));
    }
    for name in names.iter().copied().chain(delete.iter().chain(&revert).map(String::as_str)) {
        may_set(world, call, name)?;
    }
    let guest = guest_of(world, call)?;
    changeable(world, call, guest)?;
    if let Some(both) = delete.iter().find(|name| names.contains(&name.as_str())) {
        return Err(Failure::parameter(
            "delete",
            format!("duplicate property '{both}' with conflicting values"),
        ));
    }
    if let Some(key) = delete.iter().find(|key| guest.protection && guest.disk_of(key).is_some()) {
        let (noun, vmid) = (guest.kind.noun(), guest.vmid);
        return Err(Failure::internal(format!(
            "can't remove {noun} {vmid} - protection mode enabled ({key})"
        )));
    }
    let mut with_new = guest.clone();
    let set = call.params.iter().filter(|(name, _)| !NOT_OPTIONS.contains(name));
    let set: Result<Vec<(String, Value)>, Failure> = set
        .map(|(name, value)| {
            let value = disks::made(world, call, &with_new, name, stored(value))?;
            with_new.set(name, value.clone());
            Ok((name.to_owned(), value))
        })
        .collect();
    Ok(Wanted { set: set?, delete, force: call.params.flag("force"), revert })
}

/// Refuses where the configuration file cannot be written: held, changed meanwhile, locked, read-only.
pub(super) fn changeable(world: &World, call: &Call, guest: &Guest) -> Result<(), Failure> {
    if guest.held {
        let file = format!("/var/lock/{}/lock-{}.conf", guest.kind.config_dir(), guest.vmid);
        let text = format!("can't lock file '{file}' - got timeout");
        return Err(Failure { pause: Pause::FileLock, ..Failure::internal(text) });
    }
    same_digest(call, &guest.digest())?;
    if let Some(lock) = guest.lock.as_ref().filter(|_| !call.params.flag("skiplock")) {
        return Err(Failure::internal(format!("{} is locked ({lock})", guest.kind.noun())));
    }
    match world.quorate {
        true => Ok(()),
        false => Err(Failure::internal(read_only(guest, world.last_pid))),
    }
}

/// Refuses a change that was made for another state of a file.
pub(super) fn same_digest(call: &Call, digest: &str) -> Result<(), Failure> {
    match call.params.optional("digest").is_none_or(|wanted| wanted == digest) {
        true => Ok(()),
        false => Err(Failure::internal("checksum mismatch (file change by other user?)")),
    }
}

/// The text of a write without a majority, when `/etc/pve` is read-only.
pub(super) fn read_only(guest: &Guest, pid: u32) -> String {
    let (node, dir, vmid) = (&guest.node, guest.kind.config_dir(), guest.vmid);
    format!("unable to open file '/etc/pve/nodes/{node}/{dir}/{vmid}.conf.tmp.{pid}' - Permission denied")
}

/// A value as a configuration file keeps it: truth values are 1 and 0.
pub(super) fn stored(value: &Value) -> Value {
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

fn apply(world: &mut World, vmid: u32, wanted: Wanted) {
    let Some(guest) = world.guests.get_mut(&vmid) else { return };
    for name in &wanted.revert {
        guest.pending.remove(name);
    }
    for name in &wanted.delete {
        let gone = wanted.force && !guest.waits(name) && guest.remove_disk(name).is_some();
        if !gone {
            guest.take_out(name);
        }
    }
    for (name, value) in wanted.set {
        guest.change(&name, value);
    }
}
