//! `proxmox_change_api`: calls any method of the API that changes something.

use proxmox_api::{Verb, methods};
use serde_json::{Map, Value};

use crate::change::{self, Change, How};
use crate::cx::Cx;
use crate::error::Error;
use crate::rest::Target;
use crate::rest::present::Present;
use crate::rest::show::View;
use crate::tool::{Args, Outcome, Tool, Toolset};

crate::words! {
    /// A verb that changes something.
    pub enum Word {
        /// Creates or starts.
        Post = "POST",
        /// Changes.
        Put = "PUT",
        /// Removes.
        Delete = "DELETE",
    }
}

crate::params! {
    /// The verb.
    method: Word,
    /// Path, such as /nodes/pve1/apt/update.
    path: String,
    /// Its parameters.
    params: Option<Map<String, Value>>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_change_api",
    title: "Change by API",
    description: "Calls any POST, PUT or DELETE method of the API. Prefer a tool made for it.",
    toolset: Toolset::Api,
    params: PARAMS,
    output: change::SHAPE,
    calls: &[&methods::GET_NODES_NODE_TASKS_UPID_STATUS, &methods::GET_NODES_NODE_TASKS_UPID_LOG],
    names_its_call: true,
    destructive: true,
    open_world: true,
    run,
    resume: Some(change::resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let verb = match params.method {
        Word::Post => Verb::Post,
        Word::Put => Verb::Put,
        Word::Delete => Verb::Delete,
    };
    let target = Target::find(verb, &params.path)?;
    let given = params.params.unwrap_or_default();
    let mut call = target.call(&given)?;
    let request = call.to_string();
    let how = How { wait: params.wait, dry_run: params.dry_run };
    let mut change = Change::new(format!("✏️ `{request}`"));
    if verb == Verb::Put {
        match Present::read(cx, target.method, &params.path) {
            Ok(Some(present)) => {
                // So that a change made meanwhile is not overwritten.
                call = call.with_some("digest", present.digest(target.method).filter(|_| !given.contains_key("digest")));
                change = present.described(change, target.method, &params.path, &given);
            }
            Ok(None) => {}
            Err(why) => change = change.warning(format!("What is there now was not read: {why}")),
        }
    }
    if verb == Verb::Delete {
        change = change.loses("What is removed is gone; Proxmox VE keeps no copy.");
    }
    if how.dry_run {
        return change.plan(cx, &[call]);
    }
    let answer = cx.call(call)?;
    let is_task = answer.as_str().is_some_and(|text| text.starts_with("UPID:"));
    if !is_task && !answer.is_null() {
        let shown = View { limit: 20, ..View::default() }.show(answer.clone())?;
        change = change.fact("Answer", shown.text.trim().trim_start_matches("• "));
    }
    change.answered(&answer, &request, how)
}

#[cfg(test)]
#[path = "tests/proxmox_change_api.rs"]
mod tests;
