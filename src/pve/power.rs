//! Starting and shutting down a guest: looked at before, asked for once, followed to its end, looked at
//! after.

use proxmox_api::methods::{
    POST_NODES_NODE_LXC_VMID_STATUS_SHUTDOWN, POST_NODES_NODE_LXC_VMID_STATUS_START,
    POST_NODES_NODE_QEMU_VMID_STATUS_SHUTDOWN, POST_NODES_NODE_QEMU_VMID_STATUS_START,
};
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::pve::guests::{self, Guest, GuestKind, Live};
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::quirks::Quirk;
use crate::pve::tasks::{self, End, Progress, Task};
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Argument, Outcome, Pending};

/// How long the HA manager may take to act, in milliseconds, after its task has ended.
const HA_PATIENCE_MS: u64 = 120_000;

/// What both tools answer.
pub const SHAPE: Shape = Shape::Object(&[
    always("vmid", Shape::Count),
    always("name", Shape::Text),
    always("kind", Shape::Words(&["vm", "container"])),
    always("node", Shape::Text),
    known("status", Shape::Text).about("read after the change"),
    always("changed", Shape::Flag).about("false: it was so already, nothing was sent"),
    always("finished", Shape::Flag).about("false: the task still runs"),
    known("upid", Shape::Text),
    always("warnings", Shape::List(&Shape::Text)),
]);

/// What to do with a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start it.
    Start,
    /// Shut it down.
    Shutdown,
}

impl Action {
    /// The call that asks for it.
    pub fn call(self, guest: &Guest) -> Call {
        match self {
            Action::Start => {
                guest.call(&POST_NODES_NODE_QEMU_VMID_STATUS_START, &POST_NODES_NODE_LXC_VMID_STATUS_START)
            }
            Action::Shutdown => guest
                .call(&POST_NODES_NODE_QEMU_VMID_STATUS_SHUTDOWN, &POST_NODES_NODE_LXC_VMID_STATUS_SHUTDOWN),
        }
    }

    fn is_done(self, live: &Live) -> bool {
        live.is_running() == (self == Action::Start)
    }

    fn headline(self) -> &'static str {
        match self {
            Action::Start => "▶️ Start",
            Action::Shutdown => "⏹️ Shutdown",
        }
    }

    fn goal(self) -> &'static str {
        match self {
            Action::Start => "running",
            Action::Shutdown => "stopped",
        }
    }

    fn doing(self) -> &'static str {
        match self {
            Action::Start => "Starting",
            Action::Shutdown => "Shutting down",
        }
    }

    /// The kinds of task that it becomes; the last one is the HA manager's.
    fn tasks(self) -> [&'static str; 3] {
        match self {
            Action::Start => ["qmstart", "vzstart", "hastart"],
            Action::Shutdown => ["qmshutdown", "vzshutdown", "hastop"],
        }
    }

    /// What Proxmox says when someone else was quicker.
    fn is_overtaken(self, words: &str) -> bool {
        Quirk::of(words)
            == Some(match self {
                Action::Start => Quirk::AlreadyRunning,
                Action::Shutdown => Quirk::NotRunning,
            })
    }
}

/// Does it: sends the request unless the guest is so already. With `wait` the call goes on until the
/// task is over.
pub fn begin(cx: &Cx<'_>, action: Action, guest: &Guest, call: Call, wait: bool) -> Result<Outcome, Error> {
    if guest.template {
        return Err(Error::Failed(format!("{guest} is a template. {}", Quirk::Template.advice())));
    }
    let live = guests::live(cx, guest)?;
    if action.is_done(&live) {
        return Ok(Report::unchanged(action, guest, &live.status));
    }
    let task = match tasks::start(cx, call) {
        Err(Error::Refused(refusal)) if action.is_overtaken(&refusal.message) => {
            return Ok(Report::unchanged(action, guest, action.goal()));
        }
        other => other?,
    };
    let since_ms = cx.now_ms();
    Ok(if wait {
        Run { guest: guest.clone(), task, since_ms }.pending(action)
    } else {
        Report { upid: Some(task.upid.to_string()), changed: true, ..Report::of(action, guest) }.outcome()
    })
}

/// Goes on with it.
pub fn go_on(cx: &Cx<'_>, action: Action, state: &Value) -> Result<Outcome, Error> {
    let bad = || Error::Arguments("This continuation is not one that this tool gave out.".to_owned());
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
}

