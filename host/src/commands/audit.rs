//! `proxmox-mcp audit verify`: whether an audit log is as it was written.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use proxmox_audit::{Head, verify, verify_expect};

/// Checks every line of the log. With `expect`, also that it ends where it ended when that was noted.
/// Exit code 1 where something is wrong.
///
/// # Errors
/// Where the file cannot be read, or `expect` is no noted end.
pub fn run(file: &Path, expect: Option<&str>) -> Result<ExitCode> {
    let shown = file.display();
    let reader = BufReader::new(File::open(file).with_context(|| format!("cannot read {shown}"))?);
    let result = match expect {
        Some(text) => {
            let head: Head = text
                .parse()
                .with_context(|| format!("`{text}` is not the noted end of a log, such as 7:<hash>"))?;
            verify_expect(reader, head)
        }
        None => verify(reader),
    };
    match result {
        Ok(summary) => {
            println!(
                "{shown} is as it was written: {} lines, the last one is {}",
                summary.head.seq, summary.head
            );
            if summary.broken > 0 {
                println!(
                    "{} lines were cut short when they were written; the log says so itself",
                    summary.broken
                );
            }
            if expect.is_none() {
                println!(
                    "Whether lines are missing at its end shows only against a noted end: --expect {}",
                    summary.head
                );
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(finding) => {
            eprintln!("{shown}: {finding}");
            Ok(ExitCode::FAILURE)
        }
    }
}
