//! HTTP/1.1 as the API server of Proxmox VE speaks it, byte by byte.
//!
//! Written by hand because the oddities are what counts: answers without body have neither
//! Content-Length nor Content-Type, reason phrases hold Latin-1, every error closes the connection.

use std::io::{Error, ErrorKind, Result, Write};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Greatest head that is read, in bytes.
const MAX_HEAD: usize = 256 * 1024;
/// How much of an unwanted body is read off, in bytes, so that the peer gets to see the answer.
const MAX_DRAIN: usize = 8 * 1024 * 1024;

/// The head of a request.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) verb: String,
    /// Path and query as they came.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    /// HTTP/1.0, where a connection closes unless asked otherwise.
    pub(crate) old: bool,
}

impl Head {
    /// The first header of this name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Whether the client wants the connection kept.
    pub(crate) fn keep_alive(&self) -> bool {
        match self.header("connection") {
            Some(c) if c.to_ascii_lowercase().contains("close") => false,
            Some(c) if c.to_ascii_lowercase().contains("keep-alive") => true,
            _ => !self.old,
        }
    }
}

/// Reads requests off one connection.
pub(crate) struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    pub(crate) fn new() -> Reader {
        Reader { buffer: Vec::with_capacity(4096) }
    }

    /// The next head; `None` where the peer closed instead.
    pub(crate) async fn head(&mut self, io: &mut (impl AsyncRead + Unpin)) -> Result<Option<Head>> {
        loop {
            if let Some((head, used)) = parse(&self.buffer)? {
                self.buffer.drain(..used);
                return Ok(Some(head));
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Error::new(ErrorKind::InvalidData, "request head too long"));
            }
            if io.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// A body of `length` bytes.
    pub(crate) async fn body(&mut self, io: &mut (impl AsyncRead + Unpin), length: usize) -> Result<Vec<u8>> {
        while self.buffer.len() < length {
            if io.read_buf(&mut self.buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.buffer.drain(..length).collect())
    }

    /// Reads off what the peer still sends, for a second at most. Closing with unread bytes would
    /// reset the connection and take the answer with it.
    pub(crate) async fn drain(&mut self, io: &mut (impl AsyncRead + Unpin)) {
        let mut left = MAX_DRAIN;
        let mut scrap = vec![0; 64 * 1024];
        let all = async {
            while left > 0 {
                match io.read(&mut scrap).await {
                    Ok(n) if n > 0 => left = left.saturating_sub(n),
                    _ => break,
                }
            }
        };
        // Running out of time is as good as running out of bytes.
        let _ = tokio::time::timeout(Duration::from_secs(1), all).await;
    }
}

fn parse(buffer: &[u8]) -> Result<Option<(Head, usize)>> {
    let mut slots = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut slots);
    match request.parse(buffer) {
        Ok(httparse::Status::Partial) => Ok(None),
        Err(e) => Err(Error::new(ErrorKind::InvalidData, e)),
        Ok(httparse::Status::Complete(used)) => {
            let head = Head {
                verb: request.method.unwrap_or_default().to_owned(),
                target: request.path.unwrap_or_default().to_owned(),
                headers: request
                    .headers
                    .iter()
                    .map(|h| (h.name.to_owned(), String::from_utf8_lossy(h.value).into_owned()))
                    .collect(),
                old: request.version == Some(0),
            };
            Ok(Some((head, used)))
        }
    }
}

/// An answer that is ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Reason phrase; characters up to U+00FF go out as Latin-1.
    pub(crate) reason: String,
    pub(crate) body: Vec<u8>,
    /// `None` leaves the header out, as errors without formatter do.
    pub(crate) content_type: Option<&'static str>,
    pub(crate) gzip: bool,
    /// `Location` of a redirect.
    pub(crate) location: Option<String>,
}

/// The head of an answer, in the header order of the real server. `length` may differ from the body's.
pub(crate) fn response_head(response: &Response, length: usize, keep: bool) -> Vec<u8> {
    let date = httpdate::fmt_http_date(SystemTime::now());
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(format!("HTTP/1.1 {} ", response.status).as_bytes());
    head.extend(response.reason.chars().map(|c| u8::try_from(c).unwrap_or(b'?')));
    let connection = if keep { "Keep-Alive" } else { "close" };
    // Writing to a vector cannot fail.
    let _ = write!(
        head,
        "\r\nCache-Control: max-age=0\r\nConnection: {connection}\r\nDate: {date}\r\nPragma: no-cache\r\n"
    );
    if let Some(location) = &response.location {
        let _ = write!(head, "Location: {location}\r\n");
    }
    let _ = write!(head, "Server: pve-api-daemon/3.0\r\n");
    if response.gzip {
        let _ = write!(head, "Content-Encoding: gzip\r\n");
    }
    if length > 0 {
        let _ = write!(head, "Content-Length: {length}\r\n");
    }
    if let Some(kind) = response.content_type {
        let _ = write!(head, "Content-Type: {kind}\r\n");
    }
    let _ = write!(head, "Expires: {date}\r\n\r\n");
    head
}

/// Writes an answer.
pub(crate) async fn write(io: &mut (impl AsyncWrite + Unpin), response: &Response, keep: bool) -> Result<()> {
    let mut bytes = response_head(response, response.body.len(), keep);
    bytes.extend_from_slice(&response.body);
    io.write_all(&bytes).await?;
    io.flush().await
}
