//! Throws mutated inputs at the gate and holds what comes out against rules that are written down a
//! second time, without the gate's own parser: `gate-fuzz SECONDS SEED TARGET`.
//!
//! The same seed makes the same inputs. A finding is printed, written to a file and ends the run with
//! status 1; given that file instead of a number of seconds, the input is run once more.

mod corpus;
mod oracle;
mod targets;

use corpus::Corpus;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use targets::Target;

const USAGE: &str = "usage: gate-fuzz SECONDS|FILE SEED request|grants|answer|all";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [time, seed, name] = arguments.as_slice() else { return usage(USAGE) };
    let Ok(seed) = seed.parse::<u64>() else { return usage("the seed is a whole number") };
    let targets = targets::named(name);
    if targets.is_empty() {
        return usage(USAGE);
    }
    std::panic::set_hook(Box::new(|_| {}));
    let clean = match time.parse::<u64>() {
        Ok(seconds) => {
            let each = Duration::from_secs(seconds) / u32::try_from(targets.len()).unwrap_or(1);
            targets.iter().all(|target| fuzz(*target, each, seed))
        }
        Err(_) => match std::fs::read(time) {
            Ok(input) => targets.iter().all(|target| replay(*target, &input)),
            Err(error) => {
                return usage(&format!("{time} is neither a number of seconds nor a file: {error}"));
            }
        },
    };
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(2)
}

/// Runs a target for a while; whether nothing was found.
fn fuzz(target: Target, time: Duration, seed: u64) -> bool {
    let mut corpus = Corpus::new((target.seeds)(), target.words, seed);
    let (start, mut runs) = (Instant::now(), 0_u64);
    // The clock costs more than many a run.
    while runs % 256 != 0 || start.elapsed() < time {
        let input = corpus.next();
        runs += 1;
        match run(target, &input) {
            Ok(outcome) => corpus.keep_if_new(outcome, input),
            Err(finding) => {
                let file = format!("gate-fuzz-{}-{seed}.input", target.name);
                let written = std::fs::write(&file, &input).map_or_else(|e| e.to_string(), |()| file);
                println!("{}: FOUND after {runs} runs: {finding}\n  input: {written}", target.name);
                return false;
            }
        }
    }
    let rate = runs as f64 / start.elapsed().as_secs_f64();
    println!(
        "{}: {runs} runs, {rate:.0} per second, {} outcomes, no finding",
        target.name,
        corpus.outcomes()
    );
    true
}

fn replay(target: Target, input: &[u8]) -> bool {
    let result = run(target, input);
    match &result {
        Ok(outcome) => println!("{}: no finding ({outcome})", target.name),
        Err(finding) => println!("{}: FOUND: {finding}", target.name),
    }
    result.is_ok()
}

/// One input: what came of it, in a word, or what must not be. A panic is a finding.
fn run(target: Target, input: &[u8]) -> Result<String, String> {
    match catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panic: {}", text.unwrap_or_default()))
        }
    }
}
