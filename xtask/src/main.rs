//! Repository chores, one subcommand each:
//!
//! * `generate FILE [--check]`: writes `api/src/methods/` from the API schema that a Proxmox VE
//!   server publishes (one method a line, as JSON). With `--check`, only compares.
//! * `docs [--check]`: writes the references in `docs` from the declarations of tools and settings. With
//!   `--check`, only compares.
//! * `links`: writes the one-click links of the README from the settings that it shows.
//! * `bundle [--binary FILE] [--repository URL]`: makes the `.mcpb` bundle, and `server.json` for the registry.
//! * `component FILE`: writes the component, with the documentation of its functions in it, for other hosts than ours.
//! * `mutants [WORD...]`: switches the guards off one at a time, as `tests/mutants.toml` says, and sees
//!   that a test fails each time. A word is the name of a suite, or part of a guard's name or file.

mod bundle;
mod component;
mod docs;
mod generate;
mod links;
#[cfg(unix)]
mod mutants;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["generate", file] => generate::write(file),
        ["generate", file, "--check"] => generate::compare(file),
        ["docs"] => docs::run(false),
        ["docs", "--check"] => docs::run(true),
        ["links"] => links::write(),
        ["component", file] => component::write(file),
        ["bundle", words @ ..] => bundle::run(words),
        #[cfg(unix)]
        ["mutants", words @ ..] => mutants::run(words),
        _ => bail!(
            "usage: cargo xtask generate FILE [--check] | docs [--check] | links | component FILE | bundle [WORD...] | mutants [WORD...]"
        ),
    }
}
