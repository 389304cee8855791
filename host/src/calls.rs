//! From a tool's name and arguments to its answer: instance after instance, until the call is over.
//!
//! What the tool says of a refusal or of a broken connection is only its word. The host saw the reason
//! itself, so its own account takes the place of the tool's.

mod later;
pub mod offers;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use proxmox_api::Method;
use proxmox_gate::{Gate, Grants, Opening, Scope};
use serde_json::{Map, Value};

use self::offers::Offers;
use crate::approvals::leave::Leave;
use crate::approvals::{self, Asker, Consent, Nobody, Reply, Request};
use crate::boundary::{Boundary, Ledger, Refusal, Rehearsed};
use crate::catalogue::{Catalogue, Entry};
use crate::egress::Egress;
use crate::engine::{Engine, Failure, FailureKind, Fault, Outcome, Output, Pending, Step};
use crate::lookup::Lookup;
use crate::pools::{self, Directory};
use crate::selection::Selection;
use crate::settings::SettingsError;
use crate::watch::{Closing, Safeguards, Watch};

pub(crate) use later::Look;

/// Shortest pause before a pending call is looked at again, whatever the tool says.
const MIN_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause before a pending call is looked at again.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The tools, ready to be called.
pub struct Tools {
    engine: Engine,
    gate: Arc<Gate>,
    egress: Arc<Egress>,
    pools: Arc<Directory>,
    /// What is granted, and what may be asked for.
    wide: Option<Arc<Gate>>,
    catalogue: Catalogue,
    offers: Offers,
    safeguards: Arc<Safeguards>,
    selection: Selection,
}

/// How far a call came.
#[derive(Debug)]
pub enum Attempt {
    /// To its end.
    Over(Answer),
    /// To a request that a person has to agree to first. It has changed nothing.
    Asks(Box<Request>),
}

/// What a call came to.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Text and data.
    Done {
        /// Markdown.
        text: String,
        /// An object that the tool's output schema describes.
        data: Map<String, Value>,
    },
    /// It failed.
    Failed {
        /// A stable word for the kind of failure.
        kind: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
}

impl Tools {
    /// Asks the component of an engine for its tools and what else it offers. Connections to Proxmox VE are had by the
    /// runtime that this first runs on.
    ///
    /// # Errors
    /// Where the component declares what makes no sense.
    pub async fn with_engine(engine: Engine, gate: Gate, egress: Arc<Egress>) -> Result<Self> {
        egress.settle();
        let gate = Arc::new(gate);
        let pools = directory(&gate, &egress, gate.grants(), pools::MAX_AGE);
        // Before any foreign input, and without leave to send anything.
        let boundary = || {
            let (scope, ledger) = Default::default();
            Boundary::new(gate.clone(), egress.clone(), pools.clone(), scope, ledger)
        };
        let listed = engine.list_tools(boundary()).await.context("the component did not list its tools")?;
        let catalogue = Catalogue::new(listed)?;
        let offers = Offers::of(&engine, boundary, &catalogue).await?;
        engine.rest();
        Ok(Self {
            engine,
            gate,
            egress,
            pools,
            wide: None,
            catalogue,
            offers,
            safeguards: Arc::default(),
            selection: Selection::default(),
        })
    }

    /// The same, with the members of pools taken for known for this long at most.
    pub fn with_pools_for(mut self, max_age: Duration) -> Self {
        self.pools = directory(&self.gate, &self.egress, self.widest().grants(), max_age);
        self
    }

    /// The same, with what the second gate permits beyond the first to be asked for.
    pub fn asking(mut self, wide: Gate) -> Self {
        self.wide = Some(Arc::new(wide));
        self.with_pools_for(pools::MAX_AGE)
    }

    /// The same, with an audit log and brakes.
    pub fn guarded(mut self, safeguards: Arc<Safeguards>) -> Self {
        self.safeguards = safeguards;
        self
    }

    /// The audit log and the brakes.
    pub fn safeguards(&self) -> &Safeguards {
        &self.safeguards
    }

    fn widest(&self) -> &Gate {
        self.wide.as_deref().unwrap_or(&self.gate)
    }

    /// All tools, in the component's order.
    pub fn catalogue(&self) -> &[Entry] {
        self.catalogue.entries()
    }

