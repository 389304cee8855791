//! Why a request fails, in the ways that Proxmox VE has of saying so.

use serde_json::{Map, Value, json};

/// A failed request.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// HTTP status; 595 and 596 are the proxy's own.
    pub status: u16,
    /// The text; its first line becomes the reason phrase.
    pub message: String,
    /// What is wrong with which parameter, for a 400.
    pub errors: Vec<(String, String)>,
    /// How the body looks.
    pub form: Form,
    /// What the answer waits for.
    pub pause: Pause,
}

/// How the body of a failure looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `{"data":null,"message":"...\n"}`, raised inside a method.
    Json,
    /// The same without the newline, raised by the router.
    JsonBare,
    /// The text alone, without Content-Type: raised before a formatter is chosen.
    Plain,
    /// No body.
    Empty,
}

/// What an answer waits for. How long that takes is in [`crate::Options`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pause {
    /// Nothing.
    #[default]
    None,
    /// The penalty on a refused login.
    Unauthorized,
    /// A node that does not answer.
    Unreachable,
    /// The proxy giving up on its own answer.
    BrokenPipe,
    /// A guest agent that does not answer.
    SilentAgent,
    /// A configuration file that something else holds.
    FileLock,
}

impl Failure {
    fn new(status: u16, message: impl Into<String>, form: Form, pause: Pause) -> Failure {
        Failure { status, message: message.into(), errors: Vec::new(), form, pause }
    }

    /// 500 with a text, what Proxmox answers to nearly everything.
    pub fn internal(message: impl Into<String>) -> Failure {
        Failure::new(500, message, Form::Json, Pause::None)
    }

    /// 400 with the parameters that are wrong.
    pub fn parameters(errors: Vec<(String, String)>) -> Failure {
        Failure { errors, ..Failure::new(400, "Parameter verification failed.", Form::Json, Pause::None) }
    }

    /// 400 about one parameter.
    pub fn parameter(name: &str, why: impl Into<String>) -> Failure {
        Failure::parameters(vec![(name.into(), why.into())])
    }

    /// 403; `detail` such as `/vms/101, VM.Audit`.
    pub fn forbidden(detail: &str) -> Failure {
        let text = match detail {
            "" => "Permission check failed".to_owned(),
            detail => format!("Permission check failed ({detail})"),
        };
        Failure::new(403, text, Form::Json, Pause::None)
    }

    /// 401 without a body, after a while.
    pub fn unauthorized(reason: &str) -> Failure {
        Failure::new(401, reason, Form::Empty, Pause::Unauthorized)
    }

    /// 501 of the router.
    pub fn not_implemented(verb: &str, path: &str) -> Failure {
        let text = format!("Method '{verb} {path}' not implemented");
        Failure::new(501, text, Form::JsonBare, Pause::None)
    }

    /// A method that Proxmox VE has and this simulator does not.
    pub fn not_simulated(verb: &str, template: &str) -> Failure {
        let text = format!("Method '{verb} {template}' is not simulated");
        Failure::new(501, text, Form::JsonBare, Pause::None)
    }

    /// A failure before a formatter is chosen: the text alone as body.
    pub fn plain(status: u16, message: impl Into<String>) -> Failure {
        Failure::new(status, message, Form::Plain, Pause::None)
    }

    /// A failure without body.
    pub fn empty(status: u16, reason: &str, pause: Pause) -> Failure {
        Failure::new(status, reason, Form::Empty, pause)
    }

    /// 595: the proxy could not reach the node.
    pub fn unreachable() -> Failure {
        Failure::empty(595, "No route to host", Pause::Unreachable)
    }

    /// 596: the proxy could not write its own answer.
    pub fn broken_pipe() -> Failure {
        Failure::empty(596, "Broken pipe", Pause::BrokenPipe)
    }

    /// 500 after waiting for a guest agent.
    pub fn silent_agent() -> Failure {
        Failure { pause: Pause::SilentAgent, ..Failure::internal("QEMU guest agent is not running") }
    }

    /// What goes out: characters that do not fit into a reason phrase break the answer.
    #[must_use]
    pub fn as_sent(self) -> Failure {
        let fits = self.reason().chars().all(|c| u32::from(c) <= 0xff);
        if fits { self } else { Failure::broken_pipe() }
    }

    /// The reason phrase.
    pub fn reason(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }

    /// The body that the JSON formatter makes.
    pub fn json(&self) -> Value {
        let mut body = Map::new();
        body.insert("data".into(), Value::Null);
        body.insert("message".into(), json!(self.text()));
        if !self.errors.is_empty() {
            body.insert("errors".into(), self.errors_json());
        }
        Value::Object(body)
    }

    /// The body that the ExtJS formatter makes; it goes out with status 200.
    pub fn extjs(&self) -> Value {
        let mut body = Map::new();
        body.insert("data".into(), Value::Null);
        body.insert("success".into(), json!(0));
        body.insert("message".into(), json!(self.text()));
        // A failed parameter check carries its status as text, everything else as a number.
        let status = if self.errors.is_empty() { json!(self.status) } else { json!(self.status.to_string()) };
        body.insert("status".into(), status);
        if !self.errors.is_empty() {
            body.insert("errors".into(), self.errors_json());
        }
        Value::Object(body)
    }

    fn text(&self) -> String {
        let newline = if self.form == Form::Json && !self.message.ends_with('\n') { "\n" } else { "" };
        format!("{}{newline}", self.message)
    }

    fn errors_json(&self) -> Value {
        Value::Object(self.errors.iter().map(|(k, v)| (k.clone(), json!(v))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_beyond_latin_1_breaks_the_answer() {
        let curly = Failure::internal("Failed to execute child process \u{201c}/x\u{201d}");
        assert_eq!(curly.as_sent(), Failure::broken_pipe());
        let latin = Failure::internal("caf\u{e9}");
        assert_eq!(latin.clone().as_sent(), latin);
    }

    #[test]
    fn the_reason_is_the_first_line_and_the_body_ends_with_a_newline() {
        let failure = Failure::internal("one\ntwo");
        assert_eq!(failure.reason(), "one");
        assert_eq!(failure.json()["message"], "one\ntwo\n");
        assert_eq!(
            Failure::not_implemented("GET", "/x").json()["message"],
            "Method 'GET /x' not implemented"
        );
    }
}
