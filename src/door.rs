//! The component without our host: whoever runs it gives it an environment and a way out, and it keeps the
//! token, the grants and the secrets itself.
//!
//! This is the weaker form. Here the code that is to be held back and the code that holds it back share one
//! sandbox; our host keeps them apart. So nothing of this is at work where `PROXMOX_HOST` is not set: then
//! requests go to `pve.internal` as ever, and the host behind that name decides.
//!
//! - [`settings`]: what the environment says.
//! - [`guarded`]: the one way out, with the gate in it.
//! - [`selection`]: which tools there are.
//! - `stdio` and `incoming`: MCP on standard input and output, and over HTTP.

pub mod guarded;
#[cfg(target_family = "wasm")]
pub(crate) mod incoming;
pub mod selection;
pub mod settings;
#[cfg(target_family = "wasm")]
pub(crate) mod stdio;

use std::fmt;

use self::guarded::Guarded;
use self::settings::Rights;
use crate::catalogue::{self, Step};
use crate::cx::{Request, Response, SendError, Transport};
use crate::error::{Error, Kind};
use crate::tool::Tool;

/// Makes calls, with the rights that the environment gives, or with none of its own.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    out: &'a dyn Transport,
    rights: Option<&'a Rights>,
}

impl fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("guarded", &self.rights.is_some()).finish_non_exhaustive()
    }
}

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Whose fault it is.
    pub kind: Kind,
    /// What is wrong and what to do.
    pub message: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { kind: error.kind(), message: error.to_string() }
    }
}

impl<'a> Caller<'a> {
    /// Calls over `out`; `rights`: nothing where somebody else guards it.
    pub fn new(out: &'a dyn Transport, rights: Option<&'a Rights>) -> Self {
        Caller { out, rights }
    }

    /// What may be done, where that is for this component to say.
    pub fn rights(&self) -> Option<&'a Rights> {
        self.rights
    }

    /// Whether a tool is worth showing: it is chosen, and something of it is granted. Where others decide that, all
    /// are.
    pub fn shows(&self, tool: &Tool) -> bool {
        let shown = |rights: &Rights| rights.selection.lists(tool) && !selection::is_shut(tool, &rights.gate);
        self.rights.is_none_or(shown)
    }

    /// Calls a tool; see [`catalogue::call`].
    ///
    /// # Errors
    /// What went wrong, worded for a model.
    pub fn call(&self, now_ms: u64, name: &str, arguments: &str) -> Result<Step, Failure> {
        self.admits(catalogue::tool(name))?;
        self.step(|out| catalogue::call(out, now_ms, name, arguments))
    }

    /// Goes on with a call that waited; see [`catalogue::resume`].
    ///
    /// # Errors
    /// What went wrong, worded for a model.
    pub fn resume(&self, now_ms: u64, continuation: &str) -> Result<Step, Failure> {
        // It may be forged, and of a tool that was never begun.
        self.admits(catalogue::tool_of(continuation))?;
        self.step(|out| catalogue::resume(out, now_ms, continuation))
    }

    /// Whether the operator left the tool on. One that there is not is refused later.
    fn admits(&self, tool: Option<&Tool>) -> Result<(), Failure> {
        let (Some(rights), Some(tool)) = (self.rights, tool) else { return Ok(()) };
        rights.selection.admits(tool).map_err(|message| Failure { kind: Kind::Denied, message })
    }

    fn step(&self, run: impl Fn(&dyn Transport) -> Result<Step, Error>) -> Result<Step, Failure> {
        let Some(rights) = self.rights else { return run(self.out).map_err(Failure::from) };
        let guarded = Guarded::new(self.out, rights);
        run(&guarded).map_err(|error| guarded.explained(error))
    }
}

/// The way out where no server is named: perhaps somebody stands behind `pve.internal`. Where nobody does, it says
/// what to set.
#[derive(Clone, Copy)]
pub struct Unnamed<'a>(pub &'a dyn Transport);

impl fmt::Debug for Unnamed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unnamed").finish()
    }
}

impl Transport for Unnamed<'_> {
    fn send_all(&self, requests: &[Request]) -> Vec<Result<Response, SendError>> {
        let explained = |error| match error {
            SendError::Denied => error,
            _ => SendError::Other("PROXMOX_HOST is not set in the environment of this component".to_owned()),
        };
        self.0.send_all(requests).into_iter().map(|sent| sent.map_err(explained)).collect()
    }

    fn verdict(&self, request: &Request) -> Option<Result<Response, SendError>> {
        self.0.verdict(request)
    }
}
