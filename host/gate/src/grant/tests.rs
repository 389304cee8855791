use super::*;
use crate::NoPools;

struct InDev;

impl Pools for InDev {
    fn pool_of(&self, vmid: u32) -> Option<&str> {
        (vmid == 101).then_some("dev/web")
    }
}

fn grants(text: &str) -> Grants {
    let mut grants = Grants::default();
    grants.add(text).unwrap();
    grants
}

#[test]
fn good_grants_mean_what_proxmox_means() {
    for (text, count, first) in [
        ("VM.PowerMgmt@/vms/101", 1, "VM.PowerMgmt"),
        ("PVEVMUser@/pool/dev", 10, "VM.Audit"),
        ("Sys.Audit@/", 1, "Sys.Audit"),
        ("VM.Config.*@/vms/100-199", 8, "VM.Config.CDROM"),
        ("VM.Monitor@/vms/101", 5, "VM.GuestAgent.Audit"),
        ("Administrator@/", PRIVILEGES.len(), "Datastore.Allocate"),
        ("Datastore.Audit@/storage/local-zfs", 1, "Datastore.Audit"),
        ("SDN.Use@/sdn/zones/localnetwork/vmbr0", 1, "SDN.Use"),
        ("Sys.Audit@/nodes/pve1", 1, "Sys.Audit"),
        ("Pool.Audit@/pool/dev/web", 1, "Pool.Audit"),
    ] {
        let grant: Grant = text.parse().unwrap();
        assert_eq!((grant.privileges().len(), grant.privileges()[0]), (count, first), "{text}");
        assert_eq!(grant.to_string(), text);
    }
}

#[test]
fn a_bad_grant_is_pointed_at_and_put_right() {
    for (text, at, marked, says) in [
        ("VM.PowerMgnt@/vms/101", 0, "VM.PowerMgnt", "did you mean \"VM.PowerMgmt\"?"),
        ("vm.audit@/", 0, "vm.audit", "did you mean \"VM.Audit\"?"),
        ("PVEVmUser@/", 0, "PVEVmUser", "did you mean \"PVEVMUser\"?"),
        ("Custom@/", 0, "Custom", "granted one by one"),
        ("VM.Audit", 0, "VM.Audit", "write VM.Audit@/vms/101"),
        ("/vms/101", 0, "/vms/101", "write VM.Audit@/vms/101"),
        ("@/vms/101", 0, "@", "no privilege before the @"),
        ("", 0, "", "such as VM.PowerMgmt@/vms/101"),
        ("NoAccess@/", 0, "NoAccess", "leave it out"),
        ("*@/", 0, "*", "Administrator"),
        ("VM*@/", 0, "VM*", "VM.*"),
        ("VM.Aud*@/", 0, "VM.Aud*", "VM.*"),
        ("Vm.*@/", 0, "Vm.*", "VM.*"),
        ("VM.Audit@vms/101", 9, "vms/101", "write /vms/101"),
        ("VM.Audit@/vm/101", 10, "vm", "did you mean /vms?"),
        ("VM.Audit@/pools/dev", 10, "pools", "did you mean /pool?"),
        ("VM.Audit@/nonsense", 10, "nonsense", "one of /access"),
        ("VM.Audit@/vms/", 14, "", "an empty segment"),
        ("VM.Audit@//vms", 10, "/", "an empty segment"),
        ("VM.Audit@/vms/../nodes", 14, "..", "dot segments"),
        ("VM.Audit@/vms/99", 14, "99", "100 to 999999999"),
        ("VM.Audit@/vms/0101", 14, "0101", "100 to 999999999"),
        ("VM.Audit@/vms/101/disk", 14, "101/disk", "100 to 999999999"),
        ("VM.Audit@/vms/200-100", 14, "200-100", "write 100-200"),
        ("VM.Audit@/vms/100-", 14, "100-", "100-199"),
        ("VM.Audit@/vms/*", 14, "*", "cannot stand in a path"),
        ("Sys.Audit@/nodes/localhost", 17, "localhost", "the node's own name"),
        ("Sys.Audit@/nodes/pve1/x", 17, "pve1/x", "not the name of a node"),
        ("Datastore.Audit@/storage/9x", 25, "9x", "not the name of a storage"),
        ("Pool.Audit@/pool/a/b/c/d", 17, "a/b/c/d", "not the name of a pool"),
    ] {
        let error = text.parse::<Grant>().unwrap_err();
        assert_eq!(error.at(), at, "{text}: {error}");
        assert!(error.reason().contains(says), "{text}: {error}");
        let shown = error.to_string();
        let lines: Vec<&str> = shown.lines().collect();
        let carets = format!("  {}{}", " ".repeat(at), "^".repeat(marked.chars().count().max(1)));
        assert_eq!(lines[lines.len() - 1], carets, "{text}");
    }
}

#[test]
fn several_grants_stand_in_one_text() {
    let all = grants(" VM.Audit@/vms/101,Sys.Audit@/ \n\tVM.Audit@/pool/dev,, ");
    assert_eq!(
        all.iter().map(Grant::to_string).collect::<Vec<_>>(),
        ["VM.Audit@/vms/101", "Sys.Audit@/", "VM.Audit@/pool/dev"]
    );
}

