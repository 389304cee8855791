//! Calling tools. A call that waits for Proxmox is handed back to whoever holds the connection, which goes on
//! with it when it is due and serves others meanwhile.

use serde_json::{Map, Value, json};

use super::revision::Revision;
use super::rpc::{self, Fault};
use super::{Reply, Server, signed};
use crate::catalogue::{self, Step};
use crate::door::Failure;
use crate::error::Kind;
use crate::tool::{Output, Pending};

/// Shortest pause before a call that waits is looked at again, whatever the tool says, in milliseconds.
const MIN_PAUSE_MS: u64 = 50;
/// The longest.
const MAX_PAUSE_MS: u64 = 30_000;
/// Characters of a progress message.
const MAX_MESSAGE: usize = 500;

/// A call that waits.
#[derive(Debug)]
pub struct Waiting {
    target: Target,
    continuation: String,
    pending: Pending,
    /// When to go on with it, in milliseconds since 1970.
    pub due_ms: u64,
    /// What its client calls progress by, where it wants to hear of it.
    token: Option<Value>,
    /// The figure that it heard last.
    shown: f64,
}

/// What was called, in which revision.
#[derive(Debug)]
struct Target {
    tool: String,
    arguments: Map<String, Value>,
    revision: Revision,
}

impl Waiting {
    /// The notification that says how far it is; nothing where nobody wants to know.
    pub fn progress(&mut self) -> Option<Value> {
        let token = self.token.clone()?;
        // Progress has to grow with each notification. Where the end is not known, it counts.
        let part = self.pending.progress.filter(|part| (0.0..=1.0).contains(part));
        let (progress, total) = match part {
            Some(part) => ((part * 100.0).max(self.shown + 0.001), Some(100.0)),
            None => (self.shown + 1.0, None),
        };
        self.shown = progress;
        let message: String = self.pending.message.chars().take(MAX_MESSAGE).collect();
        let mut params = json!({"progressToken": token, "progress": progress, "message": message});
        if let (Some(params), Some(total)) = (params.as_object_mut(), total) {
            params.insert("total".to_owned(), total.into());
        }
        Some(rpc::notification("notifications/progress", params))
    }
}

impl Server<'_> {
    /// Begins a call.
    pub(super) fn call(&self, params: &Map<String, Value>, revision: Revision) -> Reply {
        let target = match Target::read(params, revision) {
            Ok(target) => target,
            Err(fault) => return Reply::Over(Err(fault)),
        };
        if let Err(error) = catalogue::find(&target.tool) {
            return Reply::Over(Err(Fault::params(error.to_string())));
        }
        let token = params.get("_meta").and_then(|meta| meta.get("progressToken")).cloned();
        let token = token.filter(|token| token.is_string() || token.is_number());
        let arguments = Value::Object(target.arguments.clone()).to_string();
        let step = self.caller.call(self.clock.now_ms(), &target.tool, &arguments);
        self.stepped(target, token, 0.0, step)
    }

    /// Goes on with a call that waited.
    pub fn go_on(&self, waiting: Waiting) -> Reply {
        let Waiting { target, continuation, token, shown, .. } = waiting;
        let step = self.caller.resume(self.clock.now_ms(), &continuation);
        self.stepped(target, token, shown, step)
    }

    fn stepped(
        &self,
        target: Target,
        token: Option<Value>,
        shown: f64,
        step: Result<Step, Failure>,
    ) -> Reply {
        match step {
            Ok(Step::Pending(continuation, pending)) => {
                let due_ms = self.clock.now_ms() + pause_ms(&pending);
                Reply::Waits(Box::new(Waiting { target, continuation, pending, due_ms, token, shown }))
            }
            Ok(Step::Done(output)) => Reply::Over(Ok(signed(done(&target, output), target.revision))),
            Err(failure) => Reply::Over(Ok(signed(failed(&failure), target.revision))),
        }
    }

    /// Calls a tool and follows it to its end.
    pub(super) fn finish(&self, tool: &str, arguments: &Map<String, Value>) -> Result<Output, Failure> {
        let arguments = Value::Object(arguments.clone()).to_string();
        let mut step = self.caller.call(self.clock.now_ms(), tool, &arguments)?;
        loop {
            match step {
                Step::Done(output) => return Ok(output),
                Step::Pending(continuation, pending) => {
                    self.clock.sleep_ms(pause_ms(&pending));
                    step = self.caller.resume(self.clock.now_ms(), &continuation)?;
                }
            }
        }
    }
}

fn pause_ms(pending: &Pending) -> u64 {
    u64::from(pending.after_ms).clamp(MIN_PAUSE_MS, MAX_PAUSE_MS)
}

impl Target {
    fn read(params: &Map<String, Value>, revision: Revision) -> Result<Target, Fault> {
        let name = params.get("name").and_then(Value::as_str);
        let tool = name.ok_or_else(|| Fault::params("`name` is no text."))?.to_owned();
        let arguments = match params.get("arguments") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(arguments)) => arguments.clone(),
            Some(_) => return Err(Fault::params("`arguments` is no object.")),
        };
        Ok(Target { tool, arguments, revision })
    }
}

fn done(target: &Target, output: Output) -> Value {
    let mut content = vec![json!({"type": "text", "text": output.text})];
    content.extend(super::resources::link(&target.tool, &target.arguments, &output.data, target.revision));
    json!({"content": content, "structuredContent": output.data, "isError": false})
}

fn failed(failure: &Failure) -> Value {
    json!({"content": [{"type": "text", "text": failure.message}], "isError": true})
}

/// A failure of a call that was made for something else than `tools/call`.
pub(super) fn fault(failure: Failure, revision: Revision) -> Fault {
    let code = match failure.kind {
        Kind::NotFound | Kind::UnknownTool if !revision.is_stateless() => rpc::RESOURCE_NOT_FOUND,
        Kind::NotFound | Kind::UnknownTool | Kind::Arguments | Kind::Denied => rpc::INVALID_PARAMS,
        Kind::Unreachable | Kind::Failed | Kind::Defect => rpc::INTERNAL_ERROR,
    };
    Fault::new(code, failure.message)
}
