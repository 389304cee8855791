//! The component's only way to the world: each of its HTTP requests passes here.
//!
//! The gate decides from the request itself. What it refuses never leaves the process; what it permits
//! goes out through [`crate::egress`], rewritten. The answer comes back as [`crate::received`] lets it through, without
//! cookies and other headers, and cut to what is granted. `wasi:http` has no words for a refusal, so the reasons are
//! kept beside the call, in its [`Ledger`].

mod verdict;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use proxmox_api::Method;
use proxmox_gate::{Denied, Gate, Permit, RawRequest, Scope, Verdict};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

use crate::approvals::leave::{self, Leave};
use crate::approvals::{Need, Unapproved};
use crate::egress::{Egress, SendError, is_repeatable};
use crate::pools::{Directory, Members};
use crate::received::{Failure, MAX_ANSWER, Reads, Received};
use crate::secrets::{self, TAKEN_OUT};
use crate::watch::{Held, Sending, Watch};

/// The authority that the component addresses; it knows no other.
const VIRTUAL_AUTHORITY: &str = "pve.internal";
/// Requests of one call that are under way at a time; each may hold a body and an answer. Others wait.
const MAX_IN_FLIGHT: usize = 32;
/// Refusals and failures of one call that are kept.
const MAX_ACCOUNT: usize = 100;
/// Proxmox takes no larger request.
const MAX_REQUEST: usize = 512 * 1024;
/// Carries the reason phrase of an answer to the component.
const REASON_HEADER: HeaderName = HeaderName::from_static("pve-reason-phrase");

/// Why a request did not leave.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The gate said no.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It was for another server.
    #[error(
        "The tool tried to reach a server that is not the configured Proxmox VE. That is a defect, or an attack."
    )]
    ForeignAddress,
    /// It would write the word that stands in place of a secret over the secret.
    #[error(
        "The change was not made: it holds `{TAKEN_OUT}`, the word that this server shows in place of a secret, and \
         written back it would replace the secret. Leave that value out of the change, or let a person make it."
    )]
    Placeholder,
    /// A person could have approved it.
    #[error(transparent)]
    Unapproved(#[from] Unapproved),
    /// It is granted, but held back.
    #[error(transparent)]
    Held(#[from] Held),
}

impl Refusal {
    /// A stable word for logs.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Denied(denied) => denied.code(),
            Refusal::ForeignAddress => "foreign_address",
            Refusal::Placeholder => "placeholder",
            Refusal::Unapproved(unapproved) => unapproved.code(),
            Refusal::Held(held) => held.code(),
        }
    }
}

/// What happened at the boundary during one call.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Requests that were refused, first one first.
    pub refused: Vec<Refusal>,
    /// Requests that got no answer.
    pub unanswered: Vec<SendError>,
    /// Requests that went out.
    pub sent: u32,
    /// Those of them that may have changed something.
    pub changes: u32,
    /// Requests that a person has to agree to first, first one first. None of them went out, and while
    /// there is one nothing that changes something does.
    pub needs: Vec<Need>,
    /// In a rehearsal: each request that was made, first one first.
    pub rehearsed: Vec<Rehearsed>,
}

impl Ledger {
    /// Whether a request may go out now, and if so counts it. Once a person has to be asked, this attempt is
    /// only looking: it will be made again.
    fn begin(&mut self, changes: bool) -> bool {
        let goes = !changes || self.needs.is_empty();
        self.sent += u32::from(goes);
        self.changes += u32::from(goes && changes);
        goes
    }

    /// A request that was counted did not go out after all.
    fn held_back(&mut self, changes: bool) {
        self.sent = self.sent.saturating_sub(1);
        self.changes = self.changes.saturating_sub(u32::from(changes));
    }

    /// Notes that a person has to be asked, unless it is too late for that: after a yes the call begins
    /// again, and nothing may be sent twice. Of changes, one at a time is asked for.
    fn ask(&mut self, need: Need) -> bool {
        let known = self.needs.iter().any(|known| {
            known.digest == need.digest || !known.method.verb.reads() && !need.method.verb.reads()
        });
        if self.changes == 0 && !known {
            self.needs.push(need);
        }
        self.changes == 0
    }
}

/// A request that a tool made in a rehearsal, and what the gate decided.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// The verb, as the tool wrote it.
    pub verb: String,
    /// Path and query, as the tool wrote them.
    pub path: String,
    /// The decision, and what it rests on.
    pub verdict: Verdict,
    /// Whether a person may be asked for what it lacks.
    pub is_asked_for: bool,
    /// Whether it was allowed and kept back all the same, since it would have changed something.
    pub kept_back: bool,
}

