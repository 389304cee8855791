//! The threat: a decision that nobody can follow. A verdict says by which rule a request is decided, which
//! privileges that takes, and what grants each of them.

use crate::denied::{self, Denied, Missing};
use proxmox_api::Method;
use std::fmt;

/// What the gate decides about a request, and by what.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The method of the API; `None` where the request is malformed or means none.
    pub method: Option<&'static Method>,
    /// The rule that decides, in words.
    pub rule: &'static str,
    /// The privileges that the decision rests on: of alternatives the one that is granted, else the least.
    pub needs: Vec<Need>,
    /// The decision.
    pub outcome: Result<(), Denied>,
}

/// A privilege that a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The privilege.
    pub privilege: &'static str,
    /// The ACL path.
    pub path: String,
    /// The grant that gives it, as it was written.
    pub covered_by: Option<String>,
}

impl Verdict {
    /// The narrowest grants that would meet what is missing, separated by commas; `None` where nothing is
    /// missing. Grants alone open a request only if nothing else in [`Verdict::outcome`] is in its way.
    pub fn narrowest_grants(&self) -> Option<String> {
        let missing: Vec<Missing> = self
            .needs
            .iter()
            .filter(|need| need.covered_by.is_none())
            .map(|need| Missing { privilege: need.privilege, path: need.path.clone() })
            .collect();
        if missing.is_empty() {
            return self.outcome.as_ref().err().and_then(Denied::grant);
        }
        Some(denied::joined(&missing))
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.privilege, self.path)?;
        match &self.covered_by {
            Some(grant) => write!(f, ", granted by {grant}"),
            None => f.write_str(", not granted"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = self.method {
            writeln!(f, "{method}")?;
        }
        writeln!(f, "decided by: {}", self.rule)?;
        for need in &self.needs {
            writeln!(f, "needs: {need}")?;
        }
        match &self.outcome {
            Ok(()) => f.write_str("permitted"),
            Err(denied) => write!(f, "refused: {denied}"),
        }
    }
}
