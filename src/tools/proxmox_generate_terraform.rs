//! `proxmox_generate_terraform`: guests that are there as code for Terraform or OpenTofu.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::Cx;
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::listing::{Cursor, Page};
use crate::missing::{self, Missing};
use crate::pve::guests::{Guest, GuestKind, OriginalKind};
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::nodes::Offline;
use crate::pve::resources::{self, Resource};
use crate::shape::{Shape, always, known};
use crate::terraform;
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset, Whole};

/// How many guests are exported without a filter; of more there is a summary.
const UNFILTERED: usize = 20;
/// How many nodes a summary names.
const NODES: usize = 20;

crate::words! {
    /// The program that is to read it.
    enum Format {
        /// Terraform.
        Terraform = "terraform",
        /// OpenTofu.
        OpenTofu = "opentofu",
    }
}

crate::params! {
    /// Only this guest.
    vmid: Option<Vmid>,
    /// Only of this node.
    node: Option<NodeName>,
    /// Kind of guests.
    r#type: Hidden<OriginalKind>,
    /// With provider and variables.
    include_provider: Hidden<bool>,
    /// Format.
    format: Hidden<Format>,
    /// How many guests.
    limit: Hidden<Whole<1, 25>>,
    /// Where to go on.
    cursor: Option<Cursor>,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_generate_terraform",
    title: "Export as Terraform",
    description: "Writes guests as Terraform code with import blocks.",
    toolset: Toolset::Planning,
    params: PARAMS,
    output: Shape::Object(&[
        always("total", Shape::Count),
        always("guests", Shape::List(&Shape::Count)),
        known("hcl", Shape::Text),
        known("next_cursor", Shape::Text),
        missing::FIELD,
    ]),
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_QEMU_VMID_CONFIG,
        &methods::GET_NODES_NODE_LXC_VMID_CONFIG,
    ],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    let wanted = wanted(&rows, &params)?;
    if wanted.len() > UNFILTERED && params.vmid.is_none() && params.node.is_none() && params.cursor.is_none() {
        return Ok(summary(&rows, &wanted));
    }
    let limit = params.limit.get().map_or(10, |limit| limit.0);
    let first = params.cursor.is_none();
    let page = Page::of(wanted, limit, params.cursor)?;
    let (hcl, done, missing) = exported(cx, &rows, &params, &page.rows, first)?;
    let mut text = format!("🏗️ {} as code ({})\n", text::count(done.len(), "guest"), params.format().word());
    text += &missing.lines();
    text += &text::bullet("Next", "review it, then `plan`: it should import and change nothing that matters");
    text += &format!("\n{}\n", foreign::fenced(&hcl));
    text += &page.footer("guests");
    let data = Data::new()
        .always("total", page.total)
        .always("guests", done)
        .always("hcl", hcl)
        .known("next_cursor", page.next.as_deref())
        .always(missing::FIELD.name, missing.data());
    Ok(Outcome::done(text, data.into()))
}

impl Params {
    fn format(&self) -> Format {
        self.format.get().copied().unwrap_or(Format::Terraform)
    }
}

/// A guest that is to be exported, and whether it runs.
type Wanted = (Guest, bool);

