//! What happens when the log cannot be written: reads go on and are counted, changes are refused.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use crate::error::AuditError;
use crate::event::Event;
use crate::line::Head;
use crate::log::AuditLog;
use crate::time;

/// A log with a rule for the time when it cannot be written, for a full disk above all. What was not
/// recorded is counted, and the next line that can be written says how much that was and why.
#[derive(Debug, Default)]
pub struct Recorder {
    log: Option<AuditLog>,
    lost: Mutex<Option<Lost>>,
}

/// Events that are not in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename = "lost")]
struct Lost {
    /// Events that were not recorded while the program went on.
    unrecorded: u64,
    /// Changes that were refused because they could not be recorded.
    refused: u64,
    /// When the first of them was.
    since: String,
    /// Why it could not be recorded.
    because: String,
}

impl Recorder {
    /// Records into this log.
    pub fn new(log: AuditLog) -> Self {
        Recorder { log: Some(log), lost: Mutex::default() }
    }

    /// Records nothing: the operator wants no audit log. Everything counts as recorded.
    pub fn off() -> Self {
        Recorder::default()
    }

    /// Records what may go on unrecorded: reads, refusals, ends of calls, answers. Never fails.
    pub fn record_read(&self, event: &Event) {
        // What could not be recorded is counted.
        let _ = self.record(event, |lost| lost.unrecorded += 1);
    }

    /// Records a change before it is made. Make it only if this returns `Ok`. Returns the line, for
    /// [`Event::Answer`]; without a log the default [`Head`].
    ///
    /// # Errors
    /// Where the line is not there for certain.
    pub fn record_change(&self, event: &Event) -> Result<Head, AuditError> {
        self.record(event, |lost| lost.refused += 1)
    }

    /// How many events could not be recorded since the log could last be written: 0 while all is well.
    pub fn lost(&self) -> u64 {
        self.lock().as_ref().map_or(0, |lost| lost.unrecorded.saturating_add(lost.refused))
    }

    /// The log; `None` if it is off.
    pub fn log(&self) -> Option<&AuditLog> {
        self.log.as_ref()
    }

    fn record(&self, event: &Event, count: fn(&mut Lost)) -> Result<Head, AuditError> {
        let Some(log) = &self.log else { return Ok(Head::default()) };
        let mut lost = self.lock();
        let result = catch_up(log, &mut lost).and_then(|()| log.append(event));
        if let Err(error) = &result {
            count(lost.get_or_insert_with(|| Lost::begin(error)));
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Option<Lost>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lost {
    fn begin(error: &AuditError) -> Self {
        let since = time::rfc3339(SystemTime::now());
        Lost { unrecorded: 0, refused: 0, since, because: error.to_string() }
    }
}

/// Writes how much was lost, if anything was.
fn catch_up(log: &AuditLog, lost: &mut Option<Lost>) -> Result<(), AuditError> {
    if let Some(known) = lost {
        // The change that follows takes it to the disk.
        log.append_as(known, false)?;
        *lost = None;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::samples;
    use crate::log::SyncPolicy;
    use crate::log::storage::Small;
    use crate::verify;

    /// A log on a disk with this much space, which can be given more.
    fn small(space: usize) -> (Recorder, Small) {
        let disk = Small::new(space);
        (Recorder::new(AuditLog::in_storage(disk.clone(), SyncPolicy::Changes)), disk)
    }

    #[test]
    fn a_full_disk_refuses_changes_and_lets_reads_go_on() {
        let (recorder, disk) = small(800);
        recorder.record_change(&samples::change()).unwrap();
        while recorder.lost() == 0 {
            recorder.record_read(&samples::read());
        }
        recorder.record_read(&samples::read());
        let error = recorder.record_change(&samples::change()).unwrap_err();
        assert!(matches!(error, AuditError::Write { .. }), "{error:?}");
        assert!(error.to_string().contains("make room"), "{error}");
        assert_eq!(recorder.lost(), 3);

        disk.set_space(100_000);
        let head = recorder.record_change(&samples::change()).unwrap();
        assert_eq!((recorder.lost(), head), (0, recorder.log().unwrap().head()));
        let summary = verify(&disk.content()[..]).unwrap();
        assert_eq!((summary.head, summary.broken), (head, 1));
        let text = String::from_utf8(disk.content()).unwrap();
        let lost = text.lines().rev().nth(1).unwrap();
        assert!(lost.contains(r#""event":"lost","unrecorded":2,"refused":1,"since":"2"#), "{lost}");
    }

    #[test]
    fn a_disk_that_stays_full_is_counted_on() {
        let (recorder, disk) = small(0);
        for _ in 0..5 {
            recorder.record_read(&samples::read());
            recorder.record_change(&samples::change()).unwrap_err();
        }
        assert_eq!((recorder.lost(), disk.content().len()), (10, 0));
    }

    #[test]
    fn space_that_comes_byte_by_byte_never_spoils_the_log() {
        let (recorder, disk) = small(1);
        for space in 1..3_000 {
            disk.set_space(space);
            recorder.record_read(&samples::read());
        }
        disk.set_space(1_000_000);
        recorder.record_change(&samples::change()).unwrap();
        let summary = verify(&disk.content()[..]).unwrap();
        assert!(summary.broken > 0 && recorder.lost() == 0, "{summary:?}");
    }

    #[test]
    fn without_a_log_all_counts_as_recorded() {
        let recorder = Recorder::off();
        recorder.record_read(&samples::read());
        assert_eq!(recorder.record_change(&samples::change()).unwrap(), Head::default());
        assert_eq!(recorder.lost(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_that_is_always_full() {
        let recorder = Recorder::new(AuditLog::open("/dev/full").unwrap());
        recorder.record_read(&samples::read());
        let error = recorder.record_change(&samples::change()).unwrap_err();
        let AuditError::Write { source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
        assert_eq!(recorder.lost(), 2);
    }
}
