//! What there is to know of the cluster beyond its figures.

use proxmox_api::methods;
use serde_json::{Value, json};

use super::{fetch, figure, list, now, text};
use crate::cx::{Call, Cx};
use crate::error::{Error, Refusal};
use crate::foreign;
use crate::missing::Missing;
use crate::nearest::nearest;
use crate::pve::ids::NodeName;
use crate::pve::resources;
use crate::table::{self, Cell, Column, Read, Table, column};
use crate::text as figures;
use crate::view::View;

const HA: &[Column] = &[
    column("Guest", "sid", Read::Words(20)),
    column("State", "state", Read::Words(20)),
    column("Wanted", "request_state", Read::Words(20)),
    column("Node", "node", Read::Words(40)),
    column("Group", "group", Read::Words(40)),
    column("Restarts", "max_restart", Read::Words(6)),
    column("Moves", "max_relocate", Read::Words(6)),
    column("Comment", "comment", Read::Words(60)),
];

/// Guests that high availability looks after, those in trouble first, and the rules for them: groups in
/// Proxmox VE 8, rules since 9.
pub fn ha(cx: &Cx<'_>) -> Result<View, Error> {
    let mut missing = Missing::new();
    let [resources, status, rules] = cx.all([
        Call::of(&methods::GET_CLUSTER_HA_RESOURCES),
        Call::of(&methods::GET_CLUSTER_HA_STATUS_CURRENT),
        Call::of(&methods::GET_CLUSTER_HA_RULES),
    ]);
    let mut rows = list(resources?);
    let states = list(missing.take(&["states"], status).unwrap_or_default());
    for row in &mut rows {
        let state = states
            .iter()
            .find(|state| text(state, "sid") == text(row, "sid") && !text(row, "sid").is_empty());
        join(row, state);
    }
    let trouble = |row: &Value| matches!(text(row, "state"), "error" | "fence" | "recovery");
    rows.sort_by_key(|row| (!trouble(row), text(row, "sid").to_owned()));
    let (what, rules) = match rules {
        Err(Error::Refused(Refusal { status: 501, .. })) => {
            ("group", cx.call(Call::of(&methods::GET_CLUSTER_HA_GROUPS)))
        }
        rules => ("rule", rules),
    };
    let rules = list(missing.take(&["rules"], rules).unwrap_or_default());
    let mut view = View::new("🛟 High availability");
    if let Some(quorum) = states.iter().find(|row| text(row, "type") == "quorum") {
        view = view.words("Quorum", quorum.get("status"), 40);
    }
    if let Some(master) = states.iter().find(|row| text(row, "type") == "master") {
        view = view.words("Manager", master.get("status"), 80);
    }
    for rule in rules.iter().take(10) {
        view = view.fact("Rule", Cell::words(&rule_text(what, rule), 200));
    }
    let more = rules.len().saturating_sub(10);
    let view = view.note_some((more > 0).then(|| format!("{} not shown", figures::count(more, "more rule"))));
    Ok(view.missing(missing).table(Table::of("guests under HA", HA, &rows, now(cx))))
}

/// Adds what the manager says to what is configured.
fn join(row: &mut Value, state: Option<&Value>) {
    let wanted = row.get("state").cloned().unwrap_or_else(|| "started".into());
    if let Some(fields) = row.as_object_mut() {
        fields.insert("request_state".to_owned(), wanted);
        fields.shift_remove("state");
        for key in ["state", "node"] {
            if let Some(value) = state.and_then(|state| state.get(key)) {
                fields.insert(key.to_owned(), value.clone());
            }
        }
    }
}

fn rule_text(what: &str, rule: &Value) -> String {
    let name = if what == "group" { text(rule, "group") } else { text(rule, "rule") };
    let part = |key: &str| {
        let value = table::plain(rule.get(key));
        if value.is_empty() { value } else { format!(", {key} {value}") }
    };
    let parts: String =
        ["type", "resources", "nodes", "affinity", "strict", "restricted", "disable", "comment"]
            .map(part)
            .concat();
    format!("{what} {name}{parts}")
}

const POOLS: &[(&str, &str)] = &[("Pool", "poolid"), ("Guests", "guests"), ("Comment", "comment")];
const MEMBERS: &[Column] = &[
    column("Member", "id", Read::Words(60)),
    column("Name", "name", Read::Words(60)),
    column("Node", "node", Read::Words(40)),
    column("Status", "status", Read::Words(20)),
];

/// All pools, or what is in one.
pub fn pools(cx: &Cx<'_>, one: Option<&str>) -> Result<View, Error> {
    match one {
        Some(name) => members(cx, name),
        None => all_pools(cx),
    }
}

