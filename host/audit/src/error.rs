//! What can go wrong with the log.

use std::io;
use std::path::PathBuf;

/// Why the log cannot be opened or written. `Display` says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file cannot be opened or created.
    #[error("The audit log {path} cannot be opened: {source}. Its folder must exist, and the file must be writable for the user of this server.", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it.
    #[error("The audit log {path} is in use by another process. Give each server its own audit log, or stop the other one first.", path = path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A file of another kind.
    #[error("{path} is not an audit log: nothing was written to it. Name a file that does not exist yet, or an earlier audit log.", path = path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
    },
    /// The end of the file is not as this server left it.
    #[error("The audit log {path} was changed by something else: {why}. Keep the file as evidence under another name; the server then starts a new one.", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// The end of the file cannot be read.
    #[error("The audit log {path} cannot be read: {source}.", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file was renamed or removed while it was open.
    #[error("The audit log {path} is not the file any more that this server writes to: it was renamed, removed or replaced. Nothing is changed in Proxmox VE until it is back under its name, or the server is started anew. To rotate the log, stop the server first.", path = path.display())]
    Gone {
        /// Where the file was.
        path: PathBuf,
    },
    /// A line cannot be written: no space, for instance.
    #[error("The audit log {path} cannot be written: {source}. Nothing is changed in Proxmox VE until it can: make room for it, or see to its disk.", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
