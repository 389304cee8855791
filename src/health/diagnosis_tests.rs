use super::*;
use crate::pve::ids::{NodeName, Vmid};

const NOW: u64 = 1_795_340_000;

fn guest(kind: GuestKind) -> Guest {
    Guest {
        vmid: Vmid::new(101).unwrap(),
        node: NodeName::parse("pve1").unwrap(),
        kind,
        name: "web".to_owned(),
        template: false,
    }
}

fn tasks(list: &[(&str, u64, &str)]) -> Vec<Entry> {
    let row = |(kind, ago, exit): &(&str, u64, &str)| {
        let mut row = json!({"upid": "UPID:pve1:00000001:00000001:6B02B3BE:vzdump:101:ann@pve:", "node": "pve1", "type": kind, "id": "101", "user": "ann@pve",
            "starttime": NOW - ago, "status": exit});
        if !exit.is_empty() {
            row["endtime"] = (NOW - ago).into();
        }
        row
    };
    Entry::all(&list.iter().map(row).collect())
}

fn codes(found: &[Finding]) -> Vec<(&'static str, Severity)> {
    found.iter().map(|finding| (finding.code, finding.severity)).collect()
}

fn judged(current: Value, history: &[(&str, u64, &str)]) -> Vec<(&'static str, Severity)> {
    codes(&state(&guest(GuestKind::Vm), &current, &tasks(history)))
}

#[test]
fn a_guest_that_is_down_says_who_or_what_stopped_it() {
    let stopped = json!({"status": "stopped", "qmpstatus": "stopped"});
    let says = |history: &[(&str, u64, &str)]| {
        state(&guest(GuestKind::Vm), &stopped, &tasks(history)).remove(0).says
    };
    assert_eq!(
        says(&[("qmstop", 600, "OK"), ("qmstart", 60, "no space left")]),
        "stopped; its last start failed: no space left"
    );
    assert!(
        says(&[("qmstart", 600, "x"), ("qmstop", 60, "OK")]).starts_with("stopped by ann@pve (qmstop, 2026-")
    );
    assert!(says(&[]).contains("perhaps from inside"));
    assert_eq!(judged(stopped.clone(), &[("qmstart", 60, "x")]), [("start-failed", Severity::Critical)]);
    assert_eq!(judged(stopped, &[]), [("stopped", Severity::Warning)]);
}

#[test]
fn states_of_qemu_are_told_apart() {
    for (qmp, expected) in [
        ("running", vec![]),
        ("io-error", vec![("paused-io-error", Severity::Critical)]),
        ("internal-error", vec![("crashed", Severity::Critical)]),
        ("paused", vec![("paused", Severity::Warning)]),
    ] {
        assert_eq!(
            judged(json!({"status": "running", "qmpstatus": qmp, "uptime": 9999}), &[]),
            expected,
            "{qmp}"
        );
    }
    assert_eq!(judged(json!({"status": "running", "uptime": 899}), &[]), [("just-started", Severity::Info)]);
    assert_eq!(
        judged(json!({"status": "running", "ha": {"state": "error"}}), &[]),
        [("ha-error", Severity::Critical)]
    );
}

#[test]
fn a_lock_is_explained_by_a_running_task() {
    let locked = json!({"status": "running", "lock": "backup"});
    assert_eq!(judged(locked.clone(), &[]), [("guest-locked", Severity::Warning)]);
    assert_eq!(judged(locked, &[("vzdump", 60, "")]), [("guest-locked", Severity::Info)]);
}

