//! `proxmox_get_task`: one task: how it is or how it went, and the end of its log.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::Cx;
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::missing::{self, Missing};
use crate::pve::history::{Entry, Went};
use crate::pve::ids::{NodeName, Upid};
use crate::pve::quirks::Quirk;
use crate::pve::tasks::{self, Progress, Task};
use crate::dates;
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Alias, Args, Hidden, Outcome, Pending, Tool, Toolset, Whole};

/// How many bytes of the log are shown.
const SHOWN: usize = 2400;

crate::params! {
    /// UPID.
    upid: Upid,
    /// Follow it to its end.
    wait: bool = false,
    /// Log lines.
    log_lines: Whole<0, { u32::MAX }> = 15,
    /// How many seconds to follow it.
    timeout_seconds: Hidden<Whole<1, 86_400>>,
    /// Node of the task.
    node: Hidden<NodeName>,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_task",
    title: "Show task",
    description: "Shows how a task goes or went.",
    toolset: Toolset::Overview,
    aliases: &[Alias::of("proxmox_get_task_status").renamed(&[("timeout", "timeout_seconds")])],
    params: PARAMS,
    unlisted: &["log_lines"],
    output: Shape::Object(&[
        always("upid", Shape::Text),
        always("kind", Shape::Text),
        always("id", Shape::Text),
        always("node", Shape::Text),
        always("user", Shape::Text),
        always("status", Shape::Words(&["running", "failed", "warnings", "ok"])),
        known("exit", Shape::Text),
        always("started", Shape::Count).about("seconds since 1970"),
        known("log", Shape::List(&Shape::Text)).about("its last lines"),
        known("log_left_out", Shape::Count),
        missing::FIELD,
    ]),
    calls: &[&methods::GET_NODES_NODE_TASKS_UPID_STATUS, &methods::GET_NODES_NODE_TASKS_UPID_LOG],
    run,
    resume: Some(resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    if let Some(node) = params.node.get().filter(|node| *node != params.upid.node()) {
        return Err(Error::Arguments(format!(
            "This task runs on node `{}`, not on `{node}`. Leave `node` out: the task's id says it.",
            params.upid.node()
        )));
    }
    let watch = Watch {
        lines: params.log_lines.0,
        until_ms: params.timeout_seconds.get().map(|seconds| cx.now_ms() + u64::from(seconds.0) * 1000),
        task: Task::of(params.upid),
    };
    let status = tasks::status(cx, &watch.task.upid).map_err(|error| explained(error, &watch.task.upid))?;
    if params.wait && is_running(&status) { Ok(watch.pending()) } else { watch.report(cx, &status) }
}

fn resume(cx: &Cx<'_>, state: &Value) -> Result<Outcome, Error> {
    let bad = || Error::Arguments("This continuation is not one that this tool gave out.".to_owned());
    let mut watch = Watch::from_state(state).ok_or_else(bad)?;
    let running = watch.task.look(cx)? == Progress::Running;
    if running && watch.until_ms.is_none_or(|until| cx.now_ms() < until) {
        return Ok(watch.pending());
    }
    let status = tasks::status(cx, &watch.task.upid)?;
    watch.report(cx, &status)
}

fn is_running(status: &Value) -> bool {
    status.get("status").and_then(Value::as_str) == Some("running")
}

fn explained(error: Error, upid: &Upid) -> Error {
    match &error {
        Error::Refused(refusal) if refusal.quirk() == Some(Quirk::TaskMissing) => Error::NotFound(format!(
            "There is no task `{upid}` on node `{}`: it is too old, or its id is not complete. `proxmox_get_tasks` lists \
             tasks.",
            upid.node()
        )),
        _ => error,
    }
}

/// A task that is looked at.
struct Watch {
    task: Task,
    lines: u32,
    until_ms: Option<u64>,
}

impl Watch {
    fn pending(self) -> Outcome {
        let upid = &self.task.upid;
        Outcome::Pending(Pending {
            message: format!("Following {} {}", upid.kind(), upid.id()).trim_end().to_owned(),
            progress: None,
            after_ms: self.task.after_ms(),
            state: Data::new()
                .always("task", self.task.state())
                .always("lines", self.lines)
                .known("until_ms", self.until_ms)
                .into(),
        })
    }

    fn from_state(state: &Value) -> Option<Watch> {
        Some(Watch {
            task: Task::from_state(state.get("task")?)?,
            lines: u32::try_from(state.get("lines")?.as_u64()?).ok()?,
            until_ms: state.get("until_ms").and_then(Value::as_u64),
        })
    }

    fn report(&self, cx: &Cx<'_>, status: &Value) -> Result<Outcome, Error> {
        let mut missing = Missing::new();
        let log = match self.lines {
            0 => None,
            _ => missing.take(&["log"], tasks::log(cx, &self.task.upid)),
        };
        let task = entry(&self.task.upid, status);
        let log = log.map(|lines| tail(&lines, self.lines));
        Ok(Outcome::done(text_of(&task, log.as_ref(), &missing, cx.now_ms() / 1000), data(&task, log, &missing)))
    }
}

/// The status in the words of a list: there the status is the exit text.
fn entry(upid: &Upid, status: &Value) -> Entry {
    let mut row = status.clone();
    if let Some(row) = row.as_object_mut() {
        let exit = row.get("exitstatus").cloned();
        let running = row.get("status").and_then(Value::as_str) == Some("running");
        let exit = if running { Value::from("RUNNING") } else { exit.unwrap_or_else(|| "unexpected status".into()) };
        row.insert("status".to_owned(), exit);
        row.insert("upid".to_owned(), upid.as_str().into());
    }
    let none = Entry {
        upid: upid.to_string(),
        kind: upid.kind().to_owned(),
        id: upid.id().to_owned(),
        node: upid.node().to_string(),
        user: String::new(),
        started: 0,
        ended: None,
        went: Went::Running,
        exit: String::new(),
    };
    Entry::of(&row).unwrap_or(none)
}

/// The end of a log: so many lines, and not too many bytes. Says how many lines come before.
fn tail(lines: &[String], most: u32) -> (Vec<String>, usize) {
    let mut left = SHOWN / 2;
    let wanted = lines.iter().rev().take(most as usize).map(|line| foreign::line(line, 300));
    // Nobody who asks for many lines wants them cut.
    let fits = |line: &String| {
        let rest = left.checked_sub(line.len());
        left = rest.unwrap_or(0);
        rest.is_some() || most > 15
    };
    let mut shown: Vec<String> = wanted.take_while(fits).collect();
    shown.reverse();
    let left_out = lines.len() - shown.len();
    (shown, left_out)
}

fn text_of(task: &Entry, log: Option<&(Vec<String>, usize)>, missing: &Missing, now: u64) -> String {
    let about = if task.id.is_empty() { String::new() } else { format!(" {}", foreign::name(&task.id)) };
    let exit = foreign::words(&task.exit, 300);
    let status = match task.went {
        Went::Running => "RUNNING".to_owned(),
        Went::Well => "OK".to_owned(),
        Went::Warned => format!("OK with {}", exit.to_lowercase()),
        Went::Failed => format!("FAILED: {exit}"),
    };
    let mut out = format!("📋 Task {}{about}\n", foreign::name(&task.kind));
    out += &text::bullet("Status", status);
    out += &text::bullet("Node", foreign::name(&task.node));
    if !task.user.is_empty() {
        out += &text::bullet("By", foreign::name(&task.user));
    }
    out += &text::bullet("Started", format_args!("{} UTC ({})", dates::minute(task.started), dates::ago(now, task.started)));
    if let Some(advice) = Some(task).filter(|task| task.went == Went::Failed).and_then(|task| Quirk::of(&task.exit)) {
        out += &text::bullet("Note", advice.advice());
    }
    out += &missing.lines();
    out += &text::bullet("Task", task.shown());
    match log {
        Some((lines, _)) if lines.is_empty() => out += "\nLog: empty\n",
        Some((lines, left_out)) => {
            let before = if *left_out > 0 { format!(" (the last lines; {left_out} before them)") } else { String::new() };
            out += &format!("\nLog{before}:\n{}\n", foreign::fenced(&lines.join("\n")));
        }
        None => {}
    }
    out
}

fn data(task: &Entry, log: Option<(Vec<String>, usize)>, missing: &Missing) -> Value {
    let exit = if task.went == Went::Running { "" } else { task.exit.as_str() };
    Data::new()
        .always("upid", task.upid.as_str())
        .always("kind", task.kind.as_str())
        .always("id", task.id.as_str())
        .always("node", task.node.as_str())
        .always("user", task.user.as_str())
        .always("status", task.went.word())
        .said("exit", exit)
        .always("started", task.started)
        .known("log_left_out", log.as_ref().map(|(_, left_out)| *left_out))
        .known("log", log.map(|(lines, _)| lines))
        .always("missing", missing.data())
        .into()
}

#[cfg(test)]
#[path = "tests/proxmox_get_task.rs"]
mod tests;
