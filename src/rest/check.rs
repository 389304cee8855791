//! Parameters of a call, checked against the schema.

use proxmox_api::{Kind, Method, Param};
use serde_json::{Map, Value};

use super::Target;
use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::tool::quoted;

/// Each parameter with its values as Proxmox reads them, in the order in which they were given.
pub(super) fn parameters(
    target: &Target,
    given: &Map<String, Value>,
) -> Result<Vec<(String, String)>, Error> {
    let method = target.method;
    let mut checked = Vec::new();
    for (name, value) in given {
        if let Some(own) = target.value(name) {
            if text(value).as_deref() != Some(own) {
                return Err(Error::Arguments(format!(
                    "`{name}` stands in the path already, as {}.",
                    foreign::code(own, 60)
                )));
            }
            continue;
        }
        let Some(param) = method.param(name) else {
            if method.open && text(value).is_some() {
                checked.extend(text(value).map(|value| (name.clone(), value)));
                continue;
            }
            return Err(unknown(method, name));
        };
        for value in values(param, value).ok_or_else(|| wrong(method, name, param, value))? {
            checked.push((name.clone(), value));
        }
    }
    let missing: Vec<String> = method
        .params
        .iter()
        .filter(|param| {
            !param.optional && target.value(param.name).is_none() && !given.contains_key(param.name)
        })
        .map(described)
        .collect();
    if missing.is_empty() {
        return Ok(checked);
    }
    Err(Error::Arguments(format!("`{method}` also needs {}.", missing.join(", "))))
}

fn unknown(method: &Method, name: &str) -> Error {
    let known = || {
        method
            .params
            .iter()
            .map(|param| param.name)
            .filter(|known| !method.path_params().any(|own| own == *known))
    };
    let meant = nearest(name, known()).map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
    let all: Vec<String> = known().take(40).map(|name| format!("`{name}`")).collect();
    let takes =
        if all.is_empty() { "It takes none.".to_owned() } else { format!("It takes {}.", all.join(", ")) };
    Error::Arguments(format!("`{method}` has no parameter {}.{meant} {takes}", foreign::code(name, 40)))
}

fn wrong(method: &Method, name: &str, param: &Param, value: &Value) -> Error {
    Error::Arguments(format!(
        "`{}` of `{method}` is not valid: it takes {}, and got {}.",
        foreign::line(name, 40),
        takes(&param.kind),
        quoted(value)
    ))
}

/// The values of one parameter; nothing if one of them does not fit.
fn values(param: &Param, value: &Value) -> Option<Vec<String>> {
    match (&param.kind, value) {
        (Kind::Array(kind), Value::Array(items)) => items.iter().map(|item| one(kind, item)).collect(),
        (Kind::Array(kind), value) => Some(vec![one(kind, value)?]),
        // Lists that Proxmox takes in one text.
        (Kind::String { .. }, Value::Array(items)) => {
            let texts: Vec<String> = items.iter().map(text).collect::<Option<_>>()?;
            Some(vec![texts.join(",")])
        }
        (kind, value) => Some(vec![one(kind, value)?]),
    }
}

fn one(kind: &Kind, value: &Value) -> Option<String> {
    let text = text(value)?;
    let fits = match kind {
        Kind::Boolean => {
            return match text.as_str() {
                "1" | "true" | "yes" | "on" => Some("1".to_owned()),
                "0" | "false" | "no" | "off" => Some("0".to_owned()),
                _ => None,
            };
        }
        Kind::Integer { min, max } => text
            .parse::<i64>()
            .is_ok_and(|number| min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max)),
        Kind::Number { min, max } => text
            .parse::<f64>()
            .is_ok_and(|number| min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max)),
        Kind::Enum(words) => words.contains(&text.as_str()),
        Kind::String { min, max, .. } => {
            let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
            min.is_none_or(|min| length >= min) && max.is_none_or(|max| length <= max)
        }
        Kind::Array(_) => false,
    };
    fits.then_some(text)
}

/// A scalar as Proxmox writes it.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(if *flag { "1" } else { "0" }.to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A parameter with its type: `` `cores` (whole number from 1) ``.
pub fn described(param: &Param) -> String {
    let name = param.name.replace("[n]", "0");
    format!("`{name}` ({})", takes(&param.kind))
}

fn takes(kind: &Kind) -> String {
    match kind {
        Kind::Boolean => "true or false".to_owned(),
        Kind::Integer { min, max } => format!("whole number{}", range(*min, *max)),
        Kind::Number { min, max } => format!("number{}", range(*min, *max)),
        Kind::Enum(words) => format!("one of {}", words.join(", ")),
        Kind::Array(kind) => format!("list of {}", takes(kind)),
        Kind::String { format, min, max, .. } => {
            let format = match *format {
                "" => "text".to_owned(),
                "{}" => "text of key=value,key=value".to_owned(),
                format => format!("text, {}", format.trim_start_matches("pve-")),
            };
            match (min, max) {
                (None, None) => format,
                _ => format!("{format}, characters{}", range(*min, *max)),
            }
        }
    }
}

fn range<T: std::fmt::Display>(min: Option<T>, max: Option<T>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!(" {min} to {max}"),
        (Some(min), None) => format!(" from {min}"),
        (None, Some(max)) => format!(" to {max}"),
        (None, None) => String::new(),
    }
}
