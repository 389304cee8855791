//! `proxmox_create_lxc`: makes a new container.

use std::net::IpAddr;

use proxmox_api::methods;

use crate::change::{self, Change, How};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::pve::disks::Size;
use crate::pve::guests::{Guest, GuestKind};
use crate::pve::ids::{NodeName, StorageId, Vmid, Volume};
use crate::pve::keys;
use crate::pve::new_guest::{self, Address, Bridge, GuestName, Image, Place, PoolId, Vlan, Wanted};
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Texts, Tool, Toolset, Whole};

crate::params! {
    /// Guest id; the next free one if left out.
    vmid: Hidden<Vmid>,
    /// Node; the one with the most free memory if left out.
    node: Option<NodeName>,
    /// Template to make it of.
    ostemplate: Volume,
    /// Name.
    hostname: Option<GuestName>,
    /// MiB.
    memory: Option<Whole<16, { u32::MAX }>>,
    /// Swap in MiB.
    swap: Hidden<Whole<0, { u32::MAX }>>,
    /// Cores; all of the node if left out.
    cores: Option<Whole<1, { u32::MAX }>>,
    /// Storage of the disk; one that fits if left out.
    storage: Option<StorageId>,
    /// Such as 8G.
    disk_size: Option<Size>,
    /// Size of the disk, as older servers call it.
    rootfs: Hidden<Size>,
    /// Bridge, or none.
    bridge: Hidden<Bridge>,
    /// dhcp, or such as 10.0.0.5/24.
    ip: Hidden<Address>,
    /// Its gateway.
    gateway: Hidden<IpAddr>,
    /// VLAN tag.
    vlan: Hidden<Vlan>,
    /// Name server.
    nameserver: Hidden<IpAddr>,
    /// Search domain.
    searchdomain: Hidden<String>,
    /// Password of root, 5 characters at least.
    password: Hidden<String>,
    /// Make a password for root.
    generate_password: Hidden<bool>,
    /// Say the password that was made.
    show_password: Hidden<bool>,
    /// Public SSH keys of root, one on each line.
    sshkeys: Hidden<String>,
    /// Keep root in it from being root on the node; true if left out.
    unprivileged: Hidden<bool>,
    /// Let it run containers and systemd services; true for unprivileged ones if left out.
    nesting: Hidden<bool>,
    /// Start it when the node starts.
    onboot: Hidden<bool>,
    /// Tags.
    tags: Hidden<Texts>,
    /// Pool that it goes to.
    pool: Hidden<PoolId>,
    /// Notes.
    description: Hidden<String>,
    /// Start it afterwards.
    start: Option<bool>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_create_lxc",
    title: "Create container",
    description: "Creates a container. Also takes vmid, bridge, ip, gateway, vlan, sshkeys, password, tags, pool.",
    toolset: Toolset::Guests,
    params: PARAMS,
    explained: &["memory"],
    unlisted: &["node"],
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_CLUSTER_NEXTID,
        &methods::GET_NODES_NODE_STORAGE,
        &methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT,
        &methods::GET_NODES_NODE_NETWORK,
        &methods::POST_NODES_NODE_LXC,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    run,
    resume: Some(change::resume),
    ..Tool::PLAIN
};

/// The disk where no size is given, in MiB.
const USUAL_DISK: Size = Size { mib: 8 << 10, more: false, bare: false };

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let size = params.size()?;
    let card = params.card()?;
    let login = Login::of(&params)?;
    let wanted = Wanted {
        name: params.hostname.as_ref().map(GuestName::as_str),
        vmid: params.vmid.get().copied(),
        node: params.node.as_ref(),
        storage: params.storage.as_ref(),
        content: "rootdir",
        size,
        image: Some(Image { parameter: "ostemplate", content: "vztmpl", volume: &params.ostemplate }),
        bridge: card.as_ref().and_then(|_| params.bridge_name()),
        memory: params.starts().then_some(params.memory()),
    };
    let place = new_guest::place(cx, &wanted)?;
    let call = params.call(&place, size, card.as_deref(), &login)?;
    let change = params.described(&place, size, card.as_deref());
    let change = place.described(login.described(change, params.dry_run));
    change.make(cx, call, How { wait: params.wait, dry_run: params.dry_run })
}

/// How one logs in to it.
struct Login {
    password: Option<String>,
    generated: bool,
    shown: bool,
    keys: Option<String>,
}

impl Login {
    fn of(params: &Params) -> Result<Login, Error> {
        let (generated, shown) = (params.generate_password.or(false), params.show_password.or(false));
        let given = params.password.get().cloned();
        if generated && given.is_some() {
            return Err(Error::Arguments("Give `password` or `generate_password`, not both.".to_owned()));
        }
        if shown && !generated {
            return Err(Error::Arguments("`show_password` goes with `generate_password` only.".to_owned()));
        }
        if given.as_ref().is_some_and(|password| password.chars().count() < 5) {
            return Err(Error::Arguments("`password` is too short: Proxmox VE wants 5 characters at least.".to_owned()));
        }
        let keys = params.sshkeys.get().map(String::as_str);
        if let Some(keys) = keys {
            keys::ssh_keys(keys)?;
        }
        let lines = |keys: &str| keys.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
        // A dry run sends nothing, so that nothing has to be made for it.
        let made = if generated && !params.dry_run { Some(crate::secret::password()?) } else { None };
        Ok(Login { password: given.or(made), generated, shown, keys: keys.map(lines) })
    }