/// The guests that the parameters select, by id.
fn wanted(rows: &[Resource<'_>], params: &Params) -> Result<Vec<Wanted>, Error> {
    if let Some(vmid) = params.vmid {
        let guest = crate::pve::guests::find(rows, vmid, params.node.as_ref())?;
        params.r#type.get().map_or(Ok(()), |kind| kind.check(&guest))?;
        let row = rows.iter().find(|row| row.is_guest() && row.guest_id() == Some(vmid));
        return Ok(vec![(guest, row.is_some_and(runs))]);
    }
    if params.node.is_some() {
        crate::pve::nodes::choose(rows, params.node.as_ref())?;
    }
    let kind = params.r#type.get().and_then(|kind| kind.kind());
    let fits = |guest: &Guest| {
        params.node.as_ref().is_none_or(|node| *node == guest.node) && kind.is_none_or(|kind| kind == guest.kind)
    };
    let mut all: Vec<Wanted> = rows
        .iter()
        .filter(|row| row.is_guest())
        .filter_map(|row| Some((read(row)?, runs(row))))
        .filter(|(guest, _)| fits(guest))
        .collect();
    all.sort_by_key(|(guest, _)| guest.vmid);
    match all.is_empty() {
        false => Ok(all),
        true => Err(Error::NotFound(
            "There is no such guest, or the API token may not see it (`VM.Audit`).".to_owned(),
        )),
    }
}

fn read(row: &Resource<'_>) -> Option<Guest> {
    Some(Guest {
        vmid: row.guest_id()?,
        node: NodeName::parse(&row.node)?,
        kind: GuestKind::of(row),
        name: foreign::line(&row.name, 80),
        template: row.is_template(),
    })
}

fn runs(row: &Resource<'_>) -> bool {
    &*row.status == "running"
}

/// The code, the guests in it, and what is missing.
fn exported(
    cx: &Cx<'_>,
    rows: &[Resource<'_>],
    params: &Params,
    guests: &[Wanted],
    first: bool,
) -> Result<(String, Vec<u32>, Missing), Error> {
    let offline = Offline::of(rows);
    let mut missing = Missing::new();
    let (there, gone): (Vec<&Wanted>, Vec<&Wanted>) =
        guests.iter().partition(|(guest, _)| !offline.has(guest.node.as_str()));
    for (guest, _) in gone {
        missing.note_one(guest.to_string(), "its node is offline".to_owned());
    }
    let call = |(guest, _): &&Wanted| {
        guest.call(&methods::GET_NODES_NODE_QEMU_VMID_CONFIG, &methods::GET_NODES_NODE_LXC_VMID_CONFIG)
    };
    let replies = cx.replies(there.iter().map(call).collect());
    let (mut parts, mut done, mut failure) = (Vec::new(), Vec::new(), None);
    if first && params.include_provider.get() != Some(&false) {
        let version = match params.format() {
            Format::Terraform => ">= 1.5",
            Format::OpenTofu => ">= 1.6",
        };
        parts.push(terraform::provider(version).written());
    }
    for ((guest, running), reply) in there.into_iter().zip(replies) {
        match reply.and_then(|reply| reply.data()) {
            Ok(Value::Object(config)) => {
                parts.push(terraform::guest(guest, *running, config).written());
                done.push(guest.vmid.number());
            }
            Ok(_) => missing.note_one(guest.to_string(), "its configuration cannot be understood".to_owned()),
            Err(error) => {
                missing.note_one(guest.to_string(), error.brief());
                failure = failure.or(Some(error));
            }
        }
    }
    match failure {
        Some(error) if done.is_empty() => Err(error),
        _ => Ok((parts.join("\n"), done, missing)),
    }
}

/// How many guests there are where, and how to choose some.
fn summary(rows: &[Resource<'_>], wanted: &[Wanted]) -> Outcome {
    let mut text = format!("🏗️ {} could be written as code\n", text::count(wanted.len(), "guest"));
    let mut nodes: Vec<&str> = rows.iter().filter(|row| row.is_node()).map(|row| &*row.node).collect();
    nodes.sort_unstable();
    for node in nodes.iter().take(NODES) {
        let count = wanted.iter().filter(|(guest, _)| guest.node.as_str() == *node).count();
        text += &text::bullet(&foreign::name(node), text::count(count, "guest"));
    }
    text += "\nThat is much for one answer: give `node` or `vmid` to get some of them; `cursor` = `from-0` begins with \
             all.\n";
    let data = Data::new()
        .always("total", wanted.len())
        .always("guests", Vec::<u32>::new())
        .always(missing::FIELD.name, Missing::new().data());
    Outcome::done(text, data.into())
}

#[cfg(test)]
#[path = "tests/proxmox_generate_terraform.rs"]
mod tests;
