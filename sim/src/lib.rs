//! A simulated Proxmox VE cluster behind a real TLS server.
//!
//! It answers as Proxmox VE 9 does, or 8.4 ([`Release`]), refusals and oddities included: parameters are checked against
//! the API's schema, permissions against users, tokens, roles and ACLs, tasks take time and can
//! fail, guests have a small guest agent. Nothing of it touches the machine it runs on; the commands
//! of the guest agent are interpreted, not run.
//!
//! ```no_run
//! let sim = proxmox_sim::Sim::start(proxmox_sim::Options::default())?;
//! println!("https://{}/api2/json, {}", sim.addr(), sim.token().header());
//! # Ok::<(), proxmox_sim::Error>(())
//! ```

pub mod agent;
pub mod auth;
mod docs;
pub mod failure;
pub mod faults;
pub mod handlers;
pub mod params;
mod release;
mod request;
pub mod rest;
mod route;
mod server;
pub mod world;
mod worlds;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use failure::Pause;
use faults::Faults;
pub use faults::{Fault, Kind as FaultKind};
pub use release::Release;
use server::Head;
use world::World;

/// How the simulated cluster is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of nodes of the demo cluster; at least one.
    pub nodes: usize,
    /// Number of guests of the demo cluster.
    pub guests: usize,
    /// Added to each answer.
    pub latency: Duration,
    /// Which cluster.
    pub world: WorldKind,
    /// How long starting a guest takes, in seconds; other tasks take a multiple of it.
    pub task_seconds: f64,
    /// How long a refused login waits.
    pub auth_delay: Duration,
    /// How long a request to an offline node waits.
    pub offline_delay: Duration,
    /// How long a broken answer (596) waits.
    pub broken_pipe_delay: Duration,
    /// How long a guest agent that does not answer is waited for.
    pub agent_delay: Duration,
    /// How long a configuration file that something else holds is waited for.
    pub lock_delay: Duration,
    /// How old the figures of `/cluster/resources` may be; zero makes them live.
    pub refresh: Duration,
    /// Freezes clock-dependent figures (uptime, load, rates), for snapshots.
    pub frozen: bool,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// The release of Proxmox VE that the nodes run.
    pub release: Release,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            nodes: 3,
            guests: 12,
            latency: Duration::ZERO,
            world: WorldKind::Demo,
            task_seconds: 2.0,
            auth_delay: Duration::from_secs(3),
            offline_delay: Duration::from_secs(3),
            broken_pipe_delay: Duration::from_secs(5),
            agent_delay: Duration::from_secs(3),
            lock_delay: Duration::from_secs(10),
            refresh: Duration::from_secs(2),
            frozen: false,
            port: 0,
            release: Release::default(),
        }
    }
}

impl Options {
    /// For tests: nothing waits, lists are live, figures stand still, tasks end at once.
    pub fn instant() -> Options {
        Options {
            task_seconds: 0.0,
            auth_delay: Duration::ZERO,
            offline_delay: Duration::ZERO,
            broken_pipe_delay: Duration::ZERO,
            agent_delay: Duration::ZERO,
            lock_delay: Duration::ZERO,
            refresh: Duration::ZERO,
            frozen: true,
            ..Options::default()
        }
    }

    pub(crate) fn pause(&self, pause: Pause) -> Duration {
        match pause {
            Pause::None => Duration::ZERO,
            Pause::Unauthorized => self.auth_delay,
            Pause::Unreachable => self.offline_delay,
            Pause::BrokenPipe => self.broken_pipe_delay,
            Pause::SilentAgent => self.agent_delay,
            Pause::FileLock => self.lock_delay,
        }
    }
}

/// Which cluster is simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorldKind {
    /// A believable company cluster of [`Options::nodes`] nodes and [`Options::guests`] guests.
    #[default]
    Demo,
    /// The two-node cluster that the recorded exchanges come from.
    Recorded,
}

/// Why the simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificates could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS refused the certificate.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// The socket or its thread could not be had.
    #[error("cannot listen on the loopback address: {0}")]
    Listen(#[source] std::io::Error),
}

/// An API token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its user (`root@pam`).
    pub user: String,
    /// Its name (`mcp`).
    pub name: String,
    /// Its secret, a UUID.
    pub secret: String,
}

impl Token {
    /// The value of the `Authorization` header.
    pub fn header(&self) -> String {
        format!("PVEAPIToken={}!{}={}", self.user, self.name, self.secret)
    }
}

/// A request that arrived, and what it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Number of the connection, from 1.
    pub connection: u64,
    /// The verb.
    pub verb: String,
    /// The path as it came, without the query.
    pub path: String,
    /// The query as it came; empty for none.
    pub query: String,
    /// All headers as they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The status that was answered; 0 where the connection was dropped before.
    pub status: u16,
}

