//! Answers: whatever the server says, what passes is JSON, is made of rows that were there, and tells of no
//! node or guest that an allow-list leaves out.

use super::Target;
use proxmox_api::{Method, Verb, methods};
use proxmox_gate::{Gate, Grants, NoPools, Walls};
use serde_json::Value as Json;
use std::sync::LazyLock;

pub(crate) const TARGET: Target = Target { name: "answer", seeds, words: WORDS, run };

static WALLED: LazyLock<Gate> = LazyLock::new(|| {
    let walls = Walls::parse(Some("pve1"), Some("101-102")).unwrap_or_default();
    Gate::new(Grants::elevated(), walls, "root@pam!mcp")
});
static GRANTED: LazyLock<Gate> = LazyLock::new(|| {
    let grants = Grants::parse_list("VM.Audit@/vms/101 Datastore.Audit@/storage/a1").unwrap_or_default();
    Gate::new(grants, Walls::default(), "root@pam!mcp")
});

/// Methods whose answers are lists of these.
static LISTS: LazyLock<Vec<&'static Method>> = LazyLock::new(|| {
    let cut = |method: &&&'static Method| WALLED.filter(method, b"{\"data\":[]}", &NoPools).is_some();
    methods::ALL.iter().filter(|method| method.verb == Verb::Get).filter(cut).copied().collect()
});

/// The first byte picks the method, the rest is the answer.
fn run(input: &[u8]) -> Result<String, String> {
    let (pick, body) = input.split_first().unwrap_or((&0, b""));
    let Some(method) = LISTS.get(usize::from(*pick) % LISTS.len().max(1)) else {
        return Err("no method's answer is cut".to_owned());
    };
    let walled = cut(&WALLED, method, body)?;
    let granted = cut(&GRANTED, method, body)?;
    for row in walled.as_deref().unwrap_or_default() {
        check_walls(method, row)?;
    }
    if method.path.ends_with("/qemu") || method.path.ends_with("/lxc") {
        let other = |row: &&Json| vmid(row) != Some(101);
        if let Some(row) = granted.as_deref().unwrap_or_default().iter().find(other) {
            return Err(format!("{method}: VM.Audit on 101 shows {row}"));
        }
    }
    let kept = |rows: Option<Vec<Json>>| rows.map_or(9, |rows| rows.len().min(3));
    Ok(format!("{method} {} {}", kept(walled), kept(granted)))
}

/// The rows that pass; `None` where the answer passes unread.
fn cut(gate: &Gate, method: &'static Method, body: &[u8]) -> Result<Option<Vec<Json>>, String> {
    let Some(cut) = gate.filter(method, body, &NoPools) else { return Ok(None) };
    let cut: Json = serde_json::from_slice(&cut).map_err(|error| format!("{method}: no JSON: {error}"))?;
    let before: Json = serde_json::from_slice(body).unwrap_or_default();
    let (kept, given) = (rows(&cut), rows(&before));
    for row in &kept {
        if !given.iter().any(|known| is_part_of(row, known)) {
            return Err(format!("{method}: {row} was not in the answer"));
        }
    }
    let again = gate.filter(method, cut.to_string().as_bytes(), &NoPools).unwrap_or_default();
    let again: Json = serde_json::from_slice(&again).unwrap_or_default();
    let again = rows(&again);
    if again.len() != kept.len() || !again.iter().zip(&kept).all(|(one, other)| is_same(one, other)) {
        return Err(format!("{method}: cutting twice is not cutting once: {cut}"));
    }
    Ok(Some(kept))
}

fn rows(answer: &Json) -> Vec<Json> {
    match answer.get("data") {
        Some(Json::Array(rows)) => rows.clone(),
        Some(Json::Object(one)) => vec![Json::Object(one.clone())],
        _ => Vec::new(),
    }
}

/// Whether a row is the given one, but for members and names of nodes that are left out.
fn is_part_of(row: &Json, given: &Json) -> bool {
    let (Some(row), Some(given)) = (row.as_object(), given.as_object()) else { return row == given };
    row.len() == given.len()
        && row.iter().all(|(key, value)| match (key.as_str(), value, given.get(key)) {
            ("members", Json::Array(some), Some(Json::Array(all))) => {
                some.iter().all(|one| all.iter().any(|other| is_same(one, other)))
            }
            ("nodes", Json::String(some), Some(Json::String(all))) => {
                some.split(',').all(|one| all.contains(one))
            }
            (_, value, known) => known.is_some_and(|known| is_same(value, known)),
        })
}

