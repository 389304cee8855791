//! What a tool is: a value that declares what it is called, what it takes, what it answers and which
//! API methods it calls, and a function that does it.

mod alias;
mod args;
mod toolset;

use proxmox_api::Method;
use serde_json::{Map, Value, json};

pub use self::alias::Alias;
pub(crate) use self::args::whole;
pub use self::args::{Args, Argument, Hidden, Kind, Param, Texts, Whole, quoted};
pub use self::toolset::Toolset;
use crate::cx::Cx;
use crate::error::Error;
use crate::shape::Shape;

/// One tool.
#[derive(Debug)]
pub struct Tool {
    /// Its name, that of its file.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does and when to choose it, for a model. Every client pays for each word.
    pub description: &'static str,
    /// The group that it belongs to.
    pub toolset: Toolset,
    /// The names that it had in older servers.
    pub aliases: &'static [Alias],
    /// What it takes.
    pub params: &'static [Param],
    /// Those of its parameters of which a list says what they mean. The others' names say it; errors say more.
    pub explained: &'static [&'static str],
    /// Those of its parameters that it takes without their being listed; its description or its errors name them.
    pub unlisted: &'static [&'static str],
    /// The shape of its data.
    pub output: Shape,
    /// Every API method that it may call; [`Cx`] refuses it the rest.
    pub calls: &'static [&'static Method],
    /// Whether it may also call what its arguments `path` and `method` name: any method if it is
    /// destructive, else only what reads.
    pub names_its_call: bool,
    /// Whether it may lose something that cannot be had back.
    pub destructive: bool,
    /// Whether the same call again does nothing more. `None`: yes if it only reads.
    pub idempotent: Option<bool>,
    /// Whether it reaches beyond what Proxmox VE itself manages, into a guest for instance.
    pub open_world: bool,
    /// Does it.
    pub run: Run,
    /// Goes on with it, from the state that it left; for tools that wait.
    pub resume: Option<Resume>,
}

/// Does what a tool is for, with the arguments of one call.
pub type Run = fn(&Cx<'_>, &Args) -> Result<Outcome, Error>;

/// Goes on with a call, from the state that it left. The state may be forged.
pub type Resume = fn(&Cx<'_>, &Value) -> Result<Outcome, Error>;

/// How a call went on.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is over.
    Done(Output),
    /// It goes on in Proxmox.
    Pending(Pending),
}

/// The answer of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Markdown, for a person or a model.
    pub text: String,
    /// The same as an object of the shape that the tool declares.
    pub data: Value,
}

/// A call that waits for Proxmox.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// What the tool needs to go on; it may come back forged.
    pub state: Value,
    /// How far it is, in one line.
    pub message: String,
    /// Part done, from 0 to 1, where that is known.
    pub progress: Option<f64>,
    /// When to look again, in milliseconds.
    pub after_ms: u32,
}

/// A tool and what it is called with.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The tool's name, or an older one.
    pub tool: &'static str,
    /// The arguments.
    pub arguments: Map<String, Value>,
}

impl Tool {
    /// A tool that only reads and never waits; the rest of a declaration.
    pub const PLAIN: Tool = Tool {
        name: "",
        title: "",
        description: "",
        toolset: Toolset::Overview,
        aliases: &[],
        params: &[],
        explained: &[],
        unlisted: &[],
        output: Shape::Object(&[]),
        calls: &[],
        names_its_call: false,
        destructive: false,
        idempotent: None,
        open_world: false,
        run: |_, _| Err(Error::Defect("a tool without a function".to_owned())),
        resume: None,
    };

    /// Whether it changes nothing: all that it calls only reads.
    pub fn read_only(&self) -> bool {
        let names_changes = self.names_its_call && self.destructive;
        self.calls.iter().all(|method| method.verb.reads()) && !names_changes
    }

    /// Whether the same call again does nothing more.
    pub fn idempotent(&self) -> bool {
        self.idempotent.unwrap_or_else(|| self.read_only())
    }

