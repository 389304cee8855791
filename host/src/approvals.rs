//! Asking a person: requests that may go out only after somebody said yes to this very call.
//!
//! The operator names grants with `--ask`. Where the grants refuse a request and would permit it together
//! with those, the request is a [`Need`]: it does not go out, the attempt ends, and the caller gets
//! [`crate::calls::Attempt::Asks`] with a [`Question`] in the host's own words. On yes the call
//! runs again from its start with a [`Consent`], which lets exactly the approved requests through.
//!
//! | question | file |
//! |---|---|
//! | which request is it, to the last byte? | `need` |
//! | which guest is that? | `guest` |
//! | what has been agreed to, and does it hold for this request? | `consent`, `leave` |
//! | what is the person asked? | `question`, `words`, `text` |
//! | how is a question kept by a client that comes back later? | `seal` |
//! | how does MCP ask, and what is a yes? | `form`, [`crate::mcp`] |

pub(crate) mod consent;
pub(crate) mod form;
pub(crate) mod guest;
pub(crate) mod leave;
pub(crate) mod need;
pub(crate) mod question;
pub(crate) mod seal;
pub(crate) mod text;
mod words;

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

pub use consent::Consent;
pub use form::Reply;
pub use guest::Guest;
pub use leave::Unapproved;
pub use need::Need;
pub use question::Question;
pub use seal::{Opened, SealError, Seals};

use crate::lookup::Lookup;
use crate::pools::Members;
use consent::Agreed;

/// How long a question may be answered, and its approval be used, counted from the asking.
pub const LIFETIME: Duration = Duration::from_secs(300);

/// How often one call may ask. A tool whose every attempt needs something else would never come to an end.
const MAX_ROUNDS: u8 = 4;

/// How many requests one call may have approved.
const MAX_AGREED: usize = 12;

/// A way to a person.
pub trait Asker: Sync {
    /// Whether there is one, for a new call.
    fn consent(&self) -> Consent;

    /// Puts a question, and waits for its answer for at most [`LIFETIME`].
    fn ask(&self, request: &Request) -> impl Future<Output = Reply> + Send;
}

/// No way to a person, for the reason given as a clause.
#[derive(Clone, Copy, Debug)]
pub struct Nobody(pub &'static str);

impl Asker for Nobody {
    fn consent(&self) -> Consent {
        Consent::impossible(self.0)
    }

    async fn ask(&self, _request: &Request) -> Reply {
        Reply::Failed
    }
}

/// What a call needs a person's yes for.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to ask.
    pub question: Question,
    /// The grants that would allow it without asking, separated by commas.
    pub grants: String,
    /// The consent that a yes amounts to.
    terms: consent::Terms,
}

impl Request {
    /// What the call may do after a yes. `Consent` says by itself until when that holds.
    pub fn approved(&self) -> Consent {
        Consent::given(self.terms.clone())
    }

    /// The call that asks, as the audit log knows it.
    pub(crate) fn call(&self) -> &str {
        &self.terms.call
    }

    /// Builds the question for these needs of a call.
    ///
    /// # Errors
    /// A sentence for the user, where it cannot be asked.
    pub(crate) fn new(
        call: &str,
        tool: &str,
        arguments: &Map<String, Value>,
        consent: &Consent,
        needs: Vec<(Need, Vec<Guest>)>,
    ) -> Result<Self, String> {
        let grants = joined(&needs);
        let before = consent.terms();
        let round = before.map_or(0, |terms| terms.round) + 1;
        let mut agreed: Vec<Agreed> = before.map(|terms| terms.agreed.clone()).unwrap_or_default();
        if round > MAX_ROUNDS || agreed.len() + needs.len() > MAX_AGREED {
            return Err(format!(
                "`{tool}` needs a person's approval for more requests than one call may ask for. Nothing was changed. \
                 To allow them without asking, start proxmox-mcp with `--grant {grants}`."
            ));
        }
        let question = Question::new(tool, &needs)?;
        let expires = now() + LIFETIME.as_secs();
        agreed.extend(needs.iter().map(|(need, guests)| Agreed::new(need, guests.clone(), expires)));
        let arguments = consent::digest_of(arguments);
        let call = call.to_owned();
        let terms = consent::Terms { call, tool: tool.to_owned(), arguments, agreed, round, expires };
        Ok(Self { question, grants, terms })
    }
}

/// Each need with the guests that it names, as the host itself finds them.
///
/// # Errors
/// A sentence for the user, where the guests cannot be looked up.
pub(crate) async fn shown(
    lookup: &Lookup<'_>,
    pools: &Members,
    needs: Vec<Need>,
) -> Result<Vec<(Need, Vec<Guest>)>, String> {
    let mut shown = Vec::new();
    for need in needs {
        let vmids = need.vmids();
        let guests = guest::look_up(lookup, pools, &vmids).await.map_err(|why| {
            let ids: Vec<String> = vmids.iter().map(u32::to_string).collect();
            format!(
                "This needs a person's approval, and guest {} cannot be looked up to show it to them: {why}. \
                 Nothing was done.",
                ids.join(", ")
            )
        })?;
        shown.push((need, guests));
    }
    Ok(shown)
}

/// The grants that the needs lack, each once.
fn joined(needs: &[(Need, Vec<Guest>)]) -> String {
    let mut grants: Vec<&str> = Vec::new();
    for grant in needs.iter().flat_map(|(need, _)| &need.grants) {
        if !grants.contains(&grant.as_str()) {
            grants.push(grant);
        }
    }
    grants.join(",")
}

/// Unix time in seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
