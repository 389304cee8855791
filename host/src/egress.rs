//! THE ONLY FILE THAT OPENS A SOCKET.
//!
//! [`Egress::send`] takes a [`Permit`], which only the gate can make, and sends exactly what it says to
//! the one configured server, with the API token. It follows no redirect, keeps connections for reuse,
//! and repeats a request only where Proxmox cannot have acted on it twice.
//!
//! [`collector`] is the way to the operator's OpenTelemetry collector, which has nothing of all that.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use proxmox_gate::{Permit, PermitParts};
use tokio::runtime::Handle;

use crate::echo::Echo;
use crate::engine::MAX_INSTANCES;
use crate::tls::{self, Fingerprint, Refusals, Trust};

const AGENT: &str = concat!("proxmox-mcp/", env!("CARGO_PKG_VERSION"));
/// A server that does not take the connection within this time is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// pveproxy itself waits 30 s for the node that a request is about.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);
/// pveproxy closes a connection that was idle for 5 s.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// Connections kept for reuse: as many as calls run at a time.
const MAX_IDLE: usize = MAX_INSTANCES as usize;

/// The Proxmox server that requests go to, and what opens its door.
#[derive(Clone)]
pub struct Endpoint {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How the server proves itself.
    pub trust: Trust,
    /// The value of the `Authorization` header. Marked sensitive, so that nothing prints it.
    pub authorization: HeaderValue,
}

impl Endpoint {
    /// `host:port`, with brackets around an IPv6 address.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Why a permitted request got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The TLS settings do not work.
    #[error("{0}")]
    Settings(String),
    /// The host name has no address.
    #[error("the host name of {0} cannot be resolved. Check PROXMOX_HOST.")]
    Dns(String),
    /// Nobody listens there.
    #[error(
        "{0} refuses the connection. Is Proxmox VE running there, and is PROXMOX_PORT right (usually 8006)?"
    )]
    Refused(String),
    /// No connection in time.
    #[error("{0} does not answer: no connection within {secs} s. Is the host up, and is the network path open?", secs = CONNECT_TIMEOUT.as_secs())]
    ConnectTimeout(String),
    /// No connection, for another reason.
    #[error("no connection to {authority}: {reason}")]
    Connect {
        /// `host:port`.
        authority: String,
        /// What the system says.
        reason: String,
    },
    /// The certificate was refused.
    #[error(
        "the certificate of {authority} is refused: {reason}. It has the SHA-256 fingerprint {fingerprint}. \
         If that is your server's (compare with `pvenode cert info` there), set PROXMOX_FINGERPRINT={fingerprint}, \
         or set PROXMOX_CA_FILE to a copy of its /etc/pve/pve-root-ca.pem."
    )]
    Certificate {
        /// `host:port`.
        authority: String,
        /// Why.
        reason: String,
        /// What was presented.
        fingerprint: Fingerprint,
    },
    /// TLS failed, but not for the certificate.
    #[error("no TLS connection to {authority}: {reason}. Does that port speak HTTPS?")]
    Tls {
        /// `host:port`.
        authority: String,
        /// What the TLS library says.
        reason: String,
    },
    /// The answer did not come in time. The request may have been carried out.
    #[error("{0} took the request and did not answer within {secs} s. What was asked for may have happened all the same.", secs = ANSWER_TIMEOUT.as_secs())]
    AnswerTimeout(String),
    /// The connection broke. The request may have been carried out.
    #[error(
        "{authority} closed the connection without an answer ({reason}). What was asked for may have happened all the same."
    )]
    Broken {
        /// `host:port`.
        authority: String,
        /// What the HTTP library says.
        reason: String,
    },
}

/// The way out.
pub struct Egress {
    endpoint: Endpoint,
    echo: Echo,
    refusals: Refusals,
    // Made with the first request: reading the system's certificates takes longer than all else at start.
    client: OnceLock<Result<Http, SendError>>,
    home: OnceLock<Handle>,
}

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;
/// The way to a collector of traces and metrics.
pub(crate) type Collector = Http;

/// The way to the collector that the operator named, with the system's certificate authorities. It knows no API
/// token.
///
/// # Errors
/// Where the certificate authorities cannot be read.
pub(crate) fn collector() -> anyhow::Result<Collector> {
    let config = tls::client_config(&Trust::System, &Refusals::default())?;
    let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
    Ok(Client::builder(TokioExecutor::new()).build(connector.wrap_connector(tcp())))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp
}

impl Egress {
    /// The way out to one server.
    pub fn new(endpoint: Endpoint) -> Arc<Self> {
        let echo = Echo::of(&endpoint.authorization);
        let (refusals, client, home) = Default::default();
        Arc::new(Self { endpoint, echo, refusals, client, home })
    }

