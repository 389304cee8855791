//! `upgrade_node`: what to do before, during and after the upgrade of a node.

use serde_json::{Value, json};

use super::{Argument, Given, Piece, Prompt};

/// The prompt.
pub static PROMPT: Prompt = Prompt {
    name: "upgrade_node",
    title: "Plan a node's upgrade",
    description: "A plan to upgrade and restart one node: updates, its guests, high availability, backups, and quorum \
                  without it.",
    arguments: &[Argument::required("node", "name of the node")],
    tools: &[
        "proxmox_get_cluster_status",
        "proxmox_get_node_status",
        "proxmox_get_node_info",
        "proxmox_get_vms",
        "proxmox_get_cluster_info",
        "proxmox_backup_coverage",
        "proxmox_get_tasks",
    ],
    write,
};

fn write(given: &Given<'_>) -> Vec<Piece> {
    let node = given.shown("node").unwrap_or_default();
    let of = |more: Value| {
        let mut arguments = given.passed(&[("node", "node")]);
        arguments.extend(more.as_object().cloned().unwrap_or_default());
        Value::Object(arguments)
    };
    vec![
        Piece::text(format!("Plan the upgrade of node {node}, with a restart. This is how things are just now:")),
        Piece::call("proxmox_get_cluster_status", json!({})),
        Piece::call("proxmox_get_node_status", of(json!({}))),
        Piece::call("proxmox_get_node_info", of(json!({"topic": "updates"}))),
        Piece::call("proxmox_get_node_info", of(json!({"topic": "versions", "filter": "pve-"}))),
        Piece::call("proxmox_get_vms", of(json!({}))),
        Piece::call("proxmox_get_cluster_info", json!({"topic": "ha"})),
        Piece::call("proxmox_backup_coverage", json!({})),
        Piece::call("proxmox_get_tasks", of(json!({"status": "running"}))),
        Piece::text(format!(
            "Write the plan as a list to be ticked off, and first say whether now is a time for it at all.\n\n\
             - **Quorum**: the votes that are left without {node} against those that are needed. If they are too few, stop \
             and say so.\n\
             - **Room**: whether the other nodes hold its running guests, by memory (`proxmox_find_place`, and \
             `proxmox_migrate` with `dry_run=true` for each that is to move). Name those that cannot move, such as guests \
             with local disks or passed-through devices, and what happens to them.\n\
             - **High availability**: what is managed on {node}, and that it goes into maintenance \
             (`ha-manager crm-command node-maintenance enable`) rather than being fenced.\n\
             - **Backups**: guests of {node} without a recent one, to be backed up before.\n\
             - **Updates**: what matters among them (kernel, QEMU, ZFS or Ceph, the manager), and whether it is a new \
             major release, which has its own procedure (`pve8to9` and the like).\n\
             - **Order**: move or shut down guests, upgrade (`apt update`, `apt full-upgrade`), restart, check, move back.\n\
             - **After**: what to look at, and the way back if the node does not come up.\n\n\
             The upgrade itself is done on the node's shell: no tool here does it. Change nothing before somebody agrees. \
             What could not be read, name with the grant that would show it."
        )),
    ]
}

#[cfg(test)]
mod tests {
    use crate::prompts::tests::{calls, text};

    #[test]
    fn what_hangs_on_the_node_is_in_it() {
        let calls = calls("upgrade_node", &[("node", "pve2")]);
        assert_eq!(calls.len(), 8);
        for expected in [
            "proxmox_get_cluster_status {}",
            r#"proxmox_get_node_info {"node":"pve2","topic":"updates"}"#,
            r#"proxmox_get_vms {"node":"pve2"}"#,
            r#"proxmox_get_cluster_info {"topic":"ha"}"#,
            "proxmox_backup_coverage {}",
        ] {
            assert!(calls.iter().any(|call| call == expected), "{expected}: {calls:?}");
        }
        assert!(text("upgrade_node", &[("node", "pve2")]).contains("left without `pve2`"));
    }
}
