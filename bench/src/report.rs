//! The results as Markdown tables.

use std::fmt::Write;

use crate::results::{At, Cost, Crowd, Results, Row};
use crate::targets::Target;

/// All tables.
pub(crate) fn tables(results: &Results, targets: &[Target]) -> String {
    let mut out =
        format!("{}, {}, load before {:.1}\n\n", results.date, results.machine, results.load_before);
    starts(&mut out, results);
    for at in &results.clusters {
        cluster(&mut out, at);
    }
    if let Some(long) = &results.long {
        line(
            &mut out,
            format_args!(
                "{} calls of {}: median {} at first, {} at last; memory {} early, {} at last\n",
                long.calls,
                long.server,
                time(long.first_median_us),
                time(long.last_median_us),
                mib(long.early_kib),
                mib(long.last_kib)
            ),
        );
    }
    checks(&mut out, targets);
    out
}

fn starts(out: &mut String, results: &Results) {
    line(
        out,
        format_args!("| server | start to tools/list, best / median | does nothing | list | idle memory |"),
    );
    line(out, format_args!("|---|---|---|---|---|"));
    for start in &results.starts {
        line(
            out,
            format_args!(
                "| {} | {:.1} / {:.1} ms | {:.1} / {:.1} ms | {} | {} |",
                start.server,
                start.best_ms,
                start.median_ms,
                start.nothing_best_ms,
                start.nothing_median_ms,
                bytes(start.bytes as f64),
                mib(start.idle_kib)
            ),
        );
    }
    out.push('\n');
}

fn cluster(out: &mut String, at: &At) {
    line(out, format_args!("**{}**\n", at.cluster));
    line(
        out,
        format_args!(
            "| server | question | median / p99 | CPU | floor: median / p99 | CPU | without sandbox | requests | \
             new TLS | received | answer |"
        ),
    );
    line(out, format_args!("|---|---|---|---|---|---|---|---|---|---|---|"));
    for server in &at.servers {
        for row in &server.rows {
            line(out, format_args!("| {} | {} |", server.server, cells(row)));
        }
    }
    out.push('\n');
    if at.servers.iter().any(|server| !server.crowds.is_empty()) {
        line(
            out,
            format_args!(
                "| server | in flight | calls/s | floor | latency allows | median / p99 | CPU | floor | requests | new TLS |"
            ),
        );
        line(out, format_args!("|---|---|---|---|---|---|---|---|---|---|"));
        for server in &at.servers {
            for crowd in &server.crowds {
                line(out, format_args!("| {} | {} |", server.server, crowded(crowd)));
            }
        }
        out.push('\n');
    }
    for server in &at.servers {
        let (peak, crowded) = (mib(server.peak_kib), mib(server.peak_crowded_kib));
        line(
            out,
            format_args!("Peak memory of {}: {peak}, with many calls in flight {crowded}", server.server),
        );
    }
    out.push('\n');
}

fn cells(row: &Row) -> String {
    let both = |cost: &Cost| format!("{} / {}", time(cost.times.median_us), time(cost.times.p99_us));
    [
        row.question.clone(),
        both(&row.cost),
        time(row.cost.cpu_us),
        both(&row.floor),
        time(row.floor.cpu_us),
        row.native.map_or("".into(), |native| {
            format!("{}, CPU {}", time(native.times.median_us), time(native.cpu_us))
        }),
        format!("{:.2}", row.requests),
        format!("{:.2}", row.connections),
        bytes(row.received),
        bytes(row.bytes as f64),
    ]
    .join(" | ")
}

fn crowded(crowd: &Crowd) -> String {
    [
        crowd.in_flight.to_string(),
        format!("{:.0}", crowd.per_second),
        format!("{:.0}", crowd.floor_per_second),
        crowd.possible.map_or("".into(), |possible| format!("{possible:.0}")),
        format!("{} / {}", time(crowd.times.median_us), time(crowd.times.p99_us)),
        time(crowd.cpu_us),
        time(crowd.floor_cpu_us),
        format!("{:.2}", crowd.requests),
        format!("{:.2}", crowd.connections),
    ]
    .join(" | ")
}

fn checks(out: &mut String, targets: &[Target]) {
    line(out, format_args!("\n| target | at most / at least | measured | holds |"));
    line(out, format_args!("|---|---|---|---|"));
    for Target { what, limit, found, holds } in targets {
        line(out, format_args!("| {what} | {limit} | {found} | {} |", if *holds { "yes" } else { "**no**" }));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _ = writeln!(out, "{text}");
}

/// Microseconds as a person reads them.
pub(crate) fn time(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.0} µs"),
        us if us < 100_000.0 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.0} ms", us / 1e3),
    }
}

fn bytes(bytes: f64) -> String {
    match bytes {
        bytes if bytes < 10_000.0 => format!("{bytes:.0} B"),
        bytes if bytes < 1e6 => format!("{:.0} kB", bytes / 1e3),
        bytes => format!("{:.1} MB", bytes / 1e6),
    }
}

fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_with_the_digits_that_count() {
        assert_eq!([85.4, 1_234.0, 123_456.0].map(time), ["85 µs", "1.23 ms", "123 ms"]);
        assert_eq!([4_082.0, 20_581.0, 7_474_460.0].map(bytes), ["4082 B", "21 kB", "7.5 MB"]);
        assert_eq!(mib(16 * 1024), "16.0 MiB");
    }
}
