//! What is written down of each call, and the brakes on changes.
//!
//! A change is recorded before it is sent, and is not sent where that fails; what only reads goes on. What
//! became of it follows in a line of its own, and so does the end of a task that the call follows.

mod tasks;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use proxmox_api::Method;
use proxmox_audit::{ApprovalAnswer, Braked, Brakes, By, Decision, Event, Recorder, parameters};
use proxmox_gate::{Permit, RawRequest};
use serde_json::{Map, Value};

use crate::approvals::Reply;
use crate::calls::{Answer, Attempt};
use crate::permissions::Permissions;
use crate::telemetry::{self, Span, Telemetry};

use tasks::{ended, started};

/// The operator's audit log and brakes. The default has neither.
#[derive(Debug, Default)]
pub struct Safeguards {
    recorder: Recorder,
    brakes: Brakes,
    /// Tells the calls of one process apart from those of another.
    process: String,
    calls: AtomicU64,
    /// Whether a task is to be stopped whose call was given up.
    stops_cancelled: bool,
    /// Tasks whose call was given up, until somebody stops them. Kept only where they are to be stopped.
    /// Each with the token of whoever made the call.
    orphans: Mutex<Vec<(Option<Arc<str>>, String)>>,
    telemetry: OnceLock<Telemetry>,
}

/// Who makes a call.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The name of the token that opened the door; none on standard input and output.
    pub token: Option<Arc<str>>,
    /// What the client calls itself.
    pub client: String,
    /// The trace of the client's that the call is part of, as W3C's `traceparent`.
    pub trace: Option<String>,
}

impl Caller {
    /// Whoever the work at hand is done for.
    pub fn current() -> Self {
        CALLER.try_with(Clone::clone).unwrap_or_default()
    }
}

tokio::task_local! {
    // Not handed down from function to function: nothing between here and the door has a say in it.
    static CALLER: Caller;
}

/// Does this work on behalf of a caller. Work in a task of its own begins anew: wrap it there.
pub async fn called_by<T>(caller: Caller, work: impl Future<Output = T>) -> T {
    CALLER.scope(caller, work).await
}

impl Safeguards {
    /// These two.
    pub fn new(recorder: Recorder, brakes: Brakes) -> Self {
        Self { recorder, brakes, process: std::process::id().to_string(), ..Self::default() }
    }

    /// The same, where the task of a call that is given up is to be stopped.
    #[must_use]
    pub fn stopping_cancelled_tasks(self, stop: bool) -> Self {
        Self { stops_cancelled: stop, ..self }
    }

    /// Whether the task of a call that is given up is to be stopped.
    pub fn stops_cancelled_tasks(&self) -> bool {
        self.stops_cancelled
    }

    /// The tasks of this token's calls that are to be stopped since those were given up; each is named once.
    pub(crate) fn orphans(&self, token: Option<&str>) -> Vec<String> {
        let mut orphans = locked(&self.orphans);
        let (theirs, others) = orphans.drain(..).partition(|(owner, _)| owner.as_deref() == token);
        *orphans = others;
        let theirs: Vec<(Option<Arc<str>>, String)> = theirs;
        theirs.into_iter().map(|(_, upid)| upid).collect()
    }

    /// Tells a collector, too, from now on.
    pub fn tell(&self, telemetry: Telemetry) {
        // There is one; a second would be the same.
        drop(self.telemetry.set(telemetry));
    }

    /// Ends what is told to a collector, once all of it is there.
    pub async fn end_telling(self: &Arc<Self>) {
        let all = self.clone();
        drop(tokio::task::spawn_blocking(move || all.telemetry.get().map(Telemetry::end)).await);
    }

    /// Records that the server begins, with what is in force: for everybody, or for whoever has this token.
    pub fn begin(&self, token: Option<&str>, permissions: &Permissions) {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let walls = [
            ("PROXMOX_NODE_ALLOWLIST", permissions.nodes()),
            ("PROXMOX_VMID_ALLOWLIST", permissions.guests()),
        ];
        let walls = walls.iter().filter_map(|(name, list)| Some(format!("{name}={}", list.as_ref()?.text)));
        self.recorder.record_read(&Event::Start {
            version,
            principal: token.map(str::to_owned),
            grants: permissions.each().map(|(grant, _)| grant.to_string()).collect(),
            walls: walls.collect(),
        });
    }

