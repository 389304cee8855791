//! Tasks: Proxmox answers a change at once with a task id (UPID); the change itself goes on. A tool
//! that waits keeps the id in its state and looks again later.

use proxmox_api::methods::{GET_NODES_NODE_TASKS_UPID_LOG, GET_NODES_NODE_TASKS_UPID_STATUS};
use serde_json::{Value, json};

use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::pve::ids::Upid;
use crate::pve::quirks::EMPTY_LOG;

/// How many looks in a row may fail before the wait is given up.
const MISSES: u32 = 5;
/// How many lines of the log a failure shows.
const LOG_LINES: usize = 8;

/// A task that is being followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub upid: Upid,
    looks: u32,
    misses: u32,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It runs, or could not be asked this time.
    Running,
    /// It is over.
    Ended(End),
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Well.
    Ok,
    /// Well, with warnings: the lines of the log that warn.
    Warnings(Vec<String>),
    /// Not well: its own words, and the end of its log.
    Failed(String, Vec<String>),
}

/// Makes a call that starts a task.
pub fn start(cx: &Cx<'_>, call: Call) -> Result<Task, Error> {
    let request = call.to_string();
    let data = cx.call(call)?;
    Task::read(data.as_str().unwrap_or_default(), &request)
}

impl Task {
    /// The task that an answer to `request` names.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if it names none.
    pub fn read(text: &str, request: &str) -> Result<Task, Error> {
        let upid = Upid::parse(text).ok_or_else(|| {
            Error::Unreachable(format!(
                "Proxmox VE took `{request}`, but its answer names no task. Look at the state before trying again."
            ))
        })?;
        Ok(Task::of(upid))
    }

    /// A task that was started elsewhere.
    pub fn of(upid: Upid) -> Task {
        Task { upid, looks: 0, misses: 0 }
    }

    /// What a state keeps of it.
    pub fn state(&self) -> Value {
        json!({"upid": self.upid.as_str(), "looks": self.looks, "misses": self.misses})
    }

    /// Reads what [`Task::state`] wrote; nothing if it is something else.
    pub fn from_state(state: &Value) -> Option<Task> {
        let number = |key: &str| u32::try_from(state.get(key)?.as_u64()?).ok();
        let upid = Upid::parse(state.get("upid")?.as_str()?)?;
        Some(Task { upid, looks: number("looks")?, misses: number("misses")? })
    }

    /// When to look again, in milliseconds: soon at first, later every two seconds.
    pub fn after_ms(&self) -> u32 {
        250_u32.saturating_mul(1 << self.looks.min(3)).min(2000)
    }

    /// Looks how far it is. A look that fails on the way is made good by the next one.
    ///
    /// # Errors
    /// What Proxmox says against it, or that it was not reached several times in a row. The text names
    /// the task, which goes on.
    pub fn look(&mut self, cx: &Cx<'_>) -> Result<Progress, Error> {
        self.looks = self.looks.saturating_add(1);
        let status = match self.status(cx) {
            Ok(status) => status,
            Err(error) if self.misses < MISSES && error.may_pass() => {
                self.misses += 1;
                return Ok(Progress::Running);
            }
            Err(error) => return Err(self.lost(error)),
        };
        self.misses = 0;
        if is_running(&status) {
            return Ok(Progress::Running);
        }
        let exit = status.get("exitstatus").and_then(Value::as_str).unwrap_or("unexpected status");
        Ok(Progress::Ended(self.end(cx, exit)))
    }

    /// Its status; an answer that says neither that it runs nor that it has ended is none.
    fn status(&self, cx: &Cx<'_>) -> Result<Value, Error> {
        let status = cx.call(self.about(&GET_NODES_NODE_TASKS_UPID_STATUS))?;
        if is_running(&status) || status.get("status").and_then(Value::as_str) == Some("stopped") {
            return Ok(status);
        }
        Err(Error::Unreachable("Proxmox VE's answer about the task cannot be understood.".to_owned()))
    }

