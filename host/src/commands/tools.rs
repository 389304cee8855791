//! `proxmox-mcp tools`: which tools there are, what each needs, and whether it is granted.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use proxmox_api::{Check, Method, Permission};
use proxmox_gate::{Gate, Grants, Opening, Walls};
use serde_json::{Value, json};

use crate::calls::{Entry, Tools};

/// Prints the list, as text or as JSON.
///
/// # Errors
/// Where the data cannot be written as JSON.
pub fn run(tools: &Tools, as_json: bool) -> Result<ExitCode> {
    let text = match as_json {
        true => serde_json::to_string_pretty(
            &tools.catalogue().iter().map(|e| data(tools, e)).collect::<Vec<_>>(),
        )?,
        false => tools.catalogue().iter().map(|entry| paragraph(tools, entry)).collect::<Vec<_>>().join("\n"),
    };
    // A reader that has seen enough (`| head`) is no failure.
    drop(writeln!(std::io::stdout(), "{}", text.trim_end()));
    Ok(ExitCode::SUCCESS)
}

/// How much of a tool the grants open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// All of it.
    All,
    /// For some guests, nodes or storages.
    Scoped,
    /// Some of what it shows.
    Part,
    /// After a person said yes.
    Ask,
    /// Nothing.
    None,
}

impl Reach {
    pub(super) fn word(self) -> &'static str {
        match self {
            Reach::All => "granted",
            Reach::Scoped => "granted for some",
            Reach::Part => "granted in part",
            Reach::Ask => "ask",
            Reach::None => "not granted",
        }
    }
}

/// How much the grants open; where that is nothing, whether asking would open it.
pub(super) fn reach(tools: &Tools, entry: &Entry) -> Reach {
    match reach_by(entry, |method| tools.opening(method)) {
        Reach::None if reach_by(entry, |method| tools.opening_with_asking(method)) != Reach::None => {
            Reach::Ask
        }
        granted => granted,
    }
}

/// A tool that changes something needs all that it declares; one that reads shows what it may.
fn reach_by(entry: &Entry, opening: impl Fn(&'static Method) -> Opening) -> Reach {
    let openings: Vec<Opening> = entry.methods.iter().map(|method| opening(method)).collect();
    let shut = openings.iter().filter(|o| matches!(o, Opening::Shut { .. })).count();
    let changes = entry.methods.iter().zip(&openings).filter(|(method, _)| !method.verb.reads());
    let change_shut = changes.clone().any(|(_, opening)| matches!(opening, Opening::Shut { .. }));
    if shut == openings.len() || change_shut {
        Reach::None
    } else if shut > 0 {
        Reach::Part
    } else if entry.methods.iter().zip(&openings).any(|(method, opening)| limits(opening, method)) {
        Reach::Scoped
    } else {
        Reach::All
    }
}

/// Whether grants limit a method to some paths. Some methods are limited by nature: one's own tasks.
fn limits(opening: &Opening, method: &'static Method) -> bool {
    *opening == Opening::Scoped && matches!(ungranted(method), Opening::Shut { .. })
}

/// How far a method is open where nothing is granted.
fn ungranted(method: &'static Method) -> Opening {
    Gate::new(Grants::default(), Walls::default(), "").opens(method)
}

/// The grants that would open all that the grants in force do not, with path templates.
pub(super) fn beyond(tools: &Tools, entry: &Entry) -> BTreeSet<String> {
    let limited = entry.methods.iter().filter(|method| limits(&tools.opening(method), method));
    let further = limited.filter_map(|method| match ungranted(method) {
        Opening::Shut { grant, .. } => grant,
        Opening::Open | Opening::Scoped => None,
    });
    further.chain(missing(tools, entry)).collect()
}

fn paragraph(tools: &Tools, entry: &Entry) -> String {
    let tool = &entry.tool;
    let mut text = format!("{}  [{}]\n  {}\n", tool.name, reach(tools, entry).word(), tool.description);
    let needs = needs(entry);
    if !needs.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  needs {}", Vec::from_iter(needs).join("; "));
    }
    let missing = missing(tools, entry);
    if !missing.is_empty() {
        let _ = writeln!(
            text,
            "  to open: {}",
            missing.iter().map(|g| format!("--grant {g}")).collect::<Vec<_>>().join(" ")
        );
    }
    text
}

fn data(tools: &Tools, entry: &Entry) -> Value {
    json!({
        "name": entry.tool.name,
        "title": entry.tool.title,
        "description": entry.tool.description,
        "toolset": entry.tool.toolset,
        "reach": reach(tools, entry).word(),
        "needs": needs(entry),
        "missing_grants": missing(tools, entry),
        "calls": entry.methods.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// The grants that would open what is shut, with path templates.
fn missing(tools: &Tools, entry: &Entry) -> BTreeSet<String> {
    let shut = |method: &&'static Method| match tools.opening(method) {
        Opening::Shut { grant, .. } => grant,
        Opening::Open | Opening::Scoped => None,
    };
    entry.methods.iter().filter_map(shut).collect()
}

/// What the methods of a tool check, beyond a login.
fn needs(entry: &Entry) -> BTreeSet<String> {
    entry.methods.iter().filter_map(|method| need(method)).collect()
}

fn need(method: &Method) -> Option<String> {
    match &method.permission {
        Permission::World | Permission::AnyLogin { .. } => None,
        Permission::RootOnly => Some("root@pam itself".to_owned()),
        Permission::Check { check, .. } => Some(in_words(check)),
    }
}

fn in_words(check: &Check) -> String {
    let join = |checks: &[Check], word: &str| checks.iter().map(in_words).collect::<Vec<_>>().join(word);
    match check {
        Check::Perm { path, privileges, any, .. } => {
            format!("{} on {path}", privileges.join(if *any { " or " } else { " and " }))
        }
        Check::All(checks) => join(checks, " and "),
        Check::Any(checks) => join(checks, " or "),
        Check::UserGroup(privileges) => format!("{} on a group of the user", privileges.join(" or ")),
        Check::UserParam(relation) => format!("to be the user itself, or {relation}"),
        Check::ModifyPermissions(path) => format!("Permissions.Modify on {path}"),
    }
}
