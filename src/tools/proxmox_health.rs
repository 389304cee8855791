//! `proxmox_health`: what is wrong in the cluster, or soon will be.

use crate::cx::Cx;
use crate::error::Error;
use crate::health::survey;
use crate::pve::findings::{self, Severity};
use crate::pve::ids::NodeName;
use crate::shape::{Shape, always};
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset, Whole};

/// How many findings an answer shows at most, unless more are asked for.
const SHOWN: usize = 7;
/// What heading and figures take, in bytes.
const FRAME: usize = 220;

crate::params! {
    /// Only this node and what is on it.
    node: Option<NodeName>,
    /// The least severity that is told.
    severity: Hidden<Severity>,
    /// How many findings to show.
    limit: Hidden<Whole<1, 999_999_999>>,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_health",
    title: "Health check",
    description: "Finds what is wrong in the cluster, or soon will be.",
    toolset: Toolset::Overview,
    params: PARAMS,
    output: Shape::Object(&[
        findings::CRITICAL,
        findings::WARNING,
        findings::INFO,
        findings::FINDINGS,
        findings::LEFT_OUT,
        findings::NOT_CHECKED,
        always("nodes", Shape::Count),
        always("guests", Shape::Count),
        always("requests", Shape::Count).about("made for this answer; at most 40"),
    ]),
    calls: survey::CALLS,
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let survey::Survey { mut report, requests, nodes, guests } = survey::take(cx, params.node.as_ref())?;
    report.sort(params.severity.get().copied().unwrap_or(Severity::Info));
    let asked = params.limit.get().map(|limit| usize::try_from(limit.0).unwrap_or(usize::MAX));
    let limit = asked.unwrap_or_else(|| report.fitting(SHOWN, FRAME));
    let of = params.node.map_or("the cluster".to_owned(), |node| format!("node {node}"));
    let text = format!(
        "🩺 Health of {of}: {}\n  • Looked at: {}, {} in {}\n\n{}",
        report.tally(),
        text::count(nodes, "node"),
        text::count(guests, "guest"),
        text::count(requests, "request"),
        report.lines(limit)
    );
    let data = report.data(limit).always("nodes", nodes).always("guests", guests).always("requests", requests);
    Ok(Outcome::done(text, data.into()))
}

#[cfg(test)]
#[path = "tests/proxmox_health.rs"]
mod tests;
