//! What the two prompts for new guests share.

use serde_json::{Map, Value};

use super::{Given, Piece};

/// The memory of a container where none is asked for, in MiB.
pub(super) const MEMORY: &str = "1024";

/// What was asked for, as sentences.
pub(super) fn asked(given: &Given<'_>, names: &[&str]) -> String {
    let unit = |name: &str| match name {
        "memory" => " MiB",
        "disk" => " GiB",
        _ => "",
    };
    let purpose = given.shown("purpose").unwrap_or_default();
    let said = |name: &&str| Some(format!("{name} {}{}", given.shown(name)?, unit(name)));
    let all: Vec<String> = names.iter().filter_map(said).collect();
    let all = if all.is_empty() { "nothing else; suggest it".to_owned() } else { all.join(", ") };
    format!("It is for: {purpose}. Asked for: {all}.")
}

/// The call that says where such a guest fits; `memory` where none is asked for.
pub(super) fn find(given: &Given<'_>, kind: &str, memory: &str) -> Piece {
    let mut arguments = Map::from_iter([("memory".to_owned(), given.get("memory").unwrap_or(memory).into())]);
    arguments.extend(given.passed(&[("cores", "cores"), ("disk", "disk"), ("storage", "storage")]));
    arguments.insert("kind".to_owned(), kind.into());
    Piece::call("proxmox_find_place", Value::Object(arguments))
}
