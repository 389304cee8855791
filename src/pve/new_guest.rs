//! New guests: which id they get, where they go, and whether what they are made of is there.

mod network;
mod storage;
mod texts;

use proxmox_api::methods::{
    GET_CLUSTER_NEXTID, GET_NODES_NODE_NETWORK, GET_NODES_NODE_STORAGE,
    GET_NODES_NODE_STORAGE_STORAGE_CONTENT,
};
use serde_json::Value;

pub use self::network::{Address, Bridge, Card, Vlan, has_bridge};
pub use self::texts::{GuestName, PoolId};
use crate::change::Change;
use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::pve::disks::Size;
use crate::pve::guests;
use crate::pve::ids::{NodeName, StorageId, Vmid, Volume};
use crate::pve::keys;
use crate::pve::nodes;
use crate::pve::resources::{self, Resource};
use crate::text;
use crate::tool::{Texts, whole};

/// How many names an error lists.
const NAMED: usize = 12;

/// What a new guest needs.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Its name.
    pub name: Option<&'a str>,
    /// Its id; the next free one if left out.
    pub vmid: Option<Vmid>,
    /// Its node; the one with the most free memory if left out.
    pub node: Option<&'a NodeName>,
    /// The storage of its disk; one that fits if left out.
    pub storage: Option<&'a StorageId>,
    /// What the storage has to take: `images` or `rootdir`.
    pub content: &'static str,
    /// Size of its disk.
    pub size: Size,
    /// What it is installed from.
    pub image: Option<Image<'a>>,
    /// The bridge of its network card.
    pub bridge: Option<&'a str>,
    /// Its memory in MiB, if it is to be started.
    pub memory: Option<u32>,
}

/// What a guest is installed from.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// The parameter that names it.
    pub parameter: &'static str,
    /// What kind of content it is: `iso` or `vztmpl`.
    pub content: &'static str,
    /// It.
    pub volume: &'a Volume,
}

/// Where a new guest goes.
#[derive(Debug)]
pub struct Place {
    /// Its id.
    pub vmid: Vmid,
    /// Its node.
    pub node: NodeName,
    /// The storage of its disk.
    pub storage: StorageId,
    notes: Notes,
}

