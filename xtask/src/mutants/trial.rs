//! One mutant before the tests.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::scratch::Scratch;
use super::table::{Mutant, Suite};

/// Building and testing one mutant may take this long; tests that do not end have noticed.
const PATIENCE: Duration = Duration::from_secs(900);

/// What the tests said.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// These tests failed.
    Killed(Vec<String>),
    /// All passed.
    Survived,
    /// It could not be tried, for this reason.
    Broken(String),
}

/// Sees that the tests pass while all guards are in place.
pub(super) fn unchanged(suite: &Suite, scratch: &Scratch, mutants: &[&Mutant]) -> Result<()> {
    let all: BTreeSet<&str> = mutants.iter().flat_map(|mutant| &mutant.tests).map(String::as_str).collect();
    let tests = if mutants.iter().any(|mutant| mutant.tests.is_empty()) { BTreeSet::new() } else { all };
    match test(suite, scratch, tests, Duration::MAX)? {
        Outcome::Survived => Ok(()),
        other => bail!("the suite {} fails without any mutant: {other:?}", suite.name),
    }
}

/// Tries a mutant.
pub(super) fn of(suite: &Suite, mutant: &Mutant, scratch: &Scratch) -> Result<Outcome> {
    let _put = scratch.put(mutant)?;
    test(suite, scratch, mutant.tests.iter().map(String::as_str), PATIENCE)
}

fn test<'a>(
    suite: &Suite,
    scratch: &Scratch,
    tests: impl IntoIterator<Item = &'a str>,
    time: Duration,
) -> Result<Outcome> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Files, since a pipe that nobody reads would hold the tests up.
    let (said, built) = (scratch.target().join("tests.out"), scratch.target().join("build.out"));
    let mut child = Command::new(cargo)
        .current_dir(scratch.tree())
        .env("CARGO_TARGET_DIR", scratch.target())
        .env("CARGO_INCREMENTAL", "1")
        .env("CARGO_TERM_COLOR", "never")
        .env("INSTA_UPDATE", "no")
        .args(&suite.cargo)
        .arg("--")
        .args(tests)
        .stdin(Stdio::null())
        .stdout(File::create(&said)?)
        .stderr(File::create(&built)?)
        .process_group(0)
        .spawn()
        .context("cannot run cargo")?;
    let Some(passed) = wait(&mut child, time)? else {
        return Ok(Outcome::Killed(vec![format!("(no end within {} s)", time.as_secs())]));
    };
    let read = |path| std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(judge(passed, &read(&said)?, &read(&built)?))
}

/// Whether it passed; `None` where it did not end in time, and was ended.
fn wait(child: &mut Child, time: Duration) -> Result<Option<bool>> {
    let begun = Instant::now();
    while begun.elapsed() < time {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // The group that `process_group` made: cargo and what it started.
    Command::new("kill")
        .args(["-KILL", "--", &format!("-{}", child.id())])
        .status()
        .context("cannot run kill")?;
    child.wait()?;
    Ok(None)
}

/// Reads what cargo and the tests wrote.
fn judge(passed: bool, tests: &str, build: &str) -> Outcome {
    let failed: BTreeSet<String> = tests.lines().filter_map(failed).collect();
    let ran = tests.lines().filter(|line| line.starts_with("test ") && line.contains(" ... ")).count();
    match (passed, ran) {
        (_, 0) => Outcome::Broken(fault(build)),
        (true, _) => Outcome::Survived,
        (false, _) if failed.is_empty() => Outcome::Killed(vec!["(the tests ended early)".to_owned()]),
        (false, _) => Outcome::Killed(failed.into_iter().collect()),
    }
}

/// `test gate::it_holds ... FAILED`
fn failed(line: &str) -> Option<String> {
    let (name, _) =
        line.strip_prefix("test ")?.split_once(" ... ").filter(|(_, end)| end.ends_with("FAILED"))?;
    Some(name.to_owned())
}

/// Why no test ran.
fn fault(build: &str) -> String {
    let error = build.lines().find(|line| line.starts_with("error"));
    error.unwrap_or("no test has this name").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tests_wrote_is_read() {
        let passed = "running 2 tests\ntest a::b ... ok\ntest a::c ... ok\n";
        assert_eq!(judge(true, passed, ""), Outcome::Survived);
        let failed = "test a::b ... ok\ntest a::c ... FAILED\nfailures:\n    a::c\n";
        assert_eq!(judge(false, failed, ""), Outcome::Killed(vec!["a::c".to_owned()]));
        let crashed = "test a::b ... ok\n";
        assert!(matches!(judge(false, crashed, ""), Outcome::Killed(_)));
        let unbuilt = judge(false, "", "   Compiling x\nerror[E0308]: mismatched types\n");
        assert_eq!(unbuilt, Outcome::Broken("error[E0308]: mismatched types".to_owned()));
        assert!(matches!(judge(true, "running 0 tests\n", ""), Outcome::Broken(_)));
    }
}
