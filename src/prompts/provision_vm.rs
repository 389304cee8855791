//! `provision_vm`: a new virtual machine, where it fits and how it should be.

use serde_json::json;

use super::place;
use super::{Argument, Given, Piece, Prompt};

/// The memory where none is asked for, in MiB.
const MEMORY: &str = "2048";

/// The prompt.
pub static PROMPT: Prompt = Prompt {
    name: "provision_vm",
    title: "Provision a VM",
    description: "Plans a new VM, from a template, an image or an ISO: node, storage and size that fit, as a dry run.",
    arguments: &[
        Argument::required("purpose", "what it is for, such as: a build server with Debian"),
        Argument::optional("hostname", "its name"),
        Argument::optional("memory", "memory in MiB; 2048 if left out"),
        Argument::optional("disk", "disk in GiB"),
        Argument::optional("cores", "CPU cores"),
        Argument::optional("storage", "storage of its disk"),
        Argument::optional("iso", "ISO to install from, as a volume id"),
    ],
    tools: &[
        "proxmox_find_place",
        "proxmox_get_storage",
        "proxmox_get_vms",
        "proxmox_get_storage_content",
        "proxmox_get_next_vmid",
    ],
    write,
};

fn write(given: &Given<'_>) -> Vec<Piece> {
    let asked = place::asked(given, &["hostname", "memory", "disk", "cores", "storage", "iso"]);
    vec![
        Piece::text(format!("Plan a new virtual machine. {asked}\n\nThis is what there is just now:")),
        place::find(given, "vm", MEMORY),
        Piece::call("proxmox_get_storage", json!({})),
        Piece::call("proxmox_get_vms", json!({"status": "template"})),
        Piece::call("proxmox_get_storage_content", json!({"content": "import"})),
        Piece::call("proxmox_get_storage_content", json!({"content": "iso"})),
        Piece::call("proxmox_get_next_vmid", json!({})),
        Piece::text(
            "Choose how to make it: a clone of a template if one fits (`proxmox_clone`), else a disk image with cloud-init, \
             else an ISO (`proxmox_create_vm`); `proxmox_download` fetches what is missing. Choose node, storage and size, \
             each with the reason in a few words. Then call that tool with `dry_run=true`, show what it would do, and ask \
             whether to go on. Ask for what is open (user, SSH keys, address, VLAN) rather than guess it. What the dry run \
             says is refused, name with its grant.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use crate::prompts::tests::{calls, text};

    #[test]
    fn what_it_can_be_made_of_is_in_it() {
        let given = [("purpose", "builds"), ("cores", "4"), ("hostname", "build-1")];
        assert_eq!(
            calls("provision_vm", &given),
            [
                r#"proxmox_find_place {"memory":"2048","cores":"4","kind":"vm"}"#,
                "proxmox_get_storage {}",
                r#"proxmox_get_vms {"status":"template"}"#,
                r#"proxmox_get_storage_content {"content":"import"}"#,
                r#"proxmox_get_storage_content {"content":"iso"}"#,
                "proxmox_get_next_vmid {}",
            ]
        );
        assert!(text("provision_vm", &given).contains("Asked for: hostname `build-1`, cores `4`."));
    }
}
