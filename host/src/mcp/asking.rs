//! Asking a person over MCP, in both eras. Up to 2025-11-25 the server sends the question as a request of
//! its own while the call waits. Since 2026-07-28 the call ends with the question, and the client makes it
//! again with the answer and the sealed state.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ElicitRequest, InputRequest, InputRequests, InputRequiredResult,
    JsonObject, ProtocolVersion, ServerRequest,
};
use rmcp::service::{PeerRequestOptions, RequestContext};
use rmcp::{Peer, RoleServer, ServiceError};
use tokio::sync::watch;

use super::tasks::{Called, declares_tasks};
use super::{Server, is_stateless, result};
use crate::approvals::form::form;
use crate::approvals::{Asker, Consent, LIFETIME, Nobody, Reply, Request};
use crate::calls::{Answer, Attempt};
use crate::engine::Pending;

/// Why a client without elicitation is not asked.
const NO_WAY: &str = "this client has no way to ask for it (MCP elicitation)";

/// The name of the question among those that a result could have.
const KEY: &str = "approval";

impl Server {
    /// Calls a tool; what needs a person's yes is asked the way that the client's era has for it.
    pub(super) async fn call_or_ask(
        &self,
        mut request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
        watch: impl FnMut(&Pending),
    ) -> CallToolResponse {
        let arguments = request.arguments.take().unwrap_or_default();
        if is_stateless(context) {
            return self.call_or_return(&request, &arguments, context, watch).await;
        }
        if !can_ask(context) {
            return result(self.tools.call_asking(&request.name, &arguments, watch, &Nobody(NO_WAY)).await)
                .into();
        }
        let client = Client { peer: context.peer.clone(), hung_up: self.hung_up.subscribe() };
        result(self.tools.call_asking(&request.name, &arguments, watch, &client).await).into()
    }

    /// Calls a tool up to its end or its next question, with the consent that the client brings, or until it
    /// becomes a task.
    async fn call_or_return(
        &self,
        request: &CallToolRequestParams,
        arguments: &JsonObject,
        context: &RequestContext<RoleServer>,
        watch: impl FnMut(&Pending),
    ) -> CallToolResponse {
        let consent = match can_ask(context) {
            true => self.consent(request),
            false => Ok(Consent::impossible(NO_WAY)),
        };
        let consent = match consent {
            Ok(consent) => consent,
            Err(message) => return failed(message),
        };
        let attempt = match declares_tasks(context) {
            true => match self.call_or_task(&request.name, arguments, consent, watch).await {
                Called::Task(task) => return CallToolResponse::Task(task),
                Called::Attempt(attempt) => attempt,
            },
            false => self.tools.attempt(&request.name, arguments, consent, watch).await,
        };
        match attempt {
            Attempt::Over(answer) => result(answer).into(),
            Attempt::Asks(asked) => match self.question(&asked) {
                Ok(question) => question.into(),
                Err(error) => failed(format!("A person could not be asked: {error:#}. Nothing was done.")),
            },
        }
    }

    /// What the client's answer amounts to. Without both answer and state the call begins from its start.
    fn consent(&self, request: &CallToolRequestParams) -> Result<Consent, String> {
        let answer = request.input_responses.as_ref().and_then(|answers| answers.get(KEY));
        let (Some(answer), Some(state)) = (answer, &request.request_state) else {
            return Ok(Consent::open());
        };
        let opened = self.seals.open(state).map_err(|error| error.to_string())?;
        let reply = Reply::read(answer, opened.typed.as_deref());
        tracing::info!(tool = %request.name, grants = %opened.grants, reply = reply.word(), "asked a person");
        self.tools.safeguards().asked(opened.call(), &request.name, &opened.grants, &reply);
        match reply {
            Reply::Yes => Ok(opened.approved()),
            no => Err(no.refusal().to_owned()),
        }
    }

    fn question(&self, asked: &Request) -> anyhow::Result<InputRequiredResult> {
        let question = InputRequest::Elicitation(ElicitRequest::new(form(&asked.question)?));
        let questions = InputRequests::from([(KEY.to_owned(), question)]);
        Ok(InputRequiredResult::new(Some(questions), Some(self.seals.seal(asked)?)))
    }
}

/// A client that takes requests while a call waits.
struct Client {
    peer: Peer<RoleServer>,
    hung_up: watch::Receiver<bool>,
}

impl Asker for Client {
    fn consent(&self) -> Consent {
        Consent::open()
    }

    async fn ask(&self, request: &Request) -> Reply {
        let Ok(params) = form(&request.question) else { return Reply::Failed };
        let question = ServerRequest::ElicitRequest(ElicitRequest::new(params));
        let options = PeerRequestOptions::with_timeout(LIFETIME);
        let answer =
            async { self.peer.send_request_with_option(question, options).await?.await_response().await };
        let mut hung_up = self.hung_up.clone();
        let answer = tokio::select! {
            answer = answer => answer,
            _ = hung_up.wait_for(|gone| *gone) => return Reply::Cancelled,
        };
        match answer {
            Ok(result) => serde_json::to_value(result)
                .map_or(Reply::Failed, |result| Reply::read(&result, request.question.typed.as_deref())),
            Err(ServiceError::Timeout { .. }) => Reply::Late,
            Err(error) => {
                tracing::info!(%error, "the client did not ask");
                Reply::Failed
            }
        }
    }
}

fn failed(message: String) -> CallToolResponse {
    result(Answer::Failed { kind: "denied", message }).into()
}

/// Whether the client said that it can put a form to somebody. Forms came with 2025-06-18; a client that
/// names no kind of question takes forms.
fn can_ask(context: &RequestContext<RoleServer>) -> bool {
    let recent = context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2025_06_18);
    let declared = context.client_capabilities().and_then(|capabilities| capabilities.elicitation);
    recent && declared.is_some_and(|elicitation| elicitation.form.is_some() || elicitation.url.is_none())
}
