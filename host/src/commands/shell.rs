//! `proxmox-mcp completions` and `proxmox-mcp man`: what a shell and `man` need of the command line.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::{Cli, EXIT_CODES, VARIABLES};

/// Prints the completions for a shell.
pub fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "proxmox-mcp", &mut script);
    // For bash, clap_complete spells a program's name that has a hyphen in two ways, and completes nothing after a
    // command (clap-rs/clap#6421).
    match shell {
        Shell::Bash => printed(
            String::from_utf8_lossy(&script).replace("proxmox__subcmd__mcp", "proxmox__mcp").as_bytes(),
        ),
        _ => printed(&script),
    }
}

/// Prints the manual page of the program; with a folder, writes that and one for each command there.
///
/// # Errors
/// Where a page cannot be written.
pub fn man(folder: Option<&Path>) -> Result<ExitCode> {
    let page = page(command())?;
    let Some(folder) = folder else { return Ok(printed(&page)) };
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command(), folder))
        .and_then(|()| std::fs::write(folder.join("proxmox-mcp.1"), page))
        .with_context(|| format!("cannot write manual pages into {}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The command line without the list of variables, which a page has as a section of its own.
fn command() -> Command {
    Cli::command().after_help("")
}

fn page(command: Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    let mut more = Roff::new();
    more.control("SH", ["ENVIRONMENT"]);
    for (name, meaning) in VARIABLES {
        more.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
    }
    more.control("SH", ["EXIT STATUS"]).text([roman(EXIT_CODES)]);
    page.extend_from_slice(more.render().as_bytes());
    Ok(page)
}

/// A reader that has seen enough (`| head`) is no failure.
fn printed(text: &[u8]) -> ExitCode {
    drop(std::io::stdout().write_all(text));
    ExitCode::SUCCESS
}
