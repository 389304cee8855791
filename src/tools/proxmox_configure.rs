//! `proxmox_configure`: changes the configuration of a guest.

use proxmox_api::methods;
use serde_json::{Map, Value};

use crate::change::{self, Change, How};
use crate::cx::Cx;
use crate::error::Error;
use crate::pve::config::{Config, Edit};
use crate::pve::disks::{Disk, is_cloud_init};
use crate::pve::guests::{self, Guest, GuestKind};
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::{edits, keys};
use crate::tool::{Alias, Args, Hidden, Outcome, Texts, Tool, Toolset, Whole};

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Cores.
    cores: Option<Whole<1, { u32::MAX }>>,
    /// MiB.
    memory: Option<Whole<16, { u32::MAX }>>,
    /// Its tags from now on.
    tags: Hidden<Texts>,
    /// Add tags.
    add_tags: Hidden<Texts>,
    /// Tags to take away.
    remove_tags: Hidden<Texts>,
    /// Name, of a container its host name.
    name: Hidden<String>,
    /// Notes, as Markdown.
    notes: Hidden<String>,
    /// Start it with its node.
    start_at_boot: Hidden<bool>,
    /// Any API key and value.
    set: Option<Map<String, Value>>,
    /// Delete.
    delete: Option<Texts>,
    /// Cloud-init: the user.
    ciuser: Hidden<String>,
    /// Cloud-init: the user's password.
    cipassword: Hidden<String>,
    /// Cloud-init: SSH public keys, one on each line.
    sshkeys: Hidden<String>,
    /// Cloud-init: address of the first network card, such as ip=dhcp.
    ipconfig0: Hidden<String>,
    /// Name servers.
    nameserver: Hidden<String>,
    /// Search domain.
    searchdomain: Hidden<String>,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_configure",
    title: "Configure guest",
    description: "Changes a guest's configuration; delete resets keys. Also takes name, tags, add_tags, \
                  remove_tags, notes, start_at_boot.",
    toolset: Toolset::Guests,
    aliases: &[
        Alias::of("proxmox_resize_vm"),
        Alias::of("proxmox_resize_lxc"),
        Alias::of("proxmox_set_cloudinit"),
    ],
    params: PARAMS,
    explained: &["memory", "set"],
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_CONFIG,
        &methods::PUT_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::PUT_NODES_NODE_LXC_VMID_CONFIG,
        &methods::GET_NODES_NODE_QEMU_VMID_PENDING,
        &methods::GET_NODES_NODE_LXC_VMID_PENDING,
    ],
    idempotent: Some(true),
    run,
    ..Tool::PLAIN
};

/// Keys that reach the guest through its cloud-init drive.
const CLOUD_INIT: &[&str] =
    &["ciuser", "cipassword", "sshkeys", "cicustom", "citype", "ciupgrade", "nameserver", "searchdomain"];

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    if !params.changes_something() {
        return Err(Error::Arguments(
            "Nothing to change: give `cores`, `memory`, `name`, `tags`, `notes` and the like, `set` such as \
             {\"cpu\": \"host\"}, or `delete` with keys to reset."
                .to_owned(),
        ));
    }
    let guest = guests::locate(cx, params.vmid, params.node.get())?;
    let config = Config::fetch(cx, &guest)?;
    let edit = params.edit(&guest, &config)?;
    let mut change = edit.described(Change::new(format!("⚙️ Configuration of {guest}")).guest(&guest), &guest);
    if guest.kind == GuestKind::Vm && edit.keys().any(is_for_cloud_init) {
        change = change.warning(cloud_init_advice(&config));
    }
    let how = How { wait: params.wait, dry_run: params.dry_run };
    edits::apply(cx, &guest, &config, &edit, change, how)
}

impl Params {
    fn changes_something(&self) -> bool {
        self.cores.is_some()
            || self.memory.is_some()
            || self.tags.get().or(self.add_tags.get()).or(self.remove_tags.get()).is_some()
            || self.start_at_boot.get().is_some()
            || self.set.as_ref().is_some_and(|set| !set.is_empty())
            || self.delete.as_ref().is_some_and(|keys| !keys.0.is_empty())
            || self.texts(GuestKind::Vm).iter().any(|(_, text)| text.is_some())
    }

