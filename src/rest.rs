//! The API by path: from what a model writes to a method and checked values, for the tools that reach
//! all of it. What is checked here is checked for a clear answer; the host's gate checks again.

mod check;
pub mod find;
pub mod present;
pub mod show;
pub mod words;

use std::fmt;

use proxmox_api::{Method, Verb, methods};
use serde_json::{Map, Value};

use crate::cx::{Call, Segment};
use crate::error::Error;
use crate::foreign;
use crate::nearest::distance;
pub use check::described;

/// A value that stands for one segment of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain(String);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// It is percent-encoded on its way out, so that it cannot leave its segment; dots alone are none.
impl Segment for Plain {}

/// A method and the values in its path.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The method.
    pub method: &'static Method,
    values: Vec<(&'static str, Plain)>,
}

impl Target {
    /// The method that this verb and path mean. The path may begin with `/api2/json`.
    ///
    /// # Errors
    /// [`Error::Arguments`] with the nearest paths, or the verbs that the path takes.
    pub fn find(verb: Verb, path: &str) -> Result<Target, Error> {
        let segments = segments(path)?;
        let fitting = |verb: Verb| methods::ALL.iter().copied().filter(move |method| method.verb == verb);
        if let Some(target) = fitting(verb).find_map(|method| Target::of(method, &segments)) {
            return Ok(target);
        }
        let shown = foreign::code(path, 100);
        let others: Vec<&str> = [Verb::Get, Verb::Post, Verb::Put, Verb::Delete]
            .into_iter()
            .filter(|other| fitting(*other).any(|method| Target::of(method, &segments).is_some()))
            .map(Verb::as_str)
            .collect();
        if !others.is_empty() {
            let hint = if verb.reads() { " `proxmox_change_api` makes changes." } else { "" };
            return Err(Error::Arguments(format!("{shown} takes {}, not {verb}.{hint}", others.join(", "))));
        }
        Err(Error::Arguments(format!(
            "There is no {verb} {shown} in the API. The nearest: {}. `proxmox_find_api` searches by words.",
            near(verb, &segments).join(", ")
        )))
    }

    fn of(method: &'static Method, segments: &[String]) -> Option<Target> {
        let template: Vec<&'static str> = method.path.split('/').skip(1).collect();
        if template.len() != segments.len() {
            return None;
        }
        let mut values = Vec::new();
        for (part, segment) in template.into_iter().zip(segments) {
            match variable(part) {
                Some(name) if variable(segment).is_none() => values.push((name, Plain(segment.clone()))),
                Some(_) => {}
                None if part == segment => {}
                None => return None,
            }
        }
        Some(Target { method, values })
    }

    /// Whether each parameter of the path has a value; a template has none.
    pub fn is_whole(&self) -> bool {
        self.method.path_params().count() == self.values.len()
    }

    /// The value of a parameter in the path.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(own, _)| *own == name).map(|(_, value)| value.0.as_str())
    }

    /// A call with nothing but the values in the path.
    pub fn call_without_parameters(&self) -> Call {
        self.values.iter().fold(Call::of(self.method), |call, (name, value)| call.at(name, value))
    }

    /// A call with these parameters, checked against the schema.
    ///
    /// # Errors
    /// [`Error::Arguments`] that names the parameter, what it got and what it takes.
    pub fn call(&self, params: &Map<String, Value>) -> Result<Call, Error> {
        if !self.is_whole() {
            return Err(Error::Arguments(format!(
                "`{}` is a template: put values in the place of what stands in braces.",
                self.method.path
            )));
        }
        let mut call =
            self.values.iter().fold(Call::of(self.method), |call, (name, value)| call.at(name, value));
        for (name, value) in check::parameters(self, params)? {
            call = call.with(name, value);
        }
        Ok(call)
    }
}

/// The decoded segments of a path.
fn segments(path: &str) -> Result<Vec<String>, Error> {
    let bad = |why: &str| {
        Error::Arguments(format!("`path` is not valid: {why}; it takes a path such as /nodes/pve1/status."))
    };
    let trimmed = path.trim();
    if trimmed.contains(['?', '#']) {
        return Err(bad("parameters go into `params`"));
    }
    let below = trimmed.strip_prefix("/api2/json").unwrap_or(trimmed).trim_matches('/');
    if below.is_empty() {
        return Err(bad("it is empty"));
    }
    let read = |raw: &str| match decoded(raw) {
        Some(text) if text.is_empty() || text == "." || text == ".." => {
            Err(bad("it has an empty or dotted segment"))
        }
        Some(text) if text.chars().any(char::is_control) => Err(bad("it has a control character")),
        Some(text) => Ok(text),
        None => Err(bad("its percent-encoding is broken")),
    };
    below.split('/').map(read).collect()
}

/// Text with its percent-escapes undone; nothing where they are broken, or are no text.
pub(crate) fn decoded(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

pub(crate) fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The templates that are most like a path.
fn near(verb: Verb, segments: &[String]) -> Vec<String> {
    let mut scored: Vec<(usize, &str)> = methods::ALL
        .iter()
        .filter(|method| method.verb == verb)
        .map(|method| (unlike(method.path, segments), method.path))
        .collect();
    scored.sort_unstable();
    scored.into_iter().take(3).map(|(_, path)| format!("`{path}`")).collect()
}

/// How unlike a template and a path are: letters that differ, and segments that one of them lacks.
fn unlike(template: &str, segments: &[String]) -> usize {
    let parts: Vec<&str> = template.split('/').skip(1).collect();
    let both = parts.iter().zip(segments);
    let letters: usize = both
        .map(|(part, segment)| match variable(part) {
            Some(_) => 1,
            None => distance(part, segment.get(..80).unwrap_or(segment)).min(6),
        })
        .sum();
    letters + 6 * parts.len().abs_diff(segments.len())
}

#[cfg(test)]
mod tests;
