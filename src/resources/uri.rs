//! From a URI to the call that it stands for.

use serde_json::{Map, Value};

use super::list::OLDER;
use super::{Template, all, templates};
use crate::catalogue;
use crate::error::Error;
use crate::foreign;
use crate::rest::{decoded, variable};
use crate::tool::ToolCall;

/// What comes before a tool's name in a URI.
pub const OF_TOOLS: &str = "proxmox://tools/";
/// How the URI of any call is made; `arguments` is a JSON object.
pub(super) const TEMPLATE: &str = "proxmox://tools/{tool}{?arguments}";
/// Arguments that choose a page. A resource is all pages.
const OF_PAGES: [&str; 2] = ["limit", "cursor"];
/// The longest URI that is read, in bytes.
const LONGEST: usize = 16 * 1024;

/// The call that gives what a URI names. Nothing is asked: whether there is such a node or guest, the call says.
///
/// # Errors
/// [`Error::NotFound`] where there is no such resource, [`Error::Arguments`] where one cannot be read that way.
pub fn locate(uri: &str) -> Result<ToolCall, Error> {
    if uri.len() > LONGEST {
        return Err(Error::Arguments(format!("A URI has {LONGEST} characters at most.")));
    }
    let uri = OLDER.iter().find(|(older, _)| *older == uri).map_or(uri, |(_, now)| now);
    if let Some(rest) = uri.strip_prefix(OF_TOOLS) {
        return of_tool(rest);
    }
    if let Some(resource) = all().iter().find(|resource| resource.uri == uri) {
        return Ok(ToolCall { tool: resource.tool, arguments: resource.call.arguments(Vec::new()) });
    }
    let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
    for template in templates().iter().filter(|template| template.uri_template != TEMPLATE) {
        if let Some(mut variables) = template.variables_of(path)? {
            variables.extend(template.options(query)?);
            return Ok(ToolCall { tool: template.tool, arguments: template.call.arguments(variables) });
        }
    }
    Err(none(uri))
}

/// The sentence for a URI that names nothing, with what there is.
fn none(uri: &str) -> Error {
    let known: Vec<String> = all()
        .iter()
        .map(|resource| resource.uri)
        .chain(templates().iter().map(|template| template.uri_template))
        .map(|uri| format!("`{uri}`"))
        .collect();
    Error::NotFound(format!(
        "There is no resource {}. There are {}.",
        foreign::code(uri, 80),
        known.join(", ")
    ))
}

impl Template {
    /// The path of the template, without the variables of a query.
    fn path(&self) -> &'static str {
        self.uri_template.split("{?").next().unwrap_or_default()
    }

    /// The variables in a path that is made like this; `None` for another one.
    ///
    /// # Errors
    /// [`Error::Arguments`] where a value is not written as one.
    fn variables_of(&self, path: &str) -> Result<Option<Vec<(&'static str, String)>>, Error> {
        let (ours, theirs): (Vec<&str>, Vec<&str>) =
            (self.path().split('/').collect(), path.split('/').collect());
        let fits = |(ours, theirs): (&&str, &&str)| variable(ours).is_some() || ours == theirs;
        if ours.len() != theirs.len() || !ours.iter().zip(&theirs).all(fits) {
            return Ok(None);
        }
        let pairs = self.path().split('/').zip(theirs);
        let found = pairs.filter_map(|(ours, theirs)| Some((variable(ours)?, theirs)));
        found.map(|(name, raw)| Ok((name, value(name, raw)?))).collect::<Result<_, _>>().map(Some)
    }

    /// What the query says, of the variables that may stand there.
    ///
    /// # Errors
    /// [`Error::Arguments`] where it says something else.
    fn options(&self, query: Option<&str>) -> Result<Vec<(&'static str, String)>, Error> {
        let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(Vec::new()) };
        let group = self.uri_template.split_once("{?").map_or("", |(_, rest)| rest.trim_end_matches('}'));
        let mut found: Vec<(&'static str, String)> = Vec::new();
        for pair in query.split('&') {
            let (name, raw) = pair.split_once('=').unwrap_or((pair, ""));
            let known = group.split(',').find(|known| !known.is_empty() && *known == name);
            let known =
                known.filter(|known| found.iter().all(|(taken, _)| taken != known)).ok_or_else(|| {
                    Error::Arguments(format!(
                        "The query of this URI cannot say {}. URIs of these resources are made like `{}`.",
                        foreign::code(pair, 60),
                        self.uri_template
                    ))
                })?;
            found.push((known, value(known, raw)?));
        }
        Ok(found)
    }
}

fn value(name: &str, raw: &str) -> Result<String, Error> {
    decoded(raw).filter(|text| !text.is_empty()).ok_or_else(|| {
        Error::Arguments(format!(
            "{} is no `{name}` in a URI: it is empty or badly percent-encoded.",
            foreign::code(raw, 60)
        ))
    })
}

/// The call that a URI names outright.
fn of_tool(rest: &str) -> Result<ToolCall, Error> {
    let (name, query) = rest.split_once('?').map_or((rest, None), |(name, query)| (name, Some(query)));
    let (tool, alias) = catalogue::find(name).map_err(|error| Error::NotFound(error.to_string()))?;
    if !tool.read_only() {
        return Err(Error::Arguments(format!(
            "`{name}` changes something, and reading a resource changes nothing. Call it as a tool."
        )));
    }
    let arguments = match query {
        None => Map::new(),
        Some(query) => {
            arguments(query.strip_prefix("arguments=").ok_or_else(|| none(&format!("{OF_TOOLS}{rest}")))?)?
        }
    };
    Ok(ToolCall { tool: alias.map_or(tool.name, |alias| alias.name), arguments })
}

/// The arguments in a query. What follows an `&` is no JSON, so that nothing is passed over.
fn arguments(text: &str) -> Result<Map<String, Value>, Error> {
    let text = decoded(text).ok_or_else(|| Error::Arguments("`arguments` is not UTF-8.".to_owned()))?;
    let arguments: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
        Error::Arguments(format!("`arguments` has to be a percent-encoded JSON object: {error}."))
    })?;
    if OF_PAGES.iter().any(|name| arguments.contains_key(*name)) {
        return Err(Error::Arguments(
            "A resource is the whole list: leave `limit` and `cursor` out of `arguments`.".to_owned(),
        ));
    }
    Ok(arguments)
}
