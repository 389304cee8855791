//! Repository chores, one subcommand each:
//!
//! * `generate FILE [--check]`: writes `api/src/methods/` from the API schema that a Proxmox VE
//!   server publishes (one method a line, as JSON). With `--check`, only compares.
//! * `mutants [WORD...]`: switches the guards off one at a time, as `tests/mutants.toml` says, and sees
//!   that a test fails each time. A word is the name of a suite, or part of a guard's name or file.

mod generate;
#[cfg(unix)]
mod mutants;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["generate", file] => generate::write(file),
        ["generate", file, "--check"] => generate::compare(file),
        #[cfg(unix)]
        ["mutants", words @ ..] => mutants::run(words),
        _ => bail!("usage: cargo xtask generate FILE [--check] | mutants [WORD...]"),
    }
}
