//! How a change is reported.

use serde_json::Value;

use super::Change;
use crate::data::Data;
use crate::foreign;
use crate::text;
use crate::tool::Outcome;

/// How far it came.
pub(super) enum Stage<'a> {
    /// Nothing was sent.
    Unchanged,
    /// The task runs on.
    Begun {
        /// Its id.
        upid: &'a str,
    },
    /// It is over.
    Done {
        /// The task's id, where there was one.
        upid: Option<&'a str>,
    },
}

pub(super) fn of(change: &Change, stage: Stage<'_>) -> Outcome {
    let (changed, finished, upid, status) = match stage {
        Stage::Unchanged => (false, true, None, "nothing to do; nothing was sent"),
        Stage::Begun { upid } => (true, false, Some(upid), "begun; the task runs on"),
        Stage::Done { upid } => (true, true, upid, "done"),
    };
    let mut text = headline(change);
    text += &text::bullet("Result", status);
    text += &bullets(&change.facts);
    if changed {
        text += &section("Before", &change.before);
    }
    for lost in change.lost.iter().filter(|_| changed) {
        text += &text::bullet("Lost", lost);
    }
    for warning in &change.warnings {
        text += &text::bullet("Warning", warning);
    }
    if let Some(upid) = upid {
        text += &text::bullet("Task", format_args!("`{upid}`"));
    }
    if let Some((tool, arguments)) = change.undo.as_ref().filter(|_| changed) {
        // What looks like a link in an old value is written in another way of JSON.
        let arguments = foreign::code(&arguments.to_string().replace("](", "]\\u0028"), 600);
        text += &text::bullet("To put it back", format_args!("`{tool}` with {arguments}"));
    }
    let data = data(change).always("changed", changed).always("finished", finished).known("upid", upid);
    Outcome::done(text, data.into())
}

/// Headline and subject.
pub(super) fn headline(change: &Change) -> String {
    let mut text = format!("{}\n", change.title);
    if let Some(guest) = &change.guest {
        text += &text::bullet("Type", guest.kind);
        text += &text::bullet("Node", &guest.node);
    } else if let Some(node) = &change.node {
        text += &text::bullet("Node", node);
    }
    text
}

/// One bullet for each pair.
pub(super) fn bullets(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(name, value)| text::bullet(name, value)).collect()
}

/// The pairs under a name, in one line; empty for none.
pub(super) fn section(name: &str, pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let all: Vec<String> = pairs.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    text::bullet(name, all.join("; "))
}

/// What is always said of a change, but for its stage.
pub(super) fn data(change: &Change) -> Data {
    let undo = change.undo.as_ref().map(|(tool, arguments)| {
        Data::new().always("tool", tool.as_str()).always("arguments", arguments.to_string())
    });
    let guest = change.guest.as_ref();
    Data::new()
        .known("vmid", guest.map(|guest| guest.vmid.number()))
        .known("name", guest.map(|guest| guest.name.as_str()))
        .known("kind", guest.map(|guest| guest.kind.word()))
        .known("node", guest.map(|guest| guest.node.as_str()).or(change.node.as_deref()))
        .known("facts", pairs(&change.facts))
        .known("before", pairs(&change.before))
        .known("undo", undo)
        .known("lost", (!change.lost.is_empty()).then(|| change.lost.clone()))
        .always("warnings", change.warnings.clone())
}

/// Pairs as data; nothing for none.
pub(super) fn pairs(pairs: &[(String, String)]) -> Option<Vec<Value>> {
    let pair = |(name, value): &(String, String)| {
        Value::from(Data::new().always("name", name.as_str()).always("value", value.as_str()))
    };
    (!pairs.is_empty()).then(|| pairs.iter().map(pair).collect())
}
