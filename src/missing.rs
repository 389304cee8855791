//! What an answer lacks, and why: a part that is refused or fails does not fail the whole answer.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::error::Error;
use crate::shape::{Field, Shape, always};
use crate::text;

/// The parts of an answer that could not be had, by reason.
#[derive(Debug, Default)]
pub struct Missing(Vec<(String, Vec<Cow<'static, str>>)>);

/// The most parts that one line names.
const PARTS_SHOWN: usize = 6;

const ENTRY: Shape =
    Shape::Object(&[always("parts", Shape::List(&Shape::Text)), always("reason", Shape::Text)]);

/// The field of a tool's data that [`Missing::data`] fills.
pub const FIELD: Field = always("missing", Shape::List(&ENTRY));

impl Missing {
    /// Nothing is missing yet.
    pub fn new() -> Missing {
        Missing::default()
    }

    /// The value, or a note that these parts of the answer are missing.
    pub fn take<T>(&mut self, parts: &[&'static str], result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.note(parts, error.brief())).ok()
    }

    /// The value, or a note that this part, named by what the cluster says, is missing.
    pub fn take_one<T>(&mut self, part: impl Into<String>, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.note_one(part, error.brief())).ok()
    }

    /// Notes that this part, named by what the cluster says, is missing.
    pub fn note_one(&mut self, part: impl Into<String>, reason: String) {
        self.add(reason, [Cow::Owned(part.into())]);
    }

    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes that these parts of the answer are missing.
    pub fn note(&mut self, parts: &[&'static str], reason: String) {
        self.add(reason, parts.iter().map(|part| Cow::Borrowed(*part)));
    }

    fn add(&mut self, reason: String, parts: impl IntoIterator<Item = Cow<'static, str>>) {
        let place = match self.0.iter().position(|(known, _)| *known == reason) {
            Some(place) => place,
            None => {
                self.0.push((reason, Vec::new()));
                self.0.len() - 1
            }
        };
        if let Some((_, known)) = self.0.get_mut(place) {
            for part in parts {
                if !known.contains(&part) {
                    known.push(part);
                }
            }
        }
    }

    /// Whether this part is missing.
    pub fn has(&self, part: &str) -> bool {
        self.0.iter().any(|(_, parts)| parts.iter().any(|known| known == part))
    }

    /// One bullet for each reason.
    pub fn lines(&self) -> String {
        let line = |(reason, parts): &(String, Vec<Cow<'static, str>>)| {
            let more = parts.len().saturating_sub(PARTS_SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let named: Vec<&str> = parts.iter().take(PARTS_SHOWN).map(|part| &**part).collect();
            text::bullet("Not shown", format_args!("{}{more}: {reason}", named.join(", ")))
        };
        self.0.iter().map(line).collect()
    }

    /// The same for data.
    pub fn data(&self) -> Value {
        self.0.iter().map(|(reason, parts)| json!({"parts": parts, "reason": reason})).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_with_one_reason_share_a_line() {
        let mut missing = Missing::new();
        let why = || Error::Failed("no power. Plug it in.".to_owned());
        assert_eq!(missing.take::<()>(&["load", "network"], Err(why())), None);
        assert_eq!(missing.take::<()>(&["network", "disks"], Err(why())), None);
        assert_eq!(missing.take(&["version"], Ok(1)), Some(1));
        missing.note(&["HA"], "asleep".to_owned());
        assert_eq!(
            missing.lines(),
            "  • Not shown: load, network, disks: no power\n  • Not shown: HA: asleep\n"
        );
        assert!(missing.has("disks") && !missing.has("version"));
        assert_eq!(missing.data()[1], json!({"parts": ["HA"], "reason": "asleep"}));
    }
}
