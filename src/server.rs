//! MCP, spoken by the component itself where no host does it: requests become results, in both eras of the
//! protocol. Nothing here knows what carries the messages.
//!
//! - [`rpc`]: messages. [`revision`]: which revision a request is of.
//! - [`calls`]: calling tools, and going on with those that wait.
//! - `lists`, `resources`, `prompts`: what there is besides, and reading it.
//! - [`session`]: a client on standard input and output. [`http`]: requests over HTTP.

pub mod calls;
pub mod http;
mod lists;
mod pages;
mod prompts;
mod resources;
pub mod revision;
pub mod rpc;
pub mod session;

use std::fmt;

use serde_json::{Map, Value, json};

use self::calls::Waiting;
use self::revision::Revision;
use self::rpc::{Fault, METHOD_NOT_FOUND, Request};
use crate::door::Caller;

/// Where a result of the stateless era says who gave it.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// How long a list may be kept, in milliseconds: it changes with the environment only.
const LIST_TTL_MS: u32 = 300_000;

/// The time, and waiting.
pub trait Clock {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
    /// Comes back after this many milliseconds.
    fn sleep_ms(&self, ms: u64);
}

/// The server of one instance.
#[derive(Clone, Copy)]
pub struct Server<'a> {
    caller: Caller<'a>,
    clock: &'a dyn Clock,
}

impl fmt::Debug for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// How far a request came.
#[derive(Debug)]
pub enum Reply {
    /// To its result.
    Over(Result<Value, Fault>),
    /// To a task of Proxmox that goes on.
    Waits(Box<Waiting>),
}

impl<'a> Server<'a> {
    /// A server that makes its calls through `caller`.
    pub fn new(caller: Caller<'a>, clock: &'a dyn Clock) -> Self {
        Server { caller, clock }
    }

    /// What time it is.
    pub fn clock(&self) -> &'a dyn Clock {
        self.clock
    }

    /// Answers a request. `agreed`: the revision of one that does not say its own.
    pub fn answer(&self, request: &Request, agreed: Revision) -> Reply {
        let revision = match Revision::of(&request.params, agreed) {
            Ok(revision) => revision,
            Err(fault) => return Reply::Over(Err(fault)),
        };
        if request.method == "tools/call" {
            return self.call(&request.params, revision);
        }
        let result = self.result(&request.method, &request.params, revision);
        Reply::Over(result.map(|result| signed(result, revision)))
    }

    /// The result of everything that does not wait.
    fn result(&self, method: &str, params: &Map<String, Value>, revision: Revision) -> Result<Value, Fault> {
        match (method, revision.is_stateless()) {
            ("initialize", false) => self.handshake(params),
            ("ping", false) => Ok(json!({})),
            ("server/discover", true) => Ok(self.discovery()),
            ("server/discover", false) => Err(Fault::params(
                "`server/discover` needs a `_meta` with the revision and the client's capabilities.",
            )),
            ("tools/list", _) => lists::whole(params, "tools", self.tools(), revision),
            ("resources/list", _) => lists::whole(params, "resources", self.resources(), revision),
            ("resources/templates/list", _) => {
                lists::whole(params, "resourceTemplates", self.templates(), revision)
            }
            ("resources/read", _) => self.read(params, revision),
            ("prompts/list", _) => lists::whole(params, "prompts", self.prompts(), revision),
            ("prompts/get", _) => self.prompt(params),
            ("completion/complete", _) => self.complete(params),
            _ => Err(Fault::new(
                METHOD_NOT_FOUND,
                format!("There is no method {}.", crate::foreign::code(method, 60)),
            )),
        }
    }

    fn handshake(&self, params: &Map<String, Value>) -> Result<Value, Fault> {
        let wanted = params.get("protocolVersion").and_then(Value::as_str);
        let wanted = wanted.ok_or_else(|| Fault::params("`protocolVersion` is no text."))?;
        Ok(json!({
            "protocolVersion": Revision::agreed(wanted).name(),
            "capabilities": capabilities(),
            "serverInfo": server_info(),
            "instructions": self.instructions(),
        }))
    }

    fn discovery(&self) -> Value {
        json!({
            "supportedVersions": Revision::ALL.map(Revision::name),
            "capabilities": capabilities(),
            "instructions": self.instructions(),
            "ttlMs": LIST_TTL_MS,
            "cacheScope": "private",
        })
    }
}

fn capabilities() -> Value {
    json!({"completions": {}, "prompts": {}, "resources": {}, "tools": {}})
}

fn server_info() -> Value {
    json!({"name": "proxmox-mcp", "title": "Proxmox VE", "version": env!("CARGO_PKG_VERSION")})
}

/// The result with what the stateless era wants in each: that it is complete, and who gave it.
fn signed(mut result: Value, revision: Revision) -> Value {
    if let (Some(members), true) = (result.as_object_mut(), revision.is_stateless()) {
        members.insert("resultType".to_owned(), json!("complete"));
        members.insert("_meta".to_owned(), json!({SERVER_INFO: server_info()}));
    }
    result
}

#[cfg(test)]
mod tests;