impl Run {
    fn pending(self, action: Action) -> Outcome {
        let Run { guest, task, since_ms } = self;
        Outcome::Pending(Pending {
            message: format!("{} {guest} on {}", action.doing(), guest.node),
            progress: None,
            after_ms: task.after_ms(),
            state: Data::new()
                .always("vmid", guest.vmid.number())
                .always("node", guest.node.as_str())
                .always("kind", guest.kind.word())
                .always("name", guest.name)
                .always("since_ms", since_ms)
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
        fits.then_some(Run { guest, task, since_ms: state.get("since_ms")?.as_u64()? })
    }

    /// Looks at the guest after its task has ended well, and says what really is.
    fn verified(self, cx: &Cx<'_>, action: Action, warnings: Vec<String>) -> Result<Outcome, Error> {
        let by_ha = self.task.upid.kind().starts_with("ha");
        let report = Report {
            upid: Some(self.task.upid.to_string()),
            changed: true,
            finished: true,
            warnings,
            ..Report::of(action, &self.guest)
        };
        match guests::live(cx, &self.guest) {
            Ok(live) if action.is_done(&live) => Ok(Report { status: Some(live.status), ..report }.outcome()),
            Ok(_) if by_ha && cx.now_ms().saturating_sub(self.since_ms) < HA_PATIENCE_MS => {
                Ok(self.pending(action))
            }
            Ok(live) => Err(Error::Failed(format!(
                "The task for {} ended well, but the guest is {} now, not {}. {} Task: `{}`",
                self.guest,
                live.status,
                action.goal(),
                if by_ha {
                    "The HA manager took the request and has not acted on it yet; `proxmox_get_cluster_status` shows \
                     whether HA works."
                } else {
                    "Something changed it again at once: someone else, the guest itself, or HA."
                },
                self.task.upid
            ))),
            Err(error) => Ok(Report { note: Some(error.brief()), ..report }.outcome()),
        }
    }
}

/// What the tool answers.
struct Report<'a> {
    action: Action,
    guest: &'a Guest,
    status: Option<String>,
    changed: bool,
    finished: bool,
    upid: Option<String>,
    warnings: Vec<String>,
    note: Option<String>,
}

impl<'a> Report<'a> {
    fn of(action: Action, guest: &'a Guest) -> Report<'a> {
        Report {
            action,
            guest,
            status: None,
            changed: false,
            finished: false,
            upid: None,
            warnings: Vec::new(),
            note: None,
        }
    }

    fn unchanged(action: Action, guest: &'a Guest, status: &str) -> Outcome {
        Report { status: Some(status.to_owned()), finished: true, ..Report::of(action, guest) }.outcome()
    }

    fn outcome(self) -> Outcome {
        let guest = self.guest;
        let data = Data::new()
            .always("vmid", guest.vmid.number())
            .always("name", guest.name.as_str())
            .always("kind", guest.kind.word())
            .always("node", guest.node.as_str())
            .known("status", self.status.as_deref())
            .always("changed", self.changed)
            .always("finished", self.finished)
            .known("upid", self.upid.as_deref())
            .always("warnings", self.warnings.clone());
        Outcome::done(self.text(), data.into())
    }

    fn text(&self) -> String {
        let guest = self.guest;
        let mut out = format!("{}: {guest}\n", self.action.headline());
        out += &text::bullet("Type", guest.kind);
        out += &text::bullet("Node", &guest.node);
        let doing = self.action.doing().to_ascii_uppercase();
        out += &match (&self.status, self.finished, &self.note) {
            (Some(status), _, _) if !self.changed => text::bullet(
                "Status",
                format_args!("{} (already; nothing was sent)", status.to_ascii_uppercase()),
            ),
            (Some(status), _, _) => text::bullet("Status", status.to_ascii_uppercase()),
            (None, false, _) => text::bullet("Status", format_args!("{doing} (the task runs on)")),
            (None, true, note) => text::bullet(
                "Status",
                format_args!(
                    "the task ended well; not looked at: {}",
                    note.as_deref().unwrap_or(text::UNKNOWN)
                ),
            ),
        };
        for warning in &self.warnings {
            out += &text::bullet("Warning", foreign::name(warning));
        }
        if let Some(upid) = &self.upid {
            out += &text::bullet("Task", format_args!("`{upid}`"));
        }
        out
    }
}