impl Logged {
    fn new(connection: u64, head: &Head, body: Vec<u8>, status: u16) -> Logged {
        let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let (verb, headers) = (head.verb.clone(), head.headers.clone());
        Logged { connection, verb, path, query, headers, body, status }
    }

    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// What the server and the handle of it share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    world: Mutex<World>,
    faults: Mutex<Faults>,
    requests: Mutex<Vec<Logged>>,
    /// Bytes of all bodies in `requests`.
    body_bytes: AtomicUsize,
    traffic: Traffic,
}

/// Everything since the start.
#[derive(Default)]
pub(crate) struct Traffic {
    pub(crate) connections: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// What went over the wire since the simulator started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// TLS connections that were made.
    pub connections: u64,
    /// Requests that were answered.
    pub requests: u64,
    /// Bytes of the bodies of the answers, as sent.
    pub bytes: u64,
}

impl Shared {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self, request: Logged) {
        /// A long-running simulator keeps the latest requests only, and so many bytes of bodies.
        const KEPT: usize = 100_000;
        const KEPT_BYTES: usize = 64 << 20;
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = self.body_bytes.fetch_add(request.body.len(), Ordering::Relaxed) + request.body.len();
        if requests.len() >= KEPT || bytes > KEPT_BYTES {
            let half = requests.len() / 2;
            let freed: usize = requests.drain(..half).map(|r| r.body.len()).sum();
            self.body_bytes.fetch_sub(freed, Ordering::Relaxed);
        }
        requests.push(request);
    }
}

/// A running simulator. Dropping it stops the server.
pub struct Sim {
    shared: Arc<Shared>,
    token: Token,
    ca_pem: String,
    fingerprint: String,
    running: server::Running,
}

impl Sim {
    /// Builds the cluster and serves it from a thread of its own.
    ///
    /// # Errors
    /// Where the certificate, the thread or the socket cannot be had.
    pub fn start(options: Options) -> Result<Sim, Error> {
        let (mut world, token) = worlds::build(&options);
        let names: Vec<String> = world.nodes.iter().map(|node| node.name.clone()).collect();
        let identity = server::identity(&names)?;
        world.show_certificate(&identity.fingerprint);
        let port = options.port;
        let shared = Arc::new(Shared {
            options,
            world: Mutex::new(world),
            faults: Mutex::default(),
            requests: Mutex::default(),
            body_bytes: AtomicUsize::default(),
            traffic: Traffic::default(),
        });
        let running = server::start(Arc::clone(&shared), &identity, port)?;
        let (ca_pem, fingerprint) = (identity.ca_pem, identity.fingerprint);
        Ok(Sim { shared, token, ca_pem, fingerprint, running })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.running.addr
    }

    /// The CA that signed the server's certificate, in PEM. The certificate is valid for 127.0.0.1,
    /// ::1, localhost and the names of the nodes.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// SHA-256 of the server's certificate (`AB:CD:...`), which `/nodes` reports too.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// A token of root@pam without privilege separation.
    pub fn token(&self) -> Token {
        self.token.clone()
    }

    /// Adds a token with exactly these rights, each a role or a privilege on an ACL path. A user
    /// that does not exist is made, with the same rights.
    pub fn add_token(&self, user: &str, name: &str, acl: &[(&str, &str)]) -> Token {
        self.shared.world().add_token(user, name, acl)
    }

    /// Answers a request without the network, with the rights of [`Sim::token`]: status, reason phrase and
    /// body. Waits for nothing.
    pub fn answer(&self, verb: &str, target: &str, form: Option<&str>) -> (u16, String, Vec<u8>) {
        let body = form.unwrap_or_default().as_bytes();
        let mut headers = vec![("authorization".to_owned(), self.token.header())];
        if !body.is_empty() {
            headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        }
        let head = Head { verb: verb.to_owned(), target: target.to_owned(), headers, old: false };
        let answered = match self.shared.faults().take(&head) {
            Some(kind) if kind.replaces_answer() => kind.answer(),
            _ => rest::answer(&self.shared, &head, body, false),
        };
        let response = answered.response;
        self.shared.log(Logged::new(0, &head, body.to_vec(), response.status));
        (response.status, response.reason, response.body)
    }

    /// The requests that arrived, oldest first.
    pub fn requests(&self) -> Vec<Logged> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the requests that arrived.
    pub fn clear_requests(&self) {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.shared.body_bytes.store(0, Ordering::Relaxed);
    }

    /// What went over the wire since the start.
    pub fn traffic(&self) -> Counts {
        let Traffic { connections, requests, bytes } = &self.shared.traffic;
        let [connections, requests, bytes] =
            [connections, requests, bytes].map(|count| count.load(Ordering::Relaxed));
        Counts { connections, requests, bytes }
    }

    /// Adds a fault. Of several that match a request, the one added first applies.
    pub fn fault(&self, fault: Fault) {
        if let FaultKind::NodeDown(name) = &fault.kind {
            self.shared.world().set_online(name, false);
        } else {
            self.shared.faults().add(fault);
        }
    }

    /// Removes all faults and brings nodes back that a fault took down.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
        self.shared.world().all_online();
    }

    /// Looks at the cluster or changes it.
    pub fn with_world<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.shared.world();
        world.settle();
        f(&mut world)
    }
}
