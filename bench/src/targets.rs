//! What this server is to reach. All but the memory are ratios to something in the same run.

use crate::results::Results;

/// A target and what was measured.
#[derive(Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) what: &'static str,
    pub(crate) limit: String,
    pub(crate) found: String,
    pub(crate) holds: bool,
}

fn target(what: &'static str, limit: String, found: String, holds: bool) -> Target {
    Target { what, limit, found, holds }
}

/// Every target that the run has figures for.
pub(crate) fn of(results: &Results) -> Vec<Target> {
    let parts = [start(results), read(results), crowds(results), lists(results), growth(results)];
    parts.into_iter().flatten().collect()
}

fn start(results: &Results) -> Vec<Target> {
    let Some(start) = results.starts.first() else { return Vec::new() };
    let limit = (2.0 * start.nothing_best_ms).max(10.0);
    let idle = start.idle_kib as f64 / 1024.0;
    vec![
        target(
            "start to tools/list, best",
            format!("{limit:.1} ms (nothing: {:.1} ms)", start.nothing_best_ms),
            format!("{:.1} ms", start.best_ms),
            start.best_ms <= limit,
        ),
        target("idle memory", "16 MiB".into(), format!("{idle:.1} MiB"), idle <= 16.0),
    ]
}

fn read(results: &Results) -> Vec<Target> {
    let Some(row) = results.row(3, 0, "nodes") else { return Vec::new() };
    let over = |own: f64, floor: f64| (own - floor) / 1e3;
    let median = over(row.cost.times.median_us, row.floor.times.median_us);
    let p99 = over(row.cost.times.p99_us, row.floor.times.p99_us);
    vec![
        target(
            "warm read over the floor, median",
            "0.25 ms".into(),
            format!("{median:.2} ms"),
            median <= 0.25,
        ),
        target("warm read over the floor, p99", "1 ms".into(), format!("{p99:.2} ms"), p99 <= 1.0),
    ]
}

fn crowds(results: &Results) -> Vec<Target> {
    let crowds = results.server(3, 10).map_or(&[][..], |server| &server.crowds);
    let wanted = [(32, 0.9, "32 in flight at 10 ms"), (256, 0.75, "256 in flight at 10 ms")];
    let found = wanted.into_iter().filter_map(|(in_flight, share, what)| {
        let crowd = crowds.iter().find(|crowd| crowd.in_flight == in_flight)?;
        let possible = crowd.possible?;
        let reached = crowd.per_second / possible;
        Some(target(
            what,
            format!("{:.0} % of {possible:.0}/s", share * 100.0),
            format!(
                "{:.0} % ({:.0}/s; floor {:.0} %)",
                reached * 100.0,
                crowd.per_second,
                crowd.floor_per_second / possible * 100.0
            ),
            reached >= share,
        ))
    });
    found.collect()
}

fn lists(results: &Results) -> Vec<Target> {
    let mut targets = Vec::new();
    if let Some(row) = results.row(16, 0, "guests") {
        let requests = row.requests;
        targets.push(target(
            "requests for 2,000 guests",
            "1".into(),
            format!("{requests:.2}"),
            requests <= 1.0,
        ));
        // The floor that renders too is the same code without a sandbox.
        let rendered = row.native.map_or(f64::NAN, |native| row.cost.cpu_us / native.cpu_us);
        targets.push(target(
            "CPU for 2,000 guests",
            "2.0 x a plain client that renders".into(),
            format!("{rendered:.1} x ({:.1} x one that only fetches)", row.cost.cpu_us / row.floor.cpu_us),
            rendered <= 2.0,
        ));
    }
    if let (Some(row), Some(server)) = (results.row(64, 0, "guests"), results.server(64, 0)) {
        let seconds = row.cost.times.p99_us / 1e6;
        let peak = server.peak_kib as f64 / 1024.0;
        targets.push(target("20,000 guests, p99", "1 s".into(), format!("{seconds:.2} s"), seconds <= 1.0));
        targets.push(target(
            "20,000 guests, peak memory",
            "128 MiB".into(),
            format!("{peak:.0} MiB"),
            peak <= 128.0,
        ));
    }
    targets
}

fn growth(results: &Results) -> Vec<Target> {
    let Some(long) = &results.long else { return Vec::new() };
    let slower = long.last_median_us / long.first_median_us;
    let larger = long.last_kib as f64 / long.early_kib as f64;
    let calls = long.calls;
    vec![
        target(
            "median after many calls",
            "1.15 x that of the first".into(),
            format!("{slower:.2} x after {calls}"),
            slower <= 1.15,
        ),
        target(
            "memory after many calls",
            "1.10 x that after the first".into(),
            format!("{larger:.2} x after {calls}"),
            larger <= 1.10,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Long, Start};

    fn results(best_ms: f64, idle_kib: u64, last_kib: u64) -> Results {
        let start = Start {
            server: "x".into(),
            best_ms,
            median_ms: best_ms,
            nothing_best_ms: 6.0,
            nothing_median_ms: 6.0,
            bytes: 1,
            idle_kib,
        };
        let long = Long {
            server: "x".into(),
            calls: 100,
            first_median_us: 100.0,
            last_median_us: 100.0,
            early_kib: 10_000,
            last_kib,
        };
        let (machine, date) = Default::default();
        Results {
            machine,
            date,
            load_before: 0.0,
            starts: vec![start],
            clusters: Vec::new(),
            long: Some(long),
        }
    }

    fn missed(results: &Results) -> Vec<&'static str> {
        of(results).into_iter().filter(|target| !target.holds).map(|target| target.what).collect()
    }

    #[test]
    fn a_target_holds_up_to_its_limit_and_no_further() {
        assert!(missed(&results(12.0, 16 * 1024, 11_000)).is_empty());
        let beyond = missed(&results(12.1, 16 * 1024 + 1, 11_001));
        assert_eq!(beyond, ["start to tools/list, best", "idle memory", "memory after many calls"]);
    }
}
