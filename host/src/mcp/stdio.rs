//! Standard input and output as a transport for rmcp, with what rmcp leaves to others:
//!
//! * a line that is no JSON-RPC message gets an error instead of silence;
//! * a request that comes before any handshake is served as if there had been one, so that
//!   `echo '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' | proxmox-mcp` answers;
//! * a notification before any handshake is passed over instead of ending the process;
//! * at the end of input, the answers still owed are given before the end.
//!
//! Nothing but protocol is written to standard output.

use std::collections::{HashSet, VecDeque};
use std::io::{BufRead, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use rmcp::RoleServer;
use rmcp::model::{
    ClientCapabilities, ClientJsonRpcMessage, ClientNotification, ClientRequest, GetMeta, Implementation,
    InitializeRequest, InitializeRequestParams, InitializedNotification, ProtocolVersion, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::service::{RxJsonRpcMessage, ServerInitializeError, TxJsonRpcMessage, serve_server};
use rmcp::transport::Transport;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::Server;

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 4 << 20;
/// The id of the handshake that was made up for a client that made none.
const SEED_ID: &str = "proxmox-mcp/no-handshake";

/// Methods whose parameters rmcp knows. With parameters that do not fit, it takes them for unknown methods.
const KNOWN: &[&str] = &[
    "initialize",
    "ping",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "server/discover",
];

/// Serves MCP until the end of input.
///
/// # Errors
/// Where standard input or output fails.
pub async fn serve(server: Server) -> Result<()> {
    let hung_up = server.hung_up.clone();
    let (stdio, written) = Stdio::start(hung_up)?;
    let served = match serve_server(server, stdio).await {
        Ok(running) => running.waiting().await.map(drop).map_err(Into::into),
        // A client may start the server just to learn what it speaks.
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(error.into()),
    };
    // What was answered has to be out before the process ends. The channel is empty and closed by now.
    drop(written.await);
    served
}

/// One line of input.
enum Line {
    Text(Vec<u8>),
    TooLong,
}

/// Requests that have no answer yet.
#[derive(Default)]
struct Owed {
    ids: Mutex<HashSet<RequestId>>,
    paid: Notify,
}

impl Owed {
    fn add(&self, id: RequestId) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    fn settle(&self, id: &RequestId) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        self.paid.notify_one();
    }

    async fn all_settled(&self) {
        while !self.ids.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            self.paid.notified().await;
        }
    }
}

struct Stdio {
    lines: mpsc::Receiver<Line>,
    output: Option<mpsc::Sender<String>>,
    owed: Arc<Owed>,
    /// Messages made up here, to be handed on before further input.
    made_up: VecDeque<ClientJsonRpcMessage>,
    /// Whether rmcp knows by now how this client speaks.
    opened: bool,
    /// Set at the end of input.
    hung_up: watch::Sender<bool>,
}

impl Stdio {
    /// Threads of their own read and write: a blocked pipe holds up nothing else. The second value comes when
    /// all is written.
    fn start(hung_up: watch::Sender<bool>) -> Result<(Self, oneshot::Receiver<()>)> {
        let (send_line, lines) = mpsc::channel(64);
        std::thread::Builder::new().name("stdin".into()).spawn(move || read_lines(&send_line))?;
        let (output, texts) = mpsc::channel(64);
        let (done, written) = oneshot::channel();
        std::thread::Builder::new().name("stdout".into()).spawn(move || {
            write_lines(texts);
            // Nobody waits for it any more where the server has already gone.
            let _ = done.send(());
        })?;
        let made_up = VecDeque::new();
        let stdio =
            Self { lines, output: Some(output), owed: Arc::default(), made_up, opened: false, hung_up };
        Ok((stdio, written))
    }

