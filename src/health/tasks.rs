//! Tasks of the cluster (`GET /cluster/tasks`, the latest of each node): those that failed, and those that run.

use serde_json::json;

use super::DAY;
use crate::foreign;
use crate::pve::findings::{Finding, Severity};
use crate::pve::history::{Entry, Went};
use crate::text;

/// So many tasks of each node there are in the list.
const OF_EACH_NODE: usize = 25;

/// What running tasks are about: guests, and nodes where a task is about no single guest (a backup of many).
pub fn busy(tasks: &[Entry]) -> Vec<String> {
    let at_work = tasks.iter().filter(|task| task.went == Went::Running);
    at_work.map(|task| if task.id.is_empty() { task.node.clone() } else { task.id.clone() }).collect()
}

/// Tasks that failed within a day, by kind and node. One that went well later is a note.
pub fn failed(tasks: &[Entry], now: u64) -> Vec<Finding> {
    let recent = |task: &&Entry| {
        task.went == Went::Failed && now.saturating_sub(task.ended.unwrap_or(task.started)) < DAY
    };
    let repaired = |failed: &Entry| {
        let later = |task: &&Entry| task.went.is_fine() && task.started > failed.started;
        let same =
            |task: &Entry| task.kind == failed.kind && task.id == failed.id && task.node == failed.node;
        !failed.id.is_empty() && tasks.iter().filter(later).any(same)
    };
    let mut groups: Vec<(&Entry, Severity, usize)> = Vec::new();
    for task in tasks.iter().filter(recent) {
        let severity = if repaired(task) { Severity::Info } else { Severity::Warning };
        let same = |(known, known_severity, _): &&mut (&Entry, Severity, usize)| {
            known.kind == task.kind && known.node == task.node && *known_severity == severity
        };
        match groups.iter_mut().find(same) {
            Some((latest, _, count)) => {
                *count += 1;
                if task.started > latest.started {
                    *latest = task;
                }
            }
            None => groups.push((task, severity, 1)),
        }
    }
    groups.into_iter().map(|(latest, severity, count)| finding(latest, severity, count, now)).collect()
}

fn finding(latest: &Entry, severity: Severity, count: usize, now: u64) -> Finding {
    let about = format!("task {} on node {}", latest.kind, latest.node);
    let of = if latest.id.is_empty() { String::new() } else { format!(" of {}", foreign::name(&latest.id)) };
    let ago = text::duration(span(now.saturating_sub(latest.ended.unwrap_or(latest.started))));
    let later = if severity == Severity::Info { "; went well later" } else { "" };
    let words = foreign::words(&latest.exit, 100);
    let says = format!("failed {count}× within a day, last{of} {ago} ago: {words}{later}");
    Finding::new(severity, "task-failed", about, says)
        .count(count)
        .next("proxmox_get_task", json!({"upid": foreign::line(&latest.upid, 200)}))
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53")]
fn span(seconds: u64) -> f64 {
    seconds as f64
}

/// The nodes of which the list may not reach back a day.
pub fn cut(tasks: &[Entry], now: u64) -> Vec<String> {
    let mut nodes: Vec<&str> = tasks.iter().map(|task| task.node.as_str()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let short = |node: &&str| {
        let of_node: Vec<&Entry> = tasks.iter().filter(|task| task.node == *node).collect();
        of_node.len() >= OF_EACH_NODE && of_node.iter().all(|task| now.saturating_sub(task.started) < DAY)
    };
    nodes.into_iter().filter(short).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const NOW: u64 = 1_795_340_000;

    fn task(id: &str, ago: u64, exit: &str) -> Value {
        let mut row = json!({"upid": "UPID:pve1:00000001:00000001:6B02B3BE:vzdump:101:ann@pve:", "node": "pve1", "type": "vzdump", "id": id, "user": "root@pam",
            "starttime": NOW - ago, "status": exit});
        if !exit.is_empty() {
            row["endtime"] = (NOW - ago + 5).into();
        }
        row
    }

    fn judged(tasks: &[Value]) -> Vec<(Severity, String)> {
        let rows = Entry::all(&Value::from(tasks));
        failed(&rows, NOW).into_iter().map(|finding| (finding.severity, finding.says)).collect()
    }

    #[test]
    fn failures_of_a_day_are_counted_by_kind() {
        let found = judged(&[
            task("100", DAY + 6, "job errors"),
            task("100", 7200, "job errors"),
            task("101", 3605, "no *space*"),
            task("102", 60, "OK"),
            task("103", 60, "WARNINGS: 2"),
            task("104", 60, ""),
        ]);
        let says = "failed 2× within a day, last of 101 1h 0m ago: no \\*space\\*".to_owned();
        assert_eq!(found, [(Severity::Warning, says)]);
    }

    #[test]
    fn a_failure_that_went_well_later_is_a_note() {
        let severities =
            |tasks: &[Value]| judged(tasks).into_iter().map(|(severity, _)| severity).collect::<Vec<_>>();
        assert_eq!(severities(&[task("100", 600, "x"), task("100", 60, "OK")]), [Severity::Info]);
        assert_eq!(severities(&[task("100", 60, "x"), task("100", 600, "OK")]), [Severity::Warning]);
        assert_eq!(severities(&[task("", 600, "x"), task("", 60, "OK")]), [Severity::Warning]);
    }

    #[test]
    fn running_tasks_name_what_they_hold() {
        assert_eq!(
            busy(&Entry::all(&json!([task("100", 60, ""), task("", 60, ""), task("101", 60, "OK")]))),
            ["100", "pve1"]
        );
    }

    #[test]
    fn a_list_that_ends_within_the_day_is_said_to() {
        let rows = |ago: u64| Entry::all(&Value::from(vec![task("100", ago, "OK"); OF_EACH_NODE]));
        assert_eq!(cut(&rows(60), NOW), ["pve1"]);
        assert!(cut(&rows(DAY), NOW).is_empty() && cut(&rows(60)[1..], NOW).is_empty());
    }
}