    /// The parameters that are keys of the API, with their text.
    fn texts(&self, kind: GuestKind) -> [(&'static str, Option<&String>); 8] {
        [
            (if kind == GuestKind::Vm { "name" } else { "hostname" }, self.name.get()),
            ("description", self.notes.get()),
            ("ciuser", self.ciuser.get()),
            ("cipassword", self.cipassword.get()),
            ("sshkeys", self.sshkeys.get()),
            ("ipconfig0", self.ipconfig0.get()),
            ("nameserver", self.nameserver.get()),
            ("searchdomain", self.searchdomain.get()),
        ]
    }

    /// All that is asked for as keys and values.
    fn wanted(&self, guest: &Guest, config: &Config) -> Result<Map<String, Value>, Error> {
        let mut wanted = self.set.clone().unwrap_or_default();
        let mut put = |key: &str, value: Value| match wanted.insert(key.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(Error::Arguments(format!(
                "`{key}` is given twice, in `set` and as a parameter; give it once."
            ))),
        };
        for (key, text) in self.texts(guest.kind) {
            let Some(text) = text else { continue };
            if guest.kind == GuestKind::Container && is_for_cloud_init(key) && keys::known(guest, key).is_err() {
                return Err(Error::Arguments(format!(
                    "{guest} is a container and has no cloud-init, so there is no `{key}`. Its address is set with \
                     `proxmox_network`; users and keys inside it with `pct enter {}` on its node.",
                    guest.vmid
                )));
            }
            let text = if key == "sshkeys" { keys::ssh_keys(text)? } else { text.clone() };
            put(key, text.into())?;
        }
        if let Some(cores) = self.cores {
            put("cores", cores.0.into())?;
        }
        if let Some(memory) = self.memory {
            put("memory", memory.0.into())?;
        }
        if let Some(flag) = self.start_at_boot.get() {
            put("onboot", (*flag).into())?;
        }
        if let Some(tags) = self.tags(config)? {
            put("tags", tags.into())?;
        }
        Ok(wanted)
    }

    /// The tags as they will be, if they are to change.
    fn tags(&self, config: &Config) -> Result<Option<String>, Error> {
        let set = self.tags.get().map(|tags| tags.0.as_slice());
        let list = |tags: Option<&Texts>| tags.map(|tags| tags.0.clone()).unwrap_or_default();
        let (add, remove) = (list(self.add_tags.get()), list(self.remove_tags.get()));
        if set.is_none() && add.is_empty() && remove.is_empty() {
            return Ok(None);
        }
        let now = config.text("tags").unwrap_or_default();
        keys::tags(&now, set, &add, &remove).map(|tags| Some(tags.join(";")))
    }

    fn edit<'c>(&self, guest: &Guest, config: &'c Config) -> Result<Edit<'c>, Error> {
        let mut wanted = self.wanted(guest, config)?;
        let mut delete = self.delete.clone().map(|keys| keys.0).unwrap_or_default();
        // Without any tag left, or with empty notes, there is nothing to set.
        for key in ["tags", "description"] {
            if wanted.get(key).is_some_and(|value| value == "") {
                wanted.shift_remove(key);
                delete.push(key.to_owned());
            }
        }
        keys::to_delete(guest, config, &delete)?;
        let set = keys::to_set(guest, config, &wanted)?;
        if let Some((both, _)) = set.iter().find(|(key, _)| delete.contains(key)) {
            return Err(Error::Arguments(format!("`{both}` is to be set and to be deleted; say one of them.")));
        }
        let edit = set.iter().fold(config.edit(), |edit, (key, value)| edit.set(key, value));
        Ok(delete.iter().fold(edit, |edit, key| edit.delete(key)))
    }
}

fn is_for_cloud_init(key: &str) -> bool {
    CLOUD_INIT.contains(&key) || key.starts_with("ipconfig")
}

/// When cloud-init settings reach the guest.
fn cloud_init_advice(config: &Config) -> &'static str {
    if Disk::all(config).any(|disk| is_cloud_init(disk.volume())) {
        "Cloud-init settings reach the guest at its next start through Proxmox VE, which makes their drive anew."
    } else {
        "This VM has no cloud-init drive, so the settings do not reach it. Add one: `set` = {\"ide2\": \
         \"STORAGE:cloudinit\"}, then start the VM anew."
    }
}

#[cfg(test)]
#[path = "tests/proxmox_configure.rs"]
mod tests;
