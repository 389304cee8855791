//! The tasks extension (SEP-2663): a call that waits for a task of Proxmox ends with the task's id, and the client
//! asks for it from time to time. That is for clients of the era without a handshake, and for those that declared it
//! in the request.
//!
//! While this process lives it goes on with the call as if somebody waited for it, so that all steps are done and
//! written down. After a restart the [`id`] is all there is: then each question looks how far the task is, and a
//! step that would change something is not made.
//!
//! A person is asked before there is a task, never on account of one: so a task never waits for input.

mod book;
mod id;

use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use proxmox_audit::rfc3339;
use rmcp::RoleServer;
use rmcp::model::{
    CancelTaskMethod, CancelTaskParams, ClientCapabilities, ConstString, CreateTaskResult, DetailedTask,
    ErrorData, GetTaskMethod, GetTaskParams, GetTaskResult, JsonObject, Task, TaskPayload, TaskStatus,
    UpdateTaskMethod, UpdateTaskParams,
};
use rmcp::service::RequestContext;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{MAX_MESSAGE, Server, is_stateless, result};
use crate::approvals::Consent;
use crate::calls::{Answer, Attempt, Look};
use crate::engine::Pending;
use crate::watch::Watch;
pub(in crate::mcp) use book::Book;
use book::State;
use id::TaskId;

/// How often a client is to ask.
const POLL_MS: u64 = 2_000;

/// What became of a call.
pub(super) enum Called {
    /// It ended, or asks.
    Attempt(Attempt),
    /// It goes on as a task.
    Task(CreateTaskResult),
}

type Call = Pin<Box<dyn Future<Output = Attempt> + Send>>;

impl Server {
    /// Calls a tool up to its end, its next question, or the moment in which it begins to wait for a task of
    /// Proxmox.
    pub(super) async fn call_or_task(
        &self,
        name: &str,
        arguments: &JsonObject,
        consent: Consent,
        mut watch: impl FnMut(&Pending),
    ) -> Called {
        let (tell, mut steps) = mpsc::unbounded_channel();
        let eyes = self.tools.eyes(&consent);
        let (tools, given, its_name, its_eyes) =
            (self.tools.clone(), arguments.clone(), name.to_owned(), eyes.clone());
        let mut call: Call = Box::pin(async move {
            let told = |pending: &Pending| drop(tell.send(pending.clone()));
            tools.attempt_under(its_eyes, &its_name, &given, consent, told).await
        });
        loop {
            let pending = tokio::select! {
                attempt = &mut call => return Called::Attempt(attempt),
                Some(pending) = steps.recv() => pending,
            };
            match self.task_of(name, arguments, &eyes, &pending) {
                Some(id) => return Called::Task(self.follow(&id, &pending, call, steps, eyes)),
                None => watch(&pending),
            }
        }
    }

    /// The id for a call that waits; `None` where it waits for no task, or too many are followed already.
    fn task_of(&self, name: &str, arguments: &JsonObject, eyes: &Watch, pending: &Pending) -> Option<TaskId> {
        let upid = eyes.running().pop().filter(|_| self.book.has_room())?;
        TaskId::new(name, arguments, upid, pending.continuation.clone()).ok()
    }

    /// Goes on with a call whose caller does not wait for it.
    fn follow(
        &self,
        id: &TaskId,
        pending: &Pending,
        call: Call,
        mut steps: mpsc::UnboundedReceiver<Pending>,
        eyes: Arc<Watch>,
    ) -> CreateTaskResult {
        let text = id.text();
        // It is known before the client hears of it.
        self.book.note(&text, working(pending));
        eyes.hand_over();
        let (book, key) = (self.book.clone(), text.clone());
        let follower = tokio::spawn(async move {
            let mut call = call;
            let attempt = loop {
                tokio::select! {
                    attempt = &mut call => break attempt,
                    Some(pending) = steps.recv() => book.note(&key, working(&pending)),
                }
            };
            book.note(&key, State::Over(outcome(attempt)));
        });
        self.book.follow(&text, follower.abort_handle(), eyes);
        CreateTaskResult::new(described(id, &text, &working(pending), SystemTime::now()))
    }

    /// `tasks/get`: how far a task is.
    pub(super) async fn how_far(
        &self,
        request: GetTaskParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let id = task_id::<GetTaskMethod>(&request.task_id, context)?;
        let text = &request.task_id;
        let (state, changed) = match self.book.look_up(text) {
            Some((State::Working { continuation, .. }, _)) if self.book.eyes(text).is_none() => {
                let left = continuation.unwrap_or_else(|| id.continuation.clone());
                self.look(&id, text, &left).await?
            }
            Some(known) => known,
            None => self.look(&id, text, &id.continuation).await?,
        };
        let task = described(&id, text, &state, changed);
        Ok(GetTaskResult::new(DetailedTask::new(task, payload(state))))
    }

