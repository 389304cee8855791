//! `proxmox_find_place`: the nodes on which a new guest fits.

use proxmox_api::methods;
use serde_json::{Value, json};

use crate::cx::Cx;
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::pve::ids::{StorageId, Vmid};
use crate::pve::placement::{Place, Room, Wanted, places};
use crate::pve::resources::{self, Resource};
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Texts, Tool, Toolset, Whole};

const MIB: f64 = 1024.0 * 1024.0;
const GIB: f64 = 1024.0 * MIB;
/// How many nodes without room an answer names.
const REFUSED: usize = 8;

crate::words! {
    /// What is to be placed.
    enum Kind {
        /// A virtual machine.
        Vm = "vm",
        /// A container.
        Container = "container",
    }
}

crate::params! {
    /// In MiB.
    memory: Whole<16, 999_999_999>,
    /// Cores.
    cores: Option<Whole<1, 999_999_999>>,
    /// In GiB.
    disk: Option<Whole<1, 999_999_999>>,
    /// Its storage.
    storage: Option<StorageId>,
    /// What it will be.
    kind: Hidden<Kind>,
    /// Nodes or vmids.
    avoid: Option<Texts>,
    /// How many nodes to show.
    limit: Hidden<Whole<1, 1000>>,
}

impl Kind {
    /// What a storage has to hold for its disk.
    const fn content(self) -> &'static [&'static str] {
        match self {
            Kind::Vm => &["images"],
            Kind::Container => &["rootdir"],
        }
    }
}

impl Params {
    fn cores(&self) -> u32 {
        self.cores.map_or(1, |cores| cores.0)
    }
}

const PLACE: Shape = Shape::Object(&[
    always("node", Shape::Text),
    always("memory_used_fraction", Shape::Number).about("with the guest in place, as all figures"),
    always("memory_allocated_fraction", Shape::Number).about("given to running guests; over 1 is overcommitted"),
    always("cores_per_cpu", Shape::Number),
    always("cpu_fraction", Shape::Fraction).about("in use now"),
    known("storage", Shape::Text),
    known("storage_free_bytes", Shape::Count),
    known("storage_used_fraction", Shape::Fraction),
]);

const REFUSAL: Shape = Shape::Object(&[always("node", Shape::Text), always("reason", Shape::Text)]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_find_place",
    title: "Find place",
    description: "Ranks the nodes on which a new guest fits.",
    toolset: Toolset::ByName,
    params: PARAMS,
    explained: &["memory", "avoid"],
    output: Shape::Object(&[
        always("places", Shape::List(&PLACE)).about("best first"),
        always("left_out", Shape::Count),
        always("refused", Shape::List(&REFUSAL)),
        always("refused_total", Shape::Count),
    ]),
    calls: &[&methods::GET_CLUSTER_RESOURCES],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    if let Some(storage) = &params.storage {
        known_storage(storage.as_str(), &rows)?;
    }
    let wanted = Wanted {
        memory: f64::from(params.memory.0) * MIB,
        cores: f64::from(params.cores()),
        disk: params.disk.map_or(0.0, |disk| f64::from(disk.0) * GIB),
        storage: params.storage.as_ref().map(StorageId::as_str),
        content: params.kind.get().map_or(&["images", "rootdir"], |kind| kind.content()),
        avoid: params.avoid.iter().flat_map(|texts| &texts.0).map(|text| avoided(text, &rows)).collect::<Result<_, _>>()?,
    };
    let (fit, out) = places(&rows, &wanted);
    let limit = params.limit.get().map_or(5, |limit| usize::try_from(limit.0).unwrap_or(5));
    let shown: Vec<&Place<'_>> = fit.iter().take(limit).collect();
    let text = heading(&params, fit.len(), fit.len() + out.len())
        + &shown.iter().enumerate().map(|(number, place)| line(number + 1, place)).collect::<String>()
        + &refusals(&out)
        + if fit.len() > shown.len() { "\nThe others have less room; `limit` shows more.\n" } else { "" };
    let refused: Vec<Value> = out
        .iter()
        .take(REFUSED)
        .map(|(node, why)| json!({"node": foreign::line(node, 80), "reason": why}))
        .collect();
    let data = Data::new()
        .always("places", shown.iter().map(|place| datum(place)).collect::<Vec<_>>())
        .always("left_out", fit.len() - shown.len())
        .always("refused", refused)
        .always("refused_total", out.len());
    Ok(Outcome::done(text, data.into()))
}

