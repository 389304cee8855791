//! What lies on storages: asked for at many of them at once, and at a shared one only once.

use std::fmt;

use proxmox_api::methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT;
use serde::Deserialize;
use serde_json::Value;

use crate::cx::{Call, Cx, Reply};
use crate::error::Error;
use crate::foreign;
use crate::missing::Missing;
use crate::nearest::nearest;
use crate::pve::ids::{NodeName, StorageId, Vmid, Volume};
use crate::pve::resources::{Figure, Resource, Text};
use crate::pve::storages::{self, Storage};

/// The most storages that an error names.
const NAMED: usize = 20;

/// What is looked for, and where.
#[derive(Debug, Clone, Copy, Default)]
pub struct Want<'w> {
    /// The kind of content, such as `backup`.
    pub content: Option<&'static str>,
    /// Only of this guest.
    pub vmid: Option<Vmid>,
    /// Only on this storage.
    pub storage: Option<&'w StorageId>,
    /// Only as this node sees it.
    pub node: Option<&'w NodeName>,
}

/// A storage, and a node to ask about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The storage.
    pub storage: StorageId,
    /// A node that has it.
    pub node: NodeName,
    /// Whether all nodes see the same there.
    pub shared: bool,
    /// A node to ask where the first one cannot be reached.
    pub other: Option<NodeName>,
}

/// As text: `nfs`, or `local on pve1`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shared {
            true => self.storage.fmt(f),
            false => write!(f, "{} on {}", self.storage, self.node),
        }
    }
}

impl Place {
    /// A call about this storage.
    pub fn call(&self, method: &'static proxmox_api::Method) -> Call {
        Call::of(method).at("node", &self.node).at("storage", &self.storage)
    }
}

/// Whether a storage may hold this kind of content.
pub fn may_hold(row: &Resource<'_>, content: &str) -> bool {
    row.content.split(',').any(|kind| kind.trim() == content)
}

