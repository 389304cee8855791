//! An MCP client on the standard input and output of a process, lean enough not to show in what it measures.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::adapter::Asked;

/// A running server.
pub(crate) struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next_id: usize,
    line: String,
    greeting: String,
}

/// The parts of an answer that say how it went.
#[derive(Deserialize)]
struct Answer {
    id: Option<usize>,
    result: Option<Outcome>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default, rename = "isError")]
    is_error: bool,
}

/// What a run of calls came to.
#[derive(Debug)]
pub(crate) struct Run {
    /// How long each took.
    pub(crate) times: Vec<Duration>,
    /// From the first question to the last answer.
    pub(crate) whole: Duration,
    /// Bytes of the last answer.
    pub(crate) bytes: usize,
}

impl Client {
    /// Starts a server and shakes hands.
    pub(crate) fn start(mut command: Command) -> Result<Client> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::with_capacity(1 << 16, child.stdout.take().context("no output")?);
        let mut client =
            Client { child, input, output, next_id: 0, line: String::new(), greeting: String::new() };
        let greeting = client.request(
            "initialize",
            json!({
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "proxmox-bench", "version": "1"},
            }),
        )?;
        client.greeting = greeting.to_owned();
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(client)
    }

    /// Its answer to the handshake.
    pub(crate) fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        self.input.write_all(format!("{message}\n").as_bytes())?;
        Ok(self.input.flush()?)
    }

    fn read(&mut self) -> Result<Answer> {
        loop {
            self.line.clear();
            if self.output.read_line(&mut self.line)? == 0 {
                bail!("the server ended: {:?}", self.child.wait()?);
            }
            let answer: Answer = serde_json::from_str(&self.line)
                .with_context(|| format!("no JSON-RPC message: {:.200}", self.line))?;
            // What the server says of itself is not measured.
            if answer.id.is_some() {
                return Ok(answer);
            }
        }
    }

    /// Asks one thing; gives the line that came back.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Result<&str> {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        let answer = self.read()?;
        ensure!(answer.id == Some(id) && answer.error.is_none(), "{method}: {:.500}", self.line);
        Ok(&self.line)
    }

    /// Calls a tool again and again, so many at a time, for so many calls or so long.
    pub(crate) fn calls(
        &mut self,
        asked: &Asked,
        in_flight: usize,
        calls: usize,
        time: Duration,
    ) -> Result<Run> {
        let params = json!({"name": asked.tool, "arguments": asked.arguments});
        let first = self.next_id + 1;
        let begun = Instant::now();
        let mut sent: Vec<Instant> = Vec::with_capacity(calls.min(1 << 16));
        let mut times = Vec::with_capacity(calls.min(1 << 16));
        let mut ended = begun;
        loop {
            while sent.len() < calls.max(in_flight)
                && sent.len() - times.len() < in_flight
                && (begun.elapsed() < time || sent.len() < in_flight)
            {
                self.next_id += 1;
                let id = self.next_id;
                let message = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
                sent.push(Instant::now());
                self.send(&message)?;
            }
            if times.len() == sent.len() {
                break;
            }
            let answer = self.read()?;
            ended = Instant::now();
            let well = answer.result.is_some_and(|outcome| !outcome.is_error);
            ensure!(well, "{} was answered with {:.500}", asked.tool, self.line);
            let place = answer.id.and_then(|id| id.checked_sub(first));
            let sent = place.and_then(|place| sent.get(place)).context("an answer to no question")?;
            times.push(ended - *sent);
        }
        Ok(Run { times, whole: ended - begun, bytes: self.line.len() })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Its input may stay open for as long as this lives, so it is not waited for to end by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
