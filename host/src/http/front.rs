//! Who is let in, and to what. Each token has a door of its own: an MCP server with the token's permissions,
//! and sessions that no other token can find.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::batch;
use super::rate::Rate;
use super::settings::HttpSettings;
use super::tokens::Digest;
use crate::mcp::strict::{self, Refused};
use crate::profiles::Profile;

/// Where MCP is spoken.
const ENDPOINT: &str = "/mcp";
/// Where one asks whether this is alive; it says nothing else.
const HEALTH: &str = "/healthz";
/// The longest message that is read, in bytes; as on standard input.
const MAX_BODY: usize = 4 << 20;
/// What requests of the era without sessions have, in their head or in their parameters.
const STATELESS: &str = "mcp-method";
const STATELESS_META: &str = "/params/_meta/io.modelcontextprotocol~1protocolVersion";
/// What requests of a session have.
const SESSION: &str = "mcp-session-id";
/// What is answered for as long as the client listens.
const LISTEN: &str = "subscriptions/listen";
/// Methods whose results rmcp makes up, without who gave them.
const ACKNOWLEDGED: [&str; 2] = ["tasks/cancel", "tasks/update"];
/// How long a request may take to arrive, once its head is here.
const BODY_WITHIN: Duration = Duration::from_secs(15);
/// Sessions of one token at one time.
const MAX_SESSIONS: usize = 256;
/// A session in which nothing happens for this long is over. A call that waits for Proxmox reports meanwhile,
/// where the client wants to hear of it.
const SESSION_IDLE: Duration = Duration::from_secs(3600);

/// What goes back to a client.
pub(super) type Answer = Response<BoxBody<Bytes, Infallible>>;
type Service<S> = StreamableHttpService<S, LocalSessionManager>;

/// What one is let in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The name of the token.
    pub name: String,
    /// What the token is known by.
    pub digest: Digest,
    /// What the token may do, as far as a profile says it.
    pub profile: Option<Profile>,
}

/// What makes the server of a session, or of a request that belongs to none.
pub type Open<S> = Arc<dyn Fn() -> S + Send + Sync>;

/// Somebody with an MCP server of their own.
pub struct Principal<S> {
    /// The token; without one, whoever is on this machine.
    pub key: Option<Key>,
    /// Makes the server of one session.
    pub open: Open<S>,
}

struct Door<S> {
    key: Option<Key>,
    service: Service<S>,
    sessions: Arc<LocalSessionManager>,
    /// Who answers, as a result says it.
    signature: Value,
    /// Ends all that goes on behind this door.
    shut: CancellationToken,
}

/// Whose requests are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Token(String),
    Address(IpAddr),
}

/// The way in.
pub struct Front<S> {
    doors: RwLock<Arc<Vec<Arc<Door<S>>>>>,
    hosts: Vec<String>,
    origins: Vec<String>,
    rate: Rate<Counted>,
    /// Requests without a token that is known.
    strangers: Rate<IpAddr>,
    calls: watch::Sender<usize>,
}

impl<S: ServerHandler> Front<S> {
    /// Doors for these. `port` is where it listens.
    pub fn new(settings: &HttpSettings, port: u16, principals: Vec<Principal<S>>) -> Arc<Self> {
        let front = Self {
            doors: RwLock::default(),
            hosts: settings.hosts.clone(),
            origins: settings.allowed_origins(port),
            rate: Rate::new(settings.rate),
            strangers: Rate::new(settings.rate),
            calls: watch::Sender::new(0),
        };
        front.replace(principals);
        Arc::new(front)
    }

    /// Doors for these, and for no others. What goes on behind a door goes on where its token and profile are
    /// the same as before, and ends otherwise.
    pub fn replace(&self, principals: Vec<Principal<S>>) {
        let before = self.doors();
        let kept = |key: &Option<Key>| before.iter().find(|door| door.key == *key).cloned();
        let new: Vec<_> = principals
            .into_iter()
            .map(|principal| kept(&principal.key).unwrap_or_else(|| Arc::new(self.door(principal))))
            .collect();
        for door in before.iter().filter(|door| !new.iter().any(|kept| Arc::ptr_eq(kept, door))) {
            door.shut.cancel();
        }
        *self.doors.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
    }

