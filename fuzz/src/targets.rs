//! What is fuzzed. Each target reads bytes, runs the gate and says what came of it.

pub(crate) mod answer;
pub(crate) mod grants;
pub(crate) mod request;

/// A target.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Inputs to begin with.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// Words that mutations put in.
    pub(crate) words: &'static [&'static str],
    /// Runs one input: its outcome in a word, or the finding.
    pub(crate) run: fn(&[u8]) -> Result<String, String>,
}

const ALL: &[Target] = &[request::TARGET, grants::TARGET, answer::TARGET];

/// The target of this name, `all` of them, or none.
pub(crate) fn named(name: &str) -> Vec<Target> {
    ALL.iter().copied().filter(|target| name == "all" || target.name == name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_runs_without_a_finding() {
        for target in ALL {
            for seed in (target.seeds)() {
                let result = (target.run)(&seed);
                assert!(result.is_ok(), "{}: {:?}: {result:?}", target.name, String::from_utf8_lossy(&seed));
            }
        }
    }

    #[test]
    fn a_target_has_a_name_of_its_own() {
        assert_eq!(named("all").len(), ALL.len());
        assert!(ALL.iter().all(|target| named(target.name).len() == 1));
        assert!(named("nosuch").is_empty());
    }
}
