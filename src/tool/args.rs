//! Arguments: what a model sent, read against what a tool takes.

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;

/// One parameter of a tool. `params!` writes these.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it means, for a model.
    pub about: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
    /// What it is when left out, as JSON.
    pub default: Option<&'static str>,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number from the first to the second.
    Whole(u32, u32),
    /// `true` or `false`.
    Flag,
    /// Text, or a list of texts.
    TextOrList,
}

impl Kind {
    fn schema(self) -> Value {
        match self {
            Kind::Text => json!({"type": "string"}),
            Kind::Whole(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
            Kind::Flag => json!({"type": "boolean"}),
            Kind::TextOrList => {
                json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
            }
        }
    }
}

impl Param {
    /// The JSON Schema of this parameter.
    pub fn schema(&self) -> Value {
        let mut schema = self.kind.schema();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), self.about.trim().into());
            if let Some(default) = self.default.and_then(|text| serde_json::from_str(text).ok()) {
                schema.insert("default".to_owned(), default);
            }
        }
        schema
    }
}

/// A type that an argument can be read as.
pub trait Argument: Sized {
    /// What the schema says of it.
    const KIND: Kind;
    /// Whether it must be given.
    const REQUIRED: bool = true;
    /// What it takes, in words that go on from "it takes".
    const TAKES: &'static str;

    /// The value, or nothing if it is none of this type.
    fn read(value: &Value) -> Option<Self>;

    /// What it is when it was not given; nothing if it has to be.
    fn absent() -> Option<Self> {
        None
    }
}

impl<T: Argument> Argument for Option<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;
    const TAKES: &'static str = T::TAKES;

    fn read(value: &Value) -> Option<Self> {
        T::read(value).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl Argument for bool {
    const KIND: Kind = Kind::Flag;
    const TAKES: &'static str = "true or false";

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// A whole number from `MIN` to `MAX`; its text in plain digits is taken too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<const MIN: u32, const MAX: u32>(pub u32);

impl<const MIN: u32, const MAX: u32> From<u32> for Whole<MIN, MAX> {
    /// The number, brought within the limits.
    fn from(number: u32) -> Self {
        Whole(number.clamp(MIN, MAX))
    }
}

impl<const MIN: u32, const MAX: u32> Argument for Whole<MIN, MAX> {
    const KIND: Kind = Kind::Whole(MIN, MAX);
    const TAKES: &'static str = "a whole number within its limits";

    fn read(value: &Value) -> Option<Self> {
        whole(value).filter(|number| (MIN..=MAX).contains(number)).map(Whole)
    }
}

/// A whole number, as JSON number or as text in its one plain form: no sign, no leading zero.
pub(crate) fn whole(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.parse().ok().filter(|number: &u32| number.to_string() == *text),
        _ => None,
    }
}

/// The arguments of one call.
#[derive(Debug, Clone, Default)]
pub struct Args(Map<String, Value>);

impl Args {
    /// Reads the arguments of a call: a JSON object. Empty text is an empty object.
    pub fn parse(text: &str) -> Result<Args, Error> {
        if text.trim().is_empty() {
            return Ok(Args::default());
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(values)) => Ok(Args(values)),
            Ok(Value::Null) => Ok(Args::default()),
            Ok(other) => Err(Error::Arguments(format!(
                "The arguments have to be a JSON object such as {{\"vmid\": 101}}, not {}.",
                quoted(&other)
            ))),
            Err(error) => Err(Error::Arguments(format!("The arguments are not JSON: {error}."))),
        }
    }

    /// Refuses arguments that no parameter is named for.
    pub fn only(&self, params: &[Param]) -> Result<(), Error> {
        let known = |name: &str| params.iter().any(|param| param.name == name);
        let Some(stranger) = self.0.keys().find(|name| !known(name)) else { return Ok(()) };
        let meant = nearest(stranger, params.iter().map(|param| param.name))
            .map(|name| format!(" Did you mean `{name}`?"))
            .unwrap_or_default();
        Err(Error::Arguments(format!(
            "There is no parameter {}.{meant} {}",
            foreign::code(stranger, 40),
            parameters(params)
        )))
    }

    /// The argument of this name as a `T`. `null` counts as left out.
    pub fn read<T: Argument>(&self, params: &[Param], name: &str) -> Result<T, Error> {
        let (found, value) = match self.0.get(name) {
            None | Some(Value::Null) => (T::absent(), None),
            Some(value) => (T::read(value), Some(value)),
        };
        found.ok_or_else(|| {
            let about = params.iter().find(|param| param.name == name).map_or("", |param| param.about).trim();
            let takes = takes(T::KIND, T::TAKES);
            Error::Arguments(match value {
                Some(value) => {
                    format!(
                        "`{name}` is not valid: it takes {takes}, and got {}. Its meaning: {about}",
                        quoted(value)
                    )
                }
                None => format!("`{name}` is missing: it takes {takes}. Its meaning: {about}"),
            })
        })
    }
}

