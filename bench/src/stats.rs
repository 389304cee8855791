//! Many times, in a few figures.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a number of calls took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) calls: usize,
    pub(crate) median_us: f64,
    pub(crate) p99_us: f64,
}

impl Times {
    /// `None` where there were no calls.
    pub(crate) fn of(mut times: Vec<Duration>) -> Option<Times> {
        times.sort_unstable();
        let at = |share: f64| -> Option<f64> {
            let rank = (times.len() as f64 * share).ceil() as usize;
            times.get(rank.max(1) - 1).map(|time| time.as_secs_f64() * 1e6)
        };
        Some(Times { calls: times.len(), median_us: at(0.5)?, p99_us: at(0.99)? })
    }
}

/// A duration in microseconds for each of so many calls.
pub(crate) fn each(time: Duration, calls: usize) -> f64 {
    time.as_secs_f64() * 1e6 / calls.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_slowest_hundredth() {
        let times = Times::of((1..=200).rev().map(Duration::from_micros).collect()).unwrap();
        assert_eq!((times.calls, times.median_us.round(), times.p99_us.round()), (200, 100.0, 198.0));
        let one = Times::of(vec![Duration::from_micros(7)]).unwrap();
        assert_eq!((one.median_us.round(), one.p99_us.round()), (7.0, 7.0));
        assert_eq!(Times::of(Vec::new()), None);
    }
}
