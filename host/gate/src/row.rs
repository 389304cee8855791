//! The threat: a row that passes because nobody looked at the field that names its guest. For each
//! kind of row one function says which nodes and guests it is about and what it takes to see it; a
//! row that lacks the field it is judged by has no facts, and goes.

use crate::value::{self, Upid};
use crate::volume;
use serde_json::Value as Json;

/// What a row is about, of one kind of thing.
pub(crate) enum About<T> {
    /// None of that kind.
    Nothing,
    /// These.
    These(Vec<T>),
    /// Some, and the row does not say which.
    Unknown,
}

/// What a row has to be judged by.
pub(crate) struct Facts {
    pub(crate) nodes: About<String>,
    pub(crate) guests: About<u32>,
    /// Any of these privileges on this ACL path; `None` where the method's own check was enough.
    pub(crate) needs: Option<(&'static [&'static str], String)>,
    /// The login whose own row it is: it needs no privilege for it.
    pub(crate) login: Option<String>,
}

impl Facts {
    fn new(nodes: About<String>, guests: About<u32>) -> Self {
        Facts { nodes, guests, needs: None, login: None }
    }

    fn needing(mut self, privileges: &'static [&'static str], path: String) -> Self {
        self.needs = Some((privileges, path));
        self
    }
}

const STORAGE: &[&str] = &["Datastore.Audit", "Datastore.AllocateSpace"];

/// A row of `/cluster/resources`, or a member of a pool.
pub(crate) fn resource(row: &Json) -> Option<Facts> {
    match text(row, "type")? {
        "node" => node(row),
        "qemu" | "lxc" => {
            let vmid = number(row, "vmid")?;
            Some(
                Facts::new(on_node(row), About::These(vec![vmid]))
                    .needing(&["VM.Audit"], format!("/vms/{vmid}")),
            )
        }
        "storage" => storage(row),
        "pool" => {
            let name = text(row, "pool")?;
            Some(Facts::new(About::Nothing, About::Nothing).needing(&["Pool.Audit"], format!("/pool/{name}")))
        }
        "sdn" | "network" => {
            let path = text(row, "sdn").map_or("/sdn".to_owned(), |zone| format!("/sdn/zones/{zone}"));
            Some(Facts::new(on_node(row), About::Nothing).needing(&["SDN.Audit"], path))
        }
        _ => None,
    }
}

/// A row of `/nodes`.
pub(crate) fn node(row: &Json) -> Option<Facts> {
    let name = text(row, "node")?;
    Some(Facts::new(About::These(vec![name.to_owned()]), About::Nothing))
}

/// A row of `/nodes/{node}/qemu` or `/nodes/{node}/lxc`; the node is the path's.
pub(crate) fn guest(row: &Json) -> Option<Facts> {
    let vmid = number(row, "vmid")?;
    Some(Facts::new(About::Nothing, About::These(vec![vmid])).needing(&["VM.Audit"], format!("/vms/{vmid}")))
}

/// A row of `/storage` or `/nodes/{node}/storage`, or a storage among the resources.
pub(crate) fn storage(row: &Json) -> Option<Facts> {
    let name = text(row, "storage")?;
    let nodes = match text(row, "node") {
        Some(node) => About::These(vec![node.to_owned()]),
        None => About::Nothing,
    };
    Some(Facts::new(nodes, About::Nothing).needing(STORAGE, format!("/storage/{name}")))
}

/// `/storage/{storage}`, for which the method's own check was enough.
pub(crate) fn one_storage(row: &Json) -> Option<Facts> {
    text(row, "storage").map(|_| Facts::new(About::Nothing, About::Nothing))
}

/// A row of a storage's content. A volume without an owner (an ISO image) is about no guest.
pub(crate) fn volume_on_storage(row: &Json) -> Option<Facts> {
    let name = text(row, "volid")?;
    let mut owners = volume::owners(name);
    if row.get("vmid").is_some() {
        owners.push(number(row, "vmid")?);
    }
    let guests = if owners.is_empty() { About::Nothing } else { About::These(owners) };
    Some(Facts::new(About::Nothing, guests))
}

