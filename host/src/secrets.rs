//! The threat: a secret in an answer of Proxmox VE that reaches the tools, and through them the model and
//! whoever keeps its transcripts. It is taken out before the component sees it. What is one, and where,
//! [`proxmox_audit::bodies`] knows.
//!
//! The word that stands in place of a secret must not be written back over it, so a change that holds it is
//! refused.

use http::StatusCode;
use proxmox_api::{Method, Verb};
use proxmox_audit::bodies;
pub use proxmox_audit::bodies::TAKEN_OUT;
pub(crate) use proxmox_audit::bodies::text;
use proxmox_gate::RawRequest;

/// The answer without secrets; `None` where there are none.
pub(crate) fn taken_out(method: &Method, status: StatusCode, body: &[u8]) -> Option<Vec<u8>> {
    bodies::taken_out(method.verb.as_str(), method.path, status.is_success(), body)
}

/// Whether the request would write the word back that stands in place of a secret.
pub(crate) fn writes_back(raw: &RawRequest<'_>) -> bool {
    if raw.verb == Verb::Get.as_str() {
        return false;
    }
    let query = raw.path_and_query.split_once('?').map(|(_, query)| query);
    bodies::writes_back(query, raw.body)
}

#[cfg(test)]
mod tests;
