//! A guest's snapshots as the tree that they are.

use proxmox_api::methods;
use serde_json::Value;

use super::{fetch, figure, now, text};
use crate::cx::Cx;
use crate::dates;
use crate::error::Error;
use crate::pve::guests::{Guest, GuestKind};
use crate::show::guest::heading;
use crate::table::{Cell, Table};
use crate::view::View;

/// The deepest step that is shown by indentation.
const DEEPEST: usize = 12;

/// The snapshots, each under the one that it was taken after (`GET .../snapshot`).
pub fn tree(cx: &Cx<'_>, guest: &Guest) -> Result<View, Error> {
    let call =
        guest.call(&methods::GET_NODES_NODE_QEMU_VMID_SNAPSHOT, &methods::GET_NODES_NODE_LXC_VMID_SNAPSHOT);
    let all = fetch(cx, call)?;
    let (current, snapshots): (Vec<Value>, Vec<Value>) =
        all.into_iter().partition(|row| text(row, "name") == "current");
    let parent = current.first().map(|row| text(row, "parent")).unwrap_or_default();
    let mut table = Table::new(
        "snapshots",
        &[
            ("Snapshot", "name"),
            ("After", "parent"),
            ("Taken", "snaptime"),
            ("RAM", "vmstate"),
            ("Description", "description"),
        ],
    );
    table.rows =
        ordered(&snapshots).iter().map(|(depth, row)| line(*depth, row, guest.kind, now(cx))).collect();
    let here = (!parent.is_empty()).then(|| Cell::words(&format!("after {parent}"), 60));
    Ok(View::new(heading(guest, "snapshots"))
        .known("Present state", here)
        .table(table.without_empty_columns()))
}

fn line(depth: usize, row: &Value, kind: GuestKind, now: u64) -> Vec<Cell> {
    let name = Cell::words(text(row, "name"), 60);
    let indent = if depth == 0 {
        String::new()
    } else {
        format!("{}└ ", "\u{a0}".repeat(2 * (depth.min(DEEPEST) - 1)))
    };
    let taken = figure(row, "snaptime").whole();
    let ram = if figure(row, "vmstate").flag() { "yes" } else { "no" };
    vec![
        Cell::of(format!("{indent}{}", name.text), name.data),
        Cell::words(text(row, "parent"), 60),
        taken.map_or(Cell::default(), |taken| Cell::of(dates::ago(now, taken), taken)),
        if kind == GuestKind::Vm { Cell::own(ram) } else { Cell::default() },
        Cell::words(text(row, "description"), 120),
    ]
}

/// Each snapshot with its depth, parents before children, older siblings first. One whose parent is not
/// there stands at the top; a circle, which there should not be, is shown from its oldest member on.
fn ordered(all: &[Value]) -> Vec<(usize, &Value)> {
    let mut rows: Vec<&Value> = all.iter().collect();
    rows.sort_by_key(|row| (figure(row, "snaptime").whole(), text(row, "name").to_owned()));
    let known = |name: &str| rows.iter().any(|row| text(row, "name") == name);
    let is_root = |row: &Value| !known(text(row, "parent"));
    let mut out: Vec<(usize, &Value)> = Vec::with_capacity(rows.len());
    let mut left: Vec<&Value> = rows.clone();
    while let Some(at) = left.iter().position(|row| is_root(row)).or((!left.is_empty()).then_some(0)) {
        let mut stack = vec![(0, left.remove(at))];
        while let Some((depth, row)) = stack.pop() {
            out.push((depth, row));
            let is_child = |child: &Value| text(child, "parent") == text(row, "name");
            let (children, others): (Vec<&Value>, Vec<&Value>) =
                left.iter().partition(|child| is_child(child));
            left = others;
            stack.extend(children.into_iter().rev().map(|child| (depth + 1, child)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(rows: Value) -> Vec<String> {
        let rows = rows.as_array().unwrap().clone();
        ordered(&rows).iter().map(|(depth, row)| format!("{depth}{}", text(row, "name"))).collect()
    }

    #[test]
    fn children_stand_under_their_parents_by_age() {
        let row =
            |name: &str, parent: &str, time: u32| json!({"name": name, "parent": parent, "snaptime": time});
        let rows = json!([
            row("c", "b", 3),
            row("d", "a", 4),
            row("b", "a", 2),
            row("a", "", 1),
            row("x", "gone", 9)
        ]);
        assert_eq!(names(rows), ["0a", "1b", "2c", "1d", "0x"]);
        assert_eq!(names(json!([row("a", "b", 1), row("b", "a", 2)])), ["0a", "1b"]);
        assert!(names(json!([])).is_empty());
    }
}