    /// The JSON Schema of its arguments.
    pub fn input_schema(&self) -> Value {
        let properties: Map<String, Value> = self
            .listed()
            .map(|param| (param.name.to_owned(), param.schema(self.explained.contains(&param.name))))
            .collect();
        let required: Vec<&str> =
            self.listed().filter(|param| param.required).map(|param| param.name).collect();
        let mut schema = json!({"type": "object", "properties": properties});
        if let (Some(schema), false) = (schema.as_object_mut(), required.is_empty()) {
            schema.insert("required".to_owned(), required.into());
        }
        schema
    }

    /// The parameters that a list of tools shows.
    fn listed(&self) -> impl Iterator<Item = &'static Param> {
        self.params.iter().filter(|param| self.lists(param))
    }

    /// Whether a list of tools shows this parameter. Those that mean the same everywhere, and are well left out,
    /// are in the server's instructions alone.
    pub fn lists(&self, param: &Param) -> bool {
        const EVERYWHERE: &[&str] = &["cursor", "dry_run", "limit", "timeout_seconds", "wait"];
        param.listed && !EVERYWHERE.contains(&param.name) && !self.unlisted.contains(&param.name)
    }
}

/// The name of a parameter whose field is called so: a field `r#type` stands for `type`.
pub const fn param_name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

impl Outcome {
    /// A call that is over.
    pub fn done(text: impl Into<String>, data: Value) -> Outcome {
        Outcome::Done(Output { text: text.into(), data })
    }
}

/// Declares what a tool takes: the struct `Params`, the table `PARAMS` and `Params::read`.
///
/// The doc comment of a parameter is its description in the schema and part of its error text. An
/// `Option` may be left out; `= value` gives a default; a [`Hidden`] one is taken, but not listed.
#[macro_export]
macro_rules! params {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ty $(= $default:expr)?),* $(,)?) => {
        /// What the tool takes.
        const PARAMS: &[$crate::tool::Param] = &[$($crate::tool::Param {
            name: $crate::tool::param_name(stringify!($name)),
            about: concat!($($doc),+),
            kind: <$kind as $crate::tool::Argument>::KIND,
            required: $crate::params!(@required $kind $(, $default)?),
            listed: <$kind as $crate::tool::Argument>::LISTED,
            default: $crate::params!(@default $($default)?),
        }),*];

        /// What the tool was given.
        #[derive(Debug)]
        struct Params {
            $($(#[doc = $doc])+ $name: $kind,)*
        }

        impl Params {
            /// Reads the arguments; an error names the parameter and what it takes.
            fn read(args: &$crate::tool::Args) -> Result<Self, $crate::error::Error> {
                args.only(PARAMS)?;
                Ok(Params { $($name: $crate::params!(@read args, $name, $kind $(, $default)?),)* })
            }
        }
    };
    (@required $kind:ty) => { <$kind as $crate::tool::Argument>::REQUIRED };
    (@required $kind:ty, $default:expr) => { false };
    (@default) => { None };
    (@default $default:expr) => { Some(stringify!($default)) };
    (@read $args:ident, $name:ident, $kind:ty) => {
        $args.read::<$kind>(PARAMS, $crate::tool::param_name(stringify!($name)))?
    };
    (@read $args:ident, $name:ident, $kind:ty, $default:expr) => {
        $args
            .read::<Option<$kind>>(PARAMS, $crate::tool::param_name(stringify!($name)))?
            .unwrap_or(<$kind as From<_>>::from($default))
    };
}

/// Declares an argument that is one of several words, as an enum.
///
/// ```ignore
/// words! {
///     /// What to do.
///     pub enum Action {
///         /// Starts it.
///         Start = "start",
///     }
/// }
/// ```
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$about:meta])* $case:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name { $($(#[$about])* $case,)+ }

        impl $name {
            /// Its word.
            $vis const fn word(self) -> &'static str {
                match self { $($name::$case => $word,)+ }
            }
        }

        impl $crate::tool::Argument for $name {
            const KIND: $crate::tool::Kind = $crate::tool::Kind::Words(&[$($word),+]);
            const TAKES: &'static str = "one of its words";

            fn read(value: &serde_json::Value) -> Option<Self> {
                let wanted = value.as_str()?;
                [$($name::$case),+].into_iter().find(|case| case.word() == wanted)
            }
        }
    };
}
