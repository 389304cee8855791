//! What gets into the log, of all that an event holds: no secrets, and not too much.
//!
//! Every text of an event goes through here, whatever field it is in. Secrets are found by the name of
//! the parameter (`names`), by what they look like in running text (`shapes`), and those that the operator
//! gave the server by their very bytes.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Map, Value};
use shapes::Doubt;

pub mod answers;
pub mod bodies;
mod names;
mod shapes;
mod vendors;

/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";

/// How much of one text is shown, in bytes.
const TEXT: usize = 1024;

/// How much of a text is looked at beyond what is shown, in bytes: a secret that begins in the part that is
/// shown must be seen whole to be known.
const BEYOND: usize = 1024;

/// How much text an event may hold in all, in bytes. Written out, it is at most six times as long.
const ROOM: usize = 12 * 1024;

/// How deep lists and objects may be nested.
const DEPTH: usize = 8;

/// Takes secrets out and cuts what is long. The default knows no secrets by their bytes.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Vec<String>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// Knows these secrets as well, such as the secret part of the API token. Empty ones are left out.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        Redactor { secrets: secrets.into_iter().filter(|secret| !secret.is_empty()).collect() }
    }

    /// The text without secrets, and with a note where it was cut.
    pub fn text(&self, text: &str) -> String {
        self.bounded(text, TEXT)
    }

    /// The object without secrets: by their names and by their look.
    pub fn object(&self, object: Map<String, Value>) -> Map<String, Value> {
        Walk { redactor: self, room: ROOM }.object(object, 0)
    }

    /// An event as JSON without its braces, on one line.
    pub(crate) fn event(&self, event: &impl Serialize) -> serde_json::Result<String> {
        let object = match serde_json::to_value(event)? {
            Value::Object(object) => self.object(object),
            other => Map::from_iter([("event".to_owned(), other)]),
        };
        let text = harmless(&serde_json::to_string(&object)?);
        Ok(text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default().to_owned())
    }

    fn bounded(&self, text: &str, limit: usize) -> String {
        let beyond = self.secrets.iter().map(String::len).max().unwrap_or_default().max(BEYOND);
        let seen = prefix(text, limit + beyond);
        let parts = shapes::secret_parts(seen, &self.secrets, Doubt::Hide);
        if parts.len() < self.encoded_parts(seen) {
            return REDACTED.to_owned();
        }
        let shown = prefix(text, limit).len();
        let mut result = String::new();
        let mut at = 0;
        for part in parts.iter().take_while(|part| part.start < shown) {
            result.push_str(text.get(at..part.start).unwrap_or_default());
            result.push_str(REDACTED);
            at = part.end;
        }
        result.push_str(text.get(at..shown).unwrap_or_default());
        if text.len() > at.max(shown) {
            result.push_str(&format!("[cut: {} bytes in all]", text.len()));
        }
        result
    }

    /// How many secrets there are when percent-encoding is undone.
    fn encoded_parts(&self, text: &str) -> usize {
        if !text.contains('%') {
            return 0;
        }
        shapes::secret_parts(&percent_decode_str(text).decode_utf8_lossy(), &self.secrets, Doubt::Hide).len()
    }
}

/// A way through a value that takes from the room there is.
struct Walk<'r> {
    redactor: &'r Redactor,
    room: usize,
}

impl Walk<'_> {
    fn value(&mut self, value: Value, depth: usize) -> Value {
        match value {
            Value::String(text) => self.text(&text).into(),
            Value::Array(_) | Value::Object(_) if depth >= DEPTH => "[cut: nested too deep]".into(),
            Value::Array(items) => self.array(items, depth + 1).into(),
            Value::Object(object) => self.object(object, depth + 1).into(),
            scalar => {
                self.take(SCALAR);
                scalar
            }
        }
    }

    fn text(&mut self, text: &str) -> String {
        let limit = TEXT.min(self.room);
        let shown = self.redactor.bounded(text, limit);
        // What was looked at counts too, so that texts that turn out secret do not cost time without end.
        self.take(shown.len().max(text.len().min(limit)) + PUNCTUATION);
        shown
    }

    fn array(&mut self, items: Vec<Value>, depth: usize) -> Vec<Value> {
        self.take(PUNCTUATION);
        let count = items.len();
        let mut kept = Vec::new();
        let mut announced = false;
        for item in items {
            if self.room == 0 {
                kept.push(format!("[cut: {} more]", count - kept.len()).into());
                break;
            }
            let hide = std::mem::replace(&mut announced, item.as_str().is_some_and(names::announces));
            kept.push(if hide { self.hidden() } else { self.value(item, depth) });
        }
        kept
    }

    fn object(&mut self, object: Map<String, Value>, depth: usize) -> Map<String, Value> {
        self.take(PUNCTUATION);
        let count = object.len();
        // `{"name": "password", "value": "..."}`
        let named = ["name", "key"].iter().filter_map(|key| object.get(*key)?.as_str()).any(names::secret);
        let mut kept = Map::new();
        for (name, value) in object {
            if self.room == 0 {
                kept.insert("[cut]".to_owned(), format!("{} more", count - kept.len()).into());
                break;
            }
            let hide = names::hides(&name, &value) || (named && name == "value");
            let shown_name = self.text(&name);
            let value = if hide { self.hidden() } else { self.value(value, depth) };
            kept.insert(shown_name, value);
        }
        kept
    }

    fn hidden(&mut self) -> Value {
        self.take(REDACTED.len() + PUNCTUATION);
        REDACTED.into()
    }

    fn take(&mut self, length: usize) {
        self.room = self.room.saturating_sub(length);
    }
}

/// What quotes and a comma take, in bytes.
const PUNCTUATION: usize = 4;

/// What a number takes at most, in bytes.
const SCALAR: usize = 24;

/// The longest start of the text that is at most this long.
fn prefix(text: &str, length: usize) -> &str {
    text.get(..text.floor_char_boundary(length)).unwrap_or(text)
}

/// Escapes what `serde_json` leaves as it is and a terminal or an editor does not: control characters above
/// U+007E, other line ends, and marks that turn the direction of writing.
fn harmless(json: &str) -> String {
    let escaped = |c: char| {
        matches!(c, '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if !json.contains(escaped) {
        return json.to_owned();
    }
    let write = |c: char| if escaped(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    json.chars().map(write).collect()
}

#[cfg(test)]
mod tests;
