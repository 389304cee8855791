//! The machine of a node: disks, devices, power, and all its guests at once.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::nodes::node_of;
use super::{Row, here, index, migrate, on_node, tasks};
use crate::auth::permission;
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::{GuestKind, Plan, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_DISKS_LVM, lvm),
    on_node(&m::GET_NODES_NODE_DISKS_LVMTHIN, lvmthin),
    on_node(&m::GET_NODES_NODE_DISKS_DIRECTORY, directories),
    on_node(&m::GET_NODES_NODE_DISKS_ZFS, zfs),
    on_node(&m::GET_NODES_NODE_DISKS_ZFS_NAME, pool),
    on_node(&m::GET_NODES_NODE_HARDWARE_PCI, pci),
    on_node(&m::GET_NODES_NODE_HARDWARE_USB, usb),
    on_node(&m::GET_NODES_NODE_NETSTAT, netstat),
    on_node(&m::GET_NODES_NODE_REPORT, report),
    on_node(&m::POST_NODES_NODE_STATUS, power),
    here(&m::POST_NODES_NODE_WAKEONLAN, wake),
    on_node(&m::POST_NODES_NODE_STARTALL, start_all),
    on_node(&m::POST_NODES_NODE_STOPALL, stop_all),
    on_node(&m::POST_NODES_NODE_SUSPENDALL, suspend_all),
    on_node(&m::POST_NODES_NODE_MIGRATEALL, migrate_all),
    here(&m::GET_CLUSTER_BULK_ACTION, index),
    here(&m::GET_CLUSTER_BULK_ACTION_GUEST, index),
    here(&m::POST_CLUSTER_BULK_ACTION_GUEST_START, start_all),
    here(&m::POST_CLUSTER_BULK_ACTION_GUEST_SHUTDOWN, stop_all),
    here(&m::POST_CLUSTER_BULK_ACTION_GUEST_SUSPEND, suspend_all),
    here(&m::POST_CLUSTER_BULK_ACTION_GUEST_MIGRATE, migrate_all),
    here(&m::GET_NODES_NODE_DISKS, index),
    here(&m::GET_NODES_NODE_CAPABILITIES, index),
    here(&m::GET_NODES_NODE_CAPABILITIES_QEMU, index),
];

fn lvm(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let node = node_of(world, call)?;
    let groups: Vec<Value> = node
        .disks
        .iter()
        .filter(|d| d.used == "LVM")
        .enumerate()
        .map(|(n, disk)| {
            json!({
                "name": format!("ceph-{n}"), "size": disk.size, "free": 0, "leaf": 0, "lvcount": 1,
                "children": [{ "name": disk.path, "size": disk.size, "free": 0, "leaf": 1 }],
            })
        })
        .collect();
    Ok(json!({ "leaf": 0, "children": groups }).into())
}

/// Only what a storage of the type is on.
fn lvmthin(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (now, node) = (world.clock.unix(), call.params.node());
    let rows: Vec<Value> = world.storages.iter().filter(|s| s.kind == "lvmthin").map(|s| {
        json!({
            "lv": "data", "vg": s.name, "lv_size": s.total, "used": s.used(node, now), "metadata_size": 1_u64 << 30,
            "metadata_used": 1_u64 << 27,
        })
    }).collect();
    Ok(json!(rows).into())
}

/// Pools of ZFS: name, size and use in bytes, health. The second one is what a bad disk is in.
fn pools(world: &World, call: &Call) -> Result<Vec<(&'static str, u64, u64, &'static str)>, Failure> {
    let (now, name) = (world.clock.unix(), call.params.node());
    let node = node_of(world, call)?;
    let mut all = Vec::new();
    if let Some(storage) = world.storages.iter().find(|s| s.kind == "zfspool") {
        all.push(("rpool", storage.total, storage.used(name, now), "ONLINE"));
    }
    if let Some(disk) = node.disks.iter().find(|d| d.kind == "hdd" && d.used == "ZFS") {
        let health = if disk.health == "PASSED" { "ONLINE" } else { "DEGRADED" };
        all.push(("tank", disk.size, disk.size / 10 * 3, health));
    }
    Ok(all)
}

/// No disk is mounted as a directory.
fn directories(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    node_of(world, call)?;
    Ok(json!([]).into())
}

fn zfs(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let rows: Vec<Value> = pools(world, call)?.into_iter().map(|(name, size, alloc, health)| {
        json!({ "name": name, "size": size, "alloc": alloc, "free": size - alloc, "frag": 11, "dedup": 1.0, "health": health })
    }).collect();
    Ok(json!(rows).into())
}

