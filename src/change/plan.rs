//! How a change is shown before it is made.

use serde_json::Value;

use super::{Change, report};
use crate::cx::{Call, Cx, Verdict};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::secret::{NOT_SHOWN, is_secret};
use crate::text;
use crate::tool::Outcome;

pub(super) fn show(change: &Change, cx: &Cx<'_>, calls: &[Call]) -> Result<Outcome, Error> {
    let requests: Vec<Request> = calls.iter().map(|call| Request::of(cx, call)).collect::<Result<_, _>>()?;
    let mut text = report::headline(change);
    text += &text::bullet("Result", "dry run; nothing was sent");
    text += &report::bullets(&change.facts);
    text += &report::section("Now", &change.before);
    for lost in &change.lost {
        text += &text::bullet("Would be lost", lost);
    }
    for warning in &change.warnings {
        text += &text::bullet("Warning", warning);
    }
    text += "\nIt would send:\n";
    text += &requests.iter().map(Request::text).collect::<String>();
    let data = report::data(change)
        .always("changed", false)
        .always("finished", true)
        .always("dry_run", true)
        .always("requests", requests.iter().map(Request::datum).collect::<Vec<_>>());
    Ok(Outcome::done(text, data.into()))
}

/// A request that would be sent.
struct Request {
    line: String,
    parameters: Vec<(String, String)>,
    verdict: Option<Verdict>,
    /// What the API table says that it needs; where there is no verdict.
    needs: Vec<String>,
}

impl Request {
    fn of(cx: &Cx<'_>, call: &Call) -> Result<Request, Error> {
        let shown = |(name, value): (&str, &str)| {
            let value = if is_secret(name) { NOT_SHOWN.to_owned() } else { foreign::line(value, 200) };
            (name.to_owned(), value)
        };
        Ok(Request {
            line: call.to_string(),
            parameters: call.parameters().map(shown).collect(),
            verdict: cx.verdict(call)?,
            needs: call.needs().iter().map(ToString::to_string).collect(),
        })
    }

    fn text(&self) -> String {
        let parameters: Vec<String> =
            self.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut text =
            format!("  • {}\n", foreign::code(&format!("{} {}", self.line, parameters.join(" ")), 600));
        let Some(verdict) = &self.verdict else {
            return text + &format!("    needs {}\n", self.needs.join(" and "));
        };
        for (need, granted) in &verdict.needs {
            text += &format!("    needs {need}: {}\n", if *granted { "granted" } else { "not granted" });
        }
        match (verdict.allowed, verdict.asks) {
            (true, _) => text += "    this server allows it; the token's own rights count, too\n",
            (false, true) => text += "    this server would ask a person first\n",
            (false, false) => text += &format!("    {}\n", foreign::line(&verdict.why, 600)),
        }
        text
    }

    fn datum(&self) -> Value {
        let needs: Vec<String> = match &self.verdict {
            Some(verdict) => verdict.needs.iter().map(|(need, _)| need.clone()).collect(),
            None => self.needs.clone(),
        };
        Data::new()
            .always("request", self.line.as_str())
            .always("parameters", report::pairs(&self.parameters).unwrap_or_default())
            .known("allowed", self.verdict.as_ref().map(|verdict| verdict.allowed))
            .always("needs", needs)
            .into()
    }
}