fn all_pools(cx: &Cx<'_>) -> Result<View, Error> {
    let mut replies = cx.replies(vec![Call::of(&methods::GET_POOLS), resources::all()]).into_iter();
    let mut next = || replies.next().unwrap_or_else(|| Err(Error::Defect("an answer is missing".to_owned())));
    let (pools, all) = (next()?, next()?);
    let rows = resources::rows(&all)?;
    let pools = list(pools.data()?);
    let mut table = Table::new("pools", POOLS);
    let row = |pool: &Value| {
        let name = text(pool, "poolid");
        let guests = rows.iter().filter(|row| row.is_guest() && *row.pool == *name).count();
        vec![Cell::words(name, 60), Cell::own(guests), Cell::words(text(pool, "comment"), 80)]
    };
    table.rows = pools.iter().map(row).collect();
    Ok(View::new("🗂️ Pools").table(table.without_empty_columns()))
}

fn members(cx: &Cx<'_>, name: &str) -> Result<View, Error> {
    let found = fetch(cx, Call::of(&methods::GET_POOLS).with("poolid", name));
    let pool = match found {
        Ok(rows) => rows.into_iter().find(|row| text(row, "poolid") == name),
        Err(Error::Refused(refusal)) if refusal.message.contains("not exist") => None,
        Err(error) => return Err(error),
    };
    let Some(pool) = pool else { return Err(no_pool(cx, name)) };
    let rows = pool.get("members").cloned().map(list).unwrap_or_default();
    let view =
        View::new(format!("🗂️ Pool {}", foreign::name(name))).words("Comment", pool.get("comment"), 200);
    Ok(view.table(Table::of("members", MEMBERS, &rows, now(cx))))
}

fn no_pool(cx: &Cx<'_>, name: &str) -> Error {
    let pools = fetch(cx, Call::of(&methods::GET_POOLS)).unwrap_or_default();
    let names: Vec<&str> = pools.iter().map(|pool| text(pool, "poolid")).collect();
    let meant = nearest(name, names.iter().copied());
    let meant = meant.map(|meant| format!(" Did you mean {}?", foreign::code(meant, 60))).unwrap_or_default();
    let shown: Vec<String> = names.iter().take(10).map(|name| foreign::name(name)).collect();
    let shown = if shown.is_empty() { "none".to_owned() } else { shown.join(", ") };
    Error::NotFound(format!(
        "There is no pool {}.{meant} Pools that the API token may see: {shown}.",
        foreign::code(name, 60)
    ))
}

const JOBS: &[Column] = &[
    column("Job", "id", Read::Words(40)),
    column("On", "enabled", Read::FlagUnlessOff),
    column("Guests", "selection", Read::Words(120)),
    column("Storage", "storage", Read::Words(40)),
    column("When", "schedule", Read::Words(40)),
    column("Next", "next-run", Read::Ago),
    column("Mode", "mode", Read::Words(12)),
    column("Keeps", "prune-backups", Read::Words(80)),
    column("Comment", "comment", Read::Words(60)),
];

/// Backup jobs, those that are off first.
pub fn backup_jobs(cx: &Cx<'_>) -> Result<View, Error> {
    let mut rows = fetch(cx, Call::of(&methods::GET_CLUSTER_BACKUP))?;
    for row in &mut rows {
        let selection = selection(row);
        if let Some(fields) = row.as_object_mut() {
            fields.insert("selection".to_owned(), selection.into());
        }
    }
    let off = |row: &Value| row.get("enabled").is_some() && !figure(row, "enabled").flag();
    rows.sort_by_key(|row| (!off(row), figure(row, "next-run").whole(), text(row, "id").to_owned()));
    Ok(View::new("💾 Backup jobs").table(Table::of("backup jobs", JOBS, &rows, now(cx))))
}

/// Which guests a job is for.
fn selection(row: &Value) -> String {
    let node = text(row, "node");
    let on = if node.is_empty() { String::new() } else { format!(" on {node}") };
    let (vmid, pool, without) =
        (table::plain(row.get("vmid")), text(row, "pool"), table::plain(row.get("exclude")));
    let except = if without.is_empty() { String::new() } else { format!(" but {without}") };
    match (figure(row, "all").flag(), pool.is_empty()) {
        (true, _) => format!("all{on}{except}"),
        (_, false) => format!("pool {pool}{on}{except}"),
        _ => format!("{vmid}{on}"),
    }
}

