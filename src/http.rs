//! The way out: `wasi:http`, by way of waki's bindings. Only this file knows them.
//!
//! waki's own client sends one request after the other and leaves bodies without a length, which
//! Proxmox VE refuses; so requests are started here, all of them, and then awaited together.

use std::borrow::Cow;

use proxmox_api::Verb;
use waki::bindings::wasi::http::outgoing_handler;
use waki::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use waki::bindings::wasi::io::poll::{self, Pollable};
use waki::bindings::wasi::io::streams::StreamError;

use crate::cx::{Request, Response, SendError, Transport};
use crate::door::settings::Settings;

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;
/// What one read or write moves at most, in bytes; `blocking-write-and-flush` takes no more.
const CHUNK: usize = 4096;
const READ_CHUNK: u64 = 256 * 1024;
/// The header in which a host may hand on the reason phrase of an answer.
const REASON: &str = "pve-reason-phrase";
const SECOND_NS: u64 = 1_000_000_000;

/// Where requests go.
pub(crate) struct Http {
    scheme: Scheme,
    authority: Cow<'static, str>,
    /// The header `Authorization`, where the component has to add it.
    authorization: Option<String>,
}

impl Http {
    /// The host's own way to Proxmox VE: it knows the address and adds the credentials.
    pub(crate) const INTERNAL: Http = Http::virtual_at("pve.internal");
    /// Where the host says what it would decide about a request, and sends nothing on.
    const VERDICTS: Http = Http::virtual_at("verdict.pve.internal");

    const fn virtual_at(authority: &'static str) -> Http {
        Http { scheme: Scheme::Https, authority: Cow::Borrowed(authority), authorization: None }
    }

    /// Straight to the server that the environment names. Whoever uses this has to see to it that only what is
    /// granted goes this way.
    pub(crate) fn to(settings: &Settings) -> Http {
        Http {
            scheme: if settings.tls { Scheme::Https } else { Scheme::Http },
            authority: Cow::Owned(settings.authority.clone()),
            authorization: Some(settings.authorization.clone()),
        }
    }
}

impl Transport for Http {
    fn send_all(&self, requests: &[Request]) -> Vec<Result<Response, SendError>> {
        let started: Vec<_> = requests.iter().map(|request| self.start(request)).collect();
        let mut results: Vec<Option<Result<Response, SendError>>> = Vec::new();
        let mut waiting: Vec<(usize, FutureIncomingResponse)> = Vec::new();
        for (place, started) in started.into_iter().enumerate() {
            match started {
                Ok(future) => {
                    waiting.push((place, future));
                    results.push(None);
                }
                Err(error) => results.push(Some(Err(error))),
            }
        }
        while !waiting.is_empty() {
            wait(&waiting);
            waiting.retain(|(place, future)| {
                let Some(outcome) = future.get() else { return true };
                let outcome = outcome.unwrap_or(Err(ErrorCode::InternalError(None)));
                if let Some(result) = results.get_mut(*place) {
                    *result = Some(outcome.map_err(error).and_then(|response| read(&response)));
                }
                false
            });
        }
        results.into_iter().map(|result| result.unwrap_or(Err(SendError::Closed))).collect()
    }

    fn verdict(&self, request: &Request) -> Option<Result<Response, SendError>> {
        Http::VERDICTS.send_all(std::slice::from_ref(request)).pop()
    }
}

impl Http {
    /// Starts a request and does not wait for its answer.
    fn start(&self, request: &Request) -> Result<FutureIncomingResponse, SendError> {
        let form = request.form.as_deref();
        let outgoing = OutgoingRequest::new(self.headers(form)?);
        let bad = |()| SendError::Other("the request cannot be expressed".to_owned());
        outgoing.set_method(&method(request.verb)).map_err(bad)?;
        outgoing.set_scheme(Some(&self.scheme)).map_err(bad)?;
        outgoing.set_authority(Some(&self.authority)).map_err(bad)?;
        outgoing.set_path_with_query(Some(&request.path)).map_err(bad)?;
        let body = outgoing.body().map_err(bad)?;
        let future = outgoing_handler::handle(outgoing, Some(timeouts()?)).map_err(error)?;
        // A host that has already refused the request closes the body; its answer says why.
        if write(&body, form.unwrap_or_default()).is_ok() {
            OutgoingBody::finish(body, None).ok();
        }
        Ok(future)
    }

