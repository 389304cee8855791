//! One line of the log: written by [`seal`], read by [`read`].
//!
//! `{"seq":7,"time":"...","prev":"<hash of line 6>","event":"call",...,"hash":"<hash of this line>"}`
//!
//! The form is exact, down to the byte: what is hashed is the line's text up to `,"hash":`, never the
//! same facts written in another way.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::time;

/// No line is longer, its newline included, in bytes.
pub(crate) const MAX_LINE: usize = 128 * 1024;

const BEFORE_HASH: &str = ",\"hash\":\"";
const AFTER_HASH: &str = "\"}";

/// Length of a hash as text.
const HEX: usize = 64;

/// A SHA-256 hash. Its text is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Digest(Sha256::digest(bytes).into())
    }

    pub(crate) fn end(hasher: Sha256) -> Self {
        Digest(hasher.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(HeadError),
        };
        if text.len() != HEX {
            return Err(HeadError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
            let [high, low] = *pair;
            *byte = digit(high)? << 4 | digit(low)?;
        }
        Ok(Digest(bytes))
    }
}

/// The end of a log at some time: how many lines, and the hash of the last. Kept elsewhere, it proves
/// later that the log still holds those lines. Its text is `7:<hash>`. An empty log's is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Head {
    /// The number of the last line; lines count from 1.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let (seq, hash) = text.split_once(':').ok_or(HeadError)?;
        Ok(Head { seq: number(seq).ok_or(HeadError)?, hash: hash.parse()? })
    }
}

/// The text is not a [`Head`] or not a [`Digest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the head of an audit log: write the line's number, a colon and the line's hash of 64 hexadecimal digits"
)]
pub struct HeadError;

/// A line as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) seq: u64,
    pub(crate) prev: Digest,
    /// The hash that the line says it has.
    pub(crate) hash: Digest,
    /// The hash that it has.
    pub(crate) actual: Digest,
    /// From `"event":` to before `,"hash":`.
    pub(crate) event: &'a str,
}

/// Why text is not a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It does not end with a hash: the first part of a line, or no line at all.
    NoHash,
    /// It ends with a hash, but what is before is not as it is in a line.
    Form,
}

/// The line after `head`, with its newline. `event` is a JSON object without its braces.
pub(crate) fn seal(head: Head, time: SystemTime, event: &str) -> (String, Head) {
    let seq = head.seq.saturating_add(1);
    let mut line =
        format!(r#"{{"seq":{seq},"time":"{}","prev":"{}",{event}"#, time::rfc3339(time), head.hash);
    let hash = Digest::of(line.as_bytes());
    // Writing to a string cannot fail.
    let _ = writeln!(line, "{BEFORE_HASH}{hash}{AFTER_HASH}");
    (line, Head { seq, hash })
}

/// Reads a line without its newline. Whether the two hashes agree is for the caller to see.
pub(crate) fn read(line: &[u8]) -> Result<Line<'_>, Malformed> {
    let (hashed, hash) = split_hash(line).ok_or(Malformed::NoHash)?;
    let actual = Digest::of(hashed);
    let text = std::str::from_utf8(hashed).map_err(|_| Malformed::Form)?;
    let (seq, prev, event) = fields(text).ok_or(Malformed::Form)?;
    Ok(Line { seq, prev, hash, actual, event })
}

fn split_hash(line: &[u8]) -> Option<(&[u8], Digest)> {
    let (hashed, end) =
        line.split_at_checked(line.len().checked_sub(BEFORE_HASH.len() + HEX + AFTER_HASH.len())?)?;
    let hash = std::str::from_utf8(end).ok()?.strip_prefix(BEFORE_HASH)?.strip_suffix(AFTER_HASH)?;
    Some((hashed, hash.parse().ok()?))
}

fn fields(text: &str) -> Option<(u64, Digest, &str)> {
    let (seq, rest) = text.strip_prefix("{\"seq\":")?.split_once(',')?;
    let (_, rest) = rest.strip_prefix("\"time\":\"")?.split_at_checked(time::LENGTH)?;
    let (prev, event) = rest.strip_prefix("\",\"prev\":\"")?.split_at_checked(HEX)?;
    let event = event.strip_prefix("\",")?;
    event.starts_with("\"event\":\"").then_some((number(seq)?, prev.parse().ok()?, event))
}

/// A number written in the one way that numbers are written here: no sign, no leading zero.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The event that accounts for the remains of a line that was not written to its end: all bytes
/// between the line before and this one, the newline included.
pub(crate) fn broken(bytes: u64, hash: Digest) -> String {
    format!(r#""event":"broken","bytes":{bytes},"sha256":"{hash}""#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_line_is_read_as_it_was_sealed() {
        let before = Head { seq: 6, hash: Digest::of(b"six") };
        let (line, head) = seal(before, UNIX_EPOCH, r#""event":"call","id":"c1""#);
        let line = line.strip_suffix('\n').unwrap();
        let read = read(line.as_bytes()).unwrap();
        assert_eq!((read.seq, read.prev, read.event), (7, before.hash, r#""event":"call","id":"c1""#));
        assert_eq!((read.hash, read.actual), (head.hash, head.hash));
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&value["seq"], &value["time"]), (&7.into(), &"1970-01-01T00:00:00.000Z".into()));
        let (hashed, _) = line.split_once(",\"hash\":").unwrap();
        assert_eq!(value["hash"], format!("{:x}", Sha256::digest(hashed)));
    }

    #[test]
    fn other_text_is_no_line() {
        let (line, _) = seal(Head::default(), UNIX_EPOCH, r#""event":"call""#);
        let line = line.trim_end();
        for end in 0..line.len() {
            assert_eq!(read(&line.as_bytes()[..end]), Err(Malformed::NoHash), "{end}");
        }
        for (old, new) in [
            ("\"seq\":1,", "\"seq\":01,"),
            ("\"seq\":1,", "\"seq\":+1,"),
            ("\"seq\":1,", "\"seq\": 1,"),
            ("\"time\"", "\"Time\""),
            ("00.000Z", "00.000+00:00"),
            ("\"event\"", "\"tnevE\""),
        ] {
            assert_eq!(read(line.replace(old, new).as_bytes()), Err(Malformed::Form), "{new}");
        }
        assert_eq!(read(b""), Err(Malformed::NoHash));
    }

    #[test]
    fn heads_are_read_as_they_are_written() {
        let head = Head { seq: 41, hash: Digest::of(b"x") };
        assert_eq!(head.to_string().parse(), Ok(head));
        let upper = head.to_string().to_uppercase();
        for text in ["", "1", "1:", "1:ab", "x:y", &upper, &format!("0{head}"), &format!("{head}0")] {
            assert_eq!(text.parse::<Head>(), Err(HeadError), "{text}");
        }
    }
}
