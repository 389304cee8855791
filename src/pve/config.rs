//! A guest's configuration: read with its digest, and edited so that a change made meanwhile is not
//! overwritten and the way back is known.

use proxmox_api::methods::{
    GET_NODES_NODE_LXC_VMID_CONFIG, GET_NODES_NODE_QEMU_VMID_CONFIG, POST_NODES_NODE_QEMU_VMID_CONFIG,
    PUT_NODES_NODE_LXC_VMID_CONFIG, PUT_NODES_NODE_QEMU_VMID_CONFIG,
};
use serde_json::{Map, Value};

use crate::change::Change;
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::pve::guests::Guest;
use crate::pve::resources::Figure;
use crate::secret::{NOT_SHOWN, is_secret};
use crate::text;

/// A guest's configuration, with changes that wait for a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    values: Map<String, Value>,
}

impl Config {
    /// Reads it (`GET .../config`).
    ///
    /// # Errors
    /// What the request comes to.
    pub fn fetch(cx: &Cx<'_>, guest: &Guest) -> Result<Config, Error> {
        Config::read(cx.call(Config::call(guest))?, guest)
    }

    /// The call that reads it, for tools that make several calls at once.
    pub fn call(guest: &Guest) -> Call {
        guest.call(&GET_NODES_NODE_QEMU_VMID_CONFIG, &GET_NODES_NODE_LXC_VMID_CONFIG)
    }

    /// Reads the answer to [`Config::call`].
    ///
    /// # Errors
    /// [`Error::Unreachable`] if it is none.
    pub fn read(data: Value, guest: &Guest) -> Result<Config, Error> {
        match data {
            Value::Object(values) => Ok(Config { values }),
            _ => Err(Error::Unreachable(format!("Proxmox VE did not give the configuration of {guest}."))),
        }
    }

    /// The value of a key as text; nothing where it is not set.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.values.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            value => Some(value.to_string()),
        }
    }

    /// The value of a key as a number; nothing where it is not set or no number.
    pub fn figure(&self, key: &str) -> Figure {
        Figure::of(self.values.get(key))
    }

    /// Whether the guest is protected against being deleted.
    pub fn is_protected(&self) -> bool {
        self.figure("protection").flag()
    }

    /// The lock that an operation holds on the guest, such as `backup`.
    pub fn lock(&self) -> Option<String> {
        self.text("lock").map(|lock| foreign::line(&lock, 40))
    }

    /// Each key with its value, in Proxmox's order; without the digest.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().filter(|(key, _)| *key != "digest").map(|(key, value)| (key.as_str(), value))
    }

    /// What tells this state of the configuration from every other.
    pub fn digest(&self) -> Option<String> {
        self.text("digest")
    }

    /// Begins an edit.
    pub fn edit(&self) -> Edit<'_> {
        Edit { config: self, set: Vec::new(), delete: Vec::new() }
    }
}

/// Values of a property string such as `virtio=AA:BB:CC:DD:EE:FF,bridge=vmbr0`, in their order. The first
/// value may stand without a key.
pub fn properties(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or(("", part))).collect()
}

/// An edit of a configuration: keys to set and keys to delete, sent with the digest.
#[derive(Debug, Clone)]
pub struct Edit<'c> {
    config: &'c Config,
    set: Vec<(String, String)>,
    delete: Vec<String>,
}

