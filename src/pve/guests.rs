//! Guests, VMs and containers: finding one in the cluster, and how it is right now.

use std::fmt;

use proxmox_api::Method;
use proxmox_api::methods::{GET_NODES_NODE_LXC_VMID_STATUS_CURRENT, GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT};
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::nodes::Offline;
use crate::pve::resources::{self, Figure, Resource};

/// What kind of guest it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestKind {
    /// A virtual machine (QEMU).
    Vm,
    /// A container (LXC).
    Container,
}

impl GuestKind {
    /// The kind of a row of `/cluster/resources`.
    pub fn of(row: &Resource<'_>) -> GuestKind {
        if &*row.kind == "lxc" { GuestKind::Container } else { GuestKind::Vm }
    }

    /// Its word in data.
    pub fn word(self) -> &'static str {
        match self {
            GuestKind::Vm => "vm",
            GuestKind::Container => "container",
        }
    }

    /// Its name inside a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            GuestKind::Vm => "VM",
            GuestKind::Container => "container",
        }
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<GuestKind> {
        [GuestKind::Vm, GuestKind::Container].into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for GuestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GuestKind::Vm => "VM",
            GuestKind::Container => "Container",
        })
    }
}

crate::words! {
    /// The kind of guest in Proxmox's own words, as older servers took it.
    pub enum OriginalKind {
        /// A virtual machine.
        Qemu = "qemu",
        /// A container.
        Lxc = "lxc",
        /// Either.
        All = "all",
    }
}

impl OriginalKind {
    /// Refuses a guest of the other kind.
    ///
    /// # Errors
    /// [`Error::Arguments`].
    pub fn check(self, guest: &Guest) -> Result<(), Error> {
        match self.kind() {
            Some(kind) if kind != guest.kind => Err(Error::Arguments(format!(
                "{guest} is a {}, not `{}`. Leave `type` out: it is found out.",
                guest.kind.noun(),
                self.word()
            ))),
            _ => Ok(()),
        }
    }

    /// The kind; nothing for either.
    pub fn kind(self) -> Option<GuestKind> {
        match self {
            OriginalKind::Qemu => Some(GuestKind::Vm),
            OriginalKind::Lxc => Some(GuestKind::Container),
            OriginalKind::All => None,
        }
    }
}

/// A guest and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// Its id.
    pub vmid: Vmid,
    /// The node that it is on.
    pub node: NodeName,
    /// What kind it is.
    pub kind: GuestKind,
    /// Its name, cleaned for data; empty if it has none.
    pub name: String,
    /// Whether it is a template.
    pub template: bool,
}

/// As text: `prod-web-01 (ID: 101)`.
impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&label(&self.name, self.vmid))
    }
}

/// A guest as text: `prod-web-01 (ID: 101)`, or `Guest 101` if it has no name.
pub fn label(name: &str, vmid: Vmid) -> String {
    let name = foreign::name(name);
    if name.is_empty() { format!("Guest {vmid}") } else { format!("{name} (ID: {vmid})") }
}

impl Guest {
    /// A call about this guest: one method for VMs, one for containers.
    pub fn call(&self, vm: &'static Method, container: &'static Method) -> Call {
        let method = match self.kind {
            GuestKind::Vm => vm,
            GuestKind::Container => container,
        };
        Call::of(method).at("node", &self.node).at("vmid", &self.vmid)
    }
}

/// Finds a guest anywhere in the cluster, with one request.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Arguments`] if it is not on the node that was named; [`Error::Failed`] if its node is offline.
pub fn locate(cx: &Cx<'_>, vmid: Vmid, on: Option<&NodeName>) -> Result<Guest, Error> {
    let reply = resources::fetch(cx)?;
    find(&resources::rows(&reply)?, vmid, on)
}

