//! What is granted: `proxmox-mcp grants`, its `explain`, profiles, and grants on pools.

use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use proxmox_gate::{Gate, Grants, Pools, Walls};
use proxmox_mcp_host::calls::{Answer, Tools};
use proxmox_mcp_host::egress::{Egress, Endpoint};
use proxmox_mcp_host::engine::Engine;
use proxmox_mcp_host::pools::Directory;
use proxmox_mcp_host::settings::authorization;
use proxmox_mcp_host::tls::Trust;
use proxmox_sim::{Fault, FaultKind, Options, Sim};
use serde_json::{Value, json};

use crate::harness::{Client, arrived, configured, is_error, run, text};

const LONG: Duration = Duration::from_secs(3600);

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn with(sim: &Sim, arguments: &[&str]) -> Command {
    let mut command = configured(sim, &sim.token());
    command.args(arguments);
    command
}

#[track_caller]
fn data(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", stderr(output)))
}

/// A folder for `XDG_CONFIG_HOME` with this as its profiles.
fn config(profiles: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("proxmox-mcp")).unwrap();
    std::fs::write(folder.path().join("proxmox-mcp/profiles.toml"), profiles).unwrap();
    folder
}

#[test]
fn grants_shows_what_is_in_force_where_it_was_said_and_what_it_opens() {
    let sim = sim();
    let folder = config("[profiles.night]\ngrants = ['VM.PowerMgmt@/vms/101']\nvmids = '100-199'\n");
    let mut command = with(&sim, &["grants", "--profile", "night", "--grant", "Sys.Audit@/nodes/pve1"]);
    command.env("XDG_CONFIG_HOME", folder.path()).env("PROXMOX_VMID_ALLOWLIST", "101,300");
    let output = run(&mut command);
    let page = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = page.lines().map(words).collect();
    for expected in [
        "VM.Audit@/ basic",
        "VM.PowerMgmt@/vms/101 profile night",
        "Sys.Audit@/nodes/pve1 --grant",
        "guests: 101 profile night and PROXMOX_VMID_ALLOWLIST",
        "nodes: all",
        "proxmox_get_nodes granted",
        "proxmox_power granted for some the others: --grant VM.PowerMgmt@/vms/{vmid}",
        "proxmox_execute_vm_command not granted --grant VM.GuestAgent.Unrestricted@/vms/{vmid}",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{expected:?} is not in:\n{page}");
    }
    assert!(lines.iter().any(|line| line.starts_with("Profile: night")), "{page}");
    assert!(sim.requests().is_empty(), "nothing needs to be asked for that");
}

#[test]
fn grants_as_json_and_in_elevated_mode() {
    let sim = sim();
    let basic = data(&run(&mut with(&sim, &["grants", "--json"])));
    assert_eq!(basic["mode"], "basic");
    assert_eq!(basic["grants"][0], json!({"grant": "VM.Audit@/", "origin": "basic"}));
    assert_eq!(basic["allow_lists"], json!({"nodes": null, "guests": null}));
    let start = json!({
        "name": "proxmox_power", "reach": "not granted", "further_grants": ["VM.PowerMgmt@/vms/{vmid}"],
    });
    assert!(basic["tools"].as_array().unwrap().contains(&start), "{basic}");
    let granted = ["grants", "--json", "--grant", "VM.Snapshot@/"];
    let everywhere = data(&run(&mut with(&sim, &granted)));
    let take = json!({"name": "proxmox_create_snapshot", "reach": "granted", "further_grants": []});
    assert!(everywhere["tools"].as_array().unwrap().contains(&take), "{everywhere}");
    let elevated = data(&run(&mut with(&sim, &["grants", "--json", "--allow-elevated"])));
    assert_eq!(elevated["mode"], "elevated");
    assert_eq!(elevated["grants"], json!([{"grant": "Administrator@/", "origin": "--allow-elevated"}]));
    for tool in elevated["tools"].as_array().unwrap() {
        assert_eq!(tool["further_grants"], json!([]), "{tool}");
    }
}

