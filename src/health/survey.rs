//! A look at the whole cluster, or at one node of it, in two rounds of requests and never more than
//! [`REQUESTS`]. What is left out for that, or cannot be had, is said.

use proxmox_api::{Method, methods as m};
use serde_json::Value;

use super::{backups, cluster, guests, nodes, storages, tasks, upkeep};
use crate::cx::{Call, Cx, Reply};
use crate::error::Error;
use crate::pve::coverage::{self, Backups};
use crate::pve::findings::Report;
use crate::pve::guests::GuestKind;
use crate::pve::history::Entry;
use crate::pve::ids::{NodeName, StorageId, Vmid};
use crate::pve::nodes::{Offline, choose, is_online};
use crate::pve::resources::{self, Resource};
use crate::pve::storages::{Storage, seen_from};
use crate::pve::trend;
use crate::text;

/// The most requests of one look.
pub const REQUESTS: usize = 40;
/// The most storages that are asked how they grow.
const TRENDS: usize = 3;
/// The most storages that are asked for backups.
const HOLDERS: usize = 4;
/// The most nodes that are asked how replication goes.
const REPLICATING: usize = 4;
/// The most guests that are asked for snapshots, and the most for their agents.
const SAMPLE: usize = 3;

/// Every method that a look may call.
pub const CALLS: &[&Method] = &[
    &m::GET_CLUSTER_RESOURCES,
    &m::GET_CLUSTER_STATUS,
    &m::GET_CLUSTER_HA_STATUS_CURRENT,
    &m::GET_CLUSTER_TASKS,
    &m::GET_CLUSTER_BACKUP_INFO_NOT_BACKED_UP,
    &m::GET_CLUSTER_REPLICATION,
    &m::GET_NODES_NODE_STATUS,
    &m::GET_NODES_NODE_CERTIFICATES_INFO,
    &m::GET_NODES_NODE_APT_UPDATE,
    &m::GET_NODES_NODE_SUBSCRIPTION,
    &m::GET_NODES_NODE_TIME,
    &m::GET_NODES_NODE_REPLICATION,
    &m::GET_NODES_NODE_STORAGE_STORAGE_RRDDATA,
    &m::GET_NODES_NODE_STORAGE_STORAGE_CONTENT,
    &m::GET_NODES_NODE_QEMU_VMID_SNAPSHOT,
    &m::GET_NODES_NODE_LXC_VMID_SNAPSHOT,
    &m::GET_NODES_NODE_QEMU_VMID_AGENT_GET_FSINFO,
];

/// What a look brought up.
#[derive(Debug)]
pub struct Survey {
    /// Findings and gaps.
    pub report: Report,
    /// How many requests it made.
    pub requests: usize,
    /// How many nodes there are in it.
    pub nodes: usize,
    /// How many guests there are in it, without templates.
    pub guests: usize,
}

/// Looks at the cluster, or at one node.
///
/// # Errors
/// If `/cluster/resources` cannot be had, or there is no such node.
pub fn take(cx: &Cx<'_>, node: Option<&NodeName>) -> Result<Survey, Error> {
    let mut first = cx.replies(vec![
        resources::all(),
        Call::of(&m::GET_CLUSTER_STATUS),
        Call::of(&m::GET_CLUSTER_HA_STATUS_CURRENT),
        Call::of(&m::GET_CLUSTER_TASKS),
        Call::of(&m::GET_CLUSTER_BACKUP_INFO_NOT_BACKED_UP),
        Call::of(&m::GET_CLUSTER_REPLICATION),
    ]);
    let requests = first.len();
    let rest: Vec<Result<Value, Error>> =
        first.drain(1..).map(|reply| reply.and_then(|reply| reply.data())).collect();
    let all = first.pop().unwrap_or_else(|| Err(Error::Defect("an answer is missing".to_owned())))?;
    let rows = resources::rows(&all)?;
    if node.is_some() {
        choose(&rows, node)?;
    }
    let mut look = Look::new(cx, &rows, node.map(NodeName::as_str));
    let jobs = look.first(rest);
    let asks = look.plan(&jobs, REQUESTS - requests);
    let second = asks.len();
    let replies = cx.replies(asks.iter().map(|(_, call)| call.clone()).collect());
    for ((ask, _), reply) in asks.iter().zip(replies) {
        look.hear(ask, reply);
    }
    Ok(look.end(requests + second))
}

