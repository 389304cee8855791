use serde_json::{Value, json};

use super::*;
use crate::cx::SendError;
use crate::testing::{Demo, HOSTILE, Script, assert_tame, by_name, finish, resume, run, text};
use crate::tool::Pending;

const LIST: &str = "GET /cluster/resources";
const LIVE: &str = "GET /nodes/pve1/qemu/101/status/current";
const START: &str = "POST /nodes/pve1/qemu/101/status/start";
const UPID: &str = "UPID:pve1:000031E5:0004AC50:6B02B8E0:qmstart:101:root@pam!mcp:";
const TASK: &str =
    "GET /nodes/pve1/tasks/UPID%3Apve1%3A000031E5%3A0004AC50%3A6B02B8E0%3Aqmstart%3A101%3Aroot%40pam%21mcp%3A/status";
const LOG: &str =
    "GET /nodes/pve1/tasks/UPID%3Apve1%3A000031E5%3A0004AC50%3A6B02B8E0%3Aqmstart%3A101%3Aroot%40pam%21mcp%3A/log?limit=500";

fn guests() -> Value {
    json!([
        {"type": "node", "node": "pve1", "status": "online"}, {"type": "node", "node": "pve2", "status": "offline"},
        {"type": "qemu", "vmid": 101, "name": "prod-web-01", "node": "pve1", "status": "stopped"},
        {"type": "qemu", "vmid": 110, "name": "far", "node": "pve2", "status": "running"},
        {"type": "lxc", "vmid": 200, "name": "ct-dns", "node": "pve1", "status": "stopped"},
        {"type": "qemu", "vmid": 9000, "name": "tmpl", "node": "pve1", "status": "stopped", "template": 1},
    ])
}

fn world() -> Script {
    Script::new().data(LIST, guests())
}

fn status(status: &str) -> Value {
    json!({"status": status, "name": "prod-web-01"})
}

fn ended(words: &str) -> Value {
    json!({"status": "stopped", "exitstatus": words})
}

fn started() -> Script {
    world().data(LIVE, status("stopped")).data(START, json!(UPID))
}

#[test]
fn a_start_is_followed_to_its_end_and_looked_at() {
    let script = started()
        .data(LIVE, status("running"))
        .data(TASK, json!({"status": "running"}))
        .data(TASK, ended("OK"));
    let output = finish(&TOOL, &script, json!({"action": "start", "vmid": "101"})).unwrap();
    assert_eq!(
        output.text,
        format!(
            "▶️ Start: prod-web-01 (ID: 101)\n  • Type: VM\n  • Node: pve1\n  • Status: RUNNING\n  • Task: `{UPID}`\n  \
             • To put it back: `proxmox_power` with `{{\"vmid\":101,\"action\":\"shutdown\"}}`\n"
        )
    );
    assert_eq!(
        output.data,
        json!({"vmid": 101, "name": "prod-web-01", "kind": "vm", "node": "pve1", "changed": true, "finished": true,
               "warnings": [], "status": "running", "upid": UPID,
               "undo": {"tool": "proxmox_power", "arguments": "{\"vmid\":101,\"action\":\"shutdown\"}"}})
    );
    assert_eq!(script.sent(), [LIST, LIVE, START, TASK, TASK, LIVE]);
}

