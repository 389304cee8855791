//! The figures that do not depend on the machine's speed: instructions and allocations as callgrind counts
//! them, requests, bytes, sizes. `bench/figures.toml` holds what they are and by how much each may grow.

mod callgrind;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::server;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/figures.toml");

/// Instructions may differ a little from machine to machine: the C library picks its routines by processor.
const OF_INSTRUCTIONS: u64 = 8;
const OF_ALLOCATIONS: u64 = 5;
const OF_SIZES: u64 = 10;

/// A figure, and by how many percent it may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Figure {
    value: u64,
    margin: u64,
}

impl Figure {
    /// The most that it may become.
    fn most(self) -> u64 {
        self.value + self.value * self.margin / 100
    }

    /// So little that the recorded figure should be lowered.
    fn least(self) -> u64 {
        self.value - self.value * self.margin / 100
    }
}

type Figures = BTreeMap<String, Figure>;

/// Counts, and compares or writes down; whether nothing has grown too much, where that was asked.
pub(crate) fn run(check: bool, update: bool) -> Result<bool> {
    let found = count()?;
    if update {
        std::fs::write(FILE, written(&found)?)?;
    }
    let text =
        std::fs::read_to_string(FILE).context("no bench/figures.toml; `figures --update` writes it")?;
    let recorded: Figures = toml::from_str(&text).context(FILE)?;
    let (lines, well) = compare(&recorded, &found);
    println!("{}", lines.join("\n"));
    if !well {
        eprintln!(
            "A figure has grown. If that is worth it, say why in the commit, and record it: \
             cargo run --release -p proxmox-bench -- figures --update"
        );
    }
    Ok(!check || well)
}

fn written(figures: &Figures) -> Result<String> {
    let head = "# What `cargo run --release -p proxmox-bench -- figures --check` compares with. A figure may grow by its\n\
                # margin, in percent. Counts are those of the native code on x86-64; sizes are in bytes.\n\n";
    Ok(format!("{head}{}", toml::to_string(figures)?))
}

fn compare(recorded: &Figures, found: &Figures) -> (Vec<String>, bool) {
    let (mut lines, mut well) = (Vec::new(), true);
    for (name, new) in found {
        let value = new.value;
        lines.push(match recorded.get(name) {
            None => {
                well = false;
                format!("{name}: {value}, NOT RECORDED")
            }
            Some(old) if value > old.most() => {
                well = false;
                format!("{name}: {value}, GROWN from {} by more than {} %", old.value, old.margin)
            }
            Some(old) if value < old.least() => {
                format!("{name}: {value}, less than {}: record that with --update", old.value)
            }
            Some(old) => format!("{name}: {value} (recorded {})", old.value),
        });
    }
    for name in recorded.keys().filter(|name| !found.contains_key(*name)) {
        lines.push(format!("{name}: not counted here"));
    }
    (lines, well)
}

/// A tool whose native call is counted, on a cluster of so many nodes and guests.
const CALLS: &[(&str, &str, &str, &str)] = &[
    ("3", "30", "proxmox_get_nodes", "{}"),
    ("3", "30", "proxmox_get_vms", "{}"),
    ("3", "30", "proxmox_get_storage", "{}"),
    ("3", "30", "proxmox_get_cluster_status", "{}"),
    ("3", "30", "proxmox_health", "{}"),
    ("3", "30", "proxmox_execute_vm_command", r#"{"node":"pve1","vmid":101,"command":["uptime"]}"#),
    ("16", "2000", "proxmox_get_vms", "{}"),
    ("16", "2000", "proxmox_health", "{}"),
];

fn count() -> Result<Figures> {
    let mut figures = Figures::new();
    let built = server::build()?;
    let size = |path: PathBuf| {
        std::fs::metadata(&path).map(|data| data.len()).with_context(|| format!("no {}", path.display()))
    };
    let component = built.component.join("component/wasm32-wasip2/component/proxmox_mcp.wasm");
    let sizes = [
        ("size of the component", component),
        ("size of the compiled component", built.component.join("component.cwasm")),
        ("size of the program", built.binary),
    ];
    for (name, path) in sizes {
        figures.insert(name.to_owned(), Figure { value: size(path)?, margin: OF_SIZES });
    }
    let work = std::env::current_exe()?.with_file_name("bench-work");
    ensure!(work.exists(), "bench-work stands beside this program; build the whole package");
    let valgrind = callgrind::is_there();
    if !valgrind {
        eprintln!(
            "valgrind is not installed (`apt-get install valgrind`): instructions and allocations are not counted"
        );
    }
    for what in ["gate-read", "gate-change", "gate-filter", "secrets-search"] {
        if valgrind {
            counted(&mut figures, &work, &what.replace('-', ", "), &[what], &[])?;
        }
    }
    for (nodes, guests, tool, arguments) in CALLS.iter().copied() {
        let name = format!("{tool}, {guests} guests");
        let output = Command::new(&work).args(["call", "1", nodes, guests, tool, arguments]).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (requests, bytes) = said.trim().split_once(' ').with_context(|| format!("{name}: {output:?}"))?;
        figures.insert(format!("{name}: requests"), Figure { value: requests.parse()?, margin: 0 });
        figures.insert(format!("{name}: bytes"), Figure { value: bytes.parse()?, margin: OF_SIZES });
        if valgrind {
            counted(&mut figures, &work, &name, &["call"], &[nodes, guests, tool, arguments])?;
        }
    }
    Ok(figures)
}

/// Instructions and allocations of one time: the difference between two numbers of times.
fn counted(figures: &mut Figures, work: &Path, name: &str, before: &[&str], after: &[&str]) -> Result<()> {
    const FEW: u64 = 2;
    const MANY: u64 = 7;
    let run = |times: u64| callgrind::run(work, &[before, &[&times.to_string()], after].concat());
    let (few, many) = (run(FEW)?, run(MANY)?);
    let each = |few: u64, many: u64| many.saturating_sub(few) / (MANY - FEW);
    let instructions = each(few.instructions, many.instructions);
    let allocations = each(few.allocations, many.allocations);
    figures.insert(format!("{name}: instructions"), Figure { value: instructions, margin: OF_INSTRUCTIONS });
    figures.insert(format!("{name}: allocations"), Figure { value: allocations, margin: OF_ALLOCATIONS });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(value: u64) -> Figures {
        Figures::from([("a: bytes".to_owned(), Figure { value, margin: 10 })])
    }

    #[test]
    fn a_figure_may_grow_by_its_margin_and_no_more() {
        let recorded: Figures = toml::from_str(&written(&figures(200)).unwrap()).unwrap();
        assert_eq!(recorded, figures(200));
        assert!(compare(&recorded, &figures(220)).1);
        assert!(!compare(&recorded, &figures(221)).1);
        let (lines, well) = compare(&recorded, &figures(179));
        assert!(well && lines[0].contains("--update"), "{lines:?}");
    }

    #[test]
    fn a_figure_that_nobody_recorded_is_noticed() {
        assert!(!compare(&Figures::new(), &figures(1)).1);
        assert!(compare(&figures(1), &Figures::new()).1, "where valgrind is missing, others still count");
    }

    #[test]
    fn the_recorded_figures_can_be_read_and_are_about_what_is_counted() {
        let recorded: Figures = toml::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
        for (_, guests, tool, _) in CALLS {
            for what in ["instructions", "allocations", "requests", "bytes"] {
                let name = format!("{tool}, {guests} guests: {what}");
                assert!(recorded.contains_key(&name), "{name} is not in bench/figures.toml");
            }
        }
    }
}
