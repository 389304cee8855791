//! Upkeep of nodes: pending updates, subscription, clocks.

use serde_json::{Value, json};

use crate::foreign;
use crate::pve::findings::{Finding, Severity};
use crate::pve::resources::Figure;
use crate::text;

/// So many pending updates say that nobody updates.
const MANY: usize = 100;
/// How far apart the clocks of two nodes may be, in seconds; the answers take a moment.
const DRIFT: f64 = 5.0;

/// Pending updates of a node (`GET /nodes/{node}/apt/update`).
pub fn updates(node: &str, answer: &Value) -> Option<Finding> {
    let rows = answer.as_array().filter(|rows| !rows.is_empty())?;
    let text =
        |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let security = rows
        .iter()
        .filter(|row| ["Origin", "Section", "Title"].iter().any(|key| text(row, key).contains("security")))
        .count();
    let kernel = |row: &Value| {
        let package = text(row, "Package");
        package.starts_with("proxmox-kernel") || package.starts_with("pve-kernel")
    };
    let mut says = format!("{} pending", text::count(rows.len(), "update"));
    if security > 0 {
        says += &format!(", {security} for security");
    }
    if rows.iter().any(kernel) {
        says += ", a kernel among them";
    }
    let severity = if security > 0 || rows.len() >= MANY { Severity::Warning } else { Severity::Info };
    Some(
        Finding::new(severity, "updates-pending", format!("node {node}"), says)
            .count(rows.len())
            .read(format!("/nodes/{node}/apt/update")),
    )
}

/// Subscriptions of nodes (`GET /nodes/{node}/subscription`): none is a note, one that ended a warning.
pub fn subscriptions(answers: &[(String, Value)]) -> Vec<Finding> {
    let status =
        |answer: &Value| answer.get("status").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let with = |wanted: &[&str]| -> Vec<&str> {
        answers
            .iter()
            .filter(|(_, answer)| wanted.contains(&status(answer).as_str()))
            .map(|(node, _)| node.as_str())
            .collect()
    };
    let finding = |nodes: Vec<&str>, severity, code, says: &str| {
        let named: Vec<String> = nodes.iter().take(8).map(|node| foreign::name(node)).collect();
        let says = format!("{says} ({})", named.join(", "));
        let about = text::count(nodes.len(), "node");
        (!nodes.is_empty()).then(|| Finding::new(severity, code, about, says).count(nodes.len()))
    };
    [
        finding(
            with(&["expired", "invalid", "suspended"]),
            Severity::Warning,
            "subscription-ended",
            "subscription expired or not valid: no updates from the enterprise repository",
        ),
        finding(with(&["notfound", "new"]), Severity::Info, "subscription-none", "no subscription"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Clocks of nodes (`GET /nodes/{node}/time`, asked at the same time): those that are off the middle one.
pub fn clocks(answers: &[(String, Value)]) -> Vec<Finding> {
    let time =
        |(node, answer): &(String, Value)| Some((node.clone(), Figure::of(answer.get("time")).value()?));
    let times: Vec<(String, f64)> = answers.iter().filter_map(time).collect();
    let mut sorted: Vec<f64> = times.iter().map(|(_, time)| *time).collect();
    sorted.sort_by(f64::total_cmp);
    let Some(middle) = sorted.get(sorted.len() / 2).copied() else { return Vec::new() };
    let off = |(node, time): &(String, f64)| {
        let drift = (time - middle).abs();
        let says = format!("clock {} from that of the others", text::duration(drift));
        let finding = Finding::new(Severity::Warning, "clock-drift", format!("node {node}"), says);
        (drift > DRIFT).then(|| finding.measured(drift, DRIFT, "seconds").read(format!("/nodes/{node}/time")))
    };
    times.iter().filter_map(off).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_are_a_note_until_they_are_for_security_or_many() {
        let plain = |number: usize| Value::from(vec![json!({"Package": "vim", "Origin": "Debian"}); number]);
        assert_eq!(updates("a", &json!([])), None);
        assert_eq!(updates("a", &plain(99)).unwrap().severity, Severity::Info);
        assert_eq!(updates("a", &plain(100)).unwrap().severity, Severity::Warning);
        let found = updates(
            "a",
            &json!([{"Package": "openssl", "Origin": "Debian-Security"}, {"Package": "proxmox-kernel-6.17"}]),
        )
        .unwrap();
        assert_eq!(
            (found.severity, found.says.as_str()),
            (Severity::Warning, "2 updates pending, 1 for security, a kernel among them")
        );
    }

    #[test]
    fn subscriptions_are_counted_over_nodes() {
        let answer = |node: &str, status: &str| (node.to_owned(), json!({"status": status}));
        let found = subscriptions(&[
            answer("a", "notfound"),
            answer("b", "Active"),
            answer("c", "NotFound"),
            answer("d", "expired"),
        ]);
        let says: Vec<_> = found.iter().map(|finding| (finding.code, finding.about.as_str())).collect();
        assert_eq!(says, [("subscription-ended", "1 node"), ("subscription-none", "2 nodes")]);
    }

    #[test]
    fn a_clock_is_held_against_the_others() {
        let answer = |node: &str, time: u64| (node.to_owned(), json!({"time": time}));
        let codes = |times: [u64; 3]| {
            let answers = [answer("a", times[0]), answer("b", times[1]), answer("c", times[2])];
            clocks(&answers).iter().map(|finding| finding.about.clone()).collect::<Vec<_>>()
        };
        assert!(codes([1000, 1005, 1001]).is_empty());
        assert_eq!(codes([1000, 1001, 1010]), ["node c"]);
        assert!(clocks(&[]).is_empty() && clocks(&[answer("a", 1)]).is_empty());
    }
}
