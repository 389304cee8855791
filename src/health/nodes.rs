//! Nodes: down, or short of processor, memory, swap or room on the root disk.

use serde_json::{Value, json};

use super::Limits;
use crate::pve::findings::{Finding, Severity};
use crate::pve::nodes::is_online;
use crate::pve::resources::{Figure, Resource};
use crate::text;

const CPU: Limits = Limits { warning: 0.85, critical: 0.97 };
const MEMORY: Limits = Limits { warning: 0.85, critical: 0.95 };
const ROOT: Limits = Limits { warning: 0.85, critical: 0.95 };
/// Part of the swap in use.
const SWAP: f64 = 0.5;
/// Load of the last five minutes for each processor.
const LOAD: f64 = 1.5;
/// Part of the time that processors wait for disks.
const IO_WAIT: f64 = 0.2;

/// What `/cluster/resources` says of a node.
pub fn of_row(row: &Resource<'_>, rows: &[Resource<'_>]) -> Vec<Finding> {
    let about = format!("node {}", &*row.node);
    if !is_online(row) {
        let here = |guest: &&Resource<'_>| guest.is_guest() && guest.node == row.node && !guest.is_template();
        let guests = rows.iter().filter(here).count();
        let says = format!("offline; {} on it", text::count(guests, "guest"));
        return vec![Finding::new(Severity::Critical, "node-offline", about, says).count(guests)];
    }
    let share = |pair: Option<(f64, f64)>| pair.filter(|(_, all)| *all > 0.0).map(|(used, all)| used / all);
    let figures = [
        ("node-cpu-busy", "processors", row.cpu.value(), CPU),
        ("node-memory-full", "memory", share(row.memory()), MEMORY),
        ("node-root-full", "root disk", share(row.space()), ROOT),
    ];
    let finding = |(code, what, value, limits): (&'static str, &str, Option<f64>, Limits)| {
        let value = value?;
        let (severity, limit) = limits.judge(value)?;
        let says = format!("{what} {} in use", text::percent(value));
        Some(
            Finding::new(severity, code, &about, says)
                .measured(value, limit, "fraction")
                .next("proxmox_get_node_status", json!({"node": &*row.node})),
        )
    };
    figures.into_iter().filter_map(finding).collect()
}

/// What `/nodes/{node}/status` adds: swap, load, waiting for disks.
pub fn of_status(node: &str, status: &Value) -> Vec<Finding> {
    let figure = |pointer: &str| Figure::of(status.pointer(pointer)).value();
    let swap = figure("/swap/used").zip(figure("/swap/total")).filter(|(_, total)| *total > 0.0);
    let load = figure("/loadavg/1").zip(figure("/cpuinfo/cpus")).filter(|(_, cpus)| *cpus > 0.0);
    let found = [
        swap.map(|(used, total)| used / total).filter(|share| *share >= SWAP).map(|share| {
            ("node-swapping", format!("swap {} in use", text::percent(share)), share, SWAP, "fraction")
        }),
        load.map(|(load, cpus)| (load, load / cpus)).filter(|(_, each)| *each >= LOAD).map(|(load, each)| {
            (
                "node-load-high",
                format!("load {load:.1}, {each:.1} for each processor"),
                each,
                LOAD,
                "load for each CPU",
            )
        }),
        figure("/wait").filter(|wait| *wait >= IO_WAIT).map(|wait| {
            (
                "node-io-wait",
                format!("processors wait for disks {} of the time", text::percent(wait)),
                wait,
                IO_WAIT,
                "fraction",
            )
        }),
    ];
    let finding = |(code, says, value, limit, unit)| {
        Finding::new(Severity::Warning, code, format!("node {node}"), says)
            .measured(value, limit, unit)
            .next("proxmox_get_metrics", json!({"node": node}))
    };
    found.into_iter().flatten().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(json: &str) -> Vec<(&'static str, Severity)> {
        let rows: Vec<Resource<'_>> = serde_json::from_str(json).unwrap();
        of_row(&rows[0], &rows).iter().map(|finding| (finding.code, finding.severity)).collect()
    }

    #[test]
    fn a_node_is_judged_at_its_limits() {
        for (figures, expected) in [
            (r#""cpu":0.849,"mem":849,"maxmem":1000,"disk":849,"maxdisk":1000"#, vec![]),
            (r#""cpu":0.85"#, vec![("node-cpu-busy", Severity::Warning)]),
            (r#""mem":85,"maxmem":100"#, vec![("node-memory-full", Severity::Warning)]),
            (r#""mem":95,"maxmem":100"#, vec![("node-memory-full", Severity::Critical)]),
            (r#""disk":95,"maxdisk":100"#, vec![("node-root-full", Severity::Critical)]),
            (r#""mem":95,"maxmem":0"#, vec![]),
        ] {
            let json = format!(r#"[{{"type":"node","node":"a","status":"online",{figures}}}]"#);
            assert_eq!(codes(&json), expected, "{figures}");
        }
    }

    #[test]
    fn a_node_that_is_down_counts_its_guests() {
        let json = r#"[{"type":"node","node":"a","status":"offline","mem":99,"maxmem":100},
            {"type":"qemu","vmid":100,"node":"a"},{"type":"lxc","vmid":101,"node":"b"},
            {"type":"qemu","vmid":102,"node":"a","template":1}]"#;
        let rows: Vec<Resource<'_>> = serde_json::from_str(json).unwrap();
        let found = of_row(&rows[0], &rows);
        assert_eq!(
            (found.len(), found[0].code, found[0].says.as_str()),
            (1, "node-offline", "offline; 1 guest on it")
        );
    }

    #[test]
    fn swap_load_and_waiting_are_judged_at_their_limits() {
        let status = |swap: f64, load: &str, wait: f64| json!({"swap": {"used": swap, "total": 100}, "loadavg": ["9", load, "9"], "cpuinfo": {"cpus": 4}, "wait": wait});
        let codes =
            |status: Value| of_status("a", &status).iter().map(|finding| finding.code).collect::<Vec<_>>();
        assert!(codes(status(49.0, "5.99", 0.19)).is_empty());
        assert_eq!(codes(status(50.0, "6.0", 0.2)), ["node-swapping", "node-load-high", "node-io-wait"]);
        assert!(codes(json!({"swap": {"used": 0, "total": 0}})).is_empty());
        assert!(codes(Value::Null).is_empty());
    }
}
