//! The component is loaded once, and each call gets an instance of its own, with what [`proxmox_sandbox`] gives it and
//! a limit on time in all.

mod offers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

use anyhow::{Context, Result};
use proxmox_sandbox::{MAX_MEMORY, State};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::Component;
use wasmtime::{Enabled, Engine as Wasmtime, PoolingAllocationConfig, Store};

use crate::boundary::Boundary;
use crate::clock::Clock;
use crate::code_config::code_config;
use crate::crew::{self, Crew};

mod image;

mod bindings {
    #![expect(missing_docs, reason = "generated from the contract, which is documented")]
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "contract",
        exports: { default: async },
    });
}
pub use bindings::{
    Annotations, ApiMethod, Failure, FailureKind, Outcome, Output, Pending, Piece, Prompt, PromptArgument,
    Reference, Resource, Tool, ToolCall,
};
use bindings::{Contract, ContractPre};

/// Instances at one time; further calls wait.
pub(crate) const MAX_INSTANCES: u32 = 128;
/// Instances at one time that the thread of the caller runs. Further ones run in the crew, if there is one.
const FEW: usize = 4;
/// How often a computing instance lets others go on.
const TICK: Duration = Duration::from_millis(10);
/// Computing time of one step of a call: 10 s.
const MAX_TICKS: u32 = 1_000;
/// Time of one step of a call, with all that it waits for. A step makes a few requests, each of which
/// ends within 75 s.
const MAX_STEP: Duration = Duration::from_secs(180);

/// Bytes of memory, table and stack that stay with a place between two instances, and how many places keep
/// them while they are not used.
const KEPT_MEMORY: usize = 4 << 20;
const KEPT_TABLE: usize = 32 << 10;
const KEPT_STACK: usize = 32 << 10;
const KEPT_PLACES: u32 = 8;

/// Why an instance ended without an answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It ran out of time.
    #[error("it took longer than {} s", .0.as_secs())]
    Timeout(Duration),
    /// It did what the sandbox does not allow, ran out of memory or computing time, or broke.
    #[error("{0}")]
    Trap(String),
}

/// The loaded component.
#[derive(Clone)]
pub struct Engine {
    pre: ContractPre<State>,
    ticker: Arc<Ticker>,
    max_ticks: u32,
    max_step: Duration,
    clock: Option<Clock>,
    /// One turn for each instance that there may be at one time.
    turns: Arc<Semaphore>,
    crew: Option<Arc<Crew>>,
}

/// What an instance is made for, of a call.
pub(crate) enum Step {
    Begin { tool: String, arguments: String },
    Resume { continuation: String },
}

impl Engine {
    /// Loads the component that is part of this program.
    ///
    /// # Errors
    /// Where this machine cannot run it.
    pub fn load() -> Result<Self> {
        let wasmtime = runtime()?;
        let component = image::component(&wasmtime);
        let component =
            component.context("the component inside this program does not run on this machine")?;
        Self::new(&wasmtime, &component)
    }

    /// Gives memory back that was taken for the component's code so far. Saying what it offers runs through much that
    /// calls do not need.
    pub(crate) fn rest(&self) {
        image::give_back();
    }

    /// Loads another component that keeps the contract, compiled ahead of time.
    ///
    /// # Errors
    /// Where it was compiled under other settings, asks for more than the sandbox has, or does not keep
    /// the contract.
    ///
    /// # Safety
    /// `compiled` is what wasmtime made of a component, unchanged: it is machine code, and nothing about it
    /// is checked. For tests; the component itself may be as hostile as it likes.
    #[expect(unsafe_code, reason = "deserialising trusts the bytes, so the caller has to vouch for them")]
    pub unsafe fn from_compiled(compiled: &[u8]) -> Result<Self> {
        let wasmtime = runtime()?;
        // SAFETY: the caller vouches for the bytes.
        let component = unsafe { Component::deserialize(&wasmtime, compiled) }?;
        Self::new(&wasmtime, &component)
    }

    /// The same, in which tools find this time instead of the machine's.
    #[must_use]
    pub fn at(mut self, clock: Option<Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The same, with threads for what runs at a time beyond a few instances.
    #[must_use]
    pub fn with_crew(mut self, crew: Arc<Crew>) -> Self {
        self.crew = Some(crew);
        self
    }

    /// The same, with less computing time and time in all for each step of a call. It cannot be given more.
    #[must_use]
    pub fn tightened(mut self, computing: Duration, in_all: Duration) -> Self {
        let ticks = computing.as_millis() / TICK.as_millis();
        self.max_ticks = u32::try_from(ticks).unwrap_or(MAX_TICKS).min(self.max_ticks);
        self.max_step = in_all.min(self.max_step);
        self
    }

    /// Links a component to what it may reach.
    ///
    /// # Errors
    /// Where it asks for more, or does not keep the contract.
    pub fn new(wasmtime: &Wasmtime, component: &Component) -> Result<Self> {
        let linker = proxmox_sandbox::linker(wasmtime)?;
        let pre = ContractPre::new(linker.instantiate_pre(component)?)?;
        let ticker = Arc::new(Ticker::start(wasmtime)?);
        let turns = Arc::new(Semaphore::new(MAX_INSTANCES as usize));
        Ok(Self { pre, ticker, max_ticks: MAX_TICKS, max_step: MAX_STEP, clock: None, turns, crew: None })
    }

    /// Waits until an instance more may be there, for as long as the turn is held.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.turns.clone().acquire_owned().await.ok()
    }

