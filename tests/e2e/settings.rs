//! Settings: from flags, environment and `.env`; TLS; and what is said of those that are wrong.

use std::process::{Command, Output};

use proxmox_sim::{Options, Sim};

use crate::harness::{arrived, configured, run};

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

/// The binary without `--no-env-file`, in a folder of its own.
fn in_folder(folder: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxmox-mcp"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PROXMOX_")) {
        command.env_remove(name);
    }
    command.current_dir(folder);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn assert_wrong_settings(output: &Output, part: &str) {
    assert_eq!(output.status.code(), Some(2), "{}", stderr(output));
    assert!(output.stdout.is_empty(), "something on standard output");
    assert!(stderr(output).contains(part), "{:?} is not in: {}", part, stderr(output));
    assert!(
        !stderr(output).contains("panicked") && !stderr(output).contains("Backtrace"),
        "{}",
        stderr(output)
    );
}

#[test]
fn missing_and_wrong_settings_are_one_clear_sentence() {
    let empty = tempfile::tempdir().unwrap();
    assert_wrong_settings(&run(&mut in_folder(empty.path())), "PROXMOX_HOST is not set");
    let with = |pairs: &[(&str, &str)]| {
        let mut command = in_folder(empty.path());
        command
            .env("PROXMOX_HOST", "127.0.0.1")
            .env("PROXMOX_TOKEN_VALUE", "1-a")
            .envs(pairs.iter().copied());
        run(&mut command)
    };
    assert_wrong_settings(&with(&[("PROXMOX_TOKEN_VALUE", "")]), "PROXMOX_TOKEN_VALUE is not set");
    assert_wrong_settings(&with(&[("PROXMOX_ALLOW_ELEVATED", "maybe")]), "PROXMOX_ALLOW_ELEVATED");
    assert_wrong_settings(&with(&[("PROXMOX_GRANTS", "VM.PowerMgnt@/vms/101")]), "VM.PowerMgmt");
    assert_wrong_settings(&with(&[("PROXMOX_VMID_ALLOWLIST", "all")]), "PROXMOX_VMID_ALLOWLIST");
    assert_wrong_settings(&with(&[("PROXMOX_PORT", "https")]), "PROXMOX_PORT");
    assert_wrong_settings(&with(&[("PROXMOX_FINGERPRINT", "AA")]), "PROXMOX_FINGERPRINT");
    assert_wrong_settings(&with(&[("PROXMOX_LOG", "loud")]), "PROXMOX_LOG");
}

#[test]
fn a_grant_that_cannot_be_understood_is_pointed_at() {
    let mut command = in_folder(std::env::temp_dir().as_path());
    let output = run(command.args(["--demo", "--grant", "VM.PowerMgnt@/vms/101", "tools"]));
    assert_wrong_settings(&output, "VM.PowerMgnt@/vms/101");
    assert!(stderr(&output).lines().any(|line| line.trim_start().starts_with('^')), "{}", stderr(&output));
}

#[test]
fn an_env_file_in_a_parent_folder_is_found_and_overrides_nothing() {
    let sim = sim();
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let token = sim.token();
    let text = format!(
        "# settings\nexport OTHER=x\nPROXMOX_HOST={}\nPROXMOX_FINGERPRINT=\"{}\"\nPROXMOX_USER={}\nPROXMOX_TOKEN_NAME='{}'\nPROXMOX_TOKEN_VALUE={}\n",
        sim.addr(),
        sim.fingerprint(),
        token.user,
        token.name,
        token.secret
    );
    std::fs::write(folder.path().join(".env"), text).unwrap();
    let output = run(in_folder(&below).args(["call", "proxmox_get_nodes"]));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("pve1"));

    let output =
        run(in_folder(&below).env("PROXMOX_HOST", "127.0.0.1:1").args(["call", "proxmox_get_nodes"]));
    assert_eq!(output.status.code(), Some(1), "the environment wins");
    assert!(stderr(&output).contains("refuses the connection"), "{}", stderr(&output));
    assert_wrong_settings(&run(in_folder(&below).arg("--no-env-file")), "PROXMOX_HOST is not set");
}