#[test]
fn without_the_basic_grants_nothing_but_what_is_granted_can_be_read() {
    let sim = sim();
    let narrow = ["--no-basic", "--grant", "VM.Audit@/vms/101"];
    let mut client = Client::connect(&sim, &narrow);
    let vmids = |data: &Value| -> Vec<u64> {
        data["guests"].as_array().unwrap().iter().map(|guest| guest["vmid"].as_u64().unwrap()).collect()
    };
    let list = client.call("proxmox_get_vms", json!({}));
    assert_eq!(vmids(&list["structuredContent"]), [101]);
    let resource = client.request("resources/read", json!({"uri": "proxmox://guests"}));
    let resource = resource["result"]["contents"][0]["text"].as_str().unwrap();
    assert_eq!(vmids(&serde_json::from_str(resource).unwrap()), [101]);
    let of = json!({"type": "ref/prompt", "name": "diagnose_guest"});
    let completed =
        client.request("completion/complete", json!({"ref": of, "argument": {"name": "vmid", "value": ""}}));
    assert_eq!(completed["result"]["completion"]["values"], json!(["101"]));
    for (name, arguments) in [("health_check", json!({})), ("diagnose_guest", json!({"vmid": "100"}))] {
        let prompt = client.request("prompts/get", json!({"name": name, "arguments": arguments}));
        assert!(prompt["result"]["messages"].is_array(), "{prompt}");
        assert!(!prompt.to_string().contains("prod-db-master"), "{prompt}");
    }
    let storages = client.call("proxmox_get_storage", json!({}));
    assert_eq!(storages["structuredContent"]["storages"], json!([]));
    let one = client.call("proxmox_get_guest", json!({"vmid": 100}));
    assert!(is_error(&one) && !text(&one).contains("prod-db-master"), "{one}");
    let direct = client.call("proxmox_read_api", json!({"path": "/nodes/pve1/qemu/100/config"}));
    assert!(is_error(&direct) && text(&direct).contains("--grant VM.Audit@/vms/100"), "{direct}");

    let page = stdout(&run(&mut with(&sim, &[&["grants"], &narrow[..]].concat())));
    let mode = "Mode: granted only (nothing but what is granted, reading included; --no-basic)";
    assert!(page.starts_with(mode) && !page.contains("VM.Audit@/ "), "{page}");
    let shown = data(&run(with(&sim, &["grants", "--json"]).env("PROXMOX_BASIC", "false")));
    assert_eq!((&shown["mode"], &shown["grants"]), (&json!("granted only"), &json!([])));
    assert_eq!(shown["narrowed_by"], "PROXMOX_BASIC");
    let folder = config("[profiles.narrow]\nbasic = false\ngrants = ['VM.Audit@/vms/101']\n");
    let mut command = with(&sim, &["grants", "--json", "--profile", "narrow"]);
    let shown = data(&run(command.env("XDG_CONFIG_HOME", folder.path())));
    assert_eq!(shown["grants"], json!([{"grant": "VM.Audit@/vms/101", "origin": "profile narrow"}]));
    let both = run(&mut with(&sim, &["grants", "--no-basic", "--allow-elevated"]));
    assert_eq!(both.status.code(), Some(2), "{}", stderr(&both));
}

#[test]
fn a_target_inside_the_allow_list_moves_no_guest_from_outside() {
    let sim = sim();
    let mut client = Client::connect(&sim, &["--allow-elevated", "--node-allowlist", "pve1"]);
    for (path, params) in [
        ("/cluster/bulk-action/guest/migrate", json!({"target": "pve1", "vms": [102]})),
        ("/cluster/replication", json!({"id": "102-0", "target": "pve1", "type": "local"})),
        ("/cluster/ha/resources/vm:103/migrate", json!({"node": "pve1"})),
        ("/cluster/ha/resources/vm:103/relocate", json!({"node": "pve1"})),
    ] {
        let call = json!({"method": "POST", "path": path, "params": params});
        let refused = client.call("proxmox_change_api", call);
        let said = text(&refused);
        assert!(is_error(&refused) && said.contains("PROXMOX_NODE_ALLOWLIST"), "{path}: {said}");
    }
    assert!(arrived(&sim).iter().all(|line| line.starts_with("GET ")), "{:?}", arrived(&sim));
}

