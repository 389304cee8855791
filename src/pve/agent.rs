//! The guest agent: running a command inside a VM and fetching what became of it.

use proxmox_api::methods::{
    GET_NODES_NODE_QEMU_VMID_AGENT_EXEC_STATUS, GET_NODES_NODE_QEMU_VMID_CONFIG,
    POST_NODES_NODE_QEMU_VMID_AGENT_EXEC,
};
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::error::{Error, Refusal};
use crate::foreign;
use crate::pve::guests::Guest;
use crate::pve::quirks::Quirk;
use crate::pve::resources::Figure;

/// A command that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ended {
    /// Its exit code; nothing if it was killed.
    pub exit_code: Option<i64>,
    /// The signal that killed it (on Windows the number of the exception).
    pub signal: Option<i64>,
    /// What it wrote.
    pub output: String,
    /// What it wrote as errors.
    pub errors: String,
    /// Whether the agent cut either.
    pub truncated: bool,
}

/// Whether the guest is set up as a Windows (`ostype` of its configuration).
pub fn is_windows(cx: &Cx<'_>, guest: &Guest) -> Result<bool, Error> {
    let config = cx.call(about(guest, &GET_NODES_NODE_QEMU_VMID_CONFIG))?;
    let ostype = config.get("ostype").and_then(Value::as_str).unwrap_or("other");
    Ok(ostype.starts_with('w'))
}

/// Starts a program in the guest and gives its process id. `argv`: the program and its arguments.
///
/// # Errors
/// In the words of the tool: why it could not be run.
pub fn exec(cx: &Cx<'_>, guest: &Guest, argv: &[String]) -> Result<u32, Error> {
    let call = about(guest, &POST_NODES_NODE_QEMU_VMID_AGENT_EXEC).with("command", argv);
    let data = cx.call(call).map_err(|error| not_run(error, guest, argv))?;
    let pid = Figure::of(data.get("pid")).whole().and_then(|pid| u32::try_from(pid).ok());
    pid.ok_or_else(|| {
        Error::Unreachable(format!(
            "Proxmox VE ran the command in {guest}, but its answer names no process, so the result cannot be fetched."
        ))
    })
}

/// What became of a process: nothing yet, or how it ended. The answer after the end can be had once.
pub fn status(cx: &Cx<'_>, guest: &Guest, pid: u32) -> Result<Option<Ended>, Error> {
    let data = cx.call(about(guest, &GET_NODES_NODE_QEMU_VMID_AGENT_EXEC_STATUS).with("pid", pid))?;
    if data.get("exited").is_none() {
        return Err(Error::Unreachable(
            "Proxmox VE's answer about the command cannot be understood.".to_owned(),
        ));
    }
    if !Figure::of(data.get("exited")).flag() {
        return Ok(None);
    }
    let text = |key: &str| data.get(key).and_then(Value::as_str).map(foreign::block).unwrap_or_default();
    let number = |key: &str| whole(data.get(key)?);
    let cut = |key: &str| Figure::of(data.get(key)).flag();
    Ok(Some(Ended {
        exit_code: number("exitcode"),
        signal: number("signal"),
        output: text("out-data"),
        errors: text("err-data"),
        truncated: cut("out-truncated") || cut("err-truncated"),
    }))
}

/// A whole number, which Proxmox may write as text.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn about(guest: &Guest, method: &'static proxmox_api::Method) -> Call {
    Call::of(method).at("node", &guest.node).at("vmid", &guest.vmid)
}

/// Why a command could not be run.
fn not_run(error: Error, guest: &Guest, argv: &[String]) -> Error {
    let Error::Refused(refusal) = &error else { return error };
    let program = foreign::code(argv.first().map_or("", String::as_str), 80);
    if refusal.status == 596 && (refusal.message.is_empty() || refusal.message == "Broken pipe") {
        return Error::Failed(format!(
            "The command was not run: most likely there is no program {program} in {guest}. (Proxmox VE answered \
             596 without a word, which is what it does then.) Check the name and give the full path; a whole shell \
             line is one string, a program with arguments is a list."
        ));
    }
    match refusal.quirk() {
        Some(quirk) => refused(quirk, refusal, guest).unwrap_or(error),
        None => error,
    }
}

fn refused(quirk: Quirk, refusal: &Refusal, guest: &Guest) -> Option<Error> {
    let why = match quirk {
        Quirk::AgentOff => format!("the guest agent is turned off in the configuration of {guest}."),
        Quirk::AgentSilent => {
            format!("the guest agent of {guest} is turned on but does not answer.")
        }
        Quirk::NotRunning => format!("{guest} is not running."),
        Quirk::Locked => format!("{guest} is locked: {}.", refusal.words().trim_end_matches('.')),
        Quirk::AgentTimeout => {
            return Some(Error::Failed(format!(
                "The guest agent of {guest} did not answer in time; it is not known whether the command was started. {}",
                quirk.advice()
            )));
        }
        _ => return None,
    };
    let advice = match quirk {
        Quirk::AgentOff => quirk.advice().replace("VMID", &guest.vmid.to_string()),
        _ => quirk.advice().to_owned(),
    };
    Some(Error::Failed(format!("The command was not run: {why} {advice}")))
}

/// Why the result of a command could not be had. `missed`: an answer was lost on the way before.
pub fn no_result(error: Error, guest: &Guest, pid: u32, missed: bool) -> Error {
    let unknown = |why: &dyn std::fmt::Display| {
        format!(
            "The command was started in {guest} as process {pid}, but what became of it is not known: {why}"
        )
    };
    let refusal = match &error {
        Error::Refused(refusal) => refusal,
        Error::Unreachable(why) => return Error::Unreachable(unknown(why)),
        _ => return error,
    };
    let why = match refusal.quirk() {
        Some(Quirk::PidGone) if missed => {
            "its result was handed out once, in an answer that did not arrive; it cannot be had again"
        }
        Some(Quirk::PidGone) => {
            "the agent does not know the process any more. The guest or its agent was started anew, or someone else \
             fetched the result"
        }
        Some(Quirk::AgentTimeout) => {
            "the agent did not hand the result over in time, and it cannot be had again. Send large output to a file \
             in the guest and read it in parts"
        }
        Some(Quirk::NotRunning) => "the guest is not running any more",
        Some(Quirk::AgentSilent) => "the guest agent does not answer any more",
        _ => return Error::Failed(unknown(&error)),
    };
    Error::Failed(format!("The command was run in {guest} as process {pid}, but its result is lost: {why}."))
}
