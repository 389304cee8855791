//! The measuring itself.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::NamedTempFile;

use crate::adapter::{Adapter, Asked, Ready};
use crate::backend::Backend;
use crate::floor::{Floor, Job};
use crate::mcp::Client;
use crate::plan::{self, Cluster, Effort, IN_FLIGHT, Question};
use crate::process;
use crate::results::{At, Cost, Crowd, Long, Row, Server, Start};
use crate::stats::{Times, each};

/// Calls before those that count.
const WARM_UP: usize = 20;
/// With more guests than this, an answer is so large that many calls in flight only measure the memory.
const CROWDED_GUESTS: u32 = 2_000;

/// Every server at one cluster. Whether the first one is this project's own decides what it is compared with.
pub(crate) fn cluster(cluster: Cluster, adapters: &[Adapter], effort: Effort, own: bool) -> Result<At> {
    let mut backend = Backend::start(cluster)?;
    let mut servers = Vec::new();
    for (place, adapter) in adapters.iter().enumerate() {
        let ready = adapter.filled(backend.words()?)?;
        let mut bench = Bench {
            client: Client::start(ready.command()?)?,
            floor: Floor::start(&backend)?,
            backend: &mut backend,
            effort,
            is_own: own && place == 0,
        };
        servers
            .push(bench.server(cluster, &ready).with_context(|| format!("{} at {cluster}", adapter.name))?);
    }
    Ok(At { cluster, servers })
}

struct Bench<'a> {
    client: Client,
    floor: Floor,
    backend: &'a mut Backend,
    effort: Effort,
    is_own: bool,
}

impl Bench<'_> {
    fn server(&mut self, cluster: Cluster, ready: &Ready) -> Result<Server> {
        let asked = |question: &Question| ready.adapter.questions.get(question.name);
        let mut rows = Vec::new();
        for question in plan::QUESTIONS {
            if let Some(asked) = asked(question) {
                rows.push(self.row(question, asked)?);
            }
        }
        let peak_kib = process::memory(self.client.pid()).1;
        let mut crowds = Vec::new();
        for question in plan::QUESTIONS.iter().filter(|q| q.crowded && cluster.guests <= CROWDED_GUESTS) {
            let Some(asked) = asked(question) else { continue };
            let mut alone = None;
            for in_flight in IN_FLIGHT {
                let mut crowd = self.crowd(question, asked, in_flight)?;
                // What the backend makes each request wait, its timer's own slack included.
                let alone = *alone.get_or_insert(crowd.floor_per_second / in_flight as f64);
                crowd.possible = (cluster.latency_ms > 0).then_some(alone * in_flight as f64);
                crowds.push(crowd);
            }
        }
        let peak_crowded_kib = process::memory(self.client.pid()).1;
        Ok(Server { server: ready.adapter.name.clone(), peak_kib, rows, crowds, peak_crowded_kib })
    }

    fn row(&mut self, question: &Question, asked: &Asked) -> Result<Row> {
        let Effort { calls, time, rounds, .. } = self.effort;
        self.client.calls(asked, 1, WARM_UP, time / 4)?;
        let tool = self.is_own.then(|| (asked.tool.clone(), json!(asked.arguments).to_string()));
        // What waits for something cannot be compared.
        let tool = tool.filter(|_| question.groups.len() == 1);
        let mut best: Option<Row> = None;
        for _ in 0..rounds {
            let floor = self.floor_cost(question, None)?;
            let native = tool.clone().map(|tool| self.floor_cost(question, Some(tool))).transpose()?;
            let (before, cpu) = (self.backend.counts()?, process::computed(self.client.pid()));
            let run = self.client.calls(asked, 1, calls, time)?;
            let (after, cpu) = (self.backend.counts()?, process::computed_since(self.client.pid(), cpu));
            let (n, bytes) = (run.times.len(), run.bytes);
            let per_call = |before: u64, after: u64| (after - before) as f64 / n as f64;
            let row = Row {
                question: question.name.to_owned(),
                cost: Cost { times: Times::of(run.times).context("no calls")?, cpu_us: each(cpu, n) },
                floor,
                native,
                requests: per_call(before.requests, after.requests),
                connections: per_call(before.connections, after.connections),
                received: per_call(before.bytes, after.bytes),
                bytes,
            };
            best = Some(match best {
                Some(best) => better(best, row),
                None => row,
            });
        }
        best.context("no rounds")
    }

    fn floor_cost(&mut self, question: &Question, tool: Option<(String, String)>) -> Result<Cost> {
        let Effort { calls, time, .. } = self.effort;
        let job = Job { question: question.name.to_owned(), tool, in_flight: 1, calls, time };
        self.floor.work(&Job { calls: WARM_UP, time: time / 4, ..job.clone() })?;
        let before = process::computed(self.floor.pid());
        let done = self.floor.work(&job)?;
        let cpu = process::computed_since(self.floor.pid(), before);
        let n = done.times.len();
        Ok(Cost { times: Times::of(done.times).context("no calls")?, cpu_us: each(cpu, n) })
    }

    fn crowd(&mut self, question: &Question, asked: &Asked, in_flight: usize) -> Result<Crowd> {
        let Effort { crowd_time: time, rounds, .. } = self.effort;
        let calls = usize::MAX >> 40;
        let job = Job { question: question.name.to_owned(), tool: None, in_flight, calls, time };
        let mut best: Option<Crowd> = None;
        for _ in 0..rounds {
            // Opens the connections, which takes longer than all else.
            self.floor.work(&job)?;
            let cpu = process::computed(self.floor.pid());
            let done = self.floor.work(&job)?;
            let floor_cpu = process::computed_since(self.floor.pid(), cpu);
            self.client.calls(asked, in_flight, calls, time)?;
            let (before, cpu) = (self.backend.counts()?, process::computed(self.client.pid()));
            let run = self.client.calls(asked, in_flight, calls, time)?;
            let (after, cpu) = (self.backend.counts()?, process::computed_since(self.client.pid(), cpu));
            let n = run.times.len();
            let rate = |calls: usize, whole: Duration| calls as f64 / whole.as_secs_f64();
            let crowd = Crowd {
                question: question.name.to_owned(),
                in_flight,
                per_second: rate(n, run.whole),
                floor_per_second: rate(done.times.len(), done.whole),
                possible: None,
                cpu_us: each(cpu, n),
                floor_cpu_us: each(floor_cpu, done.times.len()),
                times: Times::of(run.times).context("no calls")?,
                requests: (after.requests - before.requests) as f64 / n as f64,
                connections: (after.connections - before.connections) as f64 / n as f64,
            };
            let beaten = best.as_ref().is_some_and(|best| best.per_second >= crowd.per_second);
            if let (true, Some(best)) = (beaten, &mut best) {
                best.floor_per_second = best.floor_per_second.max(crowd.floor_per_second);
            } else {
                let floor = best.map_or(0.0, |best| best.floor_per_second).max(crowd.floor_per_second);
                best = Some(Crowd { floor_per_second: floor, ..crowd });
            }
        }
        best.context("no rounds")
    }
}

