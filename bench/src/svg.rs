//! The chart: for each question, bars for the floor and for each server, on a logarithmic scale.

use std::fmt::Write;

use crate::report::time;
use crate::results::{At, Results};

const LEFT: f64 = 250.0;
const WIDTH: f64 = 900.0;
const BAR: f64 = 16.0;
const COLOURS: [&str; 6] = ["#9aa5b1", "#2f6fdb", "#e0803a", "#3f9b5f", "#a0569e", "#c94f4f"];

/// A bar: its label, its length, and what stands beside it.
struct Bar {
    label: String,
    value: f64,
    text: String,
    colour: usize,
}

/// The chart of a run: medians at no latency, one panel for each size, and calls a second at 10 ms.
pub(crate) fn chart(results: &Results) -> String {
    let mut panels: Vec<(String, Vec<Bar>)> = Vec::new();
    for at in &results.clusters {
        if at.cluster.latency_ms == 0 {
            panels.push((format!("Median of a call: {}", at.cluster), medians(at)));
        } else if at.servers.iter().any(|server| !server.crowds.is_empty()) {
            panels.push((format!("Calls a second, `nodes`: {}", at.cluster), rates(at)));
        }
    }
    let rows: usize = panels.iter().map(|(_, bars)| bars.len() + 3).sum();
    let height = (rows as f64 + 2.0) * (BAR + 4.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let mut y = BAR + 8.0;
    text(&mut svg, 10.0, y, "", &format!("{}; {}. Logarithmic scale.", results.date, results.machine));
    for (title, bars) in &panels {
        y += 2.0 * (BAR + 4.0);
        text(&mut svg, 10.0, y, " font-weight=\"bold\"", title);
        panel(&mut svg, &mut y, bars);
    }
    svg.push_str("</svg>\n");
    svg
}

fn medians(at: &At) -> Vec<Bar> {
    let mut bars = Vec::new();
    let Some(first) = at.servers.first() else { return bars };
    for row in &first.rows {
        let question = &row.question;
        let bar = |label: String, us: f64, colour| Bar { label, value: us, text: time(us), colour };
        bars.push(bar(format!("{question}, plain client"), row.floor.times.median_us, 0));
        for (place, server) in at.servers.iter().enumerate() {
            if let Some(row) = server.rows.iter().find(|row| row.question == *question) {
                bars.push(bar(format!("{question}, {}", server.server), row.cost.times.median_us, place + 1));
            }
        }
    }
    bars
}

fn rates(at: &At) -> Vec<Bar> {
    let mut bars = Vec::new();
    let Some(first) = at.servers.first() else { return bars };
    for crowd in &first.crowds {
        let in_flight = crowd.in_flight;
        let bar = |label: String, rate: f64, colour| Bar {
            label,
            value: rate,
            text: format!("{rate:.0}/s"),
            colour,
        };
        bars.push(bar(format!("{in_flight} in flight, plain client"), crowd.floor_per_second, 0));
        for (place, server) in at.servers.iter().enumerate() {
            if let Some(crowd) = server.crowds.iter().find(|crowd| crowd.in_flight == in_flight) {
                bars.push(bar(
                    format!("{in_flight} in flight, {}", server.server),
                    crowd.per_second,
                    place + 1,
                ));
            }
        }
    }
    bars
}

fn panel(svg: &mut String, y: &mut f64, bars: &[Bar]) {
    let most = bars.iter().map(|bar| bar.value).fold(1.0, f64::max);
    let least = bars.iter().map(|bar| bar.value).fold(most, f64::min).max(1.0) / 2.0;
    let room = WIDTH - LEFT - 90.0;
    for Bar { label, value, text: said, colour } in bars {
        *y += BAR + 4.0;
        let length = (value.max(1.0) / least).ln() / (most / least).ln().max(f64::EPSILON) * room;
        let colour = COLOURS.get(colour % COLOURS.len()).copied().unwrap_or_default();
        text(svg, LEFT - 8.0, *y, " text-anchor=\"end\"", label);
        // Writing to a text cannot fail.
        let _ = writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{:.0}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>",
            *y - BAR + 4.0
        );
        text(svg, LEFT + length + 6.0, *y, "", said);
    }
}

fn text(svg: &mut String, x: f64, y: f64, attributes: &str, said: &str) {
    let said = said.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.0}\"{attributes}>{said}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_bars_for_more_and_labels_made_safe() {
        let bar = |value: f64| Bar { label: "a<b".into(), value, text: "x&y".into(), colour: 1 };
        let (mut svg, mut y) = (String::new(), 0.0);
        panel(&mut svg, &mut y, &[bar(10.0), bar(1_000.0)]);
        let widths: Vec<f64> = svg
            .split(" width=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert!(widths[0] > 0.0 && widths[1] > 3.0 * widths[0] && widths[1] <= WIDTH, "{widths:?}");
        assert!(svg.contains("a&lt;b") && svg.contains("x&amp;y") && !svg.contains("a<b"));
    }
}
