//! MCP over HTTP: one place to post messages to, `/mcp`, without sessions in either era.
//!
//! The threat: a web page, or another program on the network, that calls tools with the API token of whoever runs
//! this. So nobody is served without a bearer token, which a page in a browser does not have.

use serde_json::Value;

use super::calls::Waiting;
use super::revision::{self, Revision};
use super::rpc::{self, Fault, HEADER_MISMATCH, INVALID_REQUEST, METHOD_NOT_FOUND, Message, Request};
use super::{Reply, Server};
use crate::door::settings::{Variables, value};

/// The largest message that is read, in bytes.
pub const MAX_BODY: usize = 4 << 20;
/// Where messages are posted to.
const PATH: &str = "/mcp";
/// Where to ask whether anybody is there. It says nothing else.
const HEALTH: &str = "/healthz";
/// Least length of a bearer token.
const MIN_TOKEN: usize = 16;
/// How to get one.
const HOW: &str = "Set MCP_HTTP_TOKEN in the environment of this component to a long random text, for instance the output \
                   of `openssl rand -hex 32`, and send it as `Authorization: Bearer TOKEN`.";

/// Who is let in.
#[derive(Debug)]
pub struct Keys {
    token: Option<String>,
    /// Origins of web pages that may call, beside those of this machine.
    origins: Vec<String>,
    /// Names by which this server may be called; empty for any.
    hosts: Vec<String>,
}

/// What comes before a body.
pub struct Head<'h> {
    /// The verb.
    pub method: &'h str,
    /// Path and query.
    pub path: &'h str,
    /// The server that is meant, with its port.
    pub authority: Option<&'h str>,
    /// The value of a header, by its name in lower case; of several the first.
    pub header: &'h dyn Fn(&str) -> Option<String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside the content type.
    pub headers: Vec<(&'static str, &'static str)>,
    /// What the body is written in.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// How far a post came.
#[derive(Debug)]
pub enum Served {
    /// To its answer.
    Over(Answer),
    /// To a call that waits: the id of the request, and what it waits for.
    Waits(Value, Box<Waiting>),
}

impl Keys {
    /// Who is let in, as these variables say.
    ///
    /// # Errors
    /// Where the token is too short to be one.
    pub fn read(variables: Variables<'_>) -> Result<Keys, String> {
        let token = value(variables, "MCP_HTTP_TOKEN");
        let sound = |token: &String| token.len() >= MIN_TOKEN && token.bytes().all(|b| b.is_ascii_graphic());
        if token.as_ref().is_some_and(|token| !sound(token)) {
            return Err(format!(
                "MCP_HTTP_TOKEN is too easy to guess: it takes {MIN_TOKEN} visible ASCII characters or more."
            ));
        }
        let list = |name| {
            let text = value(variables, name).unwrap_or_default();
            text.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
        };
        Ok(Keys { token, origins: list("MCP_HTTP_ORIGINS"), hosts: list("MCP_HTTP_HOSTS") })
    }

    /// Whether the request may go on to its body.
    ///
    /// # Errors
    /// The answer, where that is all that it gets.
    pub fn admit(&self, head: &Head<'_>) -> Result<(), Answer> {
        let path = head.path.split('?').next().unwrap_or_default();
        if path == HEALTH {
            return Err(Answer::text(200, "ok"));
        }
        if path != PATH {
            return Err(Answer::text(404, "MCP is at /mcp."));
        }
        let Some(token) = &self.token else {
            return Err(Answer::text(
                403,
                format!("This server lets nobody in, since it has no token. {HOW}"),
            ));
        };
        let given = (head.header)("authorization");
        let given = given.as_deref().and_then(|given| {
            let (scheme, token) = given.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        if !given.is_some_and(|given| same(given, token)) {
            let refused =
                Answer::text(401, "This server wants its bearer token: `Authorization: Bearer TOKEN`.");
            return Err(refused.with("www-authenticate", "Bearer"));
        }
        self.known_place(head)?;
        if head.method != "POST" {
            return Err(Answer::text(
                405,
                "Messages are posted here; there are no sessions and no streams to open.",
            )
            .with("allow", "POST"));
        }
        let content_type = (head.header)("content-type").unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim();
        if !content_type.eq_ignore_ascii_case("application/json") {
            return Err(Answer::text(415, "A message is `Content-Type: application/json`."));
        }
        Ok(())
    }

    /// A page of a foreign place may not call, nor one that found a name of its own for this server.
    fn known_place(&self, head: &Head<'_>) -> Result<(), Answer> {
        if let Some(origin) = (head.header)("origin") {
            let origin = origin.to_ascii_lowercase();
            if !self.origins.contains(&origin) && !is_of_this_machine(&origin) {
                return Err(Answer::text(
                    403,
                    "This origin is not let in. MCP_HTTP_ORIGINS names those that are.",
                ));
            }
        }
        let host = head.authority.unwrap_or_default().to_ascii_lowercase();
        let bare = without_port(&host);
        if !self.hosts.is_empty() && !self.hosts.iter().any(|known| *known == host || known == bare) {
            return Err(Answer::text(
                403,
                "This server is not known by that name. MCP_HTTP_HOSTS has those it has.",
            ));
        }
        Ok(())
    }
}

/// Compares in a time that depends on the lengths alone.
fn same(given: &str, token: &str) -> bool {
    let differing = given.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == token.len() && differing == 0
}

fn is_of_this_machine(origin: &str) -> bool {
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&without_port(host)))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

impl Answer {
    /// A sentence.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Answer { status, headers: Vec::new(), content_type: "text/plain; charset=utf-8", body: text.into() }
    }

