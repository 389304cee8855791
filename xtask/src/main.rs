//! Repository chores, one subcommand each:
//!
//! * `generate FILE [--check]`: writes `api/src/methods/` from the API schema that a Proxmox VE
//!   server publishes (one method a line, as JSON). With `--check`, only compares.

mod generate;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["generate", file] => generate::write(file),
        ["generate", file, "--check"] => generate::compare(file),
        _ => bail!("usage: cargo xtask generate FILE [--check]"),
    }
}
