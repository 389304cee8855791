//! Which guests are backed up: by which job, and which backups there are.

use std::collections::HashMap;

use proxmox_api::methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT;
use serde_json::Value;

use crate::cx::{Call, Reply};
use crate::error::Error;
use crate::foreign;
use crate::pve::ids::{NodeName, StorageId};
use crate::pve::resources::{Figure, Resource, Text};
use crate::pve::storages;

/// A backup job (`GET /cluster/backup`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id, cleaned.
    pub id: String,
    /// Whether it runs at all.
    pub enabled: bool,
    /// When it runs, as a calendar event; cleaned.
    pub schedule: String,
    node: Option<String>,
    picks: Picks,
}

/// Which guests a job takes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Picks {
    AllBut(Vec<u64>),
    These(Vec<u64>),
    Pool(String),
}

impl Job {
    /// Reads all jobs.
    pub fn all(answer: &Value) -> Vec<Job> {
        answer.as_array().into_iter().flatten().map(Job::read).collect()
    }

    fn read(row: &Value) -> Job {
        let text = |key: &str| match row.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let ids = |key: &str| -> Vec<u64> {
            text(key).split([',', ';', ' ']).filter_map(|id| id.trim().parse().ok()).collect()
        };
        let picks = if Figure::of(row.get("all")).flag() {
            Picks::AllBut(ids("exclude"))
        } else if !text("pool").is_empty() {
            Picks::Pool(text("pool"))
        } else {
            Picks::These(ids("vmid"))
        };
        Job {
            id: foreign::line(&text("id"), 60),
            enabled: row.get("enabled").is_none_or(|enabled| Figure::of(Some(enabled)).flag()),
            schedule: foreign::line(&text("schedule"), 60),
            node: Some(text("node")).filter(|node| !node.is_empty()),
            picks,
        }
    }

    /// Whether it takes this guest, as far as it runs.
    pub fn covers(&self, guest: &Resource<'_>) -> bool {
        let Some(vmid) = guest.vmid.whole() else { return false };
        if self.node.as_deref().is_some_and(|node| node != &*guest.node) {
            return false;
        }
        match &self.picks {
            Picks::AllBut(except) => !except.contains(&vmid),
            Picks::These(these) => these.contains(&vmid),
            // Not those of a pool inside the pool (`parent/child`).
            Picks::Pool(pool) => *guest.pool == **pool,
        }
    }
}

/// The backups of a guest.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// When the newest was made: seconds since 1970.
    pub newest: u64,
    /// Its size in bytes, where that is known.
    pub size: Option<u64>,
    /// The storage that it is on, cleaned.
    pub storage: String,
    /// Whether the backup server found it whole; nothing if it was not verified.
    pub verified: Option<bool>,
    /// How many there are.
    pub number: usize,
}

/// The backups that were found, by guest.
pub type Backups = HashMap<u64, Kept>;

/// A storage to ask for its backups.
#[derive(Debug)]
pub struct Holder<'r> {
    /// Its id as Proxmox gives it.
    pub storage: &'r str,
    /// The request.
    pub call: Call,
}

/// The storages that may hold backups and can be asked, all or those of one node through that node: shared ones
/// first, each once. The second: the names of those that cannot be asked now.
pub fn holders<'r>(rows: &'r [Resource<'r>], node: Option<&str>) -> (Vec<Holder<'r>>, Vec<&'r str>) {
    let (mut found, mut silent) = (Vec::new(), Vec::new());
    let mut all = storages::seen_from(rows, node);
    all.retain(|storage| storage.row.holds("backup"));
    all.sort_by_key(|storage| !storage.is_shared());
    for storage in all {
        let id = &*storage.row.storage;
        let names = StorageId::parse(id).zip(NodeName::parse(&storage.row.node));
        match names.filter(|_| storage.online) {
            Some((name, node)) => found.push(Holder {
                storage: id,
                call: Call::of(&GET_NODES_NODE_STORAGE_STORAGE_CONTENT)
                    .at("node", &node)
                    .at("storage", &name)
                    .with("content", "backup"),
            }),
            None => silent.push(id),
        }
    }
    (found, silent)
}

