//! From a request to its answer: authentication, routing, permission, proxying, parameters, handler.
//!
//! The order is the real server's, and it shows: a refused permission comes before an unknown guest,
//! an unreachable node before a wrong parameter.

use std::sync::Arc;
use std::time::Duration;

use proxmox_api::{Method, Permission, Verb};
use serde_json::{Value, json};

use crate::auth::{self, Caller};
use crate::failure::{Failure, Form};
use crate::server::{Head, Response};
use crate::world::World;
use crate::{Shared, docs, handlers, params, request, route};

/// Beyond this a URL does not pass the proxy, in bytes.
const MAX_URL: usize = 8 * 1024;

/// What a handler returns.
#[derive(Clone, Debug)]
pub enum Reply {
    /// `{"data": ...}`.
    Data(Value),
    /// The same with the number of all rows beside it; left out where that is 0.
    Listing(Value, usize),
    /// The JSON text of `data`, kept ready.
    Text(Arc<str>),
}

impl From<Value> for Reply {
    fn from(value: Value) -> Reply {
        Reply::Data(value)
    }
}

/// A call that passed all checks.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: &'static Method,
    /// Who calls.
    pub caller: Caller,
    /// Its parameters, those of the path included.
    pub params: params::Params,
}

/// An answer and how long it waits.
pub(crate) struct Answered {
    pub(crate) response: Response,
    pub(crate) delay: Duration,
}

/// Answers a request. `oversized` says that its body was too large to be read.
pub(crate) fn answer(shared: &Shared, head: &Head, body: &[u8], oversized: bool) -> Answered {
    if head.verb == "GET" && head.target == docs::PATH {
        let response = Response {
            content_type: Some("application/javascript"),
            body: docs::FILE.clone(),
            ..json_response(200, "OK", String::new())
        };
        return Answered { response, delay: shared.options.latency };
    }
    let mut world = shared.world();
    world.settle();
    let mut format = Formatter::Json;
    let outcome = process(&mut world, head, body, oversized, &mut format).map_err(Failure::as_sent);
    drop(world);
    let pause = outcome.as_ref().err().map_or(Duration::ZERO, |failure| shared.options.pause(failure.pause));
    let response = match outcome {
        Ok(reply) => format.success(reply),
        Err(failure) => format.failure(&failure),
    };
    Answered { response, delay: pause + shared.options.latency }
}

fn process(
    world: &mut World,
    head: &Head,
    body: &[u8],
    oversized: bool,
    format: &mut Formatter,
) -> Result<Reply, Failure> {
    let verb = Verb::parse(&head.verb).ok_or_else(|| {
        Failure::empty(501, &format!("method '{}' not available", head.verb), Default::default())
    })?;
    match head.header("transfer-encoding") {
        Some(coding) if coding.eq_ignore_ascii_case("chunked") => {
            return Err(Failure::plain(501, "chunked transfer encoding not supported"));
        }
        Some(coding) => return Err(Failure::plain(501, format!("Unknown transfer encoding '{coding}'"))),
        None => {}
    }
    if head.target.len() > MAX_URL {
        return Err(Failure::broken_pipe());
    }
    let (format_name, path, query) = request::target(&head.target)?;
    let routed = route::find(verb, &path).filter(|routed| world.release.has(routed.method));
    let open = routed.as_ref().is_some_and(|r| r.method.permission == Permission::World);
    let caller = match auth::identify(world, head) {
        Err(_) if open => Caller::user(""),
        caller => caller?,
    };
    *format = Formatter::named(&format_name)
        .ok_or_else(|| Failure::plain(501, format!("no formatter for uri {path}, {format_name}")))?;
    let raw = body_params(verb, head, body, oversized)?;
    let raw = request::merge(raw, request::form(query));
    if path.chars().all(|c| c == '/') && verb == Verb::Get {
        return Ok(index("/"));
    }
    let routed = routed.ok_or_else(|| Failure::not_implemented(&head.verb, &path))?;
    call(world, caller, routed, raw)
}

fn body_params(verb: Verb, head: &Head, body: &[u8], oversized: bool) -> Result<request::Raw, Failure> {
    if verb == Verb::Get || verb == Verb::Delete {
        return match body.is_empty() && !oversized {
            true => Ok(request::Raw::new()),
            false => Err(Failure::plain(501, format!("Unexpected content for method '{verb}'"))),
        };
    }
    if oversized {
        return Err(Failure::plain(501, "for data too large"));
    }
    request::body(head.header("content-type"), body)
}

fn call(
    world: &mut World,
    caller: Caller,
    routed: route::Routed,
    mut raw: request::Raw,
) -> Result<Reply, Failure> {
    let method = routed.method;
    for (name, value) in routed.values {
        let twice = raw.get(name).is_some_and(|other| other.as_str() != Some(&value));
        if twice {
            let why = "duplicate parameter (already defined in URI) with conflicting values!";
            return Err(Failure::parameter(name, why));
        }
        raw.insert(name.to_owned(), Value::String(value));
    }
    auth::permission::check(world, &caller, method, &raw)?;
    if let Some(Value::String(node)) =
        raw.get_mut("node").filter(|_| method.path.starts_with("/nodes/{node}"))
    {
        if node == "localhost" {
            node.clone_from(&world.local);
        }
        if handlers::is_proxied(method) {
            world.reach(node)?;
        }
    }
    let params = params::check(method, raw)?;
    let handler =
        handlers::find(method).ok_or_else(|| Failure::not_simulated(method.verb.as_str(), method.path))?;
    handler(world, &Call { method, caller, params })
}

/// The list of what lies below a path.
pub(crate) fn index(template: &str) -> Reply {
    let rows: Vec<Value> =
        route::children(template).into_iter().map(|name| json!({ "subdir": name })).collect();
    Reply::Data(Value::Array(rows))
}

#[derive(Clone, Copy, PartialEq)]
enum Formatter {
    Json,
    ExtJs,
}

impl Formatter {
    fn named(name: &str) -> Option<Formatter> {
        match name {
            "json" => Some(Formatter::Json),
            "extjs" => Some(Formatter::ExtJs),
            _ => None,
        }
    }

    fn success(self, reply: Reply) -> Response {
        let extra = if self == Formatter::ExtJs { r#","success":1"# } else { "" };
        let text = match reply {
            Reply::Data(value) => format!(r#"{{"data":{value}{extra}}}"#),
            Reply::Listing(value, 0) => format!(r#"{{"data":{value}{extra}}}"#),
            Reply::Listing(value, total) => format!(r#"{{"data":{value},"total":{total}{extra}}}"#),
            Reply::Text(text) => format!(r#"{{"data":{text}{extra}}}"#),
        };
        json_response(200, "OK", text)
    }

    fn failure(self, failure: &Failure) -> Response {
        let (status, reason) = (failure.status, failure.reason());
        match (failure.form, self) {
            (Form::Empty, _) => bare(status, reason, Vec::new()),
            (Form::Plain, _) => bare(status, reason, failure.message.clone().into_bytes()),
            (_, Formatter::Json) => json_response(status, reason, failure.json().to_string()),
            (_, Formatter::ExtJs) => json_response(200, "OK", failure.extjs().to_string()),
        }
    }
}

fn json_response(status: u16, reason: &str, text: String) -> Response {
    let content_type = Some("application/json;charset=UTF-8");
    Response { status, reason: reason.into(), body: text.into_bytes(), content_type, ..Response::default() }
}

fn bare(status: u16, reason: &str, body: Vec<u8>) -> Response {
    Response { status, reason: reason.into(), body, ..Response::default() }
}
