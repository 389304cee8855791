//! `proxmox_get_tasks`: what runs and what ran.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::listing::{Cursor, Page};
use crate::missing::{self, Missing};
use crate::pve::history::{self, Entry, Went};
use crate::pve::ids::{NodeName, Upid, Vmid};
use crate::dates::{self, Since};
use crate::pve::nodes;
use crate::pve::resources::{self, Resource};
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Args, Outcome, Tool, Toolset};
use crate::view::{BUDGET, Limit};

/// How many tasks each node is asked for.
const ASKED: u32 = 1000;

crate::words! {
    /// How a task went.
    enum Status {
        /// It runs.
        Running = "running",
        /// It failed.
        Failed = "failed",
        /// It went well, with warnings or without.
        Ok = "ok",
    }
}

crate::params! {
    /// Node.
    node: Option<NodeName>,
    /// Guest.
    vmid: Option<Vmid>,
    /// Such as vzdump.
    kind: Option<String>,
    /// Status.
    status: Option<Status>,
    /// 2h, 3d or a date.
    since: Option<Since>,
    /// How many.
    limit: Option<Limit>,
    /// Where the page begins.
    cursor: Option<Cursor>,
}

const TASK: Shape = Shape::Object(&[
    always("upid", Shape::Text),
    always("kind", Shape::Text),
    always("id", Shape::Text),
    always("node", Shape::Text),
    always("user", Shape::Text),
    always("status", Shape::Words(&["running", "failed", "warnings", "ok"])),
    known("error", Shape::Text),
    always("started", Shape::Count).about("seconds since 1970"),
    always("seconds", Shape::Count),
]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_tasks",
    title: "List tasks",
    description: "Lists running and past tasks.",
    toolset: Toolset::Overview,
    params: PARAMS,
    unlisted: &["kind"],
    output: Shape::Object(&[
        always("tasks", Shape::List(&TASK)),
        always("total", Shape::Count),
        always("running", Shape::Count),
        always("failed", Shape::Count),
        known("next_cursor", Shape::Text),
        missing::FIELD,
    ]),
    calls: &[
        &methods::GET_CLUSTER_TASKS,
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_TASKS,
        // Only asked about, never sent.
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
    ],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let recent = params.recent_is_enough();
    let mut calls = vec![Call::of(&methods::GET_CLUSTER_RESOURCES).with("type", "node")];
    calls.extend(recent.then(|| Call::of(&methods::GET_CLUSTER_TASKS)));
    let mut replies = cx.replies(calls).into_iter();
    let nodes = replies.next().unwrap_or_else(|| Err(Error::Defect("an answer is missing".to_owned())))?;
    let rows = resources::rows(&nodes)?;
    let mut missing = Missing::new();
    let nodes = params.nodes(&rows, recent, &mut missing)?;
    let all = match replies.next() {
        Some(tasks) => entries(&tasks?.data()?),
        None => of_nodes(cx, &params, &nodes, &mut missing),
    };
    others(cx, &nodes, &mut missing)?;
    let now = cx.now_ms() / 1000;
    let tasks = history::sorted(all.into_iter().filter(|task| params.wants(task, now)).collect());
    answer(&params, tasks, &missing, recent, now)
}

impl Params {
    /// Whether the cluster's own list of recent tasks can answer: it has what runs, and a few of the past.
    fn recent_is_enough(&self) -> bool {
        let plain = self.vmid.is_none() && self.kind.is_none() && self.since.is_none() && self.node.is_none();
        plain && matches!(self.status, None | Some(Status::Running))
    }

    fn wants(&self, task: &Entry, now: u64) -> bool {
        let status = match self.status {
            None => true,
            Some(Status::Running) => task.went == Went::Running,
            Some(Status::Failed) => task.went == Went::Failed,
            Some(Status::Ok) => matches!(task.went, Went::Well | Went::Warned),
        };
        status
            && self.vmid.is_none_or(|vmid| task.id == vmid.to_string())
            && self.kind.as_ref().is_none_or(|kind| task.kind.eq_ignore_ascii_case(kind.trim()))
            && self.since.is_none_or(|since| task.started >= since.unix(now))
    }

