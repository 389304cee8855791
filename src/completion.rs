//! Completion: the values that an argument of a prompt or a variable of a resource can have. It takes two steps, so
//! that what may be seen is decided as for any call: which call has the candidates, and which of them fit.

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::foreign;
use crate::prompts;
use crate::resources;
use crate::tool::Kind;
pub use crate::tool::ToolCall;
use crate::tools;

/// What is being filled in.
#[derive(Debug, Clone, PartialEq)]
pub enum Reference {
    /// The prompt of this name.
    Prompt(String),
    /// The resources of this template, or the resource of this URI.
    Resource(String),
}

/// Where the candidates for an argument come from. The same name means the same wherever it stands.
enum Source {
    /// From this field of each row of a list in a tool's data; they are also found by the other field.
    Rows { list: &'static str, value: &'static str, also: &'static str },
    /// From the first column of a tool's table.
    Table,
    /// From what a tool's parameter takes.
    Words { tool: &'static str, param: &'static str },
    /// The names of tools; of those that change nothing, or of all.
    Tools { reading: bool },
}

/// The longest text that is looked for, in bytes. No name is longer.
const LONGEST: usize = 200;

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
    check(reference, argument)?;
    let with = |tool, arguments: Value| {
        let Value::Object(mut arguments) = arguments else { return None };
        // Most lists are whole then, and no second call is needed.
        arguments.insert("limit".to_owned(), json!(500));
        Some(ToolCall { tool, arguments })
    };
    let known =
        |name: &str| context.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let on_node = || known("node").map_or_else(|| json!({}), |node| json!({"node": node}));
    Ok(match argument {
        "node" => with("proxmox_get_nodes", json!({})),
        "vmid" => with("proxmox_get_vms", on_node()),
        "storage" => with("proxmox_get_storage", on_node()),
        "pool" => with("proxmox_get_cluster_info", json!({"topic": "pools"})),
        "upid" => with("proxmox_get_tasks", json!({})),
        "iso" => with("proxmox_get_storage_content", json!({"content": "iso"})),
        "template" => with("proxmox_get_storage_content", json!({"content": "vztmpl"})),
        "snapshot" => known("vmid")
            .and_then(|vmid| with("proxmox_get_guest", json!({"vmid": vmid, "show": "snapshots"}))),
        _ => None,
    })
}

/// The values that fit what was typed, best first. `data` is that of the call which [`source`] named, or null.
pub fn choose(argument: &str, typed: &str, data: &Value) -> Vec<String> {
    let Some(candidates) = source_of(argument).map(|source| source.candidates(data)) else {
        return Vec::new();
    };
    let typed = typed.trim().to_lowercase();
    if typed.len() > LONGEST {
        return Vec::new();
    }
    let mut fitting: Vec<(usize, String)> = Vec::new();
    for (value, also) in candidates {
        // A value that cannot be shown as it is, is no name of Proxmox VE's; a table may have shortened one.
        if foreign::line(&value, LONGEST) != value || value.ends_with('…') {
            continue;
        }
        if let Some(rank) = rank(&typed, &value, &also)
            && fitting.iter().all(|(_, known)| *known != value)
        {
            fitting.push((rank, value));
        }
    }
    fitting.sort_by_key(|(rank, _)| *rank);
    fitting.into_iter().map(|(_, value)| value).collect()
}

/// How well a candidate fits what was typed: it begins so, its other name does, or either has it inside.
fn rank(typed: &str, value: &str, also: &str) -> Option<usize> {
    let (value, also) = (value.to_lowercase(), also.to_lowercase());
    let ranks =
        [value.starts_with(typed), also.starts_with(typed), value.contains(typed), also.contains(typed)];
    ranks.iter().position(|fits| *fits)
}

/// Refuses what is not there to be filled in.
fn check(reference: &Reference, argument: &str) -> Result<(), Error> {
    let wrong = |of: String, known: Vec<&str>| {
        let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() { "nothing to fill in".to_owned() } else { known.join(", ") };
        Error::Arguments(format!("There is no {} in {of}: it has {known}.", foreign::code(argument, 40)))
    };
    match reference {
        Reference::Prompt(name) => {
            let prompt = prompts::find(name)?;
            let known: Vec<&str> = prompt.arguments.iter().map(|argument| argument.name).collect();
            if known.contains(&argument) { Ok(()) } else { Err(wrong(format!("the prompt `{name}`"), known)) }
        }
        Reference::Resource(uri) => {
            let template = resources::templates().iter().find(|template| template.uri_template == uri);
            let known: Vec<&str> = match template {
                Some(template) => template.variables().collect(),
                None if resources::all().iter().any(|resource| resource.uri == uri) => Vec::new(),
                None => return Err(no_template(uri)),
            };
            if known.contains(&argument) { Ok(()) } else { Err(wrong(format!("`{uri}`"), known)) }
        }
    }
}

fn no_template(uri: &str) -> Error {
    let known: Vec<String> =
        resources::templates().iter().map(|template| format!("`{}`", template.uri_template)).collect();
    Error::Arguments(format!(
        "There is no template {}. There are {}.",
        foreign::code(uri, 80),
        known.join(", ")
    ))
}

fn source_of(argument: &str) -> Option<Source> {
    Some(match argument {
        "node" => Source::Rows { list: "nodes", value: "node", also: "" },
        "vmid" => Source::Rows { list: "guests", value: "vmid", also: "name" },
        "storage" => Source::Rows { list: "storages", value: "storage", also: "" },
        "upid" => Source::Rows { list: "tasks", value: "upid", also: "kind" },
        "iso" | "template" => Source::Rows { list: "volumes", value: "volume", also: "" },
        "pool" | "snapshot" => Source::Table,
        "topic" => Source::Words { tool: "proxmox_get_node_info", param: "topic" },
        "timeframe" => Source::Words { tool: "proxmox_get_metrics", param: "timeframe" },
        "tool" => Source::Tools { reading: true },
        "action" => Source::Tools { reading: false },
        _ => return None,
    })
}

impl Source {
    /// All values, each with another name that it is found by.
    fn candidates(&self, data: &Value) -> Vec<(String, String)> {
        let rows =
            |list: &str| data.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let alone = |value: &str| (value.to_owned(), String::new());
        match self {
            Source::Rows { list, value, also } => {
                let field = |row: &Value, name: &str| row.get(name).map(plain).unwrap_or_default();
                rows(list)
                    .iter()
                    .map(|row| (field(row, value), field(row, also)))
                    .filter(|(value, _)| !value.is_empty())
                    .collect()
            }
            Source::Table => {
                rows("rows").iter().filter_map(|row| Some((plain(row.get(0)?), String::new()))).collect()
            }
            Source::Words { tool, param } => words(tool, param).iter().map(|word| alone(word)).collect(),
            Source::Tools { reading } => {
                let wanted = tools::ALL.iter().filter(|(_, tool)| tool.read_only() || !reading);
                let bare = |name: &str| name.trim_start_matches("proxmox_").to_owned();
                wanted.map(|(name, _)| ((*name).to_owned(), bare(name))).collect()
            }
        }
    }
}

fn words(tool: &str, param: &str) -> &'static [&'static str] {
    let tool = tools::ALL.iter().find(|(name, _)| *name == tool);
    match tool.and_then(|(_, tool)| tool.params.iter().find(|own| own.name == param)).map(|param| param.kind)
    {
        Some(Kind::Words(words)) => words,
        _ => &[],
    }
}

/// Text and numbers as text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
