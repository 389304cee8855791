//! No tool's answer is large where nobody asked for more: text, data and the link to all rows together, on a
//! large cluster.

use std::collections::BTreeSet;

use super::*;
use crate::tools;
use crate::view::BUDGET;

/// The tools that read, and what they are asked.
fn reading() -> Vec<(&'static str, Value)> {
    let mut calls = vec![
        ("vms", json!({})),
        ("vms", json!({"sort": "memory"})),
        ("vms", json!({"status": "stopped"})),
        ("vms", json!({"node": "pve3"})),
        ("vms", json!({"name": "web"})),
        ("vms", json!({"tag": "prod"})),
        ("vms", json!({"node": "pve3", "status": "running", "name": "*web*", "sort": "cpu"})),
        ("nodes", json!({})),
        ("node_status", json!({"node": "pve3"})),
        ("cluster_status", json!({})),
        ("metrics", json!({"vmid": 101})),
        ("metrics", json!({"node": "pve3"})),
        ("metrics", json!({"node": "pve1", "storage": "local", "timeframe": "year"})),
        ("tasks", json!({})),
        ("tasks", json!({"node": "pve1"})),
        ("tasks", json!({"status": "failed"})),
        ("tasks", json!({"since": "30d"})),
        ("storage", json!({})),
        ("storage", json!({"node": "pve1"})),
        ("storage_content", json!({})),
        ("storage_content", json!({"storage": "nfs-backup"})),
        ("storage_content", json!({"content": "images"})),
        ("next_vmid", json!({})),
    ];
    let topics = [
        "ha",
        "pools",
        "firewall",
        "backup_jobs",
        "replication",
        "log",
        "options",
        "permissions",
        "users",
        "sdn",
    ];
    calls.extend(topics.map(|topic| ("cluster_info", json!({"topic": topic}))));
    let topics = [
        "services",
        "log",
        "updates",
        "versions",
        "certificates",
        "disks",
        "zfs",
        "network",
        "dns",
        "time",
        "subscription",
        "hardware",
        "replication",
        "firewall",
    ];
    calls.extend(topics.map(|topic| ("node_info", json!({"topic": topic, "node": "pve1"}))));
    let shows = [
        "status",
        "config",
        "pending",
        "snapshots",
        "addresses",
        "os",
        "filesystems",
        "users",
        "firewall",
        "cloudinit",
    ];
    calls.extend(shows.map(|show| ("guest", json!({"vmid": 101, "show": show}))));
    calls.extend(
        ["status", "config", "snapshots", "addresses"]
            .map(|show| ("guest", json!({"vmid": 102, "show": show}))),
    );
    calls
}

fn others() -> Vec<(&'static str, Value)> {
    let mut calls = vec![
        ("health", json!({})),
        ("health", json!({"node": "pve3"})),
        ("diagnose", json!({"vmid": 111})),
        ("diagnose", json!({"vmid": 101})),
        ("history", json!({})),
        ("history", json!({"since": "30d"})),
        ("list_backups", json!({})),
        ("list_backups", json!({"vmid": 101})),
        ("list_backups", json!({"storage": "nfs-backup"})),
        ("backup_coverage", json!({})),
        ("backup_coverage", json!({"max_age_days": 1})),
        ("find_place", json!({"memory": 4096})),
        ("find_place", json!({"memory": 2_000_000})),
        ("generate_terraform", json!({})),
        ("generate_terraform", json!({"node": "pve1"})),
        ("generate_terraform", json!({"vmid": 101})),
        ("find_api", json!({"query": "create a replication job"})),
        ("find_api", json!({"query": "firewall"})),
        ("describe_api", json!({"path": "/nodes/pve1/qemu"})),
        ("describe_api", json!({"path": "/nodes/{node}/qemu/{vmid}/config"})),
        ("describe_api", json!({"path": "/nodes/pve1/qemu/101/config", "method": "PUT"})),
        ("describe_api", json!({"path": "/nodes/pve1/qemu", "method": "POST"})),
        ("read_guest_file", json!({"vmid": 101, "path": "/etc/hosts"})),
    ];
    let paths = [
        "/cluster/resources",
        "/nodes",
        "/nodes/pve1/qemu",
        "/cluster/tasks",
        "/access/users",
        "/pools",
        "/nodes/pve1/apt/versions",
        "/nodes/pve1/syslog",
        "/nodes/pve1/storage/nfs-backup/content",
    ];
    calls.extend(paths.map(|path| ("read_api", json!({"path": path}))));
    calls
}