/// A pool. Its members are judged one by one.
pub(crate) fn pool(row: &Json) -> Option<Facts> {
    let facts = Facts::new(About::Nothing, About::Nothing);
    match text(row, "poolid") {
        Some(name) => Some(facts.needing(&["Pool.Audit"], format!("/pool/{name}"))),
        // `/pools/{poolid}` leaves the name to the path, which was checked.
        None => row.get("members").map(|_| facts),
    }
}

/// A task, by its id, which names node, guest and login.
pub(crate) fn task(row: &Json) -> Option<Facts> {
    let upid = Upid::parse(text(row, "upid")?)?;
    let guests = match upid.vmid() {
        Some(vmid) => About::These(vec![vmid]),
        None => About::Unknown,
    };
    let mut facts = Facts::new(About::These(vec![upid.node.to_owned()]), guests)
        .needing(&["Sys.Audit"], format!("/nodes/{}", upid.node));
    facts.login = Some(upid.login.to_owned());
    Some(facts)
}

/// A row of `/cluster/status`.
pub(crate) fn cluster(row: &Json) -> Option<Facts> {
    match text(row, "type")? {
        "cluster" => Some(Facts::new(About::Nothing, About::Nothing)),
        "node" => {
            let name = text(row, "name")?;
            Some(Facts::new(About::These(vec![name.to_owned()]), About::Nothing))
        }
        _ => None,
    }
}

/// A row about high availability: of its status, or a resource.
pub(crate) fn ha(row: &Json) -> Option<Facts> {
    let guests = match text(row, "sid") {
        Some(sid) => About::These(vec![value::vmid(sid.split_once(':').map_or(sid, |(_, id)| id))?]),
        None if matches!(text(row, "type")?, "quorum" | "fencing" | "master" | "lrm") => About::Nothing,
        None => return None,
    };
    Some(Facts::new(on_node(row), guests))
}

/// A backup job, about the guests that it lists, or about who knows which.
pub(crate) fn backup(row: &Json) -> Option<Facts> {
    let guests = match row.get("vmid") {
        Some(Json::String(ids)) => About::These(ids.split(',').map(value::vmid).collect::<Option<Vec<_>>>()?),
        Some(_) => About::These(vec![number(row, "vmid")?]),
        None => About::Unknown,
    };
    Some(Facts::new(on_node(row), guests))
}

/// A replication job, between two nodes.
pub(crate) fn replication(row: &Json) -> Option<Facts> {
    let vmid = number(row, "guest")?;
    let nodes = match (text(row, "source"), text(row, "target")) {
        (Some(source), Some(target)) => About::These(vec![source.to_owned(), target.to_owned()]),
        _ => About::Unknown,
    };
    Some(Facts::new(nodes, About::These(vec![vmid])).needing(&["VM.Audit"], format!("/vms/{vmid}")))
}

/// What any row says of itself in the fields `node` and `vmid`, whatever else it is judged by.
pub(crate) fn plain(row: &Json) -> Facts {
    let nodes = text(row, "node").map_or(About::Nothing, |name| About::These(vec![name.to_owned()]));
    let guests = number(row, "vmid").map_or(About::Nothing, |vmid| About::These(vec![vmid]));
    Facts::new(nodes, guests)
}

/// The node that the row names; a row that names none could be on any.
fn on_node(row: &Json) -> About<String> {
    text(row, "node").map_or(About::Unknown, |name| About::These(vec![name.to_owned()]))
}

fn text<'a>(row: &'a Json, field: &str) -> Option<&'a str> {
    row.get(field)?.as_str()
}

/// A vmid, which Proxmox writes as a number or as text.
fn number(row: &Json, field: &str) -> Option<u32> {
    match row.get(field)? {
        Json::String(digits) => value::vmid(digits),
        other => other.as_u64().and_then(|n| u32::try_from(n).ok()),
    }
}