    /// Looks at a task that nobody here follows.
    async fn look(
        &self,
        id: &TaskId,
        text: &str,
        continuation: &str,
    ) -> Result<(State, SystemTime), ErrorData> {
        let state = match self.tools.look(&id.tool, &id.about, continuation).await {
            Look::Waits(pending) => {
                let State::Working { message, .. } = working(&pending) else { return Err(no_result()) };
                State::Working { message, continuation: Some(pending.continuation) }
            }
            // The id says something that makes no sense, or is not granted: that is no result of the call.
            Look::Over(Answer::Failed {
                kind: kind @ ("bad-arguments" | "denied" | "unknown-tool"),
                message,
            }) => {
                return Err(ErrorData::invalid_params(message, Some(json!({"kind": kind}))));
            }
            Look::Over(answer) => State::Over(outcome(Attempt::Over(answer))),
        };
        self.book.note(text, state);
        self.book.look_up(text).ok_or_else(no_result)
    }

    /// `tasks/update`: nothing was asked, so there is nothing to take in.
    pub(super) fn take_answers(
        request: &UpdateTaskParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        task_id::<UpdateTaskMethod>(&request.task_id, context).map(drop)
    }

    /// `tasks/cancel`: stops the task in Proxmox.
    pub(super) async fn stop_task(
        &self,
        request: CancelTaskParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let id = task_id::<CancelTaskMethod>(&request.task_id, context)?;
        if matches!(self.book.look_up(&request.task_id), Some((State::Over(_) | State::Cancelled, _))) {
            return Ok(());
        }
        let eyes = self.book.eyes(&request.task_id);
        let upid = eyes.as_ref().and_then(|eyes| eyes.running().pop()).unwrap_or(id.upid);
        match self.tools.stop(&upid).await {
            Ok(true) => {
                if let Some(eyes) = eyes {
                    eyes.ended(&upid);
                }
                self.book.cancel(&request.task_id);
                Ok(())
            }
            // It has ended meanwhile, and what came of it is told when it is asked for.
            Ok(false) => Ok(()),
            Err(message) => {
                Err(ErrorData::internal_error(format!("The task goes on ({upid}). {message}"), None))
            }
        }
    }
}

/// Whether a request says that the client takes tasks. What was said in another request does not count.
pub(super) fn declares_tasks(context: &RequestContext<RoleServer>) -> bool {
    let declared = || context.meta.client_capabilities().is_some_and(|declared| declared.supports_tasks());
    is_stateless(context) && declared()
}

/// The id that a request names, from a client that may ask for one.
fn task_id<M: ConstString>(text: &str, context: &RequestContext<RoleServer>) -> Result<TaskId, ErrorData> {
    if !is_stateless(context) {
        return Err(ErrorData::method_not_found::<M>());
    }
    if !declares_tasks(context) {
        let needed = ClientCapabilities::builder().enable_tasks().build();
        return Err(ErrorData::missing_required_client_capability(needed));
    }
    TaskId::read(text)
}

fn working(pending: &Pending) -> State {
    let message = pending.message.chars().take(MAX_MESSAGE).collect();
    State::Working { message, continuation: None }
}

/// What the call would have answered.
fn outcome(attempt: Attempt) -> JsonObject {
    let answer = match attempt {
        Attempt::Over(answer) => answer,
        // Its one change is made by now, and after a change nobody is asked.
        Attempt::Asks(_) => {
            let message = "The call asks for an approval after it has changed something; that is a defect.";
            Answer::Failed { kind: "defect", message: message.to_owned() }
        }
    };
    match serde_json::to_value(result(answer)) {
        Ok(Value::Object(result)) => result,
        _ => JsonObject::new(),
    }
}

fn no_result() -> ErrorData {
    ErrorData::internal_error("How far the task is was not kept. Ask again.", None)
}

fn described(id: &TaskId, text: &str, state: &State, changed: SystemTime) -> Task {
    // How long Proxmox keeps a task is its own affair, so there is no time after which it is gone.
    let task =
        Task::new(text, TaskStatus::Working, id.began(), rfc3339(changed)).with_poll_interval_ms(POLL_MS);
    match state {
        State::Working { message, .. } => task.with_status_message(message.clone()),
        State::Over(_) => task,
        State::Cancelled => task.with_status_message(format!("stopped in Proxmox VE: {}", id.upid)),
    }
}

fn payload(state: State) -> TaskPayload {
    match state {
        State::Working { .. } => TaskPayload::Working,
        State::Over(result) => TaskPayload::Completed { result },
        State::Cancelled => TaskPayload::Cancelled,
    }
}
