//! A simulated cluster, and an MCP client that speaks raw JSON lines to the real binary.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use proxmox_sim::{Sim, Token};
use serde_json::{Value, json};

/// Long enough for a loaded machine; nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxmox-mcp"));
    // Settings of whoever runs the tests must not count.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PROXMOX_")) {
        command.env_remove(name);
    }
    command.arg("--no-env-file");
    command
}

/// The binary, pointed at a simulated cluster.
pub(crate) fn configured(sim: &Sim, token: &Token) -> Command {
    let mut command = binary();
    command
        .env("PROXMOX_HOST", sim.addr().to_string())
        .env("PROXMOX_FINGERPRINT", sim.fingerprint())
        .env("PROXMOX_USER", &token.user)
        .env("PROXMOX_TOKEN_NAME", &token.name)
        .env("PROXMOX_TOKEN_VALUE", &token.secret)
        // The simulated cluster's time stands still, too.
        .args(["--clock", "1795341600"]);
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().expect("the binary runs")
}

/// Runs a command with this input, closing it at once.
pub(crate) fn run_with_input(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The lines of a text as JSON.
pub(crate) fn json_lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("UTF-8 on standard output");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// The `_meta` of a request in the stateless era.
pub(crate) fn stateless_meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "e2e", "version": "1"},
    })
}

/// A client in a conversation with the binary.
pub(crate) struct Client {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    next_id: i64,
    /// Messages that were not answers to what was asked.
    pub(crate) aside: Vec<Value>,
    /// What it is being used for, for messages.
    pub(crate) about: String,
}

impl Client {
    /// Starts the binary.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("it starts");
        let output = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines, next_id: 1, aside: Vec::new(), about: String::new() }
    }

    /// Starts the binary against a cluster, with these further arguments, and shakes hands.
    pub(crate) fn connect(sim: &Sim, arguments: &[&str]) -> Self {
        let mut command = configured(sim, &sim.token());
        command.args(arguments);
        let mut client = Self::start(command);
        client.shake_hands("2025-11-25");
        client
    }

    /// The handshake; gives the server's answer.
    pub(crate) fn shake_hands(&mut self, version: &str) -> Value {
        let client = json!({"name": "e2e", "version": "1"});
        let answer = self.request(
            "initialize",
            json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client}),
        );
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        answer
    }

    /// Sends one message.
    pub(crate) fn send(&mut self, message: &Value) {
        self.send_line(&message.to_string());
    }

    /// Sends one line as it is.
    pub(crate) fn send_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is open");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("the server reads");
    }

    /// Sends a request and gives its id.
    pub(crate) fn begin(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// The next message, or `None` where none comes in this time.
    pub(crate) fn next_within(&mut self, time: Duration) -> Option<Value> {
        match self.lines.recv_timeout(time) {
            Ok(line) => {
                Some(serde_json::from_str(&line).unwrap_or_else(|e| panic!("not JSON ({e}): {line}")))
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the server ended {}", self.about),
        }
    }

    /// The answer to a request; what comes before it is kept in `aside`.
    pub(crate) fn answer_to(&mut self, id: &Value) -> Value {
        let answers = |message: &Value| message.get("id") == Some(id) && message.get("method").is_none();
        if let Some(at) = self.aside.iter().position(answers) {
            return self.aside.remove(at);
        }
        loop {
            let message =
                self.next_within(PATIENCE).unwrap_or_else(|| panic!("no answer to {id} {}", self.about));
            if answers(&message) {
                return message;
            }
            self.aside.push(message);
        }
    }

    /// A request and its answer.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        self.answer_to(&json!(id))
    }

    /// The result of a tool call, which may be an error result.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        answer.get("result").cloned().unwrap_or_else(|| panic!("{tool}: {answer}"))
    }

    /// Asks the server to stop.
    pub(crate) fn terminate(&self) {
        let sent = run(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        assert!(sent.status.success());
    }

    /// Closes the input.
    pub(crate) fn hang_up(&mut self) {
        drop(self.input.take());
    }

    /// Closes the input and waits for the end; gives the rest of what was said and the exit code.
    pub(crate) fn finish(mut self) -> (Vec<Value>, Option<i32>) {
        drop(self.input.take());
        let rest = self.lines.iter().map(|line| serde_json::from_str(&line).expect("JSON")).collect();
        (rest, self.child.wait().unwrap().code())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text of a tool result.
pub(crate) fn text(result: &Value) -> String {
    result["content"].as_array().into_iter().flatten().filter_map(|c| c["text"].as_str()).collect()
}

/// Whether a tool result is an error.
pub(crate) fn is_error(result: &Value) -> bool {
    result["isError"] == json!(true)
}

/// Verb and path of each request that reached the cluster, without `/api2/json` and with UPIDs readable.
pub(crate) fn arrived(sim: &Sim) -> Vec<String> {
    let readable = |path: &str| path.replace("%3A", ":").replace("%40", "@").replace("%21", "!");
    let line =
        |r: &proxmox_sim::Logged| format!("{} {}", r.verb, readable(r.path.trim_start_matches("/api2/json")));
    sim.requests().iter().map(line).collect()
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
