//! The log file: opened once, then only appended to.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use crate::error::AuditError;
use crate::event::Event;
use crate::line::{self, Head};
use crate::redact::Redactor;
use crate::tail::{self, TailError};

/// Which lines are on the disk, not only with the operating system, before [`AuditLog::append`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncPolicy {
    /// None: a power loss may take the last seconds.
    Never,
    /// Those that tell of changes ([`Event::tells_of_change`]).
    #[default]
    Changes,
    /// All.
    Always,
}

/// How a log is kept.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// When to wait for the disk.
    pub sync: SyncPolicy,
    /// What takes secrets out. The default knows their usual names and forms; give it the API token's
    /// secret as well.
    pub redactor: Redactor,
}

/// An audit log, open for appending. Threads share it by reference.
pub struct AuditLog {
    path: PathBuf,
    options: Options,
    state: Mutex<State>,
}

struct State {
    storage: Box<dyn Storage>,
    head: Head,
    /// The file's end is not the end of a line: a write was cut short, now or before the log was opened.
    torn: bool,
}

/// What a log is kept in; a file, except in tests.
pub(crate) trait Storage: Read + Write + Seek + Send {
    /// Returns when all that was written is on the disk.
    fn sync(&mut self) -> io::Result<()>;

    /// Whether it is still what has this name: a file that is open can be renamed or removed.
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let _ = path;
        Ok(true)
    }
}

impl Storage for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let own = self.metadata()?;
        match std::fs::metadata(path) {
            _ if !own.is_file() => Ok(true),
            Ok(named) => Ok(is_same(&own, &named)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog")
            .field("path", &self.path)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl AuditLog {
    /// Opens a log with the default [`Options`]; see [`AuditLog::open_with`].
    ///
    /// # Errors
    /// As [`AuditLog::open_with`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, AuditError> {
        Self::open_with(path, Options::default())
    }

    /// Opens a log to continue it, or creates it, readable and writable for this user alone. Only its
    /// end is read. It stays locked for other processes until it is dropped.
    ///
    /// # Errors
    /// Where it cannot be opened, another process has it, it is a file of another kind, or its last line
    /// was changed.
    pub fn open_with(path: impl Into<PathBuf>, mut options: Options) -> Result<Self, AuditError> {
        let path = path.into();
        let mut file = open_file(&path).map_err(|source| AuditError::Open { path: path.clone(), source })?;
        let tail = match file.metadata() {
            Ok(about) if about.is_file() => {
                lock(&file, &path)?;
                tail::read(&mut file).map_err(|error| of_tail(error, &path))?
            }
            // A device or a pipe has no earlier lines, no lock, and nothing to wait for.
            Ok(_) => {
                options.sync = SyncPolicy::Never;
                tail::Tail::default()
            }
            Err(source) => return Err(AuditError::Open { path, source }),
        };
        if tail == tail::Tail::default() {
            sync_folder(&path);
        }
        let torn = tail.needs_newline || tail.remains.is_some();
        let state = State { storage: Box::new(file), head: tail.head, torn };
        Ok(AuditLog { path, options, state: Mutex::new(state) })
    }

    /// Appends one event as one line, in one write. Returns the log's new [`Head`].
    ///
    /// # Errors
    /// [`AuditError::Write`] where the line is not there for certain, for instance on a full disk. The log
    /// can be appended to again as soon as its disk allows. [`AuditError::Gone`] where the file was renamed or
    /// removed: what is written to it then is where nobody looks.
    pub fn append(&self, event: &Event) -> Result<Head, AuditError> {
        let sync = match self.options.sync {
            SyncPolicy::Never => false,
            SyncPolicy::Changes => event.tells_of_change(),
            SyncPolicy::Always => true,
        };
        self.append_as(event, sync)
    }

    /// Appends an event of this crate's own, or of the public kind.
    pub(crate) fn append_as(&self, event: &impl Serialize, sync: bool) -> Result<Head, AuditError> {
        let text = self.options.redactor.event(event).map_err(|error| self.unwritten(error.into()))?;
        let mut state = self.state();
        if !state.storage.is_at(&self.path).map_err(|source| self.unwritten(source))? {
            return Err(AuditError::Gone { path: self.path.clone() });
        }
        if state.torn {
            state.mend().map_err(|error| match error {
                MendError::Tail(error) => of_tail(error, &self.path),
                MendError::Write(source) => self.unwritten(source),
            })?;
        }
        state.put(&text).map_err(|source| self.unwritten(source))?;
        if sync {
            state.storage.sync().map_err(|source| self.unwritten(source))?;
        }
        Ok(state.head)
    }

    /// The last line. Note it elsewhere to be able to prove later that nothing was cut off; see
    /// [`crate::verify_expect`].
    pub fn head(&self) -> Head {
        self.state().head
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unwritten(&self, source: io::Error) -> AuditError {
        AuditError::Write { path: self.path.clone(), source }
    }

    /// A log in something else than a file.
    #[cfg(test)]
    pub(crate) fn in_storage(storage: impl Storage + 'static, sync: SyncPolicy) -> Self {
        let state = State { storage: Box::new(storage), head: Head::default(), torn: false };
        let options = Options { sync, ..Options::default() };
        AuditLog { path: "test".into(), options, state: Mutex::new(state) }
    }
}

enum MendError {
    Tail(TailError),
    Write(io::Error),
}

impl From<io::Error> for MendError {
    fn from(error: io::Error) -> Self {
        MendError::Write(error)
    }
}

impl State {
    fn put(&mut self, event: &str) -> io::Result<()> {
        let (line, head) = line::seal(self.head, SystemTime::now(), event);
        self.write(line.as_bytes())?;
        self.head = head;
        Ok(())
    }

    /// Ends the line that was cut short, and accounts for it in the next one. Stopped halfway, it can be
    /// done again.
    fn mend(&mut self) -> Result<(), MendError> {
        let tail = tail::read(&mut *self.storage).map_err(MendError::Tail)?;
        self.head = tail.head;
        if tail.needs_newline {
            self.write(b"\n")?;
        }
        if let Some((bytes, hash)) = tail.remains {
            self.put(&line::broken(bytes, hash))?;
        }
        self.torn = false;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut left = bytes;
        while !left.is_empty() {
            let error = match self.storage.write(left) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(count) => {
                    left = left.get(count..).unwrap_or_default();
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            self.torn |= left.len() < bytes.len();
            return Err(error);
        }
        Ok(())
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(unix)]
fn is_same(own: &Metadata, named: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (own.dev(), own.ino()) == (named.dev(), named.ino())
}

/// Elsewhere a file has no number that the standard library tells; that the name is taken has to do.
#[cfg(not(unix))]
fn is_same(_own: &Metadata, named: &Metadata) -> bool {
    named.is_file()
}

fn lock(file: &File, path: &Path) -> Result<(), AuditError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => AuditError::Locked { path: path.to_owned() },
        TryLockError::Error(source) => AuditError::Open { path: path.to_owned(), source },
    })
}

/// Makes the name of a new file outlive a power loss. Not every file system can; the lines themselves
/// are synced in any case, so that is no error.
fn sync_folder(path: &Path) {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

fn of_tail(error: TailError, path: &Path) -> AuditError {
    let path = path.to_owned();
    match error {
        TailError::Read(source) => AuditError::Read { path, source },
        TailError::NotALog => AuditError::NotALog { path },
        TailError::Damaged(why) => AuditError::Damaged { path, why },
    }
}

#[cfg(test)]
pub(crate) mod storage;
#[cfg(test)]
mod tests;
