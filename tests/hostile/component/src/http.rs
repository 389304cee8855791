//! Requests of every shape that `wasi:http` can express.

use serde_json::{Value, json};

use crate::guest::wasi::http::outgoing_handler;
use crate::guest::wasi::http::types::{
    Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use crate::guest::wasi::io::streams::StreamError;

/// What `blocking-write-and-flush` takes at once, in bytes.
const CHUNK: usize = 4096;
/// How much of an answer's body is reported, in bytes.
const SHOWN: usize = 64 * 1024;

/// Makes the requests one after the other; says of each what came of it.
pub(crate) fn all(specs: &Value) -> Value {
    let specs = specs.as_array().map(Vec::as_slice).unwrap_or_default();
    specs
        .iter()
        .map(|spec| start(spec).map_or_else(|stopped| stopped, |(future, wrote)| await_one(future, wrote)))
        .collect()
}

/// The attack that an answer chooses: `then` where the one to `first` holds the text in `if`, or `else`.
pub(crate) fn choose(spec: &Value) -> Value {
    let seen = all(&json!([spec["first"]]));
    let sign = spec["if"].as_str().unwrap_or_default();
    let holds = seen[0]["body"].as_str().is_some_and(|body| body.contains(sign));
    spec[if holds { "then" } else { "else" }].clone()
}

/// Makes the same request many times, all of them before the first answer is looked at.
pub(crate) fn flood(spec: &Value) -> Value {
    let count = spec["count"].as_u64().unwrap_or(1);
    let started: Vec<_> = (0..count).map(|_| start(&spec["request"])).collect();
    let outcomes = started.into_iter().map(|one| match one {
        Ok((future, wrote)) => await_one(future, wrote),
        Err(stopped) => stopped,
    });
    let answered = outcomes.filter(|outcome| outcome.get("status").is_some()).count();
    json!({"started": count, "answered": answered})
}

/// Makes the same request again and again, and keeps nothing of it.
pub(crate) fn hammer(spec: &Value) -> Value {
    let count = spec["count"].as_u64().unwrap_or(1);
    for _ in 0..count {
        if let Ok((future, wrote)) = start(&spec["request"]) {
            await_one(future, wrote);
        }
    }
    json!({"made": count})
}

/// Starts a request; an error is a report of where it stopped.
fn start(spec: &Value) -> Result<(FutureIncomingResponse, u64), Value> {
    let stopped = |at: &'static str| move |()| json!({"stopped": at});
    let request = OutgoingRequest::new(headers(&spec["headers"])?);
    request.set_method(&method(spec["verb"].as_str().unwrap_or("GET"))).map_err(stopped("verb"))?;
    request.set_scheme(scheme(spec["scheme"].as_str()).as_ref()).map_err(stopped("scheme"))?;
    let authority = spec["authority"].as_str().unwrap_or("pve.internal");
    request.set_authority(Some(authority)).map_err(stopped("authority"))?;
    request.set_path_with_query(spec["path"].as_str()).map_err(stopped("path"))?;
    let body = request.body().map_err(stopped("body"))?;
    let future =
        outgoing_handler::handle(request, None).map_err(|code| json!({"error": format!("{code:?}")}))?;
    let wrote = write(body, spec);
    Ok((future, wrote))
}

fn headers(spec: &Value) -> Result<Fields, Value> {
    let pairs = spec.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries: Vec<_> = pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1]).into_bytes())).collect();
    Fields::from_list(&entries).map_err(|error| json!({"stopped": "headers", "error": format!("{error:?}")}))
}

fn method(verb: &str) -> Method {
    match verb {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn scheme(name: Option<&str>) -> Option<Scheme> {
    match name {
        None | Some("https") => Some(Scheme::Https),
        Some("none") => None,
        Some("http") => Some(Scheme::Http),
        Some(other) => Some(Scheme::Other(other.to_owned())),
    }
}

/// Writes `body`, or `body_bytes` bytes, and says how many bytes were taken.
fn write(body: OutgoingBody, spec: &Value) -> u64 {
    let Ok(stream) = body.write() else { return 0 };
    let mut wrote = 0;
    let mut put = |chunk: &[u8]| match stream.blocking_write_and_flush(chunk) {
        Ok(()) => {
            wrote += chunk.len() as u64;
            true
        }
        Err(_) => false,
    };
    let whole = match (spec["body"].as_str(), spec["body_bytes"].as_u64()) {
        (Some(text), _) => text.as_bytes().chunks(CHUNK).all(&mut put),
        (None, Some(bytes)) => (0..bytes / CHUNK as u64).all(|_| put(&[b'x'; CHUNK])),
        (None, None) => true,
    };
    drop(stream);
    if whole {
        // A body that was refused half-way is reported by the answer.
        let _ = OutgoingBody::finish(body, None);
    }
    wrote
}

fn await_one(future: FutureIncomingResponse, wrote: u64) -> Value {
    future.subscribe().block();
    match future.get() {
        Some(Ok(Ok(response))) => read(&response, wrote),
        Some(Ok(Err(code))) => json!({"error": format!("{code:?}"), "wrote": wrote}),
        _ => json!({"error": "no answer", "wrote": wrote}),
    }
}

fn read(response: &IncomingResponse, wrote: u64) -> Value {
    let headers: Vec<_> = response
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| json!([name, String::from_utf8_lossy(&value)]))
        .collect();
    let (mut kept, mut length, mut whole) = (Vec::new(), 0, false);
    if let Some(stream) = response.consume().ok().as_ref().and_then(|body| body.stream().ok()) {
        loop {
            match stream.blocking_read(64 * 1024) {
                Ok(chunk) => {
                    length += chunk.len();
                    kept.extend(chunk.iter().take(SHOWN - kept.len().min(SHOWN)));
                }
                Err(error) => {
                    whole = matches!(error, StreamError::Closed);
                    break;
                }
            }
        }
    }
    let body = String::from_utf8_lossy(&kept);
    json!({
        "status": response.status(), "headers": headers, "body": body, "length": length, "whole": whole, "wrote": wrote,
    })
}
