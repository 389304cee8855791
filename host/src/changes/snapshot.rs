//! The cluster at one moment, as far as a change of it is worth telling.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Something that can be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// All guests.
    Guests,
    /// One of them.
    Guest(u32),
    /// All nodes.
    Nodes,
    /// One of them.
    Node(String),
    /// A task.
    Task(String),
}

impl Topic {
    /// The topic that a URI names.
    pub(crate) fn parse(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("proxmox://")?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
        match rest.split_once('/') {
            None if rest == "guests" || rest == "vms" => Some(Topic::Guests),
            None if rest == "nodes" => Some(Topic::Nodes),
            Some(("guests", id)) => {
                let vmid: u32 = id.parse().ok()?;
                (vmid.to_string() == id).then_some(Topic::Guest(vmid))
            }
            Some(("nodes", name)) => decoded(name).filter(|name| is_plain(name)).map(Topic::Node),
            Some(("tasks", upid)) => decoded(upid).filter(|upid| upid.starts_with("UPID:")).map(Topic::Task),
            _ => None,
        }
    }

    /// The tool that shows it.
    pub(crate) fn tool(&self) -> &'static str {
        match self {
            Topic::Guests => "proxmox_get_vms",
            Topic::Guest(_) => "proxmox_get_guest",
            Topic::Nodes => "proxmox_get_nodes",
            Topic::Node(_) => "proxmox_get_node_status",
            Topic::Task(_) => "proxmox_get_task",
        }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What somebody who watches a topic has seen of it.
#[derive(Default)]
pub(crate) struct Seen(Option<State>);

/// How the subject of a topic is. Two states are the same where nothing changed that is worth telling.
#[derive(Clone, Debug, PartialEq)]
enum State {
    Guests(BTreeMap<u32, Guest>),
    Guest(Option<Guest>),
    Nodes(BTreeMap<String, String>),
    Node(Option<String>),
    Task(bool),
}

/// A guest without its figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Guest {
    status: String,
    name: String,
    node: String,
    lock: String,
    tags: String,
    hastate: String,
    pool: String,
    template: u8,
}

/// The cluster at one moment. What was not asked for is not there.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    resources: Option<Resources>,
    tasks: Option<Tasks>,
}

#[derive(Debug, Default)]
struct Resources {
    guests: BTreeMap<u32, Guest>,
    nodes: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Tasks {
    running: BTreeSet<String>,
    ended: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "type")]
    kind: String,
    vmid: Option<u32>,
    #[serde(flatten)]
    guest: Guest,
}

#[derive(Deserialize)]
struct TaskRow {
    upid: String,
    endtime: Option<serde::de::IgnoredAny>,
}

impl Snapshot {
    /// Takes in an answer to `GET /cluster/resources`.
    ///
    /// # Errors
    /// Where it is none.
    pub(super) fn add_resources(&mut self, body: &[u8]) -> Result<()> {
        let mut resources = Resources::default();
        for row in rows::<Row>(body)? {
            match (row.kind.as_str(), row.vmid) {
                ("qemu" | "lxc", Some(vmid)) => drop(resources.guests.insert(vmid, row.guest)),
                ("node", _) => drop(resources.nodes.insert(row.guest.node, row.guest.status)),
                _ => {}
            }
        }
        self.resources = Some(resources);
        Ok(())
    }

    /// Takes in an answer to `GET /cluster/tasks`.
    ///
    /// # Errors
    /// Where it is none.
    pub(super) fn add_tasks(&mut self, body: &[u8]) -> Result<()> {
        let (ended, running) =
            rows::<TaskRow>(body)?.into_iter().partition::<Vec<_>, _>(|row| row.endtime.is_some());
        let upids = |rows: Vec<TaskRow>| rows.into_iter().map(|row| row.upid).collect();
        self.tasks = Some(Tasks { running: upids(running), ended: upids(ended) });
        Ok(())
    }

    /// Whether a topic was asked for.
    pub(super) fn knows(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Task(_) => self.tasks.is_some(),
            _ => self.resources.is_some(),
        }
    }

    /// Whether a topic is another than somebody has seen, who has seen it by that. What somebody sees for the first
    /// time is no change.
    pub(super) fn differs(&self, topic: &Topic, seen: &mut Seen) -> bool {
        let Some(now) = self.state(topic) else {
            // It may be too new to be in the list.
            if self.knows(topic) {
                seen.0.get_or_insert(State::Task(false));
            }
            return false;
        };
        if seen.0.as_ref() == Some(&now) {
            return false;
        }
        seen.0.replace(now).is_some()
    }

    /// How a topic is; `None` where that was not asked for, or cannot be told.
    fn state(&self, topic: &Topic) -> Option<State> {
        if let Topic::Task(upid) = topic {
            let tasks = self.tasks.as_ref()?;
            // A task that is in neither has fallen out of the list.
            let known = tasks.running.contains(upid) || tasks.ended.contains(upid);
            return known.then(|| State::Task(tasks.ended.contains(upid)));
        }
        let resources = self.resources.as_ref()?;
        Some(match topic {
            Topic::Guests => State::Guests(resources.guests.clone()),
            Topic::Guest(vmid) => State::Guest(resources.guests.get(vmid).cloned()),
            Topic::Nodes => State::Nodes(resources.nodes.clone()),
            Topic::Node(name) => State::Node(resources.nodes.get(name).cloned()),
            Topic::Task(_) => return None,
        })
    }
}