/// The places to ask, among the rows of `/cluster/resources`. Those that are down are noted as missing.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::Arguments`] where the storage that was named is not there, or cannot hold
/// such content.
pub fn places(rows: &[Resource<'_>], want: Want<'_>, missing: &mut Missing) -> Result<Vec<Place>, Error> {
    let all = storages::all(rows);
    let named: Vec<&Storage<'_>> = all
        .iter()
        .filter(|storage| want.storage.is_none_or(|id| *storage.row.storage == *id.as_str()))
        .filter(|storage| want.node.is_none_or(|node| on_node(rows, storage, node)))
        .collect();
    if let (Some(id), []) = (want.storage, named.as_slice()) {
        return Err(no_storage(&all, id, want.node));
    }
    let holds = |storage: &&Storage<'_>| want.content.is_none_or(|content| may_hold(storage.row, content));
    let fit: Vec<&Storage<'_>> = named.iter().copied().filter(|storage| holds(storage)).collect();
    if let (Some(id), Some(content), []) = (want.storage, want.content, fit.as_slice()) {
        let held = named.first().map(|storage| foreign::words(&storage.row.content, 80)).unwrap_or_default();
        return Err(Error::Arguments(format!(
            "Storage `{id}` holds no {content} (it is set up for: {held})."
        )));
    }
    Ok(fit.into_iter().filter_map(|storage| place(storage, want.node, missing)).collect())
}

fn on_node(rows: &[Resource<'_>], storage: &Storage<'_>, node: &NodeName) -> bool {
    let same = |row: &&Resource<'_>| row.is_storage() && row.storage == storage.row.storage;
    match storage.is_shared() {
        true => rows.iter().filter(same).any(|row| *row.node == *node.as_str()),
        false => *storage.row.node == *node.as_str(),
    }
}

fn place(storage: &Storage<'_>, node: Option<&NodeName>, missing: &mut Missing) -> Option<Place> {
    let wanted = node.map(NodeName::as_str);
    let on = wanted.filter(|name| storage.nodes.contains(name)).or(storage.nodes.first().copied())?;
    let place = Place {
        storage: StorageId::parse(&storage.row.storage)?,
        node: NodeName::parse(on)?,
        shared: storage.is_shared(),
        other: storage.nodes.get(1).filter(|_| node.is_none()).and_then(|name| NodeName::parse(name)),
    };
    if storage.online {
        return Some(place);
    }
    let why =
        if storage.nodes_offline { "the node is offline" } else { "the storage is down or disabled there" };
    missing.note_one(place.to_string(), why.to_owned());
    None
}

fn no_storage(all: &[Storage<'_>], id: &StorageId, node: Option<&NodeName>) -> Error {
    let mut names: Vec<&str> = all.iter().map(|storage| &*storage.row.storage).collect();
    names.dedup();
    if let (true, Some(node)) = (names.contains(&id.as_str()), node) {
        return Error::Arguments(format!("Storage `{id}` is not on node `{node}`; leave `node` out."));
    }
    let meant = nearest(id.as_str(), names.iter().copied());
    let meant = meant.map(|name| format!(" Did you mean `{}`?", foreign::name(name))).unwrap_or_default();
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| foreign::name(name)).collect();
    Error::NotFound(match shown.is_empty() {
        true => "Proxmox VE shows this API token no storage. It may lack `Datastore.Audit`.".to_owned(),
        false => format!("There is no storage `{id}`.{meant} There are: {}.", shown.join(", ")),
    })
}

/// Asks all places at once; the answers are in their order. A shared storage whose node cannot be reached is asked
/// for at another one, which the place then names.
pub fn ask(cx: &Cx<'_>, places: &mut [Place], want: Want<'_>) -> Vec<Result<Reply, Error>> {
    let call = |place: &Place| {
        place
            .call(&GET_NODES_NODE_STORAGE_STORAGE_CONTENT)
            .with_some("content", want.content)
            .with_some("vmid", want.vmid.map(Vmid::number))
    };
    let mut replies = cx.replies(places.iter().map(call).collect());
    let mut again: Vec<(&mut Place, &mut Result<Reply, Error>)> = Vec::new();
    for (place, reply) in places.iter_mut().zip(&mut replies) {
        if let (Err(error), Some(other)) = (&*reply, place.other.take_if(|_| place.shared))
            && error.may_pass()
        {
            place.node = other;
            again.push((place, reply));
        }
    }
    let seconds = cx.replies(again.iter().map(|(place, _)| call(place)).collect());
    for ((_, reply), second) in again.into_iter().zip(seconds) {
        *reply = second;
    }
    replies
}

/// The answers that came, with their places; the others are noted as missing.
///
/// # Errors
/// The first one, if none came.
pub fn answered(
    places: Vec<Place>,
    replies: Vec<Result<Reply, Error>>,
    missing: &mut Missing,
) -> Result<Vec<(Place, Reply)>, Error> {
    let (mut came, mut first) = (Vec::new(), None);
    for (place, reply) in places.into_iter().zip(replies) {
        match reply {
            Ok(reply) => came.push((place, reply)),
            Err(error) => {
                missing.note_one(place.to_string(), error.brief());
                first = first.or(Some(error));
            }
        }
    }
    match first {
        Some(error) if came.is_empty() => Err(error),
        _ => Ok(came),
    }
}

/// A volume of a storage (`GET .../content`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Item<'a> {
    /// Its id, such as `local:iso/debian-13.iso`.
    #[serde(borrow)]
    pub volid: Text<'a>,
    /// What it is: `backup`, `iso` and others.
    #[serde(borrow)]
    pub content: Text<'a>,
    /// Its format.
    #[serde(borrow)]
    pub format: Text<'a>,
    /// The first line of the notes on it.
    #[serde(borrow)]
    pub notes: Text<'a>,
    /// Its size in bytes.
    pub size: Figure,
    /// When it was made, in seconds since 1970.
    pub ctime: Figure,
    /// The guest that it belongs to.
    pub vmid: Figure,
    /// Whether it is protected against deletion.
    pub protected: Figure,
    /// Set for a backup that is encrypted.
    #[serde(borrow)]
    pub encrypted: Text<'a>,
    /// The last verification of a backup (Proxmox Backup Server).
    pub verification: Value,
}

impl Item<'_> {
    /// The guest that it belongs to.
    pub fn guest_id(&self) -> Option<Vmid> {
        Vmid::new(u32::try_from(self.vmid.whole()?).ok()?)
    }

    /// When it was made, in seconds since 1970; zero where that is not known.
    pub fn made(&self) -> u64 {
        self.ctime.whole().unwrap_or_default()
    }

    /// How the last verification ended, such as `ok` or `failed`; nothing where there was none.
    pub fn verified(&self) -> Option<&str> {
        self.verification.get("state")?.as_str().map(foreign::state)
    }
}