/// What is to be said of a place.
#[derive(Debug)]
struct Notes {
    node: NodeName,
    /// What was chosen, and why.
    choices: Vec<(&'static str, String)>,
    /// What could not be checked, or looks wrong.
    warnings: Vec<String>,
}

impl Place {
    /// Adds to a change what was chosen, and the warnings.
    pub fn described(&self, change: Change) -> Change {
        let change = self.notes.choices.iter().fold(change, |change, (what, why)| change.fact(what, why));
        self.notes.warnings.iter().fold(change, |change, warning| change.warning(warning))
    }
}

/// Finds the place of a new guest, with two rounds of requests.
///
/// # Errors
/// [`Error::Arguments`] or [`Error::NotFound`] where something that was named is taken, not there or
/// does not fit.
pub fn place(cx: &Cx<'_>, wanted: &Wanted<'_>) -> Result<Place, Error> {
    let mut replies = cx.replies(vec![resources::all(), next_id(wanted.vmid)]).into_iter();
    let mut reply = || replies.next().unwrap_or_else(|| Err(Error::Defect("no answer".to_owned())));
    let (all, next) = (reply()?, reply());
    let rows = resources::rows(&all)?;
    let vmid = free_id(&rows, "vmid", wanted.vmid, next.and_then(|reply| reply.data()))?;
    let mut notes = choose_node(&rows, wanted)?;
    notes.warnings.extend(namesake(&rows, wanted.name));
    let storage = look_around(cx, wanted, &mut notes)?;
    Ok(Place { vmid, node: notes.node.clone(), storage, notes })
}

/// The call for the next free id, or that says whether this one is free.
pub fn next_id(wanted: Option<Vmid>) -> Call {
    Call::of(&GET_CLUSTER_NEXTID).with_some("vmid", wanted.map(Vmid::number))
}

/// The id of a new guest, once nobody has it; `next` is the answer to [`next_id`].
///
/// # Errors
/// [`Error::Arguments`] where the one that was named is taken.
pub fn free_id(
    rows: &[Resource<'_>],
    parameter: &str,
    wanted: Option<Vmid>,
    next: Result<Value, Error>,
) -> Result<Vmid, Error> {
    let Some(vmid) = wanted else {
        let answer = next?;
        let odd = || Error::Unreachable(format!("Proxmox VE gave {answer} as the next free vmid."));
        return whole(&answer).and_then(Vmid::new).ok_or_else(odd);
    };
    let other = rows.iter().find(|row| row.is_guest() && row.guest_id() == Some(vmid));
    let who = match (other, next) {
        (Some(other), _) => format!("by {}", guests::label(&other.name, vmid)),
        (None, Err(Error::Refused(refusal))) if refusal.status == 400 => refusal.words(),
        (None, Err(error)) => return Err(error),
        (None, Ok(_)) => return Ok(vmid),
    };
    Err(Error::Arguments(format!(
        "`{parameter}` {vmid} is taken, {who}. Leave it out to get the next free one."
    )))
}

/// The node that was named, or of those that have the storage the one with the most free memory.
fn choose_node(rows: &[Resource<'_>], wanted: &Wanted<'_>) -> Result<Notes, Error> {
    let free = |row: &Resource<'_>| row.memory().map_or(0.0, |(used, total)| total - used);
    let short = |row: &Resource<'_>| {
        let needed = wanted.memory.map(|mib| f64::from(mib) * 1_048_576.0);
        let free = row.memory().map(|(used, total)| total - used);
        needed.zip(free).is_some_and(|(needed, free)| needed > free)
    };
    let notes = |node: NodeName, choices, row: &Resource<'_>| {
        let short =
            short(row).then(|| format!("The node has {} of free memory only.", text::bytes(free(row))));
        Notes { node, choices, warnings: short.into_iter().collect() }
    };
    if wanted.node.is_some() {
        let (node, row) = nodes::choose(rows, wanted.node)?;
        if !nodes::is_online(row) {
            return Err(Error::Failed(format!(
                "Node `{node}` is offline. Name another one, or leave `node` out to have one chosen."
            )));
        }
        return Ok(notes(node, Vec::new(), row));
    }
    let online = rows.iter().filter(|row| row.is_node() && nodes::is_online(row));
    let fits = |node: &&Resource<'_>| {
        let named = [wanted.storage, wanted.image.map(|image| image.volume.storage())];
        named.into_iter().flatten().all(|storage| has_storage(rows, &node.node, storage))
    };
    let candidates: Vec<&Resource<'_>> = online.filter(fits).collect();
    let best = candidates.iter().max_by(|a, b| free(a).total_cmp(&free(b)).then_with(|| b.node.cmp(&a.node)));
    let row = *best.ok_or_else(|| nowhere(rows, wanted))?;
    let odd = || Error::Unreachable("Proxmox VE gave a node a name that cannot be one.".to_owned());
    let node = NodeName::parse(&row.node).ok_or_else(odd)?;
    let choices = match candidates.len() {
        1 => Vec::new(),
        several => vec![(
            "Node chosen",
            format!(
                "{node}, which has the most free memory of {several} that fit: {}",
                text::bytes(free(row))
            ),
        )],
    };
    Ok(notes(node, choices, row))
}

