//! Standard input and output as a transport for rmcp, with what rmcp leaves to others:
//!
//! * a request that comes before any handshake is served as if there had been one, so that
//!   `echo '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' | proxmox-mcp` answers, and one of either era may follow;
//! * a notification before any handshake is passed over instead of ending the process;
//! * the answers to a batch are one line;
//! * at the end of input, the answers still owed are given before the end.
//!
//! What concerns every transport is in [`super::strict`].
//!
//! Nothing but protocol is written to standard output.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use anyhow::Result;
use rmcp::RoleServer;
use rmcp::model::{
    ClientCapabilities, ClientJsonRpcMessage, ClientNotification, ClientRequest, GetMeta, Implementation,
    InitializeRequest, InitializeRequestParams, InitializedNotification, ProtocolVersion, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::service::{RxJsonRpcMessage, ServerInitializeError, TxJsonRpcMessage, serve_server};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use super::Server;
use super::batches::Owed;
use super::pipes::{self, Input, Line};
use super::strict::{self, Refused, Strict};

/// The id of the handshake that was made up for a client that made none.
const SEED_ID: &str = "proxmox-mcp/no-handshake";

/// Serves MCP until the end of input.
///
/// # Errors
/// Where standard input or output fails.
pub async fn serve(server: Server) -> Result<()> {
    let hung_up = server.hung_up.clone();
    let (stdio, written) = Stdio::start(hung_up)?;
    let served = match serve_server(Strict::new(server.session()), stdio).await {
        Ok(running) => running.waiting().await.map(drop).map_err(Into::into),
        // A client may start the server just to learn what it speaks.
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(error.into()),
    };
    // What was answered has to be out before the process ends. The channel is empty and closed by now.
    drop(written.await);
    served
}

struct Stdio {
    lines: Input,
    output: Option<mpsc::Sender<String>>,
    owed: Arc<Owed>,
    /// Messages to be handed on before further input.
    queue: VecDeque<ClientJsonRpcMessage>,
    /// Whether rmcp knows by now how this client speaks.
    opened: bool,
    /// The revision that the client asked for in its handshake.
    agreed: Option<ProtocolVersion>,
    /// Set at the end of input.
    hung_up: watch::Sender<bool>,
}

impl Stdio {
    /// The second value comes when all is written.
    fn start(hung_up: watch::Sender<bool>) -> Result<(Self, oneshot::Receiver<()>)> {
        let (output, written) = pipes::output()?;
        let stdio = Self {
            lines: Input::start()?,
            output: Some(output),
            owed: Arc::default(),
            queue: VecDeque::new(),
            opened: false,
            agreed: None,
            hung_up,
        };
        Ok((stdio, written))
    }

    async fn write(&self, text: Option<String>) {
        if let (Some(output), Some(text)) = (&self.output, text) {
            drop(output.send(text).await);
        }
    }

    /// Queues what a line holds for rmcp; what is no message is answered here.
    async fn take_in(&mut self, line: Line) {
        match self.read(line) {
            Ok(None) => {}
            Ok(Some(Value::Array(values))) => self.take_in_batch(values).await,
            Ok(Some(value)) => match strict::message(value) {
                Ok(message) => self.admit(message).await,
                Err(refused) => self.write(Some(refused.answer().to_string())).await,
            },
            Err(refused) => self.write(Some(refused.answer().to_string())).await,
        }
    }

    fn read(&self, line: Line) -> Result<Option<Value>, Refused> {
        match line {
            Line::TooLong => Err(Refused::too_long("4 MiB")),
            Line::Text(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => Ok(None),
            Line::Text(bytes) => strict::json(&bytes).map(Some),
        }
    }

    /// The answers to a batch are one array, in which what asks nothing has no place.
    async fn take_in_batch(&mut self, values: Vec<Value>) {
        let messages = match strict::batch(values, self.agreed.as_ref()) {
            Ok(messages) => messages,
            Err(refused) => return self.write(Some(refused.answer().to_string())).await,
        };
        let (mut waits_for, mut answers, mut good) = (HashSet::new(), Vec::new(), Vec::new());
        for message in messages {
            match message.and_then(|message| self.not_asked_already(message)) {
                Ok(message) => {
                    if let ClientJsonRpcMessage::Request(request) = &message {
                        waits_for.insert(request.id.clone());
                    }
                    good.push(message);
                }
                Err(refused) => answers.push(refused.answer().to_string()),
            }
        }
        let text = self.owed.batch(waits_for, answers);
        self.write(text).await;
        for message in good {
            self.admit(message).await;
        }
    }

    /// Two answers of one id could not be told apart.
    fn not_asked_already(&self, message: ClientJsonRpcMessage) -> Result<ClientJsonRpcMessage, Refused> {
        match &message {
            ClientJsonRpcMessage::Request(request) if self.owed.has(&request.id) => Err(Refused {
                id: request.id.clone().into_json_value(),
                code: -32600,
                message: "Invalid Request: a request of this id is being worked on".to_owned(),
            }),
            _ => Ok(message),
        }
    }

    /// Queues a message for rmcp, or not; before the handshake, rmcp takes few.
    async fn admit(&mut self, message: ClientJsonRpcMessage) {
        match &message {
            ClientJsonRpcMessage::Request(request) => {
                self.owed.add(request.id.clone());
                if let ClientRequest::InitializeRequest(request) = &request.request {
                    self.agreed = Some(request.params.protocol_version.clone());
                }
                if !self.opened && self.opens(&request.request) == Opening::Needed {
                    self.open();
                }
            }
            ClientJsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    let whole = self.owed.cancelled(id);
                    self.write(whole).await;
                }
                if !self.opened {
                    return;
                }
            }
            _ if !self.opened => return,
            _ => {}
        }
        self.queue.push_back(message);
    }

    /// Notes what a request before any handshake opens, and says whether it needs one made up.
    fn opens(&mut self, request: &ClientRequest) -> Opening {
        match request {
            ClientRequest::InitializeRequest(_) => self.opened = true,
            ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => {}
            other => match other.get_meta().protocol_version() {
                // rmcp answers what is wrong with it, and goes on waiting.
                Some(version) if version != ProtocolVersion::V_2026_07_28 => {}
                Some(version) if !other.get_meta().missing_required_keys(&version).is_empty() => {}
                // Without a handshake rmcp would speak the era without one for good, also with who shakes hands later.
                _ => return Opening::Needed,
            },
        }
        Opening::AsItIs
    }

    /// Makes up the handshake that a client left out.
    fn open(&mut self) {
        self.opened = true;
        let params =
            InitializeRequestParams::new(ClientCapabilities::default(), Implementation::new("unknown", "0"))
                .with_protocol_version(ProtocolVersion::V_2025_11_25);
        let request = ClientRequest::InitializeRequest(InitializeRequest::new(params));
        let initialized = ClientNotification::InitializedNotification(InitializedNotification::default());
        self.queue.push_back(ClientJsonRpcMessage::request(request, RequestId::String(SEED_ID.into())));
        self.queue.push_back(ClientJsonRpcMessage::notification(initialized));
    }
}

/// Whether a request needs a handshake to be made up.
#[derive(PartialEq)]
enum Opening {
    Needed,
    AsItIs,
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
            let text = match &id {
                Some(id) => owed.answer(id, text),
                None => Some(text),
            };
            if let Some(text) = text {
                let output = output.ok_or(std::io::ErrorKind::BrokenPipe)?;
                output.send(text).await.map_err(|_| std::io::ErrorKind::BrokenPipe)?;
            }
            if let Some(id) = id {
                owed.settle(&id);
            }
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(message) = self.queue.pop_front() {
                return Some(message);
            }
            let Some(line) = self.lines.next().await else {
                self.hung_up.send_replace(true);
                self.owed.all_settled().await;
                return None;
            };
            self.take_in(line).await;
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.output = None;
        Ok(())
    }
}
