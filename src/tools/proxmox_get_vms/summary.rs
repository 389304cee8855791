//! Many guests: totals, those that are unlike the rest, and a page of short rows.

use std::collections::BTreeMap;

use super::*;

/// How many nodes the totals name.
const NODES: usize = 16;
/// How many guests that are unlike the rest are named.
const NOTABLE_SHOWN: usize = 6;
/// From this share on memory or processors in use are worth a mention.
const HIGH: f64 = 0.95;

/// The answer for more guests than can be shown in full.
pub(super) fn answer(params: &Params, guests: Vec<&Guest<'_>>) -> Result<Outcome, Error> {
    let totals = Totals::of(&guests);
    let notable = notable(&guests);
    let mut text = heading(guests.len(), totals.containers > 0);
    text += &totals.text(guests.len());
    text += &notable_text(&notable);
    let head = Data::new().always("total", guests.len()).always("running", totals.running);
    let head = head.always("notable", notable_data(&notable)).always("nodes", totals.nodes_data());
    let used = text.len() + Value::from(head.clone()).to_string().len() + 260;
    let cost = |guest: &&Guest<'_>| line(guest).len() + short(guest).to_string().len() + 1;
    let limit = params.limit.map(|limit| limit.0);
    let page = Page::fitting(guests, limit, params.cursor, BUDGET.saturating_sub(used), cost)?;
    text += "\n| Id | Name | Kind | Status | Node | CPU | Memory |\n|---|---|---|---|---|---|---|\n";
    text.extend(page.rows.iter().map(|guest| line(guest)));
    text += &page.footer("guests");
    text += "Narrow it: `node`, `kind`, `status`, `name`, `tag`, `pool`; `sort`, `limit`.\n";
    let rows: Vec<Value> = page.rows.iter().map(|guest| short(guest)).collect();
    let data = head
        .always("guests", rows)
        .always("left_out", page.left)
        .known("next_cursor", page.next.as_deref());
    Ok(Outcome::done(text, data.into()))
}

#[derive(Default)]
struct Totals<'r> {
    running: usize,
    containers: usize,
    templates: usize,
    statuses: BTreeMap<&'r str, usize>,
    nodes: BTreeMap<&'r str, (usize, usize)>,
}

impl<'r> Totals<'r> {
    fn of(guests: &[&'r Guest<'r>]) -> Totals<'r> {
        let mut totals = Totals::default();
        for guest in guests {
            let running = usize::from(guest.is_running());
            totals.running += running;
            totals.containers += usize::from(guest.kind() == GuestKind::Container);
            totals.templates += usize::from(guest.row.is_template());
            let status = if guest.last_known { "on offline nodes" } else { guest.status() };
            *totals.statuses.entry(status).or_default() += 1;
            let node = totals.nodes.entry(&guest.row.node).or_default();
            *node = (node.0 + 1, node.1 + running);
        }
        totals
    }

    /// The nodes with the most guests.
    fn fullest(&self) -> Vec<(&'r str, usize, usize)> {
        let mut nodes: Vec<_> = self.nodes.iter().map(|(node, (all, running))| (*node, *all, *running)).collect();
        if nodes.len() > NODES {
            nodes.sort_by_key(|(_, all, _)| std::cmp::Reverse(*all));
            nodes.truncate(NODES);
        }
        nodes
    }

    fn text(&self, all: usize) -> String {
        let statuses: Vec<String> = self.statuses.iter().map(|(status, count)| format!("{count} {status}")).collect();
        let templates = if self.templates > 0 { format!(", {} of them templates", self.templates) } else { String::new() };
        let kinds = format!("{} VMs and {} containers{templates}", all - self.containers, self.containers);
        let mut out = text::bullet("Guests", format_args!("{all}: {}", statuses.join(", ")));
        out += &text::bullet("Kinds", kinds);
        if self.nodes.len() > 1 {
            let node = |(node, all, running): &(&str, usize, usize)| format!("{} {running}/{all}", foreign::name(node));
            let nodes: Vec<String> = self.fullest().iter().map(node).collect();
            let more = self.nodes.len() - nodes.len();
            let more = if more > 0 { format!(" and {more} more nodes") } else { String::new() };
            out += &text::bullet("Running by node", format_args!("{}{more}", nodes.join(", ")));
        }
        out
    }

    fn nodes_data(&self) -> Vec<Value> {
        let node = |(node, all, running): &(&str, usize, usize)| {
            Data::new().always("node", foreign::line(node, 80)).always("guests", *all).always("running", *running).into()
        };
        if self.nodes.len() > 1 { self.fullest().iter().map(node).collect() } else { Vec::new() }
    }
}

