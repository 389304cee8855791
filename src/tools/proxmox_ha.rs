//! `proxmox_ha`: puts a guest under the care of high availability, or takes it out.

use proxmox_api::methods;
use serde_json::{Map, Value, json};

use crate::change::{self, Change, How};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::pve::admin::HaId;
use crate::pve::guests::{self, Guest};
use crate::pve::ids::{NodeName, Vmid};
use crate::tool::{Args, Argument, Hidden, Outcome, Tool, Toolset, Whole};

crate::words! {
    /// What to do.
    enum Action {
        /// High availability manages the guest from now on.
        Add = "add",
        /// In another way than before.
        Update = "update",
        /// It does not any more.
        Remove = "remove",
    }
}

crate::words! {
    /// What high availability keeps a guest as.
    enum State {
        /// On; it is started elsewhere when its node fails.
        Started = "started",
        /// Off, and moved when its node fails.
        Stopped = "stopped",
        /// Off, and left where it is.
        Disabled = "disabled",
        /// As it is: not managed for now.
        Ignored = "ignored",
    }
}

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// What to do.
    action: Action,
    /// State.
    state: Option<State>,
    /// How often it is started anew on its node.
    max_restart: Hidden<Whole<0, 100>>,
    /// How often it is moved when it does not start.
    max_relocate: Hidden<Whole<0, 100>>,
    /// Whether it goes back to a better node when there is one.
    failback: Hidden<bool>,
    /// Comment.
    comment: Hidden<String>,
    /// Node of the guest.
    node: Hidden<NodeName>,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_ha",
    title: "High availability",
    description: "Has high availability manage a guest, or not.",
    toolset: Toolset::ByName,
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_CLUSTER_HA_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
        &methods::POST_CLUSTER_HA_RESOURCES,
        &methods::PUT_CLUSTER_HA_RESOURCES_SID,
        &methods::DELETE_CLUSTER_HA_RESOURCES_SID,
    ],
    run,
    ..Tool::PLAIN
};

/// What can be set, in the API's names.
const OPTIONS: &[&str] = &["state", "max_restart", "max_relocate", "failback", "comment"];

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let given = params.given();
    match params.action {
        Action::Update if given.is_empty() => {
            return Err(Error::Arguments("Nothing to change: give `state`, `max_restart`, `max_relocate` or the like.".to_owned()));
        }
        Action::Remove if !given.is_empty() => {
            return Err(Error::Arguments("`remove` takes no options; leave `state` and the others out.".to_owned()));
        }
        _ => {}
    }
    let guest = guests::locate(cx, params.vmid, params.node.get())?;
    if guest.template {
        return Err(Error::Failed(format!("{guest} is a template; high availability manages guests that can run.")));
    }
    let id = HaId::of(&guest);
    let rows = cx.call(Call::of(&methods::GET_CLUSTER_HA_RESOURCES))?;
    let found = rows.as_array().into_iter().flatten().find(|row| row.get("sid").and_then(Value::as_str) == Some(id.as_str()));
    let work = Work { cx, guest: &guest, id: &id, action: params.action, how: How { wait: true, dry_run: params.dry_run } };
    match (params.action, found) {
        (Action::Add, None) => work.add(given),
        (Action::Add, Some(row)) if differing(row, &given).is_empty() => Ok(work.change().unchanged()),
        (Action::Add, Some(row)) => Err(Error::Arguments(format!(
            "High availability manages {guest} already, as `{}`. Change that with `action` = `update`.",
            foreign::state(text(row, "state").as_deref().unwrap_or_default())
        ))),
        (Action::Update, Some(row)) => work.update(row, &given),
        (Action::Remove, Some(row)) => work.remove(row),
        (Action::Remove, None) => Ok(work.change().unchanged()),
        (Action::Update, None) => Err(Error::NotFound(format!(
            "High availability does not manage {guest}. `action` = `add` would have it do so."
        ))),
    }
}

