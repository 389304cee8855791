//! Arguments: what a model sent, read against what a tool takes.

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::secret::is_secret;

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
    /// Whether a list of tools shows it.
    pub listed: bool,
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
    /// A list of texts.
    Texts,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Named values.
    Object,
}

impl Kind {
    fn schema(self) -> Value {
        match self {
            Kind::Text => json!({"type": "string"}),
            // The limits are said where a value is beyond them.
            Kind::Whole(..) => json!({"type": "integer"}),
            Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Kind::Words(words) => json!({"type": "string", "enum": words}),
            Kind::Object => json!({"type": "object"}),
            Kind::Flag => json!({"type": "boolean"}),
            Kind::TextOrList => {
                json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
            }
        }
    }
}

impl Param {
    /// The JSON Schema of this parameter; with its meaning and its default where it is `explained`.
    pub fn schema(&self, explained: bool) -> Value {
        let mut schema = self.kind.schema();
        if let (true, Some(schema)) = (explained, schema.as_object_mut()) {
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
    /// Whether a list of tools shows it.
    const LISTED: bool = true;
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

/// A parameter that may be left out and that a list of tools does not show: one that older servers had, or
/// that is found out where it is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden<T>(pub Option<T>);

impl<T> Hidden<T> {
    /// The value, if it was given.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    /// The value, or this one if it was not given.
    pub fn or(&self, other: T) -> T
    where
        T: Copy,
    {
        self.0.unwrap_or(other)
    }
}

impl<T: Argument> Argument for Hidden<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;
    const LISTED: bool = false;
    const TAKES: &'static str = T::TAKES;

    fn read(value: &Value) -> Option<Self> {
        T::read(value).map(|value| Hidden(Some(value)))
    }

    fn absent() -> Option<Self> {
        Some(Hidden(None))
    }
}

/// Text without control characters, at most 8 KiB.
impl Argument for String {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "text without control characters, at most 8192 bytes";

    fn read(value: &Value) -> Option<Self> {
        let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
        value.as_str().filter(|text| text.len() <= 8192 && !text.contains(odd)).map(str::to_owned)
    }
}

/// Several texts: a list, or one text with commas between them. Numbers are taken as their text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts(pub Vec<String>);

impl Argument for Texts {
    const KIND: Kind = Kind::Texts;
    const TAKES: &'static str = "a list of texts";

    fn read(value: &Value) -> Option<Self> {
        let text = |value: &Value| match value {
            Value::Number(number) => Some(number.to_string()),
            value => String::read(value),
        };
        let listed = match value {
            Value::Array(items) => items.iter().map(text).collect::<Option<Vec<_>>>()?,
            value => text(value)?.split(',').map(str::to_owned).collect(),
        };
        Some(Texts(
            listed.into_iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect(),
        ))
    }
}

/// Named values, as they were given.
impl Argument for Map<String, Value> {
    const KIND: Kind = Kind::Object;
    const TAKES: &'static str = "a JSON object such as {\"key\": \"value\"}";

    fn read(value: &Value) -> Option<Self> {
        value.as_object().cloned()
    }
}

impl Argument for bool {
    const KIND: Kind = Kind::Flag;
    const TAKES: &'static str = "true or false";

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => match number.as_u64() {
                Some(0) => Some(false),
                Some(1) => Some(true),
                _ => None,
            },
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

/// The arguments as JSON.
impl std::fmt::Display for Args {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Value::Object(self.0.clone()).fmt(f)
    }
}

impl Args {
    /// An argument as it was given.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Takes an argument out.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name)
    }

    /// Puts an argument in; gives the one that was there.
    pub fn put(&mut self, name: &str, value: Value) -> Option<Value> {
        self.0.insert(name.to_owned(), value)
    }

    /// The arguments by their names.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

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
                    let got = if is_secret(name) { "something else".to_owned() } else { quoted(value) };
                    format!("`{name}` is not valid: it takes {takes}, and got {got}. Its meaning: {about}")
                }
                None => format!("`{name}` is missing: it takes {takes}. Its meaning: {about}"),
            })
        })
    }
}

fn takes(kind: Kind, words: &str) -> String {
    match kind {
        Kind::Whole(min, max) => format!("{words} ({min} to {max})"),
        Kind::Words(known) => {
            format!("one of {}", known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
        }
        Kind::Text | Kind::Flag | Kind::TextOrList | Kind::Texts | Kind::Object => words.to_owned(),
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
            (r#"{"vmid":101,"wait":2}"#, "true or false"),
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
        let schemas = |explained| -> Vec<String> {
            PARAMS.iter().map(|param| param.schema(explained).to_string()).collect()
        };
        assert_eq!(
            schemas(true),
            [
                r#"{"type":"integer","description":"Guest id."}"#,
                r#"{"type":"string","description":"Node of the guest; may be left out."}"#,
                r#"{"type":"integer","description":"How long to wait, in seconds.","default":60}"#,
                r#"{"type":"boolean","description":"Whether to wait.","default":true}"#,
            ]
        );
        let plain = [
            r#"{"type":"integer"}"#,
            r#"{"type":"string"}"#,
            r#"{"type":"integer"}"#,
            r#"{"type":"boolean"}"#,
        ];
        assert_eq!(schemas(false), plain);
    }
}
