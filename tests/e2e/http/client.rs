//! The real binary behind a port, and a client that writes HTTP by hand, so that it can also write it wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proxmox_sim::Sim;
use serde_json::{Value, json};

use crate::harness::{configured, run, stateless_meta};

/// Long enough for a loaded machine; nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Served {
    /// Starts the binary on a port of its own choice, against this cluster.
    pub(crate) fn start(sim: &Sim, arguments: &[&str]) -> Self {
        let mut command = configured(sim, &sim.token());
        command.args(["serve", "--http", "127.0.0.1:0"]).args(arguments);
        Self::of(command)
    }

    /// Starts a command that serves.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let log: Arc<Mutex<String>> = Arc::default();
        let mut address = None;
        for line in lines.by_ref() {
            log.lock().unwrap().push_str(&format!("{line}\n"));
            if let Some((_, rest)) = line.split_once("listens on ") {
                let rest = rest.split_once("://").unwrap().1;
                address = Some(rest.trim_end_matches("/mcp").parse().unwrap());
                break;
            }
        }
        let kept = log.clone();
        std::thread::spawn(move || {
            lines.for_each(|line| kept.lock().unwrap().push_str(&format!("{line}\n")));
        });
        let address = address.unwrap_or_else(|| panic!("it does not listen: {}", log.lock().unwrap()));
        Self { child, address, log }
    }

    /// What it wrote on standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has written this.
    pub(crate) fn has_said(&self, text: &str) {
        let begun = std::time::Instant::now();
        while !self.log().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "it never said {text:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A connection.
    #[expect(clippy::disallowed_methods, reason = "a test that plays a client")]
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends these bytes on a connection of their own and reads the answer.
    pub(crate) fn raw(&self, request: &[u8]) -> Reply {
        let mut stream = self.connect();
        // It may answer, and close, before it has read all of it.
        let _ = stream.write_all(request);
        Reply::read(stream)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = run(Command::new("kill").args([signal, &self.child.id().to_string()]));
        assert!(sent.status.success());
    }

    /// Waits for the end; gives the exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request to `/mcp`.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) body: String,
}

