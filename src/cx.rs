//! The way from a tool to the Proxmox VE API: requests are made from declared methods and checked
//! values, answers become values or errors.

mod request;

use proxmox_api::Verb;
use serde::Deserialize;
use serde_json::Value;

pub(crate) use self::request::encode_into;
pub use self::request::{Call, Parameter, Segment};
use crate::error::{By, Denial, Error, Refusal};
use crate::tool::Tool;

/// A request as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The verb.
    pub verb: Verb,
    /// Path and query, from `/api2/json` on.
    pub path: String,
    /// The parameters of a POST or PUT, form-encoded; nothing for the other verbs.
    pub form: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The reason phrase of the status line, where the host hands it on.
    pub reason: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// The host did not let the request out.
    Denied,
    /// Nobody listens at the address of Proxmox VE.
    Refused,
    /// It took too long. Proxmox may have acted all the same.
    Timeout,
    /// The certificate, or the TLS connection, is not in order.
    Tls,
    /// The name of the server is not known.
    Dns,
    /// The connection broke. Proxmox may have acted all the same.
    Closed,
    /// The answer is larger than anything the API gives.
    TooLarge,
    /// Something else.
    Other(String),
}

/// The way out. The host's is `wasi:http`; the tests have one that follows a script.
pub trait Transport {
    /// Sends all requests at once; the results are in their order.
    fn send_all(&self, requests: &[Request]) -> Vec<Result<Response, SendError>>;

    /// Asks a host that has a gate what it would decide about a request, which is not sent. The answer's
    /// body is a [`Verdict`] as `data`. Nothing where there is no such host.
    fn verdict(&self, request: &Request) -> Option<Result<Response, SendError>> {
        let _ = request;
        None
    }
}

/// What the host's gate would decide about a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Verdict {
    /// Whether it would let the request out.
    pub allowed: bool,
    /// Whether it would ask a person first.
    #[serde(default)]
    pub asks: bool,
    /// The privileges that it demands, such as `VM.PowerMgmt on /vms/101`, each with whether it is granted.
    #[serde(default)]
    pub needs: Vec<(String, bool)>,
    /// Why not, in a sentence; empty where it is allowed.
    #[serde(default)]
    pub why: String,
}

/// What a tool works with during one call.
pub struct Cx<'a> {
    tool: &'a Tool,
    transport: &'a dyn Transport,
    now_ms: u64,
}

impl std::fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx")
            .field("tool", &self.tool.name)
            .field("now_ms", &self.now_ms)
            .finish_non_exhaustive()
    }
}

impl<'a> Cx<'a> {
    /// The surroundings of one call of `tool` that began at `now_ms` (milliseconds since 1970).
    pub fn new(tool: &'a Tool, transport: &'a dyn Transport, now_ms: u64) -> Self {
        Cx { tool, transport, now_ms }
    }

    /// When this call, or this step of it, began: milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Makes one call and gives its `data`.
    ///
    /// # Errors
    /// [`Error::Defect`] if the tool did not declare the method or a path parameter is missing;
    /// else what went wrong on the way or at Proxmox.
    pub fn call(&self, call: Call) -> Result<Value, Error> {
        self.reply(call)?.data()
    }

    /// Makes several calls at once and gives the `data` of each, in their order.
    pub fn all<const N: usize>(&self, calls: [Call; N]) -> [Result<Value, Error>; N] {
        let mut results = self.replies(Vec::from(calls)).into_iter();
        std::array::from_fn(|_| match results.next() {
            Some(result) => result.and_then(|reply| reply.data()),
            None => Err(Error::Defect("fewer answers than requests".to_owned())),
        })
    }

    /// Makes one call, for an answer that is read into a type of its own.
    pub fn reply(&self, call: Call) -> Result<Reply, Error> {
        let missing = || Error::Defect("no answer to a request".to_owned());
        self.replies(vec![call]).pop().ok_or_else(missing)?
    }

    /// Makes several calls at once, in their order. One that must not be made is not; the others are.
    pub fn replies(&self, calls: Vec<Call>) -> Vec<Result<Reply, Error>> {
        let built: Vec<Result<Request, Error>> = calls.iter().map(|call| self.request(call)).collect();
        let requests: Vec<Request> = built.iter().flatten().cloned().collect();
        let mut responses =
            if requests.is_empty() { Vec::new() } else { self.transport.send_all(&requests) }.into_iter();
        let answered = |(call, built): (&Call, Result<Request, Error>)| {
            built?;
            match responses.next() {
                Some(response) => understood(call, response),
                None => {
                    Err(Error::Defect("the transport answered fewer requests than it was given".to_owned()))
                }
            }
        };
        calls.iter().zip(built).map(answered).collect()
    }