const REPLICATION: &[Column] = &[
    column("Job", "id", Read::Words(30)),
    column("From", "source", Read::Words(40)),
    column("To", "target", Read::Words(40)),
    column("Off", "disable", Read::Words(3)),
    column("Last", "last_sync", Read::Ago),
    column("Failures", "fail_count", Read::Words(8)),
    column("Error", "error", Read::Words(200)),
    column("Schedule", "schedule", Read::Words(30)),
];

/// Replication jobs of the cluster with how they went, failing ones first: the jobs in one request, and
/// one to each node that replicates from itself.
pub fn replication(cx: &Cx<'_>) -> Result<View, Error> {
    let mut jobs = fetch(cx, Call::of(&methods::GET_CLUSTER_REPLICATION))?;
    let mut sources: Vec<NodeName> =
        jobs.iter().filter_map(|job| NodeName::parse(text(job, "source"))).collect();
    sources.sort_unstable();
    sources.dedup();
    let calls =
        sources.iter().map(|node| Call::of(&methods::GET_NODES_NODE_REPLICATION).at("node", node)).collect();
    let mut view = View::new("🔁 Replication");
    for (node, reply) in sources.iter().zip(cx.replies(calls)) {
        match reply.and_then(|reply| reply.data()).map(list) {
            Ok(states) => states.iter().for_each(|state| went(&mut jobs, state)),
            Err(error) => {
                view = view.note(format!("how the jobs of {node} went is not known: {}", error.brief()))
            }
        }
    }
    jobs.sort_by_key(|job| {
        (std::cmp::Reverse(figure(job, "fail_count").whole()), text(job, "id").to_owned())
    });
    Ok(view.table(Table::of("replication jobs", REPLICATION, &jobs, now(cx))))
}

fn went(jobs: &mut [Value], state: &Value) {
    let job = jobs.iter_mut().find(|job| text(job, "id") == text(state, "id"));
    let Some(fields) = job.and_then(Value::as_object_mut) else { return };
    for key in ["last_sync", "fail_count", "error"] {
        if let Some(value) = state.get(key) {
            fields.insert(key.to_owned(), value.clone());
        }
    }
}

/// Options of the datacenter.
pub fn options(cx: &Cx<'_>) -> Result<View, Error> {
    let options = cx.call(Call::of(&methods::GET_CLUSTER_OPTIONS))?;
    let mut table = Table::new("options", &[("Option", "key"), ("Value", "value")]);
    let set =
        options.as_object().into_iter().flatten().filter(|(_, value)| !table::plain(Some(value)).is_empty());
    table.rows = set.map(|(key, value)| vec![Cell::words(key, 40), option(key, value)]).collect();
    Ok(View::new("⚙️ Datacenter options").table(table))
}

/// A proxy's address may hold a password.
fn option(key: &str, value: &Value) -> Cell {
    let plain = table::plain(Some(value));
    match plain.rsplit_once('@') {
        Some((_, host)) if key == "http_proxy" => Cell::words(&format!("(login not shown)@{host}"), 200),
        _ => Cell::words(&plain, 200),
    }
}

/// What the API token may do, by path; `at`: on this path only.
pub fn permissions(cx: &Cx<'_>, at: Option<&str>) -> Result<View, Error> {
    let answer = cx.call(Call::of(&methods::GET_ACCESS_PERMISSIONS).with_some("path", at))?;
    let mut table = Table::new("paths with privileges", &[("Path", "path"), ("Privileges", "privileges")]);
    let mut paths: Vec<(&String, String)> = answer
        .as_object()
        .into_iter()
        .flatten()
        .map(|(path, privileges)| (path, folded(privileges)))
        .collect();
    paths.sort_unstable();
    let root = paths.iter().find(|(path, _)| *path == "/").map(|(_, privileges)| privileges.clone());
    let row = |(path, privileges): &(&String, String)| {
        let same = *path != "/" && root.as_ref() == Some(privileges);
        vec![Cell::words(path, 100), if same { Cell::own("as on /") } else { Cell::words(privileges, 1500) }]
    };
    table.rows = paths.iter().filter(|(_, privileges)| !privileges.is_empty()).map(row).collect();
    let view = View::new("🔑 Permissions of the API token");
    let view = view.known("Path", at.map(|at| Cell::words(at, 100)));
    let none = "on Proxmox VE's side the token may do nothing here: give its user a role with `pveum acl modify`, and the \
                token one too if it has privilege separation";
    let view = view.note_some(table.rows.is_empty().then(|| none.to_owned()));
    let view = view.note("what this server's own grants leave of it: `proxmox-mcp grants`");
    Ok(view.table(table))
}