#[test]
fn under_an_allow_list_of_nodes_storages_are_listed_without_the_state_of_ceph() {
    let sim = sim();
    let arguments = ["--node-allowlist", "pve1", "--grant", "Sys.Audit@/"];
    let listed = Client::connect(&sim, &arguments).call("proxmox_get_storage", json!({}));
    let said = text(&listed);
    assert!(!is_error(&listed) && said.contains("ceph-prod"), "{said}");
    assert!(said.contains("IOPS: left out by the operator's allow-list"), "{said}");
    assert!(!arrived(&sim).iter().any(|line| line.contains("/ceph/")), "{:?}", arrived(&sim));
}

#[test]
fn explain_shows_each_request_its_rule_and_what_would_open_it() {
    let sim = sim();
    let arguments = ["grants", "explain", "proxmox_shutdown_vm", "vmid=101"];
    let refused = run(&mut with(&sim, &arguments));
    let page = stdout(&refused);
    assert_eq!(refused.status.code(), Some(1), "{page}");
    for line in [
        "GET /nodes/pve1/qemu/101/status/current  allowed by VM.Audit@/ (basic)",
        "POST /nodes/pve1/qemu/101/status/shutdown  refused: needs VM.PowerMgmt on /vms/101; --grant VM.PowerMgmt@/vms/101",
        "The call is refused. To open it: --grant VM.PowerMgmt@/vms/101",
    ] {
        assert!(page.lines().any(|shown| shown == line), "{line:?} is not in:\n{page}");
    }
    let granted = run(with(&sim, &arguments).env("PROXMOX_GRANTS", "VM.PowerMgmt@/vms/100-199"));
    let page = stdout(&granted);
    assert!(granted.status.success(), "{page}");
    assert!(
        page.contains("status/shutdown  allowed by VM.PowerMgmt@/vms/100-199 (PROXMOX_GRANTS); not sent"),
        "{page}"
    );
    let walled =
        run(&mut with(&sim, &[&arguments[..], &["--allow-elevated", "--vmid-allowlist", "102"]].concat()));
    let page = stdout(&walled);
    assert!(walled.status.code() == Some(1) && page.contains("There is no guest 101"), "{page}");
    assert!(arrived(&sim).iter().all(|line| line.starts_with("GET ")), "{:?}", arrived(&sim));
}

#[test]
fn what_a_person_is_asked_for_shows_as_such() {
    let sim = sim();
    let ask = ["--ask", "VM.PowerMgmt@/vms/101", "grants"];
    let page = stdout(&run(&mut with(&sim, &ask)));
    assert!(page.contains("Granted once a person has agreed\n  VM.PowerMgmt@/vms/101\n"), "{page}");
    let explain =
        |vmid: &str| run(&mut with(&sim, &[&ask[..], &["explain", "proxmox_shutdown_vm", vmid]].concat()));
    let asked = explain("vmid=101");
    let page = stdout(&asked);
    assert!(asked.status.success(), "{page}");
    assert!(page.contains("status/shutdown  a person is asked: needs VM.PowerMgmt on /vms/101\n"), "{page}");
    assert!(page.contains("goes on once a person has agreed"), "{page}");
    assert_eq!(explain("vmid=100").status.code(), Some(1));
    assert!(arrived(&sim).iter().all(|line| line.starts_with("GET ")), "{:?}", arrived(&sim));
}

#[test]
fn explain_shows_refused_reads_and_failures_of_other_kinds() {
    let sim = sim();
    let in_part =
        run(&mut with(&sim, &["grants", "explain", "--json", "proxmox_get_node_status", "node=pve1"]));
    let shown = data(&in_part);
    assert!(in_part.status.success(), "{shown}");
    assert_eq!(shown["result"], "allowed in part");
    let requests = shown["requests"].as_array().unwrap();
    let refused: Vec<&Value> = requests.iter().filter(|r| r["decision"] == "refused").collect();
    assert!(!refused.is_empty() && refused.len() < requests.len(), "{shown}");
    for request in refused {
        assert_eq!(request["remedy"], "--grant Sys.Audit@/nodes/pve1", "{shown}");
        assert_eq!(request["needs"][0]["granted_by"], Value::Null, "{shown}");
        assert_eq!(request["sent"], false, "{shown}");
    }
    let none = run(&mut with(&sim, &["grants", "explain", "proxmox_start_vm", "vmid=999"]));
    assert_eq!(none.status.code(), Some(1));
    assert!(stdout(&none).contains("Nothing is refused, but the call fails:"), "{}", stdout(&none));
    let running = run(&mut with(&sim, &["grants", "explain", "proxmox_start_vm", "vmid=101"]));
    assert!(running.status.success() && stdout(&running).contains("changes nothing"), "{}", stdout(&running));
    let unknown = run(&mut with(&sim, &["grants", "explain", "proxmox_strat_vm"]));
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("proxmox_start_vm"), "{}", stderr(&unknown));
}

