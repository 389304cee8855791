//! `proxmox-mcp tools`: which tools there are, what each needs, and whether it is granted.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use proxmox_api::{Check, Method, Permission};
use serde_json::{Value, json};

use crate::calls::Tools;
use crate::catalogue::Entry;
use crate::reach::{missing, reach};

/// Prints the list, as text or as JSON.
///
/// # Errors
/// Where the data cannot be written as JSON.
pub fn run(tools: &Tools, as_json: bool) -> Result<ExitCode> {
    let entries = tools.catalogue().iter().filter(|entry| tools.selection().admits(entry).is_ok());
    let text = match as_json {
        true => serde_json::to_string_pretty(&entries.map(|entry| data(tools, entry)).collect::<Vec<_>>())?,
        false => entries.map(|entry| paragraph(tools, entry)).collect::<Vec<_>>().join("\n"),
    };
    // A reader that has seen enough (`| head`) is no failure.
    drop(writeln!(std::io::stdout(), "{}", text.trim_end()));
    Ok(ExitCode::SUCCESS)
}

fn paragraph(tools: &Tools, entry: &Entry) -> String {
    let tool = &entry.tool;
    let reach = reach(tools, entry).word();
    let mut text = format!("{}  [{reach}; {}]\n  {}\n", tool.name, tool.toolset, tool.description);
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
