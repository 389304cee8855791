//! What each method does. One row of the registry for each method, one function for each row.

mod access;
mod addresses;
mod agent;
mod agent_more;
mod backups;
mod ceph;
mod cloudinit;
mod cluster;
mod config;
mod create;
mod disks;
mod entries;
mod firewall;
mod guests;
mod ha;
mod images;
mod lifecycle;
mod machine;
mod migrate;
mod nodes;
mod pools;
mod power;
mod prune;
mod replication;
mod sdn;
mod services;
mod setup;
mod snapshots;
mod storage;
mod storage_config;
mod system;
mod tasks;
mod users;
mod volumes;

use std::collections::HashMap;
use std::sync::LazyLock;

use proxmox_api::{Method, Verb};

use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::World;

/// Carries out a call.
pub type Handler = fn(&mut World, &Call) -> Result<Reply, Failure>;

/// A method that is simulated.
pub struct Row {
    /// The method.
    pub method: &'static Method,
    /// What it does.
    pub run: Handler,
    /// Whether the node that is asked passes the request on to the node in the path.
    pub proxied: bool,
}

/// A row for a method that the node in the path carries out, or any node where none is in the path.
const fn on_node(method: &'static Method, run: Handler) -> Row {
    Row { method, run, proxied: true }
}

/// A row for a method that the node that is asked carries out itself, whatever node is in the path.
const fn here(method: &'static Method, run: Handler) -> Row {
    Row { method, run, proxied: false }
}

/// All methods that are simulated.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    let tables = [
        access::ROWS,
        addresses::ROWS,
        agent::ROWS,
        agent_more::ROWS,
        backups::ROWS,
        ceph::ROWS,
        cloudinit::ROWS,
        cluster::ROWS,
        config::ROWS,
        create::ROWS,
        disks::ROWS,
        entries::ROWS,
        firewall::ROWS,
        guests::ROWS,
        ha::ROWS,
        images::ROWS,
        lifecycle::ROWS,
        machine::ROWS,
        migrate::ROWS,
        nodes::ROWS,
        pools::ROWS,
        power::ROWS,
        prune::ROWS,
        replication::ROWS,
        sdn::ROWS,
        services::ROWS,
        setup::ROWS,
        snapshots::ROWS,
        storage::ROWS,
        storage_config::ROWS,
        system::ROWS,
        tasks::ROWS,
        users::ROWS,
        volumes::ROWS,
    ];
    tables.into_iter().flatten()
}

static BY_METHOD: LazyLock<HashMap<(Verb, &'static str), &'static Row>> =
    LazyLock::new(|| rows().map(|row| ((row.method.verb, row.method.path), row)).collect());

pub(crate) fn find(method: &Method) -> Option<Handler> {
    BY_METHOD.get(&(method.verb, method.path)).map(|row| row.run)
}

pub(crate) fn is_proxied(method: &Method) -> bool {
    BY_METHOD.get(&(method.verb, method.path)).is_none_or(|row| row.proxied)
}

/// A list of what lies below the method's path.
fn index(_: &mut World, call: &Call) -> Result<Reply, Failure> {
    Ok(crate::rest::index(call.method.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_has_one_row() {
        let mut seen = std::collections::HashSet::new();
        for row in rows() {
            assert!(seen.insert((row.method.verb, row.method.path)), "{} twice", row.method);
        }
    }
}