    /// The place to note the end of the log elsewhere: without that, lines cut off at its end cannot be missed.
    pub fn note_head(&self, when: &str) {
        if let Some(log) = self.recorder.log() {
            tracing::info!(head = %log.head(), file = %log.path().display(), "{when}");
        }
    }

    /// Records what a person said when asked on account of a call.
    pub(crate) fn asked(&self, call: &str, tool: &str, grants: &str, reply: &Reply) {
        let answer = match reply {
            Reply::Yes => ApprovalAnswer::Approved,
            Reply::No | Reply::OtherName => ApprovalAnswer::Declined,
            Reply::Cancelled => ApprovalAnswer::Cancelled,
            Reply::Late | Reply::Failed => ApprovalAnswer::Unasked,
        };
        if self.is_recording() {
            self.recorder.record_read(&Event::Approval {
                call: call.to_owned(),
                tool: tool.to_owned(),
                grants: grants.split(',').filter(|grant| !grant.is_empty()).map(str::to_owned).collect(),
                answer,
            });
        }
    }

    /// A call that begins, or one that begins again after a person was asked.
    pub(crate) fn watch(self: &Arc<Self>, again: Option<&str>) -> Arc<Watch> {
        let new = || format!("{}-{}", self.process, self.calls.fetch_add(1, Ordering::Relaxed));
        let caller = Caller::current();
        Arc::new(Watch {
            safeguards: self.clone(),
            call: again.map_or_else(new, str::to_owned),
            begun: Instant::now(),
            span: self.telemetry.get().map(|telemetry| telemetry.call(caller.trace.as_deref())),
            caller,
            tasks: Mutex::default(),
        })
    }

    fn is_recording(&self) -> bool {
        self.recorder.log().is_some()
    }
}

/// Why a change was held back although it is granted. `Display` is for a person or a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Held {
    /// A brake is on.
    #[error(transparent)]
    Braked(#[from] Braked),
    /// It could not be recorded.
    #[error(
        "The change was not made: it could not be written to the audit log ({0}). Make room or repair the log; reading goes on."
    )]
    Unrecorded(String),
}

impl Held {
    /// A stable word for logs.
    pub fn code(&self) -> &'static str {
        match self {
            Held::Braked(_) => "braked",
            Held::Unrecorded(_) => "unrecorded",
        }
    }
}

/// One call under the operator's eyes.
pub(crate) struct Watch {
    safeguards: Arc<Safeguards>,
    call: String,
    caller: Caller,
    begun: Instant,
    span: Option<Span>,
    tasks: Mutex<Tasks>,
}

/// What a call has seen of Proxmox's tasks.
#[derive(Default)]
struct Tasks {
    /// Those that it started, first one first.
    started: Vec<String>,
    ended: HashSet<String>,
    /// Whether they go on by themselves although the call does not.
    handed_over: bool,
}

/// A request that may go out.
pub(crate) struct Sending {
    by: By,
    method: &'static Method,
    /// Path and query.
    target: String,
    leave: String,
    /// The line that tells of it already: that of a change.
    line: Option<u64>,
    sent: Instant,
    span: Option<Span>,
}

impl Watch {
    /// What the audit log calls this call.
    pub(crate) fn call(&self) -> &str {
        &self.call
    }

    /// Records a request that was refused, as the component wrote it.
    pub(crate) fn refused(&self, raw: &RawRequest<'_>, code: &str) {
        if let Some(telemetry) = self.safeguards.telemetry.get() {
            telemetry.refused(code);
        }
        if self.safeguards.is_recording() {
            let decision = Decision::Refused(code.to_owned());
            let event = self.request(By::Tool, raw.verb, raw.path_and_query, raw.body, decision, None);
            self.safeguards.recorder.record_read(&event);
        }
    }

    /// Lets a request go out. A change passes the brakes and is recorded first. `leave` says what allows it.
    ///
    /// # Errors
    /// Why the change may not be made.
    pub(crate) async fn begin(
        &self,
        permit: &Permit,
        leave: impl FnOnce() -> String,
    ) -> Result<Sending, Held> {
        let changes = !permit.verb().reads();
        if changes && let Err(braked) = self.safeguards.brakes.allow_change(Instant::now()) {
            let event = Event::Brake { call: self.call.clone(), what: braked.to_string() };
            self.safeguards.recorder.record_read(&event);
            return Err(Held::Braked(braked));
        }
        let mut sending = self.sending(By::Tool, permit, leave);
        if changes && self.safeguards.is_recording() {
            let body = permit.body().map(|(_, bytes)| bytes).unwrap_or_default();
            sending.line = Some(self.record_change(&sending, body).await?);
            sending.sent = Instant::now();
        }
        Ok(sending)
    }

