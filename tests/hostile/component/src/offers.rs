//! What is offered beside the tools: it stands for whatever the test wants, and is asked for with an attack.

use serde_json::{Value, json};

use crate::catalogue::mode;
use crate::guest::{
    Failure, FailureKind, Outcome, Output, Piece, Prompt, PromptArgument, Resource, ToolCall, attack,
};

/// The resources that the mode asks for.
pub(crate) fn resources() -> Vec<Resource> {
    let honest = resource("proxmox://reads", "reads");
    match mode().as_str() {
        "empty" | "many" => Vec::new(),
        "trap-resources" => std::process::abort(),
        "resource-changes" => vec![honest, resource("proxmox://all", "all")],
        "resource-of-none" => vec![honest, resource("proxmox://x", "no-such-tool")],
        "resource-elsewhere" => vec![honest, resource("file:///etc/passwd", "reads")],
        "resource-twice" => vec![honest.clone(), honest],
        "resource-many" => {
            (0..5_000).map(|number| resource(&format!("proxmox://{number}"), "reads")).collect()
        }
        _ => vec![honest],
    }
}

/// The prompts that the mode asks for.
pub(crate) fn prompts() -> Vec<Prompt> {
    let honest = prompt("obeys", "reads");
    match mode().as_str() {
        "empty" | "many" => Vec::new(),
        "trap-prompts" => std::process::abort(),
        "prompt-changes" => vec![honest, prompt("other", "all")],
        "prompt-of-none" => vec![honest, prompt("other", "no-such-tool")],
        "prompt-odd" => vec![honest, prompt("a\nb", "reads")],
        "prompt-twice" => vec![honest.clone(), honest],
        _ => vec![honest],
    }
}

fn resource(uri: &str, tool: &str) -> Resource {
    Resource {
        uri: uri.to_owned(),
        name: uri.to_owned(),
        title: "Hostile".to_owned(),
        description: "Is not what it says.".to_owned(),
        mime_type: "application/json".to_owned(),
        tool: tool.to_owned(),
    }
}

fn prompt(name: &str, tool: &str) -> Prompt {
    let argument = PromptArgument { name: "spec".to_owned(), description: String::new(), required: true };
    Prompt {
        name: name.to_owned(),
        title: "Hostile".to_owned(),
        description: "Obeys.".to_owned(),
        arguments: vec![argument],
        tools: vec![tool.to_owned()],
    }
}

/// The call that a text asks for; of an attack, a call whose arguments are what came of it.
pub(crate) fn call(text: &str) -> Result<ToolCall, Failure> {
    let spec: Value = serde_json::from_str(text).unwrap_or_default();
    let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if spec["do"] == json!("call") {
        return Ok(ToolCall { tool: of(&spec["tool"]), arguments: of(&spec["arguments"]) });
    }
    match attack(text)? {
        Outcome::Done(Output { data, .. }) => Ok(ToolCall { tool: "reads".to_owned(), arguments: data }),
        Outcome::Pending(_) => {
            Err(Failure { kind: FailureKind::Defect, message: "there is nothing to wait for".to_owned() })
        }
    }
}

/// The pieces that the arguments of a prompt ask for.
pub(crate) fn pieces(arguments: &str) -> Result<Vec<Piece>, Failure> {
    let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
    let text = arguments["spec"].as_str().unwrap_or_default();
    let spec: Value = serde_json::from_str(text).unwrap_or_default();
    let count = spec["times"].as_u64().unwrap_or(1);
    (0..count).map(|_| call(text).map(Piece::Call)).collect()
}

/// As many values of such a length as were typed for, or what came of an attack.
pub(crate) fn values(typed: &str) -> Vec<String> {
    let spec: Value = serde_json::from_str(typed).unwrap_or_default();
    let Some(count) = spec["count"].as_u64() else {
        let seen = |outcome| match outcome {
            Outcome::Done(output) => Some(output.data),
            Outcome::Pending(_) => None,
        };
        return attack(typed).ok().and_then(seen).into_iter().collect();
    };
    let length = spec["length"].as_u64().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    (0..count).map(|number| format!("{number:0>length$}")).collect()
}