impl Edit<'_> {
    /// Sets a key, unless it has this value already; of a password nobody knows whether it has.
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        let value = value.to_string();
        if is_secret(key) || self.config.text(key).as_deref() != Some(value.as_str()) {
            self.set.push((key.to_owned(), value));
        }
        self
    }

    /// Sets a key, if there is a value for it.
    pub fn set_some(self, key: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.set(key, value),
            None => self,
        }
    }

    /// Deletes a key, if it is set.
    pub fn delete(mut self, key: &str) -> Self {
        if self.config.text(key).is_some() {
            self.delete.push(key.to_owned());
        }
        self
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.delete.is_empty()
    }

    /// The request (`PUT .../config`).
    pub fn call(&self, guest: &Guest) -> Call {
        self.fill(guest.call(&PUT_NODES_NODE_QEMU_VMID_CONFIG, &PUT_NODES_NODE_LXC_VMID_CONFIG))
    }

    /// The request as a task, for changes that take a while (`POST .../config`); containers have none such.
    pub fn call_as_task(&self, guest: &Guest) -> Call {
        self.fill(guest.call(&POST_NODES_NODE_QEMU_VMID_CONFIG, &PUT_NODES_NODE_LXC_VMID_CONFIG))
    }

    fn fill(&self, mut call: Call) -> Call {
        for (key, value) in &self.set {
            call = call.with(key.clone(), value.as_str());
        }
        if !self.delete.is_empty() {
            call = call.with("delete", self.delete.join(","));
        }
        call.with_some("digest", self.config.digest())
    }

    /// The keys that it sets or deletes.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.set.iter().map(|(key, _)| key.as_str()).chain(self.delete.iter().map(String::as_str))
    }

    /// Adds to a change what it sets, what was there before, and the call of `proxmox_configure` that puts
    /// it back.
    pub fn described(&self, change: Change, guest: &Guest) -> Change {
        let (change, back, gone) = self.listed(change);
        let mut arguments = Map::new();
        arguments.insert("vmid".to_owned(), guest.vmid.number().into());
        let nothing = back.is_empty() && gone.is_empty();
        if !back.is_empty() {
            arguments.insert("set".to_owned(), back.into());
        }
        if !gone.is_empty() {
            arguments.insert("delete".to_owned(), gone.into());
        }
        if nothing { change } else { change.undo("proxmox_configure", arguments) }
    }

    /// The change with its facts; the values to set and the keys to delete on the way back.
    fn listed(&self, mut change: Change) -> (Change, Map<String, Value>, Vec<Value>) {
        let (mut back, mut gone) = (Map::new(), Vec::new());
        let deleted = self.delete.iter().map(|key| (key, None));
        for (key, value) in self.set.iter().map(|(key, value)| (key, Some(value))).chain(deleted) {
            let before = self.config.text(key);
            change =
                change.before(key, before.as_deref().map_or("not set".to_owned(), |text| shown(key, text)));
            change = change.fact(key, value.map_or("deleted".to_owned(), |text| shown(key, text)));
            match before {
                Some(_) if is_secret(key) => {
                    change = change
                        .warning("The password that was set before is not known, so it cannot be put back.");
                }
                Some(before) => {
                    let clean = foreign::block(&before);
                    if clean != before {
                        change = change.warning(format!(
                            "The old value of `{key}` holds control or invisible characters; the way back is without them."
                        ));
                    }
                    back.insert(key.clone(), clean.into());
                }
                None => gone.push(Value::from(key.as_str())),
            }
        }
        (change, back, gone)
    }
}

/// A value as a report shows it; passwords are not shown, and of SSH keys their number.
fn shown(key: &str, value: &str) -> String {
    match key {
        _ if is_secret(key) => NOT_SHOWN.to_owned(),
        "sshkeys" => text::count(value.split("%0A").filter(|line| !line.is_empty()).count(), "key"),
        _ => foreign::words(value, 200),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pve::guests::GuestKind;
    use crate::pve::ids::{NodeName, Vmid};

    fn guest() -> Guest {
        Guest {
            vmid: Vmid::new(101).unwrap(),
            node: NodeName::parse("pve1").unwrap(),
            kind: GuestKind::Vm,
            name: "web".to_owned(),
            template: false,
        }
    }

    fn config(values: Value) -> Config {
        Config { values: values.as_object().unwrap().clone() }
    }

    #[test]
    fn an_edit_sends_only_what_differs_and_the_digest() {
        let config = config(json!({"cores": 2, "memory": "2048", "digest": "abc", "name": "web"}));
        let edit = config.edit().set("cores", 2).set("memory", 4096).delete("name").delete("tags");
        let sent: Vec<String> = edit.call(&guest()).parameters().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(sent, ["memory=4096", "delete=name", "digest=abc"]);
        assert!(config.edit().set("cores", "2").is_empty());
    }

    #[test]
    fn the_way_back_restores_values_and_deletes_what_is_new() {
        let config = config(json!({"memory": "2048", "digest": "abc"}));
        let change =
            config.edit().set("memory", 4096).set("tags", "a;b").described(Change::new("x"), &guest());
        let expected = Change::new("x")
            .before("memory", "2048")
            .fact("memory", "4096")
            .before("tags", "not set")
            .fact("tags", "a;b")
            .undo("proxmox_configure", json!({"vmid": 101, "set": {"memory": "2048"}, "delete": ["tags"]}));
        assert_eq!(change, expected);
    }

    #[test]
    fn a_property_string_is_taken_apart() {
        assert_eq!(
            properties("local-lvm:vm-101-disk-0,size=32G,ssd=1"),
            [("", "local-lvm:vm-101-disk-0"), ("size", "32G"), ("ssd", "1")]
        );
    }
}
