//! What an instance of the component has: memory, computing time and handles, each with a limit; a clock, random
//! numbers, and one way out, which whoever makes it decides about. It has no files, no sockets, no environment, no
//! arguments and no standard input; what it prints goes nowhere.
//!
//! It is a crate of its own so that it can be built for speed, whatever the rest is built for: each byte of an answer
//! passes through these functions on its way into the instance.

use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Result, Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::{HostWallClock, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

/// Memory of one instance, in bytes. A list of 20,000 guests takes about 40 MiB.
pub const MAX_MEMORY: usize = 128 << 20;
/// What an instance holds of the host at one time: requests, headers, bodies, timers.
const MAX_HANDLES: usize = 4_096;
/// Headers of one request, in bytes. Proxmox takes no more than 8 KiB.
const MAX_HEADERS: usize = 16 << 10;
/// What an instance hands over at once, its answer included, in bytes.
const MAX_HANDED_OVER: usize = 32 << 20;

/// What the functions that an instance imports work with.
pub struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    way_out: Box<dyn WasiHttpHooks>,
    table: ResourceTable,
    limits: StoreLimits,
    ticks: u32,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut *self.way_out, table: &mut self.table, ctx: &mut self.http }
    }
}

/// The functions that a component may import.
///
/// # Errors
/// Never, as long as they have different names.
pub fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    // Rust's standard library imports files and sockets whether it uses them or not; `State::wasi` has none.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// What an instance lives in, with all its limits. `way_out` decides about its requests, `clock` is in place of the
/// machine's; it computes for no more than `max_ticks` ticks of the engine's clock.
pub fn store(
    engine: &Engine,
    way_out: Box<dyn WasiHttpHooks>,
    clock: Option<impl HostWallClock + 'static>,
    max_ticks: u32,
) -> Store<State> {
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(MAX_HEADERS);
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_HANDLES);
    let mut wasi = WasiCtx::builder();
    if let Some(clock) = clock {
        wasi.wall_clock(clock);
    }
    let limits = StoreLimitsBuilder::new()
        .memory_size(MAX_MEMORY)
        .table_elements(20_000)
        .instances(16)
        .tables(16)
        .memories(4)
        .trap_on_grow_failure(true)
        .build();
    let state = State { wasi: wasi.build(), http, way_out, table, limits, ticks: 0 };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limits);
    store.set_hostcall_fuel(MAX_HANDED_OVER);
    store.set_epoch_deadline(1);
    // Called at ticks at which the instance computes; waiting for an answer costs nothing here.
    store.epoch_deadline_callback(move |mut store| {
        let state = store.data_mut();
        state.ticks += 1;
        match state.ticks > max_ticks {
            true => Err(wasmtime::Error::msg("the tool computed for too long")),
            false => Ok(UpdateDeadline::Yield(1)),
        }
    });
    store
}