fn has_storage(rows: &[Resource<'_>], node: &str, storage: &StorageId) -> bool {
    let mut storages = rows.iter().filter(|row| row.is_storage() && &*row.node == node);
    storages.any(|row| &*row.storage == storage.as_str() && &*row.status == "available")
}

/// No online node has all the storages that were named.
fn nowhere(rows: &[Resource<'_>], wanted: &Wanted<'_>) -> Error {
    let named = [wanted.storage, wanted.image.map(|image| image.volume.storage())];
    let names: Vec<String> = named.into_iter().flatten().map(|storage| format!("`{storage}`")).collect();
    if names.is_empty() {
        return Error::Failed(
            "No node of the cluster is online, as far as the API token may see.".to_owned(),
        );
    }
    let known = || rows.iter().filter(|row| row.is_storage()).map(|row| &*row.storage);
    let meant = named
        .into_iter()
        .flatten()
        .filter(|storage| !known().any(|known| known == storage.as_str()))
        .find_map(|storage| nearest(storage.as_str(), known()));
    let meant = meant.map(|name| format!(" Did you mean `{}`?", foreign::name(name))).unwrap_or_default();
    Error::NotFound(format!(
        "No online node has the storage {}.{meant} `proxmox_get_storage` lists them.",
        names.join(" and ")
    ))
}

/// Looks at the node's storages and bridges, and whether the image is there.
fn look_around(cx: &Cx<'_>, wanted: &Wanted<'_>, notes: &mut Notes) -> Result<StorageId, Error> {
    let mut calls = vec![Call::of(&GET_NODES_NODE_STORAGE).at("node", &notes.node).with("enabled", true)];
    if let Some(image) = wanted.image {
        let content = Call::of(&GET_NODES_NODE_STORAGE_STORAGE_CONTENT);
        let content = content.at("node", &notes.node).at("storage", image.volume.storage());
        calls.push(content.with("content", image.content));
    }
    if wanted.bridge.is_some() {
        calls.push(Call::of(&GET_NODES_NODE_NETWORK).at("node", &notes.node).with("type", "any_bridge"));
    }
    let mut replies = cx.replies(calls).into_iter().map(|reply| reply?.data());
    let mut next = || replies.next().unwrap_or_else(|| Err(Error::Defect("no answer".to_owned())));
    let storage = storage::choose(&next()?, wanted, notes)?;
    if let Some(image) = wanted.image {
        match next() {
            Ok(list) => image.check(&list, &notes.node)?,
            Err(error)
                if matches!(error, Error::Refused(_)) && error.kind() == crate::error::Kind::NotFound =>
            {
                return Err(error);
            }
            Err(error) => {
                notes.warnings.push(format!("`{}` was not checked: {}", image.parameter, error.brief()))
            }
        }
    }
    if let Some(bridge) = wanted.bridge {
        match next() {
            Ok(list) => has_bridge(&list, bridge, &notes.node)?,
            Err(error) => {
                notes.warnings.push(format!("The bridge `{bridge}` was not checked: {}", error.brief()))
            }
        }
    }
    Ok(storage)
}

impl Image<'_> {
    fn check(&self, list: &Value, node: &NodeName) -> Result<(), Error> {
        let volumes = || list.as_array().into_iter().flatten().filter_map(|row| row.get("volid")?.as_str());
        let wanted = self.volume.as_str();
        if volumes().any(|volume| volume == wanted) {
            return Ok(());
        }
        let meant = nearest(wanted, volumes());
        let meant = meant.map(|name| format!(" Did you mean `{}`?", foreign::name(name))).unwrap_or_default();
        let there: Vec<String> = volumes().take(NAMED).map(foreign::name).collect();
        let there = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
        Err(Error::NotFound(format!(
            "`{}`: there is no {} on node `{node}`.{meant} Storage `{}` has there: {there}.",
            self.parameter,
            foreign::code(wanted, 120),
            self.volume.storage()
        )))
    }
}

/// A warning where another guest has the same name; names need not be unique.
pub fn namesake(rows: &[Resource<'_>], name: Option<&str>) -> Option<String> {
    let name = name?;
    let other = rows.iter().find(|row| row.is_guest() && &*row.name == name)?;
    Some(format!("{} has the same name.", guests::label(&other.name, other.guest_id()?)))
}

/// The size of a new disk.
///
/// # Errors
/// [`Error::Arguments`] for a size that comes on top of another.
pub fn size(parameter: &str, size: Size) -> Result<Size, Error> {
    if size.more {
        return Err(Error::Arguments(format!(
            "`{parameter}` is the size of a new disk; write it without `+`."
        )));
    }
    Ok(size)
}

/// Tags as Proxmox takes them.
///
/// # Errors
/// [`Error::Arguments`] for what cannot be a tag.
pub fn tags(texts: Option<&Texts>) -> Result<Option<String>, Error> {
    let tags = texts.map(|Texts(texts)| keys::tags("", Some(texts), &[], &[])).transpose()?;
    Ok(tags.map(|tags| tags.join(";")))
}

/// The arguments of `proxmox_delete` that take a new guest away again.
pub fn undo(vmid: Vmid, name: Option<&str>) -> Value {
    Data::new().always("vmid", vmid.number()).known("confirm", name).into()
}
