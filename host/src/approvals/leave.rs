//! The threat: a request that goes out although nobody agreed to it, or to something else than what
//! somebody agreed to. Each request that the operator's grants refuse passes here, alone.

use std::sync::Arc;

use proxmox_gate::{Denied, Gate, Permit, RawRequest, Scope};

use super::consent::{Agreed, Consent, EXPIRED, Stand};
use super::guest::{self, Guest};
use super::need::Need;
use super::{now, text};
use crate::egress::Egress;
use crate::lookup::Lookup;
use crate::pools::Members;
use crate::watch::Watch;

/// Why a request that a person could approve did not go out. `Display` is for the user.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unapproved {
    /// There is nobody to ask.
    #[error("This needs a person's approval, and {why}. {denied}{}", without_asking(denied))]
    NobodyToAsk {
        /// Why not.
        why: &'static str,
        /// What the grants say.
        denied: Denied,
    },
    /// The call has changed something already, so it cannot begin again after a yes.
    #[error(
        "This needs a person's approval, which can no longer be asked for: the call has already changed something, \
         and beginning again would change it twice. Look at what it has done before going on. {denied}{}",
        without_asking(denied)
    )]
    TooLate {
        /// What the grants say.
        denied: Denied,
    },
    /// It was approved once and has been made.
    #[error(
        "The approved request was to be made a second time. One approval is for one request, so that was refused."
    )]
    Made,
    /// The approval is too old.
    #[error("{EXPIRED}")]
    Expired,
    /// The guest is not the one that the person was shown.
    #[error(
        "The approval does not hold any more: it was given for {was}, and now there is {is}. Nothing was done. Make \
         the call again, and the person is asked again."
    )]
    GuestChanged {
        /// The guest that was shown.
        was: String,
        /// The guest that there is.
        is: String,
    },
    /// The guest could not be looked at.
    #[error("The approved request was not sent, because the guest could not be looked at again: {0}.")]
    NotLookedAt(String),
}

impl Unapproved {
    /// A stable word for logs.
    pub fn code(&self) -> &'static str {
        match self {
            Unapproved::NobodyToAsk { .. } => "nobody_to_ask",
            Unapproved::TooLate { .. } => "too_late_to_ask",
            Unapproved::Made => "approval_used",
            Unapproved::Expired => "approval_expired",
            Unapproved::GuestChanged { .. } => "guest_changed",
            Unapproved::NotLookedAt(_) => "guest_not_looked_at",
        }
    }
}

fn without_asking(denied: &Denied) -> String {
    let line = |grant| format!(" To allow it without asking, start proxmox-mcp with `--grant {grant}`.");
    denied.grant().map(line).unwrap_or_default()
}

/// What to do with a request that the grants refuse.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It goes out.
    Go(Permit),
    /// It does not, and asking would not help.
    Denied(Denied),
    /// It does not, for what has to do with asking.
    Unapproved(Unapproved),
    /// It does not until a person agreed.
    Ask(Need, Denied),
}

/// What a call may do beyond the grants.
#[derive(Clone)]
pub(crate) struct Leave {
    /// What is granted outright.
    narrow: Arc<Gate>,
    /// The same, and what may be asked for; without it nothing may be.
    wide: Option<Arc<Gate>>,
    egress: Arc<Egress>,
    consent: Arc<Consent>,
    watch: Option<Arc<Watch>>,
}

impl Leave {
    pub(crate) fn new(
        narrow: Arc<Gate>,
        wide: Option<Arc<Gate>>,
        egress: Arc<Egress>,
        consent: Arc<Consent>,
    ) -> Self {
        Self { narrow, wide, egress, consent, watch: None }
    }

    /// The same, under the operator's eyes.
    pub(crate) fn watched(self, watch: Arc<Watch>) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Whether a person may be asked for a request that the grants refuse.
    pub(crate) fn may_ask(&self, scope: &Scope, raw: RawRequest<'_>, pools: &Members) -> bool {
        self.wide.as_ref().is_some_and(|wide| wide.check(scope, raw, pools).is_ok())
    }

    /// Decides on a request that was `denied`.
    pub(crate) async fn decide(
        &self,
        scope: &Scope,
        raw: RawRequest<'_>,
        pools: &Members,
        denied: Denied,
    ) -> Verdict {
        let (Some(wide), Some(grants)) = (&self.wide, denied.grant()) else {
            return Verdict::Denied(denied);
        };
        let Ok(permit) = wide.check(scope, raw, pools) else { return Verdict::Denied(denied) };
        let need = Need::of(&permit, &grants);
        match self.consent.stand(&need, now()) {
            Stand::Approved(agreed) => match self.same_guests(agreed, pools).await {
                Ok(()) => Verdict::Go(permit),
                Err(why) => {
                    self.consent.withdraw();
                    Verdict::Unapproved(why)
                }
            },
            Stand::Follows => Verdict::Go(permit),
            Stand::Made => Verdict::Unapproved(Unapproved::Made),
            Stand::Expired => Verdict::Unapproved(Unapproved::Expired),
            Stand::Impossible(why) => Verdict::Unapproved(Unapproved::NobodyToAsk { why, denied }),
            Stand::Void => Verdict::Denied(denied),
            Stand::Unasked => Verdict::Ask(need, denied),
        }
    }

    /// Whether the guests are still those that the person was shown: an id can get another owner.
    async fn same_guests(&self, agreed: &Agreed, pools: &Members) -> Result<(), Unapproved> {
        let lookup = Lookup { gate: &self.narrow, egress: &self.egress, watch: self.watch.as_deref() };
        let are = guest::look_up(&lookup, pools, &agreed.vmids).await.map_err(Unapproved::NotLookedAt)?;
        let other = |vmid: &&u32| guest::of(&are, **vmid) != guest::of(&agreed.guests, **vmid);
        let Some(vmid) = agreed.vmids.iter().find(other) else { return Ok(()) };
        let shown = |guests: &[Guest]| match guest::of(guests, *vmid) {
            Some(guest) => text::guest(guest),
            None => format!("no guest {vmid}"),
        };
        Err(Unapproved::GuestChanged { was: shown(&agreed.guests), is: shown(&are) })
    }
}
