//! The guests of the demo cluster.

use serde_json::json;

use crate::agent::{Agent, System};
use crate::world::figures::fraction;
use crate::world::{Guest, GuestKind, Pool, Snapshot, Volume, World};

const GIB: u64 = 1 << 30;
const DAY: u64 = 86_400;

/// Name, kind, cores, GiB of memory, GiB of disk, storage, tags.
type Sketch = (&'static str, GuestKind, u32, u64, u64, &'static str, &'static [&'static str]);

/// What the first guests are.
const FIRST: &[Sketch] = &[
    ("prod-db-master", GuestKind::Qemu, 16, 128, 500, "ceph-prod", &["db", "prod"]),
    ("prod-web-01", GuestKind::Qemu, 8, 32, 80, "ceph-prod", &["prod", "web"]),
    ("prod-cache-01", GuestKind::Lxc, 4, 16, 32, "local-zfs", &["cache", "prod"]),
    ("prod-web-02", GuestKind::Qemu, 8, 32, 80, "ceph-prod", &["prod", "web"]),
    ("monitoring", GuestKind::Lxc, 4, 8, 100, "local-zfs", &["infra"]),
    ("win-dc-01", GuestKind::Qemu, 4, 16, 120, "ceph-prod", &["infra", "windows"]),
    ("dns-01", GuestKind::Lxc, 1, 1, 8, "local-zfs", &["infra"]),
    ("build-runner-01", GuestKind::Qemu, 16, 64, 200, "local-zfs", &["ci", "dev"]),
    ("wiki", GuestKind::Lxc, 2, 4, 40, "local-zfs", &["infra"]),
    ("debian-12-template", GuestKind::Qemu, 2, 2, 16, "ceph-prod", &["template"]),
    ("mail-relay", GuestKind::Lxc, 2, 2, 16, "local-zfs", &["infra", "prod"]),
    ("legacy-erp", GuestKind::Qemu, 4, 24, 300, "ceph-prod", &["legacy", "prod"]),
];

/// Adds `count` guests, their pools and their backups.
pub(super) fn add(world: &mut World, count: usize) {
    let now = world.clock.unix();
    let names: Vec<String> = world.nodes.iter().map(|n| n.name.clone()).collect();
    for (index, vmid) in (100..).take(count).enumerate() {
        // Two neighbours share a node, so that 100 and 101 are on the first.
        let node = names.get(index / 2 % names.len().max(1)).map_or("pve1", String::as_str);
        let mut guest = match FIRST.get(index) {
            Some(_) => first(index, vmid, node),
            None => further(vmid, node),
        };
        run(&mut guest, now);
        world.guests.insert(vmid, guest);
    }
    special(world, now);
    pools(world);
    backups(world, now);
}

fn first(index: usize, vmid: u32, node: &str) -> Guest {
    let Some((name, kind, cores, memory, disk, storage, tags)) = FIRST.get(index) else {
        return further(vmid, node);
    };
    let mut guest = Guest::new(vmid, *kind, name, node);
    guest.cores = *cores;
    guest.memory = memory * GIB;
    guest.disk = disk * GIB;
    guest.storage = (*storage).into();
    guest.tags = tags.iter().map(|t| (*t).to_owned()).collect();
    guest.running = true;
    guest.load = 0.05 + 0.5 * fraction(u64::from(vmid), 5);
    guest.memory_use = 0.3 + 0.5 * fraction(u64::from(vmid), 6);
    guest
}

