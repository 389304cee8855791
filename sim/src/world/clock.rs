//! Simulated time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where frozen time stands: 2026-11-22 10:00:00 UTC.
const FROZEN_AT: u64 = 1_795_341_600;

/// The clock of the simulated cluster.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    skipped: Duration,
    /// Where the clock was held.
    held: Option<Duration>,
    /// Unix time in seconds at the start.
    base: u64,
    frozen: bool,
}

impl Clock {
    pub(crate) fn new(frozen: bool) -> Clock {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(FROZEN_AT, |d| d.as_secs());
        Clock {
            start: Instant::now(),
            skipped: Duration::ZERO,
            held: None,
            base: if frozen { FROZEN_AT } else { now },
            frozen,
        }
    }

    /// Time since the cluster was made. It goes on in a frozen cluster too, so that tasks end.
    pub fn elapsed(&self) -> Duration {
        self.held.unwrap_or_else(|| self.start.elapsed()) + self.skipped
    }

    /// Lets no time pass from now on but what is skipped, however slow the machine is.
    pub fn hold(&mut self) {
        self.held = Some(self.start.elapsed());
    }

    /// Unix time in seconds, which figures and time stamps are made from; stands still when frozen.
    pub fn unix(&self) -> u64 {
        match self.frozen {
            true => self.base + self.skipped.as_secs(),
            false => self.base + self.elapsed().as_secs(),
        }
    }

    /// Lets time pass at once.
    pub fn skip(&mut self, time: Duration) {
        self.skipped += time;
    }
}