    fn end(&self, cx: &Cx<'_>, exit: &str) -> End {
        if exit == "OK" {
            return End::Ok;
        }
        let log = self.log(cx);
        if exit.starts_with("WARNINGS") {
            let warns = |line: &&String| line.starts_with("WARN") && !line.starts_with("WARNINGS");
            let mut warnings: Vec<String> = log.iter().filter(warns).cloned().collect();
            if warnings.is_empty() {
                warnings.push(foreign::line(exit, 200));
            }
            return End::Warnings(warnings);
        }
        let first = log.len().saturating_sub(LOG_LINES);
        let own_words = format!("TASK ERROR: {exit}");
        let tail = log.into_iter().skip(first).filter(|line| *line != own_words).collect();
        End::Failed(foreign::line(exit, 400), tail)
    }

    /// The lines of its log; none if it cannot be had.
    fn log(&self, cx: &Cx<'_>) -> Vec<String> {
        let call = self.about(&GET_NODES_NODE_TASKS_UPID_LOG).with("limit", 500);
        let Ok(Value::Array(lines)) = cx.call(call) else { return Vec::new() };
        let text = |line: &Value| Some(foreign::line(line.get("t")?.as_str()?, 300));
        let said = |line: &String| !line.is_empty() && !EMPTY_LOG.contains(&line.as_str());
        lines.iter().filter_map(text).filter(said).collect()
    }

    fn about(&self, method: &'static proxmox_api::Method) -> Call {
        Call::of(method).at("node", self.upid.node()).at("upid", &self.upid)
    }

    fn lost(&self, error: Error) -> Error {
        let text = format!(
            "The task was started and goes on (`{}`), but how it ends is not known: {error}",
            self.upid
        );
        match error {
            Error::Unreachable(_) => Error::Unreachable(text),
            Error::Refused(_) => Error::Failed(text),
            other => other,
        }
    }
}

/// How many lines of a log one request asks for.
const CHUNK: u32 = 5000;
/// How many requests a log is worth.
const CHUNKS: u32 = 10;

/// What Proxmox says of a task (`GET /nodes/{node}/tasks/{upid}/status`).
pub fn status(cx: &Cx<'_>, upid: &Upid) -> Result<Value, Error> {
    Task::of(upid.clone()).status(cx)
}

/// All lines of a task's log, as far as it goes by now.
///
/// # Errors
/// What the request comes to.
pub fn log(cx: &Cx<'_>, upid: &Upid) -> Result<Vec<String>, Error> {
    let mut lines: Vec<String> = Vec::new();
    for chunk in 0..CHUNKS {
        let call = Task::of(upid.clone())
            .about(&GET_NODES_NODE_TASKS_UPID_LOG)
            .with("start", chunk * CHUNK)
            .with("limit", CHUNK);
        let part = cx.call(call)?;
        let part: Vec<&str> =
            part.as_array().into_iter().flatten().filter_map(|line| line.get("t")?.as_str()).collect();
        let full = u32::try_from(part.len()).is_ok_and(|length| length >= CHUNK);
        lines.extend(part.into_iter().filter(|line| !EMPTY_LOG.contains(line)).map(str::to_owned));
        if !full {
            break;
        }
    }
    Ok(lines)
}

fn is_running(status: &Value) -> bool {
    status.get("status").and_then(Value::as_str) == Some("running")
}

/// A failed task for a message: its words, its log's end, and what to do.
pub fn failure(what: &str, words: &str, log: &[String], upid: &Upid) -> Error {
    let mut text = format!("{what}: {}.", foreign::words(words, 400).trim_end_matches('.'));
    if let Some(quirk) = super::quirks::Quirk::of(words) {
        text.push(' ');
        text.push_str(quirk.advice());
    }
    if !log.is_empty() {
        text.push_str("\n\nThe end of the task's log:\n");
        text.push_str(&foreign::fenced(&log.join("\n")));
    }
    text.push_str(&format!("\n\nTask: `{upid}`"));
    Error::Failed(text)
}
