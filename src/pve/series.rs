//! Figures over time (`.../rrddata`): each one's least, average, most and latest value.

use serde_json::Value;

use crate::pve::resources::Figure;
use crate::table::rounded;
use crate::text;

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share from 0 to 1.
    Fraction,
    /// Percent from 0 to 100.
    Percent,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    Rate,
    /// A plain number.
    Number,
}

impl Unit {
    /// Its word in data.
    pub const fn word(self) -> &'static str {
        match self {
            Unit::Fraction => "fraction",
            Unit::Percent => "percent",
            Unit::Bytes => "bytes",
            Unit::Rate => "bytes per second",
            Unit::Number => "number",
        }
    }

    /// A value for data: bytes are whole.
    #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
    pub fn datum(self, value: f64) -> Value {
        match self {
            Unit::Bytes | Unit::Rate => Value::from(value.round() as i64),
            Unit::Fraction | Unit::Percent | Unit::Number => rounded(value).into(),
        }
    }

    /// A value as people read it.
    pub fn write(self, value: f64) -> String {
        match self {
            Unit::Fraction => text::percent(value),
            Unit::Percent => text::percent(value / 100.0),
            Unit::Bytes => text::bytes(value),
            Unit::Rate => text::rate(value),
            Unit::Number => format!("{value:.2}"),
        }
    }
}

/// The figures that are known, in the order in which they are shown: Proxmox's name, ours, and the unit.
const KNOWN: &[(&str, &str, Unit)] = &[
    ("cpu", "CPU", Unit::Fraction),
    ("iowait", "I/O wait", Unit::Fraction),
    ("loadavg", "Load", Unit::Number),
    ("mem", "Memory", Unit::Bytes),
    ("memhost", "Memory on the host", Unit::Bytes),
    ("memused", "Memory", Unit::Bytes),
    ("swapused", "Swap", Unit::Bytes),
    ("rootused", "Root disk", Unit::Bytes),
    ("disk", "Disk", Unit::Bytes),
    ("used", "Used", Unit::Bytes),
    ("total", "Size", Unit::Bytes),
    ("netin", "Network in", Unit::Rate),
    ("netout", "Network out", Unit::Rate),
    ("diskread", "Disk reads", Unit::Rate),
    ("diskwrite", "Disk writes", Unit::Rate),
    ("arcsize", "ZFS cache", Unit::Bytes),
    ("pressurecpusome", "Waiting for CPU", Unit::Percent),
    ("pressureiosome", "Waiting for disks", Unit::Percent),
    ("pressurememorysome", "Waiting for memory", Unit::Percent),
];

/// One figure over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Proxmox's name of it.
    pub name: String,
    /// Its name for people.
    pub label: String,
    /// What it is measured in.
    pub unit: Unit,
    /// The least value.
    pub min: f64,
    /// The average.
    pub average: f64,
    /// The largest value.
    pub max: f64,
    /// The newest value.
    pub latest: f64,
}

/// Figures over time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// How many points there are.
    pub points: usize,
    /// How many of them have no figures.
    pub gaps: usize,
    /// The first and the last point with figures, in seconds since 1970.
    pub span: Option<(u64, u64)>,
    /// The figures that are always zero are left out.
    pub metrics: Vec<Metric>,
}

impl Series {
    /// Reads an answer of `.../rrddata`.
    pub fn read(answer: &Value) -> Series {
        let points: Vec<&Value> = answer.as_array().into_iter().flatten().collect();
        let full =
            |point: &&&Value| KNOWN.iter().any(|(name, ..)| Figure::of(point.get(name)).value().is_some());
        let times: Vec<u64> =
            points.iter().filter(full).filter_map(|point| Figure::of(point.get("time")).whole()).collect();
        let filled = points.iter().filter(full).count();
        let metrics = KNOWN.iter().filter_map(|(name, label, unit)| metric(&points, name, label, *unit));
        Series {
            points: points.len(),
            gaps: points.len() - filled,
            span: times.iter().min().copied().zip(times.iter().max().copied()),
            metrics: metrics.collect(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are some hundred points")]
fn metric(points: &[&Value], name: &str, label: &str, unit: Unit) -> Option<Metric> {
    let values: Vec<f64> = points.iter().filter_map(|point| Figure::of(point.get(name)).value()).collect();
    let latest = *values.last()?;
    let (min, max) =
        values.iter().fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(*value), max.max(*value)));
    let average = values.iter().sum::<f64>() / values.len() as f64;
    (max > 0.0).then(|| Metric {
        name: name.to_owned(),
        label: label.to_owned(),
        unit,
        min,
        average,
        max,
        latest,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn gaps_are_counted_and_do_not_count() {
        let series = Series::read(&json!([
            {"time": 60}, {"time": 120, "cpu": 0.25, "netin": "1024", "swapused": 0},
            {"time": 180, "cpu": 0.75, "netin": 0, "swapused": 0}, {"time": 240}
        ]));
        assert_eq!((series.points, series.gaps, series.span), (4, 2, Some((120, 180))));
        assert_eq!(
            series.metrics.iter().map(|metric| metric.name.as_str()).collect::<Vec<_>>(),
            ["cpu", "netin"]
        );
        let cpu = &series.metrics[0];
        assert_eq!((cpu.min, cpu.average, cpu.max, cpu.latest), (0.25, 0.5, 0.75, 0.75));
        assert_eq!(
            (cpu.unit.write(cpu.max), series.metrics[1].unit.write(1024.0)),
            ("75.0%".into(), "1.0 KB/s".into())
        );
        assert_eq!(Series::read(&json!(null)), Series::default());
    }
}
