//! Runs a program under valgrind's callgrind, and reads what it counted.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// What a run of a program took.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) instructions: u64,
    /// Calls of `malloc`, `calloc` and `realloc`.
    pub(super) allocations: u64,
}

/// Whether valgrind is installed.
pub(super) fn is_there() -> bool {
    let asked =
        Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Runs it to its end.
pub(super) fn run(program: &Path, arguments: &[&str]) -> Result<Counted> {
    let file = tempfile::NamedTempFile::new()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", file.path().display()))
        .arg(program)
        .args(arguments)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?} under valgrind: {said}");
    read(&std::fs::read_to_string(file.path())?)
}

/// Reads the counts off a profile. Functions have numbers; their names stand beside the first use of each.
fn read(profile: &str) -> Result<Counted> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let (mut called, mut allocations, mut instructions) = ("", 0, None);
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("cfn=").or(line.strip_prefix("fn=")) {
            let (number, name) = name.split_once(' ').unwrap_or((name, ""));
            if !name.is_empty() {
                names.insert(number, name);
            }
            called = names.get(number).copied().unwrap_or_default();
        } else if let Some(calls) = line.strip_prefix("calls=") {
            if ["malloc", "calloc", "realloc"].contains(&called) {
                let count = calls.split_whitespace().next().and_then(|count| count.parse::<u64>().ok());
                allocations += count.context("a line of calls without a count")?;
            }
        } else if let Some(total) = line.strip_prefix("totals:").or(line.strip_prefix("summary:")) {
            instructions = total.split_whitespace().next().and_then(|count| count.parse().ok());
        }
    }
    Ok(Counted { instructions: instructions.context("a profile without a total")?, allocations })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_counted_by_the_names_of_functions() {
        let profile = "fn=(1) main\n10 5\ncfn=(2) malloc\ncalls=3 0\n10 100\ncfn=(3) free\ncalls=9 0\n11 5\n\
                       fn=(4) other\n1 1\ncfn=(2)\ncalls=4 0\n2 7\ncfn=(5) realloc\ncalls=1 0\n2 7\n\ntotals: 4242\n";
        assert_eq!(read(profile).unwrap(), Counted { instructions: 4242, allocations: 8 });
        assert!(read("fn=(1) main\n").is_err());
    }
}
