//! The keys of a guest's configuration, taken one by one, so that what nobody took can be named.

use serde_json::{Map, Value};

use crate::pve::config::properties;

/// A configuration that is being exported.
#[derive(Debug)]
pub struct Keys {
    values: Map<String, Value>,
    left: Vec<String>,
}

impl Keys {
    /// All keys.
    pub fn new(values: Map<String, Value>) -> Keys {
        Keys { values, left: Vec::new() }
    }

    /// Takes the value of a key.
    pub fn take(&mut self, key: &str) -> Option<String> {
        match self.values.shift_remove(key)? {
            Value::String(text) => Some(text),
            Value::Null => None,
            value => Some(value.to_string()),
        }
    }

    /// Takes all keys that are this word with a number, by their numbers.
    pub fn numbered(&mut self, stem: &str) -> Vec<(String, String)> {
        let number = |key: &str| key.strip_prefix(stem)?.parse::<u32>().ok();
        let mut found: Vec<(u32, String)> =
            self.values.keys().filter_map(|key| Some((number(key)?, key.clone()))).collect();
        found.sort_unstable();
        found.into_iter().filter_map(|(_, key)| self.take(&key).map(|value| (key, value))).collect()
    }

    /// Takes a key apart whose value is a property string.
    pub fn properties(&mut self, key: &str) -> Option<Properties> {
        self.take(key).map(|text| Properties::new(key, &text))
    }

    /// Notes that something is not in the export, and why.
    pub fn note(&mut self, what: impl Into<String>) {
        self.left.push(what.into());
    }

    /// What is not in the export: what was noted, and all keys that nobody took. No values: they may be secret.
    pub fn left(self) -> Vec<String> {
        self.left.into_iter().chain(self.values.into_iter().map(|(key, _)| key)).collect()
    }
}

/// The parts of a property string that nobody took yet.
#[derive(Debug)]
pub struct Properties {
    key: String,
    parts: Vec<(String, String)>,
}

impl Properties {
    /// Takes a value apart.
    pub fn new(key: &str, text: &str) -> Properties {
        let parts = properties(text).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Properties { key: key.to_owned(), parts: parts.collect() }
    }

    /// Takes a part.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.parts.iter().position(|(known, _)| known == name)?;
        Some(self.parts.remove(at).1)
    }

    /// Takes the part that may stand without a name.
    pub fn first(&mut self, name: &str) -> Option<String> {
        self.take("").or_else(|| self.take(name))
    }

    /// Notes what nobody took.
    pub fn done(self, keys: &mut Keys) {
        if !self.parts.is_empty() {
            let names: Vec<&str> = self
                .parts
                .iter()
                .map(|(name, value)| if name.is_empty() { value } else { name }.as_str())
                .collect();
            keys.note(format!("{} ({})", self.key, names.join(", ")));
        }
    }
}
