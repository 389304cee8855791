//! `docs/settings.md`: the reference of the command line, written from its declaration. The test here
//! compares the file with it; `cargo xtask docs` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use crate::cli::{Cli, EXIT_CODES, VARIABLES};

const HEAD: &str = "\
<!-- Written by `cargo xtask docs` from host/src/cli.rs. Do not edit. -->

# Commands, flags and variables

A flag wins over the environment, the environment over the nearest `.env` file (in the folder where the server starts, or
one above it).
";

#[test]
fn the_reference_of_the_settings_is_true() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(path, page()).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == page(), "docs/settings.md is stale: run `cargo xtask docs`");
}

fn page() -> String {
    let mut program = Cli::command();
    program.build();
    let mut page = format!("{HEAD}\n## Commands\n\n");
    commands(&program, "proxmox-mcp", &mut page);
    page += "\n## Flags that every command takes\n";
    for heading in headings(&program) {
        write!(page, "\n### {heading}\n\n| flag | meaning |\n|---|---|\n").unwrap();
        let members = program.get_arguments().filter(|arg| arg.get_help_heading() == Some(&heading));
        members.filter(|arg| !arg.is_hide_set()).for_each(|arg| page += &row(arg));
    }
    page += "\n## Variables\n\n| variable | meaning |\n|---|---|\n";
    for (name, meaning) in VARIABLES {
        writeln!(page, "| `{name}` | {meaning} |").unwrap();
    }
    write!(page, "\n## Exit codes\n\n{EXIT_CODES}\n").unwrap();
    page
}

/// Each command with what it takes for itself, those below it included.
fn commands(above: &Command, path: &str, page: &mut String) {
    for command in above.get_subcommands().filter(|command| command.get_name() != "help") {
        let path = format!("{path} {}", command.get_name());
        let own: Vec<&Arg> = command
            .get_arguments()
            .filter(|arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help")
            .collect();
        writeln!(page, "- `{path}`: {}", help(command.get_about())).unwrap();
        for arg in own {
            writeln!(page, "  - `{}`: {}", shown(arg), help(arg.get_help())).unwrap();
        }
        commands(command, &path, page);
    }
}

/// The headings, in the order of the help.
fn headings(program: &Command) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for heading in program.get_arguments().filter_map(Arg::get_help_heading) {
        if !found.iter().any(|known| known == heading) {
            found.push(heading.to_owned());
        }
    }
    found
}

fn row(arg: &Arg) -> String {
    format!("| `{}` | {} |\n", shown(arg), help(arg.get_help()).replace('|', "\\|"))
}

/// A flag or an argument, with the name of its value.
fn shown(arg: &Arg) -> String {
    let value = arg.get_value_names().unwrap_or_default().first().map(|name| name.as_str());
    let value = value.filter(|_| arg.get_action().takes_values());
    match (arg.get_long(), value) {
        (Some(long), Some(value)) => format!("--{long} {value}"),
        (Some(long), None) => format!("--{long}"),
        (None, value) => value.unwrap_or(arg.get_id().as_str()).to_owned(),
    }
}

fn help(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default().replace('\n', " ")
}

#[test]
fn every_variable_is_read_by_this_program() {
    let sources = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    for (name, _) in VARIABLES {
        assert!(sources.contains(&format!("\"{name}\"")), "{name} is explained and never read");
    }
}

/// The source below a folder, but for the list of variables itself.
fn sources(folder: &Path) -> String {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = paths.map(|path| match path.extension() {
        _ if path.is_dir() => sources(&path),
        Some(extension) if extension == "rs" && !path.ends_with("cli.rs") => {
            std::fs::read_to_string(path).unwrap()
        }
        _ => String::new(),
    });
    text.collect()
}
