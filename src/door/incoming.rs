//! MCP over `wasi:http/incoming-handler`: the runtime listens, and hands over one request at a time.

use serde_json::Value;
use waki::bindings::wasi::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use waki::bindings::wasi::io::streams::{OutputStream, StreamError};

use crate::door::Unnamed;
use crate::guest::{SystemClock, variable, with_caller};
use crate::http::Http;
use crate::server::Server;
use crate::server::calls::Waiting;
use crate::server::http::{self, Answer, Head, Keys, MAX_BODY, Served};

/// What one write moves at most, in bytes; `blocking-write-and-flush` takes no more.
const CHUNK: usize = 4096;
const READ_CHUNK: u64 = 64 * 1024;

/// Answers a request.
pub(crate) fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let method = match request.method() {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Delete => "DELETE",
        _ => "other",
    };
    let path = request.path_with_query().unwrap_or_default();
    let authority = request.authority();
    let headers = request.headers();
    let header = |name: &str| {
        let value = headers.get(&name.to_owned()).into_iter().next()?;
        String::from_utf8(value).ok()
    };
    let head = Head { method, path: &path, authority: authority.as_deref(), header: &header };
    let admitted = match Keys::read(&variable) {
        Ok(keys) => keys.admit(&head),
        Err(message) => Err(Answer::text(503, message)),
    };
    if let Err(answer) = admitted {
        return send(out, &answer);
    }
    let Ok(body) = read(&request) else {
        let answer = Answer::text(413, format!("A message has {MAX_BODY} bytes at most."));
        return send(out, &answer);
    };
    let streams = header("accept").is_some_and(|accept| accept.contains("text/event-stream"));
    let mut out = Some(out);
    let served = with_caller(&Unnamed(&Http::INTERNAL), |caller| {
        let server = Server::new(caller, &SystemClock);
        let Some(out) = out.take() else { return };
        match http::serve(&server, &head, &body) {
            Served::Over(answer) => send(out, &answer),
            Served::Waits(id, waiting) if streams => stream(out, &server, &id, waiting),
            Served::Waits(id, waiting) => {
                if let Some(response) = http::follow(&server, &id, waiting, &mut |_| true) {
                    send(out, &Answer::message(200, &response));
                }
            }
        }
    });
    if let (Err(message), Some(out)) = (served, out) {
        send(out, &Answer::text(503, message));
    }
}

/// The body, if it is not too large and comes to an end.
fn read(request: &IncomingRequest) -> Result<Vec<u8>, ()> {
    let body = request.consume()?;
    let stream = body.stream()?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_CHUNK) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(_)) => return Err(()),
        }
        if bytes.len() > MAX_BODY {
            return Err(());
        }
    }
}

/// Sends an answer. Where nobody takes it, there is nobody to tell.
fn send(out: ResponseOutparam, answer: &Answer) {
    let mut headers = vec![
        ("content-type", answer.content_type.to_owned()),
        ("content-length", answer.body.len().to_string()),
        ("cache-control", "no-store".to_owned()),
    ];
    headers.extend(answer.headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let Some(body) = begin(out, answer.status, &headers) else { return };
    if let Ok(stream) = body.write() {
        write(&stream, answer.body.as_bytes()).ok();
    }
    OutgoingBody::finish(body, None).ok();
}

/// Sends what a call that waits has to say as it comes, as events. Whoever closes the stream gives the call up; a
/// task that Proxmox has begun goes on there.
fn stream(out: ResponseOutparam, server: &Server<'_>, id: &Value, waiting: Box<Waiting>) {
    let headers = [
        ("content-type", "text/event-stream".to_owned()),
        ("cache-control", "no-store".to_owned()),
        ("x-accel-buffering", "no".to_owned()),
    ];
    let Some(body) = begin(out, 200, &headers) else { return };
    if let Ok(stream) = body.write() {
        let event = |message: &Value| format!("event: message\ndata: {message}\n\n");
        let mut tell = |progress: Option<Value>| {
            // A comment, where there is nothing to say, shows whether anybody is there.
            let text = progress.as_ref().map_or_else(|| ":\n\n".to_owned(), event);
            write(&stream, text.as_bytes()).is_ok()
        };
        if let Some(response) = http::follow(server, id, waiting, &mut tell) {
            write(&stream, event(&response).as_bytes()).ok();
        }
    }
    OutgoingBody::finish(body, None).ok();
}

fn begin(out: ResponseOutparam, status: u16, headers: &[(&str, String)]) -> Option<OutgoingBody> {
    let fields: Vec<(String, Vec<u8>)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())).collect();
    let response = OutgoingResponse::new(Fields::from_list(&fields).ok()?);
    response.set_status_code(status).ok()?;
    let body = response.body().ok()?;
    ResponseOutparam::set(out, Ok(response));
    Some(body)
}

fn write(stream: &OutputStream, bytes: &[u8]) -> Result<(), ()> {
    bytes.chunks(CHUNK).try_for_each(|chunk| stream.blocking_write_and_flush(chunk).map_err(|_| ()))
}
