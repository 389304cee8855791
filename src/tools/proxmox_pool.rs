//! `proxmox_pool`: pools of guests and storages, and who is in them.

use proxmox_api::methods;
use serde_json::{Map, Value, json};

use crate::change::{self, Change, How};
use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::pve::admin::PoolName;
use crate::pve::ids::{StorageId, Vmid};
use crate::pve::resources::Figure;
use crate::tool::{Args, Argument, Hidden, Outcome, Texts, Tool, Toolset};

crate::words! {
    /// What to do.
    enum Action {
        /// A new pool.
        Create = "create",
        /// Members or a comment for a pool.
        Add = "add",
        /// Members out of a pool.
        Remove = "remove",
        /// No pool any more.
        Delete = "delete",
    }
}

crate::params! {
    /// Pool.
    pool: PoolName,
    /// What to do.
    action: Action,
    /// Vmids.
    vmids: Option<Texts>,
    /// Storages.
    storages: Option<Texts>,
    /// Comment.
    comment: Hidden<String>,
    /// Take guests out of the pool that they are in.
    allow_move: Hidden<bool>,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_pool",
    title: "Pools",
    description: "Pools of guests and storages. Also takes comment.",
    toolset: Toolset::ByName,
    params: PARAMS,
    output: change::SHAPE,
    calls: &[
        &methods::GET_POOLS,
        &methods::POST_POOLS,
        &methods::PUT_POOLS,
        &methods::DELETE_POOLS,
    ],
    destructive: true,
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let asked = params.members()?;
    params.complete(&asked)?;
    let how = How { wait: true, dry_run: params.dry_run };
    let work = Work { cx, params: &params, how };
    match params.action {
        Action::Create => work.create(&asked),
        Action::Add => work.add(&asked, &work.pool()?),
        Action::Remove => work.remove(&asked, &work.pool()?),
        Action::Delete => work.delete(&work.pool()?),
    }
}

/// Guests and storages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Members {
    guests: Vec<Vmid>,
    storages: Vec<StorageId>,
}

impl Members {
    /// Those of a pool as Proxmox lists them. A storage is listed once for each node.
    fn read(pool: &Value) -> Members {
        let mut members = Members::default();
        for row in pool.get("members").and_then(Value::as_array).into_iter().flatten() {
            let vmid = Figure::of(row.get("vmid")).whole().and_then(|id| Vmid::new(u32::try_from(id).ok()?));
            let storage = row.get("storage").and_then(Value::as_str).and_then(StorageId::parse);
            members.guests.extend(vmid);
            members.storages.extend(storage.filter(|storage| !members.storages.contains(storage)));
        }
        members
    }

    fn is_empty(&self) -> bool {
        self.guests.is_empty() && self.storages.is_empty()
    }

    /// Those of them that are in `others`, or that are not.
    fn only(&self, others: &Members, inside: bool) -> Members {
        let guests = self.guests.iter().filter(|id| others.guests.contains(id) == inside).copied();
        let storages = self.storages.iter().filter(|id| others.storages.contains(id) == inside).cloned();
        Members { guests: guests.collect(), storages: storages.collect() }
    }

    fn guests(&self) -> String {
        self.guests.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    fn storages(&self) -> String {
        self.storages.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    /// In a sentence: `101,102 and local-lvm`.
    fn shown(&self) -> String {
        [foreign::line(&self.guests(), 300), foreign::line(&self.storages(), 300)]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" and ")
    }

    /// As parameters of `PUT /pools`.
    fn on(&self, call: Call) -> Call {
        call.with_some("vms", Some(self.guests()).filter(|text| !text.is_empty()))
            .with_some("storage", Some(self.storages()).filter(|text| !text.is_empty()))
    }

    /// As arguments of this tool.
    fn arguments(&self, pool: &PoolName, action: Action) -> Value {
        let mut arguments = Map::new();
        arguments.insert("pool".to_owned(), pool.as_str().into());
        arguments.insert("action".to_owned(), action.word().into());
        if !self.guests.is_empty() {
            arguments.insert("vmids".to_owned(), self.guests.iter().map(|id| id.to_string()).collect());
        }
        if !self.storages.is_empty() {
            arguments.insert("storages".to_owned(), self.storages.iter().map(|id| id.to_string()).collect());
        }
        arguments.into()
    }
}

impl Params {
    /// The members that are named.
    fn members(&self) -> Result<Members, Error> {
        fn each<T: Argument>(name: &str, texts: Option<&Texts>) -> Result<Vec<T>, Error> {
            let read = |text: &String| {
                T::read(&Value::from(text.as_str())).ok_or_else(|| {
                    Error::Arguments(format!("`{name}` is not valid: {} is not {}.", foreign::code(text, 60), T::TAKES))
                })
            };
            texts.map(|texts| texts.0.iter().map(read).collect()).unwrap_or_else(|| Ok(Vec::new()))
        }
        Ok(Members {
            guests: each("vmids", self.vmids.as_ref())?,
            storages: each("storages", self.storages.as_ref())?,
        })
    }

    fn complete(&self, asked: &Members) -> Result<(), Error> {
        let problem = match self.action {
            Action::Add if asked.is_empty() && self.comment.get().is_none() => {
                "Nothing to add: give `vmids`, `storages` or a `comment`."
            }
            Action::Remove if asked.is_empty() => "Nothing to remove: give `vmids` or `storages`.",
            Action::Remove if self.comment.get().is_some() => "`comment` is for `create` and `add`.",
            Action::Delete if !asked.is_empty() || self.comment.get().is_some() => {
                "`delete` deletes the whole pool; leave `vmids`, `storages` and `comment` out."
            }
            _ => return Ok(()),
        };
        Err(Error::Arguments(problem.to_owned()))
    }
}

/// What one action works with.
struct Work<'a> {
    cx: &'a Cx<'a>,
    params: &'a Params,
    how: How,
}

