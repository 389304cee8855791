//! Findings: what a look at the cluster or a guest brought up, each with a code that stays, a severity, its
//! figures and the call that shows more; and what could not be looked at, with the reason.

use serde_json::{Map, Value, json};

use crate::data::Data;
use crate::error::{By, Denial, Error, Need};
use crate::foreign;
use crate::shape::{Field, Shape, always, known};
use crate::text;
use crate::view::BUDGET;

crate::words! {
    /// How bad it is.
    pub enum Severity {
        /// Something is down or about to be.
        Critical = "critical",
        /// It will become a problem.
        Warning = "warning",
        /// Worth knowing.
        Info = "info",
    }
}

impl Severity {
    /// 0 for the worst.
    pub const fn rank(self) -> u8 {
        match self {
            Severity::Critical => 0,
            Severity::Warning => 1,
            Severity::Info => 2,
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Severity::Critical => "🔴",
            Severity::Warning => "🟡",
            Severity::Info => "🔵",
        }
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in a word that stays the same, such as `storage-filling`.
    pub code: &'static str,
    /// What it is about, such as `node pve1`; cleaned, not escaped.
    pub about: String,
    /// What is the matter, as Markdown on one line, without a full stop.
    pub says: String,
    figure: Option<(f64, f64, &'static str)>,
    date: Option<String>,
    count: Option<usize>,
    guests: Vec<u32>,
    next: Option<(&'static str, Map<String, Value>)>,
}

/// The tool that reads what no other tool of the usual ones shows.
const READ_API: &str = "proxmox_read_api";

/// How many guests a finding names.
const NAMED: usize = 8;

impl Finding {
    /// Something that is so bad, of this code, about this, and what is the matter.
    pub fn new(
        severity: Severity,
        code: &'static str,
        about: impl AsRef<str>,
        says: impl Into<String>,
    ) -> Finding {
        // The tests of findings as such call them by a letter.
        #[cfg(test)]
        assert!(code.len() == 1 || crate::health::codes::knows(code, severity), "{code}, {severity:?}");
        Finding {
            severity,
            code,
            about: foreign::line(about.as_ref(), 80),
            says: says.into(),
            figure: None,
            date: None,
            count: None,
            guests: Vec::new(),
            next: None,
        }
    }

    /// With what was measured, the limit that it was held against, and the unit of both.
    pub fn measured(self, value: f64, limit: f64, unit: &'static str) -> Finding {
        Finding { figure: Some((value, limit, unit)), ..self }
    }

    /// With the date that it is about.
    pub fn on(self, date: String) -> Finding {
        Finding { date: Some(date), ..self }
    }

    /// With how many there are.
    pub fn count(self, count: usize) -> Finding {
        Finding { count: Some(count), ..self }
    }

    /// With the guests that it is about: how many, and the first of them.
    pub fn guests(self, guests: impl IntoIterator<Item = u32>) -> Finding {
        let all: Vec<u32> = guests.into_iter().collect();
        Finding { count: Some(all.len()), guests: all.into_iter().take(NAMED).collect(), ..self }
    }

    /// With the call that shows more or does something about it. `arguments`: an object. A call with a name
    /// that Proxmox could not have given is left out.
    pub fn next(self, tool: &'static str, arguments: Value) -> Finding {
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:@!+/".contains(c));
        let arguments = if let Value::Object(map) = arguments { map } else { Map::new() };
        let usable = arguments.values().filter_map(Value::as_str).all(plain);
        #[cfg(test)]
        assert!(!usable || is_listed(tool, &arguments), "{tool} {arguments:?}");
        Finding { next: usable.then_some((tool, arguments)), ..self }
    }

    /// With what the API itself says about it as what shows more.
    pub fn read(self, path: impl Into<String>) -> Finding {
        self.next(READ_API, json!({"path": path.into()}))
    }

    /// The tool of the call that shows more.
    pub fn next_tool(&self) -> Option<&'static str> {
        self.next.as_ref().map(|(tool, _)| *tool)
    }

    fn call(&self) -> Option<String> {
        let (tool, arguments) = self.next.as_ref()?;
        Some(if arguments.is_empty() {
            (*tool).to_owned()
        } else {
            format!("{tool} {}", Value::Object(arguments.clone()))
        })
    }

    /// Its line.
    pub fn line(&self) -> String {
        let mut line = format!(
            "{} {} (`{}`): {}",
            self.severity.sign(),
            foreign::name(&self.about),
            self.code,
            self.says
        );
        if !self.guests.is_empty() {
            let more = if self.count > Some(self.guests.len()) { ", ..." } else { "" };
            let named: Vec<String> = self.guests.iter().map(u32::to_string).collect();
            line += &format!(" ({}{more})", named.join(", "));
        }
        if let Some(call) = self.call() {
            line += &format!(" → {}", foreign::code(&call, 200));
        }
        line + "\n"
    }

    /// The same for data.
    pub fn datum(&self) -> Value {
        let figure = self.figure;
        Data::new()
            .always("severity", self.severity.word())
            .always("code", self.code)
            .always("about", self.about.as_str())
            .always("says", self.says.as_str())
            .known("value", figure.map(|(value, ..)| rounded(value)))
            .known("limit", figure.map(|(_, limit, _)| rounded(limit)))
            .known("unit", figure.map(|(.., unit)| unit))
            .known("date", self.date.as_deref())
            .known("count", self.count)
            .known("guests", (!self.guests.is_empty()).then(|| json!(self.guests)))
            .known("next", self.call())
            .into()
    }
}

/// Whether a model that has the usual tools can make this call.
#[cfg(test)]
fn is_listed(tool: &str, arguments: &Map<String, Value>) -> bool {
    let known = crate::catalogue::tool(tool).is_some_and(|tool| tool.toolset.by_default());
    known && crate::catalogue::takes(tool, &Value::Object(arguments.clone()))
}

/// With three decimals, which is more than any of the limits needs.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

const FINDING: Shape = Shape::Object(&[
    always("severity", Shape::Words(&["critical", "warning", "info"])),
    always("code", Shape::Text),
    always("about", Shape::Text),
    always("says", Shape::Text).about("what is the matter, as Markdown"),
    known("value", Shape::Number).about("measured"),
    known("limit", Shape::Number).about("what it was held against"),
    known("unit", Shape::Text),
    known("date", Shape::Text),
    known("count", Shape::Count),
    known("guests", Shape::List(&Shape::Count)).about("the first of them"),
    known("next", Shape::Text).about("the call that shows more"),
]);

const GAP: Shape =
    Shape::Object(&[always("parts", Shape::List(&Shape::Text)), always("reason", Shape::Text)]);

/// The fields of a tool's data that [`Report::data`] fills.
pub const CRITICAL: Field = always("critical", Shape::Count);
/// See [`CRITICAL`].
pub const WARNING: Field = always("warning", Shape::Count);
/// See [`CRITICAL`].
pub const INFO: Field = always("info", Shape::Count);
/// See [`CRITICAL`].
pub const FINDINGS: Field = always("findings", Shape::List(&FINDING)).about("worst first");
/// See [`CRITICAL`].
pub const LEFT_OUT: Field = always("left_out", Shape::Count);
/// See [`CRITICAL`].
pub const NOT_CHECKED: Field = always("not_checked", Shape::List(&GAP));

/// What was not looked at, and why.
#[derive(Debug, Default)]
pub struct Gaps {
    denied: Vec<Refused>,
    other: Vec<(String, Vec<String>)>,
}

/// Parts that the same privilege would open.
#[derive(Debug)]
struct Refused {
    by: By,
    privilege: String,
    paths: Vec<String>,
    parts: Vec<String>,
}

impl Gaps {
    /// The value, or a note that this part was not looked at.
    pub fn take<T>(&mut self, part: &str, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.error(part, &error)).ok()
    }

    /// Notes that this part was not looked at because of an error.
    pub fn error(&mut self, part: &str, error: &Error) {
        let Error::Denied(denial) = error else { return self.note(part, error.brief()) };
        let Some(need) = denial.needs.first() else { return self.note(part, denial.brief()) };
        let same = |known: &&mut Refused| {
            known.privilege == need.privilege
                && std::mem::discriminant(&known.by) == std::mem::discriminant(&denial.by)
        };
        match self.denied.iter_mut().find(same) {
            Some(known) => {
                add(&mut known.paths, &need.path);
                add(&mut known.parts, part);
            }
            None => self.denied.push(Refused {
                by: denial.by.clone(),
                privilege: need.privilege.clone(),
                paths: vec![need.path.clone()],
                parts: vec![foreign::line(part, 160)],
            }),
        }
    }

    /// Notes that this part was not looked at, and why.
    pub fn note(&mut self, part: &str, reason: impl Into<String>) {
        let reason = reason.into();
        match self.other.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, parts)) => add(parts, part),
            None => self.other.push((reason, vec![foreign::line(part, 160)])),
        }
    }

    /// Whether everything was looked at.
    pub fn is_empty(&self) -> bool {
        self.denied.is_empty() && self.other.is_empty()
    }

    /// Each reason with the parts that it is for; one privilege is one reason.
    fn rows(&self) -> Vec<(String, &[String])> {
        let denied = self.denied.iter().map(|refused| {
            let need = Need { privilege: refused.privilege.clone(), path: together(&refused.paths) };
            let denial = Denial { by: refused.by.clone(), request: String::new(), needs: vec![need] };
            (denial.brief(), refused.parts.as_slice())
        });
        denied.chain(self.other.iter().map(|(reason, parts)| (reason.clone(), parts.as_slice()))).collect()
    }

    /// One line for each reason.
    pub fn lines(&self) -> String {
        let line = |(reason, parts): &(String, &[String])| {
            let parts: Vec<String> = parts.iter().map(|part| foreign::words(part, 160)).collect();
            format!("⚪ Not checked: {}: {reason}\n", parts.join(", "))
        };
        self.rows().iter().map(line).collect()
    }

    /// The same for data.
    pub fn data(&self) -> Value {
        self.rows().iter().map(|(reason, parts)| json!({"parts": parts, "reason": reason})).collect()
    }
}

