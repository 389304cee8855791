//! What cloud-init is going to read in a virtual machine.

use proxmox_api::methods as m;
use serde_json::{Map, Value, json};

use super::guests::{guest_of, pending_rows};
use super::{Row, on_node};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{Guest, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_QEMU_VMID_CLOUDINIT, pending),
    on_node(&m::PUT_NODES_NODE_QEMU_VMID_CLOUDINIT, regenerate),
    on_node(&m::GET_NODES_NODE_QEMU_VMID_CLOUDINIT_DUMP, dump),
];

/// Whether an option of a guest is one of cloud-init's.
fn is_cloudinit(key: &str) -> bool {
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    let words =
        ["ciuser", "cipassword", "citype", "ciupgrade", "cicustom", "sshkeys", "nameserver", "searchdomain"];
    words.contains(&key) || stem == "ipconfig"
}

fn options(guest: &Guest) -> Map<String, Value> {
    guest.config(true).into_iter().filter(|(key, _)| is_cloudinit(key)).collect()
}

fn pending(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let waiting = guest.pending.iter().filter(|(key, _)| is_cloudinit(key));
    let waiting = waiting.map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok(json!(pending_rows(options(guest), &waiting)).into())
}

/// Writes the drive anew: what waited for a start is on it then.
fn regenerate(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let vmid = guest_of(world, call)?.vmid;
    if let Some(guest) = world.guests.get_mut(&vmid) {
        let waiting: Vec<String> = guest.pending.keys().filter(|key| is_cloudinit(key)).cloned().collect();
        for key in waiting {
            match guest.pending.remove(&key).flatten() {
                Some(value) => guest.set(&key, value),
                None => guest.unset(&key),
            }
        }
    }
    Ok(Value::Null.into())
}

fn dump(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let guest = guest_of(world, call)?;
    let option = |key: &str| guest.extra.get(key).and_then(Value::as_str);
    let text = match call.params.text("type") {
        "user" => {
            let mut text =
                format!("#cloud-config\nhostname: {0}\nmanage_etc_hosts: true\nfqdn: {0}\n", guest.name);
            if let Some(user) = option("ciuser") {
                text += &format!("user: {user}\n");
            }
            if let Some(keys) = option("sshkeys") {
                text += "ssh_authorized_keys:\n";
                let keys = crate::request::decoded(keys);
                text.extend(keys.lines().filter(|key| !key.is_empty()).map(|key| format!("  - {key}\n")));
            }
            text + "chpasswd:\n  expire: False\nusers:\n  - default\npackage_upgrade: true\n"
        }
        "network" => {
            let address = match option("ipconfig0") {
                Some(text) if text.contains("ip=dhcp") => "      - type: dhcp4\n".to_owned(),
                Some(text) => {
                    format!("      - type: static\n        address: '{}'\n", text.trim_start_matches("ip="))
                }
                None => String::new(),
            };
            let mac = guest.mac.to_lowercase();
            format!(
                "version: 1\nconfig:\n    - type: physical\n      name: eth0\n      mac_address: '{mac}'\n      subnets:\n{address}"
            )
        }
        _ => format!("instance-id: {}\n", guest.digest()),
    };
    Ok(json!(text).into())
}