    fn doors(&self) -> Arc<Vec<Arc<Door<S>>>> {
        self.doors.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn door(&self, principal: Principal<S>) -> Door<S> {
        let shut = CancellationToken::new();
        let mut sessions = LocalSessionManager::default();
        sessions.session_config.keep_alive = Some(SESSION_IDLE);
        let sessions = Arc::new(sessions);
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(&self.hosts)
            .with_allowed_origins(&self.origins)
            .enforce_origin_validation()
            .with_json_response(true)
            .with_cancellation_token(shut.clone());
        let open = principal.open;
        let signature = strict::signature(&open().get_info().server_info);
        let signature = serde_json::to_value(signature).unwrap_or_default();
        let service = Service::new(move || Ok(open()), sessions.clone(), config);
        Door { key: principal.key, service, sessions, signature, shut }
    }

    /// Answers a request.
    pub(super) async fn answer(&self, peer: IpAddr, request: Request<Incoming>) -> Answer {
        match (request.uri().path(), request.method()) {
            (HEALTH, &Method::GET | &Method::HEAD) => return closing(text(StatusCode::OK, "ok\n")),
            (ENDPOINT, _) => {}
            _ => return closing(text(StatusCode::NOT_FOUND, "Not Found: MCP is spoken at /mcp\n")),
        }
        let door = match self.admit(request.headers()) {
            Ok(door) => door,
            Err(challenge) => return closing(self.turned_away(peer, challenge)),
        };
        let who = door.key.as_ref().map_or(Counted::Address(peer), |key| Counted::Token(key.name.clone()));
        if let Err(wait) = self.rate.take(who.clone(), Instant::now()) {
            return slow_down(wait);
        }
        let (mut head, body) = request.into_parts();
        // It has done its duty, and what goes on into a server may be logged there.
        head.headers.remove(AUTHORIZATION);
        let body = match read(&head.headers, body).await {
            Ok(body) => body,
            Err(answer) => return closing(answer),
        };
        if head.method != Method::POST {
            let ends = head.method == Method::DELETE;
            let known = ends && door.has_session(&head.headers).await;
            let mut answer = door.service.handle(Request::from_parts(head, Full::new(body))).await;
            // The session is over by now, and some clients take 202 for a failure.
            if ends && answer.status() == StatusCode::ACCEPTED {
                *answer.status_mut() = if known { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND };
            }
            return answer;
        }
        let message: Value = match serde_json::from_slice(&body) {
            Ok(message) => message,
            Err(error) => return rpc_error(-32700, &format!("Parse error: {error}")),
        };
        // Who listens would hold up the end of the server: that ends with all that is open behind the doors.
        let listens = message.get("method").and_then(Value::as_str) == Some(LISTEN);
        let call = (!listens).then(|| InFlight::begin(&self.calls));
        let answer = match message {
            Value::Array(messages) => self.batch(&door, &who, head, messages).await,
            message => door.answer(head, body, message).await,
        };
        answer.map(|body| match call {
            Some(call) => call.until_end_of(body),
            None => body,
        })
    }

    /// Answers a batch. Each of its messages counts as a request; the first one was counted already.
    async fn batch(&self, door: &Door<S>, who: &Counted, mut head: Parts, messages: Vec<Value>) -> Answer {
        let messages = match batch::messages(&head.headers, messages) {
            Ok(messages) => messages,
            Err(refused) => return rpc_error(refused.code, &refused.message),
        };
        let mut rest = messages.iter().skip(1);
        if let Err(wait) = rest.try_for_each(|_| self.rate.take(who.clone(), Instant::now())) {
            return slow_down(wait);
        }
        head.headers.remove(CONTENT_LENGTH);
        let mut answers = Vec::new();
        for message in messages {
            answers.extend(match message {
                Ok(body) => {
                    let request = Request::from_parts(head.clone(), Full::new(body));
                    batch::answer(door.service.handle(request).await).await
                }
                Err(refused) => Some(refused.answer()),
            });
        }
        batch::together(answers)
    }

    /// The door that a token opens.
    ///
    /// # Errors
    /// What to ask the client for.
    fn admit(&self, headers: &HeaderMap) -> Result<Arc<Door<S>>, &'static str> {
        let doors = self.doors();
        if let [door] = doors.as_slice()
            && door.key.is_none()
        {
            return Ok(door.clone());
        }
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else {
            return Err("Bearer realm=\"proxmox-mcp\"");
        };
        let value = value.to_str().unwrap_or_default();
        let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let digest = Digest::of(token.map(|(_, token)| token.trim()).unwrap_or_default());
        let mut found = None;
        // All of them, so that the time says nothing about which.
        for door in doors.iter() {
            if door.key.as_ref().is_some_and(|key| key.digest.is(&digest)) {
                found = Some(door);
            }
        }
        found.cloned().ok_or("Bearer realm=\"proxmox-mcp\", error=\"invalid_token\"")
    }

    fn turned_away(&self, peer: IpAddr, challenge: &'static str) -> Answer {
        if let Err(wait) = self.strangers.take(peer, Instant::now()) {
            return slow_down(wait);
        }
        tracing::info!(%peer, "a request without a known token");
        let mut answer = text(
            StatusCode::UNAUTHORIZED,
            "Unauthorized: send `Authorization: Bearer TOKEN` with a token that the operator of this server gave you\n",
        );
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        answer
    }

    /// Waits until no call is under way.
    pub(super) async fn calls_ended(&self) {
        // It fails where nobody counts any more.
        drop(self.calls.subscribe().wait_for(|calls| *calls == 0).await);
    }

    /// Ends all sessions and streams.
    pub(super) fn shut(&self) {
        self.doors().iter().for_each(|door| door.shut.cancel());
    }
}