#[test]
fn explain_changes_nothing_whatever_is_granted() {
    let sim = sim();
    let tools = data(&run(&mut with(&sim, &["tools", "--json"])));
    let changing = |tool: &&Value| {
        let calls = tool["calls"].as_array().unwrap();
        calls.iter().any(|call| !call.as_str().unwrap().starts_with("GET "))
    };
    let changing: Vec<&Value> = tools.as_array().unwrap().iter().filter(changing).collect();
    assert!(changing.len() >= 3, "{changing:?}");
    sim.with_world(|world| world.guests.get_mut(&107).unwrap().running = false);
    let tasks = sim.with_world(|world| world.tasks.len());
    sim.clear_requests();
    for (tool, arguments) in [
        ("proxmox_power", &["vmid=107", "action=start"][..]),
        ("proxmox_power", &["vmid=101", "action=shutdown"]),
        ("proxmox_execute_vm_command", &["vmid=101", "command=touch /tmp/x"]),
    ] {
        assert!(changing.iter().any(|known| known["name"] == tool), "{tool} changes nothing any more");
        let output =
            run(&mut with(&sim, &[&["--allow-elevated", "grants", "explain", tool], arguments].concat()));
        assert!(stdout(&output).contains("not sent"), "{tool}: {}{}", stdout(&output), stderr(&output));
    }
    let touched: Vec<String> = arrived(&sim)
        .into_iter()
        .filter(|line| !line.starts_with("GET ") || line.contains("/exec-status"))
        .collect();
    assert!(touched.is_empty(), "{touched:?}");
    assert_eq!(sim.with_world(|world| world.tasks.len()), tasks);
}

#[test]
fn a_profile_grants_and_bounds() {
    let sim = sim();
    let folder = config(
        "[profiles.night]\ngrants = ['VM.PowerMgmt@/vms/100-199']\nnodes = ['pve1']\n[profiles.none]\n",
    );
    let call = |profile: &str, vmid: &str| {
        let mut command = with(&sim, &["call", "proxmox_shutdown_vm", vmid]);
        run(command.env("PROXMOX_PROFILE", profile).env("XDG_CONFIG_HOME", folder.path()))
    };
    assert_eq!(call("none", "vmid=101").status.code(), Some(1));
    let done = call("night", "vmid=101");
    assert!(done.status.success(), "{}", stderr(&done));
    // 103 is on another node.
    let elsewhere = call("night", "vmid=103");
    assert_eq!(elsewhere.status.code(), Some(1), "{}", stdout(&elsewhere));
}

#[track_caller]
fn assert_wrong(command: &mut Command, parts: &[&str]) -> String {
    let output = run(command);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    said
}

/// What stands above the carets.
fn pointed_at(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let at = lines.iter().position(|line| line.trim_start().starts_with('^')).expect("a line of carets");
    let (carets, above) = (lines[at], lines[at - 1]);
    above.chars().skip(carets.find('^').unwrap()).take(carets.matches('^').count()).collect()
}