    /// Where the next instance belongs, if not with its caller.
    fn elsewhere(&self) -> Option<Handle> {
        let crew = self.crew.as_ref()?;
        let at_one_time = (MAX_INSTANCES as usize).saturating_sub(self.turns.available_permits());
        if at_one_time > FEW { crew.at_work() } else { None }
    }

    /// The tools of the component.
    ///
    /// # Errors
    /// [`Fault`] where the component fails.
    pub(crate) async fn list_tools(&self, boundary: Boundary) -> Result<Vec<Tool>, Fault> {
        self.step(boundary, async |server, store| server.call_list_tools(store).await).await
    }

    /// Makes a step of a call, in an instance of its own. Waits for a turn first.
    ///
    /// # Errors
    /// [`Fault`] where the component fails.
    pub(crate) async fn make(
        &self,
        boundary: Boundary,
        step: Step,
    ) -> Result<Result<Outcome, Failure>, Fault> {
        // Held while the instance lives, not while a task of Proxmox runs.
        let turn = self.turn().await;
        let Some(place) = self.elsewhere() else { return self.make_here(boundary, &step).await };
        let engine = self.clone();
        let work = async move {
            let _turn = turn;
            engine.make_here(boundary, &step).await
        };
        crew::work_at(&place, work).await
    }

    async fn make_here(&self, boundary: Boundary, step: &Step) -> Result<Result<Outcome, Failure>, Fault> {
        match step {
            Step::Begin { tool, arguments } => {
                self.step(boundary, async |server, store| server.call_call_tool(store, tool, arguments).await)
                    .await
            }
            Step::Resume { continuation } => {
                self.step(boundary, async |server, store| server.call_resume(store, continuation).await).await
            }
        }
    }

    async fn step<T>(
        &self,
        boundary: Boundary,
        f: impl AsyncFnOnce(&Contract, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        let _ticking = self.ticker.run();
        let step = async {
            let (clock, max_ticks) = (self.clock.clone(), self.max_ticks);
            let mut store = proxmox_sandbox::store(self.pre.engine(), Box::new(boundary), clock, max_ticks);
            let server = self.pre.instantiate_async(&mut store).await?;
            f(&server, &mut store).await
        };
        match tokio::time::timeout(self.max_step, step).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Fault::Trap(error.root_cause().to_string())),
            Err(_) => Err(Fault::Timeout(self.max_step)),
        }
    }
}

/// With places for all instances reserved ahead. That takes a terabyte of addresses, none of memory; where
/// addresses are short (`ulimit -v`, an analyser), each instance gets its place when it begins.
fn runtime() -> Result<Wasmtime> {
    let mut config = code_config();
    image::prepare(&mut config);
    let mut pooled = config.clone();
    pooled.allocation_strategy(pool());
    Ok(Wasmtime::new(&pooled).or_else(|error| {
        tracing::info!(%error, "no room to reserve places for instances");
        Wasmtime::new(&config)
    })?)
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        .total_core_instances(MAX_INSTANCES * 4)
        .total_memories(MAX_INSTANCES)
        .total_tables(MAX_INSTANCES * 4)
        .total_stacks(MAX_INSTANCES)
        .max_memory_size(MAX_MEMORY);
    // A place that was used is wiped, and its first pages stay: giving pages back to the system and getting
    // them anew costs more than wiping them.
    pool.linear_memory_keep_resident(KEPT_MEMORY)
        .table_keep_resident(KEPT_TABLE)
        .async_stack_keep_resident(KEPT_STACK)
        .max_unused_warm_slots(KEPT_PLACES)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Moves the clock that interrupts computing instances, while there are any. It runs in a thread of its
/// own, since the runtime's threads may all be computing.
struct Ticker {
    thread: Thread,
    running: Arc<AtomicUsize>,
}

impl Ticker {
    fn start(wasmtime: &Wasmtime) -> Result<Self> {
        let running = Arc::new(AtomicUsize::new(0));
        let (wasmtime, count) = (wasmtime.weak(), running.clone());
        let thread = std::thread::Builder::new().name("ticker".into()).spawn(move || {
            while let Some(wasmtime) = wasmtime.upgrade() {
                wasmtime.increment_epoch();
                drop(wasmtime);
                match count.load(Ordering::SeqCst) {
                    0 => std::thread::park(),
                    _ => std::thread::sleep(TICK),
                }
            }
        })?;
        Ok(Self { thread: thread.thread().clone(), running })
    }

    /// Keeps the clock going until the guard is dropped.
    fn run(&self) -> Ticking {
        if self.running.fetch_add(1, Ordering::SeqCst) == 0 {
            self.thread.unpark();
        }
        Ticking(self.running.clone())
    }
}

struct Ticking(Arc<AtomicUsize>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
