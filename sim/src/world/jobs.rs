//! What the cluster does by itself: backup jobs and replication.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Backup jobs by id, as they were given.
pub type BackupJobs = BTreeMap<String, Map<String, Value>>;

/// A job that copies the disks of a guest to another node again and again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replication {
    /// Its id: guest and number (`100-0`).
    pub id: String,
    /// The guest.
    pub guest: u32,
    /// The node that the disks are copied to.
    pub target: String,
    /// When it runs, as a calendar event (`*/15`).
    pub schedule: String,
    /// Bandwidth limit in MB/s; 0 for none.
    pub rate: f64,
    /// Its comment.
    pub comment: String,
    /// Whether it is switched off.
    pub disabled: bool,
    /// Unix time in seconds of the last copy that was complete; 0 for never.
    pub last_sync: u64,
    /// Unix time in seconds of the last attempt; 0 for never.
    pub last_try: u64,
    /// How long the last copy took, in seconds.
    pub duration: f64,
    /// How often it failed since.
    pub fail_count: u64,
    /// What the last attempt failed with.
    pub error: Option<String>,
}

impl Replication {
    /// A job for a guest that has not run yet.
    pub fn new(guest: u32, number: u32, target: &str) -> Replication {
        let (id, schedule) = (format!("{guest}-{number}"), "*/15".to_owned());
        Replication { id, guest, target: target.into(), schedule, ..Replication::default() }
    }
}

/// The ids in the `vmid` of a job.
pub fn guests_of(job: &Map<String, Value>) -> Vec<u32> {
    let text = job.get("vmid").map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
    let text = text.unwrap_or_default();
    text.split([',', ';', ' ']).filter_map(|id| id.parse().ok()).collect()
}

/// Takes a guest out of all backup jobs; a job that was about it alone goes.
pub(crate) fn leave_out(jobs: &mut BackupJobs, vmid: u32) {
    jobs.retain(|_, job| {
        let listed = guests_of(job);
        if !listed.contains(&vmid) {
            return true;
        }
        let left: Vec<String> = listed.iter().filter(|id| **id != vmid).map(u32::to_string).collect();
        job.insert("vmid".into(), left.join(",").into());
        !left.is_empty()
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_leaves_its_jobs_and_a_job_without_guests_goes() {
        let job =
            |ids: &str| -> Map<String, Value> { [("vmid".to_owned(), ids.into())].into_iter().collect() };
        let mut jobs: BackupJobs = [("a".to_owned(), job("100,101")), ("b".to_owned(), job("100"))].into();
        leave_out(&mut jobs, 100);
        assert_eq!(jobs.len(), 1);
        assert_eq!(guests_of(&jobs["a"]), [101]);
    }
}
