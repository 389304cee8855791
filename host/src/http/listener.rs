//! The port: connections, the time that each may take, and the end of them all.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::ServerHandler;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::front::Front;
use super::settings::HttpSettings;
use super::tls;

/// How long a TLS handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long the head of a request may take, also on a connection that waits for its next one.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// The head of a request, in bytes. What comes in one piece may be up to twice as long.
const MAX_HEAD: usize = 32 << 10;
/// Headers of a request.
const MAX_HEADERS: usize = 64;
/// How long calls under way may take to end, once the server is asked to stop.
const CALLS_END_WITHIN: Duration = Duration::from_secs(20);
/// How long connections may take to close after that.
const CONNECTIONS_END_WITHIN: Duration = Duration::from_secs(2);
/// A pause after the system could not give a connection, as where there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// An open port.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    connections: u32,
}

impl Listener {
    /// Opens the port.
    ///
    /// # Errors
    /// Where the address is taken or not this machine's, or certificate and key cannot be used.
    pub async fn bind(settings: &HttpSettings) -> Result<Self> {
        let tls = match &settings.tls {
            Some((certificate, key)) => Some(tls::acceptor(certificate, key)?),
            None => None,
        };
        let tcp = TcpListener::bind(settings.address)
            .await
            .with_context(|| format!("PROXMOX_HTTP is `{}`, where nobody can listen", settings.address))?;
        Ok(Self { tcp, tls, connections: settings.connections.get() })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.tcp.local_addr()?)
    }

    /// Serves until `stop`: then no more connections are taken, calls under way end, and all the rest is closed.
    pub async fn serve<S: ServerHandler>(self, front: Arc<Front<S>>, stop: impl Future<Output = ()>) {
        let stopping = CancellationToken::new();
        let room = Arc::new(Semaphore::new(self.connections as usize));
        tokio::select! {
            () = self.accept(&front, &room, &stopping) => {}
            () = stop => {}
        }
        drop(self.tcp);
        stopping.cancel();
        if tokio::time::timeout(CALLS_END_WITHIN, front.calls_ended()).await.is_err() {
            tracing::warn!(
                "calls are still under way {} s after the end was asked for",
                CALLS_END_WITHIN.as_secs()
            );
        }
        front.shut();
        drop(tokio::time::timeout(CONNECTIONS_END_WITHIN, room.acquire_many(self.connections)).await);
    }

    /// Takes connections, as many as there is room for; the next ones wait in the system's queue.
    async fn accept<S: ServerHandler>(
        &self,
        front: &Arc<Front<S>>,
        room: &Arc<Semaphore>,
        stopping: &CancellationToken,
    ) {
        loop {
            let Ok(place) = room.clone().acquire_owned().await else { return };
            let (stream, peer) = match self.tcp.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "no connection could be taken");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let (front, tls, stopping) = (front.clone(), self.tls.clone(), stopping.clone());
            tokio::spawn(async move {
                let _place = place;
                converse(stream, peer.ip().to_canonical(), tls, front, stopping).await;
            });
        }
    }
}

async fn converse<S: ServerHandler>(
    stream: TcpStream,
    peer: IpAddr,
    tls: Option<TlsAcceptor>,
    front: Arc<Front<S>>,
    stopping: CancellationToken,
) {
    // Small answers are not held back for larger ones.
    drop(stream.set_nodelay(true));
    let Some(tls) = tls else { return exchange(stream, peer, front, stopping).await };
    match tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await {
        Ok(Ok(stream)) => exchange(stream, peer, front, stopping).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS connection"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
}

/// Requests and answers of one connection.
async fn exchange<S: ServerHandler>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: IpAddr,
    front: Arc<Front<S>>,
    stopping: CancellationToken,
) {
    let service = service_fn(move |request| {
        let front = front.clone();
        async move { Ok::<_, Infallible>(front.answer(peer, request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}
