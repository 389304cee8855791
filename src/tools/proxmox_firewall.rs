//! `proxmox_firewall`: rules and switches of the firewalls of the cluster, of nodes and of guests.

use serde_json::{Map, Value};

use crate::change::{self, Change, How};
use crate::cx::Cx;
use crate::error::Error;
use crate::foreign;
use crate::pve::admin::Position;
use crate::pve::firewall::{self, Firewall};
use crate::pve::guests;
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::resources::Figure;
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset};

crate::words! {
    /// Whose firewall.
    enum Level {
        /// The cluster's.
        Cluster = "cluster",
        /// A node's.
        Node = "node",
        /// A guest's.
        Guest = "guest",
    }
}

crate::words! {
    /// What to do.
    enum Action {
        /// A new rule, the first of all.
        Add = "add",
        /// Fields of a rule.
        Update = "update",
        /// A rule less.
        Remove = "remove",
        /// A rule on, or the whole firewall.
        Enable = "enable",
        /// A rule off, or the whole firewall.
        Disable = "disable",
    }
}

crate::params! {
    /// Level.
    level: Level,
    /// What to do.
    action: Action,
    /// Node.
    node: Option<NodeName>,
    /// Guest id.
    vmid: Option<Vmid>,
    /// Position.
    position: Option<Position>,
    /// Such as type, action, proto, dport, source.
    rule: Option<Map<String, Value>>,
    /// The position that a rule moves to.
    to: Hidden<Position>,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_firewall",
    title: "Firewall",
    description: "Firewall rules; without position, enable and disable switch the whole firewall.",
    toolset: Toolset::ByName,
    params: PARAMS,
    explained: &["rule"],
    output: change::SHAPE,
    calls: firewall::CALLS,
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    params.complete()?;
    let given = firewall::read(params.rule.as_ref().unwrap_or(&Map::new()))?;
    let firewall = params.firewall(cx)?;
    let work = Work { cx, params: &params, firewall: &firewall };
    match (params.action, params.position) {
        (Action::Add, _) => work.add(given),
        (Action::Update, Some(position)) if params.to.get().is_some() => work.shift(position),
        (Action::Update, Some(position)) => work.update(position, given),
        (Action::Remove, Some(position)) => work.remove(position),
        (Action::Enable | Action::Disable, Some(position)) => {
            let flag = u8::from(params.action == Action::Enable).to_string();
            work.update(position, vec![("enable", Some(flag))])
        }
        (Action::Enable | Action::Disable, None) => work.switch(params.action == Action::Enable),
        (Action::Update | Action::Remove, None) => Err(Error::Defect("a rule without its position".to_owned())),
    }
}

impl Params {
    /// Refuses what cannot be meant, before anything is looked up.
    fn complete(&self) -> Result<(), Error> {
        let fields = self.rule.as_ref().is_some_and(|rule| !rule.is_empty());
        let has = |name: &str| self.rule.as_ref().is_some_and(|rule| rule.get(name).is_some_and(|value| !value.is_null()));
        let problem = match (self.level, self.action) {
            (Level::Guest, _) if self.vmid.is_none() => "`vmid` is missing: name the guest whose firewall is meant.",
            (Level::Node, _) if self.node.is_none() => "`node` is missing: name the node whose firewall is meant.",
            (Level::Cluster, _) if self.vmid.is_some() || self.node.is_some() => {
                "The cluster's firewall has no `node` or `vmid`. Leave them out, or give `level` = `node` or `guest`."
            }
            (Level::Node, _) if self.vmid.is_some() => "With `level` = `node` leave `vmid` out, or give `level` = `guest`.",
            (_, Action::Add) if self.position.is_some() => {
                "A new rule always comes first. Leave `position` out; `update` with `to` moves it afterwards."
            }
            (_, Action::Add) if !(has("type") || has("direction")) || !has("action") => {
                "`rule` needs `type` (in, out, forward or group) and `action` (ACCEPT, DROP, REJECT or a security group)."
            }
            (_, Action::Update | Action::Remove) if self.position.is_none() => {
                "`position` is missing: name the rule by its place, 0 for the first."
            }
            (_, Action::Update) if fields == self.to.get().is_some() => {
                "Give either `rule` with the fields to change, or `to` with the position that the rule moves to."
            }
            (_, Action::Remove | Action::Enable | Action::Disable) if fields => "`rule` is for `add` and `update`.",
            _ => return Ok(()),
        };
        Err(Error::Arguments(problem.to_owned()))
    }

