//! The threat: a parameter that the gate does not see, or sees with another value than the server.
//! Queries and bodies are parsed strictly: one separator, one encoding, no name twice, no value
//! outside the parameter's type. What was parsed is all that is sent.

use crate::{denied::Denied, route::decode, typed};
use proxmox_api::{Kind, Method, Param};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use std::{collections::BTreeMap, fmt};

/// Parameters by name. A value that is repeated (an array) has several texts, any other one.
pub(crate) type Params = BTreeMap<String, Vec<String>>;

/// Parses a query or a form.
pub(crate) fn parse_form(method: &'static Method, text: &str) -> Result<Params, Denied> {
    let mut params = Params::new();
    if text.is_empty() {
        return Ok(params);
    }
    for pair in text.split('&') {
        let (name, value) = split_pair(pair)?;
        let (name, value) = (plus(name)?, plus(value)?);
        let param = lookup(method, &name)?;
        typed::check(param_kind(param), &value).map_err(|why| bad(method, &name, why))?;
        let values = params.entry(name.clone()).or_default();
        if !values.is_empty() && !is_array(param) {
            return Err(bad(method, &name, "it is given twice"));
        }
        values.push(value);
    }
    Ok(params)
}

/// Parses a JSON body: one flat object of texts, numbers, booleans and arrays of them.
pub(crate) fn parse_json(method: &'static Method, body: &[u8]) -> Result<Params, Denied> {
    let object: Flat = serde_json::from_slice(body)
        .map_err(|error| Denied::malformed(format!("the body is no flat JSON object: {error}")))?;
    let mut params = Params::new();
    for (name, value) in object.0 {
        let param = lookup(method, &name)?;
        let fault = |why: String| bad(method, &name, why);
        let texts = match value {
            Json::Array(items) if is_array(param) => {
                items.iter().map(|item| scalar(param, item)).collect::<Result<Vec<_>, _>>().map_err(fault)?
            }
            Json::Array(_) => return Err(fault("it takes one value, not an array".to_owned())),
            single => vec![scalar(param, &single).map_err(fault)?],
        };
        if texts.is_empty() {
            return Err(bad(method, &name, "the array is empty: leave it out"));
        }
        for text in &texts {
            typed::check(param_kind(param), text).map_err(|why| bad(method, &name, why))?;
        }
        if params.insert(name.clone(), texts).is_some() {
            return Err(bad(method, &name, "it is given twice"));
        }
    }
    Ok(params)
}

/// Splits at the one `=`. Proxmox takes `;` for a separator and drops what follows a second `=`.
fn split_pair(pair: &str) -> Result<(&str, &str), Denied> {
    match pair.split_once('=') {
        _ if pair.contains(';') => Err(Denied::malformed("an unescaped ; among the parameters: write %3B")),
        Some((_, value)) if value.contains('=') => {
            Err(Denied::malformed("an unescaped = in a parameter's value: write %3D"))
        }
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(Denied::malformed("a parameter without a name or without =")),
    }
}

/// Undoes `+` for a space, then percent-encoding.
fn plus(raw: &str) -> Result<String, Denied> {
    let spaced = raw.replace('+', " ");
    decode(&spaced).map(|text| text.into_owned())
}

/// The text of a JSON value as a form would carry it.
fn scalar(param: &Param, value: &Json) -> Result<String, String> {
    match value {
        Json::String(text) if text.contains('\0') => Err("it holds a NUL character".to_owned()),
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(on) if *param_kind(param) == Kind::Boolean => Ok(if *on { "1" } else { "0" }.to_owned()),
        Json::Bool(_) => Err("it takes no true or false".to_owned()),
        Json::Null => Err("null is no value: leave it out".to_owned()),
        Json::Array(_) | Json::Object(_) => Err("it takes no nested value".to_owned()),
    }
}

/// The parameter of this name, which is not one of the path's.
fn lookup(method: &'static Method, name: &str) -> Result<&'static Param, Denied> {
    if method.path_params().any(|of_path| of_path == name) {
        return Err(bad(method, name, "it is already in the path"));
    }
    match method.param(name) {
        Some(param) if has_canonical_number(param, name) => Ok(param),
        _ => Err(bad(method, name, "there is no such parameter")),
    }
}

/// `net0` and `net10` for `net[n]`, not `net00`.
fn has_canonical_number(param: &Param, name: &str) -> bool {
    let Some(stem) = param.name.strip_suffix("[n]") else { return true };
    name.strip_prefix(stem).is_some_and(crate::value::is_canonical_integer)
}

/// What one value of the parameter takes.
pub(crate) fn param_kind(param: &Param) -> &Kind {
    match &param.kind {
        Kind::Array(inner) => inner,
        kind => kind,
    }
}

fn is_array(param: &Param) -> bool {
    matches!(param.kind, Kind::Array(_))
}

fn bad(method: &'static Method, name: &str, why: impl Into<String>) -> Denied {
    Denied::BadParameter { method, name: name.to_owned(), why: why.into() }
}

/// A JSON object with its members in order; a name that comes twice is an error.
struct Flat(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FlatVisitor)
    }
}

struct FlatVisitor;

impl<'de> Visitor<'de> for FlatVisitor {
    type Value = Flat;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Flat, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Flat(members))
    }
}