    /// The nodes that tasks are wanted of. One that is offline cannot be asked for its own list.
    fn nodes(
        &self,
        rows: &[Resource<'_>],
        recent: bool,
        missing: &mut Missing,
    ) -> Result<Vec<NodeName>, Error> {
        let one = self.node.as_ref().map(|node| nodes::choose(rows, Some(node))).transpose()?;
        let wanted = |row: &&Resource<'_>| one.as_ref().is_none_or(|(node, _)| *row.node == *node.as_str());
        let mut found = Vec::new();
        for row in rows.iter().filter(|row| row.is_node()).filter(wanted) {
            match NodeName::parse(&row.node).filter(|_| recent || nodes::is_online(row)) {
                Some(node) => found.push(node),
                None => missing.note_one(foreign::name(&row.node), "the node is offline".to_owned()),
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// What a node is asked for.
    fn call(&self, node: &NodeName, now: u64) -> Call {
        let vmid = self.vmid.map(Vmid::number);
        let since = self.since.map(|since| since.unix(now).to_string());
        let errors = matches!(self.status, Some(Status::Failed)).then_some(true);
        history::of_node(node, ASKED)
            .with_some("vmid", vmid)
            .with_some("typefilter", self.kind.as_deref().map(str::trim))
            .with_some("since", since)
            .with_some("errors", errors)
    }
}

/// The lists of these nodes.
fn of_nodes(cx: &Cx<'_>, params: &Params, nodes: &[NodeName], missing: &mut Missing) -> Vec<Entry> {
    let mut tasks = Vec::new();
    let calls = nodes.iter().map(|node| params.call(node, cx.now_ms() / 1000)).collect();
    for (node, reply) in nodes.iter().zip(cx.replies(calls)) {
        let found = missing.take_one(node.to_string(), reply.and_then(|reply| reply.data()));
        let found = found.map(|list| entries(&list)).unwrap_or_default();
        if found.len() >= ASKED as usize {
            let cut = format!("only its newest {ASKED} tasks were looked at; give `since` or `kind`");
            missing.note_one(node.to_string(), cut);
        }
        tasks.extend(found);
    }
    tasks
}

/// Notes where only the own tasks are shown: without the privilege the lists are cut without a word, so
/// the host is asked what it would say to the task of another login.
fn others(cx: &Cx<'_>, nodes: &[NodeName], missing: &mut Missing) -> Result<(), Error> {
    let mut cut = Vec::new();
    for node in nodes {
        let Some(upid) = Upid::parse(&format!("UPID:{node}:00000000:00000000:00000000:none::nobody@pam:")) else {
            continue;
        };
        let call = Call::of(&methods::GET_NODES_NODE_TASKS_UPID_STATUS).at("node", node).at("upid", &upid);
        if cx.verdict(&call)?.is_some_and(|verdict| !verdict.allowed) {
            cut.push(node.as_str());
        }
    }
    let grant = |node: &&str| format!("`--grant Sys.Audit@/nodes/{node}`");
    let grants = match cut.as_slice() {
        [] => return Ok(()),
        few @ ([_] | [_, _] | [_, _, _]) => few.iter().map(grant).collect::<Vec<_>>().join(" "),
        _ => "`--grant Sys.Audit@/nodes`".to_owned(),
    };
    missing.note_one("tasks of other logins", format!("not granted: needs Sys.Audit ({grants})"));
    Ok(())
}

fn entries(list: &Value) -> Vec<Entry> {
    list.as_array().into_iter().flatten().filter_map(Entry::of).collect()
}

fn answer(params: &Params, tasks: Vec<Entry>, missing: &Missing, recent: bool, now: u64) -> Result<Outcome, Error> {
    let count = |went: Went| tasks.iter().filter(|task| task.went == went).count();
    let (running, failed) = (count(Went::Running), count(Went::Failed));
    let mut text = format!(
        "📋 Tasks\n  • {}: {running} running, {failed} failed\n",
        text::count(tasks.len(), if recent { "recent task" } else { "task" })
    );
    text += &missing.lines();
    let used = text.len() + missing.data().to_string().len() + 280;
    let cost = |task: &Entry| line(task, now).len() + datum(task, now).to_string().len() + 1;
    let limit = params.limit.map(|limit| limit.0);
    let page = Page::fitting(tasks, limit, params.cursor, BUDGET - used.min(BUDGET), cost)?;
    if !page.rows.is_empty() {
        text += "\n| When | Task | About | Node | By | How |\n|---|---|---|---|---|---|\n";
    }
    text.extend(page.rows.iter().map(|task| line(task, now)));
    text += &page.footer("tasks");
    if recent {
        text += "\nOlder tasks: give `since`, `node`, `vmid`, `kind` or `status`. One task's log: `proxmox_get_task`.\n";
    }
    let rows: Vec<Value> = page.rows.iter().map(|task| datum(task, now)).collect();
    let data = Data::new()
        .always("tasks", rows)
        .always("total", page.total)
        .always("running", running)
        .always("failed", failed)
        .known("next_cursor", page.next.as_deref())
        .always("missing", missing.data());
    Ok(Outcome::done(text, data.into()))
}

/// A row of the text; a task that runs, failed or warned is named in full, to look at it.
fn line(task: &Entry, now: u64) -> String {
    let took = text::duration(f64::from(u32::try_from(task.seconds(now)).unwrap_or(u32::MAX)));
    let how = match task.went {
        Went::Running => format!("RUNNING for {took} {}", task.shown()),
        Went::Failed => format!("FAILED: {} {}", foreign::words(&task.exit, 120), task.shown()),
        Went::Warned => format!("{} in {took} {}", foreign::words(&task.exit, 40), task.shown()),
        Went::Well => format!("OK in {took}"),
    };
    let words = [&task.kind, &task.id, &task.node, &task.user].map(|text| foreign::words(text, 60));
    format!("| {} | {} | {how} |\n", dates::ago(now, task.started), words.join(" | "))
}

fn datum(task: &Entry, now: u64) -> Value {
    let error = if task.went == Went::Failed { task.exit.as_str() } else { "" };
    Data::new()
        .always("upid", task.upid.as_str())
        .always("kind", task.kind.as_str())
        .always("id", task.id.as_str())
        .always("node", task.node.as_str())
        .always("user", task.user.as_str())
        .always("status", task.went.word())
        .said("error", &foreign::line(error, 120))
        .always("started", task.started)
        .always("seconds", task.seconds(now))
        .into()
}

#[cfg(test)]
#[path = "tests/proxmox_get_tasks.rs"]
mod tests;
