//! `proxmox_network`: adds, changes and removes network cards of a guest.

use proxmox_api::methods;
use serde_json::Value;

use crate::change::{self, Change, How};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::pve::config::{Config, Edit};
use crate::pve::edits;
use crate::pve::guests::{self, Guest, GuestKind};
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::new_guest::has_bridge;
use crate::pve::network::{Address4, Address6, Bridge, Card, Gateway, Mac, Model, NetKey, Rate, free_name};
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset, Whole};

crate::words! {
    /// What to do.
    enum Action {
        /// A new card.
        Add = "add",
        /// Options of a card.
        Update = "update",
        /// No card any more.
        Remove = "remove",
    }
}

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// What to do.
    action: Action,
    /// Net.
    net: Option<NetKey>,
    /// Bridge.
    bridge: Option<Bridge>,
    /// 0 for none.
    vlan: Option<Whole<0, 4094>>,
    /// What kind of card a VM sees.
    model: Hidden<Model>,
    /// MAC address.
    mac: Hidden<Mac>,
    /// Whether the firewall filters its traffic.
    firewall: Hidden<bool>,
    /// Of a container: 10.0.0.5/24 or dhcp.
    ip: Option<Address4>,
    /// Of a container: its router, or none.
    gateway: Hidden<Gateway>,
    /// Of a container: fd00::5/64, auto, dhcp or manual.
    ip6: Hidden<Address6>,
    /// Of a container: its IPv6 router, or none.
    gateway6: Hidden<Gateway>,
    /// Limit in megabytes per second; 0 for none.
    rate: Hidden<Rate>,
    /// Largest packet in bytes; 0 for the usual one.
    mtu: Hidden<Whole<0, 65520>>,
    /// Whether the cable is pulled.
    link_down: Hidden<bool>,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_network",
    title: "Guest network",
    description: "Network cards of a guest. Also takes model, mac, firewall, gateway, ip6, rate, mtu, link_down.",
    toolset: Toolset::Guests,
    aliases: &[
        Alias::of("proxmox_add_network_vm").fixed(ADD).renamed(OLDER),
        Alias::of("proxmox_add_network_lxc").fixed(ADD).renamed(OLDER),
        Alias::of("proxmox_update_network_vm").fixed(UPDATE).renamed(OLDER),
        Alias::of("proxmox_update_network_lxc").fixed(UPDATE).renamed(OLDER),
        Alias::of("proxmox_remove_network_vm").fixed(REMOVE),
        Alias::of("proxmox_remove_network_lxc").fixed(REMOVE),
    ],
    params: PARAMS,
    explained: &["ip"],
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_CONFIG,
        &methods::GET_NODES_NODE_NETWORK,
        &methods::PUT_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::PUT_NODES_NODE_LXC_VMID_CONFIG,
        &methods::GET_NODES_NODE_QEMU_VMID_PENDING,
        &methods::GET_NODES_NODE_LXC_VMID_PENDING,
    ],
    run,
    ..Tool::PLAIN
};

const ADD: &[(&str, &str)] = &[("action", "\"add\"")];
const UPDATE: &[(&str, &str)] = &[("action", "\"update\"")];
const REMOVE: &[(&str, &str)] = &[("action", "\"remove\"")];
const OLDER: &[(&str, &str)] = &[("macaddr", "mac"), ("gw", "gateway")];

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    params.complete()?;
    let guest = guests::locate(cx, params.vmid, params.node.get())?;
    params.suits(&guest)?;
    let mut calls = vec![Config::call(&guest)];
    calls.extend(params.bridge.as_ref().map(|_| bridges(&guest)));
    let mut replies = cx.replies(calls).into_iter().map(|reply| reply?.data());
    let config = replies.next().unwrap_or_else(|| Err(Error::Defect("no answer".to_owned())))?;
    let config = Config::read(config, &guest)?;
    let unchecked = params.bridge.as_ref().zip(replies.next());
    let unchecked = unchecked.map(|(bridge, list)| checked(bridge, list, &guest)).transpose()?.flatten();
    let (key, edit) = match (params.action, &params.net) {
        (Action::Add, _) => params.add(&guest, &config)?,
        (Action::Update, Some(key)) => {
            let old = Card::of(&config, &guest, key)?;
            let mut card = old.clone();
            params.put(&mut card)?;
            let edit = config.edit();
            (key.clone(), if card == old { edit } else { edit.set(&key.to_string(), card) })
        }
        (Action::Remove, Some(key)) => {
            Card::of(&config, &guest, key)?;
            (key.clone(), config.edit().delete(&key.to_string()))
        }
        (_, None) => return Err(Error::Defect("a card without its key".to_owned())),
    };
    let change = Change::new(format!("🔌 Network card `{key}` of {guest}")).guest(&guest);
    let mut change = edit.described(change.fact("Action", params.action.word()), &guest);
    if let Some(warning) = unchecked {
        change = change.warning(warning);
    }
    let how = How { wait: params.wait, dry_run: params.dry_run };
    edits::apply(cx, &guest, &config, &edit, change, how)
}

fn bridges(guest: &Guest) -> Call {
    Call::of(&methods::GET_NODES_NODE_NETWORK).at("node", &guest.node).with("type", "any_bridge")
}