#[test]
fn the_caret_counts_characters_of_the_whole_text_and_nothing_is_added() {
    let mut all = Grants::default();
    let error = all.add("VM.Audit@/, é.Audit@/\nVM.Audit@/vm/1").unwrap_err();
    assert_eq!(error.at(), 12);
    assert_eq!(error.position(), (1, 13));
    assert_eq!(error.to_string().lines().nth(1), Some("  VM.Audit@/, é.Audit@/"));
    let error = all.add("VM.Audit@/,\u{3000}VM.Audit@/vm/1").unwrap_err();
    assert_eq!(error.at(), 22);
    assert_eq!(all.iter().count(), 0);
}

#[test]
fn a_list_has_lines_and_comments() {
    let text =
        "# the lab: VM.Nonsense@/\nVM.Audit@/vms/101, Sys.Audit@/ # é, all nodes\n\r\nVM.Audit@/pool/dev#end";
    let all = Grants::parse_list(text).unwrap();
    assert_eq!(
        all.iter().map(Grant::to_string).collect::<Vec<_>>(),
        ["VM.Audit@/vms/101", "Sys.Audit@/", "VM.Audit@/pool/dev"]
    );
    assert_eq!(Grants::parse_list(" # nothing\n").unwrap().iter().count(), 0);
    let error = Grants::parse_list("# é\nVM.Audit@/ # é\n\tVM.PowerMgnt@/vms/101 # why").unwrap_err();
    assert_eq!(error.position(), (3, 2));
    let shown = error.to_string();
    assert!(shown.contains("did you mean \"VM.PowerMgmt\"? (line 3)"), "{shown}");
    assert_eq!(shown.lines().nth(1), Some("   VM.PowerMgnt@/vms/101 # why"));
    assert_eq!(shown.lines().nth(2), Some("   ^^^^^^^^^^^^"));
}

#[test]
fn a_fault_is_shown_in_its_line_only() {
    let error = grants_error("VM.Audit@/\nVM.Audit@/vm/1");
    assert_eq!(error.position(), (2, 11));
    assert_eq!(error.to_string().lines().nth(2), Some("            ^^"));
    let one_line = grants_error("VM.Audit@/, VM.Audit@/vm/1").to_string();
    assert!(!one_line.contains("line 1"), "{one_line}");
}

fn grants_error(text: &str) -> GrantError {
    Grants::default().add(text).unwrap_err()
}

#[test]
fn a_grant_propagates_downwards_and_nowhere_else() {
    for (grant, path, covered) in [
        ("VM.Audit@/", "/vms/101", true),
        ("VM.Audit@/", "/", true),
        ("VM.Audit@/vms", "/vms/101", true),
        ("VM.Audit@/vms", "/vms", true),
        ("VM.Audit@/vms", "/", false),
        ("VM.Audit@/vms/101", "/vms/101", true),
        ("VM.Audit@/vms/101", "/vms", false),
        ("VM.Audit@/vms/101", "/vms/1011", false),
        ("VM.Audit@/vms/101", "/vms/10", false),
        ("VM.Audit@/vms/101", "/storage/101", false),
        ("VM.Audit@/vms/100-199", "/vms/100", true),
        ("VM.Audit@/vms/100-199", "/vms/199", true),
        ("VM.Audit@/vms/100-199", "/vms/200", false),
        ("VM.Audit@/vms/100-199", "/vms", false),
        ("VM.Audit@/vms/100-199", "/vms/0150", false),
        ("VM.Audit@/vms/100-199", "/vms/100-199", false),
        ("VM.Audit@/vms/100-199", "/pool/150", false),
        ("VM.Audit@/nodes", "/nodes/pve1", true),
        ("VM.Audit@/nodes/pve1", "/nodes/pve10", false),
        ("VM.Audit@/pool/dev", "/pool/dev/web", true),
        ("VM.Audit@/pool/dev", "/vms/101", true),
        ("VM.Audit@/pool/dev/web", "/vms/101", true),
        ("VM.Audit@/pool/dev", "/vms/102", false),
        ("VM.Audit@/pool/de", "/vms/101", false),
        ("VM.Audit@/pool", "/vms/101", true),
        ("VM.Audit@/pool", "/vms/102", false),
    ] {
        assert_eq!(grants(grant).covers("VM.Audit", path, &InDev).is_some(), covered, "{grant} on {path}");
        assert!(
            grants(grant).covers("VM.PowerMgmt", path, &InDev).is_none(),
            "{grant} gives another privilege"
        );
    }
    assert!(grants("VM.Audit@/pool/dev").covers("VM.Audit", "/vms/101", &NoPools).is_none());
}

#[test]
fn basic_reads_and_elevated_is_everything() {
    let basic = Grants::basic();
    for privilege in PRIVILEGES {
        let expected = ["VM.Audit", "Datastore.Audit", "Pool.Audit", "SDN.Audit"].contains(privilege);
        assert_eq!(basic.everywhere(privilege), expected, "{privilege}");
        assert!(Grants::elevated().everywhere(privilege), "{privilege}");
    }
    assert!(Grants::elevated().is_elevated() && !basic.is_elevated());
    assert!(!basic.is_scoped() && grants("VM.Audit@/vms").is_scoped());
    assert!(!grants("Administrator@/vms").is_elevated());
}
