//! What is asked, of which clusters.

use std::time::Duration;

use serde::Serialize;

/// A simulated cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Cluster {
    pub(crate) nodes: u16,
    pub(crate) guests: u32,
    /// Added to each answer.
    pub(crate) latency_ms: u64,
}

impl Cluster {
    pub(crate) fn latency(self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }
}

impl std::fmt::Display for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let guests = self.guests.to_string();
        let guests = match guests.len().checked_sub(3).map(|at| guests.split_at(at)) {
            Some((thousands, rest)) if !thousands.is_empty() => format!("{thousands},{rest}"),
            _ => guests,
        };
        write!(f, "{} nodes, {guests} guests, {} ms", self.nodes, self.latency_ms)
    }
}

/// Every size, at every latency.
pub(crate) fn clusters() -> Vec<Cluster> {
    let sizes = [(3, 30), (16, 2_000), (64, 20_000)];
    let at = |latency_ms| sizes.map(|(nodes, guests)| Cluster { nodes, guests, latency_ms });
    [at(0), at(10)].concat()
}

/// The calls in flight at a time.
pub(crate) const IN_FLIGHT: [usize; 3] = [1, 32, 256];

/// A request that the floor makes: verb, path below `/api2/json`, and form.
pub(crate) type Sent = (&'static str, &'static str, &'static str);

/// What a server is asked.
pub(crate) struct Question {
    /// Its name in adapters and results.
    pub(crate) name: &'static str,
    /// What answering it takes, for the floor: the requests of each group are sent together.
    pub(crate) groups: &'static [&'static [Sent]],
    /// Whether it is asked of as many calls in flight as there are to be.
    pub(crate) crowded: bool,
}

/// The guest that a command is run in. The demo cluster has it at every size.
pub(crate) const NODE: &str = "pve1";
pub(crate) const VMID: u32 = 101;

const RESOURCES: Sent = ("GET", "/cluster/resources", "");
const NODES: Sent = ("GET", "/cluster/resources?type=node", "");

/// What is asked. The floor makes the requests that this server's tools make.
pub(crate) static QUESTIONS: &[Question] = &[
    Question { name: "nodes", groups: &[&[NODES]], crowded: true },
    Question { name: "guests", groups: &[&[RESOURCES]], crowded: false },
    Question {
        name: "storage",
        groups: &[&[RESOURCES, ("GET", "/cluster/ceph/status", "")]],
        crowded: false,
    },
    Question {
        name: "cluster status",
        groups: &[&[
            RESOURCES,
            ("GET", "/cluster/status", ""),
            ("GET", "/version", ""),
            ("GET", "/cluster/ha/status/current", ""),
        ]],
        crowded: false,
    },
    Question {
        name: "exec",
        groups: &[
            &[RESOURCES],
            &[("POST", "/nodes/pve1/qemu/101/agent/exec", "command=uptime")],
            &[("GET", "/nodes/pve1/qemu/101/agent/exec-status?pid={pid}", "")],
        ],
        crowded: false,
    },
];

/// How long things are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Calls of one kind at most.
    pub(crate) calls: usize,
    /// Time for them at most; what has begun is finished.
    pub(crate) time: Duration,
    /// Time for calls of which many are in flight. What begins and ends with fewer of them is part of it.
    pub(crate) crowd_time: Duration,
    /// Starts.
    pub(crate) starts: usize,
    /// Calls one after the other, to see whether anything grows.
    pub(crate) long: usize,
    /// Rounds of what is compared against a target; the best counts.
    pub(crate) rounds: usize,
}

impl Effort {
    pub(crate) const FULL: Effort = Effort {
        calls: 2_000,
        time: Duration::from_millis(1_500),
        crowd_time: Duration::from_millis(1_500),
        starts: 40,
        long: 100_000,
        rounds: 3,
    };
    pub(crate) const QUICK: Effort = Effort {
        calls: 200,
        time: Duration::from_millis(200),
        crowd_time: Duration::from_millis(600),
        starts: 10,
        long: 3_000,
        rounds: 1,
    };
}
