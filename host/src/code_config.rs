//! What both the build script, which compiles the component, and the host, which loads it, must set alike.
//!
//! wasmtime refuses an artifact that was compiled under other settings.

/// The settings that change generated code.
pub(crate) fn code_config() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config.wasm_component_model(true);
    // Lets a call that only computes be interrupted.
    config.epoch_interruption(true);
    // No wasm offsets in backtraces; a third less to load.
    config.generate_address_map(false);
    config
}