impl Work<'_> {
    fn change(&self) -> Change {
        Change::new(format!("🗂️ Pool `{}`", self.params.pool)).fact("Action", self.params.action.word())
    }

    fn named(&self, method: &'static proxmox_api::Method) -> Call {
        Call::of(method).with("poolid", self.params.pool.as_str())
    }

    /// The pool with its members.
    fn pool(&self) -> Result<Value, Error> {
        match self.cx.call(self.named(&methods::GET_POOLS)) {
            Ok(rows) => rows.get(0).cloned().ok_or_else(|| self.missing(&[])),
            Err(Error::Refused(refusal)) if refusal.message.contains("does not exist") => {
                let all = self.cx.call(Call::of(&methods::GET_POOLS)).unwrap_or_default();
                Err(self.missing(&names(&all)))
            }
            Err(error) => Err(error),
        }
    }

    fn missing(&self, names: &[String]) -> Error {
        let pool = &self.params.pool;
        let near = nearest(pool.as_str(), names.iter().map(String::as_str));
        let near = near.map(|near| format!(" Did you mean {}?", foreign::code(near, 60))).unwrap_or_default();
        Error::NotFound(format!("There is no pool `{pool}`, or the API token may not see it.{near} `create` makes one."))
    }

    fn create(&self, asked: &Members) -> Result<Outcome, Error> {
        let pool = &self.params.pool;
        if names(&self.cx.call(Call::of(&methods::GET_POOLS))?).iter().any(|name| name == pool.as_str()) {
            return Err(Error::Arguments(format!(
                "There is a pool `{pool}` already. `action` = `add` gives it members or another comment."
            )));
        }
        let comment = self.params.comment.get().map(String::as_str);
        let create = self.named(&methods::POST_POOLS).with_some("comment", comment);
        let change = self.change().undo("proxmox_pool", json!({"pool": pool.as_str(), "action": "delete"}));
        if asked.is_empty() {
            return change.make(self.cx, create, self.how);
        }
        let fill = self.filling(asked);
        let change = change.fact("Members", asked.shown());
        if self.how.dry_run {
            return change.plan(self.cx, &[create, fill]);
        }
        self.cx.call(create)?;
        self.cx.call(fill).map_err(|error| {
            Error::Failed(format!("The pool `{pool}` was made, but its members were not added: {error}"))
        })?;
        Ok(change.done())
    }

    fn filling(&self, members: &Members) -> Call {
        let moves = self.params.allow_move.get().copied().unwrap_or_default();
        members.on(self.named(&methods::PUT_POOLS)).with_some("allow-move", moves.then_some(true))
    }

    fn add(&self, asked: &Members, pool: &Value) -> Result<Outcome, Error> {
        let new = asked.only(&Members::read(pool), false);
        let before = pool.get("comment").and_then(Value::as_str).unwrap_or_default();
        let comment = self.params.comment.get().map(String::as_str).filter(|comment| *comment != before);
        let mut change = self.change();
        if new.is_empty() && comment.is_none() {
            return Ok(change.unchanged());
        }
        if !new.is_empty() {
            change = change
                .fact("Members", new.shown())
                .undo("proxmox_pool", new.arguments(&self.params.pool, Action::Remove));
        }
        if let Some(comment) = comment {
            change = change.fact("comment", foreign::words(comment, 200)).before("comment", foreign::words(before, 200));
        }
        change.make(self.cx, self.filling(&new).with_some("comment", comment), self.how)
    }

    fn remove(&self, asked: &Members, pool: &Value) -> Result<Outcome, Error> {
        let gone = asked.only(&Members::read(pool), true);
        if gone.is_empty() {
            return Ok(self.change().unchanged());
        }
        let call = gone.on(self.named(&methods::PUT_POOLS)).with("delete", true);
        self.change()
            .fact("Members", gone.shown())
            .warning("Who had rights on them by way of the pool has them no more.")
            .undo("proxmox_pool", gone.arguments(&self.params.pool, Action::Add))
            .make(self.cx, call, self.how)
    }

    fn delete(&self, pool: &Value) -> Result<Outcome, Error> {
        let members = Members::read(pool);
        let name = &self.params.pool;
        if !members.is_empty() {
            return Err(Error::Failed(format!(
                "The pool `{name}` is not empty; Proxmox VE deletes empty ones only. Remove its members first (`action` = `remove`; they \
                 themselves stay): {}.",
                members.shown()
            )));
        }
        let mut back = Map::new();
        back.insert("pool".to_owned(), name.as_str().into());
        back.insert("action".to_owned(), Action::Create.word().into());
        if let Some(comment) = pool.get("comment").and_then(Value::as_str) {
            back.insert("comment".to_owned(), foreign::block(comment).into());
        }
        self.change()
            .loses(format!("the permissions that were set on `/pool/{name}`"))
            .undo("proxmox_pool", back)
            .make(self.cx, self.named(&methods::DELETE_POOLS), self.how)
    }
}

/// The names of all pools.
fn names(rows: &Value) -> Vec<String> {
    let name = |row: &Value| row.get("poolid")?.as_str().map(str::to_owned);
    rows.as_array().into_iter().flatten().filter_map(name).collect()
}

#[cfg(test)]
#[path = "tests/proxmox_pool.rs"]
mod tests;
