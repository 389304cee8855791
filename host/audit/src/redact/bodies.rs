//! Secrets in the bodies of answers: what to take out of them, and what stands in its place.
//!
//! What is found: members whose name says so ([`super::answers`]), those that only the method tells
//! about ([`ALSO`]), and in all other text what has the look of a key or a password. Passwords in a sentence
//! cannot be found. What a tool was called for stays as it is ([`ASKED_FOR`]).

use serde_json::{Map, Value};

use super::answers;
use crate::parameters::parameters;

/// What stands in place of a secret.
pub const TAKEN_OUT: &str = "[taken out by proxmox-mcp]";

/// Members that are secret in the answers of one method.
struct Also {
    verb: &'static str,
    path: &'static str,
    names: &'static [&'static str],
}

const fn also(verb: &'static str, path: &'static str, names: &'static [&'static str]) -> Also {
    Also { verb, path, names }
}

/// A new API token is taken out too: whoever has it does not need this program any more.
static ALSO: &[Also] = &[
    also("POST", "/access/users/{userid}/token/{tokenid}", &["value"]),
    also("PUT", "/access/users/{userid}/token/{tokenid}", &["value"]),
    also("GET", "/access/users", &["keys"]),
    also("GET", "/access/users/{userid}", &["keys"]),
    also("POST", "/access/tfa/{userid}", &["recovery", "challenge"]),
    also("GET", "/cluster/acme/plugins", &["data"]),
    also("GET", "/cluster/acme/plugins/{id}", &["data"]),
    also("GET", "/cluster/metrics/server", &["otel-headers"]),
    also("GET", "/cluster/metrics/server/{id}", &["otel-headers"]),
    also("GET", "/cluster/notifications/endpoints/webhook", &["header"]),
    also("GET", "/cluster/notifications/endpoints/webhook/{name}", &["header"]),
    also("GET", "/cluster/sdn/dns", &["key"]),
    also("GET", "/cluster/sdn/dns/{dns}", &["key"]),
    also("GET", "/nodes/{node}/subscription", &["key"]),
];

/// What a program in a guest printed, or what a file in it holds: a call for that is a call for just this.
static ASKED_FOR: &[&str] = &[
    "/nodes/{node}/qemu/{vmid}/agent/exec-status",
    "/nodes/{node}/qemu/{vmid}/agent/file-read",
    // Served to everybody; it speaks of passwords and holds none.
    "/pve-docs/api-viewer/apidoc.js",
];

/// The answer of a method (its verb and path template) without secrets; `None` where there are none. `succeeded`:
/// it is no error. An answer that is no JSON is looked at as text.
pub fn taken_out(verb: &str, path: &str, succeeded: bool, body: &[u8]) -> Option<Vec<u8>> {
    if ASKED_FOR.contains(&path) {
        return None;
    }
    let also = ALSO.iter().find(|also| also.verb == verb && also.path == path);
    if also.is_none() && !answers::may_hold_secrets(body) {
        return None;
    }
    looked_through(also, succeeded, body)
}

fn looked_through(also: Option<&Also>, succeeded: bool, body: &[u8]) -> Option<Vec<u8>> {
    let Ok(mut answer) = serde_json::from_slice::<Value>(body) else {
        return text(&String::from_utf8_lossy(body)).map(String::into_bytes);
    };
    // Of an error, the names are those of parameters, and the values say what is wrong with them.
    let walk = match succeeded {
        true => Walk { also: also.map_or(&[], |also| also.names), by_name: true },
        false => Walk { also: &[], by_name: false },
    };
    // The names of the envelope (`data`, `message`) say nothing about what is in it.
    let taken = match &mut answer {
        Value::Object(envelope) => envelope.values_mut().fold(false, |taken, part| walk.value(part) | taken),
        other => walk.value(other),
    };
    taken.then(|| answer.to_string().into_bytes())
}

/// Verb and path template of each method that has a rule of its own here.
pub fn ruled() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALSO.iter().map(|also| (also.verb, also.path)).chain(ASKED_FOR.iter().map(|path| ("GET", *path)))
}

