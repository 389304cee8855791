//! Builds the hostile components, the large one as the host's build script builds the real one, and
//! compiles them ahead of time under the same settings.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

#[path = "../../host/src/code_config.rs"]
mod code_config;

const TARGET: &str = "wasm32-wasip2";

fn main() -> Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    let root =
        Path::new(&env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set")?).join("../..");
    for part in ["tests/hostile/component", "tests/hostile/greedy.wat", "wit", "host/src/code_config.rs"] {
        println!("cargo::rerun-if-changed={}", root.join(part).display());
    }
    let wasm = build_component(&root, &out.join("component"))?;
    let bytes = std::fs::read(&wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let mut config = code_config::code_config();
    config.target(&env::var("TARGET").context("TARGET is not set")?)?;
    let engine = wasmtime::Engine::new(&config)?;
    std::fs::write(out.join("hostile.cwasm"), engine.precompile_component(&bytes)?)?;
    let greedy = engine.precompile_component(&handwritten(&root, "tests/hostile/greedy.wat")?)?;
    std::fs::write(out.join("greedy.cwasm"), greedy)?;
    Ok(())
}

/// A component that keeps the contract, made from a module in text form.
fn handwritten(root: &Path, module: &str) -> Result<Vec<u8>> {
    let mut module = wat::parse_file(root.join(module))?;
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join("wit"))?;
    let world = resolve.select_world(&[package], Some("contract"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.validate(true).encode()
}

fn build_component(root: &Path, target_dir: &Path) -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").context("CARGO is not set")?;
    // A target folder of its own: the cargo that runs this script holds the lock on the shared one.
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["build", "--locked", "--package", "proxmox-mcp-hostile", "--release", "--target", TARGET])
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
        bail!("the hostile component did not build; is the target there? `rustup target add {TARGET}`");
    }
    Ok(target_dir.join(TARGET).join("release/proxmox_mcp_hostile.wasm"))
}