/// What a request of the second round is for.
#[derive(Debug)]
enum Ask {
    Status(String),
    Certificates(String),
    Updates(String),
    Subscription(String),
    Clock(String),
    Replication(String),
    Trend(usize),
    Backups(String),
    Snapshots(u32),
    Agent(u32),
}

/// Makes a question about the node of this name.
type AboutNode = fn(String) -> Ask;

/// What is asked of a node, the most telling first.
const OF_A_NODE: [(AboutNode, &Method); 5] = [
    (Ask::Certificates, &m::GET_NODES_NODE_CERTIFICATES_INFO),
    (Ask::Status, &m::GET_NODES_NODE_STATUS),
    (Ask::Updates, &m::GET_NODES_NODE_APT_UPDATE),
    (Ask::Clock, &m::GET_NODES_NODE_TIME),
    (Ask::Subscription, &m::GET_NODES_NODE_SUBSCRIPTION),
];

impl Ask {
    /// What is not known without the answer, and of what.
    fn part(&self) -> (&'static str, String) {
        let of = |name: &str| name.to_owned();
        match self {
            Ask::Status(node) => ("swap and load", of(node)),
            Ask::Certificates(node) => ("certificates", of(node)),
            Ask::Updates(node) => ("updates", of(node)),
            Ask::Subscription(node) => ("subscription", of(node)),
            Ask::Clock(node) => ("clocks", of(node)),
            Ask::Replication(node) => ("replication", of(node)),
            Ask::Trend(_) => ("growth of storages", of("the fullest")),
            Ask::Backups(storage) => ("backups", of(storage)),
            Ask::Snapshots(vmid) => ("snapshots", vmid.to_string()),
            Ask::Agent(vmid) => ("guest agents and file systems", vmid.to_string()),
        }
    }
}

/// A look that goes on.
struct Look<'l, 'r> {
    now: u64,
    only: Option<&'l str>,
    rows: &'r [Resource<'r>],
    /// Guests that are looked at, without templates.
    guests: Vec<&'r Resource<'r>>,
    storages: Vec<Storage<'r>>,
    trends: Vec<Option<Vec<(f64, f64)>>>,
    subscriptions: Vec<(String, Value)>,
    clocks: Vec<(String, Value)>,
    backups: Option<Backups>,
    /// Whether a storage that holds backups of many guests was not read.
    backups_unread: bool,
    report: Report,
}

