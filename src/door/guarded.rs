//! The threat: a request that the operator did not grant, made without our host around it. The same gate that
//! our host has decides here, request by request, and takes the secrets out of the answers.

use std::cell::RefCell;

use proxmox_api::{Method, methods};
use proxmox_audit::bodies::{self, TAKEN_OUT};
use proxmox_gate::{Denied, FORM, NoPools, Permit, RawRequest, Scope};
use serde_json::json;

use super::Failure;
use super::settings::Rights;
use crate::cx::{Request, Response, SendError, Transport};
use crate::error::{Error, Kind};

/// A way out that lets through what the rights cover.
pub(super) struct Guarded<'a> {
    out: &'a dyn Transport,
    rights: &'a Rights,
    /// Any method: what a tool declares holds its calls already, and the gate wants to be told.
    scope: Scope,
    /// Why requests were refused, first one first.
    refused: RefCell<Vec<Refusal>>,
}

/// Why a request did not go out.
enum Refusal {
    Denied(Denied),
    /// It holds the word that stands in place of a secret.
    Placeholder,
}

type Sent = Result<Response, SendError>;

impl<'a> Guarded<'a> {
    pub(super) fn new(out: &'a dyn Transport, rights: &'a Rights) -> Self {
        Guarded { out, rights, scope: Scope::new(methods::ALL), refused: RefCell::default() }
    }

    /// A failure in the gate's words, where it was the gate that refused.
    pub(super) fn explained(&self, error: Error) -> Failure {
        let failure = Failure::from(error);
        match self.refused.borrow().first() {
            Some(refusal) if failure.kind == Kind::Denied => Failure { message: words(refusal), ..failure },
            _ => failure,
        }
    }

    fn permit(&self, request: &Request) -> Result<Permit, Refusal> {
        let raw = raw(request);
        if !request.verb.reads() && bodies::writes_back(query(request), raw.body) {
            return Err(Refusal::Placeholder);
        }
        self.rights.gate.check(&self.scope, raw, &NoPools).map_err(Refusal::Denied)
    }

    /// The answer as a tool may see it.
    fn passed_back(&self, method: &'static Method, response: Response) -> Response {
        let Response { status, reason, mut body } = response;
        let succeeded = (200..300).contains(&status);
        if succeeded && let Some(cut) = self.rights.gate.filter(method, &body, &NoPools) {
            body = cut;
        }
        if let Some(shown) = bodies::taken_out(method.verb.as_str(), method.path, succeeded, &body) {
            body = shown;
        }
        let reason = reason.map(|reason| bodies::text(&reason).unwrap_or(reason));
        let reason = reason.map(|reason| reason.replace(self.rights.secret(), TAKEN_OUT));
        Response { status, reason, body: without(body, self.rights.secret()) }
    }
}

impl Transport for Guarded<'_> {
    fn send_all(&self, requests: &[Request]) -> Vec<Sent> {
        let (mut going, mut methods, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (place, request) in requests.iter().enumerate() {
            match self.permit(request) {
                Ok(permit) => {
                    methods.push(permit.method());
                    places.push(place);
                    going.push(rewritten(permit));
                }
                Err(refusal) => self.refused.borrow_mut().push(refusal),
            }
        }
        let mut results: Vec<Sent> = requests.iter().map(|_| Err(SendError::Denied)).collect();
        let answers = if going.is_empty() { Vec::new() } else { self.out.send_all(&going) };
        for ((place, method), answer) in places.into_iter().zip(methods).zip(answers) {
            if let Some(result) = results.get_mut(place) {
                *result = answer.map(|response| self.passed_back(method, response));
            }
        }
        results
    }

    fn verdict(&self, request: &Request) -> Option<Sent> {
        let verdict = self.rights.gate.explain(&self.scope, raw(request), &NoPools);
        let refusal = self.permit(request).err();
        let needs: Vec<_> = verdict
            .needs
            .iter()
            .map(|need| json!([format!("{} on {}", need.privilege, need.path), need.covered_by.is_some()]))
            .collect();
        let why = refusal.as_ref().map(words).unwrap_or_default();
        let data = json!({"allowed": refusal.is_none(), "asks": false, "needs": needs, "why": why});
        let body = json!({ "data": data }).to_string().into_bytes();
        Some(Ok(Response { status: 200, reason: None, body }))
    }
}

fn raw(request: &Request) -> RawRequest<'_> {
    let form = request.form.as_deref().filter(|form| !form.is_empty());
    RawRequest {
        verb: request.verb.as_str(),
        path_and_query: &request.path,
        content_type: form.map(|_| FORM),
        body: form.unwrap_or_default().as_bytes(),
    }
}

fn query(request: &Request) -> Option<&str> {
    request.path.split_once('?').map(|(_, query)| query)
}

/// What goes out is what was checked, written anew.
fn rewritten(permit: Permit) -> Request {
    let verb = permit.verb();
    let parts = permit.into_parts();
    let form = parts.body.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned());
    let has_body = matches!(verb, proxmox_api::Verb::Post | proxmox_api::Verb::Put);
    Request { verb, path: parts.path_and_query, form: form.or_else(|| has_body.then(String::new)) }
}

/// The bytes without the API token's secret, which a proxy may send back.
fn without(body: Vec<u8>, secret: &str) -> Vec<u8> {
    let holds = !secret.is_empty() && body.windows(secret.len()).any(|part| part == secret.as_bytes());
    match holds {
        true => String::from_utf8_lossy(&body).replace(secret, TAKEN_OUT).into_bytes(),
        false => body,
    }
}

fn words(refusal: &Refusal) -> String {
    let denied = match refusal {
        Refusal::Denied(denied) => denied,
        Refusal::Placeholder => {
            return format!(
                "The change was not made: it holds `{TAKEN_OUT}`, the word that this server shows in place of a secret, \
                 and written back it would replace the secret. Leave that value out of the change, or let a person \
                 make it."
            );
        }
    };
    match (denied.grant(), denied.remedy()) {
        (Some(grant), _) => format!(
            "This server does not allow that. {denied} To allow it, add `{grant}` to PROXMOX_GRANTS in its environment."
        ),
        (None, Some(remedy)) => format!("This server does not allow that. {denied} To allow it, {remedy}."),
        (None, None) => format!("This server does not allow that. {denied}"),
    }
}

#[cfg(test)]
mod tests;
