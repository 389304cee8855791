//! What goes on in the demo cluster beside its guests: rules, jobs, and a few things that want
//! somebody's attention.

use serde_json::{Map, Value, json};

use crate::auth::Caller;
use crate::world::firewall::{Alias, Firewall, Group, IpSet, rule};
use crate::world::{Replication, Snapshot, Task, World};

const DAY: u64 = 86_400;

/// Notes as people write them, with characters that want care when they are shown.
const NOTES: &str = "# prod-web-01\n\n**Owner:** Zo\u{eb} M\u{fc}ller <web@example.com>  \n*On call:* `+43 1 234 567`\n\n\
    - TLS ends here \u{2192} nginx \u{2713}\n- [runbook](https://wiki.example.com/web?x=1&y=2)\n- <script>alert('not run')</script>\n\
    | port | what |\n|---|---|\n| 443 | https |\n";

/// Adds all of it. What is about a guest or a node that is not there is left out.
pub(super) fn add(world: &mut World) {
    let now = world.clock.unix();
    notes(world);
    snapshots(world, now);
    systems(world);
    jobs(world);
    replication(world, now);
    firewall(world);
    networks(world);
    entries(world);
    failures(world, now);
    world.access.groups.insert("admins".into(), ["monitoring@pve".to_owned()].into());
    world.access.group_comments.insert("admins".into(), "who looks after the cluster".into());
}

fn notes(world: &mut World) {
    let texts = [
        (101, NOTES),
        (104, "Grafana and Prometheus"),
        (111, "Do NOT update. Ask accounting first!\n\n'quotes' \"and\" %percent%"),
    ];
    for (vmid, text) in texts {
        if let Some(guest) = world.guests.get_mut(&vmid) {
            guest.extra.insert("description".into(), json!(text));
        }
    }
}

/// Where notifications go, as Proxmox VE comes with it; a mapped device and a metric server.
fn entries(world: &mut World) {
    let all = [
        (
            "/cluster/notifications/endpoints/sendmail",
            "mail-to-root",
            json!({ "mailto-user": ["root@pam"], "comment": "Send mails to root@pam's email address", "origin": "builtin" }),
        ),
        (
            "/cluster/notifications/matchers",
            "default-matcher",
            json!({ "mode": "all", "target": ["mail-to-root"], "comment": "Route all notifications to mail-to-root", "origin": "builtin" }),
        ),
        (
            "/cluster/mapping/usb",
            "licence-dongle",
            json!({ "map": ["node=pve1,id=0529:0001"], "description": "for the accounting VM" }),
        ),
        (
            "/cluster/metrics/server",
            "influx",
            json!({ "type": "influxdb", "server": "10.20.0.40", "port": 8089, "disable": 0 }),
        ),
    ];
    for (list, name, values) in all {
        let values = values.as_object().cloned().unwrap_or_default();
        world.entries.entry(list).or_default().insert(name.to_owned(), values);
    }
}

/// Snapshots that were forgotten, some of them long ago.
fn snapshots(world: &mut World, now: u64) {
    let kept = [
        (105, "before-patch", "monthly updates", 95, true),
        (110, "pre-migration", "", 412, false),
        (110, "weekly", "by hand", 3, false),
    ];
    for (vmid, name, description, days, with_memory) in kept {
        let Some(guest) = world.guests.get_mut(&vmid) else { continue };
        let (parent, config) = (guest.parent().map(str::to_owned), guest.config(true));
        let (name, description) = (name.to_owned(), description.to_owned());
        let time = now - days * DAY;
        let running = with_memory;
        guest.snapshots.push(Snapshot { name, time, description, parent, with_memory, running, config });
    }
}

