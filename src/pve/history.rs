//! Tasks of the past and those that run: lists of them, and how one went.

use proxmox_api::methods::GET_NODES_NODE_TASKS;
use serde_json::Value;

use crate::cx::Call;
use crate::foreign;
use crate::pve::ids::{NodeName, Upid};
use crate::pve::resources::Figure;

/// How a task went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Went {
    /// It still runs.
    Running,
    /// It failed.
    Failed,
    /// It went well, but warned.
    Warned,
    /// It went well.
    Well,
}

impl Went {
    /// Whether it did what it was for, with warnings or without.
    pub fn is_fine(self) -> bool {
        matches!(self, Went::Well | Went::Warned)
    }

    /// Its word in data.
    pub const fn word(self) -> &'static str {
        match self {
            Went::Running => "running",
            Went::Failed => "failed",
            Went::Warned => "warnings",
            Went::Well => "ok",
        }
    }

    /// Judges the words that a task ended with; nothing: it has not ended.
    pub fn of(exit: Option<&str>) -> Went {
        match exit {
            None | Some("RUNNING" | "") => Went::Running,
            Some("OK") => Went::Well,
            Some(words) if words.starts_with("WARNINGS") => Went::Warned,
            Some(_) => Went::Failed,
        }
    }
}

/// A task of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id as Proxmox wrote it, cleaned.
    pub upid: String,
    /// What kind of task it is, such as `qmstart`.
    pub kind: String,
    /// What it is about; a guest's id for most.
    pub id: String,
    /// Where it runs.
    pub node: String,
    /// Who started it, with the name of the token.
    pub user: String,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// When it ended.
    pub ended: Option<u64>,
    /// How it went.
    pub went: Went,
    /// The words that it ended with, cleaned; empty while it runs.
    pub exit: String,
}

impl Entry {
    /// The tasks of an answer; what is none is left out.
    pub fn all(answer: &Value) -> Vec<Entry> {
        answer.as_array().into_iter().flatten().filter_map(Entry::of).collect()
    }

    /// The task of a row of `/cluster/tasks` or `/nodes/{node}/tasks`; nothing where it names none.
    pub fn of(row: &Value) -> Option<Entry> {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
        let whole = |key: &str| Figure::of(row.get(key)).whole();
        let ended = whole("endtime");
        // In these lists the status is the exit text; a task that runs has none, or RUNNING.
        let exit = row.get("status").and_then(Value::as_str);
        let user = match text("tokenid") {
            "" => text("user").to_owned(),
            _ if text("user").contains('!') => text("user").to_owned(),
            token => format!("{}!{token}", text("user")),
        };
        let went = Went::of(exit.filter(|exit| ended.is_some() || !exit.eq_ignore_ascii_case("RUNNING")));
        let exit = exit.filter(|_| went != Went::Running).unwrap_or_default();
        Some(Entry {
            upid: Some(foreign::line(text("upid"), 300)).filter(|upid| upid.starts_with("UPID:"))?,
            kind: foreign::line(text("type"), 40),
            id: foreign::line(text("id"), 80),
            node: foreign::line(text("node"), 80),
            user: foreign::line(&user, 80),
            started: whole("starttime").unwrap_or_default(),
            ended,
            went,
            exit: foreign::line(exit, 300),
        })
    }

    /// Its id as Markdown: as code, unless it is none.
    pub fn shown(&self) -> String {
        match Upid::parse(&self.upid) {
            Some(upid) => format!("`{upid}`"),
            None => foreign::words(&self.upid, 120),
        }
    }

    /// How long it took, or takes by now, in seconds.
    pub fn seconds(&self, now: u64) -> u64 {
        self.ended.unwrap_or(now).saturating_sub(self.started)
    }
}

/// A node's own list, with tasks that run; for filters on top. At most `limit`, the newest first.
pub fn of_node(node: &NodeName, limit: u32) -> Call {
    Call::of(&GET_NODES_NODE_TASKS).at("node", node).with("source", "all").with("limit", limit)
}

/// Sorts for people: what runs first, then the newest; each task once.
pub fn sorted(mut tasks: Vec<Entry>) -> Vec<Entry> {
    tasks.sort_by(|a, b| {
        let key = |task: &Entry| (task.went != Went::Running, std::cmp::Reverse(task.started));
        key(a).cmp(&key(b)).then_with(|| a.upid.cmp(&b.upid))
    });
    tasks.dedup_by(|a, b| a.upid == b.upid);
    tasks
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_of_both_lists_are_read() {
        let row = |status: Value, end: Value| {
            json!({"upid": "UPID:pve1:00000937:000665AF:6B02BD4A:qmshutdown:103:root@pam!mcp:", "node": "pve1",
                   "id": "103", "type": "qmshutdown", "starttime": 100, "user": "root@pam", "tokenid": "mcp",
                   "status": status, "endtime": end})
        };
        for (status, end, went) in [
            (json!("OK"), json!(160), Went::Well),
            (json!("WARNINGS: 1"), json!(160), Went::Warned),
            (json!("got timeout"), json!("160"), Went::Failed),
            (json!("RUNNING"), Value::Null, Went::Running),
            (Value::Null, Value::Null, Went::Running),
        ] {
            let entry = Entry::of(&row(status.clone(), end)).unwrap();
            assert_eq!((entry.went, entry.user.as_str()), (went, "root@pam!mcp"), "{status}");
            assert_eq!(entry.seconds(200), if went == Went::Running { 100 } else { 60 });
        }
        assert_eq!(Entry::of(&json!({"upid": "nonsense"})), None);
    }

    #[test]
    fn what_runs_is_first_then_the_newest_and_each_once() {
        let row = |start: u64, status: &str| {
            let upid = format!("UPID:a:00000001:00000001:{start:08X}:x:1:r@pam:");
            Entry::of(&json!({"upid": upid, "starttime": start, "status": status})).unwrap()
        };
        let sorted = sorted(vec![row(1, "OK"), row(3, "OK"), row(2, "RUNNING"), row(3, "OK")]);
        assert_eq!(sorted.iter().map(|task| task.started).collect::<Vec<_>>(), [2, 3, 1]);
    }
}
