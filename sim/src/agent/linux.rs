//! The programs and files of a simulated Debian guest.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::shell::Shell;
use super::{Facts, Outcome, filters};

const KERNEL: &str = "6.1.0-28-amd64";
const KERNEL_VERSION: &str = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22)";

/// The streams of a command.
#[derive(Default)]
pub(super) struct Io {
    pub(super) input: Vec<u8>,
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
    /// The output goes into a pipe, so a command that would not end ends with its reader.
    pub(super) piped: bool,
}

impl Io {
    pub(super) fn say(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'\n');
    }

    pub(super) fn complain(&mut self, text: &str) {
        self.err.extend_from_slice(text.as_bytes());
        self.err.push(b'\n');
    }
}

/// A program that ran.
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) took: Duration,
}

impl From<i32> for Ran {
    fn from(code: i32) -> Ran {
        Ran { code, took: Duration::ZERO }
    }
}

/// Runs a program the way the agent does; `None` where there is none of this name.
pub(super) fn run(
    facts: &Facts,
    files: &mut BTreeMap<String, Vec<u8>>,
    command: &[String],
    input: &[u8],
    pid: u32,
) -> Option<Outcome> {
    let (name, arguments) = command.split_first()?;
    if let "/bin/sh" | "sh" | "/bin/bash" | "bash" | "/usr/bin/sh" | "/usr/bin/bash" = name.as_str() {
        let script = match arguments {
            [flag, line, ..] if flag.starts_with('-') && flag.contains('c') => line.clone(),
            _ => String::from_utf8_lossy(input).into_owned(),
        };
        return Some(Shell::new(facts, files, pid).run(&script, input));
    }
    let mut io = Io { input: input.to_vec(), ..Io::default() };
    let ran = program(facts, files, name, arguments, &mut io)?;
    Some(Outcome { end: super::End::Code(ran.code), out: io.out, err: io.err, took: ran.took })
}

/// Runs one program with its streams.
pub(super) fn program(
    facts: &Facts,
    files: &mut BTreeMap<String, Vec<u8>>,
    name: &str,
    arguments: &[String],
    io: &mut Io,
) -> Option<Ran> {
    let short = ["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/"].iter().find_map(|dir| name.strip_prefix(dir));
    let name = short.unwrap_or(name);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let read = |path: &str| files.get(path).cloned().or_else(|| file(facts, path));
    if let Some(code) = filters::run(name, &arguments, &read, io) {
        return Some(code.into());
    }
    match name {
        "sleep" => return Some(sleep(&arguments, io)),
        "yes" => return Some(yes(&arguments, io)),
        _ => {}
    }
    facts_program(facts, name, &arguments, io).map(Ran::from)
}

fn facts_program(facts: &Facts, name: &str, arguments: &[&str], io: &mut Io) -> Option<i32> {
    match name {
        "true" => {}
        "false" => return Some(1),
        "pwd" => io.say("/"),
        "uname" => io.say(&uname(facts, arguments)),
        "hostname" => {
            io.say(&if arguments.contains(&"-I") { format!("{} ", facts.ip) } else { facts.hostname.clone() })
        }
        "whoami" => io.say("root"),
        "id" => {
            io.say(if arguments.contains(&"-u") { "0" } else { "uid=0(root) gid=0(root) groups=0(root)" })
        }
        "nproc" => io.say(&facts.cores.to_string()),
        "uptime" => io.say(&uptime(facts, arguments)),
        "date" => io.say(&date(facts, arguments)),
        "df" => io.say(&df(facts, arguments)),
        "free" => io.say(&free(facts, arguments)),
        "ps" => io.say(PROCESSES),
        "env" | "printenv" => io.say("HOME=/root\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\nSHELL=/bin/sh"),
        "ip" => io.say(&ip(facts)),
        "ls" => return Some(ls(arguments, io)),
        "systemctl" => return Some(systemctl(facts, arguments, io)),
        _ => return None,
    }
    Some(0)
}

/// What a file of the system holds.
pub(super) fn file(facts: &Facts, path: &str) -> Option<Vec<u8>> {
    let text = match path {
        "/etc/hostname" => format!("{}\n", facts.hostname),
        "/etc/os-release" | "/usr/lib/os-release" => OS_RELEASE.to_owned(),
        "/etc/debian_version" => "12.9\n".to_owned(),
        "/etc/hosts" => format!("127.0.0.1\tlocalhost\n{}\t{}\n", facts.ip, facts.hostname),
        "/etc/passwd" => PASSWD.to_owned(),
        "/proc/uptime" => format!("{}.00 {}.00\n", facts.uptime, facts.uptime * u64::from(facts.cores)),
        "/proc/loadavg" => "0.21 0.34 0.30 1/187 1204\n".to_owned(),
        "/proc/version" => {
            format!("Linux version {KERNEL} (debian-kernel@lists.debian.org) {KERNEL_VERSION}\n")
        }
        "/dev/null" => String::new(),
        _ => return None,
    };
    Some(text.into_bytes())
}