impl<'l, 'r> Look<'l, 'r> {
    fn new(cx: &Cx<'_>, rows: &'r [Resource<'r>], only: Option<&'l str>) -> Self {
        let here = |node: &str| only.is_none_or(|only| only == node);
        // Through another node than the one that is asked about, a shared storage cannot be asked.
        let storages = seen_from(rows, only);
        Look {
            now: cx.now_ms() / 1000,
            only,
            rows,
            guests: rows
                .iter()
                .filter(|row| row.is_guest() && !row.is_template() && here(&row.node))
                .collect(),
            trends: storages.iter().map(|_| None).collect(),
            storages,
            subscriptions: Vec::new(),
            clocks: Vec::new(),
            backups: None,
            backups_unread: false,
            report: Report::default(),
        }
    }

    fn here(&self, node: &str) -> bool {
        self.only.is_none_or(|only| only == node)
    }

    /// Hears the first round; gives the replication jobs.
    fn first(&mut self, answers: Vec<Result<Value, Error>>) -> Option<Value> {
        let mut answers = answers.into_iter();
        let mut next =
            || answers.next().unwrap_or_else(|| Err(Error::Defect("an answer is missing".to_owned())));
        let (status, ha, tasks, no_job, replication) = (next(), next(), next(), next(), next());
        let gaps = &mut self.report.gaps;
        if let Err(error @ Error::Denied(_)) = &status {
            // Who may not see the cluster sees own tasks only, without being told.
            gaps.error("tasks of other users", error);
        }
        let status = gaps.take("quorum", status);
        let ha = gaps.take("high availability", ha);
        let tasks = gaps.take("failed tasks", tasks).map(|answer| Entry::all(&answer));
        let no_job = gaps.take("guests in no backup job", no_job);
        let jobs = gaps.take("replication", replication);
        for node in
            self.rows.iter().filter(|row| row.is_node() && self.only.is_none_or(|only| only == &*row.node))
        {
            self.report.add(nodes::of_row(node, self.rows));
        }
        self.report.add(status.iter().flat_map(|status| cluster::quorum(status, self.rows)));
        match &ha {
            Some(ha) => self.report.add(cluster::high_availability(ha, self.rows)),
            None => self.report.add(cluster::ha_states(self.guests.iter().copied())),
        }
        let mut tasks = tasks.unwrap_or_default();
        tasks.retain(|task| self.here(&task.node));
        for node in tasks::cut(&tasks, self.now) {
            self.report.gaps.note(
                &format!("failed tasks of {node}"),
                "only its last 25 tasks are listed, and they are all of today; `proxmox_get_tasks` with `node` shows more",
            );
        }
        self.report.add(tasks::failed(&tasks, self.now));
        self.report.add(no_job.and_then(|answer| backups::without_job(&answer, &self.guests)));
        let offline = Offline::of(self.rows);
        let reachable: Vec<&Resource<'_>> =
            self.guests.iter().copied().filter(|row| !offline.has(&row.node)).collect();
        self.report.add(guests::of_rows(&reachable, &tasks::busy(&tasks)));
        jobs
    }

    /// The second round: so many requests at most.
    fn plan(&mut self, jobs: &Option<Value>, most: usize) -> Vec<(Ask, Call)> {
        let mut asks = self.trends();
        asks.extend(self.holders());
        asks.extend(self.replicating(jobs.as_ref()));
        asks.extend(self.sample());
        let left = most.saturating_sub(asks.len());
        asks.extend(self.of_nodes(left));
        asks
    }

    /// Everything about the node that is shortest of memory, then one kind of request after the other about the
    /// others, as long as there are requests left.
    fn of_nodes(&mut self, most: usize) -> Vec<(Ask, Call)> {
        let mut online: Vec<&Resource<'_>> =
            self.rows.iter().filter(|row| row.is_node() && is_online(row) && self.here(&row.node)).collect();
        let full = |row: &Resource<'_>| row.memory().map_or(0.0, |(used, all)| used / all);
        online.sort_by(|a, b| full(b).total_cmp(&full(a)));
        let nodes: Vec<NodeName> = online.iter().filter_map(|row| NodeName::parse(&row.node)).collect();
        let Some((first, rest)) = nodes.split_first() else { return Vec::new() };
        let of_first = OF_A_NODE.iter().map(|kind| (kind, first));
        let of_rest = OF_A_NODE.iter().flat_map(|kind| rest.iter().map(move |node| (kind, node)));
        let mut asks: Vec<(Ask, Call)> = of_first
            .chain(of_rest)
            .map(|((ask, method), node)| (ask(node.to_string()), Call::of(method).at("node", node)))
            .collect();
        let mut missed: Vec<(&str, usize)> = Vec::new();
        for (ask, _) in asks.drain(most.min(asks.len())..) {
            let (what, _) = ask.part();
            match missed.iter_mut().find(|(known, _)| *known == what) {
                Some((_, nodes)) => *nodes += 1,
                None => missed.push((what, 1)),
            }
        }
        for (what, nodes) in missed {
            let part = format!("{what} of {}", text::count(nodes, "node"));
            let reason = format!("an answer makes at most {REQUESTS} requests; give `node` for one of them");
            self.report.gaps.note(&part, reason);
        }
        asks
    }

    fn trends(&self) -> Vec<(Ask, Call)> {
        let fullest = storages::fullest(&self.storages, TRENDS);
        let ask = |storage: &&Storage<'_>| {
            let place = self.storages.iter().position(|other| std::ptr::eq(other, *storage))?;
            let (node, id) =
                NodeName::parse(&storage.row.node).zip(StorageId::parse(&storage.row.storage))?;
            let call =
                Call::of(&m::GET_NODES_NODE_STORAGE_STORAGE_RRDDATA).at("node", &node).at("storage", &id);
            Some((Ask::Trend(place), call.with("timeframe", "month").with("cf", "AVERAGE")))
        };
        fullest.iter().filter_map(ask).collect()
    }

