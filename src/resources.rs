//! What can be read by URI. Reading a resource is calling a tool that changes nothing, and no more than that: what
//! holds for the call holds for the resource.

mod list;
mod uri;

use serde_json::{Map, Value};

pub use self::list::{all, templates};
pub use self::uri::{OF_TOOLS, locate};

/// What all resources are written in.
pub const MIME_TYPE: &str = "application/json";

/// A resource with a URI of its own.
#[derive(Debug)]
pub struct Resource {
    /// Its URI.
    pub uri: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it holds.
    pub description: &'static str,
    /// What it is written in.
    pub mime_type: &'static str,
    /// The tool that gives it.
    pub tool: &'static str,
    /// The arguments for that tool.
    call: Of,
}

/// Resources of which the URI says which is meant.
#[derive(Debug)]
pub struct Template {
    /// How their URIs are made, after RFC 6570.
    pub uri_template: &'static str,
    /// Their name.
    pub name: &'static str,
    /// Their name for people.
    pub title: &'static str,
    /// What each holds.
    pub description: &'static str,
    /// What they are written in.
    pub mime_type: &'static str,
    /// The tool that gives them; empty where the URI names it.
    pub tool: &'static str,
    /// The arguments for that tool.
    call: Of,
}

/// What a tool is called with for a resource. A variable of the URI is the argument of the same name.
#[derive(Debug, Clone, Copy)]
struct Of {
    /// Variables whose argument is called otherwise: (variable, argument).
    renamed: &'static [(&'static str, &'static str)],
    /// Arguments that are always the same: (argument, value as JSON).
    fixed: &'static [(&'static str, &'static str)],
}

impl Template {
    /// The variables of its URIs, in their order.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> {
        let inside = |part: &'static str| part.split_once('}').map_or("", |(inside, _)| inside);
        let groups = self.uri_template.split('{').skip(1).map(inside);
        groups.flat_map(|group| group.trim_start_matches('?').split(','))
    }
}

impl Of {
    /// Nothing but the variables.
    const PLAIN: Of = Of { renamed: &[], fixed: &[] };

    fn arguments(self, variables: Vec<(&str, String)>) -> Map<String, Value> {
        let named = |name: &str| {
            let other = self.renamed.iter().find(|(variable, _)| *variable == name);
            other.map_or(name, |(_, argument)| argument).to_owned()
        };
        let given = variables.into_iter().map(|(name, value)| (named(name), Value::from(value)));
        let fixed = self
            .fixed
            .iter()
            .map(|(name, json)| ((*name).to_owned(), serde_json::from_str(json).unwrap_or(Value::Null)));
        given.chain(fixed).collect()
    }
}

#[cfg(test)]
mod tests;
