//! Changes: shown before where that is asked for, sent once, followed to their end, and reported with
//! what was there before and the call that puts it back.

mod plan;
mod report;

use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::pve::guests::{Guest, GuestKind};
use crate::pve::ids::{NodeName, Upid, Vmid};
use crate::pve::tasks::{self, End, Progress, Task};
use crate::shape::{Shape, always, known};
use crate::tool::{Outcome, Pending};

const PAIRS: Shape =
    Shape::List(&Shape::Object(&[always("name", Shape::Text), always("value", Shape::Text)]));
const REQUEST: Shape = Shape::Object(&[
    always("request", Shape::Text),
    always("parameters", PAIRS),
    known("allowed", Shape::Flag),
    always("needs", Shape::List(&Shape::Text)),
]);

/// The requests of a dry run.
pub const REQUESTS: Shape = Shape::List(&REQUEST);

/// What every tool that changes something answers.
pub const SHAPE: Shape = Shape::Object(&[
    always("changed", Shape::Flag).about("false: nothing was sent"),
    always("finished", Shape::Flag).about("false: the task still runs"),
    known("dry_run", Shape::Flag),
    known("vmid", Shape::Count),
    known("name", Shape::Text),
    known("kind", Shape::Words(&["vm", "container"])),
    known("node", Shape::Text),
    known("status", Shape::Text).about("read after the change"),
    known("upid", Shape::Text),
    known("facts", PAIRS),
    known("before", PAIRS),
    known("undo", Shape::Object(&[always("tool", Shape::Text), always("arguments", Shape::Text)])),
    known("lost", Shape::List(&Shape::Text)),
    known("requests", REQUESTS),
    always("warnings", Shape::List(&Shape::Text)),
]);

/// How a change is to be made; what tools take as `wait` and `dry_run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// Follow the task to its end.
    pub wait: bool,
    /// Send nothing; show what would be sent.
    pub dry_run: bool,
}

/// A change and all that is to be said of it. Texts of others have to be neutralised before they come
/// here ([`foreign`]); all text is Markdown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Change {
    title: String,
    guest: Option<Guest>,
    node: Option<String>,
    facts: Vec<(String, String)>,
    before: Vec<(String, String)>,
    lost: Vec<String>,
    undo: Option<(String, Value)>,
    warnings: Vec<String>,
    extra: Value,
}

/// How far a change is.
#[derive(Debug)]
pub enum Follow {
    /// The task runs; the outcome says when to look again.
    Waits(Outcome),
    /// The task is over and went well.
    Ended(Box<Ended>),
}

/// A change that went well.
#[derive(Debug)]
pub struct Ended {
    /// The change; more can be said of it, or another request made for it.
    pub change: Change,
    /// The task's id.
    pub upid: Upid,
}

impl Change {
    /// A change with its headline, such as `📸 Snapshot of web (ID: 101)`.
    pub fn new(title: impl Into<String>) -> Change {
        Change { title: title.into(), ..Change::default() }
    }

    /// About this guest.
    pub fn guest(self, guest: &Guest) -> Change {
        Change { guest: Some(guest.clone()), ..self }
    }

    /// On this node, where it is not about a guest.
    pub fn node(self, node: &NodeName) -> Change {
        Change { node: Some(node.to_string()), ..self }
    }

    /// With a line of what it makes of what, such as `Storage`, `local-lvm`.
    pub fn fact(mut self, name: &str, value: impl ToString) -> Change {
        self.facts.push((name.to_owned(), value.to_string()));
        self
    }

    /// With something as it is before the change.
    pub fn before(mut self, name: &str, value: impl ToString) -> Change {
        self.before.push((name.to_owned(), value.to_string()));
        self
    }

    /// With something that is lost for good, as a sentence.
    pub fn loses(mut self, what: impl Into<String>) -> Change {
        self.lost.push(what.into());
        self
    }

    /// With the call that puts things back: a tool and its arguments.
    pub fn undo(self, tool: &str, arguments: impl Into<Value>) -> Change {
        let arguments = arguments.into();
        #[cfg(test)]
        assert!(crate::catalogue::takes(tool, &arguments), "{tool} {arguments}");
        Change { undo: Some((tool.to_owned(), arguments)), ..self }
    }

    /// With a warning.
    pub fn warning(mut self, text: impl Into<String>) -> Change {
        self.warnings.push(text.into());
        self
    }

    /// With what the tool's own `resume` needs beyond the task.
    pub fn extra(self, extra: impl Into<Value>) -> Change {
        Change { extra: extra.into(), ..self }
    }

    /// The guest that it is about.
    pub fn subject(&self) -> Option<&Guest> {
        self.guest.as_ref()
    }

    /// What [`Change::extra`] kept.
    pub fn kept(&self) -> &Value {
        &self.extra
    }

    /// Makes the change with this request. A task that it starts is followed, unless `how` says otherwise;
    /// then the tool's `resume` has to be [`resume`] or to use [`follow`].
    ///
    /// # Errors
    /// What the request comes to, if it is not done.
    pub fn make(self, cx: &Cx<'_>, call: Call, how: How) -> Result<Outcome, Error> {
        if how.dry_run {
            return self.plan(cx, &[call]);
        }
        let request = call.to_string();
        let answer = cx.call(call)?;
        self.answered(&answer, &request, how)
    }

    /// Goes on after a request that was made: the task that its answer names is followed, unless `how` says
    /// otherwise.
    ///
    /// # Errors
    /// Where the answer looks like a task and is none.
    pub fn answered(self, answer: &Value, request: &str, how: How) -> Result<Outcome, Error> {
        match answer.as_str().filter(|text| text.starts_with("UPID:")) {
            None => Ok(self.done()),
            Some(text) => {
                let task = Task::read(text, request)?;
                if how.wait { Ok(self.pending(task)) } else { Ok(self.begun(&task.upid)) }
            }
        }
    }

