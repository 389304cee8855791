//! Inputs and their mutations. An input that led to an outcome not seen before stays and is mutated
//! further, which walks into the code step by step.

use fastrand::Rng;
use std::collections::HashSet;

/// More would only make the walk forget.
const MOST_INPUTS: usize = 4096;
const LONGEST_INPUT: usize = 4096;

/// Inputs to mutate.
pub(crate) struct Corpus {
    inputs: Vec<Vec<u8>>,
    words: &'static [&'static str],
    seen: HashSet<String>,
    rng: Rng,
}

impl Corpus {
    /// A corpus of these inputs; `words` are put in whole.
    pub(crate) fn new(inputs: Vec<Vec<u8>>, words: &'static [&'static str], seed: u64) -> Self {
        Corpus { inputs, words, seen: HashSet::new(), rng: Rng::with_seed(seed) }
    }

    /// How many outcomes were seen.
    pub(crate) fn outcomes(&self) -> usize {
        self.seen.len()
    }

    /// Keeps an input whose outcome is new.
    pub(crate) fn keep_if_new(&mut self, outcome: String, input: Vec<u8>) {
        if self.inputs.len() < MOST_INPUTS && self.seen.insert(outcome) {
            self.inputs.push(input);
        }
    }

    /// The next input.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut input = self.pick();
        for _ in 0..self.rng.usize(1..=4) {
            self.mutate(&mut input);
        }
        input.truncate(LONGEST_INPUT);
        input
    }

    fn pick(&mut self) -> Vec<u8> {
        self.rng.choice(&self.inputs).cloned().unwrap_or_default()
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.rng.usize(0..=input.len());
        let end = (at + self.rng.usize(0..=8)).min(input.len());
        match self.rng.u8(0..8) {
            0 => input.extend_from_slice(&[self.rng.u8(..)]),
            1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.rng.u8(0..8);
                }
            }
            2 => {
                input.drain(at..end);
            }
            3 => {
                let copy: Vec<u8> = input.get(at..end).unwrap_or_default().to_vec();
                let to = self.rng.usize(0..=input.len());
                input.splice(to..to, copy);
            }
            4 => {
                let other = self.pick();
                let from = self.rng.usize(0..=other.len());
                input.truncate(at);
                input.extend_from_slice(other.get(from..).unwrap_or_default());
            }
            5 => {
                let byte = self.rng.u8(..);
                input.splice(at..end, [byte]);
            }
            _ => {
                let word = self.rng.choice(self.words).copied().unwrap_or_default();
                let until = if self.rng.bool() { end } else { at };
                input.splice(at..until, word.bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs() {
        let inputs = |seed| {
            let mut corpus = Corpus::new(vec![b"GET /version".to_vec()], &["..", "%2F"], seed);
            (0..200).map(|_| corpus.next()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
    }

    #[test]
    fn what_is_new_stays() {
        let mut corpus = Corpus::new(Vec::new(), &["a"], 1);
        corpus.keep_if_new("one".to_owned(), b"x".to_vec());
        corpus.keep_if_new("one".to_owned(), b"y".to_vec());
        assert_eq!((corpus.outcomes(), corpus.inputs.len()), (1, 1));
    }
}