/// Finds a guest among the rows of `/cluster/resources`; for tools that need more of them.
///
/// # Errors
/// Those of [`locate`].
pub fn find(rows: &[Resource<'_>], vmid: Vmid, on: Option<&NodeName>) -> Result<Guest, Error> {
    let guest = among(vmid, rows)?;
    if let Some(wrong) = on.filter(|node| **node != guest.node) {
        let node = &guest.node;
        return Err(Error::Arguments(format!(
            "{guest} is on node `{node}`, not on `{wrong}`. Give `{node}` as `node`, or leave it out."
        )));
    }
    if Offline::of(rows).has(guest.node.as_str()) {
        return Err(Error::Failed(format!(
            "Node `{}` is offline, so nothing can be done with {guest} now. Bring the node back first; \
             `proxmox_get_nodes` shows its state.",
            guest.node
        )));
    }
    Ok(guest)
}

/// The guest of this id among the rows of `/cluster/resources`.
///
/// # Errors
/// [`Error::NotFound`].
pub fn among(vmid: Vmid, rows: &[Resource<'_>]) -> Result<Guest, Error> {
    let found = rows.iter().find(|row| row.is_guest() && row.guest_id() == Some(vmid));
    let row = found.ok_or_else(|| missing(vmid, rows))?;
    let odd = || Error::Unreachable("Proxmox VE gave a node a name that cannot be one.".to_owned());
    Ok(Guest {
        vmid,
        node: NodeName::parse(&row.node).ok_or_else(odd)?,
        kind: GuestKind::of(row),
        name: foreign::line(&row.name, 80),
        template: row.is_template(),
    })
}

/// No other id is offered: one that differs by a digit is another guest, and what was meant for this one could
/// be done to it.
fn missing(vmid: Vmid, rows: &[Resource<'_>]) -> Error {
    Error::NotFound(match rows.iter().any(Resource::is_guest) {
        true => format!(
            "There is no guest {vmid}, or the API token may not see it (`VM.Audit` on `/vms/{vmid}`). \
             `proxmox_get_vms` lists the guests."
        ),
        false => format!(
            "There is no guest {vmid}: Proxmox VE shows this API token no guest at all. It may lack `VM.Audit`."
        ),
    })
}

/// How a guest is right now; `/cluster/resources` lags behind by up to ten seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// `running` or `stopped`.
    pub status: String,
    /// Its name, cleaned for data.
    pub name: String,
    /// The state of a VM's processors, such as `paused`; empty where Proxmox does not say.
    pub processors: String,
    /// Seconds since it was started.
    pub uptime: Option<u64>,
    /// The lock that an operation holds on it, such as `backup`.
    pub lock: Option<String>,
    /// Whether the HA manager looks after it.
    pub managed: bool,
}

impl Live {
    /// Whether it runs. A paused VM does, as Proxmox sees it.
    pub fn is_running(&self) -> bool {
        self.status == "running"
    }

    /// Whether it is a VM whose processors were stopped.
    pub fn is_paused(&self) -> bool {
        self.is_running() && matches!(self.processors.as_str(), "paused" | "suspended")
    }

    /// Whether it is a VM whose memory was written to disk.
    pub fn is_hibernated(&self) -> bool {
        !self.is_running() && self.lock.as_deref() == Some("suspended")
    }

    /// `running`, `stopped`, `paused` or `suspended to disk`.
    pub fn words(&self) -> &str {
        match (self.is_paused(), self.is_hibernated()) {
            (true, _) => "paused",
            (_, true) => "suspended to disk",
            _ => &self.status,
        }
    }
}

/// Asks the guest's node how the guest is.
pub fn live(cx: &Cx<'_>, guest: &Guest) -> Result<Live, Error> {
    read_live(&cx.call(live_call(guest))?, guest)
}

/// The call that [`read_live`] reads the answer of, for tools that make several calls at once.
pub fn live_call(guest: &Guest) -> Call {
    guest.call(&GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT, &GET_NODES_NODE_LXC_VMID_STATUS_CURRENT)
}

/// Reads how a guest is.
///
/// # Errors
/// [`Error::Unreachable`] if the answer does not say it.
pub fn read_live(data: &Value, guest: &Guest) -> Result<Live, Error> {
    let text = |key: &str| data.get(key).and_then(Value::as_str);
    let status =
        text("status").map(foreign::state).filter(|status| *status != "unknown").ok_or_else(|| {
            Error::Unreachable(format!(
                "Proxmox VE did not say whether {guest} is running; try again in a moment."
            ))
        })?;
    Ok(Live {
        status: status.to_owned(),
        name: text("name").map(|name| foreign::line(name, 80)).unwrap_or_default(),
        processors: text("qmpstatus").map(foreign::state).unwrap_or_default().to_owned(),
        uptime: Figure::of(data.get("uptime")).whole(),
        lock: text("lock").filter(|lock| !lock.is_empty()).map(|lock| foreign::line(lock, 40)),
        managed: Figure::of(data.pointer("/ha/managed")).flag(),
    })
}
