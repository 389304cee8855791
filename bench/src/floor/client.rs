//! The plain client, and a tool's code on top of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use proxmox_tools::catalogue::{self, Step};
use proxmox_tools::cx;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;

use crate::backend::Address;
use crate::plan::Sent;

/// A plain client that keeps its connections.
pub(crate) struct Plain {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    origin: String,
    authorization: String,
}

impl Plain {
    pub(crate) fn new(address: &Address) -> Result<Plain> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(address.ca_pem.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        #[expect(clippy::disallowed_methods, reason = "the server's way out is what it is compared with")]
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(4))
            .build(connector);
        let Address { host, port, user, token_name, token, .. } = address;
        Ok(Plain {
            client,
            origin: format!("https://{host}:{port}"),
            authorization: format!("PVEAPIToken={user}!{token_name}={token}"),
        })
    }

    async fn send(&self, verb: &str, path: &str, form: &str) -> Result<(u16, Bytes)> {
        let mut request = Request::builder()
            .method(verb)
            .uri(format!("{}{path}", self.origin))
            .header(AUTHORIZATION, &self.authorization);
        if verb != "GET" {
            request = request
                .header(CONTENT_LENGTH, form.len())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let response = self.client.request(request.body(Full::new(Bytes::from(form.to_owned())))?).await?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// Makes the requests of each group together, and gives the bytes of the answers.
    pub(crate) async fn ask(self: &Arc<Self>, groups: &[&'static [Sent]]) -> Result<usize> {
        let (mut bytes, mut pid) = (0, String::new());
        for group in groups {
            let ready = group.iter().map(|(verb, path, form)| {
                let (plain, path) = (self.clone(), format!("/api2/json{}", path.replace("{pid}", &pid)));
                async move {
                    let (status, body) = plain.send(verb, &path, form).await?;
                    ensure!(status == 200, "{verb} {path}: {status}");
                    anyhow::Ok(body)
                }
            });
            let mut ready: Vec<_> = ready.collect();
            // The last one, and mostly it is the only one, needs no task of its own.
            let last = ready.pop().context("an empty group")?;
            let others: Vec<_> = ready.into_iter().map(tokio::spawn).collect();
            let mut bodies = vec![last.await?];
            for other in others {
                bodies.push(other.await??);
            }
            for body in bodies {
                bytes += body.len();
                if let Some(started) = process(&body) {
                    pid = started;
                }
            }
        }
        Ok(bytes)
    }
}

/// The process that an answer of the guest agent names.
fn process(body: &[u8]) -> Option<String> {
    let body = std::str::from_utf8(body).ok().filter(|body| body.len() < 200)?;
    let digits = body.split_once("\"pid\":")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit())?;
    digits.get(..end).map(str::to_owned)
}

/// The code of the tools, natively, over the plain client.
pub(crate) struct Native {
    plain: Arc<Plain>,
    runtime: Handle,
}

impl Native {
    pub(crate) fn new(plain: Arc<Plain>) -> Native {
        Native { plain, runtime: Handle::current() }
    }

    /// Calls a tool that answers at once; gives the bytes of its answer.
    pub(crate) fn call(&self, tool: &str, arguments: &str) -> Result<usize> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let step = catalogue::call(self, u64::try_from(now.as_millis())?, tool, arguments);
        match step.map_err(|error| anyhow::anyhow!("{tool}: {error}"))? {
            Step::Done(output) => Ok(output.text.len() + output.data.to_string().len()),
            Step::Pending(..) => None.context("the tool waits for something, so it cannot be compared"),
        }
    }
}

impl cx::Transport for Native {
    fn send_all(&self, requests: &[cx::Request]) -> Vec<Result<cx::Response, cx::SendError>> {
        let send = |request: cx::Request| {
            let plain = self.plain.clone();
            self.runtime.spawn(async move {
                let (verb, form) = (request.verb.as_str(), request.form.as_deref().unwrap_or_default());
                plain.send(verb, &request.path, form).await
            })
        };
        let under_way: Vec<_> = requests.iter().cloned().map(send).collect();
        let answers = under_way.into_iter().map(|answer| match self.runtime.block_on(answer) {
            Ok(Ok((status, body))) => Ok(cx::Response { status, reason: None, body: body.to_vec() }),
            _ => Err(cx::SendError::Closed),
        });
        answers.collect()
    }
}
