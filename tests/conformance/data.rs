//! What stands in `fixtures.json`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rmcp::model::ErrorData;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Questions by their keys.
pub(crate) type Questions = BTreeMap<String, Value>;

/// The fixtures.
#[derive(Deserialize)]
pub(crate) struct Fixtures {
    /// Tools that answer the same each time.
    pub(crate) tools: BTreeMap<String, Value>,
    /// What tools take, where it is something.
    pub(crate) schemas: BTreeMap<String, Value>,
    /// What tools ask a person, in the era with a handshake.
    pub(crate) forms: BTreeMap<String, Value>,
    /// Resources by URI.
    pub(crate) resources: BTreeMap<String, Value>,
    /// Prompts by name.
    pub(crate) prompts: BTreeMap<String, Value>,
    /// What tools and prompts ask, round after round, in the era without.
    pub(crate) rounds: BTreeMap<String, Vec<Questions>>,
    png: String,
    wav: String,
}

static ALL: LazyLock<Result<Fixtures, String>> =
    LazyLock::new(|| serde_json::from_str(include_str!("fixtures.json")).map_err(|error| error.to_string()));

/// The fixtures.
pub(crate) fn fixtures() -> Result<&'static Fixtures, ErrorData> {
    ALL.as_ref().map_err(|error| ErrorData::internal_error(error.clone(), None))
}

impl Fixtures {
    /// A value with its placeholders filled, as what rmcp takes for it.
    pub(crate) fn fill<T: DeserializeOwned>(
        &self,
        value: &Value,
        arguments: &serde_json::Map<String, Value>,
    ) -> Result<T, ErrorData> {
        let mut value = value.clone();
        self.replace(&mut value, arguments);
        serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }

    fn replace(&self, value: &mut Value, arguments: &serde_json::Map<String, Value>) {
        match value {
            Value::String(text) => match text.as_str() {
                "PNG" => self.png.clone_into(text),
                "WAV" => self.wav.clone_into(text),
                _ => {
                    for (name, given) in arguments {
                        *text = text.replace(&format!("{{{name}}}"), given.as_str().unwrap_or_default());
                    }
                }
            },
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace(value, arguments)),
            Value::Object(values) => values.values_mut().for_each(|value| self.replace(value, arguments)),
            _ => {}
        }
    }
}
