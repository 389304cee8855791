//! What is worth a line.

use serde::Serialize;
use serde_json::{Map, Value};

/// One thing that happened. Text may be put in as it is: the log redacts and bounds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The server began to serve.
    Start {
        /// The server's version.
        version: String,
        /// The name of the token that this is in force for, where each has permissions of its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        principal: Option<String>,
        /// The grants in force, as the operator wrote them (`VM.PowerMgmt@/vms/101`).
        grants: Vec<String>,
        /// The allow-lists and brakes in force, as settings (`PROXMOX_VMID_ALLOWLIST=100-199`).
        walls: Vec<String>,
    },
    /// A tool call came to its end.
    Call {
        /// The call. The other events of this call name it.
        id: String,
        /// The name of the token that opened the door.
        #[serde(skip_serializing_if = "Option::is_none")]
        principal: Option<String>,
        /// Who called, as the MCP client names itself.
        client: String,
        /// The tool.
        tool: String,
        /// The guest that the call was about, if one.
        #[serde(skip_serializing_if = "Option::is_none")]
        vmid: Option<u32>,
        /// The node that the call was about, if one.
        #[serde(skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// `done`, `failed`, `cancelled` and the like.
        outcome: String,
        /// The kind of failure (`denied`, `timeout`), if it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// The tasks (UPIDs) that go on in Proxmox VE although the call was given up.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        goes_on: Vec<String>,
        /// What the tool was called with.
        arguments: Map<String, Value>,
    },
    /// The component asked for a request to Proxmox VE, or the host needed one to decide, and the host decided.
    ///
    /// Record a change before it is sent (without status and duration), so that no change goes out
    /// unrecorded, and its [`Event::Answer`] after. A read can be recorded once, when it is over.
    Request {
        /// The call that it belongs to.
        call: String,
        /// Who asked for it.
        #[serde(skip_serializing_if = "By::is_tool")]
        by: By,
        /// `GET`, `POST`, `PUT` or `DELETE`.
        verb: String,
        /// The path without its query (`/nodes/pve1/qemu/101/status/start`).
        path: String,
        /// What the host decided.
        #[serde(flatten)]
        decision: Decision,
        /// The status that Proxmox VE answered with, once known.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// How long the answer took, in milliseconds, once known.
        #[serde(skip_serializing_if = "Option::is_none")]
        duration_ms: Option<u64>,
        /// The parameters of query and body; see [`crate::parameters`].
        #[serde(skip_serializing_if = "Map::is_empty")]
        parameters: Map<String, Value>,
    },
    /// Proxmox VE answered a change that is already recorded, or did not answer.
    Answer {
        /// The call that it belongs to.
        call: String,
        /// The line (`seq`) of the request.
        request: u64,
        /// The status; `None` if there was no answer, so that nobody knows whether the change was made.
        status: Option<u16>,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// A task of Proxmox VE that a call started, or saw the end of.
    Task {
        /// The call that it belongs to.
        call: String,
        /// The task's UPID.
        upid: String,
        /// Its exit status (`OK`, `WARNINGS: 1`, or the error); `None` while it runs.
        #[serde(skip_serializing_if = "Option::is_none")]
        end: Option<String>,
    },
    /// A person was asked for leave.
    Approval {
        /// The call that it belongs to.
        call: String,
        /// The tool that asks.
        tool: String,
        /// What leave was asked for, as grants.
        grants: Vec<String>,
        /// What the person said.
        answer: ApprovalAnswer,
    },
    /// A brake refused a change.
    Brake {
        /// The call that it belongs to.
        call: String,
        /// Which brake, in a sentence: the text of a [`crate::Braked`].
        what: String,
    },
}

/// Who asked for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The tool that was called. Most requests are such, so their lines do not say it.
    Tool,
    /// The host itself, to find out who is in a pool or which guest a person is asked about.
    Host,
}

impl By {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    fn is_tool(&self) -> bool {
        *self == By::Tool
    }
}

/// What the host decided about a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may go out, by leave of this grant.
    Allowed(String),
    /// It was refused by this rule (a code such as `missing_grant`).
    Refused(String),
}

