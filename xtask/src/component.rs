//! The component as a file of its own, to be run by others than our host: small, and with the documentation of
//! its functions in it, which hosts such as Wassette show.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use wit_parser::{Resolve, WorldItem, WorldKey};

/// The section in which tools of the component model keep documentation, and the version of its form.
const SECTION: &str = "package-docs";
const VERSION: u8 = 1;
/// What the component is in `wit`.
const WORLD: &str = "server";
/// What a world is called that was read out of a component. The section has to name that one.
const READ_OUT: &str = "root";

/// Builds the component and writes it to a file.
pub(crate) fn write(file: &str) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wasm = std::fs::read(build(&root)?)?;
    append_section(&mut wasm, SECTION, &documentation(&root.join("wit"))?)?;
    std::fs::write(file, &wasm).with_context(|| format!("cannot write {file}"))?;
    println!("{file}: {} bytes", wasm.len());
    Ok(())
}

fn build(root: &Path) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["build", "--locked", "--package", "proxmox-mcp-component"])
        .args(["--profile", "component", "--target", "wasm32-wasip2"])
        .args(["--target-dir", "target"])
        .status()
        .context("cannot run cargo")?;
    ensure!(
        status.success(),
        "the component did not build; is the target there? `rustup target add wasm32-wasip2`"
    );
    Ok(root.join("target/wasm32-wasip2/component/proxmox_mcp.wasm"))
}

/// What `wit/world.wit` says of the functions that are exported, as the section holds it.
fn documentation(wit: &Path) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit)?;
    let id = resolve.select_world(&[package], Some(WORLD))?;
    let world = resolve.worlds.get(id).context("the world is not there")?;
    let mut functions = Map::new();
    for (key, item) in &world.exports {
        if let (WorldKey::Name(name), WorldItem::Function(function)) = (key, item) {
            functions.insert(name.clone(), json!({"docs": function.docs.contents.as_deref()}));
        }
    }
    let mut content = vec![VERSION];
    let docs = world.docs.contents.as_deref();
    let described = json!({"docs": docs, "func_exports": Value::Object(functions)});
    serde_json::to_writer(&mut content, &json!({"worlds": {READ_OUT: described}}))?;
    Ok(content)
}

/// Puts a custom section at the end of a WebAssembly file.
fn append_section(wasm: &mut Vec<u8>, name: &str, content: &[u8]) -> Result<()> {
    let mut section = Vec::new();
    write_length(&mut section, name.len())?;
    section.extend_from_slice(name.as_bytes());
    section.extend_from_slice(content);
    wasm.push(0);
    write_length(wasm, section.len())?;
    wasm.append(&mut section);
    Ok(())
}

/// A number of 32 bits as WebAssembly writes lengths: seven bits a byte, the last ones first.
fn write_length(out: &mut Vec<u8>, length: usize) -> Result<()> {
    let mut rest = u32::try_from(length)?;
    loop {
        let byte = u8::try_from(rest & 0x7f)?;
        rest >>= 7;
        out.push(if rest > 0 { byte | 0x80 } else { byte });
        if rest == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_written_as_webassembly_has_it() {
        let mut wasm = b"\0asm".to_vec();
        append_section(&mut wasm, "ab", &[7; 200]).unwrap();
        assert_eq!(wasm.get(4..10), Some(&[0, 0xcb, 0x01, 2, b'a', b'b'][..]));
        assert_eq!(wasm.len(), 4 + 3 + 203);
    }

    #[test]
    fn each_function_that_is_exported_is_documented() {
        let content = documentation(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")).unwrap();
        let (version, json) = content.split_first().unwrap();
        assert_eq!(*version, VERSION);
        let json: Value = serde_json::from_slice(json).unwrap();
        let functions = json["worlds"][READ_OUT]["func_exports"].as_object().unwrap();
        for name in ["list-tools", "call-tool", "resume"] {
            assert!(functions.contains_key(name), "{json}");
        }
        for (name, function) in functions {
            assert!(function["docs"].as_str().is_some_and(|docs| !docs.is_empty()), "{name}: {json}");
        }
    }
}
