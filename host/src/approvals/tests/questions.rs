//! What a question shows: what is lost by a request's parameters, long values, lists of guests.

use super::*;

const CONFIG: &Method = &methods::PUT_NODES_NODE_QEMU_VMID_CONFIG;
const MANY: &Method = &methods::POST_CLUSTER_BULK_ACTION_GUEST_SHUTDOWN;

fn of(method: &'static Method, path: &str, body: &str) -> Question {
    question(&[(need(method, path, body, "G@/"), vec![web()])])
}

#[test]
fn what_destroys_by_its_parameters_takes_typing_and_says_what_is_lost() {
    let config = |body: &str| of(CONFIG, "/nodes/pve1/qemu/101/config", body);
    let backup = |body: &str| of(&methods::POST_NODES_NODE_VZDUMP, "/nodes/pve1/vzdump", body);
    let job = |body: &str| of(&methods::PUT_CLUSTER_BACKUP_ID, "/cluster/backup/j1", body);
    let many = |body: &str| of(MANY, "/cluster/bulk-action/guest/shutdown", body);
    let replication =
        |body: &str| of(&methods::PUT_CLUSTER_REPLICATION_ID, "/cluster/replication/101-0", body);
    for (asked, typed, said) in [
        (config("delete=scsi0&force=1"), Some("web-01"), "data on them is lost for good"),
        (config("delete=description,virtio1&force=1"), Some("web-01"), "lost for good"),
        (config("delete=scsi0"), None, "With: delete=scsi0"),
        (config("delete=scsi0&force=0"), None, "force=0"),
        (config("delete=description&force=1"), None, "force=1"),
        (config("delete=vmstate"), Some("web-01"), "saved memory"),
        (backup("vmid=101&prune-backups=keep-last%3D1"), Some("web-01"), "Older backups that"),
        (backup("all=1&prune-backups=keep-last%3D1"), Some("pve1"), "Older backups that"),
        (backup("vmid=101&prune-backups=keep-last%3D1&remove=0"), None, "Back up guests: VM \"web-01\""),
        (backup("vmid=101"), None, "where the retention of their storage says so"),
        (job("prune-backups=keep-last%3D1"), Some("j1"), "Older backups that"),
        (job("enabled=0"), None, "Change a backup job?"),
        (many("vms=101"), Some("web-01"), "not been written to disk"),
        (many("vms=101&force-stop=0"), Some("web-01"), "What runs in the guest ends."),
        (many("timeout=9"), Some("yes"), "is about all of them"),
        (replication("remove_job=full"), Some("101-0"), "may be lost for good"),
        (replication("comment=x"), None, "Change replication?"),
    ] {
        assert_eq!(asked.typed.as_deref(), typed, "{}", asked.text);
        assert!(asked.text.contains(said), "{said}: {}", asked.text);
    }
    for (method, path, body) in [
        (&methods::POST_NODES_NODE_DISKS_INITGPT, "/nodes/pve1/disks/initgpt", "disk=/dev/sdb"),
        (&methods::POST_NODES_NODE_DISKS_DIRECTORY, "/nodes/pve1/disks/directory", "name=a1&device=/dev/sdb"),
        (&methods::POST_NODES_NODE_DISKS_LVM, "/nodes/pve1/disks/lvm", "name=a1&device=/dev/sdb"),
        (&methods::POST_NODES_NODE_DISKS_LVMTHIN, "/nodes/pve1/disks/lvmthin", "name=a1&device=/dev/sdb"),
        (
            &methods::POST_NODES_NODE_DISKS_ZFS,
            "/nodes/pve1/disks/zfs",
            "name=a1&devices=/dev/sdb&raidlevel=single",
        ),
    ] {
        let asked = of(method, path, body);
        assert_eq!(asked.typed.as_deref(), Some("pve1"), "{}", asked.text);
        assert!(asked.text.contains("lost for good"), "{}", asked.text);
    }
}

#[test]
fn a_long_value_is_shown_whole_or_with_both_its_ends() {
    let key = |of: char| format!("ssh-rsa%20AAAA{}%20{of}@example.com", of.to_string().repeat(700));
    let keys = format!("sshkeys={}%250A{}", key('a').replace('%', "%25"), key('b').replace('%', "%25"));
    let text = of(CONFIG, "/nodes/pve1/qemu/101/config", &keys).text;
    for of in ['a', 'b'] {
        assert!(text.contains(&format!("{}%20{of}@example.com", of.to_string().repeat(700))), "{text}");
    }
    let note = format!("description=begin{}end&tags=x", "y".repeat(7_990));
    let text = of(CONFIG, "/nodes/pve1/qemu/101/config", &note).text;
    assert!(text.contains("description=beginyyy") && text.contains("yyyend, tags=x"), "{text}");
    assert!(text.contains("yyy [... 5998 characters are left out here ...] yyy"), "{text}");
}

#[test]
fn each_guest_of_a_list_is_named() {
    let db = Guest { vmid: 100, name: "db\u{202e}".into(), node: "pve2".into(), container: true };
    let asked = |body: &str| {
        let need = need(MANY, "/cluster/bulk-action/guest/shutdown", body, "G@/");
        question(&[(need, vec![web(), db.clone()])])
    };
    let shown = asked("vms=101&vms=100&vms=999&vms=101");
    let expected = "Shut down guests?\n\nGuests:\n- VM \"web-01\" (id 101) on node pve1\n\
                    - container \"db\" (id 100) on node pve2\n- guest 999 (there is none now, or it may not be seen)\n\n";
    assert!(shown.text.starts_with(expected), "{}", shown.text);
    assert_eq!(shown.typed.as_deref(), Some("yes"));
    let backup = need(&methods::POST_NODES_NODE_VZDUMP, "/nodes/pve1/vzdump", "vmid=100,101", "G@/");
    assert_eq!(backup.vmids(), [100, 101]);
}
