//! `proxmox_create_vm`: makes a new VM.

use proxmox_api::methods;

use crate::change::{self, Change, How};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::pve::disks::Size;
use crate::pve::guests::{Guest, GuestKind};
use crate::pve::ids::{NodeName, StorageId, Vmid, Volume};
use crate::pve::keys;
use crate::pve::new_guest::{self, Bridge, Card, GuestName, Image, Place, PoolId, Vlan, Wanted};
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Texts, Tool, Toolset, Whole};

crate::words! {
    /// Operating systems that Proxmox VE knows.
    enum OsType {
        /// Linux.
        L26 = "l26",
        /// Linux 2.4.
        L24 = "l24",
        /// Windows 11, Server 2022 and 2025.
        Win11 = "win11",
        /// Windows 10, Server 2016 and 2019.
        Win10 = "win10",
        /// Windows 8, Server 2012.
        Win8 = "win8",
        /// Windows 7, Server 2008 R2.
        Win7 = "win7",
        /// Windows Vista.
        WVista = "wvista",
        /// Windows XP.
        Wxp = "wxp",
        /// Windows 2000.
        W2k = "w2k",
        /// Windows Server 2003.
        W2k3 = "w2k3",
        /// Windows Server 2008.
        W2k8 = "w2k8",
        /// Solaris.
        Solaris = "solaris",
        /// Anything else.
        Other = "other",
    }
}

crate::words! {
    /// Firmware.
    enum Bios {
        /// UEFI.
        Ovmf = "ovmf",
        /// A classic BIOS.
        SeaBios = "seabios",
    }
}

crate::params! {
    /// Guest id; the next free one if left out.
    vmid: Hidden<Vmid>,
    /// Node; the one with the most free memory if left out.
    node: Option<NodeName>,
    /// Name.
    name: Option<GuestName>,
    /// MiB.
    memory: Option<Whole<16, { u32::MAX }>>,
    /// Cores of each socket.
    cores: Option<Whole<1, { u32::MAX }>>,
    /// Sockets.
    sockets: Hidden<Whole<1, 16>>,
    /// Storage of the disk; one that fits if left out.
    storage: Option<StorageId>,
    /// Such as 32G.
    disk_size: Option<Size>,
    /// Volume to install from.
    iso: Option<Volume>,
    /// Bridge, or none.
    bridge: Hidden<Bridge>,
    /// VLAN tag.
    vlan: Hidden<Vlan>,
    /// The network card as Proxmox writes it, in place of bridge and vlan.
    net0: Hidden<Card>,
    /// Operating system.
    ostype: Hidden<OsType>,
    /// Firmware: ovmf (UEFI) or seabios.
    bios: Hidden<Bios>,
    /// Type of processor, such as host.
    cpu: Hidden<String>,
    /// Turn the guest agent on.
    agent: Hidden<bool>,
    /// Start it when the node starts.
    onboot: Hidden<bool>,
    /// Tags.
    tags: Hidden<Texts>,
    /// Pool that it goes to.
    pool: Hidden<PoolId>,
    /// Notes.
    description: Hidden<String>,
    /// Cloud-init: user.
    ciuser: Hidden<String>,
    /// Cloud-init: the user's password.
    cipassword: Hidden<String>,
    /// Cloud-init: public SSH keys, one on each line.
    sshkeys: Hidden<String>,
    /// Cloud-init: addresses, such as ip=dhcp.
    ipconfig0: Hidden<String>,
    /// Cloud-init: name server.
    nameserver: Hidden<String>,
    /// Cloud-init: search domain.
    searchdomain: Hidden<String>,
    /// Start it afterwards.
    start: Option<bool>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_create_vm",
    title: "Create VM",
    description: "Creates a VM. Also takes vmid, bridge, vlan, ostype, bios, tags, pool, ciuser, sshkeys, ipconfig0.",
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
        &methods::POST_NODES_NODE_QEMU,
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
    let size = new_guest::size("disk_size", params.disk_size.unwrap_or(USUAL_DISK))?;
    let card = params.card()?;
    let wanted = Wanted {
        name: params.name.as_ref().map(GuestName::as_str),
        vmid: params.vmid.get().copied(),
        node: params.node.as_ref(),
        storage: params.storage.as_ref(),
        content: "images",
        size,
        image: params.iso.as_ref().map(|volume| Image { parameter: "iso", content: "iso", volume }),
        bridge: card.as_ref().and_then(|(_, bridge)| bridge.as_deref()),
        memory: params.starts().then_some(params.memory()),
    };
    let place = new_guest::place(cx, &wanted)?;
    let card = card.as_ref().map(|(text, _)| text.as_str());
    let call = params.call(&place, size, card)?;
    let change = place.described(params.described(&place, size, card));
    change.make(cx, call, How { wait: params.wait, dry_run: params.dry_run })
}

impl Params {
    /// In MiB.
    fn memory(&self) -> u32 {
        self.memory.map_or(512, |memory| memory.0)
    }

    /// Of each socket.
    fn cores(&self) -> u32 {
        self.cores.map_or(1, |cores| cores.0)
    }

    fn starts(&self) -> bool {
        self.start.unwrap_or_default()
    }

    fn is_windows(&self) -> bool {
        self.os().word().starts_with('w')
    }

    fn os(&self) -> OsType {
        self.ostype.get().copied().unwrap_or(OsType::L26)
    }

    /// Windows 11 does not install without.
    fn is_uefi(&self) -> bool {
        self.bios.get().map_or(self.os() == OsType::Win11, |bios| *bios == Bios::Ovmf)
    }