    fn headers(&self, form: Option<&str>) -> Result<Fields, SendError> {
        let mut entries = vec![("accept".to_owned(), b"application/json".to_vec())];
        if let Some(authorization) = &self.authorization {
            entries.push(("authorization".to_owned(), authorization.clone().into_bytes()));
        }
        if let Some(form) = form {
            entries.push(("content-length".to_owned(), form.len().to_string().into_bytes()));
            if !form.is_empty() {
                entries.push(("content-type".to_owned(), b"application/x-www-form-urlencoded".to_vec()));
            }
        }
        Fields::from_list(&entries).map_err(|_| SendError::Other("the headers were refused".to_owned()))
    }
}

fn timeouts() -> Result<RequestOptions, SendError> {
    let bad = |()| SendError::Other("the timeouts were refused".to_owned());
    let options = RequestOptions::new();
    options.set_connect_timeout(Some(10 * SECOND_NS)).map_err(bad)?;
    // A node waits up to 30 s for another one before it gives up.
    options.set_first_byte_timeout(Some(60 * SECOND_NS)).map_err(bad)?;
    options.set_between_bytes_timeout(Some(30 * SECOND_NS)).map_err(bad)?;
    Ok(options)
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::Get,
        Verb::Post => Method::Post,
        Verb::Put => Method::Put,
        Verb::Delete => Method::Delete,
    }
}

fn write(body: &OutgoingBody, text: &str) -> Result<(), ()> {
    if text.is_empty() {
        return Ok(());
    }
    let stream = body.write()?;
    text.as_bytes().chunks(CHUNK).try_for_each(|chunk| stream.blocking_write_and_flush(chunk).map_err(|_| ()))
}

/// Waits until at least one answer is there.
fn wait(waiting: &[(usize, FutureIncomingResponse)]) {
    let pollables: Vec<Pollable> = waiting.iter().map(|(_, future)| future.subscribe()).collect();
    poll::poll(&pollables.iter().collect::<Vec<_>>());
}

fn read(response: &IncomingResponse) -> Result<Response, SendError> {
    let status = response.status();
    let headers = response.headers();
    let header = |name: &str| -> Option<String> {
        let value = headers.get(&name.to_owned()).into_iter().next()?;
        Some(String::from_utf8_lossy(&value).into_owned())
    };
    let reason = header(REASON);
    // What the header says may not be so; it only spares the growing.
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let length = length.min(LARGEST_ANSWER);
    let body = response.consume().map_err(|()| SendError::Closed)?;
    let stream = body.stream().map_err(|()| SendError::Closed)?;
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let wanted = (length.saturating_sub(bytes.len()) as u64).max(READ_CHUNK);
        match stream.blocking_read(wanted) {
            // Mostly the first piece is all of it, and stays where it is.
            Ok(all) if bytes.is_empty() => bytes = all,
            Ok(more) => {
                bytes.reserve(length.saturating_sub(bytes.len()).max(more.len()));
                bytes.extend_from_slice(&more);
            }
            Err(StreamError::Closed) => return Ok(Response { status, reason, body: bytes }),
            Err(StreamError::LastOperationFailed(_)) => return Err(SendError::Closed),
        }
        if bytes.len() > LARGEST_ANSWER {
            return Err(SendError::TooLarge);
        }
    }
}

fn error(code: ErrorCode) -> SendError {
    match code {
        ErrorCode::HttpRequestDenied => SendError::Denied,
        ErrorCode::ConnectionRefused | ErrorCode::DestinationUnavailable => SendError::Refused,
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => SendError::Timeout,
        ErrorCode::TlsProtocolError | ErrorCode::TlsCertificateError | ErrorCode::TlsAlertReceived(_) => {
            SendError::Tls
        }
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => SendError::Dns,
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => SendError::Closed,
        ErrorCode::HttpResponseBodySize(_) => SendError::TooLarge,
        ErrorCode::InternalError(Some(text)) => SendError::Other(crate::foreign::line(&text, 200)),
        ErrorCode::HttpRequestBodySize(_) | ErrorCode::HttpRequestUriTooLong => {
            SendError::Other("the request is too large".to_owned())
        }
        _ => SendError::Other("the connection failed".to_owned()),
    }
}
