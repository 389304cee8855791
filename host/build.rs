//! Builds the component for `wasm32-wasip2`, compiles it ahead of time for the target machine, and
//! leaves the result where `engine.rs` embeds it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

#[path = "src/code_config.rs"]
mod code_config;

const TARGET: &str = "wasm32-wasip2";

fn main() -> Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    let root =
        Path::new(&env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set")?).join("..");
    for part in
        ["src", "wit", "api/src", "host/gate/src", "host/audit/src", "build.rs", "Cargo.toml", "Cargo.lock"]
    {
        println!("cargo::rerun-if-changed={}", root.join(part).display());
    }
    println!("cargo::rerun-if-changed=src/code_config.rs");
    add_target();
    let wasm = build_component(&root, &out.join("component"))?;
    // For the tests, which look into it.
    println!("cargo::rustc-env=PROXMOX_MCP_COMPONENT_WASM={}", wasm.display());
    let bytes = std::fs::read(&wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let mut config = code_config::code_config();
    // Naming the target keeps the build machine's own CPU features out of the artifact.
    config.target(&env::var("TARGET").context("TARGET is not set")?)?;
    let compiled = wasmtime::Engine::new(&config)?.precompile_component(&bytes)?;
    std::fs::write(out.join("component.cwasm"), compiled)?;
    Ok(())
}

/// Fetches the wasm target where rustup manages the toolchain; elsewhere the build below says what is missing.
fn add_target() {
    if let Ok(listed) = Command::new("rustup").args(["target", "list", "--installed"]).output()
        && !String::from_utf8_lossy(&listed.stdout).lines().any(|line| line == TARGET)
    {
        let added = Command::new("rustup").args(["target", "add", TARGET]).status();
        if !added.is_ok_and(|status| status.success()) {
            println!("cargo::warning=`rustup target add {TARGET}` failed; the component needs that target");
        }
    }
}

fn build_component(root: &Path, target_dir: &Path) -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").context("CARGO is not set")?;
    // A target folder of its own: the cargo that runs this script holds the lock on the shared one.
    let status = Command::new(cargo)
        .current_dir(root)
        .args([
            "build",
            "--locked",
            "--package",
            "proxmox-mcp-component",
            "--profile",
            "component",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(target_dir)
        // Flags for the host's code do not fit the component's.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("the component did not build; is the target there? `rustup target add {TARGET}`");
    }
    Ok(target_dir.join(TARGET).join("component/proxmox_mcp.wasm"))
}