fn rows<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<T>> {
    #[derive(Deserialize)]
    struct Answer<T> {
        data: Vec<T>,
    }
    let answer: Answer<T> = serde_json::from_slice(body).context("the answer is not as expected")?;
    Ok(answer.data)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const UPID: &str = "UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:101:mcp@pve!a:";

    fn resources(rows: Value) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.add_resources(json!({"data": rows}).to_string().as_bytes()).unwrap();
        snapshot
    }

    fn tasks(rows: Value) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.add_tasks(json!({"data": rows}).to_string().as_bytes()).unwrap();
        snapshot
    }

    #[test]
    fn topics_are_read_from_uris() {
        for (uri, topic) in [
            ("proxmox://guests", Some(Topic::Guests)),
            ("proxmox://vms", Some(Topic::Guests)),
            ("proxmox://guests/101", Some(Topic::Guest(101))),
            ("proxmox://nodes", Some(Topic::Nodes)),
            ("proxmox://nodes/pve-1", Some(Topic::Node("pve-1".to_owned()))),
            ("proxmox://tasks/UPID:pve1:1:a@b!c:", Some(Topic::Task("UPID:pve1:1:a@b!c:".to_owned()))),
            (
                "proxmox://tasks/UPID%3Apve1%3A1%3Aa%40b%21c%3A",
                Some(Topic::Task("UPID:pve1:1:a@b!c:".to_owned())),
            ),
            ("proxmox://guests/", None),
            ("proxmox://guests/0101", None),
            ("proxmox://guests/101/config", None),
            ("proxmox://nodes/..", None),
            ("proxmox://tasks/x", None),
            ("proxmox://storage", None),
            ("proxmox://tools/proxmox_get_vms", None),
            ("file:///etc/passwd", None),
        ] {
            assert_eq!(Topic::parse(uri), topic, "{uri}");
        }
    }

    #[test]
    fn figures_are_no_change_and_what_matters_is() {
        let row = |more: Value| {
            let mut row = json!({"type": "qemu", "vmid": 101, "id": "qemu/101", "node": "pve1", "name": "web",
                                 "status": "running", "cpu": 0.1, "mem": 5});
            row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!([row, {"type": "node", "node": "pve1", "status": "online", "cpu": 0.2}, {"type": "storage"}])
        };
        let topics =
            [Topic::Guests, Topic::Guest(101), Topic::Guest(102), Topic::Nodes, Topic::Node("pve1".into())];
        let mut seen: Vec<Seen> = topics.iter().map(|_| Seen::default()).collect();
        let mut changed = |rows: Value| -> Vec<usize> {
            let snapshot = resources(rows);
            let each = topics.iter().zip(&mut seen).enumerate();
            each.filter_map(|(at, (topic, seen))| snapshot.differs(topic, seen).then_some(at)).collect()
        };
        assert_eq!(changed(row(json!({}))), [0; 0], "the first look");
        assert_eq!(changed(row(json!({"cpu": 0.9, "mem": 6, "uptime": 7, "netin": 8}))), [0; 0]);
        for more in [
            json!({"status": "stopped"}),
            json!({"name": "web2"}),
            json!({"node": "pve2"}),
            json!({"lock": "backup"}),
            json!({"tags": "a;b"}),
            json!({"hastate": "started"}),
            json!({"pool": "dev"}),
            json!({"template": 1}),
        ] {
            assert_eq!(changed(row(more.clone())), [0, 1], "{more}");
            assert_eq!(changed(row(json!({}))), [0, 1], "and back from {more}");
        }
        assert_eq!(changed(json!([{"type": "lxc", "vmid": 102, "status": "stopped"}])), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_task_changes_when_it_ends_and_not_when_it_is_forgotten() {
        let topic = Topic::Task(UPID.to_owned());
        let mut seen = Seen::default();
        let mut differs = |rows: Value| tasks(rows).differs(&topic, &mut seen);
        assert!(!differs(json!([{"upid": UPID}])));
        assert!(!differs(json!([])));
        assert!(differs(json!([{"upid": UPID, "endtime": 1_795_341_600, "status": "OK"}])));
        assert!(!differs(json!([])));
        assert!(!differs(json!([{"upid": UPID, "endtime": 1_795_341_600, "status": "OK"}])));
        let mut seen = Seen::default();
        assert!(!tasks(json!([])).differs(&topic, &mut seen), "too new to be in the list");
        assert!(tasks(json!([{"upid": UPID, "endtime": 1}])).differs(&topic, &mut seen));
        assert!(!resources(json!([])).differs(&topic, &mut Seen::default()), "not asked for");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for body in ["", "null", "{}", r#"{"data":5}"#, r#"{"data":[{"upid":5}]}"#] {
            assert!(Snapshot::default().add_tasks(body.as_bytes()).is_err(), "{body}");
        }
        assert!(Snapshot::default().add_resources(br#"{"data":[{"vmid":5}]}"#).is_err());
    }
}