impl<S: ServerHandler> Door<S> {
    /// Answers a single message.
    async fn answer(&self, head: Parts, body: Bytes, message: Value) -> Answer {
        let acknowledged = message.get("method").and_then(Value::as_str);
        let acknowledged = acknowledged.is_some_and(|method| ACKNOWLEDGED.contains(&method));
        let misfit = match self.refuses(&head.headers, message).await {
            Ok(misfit) => misfit,
            Err(answer) => return answer,
        };
        let answer = self.service.handle(Request::from_parts(head, Full::new(body))).await;
        if !is_json(answer.headers()) {
            return answer;
        }
        match misfit {
            // rmcp took it for an unknown method, or passed over what does not fit.
            Some(misfit) if matches!(answer.status(), StatusCode::NOT_FOUND | StatusCode::OK) => {
                refusal(&misfit)
            }
            _ if acknowledged => self.signed(answer).await,
            _ => answer,
        }
    }

    /// Answers in rmcp's place what rmcp has no good answer for. Of requests without a session rmcp judges headers
    /// and methods first, as it should: what is wrong with the parameters of one is given back.
    async fn refuses(&self, headers: &HeaderMap, message: Value) -> Result<Option<Refused>, Answer> {
        if !message.is_object() {
            return Err(rpc_error(-32600, "Invalid Request: a message is an object"));
        }
        let stateless = headers.contains_key(STATELESS) || message.pointer(STATELESS_META).is_some();
        let opens = message.get("method").and_then(Value::as_str) == Some("initialize")
            && !headers.contains_key(SESSION);
        let mut misfit = None;
        if is_json(headers) {
            match strict::message(message) {
                Err(refused) if stateless && refused.code == -32602 => misfit = Some(refused),
                Err(refused) => return Err(refusal(&refused)),
                Ok(message) if !stateless => {
                    if let Some(refused) = strict::of_no_session(&message)
                        && self.has_session(headers).await
                    {
                        return Err(json_answer(StatusCode::OK, &refused.answer().to_string()));
                    }
                }
                Ok(_) => {}
            }
        }
        if opens && self.sessions.sessions.read().await.len() >= MAX_SESSIONS {
            tracing::warn!("{MAX_SESSIONS} sessions are open; no more for this token");
            return Err(slow_down(Duration::from_secs(60)));
        }
        Ok(misfit)
    }

    /// Whether a request belongs to a session that is open.
    async fn has_session(&self, headers: &HeaderMap) -> bool {
        match headers.get(SESSION).and_then(|id| id.to_str().ok()) {
            Some(id) => self.sessions.sessions.read().await.contains_key(id),
            None => false,
        }
    }

    /// The same answer, whose result says who gave it.
    async fn signed(&self, answer: Answer) -> Answer {
        let (head, body) = answer.into_parts();
        let Ok(body) = body.collect().await;
        let mut body = body.to_bytes();
        if let Ok(mut message) = serde_json::from_slice::<Value>(&body)
            && let Some(Value::Object(result)) = message.get_mut("result")
        {
            result.entry("_meta").or_insert_with(|| self.signature.clone());
            body = Bytes::from(message.to_string());
        }
        Response::from_parts(head, Full::new(body).boxed())
    }
}

/// Reads a body, up to a length and within a time.
async fn read(headers: &HeaderMap, body: Incoming) -> Result<Bytes, Answer> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > MAX_BODY as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_WITHIN, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(text(StatusCode::BAD_REQUEST, "Bad Request: the body cannot be read\n")),
        Err(_) => Err(text(StatusCode::REQUEST_TIMEOUT, "Request Timeout: the body took too long\n")),
    }
}

fn too_large() -> Answer {
    text(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large: a message may have 4 MiB\n")
}

fn text(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())).boxed());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

/// What answers a message that is not handed on.
fn refusal(refused: &Refused) -> Answer {
    json_answer(StatusCode::BAD_REQUEST, &refused.answer().to_string())
}

/// A request that is none.
pub(super) fn rpc_error(code: i32, message: &str) -> Answer {
    let error = json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message}});
    json_answer(StatusCode::BAD_REQUEST, &error.to_string())
}

/// An answer that is JSON.
pub(super) fn json_answer(status: StatusCode, body: &str) -> Answer {
    let mut answer = text(status, body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Who has no token keeps no connection.
fn closing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn slow_down(wait: Duration) -> Answer {
    let mut answer = text(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests: see Retry-After\n");
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    answer
}

/// A call that counts as under way until its answer is out, or nobody wants it any more.
struct InFlight(watch::Sender<usize>);

impl InFlight {
    fn begin(calls: &watch::Sender<usize>) -> Self {
        calls.send_modify(|calls| *calls += 1);
        Self(calls.clone())
    }

    fn until_end_of(self, body: BoxBody<Bytes, Infallible>) -> BoxBody<Bytes, Infallible> {
        Counting { body, _call: self }.boxed()
    }
}

/// A body that a call ends with.
struct Counting {
    body: BoxBody<Bytes, Infallible>,
    _call: InFlight,
}

impl Body for Counting {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls = calls.saturating_sub(1));
    }
}
