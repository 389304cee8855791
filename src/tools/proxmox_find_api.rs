//! `proxmox_find_api`: which method of the API does what somebody wants.

use proxmox_api::Method;
use serde_json::Value;

use crate::cx::Cx;
use crate::data::Data;
use crate::error::{Error, needed};
use crate::foreign;
use crate::rest::{described, find};
use crate::shape::{Shape, always, known};
use crate::tool::{Args, Outcome, Tool, Toolset, Whole};
use crate::tools;

crate::params! {
    /// What to do, in plain words.
    query: String,
    /// Methods to show.
    limit: Whole<1, 20> = 6,
}

const METHOD: Shape = Shape::Object(&[
    always("method", Shape::Text),
    always("path", Shape::Text),
    always("required", Shape::List(&Shape::Text)),
    always("needs", Shape::List(&Shape::Text)),
    known("tool", Shape::Text).about("a tool that does it"),
]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_find_api",
    title: "Find API method",
    description: "Finds API methods by plain words.",
    toolset: Toolset::Api,
    params: PARAMS,
    output: Shape::Object(&[always("methods", Shape::List(&METHOD))]),
    run,
    ..Tool::PLAIN
};

fn run(_: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let most = usize::try_from(params.limit.0).unwrap_or(usize::MAX);
    let found = find::search(&params.query, most);
    let shown = foreign::words(&params.query, 80);
    let mut text = format!("🔎 API methods for “{shown}”\n\n");
    if found.is_empty() {
        text += "None. Other words may do; paths look like /nodes/{node}/qemu/{vmid}/config.\n";
    }
    for method in &found {
        text += &line(method);
    }
    if !found.is_empty() {
        text += "\n`proxmox_describe_api` shows the parameters; `proxmox_read_api` and `proxmox_change_api` call a method.\n";
    }
    let rows: Vec<Value> = found.iter().map(|method| datum(method)).collect();
    Ok(Outcome::done(text, Data::new().always("methods", rows).into()))
}

fn line(method: &'static Method) -> String {
    let mut text = format!("  • `{method}`");
    let required = required(method);
    if !required.is_empty() {
        text += &format!(", takes {}", required.join(", "));
    }
    let needs = needed(method, &|_| None);
    if !needs.is_empty() {
        text += &format!(", needs {}", needs.join(" and "));
    }
    if let Some(tool) = tool_for(method) {
        text += &format!(" (tool: `{tool}`)");
    }
    text + "\n"
}

fn datum(method: &'static Method) -> Value {
    Data::new()
        .always("method", method.verb.as_str())
        .always("path", method.path)
        .always("required", required(method))
        .always("needs", needed(method, &|_| None))
        .known("tool", tool_for(method))
        .into()
}

/// The parameters that have to be given, those of the path aside.
fn required(method: &'static Method) -> Vec<String> {
    let of_path = |name: &str| method.path_params().any(|own| own == name);
    method.params.iter().filter(|param| !param.optional && !of_path(param.name)).map(described).collect()
}

/// The tool that is most about this method: the one with the fewest calls, of those that make it.
fn tool_for(method: &'static Method) -> Option<&'static str> {
    let makes = |tool: &&Tool| tool.calls.iter().any(|call| std::ptr::eq(*call, method));
    // What half of the tools look up is not what they are about.
    let all = || tools::ALL.iter().map(|(_, tool)| *tool).filter(makes);
    let about = all().filter(|tool| tool.read_only() == method.verb.reads());
    if all().count() > 5 { None } else { about.min_by_key(|tool| tool.calls.len()).map(|tool| tool.name) }
}

#[cfg(test)]
#[path = "tests/proxmox_find_api.rs"]
mod tests;