/// The boundary of one call.
#[derive(Clone)]
pub(crate) struct Boundary {
    gate: Arc<Gate>,
    egress: Arc<Egress>,
    pools: Arc<Directory>,
    scope: Arc<Scope>,
    ledger: Arc<Mutex<Ledger>>,
    reads: Arc<Reads>,
    leave: Option<Leave>,
    rehearsal: Option<Arc<Gate>>,
    watch: Option<Arc<Watch>>,
    describes: bool,
    in_flight: Arc<Semaphore>,
}

type Sent = (Response<WasiBody>, Processed);
type Processed = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl Boundary {
    pub(crate) fn new(
        gate: Arc<Gate>,
        egress: Arc<Egress>,
        pools: Arc<Directory>,
        scope: Arc<Scope>,
        ledger: Arc<Mutex<Ledger>>,
    ) -> Self {
        Self {
            gate,
            egress,
            pools,
            scope,
            ledger,
            reads: Reads::current(),
            leave: None,
            rehearsal: None,
            watch: None,
            describes: false,
            in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        }
    }

    /// The same for a call that may do more than is granted after a person agreed.
    pub(crate) fn with_leave(self, leave: Leave) -> Self {
        Self { leave: Some(leave), ..self }
    }

    /// The same for a tool that only reads, if so: it may ask about requests that it could not make.
    pub(crate) fn describing(self, describes: bool) -> Self {
        Self { describes, ..self }
    }

    /// The same, under the operator's eyes.
    pub(crate) fn watched(self, watch: Arc<Watch>) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// The same for a rehearsal: every request is noted in the ledger, and nothing goes out that could
    /// change something. `wide` is the gate of what is granted and what may be asked for.
    pub(crate) fn rehearsing(self, wide: Arc<Gate>) -> Self {
        Self { rehearsal: Some(wide), ..self }
    }
}

impl WasiHttpHooks for Boundary {
    /// Nothing that the component sets reaches the server but verb, path, query and body, so which headers
    /// it may set does not matter; this keeps it from reading what an answer should not show.
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name: &HeaderName| {
            matches!(name.as_str(), "authorization" | "cookie" | "set-cookie" | "proxy-authorization")
        })
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _processed: Processed,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let call = self.clone();
        let in_flight = self.in_flight.clone();
        Box::new(async move {
            let _turn = in_flight.acquire().await;
            let response = call.run(request).await?;
            let done: Processed = Box::new(async { Ok(()) });
            Ok((response, done))
        })
    }
}

