//! The state of the simulated cluster.

pub mod clock;
pub mod disks;
pub(crate) mod figures;
pub mod firewall;
pub mod guest;
pub mod ha;
pub mod jobs;
pub mod node;
pub mod resources;
mod settings;
pub mod storage;
pub mod system;
pub mod task;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use clock::Clock;
pub use disks::GuestDisk;
pub use guest::{Guest, GuestKind, Snapshot};
pub use jobs::Replication;
pub use node::{Disk, Node, NodeState};
pub use storage::{Storage, Volume};
pub use task::{Plan, Task, Upid};

use crate::Token;
use crate::auth::access::Granted;
use crate::auth::{Access, ApiToken, Caller, Subject, User};
use crate::failure::Failure;

/// A pool of guests and storages.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Its comment.
    pub comment: String,
    /// Ids of its guests.
    pub guests: BTreeSet<u32>,
    /// Names of its storages.
    pub storages: BTreeSet<String>,
}

/// Software-defined networks, row by row as the API has them.
#[derive(Clone, Debug, Default)]
pub struct Sdn {
    /// Zones.
    pub zones: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Virtual networks.
    pub vnets: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Subnets of the virtual networks.
    pub subnets: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// The whole cluster.
#[derive(Debug)]
pub struct World {
    /// Name of the cluster; `None` for a node that stands alone.
    pub cluster: Option<String>,
    /// The node whose API is served.
    pub local: String,
    /// The nodes, by number.
    pub nodes: Vec<Node>,
    /// The guests by id.
    pub guests: BTreeMap<u32, Guest>,
    /// The storages, in the order of their configuration.
    pub storages: Vec<Storage>,
    /// The pools by name.
    pub pools: BTreeMap<String, Pool>,
    /// Users, tokens, roles, ACLs.
    pub access: Access,
    /// All tasks, in the order of their start.
    pub tasks: Vec<Task>,
    /// Scheduled backup jobs.
    pub jobs: jobs::BackupJobs,
    /// Firewalls: `cluster`, `node/pve1`, `guest/101`.
    pub firewalls: BTreeMap<String, firewall::Firewall>,
    /// Software-defined networks.
    pub sdn: Sdn,
    /// High availability.
    pub ha: ha::Ha,
    /// Named entries of the cluster, by the path of their list: notifications, mappings, metric servers.
    pub entries: BTreeMap<&'static str, BTreeMap<String, serde_json::Map<String, serde_json::Value>>>,
    /// Options of the whole cluster, as they were set.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// The release of Proxmox VE that the nodes run.
    pub release: crate::Release,
    /// Replication jobs by id.
    pub replications: BTreeMap<String, Replication>,
    /// Whether the cluster has a majority.
    pub quorate: bool,
    /// Whether nodes reach each other by SSH, which moving a guest needs.
    pub ssh: bool,
    /// Whether Ceph runs here.
    pub ceph: bool,
    /// Simulated time.
    pub clock: Clock,
    /// How long starting a guest takes, in seconds.
    pub task_seconds: f64,
    pub(crate) frozen: bool,
    pub(crate) last_pid: u32,
    pub(crate) view: resources::View,
}

impl World {
    /// An empty cluster.
    pub(crate) fn empty(options: &crate::Options) -> World {
        World {
            cluster: None,
            local: String::new(),
            nodes: Vec::new(),
            guests: BTreeMap::new(),
            storages: Vec::new(),
            pools: BTreeMap::new(),
            access: Access { release: options.release, ..Access::default() },
            tasks: Vec::new(),
            jobs: BTreeMap::new(),
            firewalls: BTreeMap::new(),
            sdn: Sdn::default(),
            ha: ha::Ha::default(),
            entries: BTreeMap::new(),
            options: serde_json::Map::new(),
            release: options.release,
            replications: BTreeMap::new(),
            quorate: true,
            ssh: true,
            ceph: false,
            clock: Clock::new(options.frozen),
            task_seconds: options.task_seconds.max(0.0),
            frozen: options.frozen,
            last_pid: 0x1000,
            view: resources::View::new(options.refresh),
        }
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|n| n.name == name)
    }

    /// Refuses where a request to the node would not get through.
    pub(crate) fn reach(&self, name: &str) -> Result<(), Failure> {
        match self.node(name).map(|n| n.state) {
            Some(NodeState::Online) => Ok(()),
            Some(NodeState::Offline(_)) => Err(Failure::unreachable()),
            Some(NodeState::Refusing) => Err(Failure::empty(595, "Connection refused", Default::default())),
            None if name.contains('\0') => Err(Failure::empty(595, "Connection refused", Default::default())),
            None => Err(Failure::internal(format!(
                "hostname lookup '{name}' failed - failed to get address info for: {name}: Name or service not known"
            ))),
        }
    }

    /// Takes a node down or brings it back.
    pub fn set_online(&mut self, name: &str, online: bool) {
        let now = self.clock.elapsed();
        if let Some(node) = self.nodes.iter_mut().find(|n| n.name == name) {
            node.state = if online { NodeState::Online } else { NodeState::Offline(now) };
        }
        self.view.nodes_changed();
    }

    /// Brings all nodes back.
    pub(crate) fn all_online(&mut self) {
        self.nodes.iter_mut().for_each(|n| n.state = NodeState::Online);
        self.view.nodes_changed();
    }

    /// Fails as a change does that needs a majority.
    pub(crate) fn need_quorum(&self) -> Result<(), Failure> {
        if self.quorate { Ok(()) } else { Err(Failure::internal("cluster not ready - no quorum?")) }
    }

