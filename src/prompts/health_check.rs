//! `health_check`: what is wrong, and what to do about it.

use super::{Argument, Given, Piece, Prompt};

/// The prompt.
pub static PROMPT: Prompt = Prompt {
    name: "health_check",
    title: "Health check",
    description: "What is wrong in the cluster or on one node, or soon will be, by urgency, with what to do about it.",
    arguments: &[Argument::optional("node", "only this node")],
    tools: &["proxmox_health", "proxmox_get_nodes"],
    write,
};

fn write(given: &Given<'_>) -> Vec<Piece> {
    let what = given.shown("node").map_or("this Proxmox VE cluster".to_owned(), |node| format!("node {node}"));
    let arguments = given.passed(&[("node", "node")]);
    vec![
        Piece::text(format!("Check the health of {what}. This is what was found just now:")),
        Piece::call("proxmox_health", arguments.into()),
        Piece::call("proxmox_get_nodes", serde_json::json!({})),
        Piece::text(
            "Look closer at each error and warning with the tool that its line names, so that you know the cause and not \
             only the sign. Then report, the most urgent first: what is wrong, what it puts at risk, why it is so, and \
             the next step. Name what could not be checked, and what would allow it. Change nothing yet: offer the fixes, \
             and say of each whether it interrupts a guest.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use crate::prompts::tests::{calls, text};

    #[test]
    fn the_findings_are_in_it() {
        assert_eq!(calls("health_check", &[]), ["proxmox_health {}", "proxmox_get_nodes {}"]);
        assert_eq!(
            calls("health_check", &[("node", "pve1")]),
            [r#"proxmox_health {"node":"pve1"}"#, "proxmox_get_nodes {}"]
        );
        assert!(text("health_check", &[("node", "pve1")]).contains("node `pve1`"));
    }
}
