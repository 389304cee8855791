use super::*;

fn facts() -> Facts {
    Facts {
        hostname: "prod-web-01".into(),
        ip: "10.20.0.101".into(),
        mac: "BC:24:11:00:00:65".into(),
        cores: 8,
        memory: 32 << 30,
        used: 12 << 30,
        disk: 80 << 30,
        uptime: 5_436_000,
        now: 1_795_341_600,
    }
}

fn run(agent: &mut Agent, command: &[&str]) -> Value {
    let command: Vec<String> = command.iter().map(|c| (*c).to_owned()).collect();
    let pid = agent.exec(&facts(), &command, b"", Duration::ZERO).unwrap();
    agent.exec_status(pid, Duration::MAX).unwrap()
}

fn sh(line: &str) -> Value {
    run(&mut Agent::running(System::Linux), &["/bin/sh", "-c", line])
}

fn out(line: &str) -> String {
    sh(line)["out-data"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_shell_separates_joins_and_redirects() {
    let all = json!({"exited": 1, "exitcode": 3, "out-data": "out\n", "err-data": "err\n"});
    assert_eq!(sh("echo out; echo err >&2; exit 3"), all);
    assert_eq!(out("true && echo a || echo b"), "a\n");
    assert_eq!(out("false && echo a || echo b"), "b\n");
    assert_eq!(out("(exit 4); echo $?"), "4\n");
    assert_eq!(out("nosuch 2>/dev/null; echo $?"), "127\n");
    assert_eq!(out("nosuch 2>&1 | wc -l"), "1\n");
    assert_eq!(out("echo hi > /tmp/x; cat < /tmp/x; rm /tmp/x 2>/dev/null || echo no rm"), "hi\nno rm\n");
    assert_eq!(out("X=5; echo \"$X $(hostname) `whoami`\" '$X'"), "5 prod-web-01 root $X\n");
}

#[test]
fn pipes_and_filters_work_on_text() {
    assert_eq!(out("seq 1 10 | head -n 3 | sort -rn | tr '\\n' ' '"), "3 2 1 ");
    assert_eq!(out("printf 'b\\na\\nb\\n' | sort | uniq -c"), "      1 a\n      2 b\n");
    assert_eq!(out("yes | head -2"), "y\ny\n");
    assert_eq!(out("cat /etc/os-release | grep -c DEBIAN"), "0\n");
    assert_eq!(out("grep -i '^id=' /etc/os-release | cut -d= -f2"), "debian\n");
    assert_eq!(out("seq 5 | tail -n 2 | wc -l"), "2\n");
    assert_eq!(out("head -c 300000 /dev/zero | tr \"\\0\" x").len(), 300_000);
}

#[test]
fn an_unknown_command_is_127_in_a_shell_and_no_process_without_one() {
    let missing = json!({"exited": 1, "exitcode": 127, "err-data": "sh: 1: xyz: not found\n"});
    assert_eq!(sh("xyz"), missing);
    let mut agent = Agent::running(System::Linux);
    for program in ["/nonexistent", "echo hi"] {
        let text = agent.exec(&facts(), &[program.to_owned()], b"", Duration::ZERO).unwrap_err();
        assert!(text.contains('\u{201c}'), "{text}");
    }
    assert_eq!(run(&mut agent, &["echo", "hi"])["out-data"], "hi\n");
}

#[test]
fn time_passes_while_a_command_sleeps_and_the_result_is_read_once() {
    let mut agent = Agent::running(System::Linux);
    let command = ["/bin/sh", "-c", "sleep 2; sleep 0.5; echo done"].map(str::to_owned);
    let pid = agent.exec(&facts(), &command, b"", Duration::from_secs(10)).unwrap();
    assert_eq!(agent.exec_status(pid, Duration::from_secs(12)).unwrap(), json!({"exited": 0}));
    assert_eq!(agent.exec_status(pid, Duration::from_secs(13)).unwrap()["out-data"], "done\n");
    assert_eq!(agent.exec_status(pid, Duration::from_secs(13)), None);
}

#[test]
fn signals_bytes_and_input_come_through() {
    assert_eq!(sh("kill -9 $$; echo never"), json!({"exited": 1, "signal": 9}));
    let latin = out("printf \"caf\\303\\251 \\377\\376 bin\\000nul\"");
    assert_eq!(latin, "caf\u{c3}\u{a9} \u{ff}\u{fe} bin\0nul");
    let mut agent = Agent::running(System::Linux);
    let pid = agent.exec(&facts(), &["/bin/cat".to_owned()], "ä\n".as_bytes(), Duration::ZERO).unwrap();
    assert_eq!(agent.exec_status(pid, Duration::MAX).unwrap()["out-data"], "ä\n");
}

#[test]
fn output_is_cut_off_where_the_agent_cuts_it() {
    let big = sh("head -c 20000000 /dev/zero | tr \"\\0\" x");
    assert_eq!(big["out-truncated"], 1);
    assert_eq!(big["out-data"].as_str().unwrap().len(), MAX_OUTPUT);
}

#[test]
fn a_line_that_is_no_shell_is_an_error_not_a_hang() {
    for line in ["echo 'open", "echo \"open", "echo $(ls", "echo a &&", "( echo", "echo >", "`"] {
        assert_ne!(sh(line)["exitcode"], 0, "{line}");
    }
    let deep = "$(".repeat(500);
    assert_ne!(sh(&format!("echo {deep}"))["exitcode"], 0);
}

#[test]
fn a_windows_guest_has_a_command_interpreter() {
    let mut agent = Agent::running(System::Windows);
    let version = run(&mut agent, &["cmd.exe", "/c", "ver"]);
    assert!(version["out-data"].as_str().unwrap().contains("Microsoft Windows [Version"));
    assert_eq!(run(&mut agent, &["cmd.exe", "/c", "echo", "hi"])["out-data"], "hi\r\n");
    assert!(agent.exec(&facts(), &["/bin/sh".to_owned()], b"", Duration::ZERO).is_err());
}
