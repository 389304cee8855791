//! `proxmox-mcp grants`: what is granted, where that was said, and which tools it opens.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use crate::calls::Tools;
use crate::catalogue::Entry;
use crate::permissions::{AllowList, Origin, Permissions};
use crate::reach::{Reach, beyond, reach};

/// Prints what is in force, as text or as JSON.
///
/// # Errors
/// Where the data cannot be written as JSON.
pub fn run(tools: &Tools, permissions: &Permissions, as_json: bool) -> Result<ExitCode> {
    let text = match as_json {
        true => serde_json::to_string_pretty(&data(tools, permissions))?,
        false => page(tools, permissions),
    };
    // A reader that has seen enough (`| head`) is no failure.
    drop(writeln!(std::io::stdout(), "{}", text.trim_end()));
    Ok(ExitCode::SUCCESS)
}

fn mode(permissions: &Permissions) -> &'static str {
    match (permissions.grants().is_elevated(), permissions.narrowed_by()) {
        (true, _) => "elevated",
        (false, None) => "basic",
        (false, Some(_)) => "granted only",
    }
}

fn page(tools: &Tools, permissions: &Permissions) -> String {
    let meaning = match (permissions.grants().is_elevated(), permissions.narrowed_by()) {
        (true, _) => "everything that the API token may do".to_owned(),
        (false, None) => {
            "reading guests, storages, pools and networks, and what is granted besides".to_owned()
        }
        (false, Some(by)) => format!("nothing but what is granted, reading included; {by}"),
    };
    let mut text = format!("Mode: {} ({meaning})\n", mode(permissions));
    // Writing to a String cannot fail, here and below.
    if let Some(profile) = permissions.profile() {
        let _ = writeln!(text, "Profile: {} ({})", profile.name, profile.file.display());
    }
    let _ = write!(text, "\nGrants\n{}", grants(permissions));
    let asked = table(permissions.ask().iter().map(|grant| [grant.to_string()]));
    if !asked.is_empty() {
        let _ = write!(text, "\nGranted once a person has agreed\n{asked}");
    }
    let _ = write!(text, "\nAllow-lists\n{}", allow_lists(permissions));
    let _ = write!(text, "\nTools\n{}", openings(tools));
    text
}

fn grants(permissions: &Permissions) -> String {
    table(permissions.each().map(|(grant, origin)| [grant.to_string(), origin.to_string()]))
}

fn allow_lists(permissions: &Permissions) -> String {
    let row = |kind: &str, list: Option<&AllowList>| match list {
        Some(list) => {
            let origins: Vec<String> = list.origins.iter().map(Origin::to_string).collect();
            [format!("{kind}: {}", list.text), origins.join(" and ")]
        }
        None => [format!("{kind}: all"), String::new()],
    };
    table([row("nodes", permissions.nodes()), row("guests", permissions.guests())])
}

fn openings(tools: &Tools) -> String {
    let mut has_template = false;
    let rows: Vec<[String; 3]> = tools
        .catalogue()
        .iter()
        .map(|entry| {
            let lines = line(tools, entry).unwrap_or_default();
            has_template |= lines.contains('{');
            [entry.tool.name.clone(), reach(tools, entry).word().to_owned(), lines]
        })
        .collect();
    let mut text = table(rows);
    if has_template {
        text.push_str(
            "\nIn place of {vmid} and {node} write the guest and the node that you mean; a path ends at /vms or /nodes \
             for all of them.\nproxmox-mcp grants explain TOOL KEY=VALUE ... shows what one call needs.\n",
        );
    }
    text
}

/// The flags that would open what is left of a tool.
fn line(tools: &Tools, entry: &Entry) -> Option<String> {
    let flags: Vec<String> =
        beyond(tools, entry).into_iter().map(|grant| format!("--grant {grant}")).collect();
    let flags = (!flags.is_empty()).then(|| flags.join(" "))?;
    Some(match reach(tools, entry) {
        Reach::Scoped => format!("the others: {flags}"),
        Reach::Part => format!("the rest: {flags}"),
        Reach::Ask => format!("without asking: {flags}"),
        Reach::None | Reach::All => flags,
    })
}

/// Columns, each as wide as its widest cell but the last.
fn table<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "  {cell:width$}");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn data(tools: &Tools, permissions: &Permissions) -> Value {
    let each = |(grant, origin): (&proxmox_gate::Grant, &Origin)| json!({"grant": grant.to_string(), "origin": origin.to_string()});
    let list = |list: &AllowList| {
        let origins: Vec<String> = list.origins.iter().map(Origin::to_string).collect();
        json!({"entries": list.text, "origins": origins})
    };
    let tool = |entry: &Entry| {
        let beyond: BTreeSet<String> = beyond(tools, entry);
        json!({"name": entry.tool.name, "reach": reach(tools, entry).word(), "further_grants": beyond})
    };
    json!({
        "mode": mode(permissions),
        "narrowed_by": permissions.narrowed_by().map(ToString::to_string),
        "profile": permissions.profile().map(|p| json!({"name": p.name, "file": p.file.display().to_string()})),
        "grants": permissions.each().map(each).collect::<Vec<_>>(),
        "ask": permissions.ask().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "allow_lists": {"nodes": permissions.nodes().map(list), "guests": permissions.guests().map(list)},
        "tools": tools.catalogue().iter().map(tool).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let rows = [["é", "b", "c"], ["longer", "", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(rows), "  é       b  c\n  longer\n");
    }
}