/// One request and its answer.
impl Boundary {
    async fn run(self, request: Request<WasiBody>) -> Result<Response<WasiBody>, Error> {
        let (parts, body) = request.into_parts();
        let uri = &parts.uri;
        let asks = uri.authority().is_some_and(|authority| authority.as_str() == verdict::AUTHORITY);
        let is_ours =
            asks || uri.authority().is_some_and(|authority| authority.as_str() == VIRTUAL_AUTHORITY);
        if uri.scheme_str() != Some("https") || !is_ours {
            let target = uri.to_string();
            let raw = RawRequest {
                verb: parts.method.as_str(),
                path_and_query: &target,
                content_type: None,
                body: &[],
            };
            return Err(self.refused(&raw, self.note_refusal(Refusal::ForeignAddress)));
        }
        let body = Limited::new(body, MAX_REQUEST)
            .collect()
            .await
            .map_err(|_| Error::HttpRequestBodySize(Some(MAX_REQUEST as u64)))?
            .to_bytes();
        let raw = RawRequest {
            verb: parts.method.as_str(),
            path_and_query: uri.path_and_query().map(|p| p.as_str()).unwrap_or_default(),
            content_type: parts.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()),
            body: &body,
        };
        let pools = self.pools.members_for(self.watch.as_deref()).await;
        if asks {
            return self.verdict(raw, &pools);
        }
        if let Some(wide) = &self.rehearsal {
            self.rehearse(wide, raw, &pools);
        }
        let permit = self.permit(raw, &pools).await.map_err(|code| self.refused(&raw, code))?;
        let method = permit.method();
        if self.rehearsal.is_some() && !is_repeatable(method) {
            return Err(Error::HttpRequestDenied);
        }
        tracing::debug!(verb = %permit.verb(), path = permit.path_and_query(), "sending");
        if !self.note(|ledger| ledger.begin(!method.verb.reads())) {
            return Err(Error::HttpRequestDenied);
        }
        let sending = self.let_go(&permit, raw, &pools).await?;
        let answer = self.egress.receive(permit, &self.reads).await;
        if let (Some(watch), Some(sending)) = (&self.watch, sending) {
            let status = answer.as_ref().map_or_else(Failure::status, |answer| Some(answer.status));
            watch.answered(sending, status.map(|status| status.as_u16()));
        }
        match answer {
            Ok(answer) => self.pass_back(method, &pools, answer),
            Err(failure) => {
                tracing::info!(%failure, "no answer");
                let code = for_component(&failure);
                if let Failure::Unanswered(error) = failure {
                    self.note(|ledger| {
                        // The last one is what is told.
                        ledger.unanswered.truncate(MAX_ACCOUNT - 1);
                        ledger.unanswered.push(error);
                    });
                }
                Err(code)
            }
        }
    }

    /// The answer as the component sees it: status, content type, reason and body.
    fn pass_back(
        &self,
        method: &'static Method,
        pools: &Members,
        answer: Received,
    ) -> Result<Response<WasiBody>, Error> {
        let Received { status, content_type, reason, body } = answer;
        let mut response = Response::builder().status(status);
        if let Some(value) = content_type {
            response = response.header(CONTENT_TYPE, value);
        }
        if let Some(reason) = reason {
            response = response.header(REASON_HEADER, reason);
        }
        if let Some(watch) = &self.watch {
            watch.look_for_task(method, &body);
        }
        let body = match status.is_success() {
            true => self.gate.filter(method, &body, pools).map(Bytes::from).unwrap_or(body),
            false => body,
        };
        response
            .header(CONTENT_LENGTH, body.len())
            .body(Full::new(body).map_err(|never| match never {}).boxed_unsync())
            .map_err(|_| Error::HttpProtocolError)
    }

    /// Records the request and, if it changes something, sees that no brake is on.
    async fn let_go(
        &self,
        permit: &Permit,
        raw: RawRequest<'_>,
        pools: &Members,
    ) -> Result<Option<Sending>, Error> {
        let Some(watch) = &self.watch else { return Ok(None) };
        let leave = || leave_in_words(&self.gate.explain(&self.scope, raw, pools));
        match watch.begin(permit, leave).await {
            Ok(sending) => Ok(Some(sending)),
            Err(held) => {
                self.note(|ledger| ledger.held_back(!permit.verb().reads()));
                self.note_refusal(held.into());
                Err(Error::HttpRequestDenied)
            }
        }
    }

    fn rehearse(&self, wide: &Gate, raw: RawRequest<'_>, pools: &Members) {
        let verdict = self.gate.explain(&self.scope, raw, pools);
        let rehearsed = Rehearsed {
            verb: raw.verb.to_owned(),
            path: raw.path_and_query.to_owned(),
            is_asked_for: verdict.outcome.is_err() && wide.check(&self.scope, raw, pools).is_ok(),
            kept_back: verdict.outcome.is_ok() && !verdict.method.is_some_and(is_repeatable),
            verdict,
        };
        self.note(|ledger| {
            if ledger.rehearsed.len() < MAX_ACCOUNT {
                ledger.rehearsed.push(rehearsed);
            }
        });
    }

    /// The permit for a request; otherwise why there is none, as a word for logs.
    async fn permit(&self, raw: RawRequest<'_>, pools: &Members) -> Result<Permit, &'static str> {
        if secrets::writes_back(&raw) {
            return Err(self.note_refusal(Refusal::Placeholder));
        }
        match self.gate.check(&self.scope, raw, pools) {
            Ok(permit) => Ok(permit),
            Err(denied) => self.by_leave(raw, pools, denied).await,
        }
    }

    /// The same for a request that is not granted, where a person has agreed to it.
    async fn by_leave(
        &self,
        raw: RawRequest<'_>,
        pools: &Members,
        denied: Denied,
    ) -> Result<Permit, &'static str> {
        let Some(leave) = &self.leave else { return Err(self.note_refusal(denied.into())) };
        match leave.decide(&self.scope, raw, pools, denied).await {
            leave::Verdict::Go(permit) => Ok(permit),
            leave::Verdict::Denied(denied) => Err(self.note_refusal(denied.into())),
            leave::Verdict::Unapproved(unapproved) => Err(self.note_refusal(unapproved.into())),
            leave::Verdict::Ask(need, denied) => Err(self.ask(need, denied)),
        }
    }

    fn ask(&self, need: Need, denied: Denied) -> &'static str {
        match self.note(|ledger| ledger.ask(need)) {
            true => "needs_approval",
            false => self.note_refusal(Unapproved::TooLate { denied }.into()),
        }
    }

    /// Notes a refusal for the caller, and gives its word for logs.
    fn note_refusal(&self, refusal: Refusal) -> &'static str {
        let code = refusal.code();
        tracing::info!(code, %refusal, "refused");
        self.note(|ledger| {
            if ledger.refused.len() < MAX_ACCOUNT {
                ledger.refused.push(refusal);
            }
        });
        code
    }

    /// Records a refusal for the operator, and gives what the component learns of it.
    fn refused(&self, raw: &RawRequest<'_>, code: &str) -> Error {
        if let Some(watch) = &self.watch {
            watch.refused(raw, code);
        }
        Error::HttpRequestDenied
    }

    fn note<T>(&self, f: impl FnOnce(&mut Ledger) -> T) -> T {
        // A ledger whose writer panicked is still the best account there is.
        f(&mut self.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// What allows a request: the grants that it rests on, or what stands in for them.
pub(crate) fn leave_in_words(verdict: &Verdict) -> String {
    let grants: Vec<&str> = verdict.needs.iter().filter_map(|need| need.covered_by.as_deref()).collect();
    match (&verdict.outcome, grants.is_empty()) {
        (Err(_), _) => "a person's approval".to_owned(),
        (Ok(()), true) => "any login".to_owned(),
        (Ok(()), false) => grants.join(","),
    }
}

/// What the component learns of a failure: its kind. The address stays here.
fn for_component(failure: &Failure) -> Error {
    match failure {
        Failure::TooLarge(_) => Error::HttpResponseBodySize(Some(MAX_ANSWER as u64)),
        Failure::TooSlow(_) => Error::HttpResponseTimeout,
        Failure::Broken(_) => Error::HttpResponseIncomplete,
        Failure::Unanswered(error) => match error {
            SendError::Settings(_) => Error::ConfigurationError,
            SendError::Dns(_) => Error::DnsError { rcode: None, info_code: None },
            SendError::Refused(_) => Error::ConnectionRefused,
            SendError::ConnectTimeout(_) => Error::ConnectionTimeout,
            SendError::Connect { .. } => Error::DestinationUnavailable,
            SendError::Certificate { .. } => Error::TlsCertificateError,
            SendError::Tls { .. } => Error::TlsProtocolError,
            SendError::AnswerTimeout(_) => Error::HttpResponseTimeout,
            SendError::Broken { .. } => Error::ConnectionTerminated,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(method: &'static Method, digest: &str) -> Need {
        let (grants, path, params) = Default::default();
        Need { method, grants, path, params, digest: digest.to_owned() }
    }

    #[test]
    fn while_a_person_has_to_be_asked_nothing_changes() {
        let (read, change) =
            (&proxmox_api::methods::GET_NODES_NODE_STATUS, &proxmox_api::methods::POST_ACCESS_USERS);
        let mut ledger = Ledger::default();
        assert!(ledger.begin(false) && ledger.ask(need(read, "a")));
        assert!(!ledger.begin(true) && ledger.changes == 0);
        assert!(ledger.begin(false), "reads go on");
        // The same again is one need, and a second change waits for its turn.
        assert!(
            ledger.ask(need(read, "a")) && ledger.ask(need(change, "b")) && ledger.ask(need(change, "c"))
        );
        assert!(ledger.ask(need(read, "d")));
        let digests: Vec<&str> = ledger.needs.iter().map(|need| need.digest.as_str()).collect();
        assert_eq!((digests, ledger.sent), (vec!["a", "b", "d"], 2));
    }

    #[test]
    fn after_a_change_it_is_too_late_to_ask() {
        let mut ledger = Ledger::default();
        assert!(ledger.begin(true));
        assert!(!ledger.ask(need(&proxmox_api::methods::POST_ACCESS_USERS, "a")));
        assert!(ledger.needs.is_empty());
    }

    #[test]
    fn what_was_held_back_did_not_go_out() {
        let mut ledger = Ledger::default();
        assert!(ledger.begin(true) && ledger.begin(false));
        ledger.held_back(true);
        assert_eq!((ledger.sent, ledger.changes), (1, 0));
        assert!(ledger.ask(need(&proxmox_api::methods::POST_ACCESS_USERS, "a")), "nothing has changed yet");
    }
}
