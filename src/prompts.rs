//! Prompts: what a person picks to begin with, with the data already in it. A prompt writes pieces, of which some are
//! calls of tools; whoever runs the component makes the calls and puts the answers in. Adding one is adding a file.

mod place;

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
pub use crate::tool::ToolCall;

include!(concat!(env!("OUT_DIR"), "/prompts.rs"));

/// The longest value of an argument, in characters.
const LONGEST: usize = 500;

/// A prompt.
#[derive(Debug)]
pub struct Prompt {
    /// Its name, that of its file.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What comes of it, for whoever picks it.
    pub description: &'static str,
    /// What it takes.
    pub arguments: &'static [Argument],
    /// Every tool that it may call. All of them only read.
    pub tools: &'static [&'static str],
    /// Writes it.
    pub write: fn(&Given<'_>) -> Vec<Piece>,
}

/// What a prompt takes. All values are text.
#[derive(Debug)]
pub struct Argument {
    /// Its name; one name means the same in all prompts and resources.
    pub name: &'static str,
    /// What it means.
    pub description: &'static str,
    /// Whether it has to be given.
    pub required: bool,
}

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Markdown.
    Text(String),
    /// The answer of this call.
    Call(ToolCall),
}

/// What a prompt was given.
#[derive(Debug)]
pub struct Given<'a>(&'a Map<String, Value>);

/// The pieces of a prompt, in their order.
///
/// # Errors
/// [`Error::Arguments`] where there is no such prompt, or its arguments are not what it takes.
pub fn write(name: &str, arguments: &Map<String, Value>) -> Result<Vec<Piece>, Error> {
    let prompt = find(name)?;
    prompt.check(arguments)?;
    Ok((prompt.write)(&Given(arguments)))
}

/// The prompt of this name.
///
/// # Errors
/// [`Error::Arguments`] with those there are.
pub fn find(name: &str) -> Result<&'static Prompt, Error> {
    ALL.iter().find(|prompt| prompt.name == name).copied().ok_or_else(|| {
        let known: Vec<String> = ALL.iter().map(|prompt| format!("`{}`", prompt.name)).collect();
        let known = known.join(", ");
        Error::Arguments(format!("There is no prompt {}. There are {known}.", foreign::code(name, 60)))
    })
}

impl Argument {
    /// One that has to be given.
    pub const fn required(name: &'static str, description: &'static str) -> Argument {
        Argument { name, description, required: true }
    }

    /// One that may be left out.
    pub const fn optional(name: &'static str, description: &'static str) -> Argument {
        Argument { name, description, required: false }
    }
}

impl Prompt {
    /// Refuses arguments that it does not take, and asks for those that are missing.
    fn check(&self, arguments: &Map<String, Value>) -> Result<(), Error> {
        let takes = || {
            let one = |argument: &Argument| {
                let required = if argument.required { ", required" } else { "" };
                format!("`{}` ({}{required})", argument.name, argument.description)
            };
            let all: Vec<String> = self.arguments.iter().map(one).collect();
            if all.is_empty() { "no arguments".to_owned() } else { all.join(", ") }
        };
        let wrong =
            |what: String| Error::Arguments(format!("{what} The prompt `{}` takes {}.", self.name, takes()));
        for (name, value) in arguments {
            if !self.arguments.iter().any(|argument| argument.name == name) {
                let meant = nearest(name, self.arguments.iter().map(|argument| argument.name));
                let meant = meant.map(|known| format!(" Did you mean `{known}`?")).unwrap_or_default();
                return Err(wrong(format!("There is no argument {}.{meant}", foreign::code(name, 40))));
            }
            let text = value.as_str().ok_or_else(|| wrong(format!("`{name}` has to be text.")))?;
            if text.chars().count() > LONGEST {
                return Err(wrong(format!("`{name}` is longer than {LONGEST} characters.")));
            }
        }
        let given = Given(arguments);
        match self.arguments.iter().find(|argument| argument.required && given.get(argument.name).is_none()) {
            Some(missing) => Err(wrong(format!("`{}` is missing.", missing.name))),
            None => Ok(()),
        }
    }
}

impl<'a> Given<'a> {
    /// An argument without the spaces around it; nothing if it is empty.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    /// An argument as it is shown in a sentence: one line, as code.
    pub fn shown(&self, name: &str) -> Option<String> {
        self.get(name).map(|text| foreign::code(text, LONGEST))
    }

    /// Those of these arguments that were given, for a call of a tool: (the tool's name for it, ours).
    pub fn passed(&self, names: &[(&'static str, &str)]) -> Map<String, Value> {
        let value =
            |(theirs, ours): &(&'static str, &str)| Some(((*theirs).to_owned(), json!(self.get(ours)?)));
        names.iter().filter_map(value).collect()
    }
}

impl Piece {
    /// Text.
    pub fn text(text: impl Into<String>) -> Piece {
        Piece::Text(text.into())
    }

    /// The answer of a tool. `arguments` is an object.
    pub fn call(tool: &'static str, arguments: Value) -> Piece {
        let arguments = match arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        Piece::Call(ToolCall { tool, arguments })
    }
}

#[cfg(test)]
mod tests;
