//! A guest's power: looked at before, asked for once, followed to its end, looked at after.

mod action;
mod report;

use serde_json::Value;

pub use self::action::Action;
use self::action::Ready;
use self::report::Report;
use crate::change::{Change, How};
use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::pve::guests::{self, Guest, GuestKind};
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::quirks::Quirk;
use crate::pve::tasks::{self, End, Progress, Task};
use crate::tool::{Argument, Outcome, Pending};

/// How long the HA manager may take to act, in milliseconds, after its task has ended.
const HA_PATIENCE_MS: u64 = 120_000;
/// How long a VM may take to start again after it has shut down for a reboot, in milliseconds: the node
/// notices that by itself.
const REBOOT_PATIENCE_MS: u64 = 60_000;

/// What is asked for.
#[derive(Debug)]
pub struct Wish {
    /// What to do.
    pub action: Action,
    /// The request for it.
    pub call: Call,
    /// Whether a shutdown may end hard.
    pub force: bool,
}

/// Does it: sends the request unless the guest is so already. With `wait` the call goes on until the
/// task is over.
///
/// # Errors
/// Why it cannot be done to a guest in this state, and what the request comes to.
pub fn begin(cx: &Cx<'_>, wish: Wish, guest: &Guest, how: How) -> Result<Outcome, Error> {
    let Wish { action, call, force } = wish;
    if guest.template {
        return Err(Error::Failed(format!("{guest} is a template. {}", Quirk::Template.advice())));
    }
    let live = guests::live(cx, guest)?;
    if let Ready::Already = action.ready(guest, &live)? {
        return Ok(Report::unchanged(action, guest, live.words()));
    }
    if how.dry_run {
        return plan(cx, Wish { action, call, force }, guest, live.words());
    }
    let task = match tasks::start(cx, call) {
        Err(Error::Refused(refusal)) if action.is_overtaken(&refusal.message) => {
            return Ok(Report::unchanged(action, guest, action.goal()));
        }
        other => other?,
    };
    let (since_ms, uptime) = (cx.now_ms(), live.uptime);
    Ok(if how.wait {
        Run { guest: guest.clone(), task, since_ms, uptime, force, ended_ms: None }.pending(action)
    } else {
        Report { upid: Some(task.upid.to_string()), changed: true, force, ..Report::of(action, guest) }
            .outcome()
    })
}

fn plan(cx: &Cx<'_>, wish: Wish, guest: &Guest, status: &str) -> Result<Outcome, Error> {
    let mut change = Change::new(format!("{}: {guest}", wish.action.headline()))
        .guest(guest)
        .before("status", status.to_ascii_uppercase());
    if let Some(lost) = wish.action.loses(wish.force) {
        change = change.loses(lost);
    }
    change.plan(cx, &[wish.call])
}

/// Goes on with it; the `resume` of the tools.
///
/// # Errors
/// The task's own words where it failed, or that the guest is not as it should be.
pub fn go_on(cx: &Cx<'_>, state: &Value) -> Result<Outcome, Error> {
    let bad = || Error::Arguments("This continuation is not one that this tool gave out.".to_owned());
    let action = state.get("action").and_then(Action::read).ok_or_else(bad)?;
    let mut run = Run::from_state(action, state).ok_or_else(bad)?;
    match run.task.look(cx)? {
        Progress::Running => Ok(run.pending(action)),
        Progress::Ended(End::Ok) => run.verified(cx, action, Vec::new()),
        Progress::Ended(End::Warnings(warnings)) => run.verified(cx, action, warnings),
        Progress::Ended(End::Failed(words, _)) if action.is_overtaken(&words) => {
            Ok(Report::unchanged(action, &run.guest, action.goal()))
        }
        Progress::Ended(End::Failed(words, log)) => {
            let what = format!("{} {} failed", action.doing(), run.guest);
            Err(tasks::failure(&what, &words, &log, &run.task.upid))
        }
    }
}

