//! What the host itself reads to decide: who is in a pool, which guest a question is about. It goes through
//! gate and egress like everything else, and into the audit log in the host's own name.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::StatusCode;
use proxmox_api::Method;
use proxmox_gate::{Gate, Pools, RawRequest, Scope};

use crate::boundary::leave_in_words;
use crate::egress::Egress;
use crate::received::Failure;
use crate::watch::Watch;

/// The way that the host reads. With a watch, on account of that call.
pub(crate) struct Lookup<'a> {
    pub(crate) gate: &'a Gate,
    pub(crate) egress: &'a Arc<Egress>,
    pub(crate) watch: Option<&'a Watch>,
}

impl Lookup<'_> {
    /// The answer to a method that reads, not cut to what is granted. `target` is path and query below `/api2/json`.
    ///
    /// # Errors
    /// Why there is none, as a clause.
    pub(crate) async fn read(
        &self,
        method: &'static Method,
        target: &str,
        pools: &(dyn Pools + Sync),
    ) -> Result<Bytes> {
        let target = format!("/api2/json{target}");
        let raw = RawRequest { verb: "GET", path_and_query: &target, content_type: None, body: &[] };
        let scope = Scope::new([method]);
        let permit = self.gate.check(&scope, raw, pools)?;
        let leave = || leave_in_words(&self.gate.explain(&scope, raw, pools));
        let sending = self.watch.map(|watch| (watch, watch.host_reads(&permit, leave)));
        let answer = self.egress.receive_own(permit).await;
        if let Some((watch, sending)) = sending {
            let status = answer.as_ref().map_or_else(Failure::status, |answer| Some(answer.status));
            watch.answered(sending, status.map(|status| status.as_u16()));
        }
        let answer = answer.with_context(|| format!("no answer to {method}"))?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            status => bail!("Proxmox VE answered {status} to {method}"),
        }
    }
}
