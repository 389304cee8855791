//! `proxmox_history`: what happened in the cluster since a point in time.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::dates::{self, Since};
use crate::error::Error;
use crate::foreign;
use crate::pve::history::{Entry, Went};
use crate::pve::findings::{self, Gaps};
use crate::pve::guests;
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::log::{self, Line};
use crate::pve::nodes::{choose, is_online};
use crate::pve::resources;
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset, Whole};

/// The most nodes that are asked.
const NODES: usize = 32;
/// The most tasks of a node, and the most lines of the log.
const ROWS: u32 = 300;
/// How many tasks an answer shows.
const TASKS: usize = 6;
/// The most kinds of tasks and the most lines of the log that an answer shows.
const KINDS: usize = 6;
const LINES: usize = 3;

crate::params! {
    /// 2h, 1d or a date.
    since: Since = Since::A_DAY,
    /// Only this node.
    node: Option<NodeName>,
    /// Only this guest.
    vmid: Option<Vmid>,
    /// Part of the name.
    user: Hidden<String>,
    /// How many tasks to show.
    limit: Hidden<Whole<1, 999_999_999>>,
}

const TASK: Shape = Shape::Object(&[
    always("time", Shape::Text).about("of its start, UTC"),
    always("kind", Shape::Text),
    known("id", Shape::Text).about("a guest's, mostly"),
    always("node", Shape::Text),
    always("user", Shape::Text),
    always("status", Shape::Words(&["failed", "running", "warnings", "ok"])),
    known("words", Shape::Text),
    known("upid", Shape::Text).about("where it failed or runs"),
]);

const GROUP: Shape = Shape::Object(&[
    always("kind", Shape::Text),
    always("count", Shape::Count),
    always("failed", Shape::Count),
]);

const LINE: Shape = Shape::Object(&[
    always("time", Shape::Text),
    always("node", Shape::Text),
    always("user", Shape::Text),
    always("text", Shape::Text),
]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_history",
    title: "History",
    description: "Tells what happened: tasks, failed ones first, and other changes.",
    toolset: Toolset::Planning,
    params: PARAMS,
    output: Shape::Object(&[
        always("since", Shape::Text),
        always("total", Shape::Count),
        always("failed", Shape::Count),
        always("running", Shape::Count),
        always("tasks", Shape::List(&TASK)).about("failed, running, then the latest"),
        always("left_out", Shape::Count),
        always("kinds", Shape::List(&GROUP)),
        always("log", Shape::List(&LINE)).about("of the cluster, without lines about tasks"),
        always("log_total", Shape::Count),
        findings::NOT_CHECKED,
    ]),
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_CLUSTER_STATUS,
        &methods::GET_CLUSTER_LOG,
        &methods::GET_NODES_NODE_TASKS,
    ],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let now = cx.now_ms() / 1000;
    let since = params.since.unix(now);
    if since > now {
        return Err(Error::Arguments(format!("`since` is in the future: {} UTC.", dates::minute(since))));
    }
    let mut past = Past::gather(cx, &params, since)?;
    past.tasks.sort_by_key(|task| (rank(task), std::cmp::Reverse(task.started)));
    past.log.sort_by_key(|line| std::cmp::Reverse(line.time));
    let limit = params.limit.get().map_or(TASKS, |limit| usize::try_from(limit.0).unwrap_or(usize::MAX));
    Ok(Outcome::done(past.text(since, limit), past.data(since, limit)))
}

/// Failed tasks come first, then those that run.
fn rank(task: &Entry) -> u8 {
    match task.went {
        Went::Failed => 0,
        Went::Running => 1,
        Went::Warned | Went::Well => 2,
    }
}

/// What happened.
struct Past {
    tasks: Vec<Entry>,
    log: Vec<Line>,
    gaps: Gaps,
}