/// Adds a part, cleaned, unless it is there.
fn add(list: &mut Vec<String>, item: &str) {
    let item = foreign::line(item, 160);
    if !list.contains(&item) {
        list.push(item);
    }
}

/// The narrowest path that holds all of these.
fn together(paths: &[String]) -> String {
    let first = |path: &String| path.split('/').nth(1).unwrap_or_default().to_owned();
    match paths {
        [only] => only.clone(),
        [one, rest @ ..] if rest.iter().all(|path| first(path) == first(one)) => format!("/{}", first(one)),
        _ => "/".to_owned(),
    }
}

/// Everything that a look brought up.
#[derive(Debug, Default)]
pub struct Report {
    /// What was found.
    pub findings: Vec<Finding>,
    /// What was not looked at.
    pub gaps: Gaps,
}

impl Report {
    /// Adds what a check found.
    pub fn add(&mut self, found: impl IntoIterator<Item = Finding>) {
        self.findings.extend(found);
    }

    /// Puts the worst first and keeps what is at least this bad.
    pub fn sort(&mut self, least: Severity) {
        self.findings.retain(|finding| finding.severity.rank() <= least.rank());
        self.findings.sort_by_key(|finding| finding.severity.rank());
    }

    /// How many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// `1 critical, 2 warnings, 1 note`, or `nothing found`.
    pub fn tally(&self) -> String {
        let counts = [
            (self.count(Severity::Critical), "critical", "critical"),
            (self.count(Severity::Warning), "warning", "warnings"),
            (self.count(Severity::Info), "note", "notes"),
        ];
        let said: Vec<String> = counts
            .iter()
            .filter(|(number, ..)| *number > 0)
            .map(|(number, one, many)| format!("{number} {}", if *number == 1 { one } else { many }))
            .collect();
        if said.is_empty() { "nothing found".to_owned() } else { said.join(", ") }
    }

