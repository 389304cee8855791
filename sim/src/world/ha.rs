//! High availability: which guests are managed, and where they belong.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::World;
use super::guest::{Guest, GuestKind};
use super::task::Plan;
use crate::auth::Caller;

/// What is configured beside the state of each managed guest, which is with the guest.
#[derive(Clone, Debug, Default)]
pub struct Ha {
    /// Further options of resources by id (`vm:100`).
    pub resources: BTreeMap<String, Map<String, Value>>,
    /// Rules by name; Proxmox VE 9.
    pub rules: BTreeMap<String, Map<String, Value>>,
    /// Groups by name; Proxmox VE 8.
    pub groups: BTreeMap<String, Map<String, Value>>,
}

impl Guest {
    /// Its id as a resource of HA: `vm:100`.
    pub fn sid(&self) -> String {
        let kind = if self.kind == GuestKind::Qemu { "vm" } else { "ct" };
        format!("{kind}:{}", self.vmid)
    }
}

impl World {
    /// The id of the guest that a resource's name stands for (`vm:100` or `100`).
    pub fn guest_of_sid(&self, sid: &str) -> Option<u32> {
        let (kind, id) = sid.split_once(':').map_or((None, sid), |(kind, id)| (Some(kind), id));
        let guest = self.guests.get(&id.parse().ok()?)?;
        let fits = kind.is_none_or(|kind| guest.sid().starts_with(kind));
        fits.then_some(guest.vmid)
    }

    /// Gives a managed guest the state that is asked for, by a task of HA's own where it has to
    /// start or stop for that.
    pub(crate) fn ask_ha(&mut self, vmid: u32, state: &str) {
        let takes = self.takes(1.0);
        let Some(guest) = self.guests.get_mut(&vmid) else { return };
        guest.ha = Some(state.to_owned());
        let runs = match state {
            "started" | "enabled" => true,
            "stopped" | "disabled" => false,
            _ => return,
        };
        if guest.running == runs {
            return;
        }
        let kind = match (guest.kind, runs) {
            (GuestKind::Qemu, true) => "qmstart",
            (GuestKind::Qemu, false) => "qmshutdown",
            (GuestKind::Lxc, true) => "vzstart",
            (GuestKind::Lxc, false) => "vzshutdown",
        };
        let node = guest.node.clone();
        let effect = Box::new(move |world: &mut World| {
            let now = world.clock.unix();
            let guest = world.guests.get_mut(&vmid).ok_or("guest has gone")?;
            guest.apply_pending();
            (guest.running, guest.started, guest.paused) = (runs, now, false);
            guest.agent.reboot();
            Ok(())
        });
        let plan = Plan { kind, id: vmid.to_string(), takes, log: Vec::new(), warnings: 0, effect };
        self.start_task(&Caller::user("root@pam"), &node, plan);
    }
}