    /// A message.
    pub fn message(status: u16, message: &Value) -> Self {
        Answer { body: message.to_string(), content_type: "application/json", ..Answer::text(status, "") }
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Serves a message that was let in.
pub fn serve(server: &Server<'_>, head: &Head<'_>, body: &[u8]) -> Served {
    let value = match rpc::parse(body) {
        Ok(value) => value,
        Err(response) => return Served::Over(Answer::message(400, &response)),
    };
    let agreed = match (head.header)("mcp-protocol-version") {
        // As the specification has it for clients that do not say.
        None => Revision::V2025_03_26,
        Some(name) => match Revision::named(&name) {
            Some(revision) => revision,
            None => {
                let id = value.get("id").cloned().unwrap_or_default();
                return Served::Over(Answer::message(400, &revision::unsupported(&name).response(&id)));
            }
        },
    };
    if let Value::Array(messages) = value {
        return Served::Over(batch(server, messages, agreed));
    }
    match rpc::read(value) {
        Ok(Message::Request(request)) => one(server, head, &request, agreed),
        Ok(_) => Served::Over(Answer::text(202, "")),
        Err(response) => Served::Over(Answer::message(400, &response)),
    }
}

/// Follows a call that waits to its end. `tell` hears of its progress, at each look, and says whether anybody is
/// still there.
pub fn follow(
    server: &Server<'_>,
    id: &Value,
    mut waiting: Box<Waiting>,
    tell: &mut dyn FnMut(Option<Value>) -> bool,
) -> Option<Value> {
    loop {
        if !tell(waiting.progress()) {
            return None;
        }
        server.clock().sleep_ms(waiting.due_ms.saturating_sub(server.clock().now_ms()));
        match server.go_on(*waiting) {
            Reply::Over(result) => return Some(rpc::response(id, result)),
            Reply::Waits(still) => waiting = still,
        }
    }
}

fn one(server: &Server<'_>, head: &Head<'_>, request: &Request, named: Revision) -> Served {
    let over = |status, fault: Fault| Served::Over(Answer::message(status, &fault.response(&request.id)));
    // The handshake comes before any revision is agreed on.
    let opens = request.method == "initialize";
    let legacy = if opens || named.is_stateless() { Revision::OF_HANDSHAKES } else { named };
    let revision = match Revision::of(&request.params, legacy) {
        Ok(revision) => revision,
        Err(fault) => return over(400, fault),
    };
    if revision.is_stateless() {
        if let Err(fault) = mirrored(head, request) {
            return over(400, fault);
        }
    } else if named.is_stateless() && !opens {
        return over(400, Fault::params("A request of revision 2026-07-28 says so in its `_meta`, too."));
    }
    match server.answer(request, legacy) {
        Reply::Waits(waiting) => Served::Waits(request.id.clone(), waiting),
        Reply::Over(result) => {
            let status = match &result {
                Err(fault) if revision.is_stateless() && fault.code == METHOD_NOT_FOUND => 404,
                Err(_) if revision.is_stateless() => 400,
                _ => 200,
            };
            Served::Over(Answer::message(status, &rpc::response(&request.id, result)))
        }
    }
}

/// From 2026-07-28 on, headers repeat what a message says, for whoever routes it unread. They may not differ.
fn mirrored(head: &Head<'_>, request: &Request) -> Result<(), Fault> {
    let name = match request.method.as_str() {
        "tools/call" | "prompts/get" => request.params.get("name"),
        "resources/read" => request.params.get("uri"),
        _ => None,
    };
    let expected = [
        ("mcp-protocol-version", Some(Revision::V2026_07_28.name())),
        ("mcp-method", Some(request.method.as_str())),
        ("mcp-name", name.and_then(Value::as_str)),
    ];
    for (header, value) in expected {
        let Some(value) = value else { continue };
        match (head.header)(header) {
            Some(given) if decoded(&given).as_deref() == Some(value) => {}
            Some(_) => {
                return Err(Fault::new(
                    HEADER_MISMATCH,
                    format!("The header `{header}` says something else than the message."),
                ));
            }
            None => return Err(Fault::new(HEADER_MISMATCH, format!("The header `{header}` is missing."))),
        }
    }
    Ok(())
}

/// A header's value, which may be written as `=?base64?...?=`.
fn decoded(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Some(value.to_owned());
    };
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for digit in inner.trim_end_matches('=').bytes() {
        let six = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Messages that came together, as revision 2025-03-26 has it. Calls that wait are followed to their end.
fn batch(server: &Server<'_>, messages: Vec<Value>, agreed: Revision) -> Answer {
    let refuse = |why: &str| Answer::message(400, &Fault::new(INVALID_REQUEST, why).response(&Value::Null));
    if agreed != Revision::V2025_03_26 {
        return refuse("Only revision 2025-03-26 of MCP has batches. Post one message at a time.");
    }
    if messages.is_empty() {
        return refuse("This batch is empty.");
    }
    let mut answers = Vec::new();
    for message in messages {
        let request = match rpc::read(message) {
            Ok(Message::Request(request)) => request,
            Ok(_) => continue,
            Err(response) => {
                answers.push(response);
                continue;
            }
        };
        answers.extend(match server.answer(&request, agreed) {
            Reply::Over(result) => Some(rpc::response(&request.id, result)),
            Reply::Waits(waiting) => follow(server, &request.id, waiting, &mut |_| true),
        });
    }
    match answers.is_empty() {
        true => Answer::text(202, ""),
        false => Answer::message(200, &Value::Array(answers)),
    }
}
