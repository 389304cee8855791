//! The threat: a difference between two parsers. The component's text is parsed here, once and
//! strictly, and never sent: what is sent is written anew from the parsed parts, in one canonical
//! form (everything outside the unreserved characters percent-encoded, parameters in order of name,
//! bodies always as forms).

use crate::denied::Denied;
use crate::params::{self, Params};
use crate::permit::Permit;
use crate::value::{self, Upid};
use crate::{route, typed};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proxmox_api::{API_DOC, Method, Verb};
use std::fmt::Write as _;

/// The server refuses larger bodies.
const MAX_BODY: usize = 512 * 1024;
/// The server breaks on longer request lines.
const MAX_TARGET: usize = 8 * 1024 - 256;

/// All but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request as the component wrote it.
#[derive(Debug, Clone, Copy)]
pub struct RawRequest<'a> {
    /// The verb, in upper case.
    pub verb: &'a str,
    /// Path and query, such as `/api2/json/nodes/pve1/qemu?full=1`.
    pub path_and_query: &'a str,
    /// The content type, if there is one.
    pub content_type: Option<&'a str>,
    /// The body; empty where there is none.
    pub body: &'a [u8],
}

/// A parsed request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static Method,
    /// Name and value of each parameter in the path, in order.
    pub(crate) path: Vec<(&'static str, String)>,
    /// All other parameters.
    pub(crate) params: Params,
}

impl Request {
    pub(crate) fn parse(raw: RawRequest<'_>) -> Result<Self, Denied> {
        check_bytes(raw.path_and_query)?;
        let (path, query) = raw.path_and_query.split_once('?').unwrap_or((raw.path_and_query, ""));
        let Some(verb) = Verb::parse(raw.verb) else {
            return Err(Denied::UnknownMethod {
                verb: raw.verb.escape_debug().take(20).collect(),
                path: path.to_owned(),
            });
        };
        let found = route::find(verb, path)?;
        let path = found.values.into_iter().map(|(name, text)| (name, text.into_owned())).collect();
        let params = read_params(found.method, query, raw.content_type, raw.body)?;
        let request = Request { method: found.method, path, params };
        request.check_path_values()?;
        Ok(request)
    }

    /// The one value of a parameter, in the path or beside it; `None` where it is absent or an array.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        if let Some((_, text)) = self.path.iter().find(|(own, _)| *own == name) {
            return Some(text);
        }
        match self.params.get(name).map(Vec::as_slice) {
            Some([text]) => Some(text),
            _ => None,
        }
    }

    /// The task id in the path.
    pub(crate) fn upid(&self) -> Option<Upid<'_>> {
        self.path.iter().find(|(name, _)| *name == "upid").and_then(|(_, text)| Upid::parse(text))
    }

    fn check_path_values(&self) -> Result<(), Denied> {
        for (name, text) in &self.path {
            let fault =
                |why: String| Denied::BadParameter { method: self.method, name: (*name).to_owned(), why };
            if let Some(param) = self.method.param(name) {
                typed::check(params::param_kind(param), text).map_err(fault)?;
            }
            if *name == "upid" {
                check_upid(text, self.value("node")).map_err(fault)?;
            }
            if *name == "volume" {
                check_volume(text, self.value("storage")).map_err(fault)?;
            }
        }
        Ok(())
    }

    /// Writes the request in its canonical form.
    pub(crate) fn rebuild(&self) -> Result<Permit, Denied> {
        let below = if self.method.path == API_DOC.path { "" } else { "/api2/json" };
        let mut target = format!("{below}{}", self.method.path);
        for (name, text) in &self.path {
            target = target.replace(&format!("{{{name}}}"), &encode(text));
        }
        let form = self.form();
        let body = match self.method.verb {
            Verb::Get | Verb::Delete if !form.is_empty() => {
                let _ = write!(target, "?{form}");
                None
            }
            Verb::Post | Verb::Put if !form.is_empty() => Some(form.into_bytes()),
            _ => None,
        };
        if target.len() > MAX_TARGET {
            return Err(Denied::TooLarge { what: "the path with its query", limit: MAX_TARGET });
        }
        if body.as_ref().is_some_and(|body| body.len() > MAX_BODY) {
            return Err(Denied::TooLarge { what: "the body, percent-encoded,", limit: MAX_BODY });
        }
        Ok(Permit::new(self.method, target, body))
    }

    fn form(&self) -> String {
        let pairs = self.params.iter().flat_map(|(name, texts)| texts.iter().map(move |text| (name, text)));
        let written: Vec<String> =
            pairs.map(|(name, text)| format!("{}={}", encode(name), encode(text))).collect();
        written.join("&")
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Visible ASCII only: no control characters, no spaces, no backslash, no fragment.
fn check_bytes(target: &str) -> Result<(), Denied> {
    if target.len() > MAX_TARGET {
        return Err(Denied::TooLarge { what: "the path with its query", limit: MAX_TARGET });
    }
    match target.chars().find(|c| !c.is_ascii_graphic() || *c == '\\' || *c == '#') {
        Some(odd) => Err(Denied::malformed(format!("{odd:?} cannot stand in a path or query"))),
        None => Ok(()),
    }
}

/// Parameters of query and body together; none may be in both.
fn read_params(
    method: &'static Method,
    query: &str,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Params, Denied> {
    let mut params = params::parse_form(method, query)?;
    for (name, texts) in read_body(method, content_type, body)? {
        if params.contains_key(&name) {
            let why = "it is in the query and in the body".to_owned();
            return Err(Denied::BadParameter { method, name, why });
        }
        params.insert(name, texts);
    }
    Ok(params)
}

fn read_body(method: &'static Method, content_type: Option<&str>, body: &[u8]) -> Result<Params, Denied> {
    if body.is_empty() {
        return Ok(Params::new());
    }
    if matches!(method.verb, Verb::Get | Verb::Delete) {
        return Err(Denied::malformed(format!("a {} carries no body", method.verb)));
    }
    if body.len() > MAX_BODY {
        return Err(Denied::TooLarge { what: "the body", limit: MAX_BODY });
    }
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return params::parse_json(method, body);
    }
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let form = std::str::from_utf8(body).map_err(|_| Denied::malformed("the form is not text"))?;
        if let Some(odd) = form.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(Denied::malformed(format!("{odd:?} cannot stand in a form: percent-encode it")));
        }
        return params::parse_form(method, form);
    }
    Err(Denied::malformed(
        "the body's content type is neither a form (application/x-www-form-urlencoded) nor JSON",
    ))
}

/// A task id whose node is the node that is asked.
fn check_upid(text: &str, node: Option<&str>) -> Result<(), String> {
    let Some(upid) = Upid::parse(text) else {
        return Err(format!("{} is not a task id (UPID:...)", value::quote(text)));
    };
    if Some(upid.node) != node {
        return Err(format!("the task runs on node {}, not on the node in the path", upid.node));
    }
    Ok(())
}

/// A volume that is not on another storage than the path's.
fn check_volume(text: &str, storage: Option<&str>) -> Result<(), String> {
    match text.split_once(':') {
        Some((prefix, _)) if !prefix.contains('/') && Some(prefix) != storage => {
            Err(format!("the volume is on {}, not on the storage in the path", value::quote(prefix)))
        }
        _ => Ok(()),
    }
}
