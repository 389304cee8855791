//! Tasks: what a change turns into while it runs.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::World;
use crate::auth::Caller;

/// What a task does when it comes to its end; an error is what it fails with.
pub type Effect = Box<dyn FnOnce(&mut World) -> Result<(), String> + Send>;

/// What a task is going to be.
pub struct Plan {
    /// Type (`qmstart`).
    pub kind: &'static str,
    /// What it is about (`101`).
    pub id: String,
    /// How long it takes.
    pub takes: Duration,
    /// Log lines, spread over its time.
    pub log: Vec<String>,
    /// Warnings; each has its line in the log already.
    pub warnings: usize,
    /// What happens at the end.
    pub effect: Effect,
}

/// A task.
pub struct Task {
    /// Its id.
    pub upid: Upid,
    /// Who started it.
    pub caller: Caller,
    began: Duration,
    /// How long it takes.
    pub takes: Duration,
    log: Vec<String>,
    warnings: usize,
    effect: Option<Effect>,
    /// Exit text and Unix time in seconds of its end.
    pub end: Option<(String, u64)>,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("upid", &self.upid.to_string()).field("end", &self.end).finish()
    }
}

/// The id of a task, in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upid {
    /// The node that runs it.
    pub node: String,
    /// Process id.
    pub pid: u32,
    /// Start in hundredths of a second since the node's boot.
    pub pstart: u64,
    /// Unix time in seconds of its start.
    pub start: u64,
    /// Type.
    pub kind: String,
    /// What it is about.
    pub id: String,
    /// `root@pam!mcp`.
    pub user: String,
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Upid { node, pid, pstart, start, kind, id, user } = self;
        write!(f, "UPID:{node}:{pid:08X}:{pstart:08X}:{start:08X}:{kind}:{id}:{user}:")
    }
}

impl Upid {
    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Upid> {
        let mut parts = text.strip_prefix("UPID:")?.split(':');
        let mut next = || parts.next();
        let (node, pid, pstart, start) = (next()?, next()?, next()?, next()?);
        let (kind, id, user, end) = (next()?, next()?, next()?, next()?);
        let hex = |digits: &str| u64::from_str_radix(digits, 16).ok().filter(|_| digits.len() >= 8);
        if !end.is_empty() || next().is_some() || kind.is_empty() || user.is_empty() {
            return None;
        }
        Some(Upid {
            node: node.into(),
            pid: u32::try_from(hex(pid)?).ok()?,
            pstart: hex(pstart)?,
            start: hex(start)?,
            kind: kind.into(),
            id: id.into(),
            user: user.into(),
        })
    }
}

impl Task {
    /// A task that ended in the past.
    pub fn past(upid: Upid, caller: Caller, log: Vec<String>, exit: &str, end: u64) -> Task {
        let end = Some((exit.to_owned(), end));
        let zero = Duration::ZERO;
        Task { upid, caller, began: zero, takes: zero, log, warnings: 0, effect: None, end }
    }

    fn ends_at(&self) -> Duration {
        self.began + self.takes
    }

    /// The lines of its log at this time of the cluster's clock.
    pub fn lines(&self, elapsed: Duration) -> Vec<String> {
        let Some((exit, _)) = &self.end else {
            let share =
                elapsed.saturating_sub(self.began).as_secs_f64() / self.takes.as_secs_f64().max(0.001);
            let shown = self.log.len() as f64 * share.min(1.0);
            return self.log.iter().take(shown as usize).cloned().collect();
        };
        let last = match exit.as_str() {
            "OK" => "TASK OK".to_owned(),
            warned if warned.starts_with("WARNINGS:") => format!("TASK {warned}"),
            error => format!("TASK ERROR: {error}"),
        };
        self.log.iter().cloned().chain([last]).collect()
    }

    /// `ok`, `warning`, `error`, `unknown`: what a status filter asks for.
    pub fn class(&self) -> &'static str {
        match self.end.as_ref().map(|(exit, _)| exit.as_str()) {
            None => "unknown",
            Some("OK") => "ok",
            Some(warned) if warned.starts_with("WARNINGS:") => "warning",
            Some(_) => "error",
        }
    }

    /// What its status answers.
    pub fn status(&self) -> Value {
        let mut status = self.common();
        if let Some(map) = status.as_object_mut() {
            map.insert("status".into(), json!(if self.end.is_some() { "stopped" } else { "running" }));
            if let Some((exit, _)) = &self.end {
                map.insert("exitstatus".into(), json!(exit));
            }
            self.owner(map);
        }
        status
    }

    /// Its row in the node's list.
    pub fn row(&self) -> Value {
        let mut row = self.common();
        if let Some(map) = row.as_object_mut() {
            match &self.end {
                Some((exit, end)) => {
                    map.insert("status".into(), json!(exit));
                    map.insert("endtime".into(), json!(end));
                    self.owner(map);
                }
                None => {
                    map.insert("status".into(), json!("RUNNING"));
                    map.insert("saved".into(), json!("0"));
                    map.insert("user".into(), json!(self.caller.id()));
                }
            }
        }
        row
    }

    /// Its row in the cluster's list.
    pub fn cluster_row(&self) -> Value {
        let mut row = self.common();
        if let Some(map) = row.as_object_mut() {
            map.remove("pid");
            map.remove("pstart");
            if let Some((exit, end)) = &self.end {
                map.insert("status".into(), json!(exit));
                map.insert("endtime".into(), json!(end));
                map.insert("saved".into(), json!("1"));
            }
            self.owner(map);
        }
        row
    }

    fn common(&self) -> Value {
        let upid = &self.upid;
        json!({
            "upid": upid.to_string(), "node": upid.node, "pid": upid.pid, "pstart": upid.pstart,
            "starttime": upid.start, "type": upid.kind, "id": upid.id,
        })
    }

    fn owner(&self, map: &mut serde_json::Map<String, Value>) {
        map.insert("user".into(), json!(self.caller.user));
        if let Some(token) = &self.caller.token {
            map.insert("tokenid".into(), json!(token));
        }
    }
}

