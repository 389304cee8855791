//! `proxmox_get_metrics`: figures over time, as least, average, most and latest.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::pve::guests::{self, OriginalKind};
use crate::pve::ids::{NodeName, StorageId, Vmid};
use crate::pve::nodes::{self, Offline};
use crate::pve::resources::{self, Resource};
use crate::pve::series::{self, Series};
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Alias, Args, Hidden, Outcome, Tool, Toolset};

crate::words! {
    /// How far back.
    enum Timeframe {
        /// The last hour.
        Hour = "hour",
        /// The last day.
        Day = "day",
        /// The last week.
        Week = "week",
        /// The last month.
        Month = "month",
        /// The last year.
        Year = "year",
    }
}

crate::words! {
    /// What Proxmox makes of the points that it puts together.
    enum Fold {
        /// Their average.
        Average = "AVERAGE",
        /// The largest.
        Max = "MAX",
    }
}

crate::params! {
    /// Guest.
    vmid: Option<Vmid>,
    /// Node.
    node: Option<NodeName>,
    /// Storage.
    storage: Option<StorageId>,
    /// Timeframe.
    timeframe: Timeframe = Timeframe::Day,
    /// AVERAGE or MAX of each point's time.
    cf: Hidden<Fold>,
    /// Kind of the guest.
    r#type: Hidden<OriginalKind>,
}

const METRIC: Shape = Shape::Object(&[
    always("name", Shape::Text),
    always("unit", Shape::Text),
    always("min", Shape::Number),
    always("average", Shape::Number),
    always("max", Shape::Number),
    always("latest", Shape::Number),
]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_get_metrics",
    title: "Load over time",
    description: "Shows the load of a guest, node or storage over time.",
    toolset: Toolset::Overview,
    aliases: &[Alias::of("proxmox_get_rrd_data")],
    params: PARAMS,
    unlisted: &["storage"],
    output: Shape::Object(&[
        known("vmid", Shape::Count),
        known("name", Shape::Text),
        known("storage", Shape::Text),
        always("node", Shape::Text),
        always("timeframe", Shape::Text),
        always("points", Shape::Count),
        always("gaps", Shape::Count).about("points without figures"),
        known("from", Shape::Count).about("seconds since 1970"),
        known("to", Shape::Count),
        always("metrics", Shape::List(&METRIC)),
    ]),
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_RRDDATA,
        &methods::GET_NODES_NODE_QEMU_VMID_RRDDATA,
        &methods::GET_NODES_NODE_LXC_VMID_RRDDATA,
        &methods::GET_NODES_NODE_STORAGE_STORAGE_RRDDATA,
    ],
    run,
    ..Tool::PLAIN
};

/// What figures are of.
struct Subject {
    title: String,
    head: Data,
    call: Call,
}

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    if params.vmid.is_some() && params.storage.is_some() {
        return Err(Error::Arguments("Give either `vmid` or `storage`, not both.".to_owned()));
    }
    let subject = match (params.vmid, &params.storage) {
        (Some(vmid), _) => of_guest(cx, vmid, &params)?,
        (None, Some(storage)) => of_storage(cx, storage, params.node.as_ref())?,
        (None, None) => of_node(cx, params.node.as_ref()).map_err(|error| match error {
            Error::Arguments(text) if params.node.is_none() => {
                Error::Arguments(format!("Figures of what? Give `vmid`, `storage` or `node`. {text}"))
            }
            error => error,
        })?,
    };
    let call = subject
        .call
        .with("timeframe", params.timeframe.word())
        .with_some("cf", params.cf.get().map(|fold| fold.word()));
    let series = Series::read(&cx.call(call)?);
    let data = subject.head.always("timeframe", params.timeframe.word());
    let title = format!("📈 {} over the last {}\n", subject.title, params.timeframe.word());
    Ok(Outcome::done(format!("{title}{}", text_of(&series)), data_of(data, &series)))
}

fn of_guest(cx: &Cx<'_>, vmid: Vmid, params: &Params) -> Result<Subject, Error> {
    let guest = guests::locate(cx, vmid, params.node.as_ref())?;
    params.r#type.get().map_or(Ok(()), |kind| kind.check(&guest))?;
    Ok(Subject {
        title: guest.to_string(),
        head: Data::new()
            .always("vmid", vmid.number())
            .always("name", guest.name.as_str())
            .always("node", guest.node.as_str()),
        call: guest
            .call(&methods::GET_NODES_NODE_QEMU_VMID_RRDDATA, &methods::GET_NODES_NODE_LXC_VMID_RRDDATA),
    })
}