    /// The tool of this name, or of this older name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.catalogue.find(name)
    }

    /// The same, with only some of the tools.
    ///
    /// # Errors
    /// Where the selection names a tool or a toolset that there is not.
    pub fn selecting(mut self, selection: Selection) -> Result<Self, SettingsError> {
        selection.check(&self.catalogue)?;
        self.selection = selection;
        Ok(self)
    }

    /// Which tools are listed, and which are turned off.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// How far the grants open a method.
    pub fn opening(&self, method: &'static Method) -> Opening {
        self.gate.opens(method)
    }

    /// How far a method is open to grants and questions together.
    pub fn opening_with_asking(&self, method: &'static Method) -> Opening {
        self.widest().opens(method)
    }

    /// Calls a tool and follows it to its end, where nobody can be asked. `watch` hears how far it is.
    /// Dropping the future ends the call at once; a task that Proxmox has already begun goes on there.
    pub async fn call(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        watch: impl FnMut(&Pending),
    ) -> Answer {
        self.call_asking(name, arguments, watch, &Nobody("there is nobody to ask")).await
    }

    /// The same, with questions put to a person as they come up.
    pub async fn call_asking(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        mut watch: impl FnMut(&Pending),
        asker: &impl Asker,
    ) -> Answer {
        let mut consent = asker.consent();
        loop {
            let request = match self.attempt(name, arguments, consent, &mut watch).await {
                Attempt::Over(answer) => return answer,
                Attempt::Asks(request) => request,
            };
            let reply = asker.ask(&request).await;
            tracing::info!(tool = name, grants = %request.grants, reply = reply.word(), "asked a person");
            self.safeguards.asked(request.call(), name, &request.grants, &reply);
            match reply {
                Reply::Yes => consent = request.approved(),
                no => return Answer::Failed { kind: "denied", message: no.refusal().to_owned() },
            }
        }
    }

    /// Calls a tool up to its end or to a question. What the question is about is not done yet; after a yes
    /// the call is made again with that consent.
    pub async fn attempt(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        consent: Consent,
        watch: impl FnMut(&Pending),
    ) -> Attempt {
        let eyes = self.eyes(&consent);
        self.attempt_under(eyes, name, arguments, consent, watch).await
    }

    /// The eyes for a call that has this consent.
    pub(crate) fn eyes(&self, consent: &Consent) -> Arc<Watch> {
        self.safeguards.watch(consent.terms().map(|terms| terms.call.as_str()))
    }

    /// [`Tools::attempt`] for a caller that wants to know which tasks the call has seen.
    pub(crate) async fn attempt_under(
        &self,
        eyes: Arc<Watch>,
        name: &str,
        arguments: &Map<String, Value>,
        consent: Consent,
        watch: impl FnMut(&Pending),
    ) -> Attempt {
        let closing = Closing::new(eyes.clone(), name, arguments);
        let attempt = self.attempt_watched(name, arguments, consent, watch, eyes).await;
        closing.with(&attempt);
        attempt
    }

    async fn attempt_watched(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        consent: Consent,
        mut watch: impl FnMut(&Pending),
        eyes: Arc<Watch>,
    ) -> Attempt {
        let over = |kind, message| Attempt::Over(Answer::Failed { kind, message });
        let Some(entry) = self.find(name) else { return over("unknown-tool", self.unknown(name)) };
        if let Err(message) = self.selection.admits(entry) {
            return over("denied", message);
        }
        if let Err(message) = consent.fits(name, arguments, approvals::now()) {
            return over("denied", message);
        }
        let call = Call::new(entry.scope(arguments), consent, eyes).describing(entry);
        let mut step = self.step(&call, begin(name, arguments)).await;
        loop {
            let needs = std::mem::take(&mut locked(&call.ledger).needs);
            let outcome = match step {
                Err(fault) => return Attempt::Over(broken(name, &fault)),
                Ok(_) if !needs.is_empty() => return self.question(name, arguments, &call, needs).await,
                Ok(Err(failure)) => return Attempt::Over(explain(failure, &take(&call.ledger))),
                Ok(Ok(outcome)) => outcome,
            };
            let pending = match outcome {
                Outcome::Done(output) => return Attempt::Over(done(name, output)),
                Outcome::Pending(pending) => pending,
            };
            watch(&pending);
            let pause = Duration::from_millis(pending.after_ms.into());
            tokio::time::sleep(pause.clamp(MIN_PAUSE, MAX_PAUSE)).await;
            step = self.step(&call, Step::Resume { continuation: pending.continuation }).await;
        }
    }

    /// The question for what a call needs, with the guests as the host finds them.
    async fn question(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        call: &Call,
        needs: Vec<approvals::Need>,
    ) -> Attempt {
        let watch = Some(&*call.eyes);
        let pools = self.pools.members_for(watch).await;
        let lookup = Lookup { gate: &self.gate, egress: &self.egress, watch };
        let shown = approvals::shown(&lookup, &pools, needs).await;
        let ask = |needs| Request::new(call.eyes.call(), name, arguments, &call.consent, needs);
        match shown.and_then(ask) {
            Ok(request) => Attempt::Asks(Box::new(request)),
            Err(message) => Attempt::Over(Answer::Failed { kind: "denied", message }),
        }
    }

    async fn step(&self, call: &Call, step: Step) -> Result<Result<Outcome, Failure>, Fault> {
        let (gate, wide, egress) = (self.gate.clone(), self.wide.clone(), self.egress.clone());
        let leave = Leave::new(gate, wide, egress, call.consent.clone()).watched(call.eyes.clone());
        let boundary = self.boundary(&call.scope, &call.ledger).describing(call.describes);
        let boundary = boundary.with_leave(leave).watched(call.eyes.clone());
        self.engine.make(boundary, step).await
    }

    /// Begins a call, but sends nothing that could change something. Gives each request that the tool made
    /// until its first step was over, and how that ended; `None` where it would go on.
    pub async fn rehearse(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> (Vec<Rehearsed>, Option<Answer>) {
        let Some(entry) = self.find(name) else {
            return (Vec::new(), Some(Answer::Failed { kind: "unknown-tool", message: self.unknown(name) }));
        };
        let scope = Arc::new(entry.scope(arguments));
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let wide = self.wide.as_ref().unwrap_or(&self.gate).clone();
        let boundary = self.boundary(&scope, &ledger).describing(entry.only_reads()).rehearsing(wide);
        let ended = self.engine.make(boundary, begin(name, arguments)).await;
        let mut ledger = take(&ledger);
        let rehearsed = std::mem::take(&mut ledger.rehearsed);
        let answer = match ended {
            Ok(Ok(Outcome::Pending(_))) => None,
            Ok(Ok(Outcome::Done(output))) => Some(done(name, output)),
            Ok(Err(failure)) => Some(explain(failure, &ledger)),
            Err(fault) => Some(broken(name, &fault)),
        };
        (rehearsed, answer)
    }

    fn boundary(&self, scope: &Arc<Scope>, ledger: &Arc<Mutex<Ledger>>) -> Boundary {
        let (gate, egress, pools) = (self.gate.clone(), self.egress.clone(), self.pools.clone());
        Boundary::new(gate, egress, pools, scope.clone(), ledger.clone())
    }

    /// The sentence for a name that no tool has.
    pub fn unknown(&self, name: &str) -> String {
        self.catalogue.unknown(name)
    }
}