/// Whether this is a directory of the system.
pub(super) fn is_directory(path: &str) -> bool {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    ["/", "/bin", "/etc", "/home", "/opt", "/proc", "/root", "/srv", "/tmp", "/usr", "/var", "/var/log"]
        .contains(&path)
}

/// What `get-osinfo` answers.
pub(super) fn os_info() -> Value {
    json!({
        "id": "debian", "name": "Debian GNU/Linux", "pretty-name": "Debian GNU/Linux 12 (bookworm)",
        "version": "12 (bookworm)", "version-id": "12", "machine": "x86_64",
        "kernel-release": KERNEL, "kernel-version": KERNEL_VERSION,
    })
}

fn sleep(arguments: &[&str], io: &mut Io) -> Ran {
    let total: Option<f64> = arguments.iter().map(|a| a.trim_end_matches('s').parse::<f64>().ok()).sum();
    match total.filter(|t| !arguments.is_empty() && t.is_finite() && *t >= 0.0) {
        Some(seconds) => Ran { code: 0, took: Duration::from_secs_f64(seconds.min(1e9)) },
        None => {
            let shown = arguments.first().unwrap_or(&"");
            io.complain(&format!("sleep: invalid time interval '{shown}'"));
            Ran::from(1)
        }
    }
}

/// `yes` ends with its reader; without one it does not end.
fn yes(arguments: &[&str], io: &mut Io) -> Ran {
    const ENOUGH: usize = 4 * 1024 * 1024;
    if !io.piped {
        return Ran { code: 0, took: Duration::from_secs(1_000_000_000) };
    }
    let line = if arguments.is_empty() { "y\n".to_owned() } else { format!("{}\n", arguments.join(" ")) };
    while io.out.len() < ENOUGH {
        io.out.extend_from_slice(line.as_bytes());
    }
    Ran::from(0)
}

fn uname(facts: &Facts, arguments: &[&str]) -> String {
    let flags: String = arguments.iter().map(|a| a.trim_start_matches('-')).collect();
    let host = facts.hostname.as_str();
    let all = [
        ('s', "Linux"),
        ('n', host),
        ('r', KERNEL),
        ('v', KERNEL_VERSION),
        ('m', "x86_64"),
        ('o', "GNU/Linux"),
    ];
    let wanted =
        |flag: &char| flags.contains('a') || flags.contains(*flag) || (flags.is_empty() && *flag == 's');
    all.iter().filter(|(flag, _)| wanted(flag)).map(|(_, text)| *text).collect::<Vec<_>>().join(" ")
}

fn uptime(facts: &Facts, arguments: &[&str]) -> String {
    let (days, hours, minutes) = (facts.uptime / 86_400, facts.uptime / 3600 % 24, facts.uptime / 60 % 60);
    if arguments.contains(&"-p") {
        return format!("up {days} days, {hours} hours, {minutes} minutes");
    }
    let clock = clock(facts.now);
    format!(" {clock} up {days} days, {hours:2}:{minutes:02},  0 users,  load average: 0.21, 0.34, 0.30")
}

fn clock(now: u64) -> String {
    format!("{:02}:{:02}:{:02}", now / 3600 % 24, now / 60 % 60, now % 60)
}

fn date(facts: &Facts, arguments: &[&str]) -> String {
    if arguments.first() == Some(&"+%s") {
        return facts.now.to_string();
    }
    let at = std::time::UNIX_EPOCH + Duration::from_secs(facts.now);
    let http = httpdate::fmt_http_date(at);
    // "Sun, 22 Nov 2026 09:41:09 GMT" holds all the pieces.
    let pieces: Vec<&str> = http.split([',', ' ']).filter(|p| !p.is_empty()).collect();
    match pieces.as_slice() {
        [weekday, day, month, year, time, ..] => format!("{weekday} {month} {day} {time} UTC {year}"),
        _ => http,
    }
}

