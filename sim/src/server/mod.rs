//! The server: its thread, its listener, and the life of a connection.

mod tls;
mod wire;

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

pub(crate) use tls::{Identity, colons, identity};
pub(crate) use wire::{Head, Response};

use crate::faults::Kind;
use crate::{Error, Logged, Shared, rest};

/// An idle connection is closed after this.
const IDLE: Duration = Duration::from_secs(5);
/// A connection serves this many requests.
const REQUESTS_PER_CONNECTION: usize = 100;
/// Greatest request body, in bytes.
const MAX_BODY: usize = 512 * 1024;

/// A running server; dropping it ends its thread.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nobody listening means that the thread has ended already.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Binds to the loopback address and serves from a thread of its own.
pub(crate) fn start(shared: Arc<Shared>, identity: &Identity, port: u16) -> Result<Running, Error> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(Error::Listen)?;
    listener.set_nonblocking(true).map_err(Error::Listen)?;
    let addr = listener.local_addr().map_err(Error::Listen)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Listen)?;
    let (stop, stopped) = watch::channel(false);
    let acceptor = identity.acceptor.clone();
    let thread = std::thread::Builder::new()
        .name("proxmox-sim".into())
        .spawn(move || {
            runtime.block_on(accept(listener, acceptor, shared, stopped));
            runtime.shutdown_background();
        })
        .map_err(Error::Listen)?;
    Ok(Running { addr, stop, thread: Some(thread) })
}

async fn accept(
    listener: StdListener,
    acceptor: tokio_rustls::TlsAcceptor,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let connections = AtomicU64::new(0);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let number = connections.fetch_add(1, Ordering::Relaxed) + 1;
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                // A connection that breaks is the peer's affair.
                tokio::spawn(async move { let _ = connection(stream, acceptor, shared, number).await; });
            }
        }
    }
}

/// One connection: TLS, or a redirect for a client that speaks plain HTTP.
async fn connection(
    mut stream: TcpStream,
    acceptor: tokio_rustls::TlsAcceptor,
    shared: Arc<Shared>,
    number: u64,
) -> std::io::Result<()> {
    const TLS_HANDSHAKE: u8 = 0x16;
    stream.set_nodelay(true)?;
    let mut first = [0];
    if timeout(IDLE, stream.peek(&mut first)).await?? == 0 {
        return Ok(());
    }
    if first != [TLS_HANDSHAKE] {
        return redirect(&mut stream).await;
    }
    let mut io = acceptor.accept(stream).await?;
    shared.traffic.connections.fetch_add(1, Ordering::Relaxed);
    let mut reader = wire::Reader::new();
    for served in 1..=REQUESTS_PER_CONNECTION {
        let Ok(Some(head)) = timeout(IDLE, reader.head(&mut io)).await? else { break };
        let allowed = served < REQUESTS_PER_CONNECTION;
        if !exchange(&mut io, &mut reader, head, &shared, number, allowed).await? {
            break;
        }
    }
    io.shutdown().await
}

/// The answer to plain HTTP on this port.
async fn redirect(stream: &mut TcpStream) -> std::io::Result<()> {
    let Some(head) = timeout(IDLE, wire::Reader::new().head(stream)).await?? else { return Ok(()) };
    let host = head.header("host").unwrap_or("localhost:8006");
    let response = Response {
        status: 301,
        reason: "Moved Permanently".into(),
        body: b"Moved Permanently".to_vec(),
        location: Some(format!("https://{host}{}", head.target)),
        ..Response::default()
    };
    wire::write(stream, &response, false).await?;
    stream.shutdown().await
}