    fn firewall(&self, cx: &Cx<'_>) -> Result<Firewall, Error> {
        Ok(match (self.level, self.vmid, &self.node) {
            (Level::Guest, Some(vmid), node) => Firewall::Guest(guests::locate(cx, vmid, node.as_ref())?),
            (Level::Node, _, Some(node)) => Firewall::Node(node.clone()),
            _ => Firewall::Cluster,
        })
    }
}

/// What one action works with.
struct Work<'a> {
    cx: &'a Cx<'a>,
    params: &'a Params,
    firewall: &'a Firewall,
}

impl Work<'_> {
    fn how(&self) -> How {
        How { wait: true, dry_run: self.params.dry_run }
    }

    fn change(&self) -> Change {
        let change = Change::new(format!("🧱 Firewall of {}", self.firewall.owner())).fact("Action", self.params.action.word());
        match self.firewall {
            Firewall::Cluster => change,
            Firewall::Node(node) => change.node(node),
            Firewall::Guest(guest) => change.guest(guest),
        }
    }

    /// Arguments of this tool for the same firewall.
    fn back(&self, action: Action) -> Map<String, Value> {
        let mut back = Map::new();
        back.insert("level".to_owned(), self.params.level.word().into());
        back.insert("action".to_owned(), action.word().into());
        match self.firewall {
            Firewall::Cluster => {}
            Firewall::Node(node) => drop(back.insert("node".to_owned(), node.as_str().into())),
            Firewall::Guest(guest) => drop(back.insert("vmid".to_owned(), guest.vmid.number().into())),
        }
        back
    }

    /// The rule at a position.
    fn rule(&self, position: Position) -> Result<Value, Error> {
        let rules = self.firewall.rules(self.cx)?;
        let at = |row: &&Value| Figure::of(row.get("pos")).whole() == Some(u64::from(position.0));
        rules.iter().find(at).cloned().ok_or_else(|| {
            Error::NotFound(format!(
                "There is no rule at position {position}: the firewall of {} has {}.",
                self.firewall.owner(),
                match rules.len() {
                    0 => "no rule".to_owned(),
                    many => format!("{}, from position 0 on", text::count(many, "rule")),
                }
            ))
        })
    }

    fn add(&self, mut given: Vec<(&'static str, Option<String>)>) -> Result<Outcome, Error> {
        given.retain(|(_, value)| value.is_some());
        if !given.iter().any(|(name, _)| *name == "enable") {
            // Proxmox VE would make a rule that is off.
            given.push(("enable", Some("1".to_owned())));
        }
        let mut back = self.back(Action::Remove);
        back.insert("position".to_owned(), 0.into());
        let value = |field: &str| given.iter().find(|(name, _)| *name == field)?.1.clone();
        let change = self
            .change()
            .fact("Rule", firewall::line(value))
            .fact("Position", "0, before all others")
            .undo("proxmox_firewall", back);
        let call = given.iter().fold(self.firewall.add(), |call, (name, value)| call.with_some(*name, value.clone()));
        change.make(self.cx, call, self.how())
    }

    fn update(&self, position: Position, given: Vec<(&'static str, Option<String>)>) -> Result<Outcome, Error> {
        let row = self.rule(position)?;
        let now = |name: &str| firewall::text(&row, name);
        let differing: Vec<_> = given.into_iter().filter(|(name, value)| now(name) != *value).collect();
        let mut change = self.change().fact("Rule", format!("{} at position {position}", firewall::line(now)));
        if differing.is_empty() {
            return Ok(change.unchanged());
        }
        let (mut call, mut gone, mut old) = (self.firewall.change(position), Vec::new(), Map::new());
        for (name, value) in &differing {
            let words = |text: Option<&str>| text.map_or("not set".to_owned(), |text| foreign::words(text, 200));
            change = change.fact(name, words(value.as_deref())).before(name, words(now(name).as_deref()));
            old.insert((*name).to_owned(), now(name).map_or(Value::Null, |text| foreign::line(&text, 1000).into()));
            match value {
                Some(value) => call = call.with(*name, value.as_str()),
                None => gone.push(*name),
            }
        }
        let mut back = self.back(Action::Update);
        back.insert("position".to_owned(), position.0.into());
        back.insert("rule".to_owned(), old.into());
        let gone = (!gone.is_empty()).then(|| gone.join(","));
        let call = call.with_some("delete", gone).with_some("digest", firewall::text(&row, "digest"));
        change.undo("proxmox_firewall", back).make(self.cx, call, self.how())
    }

    /// Moves a rule. Proxmox VE puts it before the rule that is at the other position now.
    fn shift(&self, from: Position) -> Result<Outcome, Error> {
        let to = self.params.to.get().copied().unwrap_or(from);
        let row = self.rule(from)?;
        let change = self.change().fact("Rule", firewall::line(|name| firewall::text(&row, name)));
        if from == to {
            return Ok(change.unchanged());
        }
        let before = if to.0 > from.0 { to.0.saturating_add(1) } else { to.0 };
        let mut back = self.back(Action::Update);
        back.insert("position".to_owned(), to.0.into());
        back.insert("to".to_owned(), from.0.into());
        let call = self.firewall.change(from).with("moveto", before).with_some("digest", firewall::text(&row, "digest"));
        change
            .fact("Position", to)
            .before("position", from)
            .undo("proxmox_firewall", back)
            .make(self.cx, call, self.how())
    }

    fn remove(&self, position: Position) -> Result<Outcome, Error> {
        let row = self.rule(position)?;
        let mut back = self.back(Action::Add);
        let field = |name: &'static str| Some((name.to_owned(), foreign::line(&firewall::text(&row, name)?, 1000).into()));
        back.insert("rule".to_owned(), Value::Object(firewall::fields().filter_map(field).collect()));
        let mut change = self
            .change()
            .before("rule", format!("{} at position {position}", firewall::line(|name| firewall::text(&row, name))))
            .undo("proxmox_firewall", back);
        if position.0 > 0 {
            change = change.warning(format!(
                "The way back puts it first; `update` with `to` = {position} moves it to its place again."
            ));
        }
        let call = self.firewall.remove(position).with_some("digest", firewall::text(&row, "digest"));
        change.make(self.cx, call, self.how())
    }

    /// Turns a whole firewall on or off.
    fn switch(&self, on: bool) -> Result<Outcome, Error> {
        let options = self.firewall.options(self.cx)?;
        let known = options.get("enable").is_some_and(|value| !value.is_null());
        let now = if known { Figure::of(options.get("enable")).flag() } else { self.firewall.on_by_default() };
        let word = |on: bool| if on { "on" } else { "off" };
        let change = self.change().fact("Firewall", word(on));
        if now == on {
            return Ok(change.unchanged());
        }
        let back = self.back(if on { Action::Disable } else { Action::Enable });
        let change = change.before("firewall", word(now)).undo("proxmox_firewall", back);
        let change = match (self.firewall, on) {
            (Firewall::Cluster, true) => change.warning(
                "From now on, what no rule lets in is dropped on every node; only the management addresses of the local network \
                 stay open. Whoever works from elsewhere is locked out without a rule for it.",
            ),
            (Firewall::Cluster, false) => change.warning("No firewall filters anything any more, on any node or guest."),
            (Firewall::Guest(_), true) => change.warning(
                "It filters only network cards with `firewall` on (`proxmox_network`), and only while the cluster's firewall is on.",
            ),
            (Firewall::Node(_), true) => change.warning("It filters only while the cluster's firewall is on."),
            (_, false) => change,
        };
        let call = self.firewall.set().with("enable", on).with_some("digest", firewall::text(&options, "digest"));
        change.make(self.cx, call, self.how())
    }
}

#[cfg(test)]
#[path = "tests/proxmox_firewall.rs"]
mod tests;
