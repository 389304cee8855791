//! Faults on purpose: what a network, a proxy or a broken server does to a client.

use std::time::Duration;

use crate::rest::Answered;
use crate::server::{Head, Response};

/// A rule that spoils some answers.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Only requests with this verb (`GET`); `None` takes all.
    pub verb: Option<String>,
    /// Only requests whose path below `/api2/json` matches. `*` stands for any characters; without
    /// one the pattern is a prefix. The query is not looked at.
    pub path: String,
    /// So many matching requests pass before the rule applies.
    pub skip: usize,
    /// The rule applies to so many requests; `None` to all that follow.
    pub times: Option<usize>,
    /// What happens.
    pub kind: Kind,
}

impl Fault {
    /// A rule for every request below `path`.
    pub fn always(path: &str, kind: Kind) -> Fault {
        Fault { verb: None, path: path.into(), skip: 0, times: None, kind }
    }

    /// A rule for the next request below `path` only.
    pub fn once(path: &str, kind: Kind) -> Fault {
        Fault { times: Some(1), ..Fault::always(path, kind) }
    }

    /// The same rule for one verb.
    #[must_use]
    pub fn verb(mut self, verb: &str) -> Fault {
        self.verb = Some(verb.into());
        self
    }

    /// The same rule after `skip` matching requests passed.
    #[must_use]
    pub fn after(mut self, skip: usize) -> Fault {
        self.skip = skip;
        self
    }

    fn matches(&self, head: &Head) -> bool {
        if self.verb.as_ref().is_some_and(|verb| *verb != head.verb) {
            return false;
        }
        let path = head.target.split('?').next().unwrap_or_default();
        let path = path.strip_prefix("/api2/json").unwrap_or(path);
        if self.path.contains('*') { glob(&self.path, path) } else { path.starts_with(&self.path) }
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Kind {
    /// This status with this reason phrase. 595, 596 and 401 have no body, others the usual JSON.
    Status(u16, String),
    /// The answer comes later by this much.
    Slow(Duration),
    /// The connection closes before the request is looked at.
    DropConnection,
    /// The request takes effect, but the connection closes instead of an answer.
    LoseAnswer,
    /// The connection closes in the middle of the body.
    CutBody,
    /// 200 with a page of HTML, as a proxy in between sends it.
    NotJson,
    /// 200 with these bytes as body.
    Body(String),
    /// 200 with valid JSON of at least so many bytes.
    Huge(usize),
    /// A body that does not end.
    EndlessBody,
    /// A head, and then a byte of body each time so much has passed, without end.
    DripBody(Duration),
    /// A head that grows by a byte each time so much has passed, without end.
    DripHead(Duration),
    /// So many interim answers of this status (`103`) before the real one, each with a cookie.
    Interim(u16, usize),
    /// An interim answer each time so much has passed, and never another.
    EndlessInterim(Duration),
    /// This node goes offline, until the faults are cleared; the rest of the rule is not looked at.
    NodeDown(String),
}

impl Kind {
    /// Whether the request is not carried out at all.
    pub(crate) fn replaces_answer(&self) -> bool {
        matches!(
            self,
            Kind::Status(..)
                | Kind::NotJson
                | Kind::Body(_)
                | Kind::Huge(_)
                | Kind::EndlessBody
                | Kind::DripBody(_)
                | Kind::DripHead(_)
                | Kind::EndlessInterim(_)
        )
    }

    /// The answer in place of the real one.
    pub(crate) fn answer(&self) -> Answered {
        let json = Some("application/json;charset=UTF-8");
        let response = |status, reason: &str, content_type, body| Response {
            status,
            reason: reason.into(),
            content_type,
            body,
            ..Response::default()
        };
        let response = match self {
            Kind::Status(status @ (401 | 595 | 596), reason) => response(*status, reason, None, Vec::new()),
            Kind::Status(status, reason) => {
                let body = serde_json::json!({ "data": null, "message": format!("{reason}\n") });
                response(*status, reason, json, body.to_string().into_bytes())
            }
            Kind::NotJson => {
                let page = b"<html><body><h1>It works!</h1></body></html>".to_vec();
                response(200, "OK", Some("text/html; charset=utf-8"), page)
            }
            Kind::Body(text) => response(200, "OK", json, text.clone().into_bytes()),
            Kind::Huge(bytes) => {
                let filler = "x".repeat(*bytes);
                response(200, "OK", json, format!(r#"{{"data":"{filler}"}}"#).into_bytes())
            }
            _ => response(200, "OK", json, Vec::new()),
        };
        Answered { response, delay: Duration::ZERO }
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Fault>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.rules.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// What happens to this request; counts the rules down.
    pub(crate) fn take(&mut self, head: &Head) -> Option<Kind> {
        for rule in self.rules.iter_mut().filter(|rule| rule.matches(head)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            match &mut rule.times {
                Some(0) => continue,
                Some(left) => *left -= 1,
                None => {}
            }
            return Some(rule.kind.clone());
        }
        None
    }
}

/// Whether `text` fits a pattern in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    if after.is_empty() {
        return true;
    }
    rest.char_indices()
        .map(|(i, _)| i)
        .chain([rest.len()])
        .any(|i| rest.get(i..).is_some_and(|t| glob(after, t)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(verb: &str, target: &str) -> Head {
        Head { verb: verb.into(), target: format!("/api2/json{target}"), ..Head::default() }
    }

    #[test]
    fn a_rule_applies_to_its_verb_and_path_only() {
        let mut faults = Faults::default();
        faults.add(Fault::always("/nodes/*/qemu/101/status", Kind::DropConnection).verb("POST"));
        assert!(faults.take(&head("POST", "/nodes/pve1/qemu/101/status/start")).is_none());
        faults.add(Fault::always("/nodes/*/qemu/101/status/*", Kind::DropConnection).verb("POST"));
        assert!(faults.take(&head("POST", "/nodes/pve1/qemu/101/status/start?x=1")).is_some());
        assert!(faults.take(&head("GET", "/nodes/pve1/qemu/101/status/start")).is_none());
    }

    #[test]
    fn a_rule_counts_what_passes_and_what_it_hits() {
        let mut faults = Faults::default();
        faults.add(Fault::once("/version", Kind::NotJson).after(1));
        let hits: Vec<bool> = (0..4).map(|_| faults.take(&head("GET", "/version")).is_some()).collect();
        assert_eq!(hits, [false, true, false, false]);
    }
}