/// What a person said when asked for leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalAnswer {
    /// Yes.
    Approved,
    /// No.
    Declined,
    /// The question was closed without an answer.
    Cancelled,
    /// There was no way to ask, or no answer in time: that counts as no.
    Unasked,
}

impl Event {
    /// Whether the line tells of a change to Proxmox VE, or of the authority for one. By default,
    /// these lines are on the disk before [`crate::AuditLog::append`] returns.
    pub fn tells_of_change(&self) -> bool {
        match self {
            Event::Request { verb, decision, .. } => {
                verb != "GET" && matches!(decision, Decision::Allowed(_))
            }
            Event::Start { .. } | Event::Answer { .. } | Event::Task { .. } | Event::Approval { .. } => true,
            Event::Call { .. } | Event::Brake { .. } => false,
        }
    }
}

/// One of each kind, for tests.
#[cfg(test)]
pub(crate) mod samples {
    use super::*;
    use serde_json::json;

    pub(crate) fn all() -> Vec<Event> {
        vec![
            Event::Start {
                version: "0.1.0".into(),
                principal: None,
                grants: vec!["VM.PowerMgmt@/vms/101".into()],
                walls: vec!["PROXMOX_VMID_ALLOWLIST=100-199".into()],
            },
            Event::Approval {
                call: "c1".into(),
                tool: "proxmox_start_vm".into(),
                grants: vec!["VM.PowerMgmt@/vms/101".into()],
                answer: ApprovalAnswer::Approved,
            },
            change(),
            Event::Answer { call: "c1".into(), request: 3, status: Some(200), duration_ms: 12 },
            Event::Task { call: "c1".into(), upid: UPID.into(), end: Some("OK".into()) },
            call(&json!({"vmid": 101})),
            read(),
            Event::Brake { call: "c2".into(), what: "changes are stopped".into() },
        ]
    }

    pub(crate) const UPID: &str = "UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:101:root@pam!mcp:";

    pub(crate) fn call(arguments: &Value) -> Event {
        Event::Call {
            id: "c1".into(),
            principal: None,
            client: "inspector 1.0".into(),
            tool: "proxmox_start_vm".into(),
            vmid: Some(101),
            node: Some("pve1".into()),
            outcome: "done".into(),
            kind: None,
            duration_ms: 34,
            goes_on: Vec::new(),
            arguments: arguments.as_object().cloned().unwrap_or_default(),
        }
    }

    pub(crate) fn change() -> Event {
        Event::Request {
            call: "c1".into(),
            by: By::Tool,
            verb: "POST".into(),
            path: "/nodes/pve1/qemu/101/status/start".into(),
            decision: Decision::Allowed("VM.PowerMgmt@/vms/101".into()),
            status: None,
            duration_ms: None,
            parameters: Map::new(),
        }
    }

    pub(crate) fn read() -> Event {
        Event::Request {
            call: "c2".into(),
            by: By::Host,
            verb: "GET".into(),
            path: "/cluster/resources".into(),
            decision: Decision::Refused("missing_grant".into()),
            status: None,
            duration_ms: None,
            parameters: Map::from_iter([("type".into(), "vm".into())]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_as_flat_objects() {
        let text = serde_json::to_string(&samples::change()).unwrap();
        assert_eq!(
            text,
            r#"{"event":"request","call":"c1","verb":"POST","path":"/nodes/pve1/qemu/101/status/start","allowed":"VM.PowerMgmt@/vms/101"}"#
        );
        let text = serde_json::to_string(&samples::read()).unwrap();
        assert!(text.contains(r#""by":"host","verb":"GET""#), "{text}");
        assert!(text.contains(r#""refused":"missing_grant","parameters":{"type":"vm"}"#), "{text}");
    }

    #[test]
    fn changes_are_told_from_reads() {
        let told: Vec<bool> = samples::all().iter().map(Event::tells_of_change).collect();
        assert_eq!(told, [true, true, true, true, true, false, false, false]);
    }
}
