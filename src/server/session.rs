//! A client on a connection of its own, such as standard input and output: lines come in, messages go out.
//!
//! Calls that wait for Proxmox are kept here, each with the time at which it is due, so that others are answered
//! meanwhile and a cancelled one is simply forgotten.

use serde_json::{Map, Value};

use super::calls::Waiting;
use super::revision::Revision;
use super::rpc::{self, Fault, INVALID_REQUEST, Message, Request};
use super::{Reply, Server};

/// One client.
#[derive(Debug)]
pub struct Session<'a> {
    server: Server<'a>,
    /// What the handshake ended with; a client that makes none is taken for one of the last era that has one.
    agreed: Revision,
    waiting: Vec<Held>,
    batches: Vec<Batch>,
    next_batch: usize,
}

/// A call that waits, and where its answer goes.
#[derive(Debug)]
struct Held {
    id: Value,
    batch: Option<usize>,
    waiting: Waiting,
}

/// Messages that came together, whose answers go out together.
#[derive(Debug)]
struct Batch {
    number: usize,
    /// Answers that are still to come.
    owed: usize,
    answers: Vec<Value>,
}

/// Takes a message to the client.
pub type Out<'o> = &'o mut dyn FnMut(Value);

impl<'a> Session<'a> {
    /// A client that has said nothing yet.
    pub fn new(server: Server<'a>) -> Self {
        let agreed = Revision::OF_HANDSHAKES;
        Session { server, agreed, waiting: Vec::new(), batches: Vec::new(), next_batch: 0 }
    }

    /// Takes a line. Empty ones mean nothing.
    pub fn line(&mut self, line: &[u8], out: Out<'_>) {
        if line.trim_ascii().is_empty() {
            return;
        }
        match rpc::parse(line) {
            Ok(Value::Array(messages)) => self.batch(messages, out),
            Ok(value) => self.message(value, None, out),
            Err(response) => out(response),
        }
    }

    /// When the next call that waits is due, in milliseconds since 1970; nothing where none does.
    pub fn due_ms(&self) -> Option<u64> {
        self.waiting.iter().map(|held| held.waiting.due_ms).min()
    }

    /// Goes on with the calls that are due.
    pub fn go_on(&mut self, out: Out<'_>) {
        let now_ms = self.server.clock().now_ms();
        let is_due = |held: &mut Held| held.waiting.due_ms <= now_ms;
        let due: Vec<Held> = self.waiting.extract_if(.., is_due).collect();
        for Held { id, batch, waiting } in due {
            let reply = self.server.go_on(waiting);
            self.replied(id, batch, reply, out);
        }
    }

    fn batch(&mut self, messages: Vec<Value>, out: Out<'_>) {
        let refuse = |why: &str| Fault::new(INVALID_REQUEST, why).response(&Value::Null);
        if self.agreed != Revision::V2025_03_26 {
            return out(refuse("Only revision 2025-03-26 of MCP has batches. Send one message a line."));
        }
        if messages.is_empty() {
            return out(refuse("This batch is empty."));
        }
        let number = self.next_batch;
        self.next_batch += 1;
        // One more until all messages are read, so that the batch does not end before.
        self.batches.push(Batch { number, owed: 1, answers: Vec::new() });
        for message in messages {
            self.message(message, Some(number), out);
        }
        self.settle(number, None, out);
    }

    fn message(&mut self, value: Value, batch: Option<usize>, out: Out<'_>) {
        let request = match rpc::read(value) {
            Ok(Message::Request(request)) => request,
            Ok(Message::Notification { method, params }) => return self.noted(&method, &params, out),
            Ok(Message::Response) => return,
            Err(response) => {
                self.owe(batch);
                return self.send(batch, response, out);
            }
        };
        self.owe(batch);
        let reply = self.server.answer(&request, self.agreed);
        self.remember(&request, &reply);
        self.replied(request.id, batch, reply, out);
    }

    /// A handshake holds from now on.
    fn remember(&mut self, request: &Request, reply: &Reply) {
        if let ("initialize", Reply::Over(Ok(result))) = (request.method.as_str(), reply)
            && let Some(agreed) = result.get("protocolVersion").and_then(Value::as_str)
        {
            self.agreed = Revision::agreed(agreed);
        }
    }

    /// A call that its client gave up is forgotten. A task that Proxmox has begun goes on there.
    fn noted(&mut self, method: &str, params: &Map<String, Value>, out: Out<'_>) {
        if method != "notifications/cancelled" {
            return;
        }
        let given_up = params.get("requestId");
        let is_meant = |held: &mut Held| Some(&held.id) == given_up;
        let forgotten: Vec<Held> = self.waiting.extract_if(.., is_meant).collect();
        for number in forgotten.into_iter().filter_map(|held| held.batch) {
            self.settle(number, None, out);
        }
    }

    fn replied(&mut self, id: Value, batch: Option<usize>, reply: Reply, out: Out<'_>) {
        match reply {
            Reply::Over(result) => self.send(batch, rpc::response(&id, result), out),
            Reply::Waits(mut waiting) => {
                if let Some(progress) = waiting.progress() {
                    out(progress);
                }
                self.waiting.push(Held { id, batch, waiting: *waiting });
            }
        }
    }

    fn owe(&mut self, batch: Option<usize>) {
        if let Some(batch) = self.batches.iter_mut().find(|known| Some(known.number) == batch) {
            batch.owed += 1;
        }
    }

    fn send(&mut self, batch: Option<usize>, response: Value, out: Out<'_>) {
        match batch {
            None => out(response),
            Some(number) => self.settle(number, Some(response), out),
        }
    }

    /// One answer of a batch less is owed. With the last one all of them go out.
    fn settle(&mut self, number: usize, response: Option<Value>, out: Out<'_>) {
        let Some(batch) = self.batches.iter_mut().find(|known| known.number == number) else { return };
        batch.answers.extend(response);
        batch.owed -= 1;
        if batch.owed > 0 {
            return;
        }
        let answers = std::mem::take(&mut batch.answers);
        self.batches.retain(|known| known.number != number);
        if !answers.is_empty() {
            out(Value::Array(answers));
        }
    }
}