/// One of many: an ordinary virtual machine or container.
fn further(vmid: u32, node: &str) -> Guest {
    const ROLES: &[&str] = &["web", "db", "app", "cache", "queue", "batch", "test"];
    const STAGES: &[&str] = &["prod", "stage", "dev"];
    let kind = if vmid.is_multiple_of(2) { GuestKind::Lxc } else { GuestKind::Qemu };
    let pick = |from: &[&'static str], n: usize| from.get(n % from.len()).copied().unwrap_or_default();
    let number = vmid as usize;
    let (stage, role) = (pick(STAGES, number / 3), pick(ROLES, number));
    let mut guest = Guest::new(vmid, kind, &format!("{stage}-{role}-{vmid}"), node);
    let own = u64::from(vmid);
    guest.cores = 1 << (fraction(own, 1) * 4.0) as u32;
    guest.memory = GIB << (fraction(own, 2) * 5.0) as u32;
    guest.disk = (8 * GIB) << (fraction(own, 3) * 4.0) as u32;
    guest.tags = [role, stage].map(str::to_owned).to_vec();
    guest.tags.sort_unstable();
    guest.running = fraction(own, 4) < 0.85;
    guest.load = 0.02 + 0.4 * fraction(own, 5);
    guest.memory_use = 0.2 + 0.6 * fraction(own, 6);
    if kind == GuestKind::Qemu && fraction(own, 7) < 0.7 {
        guest.agent = Agent::running(System::Linux);
    }
    guest
}

fn run(guest: &mut Guest, now: u64) {
    guest.started = now - DAY - (fraction(u64::from(guest.vmid), 8) * 50.0 * 86_400.0) as u64;
    if guest.kind == GuestKind::Lxc {
        guest.extra.insert("cores".into(), json!(guest.cores));
    }
}

/// What makes the first guests worth looking at.
fn special(world: &mut World, now: u64) {
    let mut change = |vmid: u32, f: &dyn Fn(&mut Guest)| {
        if let Some(guest) = world.guests.get_mut(&vmid) {
            f(guest);
        }
    };
    change(100, &|g| {
        g.agent = Agent::running(System::Linux);
        g.ha = Some("started".into());
        g.protection = true;
    });
    change(101, &|g| {
        g.agent = Agent::running(System::Linux);
        g.snapshots.push(Snapshot {
            name: "before-upgrade".into(),
            time: now - 12 * DAY,
            description: "before the move to nginx 1.26".into(),
            parent: None,
            with_memory: false,
            running: true,
            ..Snapshot::default()
        });
    });
    change(105, &|g| {
        g.agent = Agent::running(System::Windows);
        g.ostype = "win11".into();
    });
    change(107, &|g| g.agent = Agent::silent());
    change(108, &|g| g.running = false);
    change(109, &|g| {
        g.running = false;
        g.template = true;
        g.volume = "base-109-disk-0".into();
    });
    change(111, &|g| g.lock = Some("backup".into()));
}

fn pools(world: &mut World) {
    let of = |tag: &str| {
        world.guests.values().filter(|g| g.tags.iter().any(|t| t == tag)).map(|g| g.vmid).collect()
    };
    let production = Pool {
        comment: "customer-facing".into(),
        guests: of("prod"),
        storages: ["ceph-prod".to_owned()].into(),
    };
    let development = Pool { comment: String::new(), guests: of("dev"), ..Pool::default() };
    world.pools = [("production".to_owned(), production), ("development".to_owned(), development)].into();
}

fn backups(world: &mut World, now: u64) {
    /// Guests that have backups.
    const BACKED_UP: usize = 6;
    let midnight = now / DAY * DAY;
    let volumes: Vec<Volume> = world
        .guests
        .values()
        .filter(|g| !g.template)
        .take(BACKED_UP)
        .flat_map(|guest| (1..=3).map(move |nights| backup(guest, midnight - nights * DAY + 2 * 3600)))
        .collect();
    if let Some(storage) = world.storages.iter_mut().find(|s| s.kind == "nfs") {
        storage.volumes = volumes;
    }
}

fn backup(guest: &Guest, ctime: u64) -> Volume {
    let stamp = stamp(ctime);
    let (kind, ending, format) = match guest.kind {
        GuestKind::Qemu => ("qemu", "vma.zst", "vma.zst"),
        GuestKind::Lxc => ("lxc", "tar.zst", "tar.zst"),
    };
    Volume {
        name: format!("backup/vzdump-{kind}-{}-{stamp}.{ending}", guest.vmid),
        node: None,
        content: "backup",
        format,
        size: guest.disk / 5,
        ctime,
        vmid: Some(guest.vmid),
        subtype: Some(kind),
        notes: Some(guest.name.clone()),
        saved: Some(Box::new(guest.clone())),
        ..Volume::default()
    }
}

/// A time as the name of a backup has it: `2026_11_22-02_00_00`.
pub(crate) fn stamp(unix: u64) -> String {
    let (days, seconds) = (unix / DAY, unix % DAY);
    let (year, month, day) = civil(days);
    format!("{year}_{month:02}_{day:02}-{:02}_{:02}_{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years that begin on the first of March put the leap day at their end.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_the_civil_time() {
        assert_eq!(stamp(1_795_340_586), "2026_11_22-09_43_06");
        assert_eq!(stamp(951_782_400), "2000_02_29-00_00_00");
        assert_eq!(stamp(0), "1970_01_01-00_00_00");
    }
}
