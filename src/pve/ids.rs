//! The names that Proxmox gives to things, checked once, so that they are safe in a path.

use std::fmt;

use serde_json::Value;

use crate::tool::{Argument, Kind};

/// The id of a guest, from 100 to 999999999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vmid(u32);

impl Vmid {
    /// The guest id of this number.
    pub fn new(number: u32) -> Option<Vmid> {
        (100..=999_999_999).contains(&number).then_some(Vmid(number))
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Vmid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Argument for Vmid {
    const KIND: Kind = Kind::Whole(100, 999_999_999);
    const TAKES: &'static str = "the number of a guest such as 101";

    fn read(value: &Value) -> Option<Self> {
        crate::tool::whole(value).and_then(Vmid::new)
    }
}

/// The name of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeName(String);

impl NodeName {
    /// The name, if a node can be called that. `localhost`, which Proxmox takes for the node that is
    /// asked, is none: nobody could say which node is meant.
    pub fn parse(text: &str) -> Option<NodeName> {
        let letter = |c: char| c.is_ascii_alphanumeric();
        let valid = text.len() <= 63
            && text.starts_with(letter)
            && text.ends_with(letter)
            && text.chars().all(|c| letter(c) || c == '-')
            && !text.eq_ignore_ascii_case("localhost");
        valid.then(|| NodeName(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Argument for NodeName {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str =
        "the name of a node as `proxmox_get_nodes` shows it: letters, digits and hyphens";

    fn read(value: &Value) -> Option<Self> {
        NodeName::parse(value.as_str()?)
    }
}

/// The id of a storage.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StorageId(String);

impl StorageId {
    /// The id, if a storage can be called that.
    pub fn parse(text: &str) -> Option<StorageId> {
        let valid = (2..=100).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        valid.then(|| StorageId(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StorageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Argument for StorageId {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "the id of a storage as `proxmox_get_storage` shows it, such as local-lvm";

    fn read(value: &Value) -> Option<Self> {
        StorageId::parse(value.as_str()?)
    }
}

/// The name of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotName(String);

impl SnapshotName {
    /// The name, if a snapshot can be called that. `current` means the present state and is none.
    pub fn parse(text: &str) -> Option<SnapshotName> {
        let valid = (2..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
            && text != "current";
        valid.then(|| SnapshotName(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Argument for SnapshotName {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str =
        "the name of a snapshot: 2 to 40 letters, digits, hyphens and underscores, a letter first";

    fn read(value: &Value) -> Option<Self> {
        SnapshotName::parse(value.as_str()?)
    }
}

/// The id of a volume: `storage:name`, such as `local:iso/debian-13.iso`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Volume {
    text: String,
    storage: StorageId,
}

impl Volume {
    /// The volume id, if this is one.
    pub fn parse(text: &str) -> Option<Volume> {
        let (storage, name) = text.split_once(':')?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:+@%=".contains(c);
        let dots = |part: &str| part.is_empty() || part == "." || part == "..";
        let valid =
            !name.is_empty() && text.len() <= 500 && name.chars().all(plain) && !name.split('/').any(dots);
        let storage = StorageId::parse(storage)?;
        valid.then(|| Volume { text: text.to_owned(), storage })
    }

    /// The volume id as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The storage that it is on.
    pub fn storage(&self) -> &StorageId {
        &self.storage
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Argument for Volume {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "a volume id as Proxmox VE writes it, such as local:iso/debian-13.iso";

    fn read(value: &Value) -> Option<Self> {
        Volume::parse(value.as_str()?)
    }
}

/// The id of a task: `UPID:node:pid:pstart:starttime:type:id:user:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upid {
    text: String,
    node: NodeName,
    kind: String,
    id: String,
}

impl Upid {
    /// The task id, if this is one.
    pub fn parse(text: &str) -> Option<Upid> {
        let mut parts = text.split(':');
        let mut part = || parts.next();
        let (tag, node, pid, pstart, starttime) = (part()?, part()?, part()?, part()?, part()?);
        let (kind, id, user, end) = (part()?, part()?, part()?, part()?);
        let hex = |text: &str| (8..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        let plain = |text: &str, extra: &str| {
            text.len() <= 128 && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        };
        let valid = tag == "UPID"
            && hex(pid)
            && hex(pstart)
            && hex(starttime)
            && !kind.is_empty()
            && plain(kind, "_-")
            && plain(id, "_-.@")
            && user.contains('@')
            && plain(user, "_-.@!+")
            && end.is_empty()
            && parts.next().is_none();
        let node = NodeName::parse(node)?;
        valid.then(|| Upid { text: text.to_owned(), node, kind: kind.to_owned(), id: id.to_owned() })
    }

    /// The task id as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The node that runs the task, the only one to ask about it.
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// What kind of task it is, such as `qmstart`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What the task is about; a guest's id for most.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Argument for Upid {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "a task id as Proxmox VE gives it: UPID:node:...:";

    fn read(value: &Value) -> Option<Self> {
        Upid::parse(value.as_str()?)
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names_cannot_leave_their_segment() {
        for good in ["pve1", "a", "pve-compute-01", "X9"] {
            assert_eq!(NodeName::parse(good).map(|node| node.to_string()).as_deref(), Some(good));
        }
        let long = "a".repeat(64);
        for bad in [
            "",
            "-a",
            "a-",
            "a/b",
            "a%2Fb",
            "..",
            "a.b",
            "a b",
            "bad_name",
            "localhost",
            "LOCALHOST",
            "nöde",
            "a\n",
            &long,
        ] {
            assert_eq!(NodeName::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_task_id_is_read() {
        let text = "UPID:pve1:000031E5:0004AC50:6B02B8E0:qmstart:150:root@pam!mcp:";
        let upid = Upid::parse(text).unwrap();
        assert_eq!((upid.node().as_str(), upid.kind(), upid.id()), ("pve1", "qmstart", "150"));
        assert_eq!(upid.as_str(), text);
        assert!(Upid::parse("UPID:pve1:00000CC7:000673F9:6B02BD6E:imgcopy::root@pam!mcp:").is_some());
    }

    #[test]
    fn what_is_no_task_id_is_refused() {
        for bad in [
            "",
            "UPID:bogus",
            "UPID:pve1:000031E5:0004AC50:6B02B8E0:qmstart:150:root@pam!mcp",
            "UPID:pve1:000031E5:0004AC50:6B02B8E0:qmstart:150:root@pam!mcp::",
            "UPID:../x:000031E5:0004AC50:6B02B8E0:qmstart:150:root@pam!mcp:",
            "UPID:pve1:000031E5:0004AC50:6B02B8E0:qm/start:150:root@pam:",
            "UPID:pve1:000031E5:0004AC50:6B02B8E0:qmstart:150/..:root@pam:",
            "UPID:pve1:zzz:0004AC50:6B02B8E0:qmstart:150:root@pam:",
            "upid:pve1:000031E5:0004AC50:6B02B8E0:qmstart:150:root@pam:",
        ] {
            assert_eq!(Upid::parse(bad), None, "{bad}");
        }
    }
}
