use std::cell::RefCell;

use proxmox_gate::{Gate, Grants, Walls};
use serde_json::Value;

use crate::catalogue::Step;
use crate::cx::{Request, Response, SendError, Transport};
use crate::door::selection::Selection;
use crate::door::settings::Rights;
use crate::door::{Caller, Failure, Unnamed};
use crate::error::Kind;
use crate::testing::{Demo, NOW_MS, Script};

const SECRET: &str = "1a2b3c4d-0000-4000-8000-1a2b3c4d5e6f";

fn rights(grants: Grants, guests: Option<&str>) -> Rights {
    let gate = Gate::new(grants, Walls::parse(None, guests).unwrap(), "root@pam!mcp");
    Rights::new(gate, Selection::default(), SECRET.to_owned())
}

fn call(out: &dyn Transport, rights: &Rights, name: &str, arguments: &str) -> Result<Value, Failure> {
    match Caller::new(out, Some(rights)).call(NOW_MS, name, arguments)? {
        Step::Done(output) => Ok(output.data),
        Step::Pending(continuation, _) => Ok(Value::String(continuation)),
    }
}

#[test]
fn in_basic_mode_nothing_changes_and_the_missing_grant_is_named() {
    let demo = Demo::new();
    let basic = rights(Grants::basic(), None);
    assert!(call(&demo, &basic, "proxmox_get_vms", "{}").is_ok());
    for (name, arguments, needs) in [
        ("proxmox_power", r#"{"vmid":101,"action":"shutdown"}"#, "VM.PowerMgmt@/vms/101"),
        ("proxmox_delete", r#"{"vmid":109}"#, "VM.Allocate@/vms/109"),
        ("proxmox_execute_vm_command", r#"{"vmid":101,"command":"id"}"#, "VM.GuestAgent"),
        (
            "proxmox_change_api",
            r#"{"method":"POST","path":"/access/groups","params":{"groupid":"x"}}"#,
            "/access",
        ),
        ("proxmox_read_api", r#"{"path":"/nodes/pve1/syslog"}"#, "Sys.Syslog@/nodes/pve1"),
    ] {
        let failure = call(&demo, &basic, name, arguments).unwrap_err();
        assert_eq!(failure.kind, Kind::Denied, "{name}: {}", failure.message);
        assert!(failure.message.starts_with("This server does not allow that. "), "{}", failure.message);
        assert!(failure.message.contains(needs), "{name}: {}", failure.message);
        assert!(failure.message.contains("PROXMOX_GRANTS"), "{name}: {}", failure.message);
    }
    assert_eq!(demo.changes(), [""; 0]);
}

#[test]
fn a_grant_opens_what_it_says_and_no_more() {
    let demo = Demo::new();
    let one = rights(Grants::parse_list("VM.Audit@/ VM.PowerMgmt@/vms/101").unwrap(), None);
    assert!(call(&demo, &one, "proxmox_power", r#"{"vmid":101,"action":"shutdown"}"#).is_ok());
    assert!(call(&demo, &one, "proxmox_power", r#"{"vmid":100,"action":"shutdown"}"#).is_err());
    assert_eq!(demo.changes(), ["POST /nodes/pve1/qemu/101/status/shutdown"]);
}

#[test]
fn allow_lists_hold_in_elevated_mode_and_cut_lists() {
    let demo = Demo::new();
    let walled = rights(Grants::elevated(), Some("101"));
    let failure = call(&demo, &walled, "proxmox_power", r#"{"vmid":100,"action":"shutdown"}"#).unwrap_err();
    let list = call(&demo, &walled, "proxmox_get_vms", "{}").unwrap();
    assert_eq!(list["total"], 1, "{list}");
    // The tool does not even find the guest that the list leaves out.
    assert!(matches!(failure.kind, Kind::NotFound | Kind::Denied), "{}", failure.message);
    assert_eq!(demo.changes(), [""; 0]);
}

#[test]
fn a_dry_run_says_what_the_gate_would_decide() {
    let demo = Demo::new();
    let arguments = r#"{"vmid":101,"action":"shutdown","dry_run":true}"#;
    for (grants, allowed) in [(Grants::basic(), false), (Grants::elevated(), true)] {
        let rights = rights(grants, None);
        let step = Caller::new(&demo, Some(&rights)).call(NOW_MS, "proxmox_power", arguments).unwrap();
        let Step::Done(output) = step else { panic!("it waits") };
        assert_eq!(output.data["requests"][0]["allowed"], allowed, "{}", output.data);
        let says = output.text.contains("add `VM.PowerMgmt@/vms/101` to PROXMOX_GRANTS");
        assert_eq!(says, !allowed, "{}", output.text);
    }
    assert_eq!(demo.changes(), [""; 0]);
}

#[test]
fn a_forged_continuation_goes_on_with_no_tool_that_is_off() {
    let demo = Demo::new();
    let gate = Gate::new(Grants::elevated(), Walls::default(), "root@pam!mcp");
    let on = Rights::new(gate.clone(), Selection::default(), SECRET.to_owned());
    let reading = Rights::new(gate, Selection::read(None, None, None, true).unwrap(), SECRET.to_owned());
    let step =
        Caller::new(&demo, Some(&on)).call(NOW_MS, "proxmox_power", r#"{"vmid":101,"action":"shutdown"}"#);
    let Ok(Step::Pending(continuation, _)) = step else { panic!("it does not wait: {step:?}") };
    let failure = Caller::new(&demo, Some(&reading)).resume(NOW_MS, &continuation).unwrap_err();
    assert!(failure.message.contains("turned off"), "{}", failure.message);
    assert!(Caller::new(&demo, Some(&on)).resume(NOW_MS, &continuation).is_ok());
    let failure = Caller::new(&demo, Some(&reading)).resume(NOW_MS, "{}").unwrap_err();
    assert_eq!(failure.kind, Kind::Arguments, "{}", failure.message);
}

/// Answers every request with the same bytes, and keeps what was sent.
struct Same<'t>(&'t str, RefCell<Vec<Request>>);

impl Transport for Same<'_> {
    fn send_all(&self, requests: &[Request]) -> Vec<Result<Response, SendError>> {
        self.1.borrow_mut().extend_from_slice(requests);
        let response = || Response {
            status: 200,
            reason: Some(format!("OK {SECRET} password: hunter2SECRET")),
            body: self.0.as_bytes().to_vec(),
        };
        requests.iter().map(|_| Ok(response())).collect()
    }
}

#[test]
fn secrets_and_the_api_token_are_taken_out_of_answers() {
    let body = format!(
        r#"{{"data":{{"cipassword":"hunter2SECRET","name":"web","description":"{SECRET} root password: hunter2SECRET"}}}}"#
    );
    let out = Same(&body, RefCell::default());
    let elevated = rights(Grants::elevated(), None);
    let guarded = super::Guarded::new(&out, &elevated);
    let request = Request {
        verb: proxmox_api::Verb::Get,
        path: "/api2/json/nodes/pve1/qemu/101/config".to_owned(),
        form: None,
    };
    let shown = guarded.send_all(&[request]).remove(0).unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&shown.body), shown.reason.unwrap());
    assert!(!text.contains("hunter2SECRET") && !text.contains(SECRET), "{text}");
    assert!(text.contains("\"web\"") && text.contains(super::TAKEN_OUT), "{text}");
}

#[test]
fn the_word_for_a_secret_is_not_written_back() {
    let demo = Demo::new();
    let arguments = format!(
        r#"{{"method":"PUT","path":"/nodes/pve1/qemu/101/config","params":{{"cipassword":"{}"}}}}"#,
        super::TAKEN_OUT
    );
    let failure =
        call(&demo, &rights(Grants::elevated(), None), "proxmox_change_api", &arguments).unwrap_err();
    assert!(failure.message.contains("would replace the secret"), "{}", failure.message);
    assert_eq!(demo.changes(), [""; 0]);
}

#[test]
fn what_goes_out_is_written_anew_and_odd_requests_do_not() {
    let out = Same(r#"{"data":null}"#, RefCell::default());
    let elevated = rights(Grants::elevated(), None);
    let guarded = super::Guarded::new(&out, &elevated);
    let request = |verb, path: &str, form: Option<&str>| Request {
        verb,
        path: path.to_owned(),
        form: form.map(str::to_owned),
    };
    let results = guarded.send_all(&[
        request(proxmox_api::Verb::Get, "/api2/json/nodes/pve1/../pve2/status", None),
        request(proxmox_api::Verb::Put, "/api2/json/nodes/pve1/qemu/101/config", Some("tags=b&name=a%2db")),
        request(proxmox_api::Verb::Get, "/api2/extjs/nodes", None),
    ]);
    assert_eq!(results[0], Err(SendError::Denied));
    assert_eq!(results[2], Err(SendError::Denied));
    assert!(results[1].is_ok());
    let sent = out.1.borrow();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].form.as_deref(), Some("name=a-b&tags=b"));
}

#[test]
fn where_there_are_no_rights_the_host_decides() {
    let script = Script::new()
        .data("GET /nodes", serde_json::json!([]))
        .data("GET /cluster/resources?type=node", serde_json::json!([]));
    let caller = Caller::new(&script, None);
    caller.call(NOW_MS, "proxmox_get_nodes", "{}").ok();
    assert!(!script.sent().is_empty());
}

#[test]
fn where_no_server_is_named_it_says_what_to_set() {
    for error in [SendError::Dns, SendError::Refused, SendError::Other("x".to_owned())] {
        let script = Script::new().fails("GET /cluster/resources", error);
        let failure = Caller::new(&Unnamed(&script), None).call(NOW_MS, "proxmox_get_vms", "{}").unwrap_err();
        assert!(failure.message.contains("PROXMOX_HOST is not set"), "{}", failure.message);
    }
    let script = Script::new().fails("GET /cluster/resources", SendError::Denied);
    let failure = Caller::new(&Unnamed(&script), None).call(NOW_MS, "proxmox_get_vms", "{}").unwrap_err();
    assert_eq!(failure.kind, Kind::Denied);
}