/// A change under way.
struct Run {
    guest: Guest,
    task: Task,
    since_ms: u64,
    /// Seconds that the guest had been up before.
    uptime: Option<u64>,
    force: bool,
    /// When the task was first seen to have ended.
    ended_ms: Option<u64>,
}

impl Run {
    fn pending(self, action: Action) -> Outcome {
        let Run { guest, task, since_ms, uptime, force, ended_ms } = self;
        Outcome::Pending(Pending {
            message: format!("{} {guest} on {}", action.doing(), guest.node),
            progress: None,
            after_ms: task.after_ms(),
            state: Data::new()
                .always("action", action.word())
                .always("vmid", guest.vmid.number())
                .always("node", guest.node.as_str())
                .always("kind", guest.kind.word())
                .always("name", guest.name)
                .always("since_ms", since_ms)
                .known("uptime", uptime)
                .flagged("force", force)
                .known("ended_ms", ended_ms)
                .always("task", task.state())
                .into(),
        })
    }

    /// Reads a state. All that it names must fit together: the task must be one of this action on this
    /// guest and node.
    fn from_state(action: Action, state: &Value) -> Option<Run> {
        let text = |key: &str| state.get(key)?.as_str();
        let guest = Guest {
            vmid: Vmid::read(state.get("vmid")?)?,
            node: NodeName::parse(text("node")?)?,
            kind: GuestKind::parse(text("kind")?)?,
            name: foreign::line(text("name")?, 80),
            template: false,
        };
        let task = Task::from_state(state.get("task")?)?;
        let fits = task.upid.id() == guest.vmid.to_string() && action.tasks().contains(&task.upid.kind());
        let since_ms = state.get("since_ms")?.as_u64()?;
        let number = |key: &str| state.get(key).and_then(Value::as_u64);
        let (uptime, ended_ms, force) = (number("uptime"), number("ended_ms"), state.get("force").is_some());
        fits.then_some(Run { guest, task, since_ms, uptime, force, ended_ms })
    }

    /// Until when the guest may still change after its task has ended well, in milliseconds since 1970.
    fn patience_ms(&self, action: Action) -> u64 {
        if self.task.upid.kind().starts_with("ha") {
            self.since_ms.saturating_add(HA_PATIENCE_MS)
        } else if action == Action::Reboot {
            self.ended_ms.unwrap_or_default().saturating_add(REBOOT_PATIENCE_MS)
        } else {
            0
        }
    }

    /// Looks at the guest after its task has ended well, and says what really is.
    fn verified(mut self, cx: &Cx<'_>, action: Action, warnings: Vec<String>) -> Result<Outcome, Error> {
        self.ended_ms.get_or_insert(cx.now_ms());
        let elapsed_ms = cx.now_ms().saturating_sub(self.since_ms);
        let report = Report {
            upid: Some(self.task.upid.to_string()),
            changed: true,
            finished: true,
            warnings,
            force: self.force,
            ..Report::of(action, &self.guest)
        };
        match guests::live(cx, &self.guest) {
            Ok(live) if action.is_done_since(&live, self.uptime, elapsed_ms / 1000) => {
                Ok(Report { status: Some(live.words().to_owned()), ..report }.outcome())
            }
            Ok(_) if cx.now_ms() < self.patience_ms(action) => Ok(self.pending(action)),
            Ok(live) => Err(self.otherwise(action, live.words())),
            Err(error) => Ok(Report { note: Some(error.brief()), ..report }.outcome()),
        }
    }

    /// The task ended well, and the guest is not as it should be.
    fn otherwise(&self, action: Action, status: &str) -> Error {
        Error::Failed(format!(
            "The task for {} ended well, but the guest is {status} now, not {}. {} Task: `{}`",
            self.guest,
            action.goal(),
            if self.task.upid.kind().starts_with("ha") {
                "The HA manager took the request and has not acted on it yet; `proxmox_get_cluster_status` shows \
                 whether HA works."
            } else {
                "Something changed it again at once: someone else, the guest itself, or HA."
            },
            self.task.upid
        ))
    }
}