#[test]
fn looks_become_rarer() {
    let script = started().data(TASK, json!({"status": "running"}));
    let mut outcome = run(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap();
    let mut waits = Vec::new();
    for _ in 0..6 {
        let Outcome::Pending(Pending { state, after_ms, message, .. }) = outcome else { panic!("{outcome:?}") };
        assert_eq!(message, "Starting prod-web-01 (ID: 101) on pve1");
        waits.push(after_ms);
        outcome = resume(&TOOL, &script, &state, 0).unwrap();
    }
    assert_eq!(waits, [250, 500, 1000, 2000, 2000, 2000]);
    assert_eq!(script.changes(), [START]);
}

#[test]
fn a_guest_that_runs_is_left_alone() {
    let script = world().data(LIVE, status("running"));
    let output = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap();
    assert!(output.text.contains("Status: RUNNING (already; nothing was sent)"), "{}", output.text);
    assert_eq!(output.data["changed"], false);
    assert!(script.changes().is_empty());
}

#[test]
fn without_waiting_the_task_is_handed_out() {
    let output = finish(&TOOL, &started(), json!({"action": "start", "vmid": 101, "wait": false})).unwrap();
    assert_eq!((&output.data["finished"], &output.data["upid"]), (&json!(false), &json!(UPID)));
    assert!(output.text.contains("Status: STARTING (the task runs on)"), "{}", output.text);
}

#[test]
fn a_container_goes_its_own_way() {
    let live = "GET /nodes/pve1/lxc/200/status/current";
    let start = "POST /nodes/pve1/lxc/200/status/start";
    let script = world().data(live, status("stopped")).error(start, 500, "CT 200 already running");
    let output = finish(&TOOL, &script, json!({"action": "start", "vmid": 200})).unwrap();
    assert_eq!((&output.data["changed"], &output.data["kind"]), (&json!(false), &json!("container")));
    assert_eq!(script.changes(), [start]);
}

#[test]
fn a_failed_task_speaks_for_itself() {
    let script = started().data(TASK, ended("VM is locked (backup)")).data(
        LOG,
        json!([{"n": 1, "t": "a line ``` of it"}, {"n": 2, "t": "TASK ERROR: VM is locked (backup)"}]),
    );
    let Err(Error::Failed(text)) = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})) else { panic!() };
    assert!(text.starts_with("Starting prod-web-01 (ID: 101) failed: VM is locked (backup). Another operation"), "{text}");
    assert!(text.contains("````\na line ``` of it\n````"), "{text}");
    assert!(text.contains(UPID), "{text}");
    assert_eq!(script.changes(), [START]);
}

#[test]
fn an_answer_that_says_nothing_of_the_task_is_not_waited_for_for_ever() {
    for answer in [json!(null), json!([]), json!({"status": 7})] {
        let script = started().data(TASK, answer);
        let Err(Error::Unreachable(text)) = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})) else { panic!() };
        assert!(text.contains(UPID) && text.contains("not known"), "{text}");
        assert_eq!(script.changes(), [START]);
    }
}

#[test]
fn a_log_that_says_nothing_is_left_out() {
    let script = started().data(TASK, ended("no quorum")).data(LOG, json!([{"n": 1, "t": "no content"}]));
    let error = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap_err().to_string();
    assert!(!error.contains("log") && error.contains("quorum"), "{error}");
}

#[test]
fn warnings_are_shown() {
    let script = started().data(LIVE, status("running")).data(TASK, ended("WARNINGS: 1")).data(
        LOG,
        json!([{"n": 1, "t": "WARN: netdev net0: ignoring MTU"}, {"n": 2, "t": "TASK WARNINGS: 1"}]),
    );
    let output = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap();
    assert_eq!(output.data["warnings"], json!(["WARN: netdev net0: ignoring MTU"]));
    assert!(output.text.contains("  • Warning: WARN: netdev net0: ignoring MTU\n"), "{}", output.text);
}

#[test]
fn someone_else_may_be_quicker() {
    let script = started().data(TASK, ended("VM 101 already running")).data(LOG, json!([]));
    let output = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap();
    assert_eq!(output.data["changed"], false);
}

#[test]
fn a_guest_that_stopped_again_is_no_success() {
    let script = started().data(TASK, ended("OK"));
    let error = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap_err().to_string();
    assert!(error.contains("ended well, but the guest is stopped now, not running"), "{error}");
}