impl Params {
    /// The options that are given, in the API's names.
    fn given(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("state", self.state.map(|state| state.word().to_owned())),
            ("max_restart", self.max_restart.get().map(|number| number.0.to_string())),
            ("max_relocate", self.max_relocate.get().map(|number| number.0.to_string())),
            ("failback", self.failback.get().map(|flag| u8::from(*flag).to_string())),
            ("comment", self.comment.get().cloned()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// A value of a row as text.
fn text(row: &Value, key: &str) -> Option<String> {
    match row.get(key)? {
        // The older word for it.
        Value::String(text) if key == "state" && text == "enabled" => Some("started".to_owned()),
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        value => Some(value.to_string()),
    }
}

/// A value as it is given again on the way back: numbers as numbers, words as words.
fn again(name: &str, text: &str) -> Value {
    let is_text = matches!(name, "comment" | "state");
    let number = text.parse::<u32>().ok().filter(|_| !is_text);
    number.map_or_else(|| foreign::block(text).into(), Value::from)
}

/// What Proxmox VE takes where an option is not set.
fn usual(name: &str) -> Option<&'static str> {
    match name {
        "state" => Some("started"),
        "max_restart" | "max_relocate" | "failback" => Some("1"),
        "comment" => Some(""),
        _ => None,
    }
}

/// Those of the options that are not so already.
fn differing<'o>(row: &Value, given: &'o [(&'static str, String)]) -> Vec<&'o (&'static str, String)> {
    given.iter().filter(|(name, value)| text(row, name).as_ref() != Some(value)).collect()
}

/// What one action works with.
struct Work<'a> {
    cx: &'a Cx<'a>,
    guest: &'a Guest,
    id: &'a HaId,
    action: Action,
    how: How,
}

impl Work<'_> {
    fn change(&self) -> Change {
        Change::new(format!("🛡️ High availability of {}", self.guest))
            .guest(self.guest)
            .fact("Action", self.action.word())
    }

    fn add(&self, mut given: Vec<(&'static str, String)>) -> Result<Outcome, Error> {
        if !given.iter().any(|(name, _)| *name == "state") {
            // A guest is kept as it is, where nobody says otherwise.
            let running = guests::live(self.cx, self.guest)?.is_running();
            given.insert(0, ("state", if running { State::Started } else { State::Stopped }.word().to_owned()));
        }
        let call = Call::of(&methods::POST_CLUSTER_HA_RESOURCES).with("sid", self.id.as_str());
        let call = given.iter().fold(call, |call, (name, value)| call.with(*name, value.as_str()));
        let undo = json!({"vmid": self.guest.vmid.number(), "action": "remove"});
        self.told(self.change(), &given).undo("proxmox_ha", undo).make(self.cx, call, self.how)
    }

    fn update(&self, row: &Value, given: &[(&'static str, String)]) -> Result<Outcome, Error> {
        let differing: Vec<(&'static str, String)> = differing(row, given).into_iter().cloned().collect();
        if differing.is_empty() {
            return Ok(self.change().unchanged());
        }
        let mut back = Map::new();
        let mut change = self.change();
        for (name, _) in &differing {
            let before = text(row, name);
            let usual = usual(name).unwrap_or_default();
            let said = match &before {
                Some(text) => foreign::words(text, 200),
                None if usual.is_empty() => "not set".to_owned(),
                None => format!("not set, which is {usual}"),
            };
            change = change.before(name, said);
            back.insert((*name).to_owned(), again(name, before.as_deref().unwrap_or(usual)));
        }
        back.insert("vmid".to_owned(), self.guest.vmid.number().into());
        back.insert("action".to_owned(), "update".into());
        let change = change.undo("proxmox_ha", back);
        let call = Call::of(&methods::PUT_CLUSTER_HA_RESOURCES_SID).at("sid", self.id);
        let call = differing.iter().fold(call, |call, (name, value)| call.with(*name, value.as_str()));
        let call = call.with_some("digest", text(row, "digest"));
        self.told(change, &differing).make(self.cx, call, self.how)
    }

    fn remove(&self, row: &Value) -> Result<Outcome, Error> {
        let mut back = Map::new();
        let mut change = self.change().fact("Afterwards", "the guest stays as it is, and nobody starts it when its node fails");
        for name in OPTIONS {
            let Some(before) = text(row, name) else { continue };
            change = change.before(name, foreign::words(&before, 200));
            if *name == "state" && State::read(&Value::from(before.as_str())).is_none() {
                continue;
            }
            back.insert((*name).to_owned(), again(name, &before));
        }
        back.insert("vmid".to_owned(), self.guest.vmid.number().into());
        back.insert("action".to_owned(), "add".into());
        let call = Call::of(&methods::DELETE_CLUSTER_HA_RESOURCES_SID).at("sid", self.id);
        change
            .warning("It is taken out of the rules of high availability too; adding it again does not put it back into them.")
            .undo("proxmox_ha", back)
            .make(self.cx, call, self.how)
    }

    /// The change with what is set, and with what a state does to the guest.
    fn told(&self, change: Change, given: &[(&'static str, String)]) -> Change {
        let change = given.iter().fold(change, |change, (name, value)| change.fact(name, foreign::words(value, 200)));
        match given.iter().find(|(name, _)| *name == "state").map(|(_, value)| value.as_str()) {
            Some("started") => change.warning("High availability starts the guest where it is off, within half a minute."),
            Some("stopped" | "disabled") => {
                change.warning("High availability shuts the guest down where it runs, and keeps it off.")
            }
            _ => change,
        }
    }
}

#[cfg(test)]
#[path = "tests/proxmox_ha.rs"]
mod tests;