    /// What the host's gate would decide about a call; nothing where there is no gate to ask.
    pub fn verdict(&self, call: &Call) -> Result<Option<Verdict>, Error> {
        let request = call.request()?;
        let Some(response) = self.transport.verdict(&request) else { return Ok(None) };
        understood(call, response)?.read().map(Some)
    }

    fn request(&self, call: &Call) -> Result<Request, Error> {
        let declared = self.tool.calls.iter().any(|method| std::ptr::eq(*method, call.method()));
        if !declared && !self.tool.names_its_call {
            return Err(Error::Defect(format!("`{}` does not declare `{}`", self.tool.name, call.method())));
        }
        call.request()
    }
}

/// A successful answer.
#[derive(Debug)]
pub struct Reply {
    request: String,
    body: Vec<u8>,
}

/// Every answer of the API.
#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

impl Reply {
    /// Its `data`.
    pub fn data(&self) -> Result<Value, Error> {
        self.read()
    }

    /// Its body as it came, for what is no answer of the API.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Its `data` as a `T`, which may borrow from the answer.
    pub fn read<'de, T: Deserialize<'de>>(&'de self) -> Result<T, Error> {
        // Looked through for UTF-8 once, and not string by string.
        let read = match std::str::from_utf8(&self.body) {
            Ok(body) => serde_json::from_str(body),
            Err(_) => serde_json::from_slice(&self.body),
        };
        match read {
            Ok(Envelope { data }) => Ok(data),
            Err(error) => Err(Error::Unreachable(format!(
                "The answer to `{}` is not what Proxmox VE answers ({error}). Is there something else, a proxy \
                 perhaps, at the configured address?",
                self.request
            ))),
        }
    }
}

fn understood(call: &Call, response: Result<Response, SendError>) -> Result<Reply, Error> {
    let response = response.map_err(|error| unsent(call, error))?;
    if (200..300).contains(&response.status) {
        return Ok(Reply { request: call.to_string(), body: response.body });
    }
    let message = message(&response);
    Err(match response.status {
        401 => Error::Denied(Denial { by: By::Login(message), request: call.to_string(), needs: Vec::new() }),
        403 => {
            let named: Vec<_> = crate::error::named_need(&message).into_iter().collect();
            let needs = if named.is_empty() { call.needs() } else { named };
            Error::Denied(Denial { by: By::Proxmox(message), request: call.to_string(), needs })
        }
        status => Error::Refused(Refusal { request: call.to_string(), status, message }),
    })
}

/// Proxmox's words: the `message` of the body with its `errors`, else the reason phrase, else a plain
/// text body.
fn message(response: &Response) -> String {
    let body: Option<Value> = serde_json::from_slice(&response.body).ok();
    let text = |value: &Value, key: &str| value.get(key)?.as_str().map(str::trim).map(str::to_owned);
    let mut message = body.as_ref().and_then(|body| text(body, "message")).unwrap_or_default();
    if message.is_empty() {
        message = response.reason.as_deref().unwrap_or_default().trim().to_owned();
    }
    if message.is_empty() && body.is_none() && !response.body.starts_with(b"<") {
        message = String::from_utf8_lossy(&response.body).chars().take(400).collect();
    }
    let errors = body.as_ref().and_then(|body| body.get("errors")).and_then(Value::as_object);
    for (name, why) in errors.into_iter().flatten() {
        let why = why.as_str().unwrap_or("not valid").trim();
        message.push_str(&format!(" {name}: {why};"));
    }
    message.trim_end_matches(';').to_owned()
}

fn unsent(call: &Call, error: SendError) -> Error {
    let why = match &error {
        SendError::Denied => {
            return Error::Denied(Denial { by: By::Host, request: call.to_string(), needs: call.needs() });
        }
        SendError::Refused => {
            "nobody listens at the configured address. Check host and port, and that `pveproxy` runs there"
        }
        SendError::Timeout => {
            "no answer came in time. The server may be down, overloaded or behind a firewall"
        }
        SendError::Tls => {
            "the TLS connection was not accepted: whoever runs this server does not trust that certificate"
        }
        SendError::Dns => "the configured host name is not known. Check its spelling and the name server",
        SendError::Closed => "the connection broke before the answer was complete",
        SendError::TooLarge => "the answer is larger than 16 MiB",
        SendError::Other(why) => why,
    };
    let doubt = if call.method().verb.reads()
        || matches!(error, SendError::Refused | SendError::Dns | SendError::Tls)
    {
        ""
    } else {
        " It is not known whether Proxmox VE acted on the request; look at the state before trying again."
    };
    Error::Unreachable(format!("Proxmox VE was not reached for `{call}`: {why}.{doubt}"))
}

#[cfg(test)]
mod tests;
