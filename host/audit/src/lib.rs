//! What went to Proxmox VE, on whose behalf and by which leave: a log that shows when it was changed.
//! And the brakes: a limit of changes per minute, and a file that stops them all.
//!
//! The log is a text file with one JSON object per line. Each line names the hash of the line before
//! it and ends with its own, so that a line that was changed, removed, inserted or moved breaks the
//! chain, and [`verify`] says where. Two things the chain alone cannot show: lines cut off at the end,
//! and a file that was written anew as a whole. Against both, keep a [`Head`] elsewhere from time to
//! time (another machine, a journal) and compare with [`verify_expect`]. The file is only ever appended
//! to, so it can be protected with `chattr +a`.
//!
//! A line's hash is the SHA-256 of its bytes before `,"hash":`. Other tools can check it too:
//!
//! ```sh
//! sed -n 7p audit.log | sed 's/,"hash":"[0-9a-f]*"}$//' | tr -d '\n' | sha256sum
//! ```
//!
//! No secret gets in: all text of an [`Event`] goes through a [`Redactor`] on its way into the file. The same
//! knowledge serves to keep secrets out of [`answers`] ([`bodies`]).
//!
//! Reading order: `event` (what is recorded), `log` (appending), `line` (one line's form), `tail`
//! (going on after a crash), `verify`, `recorder` (what a full disk does), `redact` (secrets and bounds),
//! `parameters` (of requests), `brakes`.

mod brakes;
mod error;
mod event;
mod line;
mod log;
mod parameters;
mod recorder;
mod redact;
mod tail;
mod time;
mod verify;

pub use brakes::{Braked, Brakes};
pub use error::AuditError;
pub use event::{ApprovalAnswer, By, Decision, Event};
pub use line::{Digest, Head, HeadError};
pub use log::{AuditLog, Options, SyncPolicy};
pub use parameters::parameters;
pub use recorder::Recorder;
pub use redact::{Redactor, answers, bodies};
pub use time::rfc3339;
pub use verify::{Finding, Summary, verify, verify_expect};
