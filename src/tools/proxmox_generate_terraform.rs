//! `proxmox_generate_terraform`: guests that are there as code for Terraform or OpenTofu.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::Cx;
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::listing::{Cursor, LINK, Page};
use crate::missing::{self, Missing};
use crate::pve::guests::{Guest, GuestKind, OriginalKind};
use crate::pve::ids::{NodeName, Vmid};
use crate::pve::nodes::Offline;
use crate::pve::resources::{self, Resource};
use crate::shape::{Shape, always, known};
use crate::terraform;
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset, Whole};
use crate::view::BUDGET;

/// How many guests are exported without a filter; of more there is a summary.
const UNFILTERED: usize = 20;
/// How many guests are asked for at most where nobody says how many; fewer are shown where they are long.
const ASKED: usize = 4;
/// What headings and the line that leads on take, in bytes.
const FRAME: usize = 420;
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
    let limit = params.limit.get().map(|limit| usize::try_from(limit.0).unwrap_or(usize::MAX));
    let from = params.cursor.map_or(0, Cursor::position);
    let asked: Vec<&Wanted> = wanted.iter().skip(from).take(limit.unwrap_or(ASKED)).collect();
    let mut exports = exported(cx, &rows, &asked);
    if let Some(error) = failure(&mut exports) {
        return Err(error);
    }
    let provider = provider(&params);
    if limit.is_none() {
        exports.truncate(fitting(&exports, &provider));
    }
    let page = Page::of(wanted, u32::try_from(exports.len()).unwrap_or(u32::MAX), params.cursor)?;
    let (mut parts, mut done, mut missing) = (Vec::from_iter(provider), Vec::new(), Missing::new());
    for ((guest, _), export) in page.rows.iter().zip(exports) {
        match export {
            Ok(code) => {
                parts.push(code);
                done.push(guest.vmid.number());
            }
            Err(why) => missing.note_one(guest.to_string(), why.brief()),
        }
    }
    let hcl = parts.join("\n");
    let mut text = format!("🏗️ {} as code ({})\n", text::count(done.len(), "guest"), params.format().word());
    text += &missing.lines();
    text += &text::bullet("Next", "review it, then `plan`: it should import and change nothing that matters");
    text += &format!("\n{}\n", foreign::fenced(&hcl));
    text += &page.footer("guests");
    if page.next.is_some() && limit.is_none() {
        text += "`limit` = 25 gives more of them at once.\n";
    }
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

/// A guest as code, or why there is none.
type Export = Result<String, Error>;

/// Each of these guests as code.
fn exported(cx: &Cx<'_>, rows: &[Resource<'_>], guests: &[&Wanted]) -> Vec<Export> {
    let offline = Offline::of(rows);
    let is_there = |guest: &Guest| !offline.has(guest.node.as_str());
    let call = |guest: &Guest| {
        guest.call(&methods::GET_NODES_NODE_QEMU_VMID_CONFIG, &methods::GET_NODES_NODE_LXC_VMID_CONFIG)
    };
    let calls = guests.iter().filter(|(guest, _)| is_there(guest)).map(|(guest, _)| call(guest)).collect();
    let mut replies = cx.replies(calls).into_iter();
    let export = |(guest, running): &&Wanted| {
        if !is_there(guest) {
            return Err(Error::Failed("its node is offline".to_owned()));
        }
        let reply = replies.next().unwrap_or_else(|| Err(Error::Defect("an answer is missing".to_owned())));
        match reply?.data()? {
            Value::Object(config) => Ok(terraform::guest(guest, *running, config).written()),
            _ => Err(Error::Failed("its configuration cannot be understood".to_owned())),
        }
    };
    guests.iter().map(export).collect()
}

/// What Proxmox VE or the way to it said, where nothing else came.
fn failure(exports: &mut Vec<Export>) -> Option<Error> {
    if exports.iter().any(Result::is_ok) {
        return None;
    }
    // What is not known here is no failure.
    let is_said = |export: &Export| !matches!(export, Err(Error::Failed(_)));
    let place = exports.iter().position(is_said)?;
    exports.swap_remove(place).err()
}

/// Provider and variables, which begin the first page.
fn provider(params: &Params) -> Option<String> {
    let version = match params.format() {
        Format::Terraform => ">= 1.5",
        Format::OpenTofu => ">= 1.6",
    };
    let wanted = params.cursor.is_none() && params.include_provider.get() != Some(&false);
    wanted.then(|| terraform::provider(version).written())
}

/// How many of these fit into a small answer, in which the code stands as text and as data; one at least.
fn fitting(exports: &[Export], provider: &Option<String>) -> usize {
    let cost = |code: &String| code.len() + Value::from(code.as_str()).to_string().len();
    let mut left = BUDGET.saturating_sub(FRAME + LINK + provider.as_ref().map_or(0, cost));
    let fits = |export: &&Export| {
        let rest = left.checked_sub(export.as_ref().map_or(200, cost));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    exports.iter().take_while(fits).count().max(1)
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
