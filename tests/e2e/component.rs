//! What the component is by itself: what it asks of the world, and what the host has compiled in.

use std::collections::BTreeSet;

use wasmparser::{Parser, Payload};

/// The component that the host was built with, before it was compiled for this machine.
static WASM: &[u8] = include_bytes!(env!("PROXMOX_MCP_COMPONENT_WASM"));

/// Names of the outermost component's imports and exports.
fn outermost() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut imports, mut exports) = (BTreeSet::new(), BTreeSet::new());
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(WASM) {
        match payload.expect("a valid component") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                exports.extend(section.into_iter().map(|export| export.unwrap().name.name.to_owned()));
            }
            _ => {}
        }
    }
    (imports, exports)
}

#[test]
fn it_imports_standard_interfaces_only_and_neither_files_nor_sockets() {
    let (imports, _) = outermost();
    let interface = |name: &str| name.split('@').next().unwrap().to_owned();
    let instances: BTreeSet<String> =
        imports.iter().filter(|name| name.contains(':')).map(|n| interface(n)).collect();
    assert!(instances.contains("wasi:http/outgoing-handler"), "{imports:?}");
    for name in &instances {
        let standard = ["wasi:io/", "wasi:cli/", "wasi:clocks/", "wasi:random/", "wasi:http/"];
        assert!(standard.iter().any(|prefix| name.starts_with(prefix)), "imports {name}");
    }
    for name in imports.iter().filter(|name| name.contains(':')) {
        assert!(name.split_once("@0.2.").is_some(), "{name} is not of WASI 0.2");
    }
}

#[test]
fn it_exports_the_contract() {
    let (_, exports) = outermost();
    for function in [
        "list-tools",
        "call-tool",
        "resume",
        "list-resources",
        "locate-resource",
        "list-prompts",
        "write-prompt",
        "completion-source",
        "complete",
    ] {
        assert!(exports.contains(function), "{function} is not among {exports:?}");
    }
}

#[test]
fn it_is_an_mcp_server_by_itself() {
    let (_, exports) = outermost();
    for interface in ["wasi:cli/run@0.2.", "wasi:http/incoming-handler@0.2."] {
        assert!(
            exports.iter().any(|name| name.starts_with(interface)),
            "{interface} is not among {exports:?}"
        );
    }
}