    /// The bus that the operating system's installer has drivers for.
    fn disk_key(&self) -> &'static str {
        if self.is_windows() { "sata0" } else { "scsi0" }
    }

    /// The network card and its bridge; nothing for none.
    fn card(&self) -> Result<Option<(String, Option<String>)>, Error> {
        if let Some(card) = self.net0.get() {
            if self.bridge.get().is_some() || self.vlan.get().is_some() {
                return Err(Error::Arguments(
                    "`net0` says all of the network card; leave `bridge` and `vlan` out, or `net0`.".to_owned(),
                ));
            }
            return Ok(Some((card.as_str().to_owned(), card.bridge().map(str::to_owned))));
        }
        let bridge = self.bridge.get().cloned().unwrap_or_else(Bridge::usual);
        let Some(bridge) = bridge.name() else { return Ok(None) };
        let model = if self.is_windows() { "e1000" } else { "virtio" };
        let tag = self.vlan.get().map(|vlan| format!(",tag={}", vlan.0)).unwrap_or_default();
        Ok(Some((format!("{model},bridge={bridge}{tag}"), Some(bridge.to_owned()))))
    }

    fn has_cloud_init(&self) -> bool {
        let texts = [
            &self.ciuser,
            &self.cipassword,
            &self.sshkeys,
            &self.ipconfig0,
            &self.nameserver,
            &self.searchdomain,
        ];
        texts.iter().any(|text| text.get().is_some())
    }

    fn call(&self, place: &Place, size: Size, card: Option<&str>) -> Result<Call, Error> {
        let Place { vmid, node, storage, .. } = place;
        let disk = self.disk_key();
        let cd = self.iso.as_ref().map(|iso| format!("{iso},media=cdrom"));
        let next = if cd.is_some() { ";ide2" } else if card.is_some() { ";net0" } else { "" };
        let call = Call::of(&methods::POST_NODES_NODE_QEMU)
            .at("node", node)
            .with("vmid", vmid.number())
            .with_some("name", self.name.as_ref().map(GuestName::as_str))
            .with("memory", self.memory().to_string())
            .with("cores", self.cores())
            .with("sockets", self.sockets.get().map_or(1, |sockets| sockets.0))
            .with("ostype", self.os().word())
            .with("scsihw", "virtio-scsi-single")
            .with(disk, format!("{storage}:{}", size.gib()))
            .with_some("ide2", cd)
            .with("boot", format!("order={disk}{next}"))
            .with_some("net0", card)
            .with_some("cpu", self.cpu.get().map(String::as_str))
            .with_some("agent", self.agent.get().map(|on| if *on { "1" } else { "0" }))
            .with_some("onboot", self.onboot.get().copied())
            .with_some("tags", new_guest::tags(self.tags.get())?)
            .with_some("pool", self.pool.get().map(PoolId::as_str))
            .with_some("description", self.description.get().map(String::as_str));
        let call = self.firmware(call, storage);
        Ok(self.cloud_init(call, storage)?.with_some("start", self.starts().then_some(true)))
    }

    fn firmware(&self, call: Call, storage: &StorageId) -> Call {
        if !self.is_uefi() {
            return call;
        }
        let tpm = (self.os() == OsType::Win11).then(|| format!("{storage}:1,version=v2.0"));
        call.with("bios", Bios::Ovmf.word())
            .with("machine", "q35")
            .with("efidisk0", format!("{storage}:1,efitype=4m,pre-enrolled-keys=1"))
            .with_some("tpmstate0", tpm)
    }

    fn cloud_init(&self, call: Call, storage: &StorageId) -> Result<Call, Error> {
        if !self.has_cloud_init() {
            return Ok(call);
        }
        let text = |text: &Hidden<String>| text.get().cloned();
        let keys = self.sshkeys.get().map(|text| keys::ssh_keys(text)).transpose()?;
        Ok(call
            .with("ide0", format!("{storage}:cloudinit"))
            .with_some("ciuser", text(&self.ciuser))
            .with_some("cipassword", text(&self.cipassword))
            .with_some("sshkeys", keys)
            .with_some("ipconfig0", text(&self.ipconfig0))
            .with_some("nameserver", text(&self.nameserver))
            .with_some("searchdomain", text(&self.searchdomain)))
    }

    fn described(&self, place: &Place, size: Size, card: Option<&str>) -> Change {
        let guest = Guest {
            vmid: place.vmid,
            node: place.node.clone(),
            kind: GuestKind::Vm,
            name: self.name.as_ref().map(ToString::to_string).unwrap_or_default(),
            template: false,
        };
        let sockets = self.sockets.get().map_or(1, |sockets| sockets.0);
        let cores = text::count(usize::try_from(self.cores()).unwrap_or_default(), "core");
        let confirm = self.name.as_ref().map(GuestName::as_str);
        let change = Change::new(format!("🖥️ New VM: {guest}"))
            .guest(&guest)
            .fact("Disk", format!("{} on {}, as {}", size, place.storage, self.disk_key()))
            .fact("Memory", text::bytes(f64::from(self.memory()) * 1_048_576.0))
            .fact("CPU", if sockets == 1 { cores } else { format!("{sockets} sockets of {cores}") })
            .fact("Network", card.map_or("none".to_owned(), foreign::name))
            .undo("proxmox_delete", new_guest::undo(place.vmid, confirm));
        let change = match &self.iso {
            Some(iso) => change.fact("CD", foreign::name(iso.as_str())),
            None => change,
        };
        let change = if self.is_uefi() { change.fact("Firmware", "UEFI") } else { change };
        let change = if self.has_cloud_init() { change.fact("Cloud-init", "drive on ide0") } else { change };
        let change = change.fact("Started", if self.starts() { "yes" } else { "no" });
        if self.iso.is_none() && self.starts() {
            return change.warning("There is nothing to boot from but the network: the disk is empty.");
        }
        change
    }
}

#[cfg(test)]
#[path = "tests/proxmox_create_vm.rs"]
mod tests;
