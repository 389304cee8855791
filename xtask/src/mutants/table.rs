//! The table of guards, `tests/mutants.toml`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The table.
pub(super) struct Table {
    /// Ways to run tests, the cheapest first.
    pub(super) suites: Vec<Suite>,
    /// The guards.
    pub(super) mutants: Vec<Mutant>,
}

/// A way to run tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Suite {
    /// What the mutants call it.
    pub(super) name: String,
    /// What follows `cargo`, up to the names of tests.
    pub(super) cargo: Vec<String>,
    /// How many mutants are tried at a time; each worker builds in a place of its own.
    pub(super) workers: usize,
}

/// One guard, and how to switch it off.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mutant {
    /// What the guard holds up.
    pub(super) guard: String,
    /// The piece of source that makes it up; the file has it exactly once.
    pub(super) code: String,
    /// What takes its place.
    pub(super) without: String,
    /// Parts of the names of tests; at least one of the tests must fail. Empty: all of the suite.
    #[serde(default)]
    pub(super) tests: Vec<String>,
    /// The file that it is in, from the root of the repository.
    #[serde(skip)]
    pub(super) file: String,
    /// The suite that must notice.
    #[serde(skip)]
    pub(super) suite: String,
}

/// The table as it is written: guards file by file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    suite: Vec<Suite>,
    file: Vec<Place>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    path: String,
    suite: String,
    mutant: Vec<Mutant>,
}

impl Table {
    /// Reads the table, and sees that each piece of source is found exactly once.
    pub(super) fn read() -> Result<Table> {
        let path = root().join("tests/mutants.toml");
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let written: Written =
            toml::from_str(&text).with_context(|| format!("{} is wrong", path.display()))?;
        let mut mutants = Vec::new();
        for Place { path, suite, mutant } in written.file {
            ensure!(
                written.suite.iter().any(|known| known.name == suite),
                "{path}: there is no suite {suite}"
            );
            let source =
                std::fs::read_to_string(root().join(&path)).with_context(|| format!("cannot read {path}"))?;
            for mutant in mutant {
                let mutant = Mutant { file: path.clone(), suite: suite.clone(), ..mutant };
                mutant.apply(&source)?;
                mutants.push(mutant);
            }
        }
        Ok(Table { suites: written.suite, mutants })
    }

    /// The mutants of a suite.
    pub(super) fn of<'a>(&'a self, suite: &'a Suite) -> impl Iterator<Item = &'a Mutant> {
        self.mutants.iter().filter(|mutant| mutant.suite == suite.name)
    }
}

impl Mutant {
    /// The file's text with the guard switched off.
    pub(super) fn apply(&self, text: &str) -> Result<String> {
        let count = text.matches(&self.code).count();
        ensure!(count == 1, "{}: {} has its code {count} times, not once", self.guard, self.file);
        ensure!(self.code != self.without, "{}: without it nothing changes", self.guard);
        Ok(text.replacen(&self.code, &self.without, 1))
    }
}

/// The root of the repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table cannot go stale unnoticed: who rewrites a guard rewrites its mutant.
    #[test]
    fn every_guard_of_the_table_is_in_the_source() {
        let table = Table::read().unwrap();
        assert!(table.mutants.len() > 150, "only {} mutants", table.mutants.len());
        for suite in &table.suites {
            assert!(table.of(suite).count() > 0, "nothing uses the suite {}", suite.name);
        }
        let mut guards: Vec<&str> = table.mutants.iter().map(|mutant| mutant.guard.as_str()).collect();
        guards.sort_unstable();
        let twice = guards.windows(2).find(|pair| pair.first() == pair.last());
        assert_eq!(twice, None, "two mutants of one name");
    }

    #[test]
    fn code_that_is_not_there_once_is_an_error() {
        let mutant = Mutant {
            guard: "g".into(),
            code: "if a {".into(),
            without: "if false {".into(),
            tests: Vec::new(),
            file: "f".into(),
            suite: "s".into(),
        };
        assert_eq!(mutant.apply("x if a { y").unwrap(), "x if false { y");
        assert!(mutant.apply("x").unwrap_err().to_string().contains("0 times"));
        assert!(mutant.apply("if a { if a {").unwrap_err().to_string().contains("2 times"));
    }
}