    /// The first findings, what the others are, and what was not checked.
    pub fn lines(&self, limit: usize) -> String {
        let mut out: String = self.findings.iter().take(limit).map(Finding::line).collect();
        let rest = self.findings.get(limit..).unwrap_or_default();
        if !rest.is_empty() {
            let mut codes: Vec<(&str, usize)> = Vec::new();
            for finding in rest {
                match codes.iter_mut().find(|(code, _)| *code == finding.code) {
                    Some((_, number)) => *number += 1,
                    None => codes.push((finding.code, 1)),
                }
            }
            let codes: Vec<String> =
                codes.iter().map(|(code, number)| format!("{number} × `{code}`")).collect();
            out += &format!("{} more (`limit`): {}\n", text::count(rest.len(), "finding"), codes.join(", "));
        }
        out + &self.gaps.lines()
    }

    /// How many of the first `most` findings an answer shows whose heading, and what it says besides in data,
    /// take so many bytes: as many as keep it small, one at least.
    pub fn fitting(&self, most: usize, besides: usize) -> usize {
        let size = |shown: usize| self.lines(shown).len() + Value::from(self.data(shown)).to_string().len();
        let most = most.min(self.findings.len());
        (1..=most).rev().find(|shown| size(*shown) + besides <= BUDGET).unwrap_or(most.min(1))
    }

