//! Prompts with their data in them, and the values that their arguments can have.

use serde_json::{Map, Value, json};

use super::Server;
use super::rpc::Fault;
use crate::completion::{self, Reference};
use crate::prompts::{self, Piece};

/// How many values a completion holds at most.
const MAX_VALUES: usize = 100;

impl Server<'_> {
    /// The prompts of which at least one call is left and granted.
    pub(super) fn prompts(&self) -> Vec<Value> {
        let offered = |prompt: &&&prompts::Prompt| {
            prompt.tools.is_empty() || prompt.tools.iter().any(|tool| self.offers(tool))
        };
        let argument = |argument: &prompts::Argument| json!({"name": argument.name, "description": argument.description, "required": argument.required});
        let written = |prompt: &&prompts::Prompt| {
            let arguments: Vec<Value> = prompt.arguments.iter().map(argument).collect();
            json!({
                "name": prompt.name,
                "title": prompt.title,
                "description": prompt.description,
                "arguments": arguments,
            })
        };
        prompts::ALL.iter().filter(offered).map(written).collect()
    }

    /// Writes a prompt. Where a call of it fails, the reason stands in the answer's place.
    ///
    /// # Errors
    /// Where there is no such prompt, or it does not take these arguments.
    pub(super) fn prompt(&self, params: &Map<String, Value>) -> Result<Value, Fault> {
        let name = text(params, "name")?;
        let arguments = object(params, "arguments")?;
        let wrong = |error: crate::error::Error| Fault::params(error.to_string());
        let pieces = prompts::write(name, &arguments).map_err(wrong)?;
        let description = prompts::find(name).map_err(wrong)?.description;
        let written = |piece: Piece| match piece {
            Piece::Text(text) => text,
            Piece::Call(call) => match self.finish(call.tool, &call.arguments) {
                Ok(output) => output.text,
                Err(failure) => failure.message,
            },
        };
        let parts: Vec<String> = pieces.into_iter().map(written).collect();
        let content = json!({"type": "text", "text": parts.join("\n\n")});
        Ok(json!({"description": description, "messages": [{"role": "user", "content": content}]}))
    }

    /// The values that an argument of a prompt or a variable of a resource can have. Where they cannot be looked
    /// up there are none.
    ///
    /// # Errors
    /// Where there is no such argument.
    pub(super) fn complete(&self, params: &Map<String, Value>) -> Result<Value, Fault> {
        let reference = object(params, "ref")?;
        let reference = match text(&reference, "type")? {
            "ref/prompt" => Reference::Prompt(text(&reference, "name")?.to_owned()),
            "ref/resource" => Reference::Resource(text(&reference, "uri")?.to_owned()),
            _ => return Err(Fault::params("`ref.type` is neither `ref/prompt` nor `ref/resource`.")),
        };
        let argument = object(params, "argument")?;
        let (name, typed) = (text(&argument, "name")?, text(&argument, "value")?);
        let context = object(&object(params, "context")?, "arguments")?;
        let source = completion::source(&reference, name, &context);
        let source = source.map_err(|error| Fault::params(error.to_string()))?;
        let data = match source.map(|call| self.finish(call.tool, &call.arguments)) {
            Some(Ok(output)) => output.data,
            Some(Err(_)) | None => Value::Null,
        };
        let mut values = completion::choose(name, typed, &data);
        let total = values.len();
        values.truncate(MAX_VALUES);
        Ok(json!({"completion": {"values": values, "total": total, "hasMore": total > MAX_VALUES}}))
    }
}

fn text<'p>(params: &'p Map<String, Value>, name: &str) -> Result<&'p str, Fault> {
    let value = params.get(name).and_then(Value::as_str);
    value.ok_or_else(|| Fault::params(format!("`{name}` is no text.")))
}

/// An object, which may be left out.
fn object(params: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, Fault> {
    match params.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object.clone()),
        Some(_) => Err(Fault::params(format!("`{name}` is no object."))),
    }
}