impl Ask {
    /// A message, with the headers that every client sends.
    pub(crate) fn post(message: &Value) -> Self {
        let headers = [
            ("Host", "localhost"),
            ("Accept", "application/json, text/event-stream"),
            ("Content-Type", "application/json"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { headers, method: "POST", path: "/mcp", body: message.to_string() }
    }

    /// A request of the era without sessions.
    pub(crate) fn modern(method: &str, mut params: Value) -> Self {
        if params["_meta"].is_null() {
            params["_meta"] = stateless_meta();
        }
        let name =
            ["name", "uri", "taskId"].into_iter().find_map(|key| params[key].as_str()).map(str::to_owned);
        let ask = Self::post(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
        let ask = ask.with("MCP-Protocol-Version", "2026-07-28").with("Mcp-Method", method);
        match name {
            Some(name) => ask.with("Mcp-Name", &name),
            None => ask,
        }
    }

    /// A call of a tool in that era.
    pub(crate) fn call(tool: &str, arguments: Value) -> Self {
        Self::modern("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// With a header, in the place of one of that name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.and(name, value)
    }

    /// With a header more.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a token.
    pub(crate) fn by(self, token: &str) -> Self {
        self.with("Authorization", &format!("Bearer {token}"))
    }

    /// As it is written.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body));
        text.into_bytes()
    }

    /// Sends it and reads the answer.
    pub(crate) fn send(&self, server: &Served) -> Reply {
        server.raw(&self.bytes())
    }

    /// Sends it and leaves the answer to be read event by event.
    pub(crate) fn open(&self, server: &Served) -> Events {
        let mut stream = server.connect();
        stream.write_all(&self.bytes()).unwrap();
        Events::of(stream)
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// Reads an answer to its end.
    pub(crate) fn read(stream: impl Read) -> Self {
        let mut reader = BufReader::new(stream);
        let (status, headers) = head(&mut reader);
        let mut body = Vec::new();
        let reply = Self { status, headers, body: String::new() };
        match reply.header("content-length") {
            Some(length) => {
                reader.take(length.parse().unwrap()).read_to_end(&mut body).unwrap();
            }
            None if reply.header("transfer-encoding").is_some() => {
                while let Some(chunk) = chunk(&mut reader) {
                    body.extend(chunk);
                }
            }
            None => {}
        }
        Self { body: String::from_utf8(body).unwrap(), ..reply }
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The messages in it, whether they came as JSON or as events.
    pub(crate) fn messages(&self) -> Vec<Value> {
        match self.header("content-type") {
            Some("text/event-stream") => self.body.lines().filter_map(message).collect(),
            _ => vec![serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))],
        }
    }

    /// The result of the request.
    pub(crate) fn result(&self) -> Value {
        let last = self.messages().pop().unwrap_or_else(|| panic!("no message: {self:?}"));
        last.get("result").cloned().unwrap_or_else(|| panic!("no result: {last}"))
    }
}

fn head(reader: &mut impl BufRead) -> (u16, Vec<(String, String)>) {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no status: {line:?}")).parse().unwrap();
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => return (status, headers),
        }
    }
}

/// The next piece of a chunked body.
fn chunk(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let length = usize::from_str_radix(line.trim(), 16).ok()?;
    let mut bytes = vec![0; length + 2];
    reader.read_exact(&mut bytes).ok()?;
    bytes.truncate(length);
    (length > 0).then_some(bytes)
}

fn message(line: &str) -> Option<Value> {
    let data = line.strip_prefix("data:")?.trim();
    (!data.is_empty()).then(|| serde_json::from_str(data).unwrap_or_else(|e| panic!("{e}: {data}")))
}

/// An answer that comes event by event. Dropping it closes the connection.
pub(crate) struct Events {
    reader: BufReader<TcpStream>,
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    text: String,
}

impl Events {
    fn of(stream: TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let (status, headers) = head(&mut reader);
        Self { reader, status, headers, text: String::new() }
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The next message; `None` at the end of the stream. A stream that only shows now and then that it is alive
    /// says nothing any more.
    pub(crate) fn next(&mut self) -> Option<Value> {
        for _ in 0..4 {
            while let Some((line, rest)) = self.text.split_once('\n') {
                let found = message(line);
                self.text = rest.to_owned();
                if found.is_some() {
                    return found;
                }
            }
            self.text.push_str(&String::from_utf8(chunk(&mut self.reader)?).unwrap());
        }
        panic!("the stream goes on without a message")
    }
}

/// A session of the older era.
pub(crate) struct Session<'a> {
    server: &'a Served,
    token: Option<&'a str>,
    pub(crate) id: String,
    next_id: i64,
}

impl<'a> Session<'a> {
    /// Shakes hands.
    pub(crate) fn open(server: &'a Served, token: Option<&'a str>, capabilities: Value) -> Self {
        let mut session = Self { server, token, id: String::new(), next_id: 1 };
        let client = json!({"name": "e2e", "version": "1"});
        let params =
            json!({"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": client});
        let reply = session.ask("initialize", params).send(server);
        assert_eq!(reply.status, 200, "{reply:?}");
        session.id = reply.header("mcp-session-id").expect("a session").to_owned();
        assert_eq!(reply.result()["protocolVersion"], "2025-11-25");
        let done = session.message(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        assert_eq!(done.send(server).status, 202);
        session
    }

    /// A message of this session.
    pub(crate) fn message(&self, message: &Value) -> Ask {
        let mut ask = Ask::post(message);
        if !self.id.is_empty() {
            ask = ask.with("Mcp-Session-Id", &self.id).with("MCP-Protocol-Version", "2025-11-25");
        }
        match self.token {
            Some(token) => ask.by(token),
            None => ask,
        }
    }

    /// A request of this session.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Ask {
        let id = self.next_id;
        self.next_id += 1;
        self.message(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
    }

    /// The result of a tool call.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments})).send(self.server).result()
    }
}
