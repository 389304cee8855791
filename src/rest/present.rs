//! What a change by path finds: the values that it is about to overwrite, and the change that puts them back.

use proxmox_api::{Kind, Method, Verb};
use serde_json::{Map, Value, json};

use super::Target;
use crate::change::Change;
use crate::cx::Cx;
use crate::error::{By, Denial, Error};
use crate::foreign;
use crate::secret::{NOT_SHOWN, is_secret};
use crate::table::plain;

/// Parameters that say how a change is made, and are no part of what there is.
const MANNER: &[&str] =
    &["append", "background_delay", "delete", "digest", "force", "lock-token", "skiplock"];

/// The values at a path before a PUT to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Present(Map<String, Value>);

impl Present {
    /// Reads what this PUT changes, with the GET of the same path; nothing where there is none, or where its
    /// answer is no set of values. The error says in a few words why it could not be read.
    pub fn read(cx: &Cx<'_>, method: &Method, path: &str) -> Result<Option<Present>, String> {
        let read = Target::find(Verb::Get, path).ok().filter(|target| target.method.path == method.path);
        let Some(call) = read.and_then(|target| target.call(&Map::new()).ok()) else { return Ok(None) };
        // A person who is asked for the change is not to be asked for a look besides.
        if cx.verdict(&call).is_ok_and(|verdict| verdict.is_some_and(|verdict| !verdict.allowed)) {
            let denial = Denial { by: By::Host, request: call.to_string(), needs: call.needs() };
            return Err(Error::Denied(denial).brief());
        }
        match cx.call(call) {
            Ok(Value::Object(values)) => Ok(Some(Present(values))),
            Ok(_) => Ok(None),
            Err(error) => Err(error.brief()),
        }
    }

    /// What tells these values from those after another change, if the method takes that.
    pub fn digest(&self, method: &Method) -> Option<&str> {
        method.param("digest").and(self.0.get("digest")).and_then(Value::as_str)
    }

    /// Adds to a change what is there now of all that it touches, and the call that puts that back.
    pub fn described(
        &self,
        change: Change,
        method: &Method,
        path: &str,
        given: &Map<String, Value>,
    ) -> Change {
        let touched = touched(method, given);
        let change = touched.iter().fold(change, |change, key| {
            let value = match self.0.get(*key).map(|value| plain(Some(value))) {
                Some(_) if is_secret(key) => NOT_SHOWN.to_owned(),
                Some(value) => foreign::words(&value, 160),
                None => "not set".to_owned(),
            };
            change.before(&foreign::words(key, 60), value)
        });
        match self.back(method, &touched) {
            Some(params) if !params.is_empty() => {
                let call = json!({"method": "PUT", "path": path.trim(), "params": params});
                change.undo("proxmox_change_api", call)
            }
            _ => change,
        }
    }

    /// The parameters that put these keys back; nothing where one of them cannot be.
    fn back(&self, method: &Method, touched: &[&str]) -> Option<Map<String, Value>> {
        let (mut params, mut unset) = (Map::new(), Vec::new());
        for key in touched {
            match self.0.get(*key) {
                None | Some(Value::Null) => unset.push(*key),
                Some(_) if is_secret(key) => return None,
                Some(value) => drop(params.insert((*key).to_owned(), Value::from(writable(value)?))),
            }
        }
        if !unset.is_empty() {
            takes_names(method).then(|| params.insert("delete".to_owned(), unset.join(",").into()))?;
        }
        Some(params)
    }
}

/// The keys that a change sets or deletes.
fn touched<'g>(method: &Method, given: &'g Map<String, Value>) -> Vec<&'g str> {
    let of_path = |name: &str| method.path_params().any(|own| own == name);
    let set = given.keys().map(String::as_str).filter(|name| !MANNER.contains(name) && !of_path(name));
    let deleted = given.get("delete").filter(|_| takes_names(method));
    let deleted = deleted.into_iter().flat_map(|value| match value {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>(),
        value => value.as_str().unwrap_or_default().split([',', ';', ' ']).collect(),
    });
    set.chain(deleted.map(str::trim).filter(|name| !name.is_empty())).collect()
}

/// Whether `delete` of this method takes the names of keys; of some it is a flag.
fn takes_names(method: &Method) -> bool {
    method.param("delete").is_some_and(|param| matches!(param.kind, Kind::String { .. }))
}

/// A value as it is written: a list with commas, properties as `key=value`. Nothing for what is nested deeper.
fn writable(value: &Value) -> Option<String> {
    let flat = |value: &Value| !value.is_array() && !value.is_object();
    match value {
        Value::Array(items) if items.iter().all(flat) => {
            Some(items.iter().map(|item| plain(Some(item))).collect::<Vec<_>>().join(","))
        }
        Value::Object(fields) if fields.values().all(flat) => Some(plain(Some(value))),
        value if flat(value) => Some(plain(Some(value))),
        _ => None,
    }
}