/// The tools that change something, looking only.
fn changing() -> Vec<(&'static str, Value)> {
    let archive = "nfs-backup:backup/vzdump-qemu-101-2026_11_21-02_00_00.vma.zst";
    vec![
        ("power", json!({"vmid": 101, "action": "reboot"})),
        ("stop", json!({"vmid": 101})),
        ("create_vm", json!({"name": "x1", "ciuser": "u", "ipconfig0": "ip=dhcp", "start": true})),
        (
            "create_lxc",
            json!({"ostemplate": "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst", "hostname": "c1"}),
        ),
        ("clone", json!({"vmid": 109, "name": "y"})),
        ("delete", json!({"vmid": 101, "force": true, "purge": true})),
        ("migrate", json!({"vmid": 101, "target": "pve2"})),
        ("configure", json!({"vmid": 101, "cores": 4, "add_tags": ["x"], "set": {"cpu": "host"}})),
        ("disk", json!({"vmid": 101, "action": "add", "size": "10G"})),
        ("remove_disk", json!({"vmid": 109, "disk": "scsi0"})),
        ("network", json!({"vmid": 101, "action": "add", "bridge": "vmbr0"})),
        ("create_snapshot", json!({"vmid": 101, "name": "s1"})),
        ("rollback_snapshot", json!({"vmid": 101, "name": "before-upgrade"})),
        ("delete_snapshot", json!({"vmid": 101, "name": "before-upgrade"})),
        ("download", json!({"storage": "local", "node": "pve1", "url": "https://example.com/a.iso"})),
        ("delete_volume", json!({"volume": archive})),
        ("create_backup", json!({"vmid": 101})),
        ("restore_backup", json!({"archive": archive, "vmid": 99_000, "node": "pve2"})),
        ("execute_vm_command", json!({"vmid": 101, "command": "ls"})),
        ("write_guest_file", json!({"vmid": 101, "path": "/etc/motd", "content": "hi"})),
        ("agent", json!({"vmid": 101, "action": "freeze"})),
        ("change_api", json!({"method": "PUT", "path": "/cluster/options", "params": {"keyboard": "de"}})),
        (
            "change_api",
            json!({"method": "PUT", "path": "/nodes/pve1/qemu/101/config", "params": {"cores": 2}}),
        ),
        ("convert_to_template", json!({"vmid": 108})),
        ("firewall", json!({"level": "cluster", "action": "disable"})),
        ("ha", json!({"vmid": 101, "action": "add"})),
        ("pool", json!({"pool": "lab", "action": "create"})),
        ("node_service", json!({"node": "pve1", "service": "chrony", "action": "restart"})),
    ]
}

#[test]
fn no_tool_gives_a_large_answer_unless_it_was_asked_for() {
    let demo = Demo::of(Options { nodes: 16, guests: 2000, ..Options::instant() });
    let (clock, rights) = (Still::new(), rights(Grants::elevated()));
    let server = Server::new(Caller::new(&demo, Some(&rights)), &clock);
    let dry = |(name, mut arguments): (&'static str, Value)| {
        arguments["dry_run"] = json!(true);
        (name.to_owned(), arguments)
    };
    let named = |(name, arguments): (&'static str, Value)| (name.to_owned(), arguments);
    let task = demo.get("/cluster/tasks")[0]["upid"].clone();
    let mut calls = vec![
        ("get_task".to_owned(), json!({"upid": task})),
        ("cancel_task".to_owned(), json!({"upid": task, "dry_run": true})),
    ];
    calls.extend(reading().into_iter().map(|(name, arguments)| (format!("get_{name}"), arguments)));
    calls.extend(others().into_iter().map(named));
    calls.extend(changing().into_iter().map(dry));
    let (mut large, mut seen) = (Vec::new(), BTreeSet::new());
    for (name, arguments) in calls {
        let name = format!("proxmox_{name}");
        let result = ask(&server, "tools/call", json!({"name": name, "arguments": arguments})).unwrap();
        let size = size(&result);
        if result["isError"] == true || size > BUDGET {
            large.push(format!("{name} {arguments}: {size} bytes\n{}", result["content"][0]["text"]));
        }
        seen.insert(name);
    }
    assert!(large.is_empty(), "{}", large.join("\n"));
    let unseen: Vec<&str> =
        tools::ALL.iter().map(|(name, _)| *name).filter(|name| !seen.contains(*name)).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
    assert_eq!(demo.changes(), [""; 0]);
}

/// What of a result a model reads.
fn size(result: &Value) -> usize {
    let content = result["content"].as_array().unwrap().iter();
    let text = content.map(|part| part["text"].as_str().map_or_else(|| part.to_string().len(), str::len));
    text.sum::<usize>() + result["structuredContent"].to_string().len()
}
