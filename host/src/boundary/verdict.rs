//! What the gate would decide about a request that is not sent: for a tool that shows what it would do.
//! It tells a tool no more than the refusal of the request itself would.

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Full};
use proxmox_api::methods;
use proxmox_gate::{RawRequest, Scope};
use serde_json::json;
use wasmtime_wasi_http::{Error, WasiBody};

use super::{Boundary, Refusal};
use crate::calls;
use crate::pools::Members;
use crate::secrets;

/// The authority that stands for the question.
pub(super) const AUTHORITY: &str = "verdict.pve.internal";

impl Boundary {
    /// The decision about a request, as the component reads it.
    pub(super) fn verdict(&self, raw: RawRequest<'_>, pools: &Members) -> Result<Response<WasiBody>, Error> {
        // What this very call would come to, so that a dry run refuses what the change would. A tool that only
        // reads describes what others do, and is told what is granted.
        let all = Scope::new(methods::ALL);
        let scope = if self.describes { &all } else { &*self.scope };
        let verdict = self.gate.explain(scope, raw, pools);
        let needs: Vec<_> = verdict
            .needs
            .iter()
            .map(|need| json!([format!("{} on {}", need.privilege, need.path), need.covered_by.is_some()]))
            .collect();
        let refusal = match &verdict.outcome {
            _ if secrets::writes_back(&raw) => Some(Refusal::Placeholder),
            Err(denied) => Some(Refusal::Denied(denied.clone())),
            Ok(()) => None,
        };
        let asks = matches!(refusal, Some(Refusal::Denied(_)))
            && self.leave.as_ref().is_some_and(|leave| leave.may_ask(scope, raw, pools));
        let why = refusal.as_ref().map(calls::refusal).unwrap_or_default();
        let data = json!({"allowed": refusal.is_none(), "asks": asks, "needs": needs, "why": why});
        let body = Full::new(Bytes::from(json!({"data": data}).to_string()));
        Response::builder()
            .header(CONTENT_TYPE, "application/json")
            .body(body.map_err(|never| match never {}).boxed_unsync())
            .map_err(|_| Error::HttpProtocolError)
    }
}
