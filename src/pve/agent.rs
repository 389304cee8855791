//! The guest agent: running a command inside a VM and fetching what became of it.

use proxmox_api::methods::{
    GET_NODES_NODE_QEMU_VMID_AGENT_EXEC_STATUS, GET_NODES_NODE_QEMU_VMID_AGENT_FILE_READ,
    GET_NODES_NODE_QEMU_VMID_CONFIG, POST_NODES_NODE_QEMU_VMID_AGENT_EXEC,
};
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::error::{Error, Refusal};
use crate::foreign;
use crate::pve::guests::{self, Guest, GuestKind};
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::quirks::Quirk;
use crate::pve::resources::Figure;
use crate::tool::{Argument, Kind};

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

/// The call that runs a command in a guest.
pub fn exec_call(guest: &Guest, argv: &[String]) -> Call {
    about(guest, &POST_NODES_NODE_QEMU_VMID_AGENT_EXEC).with("command", argv)
}

/// Starts a program in the guest and gives its process id. `argv`: the program and its arguments.
///
/// # Errors
/// In the words of the tool: why it could not be run.
pub fn exec(cx: &Cx<'_>, guest: &Guest, argv: &[String]) -> Result<u32, Error> {
    let data = cx.call(exec_call(guest, argv)).map_err(|error| not_run(error, guest, argv))?;
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

/// A call about this VM.
pub fn about(guest: &Guest, method: &'static proxmox_api::Method) -> Call {
    Call::of(method).at("node", &guest.node).at("vmid", &guest.vmid)
}

/// Finds the VM whose agent is to do something. `instead`: what to do for a container, in a sentence.
///
/// # Errors
/// Those of [`guests::locate`]; [`Error::Failed`] for what has no agent, a container or a template.
pub fn vm(cx: &Cx<'_>, vmid: Vmid, on: Option<&NodeName>, instead: &str) -> Result<Guest, Error> {
    let guest = guests::locate(cx, vmid, on)?;
    if guest.kind == GuestKind::Container {
        return Err(Error::Failed(format!(
            "{guest} is a container, and containers have no guest agent. {instead}"
        )));
    }
    if guest.template {
        return Err(Error::Failed(format!("{guest} is a template. {}", Quirk::Template.advice())));
    }
    Ok(guest)
}

/// The path of a file in a guest, of Linux or Windows; whole, so that it does not depend on where the agent runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestPath(pub String);

impl Argument for GuestPath {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "a whole path such as /etc/hosts or C:\\Windows\\win.ini";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        let mut start = text.chars();
        let drive = start.next().is_some_and(|c| c.is_ascii_alphabetic())
            && start.next() == Some(':')
            && start.next().is_some_and(|c| c == '\\' || c == '/');
        let whole = text.starts_with('/') || text.starts_with("\\\\") || drive;
        (whole && text.len() <= 4096 && !text.contains(char::is_control)).then(|| GuestPath(text.to_owned()))
    }
}

/// A part of a file in a guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// What it holds, as the guest wrote it. Bytes that are no UTF-8 were read as Latin-1 by Proxmox.
    pub content: String,
    /// Whether the file goes on.
    pub truncated: bool,
}

/// Reads at most `count` bytes of a file, from `offset` on. A server that always gives whole files (PVE 8) is
/// asked for one where that will do.
///
/// # Errors
/// Why it was not read.
pub fn read_file(
    cx: &Cx<'_>,
    guest: &Guest,
    path: &GuestPath,
    offset: u32,
    count: u32,
) -> Result<Part, Error> {
    let whole = || about(guest, &GET_NODES_NODE_QEMU_VMID_AGENT_FILE_READ).with("file", path.0.as_str());
    let part = whole().with("count", count).with_some("offset", (offset > 0).then_some(offset));
    let (data, all) = match cx.call(part) {
        Err(Error::Refused(refusal)) if refusal.status == 400 && refusal.message.contains("count") => {
            (cx.call(whole()), true)
        }
        other => (other, false),
    };
    let data = data.map_err(|error| no_file(error, guest, path, "The file was not read"))?;
    let mut content = data.get("content").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut truncated = Figure::of(data.get("truncated")).flag();
    if all {
        let place = |at: u32| content.floor_char_boundary(usize::try_from(at).unwrap_or(usize::MAX));
        let (from, to) = (place(offset), place(offset.saturating_add(count)));
        truncated |= to < content.len();
        content = content.get(from..to).unwrap_or_default().to_owned();
    }
    Ok(Part { content, truncated })
}

/// Why something was not done with a file.
pub fn no_file(error: Error, guest: &Guest, path: &GuestPath, what: &str) -> Error {
    let path = foreign::code(&path.0, 200);
    let Error::Refused(refusal) = &error else { return error };
    let why = [
        ("No such file or directory", "there is no such file or folder"),
        ("Permission denied", "the guest does not let its agent (SELinux or the like)"),
        ("Is a directory", "it is a folder"),
    ];
    match why.into_iter().find(|(words, _)| refusal.message.contains(words)) {
        Some((_, why)) => Error::NotFound(format!("{what}: {why}: {path} in {guest}.")),
        None if refusal.status == 596 => Error::Failed(format!(
            "{what}: most likely there is no such file or folder: {path} in {guest}. (Proxmox VE answered 596 without a \
             word, which is what it does where the guest's words hold special characters.)"
        )),
        None => not_done(error, guest, what),
    }
}

/// Why something was not done by the agent. `what`: a sentence without its end, such as `The file was not read`.
pub fn not_done(error: Error, guest: &Guest, what: &str) -> Error {
    match &error {
        Error::Refused(refusal) => refused(refusal, guest, what).unwrap_or(error),
        _ => error,
    }
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
    not_done(error, guest, "The command was not run")
}

fn refused(refusal: &Refusal, guest: &Guest, what: &str) -> Option<Error> {
    if refusal.message.contains("has been disabled") {
        return Some(blocked(refusal, guest, what));
    }
    let quirk = refusal.quirk()?;
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
    Some(Error::Failed(format!("{what}: {why} {advice}")))
}

/// The agent refuses by its own settings, or because file systems are frozen.
fn blocked(refusal: &Refusal, guest: &Guest, what: &str) -> Error {
    let words = refusal.words();
    let words = words.trim_end_matches('.');
    Error::Failed(if refusal.message.contains("frozen") {
        format!(
            "{what}: the file systems of {guest} are frozen, and the agent does nothing else until they are thawed \
             ({words}). `proxmox_agent` with `vmid` = {} and `action` = \"thaw\" does that.",
            guest.vmid
        )
    } else {
        format!(
            "{what}: the guest agent of {guest} is set up not to do this ({words}). Red Hat Enterprise Linux and its \
             relatives ship it so: an administrator of the guest can allow it in `/etc/sysconfig/qemu-ga` \
             (`FILTER_RPC_ARGS`, or `BLACKLIST_RPC` in older releases) and restart `qemu-guest-agent`."
        )
    })
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
