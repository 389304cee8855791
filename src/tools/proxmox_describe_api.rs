//! `proxmox_describe_api`: what a method of the API takes and needs.

use proxmox_api::rules::{self, Decision};
use proxmox_api::{API_DOC, Method, Param, Verb};
use serde_json::Value;

use crate::cx::{Cx, Verdict};
use crate::data::Data;
use crate::error::{Error, needed};
use crate::foreign;
use crate::rest::words::{self, Words};
use crate::rest::{Target, described};
use crate::shape::{Shape, always, known};
use crate::tool::{Args, Outcome, Texts, Tool, Toolset};

crate::words! {
    /// A verb.
    pub enum Word {
        /// Reads.
        Get = "GET",
        /// Creates or starts.
        Post = "POST",
        /// Changes.
        Put = "PUT",
        /// Removes.
        Delete = "DELETE",
    }
}

crate::params! {
    /// Path, with values or as a template.
    path: String,
    /// All that the path takes if left out; with one come Proxmox's own words.
    method: Option<Word>,
    /// Only these parameters.
    params: Option<Texts>,
}

/// How many bytes the parameters of one list may take.
const ROOM: usize = 1_700;
/// The same where a path takes several verbs: what the lists of all of them may take.
const SHARED_ROOM: usize = 1_200;

const METHOD: Shape = Shape::Object(&[
    always("method", Shape::Text),
    always("path", Shape::Text),
    always("required", Shape::List(&Shape::Text)),
    always("optional", Shape::List(&Shape::Text)),
    known("said", Shape::Text).about("Proxmox's own words"),
    always("needs", Shape::List(&Shape::Text)),
    known("granted", Shape::Flag),
    always("token", Shape::Flag).about("false: only a login may call it"),
]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_describe_api",
    title: "Describe API method",
    description: "Shows what an API method takes and needs, and whether that is granted.",
    toolset: Toolset::Api,
    params: PARAMS,
    unlisted: &["params"],
    output: Shape::Object(&[always("methods", Shape::List(&METHOD))]),
    calls: &[&API_DOC],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let verbs = match params.method {
        Some(word) => vec![word],
        None => vec![Word::Get, Word::Post, Word::Put, Word::Delete],
    };
    let found: Vec<Result<Target, Error>> =
        verbs.iter().filter_map(|word| Verb::parse(word.word())).map(|verb| Target::find(verb, &params.path)).collect();
    let targets: Vec<Target> = found.iter().flatten().cloned().collect();
    if targets.is_empty() {
        let none = || Error::Arguments("There is no such path.".to_owned());
        return Err(found.into_iter().find_map(Result::err).unwrap_or_else(none));
    }
    let only = params.params.map(|Texts(names)| names).unwrap_or_default();
    let words = match targets.as_slice() {
        [one] => Some(words::fetch(cx, one.method)),
        _ => None,
    };
    let room = if targets.len() == 1 { ROOM } else { SHARED_ROOM / targets.len() };
    let mut descriptions: Vec<Description> =
        targets.iter().map(|target| Description::of(cx, target, &only, room)).collect::<Result<_, _>>()?;
    if let ([one], Some(words)) = (descriptions.as_mut_slice(), words) {
        one.words = Some(words.map_err(|error| error.brief()));
    }
    let text: Vec<String> = descriptions.iter().map(Description::text).collect();
    let rows: Vec<Value> = descriptions.iter().map(Description::datum).collect();
    Ok(Outcome::done(text.join("\n"), Data::new().always("methods", rows).into()))
}

/// A method, described.
struct Description {
    method: &'static Method,
    needs: Vec<String>,
    verdict: Option<Verdict>,
    /// Only these parameters; all if there is none.
    only: Vec<String>,
    /// How many bytes a list of parameters may take.
    room: usize,
    words: Option<Result<Words, String>>,
}