/// A backup as a storage lists it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Volume<'a> {
    #[serde(borrow)]
    volid: Text<'a>,
    vmid: Figure,
    ctime: Figure,
    size: Figure,
    verification: Option<Verification<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Verification<'a> {
    #[serde(borrow)]
    state: Text<'a>,
}

/// Adds the backups of one storage.
///
/// # Errors
/// [`Error::Unreachable`] if the answer is not a list of volumes.
pub fn collect(backups: &mut Backups, reply: &Reply) -> Result<(), Error> {
    let volumes: Vec<Volume<'_>> = reply.read()?;
    for volume in &volumes {
        let Some((vmid, ctime)) = volume.vmid.whole().zip(volume.ctime.whole()) else { continue };
        let storage = volume.volid.split(':').next().unwrap_or_default();
        let one = Kept {
            newest: ctime,
            size: volume.size.whole(),
            storage: foreign::line(storage, 80),
            verified: volume.verification.as_ref().map(|verification| &*verification.state == "ok"),
            number: 1,
        };
        match backups.get_mut(&vmid) {
            Some(kept) => {
                let number = kept.number + 1;
                if ctime > kept.newest {
                    *kept = one;
                }
                kept.number = number;
            }
            None => drop(backups.insert(vmid, one)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn guest(json: &str) -> Resource<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_job_takes_the_guests_that_it_picks() {
        let web = guest(r#"{"type":"qemu","vmid":101,"node":"pve1","pool":"prod/web"}"#);
        for (job, covered) in [
            (json!({"all": 1}), true),
            (json!({"all": "1", "exclude": "100, 101"}), false),
            (json!({"all": 1, "node": "pve1"}), true),
            (json!({"all": 1, "node": "pve2"}), false),
            (json!({"vmid": "100,101"}), true),
            (json!({"vmid": 101}), true),
            (json!({"vmid": "1011"}), false),
            (json!({"pool": "prod/web"}), true),
            (json!({"pool": "prod"}), false),
            (json!({}), false),
        ] {
            assert_eq!(Job::all(&json!([job]))[0].covers(&web), covered, "{job}");
        }
        let jobs = Job::all(
            &json!([{"id": "a", "enabled": 0, "all": 1}, {"id": "b", "all": 1, "schedule": "02:00"}]),
        );
        assert_eq!((jobs[0].enabled, jobs[1].enabled, jobs[1].schedule.as_str()), (false, true, "02:00"));
    }

    #[test]
    fn shared_storages_are_asked_once_and_first_and_silent_ones_are_named() {
        let rows: Vec<Resource<'_>> = serde_json::from_str(
            r#"[{"type":"node","node":"a","status":"online"},{"type":"node","node":"b","status":"offline"},
                {"type":"storage","storage":"local","node":"a","status":"available","content":"iso,backup"},
                {"type":"storage","storage":"local","node":"b","status":"available","content":"iso,backup"},
                {"type":"storage","storage":"ssd","node":"a","status":"available","content":"images"},
                {"type":"storage","storage":"nfs","node":"a","shared":1,"status":"available","content":"backup"},
                {"type":"storage","storage":"nfs","node":"b","shared":1,"status":"available","content":"backup"}]"#,
        )
        .unwrap();
        let (asked, silent) = holders(&rows, None);
        let asked: Vec<String> = asked.iter().map(|holder| holder.call.to_string()).collect();
        assert_eq!(asked, ["GET /nodes/a/storage/nfs/content", "GET /nodes/a/storage/local/content"]);
        assert_eq!(silent, ["local"]);
        let (asked, silent) = holders(&rows, Some("a"));
        assert_eq!((asked.len(), silent.len()), (2, 0));
        let (asked, silent) = holders(&rows, Some("b"));
        assert_eq!((asked.len(), silent), (0, vec!["nfs", "local"]));
    }
}
