use super::*;

/// Questions in plain words, and the method that answers each.
const QUESTIONS: &[(&str, &str)] = &[
    ("list users", "GET /access/users"),
    ("create a user", "POST /access/users"),
    ("delete user", "DELETE /access/users/{userid}"),
    ("who has access to what", "GET /access/acl"),
    ("change permissions", "PUT /access/acl"),
    ("list roles", "GET /access/roles"),
    ("create an api token for a user", "POST /access/users/{userid}/token/{tokenid}"),
    ("change password", "PUT /access/password"),
    ("ldap realms", "GET /access/domains"),
    ("two factor of a user", "GET /access/users/{userid}/tfa"),
    ("my permissions", "GET /access/permissions"),
    ("groups", "GET /access/groups"),
    ("ceph status", "GET /cluster/ceph/status"),
    ("list ceph osds", "GET /nodes/{node}/ceph/osd"),
    ("create osd", "POST /nodes/{node}/ceph/osd"),
    ("ceph pools", "GET /nodes/{node}/ceph/pool"),
    ("backup jobs", "GET /cluster/backup"),
    ("create backup job", "POST /cluster/backup"),
    ("guests not backed up", "GET /cluster/backup-info/not-backed-up"),
    ("prune backups", "DELETE /nodes/{node}/storage/{storage}/prunebackups"),
    ("restore a single file from a backup", "GET /nodes/{node}/storage/{storage}/file-restore/list"),
    ("reboot node", "POST /nodes/{node}/status"),
    ("wake a node", "POST /nodes/{node}/wakeonlan"),
    ("node syslog", "GET /nodes/{node}/syslog"),
    ("journal of a node", "GET /nodes/{node}/journal"),
    ("dns settings of the node", "GET /nodes/{node}/dns"),
    ("set timezone", "PUT /nodes/{node}/time"),
    ("list services", "GET /nodes/{node}/services"),
    ("restart a service", "POST /nodes/{node}/services/{service}/restart"),
    ("pending updates", "GET /nodes/{node}/apt/update"),
    ("package repositories", "GET /nodes/{node}/apt/repositories"),
    ("network interfaces of the node", "GET /nodes/{node}/network"),
    ("create a bridge", "POST /nodes/{node}/network"),
    ("list disks", "GET /nodes/{node}/disks/list"),
    ("smart values of a disk", "GET /nodes/{node}/disks/smart"),
    ("wipe a disk", "PUT /nodes/{node}/disks/wipedisk"),
    ("zfs pools", "GET /nodes/{node}/disks/zfs"),
    ("pci devices", "GET /nodes/{node}/hardware/pci"),
    ("usb devices", "GET /nodes/{node}/hardware/usb"),
    ("certificates", "GET /nodes/{node}/certificates/info"),
    ("upload a certificate", "POST /nodes/{node}/certificates/custom"),
    ("letsencrypt account", "GET /cluster/acme/account"),
    ("subscription", "GET /nodes/{node}/subscription"),
    ("migrate all guests of a node", "POST /nodes/{node}/migrateall"),
    ("start all guests", "POST /nodes/{node}/startall"),
    ("download an iso from a url", "POST /nodes/{node}/storage/{storage}/download-url"),
    ("upload an iso", "POST /nodes/{node}/storage/{storage}/upload"),
    ("content of a storage", "GET /nodes/{node}/storage/{storage}/content"),
    ("add a storage", "POST /storage"),
    ("remove storage definition", "DELETE /storage/{storage}"),
    ("scan nfs exports", "GET /nodes/{node}/scan/nfs"),
    ("cluster firewall rules", "GET /cluster/firewall/rules"),
    ("firewall ipsets", "GET /cluster/firewall/ipset"),
    ("firewall aliases", "GET /cluster/firewall/aliases"),
    ("security groups", "GET /cluster/firewall/groups"),
    ("firewall macros", "GET /cluster/firewall/macros"),
    ("vm firewall options", "GET /nodes/{node}/qemu/{vmid}/firewall/options"),
    ("sdn zones", "GET /cluster/sdn/zones"),
    ("sdn vnets", "GET /cluster/sdn/vnets"),
    ("apply sdn", "PUT /cluster/sdn"),
    ("high availability resources", "GET /cluster/ha/resources"),
    ("ha rules", "GET /cluster/ha/rules"),
    ("ha groups", "GET /cluster/ha/groups"),
    ("replication jobs", "GET /cluster/replication"),
    ("notification targets", "GET /cluster/notifications/targets"),
    ("metric servers", "GET /cluster/metrics/server"),
    ("cluster log", "GET /cluster/log"),
    ("datacenter options", "GET /cluster/options"),
    ("join a cluster", "POST /cluster/config/join"),
    ("next free id", "GET /cluster/nextid"),
    ("vnc console of a vm", "POST /nodes/{node}/qemu/{vmid}/vncproxy"),
    ("spice console", "POST /nodes/{node}/qemu/{vmid}/spiceproxy"),
    ("cloud-init dump", "GET /nodes/{node}/qemu/{vmid}/cloudinit/dump"),
    ("freeze the file systems of a vm", "POST /nodes/{node}/qemu/{vmid}/agent/fsfreeze-freeze"),
    ("trim guest file systems", "POST /nodes/{node}/qemu/{vmid}/agent/fstrim"),
    ("users logged in inside a vm", "GET /nodes/{node}/qemu/{vmid}/agent/get-users"),
    ("resize a container disk", "PUT /nodes/{node}/lxc/{vmid}/resize"),
    ("move a vm disk to another storage", "POST /nodes/{node}/qemu/{vmid}/move_disk"),
    ("snapshots of a container", "GET /nodes/{node}/lxc/{vmid}/snapshot"),
    ("roll back a snapshot of a vm", "POST /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback"),
    ("netstat", "GET /nodes/{node}/netstat"),
    ("report of a node", "GET /nodes/{node}/report"),
    ("resource mapping pci", "GET /cluster/mapping/pci"),
    ("stop a task", "DELETE /nodes/{node}/tasks/{upid}"),
    ("pools", "GET /pools"),
    ("openid login url", "POST /access/openid/auth-url"),
    ("version", "GET /version"),
];

#[test]
fn plain_questions_find_their_method_among_the_first_three() {
    let mut lost = Vec::new();
    for (question, expected) in QUESTIONS {
        let found: Vec<String> = search(question, 3).iter().map(ToString::to_string).collect();
        if !found.iter().any(|method| method == expected) {
            lost.push(format!("{question}\n    expected {expected}\n    got {}", found.join(" | ")));
        }
    }
    assert!(lost.is_empty(), "{} of {}:\n{}", lost.len(), QUESTIONS.len(), lost.join("\n"));
}

#[test]
fn nonsense_finds_nothing() {
    for question in ["", "the of and", "xyzzy plugh", "?!"] {
        assert!(search(question, 3).is_empty(), "{question}");
    }
}