impl Past {
    /// Asks the nodes for their tasks and the cluster for its log, all at once.
    fn gather(cx: &Cx<'_>, params: &Params, since: u64) -> Result<Past, Error> {
        let reply = resources::fetch(cx)?;
        let rows = resources::rows(&reply)?;
        if params.node.is_some() {
            choose(&rows, params.node.as_ref())?;
        }
        if let Some(vmid) = params.vmid {
            guests::among(vmid, &rows)?;
        }
        let mut gaps = Gaps::default();
        let wanted = |node: &str| params.node.as_ref().is_none_or(|only| only.as_str() == node);
        let mut nodes: Vec<NodeName> = Vec::new();
        for row in rows.iter().filter(|row| row.is_node() && wanted(&row.node)) {
            let part = format!("tasks of {}", &*row.node);
            match NodeName::parse(&row.node).filter(|_| is_online(row)) {
                None => gaps.note(&part, "the node is offline"),
                Some(_) if nodes.len() >= NODES => gaps.note(&part, format!("an answer asks at most {NODES} nodes; give `node`")),
                Some(node) => nodes.push(node),
            }
        }
        nodes.sort();
        let mut calls: Vec<Call> = nodes.iter().map(|node| tasks_of(node, params, since)).collect();
        calls.push(Call::of(&methods::GET_CLUSTER_LOG).with("max", ROWS));
        calls.push(Call::of(&methods::GET_CLUSTER_STATUS));
        let mut answers: Vec<Result<Value, Error>> =
            cx.replies(calls).into_iter().map(|reply| reply.and_then(|reply| reply.data())).collect();
        if let Some(Err(error @ Error::Denied(_))) = answers.pop() {
            // Who may not see the cluster sees own tasks only, without being told.
            gaps.error("tasks of other users", &error);
        }
        let log = answers.pop().and_then(|answer| gaps.take("cluster log, with changes of configurations", answer));
        let log = log.map(|answer| Past::lines(&answer, params, since, &mut gaps)).unwrap_or_default();
        let mut tasks = Vec::new();
        for (node, answer) in nodes.iter().zip(answers) {
            let Some(answer) = gaps.take(&format!("tasks of {node}"), answer) else { continue };
            let all = Entry::all(&answer);
            if all.len() >= usize::try_from(ROWS).unwrap_or(usize::MAX) {
                gaps.note(&format!("older tasks of {node}"), format!("only the last {ROWS} of each node are counted; choose a later `since`"));
            }
            tasks.extend(all.into_iter().filter(|task| task.started >= since));
        }
        Ok(Past { tasks, log, gaps })
    }

    fn lines(answer: &Value, params: &Params, since: u64, gaps: &mut Gaps) -> Vec<Line> {
        let all = log::lines(answer);
        let most = usize::try_from(ROWS).unwrap_or(usize::MAX);
        if all.len() >= most && all.iter().all(|line| line.time >= since) {
            gaps.note("older lines of the cluster log", format!("only its last {ROWS} lines are read"));
        }
        let node = params.node.as_ref().map(NodeName::as_str);
        let fits = |line: &Line| {
            line.time >= since
                && !line.is_about_a_task()
                && node.is_none_or(|node| line.node == node)
                && params.vmid.is_none_or(|vmid| line.names(vmid.number()))
                && params.user.get().is_none_or(|user| line.user.contains(user.as_str()))
        };
        all.into_iter().filter(fits).collect()
    }

    fn count(&self, went: Went) -> usize {
        self.tasks.iter().filter(|task| task.went == went).count()
    }

    /// Each kind with how many tasks there are of it, and how many failed; most first.
    fn kinds(&self) -> Vec<(String, usize, usize)> {
        let mut kinds: Vec<(String, usize, usize)> = Vec::new();
        for task in &self.tasks {
            let failed = usize::from(task.went == Went::Failed);
            match kinds.iter_mut().find(|(kind, ..)| *kind == task.kind) {
                Some((_, all, bad)) => {
                    *all += 1;
                    *bad += failed;
                }
                None => kinds.push((task.kind.clone(), 1, failed)),
            }
        }
        kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        kinds
    }

