//! Tokens with permissions of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proxmox_sim::{Options, Sim};
use serde_json::json;

use super::client::{Ask, Served, Session};
use crate::harness::{arrived, binary, configured, is_error, json_lines, run, text};

/// A folder with tokens and profiles.
pub(crate) struct Team {
    folder: tempfile::TempDir,
    tokens: BTreeMap<String, String>,
}

const PROFILES: &str = r#"
[profiles.power]
grants = ["VM.PowerMgmt@/vms/101"]

[profiles.web]
vmids = "101"
toolsets = ["guests"]
exclude_tools = "proxmox_delete"

[profiles.look]
elevated = true
read_only = true
"#;

impl Team {
    /// Makes a token for each name, with a profile or `-`.
    pub(crate) fn of(members: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("profiles.toml"), PROFILES).unwrap();
        let mut team = Self { folder, tokens: BTreeMap::new() };
        for (name, profile) in members {
            team.add(name, profile);
        }
        team
    }

    fn add(&mut self, name: &str, profile: &str) {
        let mut command = binary();
        command.args(["token", "new", name, "--file"]).arg(self.file());
        if profile != "-" {
            command.args(["--profile", profile]);
        }
        let output = run(&mut command);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        assert!(token.starts_with("pmcp_"), "{token}");
        self.tokens.insert(name.to_owned(), token);
    }

    pub(crate) fn token(&self, name: &str) -> &str {
        &self.tokens[name]
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The line of a token.
    pub(crate) fn line(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.file()).unwrap();
        text.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
    }

    /// Takes a token's line out.
    fn remove(&self, name: &str) {
        let text = std::fs::read_to_string(self.file()).unwrap();
        let rest: Vec<&str> = text.lines().filter(|line| !line.starts_with(name)).collect();
        std::fs::write(self.file(), rest.join("\n")).unwrap();
    }

    pub(crate) fn serve(&self, sim: &Sim, arguments: &[&str]) -> Served {
        let mut command = configured(sim, &sim.token());
        command.args(["serve", "--http", "127.0.0.1:0", "--http-tokens"]).arg(self.file());
        command.arg("--profiles-file").arg(self.path("profiles.toml")).args(arguments);
        Served::of(command)
    }
}

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

