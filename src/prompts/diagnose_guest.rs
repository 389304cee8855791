//! `diagnose_guest`: why one guest is slow, down or odd.

use serde_json::{Value, json};

use super::{Argument, Given, Piece, Prompt};

/// The prompt.
pub static PROMPT: Prompt = Prompt {
    name: "diagnose_guest",
    title: "Diagnose a guest",
    description: "Why a VM or container is slow or down: its state, findings, load, tasks and configuration, and the cause.",
    arguments: &[
        Argument::required("vmid", "id of the guest"),
        Argument::optional("symptom", "what was noticed, such as: slow since noon"),
    ],
    tools: &["proxmox_diagnose", "proxmox_get_metrics", "proxmox_get_tasks", "proxmox_get_guest"],
    write,
};

fn write(given: &Given<'_>) -> Vec<Piece> {
    let vmid = given.shown("vmid").unwrap_or_default();
    let symptom = given.shown("symptom").map(|said| format!(" What was noticed: {said}")).unwrap_or_default();
    let of = |more: Value| {
        let mut arguments = given.passed(&[("vmid", "vmid")]);
        arguments.extend(more.as_object().cloned().unwrap_or_default());
        Value::Object(arguments)
    };
    vec![
        Piece::text(format!("Find out what is wrong with guest {vmid}.{symptom}\n\nThis is what was found just now:")),
        Piece::call("proxmox_diagnose", of(json!({}))),
        Piece::call("proxmox_get_metrics", of(json!({"timeframe": "day"}))),
        Piece::call("proxmox_get_tasks", of(json!({}))),
        Piece::call("proxmox_get_guest", of(json!({"show": "config"}))),
        Piece::text(
            "Name the most likely cause and the evidence for it, line by line from above, and what speaks against it. Tell a \
             cause inside the guest from one on its node or its storage: `proxmox_get_node_status` and \
             `proxmox_health` with the guest's node show those. Where something could not be read, say which grant would \
             show it. Then give the fix with the least effect first, and what it interrupts. Change nothing before \
             somebody agrees.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use crate::prompts::tests::{calls, text};

    #[test]
    fn everything_about_the_guest_is_in_it() {
        let given = [("vmid", "101"), ("symptom", "slow\n# since noon `x`")];
        assert_eq!(
            calls("diagnose_guest", &given),
            [
                r#"proxmox_diagnose {"vmid":"101"}"#,
                r#"proxmox_get_metrics {"vmid":"101","timeframe":"day"}"#,
                r#"proxmox_get_tasks {"vmid":"101"}"#,
                r#"proxmox_get_guest {"vmid":"101","show":"config"}"#,
            ]
        );
        assert!(text("diagnose_guest", &given).contains("What was noticed: `` slow # since noon `x` ``"), "{:?}", text("diagnose_guest", &given));
    }
}
