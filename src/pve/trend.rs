//! Figures over time (`.../rrddata`): averages, and when a storage will be full.

use serde_json::Value;

use crate::pve::resources::Figure;

const DAY: f64 = 86_400.0;

/// One figure over time, in the order of time: seconds since 1970 and value. Gaps are left out.
pub fn series(points: &Value, key: &str) -> Vec<(f64, f64)> {
    let rows = points.as_array().map(Vec::as_slice).unwrap_or_default();
    let point = |row: &Value| Figure::of(row.get("time")).value().zip(Figure::of(row.get(key)).value());
    let mut found: Vec<(f64, f64)> = rows.iter().filter_map(point).collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
}

/// The average of a series; nothing where it is empty.
#[expect(clippy::cast_precision_loss, reason = "an answer has some hundred points")]
pub fn average(series: &[(f64, f64)]) -> Option<f64> {
    (!series.is_empty()).then(|| series.iter().map(|(_, value)| value).sum::<f64>() / series.len() as f64)
}

/// The highest value of a series.
pub fn highest(series: &[(f64, f64)]) -> Option<f64> {
    series.iter().map(|(_, value)| *value).reduce(f64::max)
}

/// The straight line through a series with the smallest squares: its slope (value for each second).
#[expect(clippy::cast_precision_loss, reason = "an answer has some hundred points")]
fn slope(series: &[(f64, f64)]) -> Option<f64> {
    let number = series.len() as f64;
    let (time, value) = series.iter().fold((0.0, 0.0), |(t, v), (time, value)| (t + time, v + value));
    let (time, value) = (time / number, value / number);
    let (mixed, square) = series.iter().fold((0.0, 0.0), |(mixed, square), (t, v)| {
        (mixed + (t - time) * (v - value), square + (t - time).powi(2))
    });
    (square > 0.0).then(|| mixed / square)
}

/// When a series that grows will reach `full`, in seconds since 1970: from its last value on, at the pace of
/// its least-squares line. Nothing where it does not grow, is shorter than a day, or it takes over two years.
pub fn reaches(series: &[(f64, f64)], full: f64) -> Option<f64> {
    let ((first, _), (last, value)) = series.first().copied().zip(series.last().copied())?;
    if series.len() < 3 || last - first < DAY {
        return None;
    }
    let pace = slope(series)?;
    let left = (full - value).max(0.0);
    // Less than a tenth of a percent in a month is noise.
    (pace * 30.0 * DAY > full * 0.001).then(|| last + left / pace).filter(|at| at - last < 730.0 * DAY)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn gaps_are_left_out_and_the_order_is_that_of_time() {
        let points =
            json!([{"time": 120, "cpu": "0.5"}, {"time": 60, "cpu": 0.1}, {"time": 180}, {"cpu": 1}]);
        let found = series(&points, "cpu");
        assert_eq!(found, [(60.0, 0.1), (120.0, 0.5)]);
        assert_eq!((average(&found), highest(&found)), (Some(0.3), Some(0.5)));
        assert_eq!((average(&[]), highest(&[])), (None, None));
        assert!(series(&Value::Null, "cpu").is_empty());
    }

    #[test]
    fn a_storage_that_grows_by_a_tenth_each_day_is_full_when_it_should_be() {
        let days = |from: f64, pace: f64| -> Vec<(f64, f64)> {
            (0..7).map(|day| (f64::from(day) * DAY, from + pace * f64::from(day))).collect()
        };
        let at = reaches(&days(0.2, 0.1), 1.0).unwrap();
        assert!((at / DAY - 8.0).abs() < 0.001, "{at}");
        assert_eq!(reaches(&days(0.5, 0.0), 1.0), None, "it does not grow");
        assert_eq!(reaches(&days(0.5, -0.1), 1.0), None, "it shrinks");
        assert_eq!(reaches(&days(0.5, 0.000_01), 1.0), None, "that is noise");
        assert_eq!(reaches(&days(0.0, 0.000_5), 1.0), None, "over two years");
        assert_eq!(reaches(&days(0.2, 0.1)[..2], 1.0), None, "two points say nothing");
        assert_eq!(reaches(&[(0.0, 0.1), (60.0, 0.2), (120.0, 0.3)], 1.0), None, "minutes say nothing");
    }
}
