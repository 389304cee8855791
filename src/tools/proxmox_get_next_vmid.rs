//! `proxmox_get_next_vmid`: an id that a new guest can have.

use proxmox_api::methods::GET_CLUSTER_NEXTID;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::shape::{Shape, always};
use crate::tool::{Args, Outcome, Tool, Toolset, whole};

crate::params! {}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_next_vmid",
    title: "Next free guest id",
    description: "Gives the next free vmid, for a new VM or container.",
    toolset: Toolset::ByName,
    params: PARAMS,
    output: Shape::Object(&[always("vmid", Shape::Count)]),
    calls: &[&GET_CLUSTER_NEXTID],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    Params::read(args)?;
    let answer = cx.call(Call::of(&GET_CLUSTER_NEXTID))?;
    let vmid = whole(&answer).ok_or_else(|| Error::Failed(format!("Proxmox VE gave {answer} as the next free vmid.")))?;
    Ok(Outcome::done(format!("🆔 Next free ID: {vmid}"), Data::new().always("vmid", vmid).into()))
}

#[cfg(test)]
#[path = "tests/proxmox_get_next_vmid.rs"]
mod tests;