    fn text(&self, since: u64, limit: usize) -> String {
        let mut out = format!(
            "🕘 Since {} UTC: {}, {} failed, {} running\n",
            dates::minute(since),
            text::count(self.tasks.len(), "task"),
            self.count(Went::Failed),
            self.count(Went::Running)
        );
        let kinds: Vec<String> = self.kinds().iter().take(KINDS).map(group).collect();
        if !kinds.is_empty() {
            let more = if self.kinds().len() > KINDS { ", ..." } else { "" };
            out += &text::bullet("Kinds", format_args!("{}{more}", kinds.join(", ")));
        }
        out.push('\n');
        out += &self.tasks.iter().take(limit).map(task_line).collect::<String>();
        if self.tasks.len() > limit {
            let left = text::count(self.tasks.len() - limit, "task");
            out += &format!("{left} more: `limit`, or narrow with `node`, `vmid`, `user`\n");
        }
        if !self.log.is_empty() {
            out += "\nCluster log:\n";
            out += &self.log.iter().take(LINES.max(limit / 2)).map(log_line).collect::<String>();
            if self.log.len() > LINES.max(limit / 2) {
                out += &format!("{} more\n", text::count(self.log.len() - LINES.max(limit / 2), "line"));
            }
        }
        out + &self.gaps.lines()
    }

    fn data(&self, since: u64, limit: usize) -> Value {
        let tasks: Vec<Value> = self.tasks.iter().take(limit).map(task_datum).collect();
        let kinds: Vec<Value> = self.kinds().iter().take(KINDS).map(|(kind, all, failed)| {
            Data::new().always("kind", foreign::line(kind, 40)).always("count", *all).always("failed", *failed).into()
        }).collect();
        let log: Vec<Value> = self.log.iter().take(LINES.max(limit / 2)).map(log_datum).collect();
        Data::new()
            .always("since", dates::minute(since))
            .always("total", self.tasks.len())
            .always("failed", self.count(Went::Failed))
            .always("running", self.count(Went::Running))
            .always("left_out", self.tasks.len() - tasks.len())
            .always("tasks", tasks)
            .always("kinds", kinds)
            .always("log", log)
            .always("log_total", self.log.len())
            .always("not_checked", self.gaps.data())
            .into()
    }
}

fn tasks_of(node: &NodeName, params: &Params, since: u64) -> Call {
    Call::of(&methods::GET_NODES_NODE_TASKS)
        .at("node", node)
        .with("source", "all")
        .with("since", since.to_string())
        .with("limit", ROWS)
        .with_some("vmid", params.vmid.map(Vmid::number))
        .with_some("userfilter", params.user.get().map(String::as_str))
}

fn group((kind, all, failed): &(String, usize, usize)) -> String {
    let failed = if *failed > 0 { format!(" ({failed} failed)") } else { String::new() };
    format!("{all}× {}{failed}", foreign::name(kind))
}

fn task_line(task: &Entry) -> String {
    let sign = match task.went {
        Went::Failed => "🔴",
        Went::Running => "⏳",
        Went::Warned => "🟡",
        Went::Well => "🟢",
    };
    let id = if task.id.is_empty() { String::new() } else { format!(" {}", foreign::name(&task.id)) };
    let words = if task.exit.is_empty() || task.exit == "OK" { String::new() } else { format!(": {}", foreign::words(&task.exit, 100)) };
    format!(
        "{sign} {} {}{id} on {} by {}{words}\n",
        dates::minute(task.started),
        foreign::name(&task.kind),
        foreign::name(&task.node),
        foreign::name(&task.user)
    )
}

fn task_datum(task: &Entry) -> Value {
    let words = if task.exit == "OK" { "" } else { &task.exit };
    let upid = if task.went.is_fine() { "" } else { &task.upid };
    Data::new()
        .always("time", dates::minute(task.started))
        .always("kind", foreign::line(&task.kind, 40))
        .said("id", &foreign::line(&task.id, 80))
        .always("node", foreign::line(&task.node, 80))
        .always("user", foreign::line(&task.user, 80))
        .always("status", task.went.word())
        .said("words", &foreign::line(words, 100))
        .said("upid", &foreign::line(upid, 200))
        .into()
}

fn log_line(line: &Line) -> String {
    format!(
        "  • {} {} {}: {}\n",
        dates::minute(line.time),
        foreign::name(&line.node),
        foreign::name(&line.user),
        foreign::words(&line.text, 120)
    )
}

fn log_datum(line: &Line) -> Value {
    Data::new()
        .always("time", dates::minute(line.time))
        .always("node", foreign::line(&line.node, 80))
        .always("user", foreign::line(&line.user, 80))
        .always("text", foreign::line(&line.text, 120))
        .into()
}

#[cfg(test)]
#[path = "tests/proxmox_history.rs"]
mod tests;