/// The text without what has the look of a secret; `None` where nothing has.
pub fn text(text: &str) -> Option<String> {
    let parts = answers::secret_parts(text);
    let mut shown = String::new();
    let mut at = 0;
    for part in &parts {
        shown.push_str(text.get(at..part.start).unwrap_or_default());
        shown.push_str(TAKEN_OUT);
        at = part.end;
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    (!parts.is_empty()).then_some(shown)
}

/// Whether a request with this query and this body would write the word back that stands in place of a secret.
pub fn writes_back(query: Option<&str>, body: &[u8]) -> bool {
    fn holds(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains(TAKEN_OUT),
            Value::Array(items) => items.iter().any(holds),
            Value::Object(members) => {
                members.iter().any(|(name, value)| name.contains(TAKEN_OUT) || holds(value))
            }
            _ => false,
        }
    }
    parameters(query, Some(body)).values().any(holds)
}

/// A way through an answer. Each step says whether it took something out.
struct Walk {
    /// Names that are secret in this answer.
    also: &'static [&'static str],
    /// Whether names count.
    by_name: bool,
}

impl Walk {
    fn value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(shown) => match text(shown) {
                Some(without) => {
                    *shown = without;
                    true
                }
                None => false,
            },
            Value::Array(items) => items.iter_mut().fold(false, |taken, item| self.value(item) | taken),
            Value::Object(members) => self.members(members),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn members(&self, members: &mut Map<String, Value>) -> bool {
        // `{"key": "cipassword", "value": "..."}`
        let title =
            ["key", "name"].iter().find_map(|title| members.get(*title)?.as_str()).unwrap_or_default();
        let title = title.to_owned();
        let mut taken = false;
        for (name, value) in members {
            let name = name.as_str();
            if self.also.contains(&name) {
                taken |= hide(value, |_| true);
            }
            if self.by_name && answers::VALUES.contains(&name) {
                taken |= hide(value, |value| answers::is_secret(&title, value));
            }
            if self.by_name && answers::may_hold_secrets(name.as_bytes()) {
                taken |= hide(value, |value| answers::is_secret(name, value));
            }
            taken |= self.value(value);
        }
        taken
    }
}

/// Takes out every text and number in the value that is `secret`. Whether there is one stays visible, and so
/// does what only says yes or no.
fn hide(value: &mut Value, secret: impl Fn(&str) -> bool + Copy) -> bool {
    let says_something = |text: &str| !matches!(text, "" | "0" | "1");
    match value {
        Value::String(text) if says_something(text) && secret(text) => {}
        Value::Number(number) if says_something(&number.to_string()) && secret(&number.to_string()) => {}
        Value::Array(items) => return items.iter_mut().fold(false, |taken, item| hide(item, secret) | taken),
        Value::Object(members) => {
            return members.values_mut().fold(false, |taken, value| hide(value, secret) | taken);
        }
        _ => return false,
    }
    *value = Value::String(TAKEN_OUT.to_owned());
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let piece = prop::sample::select(vec![
            "key",
            "pass",
            "token",
            "cipassword",
            "name",
            "value",
            "x",
            "-",
            "_",
            ".",
            " ",
            ":",
            "=",
            "\"",
            "a1b2c3d4e5f6g7",
            "|",
            "chpasswd",
            "!",
            "mcp",
            "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
            "://",
            "@",
            "bearer",
            "pending",
            "pin",
        ]);
        let text = prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat());
        let leaf = prop_oneof![text.clone().prop_map(Value::from), any::<u8>().prop_map(Value::from)];
        leaf.prop_recursive(3, 24, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((text.clone(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn what_is_passed_over_at_a_glance_holds_nothing(data in json(), succeeded: bool) {
            let body = serde_json::json!({"data": data}).to_string().into_bytes();
            if !answers::may_hold_secrets(&body) {
                prop_assert_eq!(looked_through(None, succeeded, &body), None);
            }
        }
    }
}