#[test]
fn mistakes_in_profiles_and_grants_are_errors_at_start_that_point_at_the_character() {
    let sim = sim();
    let at_start = |profiles: &str, arguments: &[&str]| {
        let folder = config(profiles);
        let mut command = with(&sim, arguments);
        command.env("XDG_CONFIG_HOME", folder.path());
        (folder, command)
    };
    let night = ["--profile", "night", "serve"];
    let (_folder, mut command) =
        at_start("[profiles.night]\ngrants = [\n  'Sys.Audit@/',\n  'VM.PowerMgnt@/vms/101',\n]\n", &night);
    let said = assert_wrong(&mut command, &["profiles.toml", "line 4", "did you mean \"VM.PowerMgmt\""]);
    assert_eq!(pointed_at(&said), "V");
    let (_folder, mut command) = at_start("[profiles.night]\ngrant = []\n", &night);
    let said = assert_wrong(&mut command, &["line 2", "`grant`", "grants"]);
    assert_eq!(pointed_at(&said), "g");
    let (_folder, mut command) = at_start("[profiles.nights]\n", &night);
    assert_wrong(&mut command, &["Did you mean `nights`?"]);
    let (_folder, mut command) =
        at_start("", &["--profile", "night", "--profiles-file", "/no/such", "serve"]);
    assert_wrong(&mut command, &["/no/such", "[profiles.night]"]);

    let several = "VM.PowerMgmt@/vms/101, Sys.Audit@/nodes/pve1 Sys.Odit@/";
    let said = assert_wrong(
        with(&sim, &["serve"]).env("PROXMOX_GRANTS", several),
        &["PROXMOX_GRANTS", "did you mean \"Sys.Audit\""],
    );
    assert_eq!(pointed_at(&said), "Sys.Odit");
    assert!(sim.requests().is_empty());
}

#[test]
fn a_grant_on_a_pool_reaches_its_members_and_nobody_else() {
    let sim = sim();
    let mut client = Client::connect(&sim, &["--grant", "VM.PowerMgmt@/pool/development"]);
    let member = client.call("proxmox_shutdown_vm", json!({"vmid": 107}));
    assert!(!is_error(&member), "{}", text(&member));
    for other in [101, 104] {
        let refused = client.call("proxmox_shutdown_vm", json!({"vmid": other}));
        assert!(is_error(&refused) && text(&refused).contains("VM.PowerMgmt"), "{}", text(&refused));
    }
    let changes: Vec<String> = arrived(&sim).into_iter().filter(|line| !line.starts_with("GET ")).collect();
    assert_eq!(changes, ["POST /nodes/pve1/qemu/107/status/shutdown"]);

    let explained = run(&mut with(
        &sim,
        &["--grant", "VM.PowerMgmt@/pool/production", "grants", "explain", "proxmox_shutdown_vm", "vmid=101"],
    ));
    let page = stdout(&explained);
    assert!(page.contains("status/shutdown  allowed by VM.PowerMgmt@/pool/production (--grant)"), "{page}");
}

fn gate(sim: &Sim, grants: &str) -> Gate {
    let mut all = Grants::basic();
    all.add(grants).unwrap();
    let token = sim.token();
    Gate::new(all, Walls::default(), format!("{}!{}", token.user, token.name))
}

fn egress(sim: &Sim) -> Arc<Egress> {
    let token = sim.token();
    let login = format!("{}!{}", token.user, token.name);
    Egress::new(Endpoint {
        host: sim.addr().ip().to_string(),
        port: sim.addr().port(),
        trust: Trust::CaPem(sim.ca_pem().to_owned()),
        authorization: authorization(&login, &token.secret).unwrap(),
    })
}

fn directory(sim: &Sim, grants: &str, max_age: Duration) -> Directory {
    let gate = gate(sim, grants);
    let all = gate.grants().clone();
    Directory::new(Arc::new(gate), egress(sim), &all, max_age)
}

