//! Tools and prompts that ask, in the era without a handshake: the questions go back as a result, and the
//! request comes again with the answers.

use rmcp::model::{
    ClientCapabilities, ErrorData, InputRequests, InputRequiredResult, InputResponses, RequestStateCodec,
};
use serde_json::{Map, Value};

use crate::data::{Questions, fixtures};

/// How a round ended.
pub(crate) enum Round {
    /// With questions.
    Asks(InputRequiredResult),
    /// With all answers.
    Done(String),
}

/// Plays a round of what is called `name`.
pub(crate) fn play(
    codec: &RequestStateCodec,
    name: &str,
    answers: Option<&InputResponses>,
    state: Option<&str>,
    capabilities: &ClientCapabilities,
) -> Result<Round, ErrorData> {
    let rounds = fixtures()?.rounds.get(name).map(Vec::as_slice).unwrap_or_default();
    let at = match state {
        None => 0,
        Some(state) => codec
            .open_json::<(String, usize)>(state)
            .ok()
            .filter(|(known, _)| known == name)
            .map(|(_, at)| at)
            .ok_or_else(|| ErrorData::invalid_params("the request state was changed", None))?,
    };
    let Some(questions) = rounds.get(at) else {
        return Err(ErrorData::invalid_params("there is no such round", None));
    };
    let questions = possible(questions, capabilities);
    let answered = |key: &String| answers.and_then(|answers| answers.get(key)).is_some_and(Value::is_object);
    if !questions.keys().all(answered) {
        return ask(codec, name, at, &questions);
    }
    match rounds.get(at + 1) {
        Some(next) => ask(codec, name, at + 1, &possible(next, capabilities)),
        None => {
            let given = serde_json::to_string(&answers).unwrap_or_default();
            Ok(Round::Done(format!("state-ok: {given}")))
        }
    }
}

/// Only what the client said that it can be asked.
fn possible(questions: &Questions, capabilities: &ClientCapabilities) -> Questions {
    let can = |question: &Value| match question.get("method").and_then(Value::as_str) {
        Some("elicitation/create") => capabilities.elicitation.is_some(),
        Some("sampling/createMessage") => capabilities.sampling.is_some(),
        _ => capabilities.roots.is_some(),
    };
    questions.iter().filter(|(_, question)| can(question)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn ask(codec: &RequestStateCodec, name: &str, at: usize, questions: &Questions) -> Result<Round, ErrorData> {
    let wrong = |error: &dyn std::fmt::Display| ErrorData::internal_error(error.to_string(), None);
    let all = Value::Object(questions.iter().map(|(k, v)| (k.clone(), v.clone())).collect::<Map<_, _>>());
    let questions: InputRequests = serde_json::from_value(all).map_err(|error| wrong(&error))?;
    let state = codec.seal_json(&(name, at)).map_err(|error| wrong(&error))?;
    Ok(Round::Asks(InputRequiredResult::new(Some(questions), Some(state))))
}
