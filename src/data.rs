//! An object of an answer's data, written in the words of its [shape](crate::shape).

use serde_json::{Map, Value};

/// An object that is being filled.
#[derive(Debug, Clone, Default)]
pub struct Data(Map<String, Value>);

impl Data {
    /// An empty object.
    pub fn new() -> Data {
        Data::default()
    }

    /// With a value that is always there.
    pub fn always(self, name: &str, value: impl Into<Value>) -> Data {
        self.put(name, value.into())
    }

    /// With a value, if it is known.
    pub fn known(self, name: &str, value: Option<impl Into<Value>>) -> Data {
        match value {
            Some(value) => self.put(name, value.into()),
            None => self,
        }
    }

    /// With a flag, if it is set.
    pub fn flagged(self, name: &str, flag: bool) -> Data {
        self.known(name, flag.then_some(true))
    }

    /// With text, unless it is empty.
    pub fn said(self, name: &str, text: &str) -> Data {
        self.known(name, (!text.is_empty()).then_some(text))
    }

    // One copy of the code for all the places that use it.
    #[inline(never)]
    fn put(mut self, name: &str, value: Value) -> Data {
        self.0.insert(name.to_owned(), value);
        self
    }
}

impl From<Data> for Value {
    fn from(data: Data) -> Value {
        Value::Object(data.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let data = Data::new()
            .always("vmid", 101)
            .known("cores", Some(4_u64))
            .known("uptime", None::<u64>)
            .flagged("template", false)
            .flagged("locked", true)
            .said("name", "")
            .said("node", "pve1");
        assert_eq!(Value::from(data).to_string(), r#"{"vmid":101,"cores":4,"locked":true,"node":"pve1"}"#);
    }
}
