//! Options of guests: what each needs by its name and value. What an option replaces is not known here;
//! where that matters, the stronger privilege is asked for (a CD drive may hold a disk today).

use super::keys::{self, Key};
use super::{Demand, Fault, flag, of_check, source, vmid, words};
use crate::property::Properties;
use crate::request::Request;
use crate::value;
use crate::volume::{self, Volume};
use proxmox_api::{Check, Method, methods};

/// Parameters of a change of options that are no options themselves.
pub(super) const STEERING: &[&str] =
    &["background_delay", "delete", "digest", "force", "import-working-storage", "revert"];

/// The guest whose options a request names.
pub(super) struct Guest<'a> {
    pub(super) request: &'a Request,
    /// The method whose parameters are the options.
    pub(super) table: &'static Method,
    pub(super) key: fn(&str) -> Option<Key>,
    pub(super) vmid: u32,
    /// The pool that a new guest goes to: privileges may be granted there as well.
    pub(super) pool: Option<&'a str>,
    pub(super) new: bool,
}

/// `PUT` and `POST /nodes/{node}/qemu/{vmid}/config`, `PUT /nodes/{node}/lxc/{vmid}/config`.
pub(super) fn change(request: &Request, least: &'static Check) -> Result<Demand, Fault> {
    let key = if request.method.path.starts_with("/nodes/{node}/qemu") { keys::qemu } else { keys::lxc };
    let guest = Guest { request, table: request.method, key, vmid: vmid(request)?, pool: None, new: false };
    let mut demands = Vec::new();
    for (name, texts) in &request.params {
        for text in texts {
            match name.as_str() {
                "delete" | "revert" => {
                    for word in words(text) {
                        demands.push(guest.removal(name, word, flag(request, "force"))?);
                    }
                }
                steering if STEERING.contains(&steering) => {}
                _ => demands.push(guest.option(name, text)?),
            }
        }
    }
    if !demands.iter().any(changes_config) {
        demands.push(of_check(least, request));
    }
    Ok(Demand::All(demands))
}

/// `PUT /nodes/{node}/qemu/{vmid}/unlink`.
pub(super) fn unlink(request: &Request) -> Result<Demand, Fault> {
    let table = &methods::PUT_NODES_NODE_QEMU_VMID_CONFIG;
    let guest = Guest { request, table, key: keys::qemu, vmid: vmid(request)?, pool: None, new: false };
    let mut demands = vec![guest.on("VM.Config.Disk")];
    for word in words(request.value("idlist").unwrap_or_default()) {
        demands.push(guest.removal("idlist", word, flag(request, "force"))?);
    }
    Ok(Demand::All(demands))
}

/// Whether one of the privileges to change options is demanded, which the server wants of every change.
fn changes_config(demand: &Demand) -> bool {
    match demand {
        Demand::Privilege(one) => one.privilege.starts_with("VM.Config."),
        Demand::All(all) => all.iter().any(changes_config),
        _ => false,
    }
}

impl<'a> Guest<'a> {
    /// A privilege on the guest, or on the pool that it is made in.
    pub(super) fn on(&self, privilege: &'static str) -> Demand {
        let own = Demand::guest(privilege, self.vmid);
        match self.pool {
            Some(pool) => Demand::Any(vec![own, Demand::on(privilege, format!("/pool/{pool}"))]),
            None => own,
        }
    }