    /// The same for data.
    pub fn data(&self, limit: usize) -> Data {
        let rows: Vec<Value> = self.findings.iter().take(limit).map(Finding::datum).collect();
        let left_out = self.findings.len() - rows.len();
        Data::new()
            .always("critical", self.count(Severity::Critical))
            .always("warning", self.count(Severity::Warning))
            .always("info", self.count(Severity::Info))
            .always("findings", rows)
            .always("left_out", left_out)
            .always("not_checked", self.gaps.data())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(severity: Severity, code: &'static str) -> Finding {
        Finding::new(severity, code, "node pve1", "is so")
    }

    fn denied(privilege: &str, path: &str) -> Error {
        let need = Need { privilege: privilege.to_owned(), path: path.to_owned() };
        Error::Denied(Denial { by: By::Host, request: String::new(), needs: vec![need] })
    }

    #[test]
    fn the_worst_comes_first_and_the_rest_is_counted_by_code() {
        let mut report = Report::default();
        report.add([
            found(Severity::Info, "a"),
            found(Severity::Warning, "b"),
            found(Severity::Critical, "c"),
        ]);
        report.add([found(Severity::Info, "a")]);
        report.sort(Severity::Info);
        assert_eq!(report.tally(), "1 critical, 1 warning, 2 notes");
        let lines = report.lines(2);
        assert!(lines.starts_with("🔴 node pve1 (`c`): is so\n🟡 node pve1 (`b`): is so\n"), "{lines}");
        assert!(lines.contains("2 findings more (`limit`): 2 × `a`"), "{lines}");
        assert_eq!(Value::from(report.data(2))["left_out"], 2);
        report.sort(Severity::Critical);
        assert_eq!((report.findings.len(), report.tally().as_str()), (1, "1 critical"));
    }

    #[test]
    fn a_finding_names_the_first_guests_its_figures_and_the_next_call() {
        let finding = found(Severity::Info, "x")
            .guests(100..2100)
            .measured(0.123_456, 0.9, "fraction")
            .on("2026-12-01".to_owned())
            .next("proxmox_get_vms", json!({"node": "pve1"}));
        assert_eq!(
            finding.line(),
            "🔵 node pve1 (`x`): is so (100, 101, 102, 103, 104, 105, 106, 107, ...) → \
             `proxmox_get_vms {\"node\":\"pve1\"}`\n"
        );
        let datum = finding.datum();
        assert_eq!((&datum["count"], &datum["value"]), (&json!(2000), &json!(0.123)));
        assert_eq!(datum["says"], "is so");
        assert_eq!(datum["guests"].as_array().map(Vec::len), Some(NAMED));
    }

    #[test]
    fn as_many_are_shown_as_stay_small() {
        let mut report = Report::default();
        report.add((0..50).map(|_| {
            Finding::new(Severity::Info, "x", "node pve1", "so it is. ".repeat(20)).guests(100..200)
        }));
        let shown = report.fitting(50, 100);
        let size = report.lines(shown).len() + Value::from(report.data(shown)).to_string().len();
        assert!((3_000..=BUDGET - 100).contains(&size), "{shown}: {size}");
        assert_eq!((report.fitting(2, 100), report.fitting(50, BUDGET)), (2, 1));
        assert_eq!(Report::default().fitting(50, 0), 0);
    }

    #[test]
    fn names_from_outside_are_tame() {
        for name in crate::testing::HOSTILE {
            let finding = Finding::new(Severity::Info, "x", name, "is so")
                .next("proxmox_get_node_status", json!({"node": name}));
            crate::testing::assert_tame(&finding.line());
        }
    }

    #[test]
    fn one_privilege_is_one_reason_with_the_path_that_covers_all() {
        let mut gaps = Gaps::default();
        gaps.error("swap", &denied("Sys.Audit", "/nodes/pve1"));
        gaps.error("swap", &denied("Sys.Audit", "/nodes/pve2"));
        assert_eq!(
            gaps.lines(),
            "⚪ Not checked: swap: not granted: needs Sys.Audit on /nodes (`--grant Sys.Audit@/nodes`)\n"
        );
        gaps.error("quorum", &denied("Sys.Audit", "/"));
        gaps.error("updates", &denied("Sys.Modify", "/nodes/pve1"));
        gaps.error("clock", &Error::Failed("asleep. Wake it.".to_owned()));
        let lines = gaps.lines();
        assert!(
            lines.contains("swap, quorum: not granted: needs Sys.Audit on / (`--grant Sys.Audit@/`)"),
            "{lines}"
        );
        assert!(lines.contains("updates: not granted: needs Sys.Modify on /nodes/pve1"), "{lines}");
        assert!(lines.ends_with("Not checked: clock: asleep\n"), "{lines}");
        assert_eq!(gaps.data().as_array().map(Vec::len), Some(3));
    }
}