fn pool(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let wanted = call.params.text("name");
    let found = pools(world, call)?.into_iter().find(|(name, ..)| *name == wanted);
    let missing =
        || Failure::internal(format!("command '/sbin/zpool status -P {wanted}' failed: exit code 1"));
    let (name, _, _, health) = found.ok_or_else(missing)?;
    let node = node_of(world, call)?;
    let kind = if name == "rpool" { "ssd" } else { "hdd" };
    let disks: Vec<Value> = node.disks.iter().filter(|d| d.kind == kind).map(|disk| {
        let bad = disk.health != "PASSED";
        json!({
            "name": disk.path, "state": if bad { "DEGRADED" } else { "ONLINE" }, "read": if bad { 8 } else { 0 },
            "write": 0, "cksum": if bad { 3 } else { 0 }, "leaf": 1, "msg": if bad { "too many errors" } else { "" },
        })
    }).collect();
    Ok(json!({
        "name": name, "state": health, "errors": "No known data errors",
        "scan": "scrub repaired 0B in 00:42:11 with 0 errors on Sun Nov  8 01:06:12 2026",
        "children": [{ "name": name, "state": health, "msg": "", "leaf": 0, "children": disks }],
    })
    .into())
}

fn pci(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    node_of(world, call)?;
    let row = |id: &str, class: &str, vendor: (&str, &str), device: (&str, &str), group: i32| {
        json!({
            "id": id, "class": class, "vendor": vendor.0, "vendor_name": vendor.1, "device": device.0,
            "device_name": device.1, "iommugroup": group,
        })
    };
    let intel = ("0x8086", "Intel Corporation");
    Ok(json!([
        row("0000:01:00.0", "0x010802", intel, ("0x0a54", "NVMe Datacenter SSD"), 14),
        row("0000:41:00.0", "0x020000", intel, ("0x1572", "Ethernet Controller X710 for 10GbE SFP+"), 31),
        row(
            "0000:81:00.0",
            "0x030200",
            ("0x10de", "NVIDIA Corporation"),
            ("0x20b7", "GA100GL [A30 PCIe]"),
            52
        ),
    ])
    .into())
}

fn usb(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    node_of(world, call)?;
    Ok(json!([{
        "busnum": 1, "devnum": 2, "port": 1, "level": 1, "class": 0, "speed": "480", "usbpath": "1", "vendid": "046b",
        "prodid": "ff01", "manufacturer": "American Megatrends Inc.", "product": "Virtual Hub",
    }])
    .into())
}

fn netstat(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let now = world.clock.unix();
    let rows: Vec<Value> = world.guests.values().filter(|g| g.node == call.params.node() && g.running).map(|g| {
        let usage = g.usage(now);
        json!({ "vmid": g.vmid.to_string(), "dev": "net0", "in": usage.netin.to_string(), "out": usage.netout.to_string() })
    }).collect();
    Ok(json!(rows).into())
}

fn report(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (now, (_, version, _)) = (world.clock.unix(), world.release.version());
    let node = node_of(world, call)?;
    let hours = node.uptime(now) / 3600;
    let text = format!(
        "==== general system info ====\n\n# hostname\n{0}\n\n# pveversion --verbose\npve-manager: {version}\n\n# uptime\nup {hours} hours\n\n\
         ==== info about storage ====\n\n# cat /etc/pve/storage.cfg\n{1}\n\n==== info about network ====\n\n# cat /etc/hosts\n{2}",
        node.name,
        world.storages.iter().map(|s| format!("{}: {}", s.kind, s.name)).collect::<Vec<_>>().join("\n"),
        node.system.hosts
    );
    Ok(json!(text).into())
}

/// A node that shuts down takes its guests along; one that reboots brings back those that ran.
fn power(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (name, now) = (call.params.node().to_owned(), world.clock.unix());
    let reboots = call.params.text("command") == "reboot";
    for guest in world.guests.values_mut().filter(|g| g.node == name && g.running) {
        (guest.running, guest.started, guest.paused) = (reboots, now, false);
        guest.apply_pending();
        guest.agent.reboot();
    }
    if reboots {
        if let Some(node) = world.nodes.iter_mut().find(|n| n.name == name) {
            node.booted = now;
        }
    } else {
        world.set_online(&name, false);
    }
    Ok(Value::Null.into())
}

fn wake(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (name, now) = (call.params.node().to_owned(), world.clock.unix());
    let node = world.nodes.iter_mut().find(|n| n.name == name);
    let node = node.ok_or_else(|| Failure::internal(format!("no such cluster node '{name}'")))?;
    let text = node.system.options.get("wakeonlan").and_then(Value::as_str).map(str::to_owned);
    let missing = || Failure::internal(format!("No wake on LAN MAC address defined for '{name}'!"));
    let mac = text.ok_or_else(missing)?;
    if !node.online() {
        node.booted = now;
    }
    world.set_online(&name, true);
    Ok(json!(mac.split(',').next().unwrap_or_default().trim_start_matches("mac=")).into())
}

