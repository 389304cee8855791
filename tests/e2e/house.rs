//! The rules of the house: who may depend on whom, how long files may be, and that the map is right.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::harness::root;

#[test]
fn nobody_depends_on_whom_it_should_not() {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .other_options(["--offline".into()])
        .exec()
        .unwrap();
    let ours: BTreeSet<String> = metadata.packages.iter().map(|p| p.name.to_string()).collect();
    let mut allowed: BTreeMap<&str, &[&str]> = BTreeMap::new();
    allowed.insert("proxmox-api", &[]);
    allowed.insert("proxmox-gate", &["proxmox-api"]);
    allowed.insert("proxmox-sim", &["proxmox-api"]);
    // Without our host the component holds its own requests against the grants, by the same gate.
    allowed.insert("proxmox-mcp-component", &["proxmox-api", "proxmox-audit", "proxmox-gate"]);
    allowed.insert("proxmox-audit", &[]);
    allowed.insert("proxmox-sandbox", &[]);
    allowed.insert(
        "proxmox-mcp",
        &["proxmox-api", "proxmox-audit", "proxmox-gate", "proxmox-sandbox", "proxmox-sim"],
    );
    allowed.insert(
        "proxmox-bench",
        &["proxmox-api", "proxmox-audit", "proxmox-gate", "proxmox-sim", "proxmox-tools-native"],
    );
    allowed.insert("proxmox-tools-native", &["proxmox-api", "proxmox-audit", "proxmox-gate"]);
    for package in &metadata.packages {
        let used = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
        let used: BTreeSet<&str> =
            used.map(|d| d.name.as_str()).filter(|name| ours.contains(*name)).collect();
        if let Some(allowed) = allowed.get(package.name.as_str()) {
            let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
            assert!(used.is_subset(&allowed), "{} depends on {used:?}", package.name);
        }
        let foreign: Vec<&str> = package.dependencies.iter().map(|d| d.name.as_str()).collect();
        if ["proxmox-api", "proxmox-audit", "proxmox-gate", "proxmox-mcp-component"]
            .contains(&package.name.as_str())
        {
            for heavy in ["wasmtime", "tokio", "hyper", "rmcp"] {
                assert!(!foreign.contains(&heavy), "{} depends on {heavy}", package.name);
            }
        }
    }
}

/// Source files that people write.
fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["src", "api", "bench", "deploy", "fuzz", "host", "sim", "tests", "xtask"] {
        walk(&root().join(folder), &mut found);
    }
    let written = |path: &PathBuf| {
        !path.ends_with("src/bindings.rs") && !path.to_string_lossy().contains("api/src/methods")
    };
    found.retain(written);
    assert!(found.len() > 50, "only {} files found", found.len());
    found
}

#[test]
fn no_file_is_too_long_to_read() {
    for path in sources() {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 520, "{} has {lines} lines", path.display());
    }
}

#[test]
fn one_file_opens_sockets() {
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let host = path.to_string_lossy().contains("host/src");
        let opens = text.contains("HttpConnector::new") || text.contains("TcpStream::connect");
        assert!(!(host && opens) || path.ends_with("egress.rs"), "{} opens a socket", path.display());
    }
}

#[test]
fn the_tree_in_the_readme_is_the_tree() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let tree = readme.split("<!-- tree -->").nth(1).expect("a tree between markers in README.md");
    let mut named = 0;
    for line in tree.lines() {
        let Some(path) = line.split_whitespace().next() else { continue };
        if path.starts_with("```") {
            continue;
        }
        assert!(root().join(path).exists(), "README.md shows {path}, which is not there");
        named += 1;
    }
    assert!(named > 15, "the tree names only {named} places");
}
