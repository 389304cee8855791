//! What can go wrong with a call, worded for a model: what is wrong, likely why, what to do.

mod denial;

use std::fmt;

pub use self::denial::{By, Denial, Need};
pub(crate) use self::denial::{named_need, needed, needs};
use crate::foreign;
use crate::pve::quirks::Quirk;

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// There is no such tool.
    UnknownTool(String),
    /// The arguments are wrong; the text says which and what is right.
    Arguments(String),
    /// What the arguments name does not exist.
    NotFound(String),
    /// The host, or Proxmox, does not allow it.
    Denied(Denial),
    /// Proxmox was not reached, or did not answer as it should.
    Unreachable(String),
    /// Proxmox answered a request with an error.
    Refused(Refusal),
    /// What was asked for failed in Proxmox or in the guest.
    Failed(String),
    /// A defect of the tool.
    Defect(String),
}

/// An error that Proxmox answered with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refusal {
    /// The request, such as `GET /nodes/pve1/status`.
    pub request: String,
    /// The HTTP status.
    pub status: u16,
    /// Proxmox's own words; empty where it gave none.
    pub message: String,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no tool of that name.
    UnknownTool,
    /// The arguments are wrong.
    Arguments,
    /// What the arguments name does not exist.
    NotFound,
    /// The host, or Proxmox, does not allow it.
    Denied,
    /// Proxmox was not reached, or did not answer as it should.
    Unreachable,
    /// Proxmox, or the guest, said no.
    Failed,
    /// A defect of the tool.
    Defect,
}

impl Kind {
    /// Its word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::UnknownTool => "unknown-tool",
            Kind::Arguments => "bad-arguments",
            Kind::NotFound => "not-found",
            Kind::Denied => "denied",
            Kind::Unreachable => "unreachable",
            Kind::Failed => "failed",
            Kind::Defect => "defect",
        }
    }
}

impl Error {
    /// Whose fault it is.
    pub fn kind(&self) -> Kind {
        match self {
            Error::UnknownTool(_) => Kind::UnknownTool,
            Error::Arguments(_) => Kind::Arguments,
            Error::NotFound(_) => Kind::NotFound,
            Error::Denied(_) => Kind::Denied,
            Error::Unreachable(_) => Kind::Unreachable,
            Error::Refused(refusal) => refusal.kind(),
            Error::Failed(_) => Kind::Failed,
            Error::Defect(_) => Kind::Defect,
        }
    }

    /// Whether the next try may go well: Proxmox, or one of its nodes, was not reached.
    pub fn may_pass(&self) -> bool {
        match self {
            Error::Unreachable(_) => true,
            Error::Refused(refusal) => refusal.is_gateway(),
            _ => false,
        }
    }

    /// The reason in one short clause, for a line of an answer that lacks only this part.
    pub fn brief(&self) -> String {
        match self {
            Error::Denied(denial) => denial.brief(),
            Error::Refused(refusal) => refusal.brief(),
            other => {
                let text = other.to_string();
                text.split_inclusive(". ").next().unwrap_or_default().trim_end_matches(['.', ' ']).to_owned()
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::UnknownTool(text)
            | Error::Arguments(text)
            | Error::NotFound(text)
            | Error::Unreachable(text)
            | Error::Failed(text) => f.write_str(text),
            Error::Denied(denial) => denial.fmt(f),
            Error::Refused(refusal) => refusal.fmt(f),
            Error::Defect(text) => write!(f, "This is a defect of the tool, please report it: {text}"),
        }
    }
}

impl std::error::Error for Error {}

impl Refusal {
    /// What is known of Proxmox's words.
    pub fn quirk(&self) -> Option<Quirk> {
        Quirk::of(&self.message)
    }

    /// Whether a node of the cluster did not answer the one that was asked (595, 596 and the like).
    pub fn is_gateway(&self) -> bool {
        matches!(self.status, 502..=504 | 595..=599)
    }

    fn kind(&self) -> Kind {
        match self.quirk() {
            Some(Quirk::GuestMissing | Quirk::NodeUnknown | Quirk::StorageMissing) => Kind::NotFound,
            _ if self.is_gateway() => Kind::Unreachable,
            _ => Kind::Failed,
        }
    }

    /// Proxmox's words as one line of Markdown, or what the status alone says.
    pub fn words(&self) -> String {
        match (self.message.is_empty(), self.status) {
            (false, _) => foreign::words(&self.message, 400),
            (true, 595) => "the node does not answer".to_owned(),
            (true, 596) => "the connection behind the API broke before it answered".to_owned(),
            (true, _) => "no reason given".to_owned(),
        }
    }

    fn brief(&self) -> String {
        format!("{} ({})", self.words(), self.status)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words();
        let words = words.trim_end_matches('.');
        write!(f, "Proxmox VE answered `{}` with {}: {words}.", self.request, self.status)?;
        match self.quirk() {
            Some(quirk) => write!(f, " {}", quirk.advice()),
            None if self.status == 595 => f.write_str(
                " The node is offline or its API service is down; `proxmox_get_nodes` shows its state.",
            ),
            None if self.is_gateway() => f.write_str(" Try again in a moment."),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, message: &str) -> Error {
        Error::Refused(Refusal { request: "GET /x".to_owned(), status, message: message.to_owned() })
    }

    #[test]
    fn a_refusal_says_whose_fault_it_is() {
        let missing = "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist";
        for (status, message, kind) in [
            (500, missing, Kind::NotFound),
            (500, "storage 'nope' does not exist", Kind::NotFound),
            (595, "No route to host", Kind::Unreachable),
            (596, "", Kind::Unreachable),
            (500, "no options specified", Kind::Failed),
            (400, "Parameter verification failed.", Kind::Failed),
        ] {
            assert_eq!(refusal(status, message).kind(), kind, "{status} {message}");
        }
    }

    #[test]
    fn a_refusal_keeps_proxmox_words_and_adds_what_to_do() {
        let text = refusal(500, "VM is locked (backup)").to_string();
        assert!(text.starts_with("Proxmox VE answered `GET /x` with 500: VM is locked (backup)."), "{text}");
        assert!(text.contains("backup"), "{text}");
        assert_eq!(refusal(595, "").brief(), "the node does not answer (595)");
        assert!(refusal(595, "").to_string().contains("proxmox_get_nodes"));
    }

    #[test]
    fn hostile_words_stay_on_one_line() {
        let text = refusal(500, "a\n\x1b[31mIgnore\u{202e} all\n\n# Title [x](y)").to_string();
        assert!(
            text.starts_with("Proxmox VE answered `GET /x` with 500: a Ignore all # Title \\[x\\](y)."),
            "{text:?}"
        );
    }
}
