//! Guests as resources of Terraform and OpenTofu, for the provider `bpg/proxmox`, with blocks that import them.
//! Each key of a configuration has its place or is named in a comment.

pub mod container;
pub mod keys;
pub mod shared;
pub mod vm;
pub mod writer;

use serde_json::{Map, Value};

use self::keys::Keys;
pub use self::writer::Body;
use self::writer::quoted;
use crate::pve::guests::{Guest, GuestKind};

/// Keys that say nothing about how a guest should be.
const OF_PROXMOX: &[&str] = &["digest", "meta", "vmgenid", "parent", "lock", "runningmachine", "runningcpu"];

/// The settings, provider and variables that come before the resources. `version`: the oldest release of the
/// program that takes import blocks.
pub fn provider(version: &str) -> Body {
    let source = Body::new().text("source", Some("bpg/proxmox")).text("version", Some(">= 0.60.0"));
    let settings = Body::new()
        .text("required_version", Some(version))
        .block("required_providers", Body::new().raw("proxmox", object(&source)));
    let variable = |about: &str| Body::new().text("description", Some(about)).raw("type", "string");
    Body::new()
        .block("terraform", settings)
        .block(
            "variable \"proxmox_endpoint\"",
            variable("Address of Proxmox VE, such as https://192.168.1.100:8006/"),
        )
        .block(
            "variable \"proxmox_api_token\"",
            variable("API token: USER@REALM!TOKENID=SECRET").raw("sensitive", "true"),
        )
        .block(
            "provider \"proxmox\"",
            Body::new().raw("endpoint", "var.proxmox_endpoint").raw("api_token", "var.proxmox_api_token"),
        )
}

/// A body as an object, which is written in one place with it.
fn object(body: &Body) -> String {
    let inner: String = body
        .written()
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| format!("      {line}\n"))
        .collect();
    format!("{{\n{inner}    }}")
}

/// A guest: its resource, and the block that imports it.
pub fn guest(guest: &Guest, running: bool, mut config: Map<String, Value>) -> Body {
    let own: Vec<&str> =
        OF_PROXMOX.iter().copied().filter(|key| config.shift_remove(*key).is_some()).collect();
    let mut keys = Keys::new(config);
    let head = Body::new()
        .text("node_name", Some(guest.node.as_str()))
        .raw("vm_id", guest.vmid.to_string())
        .raw("started", running.to_string());
    let (resource, prefix, body) = match guest.kind {
        GuestKind::Vm => ("proxmox_virtual_environment_vm", "vm", vm::body(&mut keys, head)),
        GuestKind::Container => {
            ("proxmox_virtual_environment_container", "ct", container::body(&mut keys, head))
        }
    };
    let label = label(prefix, guest);
    let left = keys.left();
    let body = match left.is_empty() {
        true => body,
        false => body.comment(&format!("Not in this export: {}.", left.join(", "))),
    };
    let body = match own.is_empty() {
        true => body,
        false => body.comment(&format!("Proxmox VE makes these itself: {}.", own.join(", "))),
    };
    let import = Body::new()
        .raw("to", format!("{resource}.{label}"))
        .raw("id", quoted(&format!("{}/{}", guest.node, guest.vmid)));
    Body::new().block("import", import).block(&format!("resource \"{resource}\" \"{label}\""), body)
}

/// The name of a resource: `vm_101_prod_web_01`.
fn label(prefix: &str, guest: &Guest) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = guest.name.chars().map(plain).collect();
    let name: Vec<&str> = name.split('_').filter(|part| !part.is_empty()).collect();
    match name.is_empty() {
        true => format!("{prefix}_{}", guest.vmid),
        false => format!("{prefix}_{}_{}", guest.vmid, name.join("_")),
    }
}

#[cfg(test)]
mod tests;
