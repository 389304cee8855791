//! Who is in which pool: a grant on `/pool/dev` reaches the guests and storages in it, and only the host's
//! own word counts for which those are.
//!
//! The directory is read as the host reads everything (`lookup.rs`), kept for at most [`MAX_AGE`], and read
//! only while a grant on a pool is in force. Where it cannot be read, nothing is in any pool.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use proxmox_api::Method;
use proxmox_api::methods::{GET_CLUSTER_RESOURCES, GET_POOLS};
use proxmox_gate::{AclPath, Gate, Grants, NoPools, Pools};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::egress::Egress;
use crate::lookup::Lookup;
use crate::watch::Watch;

/// How long the members of a pool are taken for known.
pub const MAX_AGE: Duration = Duration::from_secs(10);
/// How long a failure to read them is taken for the answer, so that a server that is down is not waited
/// for with each request.
const FAILURE_AGE: Duration = Duration::from_secs(1);

/// What was in which pool at one time. The default knows no pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    guests: HashMap<u32, String>,
    storages: HashMap<String, Vec<String>>,
}

impl Pools for Members {
    fn pool_of(&self, vmid: u32) -> Option<&str> {
        self.guests.get(&vmid).map(String::as_str)
    }

    fn pools_of_storage(&self, storage: &str) -> Vec<&str> {
        self.storages.get(storage).into_iter().flatten().map(String::as_str).collect()
    }
}

/// The members of all pools, read again when they have become too old.
pub struct Directory {
    gate: Arc<Gate>,
    egress: Arc<Egress>,
    needed: Needed,
    max_age: Duration,
    known: Mutex<Option<Known>>,
}

struct Known {
    members: Arc<Members>,
    until: Instant,
}

/// What the grants make it necessary to know.
struct Needed {
    /// The paths of pools that something is granted on.
    pools: Vec<AclPath>,
    /// Whether that reaches storages.
    storages: bool,
}

impl Needed {
    fn of(grants: &Grants) -> Self {
        let on_pools = || {
            grants.iter().filter(|grant| {
                let path = grant.path().as_str();
                path == "/pool" || path.starts_with("/pool/")
            })
        };
        let of_storages = |privilege: &&str| privilege.starts_with("Datastore.");
        Self {
            pools: on_pools().map(|grant| grant.path().clone()).collect(),
            storages: on_pools().any(|grant| grant.privileges().iter().any(of_storages)),
        }
    }
}

impl Directory {
    /// A directory for these grants; without one on a pool it never asks the server. The members that it
    /// gives are no older than `max_age`.
    pub fn new(gate: Arc<Gate>, egress: Arc<Egress>, grants: &Grants, max_age: Duration) -> Self {
        Self { gate, egress, needed: Needed::of(grants), max_age, known: Mutex::default() }
    }

    /// The members as they were at most `max_age` ago. Where they cannot be read there are none, and the
    /// log says why.
    pub async fn members(&self) -> Arc<Members> {
        self.members_for(None).await
    }

    /// The same for a watched call, on whose account they are read if they have to be.
    pub(crate) async fn members_for(&self, watch: Option<&Watch>) -> Arc<Members> {
        if self.needed.pools.is_empty() {
            return Arc::default();
        }
        // Held while the server is asked: whoever comes meanwhile waits for the same answer.
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| Instant::now() < known.until) {
            return known.members.clone();
        }
        let asked = Instant::now();
        let (members, until) = match self.read(watch).await {
            Ok(members) => (Arc::new(members), asked + self.max_age),
            Err(error) => {
                tracing::warn!("grants on pools do not hold: their members cannot be read: {error:#}");
                (Arc::default(), Instant::now() + FAILURE_AGE.min(self.max_age))
            }
        };
        known.insert(Known { members, until }).members.clone()
    }

    /// `GET /cluster/resources` for the guests; for the storages `GET /pools`, and again for each pool that
    /// something is granted on.
    async fn read(&self, watch: Option<&Watch>) -> Result<Members> {
        let lookup = Lookup { gate: &self.gate, egress: &self.egress, watch };
        let guests: Vec<Resource> =
            get(&lookup, &GET_CLUSTER_RESOURCES, "/cluster/resources?type=vm").await?;
        let mut members = Members::default();
        members.guests.extend(guests.into_iter().filter_map(|row| Some((row.vmid?, row.pool?))));
        if !self.needed.storages {
            return Ok(members);
        }
        let pools: Vec<Pool> = get(&lookup, &GET_POOLS, "/pools").await?;
        for Pool { poolid, .. } in pools {
            let path = format!("/pool/{poolid}");
            if !self.needed.pools.iter().any(|granted| granted.covers(&path)) {
                continue;
            }
            let query = format!("/pools?poolid={}&type=storage", poolid.replace('/', "%2F"));
            let rows: Vec<Pool> = get(&lookup, &GET_POOLS, &query).await?;
            for storage in rows.into_iter().flat_map(|row| row.members).filter_map(|member| member.storage) {
                members.storages.entry(storage).or_default().push(poolid.clone());
            }
        }
        Ok(members)
    }
}

async fn get<T: DeserializeOwned>(lookup: &Lookup<'_>, method: &'static Method, target: &str) -> Result<T> {
    let body = lookup.read(method, target, &NoPools).await?;
    data(&body).with_context(|| format!("the answer to {method} is not as expected"))
}

#[derive(Deserialize)]
struct Resource {
    vmid: Option<u32>,
    pool: Option<String>,
}

#[derive(Deserialize)]
struct Pool {
    poolid: String,
    #[serde(default)]
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    storage: Option<String>,
}

fn data<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    #[derive(Deserialize)]
    struct Envelope<T> {
        data: T,
    }
    serde_json::from_slice::<Envelope<T>>(body).map(|envelope| envelope.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(grants: &str) -> Needed {
        let mut all = Grants::basic();
        all.add(grants).unwrap();
        Needed::of(&all)
    }

    #[test]
    fn only_grants_on_pools_make_members_necessary() {
        assert!(
            needed("VM.PowerMgmt@/,VM.PowerMgmt@/vms/101,Datastore.AllocateSpace@/storage/pool")
                .pools
                .is_empty()
        );
        let guests = needed("VM.PowerMgmt@/pool/dev");
        assert!(guests.pools.len() == 1 && !guests.storages);
        assert!(needed("VM.PowerMgmt@/pool").pools.len() == 1);
        assert!(needed("PVEAdmin@/pool/dev").storages);
    }

    #[test]
    fn answers_are_read_and_others_refused() {
        let body = br#"{"data": [{"vmid": 101, "pool": "dev/web"}, {"vmid": 102}, {"type": "pool", "pool": "dev"}]}"#;
        let rows: Vec<Resource> = data(body).unwrap();
        let found: Vec<_> = rows.iter().map(|row| (row.vmid, row.pool.as_deref())).collect();
        assert_eq!(found, [(Some(101), Some("dev/web")), (Some(102), None), (None, Some("dev"))]);
        assert!(data::<Vec<Resource>>(br#"{"data": null}"#).is_err());
        assert!(data::<Vec<Resource>>(b"no JSON").is_err());
    }
}