    /// Lets a request go out that the host makes to find something out. `leave` says what allows it.
    pub(crate) fn host_reads(&self, permit: &Permit, leave: impl FnOnce() -> String) -> Sending {
        self.sending(By::Host, permit, leave)
    }

    fn telling(&self) -> Option<(&Telemetry, &Span)> {
        self.safeguards.telemetry.get().zip(self.span.as_ref())
    }

    fn sending(&self, by: By, permit: &Permit, leave: impl FnOnce() -> String) -> Sending {
        let leave = if self.safeguards.is_recording() { leave() } else { String::new() };
        let (method, target) = (permit.method(), permit.path_and_query().to_owned());
        let span = self.telling().map(|(telemetry, call)| telemetry.request(call, method));
        Sending { by, method, target, leave, line: None, sent: Instant::now(), span }
    }

    /// The line is on the disk before the change is made, and that takes milliseconds.
    async fn record_change(&self, sending: &Sending, body: &[u8]) -> Result<u64, Held> {
        let decision = Decision::Allowed(sending.leave.clone());
        let verb = sending.method.verb.as_str();
        let event = self.request(sending.by, verb, &sending.target, body, decision, None);
        let safeguards = self.safeguards.clone();
        let recorded = tokio::task::spawn_blocking(move || safeguards.recorder.record_change(&event)).await;
        match recorded {
            Ok(Ok(head)) => Ok(head.seq),
            Ok(Err(error)) => Err(Held::Unrecorded(error.to_string())),
            Err(error) => Err(Held::Unrecorded(error.to_string())),
        }
    }

    /// Records how a request was answered; `None` where it was not.
    pub(crate) fn answered(&self, sending: Sending, status: Option<u16>) {
        if let Some((telemetry, span)) = self.safeguards.telemetry.get().zip(sending.span.as_ref()) {
            telemetry.request_ended(span, sending.method, status, sending.sent.elapsed());
        }
        if !self.safeguards.is_recording() {
            return;
        }
        let Sending { by, method, target, leave, line, sent, .. } = sending;
        let event = match line {
            Some(request) => {
                Event::Answer { call: self.call.clone(), request, status, duration_ms: milliseconds(sent) }
            }
            None => {
                let over = Some((status, milliseconds(sent)));
                self.request(by, method.verb.as_str(), &target, &[], Decision::Allowed(leave), over)
            }
        };
        self.safeguards.recorder.record_read(&event);
    }

    /// Notes and records a task that an answer tells of: that it was started, or how it ended.
    pub(crate) fn look_for_task(&self, method: &Method, body: &[u8]) {
        let (upid, end) = match method.verb.reads() {
            false => (started(body), None),
            true if method.path == "/nodes/{node}/tasks/{upid}/status" => match ended(body) {
                Some((upid, end)) => (Some(upid), Some(end)),
                None => return,
            },
            true => return,
        };
        let Some(upid) = upid else { return };
        let mut tasks = locked(&self.tasks);
        let new = match &end {
            None => {
                tasks.started.push(upid.clone());
                true
            }
            Some(_) => tasks.ended.insert(upid.clone()),
        };
        drop(tasks);
        if new && self.safeguards.is_recording() {
            self.safeguards.recorder.record_read(&Event::Task { call: self.call.clone(), upid, end });
        }
    }

    /// The tasks that the call started and has not seen the end of.
    pub(crate) fn running(&self) -> Vec<String> {
        let tasks = locked(&self.tasks);
        tasks.started.iter().filter(|upid| !tasks.ended.contains(*upid)).cloned().collect()
    }

    /// A task came to its end in another way than the call would see.
    pub(crate) fn ended(&self, upid: &str) {
        locked(&self.tasks).ended.insert(upid.to_owned());
    }

    /// From here on somebody else looks after the tasks: the end of the call does not give them up.
    pub(crate) fn hand_over(&self) {
        locked(&self.tasks).handed_over = true;
    }

