//! What is done about a call without being the call: looking how far one is that went on without its caller,
//! stopping the task behind one, and reading on behalf of nobody's call.

use anyhow::Result;
use bytes::Bytes;
use proxmox_api::Method;
use proxmox_gate::Denied;
use serde_json::{Map, Value, json};

use super::{Answer, Call, Step, Tools, broken, done, explain, take};
use crate::approvals::Consent;
use crate::boundary::Refusal;
use crate::engine::{Outcome, Pending};
use crate::lookup::Lookup;
use crate::watch::{Closing, Watch};

/// The tool that stops a task.
const STOPS: &str = "proxmox_cancel_task";
/// Why a look asks nobody.
const NOBODY: &str = "looking at a task asks nobody";
/// What a look says where the call would go on with a change.
const NO_CHANGE: &str = "The Proxmox task of this call has ended, but not all that the call was to do is done: the next \
                         step changes something, and the server that began the call is gone. Looking at a task \
                         changes nothing. Look at what it was about, and make the rest as a call of its own.";

/// How far a call is.
#[derive(Debug)]
pub(crate) enum Look {
    /// At its end.
    Over(Answer),
    /// It goes on in Proxmox.
    Waits(Pending),
}

impl Tools {
    /// Looks once how far a call is, from what it left behind when it last waited. Who asks may have made that
    /// up: it is read as strictly as arguments are, each request is gated under the grants in force, and nothing
    /// goes out that changes something or that a person would have to agree to. `about` are the arguments of the
    /// call that say what it is about.
    pub(crate) async fn look(&self, name: &str, about: &Map<String, Value>, continuation: &str) -> Look {
        let consent = Consent::impossible(NOBODY);
        let eyes = self.eyes(&consent);
        let closing = Closing::new(eyes.clone(), name, about);
        let look = match self.find(name) {
            None => failed("unknown-tool", self.unknown(name)),
            Some(entry) => match self.selection.admits(entry) {
                Err(message) => failed("denied", message),
                Ok(()) => {
                    let call = Call::new(entry.looking(about), consent, eyes);
                    self.look_at(name, &call, continuation).await
                }
            },
        };
        closing.looked(match &look {
            Look::Over(answer) => Some(answer),
            Look::Waits(_) => None,
        });
        look
    }

    async fn look_at(&self, name: &str, call: &Call, continuation: &str) -> Look {
        let answer = match self.step(call, Step::Resume { continuation: continuation.to_owned() }).await {
            Err(fault) => broken(name, &fault),
            Ok(Ok(Outcome::Pending(pending))) => return Look::Waits(pending),
            Ok(Ok(Outcome::Done(output))) => done(name, output),
            Ok(Err(failure)) => {
                let ledger = take(&call.ledger);
                let changes = |refusal: &Refusal| matches!(refusal, Refusal::Denied(Denied::NotDeclared(_)));
                match ledger.refused.iter().any(changes) {
                    true => Answer::Failed { kind: "failed", message: NO_CHANGE.to_owned() },
                    false => explain(failure, &ledger),
                }
            }
        };
        Look::Over(answer)
    }

    /// Stops a task of Proxmox, as far as that is granted without asking anybody. Gives whether there was
    /// something to stop.
    ///
    /// # Errors
    /// Why it goes on, in words for a person or a model.
    pub(crate) async fn stop(&self, upid: &str) -> Result<bool, String> {
        let arguments = Map::from_iter([("upid".to_owned(), json!(upid))]);
        match self.call(STOPS, &arguments, |_| {}).await {
            Answer::Done { data, .. } => Ok(data.get("changed") == Some(&Value::Bool(true))),
            Answer::Failed { message, .. } => Err(message),
        }
    }

    /// Reads in the host's own name, as far as it is granted; the answer is cut to grants and allow-lists.
    /// `target` is path and query below `/api2/json`.
    ///
    /// # Errors
    /// Why there is no answer, as a clause.
    pub(crate) async fn read(&self, eyes: &Watch, method: &'static Method, target: &str) -> Result<Bytes> {
        let pools = self.pools.members_for(Some(eyes)).await;
        let lookup = Lookup { gate: &self.gate, egress: &self.egress, watch: Some(eyes) };
        let body = lookup.read(method, target, &*pools).await?;
        Ok(self.gate.filter(method, &body, &*pools).map(Bytes::from).unwrap_or(body))
    }
}

fn failed(kind: &'static str, message: String) -> Look {
    Look::Over(Answer::Failed { kind, message })
}
