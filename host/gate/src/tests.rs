//! Attacks on the gate, the permissions of the tools' methods, and properties of permits.

use crate::{Denied, Gate, Grants, NoPools, Permit, RawRequest, Scope, Walls};
use proxmox_api::{Method, Verb, find, methods};

mod attacks;
mod methods_of_tools;
mod parameters;
mod parameters_of_guests;
mod pools;
mod properties;
mod scope;
mod table;
mod verdicts;
mod walls;

const LOGIN: &str = "root@pam!mcp";
const OWN_TASK: &str = "UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:101:root@pam!mcp:";
const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
const JSON: Option<&str> = Some("application/json");

fn gate(grants: Grants) -> Gate {
    Gate::new(grants, Walls::default(), LOGIN)
}

fn granted(text: &str) -> Gate {
    let mut grants = Grants::default();
    grants.add(text).unwrap();
    gate(grants)
}

/// A scope that declares every method, so that other guards can be tested.
fn anything() -> Scope {
    Scope::new(methods::ALL)
}

fn raw<'a>(verb: &'a str, path_and_query: &'a str) -> RawRequest<'a> {
    RawRequest { verb, path_and_query, content_type: None, body: b"" }
}

fn with_body<'a>(
    verb: &'a str,
    path: &'a str,
    content_type: Option<&'a str>,
    body: &'a str,
) -> RawRequest<'a> {
    RawRequest { verb, path_and_query: path, content_type, body: body.as_bytes() }
}

/// What an elevated gate says about the request.
fn elevated(request: RawRequest<'_>) -> Result<Permit, Denied> {
    gate(Grants::elevated()).check(&anything(), request, &NoPools)
}

/// A request whose parameters stand in the query (GET, DELETE) or in a form (POST, PUT).
struct Call {
    verb: Verb,
    path_and_query: String,
    body: String,
}

impl Call {
    fn new(verb: Verb, path: &str, parameters: &str) -> Self {
        let path = format!("/api2/json{path}");
        let in_query = matches!(verb, Verb::Get | Verb::Delete);
        match parameters {
            "" => Call { verb, path_and_query: path, body: String::new() },
            _ if in_query => {
                Call { verb, path_and_query: format!("{path}?{parameters}"), body: String::new() }
            }
            _ => Call { verb, path_and_query: path, body: parameters.to_owned() },
        }
    }

    fn raw(&self) -> RawRequest<'_> {
        with_body(self.verb.as_str(), &self.path_and_query, FORM, &self.body)
    }

    /// `name=value` pairs, separated by blanks, percent-encoded.
    fn of(verb: Verb, path: &str, pairs: &str) -> Self {
        let encoded = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let pairs: Vec<String> = pairs
            .split_whitespace()
            .map(|pair| pair.split_once('=').expect("a pair"))
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        Call::new(verb, path, &pairs.join("&"))
    }
}

/// Holds a request to exactly these grants: with all of them it passes, and without each one it is
/// refused and the refusal names that one.
#[track_caller]
fn needs_exactly(call: &Call, needed: &[&str]) {
    let what = format!("{} {} {}", call.verb, call.path_and_query, call.body);
    let check = |grants: &[&str]| granted(&grants.join(",")).check(&anything(), call.raw(), &NoPools);
    if let Err(denied) = check(needed) {
        panic!("{what} with {needed:?}: {denied}");
    }
    for left_out in needed {
        let rest: Vec<&str> = needed.iter().copied().filter(|grant| grant != left_out).collect();
        let denied = check(&rest).map(|_| ()).expect_err(&format!("{what} without {left_out}"));
        assert_eq!(denied.grant().as_deref(), Some(*left_out), "{what}: {denied}");
    }
}

fn method(verb: Verb, path: &str) -> &'static Method {
    find(verb, path).unwrap()
}