fn tools(server: &Served, token: &str) -> Vec<String> {
    let list = Ask::modern("tools/list", json!({})).by(token).send(server).result();
    let names =
        list["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned());
    names.collect()
}

#[test]
fn each_token_may_do_what_its_profile_says() {
    let sim = sim();
    let team = Team::of(&[("alice", "power"), ("bob", "-"), ("carol", "look"), ("dave", "web")]);
    let server = team.serve(&sim, &[]);
    let shut_down = |name: &str| {
        let ask = Ask::call("proxmox_shutdown_vm", json!({"vmid": 101})).by(team.token(name));
        ask.send(&server).result()
    };
    let changes = || arrived(&sim).into_iter().filter(|line| !line.starts_with("GET")).count();
    let bobs = shut_down("bob");
    assert!(is_error(&bobs) && text(&bobs).contains("VM.PowerMgmt@/vms/101"), "{bobs}");
    let carols = shut_down("carol");
    assert!(is_error(&carols) && text(&carols).contains("--read-only"), "{carols}");
    assert!(is_error(&shut_down("dave")));
    assert_eq!(changes(), 0);
    let alices = shut_down("alice");
    assert!(!is_error(&alices) && changes() == 1, "{alices}");

    let has = |name: &str, tool: &str| tools(&server, team.token(name)).iter().any(|known| known == tool);
    assert!(has("alice", "proxmox_power") && !has("bob", "proxmox_power") && !has("carol", "proxmox_power"));
    assert!(has("carol", "proxmox_get_node_status") && !has("dave", "proxmox_get_nodes"));
    let vms = Ask::call("proxmox_get_vms", json!({})).by(team.token("dave")).send(&server).result();
    assert!(text(&vms).contains("prod-web-01") && !text(&vms).contains("prod-db-master"), "{}", text(&vms));
}

#[test]
fn the_audit_log_says_whose_token_it_was_whatever_the_client_calls_itself() {
    let sim = sim();
    let team = Team::of(&[("alice", "power"), ("bob", "-")]);
    let log = team.path("audit.log");
    let server = team.serve(&sim, &["--audit-log", log.to_str().unwrap()]);
    let names = ["alice", "bob"];
    std::thread::scope(|scope| {
        for name in names {
            let (server, token) = (&server, team.token(name));
            scope.spawn(move || {
                for turn in 0..20 {
                    let mut meta = crate::harness::stateless_meta();
                    let client = json!({"name": format!("{name}-{turn}"), "version": "1"});
                    meta["io.modelcontextprotocol/clientInfo"] = client;
                    let params = json!({"name": "proxmox_get_nodes", "arguments": {}, "_meta": meta});
                    assert_eq!(Ask::modern("tools/call", params).by(token).send(server).status, 200);
                }
            });
        }
    });
    let mut session = Session::open(&server, Some(team.token("bob")), json!({}));
    session.call("proxmox_get_nodes", json!({}));
    server.signal("-TERM");
    assert_eq!(server.end(), Some(0));
    let bytes = std::fs::read(&log).unwrap();
    let written = String::from_utf8_lossy(&bytes);
    assert!(names.iter().all(|name| !written.contains(team.token(name))), "a token in the log");
    let lines = json_lines(&bytes);
    let starts: Vec<_> = lines.iter().filter(|line| line["event"] == "start").collect();
    assert_eq!(starts.len(), 2);
    assert_eq!(starts[0]["principal"], "alice");
    assert!(starts[0]["grants"].as_array().unwrap().contains(&json!("VM.PowerMgmt@/vms/101")), "{starts:?}");
    let calls: Vec<_> = lines.iter().filter(|line| line["event"] == "call").collect();
    assert_eq!(calls.len(), 41);
    for call in calls {
        let (token, client) = (call["principal"].as_str().unwrap(), call["client"].as_str().unwrap());
        assert!(client.starts_with(&format!("{token}-")) || (token, client) == ("bob", "e2e"), "{call}");
    }
    let verified = run(binary().args(["audit", "verify"]).arg(&log));
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn a_token_that_is_taken_out_opens_nothing_any_more() {
    let sim = sim();
    let mut team = Team::of(&[("alice", "-"), ("bob", "-")]);
    let server = team.serve(&sim, &[]);
    let alice = team.token("alice").to_owned();
    let mut alices = Session::open(&server, Some(&alice), json!({}));
    let mut stream = {
        let bobs = Session::open(&server, Some(team.token("bob")), json!({}));
        Ask { method: "GET", ..bobs.message(&json!(null)) }.open(&server)
    };
    assert_eq!(stream.status, 200);
    let bob = team.token("bob").to_owned();
    team.remove("bob");
    team.add("carol", "power");
    server.signal("-HUP");
    server.has_said("2 tokens");
    let status = |token: &str| Ask::modern("tools/list", json!({})).by(token).send(&server).status;
    assert_eq!((status(&bob), status(team.token("carol"))), (401, 200));
    assert_eq!(stream.next(), None, "what was open is closed");
    assert!(!is_error(&alices.call("proxmox_get_nodes", json!({}))), "hers goes on");

    // A profile that says something else is something else.
    std::fs::write(team.path("profiles.toml"), PROFILES.replace("/vms/101", "/vms/100")).unwrap();
    server.signal("-HUP");
    server.has_said("again: 2 tokens\nproxmox-mcp read");
    let carols = Ask::call("proxmox_shutdown_vm", json!({"vmid": 101})).by(team.token("carol"));
    assert!(is_error(&carols.send(&server).result()));

    std::fs::write(team.file(), "alice - nonsense\n").unwrap();
    server.signal("-HUP");
    server.has_said("The tokens stay as they were");
    assert!(server.log().contains("line 1: its third word is no digest"), "{}", server.log());
    assert_eq!(status(team.token("alice")), 200);
}

#[test]
fn a_token_is_shown_once_and_its_file_is_kept_in_order() {
    let team = Team::of(&[("alice", "night")]);
    let text = std::fs::read_to_string(team.file()).unwrap();
    assert!(text.starts_with("alice night sha256:") && !text.contains(team.token("alice")), "{text}");
    let again = |name: &str| run(binary().args(["token", "new", name, "--file"]).arg(team.file()));
    let taken = again("alice");
    assert_eq!(taken.status.code(), Some(2));
    assert!(taken.stdout.is_empty() && String::from_utf8_lossy(&taken.stderr).contains("already"));
    assert!(!again("a b").status.success());
    assert_eq!(std::fs::read_to_string(team.file()).unwrap(), text);
    let printed = run(binary().args(["token", "new", "bob"]));
    let (token, said) =
        (String::from_utf8(printed.stdout).unwrap(), String::from_utf8(printed.stderr).unwrap());
    assert!(
        token.starts_with("pmcp_") && said.contains("bob - sha256:") && !said.contains(token.trim()),
        "{said}"
    );
    check_modes(&team, &again("bob").status.success());
}

#[cfg(unix)]
fn check_modes(team: &Team, added: &bool) {
    use std::os::unix::fs::PermissionsExt;
    assert!(added);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&team.file()), 0o600);
    // Whoever can write it can come in, so it is not believed.
    std::fs::set_permissions(team.file(), std::fs::Permissions::from_mode(0o666)).unwrap();
    let refused = run(binary().args(["--demo", "serve", "--http", "0", "--http-tokens"]).arg(team.file()));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(2) && said.contains("chmod 600"), "{said}");
}

#[cfg(not(unix))]
fn check_modes(_team: &Team, _added: &bool) {}
