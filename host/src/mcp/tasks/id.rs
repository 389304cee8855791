//! What stands in a task's id: all that is needed to look at the task, so that it outlives this process. The UPID
//! of the task in Proxmox is a part of it.
//!
//! The threat: an id that somebody made up. It is no authority. What it says is read as strictly as arguments are,
//! and with it nothing can be done but look, under the grants in force. The random part is there so that nobody
//! guesses the id of another's task, whose result may be kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proxmox_audit::rfc3339;
use rmcp::model::{ErrorData, JsonObject};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approvals::seal::random;

/// The longest id that is read. Those that are given out are far shorter.
const MAX_LENGTH: usize = 96 << 10;
/// Milliseconds from 1970 to the year 10000.
const MAX_TIME: u64 = 253_402_300_800_000;
/// The arguments that say what a call is about. Others may be secrets, and an id is none.
const ABOUT: [&str; 6] = ["node", "target", "vmid", "newid", "archive", "volume"];

/// A task's id, taken apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskId {
    random: String,
    /// When the call became a task, in milliseconds since 1970.
    began: u64,
    /// The task in Proxmox.
    pub(super) upid: String,
    /// The tool, as it was called.
    pub(super) tool: String,
    /// What the call is about.
    pub(super) about: JsonObject,
    /// What the tool left behind when it began to wait.
    pub(super) continuation: String,
}

impl TaskId {
    /// The id of a call that begins to wait for this task now.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub(super) fn new(
        tool: &str,
        arguments: &JsonObject,
        upid: String,
        continuation: String,
    ) -> Result<Self> {
        let random: [u8; 16] = random()?;
        let about = arguments.iter().filter(|(name, _)| ABOUT.contains(&name.as_str()));
        Ok(Self {
            random: URL_SAFE_NO_PAD.encode(random),
            began: milliseconds(SystemTime::now()),
            upid,
            tool: tool.to_owned(),
            about: about.map(|(name, value)| (name.clone(), value.clone())).collect(),
            continuation,
        })
    }

    /// The id as text: letters, digits, `-` and `_`.
    pub(super) fn text(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(json)
    }

    /// Takes an id apart.
    ///
    /// # Errors
    /// Where no server of this kind gave it out.
    pub(super) fn read(text: &str) -> Result<Self, ErrorData> {
        let read = || {
            let json = URL_SAFE_NO_PAD.decode(Some(text).filter(|text| text.len() <= MAX_LENGTH)?).ok()?;
            let id: Self = serde_json::from_slice(&json).ok()?;
            let plain = id.about.iter().all(|(name, value)| {
                ABOUT.contains(&name.as_str())
                    && matches!(value, Value::String(_) | Value::Number(_) | Value::Null)
            });
            (plain && id.began < MAX_TIME && id.upid.starts_with("UPID:")).then_some(id)
        };
        read().ok_or_else(|| {
            ErrorData::invalid_params(
                "There is no such task: the id is none that this server gives out.",
                None,
            )
        })
    }

    /// When the call became a task.
    pub(super) fn began(&self) -> String {
        rfc3339(UNIX_EPOCH + Duration::from_millis(self.began))
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX).min(MAX_TIME - 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UPID: &str = "UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:101:mcp@pve!a:";

    fn id(arguments: &Value) -> TaskId {
        let arguments = arguments.as_object().unwrap();
        TaskId::new("proxmox_power", arguments, UPID.to_owned(), "{\"tool\":1}".to_owned()).unwrap()
    }

    #[test]
    fn an_id_comes_back_as_it_was_and_holds_no_other_arguments() {
        let given = id(&json!({"vmid": 101, "node": "pve1", "cipassword": "hunter2", "command": "secret"}));
        assert_eq!(TaskId::read(&given.text()).unwrap(), given);
        assert_eq!(json!(given.about), json!({"vmid": 101, "node": "pve1"}));
        let told = String::from_utf8(URL_SAFE_NO_PAD.decode(given.text()).unwrap()).unwrap();
        assert!(!told.contains("hunter2") && !told.contains("secret") && told.contains(UPID), "{told}");
        assert!(given.text().chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
    }

    #[test]
    fn no_two_ids_are_the_same() {
        assert_ne!(id(&json!({})).text(), id(&json!({})).text());
        assert_eq!(URL_SAFE_NO_PAD.decode(id(&json!({})).random).unwrap().len(), 16);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let given = serde_json::to_value(id(&json!({"vmid": 101}))).unwrap();
        let changed = |name: &str, value: Value| {
            let mut changed = given.clone();
            changed[name] = value;
            URL_SAFE_NO_PAD.encode(changed.to_string())
        };
        assert!(TaskId::read(&changed("tool", json!("another"))).is_ok(), "that is for the call to judge");
        for text in [
            String::new(),
            "786512e2-9e0d-44bd-8f29-789f320fe840".to_owned(),
            UPID.to_owned(),
            URL_SAFE_NO_PAD.encode("{}"),
            id(&json!({})).text() + "=",
            changed("more", json!(1)),
            changed("began", json!(-1)),
            changed("began", json!(u64::MAX)),
            changed("upid", json!("x")),
            changed("about", json!({"vmid": [101]})),
            changed("about", json!({"command": "id"})),
            "A".repeat(MAX_LENGTH + 1),
        ] {
            let error = TaskId::read(&text).unwrap_err();
            assert_eq!(error.code.0, -32602, "{text}");
        }
    }
}