/// The id of a volume as text: as code, if it is one.
pub fn shown(volid: &str) -> String {
    match Volume::parse(volid) {
        Some(volume) => format!("`{volume}`"),
        None => foreign::words(volid, 200),
    }
}

/// The volumes of an answer.
///
/// # Errors
/// [`Error::Unreachable`] if it is none of Proxmox's.
pub fn items(reply: &Reply) -> Result<Vec<Item<'_>>, Error> {
    reply.read()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = r#"[
        {"type":"node","node":"a","status":"online"},{"type":"node","node":"b","status":"online"},
        {"type":"node","node":"c","status":"offline"},
        {"type":"storage","storage":"nfs","node":"a","shared":1,"status":"available","content":"backup,iso"},
        {"type":"storage","storage":"nfs","node":"b","shared":1,"status":"available","content":"backup,iso"},
        {"type":"storage","storage":"local","node":"a","status":"available","content":"backup"},
        {"type":"storage","storage":"local","node":"c","status":"available","content":"backup"},
        {"type":"storage","storage":"lvm","node":"a","status":"available","content":"images"}
    ]"#;

    fn look(want: Want<'_>) -> Result<(Vec<String>, String), Error> {
        let rows: Vec<Resource<'_>> = serde_json::from_str(ROWS).unwrap();
        let mut missing = Missing::new();
        let places = places(&rows, want, &mut missing)?;
        let shown = places.iter().map(|place| format!("{place} at {}", place.node)).collect();
        Ok((shown, missing.lines()))
    }

    #[test]
    fn a_shared_storage_is_asked_once_and_what_is_down_is_said() {
        let (places, missing) = look(Want { content: Some("backup"), ..Want::default() }).unwrap();
        assert_eq!(places, ["local on a at a", "nfs at a"]);
        assert_eq!(missing, "  • Not shown: local on c: the node is offline\n");
    }

    #[test]
    fn a_node_sees_its_own_and_the_shared() {
        let node = NodeName::parse("b").unwrap();
        let (places, missing) = look(Want { node: Some(&node), ..Want::default() }).unwrap();
        assert_eq!((places, missing.as_str()), (vec!["nfs at b".to_owned()], ""));
    }

    #[test]
    fn a_wrong_storage_is_put_right() {
        let of = |text: &str| StorageId::parse(text).unwrap();
        let (nfs1, lvm, b) = (of("nfs1"), of("lvm"), NodeName::parse("b").unwrap());
        for (want, expected) in [
            (
                Want { storage: Some(&nfs1), ..Want::default() },
                "Did you mean `nfs`? There are: local, lvm, nfs.",
            ),
            (Want { storage: Some(&lvm), node: Some(&b), ..Want::default() }, "not on node `b`"),
            (
                Want { storage: Some(&lvm), content: Some("backup"), ..Want::default() },
                "holds no backup (it is set up for: images)",
            ),
        ] {
            let error = look(want).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn odd_rows_are_read() {
        let json = r#"[{"volid":"pbs:backup/vm/101/2026-11-22T02:00:00Z","ctime":"12","vmid":"101","size":null,
            "verification":{"state":"ok","upid":"x"},"encrypted":"aa:bb","protected":"1"},
            {"verification":"broken","notes":["x"],"vmid":5}]"#;
        let items: Vec<Item<'_>> = serde_json::from_str(json).unwrap();
        assert_eq!(
            (items[0].guest_id(), items[0].made(), items[0].verified()),
            (Vmid::new(101), 12, Some("ok"))
        );
        assert!(items[0].protected.flag() && !items[0].encrypted.is_empty());
        assert_eq!((items[1].guest_id(), items[1].verified(), &*items[1].notes), (None, None, ""));
    }
}