#[test]
fn the_ha_manager_is_given_time() {
    let upid = UPID.replace("qmstart", "hastart");
    let task = TASK.replace("qmstart", "hastart");
    let script = world()
        .data(LIVE, status("stopped"))
        .data(LIVE, status("stopped"))
        .data(LIVE, status("running"))
        .data(START, json!(upid))
        .data(&task, ended("OK"));
    let output = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap();
    assert_eq!(output.data["status"], "running");

    let script = world().data(LIVE, status("stopped")).data(START, json!(upid)).data(&task, ended("OK"));
    let Outcome::Pending(pending) = run(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap() else { panic!() };
    let error = resume(&TOOL, &script, &pending.state, 121_000).unwrap_err().to_string();
    assert!(error.contains("HA manager took the request"), "{error}");
}

#[test]
fn a_look_that_is_lost_is_made_good() {
    let script = started()
        .data(LIVE, status("running"))
        .fails(TASK, SendError::Timeout)
        .error(TASK, 596, "")
        .data(TASK, ended("OK"));
    assert_eq!(finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap().data["status"], "running");

    let script = started().fails(TASK, SendError::Timeout);
    let error = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap_err();
    assert!(matches!(&error, Error::Unreachable(text) if text.contains(UPID) && text.contains("goes on")), "{error}");
    assert_eq!(script.changes(), [START]);
}

#[test]
fn a_start_whose_answer_is_lost_is_not_sent_again() {
    let script = world().data(LIVE, status("stopped")).fails(START, SendError::Closed);
    let error = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap_err().to_string();
    assert!(error.contains("not known whether"), "{error}");
    assert_eq!(script.changes(), [START]);
    let script = world().data(LIVE, status("stopped")).data(START, json!(null));
    let error = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap_err().to_string();
    assert!(error.contains("names no task"), "{error}");
}

#[test]
fn what_cannot_be_started_is_told_before_anything_is_sent() {
    for (arguments, expected) in [
        (json!({"action": "start", "vmid": 110}), "Node `pve2` is offline"),
        (json!({"action": "start", "vmid": 9000}), "is a template"),
        (json!({"action": "start", "vmid": 101, "node": "pve2"}), "prod-web-01 (ID: 101) is on node `pve1`, not on `pve2`"),
        (json!({"action": "start", "vmid": 1011}), "There is no guest 1011, or the API token may not see it"),
        (json!({"action": "start", "vmid": 5555}), "`VM.Audit` on `/vms/5555`"),
    ] {
        let script = world();
        let error = finish(&TOOL, &script, arguments).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(script.sent(), [LIST]);
    }
    let script = Script::new().data(LIST, json!([]));
    let error = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap_err().to_string();
    assert!(error.contains("no guest at all"), "{error}");
}

#[test]
fn a_forged_state_reaches_no_other_task_or_guest() {
    let script = started().data(TASK, json!({"status": "running"}));
    let Outcome::Pending(pending) = run(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap() else { panic!() };
    let sent = script.sent().len();
    for (pointer, value) in [
        ("/vmid", json!(102)),
        ("/vmid", json!("../101")),
        ("/node", json!("../x")),
        ("/kind", json!("node")),
        ("/task/upid", json!(UPID.replace(":101:", ":102:"))),
        ("/task/upid", json!(UPID.replace("qmstart", "vzdump"))),
        ("/task/upid", json!("UPID:x")),
        ("/task/looks", json!(-1)),
        ("/since_ms", json!("now")),
        ("/action", json!("stop")),
        ("/action", json!("delete")),
    ] {
        let mut state = pending.state.clone();
        *state.pointer_mut(pointer).unwrap() = value.clone();
        let error = resume(&TOOL, &script, &state, 0).unwrap_err();
        assert!(matches!(error, Error::Arguments(_)), "{pointer} {value}: {error}");
    }
    assert_eq!(script.sent().len(), sent);
}

#[test]
fn hostile_words_are_tame() {
    for text in HOSTILE {
        let list = json!([{"type": "qemu", "vmid": 101, "name": text, "node": "pve1"}]);
        let script = Script::new()
            .data(LIST, list)
            .data(LIVE, json!({"status": "stopped", "name": text}))
            .data(LIVE, json!({"status": "running", "name": text}))
            .data(START, json!(UPID))
            .data(TASK, ended("WARNINGS: 1"))
            .data(LOG, json!([{"n": 1, "t": format!("WARN: {text}")}]));
        let output = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap();
        assert_tame(&output.text);
    }
}

#[test]
fn a_lock_is_explained_before_anything_is_sent() {
    let script = world().data(LIVE, json!({"status": "stopped", "lock": "migrate"}));
    let error = finish(&TOOL, &script, json!({"action": "start", "vmid": 101})).unwrap_err().to_string();
    assert!(error.contains("It is locked (`migrate`)") && error.contains("qm unlock"), "{error}");
    assert!(script.changes().is_empty());
}

#[test]
fn a_dry_run_says_how_it_is_and_sends_nothing() {
    let demo = Demo::new();
    let shown = text(&TOOL, &demo, json!({"action": "shutdown", "vmid": 101, "force": true, "dry_run": true}));
    assert!(shown.contains("Now: status = RUNNING") && shown.contains("Would be lost"), "{shown}");
    assert!(shown.contains("POST /nodes/pve1/qemu/101/status/shutdown forceStop=1"), "{shown}");
    assert!(demo.changes().is_empty());
}

#[test]
fn a_reboot_is_done_when_the_guest_was_started_anew() {
    let (reboot, upid) = ("POST /nodes/pve1/qemu/101/status/reboot", UPID.replace("qmstart", "qmreboot"));
    let (task, up) = (TASK.replace("qmstart", "qmreboot"), |seconds: u64| json!({"status": "running", "uptime": seconds}));
    let script = world()
        .data(LIVE, up(86_400))
        .data(LIVE, status("stopped"))
        .data(LIVE, up(86_401))
        .data(LIVE, up(3))
        .data(reboot, json!(upid))
        .data(&task, ended("OK"));
    let output = finish(&TOOL, &script, json!({"action": "reboot", "vmid": 101, "timeout_seconds": 60})).unwrap();
    assert!(output.text.starts_with("🔄 Reboot: prod-web-01 (ID: 101)\n"), "{}", output.text);
    assert_eq!(script.changes(), [format!("{reboot} timeout=60")]);
    assert_eq!(script.sent().iter().filter(|request| *request == LIVE).count(), 4);

    let script = world().data(LIVE, up(86_400)).data(reboot, json!(upid)).data(&task, ended("OK"));
    let error = finish(&TOOL, &script, json!({"action": "reboot", "vmid": 101})).unwrap_err().to_string();
    assert!(error.contains("is running now, not started anew"), "{error}");
}

#[test]
fn a_suspended_vm_is_paused_and_goes_on() {
    let paused = json!({"status": "running", "qmpstatus": "paused"});
    let running = json!({"status": "running", "qmpstatus": "running"});
    for (action, kind, before, after) in
        [("suspend", "qmpause", &running, &paused), ("resume", "qmresume", &paused, &running)]
    {
        let request = format!("POST /nodes/pve1/qemu/101/status/{action}");
        let script = world()
            .data(LIVE, before.clone())
            .data(LIVE, after.clone())
            .data(&request, json!(UPID.replace("qmstart", kind)))
            .data(&TASK.replace("qmstart", kind), ended("OK"));
        let output = finish(&TOOL, &script, json!({"action": action, "vmid": 101})).unwrap();
        assert_eq!(output.data["changed"], true, "{}", output.text);
        let already = world().data(LIVE, after.clone());
        let output = finish(&TOOL, &already, json!({"action": action, "vmid": 101})).unwrap();
        assert_eq!(output.data["changed"], false, "{}", output.text);
    }
    for action in ["shutdown", "reboot", "start"] {
        let script = world().data(LIVE, paused.clone());
        let error = finish(&TOOL, &script, json!({"action": action, "vmid": 101})).unwrap_err().to_string();
        assert!(error.contains("is paused") && error.contains("`resume`"), "{action}: {error}");
        assert!(script.changes().is_empty());
    }
}

#[test]
fn a_vm_on_disk_is_resumed_from_there() {
    let (suspend, kind) = ("POST /nodes/pve1/qemu/101/status/suspend", "qmsuspend");
    let hibernated = json!({"status": "stopped", "lock": "suspended"});
    let script = world()
        .data(LIVE, status("running"))
        .data(LIVE, hibernated.clone())
        .data(suspend, json!(UPID.replace("qmstart", kind)))
        .data(&TASK.replace("qmstart", kind), ended("OK"));
    let output = finish(&TOOL, &script, json!({"action": "suspend", "vmid": 101, "to_disk": true})).unwrap();
    assert!(output.text.contains("Status: SUSPENDED TO DISK"), "{}", output.text);
    assert_eq!(script.changes(), [format!("{suspend} todisk=1")]);

    let (resume, kind) = ("POST /nodes/pve1/qemu/101/status/resume", "qmresume");
    let script = world()
        .data(LIVE, hibernated)
        .data(LIVE, status("running"))
        .data(resume, json!(UPID.replace("qmstart", kind)))
        .data(&TASK.replace("qmstart", kind), ended("OK"));
    assert!(text(&TOOL, &script, json!({"action": "resume", "vmid": 101})).contains("Status: RUNNING"));
}

#[test]
fn what_does_not_fit_is_told_before_anything_is_sent() {
    let script = world().data(LIVE, status("stopped"));
    for (arguments, expected) in [
        (json!({"action": "reboot", "vmid": 101}), "is stopped. Start it with"),
        (json!({"action": "suspend", "vmid": 101}), "is stopped. Start it with"),
        (json!({"action": "resume", "vmid": 101}), "is stopped. Start it with"),
        (json!({"action": "suspend", "vmid": 200}), "is a container, and only VMs can be suspended"),
        (json!({"action": "resume", "vmid": 200}), "is a container, and only VMs can be resumed"),
        (json!({"action": "start", "vmid": 101, "force": true}), "`force` goes with `shutdown` only"),
        (json!({"action": "start", "vmid": 101, "timeout_seconds": 5}), "`timeout_seconds` goes with"),
        (json!({"action": "resume", "vmid": 101, "to_disk": true}), "`to_disk` goes with `suspend` only"),
        (json!({"action": "explode", "vmid": 101}), "one of `start`, `shutdown`, `reboot`, `suspend`, `resume`"),
    ] {
        let error = finish(&TOOL, &script, arguments.clone()).unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    assert!(script.changes().is_empty());
}

#[test]
fn the_older_names_do_the_same() {
    for (name, node, vmid, status) in [
        ("proxmox_start_lxc", "pve2", 108, "running"),
        ("proxmox_shutdown_lxc", "pve2", 102, "stopped"),
        ("proxmox_shutdown_vm", "pve1", 101, "stopped"),
        ("proxmox_start_vm", "pve1", 101, "running"),
        ("proxmox_reboot_vm", "pve1", 101, "running"),
        ("proxmox_reboot_lxc", "pve2", 102, "running"),
    ] {
        let demo = Demo::new();
        if (name, status) == ("proxmox_start_vm", "running") {
            by_name("proxmox_shutdown_vm", &demo, json!({"node": node, "vmid": vmid}));
        }
        let output = by_name(name, &demo, json!({"node": node, "vmid": vmid.to_string()}));
        assert_eq!((&output.data["changed"], &output.data["status"]), (&json!(true), &json!(status)), "{name}");
        let kind = if vmid == 101 { "qemu" } else { "lxc" };
        assert_eq!(demo.get(&format!("/nodes/{node}/{kind}/{vmid}/status/current"))["status"], status, "{name}");
    }
}

#[test]
fn a_vm_is_paused_and_resumed_under_its_older_names() {
    let demo = Demo::new();
    let live = || demo.get("/nodes/pve1/qemu/101/status/current");
    let output = by_name("proxmox_pause_vm", &demo, json!({"node": "pve1", "vmid": "101"}));
    assert_eq!((&output.data["status"], &live()["qmpstatus"]), (&json!("paused"), &json!("paused")));
    let output = by_name("proxmox_resume_vm", &demo, json!({"node": "pve1", "vmid": "101"}));
    assert_eq!((&output.data["status"], &live()["qmpstatus"]), (&json!("running"), &json!("running")));

    let output = finish(&TOOL, &demo, json!({"vmid": 101, "action": "suspend", "to_disk": true})).unwrap();
    assert_eq!((&output.data["status"], &live()["status"]), (&json!("suspended to disk"), &json!("stopped")));
    let shutdown = finish(&TOOL, &demo, json!({"vmid": 101, "action": "shutdown"})).unwrap();
    assert_eq!(shutdown.data["changed"], false, "{}", shutdown.text);
    let output = finish(&TOOL, &demo, json!({"vmid": 101, "action": "resume"})).unwrap();
    assert_eq!((&output.data["changed"], &live()["status"]), (&json!(true), &json!("running")));
}