/// Updates that wait, a certificate that is about to expire, a service that is down.
fn systems(world: &mut World) {
    for (number, node) in world.nodes.iter_mut().enumerate() {
        let system = &mut node.system;
        match number {
            0 => {
                system.updates = vec![
                    ("pve-manager", "9.2.11", "9.2.13"),
                    ("qemu-server", "9.1.2", "9.1.4"),
                    ("openssl", "3.5.1-1", "3.5.4-1~deb13u1"),
                ];
                system.options.insert("description".into(), json!("Rack 4, lower half"));
            }
            1 => {
                system.certificate_days = 11;
                system.updates = vec![("proxmox-kernel-6.17", "6.17.4-1", "6.17.9-1")];
            }
            2 => {
                system.services.insert("chrony", false);
                system.subscription = Some("c");
            }
            _ => {}
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn jobs(world: &mut World) {
    let listed: Vec<String> = world.guests.keys().take(6).map(u32::to_string).collect();
    if listed.is_empty() {
        return;
    }
    let nightly = json!({
        "vmid": listed.join(","), "storage": "nfs-backup", "schedule": "02:00", "mode": "snapshot", "compress": "zstd",
        "enabled": 1, "comment": "every night", "notes-template": "{{guestname}}", "prune-backups": "keep-daily=7,keep-weekly=4",
    });
    let monthly = json!({
        "all": 1, "storage": "nfs-backup", "schedule": "monthly", "mode": "stop", "enabled": 0, "comment": "switched off since the move",
    });
    world.jobs.insert("backup-nightly".into(), object(nightly));
    world.jobs.insert("backup-monthly".into(), object(monthly));
    if world.guests.contains_key(&100) && world.nodes.len() > 1 {
        let home = json!({
            "type": "node-affinity", "resources": "vm:100", "nodes": "pve1,pve2", "comment": "close to its clients",
        });
        world.ha.rules.insert("db-home".into(), object(home));
    }
}

/// One job that works, and one that has not for a day.
fn replication(world: &mut World, now: u64) {
    let job = |guest: u32, target: &str| Replication {
        last_sync: now - 600,
        last_try: now - 600,
        duration: 3.4,
        ..Replication::new(guest, 0, target)
    };
    let good = job(106, "pve2");
    let bad = Replication {
        last_sync: now - DAY,
        fail_count: 26,
        error: Some(
            "command 'zfs recv -F -- rpool/data/subvol-110-disk-0' failed: exit code 1 (out of space)".into(),
        ),
        comment: "to the other room".into(),
        ..job(110, "pve1")
    };
    for job in [good, bad] {
        if world.guests.contains_key(&job.guest) && world.nodes.len() > 2 {
            world.replications.insert(job.id.clone(), job);
        }
    }
}

fn firewall(world: &mut World) {
    let web = Group {
        comment: "what the world may reach".into(),
        rules: vec![
            rule("in", "ACCEPT", &[("macro", "HTTPS")]),
            rule("in", "ACCEPT", &[("macro", "HTTP"), ("comment", "redirects only")]),
        ],
    };
    let management = IpSet {
        comment: "desks of the administrators".into(),
        entries: [("10.20.30.0/24".to_owned(), (false, String::new()))].into(),
    };
    let cluster = Firewall {
        options: object(json!({ "enable": 1, "policy_in": "DROP", "policy_out": "ACCEPT" })),
        rules: vec![
            rule("in", "ACCEPT", &[("macro", "SSH"), ("source", "+dc/management"), ("log", "nolog")]),
            rule("in", "ACCEPT", &[("proto", "tcp"), ("dport", "8006"), ("source", "+dc/management")]),
            rule("in", "ACCEPT", &[("proto", "tcp"), ("dport", "3389"), ("comment", "temporary?")]),
        ],
        aliases: [("office".to_owned(), Alias { cidr: "10.20.40.0/24".into(), comment: String::new() })]
            .into(),
        ipsets: [("management".to_owned(), management)].into(),
        groups: [("webserver".to_owned(), web)].into(),
    };
    world.firewalls.insert("cluster".into(), cluster);
    if world.guests.contains_key(&101) {
        let own = Firewall {
            options: object(json!({ "enable": 1, "policy_in": "DROP" })),
            rules: vec![rule("group", "webserver", &[]), rule("in", "ACCEPT", &[("macro", "Ping")])],
            ..Firewall::default()
        };
        world.firewalls.insert("guest/101".into(), own);
    }
}

fn networks(world: &mut World) {
    let zone = json!({ "zone": "office", "type": "vlan", "bridge": "vmbr0", "ipam": "pve", "mtu": 1500 });
    let vnet = json!({ "vnet": "vlan20", "type": "vnet", "zone": "office", "tag": 20, "alias": "desks" });
    let subnet = json!({
        "subnet": "office-10.20.40.0-24", "id": "office-10.20.40.0-24", "type": "subnet", "vnet": "vlan20", "zone": "office",
        "cidr": "10.20.40.0/24", "network": "10.20.40.0", "mask": "24", "gateway": "10.20.40.1", "snat": 0,
    });
    world.sdn.zones.push(object(zone));
    world.sdn.vnets.push(object(vnet));
    world.sdn.subnets.push(object(subnet));
}

/// Tasks of the last days that went wrong.
fn failures(world: &mut World, now: u64) {
    let all = [
        (
            2,
            "qmigrate",
            "105",
            2 * DAY,
            "migration aborted",
            "ERROR: migration aborted: can't connect to 10.20.0.12",
        ),
        (
            1,
            "aptupdate",
            "",
            DAY / 2,
            "command 'apt-get update' failed: exit code 100",
            "Err: Temporary failure resolving 'deb.debian.org'",
        ),
        (
            0,
            "vzdump",
            "",
            DAY + 7200,
            "WARNINGS: 1",
            "WARN: guest agent of VM 107 does not answer, no freeze",
        ),
    ];
    for (number, (at, kind, id, ago, exit, line)) in all.into_iter().enumerate() {
        let Some(node) = world.nodes.get(at) else { continue };
        let pid = 0x3A00 + u32::try_from(number).unwrap_or_default() * 17;
        let upid = super::demo::upid(&node.name, pid, now - ago, kind, id);
        world.tasks.push(Task::past(
            upid,
            Caller::user("root@pam"),
            vec![line.to_owned()],
            exit,
            now - ago + 41,
        ));
    }
    world.tasks.sort_by_key(|task| task.upid.start);
}
