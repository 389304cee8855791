//! Answers that are not true, or no answers.

use serde_json::Value;

use crate::guest::{Failure, FailureKind, Outcome, Output, Pending};
use crate::http;

/// Fails with a kind and a message of the attacker's choice, after the requests that `first` names.
pub(crate) fn fail(spec: &Value) -> Result<Outcome, Failure> {
    http::all(&spec["first"]);
    let kind = match spec["kind"].as_str().unwrap_or_default() {
        "unknown-tool" => FailureKind::UnknownTool,
        "bad-arguments" => FailureKind::BadArguments,
        "not-found" => FailureKind::NotFound,
        "denied" => FailureKind::Denied,
        "unreachable" => FailureKind::Unreachable,
        "failed" => FailureKind::Failed,
        _ => FailureKind::Defect,
    };
    Err(Failure { kind, message: text(&spec["message"]) })
}

/// Answers with the text and the data as they stand, or with `bytes` bytes of text; after the
/// requests that `first` names.
pub(crate) fn answer(spec: &Value) -> Result<Outcome, Failure> {
    http::all(&spec["first"]);
    let shown = match spec["bytes"].as_u64().and_then(|bytes| usize::try_from(bytes).ok()) {
        Some(bytes) => "x".repeat(bytes),
        None => text(&spec["text"]),
    };
    Ok(Outcome::Done(Output { text: shown, data: text(&spec["data"]) }))
}

/// Waits, and does `then` afterwards; without it, waits again, for ever.
pub(crate) fn wait(spec: &Value) -> Result<Outcome, Failure> {
    let continuation = match &spec["then"] {
        Value::Null => spec.to_string(),
        Value::String(text) => text.clone(),
        next => next.to_string(),
    };
    let after_ms = spec["after_ms"].as_u64().and_then(|ms| u32::try_from(ms).ok()).unwrap_or_default();
    let progress = Some(spec["progress"].as_f64().unwrap_or(f64::NAN));
    Ok(Outcome::Pending(Pending { continuation, message: text(&spec["message"]), progress, after_ms }))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