    /// Notes that the call was given up, and gives the tasks that go on without it.
    fn given_up(&self, tool: &str) -> Vec<String> {
        let running = self.running();
        if running.is_empty() || locked(&self.tasks).handed_over {
            return running;
        }
        tracing::warn!(tool, tasks = %running.join(", "), "the call was given up; its task goes on in Proxmox VE");
        if self.safeguards.stops_cancelled {
            let token = self.caller.token.clone();
            locked(&self.safeguards.orphans).extend(running.iter().map(|upid| (token.clone(), upid.clone())));
        }
        running
    }

    /// Records the end of the call.
    fn over(&self, tool: &str, arguments: &Map<String, Value>, end: End<'_>) {
        let goes_on = if matches!(end, End::GivenUp) { self.given_up(tool) } else { Vec::new() };
        let (outcome, kind) = match end {
            End::Over(Answer::Done { .. }) => ("done", None),
            End::Over(Answer::Failed { kind, .. }) => ("failed", Some(*kind)),
            End::Asks => ("asks", None),
            End::Waits => ("waits", None),
            End::GivenUp => ("cancelled", None),
        };
        if let Some((telemetry, span)) = self.telling() {
            // What is no name of a tool may be anything.
            let tool = if kind == Some("unknown-tool") { "unknown" } else { tool };
            let end = telemetry::End { outcome, kind, lasted: self.begun.elapsed() };
            telemetry.call_ended(span, tool, self.caller.token.as_deref(), &end);
        }
        if !self.safeguards.is_recording() {
            return;
        }
        let vmid = arguments.get("vmid").and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok()));
        self.safeguards.recorder.record_read(&Event::Call {
            id: self.call.clone(),
            principal: self.caller.token.as_deref().map(str::to_owned),
            client: self.caller.client.clone(),
            tool: tool.to_owned(),
            vmid: vmid.and_then(|vmid| u32::try_from(vmid).ok()),
            node: arguments.get("node").and_then(Value::as_str).map(str::to_owned),
            outcome: outcome.to_owned(),
            kind: kind.map(str::to_owned),
            duration_ms: milliseconds(self.begun),
            goes_on,
            arguments: arguments.clone(),
        });
    }

    fn request(
        &self,
        by: By,
        verb: &str,
        target: &str,
        body: &[u8],
        decision: Decision,
        over: Option<(Option<u16>, u64)>,
    ) -> Event {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        Event::Request {
            call: self.call.clone(),
            by,
            verb: verb.to_owned(),
            path: path.trim_start_matches("/api2/json").to_owned(),
            decision,
            status: over.and_then(|(status, _)| status),
            duration_ms: over.map(|(_, duration_ms)| duration_ms),
            parameters: parameters(query, (!body.is_empty()).then_some(body)),
        }
    }
}

/// How a call ended, or a look at one.
#[derive(Clone, Copy)]
enum End<'a> {
    Over(&'a Answer),
    /// With a question.
    Asks,
    /// It was looked at, and goes on.
    Waits,
    /// It was dropped.
    GivenUp,
}

/// Records the end of a call, also where the call is dropped before it comes to one.
pub(crate) struct Closing<'a> {
    pub(crate) watch: Arc<Watch>,
    pub(crate) tool: &'a str,
    pub(crate) arguments: &'a Map<String, Value>,
    closed: bool,
}

impl<'a> Closing<'a> {
    pub(crate) fn new(watch: Arc<Watch>, tool: &'a str, arguments: &'a Map<String, Value>) -> Self {
        Self { watch, tool, arguments, closed: false }
    }

    /// The call came to this end.
    pub(crate) fn with(self, attempt: &Attempt) {
        match attempt {
            Attempt::Over(answer) => self.ended(End::Over(answer)),
            Attempt::Asks(_) => self.ended(End::Asks),
        }
    }

    /// A look at the call gave this; `None` where it goes on.
    pub(crate) fn looked(self, answer: Option<&Answer>) {
        self.ended(answer.map_or(End::Waits, End::Over));
    }

    fn ended(mut self, end: End<'_>) {
        self.closed = true;
        self.watch.over(self.tool, self.arguments, end);
    }
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if !self.closed {
            self.watch.over(self.tool, self.arguments, End::GivenUp);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