/// Privileges as text, those of one group together: `VM.{Audit,Backup}`.
fn folded(privileges: &Value) -> String {
    let mut names: Vec<&str> =
        privileges.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let group = |name: &&str| name.split_once('.').map_or("", |(group, _)| group).to_owned();
    let fold = |names: &[&str]| {
        let rest: Vec<&str> =
            names.iter().map(|name| name.split_once('.').map_or(*name, |(_, rest)| rest)).collect();
        match names {
            &[one] => one.to_owned(),
            several => format!("{}.{{{}}}", several.first().map(group).unwrap_or_default(), rest.join(",")),
        }
    };
    names.chunk_by(|a, b| group(a) == group(b)).map(fold).collect::<Vec<_>>().join(", ")
}

const USERS: &[Column] = &[
    column("User", "userid", Read::Words(60)),
    column("On", "enable", Read::FlagUnlessOff),
    column("Ends", "expire", Read::Ago),
    column("Groups", "groups", Read::Words(80)),
    column("Tokens", "tokens", Read::Words(120)),
    column("Comment", "comment", Read::Words(60)),
];

/// Users and the names of their tokens.
pub fn users(cx: &Cx<'_>) -> Result<View, Error> {
    let mut rows = fetch(cx, Call::of(&methods::GET_ACCESS_USERS).with("full", true))?;
    for row in &mut rows {
        let tokens = row.get("tokens").cloned().map(list).unwrap_or_default();
        let names: Vec<String> = tokens.iter().map(|token| text(token, "tokenid").to_owned()).collect();
        let forever = figure(row, "expire").whole() == Some(0);
        if let Some(fields) = row.as_object_mut() {
            fields.insert("tokens".to_owned(), json!(names));
            if forever {
                fields.shift_remove("expire");
            }
        }
    }
    rows.sort_by_key(|row| text(row, "userid").to_owned());
    Ok(View::new("👤 Users").table(Table::of("users", USERS, &rows, now(cx))))
}

const NETWORKS: &[Column] = &[
    column("Zone", "zone", Read::Words(20)),
    column("Type", "zonetype", Read::Words(12)),
    column("VNet", "vnet", Read::Words(20)),
    column("Tag", "tag", Read::Words(10)),
    column("Alias", "alias", Read::Words(60)),
    column("Change waits", "state", Read::Words(20)),
];

/// Zones and networks of the software-defined network.
pub fn sdn(cx: &Cx<'_>) -> Result<View, Error> {
    let [zones, networks] = cx.all([
        Call::of(&methods::GET_CLUSTER_SDN_ZONES).with("pending", true),
        Call::of(&methods::GET_CLUSTER_SDN_VNETS).with("pending", true),
    ]);
    let (zones, mut rows) = (list(zones?), list(networks?));
    let kind = |zone: &str| {
        zones.iter().find(|row| text(row, "zone") == zone).map(|row| text(row, "type").to_owned())
    };
    for row in &mut rows {
        let kind = kind(text(row, "zone"));
        if let (Some(fields), Some(kind)) = (row.as_object_mut(), kind) {
            fields.insert("zonetype".to_owned(), kind.into());
        }
    }
    let used = |zone: &Value| rows.iter().any(|row| text(row, "zone") == text(zone, "zone"));
    let empty: Vec<Value> = zones
        .iter()
        .filter(|zone| !used(zone))
        .map(|zone| json!({"zone": zone.get("zone"), "zonetype": zone.get("type"), "state": zone.get("state")}))
        .collect();
    rows.extend(empty);
    rows.sort_by_key(|row| {
        (text(row, "state").is_empty(), text(row, "zone").to_owned(), text(row, "vnet").to_owned())
    });
    Ok(View::new("🕸️ Software-defined network").table(Table::of("networks", NETWORKS, &rows, now(cx))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_are_folded_by_their_group() {
        let privileges = json!({"VM.Backup": 1, "Sys.Audit": 1, "VM.Audit": 0, "VM.Config.Disk": 1});
        assert_eq!(folded(&privileges), "Sys.Audit, VM.{Audit,Backup,Config.Disk}");
    }

    #[test]
    fn a_job_says_which_guests_it_is_for() {
        for (row, expected) in [
            (json!({"all": 1, "exclude": "101,102"}), "all but 101,102"),
            (json!({"pool": "prod", "node": "pve1"}), "pool prod on pve1"),
            (json!({"vmid": "100,103", "all": "0"}), "100,103"),
        ] {
            assert_eq!(selection(&row), expected);
        }
    }

    #[test]
    fn a_proxy_s_login_is_not_shown() {
        assert_eq!(
            option("http_proxy", &json!("http://u:hunter2@proxy:3128")).data,
            "(login not shown)@proxy:3128"
        );
    }
}
