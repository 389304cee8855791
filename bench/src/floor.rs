//! The floor: what the same requests cost a plain HTTP client (hyper over rustls, connections kept), in a
//! process of its own. And the same with the answer worked out by the tool's own code, but natively, with no
//! sandbox and no gate: the rest is what those cost.

mod client;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use self::client::{Native, Plain};
use crate::backend::{Address, Backend};
use crate::plan::QUESTIONS;

/// What to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// A question of the plan.
    pub(crate) question: String,
    /// The tool that works out the answer, with its arguments; nothing where the answers are only fetched.
    pub(crate) tool: Option<(String, String)>,
    pub(crate) in_flight: usize,
    pub(crate) calls: usize,
    pub(crate) time: Duration,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) times: Vec<Duration>,
    pub(crate) whole: Duration,
    /// Bytes of the answers to one question.
    pub(crate) bytes: usize,
}

/// Does jobs, one for each line of standard input. The first line says where the server is.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut lines = std::io::stdin().lock().lines();
    let address: Address = serde_json::from_str(&lines.next().context("no address")??)?;
    let plain = Arc::new(Plain::new(&address)?);
    let mut output = std::io::stdout().lock();
    for line in lines {
        let job: Job = serde_json::from_str(&line?)?;
        let done = runtime.block_on(work(&plain, Arc::new(job)));
        let done = done.map_err(|error| format!("{error:#}"));
        writeln!(output, "{}", serde_json::to_string(&done)?)?;
        output.flush()?;
    }
    Ok(())
}

/// So many at a time: each begins anew as soon as it is done.
async fn work(plain: &Arc<Plain>, job: Arc<Job>) -> Result<Done> {
    let begun = Instant::now();
    let left = Arc::new(AtomicUsize::new(job.calls.max(job.in_flight)));
    let workers: Vec<_> = (0..job.in_flight)
        .map(|_| {
            let (plain, job, left) = (plain.clone(), job.clone(), left.clone());
            tokio::spawn(async move {
                let (mut times, mut bytes) = (Vec::new(), 0);
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    let sent = Instant::now();
                    bytes = once(&plain, &job).await?;
                    times.push(sent.elapsed());
                    if begun.elapsed() >= job.time {
                        break;
                    }
                }
                anyhow::Ok((times, bytes))
            })
        })
        .collect();
    let (mut times, mut bytes) = (Vec::new(), 0);
    for worker in workers {
        let (own, last) = worker.await??;
        times.extend(own);
        bytes = bytes.max(last);
    }
    Ok(Done { times, whole: begun.elapsed(), bytes })
}

async fn once(plain: &Arc<Plain>, job: &Arc<Job>) -> Result<usize> {
    if job.tool.is_some() {
        let native = Native::new(plain.clone());
        let job = job.clone();
        return tokio::task::spawn_blocking(move || {
            let (tool, arguments) = job.tool.as_ref().context("no tool")?;
            native.call(tool, arguments)
        })
        .await?;
    }
    let question = QUESTIONS.iter().find(|question| question.name == job.question);
    plain.ask(question.context("no such question")?.groups).await
}

/// The floor as the benchmark sees it.
pub(crate) struct Floor {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Floor {
    /// Starts one beside a cluster.
    pub(crate) fn start(backend: &Backend) -> Result<Floor> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("floor")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().context("the floor has no output")?);
        let mut floor = Floor { child, output };
        floor.say(&serde_json::to_string(&backend.address)?)?;
        Ok(floor)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn say(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("the floor has no input")?;
        Ok(writeln!(input, "{line}")?)
    }

    /// Does one job.
    pub(crate) fn work(&mut self, job: &Job) -> Result<Done> {
        self.say(&serde_json::to_string(job)?)?;
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the floor ended");
        }
        let done: Result<Done, String> = serde_json::from_str(&line)?;
        done.map_err(|error| anyhow::anyhow!("the floor, at {:?}: {error}", job.question))
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