/// Of two rounds the undisturbed figures, of the floor as of the server.
fn better(a: Row, b: Row) -> Row {
    let cheaper = |a: Cost, b: Cost| Cost {
        times: if b.times.median_us < a.times.median_us { b.times } else { a.times },
        cpu_us: a.cpu_us.min(b.cpu_us),
    };
    let native = a.native.zip(b.native).map(|(a, b)| cheaper(a, b));
    Row { cost: cheaper(a.cost, b.cost), floor: cheaper(a.floor, b.floor), native, ..b }
}

/// How long a server takes to its list of tools, and what it then weighs.
pub(crate) fn start(adapter: &Adapter, effort: Effort) -> Result<Start> {
    let backend = Backend::start(Cluster { nodes: 3, guests: 30, latency_ms: 0 })?;
    let ready = adapter.filled(backend.words()?)?;
    let (list, hello) = answers(&ready)?;
    let mut file = NamedTempFile::new()?;
    file.write_all(format!("{hello}{list}").as_bytes())?;
    let nothing = std::env::current_exe()?.with_file_name("bench-nothing");
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..effort.starts {
        theirs.push(once(ready.command()?)?);
        let mut command = Command::new(&nothing);
        command.arg(file.path());
        own.push(once(command).context("bench-nothing stands beside this program; build the whole package")?);
    }
    let mut client = Client::start(ready.command()?)?;
    client.request("tools/list", json!({}))?;
    std::thread::sleep(Duration::from_millis(300));
    let best = |times: &[Duration]| times.iter().min().map_or(0.0, |time| time.as_secs_f64() * 1e3);
    let median = |times: Vec<Duration>| Times::of(times).map_or(0.0, |times| times.median_us / 1e3);
    Ok(Start {
        server: adapter.name.clone(),
        best_ms: best(&theirs),
        nothing_best_ms: best(&own),
        median_ms: median(theirs),
        nothing_median_ms: median(own),
        bytes: list.len(),
        idle_kib: process::memory(client.pid()).0,
    })
}

/// What the server answers to `tools/list` and, before that, to `initialize`.
fn answers(ready: &Ready) -> Result<(String, String)> {
    let mut client = Client::start(ready.command()?)?;
    let hello = client.greeting().to_owned();
    Ok((client.request("tools/list", json!({}))?.to_owned(), hello))
}

fn once(command: Command) -> Result<Duration> {
    let begun = Instant::now();
    let mut client = Client::start(command)?;
    client.request("tools/list", json!({}))?;
    Ok(begun.elapsed())
}

/// Many calls, and whether the last ones are as fast as the first, and the memory what it was.
pub(crate) fn long(adapter: &Adapter, effort: Effort) -> Result<Long> {
    let backend = Backend::start(Cluster { nodes: 3, guests: 30, latency_ms: 0 })?;
    let ready = adapter.filled(backend.words()?)?;
    let asked = ready.adapter.questions.get("nodes").context("no question `nodes`")?;
    let mut client = Client::start(ready.command()?)?;
    let part = effort.long / 20;
    let forever = Duration::from_secs(3_600);
    let median = |client: &mut Client, calls| -> Result<f64> {
        let run = client.calls(asked, 4, calls, forever)?;
        Ok(Times::of(run.times).context("no calls")?.median_us)
    };
    median(&mut client, part)?;
    let first_median_us = median(&mut client, part)?;
    let early_kib = process::memory(client.pid()).0;
    median(&mut client, effort.long - 3 * part)?;
    let last_median_us = median(&mut client, part)?;
    Ok(Long {
        server: adapter.name.clone(),
        calls: effort.long,
        first_median_us,
        last_median_us,
        early_kib,
        last_kib: process::memory(client.pid()).0,
    })
}