/// The node that is to be avoided, named or by a guest on it, and why.
fn avoided(text: &str, rows: &[Resource<'_>]) -> Result<(String, String), Error> {
    let guest = crate::tool::whole(&Value::from(text)).and_then(Vmid::new);
    if let Some(vmid) = guest {
        let guest = crate::pve::guests::among(vmid, rows)?;
        return Ok((guest.node.to_string(), format!("guest {vmid} is there")));
    }
    let nodes = || rows.iter().filter(|row| row.is_node()).map(|row| &*row.node);
    if nodes().any(|node| node == text) {
        return Ok((text.to_owned(), "to be avoided".to_owned()));
    }
    let meant = nearest(text, nodes()).map(|node| format!(" Did you mean `{}`?", foreign::name(node))).unwrap_or_default();
    Err(Error::Arguments(format!(
        "`avoid` takes names of nodes and guest ids; {} is neither.{meant}",
        foreign::code(text, 60)
    )))
}

fn known_storage(wanted: &str, rows: &[Resource<'_>]) -> Result<(), Error> {
    let mut names: Vec<&str> = rows.iter().filter(|row| row.is_storage()).map(|row| &*row.storage).collect();
    names.sort_unstable();
    names.dedup();
    if names.contains(&wanted) {
        return Ok(());
    }
    let meant = nearest(wanted, names.iter().copied()).map(|name| format!(" Did you mean `{}`?", foreign::name(name)));
    let meant = meant.unwrap_or_default();
    Err(Error::NotFound(format!("There is no storage `{wanted}`, or the API token may not see it.{meant} `proxmox_get_storage` lists them.")))
}

fn heading(params: &Params, fit: usize, all: usize) -> String {
    let disk = params.disk.map_or(String::new(), |disk| format!(", {} disk", text::bytes(f64::from(disk.0) * GIB)));
    let memory = text::bytes(f64::from(params.memory.0) * MIB);
    let cores = text::count(usize::try_from(params.cores()).unwrap_or(usize::MAX), "core");
    let kind = params.kind.get().map_or("guest", |kind| kind.word());
    let none = if fit == 0 { "No node has room for it.\n" } else { "" };
    format!("📍 Place for a {kind} with {memory} memory, {cores}{disk}: {fit} of {} fit\n\n{none}", text::count(all, "node"))
}

fn line(number: usize, place: &Place<'_>) -> String {
    let storage = place.storage.map_or(String::new(), |Room { name, free, full, .. }| {
        format!(", {} {} full ({} free)", foreign::name(name), text::percent(full), text::bytes(free))
    });
    let over = if place.memory_allocated > 1.0 { " ⚠️ overcommitted" } else { "" };
    format!(
        "{number}. {}: memory {} in use, {} given{over}; {:.1} cores per CPU, CPU {} busy now{storage}\n",
        foreign::name(place.node),
        text::percent(place.memory_used),
        text::percent(place.memory_allocated),
        place.cores_ratio,
        text::percent(place.cpu)
    )
}

fn refusals(out: &[(&str, String)]) -> String {
    let mut lines: String =
        out.iter().take(REFUSED).map(|(node, why)| format!("🚫 {}: {why}\n", foreign::name(node))).collect();
    if out.len() > REFUSED {
        lines += &format!("🚫 and {} more\n", out.len() - REFUSED);
    }
    lines
}

fn datum(place: &Place<'_>) -> Value {
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    let storage = place.storage;
    Data::new()
        .always("node", foreign::line(place.node, 80))
        .always("memory_used_fraction", rounded(place.memory_used))
        .always("memory_allocated_fraction", rounded(place.memory_allocated))
        .always("cores_per_cpu", rounded(place.cores_ratio))
        .always("cpu_fraction", rounded(place.cpu))
        .known("storage", storage.map(|room| foreign::line(room.name, 80)))
        .known("storage_free_bytes", storage.map(|room| bytes(room.free)))
        .known("storage_used_fraction", storage.map(|room| rounded(room.full)))
        .into()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
fn bytes(free: f64) -> u64 {
    free as u64
}

#[cfg(test)]
#[path = "tests/proxmox_find_place.rs"]
mod tests;