    fn holders(&mut self) -> Vec<(Ask, Call)> {
        let (mut holders, silent) = coverage::holders(self.rows, self.only);
        for storage in silent {
            let same = |one: &Storage<'_>| *one.row.storage == *storage && one.is_shared();
            self.backups_unread |= self.storages.iter().any(same);
            self.report.gaps.note(
                &format!("backups on {storage}"),
                "the storage gives no figures: down, disabled, or its node is",
            );
        }
        let left = holders.len().saturating_sub(HOLDERS);
        holders.truncate(HOLDERS);
        if left > 0 {
            let part = format!("backups on {}", text::count(left, "more storage"));
            self.report.gaps.note(&part, "`proxmox_list_backups` with `storage` asks one");
        }
        holders.into_iter().map(|holder| (Ask::Backups(holder.storage.to_owned()), holder.call)).collect()
    }

    /// The nodes with guests that are replicated.
    fn replicating(&mut self, jobs: Option<&Value>) -> Vec<(Ask, Call)> {
        let jobs = jobs.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let replicated = |row: &Resource<'_>| {
            let same = |job: &Value| resources::Figure::of(job.get("guest")).whole() == row.vmid.whole();
            row.vmid.whole().is_some() && jobs.iter().any(same)
        };
        let offline = Offline::of(self.rows);
        let mut names: Vec<&str> =
            self.guests.iter().filter(|row| replicated(row)).map(|row| &*row.node).collect();
        names.retain(|node| !offline.has(node));
        names.sort_unstable();
        names.dedup();
        let left = names.len().saturating_sub(REPLICATING);
        if left > 0 {
            let part = format!("replication of {}", text::count(left, "more node"));
            self.report.gaps.note(&part, "give `node` for one of them");
        }
        let ask = |node: &&str| {
            let name = NodeName::parse(node)?;
            Some((
                Ask::Replication((*node).to_owned()),
                Call::of(&m::GET_NODES_NODE_REPLICATION).at("node", &name),
            ))
        };
        names.iter().take(REPLICATING).filter_map(ask).collect()
    }

    /// The largest guests, for what takes a request for each, those that run first.
    fn sample(&mut self) -> Vec<(Ask, Call)> {
        let offline = Offline::of(self.rows);
        let runs = |row: &Resource<'_>| &*row.status == "running";
        let mut largest: Vec<&Resource<'_>> =
            self.guests.iter().copied().filter(|row| !offline.has(&row.node)).collect();
        largest.sort_by_key(|row| (!runs(row), std::cmp::Reverse(row.maxdisk.whole()), row.vmid.whole()));
        let at = |row: &Resource<'_>| NodeName::parse(&row.node).zip(row.guest_id());
        let call =
            |method, (node, vmid): (NodeName, Vmid)| Call::of(method).at("node", &node).at("vmid", &vmid);
        let snapshots = largest.iter().take(SAMPLE).filter_map(|row| {
            let method = match GuestKind::of(row) {
                GuestKind::Vm => &m::GET_NODES_NODE_QEMU_VMID_SNAPSHOT,
                GuestKind::Container => &m::GET_NODES_NODE_LXC_VMID_SNAPSHOT,
            };
            let place = at(row)?;
            Some((Ask::Snapshots(place.1.number()), call(method, place)))
        });
        let vms: Vec<_> =
            largest.iter().filter(|row| runs(row) && GuestKind::of(row) == GuestKind::Vm).collect();
        // What an agent says of file systems also says that it is there.
        let agents = vms.iter().take(SAMPLE).filter_map(|row| {
            let place = at(row)?;
            Some((Ask::Agent(place.1.number()), call(&m::GET_NODES_NODE_QEMU_VMID_AGENT_GET_FSINFO, place)))
        });
        let asks: Vec<(Ask, Call)> = snapshots.chain(agents).collect();
        for (what, of, all) in
            [("snapshots", "guest", self.guests.len()), ("agents and file systems", "running VM", vms.len())]
        {
            let left = all.saturating_sub(SAMPLE);
            if left > 0 {
                let part = format!("{what} of {}", text::count(left, of));
                let reason = format!(
                    "a request for each; the {SAMPLE} largest were asked, `proxmox_diagnose` asks one"
                );
                self.report.gaps.note(&part, reason);
            }
        }
        asks
    }

    fn hear(&mut self, ask: &Ask, reply: Result<Reply, Error>) {
        if let Err(error) = self.understand(ask, reply) {
            self.backups_unread |= matches!(ask, Ask::Backups(_));
            let (what, of) = ask.part();
            match error {
                Error::Denied(_) => self.report.gaps.error(what, &error),
                error => self.report.gaps.error(&format!("{what} of {of}"), &error),
            }
        }
    }

    fn understand(&mut self, ask: &Ask, reply: Result<Reply, Error>) -> Result<(), Error> {
        if let Ask::Backups(_) = ask {
            return coverage::collect(self.backups.get_or_insert_default(), &reply?);
        }
        let answer = reply.and_then(|reply| reply.data());
        match ask {
            Ask::Status(node) => self.report.add(nodes::of_status(node, &answer?)),
            Ask::Certificates(node) => self.report.add(cluster::certificates(node, &answer?, self.now)),
            Ask::Updates(node) => self.report.add(upkeep::updates(node, &answer?)),
            Ask::Subscription(node) => self.subscriptions.push((node.clone(), answer?)),
            Ask::Clock(node) => self.clocks.push((node.clone(), answer?)),
            Ask::Replication(node) => self.report.add(cluster::replication(node, &answer?, self.now)),
            Ask::Trend(place) => {
                let series = trend::series(&answer?, "used");
                if let Some(trend) = self.trends.get_mut(*place) {
                    *trend = Some(series);
                }
            }
            Ask::Snapshots(vmid) => self.report.add(guests::snapshots(*vmid, &answer?, self.now)),
            Ask::Agent(vmid) => self.report.add(guests::inside(*vmid, answer)?),
            Ask::Backups(_) => {}
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53")]
    fn end(mut self, requests: usize) -> Survey {
        for (storage, trend) in self.storages.iter().zip(&self.trends) {
            self.report.add(storages::offline(storage));
            self.report.add(storages::space(storage, trend.as_deref(), self.now as f64));
        }
        self.report.add(upkeep::subscriptions(&self.subscriptions));
        self.report.add(upkeep::clocks(&self.clocks));
        match &self.backups {
            Some(backups) => {
                let mut found = backups::recent(backups, &self.guests, self.now);
                if self.backups_unread {
                    // What was not read may hold the backup that seems to be missing.
                    found.retain(|finding| finding.code == "backup-broken");
                    let why = "not every storage that holds backups could be read";
                    self.report.gaps.note("recent backups", why);
                }
                self.report.add(found);
            }
            None => {
                self.report.gaps.note("recent backups", "no storage that may hold backups could be asked")
            }
        }
        let nodes = self.rows.iter().filter(|row| row.is_node() && self.here(&row.node)).count();
        Survey { nodes, guests: self.guests.len(), report: self.report, requests }
    }
}
