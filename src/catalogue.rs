//! The tools by name: calls them, and goes on with calls that wait.

mod meant;

use serde_json::{Value, json};

use crate::cx::{Cx, Transport};
use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::tool::{Alias, Args, Outcome, Pending, Tool};
use crate::tools;

/// The longest continuation that is read, in bytes. Those that tools write are far shorter.
const LONGEST_CONTINUATION: usize = 64 * 1024;

/// A call's outcome, with what a fresh instance needs to go on as text.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It is over: text and data.
    Done(crate::tool::Output),
    /// It waits; the text is for [`resume`].
    Pending(String, Pending),
}

/// Calls the tool of this name with a JSON object of arguments. `now_ms`: milliseconds since 1970.
///
/// # Errors
/// What went wrong, worded for a model.
pub fn call(transport: &dyn Transport, now_ms: u64, name: &str, arguments: &str) -> Result<Step, Error> {
    let (tool, alias) = find(name)?;
    let args = Args::parse(arguments)?;
    let args = alias.map_or(Ok(args.clone()), |alias| alias.understand(args))?;
    let outcome = run(tool, transport, now_ms, &args);
    Ok(step(tool, outcome.map_err(|error| meant::explained(tool, transport, now_ms, &args, error))?))
}

/// Goes on with a call that waited, from its continuation. It may be forged: what it says is read as
/// strictly as arguments are, and each request is allowed or not like any other.
///
/// # Errors
/// What went wrong, worded for a model.
pub fn resume(transport: &dyn Transport, now_ms: u64, continuation: &str) -> Result<Step, Error> {
    let bad =
        || Error::Arguments("This continuation is not one that a tool of this server gave out.".to_owned());
    if continuation.len() > LONGEST_CONTINUATION {
        return Err(bad());
    }
    let parts: Value = serde_json::from_str(continuation).map_err(|_| bad())?;
    let (Some(name), Some(state)) = (parts.get("tool").and_then(Value::as_str), parts.get("state")) else {
        return Err(bad());
    };
    let (tool, _) = find(name)?;
    Ok(step(tool, go_on(tool, transport, now_ms, state)?))
}

/// Whether there is a tool of this name that takes these arguments, and lacks none: what an answer offers as the
/// next call has to be one. Tried out on a cluster that never answers.
#[cfg(test)]
pub(crate) fn takes(name: &str, arguments: &Value) -> bool {
    struct Silence;
    impl Transport for Silence {
        fn send_all(
            &self,
            requests: &[crate::cx::Request],
        ) -> Vec<Result<crate::cx::Response, crate::cx::SendError>> {
            requests.iter().map(|_| Err(crate::cx::SendError::Timeout)).collect()
        }
    }
    let called = call(&Silence, 0, name, &arguments.to_string());
    !matches!(called, Err(Error::Arguments(_) | Error::UnknownTool(_)))
}

/// The tool that a continuation is of; nothing where it is none.
pub fn tool_of(continuation: &str) -> Option<&'static Tool> {
    let parts: Value = serde_json::from_str(continuation).ok()?;
    tool(parts.get("tool")?.as_str()?)
}

/// Runs a tool.
pub(crate) fn run(
    tool: &Tool,
    transport: &dyn Transport,
    now_ms: u64,
    args: &Args,
) -> Result<Outcome, Error> {
    (tool.run)(&Cx::new(tool, transport, now_ms), args)
}

/// Goes on with a tool from the state that it left.
pub(crate) fn go_on(
    tool: &Tool,
    transport: &dyn Transport,
    now_ms: u64,
    state: &Value,
) -> Result<Outcome, Error> {
    let never =
        || Error::Arguments(format!("`{}` never waits, so there is nothing to go on with.", tool.name));
    (tool.resume.ok_or_else(never)?)(&Cx::new(tool, transport, now_ms), state)
}

fn step(tool: &Tool, outcome: Outcome) -> Step {
    match outcome {
        Outcome::Done(output) => Step::Done(output),
        Outcome::Pending(pending) => {
            Step::Pending(json!({"tool": tool.name, "state": pending.state}).to_string(), pending)
        }
    }
}

/// The tool of this name, or of this older name.
pub fn tool(name: &str) -> Option<&'static Tool> {
    find(name).ok().map(|(tool, _)| tool)
}

/// The tool of this name, and the alias where it is one.
pub(crate) fn find(name: &str) -> Result<(&'static Tool, Option<&'static Alias>), Error> {
    if let Some((_, tool)) = tools::ALL.iter().find(|(known, _)| *known == name) {
        return Ok((tool, None));
    }
    let aliases =
        || tools::ALL.iter().flat_map(|(_, tool)| tool.aliases.iter().map(move |alias| (*tool, alias)));
    if let Some((tool, alias)) = aliases().find(|(_, alias)| alias.name == name) {
        return Ok((tool, Some(alias)));
    }
    let known = tools::ALL.iter().map(|(known, _)| *known).chain(aliases().map(|(_, alias)| alias.name));
    let meant = nearest(name, known);
    let meant = meant.map(|known| format!(" Did you mean `{known}`?")).unwrap_or_default();
    Err(Error::UnknownTool(format!("There is no tool {}.{meant}", foreign::code(name, 60))))
}

#[cfg(test)]
mod original;
#[cfg(test)]
mod tests;
