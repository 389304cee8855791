//! What the host itself reads to decide: who is in a pool, which guest a question is about. It goes through
//! gate and egress like everything else, and into the audit log in the host's own name.

use anyhow::{Result, anyhow, bail};
use bytes::Bytes;
use http::StatusCode;
use proxmox_api::Method;
use proxmox_gate::{Gate, Pools, RawRequest, Scope};

use crate::boundary::{body_of, leave_in_words};
use crate::egress::Egress;
use crate::watch::Watch;

/// The way that the host reads. With a watch, on account of that call.
pub(crate) struct Lookup<'a> {
    pub(crate) gate: &'a Gate,
    pub(crate) egress: &'a Egress,
    pub(crate) watch: Option<&'a Watch>,
}

impl Lookup<'_> {
    /// The answer to a method that reads, uncut. `target` is path and query below `/api2/json`.
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
        let answer = self.egress.send(permit).await;
        if let Some((watch, sending)) = sending {
            watch.answered(sending, answer.as_ref().ok().map(|answer| answer.status().as_u16()));
        }
        let answer = answer?;
        let status = answer.status();
        let body =
            body_of(answer).await.map_err(|code| anyhow!("the answer to {method} breaks off: {code:?}"))?;
        match status {
            StatusCode::OK => Ok(body),
            _ => bail!("Proxmox VE answered {status} to {method}"),
        }
    }
}
