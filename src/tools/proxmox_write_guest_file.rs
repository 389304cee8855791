//! `proxmox_write_guest_file`: writes a file inside a VM through its guest agent.

use proxmox_api::methods;
use serde_json::Value;

use crate::change::{self, Change};
use crate::cx::Cx;
use crate::error::Error;
use crate::foreign;
use crate::pve::agent::{self, GuestPath};
use crate::pve::ids::{NodeName, Vmid};
use crate::text;
use crate::tool::{Args, Argument, Hidden, Kind, Outcome, Tool, Toolset};

/// The longest content, in bytes; what Proxmox takes.
const LONGEST: usize = 61_440;

crate::params! {
    /// Guest id.
    vmid: Vmid,
    /// Path.
    path: GuestPath,
    /// Content.
    content: Content,
    /// Node of the VM.
    node: Hidden<NodeName>,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_write_guest_file",
    title: "Write file in VM",
    description: "Writes a file in a VM, at most 60 KiB, over an old one.",
    toolset: Toolset::ByName,
    params: PARAMS,
    output: change::SHAPE,
    calls: &[&methods::GET_CLUSTER_RESOURCES, &methods::POST_NODES_NODE_QEMU_VMID_AGENT_FILE_WRITE],
    destructive: true,
    idempotent: Some(true),
    open_world: true,
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let instead = format!("`pct push {} FILE PATH` on its node copies a file into it.", params.vmid);
    let guest = agent::vm(cx, params.vmid, params.node.get(), &instead)?;
    let content = &params.content.0;
    let call = agent::about(&guest, &methods::POST_NODES_NODE_QEMU_VMID_AGENT_FILE_WRITE)
        .with("file", params.path.0.as_str())
        .with("content", content.as_str());
    let path = foreign::code(&params.path.0, 300);
    let change = Change::new(format!("📝 Write {path} in {guest}"))
        .guest(&guest)
        .fact("Size", text::count(content.len(), "byte"))
        .loses("What the file held before, if it was there; it was not read.");
    if params.dry_run {
        return change.plan(cx, &[call]);
    }
    cx.call(call).map_err(|error| agent::no_file(error, &guest, &params.path, "The file was not written"))?;
    Ok(change.done())
}

/// What a file is to hold.
#[derive(Debug)]
struct Content(String);

impl Argument for Content {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "text of at most 61440 bytes, without NUL characters";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        (text.len() <= LONGEST && !text.contains('\0')).then(|| Content(text.to_owned()))
    }
}

#[cfg(test)]
#[path = "tests/proxmox_write_guest_file.rs"]
mod tests;