/// The guests of the node that the call is about, once the caller may do this to each.
fn guests(world: &World, call: &Call, privilege: &str) -> Result<Vec<u32>, Failure> {
    let words = call.params.text("vms").split([',', ';', ' ']).map(str::to_owned);
    let listed: Vec<u32> = words.chain(call.params.list("vms")).filter_map(|id| id.parse().ok()).collect();
    // A call about the whole cluster names no node.
    let node = call.params.optional("node");
    let here = world.guests.values().filter(|g| node.is_none_or(|node| g.node == node) && !g.template);
    let here = here.map(|g| g.vmid).filter(|id| listed.is_empty() || listed.contains(id));
    let all = listed.is_empty();
    if all {
        permission::require(world, &call.caller, "/", &[privilege])?;
    }
    for vmid in &listed {
        if !world.may(&call.caller, "/", privilege) {
            permission::require(world, &call.caller, &format!("/vms/{vmid}"), &[privilege])?;
        }
    }
    Ok(here.collect())
}

/// Something that happens to each of some guests, in a task.
fn each(
    world: &mut World,
    call: &Call,
    kind: &'static str,
    vmids: Vec<u32>,
    change: impl Fn(&mut World, u32) -> Result<(), String> + Send + 'static,
) -> Result<Reply, Failure> {
    let log = vmids.iter().map(|vmid| format!("{kind}: guest {vmid}")).collect();
    let effect = Box::new(move |world: &mut World| {
        let failed = vmids.iter().filter(|vmid| change(world, **vmid).is_err()).count();
        if failed == 0 { Ok(()) } else { Err("some guests failed".to_owned()) }
    });
    if call.params.has("node") {
        return tasks::on_node_itself(world, call, (kind, String::new()), 3.0, log, effect);
    }
    let (takes, local) = (world.takes(3.0), world.local.clone());
    let kind = match kind {
        "startall" => "bulkstart",
        "stopall" => "bulkshutdown",
        "suspendall" => "bulksuspend",
        _ => "bulkmigrate",
    };
    let plan = Plan { kind, id: String::new(), takes, log, warnings: 0, effect };
    Ok(json!(world.start_task(&call.caller, &local, plan)).into())
}

fn start_all(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    // The list of a call about the whole cluster is what is meant, not what starts at boot.
    let force = call.params.flag("force") || !call.params.has("node");
    let vmids = guests(world, call, "VM.PowerMgmt")?;
    let at_boot = |id: &u32| {
        world.guests.get(id).is_some_and(|g| force || g.extra.get("onboot").is_some_and(|v| *v == json!(1)))
    };
    let vmids = vmids.into_iter().filter(at_boot).collect();
    each(world, call, "startall", vmids, |world, vmid| {
        let now = world.clock.unix();
        let guest = world.guests.get_mut(&vmid).ok_or("guest has gone")?;
        if guest.lock.is_some() || guest.start_failure.is_some() {
            return Err("cannot start".into());
        }
        if !guest.running {
            guest.apply_pending();
            (guest.running, guest.started) = (true, now);
        }
        Ok(())
    })
}

fn stop_all(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let force = !call.params.has("force-stop") || call.params.flag("force-stop");
    let vmids = guests(world, call, "VM.PowerMgmt")?;
    each(world, call, "stopall", vmids, move |world, vmid| {
        let guest = world.guests.get_mut(&vmid).ok_or("guest has gone")?;
        if guest.lock.is_some() || (guest.ignores_shutdown && !force) {
            return Err("cannot stop".into());
        }
        (guest.running, guest.paused) = (false, false);
        guest.apply_pending();
        Ok(())
    })
}

fn suspend_all(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let vmids = guests(world, call, "VM.PowerMgmt")?;
    each(world, call, "suspendall", vmids, |world, vmid| {
        let guest = world.guests.get_mut(&vmid).ok_or("guest has gone")?;
        if guest.kind == GuestKind::Qemu && guest.running {
            (guest.running, guest.lock) = (false, Some("suspended".into()));
        }
        Ok(())
    })
}

fn migrate_all(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let target = call.params.text("target").to_owned();
    if call.params.optional("node") == Some(&target) {
        return Err(Failure::parameter("target", "target is local node."));
    }
    if world.node(&target).is_none_or(|n| !n.online()) {
        return Err(Failure::internal(format!("target node '{target}' is offline")));
    }
    let vmids = guests(world, call, "VM.Migrate")?;
    let with_disks = call.params.flag("with-local-disks");
    each(world, call, "migrateall", vmids, move |world, vmid| {
        let guest = world.guests.get(&vmid).ok_or("guest has gone")?;
        let shared = |name: &str| world.storages.iter().any(|s| s.name == name && s.shared);
        let local = guest.disks().iter().any(|d| !shared(&d.storage));
        if guest.lock.is_some() || (guest.running && local && !with_disks && guest.kind == GuestKind::Qemu) {
            return Err("cannot move".into());
        }
        if guest.node == target {
            return Ok(());
        }
        migrate::arrive(world, vmid, target.clone(), &Vec::new())
    })
}