    fn described(&self, change: Change, dry_run: bool) -> Change {
        let keys = if self.keys.is_some() { " and the SSH keys" } else { "" };
        let change = change.fact(
            "Login",
            match (&self.password, &self.keys) {
                _ if self.generated => format!("root, with a generated password{keys}"),
                (Some(_), _) => format!("root, with the password that was given{keys}"),
                (None, Some(_)) => "root, with the SSH keys".to_owned(),
                (None, None) => "none set; `pct enter` on the node opens a shell in it".to_owned(),
            },
        );
        match &self.password {
            Some(password) if self.generated && self.shown && !dry_run => {
                change.fact("Password", foreign::code(password, 64))
            }
            _ if self.generated && !self.shown => {
                change.warning("The generated password is not shown; `show_password` shows it. `pct enter` works without.")
            }
            _ => change,
        }
    }
}

impl Params {
    /// In MiB.
    fn memory(&self) -> u32 {
        self.memory.map_or(512, |memory| memory.0)
    }

    fn starts(&self) -> bool {
        self.start.unwrap_or_default()
    }

    fn size(&self) -> Result<Size, Error> {
        match (self.disk_size, self.rootfs.get()) {
            (Some(_), Some(_)) => {
                Err(Error::Arguments("`disk_size` and `rootfs` are the same; give one of them.".to_owned()))
            }
            (size, rootfs) => new_guest::size("disk_size", size.or(rootfs.copied()).unwrap_or(USUAL_DISK)),
        }
    }

    fn bridge_name(&self) -> Option<&str> {
        self.bridge.get().map_or(Some("vmbr0"), Bridge::name)
    }

    fn is_unprivileged(&self) -> bool {
        self.unprivileged.or(true)
    }

    fn is_nesting(&self) -> bool {
        self.nesting.or(self.is_unprivileged())
    }

    /// The network card; nothing for none.
    fn card(&self) -> Result<Option<String>, Error> {
        let ip = self.ip.get().cloned().unwrap_or_else(Address::dhcp);
        let Some(bridge) = self.bridge_name() else { return Ok(None) };
        if self.gateway.get().is_some() && matches!(ip.as_str(), "dhcp" | "manual") {
            return Err(Error::Arguments(
                "`gateway` goes with an address: give `ip` such as 10.0.0.5/24, or leave `gateway` out.".to_owned(),
            ));
        }
        let gateway = self.gateway.get().map(|gateway| format!(",gw={gateway}")).unwrap_or_default();
        let tag = self.vlan.get().map(|vlan| format!(",tag={}", vlan.0)).unwrap_or_default();
        Ok(Some(format!("name=eth0,bridge={bridge},ip={}{gateway}{tag}", ip.as_str())))
    }

    fn call(&self, place: &Place, size: Size, card: Option<&str>, login: &Login) -> Result<Call, Error> {
        let text = |text: &Hidden<String>| text.get().cloned();
        Ok(Call::of(&methods::POST_NODES_NODE_LXC)
            .at("node", &place.node)
            .with("vmid", place.vmid.number())
            .with("ostemplate", self.ostemplate.as_str())
            .with_some("hostname", self.hostname.as_ref().map(GuestName::as_str))
            .with("memory", self.memory())
            .with_some("swap", self.swap.get().map(|swap| swap.0))
            .with_some("cores", self.cores.map(|cores| cores.0))
            .with("rootfs", format!("{}:{}", place.storage, size.gib()))
            .with_some("net0", card)
            .with_some("nameserver", self.nameserver.get().map(ToString::to_string))
            .with_some("searchdomain", text(&self.searchdomain))
            .with_some("password", login.password.clone())
            .with_some("ssh-public-keys", login.keys.clone())
            .with("unprivileged", self.is_unprivileged())
            .with_some("features", self.is_nesting().then_some("nesting=1"))
            .with_some("onboot", self.onboot.get().copied())
            .with_some("tags", new_guest::tags(self.tags.get())?)
            .with_some("pool", self.pool.get().map(PoolId::as_str))
            .with_some("description", text(&self.description))
            .with_some("start", self.starts().then_some(true)))
    }

    fn described(&self, place: &Place, size: Size, card: Option<&str>) -> Change {
        let guest = Guest {
            vmid: place.vmid,
            node: place.node.clone(),
            kind: GuestKind::Container,
            name: self.hostname.as_ref().map(ToString::to_string).unwrap_or_default(),
            template: false,
        };
        let cores = self.cores.map(|cores| text::count(usize::try_from(cores.0).unwrap_or_default(), "core"));
        Change::new(format!("📦 New container: {guest}"))
            .guest(&guest)
            .fact("Template", foreign::name(self.ostemplate.as_str()))
            .fact("Disk", format!("{size} on {}", place.storage))
            .fact("Memory", text::bytes(f64::from(self.memory()) * 1_048_576.0))
            .fact("CPU", cores.unwrap_or_else(|| "all cores of the node".to_owned()))
            .fact("Network", card.map_or("none".to_owned(), foreign::name))
            .fact("Privileged", if self.is_unprivileged() { "no" } else { "yes" })
            .fact("Started", if self.starts() { "yes" } else { "no" })
            .undo("proxmox_delete", new_guest::undo(place.vmid, self.hostname.as_ref().map(GuestName::as_str)))
    }
}

#[cfg(test)]
#[path = "tests/proxmox_create_lxc.rs"]
mod tests;
