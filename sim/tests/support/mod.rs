//! A small blocking HTTPS client that keeps every byte of an answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use proxmox_sim::Sim;
use serde_json::Value;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};

/// An answer as it came.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Reason phrase; its bytes are read as Latin-1.
    pub(crate) reason: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads the bytes of a whole answer.
    pub(crate) fn parse(bytes: &[u8]) -> Answer {
        let split = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer has a head");
        let head: String = bytes[..split].iter().copied().map(char::from).collect();
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().splitn(3, ' ').skip(1);
        let status = first.next().and_then(|s| s.parse().ok()).expect("a status");
        let reason = first.next().unwrap_or_default().to_owned();
        let headers =
            lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let mut answer = Answer { status, reason, headers, body: bytes[split + 4..].to_vec() };
        if answer.header("Content-Encoding") == Some("gzip") {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_end(&mut plain).expect("gzip");
            answer.body = plain;
        }
        answer
    }

    /// The header of exactly this name, as real headers have it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// A TLS connection to the simulator, its certificate checked.
pub(crate) struct Connection(StreamOwned<ClientConnection, TcpStream>);

impl Connection {
    #[expect(clippy::disallowed_methods, reason = "the test is the client")]
    pub(crate) fn open(sim: &Sim) -> Connection {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(sim.ca_pem().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(sim.addr()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Connection(StreamOwned::new(client, stream))
    }

    /// Sends bytes and reads until the other side closes.
    pub(crate) fn until_closed(mut self, request: &[u8]) -> Vec<u8> {
        // The server may answer and close before it has read everything.
        let _ = self.0.write_all(request).and_then(|()| self.0.flush());
        let mut bytes = Vec::new();
        let _ = self.0.read_to_end(&mut bytes);
        bytes
    }

    /// Sends a request and reads one answer that has a Content-Length.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Option<Answer> {
        self.0.write_all(request).ok()?;
        self.0.flush().ok()?;
        let mut bytes = Vec::new();
        let mut piece = [0; 16 * 1024];
        loop {
            let n = self.0.read(&mut piece).ok().filter(|n| *n > 0)?;
            bytes.extend_from_slice(&piece[..n]);
            let Some(head) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
            let answer = Answer::parse(&bytes);
            let length: usize = answer.header("Content-Length").and_then(|l| l.parse().ok()).unwrap_or(0);
            if bytes.len() >= head + 4 + length {
                return Some(answer);
            }
        }
    }
}

/// The bytes of a request with the simulator's own token; `body` is a form.
pub(crate) fn request(header: &str, verb: &str, path: &str, body: &str) -> Vec<u8> {
    let mut text =
        format!("{verb} /api2/json{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {header}\r\n");
    if verb == "POST" || verb == "PUT" {
        text +=
            &format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", body.len());
    }
    format!("{text}\r\n{body}").into_bytes()
}

/// Calls on a simulator that have to succeed, with what they answer.
pub(crate) struct Api {
    pub(crate) sim: Sim,
    header: String,
}

impl Api {
    /// The demo cluster, where nothing waits.
    pub(crate) fn demo() -> Api {
        Api::new(Sim::start(proxmox_sim::Options::instant()).unwrap())
    }

    pub(crate) fn new(sim: Sim) -> Api {
        let header = sim.token().header();
        Api { sim, header }
    }

    /// Any request: its status and body. Parameters of a reading request go into the query.
    pub(crate) fn send(&self, verb: &str, path: &str, arguments: &str) -> (u16, Value) {
        // A value ends at a second equals sign, unless that is encoded.
        let encoded: Vec<String> = arguments
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((name, value)) => format!("{name}={}", value.replace('=', "%3D")),
                None => pair.to_owned(),
            })
            .collect();
        let arguments = encoded.join("&");
        let in_query = matches!(verb, "GET" | "DELETE") && !arguments.is_empty();
        let bytes = match in_query {
            true => request(&self.header, verb, &format!("{path}?{arguments}"), ""),
            false => request(&self.header, verb, path, &arguments),
        };
        let answer = Connection::open(&self.sim).exchange(&bytes).expect("an answer");
        (answer.status, answer.json())
    }

    #[track_caller]
    fn good(&self, verb: &str, path: &str, arguments: &str) -> Value {
        let (status, mut answer) = self.send(verb, path, arguments);
        assert_eq!(status, 200, "{verb} {path} {arguments}: {answer}");
        answer["data"].take()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.good("GET", path, "")
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &str) -> Value {
        self.good("POST", path, body)
    }

    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: &str) -> Value {
        self.good("PUT", path, body)
    }

    #[track_caller]
    pub(crate) fn delete(&self, path: &str) -> Value {
        self.good("DELETE", path, "")
    }

    /// How the task that a call started ended.
    #[track_caller]
    pub(crate) fn exit(&self, upid: &Value) -> String {
        let upid = upid.as_str().expect("a task's id");
        let node = upid.split(':').nth(1).unwrap();
        let status = self.get(&format!("/nodes/{node}/tasks/{upid}/status"));
        status["exitstatus"].as_str().expect("a task that ended").to_owned()
    }

    /// Starts a task that ends well.
    #[track_caller]
    pub(crate) fn done(&self, verb: &str, path: &str, arguments: &str) {
        let upid = self.good(verb, path, arguments);
        assert_eq!(self.exit(&upid), "OK", "{verb} {path} {arguments}");
    }

    /// The log of a task, its lines joined.
    #[track_caller]
    pub(crate) fn log(&self, upid: &Value) -> String {
        let upid = upid.as_str().expect("a task's id");
        let lines = self.get(&format!("/nodes/{}/tasks/{upid}/log?limit=0", upid.split(':').nth(1).unwrap()));
        let lines = lines.as_array().unwrap().iter().map(|line| line["t"].as_str().unwrap().to_owned());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What a call that is refused says.
    #[track_caller]
    pub(crate) fn refused(&self, verb: &str, path: &str, arguments: &str) -> String {
        let (status, answer) = self.send(verb, path, arguments);
        assert!(status >= 400, "{verb} {path} {arguments}: {answer}");
        let message = answer["message"].as_str().unwrap_or_default().trim_end();
        match answer["errors"].is_object() {
            true => answer["errors"].to_string(),
            false => message.to_owned(),
        }
    }
}