    /// Shows what would be done with these requests; nothing is sent.
    ///
    /// # Errors
    /// Where the host cannot say what it would decide.
    pub fn plan(self, cx: &Cx<'_>, calls: &[Call]) -> Result<Outcome, Error> {
        plan::show(&self, cx, calls)
    }

    /// The report of a change that is over.
    pub fn done(self) -> Outcome {
        report::of(&self, report::Stage::Done { upid: None })
    }

    /// The report where things were so already and nothing was sent.
    pub fn unchanged(self) -> Outcome {
        report::of(&self, report::Stage::Unchanged)
    }

    fn begun(self, upid: &Upid) -> Outcome {
        report::of(&self, report::Stage::Begun { upid: upid.as_str() })
    }

    fn pending(self, task: Task) -> Outcome {
        Outcome::Pending(Pending {
            message: foreign::line(&self.title, 200),
            progress: None,
            after_ms: task.after_ms(),
            state: Data::new().always("task", task.state()).always("change", self.state()).into(),
        })
    }

    fn state(&self) -> Value {
        let pairs = |pairs: &[(String, String)]| {
            Value::from_iter(pairs.iter().map(|(a, b)| vec![a.as_str(), b.as_str()]))
        };
        let guest = self.guest.as_ref().map(|guest| {
            Data::new()
                .always("vmid", guest.vmid.number())
                .always("node", guest.node.as_str())
                .always("kind", guest.kind.word())
                .always("name", guest.name.as_str())
                .flagged("template", guest.template)
        });
        let undo = self
            .undo
            .as_ref()
            .map(|(tool, arguments)| Value::from(vec![Value::from(tool.as_str()), arguments.clone()]));
        Data::new()
            .always("title", self.title.as_str())
            .known("guest", guest)
            .known("node", self.node.as_deref())
            .always("facts", pairs(&self.facts))
            .always("before", pairs(&self.before))
            .always("lost", self.lost.clone())
            .known("undo", undo)
            .always("warnings", self.warnings.clone())
            .always("extra", self.extra.clone())
            .into()
    }

    fn from_state(state: &Value) -> Option<Change> {
        let texts = |key: &str| -> Option<Vec<String>> {
            state.get(key)?.as_array()?.iter().map(|text| Some(foreign::block(text.as_str()?))).collect()
        };
        let pairs = |key: &str| -> Option<Vec<(String, String)>> {
            let pair = |pair: &Value| {
                let text = |at: usize| Some(foreign::block(pair.get(at)?.as_str()?));
                Some((text(0)?, text(1)?))
            };
            state.get(key)?.as_array()?.iter().map(pair).collect()
        };
        let guest = match state.get("guest") {
            Some(guest) => Some(guest_of(guest)?),
            None => None,
        };
        let undo = match state.get("undo") {
            Some(undo) => Some((undo.get(0)?.as_str()?.to_owned(), undo.get(1)?.clone())),
            None => None,
        };
        Some(Change {
            title: foreign::block(state.get("title")?.as_str()?),
            guest,
            node: state.get("node").and_then(Value::as_str).map(foreign::block),
            facts: pairs("facts")?,
            before: pairs("before")?,
            lost: texts("lost")?,
            undo,
            warnings: texts("warnings")?,
            extra: state.get("extra")?.clone(),
        })
    }
}

fn guest_of(state: &Value) -> Option<Guest> {
    let text = |key: &str| state.get(key)?.as_str();
    Some(Guest {
        vmid: Vmid::new(u32::try_from(state.get("vmid")?.as_u64()?).ok()?)?,
        node: NodeName::parse(text("node")?)?,
        kind: GuestKind::parse(text("kind")?)?,
        name: foreign::line(text("name")?, 80),
        template: state.get("template").is_some(),
    })
}

impl Ended {
    /// The report.
    pub fn done(self) -> Outcome {
        report::of(&self.change, report::Stage::Done { upid: Some(self.upid.as_str()) })
    }
}

/// Goes on with a change until its task is over; the `resume` of tools whose change is one request.
///
/// # Errors
/// The task's own words where it failed.
pub fn resume(cx: &Cx<'_>, state: &Value) -> Result<Outcome, Error> {
    match follow(cx, state)? {
        Follow::Waits(outcome) => Ok(outcome),
        Follow::Ended(ended) => Ok(ended.done()),
    }
}

/// Goes on with a change, for tools that have more to do or to look at after its task.
///
/// # Errors
/// The task's own words where it failed.
pub fn follow(cx: &Cx<'_>, state: &Value) -> Result<Follow, Error> {
    let bad = || Error::Arguments("This continuation is not one that this tool gave out.".to_owned());
    let mut task = state.get("task").and_then(Task::from_state).ok_or_else(bad)?;
    let mut change = state.get("change").and_then(Change::from_state).ok_or_else(bad)?;
    match task.look(cx)? {
        Progress::Running => Ok(Follow::Waits(change.pending(task))),
        Progress::Ended(End::Failed(words, log)) => {
            Err(tasks::failure(&format!("{} failed", change.title), &words, &log, &task.upid))
        }
        Progress::Ended(end) => {
            if let End::Warnings(warnings) = end {
                change.warnings.extend(warnings.iter().map(|warning| foreign::words(warning, 300)));
            }
            Ok(Follow::Ended(Box::new(Ended { change, upid: task.upid })))
        }
    }
}

#[cfg(test)]
mod tests;
