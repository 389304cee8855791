//! `docs/tools.md`, `docs/findings.md` and `docs/prompts.md`: the reference of all tools, codes of findings, prompts
//! and resources, written from their declarations. Tests compare the files with them; `cargo xtask docs` writes them anew.

mod findings;
mod methods;
mod prompts;

use std::fmt::Write as _;

use crate::tool::{Alias, Kind, Param, Tool, Toolset};
use crate::tools;

const HEAD: &str = "\
<!-- Written by `cargo xtask docs` from the declarations in src/tools. Do not edit. -->

# Tools

Every tool, grouped by toolset: what it does, what it takes, its older names, and each method of Proxmox's API that it
may call with what that method needs. A request that is not in a tool's list is refused, whatever was granted.

- **reads**: changes nothing. **changes**: can be put back, or only adds. **may lose data**: may lose something that cannot be
  had back (a client is told so, and may ask).
- Parameters marked with * are taken, but not in the list of tools that a model gets: they are explained once for all
  tools, found out where they are left out, or named by an error.
- What a call needs is a privilege on an ACL path of Proxmox, written as a grant `PRIVILEGE@PATH`; `{name}` in a path stands for
  a parameter. Where a method's parameters decide, *at least* says what every request needs, and
  `proxmox-mcp grants explain TOOL key=value` what that call needs.
";

/// The groups, in the order of the README.
const ORDER: &[Toolset] = &[
    Toolset::Overview,
    Toolset::Guests,
    Toolset::Storage,
    Toolset::Backups,
    Toolset::Agent,
    Toolset::Api,
    Toolset::Planning,
    Toolset::Admin,
    Toolset::ByName,
];

#[test]
fn the_reference_of_the_tools_is_true() {
    compare("tools.md", &tools_page());
}

/// Compares a page of `docs` with what it should be; with `UPDATE_DOCS=1`, writes it.
fn compare(name: &str, expected: &str) {
    let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/{name} is stale: run `cargo xtask docs`");
}

fn tools_page() -> String {
    let mut page = HEAD.to_owned();
    for set in ORDER {
        let members: Vec<&Tool> =
            tools::ALL.iter().map(|(_, tool)| *tool).filter(|tool| tool.toolset == *set).collect();
        let (heading, listed) = match set {
            Toolset::ByName => ("In no toolset".to_owned(), "each listed where `--tools` names it"),
            _ if set.by_default() => (format!("`{}`", set.word()), "listed by default"),
            _ => (format!("`{}`", set.word()), "listed when chosen"),
        };
        write!(page, "\n## {heading} ({} tools, {listed})\n", members.len()).unwrap();
        for tool in members {
            page += &section(tool);
        }
    }
    page
}

fn section(tool: &Tool) -> String {
    let mut text = format!("\n### `{}`: {}\n\n{}\n\n", tool.name, tool.title, tool.description);
    writeln!(text, "Risk: {}.", risk(tool)).unwrap();
    if !tool.params.is_empty() {
        text += "\n| parameter | takes | default | meaning |\n|---|---|---|---|\n";
        tool.params.iter().for_each(|param| text += &row(tool, param));
    }
    if !tool.aliases.is_empty() {
        text += "\nOlder names:\n\n";
        tool.aliases.iter().for_each(|alias| text += &older(alias));
    }
    text + &methods::paragraph(tool)
}

fn risk(tool: &Tool) -> String {
    let mut words = vec![match (tool.read_only(), tool.destructive) {
        (true, _) => "reads",
        (false, false) => "changes",
        (false, true) => "changes, may lose data",
    }];
    if !tool.read_only() && tool.idempotent() {
        words.push("the same call again does nothing more");
    }
    if tool.open_world {
        words.push("reaches beyond Proxmox VE");
    }
    words.join("; ")
}

fn row(tool: &Tool, param: &Param) -> String {
    let mark = if tool.lists(param) { "" } else { " *" };
    let default = match (param.required, param.default) {
        (true, _) => "**required**".to_owned(),
        (false, Some(value)) => default(param.kind, value.trim()),
        (false, None) => String::new(),
    };
    let about = cell(param.about.trim());
    format!("| `{}`{mark} | {} | {default} | {about} |\n", param.name, takes(param.kind))
}

/// A default as it is written in a call. In the source, one of several words is a case of an enum, and
/// what is neither that nor JSON a constant, whose name says it.
fn default(kind: Kind, source: &str) -> String {
    let plain = |text: &str| text.replace(['-', '_'], "").to_lowercase();
    let name = source.rsplit("::").next().unwrap_or_default();
    let written = match kind {
        Kind::Words(words) => {
            words.iter().find(|word| plain(word) == plain(name)).map(|word| (*word).to_owned())
        }
        _ => serde_json::from_str::<serde_json::Value>(source).ok().map(|value| value.to_string()),
    };
    written.map_or_else(|| name.replace('_', " ").to_lowercase(), |text| format!("`{text}`"))
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Whole(from, u32::MAX) => format!("number from {from}"),
        Kind::Whole(from, to) => format!("number, {from} to {to}"),
        Kind::Flag => "`true`, `false`".to_owned(),
        Kind::TextOrList => "text, or a list of texts".to_owned(),
        Kind::Texts => "list of texts".to_owned(),
        Kind::Words(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Object => "object".to_owned(),
    }
}

fn older(alias: &Alias) -> String {
    let fixed = alias.fixed.iter().map(|(name, value)| format!("`{name}={}`", value.trim_matches('"')));
    let renamed = alias.renamed.iter().map(|(theirs, ours)| format!("its `{theirs}` is `{ours}`"));
    let parts: Vec<String> = fixed.chain(renamed).collect();
    match parts.is_empty() {
        true => format!("- `{}`\n", alias.name),
        false => format!("- `{}`: {}\n", alias.name, parts.join(", ")),
    }
}

/// Text that may stand in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[test]
fn every_tool_and_every_older_name_is_in_the_reference() {
    let page = tools_page();
    let known = std::collections::HashSet::<&str>::from_iter(page.split('`'));
    for (name, tool) in tools::ALL {
        for name in std::iter::once(*name).chain(tool.aliases.iter().map(|alias| alias.name)) {
            assert!(known.contains(name), "{name}");
        }
        for method in tool.calls {
            assert!(known.contains(method.to_string().as_str()), "{name}: {method}");
        }
    }
}

#[test]
fn a_declaration_is_told_whole() {
    let text = section(&tools::proxmox_power::TOOL);
    for expected in [
        "### `proxmox_power`: Power",
        "Risk: changes, may lose data.",
        "| `vmid` | number, 100 to 999999999 | **required** | Guest id. |",
        "| `wait` * | `true`, `false` | `true` | Follow the task to its end. |",
        "- `proxmox_start_vm`: `action=start`\n",
        "- `POST /nodes/{node}/qemu/{vmid}/status/start`: VM.PowerMgmt on /vms/{vmid}\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(default(Kind::Text, "Since::A_DAY"), "a day");
    assert!(section(&tools::proxmox_get_metrics::TOOL).contains("`year` | `day` | Timeframe. |"));
    assert_eq!(cell("a|b\nc"), "a\\|b c");
}
