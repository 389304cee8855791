//! MCP on standard input and output, one message a line.
//!
//! Waiting is left to the runtime: it wakes this instance when there is input, or when a call is due.

use std::io::Write as _;

use waki::bindings::wasi::clocks::monotonic_clock;
use waki::bindings::wasi::io::poll;
use waki::bindings::wasi::io::streams::{InputStream, StreamError};

use crate::door::{Caller, Unnamed};
use crate::guest::{SystemClock, get_stdin, with_caller};
use crate::http::Http;
use crate::server::session::Session;
use crate::server::{Clock as _, Server, rpc};

/// What one read moves at most, in bytes.
const READ_CHUNK: u64 = 64 * 1024;
/// The longest line that is read, in bytes.
const MAX_LINE: usize = 4 << 20;

/// Serves until the end of input, and answers what is still owed then.
pub(crate) fn serve() -> Result<(), ()> {
    match with_caller(&Unnamed(&Http::INTERNAL), |caller| Client::new(caller).serve()) {
        Ok(served) => served,
        Err(message) => {
            writeln!(std::io::stderr(), "proxmox-mcp: {message}").ok();
            Err(())
        }
    }
}

struct Client<'a> {
    session: Session<'a>,
    /// What came after the last end of a line.
    rest: Vec<u8>,
    /// Whether the line that is coming in is too long, and being passed over.
    skips: bool,
    /// Whether output still goes somewhere.
    is_heard: bool,
}

impl<'a> Client<'a> {
    fn new(caller: Caller<'a>) -> Self {
        let session = Session::new(Server::new(caller, &SystemClock));
        Client { session, rest: Vec::new(), skips: false, is_heard: true }
    }

    fn serve(mut self) -> Result<(), ()> {
        let input = get_stdin();
        let ended = self.follow(&input);
        drop(input);
        // A message may be the last thing in the input, without an end of line.
        let rest = std::mem::take(&mut self.rest);
        self.take(&rest);
        while let (Some(due_ms), true) = (self.session.due_ms(), self.is_heard) {
            SystemClock.sleep_ms(due_ms.saturating_sub(SystemClock.now_ms()));
            self.session.go_on(&mut say(&mut self.is_heard));
        }
        ended
    }

    /// Reads until the end of input.
    fn follow(&mut self, input: &InputStream) -> Result<(), ()> {
        while self.is_heard {
            self.wait(input);
            self.session.go_on(&mut say(&mut self.is_heard));
            match input.read(READ_CHUNK) {
                Ok(bytes) => self.hear(&bytes),
                Err(StreamError::Closed) => return Ok(()),
                Err(StreamError::LastOperationFailed(_)) => return Err(()),
            }
        }
        Ok(())
    }

    /// Until there is input, or a call is due. The pollables are gone before anything that they watch.
    fn wait(&self, input: &InputStream) {
        let readable = input.subscribe();
        match self.session.due_ms() {
            None => readable.block(),
            Some(due_ms) => {
                let ns = due_ms.saturating_sub(SystemClock.now_ms()).saturating_mul(1_000_000);
                let timer = monotonic_clock::subscribe_duration(ns);
                poll::poll(&[&readable, &timer]);
            }
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends = part.ends_with(b"\n");
            if !self.skips {
                self.rest.extend_from_slice(part);
            }
            if self.rest.len() > MAX_LINE {
                self.rest = Vec::new();
                self.skips = true;
                say(&mut self.is_heard)(rpc::too_long(MAX_LINE));
            }
            if ends && !std::mem::take(&mut self.skips) {
                let line = std::mem::take(&mut self.rest);
                self.take(&line);
            }
        }
    }

    fn take(&mut self, line: &[u8]) {
        self.session.line(line, &mut say(&mut self.is_heard));
    }
}

/// Writes messages to standard output, as long as somebody reads them.
fn say(is_heard: &mut bool) -> impl FnMut(serde_json::Value) {
    |message| {
        let mut text = message.to_string();
        text.push('\n');
        let mut output = std::io::stdout().lock();
        *is_heard &= output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_ok();
    }
}
