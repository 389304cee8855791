//! Brakes on changes: how many a minute, and a file that stops them all.
//!
//! They hold back a program that does the wrong thing quickly, whatever its grants.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The window that changes are counted in.
const WINDOW: Duration = Duration::from_secs(60);

/// The operator's brakes. The default brakes nothing.
#[derive(Debug, Default)]
pub struct Brakes {
    per_minute: Option<NonZeroU32>,
    stop_file: Option<PathBuf>,
    /// When the changes of the last minute were allowed, oldest first; at most `per_minute` of them.
    recent: Mutex<VecDeque<Instant>>,
}

/// A change that a brake refused. `Display` says why and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Braked {
    /// As many as the operator allows were made.
    #[error("The change was not made: the operator allows {limit} {} a minute, and that many were made in the last 60 seconds. The next one is possible in {}.", changes(*limit), seconds(*wait))]
    TooMany {
        /// How many changes a minute are allowed.
        limit: NonZeroU32,
        /// How long until the next one is.
        wait: Duration,
    },
    /// The stop file exists.
    #[error("The change was not made: changes are stopped while the file {path} exists. Whoever put it there removes it to let changes go on.", path = path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
    },
    /// Nobody can tell whether the stop file exists.
    #[error("The change was not made: whether the stop file {path} exists cannot be seen ({why}), so it counts as existing. Make its folder readable for the user of this server, or remove the setting.", path = path.display())]
    Unseen {
        /// The file.
        path: PathBuf,
        /// Why it cannot be seen.
        why: String,
    },
}

impl Brakes {
    /// At most `per_minute` changes in any 60 seconds, and none while `stop_file` exists.
    pub fn new(per_minute: Option<NonZeroU32>, stop_file: Option<PathBuf>) -> Self {
        Brakes { per_minute, stop_file, recent: Mutex::default() }
    }

    /// Counts one change, or refuses it. Call it once for each change, right before it is sent; a
    /// refused one does not count.
    ///
    /// # Errors
    /// [`Braked`], where a brake is on. The stop file is looked for at each call.
    pub fn allow_change(&self, now: Instant) -> Result<(), Braked> {
        self.check_stop_file()?;
        self.count(now)
    }

    fn check_stop_file(&self) -> Result<(), Braked> {
        let Some(path) = &self.stop_file else { return Ok(()) };
        // Not `metadata`: a link to nowhere is a file too, as far as `ls` and `touch` are concerned.
        match path.symlink_metadata() {
            Ok(_) => Err(Braked::Stopped { path: path.clone() }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Braked::Unseen { path: path.clone(), why: error.to_string() }),
        }
    }

    fn count(&self, now: Instant) -> Result<(), Braked> {
        let Some(limit) = self.per_minute else { return Ok(()) };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent.front().is_some_and(|oldest| now.saturating_duration_since(*oldest) >= WINDOW) {
            recent.pop_front();
        }
        match recent.front() {
            Some(oldest) if recent.len() >= limit.get() as usize => {
                let wait = WINDOW.saturating_sub(now.saturating_duration_since(*oldest));
                Err(Braked::TooMany { limit, wait })
            }
            _ => {
                recent.push_back(now);
                Ok(())
            }
        }
    }
}

fn changes(count: NonZeroU32) -> &'static str {
    if count.get() == 1 { "change" } else { "changes" }
}

/// Whole seconds, rounded up: who waits that long has waited long enough.
fn seconds(wait: Duration) -> String {
    match wait.as_secs() + u64::from(wait.subsec_nanos() > 0) {
        1 => "1 second".to_owned(),
        count => format!("{count} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn limited(per_minute: u32) -> Brakes {
        Brakes::new(NonZeroU32::new(per_minute), None)
    }

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn no_brakes_brake_nothing() {
        let (brakes, now) = (Brakes::default(), Instant::now());
        for _ in 0..10_000 {
            brakes.allow_change(now).unwrap();
        }
        assert!(brakes.recent.lock().unwrap().is_empty());
    }

    #[test]
    fn the_window_slides() {
        let (brakes, start) = (limited(3), Instant::now());
        for at in [0, 10_000, 50_000] {
            brakes.allow_change(after(start, at)).unwrap();
        }
        let braked = brakes.allow_change(after(start, 50_001)).unwrap_err();
        assert_eq!(
            braked,
            Braked::TooMany { limit: NonZeroU32::new(3).unwrap(), wait: Duration::from_millis(9_999) }
        );
        assert_eq!(
            braked.to_string(),
            "The change was not made: the operator allows 3 changes a minute, and that many were made in the \
             last 60 seconds. The next one is possible in 10 seconds."
        );
        brakes.allow_change(after(start, 59_999)).unwrap_err();
        brakes.allow_change(after(start, 60_000)).unwrap();
        brakes.allow_change(after(start, 69_999)).unwrap_err();
        brakes.allow_change(after(start, 70_000)).unwrap();
        // Never more than three in any 60 seconds, and the refused ones did not count.
        brakes.allow_change(after(start, 109_999)).unwrap_err();
        brakes.allow_change(after(start, 110_000)).unwrap();
    }

    #[test]
    fn who_waits_as_told_may_go_on() {
        let (brakes, start) = (limited(1), Instant::now());
        brakes.allow_change(start).unwrap();
        let Err(Braked::TooMany { wait, .. }) = brakes.allow_change(after(start, 1234)) else { panic!() };
        brakes.allow_change(after(start, 1234) + wait).unwrap();
    }

    #[test]
    fn memory_is_bounded_by_the_limit() {
        let (brakes, start) = (limited(5), Instant::now());
        for at in 0..10_000 {
            let _ = brakes.allow_change(after(start, at * 100));
        }
        assert!(brakes.recent.lock().unwrap().capacity() <= 8);
    }

    #[test]
    fn threads_share_the_limit() {
        let (brakes, now) = (limited(50), Instant::now());
        let allowed: usize = std::thread::scope(|scope| {
            let count = || (0..40).filter(|_| brakes.allow_change(now).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(allowed, 50);
    }

    #[test]
    fn an_older_point_in_time_is_no_way_round() {
        let (brakes, start) = (limited(1), Instant::now());
        brakes.allow_change(after(start, 5_000)).unwrap();
        brakes.allow_change(start).unwrap_err();
    }

    #[test]
    fn the_stop_file_stops_and_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stop");
        let brakes = Brakes::new(NonZeroU32::new(1), Some(file.clone()));
        let now = Instant::now();
        fs::write(&file, "").unwrap();
        for _ in 0..3 {
            let braked = brakes.allow_change(now).unwrap_err();
            assert_eq!(braked, Braked::Stopped { path: file.clone() });
            assert!(braked.to_string().contains(&file.display().to_string()), "{braked}");
        }
        fs::remove_file(&file).unwrap();
        brakes.allow_change(now).unwrap();
        fs::create_dir(&file).unwrap();
        brakes.allow_change(now).unwrap_err();
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_seen_counts_as_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plain");
        fs::write(&file, "").unwrap();
        // Below a plain file nothing can be looked up; this fails for root too.
        let brakes = Brakes::new(None, Some(file.join("stop")));
        assert!(matches!(brakes.allow_change(Instant::now()), Err(Braked::Unseen { .. })));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        let brakes = Brakes::new(None, Some(link.clone()));
        assert_eq!(brakes.allow_change(Instant::now()), Err(Braked::Stopped { path: link }));
    }
}