/// Refuses a bridge that the node does not have; a warning where that could not be found out.
fn checked(bridge: &Bridge, list: Result<Value, Error>, guest: &Guest) -> Result<Option<String>, Error> {
    match list {
        Ok(list) => has_bridge(&list, &bridge.0, &guest.node).map(|()| None),
        Err(error) => Ok(Some(format!("The bridge `{}` was not checked: {}", bridge.0, error.brief()))),
    }
}

impl Params {
    /// Refuses what cannot be meant, before anything is looked up.
    fn complete(&self) -> Result<(), Error> {
        let problem = match self.action {
            Action::Add if self.bridge.is_none() => {
                "`bridge` is missing: name the bridge for the new card, such as vmbr0."
            }
            Action::Update if self.net.is_none() => "`net` is missing: name the card to change, such as net0.",
            Action::Remove if self.net.is_none() => "`net` is missing: name the card to remove, such as net0.",
            Action::Update if !self.names_options() => {
                "Nothing to change: give `bridge`, `vlan`, `model`, `mac`, `firewall`, `ip`, `gateway`, `rate` or the like."
            }
            Action::Remove if self.names_options() => {
                "`remove` takes the whole card away; options such as `bridge` are for `update`."
            }
            _ => return Ok(()),
        };
        Err(Error::Arguments(problem.to_owned()))
    }

    fn names_options(&self) -> bool {
        self.bridge.is_some()
            || self.vlan.is_some()
            || self.model.get().is_some()
            || self.mac.get().is_some()
            || self.firewall.get().or(self.link_down.get()).is_some()
            || self.rate.get().is_some()
            || self.mtu.get().is_some()
            || self.names_addresses()
    }

    fn names_addresses(&self) -> bool {
        self.ip.is_some() || self.ip6.get().is_some() || self.gateway.get().or(self.gateway6.get()).is_some()
    }

    /// Refuses options that this kind of guest does not have.
    fn suits(&self, guest: &Guest) -> Result<(), Error> {
        let number = self.net.as_ref().map_or(0, NetKey::number);
        Err(Error::Arguments(match guest.kind {
            GuestKind::Vm if self.names_addresses() => format!(
                "{guest} is a VM: its addresses are set inside it, or by cloud-init with `proxmox_configure`, `set` = \
                 {{\"ipconfig{number}\": \"ip=10.0.0.5/24,gw=10.0.0.1\"}}."
            ),
            GuestKind::Container if self.model.get().is_some() => {
                format!("{guest} is a container; only VMs have a `model` of network card. Leave it out.")
            }
            _ => return Ok(()),
        }))
    }

    fn add<'c>(&self, guest: &Guest, config: &'c Config) -> Result<(NetKey, Edit<'c>), Error> {
        let key = match &self.net {
            Some(key) => key.clone(),
            None => NetKey::free(config, guest)?,
        };
        if let Some(taken) = config.text(&key.to_string()) {
            return Err(Error::Arguments(format!(
                "{guest} has a `{key}` already ({}). Leave `net` out to add another card, or change this one with \
                 `action` = `update`.",
                foreign::code(&taken, 120)
            )));
        }
        let mut card = Card::new(guest.kind);
        if guest.kind == GuestKind::Container {
            card.set("name", free_name(config));
        }
        self.put(&mut card)?;
        let edit = config.edit().set(&key.to_string(), card);
        Ok((key, edit))
    }

    /// Puts into a card what is named; the rest of it stays.
    fn put(&self, card: &mut Card) -> Result<(), Error> {
        if let Some(model) = self.model.get() {
            card.set("model", model.word());
        }
        if let Some(bridge) = &self.bridge {
            card.set("bridge", &bridge.0);
        }
        if let Some(mac) = self.mac.get() {
            card.set(card.mac_option(), &mac.0);
        }
        let mut number = |name: &str, value: Option<String>| match value.as_deref() {
            None => {}
            Some("0") => card.remove(name),
            Some(value) => card.set(name, value),
        };
        number("tag", self.vlan.map(|vlan| vlan.0.to_string()));
        number("mtu", self.mtu.get().map(|mtu| mtu.0.to_string()));
        number("rate", self.rate.get().map(|rate| rate.0.to_string()));
        number("firewall", self.firewall.get().map(|flag| u8::from(*flag).to_string()));
        number("link_down", self.link_down.get().map(|flag| u8::from(*flag).to_string()));
        if let Some(ip) = &self.ip {
            card.set("ip", &ip.0);
        }
        if let Some(ip6) = self.ip6.get() {
            card.set("ip6", &ip6.0);
        }
        router(card, "gateway", "gw", self.gateway.get())?;
        router(card, "gateway6", "gw6", self.gateway6.get())?;
        for (address, router) in [("ip", "gw"), ("ip6", "gw6")] {
            if matches!(card.option(address), Some("dhcp" | "auto")) {
                card.remove(router);
            }
        }
        Ok(())
    }
}

/// Sets or removes a router.
fn router(card: &mut Card, param: &str, option: &str, gateway: Option<&Gateway>) -> Result<(), Error> {
    match (gateway, option) {
        (None, _) => {}
        (Some(Gateway::None), _) => card.remove(option),
        (Some(Gateway::V4(address)), "gw") => card.set(option, address),
        (Some(Gateway::V6(address)), "gw6") => card.set(option, address),
        (Some(_), _) => {
            let kind = if option == "gw" { "an IPv4 address; for IPv6 there is `gateway6`" } else { "an IPv6 address" };
            return Err(Error::Arguments(format!("`{param}` takes {kind}.")));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests/proxmox_network.rs"]
mod tests;
