//! The mutation run: a guard that can be taken out without a test noticing is not guarded by anything.
//!
//! `tests/mutants.toml` names each guard with the exact piece of source that makes it up, and with what
//! takes its place. Each mutant is put into a copy of the tree (below `target/mutants`), alone, and the tests
//! that the table names are run there. One must fail; the working tree is never touched.

mod scratch;
mod table;
mod trial;

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};

use scratch::Scratch;
use table::{Mutant, Suite, Table};
use trial::Outcome;

/// How many of the tests that noticed are shown.
const SHOWN: usize = 3;

/// Runs the mutants that the words choose; all of them without words.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let table = Table::read()?;
    let _lock = scratch::lock()?;
    let begun = Instant::now();
    let mut tried = Vec::new();
    for suite in &table.suites {
        let chosen = table.of(suite).filter(|mutant| wanted(&table, mutant, words)).collect();
        tried.extend(try_all(suite, chosen)?);
    }
    ensure!(!tried.is_empty(), "no mutant fits {words:?}");
    let alive: Vec<&str> = tried.iter().filter(|(_, killed)| !killed).map(|(guard, _)| *guard).collect();
    println!("{} of {} killed in {} s", tried.len() - alive.len(), tried.len(), begun.elapsed().as_secs());
    ensure!(alive.is_empty(), "no test noticed that these were gone:\n  {}", alive.join("\n  "));
    Ok(())
}

/// Tries these mutants, several at a time where the suite is light; gives each guard with whether a test
/// noticed that it was gone.
fn try_all<'a>(suite: &Suite, mutants: Vec<&'a Mutant>) -> Result<Vec<(&'a str, bool)>> {
    let workers = suite.workers.min(mutants.len());
    let queue = Mutex::new(mutants.iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = |number| -> Result<Vec<(&'a str, bool)>> {
        let scratch = Scratch::prepare(number)?;
        trial::unchanged(suite, &scratch, &mutants)?;
        let mut tried = Vec::new();
        while let Some(mutant) = next() {
            let outcome = trial::of(suite, mutant, &scratch)?;
            println!("{}", line(mutant, &outcome));
            tried.push((mutant.guard.as_str(), matches!(outcome, Outcome::Killed(_))));
        }
        Ok(tried)
    };
    let work = &work;
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..workers).map(|number| scope.spawn(move || work(number))).collect();
        let mut tried = Vec::new();
        for worker in started {
            tried.extend(worker.join().map_err(|_| anyhow!("a worker panicked"))??);
        }
        Ok(tried)
    })
}

/// Whether one of the words is the mutant's suite, or part of its guard's name or file.
fn wanted(table: &Table, mutant: &Mutant, words: &[&str]) -> bool {
    let fits = |word: &&str| match table.suites.iter().any(|suite| suite.name == **word) {
        true => mutant.suite == **word,
        false => mutant.guard.contains(*word) || mutant.file.contains(*word),
    };
    words.is_empty() || words.iter().any(fits)
}

/// What became of a mutant, in one line.
fn line(mutant: &Mutant, outcome: &Outcome) -> String {
    let (word, more) = match outcome {
        Outcome::Killed(tests) => ("killed", shown(tests)),
        Outcome::Survived => ("SURVIVED", mutant.tests.join(", ")),
        Outcome::Broken(why) => ("BROKEN", why.clone()),
    };
    format!("{word:<9}{:<8} {}  [{}]  {more}", mutant.suite, mutant.guard, mutant.file)
}

fn shown(tests: &[String]) -> String {
    let first: Vec<&str> = tests.iter().take(SHOWN).map(String::as_str).collect();
    match tests.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
