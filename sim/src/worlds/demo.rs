//! A believable company cluster.

use crate::auth::{Caller, Subject, User};
use crate::world::figures::fraction;
use crate::world::system::System;
use crate::world::{Disk, Node, NodeState, Storage, Task, Upid, Volume, World};
use crate::{Options, Token};

const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const DAY: u64 = 86_400;

/// Builds the cluster and its unrestricted token.
pub(super) fn build(options: &Options) -> (World, Token) {
    let mut world = World::empty(options);
    let now = world.clock.unix();
    world.cluster = Some("demo".into());
    world.local = "pve1".into();
    world.nodes = (1..=options.nodes.max(1)).map(|number| node(number, now)).collect();
    world.ceph = true;
    world.storages = storages(now, &world.nodes);
    super::demo_guests::add(&mut world, options.guests);
    world.tasks = past_tasks(now, &world);
    super::demo_affairs::add(&mut world);
    let root = User { enabled: true, email: Some("root@localhost".into()), ..User::default() };
    world.access.users.insert("root@pam".into(), root);
    let auditor = User { enabled: true, comment: Some("monitoring".into()), ..User::default() };
    world.access.users.insert("monitoring@pve".into(), auditor);
    world.access.grant("/", Subject::User("monitoring@pve".into()), "PVEAuditor", true);
    let token = super::full_token(&mut world, "root@pam", "mcp", &super::demo_secret());
    (world, token)
}

/// Models, sockets, cores of each socket, threads of each core, clock, memory.
const HARDWARE: &[(&str, u32, u32, u32, &str, u64)] = &[
    ("AMD EPYC 7543P 32-Core Processor", 1, 32, 2, "2794.750", 512),
    ("AMD EPYC 7763 64-Core Processor", 1, 64, 2, "2445.404", 1024),
    ("Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", 2, 32, 2, "2000.000", 768),
];

fn node(number: usize, now: u64) -> Node {
    let hardware = HARDWARE.get((number - 1) % HARDWARE.len()).copied();
    let (model, sockets, cores, threads, mhz, memory) =
        hardware.unwrap_or(("QEMU Virtual CPU", 1, 8, 1, "2000.000", 64));
    let own = u64::try_from(number).unwrap_or_default();
    Node {
        name: format!("pve{number}"),
        number,
        ip: format!("10.20.0.{}", 10 + number),
        state: NodeState::Online,
        booted: now - (56 * DAY + 12 * 3600) + own * 1860,
        cpus: sockets * cores * threads,
        cores: cores * sockets,
        sockets,
        model: model.into(),
        mhz: mhz.into(),
        memory: memory * GIB - 1_572_864 * 1024,
        swap: 8 * GIB - 4096,
        rootfs: 94 * GIB,
        fingerprint: fingerprint(number),
        disks: disks(number),
        load: 0.12 + 0.3 * fraction(own, 1),
        memory_use: 0.36 + 0.3 * fraction(own, 2),
        efi: true,
        system: System::new(&format!("pve{number}"), &format!("10.20.0.{}", 10 + number), now),
    }
}

/// A certificate fingerprint; the node that is served gets its real one.
fn fingerprint(number: usize) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("pve{number}").as_bytes());
    crate::server::colons(digest.as_ref())
}

fn disks(number: usize) -> Vec<Disk> {
    let serial = |slot: u32| format!("S6{number:02}NX0T{:05}", 10_000 + slot * 37);
    let wwn = |slot: u32| format!("0x5002538e{number:04x}{slot:04x}");
    let disk = |slot: u32, path: &str, kind, vendor: &str, model: &str, size, used| Disk {
        path: path.into(),
        kind,
        model: model.into(),
        vendor: vendor.into(),
        serial: serial(slot),
        wwn: wwn(slot),
        size,
        used,
        health: "PASSED",
        osd: None,
        temperature: 31 + slot * 2,
        wear: 4 + slot,
    };
    let osd = |index: usize| i64::try_from((number - 1) * 2 + index).ok();
    vec![
        disk(0, "/dev/sda", "ssd", "ATA", "SAMSUNG_MZ7L3480HCHQ-00A07", 480_103_981_056, "ZFS"),
        disk(1, "/dev/sdb", "ssd", "ATA", "SAMSUNG_MZ7L3480HCHQ-00A07", 480_103_981_056, "ZFS"),
        disk(2, "/dev/sdc", "hdd", "ATA", "ST8000NM017B-2TJ103", 8_001_563_222_016, "ZFS"),
        Disk {
            osd: osd(0),
            ..disk(3, "/dev/nvme0n1", "nvme", "unknown", "INTEL SSDPE2KX040T8", 4_000_787_030_016, "LVM")
        },
        Disk {
            osd: osd(1),
            ..disk(4, "/dev/nvme1n1", "nvme", "unknown", "INTEL SSDPE2KX040T8", 4_000_787_030_016, "LVM")
        },
    ]
}

