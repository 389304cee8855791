//! What a tool says of a guest's power.

use super::Action;
use crate::data::Data;
use crate::foreign;
use crate::pve::guests::Guest;
use crate::text;
use crate::tool::Outcome;

pub(super) struct Report<'a> {
    pub(super) action: Action,
    pub(super) guest: &'a Guest,
    /// As it was read after the change.
    pub(super) status: Option<String>,
    pub(super) changed: bool,
    pub(super) finished: bool,
    pub(super) upid: Option<String>,
    pub(super) warnings: Vec<String>,
    /// Why the guest was not looked at.
    pub(super) note: Option<String>,
    /// Whether a shutdown may have ended hard.
    pub(super) force: bool,
}

impl<'a> Report<'a> {
    pub(super) fn of(action: Action, guest: &'a Guest) -> Report<'a> {
        Report {
            action,
            guest,
            status: None,
            changed: false,
            finished: false,
            upid: None,
            warnings: Vec::new(),
            note: None,
            force: false,
        }
    }

    pub(super) fn unchanged(action: Action, guest: &'a Guest, status: &str) -> Outcome {
        Report { status: Some(status.to_owned()), finished: true, ..Report::of(action, guest) }.outcome()
    }

    pub(super) fn outcome(self) -> Outcome {
        let guest = self.guest;
        let undo = self.undo().map(|(tool, arguments)| {
            Data::new().always("tool", tool).always("arguments", arguments.to_string())
        });
        let data = Data::new()
            .always("vmid", guest.vmid.number())
            .always("name", guest.name.as_str())
            .always("kind", guest.kind.word())
            .always("node", guest.node.as_str())
            .known("status", self.status.as_deref())
            .always("changed", self.changed)
            .always("finished", self.finished)
            .known("upid", self.upid.as_deref())
            .known("undo", undo)
            .known("lost", self.lost().map(|lost| vec![lost]))
            .always("warnings", self.warnings.clone());
        Outcome::done(self.text(), data.into())
    }

    fn undo(&self) -> Option<(&'static str, serde_json::Value)> {
        self.action.undo(self.guest).filter(|_| self.changed)
    }

    fn lost(&self) -> Option<&'static str> {
        self.action.loses(self.force).filter(|_| self.changed)
    }

    fn text(&self) -> String {
        let guest = self.guest;
        let mut out = format!("{}: {guest}\n", self.action.headline());
        out += &text::bullet("Type", guest.kind);
        out += &text::bullet("Node", &guest.node);
        out += &text::bullet("Status", self.status());
        if let Some(lost) = self.lost() {
            out += &text::bullet("Lost", lost);
        }
        for warning in &self.warnings {
            out += &text::bullet("Warning", foreign::name(warning));
        }
        if let Some(upid) = &self.upid {
            out += &text::bullet("Task", format_args!("`{upid}`"));
        }
        if let Some((tool, arguments)) = self.undo() {
            out += &text::bullet("To put it back", format_args!("`{tool}` with `{arguments}`"));
        }
        out
    }

    fn status(&self) -> String {
        match (&self.status, self.finished, &self.note) {
            (Some(status), _, _) if !self.changed => {
                format!("{} (already; nothing was sent)", status.to_ascii_uppercase())
            }
            (Some(status), _, _) => status.to_ascii_uppercase(),
            (None, false, _) => format!("{} (the task runs on)", self.action.doing().to_ascii_uppercase()),
            (None, true, note) => {
                format!("the task ended well; not looked at: {}", note.as_deref().unwrap_or(text::UNKNOWN))
            }
        }
    }
}