fn takes(kind: Kind, words: &str) -> String {
    match kind {
        Kind::Whole(min, max) => format!("{words} ({min} to {max})"),
        Kind::Text | Kind::Flag | Kind::TextOrList => words.to_owned(),
    }
}

fn parameters(params: &[Param]) -> String {
    if params.is_empty() {
        return "This tool takes no parameters.".to_owned();
    }
    let names: Vec<String> = params
        .iter()
        .map(|param| format!("`{}`{}", param.name, if param.required { " (required)" } else { "" }))
        .collect();
    format!("This tool takes {}.", names.join(", "))
}

/// A value as an error shows it: as JSON, at most 60 characters of it.
pub fn quoted(value: &Value) -> String {
    foreign::code(&value.to_string(), 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pve::ids::{NodeName, Vmid};

    crate::params! {
        /// Guest id.
        vmid: Vmid,
        /// Node of the guest;
        /// may be left out.
        node: Option<NodeName>,
        /// How long to wait, in seconds.
        timeout_seconds: Whole<1, 3600> = 60,
        /// Whether to wait.
        wait: bool = true,
    }

    fn read(text: &str) -> Result<Params, String> {
        Params::read(&Args::parse(text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_model_sends_is_understood() {
        for text in [r#"{"vmid":101}"#, r#"{"vmid":"101","node":null}"#] {
            let params = read(text).unwrap();
            assert_eq!(params.vmid.to_string(), "101");
            assert!(params.node.is_none() && params.wait);
            assert_eq!(params.timeout_seconds, Whole(60));
        }
        let params = read(r#"{"vmid":100,"node":"pve1","timeout_seconds":"5","wait":"false"}"#).unwrap();
        assert_eq!(params.node.unwrap().to_string(), "pve1");
        assert_eq!((params.timeout_seconds, params.wait), (Whole(5), false));
    }

    #[test]
    fn what_is_no_guest_id_is_refused_by_name_and_value() {
        for bad in [
            "\"0101\"",
            "\"１０１\"",
            "101.5",
            "101.0",
            "-1",
            "99",
            "1000000000",
            "1e30",
            "\"\"",
            "\" 101\"",
            "[101]",
            "true",
        ] {
            let error = read(&format!(r#"{{"vmid":{bad}}}"#)).unwrap_err();
            assert!(error.contains("`vmid` is not valid"), "{bad}: {error}");
            assert!(error.contains("100 to 999999999"), "{bad}: {error}");
            let shown = quoted(&serde_json::from_str(bad).unwrap());
            assert!(error.contains(&shown), "{bad}: {error}");
        }
        let error = read("{}").unwrap_err();
        assert!(error.contains("`vmid` is missing") && error.contains("Guest id."), "{error}");
    }

    #[test]
    fn other_arguments_name_their_limits() {
        for (bad, expected) in [
            (r#"{"vmid":101,"timeout_seconds":0}"#, "1 to 3600"),
            (r#"{"vmid":101,"timeout_seconds":3601}"#, "`3601`"),
            (r#"{"vmid":101,"wait":"perhaps"}"#, "true or false"),
            (r#"{"vmid":101,"wait":1}"#, "true or false"),
            (r#"{"vmid":101,"node":"a/b"}"#, "`node` is not valid"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }

    #[test]
    fn an_unknown_argument_names_the_nearest_and_all() {
        let error = read(r#"{"vm_id":101}"#).unwrap_err();
        assert!(error.contains("no parameter `vm_id`. Did you mean `vmid`?"), "{error}");
        assert!(error.contains("`vmid` (required), `node`"), "{error}");
        let error = Args::parse(r#"{"x":1}"#).unwrap().only(&[]).unwrap_err().to_string();
        assert!(error.contains("takes no parameters"), "{error}");
    }

    #[test]
    fn arguments_are_an_object() {
        for bad in ["[1]", "\"x\"", "{", "101"] {
            assert!(matches!(Args::parse(bad), Err(Error::Arguments(_))), "{bad}");
        }
        for empty in ["", " ", "{}", "null"] {
            assert!(Args::parse(empty).unwrap().0.is_empty(), "{empty}");
        }
    }

    #[test]
    fn a_parameter_describes_itself() {
        let schemas: Vec<String> = PARAMS.iter().map(|param| param.schema().to_string()).collect();
        assert_eq!(
            schemas[0],
            r#"{"type":"integer","minimum":100,"maximum":999999999,"description":"Guest id."}"#
        );
        assert_eq!(schemas[1], r#"{"type":"string","description":"Node of the guest; may be left out."}"#);
        assert!(schemas[2].ends_with(r#""default":60}"#), "{}", schemas[2]);
        assert!(schemas[3].ends_with(r#""default":true}"#), "{}", schemas[3]);
    }
}