fn storages(now: u64, nodes: &[Node]) -> Vec<Storage> {
    let storage = |name: &str, kind, content: &[&'static str], shared, total, fill| Storage {
        name: name.into(),
        kind,
        content: content.to_vec(),
        shared,
        enabled: true,
        total,
        fill,
        growth: 0,
        written: 0,
        options: Vec::new(),
        volumes: Vec::new(),
    };
    let mut local = storage("local", "dir", &["backup", "iso", "vztmpl"], false, 94 * GIB, 0.22);
    local.options =
        vec![("path".into(), "/var/lib/vz".into()), ("prune-backups".into(), "keep-all=1".into())];
    local.volumes = nodes.iter().flat_map(|node| images(&node.name, now)).collect();
    let mut zfs = storage("local-zfs", "zfspool", &["images", "rootdir"], false, 8 * TIB, 0.40);
    zfs.options = vec![("pool".into(), "rpool/data".into()), ("sparse".into(), "1".into())];
    let mut ceph = storage("ceph-prod", "rbd", &["images", "rootdir"], true, 20 * TIB, 0.64);
    ceph.options = vec![("pool".into(), "ceph-prod".into()), ("krbd".into(), "0".into())];
    let mut nfs = storage("nfs-backup", "nfs", &["backup"], true, 42 * TIB, 0.93);
    // Full in about two months.
    nfs.growth = 48 * GIB;
    nfs.options = vec![
        ("server".into(), "10.20.0.200".into()),
        ("export".into(), "/tank/backup".into()),
        ("path".into(), "/mnt/pve/nfs-backup".into()),
        ("prune-backups".into(), "keep-daily=7,keep-weekly=4".into()),
    ];
    vec![local, zfs, ceph, nfs]
}

fn images(node: &str, now: u64) -> Vec<Volume> {
    let image = |name: &str, content, format, size, days| Volume {
        name: name.into(),
        node: Some(node.into()),
        content,
        format,
        size,
        ctime: now - days * DAY,
        vmid: None,
        subtype: None,
        notes: None,
        ..Volume::default()
    };
    vec![
        image("iso/debian-12.9.0-amd64-netinst.iso", "iso", "iso", 663_748_608, 210),
        image("iso/virtio-win-0.1.266.iso", "iso", "iso", 725_422_080, 180),
        image("vztmpl/debian-12-standard_12.7-1_amd64.tar.zst", "vztmpl", "tzst", 126_515_062, 240),
    ]
}

/// Backups of the last nights, one of which failed, and a few starts.
fn past_tasks(now: u64, world: &World) -> Vec<Task> {
    let midnight = now / DAY * DAY;
    let caller = Caller::user("root@pam");
    let mut tasks = Vec::new();
    let mut pid = 0x1A20;
    for night in (0..5).rev() {
        for guest in world.guests.values().take(4) {
            let start = midnight - night * DAY - 8 * 3600 + u64::from(guest.vmid) * 60;
            let failed = night == 1 && guest.vmid == 101;
            let exit = if failed { "job errors" } else { "OK" };
            let upid = upid(&guest.node, pid, start, "vzdump", &guest.vmid.to_string());
            let log = backup_log(guest.vmid, &guest.name, guest.kind.noun(), failed);
            tasks.push(Task::past(upid, caller.clone(), log, exit, start + 312));
            pid += 31;
        }
    }
    if let Some(guest) = world.guests.values().find(|g| g.running) {
        let upid = upid(&guest.node, pid, guest.started, "qmstart", &guest.vmid.to_string());
        tasks.push(Task::past(upid, caller, Vec::new(), "OK", guest.started + 3));
    }
    tasks.sort_by_key(|t| t.upid.start);
    tasks
}

/// The id of a task that root@pam started.
pub(super) fn upid(node: &str, pid: u32, start: u64, kind: &str, id: &str) -> Upid {
    let (kind, id) = (kind.into(), id.into());
    Upid { node: node.into(), pid, pstart: u64::from(pid) * 977, start, kind, id, user: "root@pam".into() }
}

fn backup_log(vmid: u32, name: &str, noun: &str, failed: bool) -> Vec<String> {
    let mut log = vec![
        format!(
            "INFO: starting new backup job: vzdump {vmid} --storage nfs-backup --mode snapshot --compress zstd"
        ),
        format!("INFO: Starting Backup of {noun} {vmid}"),
        format!("INFO: {noun} Name: {name}"),
        "INFO: backup mode: snapshot".into(),
    ];
    if failed {
        log.push(format!("ERROR: Backup of {noun} {vmid} failed - no space left on device"));
        log.push("INFO: Backup job finished with errors".into());
    } else {
        log.push(format!("INFO: Finished Backup of {noun} {vmid} (00:05:12)"));
        log.push("INFO: Backup job finished successfully".into());
    }
    log
}
