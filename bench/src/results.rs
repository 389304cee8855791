//! What is found out, as it is written to the JSON file.

use serde::Serialize;

use crate::plan::Cluster;
use crate::stats::Times;

/// Everything of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: String,
    pub(crate) date: String,
    /// Processes that wanted to run in the minute before; the benchmark itself makes two or three of them.
    pub(crate) load_before: f64,
    pub(crate) starts: Vec<Start>,
    pub(crate) clusters: Vec<At>,
    pub(crate) long: Option<Long>,
}

/// From the start of the process to the answer to `tools/list`.
#[derive(Debug, Serialize)]
pub(crate) struct Start {
    pub(crate) server: String,
    pub(crate) best_ms: f64,
    pub(crate) median_ms: f64,
    /// The same for a program that does nothing but print these bytes.
    pub(crate) nothing_best_ms: f64,
    pub(crate) nothing_median_ms: f64,
    /// Bytes of the answer.
    pub(crate) bytes: usize,
    pub(crate) idle_kib: u64,
}

/// One cluster.
#[derive(Debug, Serialize)]
pub(crate) struct At {
    pub(crate) cluster: Cluster,
    pub(crate) servers: Vec<Server>,
}

/// One server at one cluster.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    pub(crate) server: String,
    /// After the questions, one call at a time.
    pub(crate) peak_kib: u64,
    pub(crate) rows: Vec<Row>,
    pub(crate) crowds: Vec<Crowd>,
    /// After as many calls in flight as there were.
    pub(crate) peak_crowded_kib: u64,
}

/// Time and computing time of a call.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) times: Times,
    pub(crate) cpu_us: f64,
}

/// One question, one call at a time.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) question: String,
    pub(crate) cost: Cost,
    /// A plain client making the requests of this question.
    pub(crate) floor: Cost,
    /// The same code without sandbox and gate, where it answers in one step.
    pub(crate) native: Option<Cost>,
    pub(crate) requests: f64,
    pub(crate) connections: f64,
    /// Bytes of Proxmox's answers to one call.
    pub(crate) received: f64,
    /// Bytes of the answer to the client.
    pub(crate) bytes: usize,
}

/// One question with many calls in flight.
#[derive(Debug, Serialize)]
pub(crate) struct Crowd {
    pub(crate) question: String,
    pub(crate) in_flight: usize,
    pub(crate) per_second: f64,
    pub(crate) floor_per_second: f64,
    /// What the latency of the backend allows.
    pub(crate) possible: Option<f64>,
    pub(crate) cpu_us: f64,
    pub(crate) floor_cpu_us: f64,
    pub(crate) times: Times,
    pub(crate) requests: f64,
    pub(crate) connections: f64,
}

/// Whether anything grows.
#[derive(Debug, Serialize)]
pub(crate) struct Long {
    pub(crate) server: String,
    pub(crate) calls: usize,
    pub(crate) first_median_us: f64,
    pub(crate) last_median_us: f64,
    pub(crate) early_kib: u64,
    pub(crate) last_kib: u64,
}

impl Results {
    /// A row of this project's server, which is the first one.
    pub(crate) fn row(&self, nodes: u16, latency_ms: u64, question: &str) -> Option<&Row> {
        self.server(nodes, latency_ms)?.rows.iter().find(|row| row.question == question)
    }

    /// This project's server at a cluster.
    pub(crate) fn server(&self, nodes: u16, latency_ms: u64) -> Option<&Server> {
        let fits = |at: &&At| at.cluster.nodes == nodes && at.cluster.latency_ms == latency_ms;
        self.clusters.iter().find(fits)?.servers.first()
    }
}
