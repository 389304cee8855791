//! The cluster: quorum, high availability, replication.

use serde_json::{Value, json};

use super::DAY;
use crate::dates;
use crate::foreign;
use crate::pve::findings::{Finding, Severity};
use crate::pve::nodes::is_online;
use crate::pve::resources::{Figure, Resource};
use crate::text;

/// Quorum (`GET /cluster/status`): lost, or lost with the next node that goes.
pub fn quorum(status: &Value, rows: &[Resource<'_>]) -> Vec<Finding> {
    let entries = status.as_array().map(Vec::as_slice).unwrap_or_default();
    let kind = |entry: &&Value| entry.get("type").and_then(Value::as_str) == Some("cluster");
    let Some(cluster) = entries.iter().find(kind) else { return Vec::new() };
    let nodes: Vec<_> = rows.iter().filter(|row| row.is_node()).collect();
    let online = nodes.iter().filter(|row| is_online(row)).count();
    let finding = |severity, code, says: &str| {
        vec![Finding::new(severity, code, "cluster", says).next("proxmox_get_cluster_status", json!({}))]
    };
    if !Figure::of(cluster.get("quorate")).flag() {
        return finding(Severity::Critical, "quorum-lost", "no quorum: nothing can be started or changed");
    }
    if online < nodes.len() && online == nodes.len() / 2 + 1 {
        return finding(Severity::Warning, "quorum-at-risk", "one more node down, and quorum is lost");
    }
    Vec::new()
}

/// Where the API says how high availability is.
pub(super) const HA: &str = "/cluster/ha/status/current";

/// High availability (`GET /cluster/ha/status/current`): guests in error, nodes whose agent is silent.
pub fn high_availability(answer: &Value, rows: &[Resource<'_>]) -> Vec<Finding> {
    let text =
        |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let online = |node: &str| rows.iter().any(|row| row.is_node() && &*row.node == node && is_online(row));
    let entries = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    for entry in entries {
        let (kind, node) = (text(entry, "type"), text(entry, "node"));
        let state =
            Some(text(entry, "state")).filter(|state| !state.is_empty()).unwrap_or(text(entry, "crm_state"));
        if kind == "service" && matches!(state.as_str(), "error" | "fence" | "recovery") {
            let says = format!("high availability is in state {}", foreign::state(&state));
            let about = format!("HA guest {}", text(entry, "sid"));
            found.push(Finding::new(Severity::Critical, "ha-error", about, says).read(HA));
        }
        if kind == "lrm" && text(entry, "status").contains("old timestamp") && online(&node) {
            let says = "the node is online, but its HA agent (`pve-ha-lrm`) is silent";
            found.push(Finding::new(Severity::Warning, "ha-agent-silent", format!("node {node}"), says));
        }
    }
    found
}

/// Guests whose state of high availability `/cluster/resources` gives as broken.
pub fn ha_states<'r>(guests: impl Iterator<Item = &'r Resource<'r>>) -> Option<Finding> {
    let broken = |row: &&Resource<'_>| matches!(&*row.hastate, "error" | "fence" | "recovery");
    let ids: Vec<u32> =
        guests.filter(broken).filter_map(|row| row.guest_id()).map(|id| id.number()).collect();
    let says = format!("high availability gave up on {}", text::count(ids.len(), "guest"));
    let finding = Finding::new(Severity::Critical, "ha-error", "guests", says);
    (!ids.is_empty()).then(|| finding.guests(ids).read(HA))
}

/// Replication of a node's guests (`GET /nodes/{node}/replication`).
pub fn replication(node: &str, answer: &Value, now: u64) -> Vec<Finding> {
    let rows = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let failed = |row: &&Value| {
        Figure::of(row.get("fail_count")).value().is_some_and(|fails| fails > 0.0)
            || row.get("error").is_some()
    };
    let finding = |row: &Value| {
        let id = row.get("id").and_then(Value::as_str).unwrap_or_default();
        let fails = Figure::of(row.get("fail_count")).whole().unwrap_or(1);
        let last = Figure::of(row.get("last_sync")).whole().filter(|at| *at > 0);
        let last = last.map_or("never complete".to_owned(), |at| {
            format!("last complete {} ago", text::duration(seconds(now.saturating_sub(at))))
        });
        let why = row.get("error").and_then(Value::as_str).unwrap_or_default();
        let why = if why.is_empty() { String::new() } else { format!(": {}", foreign::words(why, 100)) };
        let says = format!("failed {fails} times in a row, {last}{why}");
        let about = format!("replication {id} of node {node}");
        Finding::new(Severity::Warning, "replication-failed", about, says)
            .count(usize::try_from(fails).unwrap_or(usize::MAX))
            .read(format!("/nodes/{node}/replication"))
    };
    rows.iter().filter(failed).map(finding).collect()
}

/// How long a certificate has to hold for a warning and for more than that, in days.
const CERTIFICATE: (u64, u64) = (14, 3);

/// Certificates of a node (`GET /nodes/{node}/certificates/info`) that expire.
pub fn certificates(node: &str, answer: &Value, now: u64) -> Vec<Finding> {
    let rows = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let finding = |row: &Value| {
        let end = Figure::of(row.get("notafter")).whole()?;
        let days = end.saturating_sub(now) / DAY;
        let (warning, critical) = CERTIFICATE;
        let (code, severity, says) = if end <= now {
            ("certificate-expired", Severity::Critical, format!("expired on {}", dates::date(end)))
        } else if days < warning {
            let severity = if days < critical { Severity::Critical } else { Severity::Warning };
            ("certificate-expiring", severity, format!("expires on {}", dates::date(end)))
        } else {
            return None;
        };
        let file = row.get("filename").and_then(Value::as_str).unwrap_or_default();
        let about = format!("certificate {file} of node {node}");
        Some(
            Finding::new(severity, code, about, says)
                .on(dates::date(end))
                .measured(seconds(days), seconds(warning), "days")
                .read(format!("/nodes/{node}/certificates/info")),
        )
    };
    rows.iter().filter_map(finding).collect()
}

#[expect(clippy::cast_precision_loss, reason = "times and counts are far below 2^53")]
fn seconds(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(online: usize, all: usize) -> String {
        let status = |number| if number < online { "online" } else { "offline" };
        let rows: Vec<Value> = (0..all)
            .map(|number| json!({"type": "node", "node": format!("n{number}"), "status": status(number)}))
            .collect();
        Value::from(rows).to_string()
    }

    #[test]
    fn quorum_is_lost_at_risk_or_fine() {
        for (online, all, quorate, expected) in [
            (3, 3, 1, vec![]),
            (2, 3, 1, vec!["quorum-at-risk"]),
            (4, 5, 1, vec![]),
            (3, 5, 1, vec!["quorum-at-risk"]),
            (1, 3, 0, vec!["quorum-lost"]),
        ] {
            let json = nodes(online, all);
            let rows: Vec<Resource<'_>> = serde_json::from_str(&json).unwrap();
            let found = quorum(&json!([{"type": "cluster", "quorate": quorate}]), &rows);
            assert_eq!(
                found.iter().map(|finding| finding.code).collect::<Vec<_>>(),
                expected,
                "{online} of {all}"
            );
        }
        assert!(quorum(&json!([{"type": "node"}]), &[]).is_empty(), "a stand-alone node needs none");
    }

    #[test]
    fn ha_errors_and_silent_agents_are_found() {
        let json = nodes(1, 2);
        let rows: Vec<Resource<'_>> = serde_json::from_str(&json).unwrap();
        let answer = json!([
            {"type": "service", "sid": "vm:100", "state": "started"}, {"type": "service", "sid": "vm:101", "state": "error"},
            {"type": "service", "sid": "ct:102", "crm_state": "fence"},
            {"type": "lrm", "node": "n0", "status": "n0 (old timestamp - dead?, x)"},
            {"type": "lrm", "node": "n1", "status": "n1 (old timestamp - dead?, x)"},
        ]);
        let found = high_availability(&answer, &rows);
        assert_eq!(found[0].datum()["next"], format!("proxmox_read_api {{\"path\":\"{HA}\"}}"));
        let codes: Vec<_> = found.iter().map(|finding| (finding.code, finding.about.as_str())).collect();
        assert_eq!(
            codes,
            [
                ("ha-error", "HA guest vm:101"),
                ("ha-error", "HA guest ct:102"),
                ("ha-agent-silent", "node n0")
            ]
        );
    }

    #[test]
    fn replication_that_failed_says_since_when() {
        let answer = json!([
            {"id": "100-0", "fail_count": 0, "last_sync": 1000},
            {"id": "101-0", "fail_count": 3, "last_sync": 1000, "error": "no route\nto *host*"},
            {"id": "102-0", "fail_count": "1", "last_sync": 0},
        ]);
        let found = replication("pve1", &answer, 1000 + 7200);
        let says: Vec<&str> = found.iter().map(|finding| finding.says.as_str()).collect();
        assert_eq!(
            says,
            [
                "failed 3 times in a row, last complete 2h 0m ago: no route to \\*host\\*",
                "failed 1 times in a row, never complete"
            ]
        );
    }

    #[test]
    fn certificates_are_judged_by_the_days_left() {
        const NOW: u64 = 1_795_340_000;
        for (end, expected) in [
            (NOW + 14 * DAY, None),
            (NOW + 14 * DAY - 1, Some(("certificate-expiring", Severity::Warning))),
            (NOW + 3 * DAY, Some(("certificate-expiring", Severity::Warning))),
            (NOW + 3 * DAY - 1, Some(("certificate-expiring", Severity::Critical))),
            (NOW, Some(("certificate-expired", Severity::Critical))),
        ] {
            let found = certificates("pve1", &json!([{"filename": "pve-ssl.pem", "notafter": end}]), NOW);
            assert_eq!(found.first().map(|finding| (finding.code, finding.severity)), expected, "{end}");
        }
    }
}