impl Description {
    fn of(cx: &Cx<'_>, target: &Target, only: &[String], room: usize) -> Result<Description, Error> {
        let needs = needed(target.method, &|name| target.value(name).map(str::to_owned));
        // What it decides by parameters is not known before they are.
        let of_path = |name: &str| target.method.path_params().any(|own| own == name);
        let needs_more = target.method.params.iter().any(|param| !param.optional && !of_path(param.name));
        let verdict = match target.is_whole() && !needs_more {
            true => cx.verdict(&target.call_without_parameters())?,
            false => None,
        };
        if let Some(unknown) = only.iter().find(|name| target.method.param(name).is_none()) {
            let unknown = foreign::code(unknown, 40);
            return Err(Error::Arguments(format!("`{}` has no parameter {unknown}.", target.method)));
        }
        Ok(Description {
            method: target.method,
            needs,
            verdict,
            only: only.to_vec(),
            room,
            words: None,
        })
    }

    fn parameters(&self, optional: bool) -> Vec<&'static Param> {
        let of_path = |name: &str| self.method.path_params().any(|own| own == name);
        let wanted = |param: &Param| {
            self.only.is_empty() || self.only.iter().any(|name| self.method.param(name).is_some_and(|own| own == param))
        };
        let all = self.method.params.iter();
        all.filter(|param| param.optional == optional && !of_path(param.name) && wanted(param)).collect()
    }

    fn text(&self) -> String {
        let mut text = format!("📖 `{}`\n", self.method);
        match &self.words {
            Some(Ok(words)) if !words.method.is_empty() => text += &format!("{}\n", foreign::words(&words.method, 600)),
            Some(Err(why)) => text += &format!("  • Without Proxmox's own words: {why}\n"),
            _ => {}
        }
        for (title, optional) in [("Required", false), ("Optional", true)] {
            text += &self.list(title, &self.parameters(optional));
        }
        if !self.needs.is_empty() {
            let by_parameters = matches!(rules::decision(self.method), Decision::Parameters(..));
            let why = if by_parameters { format!("; {}", rules::reason(self.method)) } else { String::new() };
            text += &format!("  • Needs: {}{why}\n", self.needs.join(" and "));
        }
        if !self.method.token {
            text += "  • Only a login may call it, no API token.\n";
        }
        match &self.verdict {
            Some(verdict) if verdict.allowed => text += "  • This server allows it; the token's own rights count, too.\n",
            Some(verdict) => text += &format!("  • {}\n", foreign::line(&verdict.why, 600)),
            None => {}
        }
        text
    }

    /// Parameters in one line, or, with Proxmox's own words, a line for each, as long as there is room.
    fn list(&self, title: &str, params: &[&'static Param]) -> String {
        if params.is_empty() {
            return String::new();
        }
        let words = self.words.as_ref().and_then(|words| words.as_ref().ok());
        let mut text = if words.is_some() { format!("  • {title}:\n") } else { format!("  • {title}: ") };
        let mut shown = 0;
        for param in params {
            let item = match words {
                Some(words) => {
                    let said = words.params.get(param.name).map(String::as_str).unwrap_or_default();
                    let most = if self.only.is_empty() { 140 } else { 600 };
                    format!("    - {}: {}\n", described(param), foreign::words(said, most))
                }
                None if shown == 0 => described(param),
                None => format!(", {}", described(param)),
            };
            if text.len() + item.len() > self.room {
                break;
            }
            text += &item;
            shown += 1;
        }
        let rest = params.get(shown..).unwrap_or_default();
        let names = || rest.iter().map(|param| format!("`{}`", param.name)).collect::<Vec<_>>().join(", ");
        match (rest, words) {
            ([], Some(_)) => text,
            ([], None) => text + "\n",
            (_, Some(_)) => text + &format!("    - `params` shows more of {}\n", names()),
            (_, None) if self.room == ROOM => text + &format!("; `params` shows more of {}\n", names()),
            (_, None) => text + &format!("; {} more, which `method` = `{}` shows\n", rest.len(), self.method.verb),
        }
    }

    fn datum(&self) -> Value {
        let names = |optional: bool| -> Vec<&str> { self.parameters(optional).iter().map(|param| param.name).collect() };
        Data::new()
            .always("method", self.method.verb.as_str())
            .always("path", self.method.path)
            .always("required", names(false))
            .always("optional", names(true))
            .known("said", self.words.as_ref().and_then(|words| words.as_ref().ok()).map(|words| words.method.clone()))
            .always("needs", self.needs.clone())
            .known("granted", self.verdict.as_ref().map(|verdict| verdict.allowed))
            .always("token", self.method.token)
            .into()
    }
}

#[cfg(test)]
#[path = "tests/proxmox_describe_api.rs"]
mod tests;
