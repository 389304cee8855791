//! What a person has agreed to in a call, and whether it still holds.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::guest::Guest;
use super::need::{Need, fingerprint};

/// Whether a call may ask, and what has been agreed to in it. It serves one call.
#[derive(Debug)]
pub struct Consent {
    state: State,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// The approved changes that have been made, by their place in the terms.
    made: Vec<usize>,
    /// Whether it turned out not to hold any more.
    void: bool,
}

#[derive(Debug)]
enum State {
    /// There is nobody to ask, for this reason.
    Impossible(&'static str),
    /// Nobody has been asked yet.
    Open,
    /// Somebody said yes.
    Given(Terms),
}

/// What a yes was said to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// The call that asked, as the audit log knows it.
    pub(crate) call: String,
    /// The tool that was called.
    pub(crate) tool: String,
    /// Fingerprint of its arguments.
    pub(crate) arguments: String,
    /// The approved requests.
    pub(crate) agreed: Vec<Agreed>,
    /// How often the call has asked.
    pub(crate) round: u8,
    /// Unix time in seconds until which the call may be made with it.
    pub(crate) expires: u64,
}

/// One approved request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Agreed {
    /// Fingerprint of the whole request.
    pub(crate) digest: String,
    /// Whether it changes something; then it may be made once.
    pub(crate) changes: bool,
    /// The grants that it lacks.
    pub(crate) grants: Vec<String>,
    /// The ids of the guests that it names.
    pub(crate) vmids: Vec<u32>,
    /// The guests that the person was shown.
    pub(crate) guests: Vec<Guest>,
    /// Unix time in seconds until which a change may be made.
    pub(crate) expires: u64,
}

impl Agreed {
    pub(crate) fn new(need: &Need, guests: Vec<Guest>, expires: u64) -> Self {
        Self {
            digest: need.digest.clone(),
            changes: !need.method.verb.reads(),
            grants: need.grants.clone(),
            vmids: need.vmids(),
            guests,
            expires,
        }
    }
}

/// What a consent says to a request.
#[derive(Debug, PartialEq)]
pub(crate) enum Stand<'a> {
    /// It was approved, for this guest.
    Approved(&'a Agreed),
    /// It reads what an approved change, already made, has come to.
    Follows,
    /// It was approved once, and has been made.
    Made,
    /// It was approved, too long ago.
    Expired,
    /// A person can be asked.
    Unasked,
    /// There is nobody to ask, for this reason.
    Impossible(&'static str),
    /// It does not hold any more.
    Void,
}

impl Consent {
    /// There is nobody to ask. `why` is a clause for the user.
    pub fn impossible(why: &'static str) -> Self {
        Self::of(State::Impossible(why))
    }

    /// Nobody has been asked yet, and somebody can be.
    pub fn open() -> Self {
        Self::of(State::Open)
    }

    pub(crate) fn given(terms: Terms) -> Self {
        Self::of(State::Given(terms))
    }

    fn of(state: State) -> Self {
        Self { state, used: Mutex::default() }
    }

    pub(crate) fn terms(&self) -> Option<&Terms> {
        match &self.state {
            State::Given(terms) => Some(terms),
            State::Open | State::Impossible(_) => None,
        }
    }

    /// Whether it may be used for this call.
    ///
    /// # Errors
    /// A sentence for the user, where it was given for another call or is too old.
    pub(crate) fn fits(&self, tool: &str, arguments: &Map<String, Value>, now: u64) -> Result<(), String> {
        let Some(terms) = self.terms() else { return Ok(()) };
        if terms.tool != tool || terms.arguments != digest_of(arguments) {
            return Err(
                "The approval was given for another call: tool and arguments must be the same. Nothing was done. \
                 Make the call again without it, and the person is asked again."
                    .to_owned(),
            );
        }
        match now < terms.expires {
            true => Ok(()),
            false => Err(EXPIRED.to_owned()),
        }
    }

    /// It does not hold any more: nothing further goes out on its account.
    pub(crate) fn withdraw(&self) {
        self.used().void = true;
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it says to this request. A change that it lets through counts as made from then on.
    pub(crate) fn stand(&self, need: &Need, now: u64) -> Stand<'_> {
        let terms = match &self.state {
            State::Impossible(why) => return Stand::Impossible(why),
            State::Open => return Stand::Unasked,
            State::Given(terms) => terms,
        };
        let mut used = self.used();
        let same = terms.agreed.iter().enumerate().find(|(_, agreed)| agreed.digest == need.digest);
        match same {
            _ if used.void => Stand::Void,
            Some((_, agreed)) if !agreed.changes => Stand::Approved(agreed),
            Some((at, _)) if used.made.contains(&at) => Stand::Made,
            Some((_, agreed)) if now >= agreed.expires => Stand::Expired,
            Some((at, agreed)) => {
                used.made.push(at);
                Stand::Approved(agreed)
            }
            None => {
                let mut done = used.made.iter().filter_map(|at| terms.agreed.get(*at));
                let covered = |agreed: &Agreed| {
                    agreed.vmids == need.vmids()
                        && need.grants.iter().all(|grant| agreed.grants.contains(grant))
                };
                match need.method.verb.reads() && done.any(covered) {
                    true => Stand::Follows,
                    false => Stand::Unasked,
                }
            }
        }
    }
}

/// The sentence for an approval that is too old.
pub(crate) const EXPIRED: &str = "The approval is older than five minutes and no longer holds. Nothing was done. \
                                  Make the call again, and the person is asked again.";

/// Fingerprint of a call's arguments, whatever the order of their names.
pub(crate) fn digest_of(arguments: &Map<String, Value>) -> String {
    fingerprint(&canonical(&Value::Object(arguments.clone())).to_string())
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut members: Vec<(&String, &Value)> = map.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            Value::Object(members.into_iter().map(|(name, value)| (name.clone(), canonical(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        plain => plain.clone(),
    }
}