impl World {
    /// Starts a task and returns its id.
    pub fn start_task(&mut self, caller: &Caller, node: &str, plan: Plan) -> String {
        self.last_pid += 7;
        let now = self.clock.unix();
        let booted = self.nodes.iter().find(|n| n.name == node).map_or(now, |n| n.booted);
        let hundredths = u64::from(self.clock.elapsed().subsec_millis() / 10);
        let pstart =
            if self.frozen { u64::from(self.last_pid) } else { (now - booted.min(now)) * 100 + hundredths };
        let upid = Upid {
            node: node.into(),
            pid: self.last_pid,
            pstart,
            start: now,
            kind: plan.kind.into(),
            id: plan.id,
            user: caller.id(),
        };
        let text = upid.to_string();
        self.tasks.push(Task {
            upid,
            caller: caller.clone(),
            began: self.clock.elapsed(),
            takes: plan.takes,
            log: plan.log,
            warnings: plan.warnings,
            effect: Some(plan.effect),
            end: None,
        });
        text
    }

    /// How long something takes that takes `times` as long as starting a guest.
    pub fn takes(&self, times: f64) -> Duration {
        Duration::from_secs_f64(self.task_seconds * times)
    }

    /// Forgets the oldest tasks that ended, where there are too many to keep.
    fn forget_tasks(&mut self) {
        /// More than the thousand that a node keeps in its list.
        const KEPT: usize = 3_000;
        if self.tasks.len() <= KEPT {
            return;
        }
        let mut surplus = self.tasks.len() - KEPT * 2 / 3;
        self.tasks.retain(|task| {
            let goes = surplus > 0 && task.end.is_some();
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// Lets everything happen whose time has come.
    pub fn settle(&mut self) {
        self.forget_tasks();
        let elapsed = self.clock.elapsed();
        loop {
            let due =
                self.tasks.iter().enumerate().filter(|(_, t)| t.end.is_none() && t.ends_at() <= elapsed);
            let Some(index) = due.min_by_key(|(_, t)| t.ends_at()).map(|(i, _)| i) else { return };
            self.finish(index, elapsed);
        }
    }

    fn finish(&mut self, index: usize, elapsed: Duration) {
        let now = self.clock.unix();
        let Some(task) = self.tasks.get_mut(index) else { return };
        let late = elapsed.saturating_sub(task.ends_at()).as_secs();
        let end = if self.frozen { now } else { now.saturating_sub(late).max(task.upid.start) };
        let warnings = task.warnings;
        let effect = task.effect.take();
        // The end has to stand before the effect runs: an effect may look at the tasks.
        task.end = Some((String::new(), end));
        let exit = match effect.map_or(Ok(()), |effect| effect(self)) {
            Ok(()) if warnings > 0 => format!("WARNINGS: {warnings}"),
            Ok(()) => "OK".to_owned(),
            Err(error) => error,
        };
        if let Some(task) = self.tasks.get_mut(index) {
            task.end = Some((exit, end));
        }
    }

    /// Stops a running task; one that ended stays as it is.
    pub fn interrupt(&mut self, upid: &str) {
        let now = self.clock.unix();
        if let Some(task) = self.tasks.iter_mut().find(|t| t.end.is_none() && t.upid.to_string() == upid) {
            task.effect = None;
            task.end = Some(("received interrupt".into(), now));
        }
    }

    /// The task of this id.
    pub fn task(&self, upid: &str) -> Option<&Task> {
        let wanted = Upid::parse(upid)?;
        self.tasks.iter().rev().find(|t| t.upid == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_tasks_are_forgotten_and_running_ones_are_not() {
        let mut world = World::empty(&crate::Options::instant());
        let caller = Caller::user("root@pam");
        let mut start = |seconds: u64| {
            let (takes, effect) = (Duration::from_secs(seconds), Box::new(|_: &mut World| Ok(())));
            let plan = Plan { kind: "x", id: String::new(), takes, log: Vec::new(), warnings: 0, effect };
            let upid = world.start_task(&caller, "pve1", plan);
            world.settle();
            (upid, world.tasks.len())
        };
        let (running, _) = start(3600);
        let counts: Vec<usize> = (0..8_000).map(|_| start(0).1).collect();
        assert!(counts.iter().all(|count| *count <= 3_001) && counts[7_999] >= 2_000);
        assert!(world.task(&running).is_some_and(|task| task.end.is_none()));
    }

    #[test]
    fn a_upid_is_read_as_it_is_written() {
        let text = "UPID:pve1:0000321F:0004AE04:6B02B8E4:qmreset:101:operator@pve!power:";
        let upid = Upid::parse(text).unwrap();
        assert_eq!((upid.pid, upid.start, upid.user.as_str()), (12831, 1_795_340_516, "operator@pve!power"));
        assert_eq!(upid.to_string(), text);
        for bad in
            ["UPID:bogus", "UPID:a:1:2:3:x:1:u:", "", "UPID:pve1:0000321F:0004AE04:6B02B8E4:qmreset:101:"]
        {
            assert!(Upid::parse(bad).is_none(), "{bad}");
        }
    }
}
