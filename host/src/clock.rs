//! Another time than the machine's, for answers that come out the same on every day.

use std::time::{Duration, Instant};

use wasmtime_wasi::HostWallClock;

/// A clock that was set when the program began and goes on from there.
#[derive(Clone, Debug)]
pub struct Clock {
    set_to: Duration,
    since: Instant,
}

impl Clock {
    /// A clock set to this Unix time, in seconds.
    pub fn set_to(seconds: u64) -> Self {
        Self { set_to: Duration::from_secs(seconds), since: Instant::now() }
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        self.set_to + self.since.elapsed()
    }
}