    /// Has the connections here, with the runtime that this is called on. They stay with the first one.
    pub(crate) fn settle(&self) {
        self.home.get_or_init(Handle::current);
    }

    /// Where the connections are, for whoever is elsewhere.
    pub(crate) fn home_of_others(&self) -> Option<&Handle> {
        self.home.get().filter(|home| home.id() != Handle::current().id())
    }

    /// The server that requests go to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What takes the API token out of answers.
    pub(crate) fn echo(&self) -> &Echo {
        &self.echo
    }

    /// Sends what the gate permitted.
    ///
    /// # Errors
    /// [`SendError`] where there is no answer. An answer of any status is not an error.
    pub(crate) async fn send(&self, permit: Permit) -> Result<Response<Incoming>, SendError> {
        let client = self.client.get_or_init(|| self.connect()).as_ref().map_err(Clone::clone)?;
        let parts = permit.into_parts();
        let attempts = if is_repeatable(parts.method) { 2 } else { 1 };
        let mut failure = None;
        for _ in 0..attempts {
            let request = self.request(&parts)?;
            match tokio::time::timeout(ANSWER_TIMEOUT, client.request(request)).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) if error.is_connect() => return Err(self.not_connected(&error)),
                Ok(Err(error)) => failure = Some(self.broken(&error)),
                Err(_) => return Err(SendError::AnswerTimeout(self.endpoint.authority())),
            }
        }
        Err(failure.unwrap_or_else(|| SendError::AnswerTimeout(self.endpoint.authority())))
    }

    fn connect(&self) -> Result<Http, SendError> {
        let config = tls::client_config(&self.endpoint.trust, &self.refusals)
            .map_err(|error| SendError::Settings(format!("{error:#}")))?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .wrap_connector(tcp());
        Ok(Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(connector))
    }

    fn request(&self, parts: &PermitParts) -> Result<Request<Full<Bytes>>, SendError> {
        let method = Method::from_bytes(parts.method.verb.as_str().as_bytes());
        let (content_type, body) = match &parts.body {
            Some((content_type, bytes)) => (Some(*content_type), Bytes::copy_from_slice(bytes)),
            None => (None, Bytes::new()),
        };
        let mut request = Request::builder()
            .uri(format!("https://{}{}", self.endpoint.authority(), parts.path_and_query))
            .header(AUTHORIZATION, self.endpoint.authorization.clone())
            .header(USER_AGENT, AGENT);
        if let Ok(method) = method {
            request = request.method(method);
        }
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        // Proxmox refuses chunked bodies, and a POST or PUT without a length.
        if !parts.method.verb.reads() {
            request = request.header(CONTENT_LENGTH, body.len());
        }
        request.body(Full::new(body)).map_err(|error| {
            SendError::Settings(format!("{} is not an address: {error}", self.endpoint.authority()))
        })
    }

    fn broken(&self, error: &(dyn std::error::Error + 'static)) -> SendError {
        SendError::Broken { authority: self.endpoint.authority(), reason: innermost(error) }
    }

    fn not_connected(&self, error: &(dyn std::error::Error + 'static)) -> SendError {
        let authority = self.endpoint.authority();
        let mut cause = Some(error);
        while let Some(now) = cause {
            if let Some(tls) = as_tls(now) {
                let refused = matches!(tls, rustls::Error::InvalidCertificate(_));
                return match self.refusals.last() {
                    Some((fingerprint, reason)) if refused => {
                        SendError::Certificate { authority, reason, fingerprint }
                    }
                    _ => SendError::Tls { authority, reason: tls.to_string() },
                };
            }
            if let Some(io) = now.downcast_ref::<std::io::Error>() {
                match io.kind() {
                    std::io::ErrorKind::ConnectionRefused => return SendError::Refused(authority),
                    std::io::ErrorKind::TimedOut => return SendError::ConnectTimeout(authority),
                    _ => {}
                }
            }
            cause = now.source();
        }
        let reason = innermost(error);
        if reason.contains("lookup address") || reason.contains("Name or service not known") {
            return SendError::Dns(authority);
        }
        SendError::Connect { authority, reason }
    }
}

/// Whether asking again, or for a look, is harmless; a kept connection may have been closed just now. Reading the result
/// of a guest's command takes it away, although it is a GET.
pub(crate) fn is_repeatable(method: &proxmox_api::Method) -> bool {
    method.verb.reads() && !method.path.ends_with("/agent/exec-status")
}

/// `io::Error::source` passes over its own payload, so that is looked at first.
fn as_tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    let io = error.downcast_ref::<std::io::Error>()?;
    as_tls(io.get_ref()? as &(dyn std::error::Error + 'static))
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