/// Whether two values are the same. Fractions may differ in their last digit: text that is read, written and
/// read again does not always give the number that it gave first.
fn is_same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Array(some), Json::Array(others)) => {
            some.len() == others.len() && some.iter().zip(others).all(|(a, b)| is_same(a, b))
        }
        (Json::Object(some), Json::Object(others)) => {
            some.len() == others.len()
                && some.iter().all(|(key, a)| others.get(key).is_some_and(|b| is_same(a, b)))
        }
        (Json::Number(a), Json::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap_or_default(), b.as_f64().unwrap_or_default());
            (a - b).abs() <= a.abs() * 1e-14
        }
        _ => one == other,
    }
}

fn vmid(row: &Json) -> Option<u64> {
    match row.get("vmid")? {
        Json::String(digits) => digits.parse().ok(),
        other => other.as_u64(),
    }
}

/// Whether it is a guest's number, and not one of those on the allow-list.
fn is_outside(vmid: u64) -> bool {
    (100..=999_999_999).contains(&vmid) && !(101..=102).contains(&vmid)
}

fn check_walls(method: &Method, row: &Json) -> Result<(), String> {
    let members = row.get("members").and_then(Json::as_array).into_iter().flatten();
    for part in std::iter::once(row).chain(members) {
        let jobs = method.path == "/cluster/backup";
        if let Some(vmid) = vmid(part).filter(|vmid| !jobs && is_outside(*vmid)) {
            return Err(format!("{method}: guest {vmid} is left out, and shown in {row}"));
        }
        let node = part.get("node").and_then(Json::as_str).filter(|node| *node != "pve1");
        if let Some(node) = node {
            return Err(format!("{method}: node {node:?} is left out, and shown in {row}"));
        }
    }
    let is_inside = |list: &str| list.split(',').all(|node| node == "pve1");
    if let Some(nodes) = row.get("nodes").filter(|nodes| !nodes.as_str().is_some_and(is_inside)) {
        return Err(format!("{method}: nodes {nodes} are left out, and shown in {row}"));
    }
    Ok(())
}

fn seeds() -> Vec<Vec<u8>> {
    let rows = [
        r#"{"id":"qemu/101","type":"qemu","vmid":101,"node":"pve1","pool":"dev"}"#,
        r#"{"id":"lxc/103","type":"lxc","vmid":103,"node":"pve2"}"#,
        r#"{"id":"storage/pve1/a1","type":"storage","storage":"a1","node":"pve1"}"#,
        r#"{"type":"node","node":"pve1","name":"pve1","id":"node/pve1"}"#,
        r#"{"upid":"UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:101:root@pam!mcp:","node":"pve1"}"#,
        r#"{"volid":"a1:vm-101-disk-0","vmid":101}"#,
        r#"{"sid":"vm:101","type":"service","node":"pve1","id":"service:vm:101"}"#,
        r#"{"poolid":"dev","members":[{"type":"qemu","vmid":101,"node":"pve1"},{"type":"lxc","vmid":103,"node":"pve2"}]}"#,
        r#"{"guest":101,"source":"pve1","target":"pve1","id":"101-0"}"#,
        r#"{"id":"backup-1","vmid":"101,102","node":"pve1"}"#,
        r#"{"storage":"a1","type":"nfs","nodes":"pve1,pve2"}"#,
    ];
    let whole = format!("{{\"data\":[{}],\"total\":9}}", rows.join(","));
    (0..LISTS.len())
        .flat_map(|pick| {
            [whole.clone(), r#"{"data":{"members":[]}}"#.to_owned(), "{\"data\":null}".to_owned()]
                .map(|body| (pick, body))
        })
        .map(|(pick, body)| [vec![u8::try_from(pick).unwrap_or(0)], body.into_bytes()].concat())
        .collect()
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "true",
    "101",
    "102",
    "103",
    "\"103\"",
    "1e2",
    "-1",
    "4294967397",
    "\"vmid\":103",
    "\"vmid\":null",
    "\"node\":\"pve2\"",
    "\"node\":null",
    "\"data\":",
    "\"type\":\"qemu\"",
    "\"type\":\"node\"",
    "\"members\":[",
    "\"vmid\":101,\"vmid\":103",
    "UPID:pve2:",
    "\u{0}",
    "\"id\":",
    "\"storage\":\"b1\"",
    "\"nodes\":\"pve2\"",
    "pve1;pve2",
];