fn df(facts: &Facts, arguments: &[&str]) -> String {
    let used = facts.disk / 100 * 37;
    let free = facts.disk - used;
    if arguments.iter().any(|a| a.starts_with('-') && a.contains('h')) {
        let gib = |bytes: u64| format!("{}G", bytes >> 30);
        return format!(
            "Filesystem      Size  Used Avail Use% Mounted on\n/dev/sda1       {:>4}  {:>4}  {:>4}  37% /\ntmpfs           {:>4}     0  {:>4}   0% /dev/shm",
            gib(facts.disk),
            gib(used),
            gib(free),
            gib(facts.memory / 2),
            gib(facts.memory / 2)
        );
    }
    format!(
        "Filesystem     1K-blocks     Used Available Use% Mounted on\n/dev/sda1      {:>9} {:>8} {:>9}  37% /",
        facts.disk >> 10,
        used >> 10,
        free >> 10
    )
}

fn free(facts: &Facts, arguments: &[&str]) -> String {
    let shift = if arguments.contains(&"-g") {
        30
    } else if arguments.contains(&"-m") {
        20
    } else {
        10
    };
    let (total, used) = (facts.memory >> shift, facts.used >> shift);
    let cache = total.saturating_sub(used) / 3;
    let free = total.saturating_sub(used + cache);
    format!(
        "               total        used        free      shared  buff/cache   available\nMem:    {total:>12}{used:>12}{free:>12}{:>12}{cache:>12}{:>12}\nSwap:   {:>12}{:>12}{:>12}",
        8,
        total.saturating_sub(used),
        0,
        0,
        0
    )
}

fn ip(facts: &Facts) -> String {
    format!(
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 state UNKNOWN\n    inet 127.0.0.1/8 scope host lo\n2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP\n    link/ether {} brd ff:ff:ff:ff:ff:ff\n    inet {}/24 brd 10.20.0.255 scope global eth0",
        facts.mac.to_lowercase(),
        facts.ip
    )
}

fn ls(arguments: &[&str], io: &mut Io) -> i32 {
    let paths: Vec<&&str> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let path = paths.first().map_or("/", |p| **p);
    let names = match path {
        "/" | "." => "bin\nboot\ndev\netc\nhome\nlib\nopt\nproc\nroot\nrun\nsrv\nsys\ntmp\nusr\nvar",
        "/etc" | "/etc/" => "apt\ndebian_version\nhostname\nhosts\nnginx\nos-release\npasswd\nssh\nsystemd",
        "/var/log" | "/var/log/" => "apt\njournal\nnginx\nwtmp",
        "/root" | "/root/" | "/tmp" | "/tmp/" | "/home" | "/home/" => return 0,
        path => {
            io.complain(&format!("ls: cannot access '{path}': No such file or directory"));
            return 2;
        }
    };
    io.say(names);
    0
}

fn systemctl(facts: &Facts, arguments: &[&str], io: &mut Io) -> i32 {
    let words: Vec<&str> = arguments.iter().copied().filter(|a| !a.starts_with('-')).collect();
    let known = |unit: &str| {
        ["nginx", "ssh", "cron", "qemu-guest-agent"].contains(&unit.trim_end_matches(".service"))
    };
    match words.as_slice() {
        ["status", unit] if known(unit) => {
            io.say(&unit_status(facts, unit.trim_end_matches(".service")));
            0
        }
        ["is-active", unit] if known(unit) => {
            io.say("active");
            0
        }
        ["is-active", _] => {
            io.say("inactive");
            3
        }
        ["status", unit] => {
            io.complain(&format!("Unit {}.service could not be found.", unit.trim_end_matches(".service")));
            4
        }
        ["restart" | "reload" | "start" | "stop", unit] if known(unit) => 0,
        [verb, unit] => {
            io.complain(&format!("Failed to {verb} {unit}.service: Unit {unit}.service not found."));
            5
        }
        _ => {
            io.complain("systemctl: this command needs a verb and a unit");
            1
        }
    }
}

fn unit_status(facts: &Facts, unit: &str) -> String {
    let about = match unit {
        "nginx" => "A high performance web server and a reverse proxy server",
        "ssh" => "OpenBSD Secure Shell server",
        "cron" => "Regular background program processing daemon",
        _ => "QEMU Guest Agent",
    };
    let days = facts.uptime / 86_400;
    format!(
        "● {unit}.service - {about}\n     Loaded: loaded (/lib/systemd/system/{unit}.service; enabled; preset: enabled)\n     Active: active (running); {days} days ago\n   Main PID: 612 ({unit})\n      Tasks: 3 (limit: 4915)\n     Memory: 8.4M\n        CPU: 1min 12.318s\n     CGroup: /system.slice/{unit}.service\n             └─612 /usr/sbin/{unit}"
    )
}

const OS_RELEASE: &str = r#"PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
"#;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
";

const PROCESSES: &str = "    PID TTY          TIME CMD
      1 ?        00:00:04 systemd
    402 ?        00:00:21 qemu-ga
    587 ?        00:00:00 sshd
    612 ?        00:01:12 nginx";