fn of_node(cx: &Cx<'_>, node: Option<&NodeName>) -> Result<Subject, Error> {
    let reply = cx.reply(Call::of(&methods::GET_CLUSTER_RESOURCES).with("type", "node"))?;
    let rows = resources::rows(&reply)?;
    let (node, row) = nodes::choose(&rows, node)?;
    if !nodes::is_online(row) {
        return Err(Error::Failed(format!("Node `{node}` is offline, so it cannot be asked for its figures.")));
    }
    Ok(Subject {
        title: format!("Node {node}"),
        head: Data::new().always("node", node.as_str()),
        call: Call::of(&methods::GET_NODES_NODE_RRDDATA).at("node", &node),
    })
}

/// A shared storage has the same figures on every node that has it; a local one is that of the node.
fn of_storage(cx: &Cx<'_>, storage: &StorageId, on: Option<&NodeName>) -> Result<Subject, Error> {
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    if on.is_some() {
        nodes::choose(&rows, on)?;
    }
    let offline = Offline::of(&rows);
    let all: Vec<&Resource<'_>> = rows.iter().filter(|row| row.is_storage()).collect();
    let here: Vec<&&Resource<'_>> = all
        .iter()
        .filter(|row| *row.storage == *storage.as_str() && on.is_none_or(|on| *row.node == *on.as_str()))
        .collect();
    let Some(first) = here.first() else { return Err(no_storage(storage, on, &all)) };
    if here.len() > 1 && !first.shared.flag() {
        let mut names: Vec<String> = here.iter().take(20).map(|row| foreign::name(&row.node)).collect();
        names.sort_unstable();
        return Err(Error::Arguments(format!(
            "`node` is needed: `{storage}` is a storage of its own on each of these nodes: {}.",
            names.join(", ")
        )));
    }
    let node = here.iter().filter(|row| !offline.has(&row.node)).find_map(|row| NodeName::parse(&row.node));
    let node = node.ok_or_else(|| Error::Failed(format!("The nodes of storage `{storage}` are offline.")))?;
    Ok(Subject {
        title: format!("Storage {storage} (asked {node})"),
        head: Data::new().always("storage", storage.as_str()).always("node", node.as_str()),
        call: Call::of(&methods::GET_NODES_NODE_STORAGE_STORAGE_RRDDATA)
            .at("node", &node)
            .at("storage", storage),
    })
}

fn no_storage(storage: &StorageId, on: Option<&NodeName>, all: &[&Resource<'_>]) -> Error {
    let known = nearest(storage.as_str(), all.iter().map(|row| &*row.storage));
    let meant = known
        .filter(|known| *known != storage.as_str())
        .map(|known| format!(" Did you mean {}?", foreign::code(known, 60)))
        .unwrap_or_default();
    let place = on.map(|node| format!(" on node `{node}`")).unwrap_or_default();
    Error::NotFound(format!(
        "There is no storage `{storage}`{place}, or the API token may not see it.{meant} `proxmox_get_storage` lists the \
         storages."
    ))
}

fn text_of(series: &Series) -> String {
    if series.metrics.is_empty() {
        return text::bullet("Note", "Proxmox VE has no figures of that time");
    }
    let mut out = String::new();
    if series.gaps > 0 {
        let gaps = format!("{} of {} without figures (off, or not recorded)", series.gaps, text::count(series.points, "point"));
        out += &text::bullet("Gaps", gaps);
    }
    out += "\n| | Min | Average | Max | Latest |\n|---|---|---|---|---|\n";
    for metric in &series.metrics {
        let values = [metric.min, metric.average, metric.max, metric.latest].map(|value| metric.unit.write(value));
        out += &format!("| {} | {} |\n", foreign::words(&metric.label, 40), values.join(" | "));
    }
    out
}

fn data_of(data: Data, series: &Series) -> Value {
    let metric = |metric: &series::Metric| {
        Value::from(
            Data::new()
                .always("name", foreign::line(&metric.name, 40))
                .always("unit", metric.unit.word())
                .always("min", metric.unit.datum(metric.min))
                .always("average", metric.unit.datum(metric.average))
                .always("max", metric.unit.datum(metric.max))
                .always("latest", metric.unit.datum(metric.latest)),
        )
    };
    let metrics: Vec<Value> = series.metrics.iter().map(metric).collect();
    data.always("points", series.points)
        .always("gaps", series.gaps)
        .known("from", series.span.map(|(from, _)| from))
        .known("to", series.span.map(|(_, to)| to))
        .always("metrics", metrics)
        .into()
}

#[cfg(test)]
#[path = "tests/proxmox_get_metrics.rs"]
mod tests;
