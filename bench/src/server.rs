//! The server of this checkout, built, and where its parts are.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// What a build left behind.
pub(crate) struct Built {
    pub(crate) binary: PathBuf,
    /// The folder in which the component was built and compiled.
    pub(crate) component: PathBuf,
}

/// Builds it as it is shipped.
pub(crate) fn build() -> Result<Built> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args([
            "build",
            "--profile",
            "dist",
            "--locked",
            "--package",
            "proxmox-mcp",
            "--message-format",
            "json",
        ])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), "the server did not build");
    let (mut binary, mut component) = (None, None);
    for line in output.stdout.split(|byte| *byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<Value>(line) else { continue };
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        match text("/reason") {
            "compiler-artifact"
                if text("/target/name") == "proxmox-mcp" && !text("/executable").is_empty() =>
            {
                binary = Some(PathBuf::from(text("/executable")));
            }
            "build-script-executed" if text("/package_id").contains("/host#") => {
                component = Some(PathBuf::from(text("/out_dir")));
            }
            _ => {}
        }
    }
    Ok(Built {
        binary: binary.context("cargo named no program")?,
        component: component.context("cargo named no folder of the component")?,
    })
}
