//! Completion: the values that an argument of a prompt or a variable of a resource can have. It takes two steps, so
//! that what may be seen is decided as for any call: which call has the candidates, and which of them fit.

use serde_json::{Map, Value};

use crate::error::Error;
pub use crate::tool::ToolCall;

/// What is being filled in.
#[derive(Debug, Clone, PartialEq)]
pub enum Reference {
    /// The prompt of this name.
    Prompt(String),
    /// The resources of this template, or the resource of this URI.
    Resource(String),
}

/// The call whose data hold the values that an argument can have; `None` where no call is needed, or none would help.
/// `context` holds what is filled in already.
///
/// # Errors
/// [`Error::Arguments`] where there is no such prompt or template, or it has no such argument.
pub fn source(
    reference: &Reference,
    argument: &str,
    context: &Map<String, Value>,
) -> Result<Option<ToolCall>, Error> {
    let _ = (reference, argument, context);
    Ok(None)
}

/// The values that fit what was typed, best first. `data` is that of the call which [`source`] named, or null.
pub fn choose(argument: &str, typed: &str, data: &Value) -> Vec<String> {
    let _ = (argument, typed, data);
    Vec::new()
}
