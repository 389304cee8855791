//! Checking parameters against the schema, with the texts of the real server.

mod formats;
mod property;

use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, Mutex, PoisonError};

use proxmox_api::{Kind, Method, Param};
use regex_lite::Regex;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::request::Raw;

/// Checked parameters of a call: whole numbers, numbers, truth values, texts and lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params(BTreeMap<String, Value>);

impl Params {
    /// A text; empty where the parameter was left out.
    pub fn text(&self, name: &str) -> &str {
        self.optional(name).unwrap_or_default()
    }

    /// A text, if it was given.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A whole number, if it was given.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    /// A truth value; false where it was left out.
    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// A list of texts; empty where it was left out.
    pub fn list(&self, name: &str) -> Vec<String> {
        let items = self.0.get(name).and_then(Value::as_array);
        items.into_iter().flatten().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect()
    }

    /// Whether the parameter was given.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All of them by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// The node of the path.
    pub fn node(&self) -> &str {
        self.text("node")
    }

    /// The guest of the path.
    pub fn vmid(&self) -> u32 {
        self.integer("vmid").and_then(|v| u32::try_from(v).ok()).unwrap_or_default()
    }
}

/// The parameters of a call to `method`, or everything that is wrong with them.
pub(crate) fn check(method: &'static Method, raw: Raw) -> Result<Params, Failure> {
    let mut errors = BTreeMap::new();
    let mut checked = BTreeMap::new();
    for (name, value) in raw {
        match method.param(&name) {
            Some(param) => match value_of(&name, &param.kind, value) {
                Ok(value) => {
                    checked.insert(name, value);
                }
                Err(why) => {
                    errors.insert(name, why);
                }
            },
            None if method.open => {
                checked.insert(name, value);
            }
            None => {
                let why =
                    "property is not defined in schema and the schema does not allow additional properties";
                errors.insert(name, why.to_owned());
            }
        }
    }
    for param in method.params.iter().filter(|p| is_missing(p, &checked)) {
        let missing = || "property is missing and it is not optional".to_owned();
        errors.entry(param.name.to_owned()).or_insert_with(missing);
    }
    if errors.is_empty() {
        Ok(Params(checked))
    } else {
        Err(Failure::parameters(errors.into_iter().collect()))
    }
}

fn is_missing(param: &Param, given: &BTreeMap<String, Value>) -> bool {
    !param.optional && !param.name.ends_with("[n]") && !given.contains_key(param.name)
}

/// One value as its kind, or what is wrong with it.
fn value_of(name: &str, kind: &'static Kind, value: Value) -> Result<Value, String> {
    if let Kind::Array(item) = kind {
        let items = match value {
            Value::Array(items) => items,
            single => vec![single],
        };
        return items
            .into_iter()
            .map(|v| value_of(name, item, v))
            .collect::<Result<_, _>>()
            .map(Value::Array);
    }
    let text = match &value {
        Value::String(text) => text.clone(),
        Value::Bool(b) => String::from(if *b { "1" } else { "0" }),
        Value::Number(n) => n.to_string(),
        // A repeated parameter where one is due arrives as a list.
        _ => return Err(type_failure(kind, "ARRAY")),
    };
    match kind {
        Kind::Boolean => match text.as_str() {
            "1" => Ok(json!(true)),
            "0" => Ok(json!(false)),
            _ => Err(type_failure(kind, &text)),
        },
        Kind::Integer { min, max } => integer(kind, &text, *min, *max),
        Kind::Number { min, max } => number(kind, &text, *min, *max),
        Kind::Enum(words) => match words.contains(&text.as_str()) {
            true => Ok(Value::String(text)),
            false => Err(not_in(&text, words)),
        },
        Kind::String { format, pattern, min, max } => {
            string(name, &text, format, pattern, *min, *max).map(|()| Value::String(text))
        }
        Kind::Array(_) => Err(type_failure(kind, &text)),
    }
}

/// The text for a value that is none of a few words.
pub(crate) fn not_in(value: &str, words: &[&str]) -> String {
    format!("value '{value}' does not have a value in the enumeration '{}'", words.join(", "))
}

fn type_failure(kind: &Kind, got: &str) -> String {
    let name = match kind {
        Kind::Boolean => "boolean",
        Kind::Integer { .. } => "integer",
        Kind::Number { .. } => "number",
        Kind::Array(_) => "array",
        Kind::String { .. } | Kind::Enum(_) => "string",
    };
    format!("type check ('{name}') failed - got '{got}'")
}

fn integer(kind: &Kind, text: &str, min: Option<i64>, max: Option<i64>) -> Result<Value, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(type_failure(kind, text));
    }
    // Guest ids have a format of their own; the schema shows it as this range.
    if (min, max) == (Some(100), Some(999_999_999)) && !formats::is_vmid(text) {
        return Err("invalid format - value does not look like a valid VM ID\n".into());
    }
    let value: i64 = text.parse().map_err(|_| type_failure(kind, text))?;
    if let Some(min) = min.filter(|min| value < *min) {
        return Err(format!("value must have a minimum value of {min}"));
    }
    if let Some(max) = max.filter(|max| value > *max) {
        return Err(format!("value must have a maximum value of {max}"));
    }
    Ok(json!(value))
}

fn number(kind: &Kind, text: &str, min: Option<f64>, max: Option<f64>) -> Result<Value, String> {
    let value: f64 = text.parse().map_err(|_| type_failure(kind, text))?;
    if let Some(min) = min.filter(|min| value < *min) {
        return Err(format!("value must have a minimum value of {min}"));
    }
    if let Some(max) = max.filter(|max| value > *max) {
        return Err(format!("value must have a maximum value of {max}"));
    }
    Ok(json!(value))
}

fn string(
    name: &str,
    text: &str,
    format: &str,
    pattern: &'static str,
    min: Option<u32>,
    max: Option<u32>,
) -> Result<(), String> {
    let length = text.chars().count();
    if let Some(max) = max.filter(|max| length > *max as usize) {
        return Err(format!("value may only be {max} characters long"));
    }
    if let Some(min) = min.filter(|min| length < *min as usize) {
        return Err(format!("value must be at least {min} characters long"));
    }
    let formatted = match format {
        "" => Ok(()),
        "{}" => property::check(name, text),
        format => formats::check(format, text),
    };
    formatted.map_err(|why| format!("invalid format - {why}\n"))?;
    if !pattern.is_empty() && !matches_whole(pattern, text) {
        return Err("value does not match the regex pattern".into());
    }
    Ok(())
}

/// Whether a Perl pattern of the schema matches the whole text.
fn matches_whole(pattern: &'static str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<&'static str, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let regex = compiled.entry(pattern).or_insert_with(|| {
        let perl = pattern.replace("(?^:", "(?:").replace("(?^u:", "(?:").replace("(?^i:", "(?i:");
        // The one construct that differs: \0 is how Perl writes a NUL byte.
        Regex::new(&format!("^(?:{})$", perl.replace(r"\0", r"\x00"))).ok()
    });
    regex.as_ref().is_none_or(|regex| regex.is_match(text))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