/// One request and its answer; says whether the connection goes on.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    io: &mut S,
    reader: &mut wire::Reader,
    head: Head,
    shared: &Shared,
    connection: u64,
    allowed: bool,
) -> std::io::Result<bool> {
    let length: usize = head.header("content-length").and_then(|l| l.trim().parse().ok()).unwrap_or(0);
    let readable = length <= MAX_BODY && head.header("transfer-encoding").is_none();
    let body = if readable { reader.body(io, length).await? } else { Vec::new() };
    let fault = shared.faults().take(&head);
    if let Some(Kind::Slow(time)) = &fault {
        sleep(*time).await;
    }
    let mut answered = match &fault {
        Some(Kind::DropConnection) => {
            shared.log(Logged::new(connection, &head, body, 0));
            return Ok(false);
        }
        Some(kind) if kind.replaces_answer() => kind.answer(),
        _ => rest::answer(shared, &head, &body, length > MAX_BODY),
    };
    compress(&head, &mut answered.response);
    shared.traffic.requests.fetch_add(1, Ordering::Relaxed);
    shared.traffic.bytes.fetch_add(answered.response.body.len() as u64, Ordering::Relaxed);
    shared.log(Logged::new(connection, &head, body, answered.response.status));
    if !answered.delay.is_zero() {
        sleep(answered.delay).await;
    }
    let keep = allowed && head.keep_alive() && answered.response.status < 400;
    match fault {
        Some(Kind::LoseAnswer) => return Ok(false),
        Some(Kind::CutBody) => {
            cut(io, &answered.response).await?;
            return Ok(false);
        }
        Some(Kind::EndlessBody) => return endless(io, &answered.response).await,
        Some(Kind::DripBody(pause)) => {
            let head = wire::response_head(&answered.response, 0, false);
            return drip(io, &head, b"x", pause).await;
        }
        Some(Kind::DripHead(pause)) => return drip(io, b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", pause).await,
        Some(Kind::EndlessInterim(pause)) => return drip(io, b"", &interim(102), pause).await,
        Some(Kind::Interim(status, count)) => {
            io.write_all(&interim(status).repeat(count)).await?;
            wire::write(io, &answered.response, keep).await?;
        }
        _ => wire::write(io, &answered.response, keep).await?,
    }
    if !keep {
        io.shutdown().await?;
        reader.drain(io).await;
    }
    Ok(keep)
}

/// Compresses an answer for a client that asked for it, as the real server does from 1 KiB on.
fn compress(head: &Head, response: &mut Response) {
    let asked = head.header("accept-encoding").is_some_and(|e| e.contains("gzip"));
    if !asked || response.body.len() <= 1024 || response.content_type.is_none() {
        return;
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let packed = std::io::Write::write_all(&mut encoder, &response.body).and_then(|()| encoder.finish());
    if let Ok(packed) = packed {
        response.body = packed;
        response.gzip = true;
    }
}

/// Announces the whole body and sends half of it.
async fn cut(io: &mut (impl AsyncWrite + Unpin), response: &Response) -> std::io::Result<()> {
    let mut bytes = wire::response_head(response, response.body.len(), false);
    bytes.extend(response.body.iter().take(response.body.len() / 2));
    io.write_all(&bytes).await?;
    io.flush().await
}

/// Sends a body that does not end, until the peer has had enough.
async fn endless(io: &mut (impl AsyncWrite + Unpin), response: &Response) -> std::io::Result<bool> {
    io.write_all(&wire::response_head(response, 0, false)).await?;
    io.write_all(b"{\"data\":\"").await?;
    let piece = [b'x'; 16 * 1024];
    loop {
        io.write_all(&piece).await?;
        io.flush().await?;
    }
}

/// Sends `first`, and then `piece` again and again with a pause between, until the peer has had enough.
async fn drip(
    io: &mut (impl AsyncWrite + Unpin),
    first: &[u8],
    piece: &[u8],
    pause: Duration,
) -> std::io::Result<bool> {
    io.write_all(first).await?;
    loop {
        io.write_all(piece).await?;
        io.flush().await?;
        sleep(pause).await;
    }
}

/// An interim answer, as a proxy in between sends it.
fn interim(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} Interim\r\nLink: </x>; rel=preload\r\nSet-Cookie: interim=1\r\n\r\n")
        .into_bytes()
}
