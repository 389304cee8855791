//! `provision_container`: a new container, where it fits and how it should be.

use serde_json::json;

use super::place::{self, MEMORY};
use super::{Argument, Given, Piece, Prompt};

/// The prompt.
pub static PROMPT: Prompt = Prompt {
    name: "provision_container",
    title: "Provision a container",
    description: "Plans a new container: node, storage, template and size that fit, as a dry run to agree to.",
    arguments: &[
        Argument::required("purpose", "what it is for, such as: a DNS server"),
        Argument::optional("hostname", "its name"),
        Argument::optional("memory", "memory in MiB; 1024 if left out"),
        Argument::optional("disk", "disk in GiB"),
        Argument::optional("cores", "CPU cores"),
        Argument::optional("storage", "storage of its disk"),
        Argument::optional("template", "template to make it of, as a volume id"),
    ],
    tools: &["proxmox_find_place", "proxmox_get_storage", "proxmox_get_storage_content", "proxmox_get_next_vmid"],
    write,
};

fn write(given: &Given<'_>) -> Vec<Piece> {
    let asked = place::asked(given, &["hostname", "memory", "disk", "cores", "storage", "template"]);
    vec![
        Piece::text(format!("Plan a new container (LXC). {asked}\n\nThis is what there is just now:")),
        place::find(given, "container", MEMORY),
        Piece::call("proxmox_get_storage", json!({})),
        Piece::call("proxmox_get_storage_content", json!({"content": "vztmpl"})),
        Piece::call("proxmox_get_next_vmid", json!({})),
        Piece::text(
            "Choose node, storage, template and size, each with the reason in a few words; keep it unprivileged unless \
             the purpose needs more. Where no template fits, name the one to fetch with `proxmox_download`. Then call \
             `proxmox_create_lxc` with `dry_run=true`, show what it would do, and ask whether to go on. Ask for what is \
             open (address, SSH keys) rather than guess it. What the dry run says is refused, name with its grant.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use crate::prompts::tests::{calls, text};

    #[test]
    fn what_there_is_room_for_is_in_it() {
        let given = [("purpose", "DNS"), ("memory", "2048"), ("disk", "16"), ("storage", "local-zfs")];
        assert_eq!(
            calls("provision_container", &given),
            [
                r#"proxmox_find_place {"memory":"2048","disk":"16","storage":"local-zfs","kind":"container"}"#,
                "proxmox_get_storage {}",
                r#"proxmox_get_storage_content {"content":"vztmpl"}"#,
                "proxmox_get_next_vmid {}",
            ]
        );
        let text = text("provision_container", &given);
        assert!(text.contains("It is for: `DNS`. Asked for: memory `2048` MiB, disk `16` GiB, storage `local-zfs`."), "{text}");
        assert!(calls("provision_container", &[("purpose", "DNS")])[0].contains(r#""memory":"1024""#));
    }
}