#[test]
fn a_broken_line_is_named_without_its_secret_and_lines_of_others_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join(".env"), text).unwrap();
    write("A LINE OF ANOTHER PROGRAM\nPROXMOX_HOST=192.0.2.1\n");
    assert_wrong_settings(&run(&mut in_folder(folder.path())), "PROXMOX_TOKEN_VALUE is not set");
    write("PROXMOX_HOST=192.0.2.1\nPROXMOX_TOKEN_VALUE=\"1a2b3c4d\n");
    let output = run(&mut in_folder(folder.path()));
    assert_wrong_settings(&output, "the line of PROXMOX_TOKEN_VALUE");
    assert!(!stderr(&output).contains("1a2b3c4d"), "{}", stderr(&output));
}

#[test]
fn a_token_comes_from_a_file_or_a_command() {
    let sim = sim();
    let token = sim.token();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{}\n", token.secret)).unwrap();
    let base = || {
        let mut command = configured(&sim, &token);
        command.env_remove("PROXMOX_TOKEN_VALUE").args(["call", "proxmox_get_nodes"]);
        command
    };
    assert!(run(base().env("PROXMOX_TOKEN_FILE", file.path())).status.success());
    assert!(run(base().args(["--token-command", &format!("echo {}", token.secret)])).status.success());
    assert_wrong_settings(&run(base().env("PROXMOX_TOKEN_FILE", "/no/such/file")), "/no/such/file");
    assert_wrong_settings(&run(base().args(["--token-command", "echo broken >&2; false"])), "broken");
}

#[test]
fn tls_is_verified_and_a_refusal_says_how_to_pin() {
    let sim = sim();
    let call = |pairs: &[(&str, &str)]| {
        let mut command = configured(&sim, &sim.token());
        command
            .env_remove("PROXMOX_FINGERPRINT")
            .envs(pairs.iter().copied())
            .args(["call", "proxmox_get_nodes"]);
        run(&mut command)
    };
    let default = call(&[]);
    assert_eq!(default.status.code(), Some(1));
    let pin = format!("PROXMOX_FINGERPRINT={}", sim.fingerprint());
    assert!(stderr(&default).contains(&pin), "{}", stderr(&default));
    let other = "AB:".repeat(31) + "AB";
    let wrong_pin = call(&[("PROXMOX_FINGERPRINT", &other)]);
    assert!(stderr(&wrong_pin).contains("not the pinned one"), "{}", stderr(&wrong_pin));
    assert!(arrived(&sim).is_empty(), "the token went to a server that was not trusted");

    assert!(call(&[("PROXMOX_FINGERPRINT", &sim.fingerprint())]).status.success());
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), sim.ca_pem()).unwrap();
    assert!(call(&[("PROXMOX_CA_FILE", ca.path().to_str().unwrap())]).status.success());
    assert!(call(&[("SSL_CERT_FILE", ca.path().to_str().unwrap())]).status.success(), "the system's store");
    let unverified = call(&[("PROXMOX_VERIFY_TLS", "false")]);
    assert!(unverified.status.success());
    assert!(stderr(&unverified).contains("not verified"), "{}", stderr(&unverified));
}

#[test]
fn the_token_shows_nowhere() {
    let sim = sim();
    let token = sim.token();
    for arguments in [&["call", "proxmox_get_nodes"][..], &["call", "proxmox_get_node_status"], &["tools"]] {
        let mut command = configured(&sim, &token);
        let output = run(command.env("PROXMOX_LOG", "debug").args(arguments));
        let all = [output.stdout.clone(), output.stderr.clone()].concat();
        assert!(!String::from_utf8_lossy(&all).contains(&token.secret), "{arguments:?}");
    }
}
