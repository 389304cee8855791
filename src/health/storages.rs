//! Storages: full, filling up, or not answering.

use serde_json::json;

use super::Limits;
use crate::dates;
use crate::pve::findings::{Finding, Severity};
use crate::pve::storages::Storage;
use crate::pve::trend;
use crate::text;

const SPACE: Limits = Limits { warning: 0.85, critical: 0.95 };
/// Storages that are less full than this are not asked how they grow.
const WORTH_A_LOOK: f64 = 0.5;
const DAY: f64 = 86_400.0;

/// `storage nfs`, or `storage local of node pve1`.
fn about(storage: &Storage<'_>) -> String {
    let id = &*storage.row.storage;
    if storage.is_shared() {
        format!("storage {id}")
    } else {
        format!("storage {id} of node {}", &*storage.row.node)
    }
}

/// How full a storage is, 0 to 1.
pub fn fill(storage: &Storage<'_>) -> Option<f64> {
    let (used, all) = storage.row.space().filter(|(_, all)| *all > 0.0)?;
    storage.online.then_some(used / all)
}

/// The fullest storages, fullest first.
pub fn fullest<'s, 'r>(all: &'s [Storage<'r>], most: usize) -> Vec<&'s Storage<'r>> {
    let mut found: Vec<(f64, &Storage<'_>)> = all
        .iter()
        .filter_map(|storage| Some((fill(storage)?, storage)))
        .filter(|(fill, _)| *fill >= WORTH_A_LOOK)
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().take(most).map(|(_, storage)| storage).collect()
}

/// A storage that has no figures although a node that has it is online.
pub fn offline(storage: &Storage<'_>) -> Option<Finding> {
    if storage.online && storage.failing.is_empty() || storage.nodes_offline {
        return None;
    }
    let (severity, says) = if storage.online {
        (Severity::Warning, format!("no figures from {}: down there?", storage.failing.join(", ")))
    } else {
        (Severity::Critical, "no figures: down or disabled".to_owned())
    };
    let says = crate::foreign::words(&says, 200);
    Some(
        Finding::new(severity, "storage-offline", about(storage), says)
            .next("proxmox_get_storage", json!({})),
    )
}

/// A storage that is full or will be: `history` is its use in bytes over time, where it was asked.
pub fn space(storage: &Storage<'_>, history: Option<&[(f64, f64)]>, now: f64) -> Option<Finding> {
    let share = fill(storage)?;
    let total = storage.row.maxdisk.value()?;
    let full = history.and_then(|series| trend::reaches(series, total)).map(|at| at.max(now));
    let soon = full.and_then(|at| match (at - now) / DAY {
        days if days < 7.0 => Some(Severity::Critical),
        days if days < 30.0 => Some(Severity::Warning),
        days if days < 90.0 => Some(Severity::Info),
        _ => None,
    });
    let judged = SPACE.judge(share);
    let severity =
        [judged.map(|(severity, _)| severity), soon].into_iter().flatten().min_by_key(|s| s.rank())?;
    let limit = judged.map_or(SPACE.warning, |(_, limit)| limit);
    let code = if share >= SPACE.critical { "storage-full" } else { "storage-filling" };
    let mut says = format!("{} used", text::percent(share));
    let mut finding = Finding::new(severity, code, about(storage), "").measured(share, limit, "fraction");
    if let Some(date) = full.map(day) {
        says += &format!(", full about {date}");
        finding = finding.on(date);
    }
    let node = &*storage.row.node;
    finding.says = says;
    Some(finding.next("proxmox_get_storage_content", json!({"storage": &*storage.row.storage, "node": node})))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
fn day(unix: f64) -> String {
    dates::date(unix as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pve::resources::Resource;
    use crate::pve::storages::all;

    const NOW: f64 = 1_795_340_000.0;

    fn judged(used: u32, history: Option<&[(f64, f64)]>) -> Option<(&'static str, Severity)> {
        let json = format!(
            r#"[{{"type":"node","node":"a","status":"online"}},
                {{"type":"storage","storage":"nfs","node":"a","status":"available","disk":{used},"maxdisk":100}}]"#
        );
        let rows: Vec<Resource<'_>> = serde_json::from_str(&json).unwrap();
        space(&all(&rows)[0], history, NOW).map(|finding| (finding.code, finding.severity))
    }

    /// Use over the last 14 days that grew by this much each day, up to 70.
    fn growth(pace: f64) -> Vec<(f64, f64)> {
        (0..15)
            .map(|day| (NOW - (14.0 - f64::from(day)) * DAY, 70.0 - pace * (14.0 - f64::from(day))))
            .collect()
    }

    #[test]
    fn a_storage_is_judged_by_what_is_used() {
        assert_eq!(judged(84, None), None);
        assert_eq!(judged(85, None), Some(("storage-filling", Severity::Warning)));
        assert_eq!(judged(95, None), Some(("storage-full", Severity::Critical)));
    }

    #[test]
    fn a_storage_is_judged_by_when_it_is_full() {
        for (pace, expected) in [
            (30.0 / 6.9, Some(Severity::Critical)),
            (30.0 / 7.1, Some(Severity::Warning)),
            (30.0 / 30.5, Some(Severity::Info)),
            (30.0 / 91.0, None),
            (0.0, None),
        ] {
            let found = judged(70, Some(&growth(pace)));
            assert_eq!(found.map(|(_, severity)| severity), expected, "{pace} a day");
        }
        assert_eq!(judged(96, Some(&growth(0.1))), Some(("storage-full", Severity::Critical)));
    }

    #[test]
    fn a_storage_without_figures_is_down_unless_its_node_is() {
        let json = r#"[{"type":"node","node":"a","status":"online"},{"type":"node","node":"b","status":"offline"},
            {"type":"storage","storage":"s1","node":"a","status":"unknown"},
            {"type":"storage","storage":"s2","node":"b","status":"unknown"},
            {"type":"storage","storage":"s3","node":"a","status":"available","disk":60,"maxdisk":100},
            {"type":"storage","storage":"s4","node":"a","status":"available","disk":10,"maxdisk":100}]"#;
        let rows: Vec<Resource<'_>> = serde_json::from_str(json).unwrap();
        let all = all(&rows);
        let down: Vec<String> = all.iter().filter_map(offline).map(|finding| finding.about).collect();
        assert_eq!(down, ["storage s1 of node a"]);
        assert_eq!(fullest(&all, 3).len(), 1);
    }
}