    fn all_on(&self, privileges: &[&'static str]) -> Demand {
        Demand::All(privileges.iter().map(|privilege| self.on(privilege)).collect())
    }

    fn key_of(&self, param: &str, name: &str) -> Result<Key, Fault> {
        let found = self.table.param(name).and_then(|param| (self.key)(param.name));
        found.ok_or_else(|| Fault::bad(param, format!("no rule says what {} needs", value::quote(name))))
    }

    /// Setting an option.
    pub(super) fn option(&self, name: &str, text: &str) -> Result<Demand, Fault> {
        let demand = match self.key_of(name, name)? {
            Key::RootOnly(why) => return Err(Fault::root_only(name, why)),
            Key::Guest(privileges) => self.all_on(privileges),
            Key::Drive => self.drive(name, text)?,
            Key::Mount => self.mount(name, text)?,
            Key::Unused => self.unused(name, text)?,
            Key::Network => Demand::All(vec![self.on("VM.Config.Network"), bridge(name, text)?]),
            Key::Serial if text == "socket" => self.on("VM.Config.HWType"),
            Key::Serial => return Err(Fault::root_only(name, "it is a device of the node")),
            Key::Usb | Key::HostPci => self.device(name, text)?,
            Key::Random => self.random(name, text)?,
            Key::Directory => self.directory(name, text)?,
            Key::Cpu => self.cpu(name, text)?,
            Key::Snippets => self.snippets(name, text)?,
            Key::StateStorage => Demand::All(vec![
                self.on("VM.Config.Disk"),
                Demand::storage("Datastore.AllocateSpace", Some(text)),
            ]),
            Key::Features => self.features(name, text)?,
        };
        if keys::reaches_node(name) {
            return Ok(Demand::All(vec![demand, Demand::on("Sys.Modify", "/")]));
        }
        Ok(demand)
    }

    /// Taking an option away, or back to what it was. `delete`: with the volume that it stands for.
    fn removal(&self, param: &str, name: &str, delete: bool) -> Result<Demand, Fault> {
        let space = || Demand::storage("Datastore.AllocateSpace", None);
        if name == "vmstate" {
            return Ok(Demand::All(vec![self.all_on(&["VM.Config.Disk", "VM.PowerMgmt"]), space()]));
        }
        let demand = match self.key_of(param, name)? {
            Key::RootOnly(why) => return Err(Fault::root_only(name, why)),
            Key::Features => return Err(Fault::root_only(name, "which features are set is not known here")),
            Key::Guest(privileges) => self.all_on(privileges),
            Key::Unused => Demand::All(vec![self.on("VM.Config.Disk"), space()]),
            Key::Drive | Key::Mount if delete => Demand::All(vec![self.on("VM.Config.Disk"), space()]),
            Key::Drive | Key::Mount | Key::Directory | Key::StateStorage => self.on("VM.Config.Disk"),
            Key::Network => self.on("VM.Config.Network"),
            Key::Serial | Key::Usb | Key::HostPci | Key::Random => self.on("VM.Config.HWType"),
            Key::Cpu => self.on("VM.Config.CPU"),
            Key::Snippets => self.on("VM.Config.Cloudinit"),
        };
        if keys::reaches_node(name) {
            return Ok(Demand::All(vec![demand, Demand::on("Sys.Modify", "/")]));
        }
        Ok(demand)
    }

    fn drive(&self, name: &str, text: &str) -> Result<Demand, Fault> {
        let fault = |why: String| Fault::bad(name, why);
        let drive = Properties::parse(text, "file").map_err(fault)?;
        let file = drive.either("file", "volume").map_err(fault)?;
        let file = file.ok_or_else(|| Fault::bad(name, "it names no volume"))?;
        let volume = Volume::read(file).map_err(fault)?;
        let cd = match drive.get("media") {
            Some("cdrom") => true,
            Some("disk") => false,
            Some(_) => return Err(Fault::bad(name, "media is disk or cdrom")),
            None => name == "cdrom" || volume == Volume::HostDrive,
        };
        let mut demands = if self.new { Vec::new() } else { vec![self.held_in(&volume, cd)] };
        demands.push(match volume {
            Volume::New { .. } if cd => return Err(Fault::bad(name, "a CD drive takes no new volume")),
            _ => self.volume(name, &volume)?,
        });
        if let Some(from) = drive.get("import-from") {
            if !matches!(volume, Volume::New { .. }) {
                return Err(Fault::bad(name, "import-from fills a new volume: write STORAGE:0"));
            }
            demands.push(source::import(name, from, self.request)?);
        }
        Ok(Demand::All(demands))
    }

    /// What changing a drive needs on its guest. A drive that gets a CD may hold a disk today.
    fn held_in(&self, volume: &Volume<'_>, cd: bool) -> Demand {
        let cloud_init = match volume {
            Volume::CloudInit { .. } => true,
            Volume::Existing { name, .. } => volume::is_cloud_init(name),
            _ => false,
        };
        if cloud_init {
            self.all_on(&["VM.Config.Cloudinit", "VM.Config.CDROM", "VM.Config.Disk"])
        } else if cd {
            self.all_on(&["VM.Config.CDROM", "VM.Config.Disk"])
        } else {
            self.on("VM.Config.Disk")
        }
    }

    /// What using or making a volume needs.
    fn volume(&self, name: &str, volume: &Volume<'_>) -> Result<Demand, Fault> {
        match volume {
            Volume::Empty => Ok(Demand::nothing()),
            Volume::HostDrive => Ok(Demand::on("Sys.Console", "/")),
            Volume::New { storage } | Volume::CloudInit { storage } => {
                let default = if self.new { super::storage(self.request, "storage") } else { None };
                match storage.or(default) {
                    Some(storage) => Ok(Demand::storage("Datastore.AllocateSpace", Some(storage))),
                    None => Err(Fault::bad(name, "it names no storage: write STORAGE:SIZE")),
                }
            }
            Volume::Existing { storage, name } => Ok(source::access(storage, name, Some(self.vmid))),
            Volume::Path => Err(source::node_path(name)),
        }
    }

    fn mount(&self, name: &str, text: &str) -> Result<Demand, Fault> {
        let fault = |why: String| Fault::bad(name, why);
        let mount = Properties::parse(text, "volume").map_err(fault)?;
        let volume = mount.get("volume").ok_or_else(|| Fault::bad(name, "it names no volume"))?;
        let source = match Volume::read(volume).map_err(fault)? {
            // A container's disks go to the storage `local` where nothing else is said.
            Volume::New { storage: None } if self.new => {
                let default = super::storage(self.request, "storage").unwrap_or("local");
                Demand::storage("Datastore.AllocateSpace", Some(default))
            }
            volume @ (Volume::New { .. } | Volume::Existing { .. } | Volume::Path) => {
                self.volume(name, &volume)?
            }
            _ => return Err(Fault::bad(name, "it names no volume")),
        };
        Ok(Demand::All(vec![self.on("VM.Config.Disk"), source]))
    }

    fn unused(&self, name: &str, text: &str) -> Result<Demand, Fault> {
        let fault = |why: String| Fault::bad(name, why);
        let default = if self.table.param("rootfs").is_some() { "volume" } else { "file" };
        let kept = Properties::parse(text, default).map_err(fault)?;
        let volume = kept.either("file", "volume").map_err(fault)?.unwrap_or_default();
        match Volume::read(volume).map_err(fault)? {
            Volume::Existing { storage, name } => {
                let access = source::access(storage, name, Some(self.vmid));
                Ok(Demand::All(vec![self.on("VM.Config.Disk"), access]))
            }
            _ => Err(Fault::bad(name, "it names no volume that is there")),
        }
    }

    /// A USB or PCI device: by a mapping, or (USB) of the SPICE client.
    fn device(&self, name: &str, text: &str) -> Result<Demand, Fault> {
        let device = Properties::parse(text, "host").map_err(|why| Fault::bad(name, why))?;
        let kind = if name.starts_with("usb") { "usb" } else { "pci" };
        match (device.get("host"), device.get("mapping")) {
            _ if device.get("romfile").is_some() => Err(source::node_path(name)),
            (None, Some(id)) => Ok(Demand::All(vec![self.on("VM.Config.HWType"), mapping(name, kind, id)?])),
            (Some("spice"), None) if kind == "usb" => Ok(self.on("VM.Config.HWType")),
            _ => Err(Fault::root_only(name, "it is a device of the node without a mapping")),
        }
    }

    fn random(&self, name: &str, text: &str) -> Result<Demand, Fault> {
        let device = Properties::parse(text, "source").map_err(|why| Fault::bad(name, why))?;
        let mut demands = vec![self.on("VM.Config.HWType")];
        if device.get("source") == Some("/dev/hwrng") {
            demands.push(Demand::on("Mapping.Use", "/mapping/hwrng"));
        }
        Ok(Demand::All(demands))
    }

    fn directory(&self, name: &str, text: &str) -> Result<Demand, Fault> {
        let shared = Properties::parse(text, "dirid").map_err(|why| Fault::bad(name, why))?;
        let id = shared.get("dirid").ok_or_else(|| Fault::bad(name, "it names no mapping of a directory"))?;
        Ok(Demand::All(vec![self.on("VM.Config.Disk"), mapping(name, "dir", id)?]))
    }

    fn cpu(&self, name: &str, text: &str) -> Result<Demand, Fault> {
        let cpu = Properties::parse(text, "cputype").map_err(|why| Fault::bad(name, why))?;
        let mut demands = vec![self.on("VM.Config.CPU")];
        if let Some(model) = cpu.get("cputype").and_then(|model| model.strip_prefix("custom-")) {
            demands.push(mapping(name, "cpu", model)?);
        }
        Ok(Demand::All(demands))
    }

    fn snippets(&self, name: &str, text: &str) -> Result<Demand, Fault> {
        let files = Properties::parse(text, "user").map_err(|why| Fault::bad(name, why))?;
        let mut demands = vec![self.on("VM.Config.Cloudinit")];
        for file in files.names().filter_map(|part| files.get(part)) {
            let volume = Volume::read(file).map_err(|why| Fault::bad(name, why))?;
            match volume {
                Volume::Existing { .. } | Volume::Path => demands.push(self.volume(name, &volume)?),
                _ => return Err(Fault::bad(name, "it names no volume that is there")),
            }
        }
        Ok(Demand::All(demands))
    }

    fn features(&self, name: &str, text: &str) -> Result<Demand, Fault> {
        let features = Properties::parse(text, "nesting").map_err(|why| Fault::bad(name, why))?;
        if features.names().any(|feature| feature != "nesting") {
            return Err(Fault::root_only(name, "of a container's features others may change nesting only"));
        }
        Ok(self.on("VM.Allocate"))
    }
}

/// Using a resource mapping.
fn mapping(param: &str, kind: &str, id: &str) -> Result<Demand, Fault> {
    if !value::is_plain(id) {
        return Err(Fault::bad(param, format!("{} is not the name of a mapping", value::quote(id))));
    }
    Ok(Demand::on("Mapping.Use", format!("/mapping/{kind}/{id}")))
}

/// Using the bridge that a network card names. The zone of a virtual network is not known here, so
/// anything that is not a bridge of the node needs SDN.Use on all zones.
fn bridge(param: &str, text: &str) -> Result<Demand, Fault> {
    let card = Properties::parse(text, "model").map_err(|why| Fault::bad(param, why))?;
    let path = match card.get("bridge") {
        None => "/sdn/zones/localnetwork".to_owned(),
        Some(name) if !is_node_bridge(name) => "/sdn/zones".to_owned(),
        Some(name) => match card.get("tag").filter(|_| card.get("trunks").is_none()) {
            Some(tag) if value::is_canonical_integer(tag) => format!("/sdn/zones/localnetwork/{name}/{tag}"),
            Some(tag) => return Err(Fault::bad(param, format!("{} is no VLAN tag", value::quote(tag)))),
            None => format!("/sdn/zones/localnetwork/{name}"),
        },
    };
    Ok(Demand::on("SDN.Use", path))
}

/// `vmbr0` to `vmbr9999`.
fn is_node_bridge(name: &str) -> bool {
    name.strip_prefix("vmbr").is_some_and(|number| {
        number.len() <= 4 && !number.starts_with('-') && value::is_canonical_integer(number)
    })
}
