//! Measures this MCP server, and any other that speaks on standard input and output, on simulated clusters,
//! beside a plain HTTP client that makes the same requests. CONTRIBUTING.md says how to read it.

mod adapter;
mod backend;
mod figures;
mod floor;
mod mcp;
mod measure;
mod plan;
mod process;
mod report;
mod results;
mod server;
mod stats;
mod svg;
mod targets;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use crate::adapter::Adapter;
use crate::plan::{Cluster, Effort};
use crate::results::Results;

/// Measures this MCP server beside a plain HTTP client, and beside other servers.
#[derive(Debug, Parser)]
#[command(name = "proxmox-bench", version, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct Run {
    /// A short run: fewer calls, and only the two smaller clusters
    #[arg(long)]
    quick: bool,
    /// Fail where a target does not hold
    #[arg(long)]
    check: bool,
    /// Measure this server too: a file like those in bench/adapters. Can be given again
    #[arg(long, value_name = "FILE")]
    adapter: Vec<PathBuf>,
    /// Measure nothing but what --adapter names
    #[arg(long, requires = "adapter", conflicts_with = "check")]
    others_only: bool,
    /// Only clusters of so many nodes: 3, 16 or 64. Can be given again
    #[arg(long, value_name = "NODES")]
    nodes: Vec<u16>,
    /// The proxmox-mcp to measure; without it, the one of this checkout is built
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// Folder for results.json, results.md and chart.svg
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    out: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Counts what does not depend on the machine's speed, for bench/figures.toml
    Figures {
        /// Fail where a figure has grown by more than its margin
        #[arg(long, conflicts_with = "update")]
        check: bool,
        /// Write the figures down
        #[arg(long)]
        update: bool,
    },
    /// The simulated cluster, for the benchmark itself
    #[command(hide = true)]
    Simulate { nodes: u16, guests: u32, latency_ms: u64 },
    /// The plain client, for the benchmark itself
    #[command(hide = true)]
    Floor,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Figures { check, update }) => figures::run(check, update),
        Some(Command::Simulate { nodes, guests, latency_ms }) => {
            backend::serve(nodes, guests, latency_ms).map(|()| true)
        }
        Some(Command::Floor) => floor::serve().map(|()| true),
        None => run(&cli.run),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("proxmox-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// The whole benchmark; whether all targets hold, where that was asked.
fn run(run: &Run) -> Result<bool> {
    let effort = if run.quick { Effort::QUICK } else { Effort::FULL };
    let adapters = adapters(run)?;
    let mut results = Results {
        machine: process::machine(),
        date: today()?,
        load_before: process::load(),
        starts: Vec::new(),
        clusters: Vec::new(),
        long: None,
    };
    for adapter in &adapters {
        eprintln!("starts of {}", adapter.name);
        results.starts.push(measure::start(adapter, effort).with_context(|| adapter.name.clone())?);
    }
    for cluster in plan::clusters().into_iter().filter(|cluster| run.wants(*cluster)) {
        eprintln!("{cluster}");
        results.clusters.push(measure::cluster(cluster, &adapters, effort, !run.others_only)?);
    }
    if let Some(own) = adapters.first().filter(|_| !run.others_only) {
        eprintln!("{} calls", effort.long);
        results.long = Some(measure::long(own, effort)?);
    }
    let targets = targets::of(&results);
    let tables = report::tables(&results, &targets);
    write(&run.out, &results, &tables)?;
    println!("{tables}");
    Ok(!run.check || targets.iter().all(|target| target.holds))
}

/// What is measured; this project's own server is the first.
fn adapters(run: &Run) -> Result<Vec<Adapter>> {
    let mut adapters = Vec::new();
    if !run.others_only {
        let server = match &run.server {
            Some(server) => server.clone(),
            None => server::build()?.binary,
        };
        adapters.push(Adapter::own(&server)?);
    }
    for file in &run.adapter {
        adapters.push(Adapter::load(file)?);
    }
    Ok(adapters)
}

impl Run {
    fn wants(&self, cluster: Cluster) -> bool {
        let small = cluster.guests <= 2_000;
        if self.nodes.is_empty() { small || !self.quick } else { self.nodes.contains(&cluster.nodes) }
    }
}

fn write(folder: &Path, results: &Results, tables: &str) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    file("results.json", &(serde_json::to_string_pretty(results)? + "\n"))?;
    file("results.md", tables)?;
    file("chart.svg", &svg::chart(results))
}

fn today() -> Result<String> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(proxmox_tools::dates::date(seconds))
}