fn directory(gate: &Arc<Gate>, egress: &Arc<Egress>, grants: &Grants, max_age: Duration) -> Arc<Directory> {
    Arc::new(Directory::new(gate.clone(), egress.clone(), grants, max_age))
}

/// What all steps of a call have in common.
struct Call {
    scope: Arc<Scope>,
    ledger: Arc<Mutex<Ledger>>,
    consent: Arc<Consent>,
    eyes: Arc<Watch>,
    describes: bool,
}

impl Call {
    fn new(scope: Scope, consent: Consent, eyes: Arc<Watch>) -> Self {
        let (scope, ledger, consent) = (Arc::new(scope), Arc::default(), Arc::new(consent));
        Self { scope, ledger, consent, eyes, describes: false }
    }

    fn describing(self, entry: &Entry) -> Self {
        Self { describes: entry.only_reads(), ..self }
    }
}

fn begin(tool: &str, arguments: &Map<String, Value>) -> Step {
    Step::Begin { tool: tool.to_owned(), arguments: Value::Object(arguments.clone()).to_string() }
}

fn locked(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take(ledger: &Mutex<Ledger>) -> Ledger {
    std::mem::take(&mut *locked(ledger))
}

fn done(name: &str, output: Output) -> Answer {
    match serde_json::from_str(&output.data) {
        Ok(Value::Object(data)) => Answer::Done { text: output.text, data },
        _ => broken(name, &Fault::Trap("its data is not a JSON object".to_owned())),
    }
}

fn broken(name: &str, fault: &Fault) -> Answer {
    tracing::error!(tool = name, %fault, "the component failed");
    let message = format!(
        "`{name}` failed inside its sandbox: {fault}. Other calls are not affected. \
         If it was to change something, look at the guest and its tasks before trying again."
    );
    Answer::Failed { kind: "defect", message }
}

/// The tool's failure, with the host's own account of what it saw.
fn explain(failure: Failure, ledger: &Ledger) -> Answer {
    let message = match failure.kind {
        // What has to do with asking says more than what was refused besides.
        FailureKind::Denied => {
            let asked = ledger.refused.iter().find(|refusal| matches!(refusal, Refusal::Unapproved(_)));
            asked.or(ledger.refused.first()).map(refusal)
        }
        FailureKind::Unreachable => {
            ledger.unanswered.last().map(|error| format!("Proxmox VE could not be asked: {error}"))
        }
        _ => None,
    };
    Answer::Failed { kind: word(failure.kind), message: message.unwrap_or(failure.message) }
}

/// A refusal for the user, with the line that would allow it.
pub(crate) fn refusal(refusal: &Refusal) -> String {
    let Refusal::Denied(denied) = refusal else { return refusal.to_string() };
    match (denied.grant(), denied.remedy()) {
        (Some(grant), _) => format!(
            "This server does not allow that. {denied} To allow it, start proxmox-mcp with `--grant {grant}`, or add \
             `{grant}` to PROXMOX_GRANTS."
        ),
        (None, Some(remedy)) => format!("This server does not allow that. {denied} To allow it, {remedy}."),
        (None, None) => format!("This server does not allow that. {denied}"),
    }
}

fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::UnknownTool => "unknown-tool",
        FailureKind::BadArguments => "bad-arguments",
        FailureKind::NotFound => "not-found",
        FailureKind::Denied => "denied",
        FailureKind::Unreachable => "unreachable",
        FailureKind::Failed => "failed",
        FailureKind::Defect => "defect",
    }
}
