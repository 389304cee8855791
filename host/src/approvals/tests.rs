//! The guards one by one. Against the simulated cluster where a guest has to be looked at.

use std::sync::Arc;

use proxmox_api::{Method, methods};
use proxmox_gate::{Gate, Grants, NoPools, Permit, RawRequest, Scope, Walls};
use proxmox_sim::{Options, Sim};
use serde_json::{Map, Value, json};

use super::consent::{Agreed, Consent, Stand, Terms, digest_of};
use super::leave::{Leave, Unapproved, Verdict};
use super::seal::Seals;
use super::{Guest, Need, Question, Reply, Request, SealError, form, guest};
use crate::egress::{Egress, Endpoint};
use crate::lookup::Lookup;
use crate::pools::Members;
use crate::settings::authorization;
use crate::tls::Trust;

mod questions;

const LOGIN: &str = "root@pam!mcp";
const SHUTDOWN: &Method = &methods::POST_NODES_NODE_QEMU_VMID_STATUS_SHUTDOWN;
const EXEC: &Method = &methods::POST_NODES_NODE_QEMU_VMID_AGENT_EXEC;
const RESULT: &Method = &methods::GET_NODES_NODE_QEMU_VMID_AGENT_EXEC_STATUS;
const DELETE: &Method = &methods::DELETE_NODES_NODE_QEMU_VMID;
const FORM: &str = "application/x-www-form-urlencoded";

fn gate(grants: Grants) -> Gate {
    Gate::new(grants, Walls::default(), LOGIN)
}

fn raw<'a>(method: &Method, path: &'a str, body: &'a str) -> RawRequest<'a> {
    RawRequest {
        verb: method.verb.as_str(),
        path_and_query: path,
        content_type: Some(FORM),
        body: body.as_bytes(),
    }
}

fn permit(method: &'static Method, path: &str, body: &str) -> Permit {
    let path = format!("/api2/json{path}");
    gate(Grants::elevated()).check(&Scope::new([method]), raw(method, &path, body), &NoPools).unwrap()
}

fn need(method: &'static Method, path: &str, body: &str, grants: &str) -> Need {
    Need::of(&permit(method, path, body), grants)
}

fn shutdown(vmid: u32) -> Need {
    need(
        SHUTDOWN,
        &format!("/nodes/pve1/qemu/{vmid}/status/shutdown"),
        "",
        &format!("VM.PowerMgmt@/vms/{vmid}"),
    )
}

fn web() -> Guest {
    Guest { vmid: 101, name: "web-01".into(), node: "pve1".into(), container: false }
}

