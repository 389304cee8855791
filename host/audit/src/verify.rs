//! Whether a log is as it was written.

use std::io::{self, BufRead, Read};

use sha2::{Digest as _, Sha256};

use crate::line::{self, Digest, Head, Line, MAX_LINE, Malformed};

/// What a sound log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// The last line: its number is how many there are.
    pub head: Head,
    /// How many of the lines account for others that a power loss or a full disk cut short.
    pub broken: u64,
}

/// What is wrong with a log, and where. `line` counts the lines of the file from 1.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// The line's text and its hash do not belong together.
    #[error("line {line} was changed: it names the hash {expected}, but its text has the hash {found}")]
    Changed {
        /// Which line.
        line: u64,
        /// The hash that it names.
        expected: Digest,
        /// The hash of its text.
        found: Digest,
    },
    /// Lines are missing, inserted or in another order.
    #[error("line {line} should have the number {expected}, but has {found}: lines were {}", misplaced(*expected, *found))]
    Misplaced {
        /// Which line.
        line: u64,
        /// The number that should be here.
        expected: u64,
        /// The number that is.
        found: u64,
    },
    /// The line is sound in itself but follows another one than stands before it.
    #[error(
        "line {line} was written after a line with the hash {found}, but the line before it has {expected}: one of the two was replaced"
    )]
    Unchained {
        /// Which line.
        line: u64,
        /// The hash of the line before.
        expected: Digest,
        /// The hash that it names as the one before.
        found: Digest,
    },
    /// Text that is not a line, and that no line accounts for.
    #[error("line {line} should be a line of the log, but is none: {found}")]
    NotALine {
        /// Which line.
        line: u64,
        /// What it is.
        found: &'static str,
    },
    /// The line accounts for an unfinished one that is not there, or is another.
    #[error("line {line} should account for the unfinished text before it ({expected}), but says {found}")]
    Unaccounted {
        /// Which line.
        line: u64,
        /// What the text before would be accounted for with.
        expected: String,
        /// What the line holds.
        found: String,
    },
    /// The log ends within a line.
    #[error(
        "line {line} is the last one and has no end. A power loss or a full disk leaves it so: start the server once, which accounts for it, and verify again"
    )]
    Unfinished {
        /// Which line.
        line: u64,
    },
    /// The log ends before the line that it is known to have held.
    #[error("lines were cut off at the end: line {expected} was there, but the last one is {found}")]
    CutOff {
        /// The line that was there.
        expected: u64,
        /// The last one that is.
        found: u64,
    },
    /// The log is another one than it was.
    #[error("line {line} had the hash {expected}, but has {found}: the log was written anew")]
    Rewritten {
        /// Which line.
        line: u64,
        /// The hash that it had.
        expected: Digest,
        /// The hash that it has.
        found: Digest,
    },
    /// The log cannot be read.
    #[error("line {line} cannot be read: {source}")]
    Read {
        /// Which line.
        line: u64,
        /// Why.
        source: io::Error,
    },
}

/// Reads a log from its start to its end, in constant memory, and checks each line.
///
/// What it cannot see: lines cut off at the end, and a log that was written anew as a whole. See
/// [`verify_expect`].
///
/// # Errors
/// The first [`Finding`].
pub fn verify(log: impl BufRead) -> Result<Summary, Finding> {
    check(log, Head::default())
}

/// As [`verify`], and the log must still hold the line that was its last one when `known` was noted
/// ([`crate::AuditLog::head`]). Keep the note where whoever can write the log cannot.
///
/// # Errors
/// The first [`Finding`].
pub fn verify_expect(log: impl BufRead, known: Head) -> Result<Summary, Finding> {
    let summary = check(log, known)?;
    if summary.head.seq < known.seq {
        return Err(Finding::CutOff { expected: known.seq, found: summary.head.seq });
    }
    Ok(summary)
}

fn check(mut log: impl BufRead, known: Head) -> Result<Summary, Finding> {
    let mut state = Checked::default();
    let mut text = Vec::new();
    let mut number = 0;
    loop {
        number += 1;
        text.clear();
        // One byte more than any line has, to tell a longer one.
        let count = Read::take(&mut log, MAX_LINE as u64 + 1).read_until(b'\n', &mut text);
        match count {
            Err(source) => return Err(Finding::Read { line: number, source }),
            Ok(0) if state.remains.is_some() => return Err(Finding::Unfinished { line: number - 1 }),
            Ok(0) => return Ok(state.summary),
            Ok(count) if count > MAX_LINE => {
                return Err(Finding::NotALine { line: number, found: "it is longer than any line" });
            }
            Ok(_) => state.line(number, &text)?,
        }
        let head = state.summary.head;
        if head.seq == known.seq && head.hash != known.hash {
            return Err(Finding::Rewritten { line: number, expected: known.hash, found: head.hash });
        }
    }
}

#[derive(Default)]
struct Checked {
    summary: Summary,
    /// Length and hash of the text since the last line that was none.
    remains: Option<(u64, Sha256)>,
}

impl Checked {
    fn line(&mut self, number: u64, text: &[u8]) -> Result<(), Finding> {
        let Some(whole) = text.strip_suffix(b"\n") else {
            return Err(Finding::Unfinished { line: number });
        };
        match line::read(whole) {
            Ok(line) => self.sound(number, &line),
            Err(Malformed::Form) => {
                Err(Finding::NotALine { line: number, found: "it has a hash, but not the form of a line" })
            }
            Err(Malformed::NoHash) => {
                let (length, hasher) = self.remains.get_or_insert_default();
                *length += text.len() as u64;
                hasher.update(text);
                Ok(())
            }
        }
    }

    fn sound(&mut self, number: u64, line: &Line<'_>) -> Result<(), Finding> {
        if line.hash != line.actual {
            return Err(Finding::Changed { line: number, expected: line.hash, found: line.actual });
        }
        self.account(number, line)?;
        let before = self.summary.head;
        let seq = before.seq.saturating_add(1);
        if line.seq != seq {
            return Err(Finding::Misplaced { line: number, expected: seq, found: line.seq });
        }
        if line.prev != before.hash {
            return Err(Finding::Unchained { line: number, expected: before.hash, found: line.prev });
        }
        self.summary.head = Head { seq, hash: line.hash };
        Ok(())
    }

    /// Remains of a line must be followed by a line that accounts for them, and such a line follows
    /// nothing else.
    fn account(&mut self, number: u64, line: &Line<'_>) -> Result<(), Finding> {
        let accounts = line.event.starts_with(BROKEN);
        let expected = match self.remains.take() {
            None if !accounts => return Ok(()),
            None => "there is none".to_owned(),
            Some((length, hasher)) => line::broken(length, Digest::end(hasher)),
        };
        if line.event == expected {
            self.summary.broken += 1;
            return Ok(());
        }
        if !accounts {
            return Err(Finding::NotALine { line: number - 1, found: "no line after it accounts for it" });
        }
        Err(Finding::Unaccounted { line: number, expected, found: line.event.to_owned() })
    }
}

/// What [`line::broken`] starts with.
const BROKEN: &str = "\"event\":\"broken\",";

fn misplaced(expected: u64, found: u64) -> &'static str {
    if found > expected { "removed before it, or moved" } else { "inserted, repeated or moved" }
}

#[cfg(test)]
mod tests;