#[test]
fn memory_balloon_and_disk_are_judged_at_their_limits() {
    let room = |kind, current: Value| codes(&state(&guest(kind), &current, &[]));
    let figures = |mem: u32, disk: u32| json!({"status": "running", "mem": mem, "maxmem": 100, "disk": disk, "maxdisk": 100});
    assert!(room(GuestKind::Container, figures(94, 89)).is_empty());
    assert_eq!(
        room(GuestKind::Container, figures(95, 90)),
        [("memory-full", Severity::Warning), ("disk-full", Severity::Warning)]
    );
    assert_eq!(room(GuestKind::Container, figures(1, 97)), [("disk-full", Severity::Critical)]);
    assert_eq!(room(GuestKind::Vm, figures(95, 99)), [("memory-full", Severity::Info)]);
    let large =
        json!({"status": "running", "disk": 33 * 1_073_741_824_u64, "maxdisk": 34 * 1_073_741_824_u64});
    let full = state(&guest(GuestKind::Container), &large, &[]);
    let next = full[0].datum()["next"].as_str().unwrap().to_owned();
    assert!(next.ends_with(r#""action":"grow","disk":"rootfs","size":"+9G"}"#), "{next}");
    let balloon = |left: u32| json!({"status": "running", "maxmem": 100, "balloon": left});
    assert!(room(GuestKind::Vm, balloon(90)).is_empty());
    assert_eq!(room(GuestKind::Vm, balloon(89)), [("ballooned", Severity::Warning)]);
}

#[test]
fn the_last_hour_is_judged_by_its_average() {
    let points = |cpu: f64, pressure: f64| {
        json!([{"time": 60, "cpu": cpu, "maxcpu": 4, "pressureiosome": pressure}, {"time": 120},
               {"time": 180, "cpu": cpu, "maxcpu": 4, "pressureiosome": pressure}])
    };
    let judged =
        |points: Value, config: Value| codes(&last_hour(&guest(GuestKind::Vm), &points, Some(&config)));
    assert!(judged(points(0.89, 9.9), json!({})).is_empty());
    assert_eq!(
        judged(points(0.9, 10.0), json!({})),
        [("cpu-full", Severity::Warning), ("io-pressure", Severity::Warning)]
    );
    assert_eq!(judged(points(0.45, 0.0), json!({"cpulimit": "2"})), [("cpu-limited", Severity::Warning)]);
    assert!(judged(points(0.44, 0.0), json!({"cpulimit": 2})).is_empty());
    assert!(judged(json!([]), json!({"cpulimit": 0})).is_empty());
}

#[test]
fn a_setup_that_is_slow_or_unsafe_is_named() {
    let config = json!({
        "agent": "1", "scsi0": "ceph:vm-101-disk-0,cache=unsafe,size=32G", "ide0": "ceph:vm-101-disk-1,size=8G,mbps_rd=10",
        "ide2": "local:iso/x.iso,media=cdrom", "scsihw": "virtio-scsi-single", "net0": "e1000=AA:BB,bridge=vmbr0",
        "net1": "virtio=AA:BC,bridge=vmbr0",
    });
    let found: Vec<_> =
        setup(&guest(GuestKind::Vm), &config).into_iter().map(|finding| finding.code).collect();
    assert_eq!(found, ["disk-cache-unsafe", "disk-limited", "disk-bus-slow", "network-emulated"]);
    for (config, is_off) in [
        (json!({}), true),
        (json!({"agent": "0"}), true),
        (json!({"agent": 0}), true),
        (json!({"agent": "enabled=0,fstrim_cloned_disks=1"}), true),
        (json!({"agent": 1}), false),
        (json!({"agent": "1,fstrim_cloned_disks=1"}), false),
        (json!({"agent": "type=virtio,enabled=1"}), false),
    ] {
        let found: Vec<_> =
            setup(&guest(GuestKind::Vm), &config).into_iter().map(|finding| finding.code).collect();
        assert_eq!(found == ["agent-off"], is_off, "{config}: {found:?}");
    }
    assert!(
        setup(&guest(GuestKind::Container), &json!({"rootfs": "local:x,size=8G", "mp0": "/mnt/x,mp=/x"}))
            .is_empty()
    );
}

#[test]
fn storages_of_the_disks_are_looked_at() {
    let rows: Vec<Resource<'_>> = serde_json::from_str(
        r#"[{"type":"node","node":"pve1","status":"online"},
            {"type":"storage","storage":"full","node":"pve1","status":"available","disk":99,"maxdisk":100},
            {"type":"storage","storage":"down","node":"pve1","status":"unknown"},
            {"type":"storage","storage":"other","node":"pve1","status":"unknown"}]"#,
    )
    .unwrap();
    let config = json!({"scsi0": "full:x", "scsi1": "down:x", "virtio0": "gone:x", "scsi2": "full:y"});
    let all = crate::pve::storages::all(&rows);
    let found = its_storages(&guest(GuestKind::Vm), &config, &rows, &all, 0.0);
    assert_eq!(
        codes(&found),
        [
            ("storage-offline", Severity::Critical),
            ("storage-full", Severity::Critical),
            ("storage-missing", Severity::Warning)
        ]
    );
}

#[test]
fn failed_tasks_are_told_once_for_each_kind() {
    let history = tasks(&[
        ("vzdump", 3600, "job errors"),
        ("vzdump", 7200, "job errors"),
        ("qmmigrate", 3600, "no route"),
        ("qmmigrate", 60, "OK"),
        ("qmsnapshot", 8 * DAY, "old"),
        ("qmstart", 60, "x"),
    ]);
    let vm = guest(GuestKind::Vm);
    let found = failures(&vm, &history, NOW, &[]);
    assert_eq!(
        codes(&found),
        [
            ("task-failed", Severity::Warning),
            ("task-failed", Severity::Warning),
            ("task-failed", Severity::Info)
        ]
    );
    assert_eq!(found[1].datum()["count"], 2);
    let told = [Finding::new(Severity::Critical, "start-failed", "guest 101", "x")];
    assert_eq!(failures(&vm, &history, NOW, &told).len(), 2);
}
