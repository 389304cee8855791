//! `roll_back`: whether and how to put a guest back to a snapshot.

use serde_json::{Value, json};

use super::{Argument, Given, Piece, Prompt};

/// The prompt.
pub static PROMPT: Prompt = Prompt {
    name: "roll_back",
    title: "Plan a rollback",
    description: "Whether to put a guest back to a snapshot: what would be lost, and what to save before.",
    arguments: &[
        Argument::required("vmid", "id of the guest"),
        Argument::optional("snapshot", "name of the snapshot; the best one if left out"),
    ],
    tools: &["proxmox_get_guest", "proxmox_list_backups", "proxmox_get_tasks"],
    write,
};

fn write(given: &Given<'_>) -> Vec<Piece> {
    let vmid = given.shown("vmid").unwrap_or_default();
    let to = given.shown("snapshot").map_or("a snapshot".to_owned(), |name| format!("snapshot {name}"));
    let of = |more: Value| {
        let mut arguments = given.passed(&[("vmid", "vmid")]);
        arguments.extend(more.as_object().cloned().unwrap_or_default());
        Value::Object(arguments)
    };
    vec![
        Piece::text(format!("Guest {vmid} may be put back to {to}. This is how things are just now:")),
        Piece::call("proxmox_get_guest", of(json!({"show": "snapshots"}))),
        Piece::call("proxmox_get_guest", of(json!({"show": "status"}))),
        Piece::call("proxmox_list_backups", of(json!({}))),
        Piece::call("proxmox_get_tasks", of(json!({}))),
        Piece::text(
            "Say which snapshot it would be and how old it is, what was written since and would be lost for good, and \
             whether the guest comes back running (a snapshot with memory) or stopped. Call `proxmox_rollback_snapshot` with \
             `dry_run=true` and show what it says. Propose what to save before: a backup, or single files; on most storages \
             only the newest snapshot can be rolled back to. Roll back only when somebody has agreed to that very \
             snapshot.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use crate::prompts::tests::{calls, text};

    #[test]
    fn the_snapshots_and_what_else_could_be_restored_are_in_it() {
        let given = [("vmid", "101"), ("snapshot", "before-upgrade")];
        assert_eq!(
            calls("roll_back", &given),
            [
                r#"proxmox_get_guest {"vmid":"101","show":"snapshots"}"#,
                r#"proxmox_get_guest {"vmid":"101","show":"status"}"#,
                r#"proxmox_list_backups {"vmid":"101"}"#,
                r#"proxmox_get_tasks {"vmid":"101"}"#,
            ]
        );
        assert!(text("roll_back", &given).contains("Guest `101` may be put back to snapshot `before-upgrade`."));
        assert!(text("roll_back", &given[..1]).contains("put back to a snapshot."));
    }
}