    /// The guest of this kind and id on this node, or the failure that Proxmox answers.
    pub fn guest_on(&self, node: &str, kind: GuestKind, vmid: u32) -> Result<&Guest, Failure> {
        let guest = self.guests.get(&vmid).filter(|g| g.kind == kind && g.node == node);
        guest.ok_or_else(|| {
            let dir = kind.config_dir();
            Failure::internal(format!("Configuration file 'nodes/{node}/{dir}/{vmid}.conf' does not exist"))
        })
    }

    /// What the caller may do on an ACL path, pools considered.
    pub fn granted(&self, caller: &Caller, path: &str) -> Granted {
        let pools = self.pools_of(path);
        self.access.granted(caller, path, &pools)
    }

    /// Whether the caller has this privilege on this path.
    pub fn may(&self, caller: &Caller, path: &str, privilege: &str) -> bool {
        self.granted(caller, path).set.has(privilege)
    }

    /// The pool of a guest.
    pub fn pool_of(&self, vmid: u32) -> Option<&str> {
        self.pools.iter().find(|(_, p)| p.guests.contains(&vmid)).map(|(name, _)| name.as_str())
    }

    fn pools_of(&self, path: &str) -> Vec<&str> {
        let holds: Box<dyn Fn(&Pool) -> bool> =
            match path.strip_prefix("/vms/").and_then(|id| id.parse().ok()) {
                Some(vmid) => Box::new(move |pool: &Pool| pool.guests.contains(&vmid)),
                None => match path.strip_prefix("/storage/") {
                    Some(name) => Box::new(move |pool: &Pool| pool.storages.contains(name)),
                    None => return Vec::new(),
                },
            };
        self.pools.iter().filter(|(_, pool)| holds(pool)).map(|(name, _)| name.as_str()).collect()
    }

    /// Whether all disks of the guest are on storages that can keep an earlier state of them.
    pub fn can_snapshot(&self, guest: &Guest) -> bool {
        let raw_files = |disk: &GuestDisk| {
            let is_dir = self
                .storages
                .iter()
                .any(|s| s.name == disk.storage && matches!(s.kind, "dir" | "nfs" | "cifs"));
            // Raw files and container directories cannot.
            is_dir && (guest.kind == GuestKind::Lxc || !disk.volume.ends_with(".qcow2"))
        };
        !guest.disks().iter().any(raw_files)
    }

    /// Removes a guest with its disks; `purge` takes it out of jobs and HA too, `orphans` takes
    /// volumes along that belong to it and stand in no configuration.
    pub(crate) fn forget_guest(&mut self, vmid: u32, purge: bool, orphans: bool) {
        self.guests.remove(&vmid);
        self.firewalls.remove(&format!("guest/{vmid}"));
        for pool in self.pools.values_mut() {
            pool.guests.remove(&vmid);
        }
        self.access.acl.remove(&format!("/vms/{vmid}"));
        if orphans {
            for storage in &mut self.storages {
                storage.volumes.retain(|v| v.vmid != Some(vmid) || v.content == "backup");
            }
        }
        if purge {
            self.ha.resources.retain(|sid, _| !sid.ends_with(&format!(":{vmid}")));
            self.replications.retain(|_, job| job.guest != vmid);
            jobs::leave_out(&mut self.jobs, vmid);
        }
    }

    /// The lowest free id, from 100 on or in the range that the cluster's options name.
    pub fn next_id(&self) -> u32 {
        let range = self.options.get("next-id").and_then(|v| v.as_str()).unwrap_or_default();
        let lower =
            range.split(',').find_map(|part| part.strip_prefix("lower=")?.parse().ok()).unwrap_or(100);
        (lower..).find(|id| !self.guests.contains_key(id)).unwrap_or(lower)
    }

    /// Lets time pass at once: tasks end, figures move.
    pub fn skip(&mut self, time: Duration) {
        self.clock.skip(time);
        self.settle();
    }

    /// The local node shows this certificate.
    pub(crate) fn show_certificate(&mut self, fingerprint: &str) {
        let local = self.local.clone();
        if let Some(node) = self.nodes.iter_mut().find(|n| n.name == local) {
            node.fingerprint = fingerprint.to_owned();
        }
    }

    /// Adds a token with exactly these rights, each a role or a privilege on a path.
    pub(crate) fn add_token(&mut self, user: &str, name: &str, acl: &[(&str, &str)]) -> Token {
        let secret = guest::uuid(user, figures::seed(name));
        let is_new = !self.access.users.contains_key(user);
        let entry = self.access.users.entry(user.to_owned());
        let owner = entry.or_insert_with(|| User { enabled: true, ..User::default() });
        let token = ApiToken { secret: secret.clone(), privsep: true, expire: 0, comment: None };
        owner.tokens.insert(name.to_owned(), token);
        for (path, right) in acl {
            let role = self.role_for(right);
            self.access.grant(path, Subject::Token(format!("{user}!{name}")), &role, true);
            if is_new {
                self.access.grant(path, Subject::User(user.to_owned()), &role, true);
            }
        }
        Token { user: user.into(), name: name.into(), secret }
    }

    /// A role by its name, or one made for a single privilege.
    fn role_for(&mut self, right: &str) -> String {
        if !proxmox_api::privileges::is_known(right) && right != crate::release::MONITOR {
            return right.to_owned();
        }
        let name = format!("Only-{right}");
        self.access.roles.insert(name.clone(), [right].into_iter().collect());
        name
    }
}