type Notable<'r> = (Vec<(&'r Guest<'r>, String)>, usize);

/// Guests that are unlike the rest, the worst first, and how many there are in all.
fn notable<'r>(guests: &[&'r Guest<'r>]) -> Notable<'r> {
    let mut all: Vec<(u8, &Guest<'_>, String)> =
        guests.iter().filter_map(|guest| why(guest).map(|(rank, why)| (rank, *guest, why))).collect();
    all.sort_by_key(|(rank, guest, _)| (*rank, guest.vmid));
    let count = all.len();
    (all.into_iter().take(NOTABLE_SHOWN).map(|(_, guest, why)| (guest, why)).collect(), count)
}

fn why(guest: &Guest<'_>) -> Option<(u8, String)> {
    let row = guest.row;
    if guest.last_known {
        return None;
    }
    if !matches!(guest.status(), "running" | "stopped") {
        return Some((0, guest.status().to_owned()));
    }
    if !row.lock.is_empty() {
        return Some((1, format!("locked ({})", foreign::line(&row.lock, 40))));
    }
    let memory = row.memory().filter(|(_, total)| *total > 0.0).map(|(used, total)| used / total);
    let share = |what: &str, share: f64| format!("{what} {}", text::percent(share.min(1.0)));
    match (memory.filter(|share| *share >= HIGH), row.cpu.fraction().filter(|share| *share >= HIGH)) {
        _ if !guest.is_running() => None,
        (Some(memory), _) => Some((2, share("memory", memory))),
        (None, Some(cpu)) => Some((3, share("CPU", cpu))),
        (None, None) => None,
    }
}

fn notable_text((shown, all): &Notable<'_>) -> String {
    let mut out: String = shown
        .iter()
        .map(|(guest, why)| text::bullet("Notable", format_args!("{}: {}", label(&guest.row.name, guest.vmid), foreign::words(why, 80))))
        .collect();
    if *all > shown.len() {
        out += &text::bullet("Notable", format_args!("and {} more guests", all - shown.len()));
    }
    out
}

fn notable_data((shown, _): &Notable<'_>) -> Vec<Value> {
    let datum = |(guest, why): &(&Guest<'_>, String)| {
        Data::new().always("vmid", guest.vmid.number()).always("why", why.as_str()).into()
    };
    shown.iter().map(datum).collect()
}

/// A guest in one row.
fn line(guest: &Guest<'_>) -> String {
    let row = guest.row;
    let kind = if guest.kind() == GuestKind::Vm { "VM" } else { "CT" };
    let mut status = guest.status().to_owned();
    if guest.last_known {
        status += " (last known)";
    }
    if row.is_template() {
        status += ", template";
    }
    if !row.lock.is_empty() {
        status += &format!(", locked ({})", foreign::words(&row.lock, 40));
    }
    let running = guest.status() == "running";
    let cpu = row.cpu.fraction().filter(|_| running).map(text::percent).unwrap_or_default();
    let memory = match (row.memory(), row.maxmem.value()) {
        (Some((used, total)), _) if running => text::usage(used, total),
        (_, Some(total)) => text::bytes(total),
        _ => String::new(),
    };
    let (name, node) = (foreign::words(&row.name, 60), foreign::name(&row.node));
    format!("| {} | {name} | {kind} | {status} | {node} | {cpu} | {memory} |\n", guest.vmid)
}

/// The same for data.
fn short(guest: &Guest<'_>) -> Value {
    let row = guest.row;
    Data::new()
        .always("vmid", guest.vmid.number())
        .always("name", foreign::line(&row.name, 60))
        .always("kind", guest.kind().word())
        .always("node", foreign::line(&row.node, 80))
        .always("status", guest.status())
        .flagged("last_known", guest.last_known)
        .flagged("template", row.is_template())
        .said("lock", &foreign::line(&row.lock, 40))
        .known("cpu_fraction", row.cpu.fraction().map(rounded))
        .known("memory_used_bytes", row.mem.whole())
        .known("memory_total_bytes", row.maxmem.whole())
        .into()
}
