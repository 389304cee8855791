use serde_json::{Map, Value, json};

use super::*;

/// Arguments as a client sends them.
fn arguments(given: &[(&str, &str)]) -> Map<String, Value> {
    given.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}

/// The pieces of a prompt.
#[track_caller]
pub(crate) fn pieces(name: &str, given: &[(&str, &str)]) -> Vec<Piece> {
    write(name, &arguments(given)).unwrap()
}

/// The calls of a prompt, each as `tool {arguments}`.
#[track_caller]
pub(crate) fn calls(name: &str, given: &[(&str, &str)]) -> Vec<String> {
    let call = |piece: &Piece| match piece {
        Piece::Call(call) => Some(format!("{} {}", call.tool, Value::Object(call.arguments.clone()))),
        Piece::Text(_) => None,
    };
    pieces(name, given).iter().filter_map(call).collect()
}

/// The text of a prompt, without its calls.
#[track_caller]
pub(crate) fn text(name: &str, given: &[(&str, &str)]) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => Some(text.clone()),
        Piece::Call(_) => None,
    };
    pieces(name, given).iter().filter_map(text).collect::<Vec<_>>().join("\n")
}
