//! Questions that a client keeps and brings back with the answer, in the era in which the server may not
//! ask by itself.
//!
//! The threat: a client that changes what was asked, answers an old question, or answers one twice. The
//! state is signed with a key that only this process has, and each may be used once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use rmcp::model::RequestStateCodec;
use serde::{Deserialize, Serialize};

use super::consent::{EXPIRED, Terms};
use super::{Consent, Request};

/// A question that may not be answered this way. `Display` is for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// This process did not give it out, or it was changed.
    #[error(
        "The request state was not given out by this server, or was changed. Nothing was done. Make the call again \
         without it, and the person is asked again."
    )]
    Foreign,
    /// It was answered before.
    #[error(
        "This question was answered before, and one answer is for one call. Nothing was done. Make the call again \
         without the request state, and the person is asked again."
    )]
    Used,
    /// It is too old.
    #[error("{EXPIRED}")]
    Expired,
}

/// What a question that comes back was about.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// What has to be typed for a yes.
    pub typed: Option<String>,
    /// The grants that would allow it without asking, separated by commas.
    pub grants: String,
    terms: Terms,
}

impl Opened {
    /// The call that asked, as the audit log knows it.
    pub(crate) fn call(&self) -> &str {
        &self.terms.call
    }

    /// What the call may do after a yes.
    pub fn approved(self) -> Consent {
        Consent::given(self.terms)
    }
}

#[derive(Serialize, Deserialize)]
struct Payload {
    nonce: String,
    typed: Option<String>,
    grants: String,
    terms: Terms,
}

/// Seals questions and opens them, each once.
pub struct Seals {
    codec: RequestStateCodec,
    /// Those that were opened, with the time at which they expire.
    used: Mutex<HashMap<String, u64>>,
}

impl Seals {
    /// Seals with a new random key.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub fn new() -> Result<Self> {
        let key: [u8; 32] = random()?;
        let codec = RequestStateCodec::try_new(key.to_vec()).context("the key is too short")?;
        Ok(Self { codec, used: Mutex::default() })
    }

    /// The state that a client brings back.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub fn seal(&self, request: &Request) -> Result<String> {
        let nonce: [u8; 16] = random()?;
        let nonce = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        let payload = Payload {
            nonce,
            typed: request.question.typed.clone(),
            grants: request.grants.clone(),
            terms: request.terms.clone(),
        };
        Ok(self.codec.seal_json(&payload)?)
    }

    /// Opens a state and uses it up.
    ///
    /// # Errors
    /// [`SealError`] where it may not be used.
    pub fn open(&self, sealed: &str) -> Result<Opened, SealError> {
        self.open_at(sealed, super::now())
    }

    pub(crate) fn open_at(&self, sealed: &str, now: u64) -> Result<Opened, SealError> {
        let payload: Payload = self.codec.open_json(sealed).map_err(|_| SealError::Foreign)?;
        if now >= payload.terms.expires {
            return Err(SealError::Expired);
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, expires| now < *expires);
        match used.insert(payload.nonce, payload.terms.expires) {
            Some(_) => Err(SealError::Used),
            None => Ok(Opened { typed: payload.typed, grants: payload.grants, terms: payload.terms }),
        }
    }
}

/// Random numbers of the system.
///
/// # Errors
/// Where it has none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => anyhow::bail!("the system has no random numbers: {error}"),
    }
}
