//! Checks of a cluster's health. Each is a function of what was fetched, with its limits beside it; `survey`
//! fetches, within a fixed number of requests.

pub mod backups;
pub mod cluster;
pub mod codes;
pub mod diagnosis;
pub mod guests;
pub mod nodes;
pub mod storages;
pub mod survey;
pub mod tasks;
pub mod upkeep;

const DAY: u64 = 86_400;

/// A limit that makes a warning, and one that makes it critical.
#[derive(Debug, Clone, Copy)]
struct Limits {
    warning: f64,
    critical: f64,
}

impl Limits {
    /// How bad a value is, and the limit that it is over; nothing while it is below both.
    fn judge(self, value: f64) -> Option<(crate::pve::findings::Severity, f64)> {
        use crate::pve::findings::Severity::{Critical, Warning};
        if value >= self.critical {
            Some((Critical, self.critical))
        } else {
            (value >= self.warning).then_some((Warning, self.warning))
        }
    }
}
