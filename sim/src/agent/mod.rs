//! The guest agent: a small believable operating system inside a guest. It runs nothing; it
//! interprets a handful of commands itself.

mod filters;
mod linux;
mod parse;
mod shell;
mod windows;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// Output beyond this is cut off, in bytes, as the real agent does.
const MAX_OUTPUT: usize = 16 * 1024 * 1024;

/// Whether the agent answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentState {
    /// Not in the guest's configuration.
    #[default]
    Off,
    /// Configured, but it does not answer.
    Silent,
    /// It answers, while the guest runs.
    Running,
}

/// The operating system in a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum System {
    /// Debian.
    #[default]
    Linux,
    /// Windows Server.
    Windows,
}

/// The agent of a guest.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    /// Whether it answers.
    pub state: AgentState,
    /// What runs in the guest.
    pub system: System,
    /// Whether the file systems are frozen.
    pub frozen: bool,
    /// Whether its settings forbid all but harmless commands, as RHEL's do.
    pub strict: bool,
    last_pid: u32,
    processes: BTreeMap<u32, Process>,
    files: BTreeMap<String, Vec<u8>>,
}

/// What a command sees of the guest that it runs in.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Host name.
    pub hostname: String,
    /// Address.
    pub ip: String,
    /// MAC address.
    pub mac: String,
    /// Cores.
    pub cores: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// Memory in use, in bytes.
    pub used: u64,
    /// Disk in bytes.
    pub disk: u64,
    /// Seconds since boot.
    pub uptime: u64,
    /// Unix time in seconds.
    pub now: u64,
}

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
    /// How long it ran.
    pub(crate) took: Duration,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this code.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
}

impl Default for End {
    fn default() -> End {
        End::Code(0)
    }
}

#[derive(Clone, Debug)]
struct Process {
    ends: Duration,
    outcome: Outcome,
}

impl Agent {
    /// An agent that answers.
    pub fn running(system: System) -> Agent {
        Agent { state: AgentState::Running, system, last_pid: 1200, ..Agent::default() }
    }

    /// An agent that is configured and does not answer.
    pub fn silent() -> Agent {
        Agent { state: AgentState::Silent, ..Agent::default() }
    }

    /// Whether the guest's configuration has it on.
    pub fn configured(&self) -> bool {
        self.state != AgentState::Off
    }

    /// Starts a program; the error is the agent's own text.
    pub(crate) fn exec(
        &mut self,
        facts: &Facts,
        command: &[String],
        input: &[u8],
        elapsed: Duration,
    ) -> Result<u32, String> {
        let name = command.first().map(String::as_str).unwrap_or_default();
        self.last_pid += 2;
        let pid = self.last_pid;
        let outcome = match self.system {
            System::Linux => linux::run(facts, &mut self.files, command, input, pid),
            System::Windows => windows::run(facts, command),
        };
        let missing = format!(
            "Agent error: Failed to execute child process \u{201c}{name}\u{201d} (No such file or directory)"
        );
        let mut outcome = outcome.ok_or(missing)?;
        outcome.took += transfer(outcome.out.len() + outcome.err.len());
        self.processes.insert(pid, Process { ends: elapsed.saturating_add(outcome.took), outcome });
        Ok(pid)
    }

    /// How a program does. The first answer after its end is the last one; `None` for an unknown id.
    pub(crate) fn exec_status(&mut self, pid: u32, elapsed: Duration) -> Option<Value> {
        if self.processes.get(&pid)?.ends > elapsed {
            return Some(json!({ "exited": 0 }));
        }
        let outcome = self.processes.remove(&pid)?.outcome;
        let mut status = Map::new();
        status.insert("exited".into(), json!(1));
        match outcome.end {
            End::Code(code) => status.insert("exitcode".into(), json!(code)),
            End::Signal(signal) => status.insert("signal".into(), json!(signal)),
        };
        for (name, mut bytes) in [("out", outcome.out), ("err", outcome.err)] {
            if bytes.len() > MAX_OUTPUT {
                bytes.truncate(MAX_OUTPUT);
                status.insert(format!("{name}-truncated"), json!(1));
            }
            if !bytes.is_empty() {
                status.insert(format!("{name}-data"), json!(text(bytes)));
            }
        }
        Some(Value::Object(status))
    }

    /// Forgets what ran: the guest was stopped or started.
    pub(crate) fn reboot(&mut self) {
        self.processes.clear();
        self.frozen = false;
    }

    /// The content of a file.
    pub(crate) fn read(&self, facts: &Facts, path: &str) -> Option<Vec<u8>> {
        self.files.get(path).cloned().or_else(|| linux::file(facts, path))
    }

    /// Writes a file.
    pub(crate) fn write(&mut self, path: &str, content: Vec<u8>) {
        self.files.insert(path.to_owned(), content);
    }

    /// What `get-osinfo` answers.
    pub(crate) fn os_info(&self) -> Value {
        match self.system {
            System::Linux => linux::os_info(),
            System::Windows => windows::os_info(),
        }
    }
}

/// How long output takes through the agent's channel.
fn transfer(bytes: usize) -> Duration {
    /// Bytes per microsecond.
    const PACE: u64 = 4;
    Duration::from_micros(u64::try_from(bytes).unwrap_or(u64::MAX) / PACE)
}

/// Output as Proxmox passes it on: UTF-8, or all of it as Latin-1.
pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| e.into_bytes().into_iter().map(char::from).collect())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