fn arguments(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn consent(needs: &[&Need], expires: u64) -> Consent {
    let agreed = needs.iter().map(|need| Agreed::new(need, vec![web()], expires)).collect();
    let arguments = digest_of(&arguments(json!({"vmid": 101})));
    Consent::given(Terms { call: "c".into(), tool: "t".into(), arguments, agreed, round: 1, expires })
}

fn question(needs: &[(Need, Vec<Guest>)]) -> Question {
    Question::new("proxmox_tool", needs).unwrap()
}

#[test]
fn a_need_is_the_whole_request() {
    let exec = |path: &str, body: &str| need(EXEC, path, body, "VM.GuestAgent.Unrestricted@/vms/101");
    let one = exec("/nodes/pve1/qemu/101/agent/exec", "command=echo&command=a%20b");
    assert_eq!(one.vmids(), [101]);
    assert_eq!(one.line(), "POST /nodes/pve1/qemu/101/agent/exec");
    assert_eq!(one.values("command").collect::<Vec<_>>(), ["echo", "a b"]);
    assert_eq!(one.digest, exec("/nodes/pve1/qemu/101/agent/exec", "command=echo&command=a+b").digest);
    for (path, body) in [
        ("/nodes/pve1/qemu/101/agent/exec", "command=echo&command=a%20c"),
        ("/nodes/pve1/qemu/101/agent/exec", "command=echo"),
        ("/nodes/pve1/qemu/102/agent/exec", "command=echo&command=a%20b"),
        ("/nodes/pve2/qemu/101/agent/exec", "command=echo&command=a%20b"),
    ] {
        assert_ne!(one.digest, exec(path, body).digest, "{path} {body}");
    }
}

#[test]
fn a_consent_fits_one_call_for_a_time() {
    let (call, need) = (arguments(json!({"vmid": 101, "force": {"b": [1], "a": true}})), shutdown(101));
    let agreed = vec![Agreed::new(&need, vec![web()], 300)];
    let terms = Terms {
        call: "c".into(),
        tool: "stop".into(),
        arguments: digest_of(&call),
        agreed,
        round: 1,
        expires: 300,
    };
    let consent = Consent::given(terms);
    assert_eq!(consent.fits("stop", &call, 299), Ok(()));
    let reordered = arguments(json!({"force": {"a": true, "b": [1]}, "vmid": 101}));
    assert_eq!(consent.fits("stop", &reordered, 0), Ok(()));
    assert!(consent.fits("start", &call, 0).unwrap_err().contains("another call"));
    for other in [json!({"vmid": 102, "force": {"b": [1], "a": true}}), json!({"vmid": 101}), json!({})] {
        assert!(consent.fits("stop", &arguments(other), 0).unwrap_err().contains("another call"));
    }
    assert!(consent.fits("stop", &call, 300).unwrap_err().contains("five minutes"));
    assert_eq!(Consent::open().fits("anything", &call, 0), Ok(()));
}

#[test]
fn an_approved_change_goes_once_and_nothing_like_it() {
    let asked = shutdown(101);
    let consent = consent(&[&asked], 300);
    assert_eq!(consent.stand(&shutdown(102), 0), Stand::Unasked);
    let forced =
        need(SHUTDOWN, "/nodes/pve1/qemu/101/status/shutdown", "forceStop=1", "VM.PowerMgmt@/vms/101");
    assert_eq!(consent.stand(&forced, 0), Stand::Unasked);
    assert_eq!(consent.stand(&asked, 300), Stand::Expired);
    assert!(matches!(consent.stand(&asked, 299), Stand::Approved(_)));
    assert_eq!(consent.stand(&asked, 299), Stand::Made);
    assert_eq!(Consent::open().stand(&asked, 0), Stand::Unasked);
    assert_eq!(Consent::impossible("no").stand(&asked, 0), Stand::Impossible("no"));
}

#[test]
fn what_an_approved_change_came_to_may_be_read_and_nothing_else() {
    let grant = |vmid: u32| format!("VM.GuestAgent.Unrestricted@/vms/{vmid}");
    let exec = need(EXEC, "/nodes/pve1/qemu/101/agent/exec", "command=id", &grant(101));
    let result = |vmid: u32, grants: &str| {
        need(RESULT, &format!("/nodes/pve1/qemu/{vmid}/agent/exec-status?pid=7"), "", grants)
    };
    let consent = consent(&[&exec], 300);
    assert_eq!(consent.stand(&result(101, &grant(101)), 0), Stand::Unasked, "not before it was made");
    assert!(matches!(consent.stand(&exec, 0), Stand::Approved(_)));
    assert_eq!(consent.stand(&result(101, &grant(101)), 9_999), Stand::Follows, "however long it runs");
    assert_eq!(consent.stand(&result(102, &grant(101)), 0), Stand::Unasked);
    assert_eq!(consent.stand(&result(101, "VM.Audit@/vms/101"), 0), Stand::Unasked);
    let other = need(EXEC, "/nodes/pve1/qemu/101/agent/exec", "command=ls", &grant(101));
    assert_eq!(consent.stand(&other, 0), Stand::Unasked, "a change never follows");
    consent.withdraw();
    assert_eq!(consent.stand(&result(101, &grant(101)), 0), Stand::Void);
}

#[test]
fn an_approved_read_may_be_repeated() {
    let read = need(&methods::GET_NODES_NODE_STATUS, "/nodes/pve1/status", "", "Sys.Audit@/nodes/pve1");
    let other = need(&methods::GET_NODES_NODE_STATUS, "/nodes/pve2/status", "", "Sys.Audit@/nodes/pve1");
    let consent = consent(&[&read], 300);
    for _ in 0..3 {
        assert!(matches!(consent.stand(&read, 0), Stand::Approved(_)));
        assert_eq!(consent.stand(&other, 0), Stand::Unasked);
    }
}

fn request() -> Request {
    let call = arguments(json!({"vmid": 101}));
    Request::new("c", "t", &call, &Consent::open(), vec![(shutdown(101), vec![web()])]).unwrap()
}

#[test]
fn a_seal_opens_once_in_time_and_unchanged() {
    let (seals, now) = (Seals::new().unwrap(), super::now());
    let sealed = seals.seal(&request()).unwrap();
    assert_eq!(seals.open_at(&sealed, now + 301).unwrap_err(), SealError::Expired);
    let opened = seals.open_at(&sealed, now).unwrap();
    assert_eq!(opened.approved().terms(), request().approved().terms());
    assert_eq!(seals.open_at(&sealed, now).unwrap_err(), SealError::Used);
    // It is forgotten only when it has expired.
    let later = seals.seal(&request()).unwrap();
    seals.open_at(&later, now + 290).unwrap();
    assert_eq!(seals.open_at(&sealed, now + 290).unwrap_err(), SealError::Used);

    let sealed = seals.seal(&request()).unwrap();
    assert_eq!(Seals::new().unwrap().open(&sealed).unwrap_err(), SealError::Foreign);
    for at in (0..sealed.len()).step_by(7) {
        let mut bytes = sealed.clone().into_bytes();
        bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(seals.open(&changed).unwrap_err(), SealError::Foreign, "at {at}");
    }
    assert_eq!(seals.open("").unwrap_err(), SealError::Foreign);
    assert!(seals.open(&sealed).is_ok(), "a failure uses nothing up");
}

#[test]
fn a_call_does_not_ask_without_end() {
    let call = arguments(json!({"vmid": 101}));
    let mut consent = Consent::open();
    for round in 1..=4 {
        let needs = vec![(shutdown(100 + round), vec![web()])];
        consent = Request::new("c", "t", &call, &consent, needs).unwrap().approved();
    }
    // What was agreed to before still holds.
    assert!(matches!(consent.stand(&shutdown(101), 0), Stand::Approved(_)));
    let fifth = Request::new("c", "t", &call, &consent, vec![(shutdown(105), vec![])]).unwrap_err();
    assert!(fifth.contains("--grant VM.PowerMgmt@/vms/105"), "{fifth}");
    let many = (0..13).map(|n| (shutdown(200 + n), vec![])).collect();
    assert!(Request::new("c", "t", &call, &Consent::open(), many).is_err());
}

#[test]
fn a_question_says_what_happens_to_whom_and_what_is_lost() {
    let path = "/nodes/pve1/qemu/101/status/shutdown";
    let asked = question(&[(need(SHUTDOWN, path, "forceStop=1&timeout=60", "G@/"), vec![web()])]);
    assert_eq!(
        asked.text,
        "Shut down VM \"web-01\" (id 101) on node pve1?\n\n\
         What has not been written to disk inside the guest is lost.\n\n\
         Request: POST /nodes/pve1/qemu/101/status/shutdown\nWith: forceStop=1, timeout=60\n\n\
         Asked for by the tool proxmox_tool; not allowed without asking: G@/."
    );
    assert_eq!(asked.typed, None);
    // What has no words is shown as it is.
    let other =
        need(&methods::POST_NODES_NODE_NETWORK, "/nodes/pve1/network", "iface=vmbr9&type=bridge", "G@/");
    let asked = question(&[(other, vec![])]);
    assert!(
        asked.text.starts_with("Send a change to Proxmox VE?\n\nRequest: POST /nodes/pve1/network\n"),
        "{asked:?}"
    );
    assert!(asked.text.contains("With: iface=vmbr9, type=bridge"), "{asked:?}");
    let secret = need(
        &methods::POST_NODES_NODE_QEMU_VMID_AGENT_SET_USER_PASSWORD,
        "/nodes/pve1/qemu/101/agent/set-user-password",
        "username=root&password=hunter22",
        "G@/",
    );
    let asked = question(&[(secret, vec![web()])]);
    assert!(asked.text.contains("password=(not shown)") && !asked.text.contains("hunter22"), "{asked:?}");
}

#[test]
fn what_destroys_takes_typing_the_name() {
    let typed = |need: Need, guests: Vec<Guest>| question(&[(need, guests)]).typed;
    let delete = || need(DELETE, "/nodes/pve1/qemu/101", "", "VM.Allocate@/vms/101");
    assert_eq!(typed(delete(), vec![web()]).as_deref(), Some("web-01"));
    assert_eq!(typed(shutdown(101), vec![web()]), None);
    // A name that cannot be typed as it is shown is replaced by the id.
    for name in ["", "we\u{200b}b", "a\u{1b}[1mb", " web", "a  b"] {
        let guest = Guest { name: name.to_owned(), ..web() };
        assert_eq!(typed(delete(), vec![guest]).as_deref(), Some("101"), "{name:?}");
    }
    let rollback = need(
        &methods::POST_NODES_NODE_QEMU_VMID_SNAPSHOT_SNAPNAME_ROLLBACK,
        "/nodes/pve1/qemu/101/snapshot/before/rollback",
        "",
        "G@/",
    );
    assert_eq!(typed(rollback, vec![web()]).as_deref(), Some("web-01"));
    let storage = need(&methods::DELETE_STORAGE_STORAGE, "/storage/backup", "", "G@/");
    assert_eq!(typed(storage, vec![]).as_deref(), Some("backup"), "every deletion");
    let config = |body| {
        let method = &methods::PUT_NODES_NODE_QEMU_VMID_CONFIG;
        typed(need(method, "/nodes/pve1/qemu/101/config", body, "G@/"), vec![web()])
    };
    assert_eq!(config("delete=unused0").as_deref(), Some("web-01"));
    assert_eq!(config("delete=description"), None);
    // One destroying request among others is enough.
    let both = question(&[(shutdown(101), vec![web()]), (delete(), vec![web()])]);
    assert_eq!(both.typed.as_deref(), Some("web-01"));
}

#[test]
fn what_cannot_be_read_whole_is_not_asked() {
    let body = format!("command=/bin/sh&command=-c&command={}", "x".repeat(9_000));
    let long = need(EXEC, "/nodes/pve1/qemu/101/agent/exec", &body, "VM.GuestAgent.Unrestricted@/vms/101");
    let refused = Question::new("t", &[(long, vec![web()])]).unwrap_err();
    assert!(refused.contains("--grant VM.GuestAgent.Unrestricted@/vms/101"), "{refused}");
}

/// U+202E turns the direction of writing, U+200B is not seen; either makes a command look like another.
#[test]
fn nothing_hides_in_a_question() {
    let body = "command=echo&command=a%E2%80%AEb%0A````%20x&input-data=y%E2%80%8B%0Az";
    let run = need(EXEC, "/nodes/pve1/qemu/101/agent/exec", &body.replace('`', "%60"), "G@/");
    let text = question(&[(run, vec![web()])]).text;
    assert!(text.contains("`````\necho 'a\\u{202e}b\n```` x'\n`````\n"), "{text}");
    assert!(text.contains("input-data:\n```\ny\\u{200b}\nz\n```\n"), "{text}");
    let note = need(
        &methods::PUT_NODES_NODE_QEMU_VMID_CONFIG,
        "/nodes/pve1/qemu/101/config",
        "description=x%E2%80%AE%0A%0AApproved%20by%20root",
        "G@/",
    );
    let more = question(&[(note, vec![web()])]).text;
    assert!(more.contains("With: description=x\\u{202e}  Approved by root"), "{more}");
    for text in [text, more] {
        assert!(!text.contains(['\u{202e}', '\u{200b}']), "{text}");
    }
}

#[test]
fn only_the_name_itself_confirms() {
    let read = |content: Value| Reply::read(&json!({"action": "accept", "content": content}), Some("web-01"));
    assert_eq!(read(json!({"confirm": "web-01"})), Reply::Yes);
    for content in [
        json!({"confirm": "web-02"}),
        json!({"confirm": "WEB-01"}),
        json!({"confirm": "web-01 "}),
        json!({"confirm": true}),
        json!({"approve": true}),
        json!({}),
        Value::Null,
    ] {
        assert_eq!(read(content.clone()), Reply::OtherName, "{content}");
    }
    let declined = json!({"action": "decline", "content": {"confirm": "web-01"}});
    assert_eq!(Reply::read(&declined, Some("web-01")), Reply::No);
    let asked = Question { text: "Delete?".into(), typed: Some("web-01".into()) };
    let form = serde_json::to_value(form::form(&asked).unwrap()).unwrap();
    assert_eq!(form["requestedSchema"]["properties"]["confirm"]["type"], "string");
    assert_eq!(form["requestedSchema"]["required"], json!(["confirm"]));
}

/// A cluster and the gates in front of it.
struct Bench {
    sim: Sim,
    egress: Arc<Egress>,
    narrow: Arc<Gate>,
}

impl Bench {
    fn new() -> Self {
        let sim = Sim::start(Options::instant()).unwrap();
        let token = sim.token();
        let login = format!("{}!{}", token.user, token.name);
        let egress = Egress::new(Endpoint {
            host: sim.addr().ip().to_string(),
            port: sim.addr().port(),
            trust: Trust::CaPem(sim.ca_pem().to_owned()),
            authorization: authorization(&login, &token.secret).unwrap(),
        });
        Self { sim, egress, narrow: Arc::new(gate(Grants::basic())) }
    }

    async fn guests(&self, vmids: &[u32]) -> Vec<Guest> {
        let lookup = Lookup { gate: &self.narrow, egress: &self.egress, watch: None };
        guest::look_up(&lookup, &Members::default(), vmids).await.unwrap()
    }

    /// What happens to the shutdown of guest 101 that was approved for `shown`.
    async fn shutdown(&self, shown: Vec<Guest>) -> Verdict {
        self.approved(SHUTDOWN, "/nodes/pve1/qemu/101/status/shutdown", "", shown).await
    }

    /// What happens to a request that was approved for the guests in `shown`.
    async fn approved(&self, method: &'static Method, path: &str, body: &str, shown: Vec<Guest>) -> Verdict {
        let wide = Arc::new(gate(Grants::elevated()));
        let expires = super::now() + 100;
        let agreed = vec![Agreed::new(&need(method, path, body, "G@/"), shown, expires)];
        let terms =
            Terms { call: "c".into(), tool: "t".into(), arguments: String::new(), agreed, round: 1, expires };
        let consent = Arc::new(Consent::given(terms));
        let leave = Leave::new(self.narrow.clone(), Some(wide), self.egress.clone(), consent.clone());
        let (scope, pools) = (Scope::new([method]), Members::default());
        let path = format!("/api2/json{path}");
        let raw = raw(method, &path, body);
        let denied = || self.narrow.check(&scope, raw, &NoPools).unwrap_err();
        let verdict = leave.decide(&scope, raw, &pools, denied()).await;
        if matches!(verdict, Verdict::Unapproved(_)) {
            let again = leave.decide(&scope, raw, &pools, denied()).await;
            assert!(matches!(again, Verdict::Denied(_)), "withdrawn: {again:?}");
        }
        verdict
    }
}

#[tokio::test]
async fn the_guest_is_looked_at_again_before_the_act() {
    let bench = Bench::new();
    let shown = bench.guests(&[101]).await;
    assert_eq!(shown.first().map(|guest| guest.name.as_str()), Some("prod-web-01"));
    assert_eq!(bench.guests(&[99_999]).await, []);
    assert!(matches!(bench.shutdown(shown.clone()).await, Verdict::Go(_)));

    let changed = |verdict: Verdict| matches!(verdict, Verdict::Unapproved(Unapproved::GuestChanged { .. }));
    bench.sim.with_world(|world| world.guests.get_mut(&101).unwrap().name = "payroll".into());
    assert!(changed(bench.shutdown(shown.clone()).await), "renamed");
    bench.sim.with_world(|world| {
        let guest = world.guests.get_mut(&101).unwrap();
        guest.name = "prod-web-01".into();
        guest.node = "pve2".into();
    });
    assert!(changed(bench.shutdown(shown.clone()).await), "moved");
    bench.sim.with_world(|world| world.guests.remove(&101));
    assert!(changed(bench.shutdown(shown.clone()).await), "gone");
    assert!(matches!(bench.shutdown(vec![]).await, Verdict::Go(_)), "it was shown that there is none");
}

#[tokio::test]
async fn each_guest_of_a_list_is_looked_at_again() {
    let bench = Bench::new();
    let method = &methods::POST_CLUSTER_BULK_ACTION_GUEST_SHUTDOWN;
    let path = "/cluster/bulk-action/guest/shutdown";
    let approved = async |shown| bench.approved(method, path, "vms=100&vms=101", shown).await;
    let shown = bench.guests(&[100, 101]).await;
    assert!(matches!(approved(shown.clone()).await, Verdict::Go(_)));
    assert!(matches!(approved(vec![web()]).await, Verdict::Unapproved(Unapproved::GuestChanged { .. })));
    bench.sim.with_world(|world| world.guests.get_mut(&101).unwrap().name = "payroll".into());
    match approved(shown).await {
        Verdict::Unapproved(Unapproved::GuestChanged { was, is }) => {
            assert!(was.contains("prod-web-01") && is.contains("payroll"), "{was} {is}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_guest_that_cannot_be_looked_at_is_left_alone() {
    let bench = Bench::new();
    let shown = bench.guests(&[101]).await;
    bench.sim.fault(proxmox_sim::Fault::always("/cluster/resources", proxmox_sim::FaultKind::NotJson));
    let verdict = bench.shutdown(shown).await;
    assert!(matches!(verdict, Verdict::Unapproved(Unapproved::NotLookedAt(_))), "{verdict:?}");
}

#[tokio::test]
async fn nothing_is_asked_that_asking_would_not_open() {
    let bench = Bench::new();
    let (scope, pools) = (Scope::new([SHUTDOWN]), Members::default());
    let raw = raw(SHUTDOWN, "/api2/json/nodes/pve1/qemu/101/status/shutdown", "");
    let denied = || bench.narrow.check(&scope, raw, &NoPools).unwrap_err();
    let decide = async |wide: Option<&str>| {
        let wide = wide.map(|ask| {
            let mut grants = Grants::basic();
            grants.add(ask).unwrap();
            Arc::new(gate(grants))
        });
        let consent = Arc::new(Consent::open());
        let leave = Leave::new(bench.narrow.clone(), wide, bench.egress.clone(), consent);
        leave.decide(&scope, raw, &pools, denied()).await
    };
    assert!(matches!(decide(None).await, Verdict::Denied(_)));
    assert!(matches!(decide(Some("VM.PowerMgmt@/vms/102")).await, Verdict::Denied(_)));
    assert!(matches!(decide(Some("VM.PowerMgmt@/vms/101")).await, Verdict::Ask(..)));
}
