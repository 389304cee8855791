//! The question as an MCP form, and what counts as a yes.

use rmcp::model::{ElicitRequestParams, ElicitationSchema, ErrorData};
use serde_json::{Value, json};

use super::Question;

/// The field that takes the name of what is destroyed.
const CONFIRM: &str = "confirm";
/// The field that takes the yes to anything else.
const APPROVE: &str = "approve";

/// What a person answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Yes.
    Yes,
    /// No.
    No,
    /// The question was put aside.
    Cancelled,
    /// Something was typed, and it is not the name.
    OtherName,
    /// There was no answer in time.
    Late,
    /// The client failed to ask.
    Failed,
}

impl Reply {
    /// Reads the result of an elicitation. Whatever is not a clear yes is none.
    pub fn read(result: &Value, typed: Option<&str>) -> Self {
        let field = |name| result.get("content").and_then(|content| content.get(name));
        match (result.get("action").and_then(Value::as_str), typed) {
            (Some("accept"), Some(typed)) => match field(CONFIRM).and_then(Value::as_str) == Some(typed) {
                true => Reply::Yes,
                false => Reply::OtherName,
            },
            (Some("accept"), None) if field(APPROVE) == Some(&Value::Bool(true)) => Reply::Yes,
            (Some("accept" | "decline"), _) => Reply::No,
            (Some("cancel"), _) => Reply::Cancelled,
            _ => Reply::Failed,
        }
    }

    /// A stable word for logs.
    pub fn word(self) -> &'static str {
        match self {
            Reply::Yes => "yes",
            Reply::No => "no",
            Reply::Cancelled => "cancelled",
            Reply::OtherName => "other name",
            Reply::Late => "no answer",
            Reply::Failed => "not asked",
        }
    }

    /// The sentence that a call without a yes ends with.
    pub fn refusal(self) -> &'static str {
        match self {
            Reply::Yes | Reply::No => {
                "The person who was asked said no. Nothing was done. Do not try another way round."
            }
            Reply::Cancelled => {
                "The person who was asked closed the question without an answer. Nothing was done. Ask them before you \
                 try again."
            }
            Reply::OtherName => {
                "The person who was asked did not type the name that the question shows, so this is no approval. \
                 Nothing was done."
            }
            Reply::Late => "The question was not answered in time. Nothing was done.",
            Reply::Failed => "The client did not put the question to anybody. Nothing was done.",
        }
    }
}

/// The form that puts the question. A yes has to be set, or the name typed: to accept an untouched form
/// is no approval.
///
/// # Errors
/// Where the form does not fit the protocol, which is a defect.
pub(crate) fn form(question: &Question) -> Result<ElicitRequestParams, ErrorData> {
    let (name, field) = match &question.typed {
        Some(typed) => {
            (CONFIRM, json!({"type": "string", "title": format!("Type {typed} to confirm"), "minLength": 1}))
        }
        None => (APPROVE, json!({"type": "boolean", "title": "Approve"})),
    };
    let schema = json!({"type": "object", "properties": {name: field}, "required": [name]});
    let requested_schema: ElicitationSchema = serde_json::from_value(schema)
        .map_err(|error| ErrorData::internal_error(format!("the form is wrong: {error}"), None))?;
    Ok(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: question.text.clone(),
        requested_schema,
    })
}
