//! Writes the references in `docs`, or compares them with the source. The tests of the component and of the
//! host hold what is in them; this runs those tests.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The tests that know the references: how cargo finds them.
const TESTS: [&[&str]; 2] = [
    &["test", "--quiet", "--package", "proxmox-mcp-component", "--lib", "reference::"],
    &["test", "--quiet", "--release", "--package", "proxmox-mcp", "--lib", "reference::"],
];

/// Writes them, or with `check` fails where one is stale.
pub(crate) fn run(check: bool) -> Result<()> {
    for arguments in TESTS {
        let status = Command::new(env!("CARGO"))
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .args(arguments)
            .env("UPDATE_DOCS", if check { "0" } else { "1" })
            .status()
            .context("cannot run cargo")?;
        ensure!(status.success(), "a reference in docs is stale, or its test fails: run `cargo xtask docs`");
    }
    Ok(())
}
