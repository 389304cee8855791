//! How many requests somebody may make: a bucket for each, which fills up as time goes by.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Buckets beyond this number are looked through for full ones, which say nothing.
const MANY: usize = 4_096;

/// Buckets, one for each `K`. All are full at first.
#[derive(Debug)]
pub(crate) struct Rate<K> {
    per_minute: f64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl<K: Eq + Hash> Rate<K> {
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        Self { per_minute: per_minute.get().into(), buckets: Mutex::default() }
    }

    /// Takes one from somebody's bucket.
    ///
    /// # Errors
    /// How long it takes until there is one again.
    pub(crate) fn take(&self, who: K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MANY {
            buckets.retain(|_, bucket| self.filled(bucket, now) < self.per_minute);
        }
        let bucket = buckets.entry(who).or_insert(Bucket { left: self.per_minute, at: now });
        let left = self.filled(bucket, now);
        *bucket = Bucket { left: if left >= 1.0 { left - 1.0 } else { left }, at: now };
        match left >= 1.0 {
            true => Ok(()),
            false => Err(Duration::from_secs_f64((1.0 - left) * 60.0 / self.per_minute)),
        }
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.left + since * self.per_minute / 60.0).min(self.per_minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_fills_up_again_and_is_nobody_elses() {
        let rate = Rate::new(NonZeroU32::new(3).unwrap());
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        assert!((0..3).all(|_| rate.take("alice", start).is_ok()));
        let wait = rate.take("alice", start).unwrap_err();
        assert_eq!(wait.as_secs(), 20);
        assert!(rate.take("bob", start).is_ok());
        assert_eq!(rate.take("alice", after(10)).unwrap_err().as_secs(), 10);
        assert!(rate.take("alice", after(20)).is_ok());
        assert!(rate.take("alice", after(20)).is_err());
        // However long it was: a minute's worth, and no more.
        assert_eq!((0..9).filter(|_| rate.take("alice", after(9_000)).is_ok()).count(), 3);
    }

    #[test]
    fn who_has_not_come_for_a_while_is_forgotten() {
        let rate = Rate::new(NonZeroU32::new(60).unwrap());
        let start = Instant::now();
        for who in 0..MANY {
            rate.take(who, start).unwrap();
        }
        rate.take(MANY, start + Duration::from_secs(60)).unwrap();
        assert_eq!(rate.buckets.lock().unwrap().len(), 1);
    }
}