async fn power(tools: &Tools, tool: &str) -> Result<(), &'static str> {
    let arguments = json!({"vmid": 107}).as_object().unwrap().clone();
    match tools.call(tool, &arguments, |_| {}).await {
        Answer::Done { .. } => Ok(()),
        Answer::Failed { kind, .. } => Err(kind),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_left_the_pool_is_refused_once_the_directory_is_too_old() {
    const AGE: Duration = Duration::from_millis(200);
    let sim = sim();
    let load = async |age| {
        let gate = gate(&sim, "VM.PowerMgmt@/pool/development");
        Tools::with_engine(Engine::load().unwrap(), gate, egress(&sim)).await.unwrap().with_pools_for(age)
    };
    let (short, long) = (load(AGE).await, load(LONG).await);
    assert_eq!(power(&short, "proxmox_shutdown_vm").await, Ok(()));
    assert_eq!(power(&long, "proxmox_start_vm").await, Ok(()));
    sim.with_world(|world| world.pools.get_mut("development").unwrap().guests.remove(&107));
    tokio::time::sleep(AGE).await;
    assert_eq!(power(&short, "proxmox_shutdown_vm").await, Err("denied"));
    // The age is what makes the difference.
    assert_eq!(power(&long, "proxmox_shutdown_vm").await, Ok(()));
    sim.with_world(|world| world.pools.get_mut("development").unwrap().guests.insert(107));
    tokio::time::sleep(AGE).await;
    assert_eq!(power(&short, "proxmox_start_vm").await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_asks_once_for_many_and_only_where_a_grant_needs_it() {
    let sim = sim();
    for grants in ["VM.PowerMgmt@/vms/101", "Administrator@/"] {
        assert_eq!(directory(&sim, grants, LONG).members().await.pool_of(107), None);
    }
    assert!(sim.requests().is_empty(), "no grant on a pool");

    let known = Arc::new(directory(&sim, "VM.PowerMgmt@/pool/production", LONG));
    let askers: Vec<_> = (0..20)
        .map(|_| {
            let known = known.clone();
            tokio::spawn(async move { known.members().await })
        })
        .collect();
    for asker in askers {
        let members = asker.await.unwrap();
        assert_eq!((members.pool_of(101), members.pool_of(104)), (Some("production"), None));
        assert!(members.pools_of_storage("ceph-prod").is_empty(), "no grant that a storage needs");
    }
    assert_eq!(arrived(&sim), ["GET /cluster/resources"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_on_a_pool_reaches_its_storages() {
    let sim = sim();
    let members = directory(&sim, "Datastore.AllocateSpace@/pool/production", LONG).members().await;
    assert_eq!(members.pools_of_storage("ceph-prod"), ["production"]);
    assert!(members.pools_of_storage("local").is_empty());
    let others = directory(&sim, "Datastore.AllocateSpace@/pool/development", LONG).members().await;
    assert!(others.pools_of_storage("ceph-prod").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_members_cannot_be_read_nobody_is_in_a_pool() {
    let sim = sim();
    let known = directory(&sim, "PVEAdmin@/pool/production", Duration::ZERO);
    assert_eq!(known.members().await.pool_of(101), Some("production"));
    for path in ["/cluster/resources", "/pools"] {
        for kind in [FaultKind::NotJson, FaultKind::CutBody, FaultKind::DropConnection, FaultKind::LoseAnswer]
        {
            sim.fault(Fault::always(path, kind.clone()));
            let members = known.members().await;
            assert_eq!(members.pool_of(101), None, "{path} {kind:?}");
            assert!(members.pools_of_storage("ceph-prod").is_empty(), "{path} {kind:?}");
            sim.clear_faults();
        }
    }
    assert_eq!(known.members().await.pool_of(101), Some("production"), "it recovers");
    // A token that may not see the guests makes no member of them.
    let blind = Sim::start(Options::instant()).unwrap();
    let token = blind.add_token("blind@pve", "mcp", &[]);
    let login = format!("{}!{}", token.user, token.name);
    let endpoint = Endpoint {
        authorization: authorization(&login, &token.secret).unwrap(),
        ..egress(&blind).endpoint().clone()
    };
    let gate = gate(&blind, "PVEAdmin@/pool/production");
    let all = gate.grants().clone();
    let known = Directory::new(Arc::new(gate), Egress::new(endpoint), &all, LONG);
    assert_eq!(known.members().await.pool_of(101), None);
}

#[test]
fn the_example_in_the_readme_is_a_profile() {
    let readme = std::fs::read_to_string(crate::harness::root().join("README.md")).unwrap();
    let example = readme.split("```toml\n").nth(1).expect("an example in README.md");
    let example = example.split("```").next().unwrap();
    let folder = config(example);
    let file = folder.path().join("proxmox-mcp/profiles.toml");
    let profile = proxmox_mcp_host::profiles::load(&file, "night").unwrap();
    assert!(!profile.grants.is_empty());
}
