use super::*;

fn user(access: &mut Access, id: &str) -> Caller {
    access.users.insert(id.into(), User { enabled: true, ..User::default() });
    Caller::user(id)
}

fn names(granted: Granted) -> Vec<&'static str> {
    granted.set.names().collect()
}

#[test]
fn a_role_on_a_more_specific_path_replaces_the_inherited_one() {
    let mut access = Access::default();
    let bob = user(&mut access, "bob@pve");
    access.grant("/", Subject::User("bob@pve".into()), "PVEAdmin", true);
    access.grant("/vms/101", Subject::User("bob@pve".into()), "PVETemplateUser", true);
    assert!(access.granted(&bob, "/vms/100", &[]).set.has("VM.PowerMgmt"));
    assert_eq!(names(access.granted(&bob, "/vms/101", &[])), ["VM.Audit", "VM.Clone"]);
}

#[test]
fn without_propagation_a_role_holds_on_its_path_only() {
    let mut access = Access::default();
    let bob = user(&mut access, "bob@pve");
    access.grant("/vms", Subject::User("bob@pve".into()), "PVEVMUser", false);
    assert!(access.granted(&bob, "/vms", &[]).set.has("VM.Audit"));
    assert!(access.granted(&bob, "/vms/100", &[]).set.is_empty());
}

#[test]
fn no_access_takes_everything_away() {
    let mut access = Access::default();
    let bob = user(&mut access, "bob@pve");
    access.grant("/", Subject::User("bob@pve".into()), "PVEAdmin", true);
    access.grant("/vms/101", Subject::User("bob@pve".into()), "NoAccess", true);
    assert!(access.granted(&bob, "/vms/101", &["p"]).set.is_empty());
}

#[test]
fn a_separated_token_has_its_own_rights_cut_to_its_users() {
    let mut access = Access::default();
    user(&mut access, "bob@pve");
    let token = ApiToken { secret: "s".into(), privsep: true, expire: 0, comment: None };
    access.users.get_mut("bob@pve").unwrap().tokens.insert("t".into(), token);
    let caller = Caller { user: "bob@pve".into(), token: Some("t".into()) };
    access.grant("/vms", Subject::User("bob@pve".into()), "PVETemplateUser", true);
    assert!(access.granted(&caller, "/vms/1", &[]).set.is_empty());
    access.grant("/vms", Subject::Token("bob@pve!t".into()), "PVEVMUser", true);
    assert_eq!(names(access.granted(&caller, "/vms/1", &[])), ["VM.Audit"]);
    access.users.get_mut("bob@pve").unwrap().tokens.get_mut("t").unwrap().privsep = false;
    assert_eq!(names(access.granted(&caller, "/vms/1", &[])), ["VM.Audit", "VM.Clone"]);
}

#[test]
fn a_pool_gives_its_rights_on_its_members_and_groups_give_theirs() {
    let mut access = Access::default();
    let bob = user(&mut access, "bob@pve");
    access.groups.insert("ops".into(), ["bob@pve".to_owned()].into());
    access.grant("/pool/dev", Subject::Group("ops".into()), "PVEVMUser", true);
    assert!(access.granted(&bob, "/vms/100", &["dev"]).set.has("VM.PowerMgmt"));
    assert!(access.granted(&bob, "/vms/101", &[]).set.is_empty());
}

#[test]
fn a_users_own_entry_beats_its_groups() {
    let mut access = Access::default();
    let bob = user(&mut access, "bob@pve");
    access.groups.insert("ops".into(), ["bob@pve".to_owned()].into());
    access.grant("/vms", Subject::Group("ops".into()), "PVEVMAdmin", true);
    access.grant("/vms", Subject::User("bob@pve".into()), "PVETemplateUser", true);
    assert_eq!(names(access.granted(&bob, "/vms/7", &[])), ["VM.Audit", "VM.Clone"]);
}

#[test]
fn a_token_is_refused_when_expired_or_its_user_is_disabled() {
    let mut access = Access::default();
    user(&mut access, "bob@pve");
    let token = ApiToken { secret: "s".into(), privsep: true, expire: 100, comment: None };
    access.users.get_mut("bob@pve").unwrap().tokens.insert("t".into(), token);
    assert!(access.token_is_valid("bob@pve", "t", "s", 99));
    assert!(!access.token_is_valid("bob@pve", "t", "s", 100));
    assert!(!access.token_is_valid("bob@pve", "t", "wrong", 99));
    access.users.get_mut("bob@pve").unwrap().enabled = false;
    assert!(!access.token_is_valid("bob@pve", "t", "s", 99));
}