    /// Answers in rmcp's place.
    async fn refuse(&self, id: Value, code: i32, message: &str) {
        let answer = json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}});
        if let Some(output) = &self.output {
            drop(output.send(answer.to_string()).await);
        }
    }

    /// The message of a line; what is none is answered here.
    async fn parse(&self, line: Line) -> Option<ClientJsonRpcMessage> {
        let bytes = match line {
            Line::Text(bytes) => bytes,
            Line::TooLong => {
                self.refuse(Value::Null, -32600, "Invalid Request: the message is longer than 4 MiB").await;
                return None;
            }
        };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        let value: Value = match serde_json::from_slice(&bytes) {
            Ok(value) => value,
            Err(error) => {
                self.refuse(Value::Null, -32700, &format!("Parse error: {error}")).await;
                return None;
            }
        };
        let id =
            value.get("id").filter(|id| id.is_string() || id.is_number()).cloned().unwrap_or(Value::Null);
        if value.is_array() {
            self.refuse(id, -32600, "Invalid Request: batches are not taken; send one message a line").await;
            return None;
        }
        let method = value.get("method").and_then(Value::as_str).map(str::to_owned);
        match serde_json::from_value(value) {
            Ok(ClientJsonRpcMessage::Request(request))
                if matches!(request.request, ClientRequest::CustomRequest(_))
                    && method.as_deref().is_some_and(|method| KNOWN.contains(&method)) =>
            {
                let method = method.unwrap_or_default();
                self.refuse(id, -32602, &format!("Invalid params: these do not fit {method}")).await;
                None
            }
            Ok(message) => Some(message),
            Err(error) => {
                self.refuse(id, -32600, &format!("Invalid Request: {error}")).await;
                None
            }
        }
    }

    /// Lets a message through to rmcp, or not; before the handshake, rmcp takes few.
    fn admit(&mut self, message: ClientJsonRpcMessage) -> Option<ClientJsonRpcMessage> {
        match &message {
            ClientJsonRpcMessage::Request(request) => {
                self.owed.add(request.id.clone());
                if self.opened {
                    return Some(message);
                }
                match &request.request {
                    ClientRequest::InitializeRequest(_) => self.opened = true,
                    ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => {}
                    other => match other.get_meta().protocol_version() {
                        // rmcp answers what is wrong with it, and goes on waiting.
                        Some(version) if version != ProtocolVersion::V_2026_07_28 => {}
                        Some(version) => {
                            self.opened = other.get_meta().missing_required_keys(&version).is_empty()
                        }
                        None => return self.open_for(message),
                    },
                }
                Some(message)
            }
            ClientJsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.owed.settle(id);
                }
                self.opened.then_some(message)
            }
            _ => self.opened.then_some(message),
        }
    }

    /// Makes up the handshake that a client left out.
    fn open_for(&mut self, message: ClientJsonRpcMessage) -> Option<ClientJsonRpcMessage> {
        self.opened = true;
        let params =
            InitializeRequestParams::new(ClientCapabilities::default(), Implementation::new("unknown", "0"))
                .with_protocol_version(ProtocolVersion::V_2025_11_25);
        let request = ClientRequest::InitializeRequest(InitializeRequest::new(params));
        let initialized = ClientNotification::InitializedNotification(InitializedNotification::default());
        self.made_up.push_back(ClientJsonRpcMessage::notification(initialized));
        self.made_up.push_back(message);
        Some(ClientJsonRpcMessage::request(request, RequestId::String(SEED_ID.into())))
    }
}

impl Transport<RoleServer> for Stdio {
    type Error = std::io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let output = self.output.clone();
        let owed = self.owed.clone();
        async move {
            let id = match &message {
                ServerJsonRpcMessage::Response(response) => Some(response.id.clone()),
                ServerJsonRpcMessage::Error(error) => error.id.clone(),
                _ => None,
            };
            if id == Some(RequestId::String(SEED_ID.into())) {
                return Ok(());
            }
            let text = serde_json::to_string(&message)?;
            let output = output.ok_or(std::io::ErrorKind::BrokenPipe)?;
            output.send(text).await.map_err(|_| std::io::ErrorKind::BrokenPipe)?;
            if let Some(id) = id {
                owed.settle(&id);
            }
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(message) = self.made_up.pop_front() {
                return Some(message);
            }
            let Some(line) = self.lines.recv().await else {
                self.hung_up.send_replace(true);
                self.owed.all_settled().await;
                return None;
            };
            if let Some(message) = self.parse(line).await
                && let Some(message) = self.admit(message)
            {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.output = None;
        Ok(())
    }
}

fn read_lines(lines: &mpsc::Sender<Line>) {
    let mut input = std::io::stdin().lock();
    loop {
        let mut bytes = Vec::new();
        let line = match input.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) if bytes.len() as u64 == MAX_LINE && !bytes.ends_with(b"\n") => {
                if input.skip_until(b'\n').is_err() {
                    return;
                }
                Line::TooLong
            }
            Ok(_) => Line::Text(bytes),
        };
        if lines.blocking_send(line).is_err() {
            return;
        }
    }
}

fn write_lines(mut texts: mpsc::Receiver<String>) {
    let mut output = std::io::stdout().lock();
    while let Some(mut text) = texts.blocking_recv() {
        text.push('\n');
        if output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}
