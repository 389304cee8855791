//! What a guest says of itself: a VM through its guest agent, a container through the host's kernel.

use proxmox_api::{Method, methods};
use serde_json::{Value, json};

use super::{figure, list, now, text};
use crate::cx::{Call, Cx};
use crate::dates;
use crate::error::Error;
use crate::missing::Missing;
use crate::pve::config::Config;
use crate::pve::guests::{Guest, GuestKind};
use crate::pve::quirks::Quirk;
use crate::show::guest::heading;
use crate::table::{Cell, Table};
use crate::text as figures;
use crate::view::View;

/// Addresses of the network cards.
pub fn addresses(cx: &Cx<'_>, guest: &Guest) -> Result<View, Error> {
    let cards = match guest.kind {
        GuestKind::Vm => result(cx, guest, &methods::GET_NODES_NODE_QEMU_VMID_AGENT_NETWORK_GET_INTERFACES)?,
        GuestKind::Container => cx.call(about(guest, &methods::GET_NODES_NODE_LXC_VMID_INTERFACES))?,
    };
    if guest.kind == GuestKind::Container && cards.is_null() {
        return Err(Error::Failed(format!(
            "{guest} is not running, so it has no addresses. {}",
            Quirk::NotRunning.advice()
        )));
    }
    let mut table =
        Table::new("network cards", &[("Card", "name"), ("Addresses", "addresses"), ("MAC", "mac")]);
    table.rows = list(cards).iter().filter(|card| text(card, "name") != "lo").map(card).collect();
    Ok(View::new(heading(guest, "addresses")).table(table))
}

fn card(card: &Value) -> Vec<Cell> {
    let address = |address: &Value| {
        let prefix = figure(address, "prefix").whole().map(|prefix| format!("/{prefix}")).unwrap_or_default();
        format!("{}{prefix}", text(address, "ip-address"))
    };
    let mut all = card.get("ip-addresses").cloned().map(list).unwrap_or_default();
    if all.is_empty() {
        // Proxmox VE 8 has a container's addresses here.
        let older = ["inet", "inet6"].into_iter().filter_map(|key| card.get(key).cloned());
        all = older.map(|address| json!({"ip-address": address})).collect();
    }
    // Link-local addresses lead nowhere; they come last.
    let (local, global): (Vec<String>, Vec<String>) =
        all.iter().map(address).partition(|address| address.starts_with("fe80:"));
    let addresses: Vec<String> = global.into_iter().chain(local).collect();
    vec![
        Cell::words(text(card, "name"), 40),
        Cell::words(&addresses.join(", "), 300),
        Cell::words(text(card, "hardware-address"), 40),
    ]
}

/// The operating system.
pub fn system(cx: &Cx<'_>, guest: &Guest) -> Result<View, Error> {
    let view = View::new(heading(guest, "operating system"));
    if guest.kind == GuestKind::Container {
        let config = Config::fetch(cx, guest)?;
        let of = |key: &str| config.text(key).map(Value::from);
        return Ok(view
            .words("System", of("ostype").as_ref(), 60)
            .words("Host name", of("hostname").as_ref(), 80)
            .words("Architecture", of("arch").as_ref(), 20)
            .note("from the configuration: Proxmox VE does not look into a container"));
    }
    let mut missing = Missing::new();
    let [system, name, zone] = cx.all([
        about(guest, &methods::GET_NODES_NODE_QEMU_VMID_AGENT_GET_OSINFO),
        about(guest, &methods::GET_NODES_NODE_QEMU_VMID_AGENT_GET_HOST_NAME),
        about(guest, &methods::GET_NODES_NODE_QEMU_VMID_AGENT_GET_TIMEZONE),
    ]);
    let system = system.map_err(|error| explained(error, guest))?;
    let name = missing.take(&["host name"], name);
    let zone = missing.take(&["time zone"], zone);
    let of = |value: &Value, key: &str| value.pointer(&format!("/result/{key}")).cloned();
    Ok(view
        .words("System", of(&system, "pretty-name").or(of(&system, "name")).as_ref(), 100)
        .words("Kernel", of(&system, "kernel-release").as_ref(), 100)
        .words("Architecture", of(&system, "machine").as_ref(), 20)
        .words("Host name", name.and_then(|name| of(&name, "host-name")).as_ref(), 80)
        .words("Time zone", zone.and_then(|zone| of(&zone, "zone")).as_ref(), 60)
        .missing(missing))
}

/// File systems and how full they are.
pub fn filesystems(cx: &Cx<'_>, guest: &Guest) -> Result<View, Error> {
    let view = View::new(heading(guest, "file systems"));
    let mut table = Table::new(
        "file systems",
        &[("Mounted at", "mountpoint"), ("Used", "used-bytes"), ("Size", "total-bytes"), ("Type", "type")],
    );
    if guest.kind == GuestKind::Container {
        let now = cx.call(about(guest, &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT))?;
        let (used, total) = (figure(&now, "disk").value(), figure(&now, "maxdisk").value());
        table.rows = vec![usage("/", used, total, "")];
        return Ok(view
            .note("only the root disk: Proxmox VE does not look into a container")
            .table(table.without_empty_columns()));
    }
    let mut all = list(result(cx, guest, &methods::GET_NODES_NODE_QEMU_VMID_AGENT_GET_FSINFO)?);
    let share = |row: &Value| Some(figure(row, "used-bytes").value()? / figure(row, "total-bytes").value()?);
    all.sort_by(|a, b| share(b).unwrap_or(-1.0).total_cmp(&share(a).unwrap_or(-1.0)));
    let row = |row: &Value| {
        usage(
            text(row, "mountpoint"),
            figure(row, "used-bytes").value(),
            figure(row, "total-bytes").value(),
            text(row, "type"),
        )
    };
    table.rows = all.iter().map(row).collect();
    Ok(view.table(table))
}

fn usage(place: &str, used: Option<f64>, total: Option<f64>, kind: &str) -> Vec<Cell> {
    let size = |size: Option<f64>| size.map_or(Cell::default(), |size| Cell::of(figures::bytes(size), size));
    let used = match used.zip(total.filter(|total| *total > 0.0)) {
        Some((used, total)) => {
            Cell::of(format!("{} ({})", figures::bytes(used), figures::percent(used / total)), used)
        }
        None => size(used),
    };
    vec![Cell::words(place, 80), used, size(total), Cell::words(kind, 20)]
}

/// Who is logged in.
pub fn users(cx: &Cx<'_>, guest: &Guest) -> Result<View, Error> {
    if guest.kind == GuestKind::Container {
        return Err(Error::Arguments(format!(
            "{guest} is a container; Proxmox VE knows the users of VMs only."
        )));
    }
    let all = list(result(cx, guest, &methods::GET_NODES_NODE_QEMU_VMID_AGENT_GET_USERS)?);
    let mut table =
        Table::new("logged-in users", &[("User", "user"), ("Domain", "domain"), ("Since", "login-time")]);
    let row = |row: &Value| {
        let since = row.get("login-time").and_then(Value::as_f64).map(whole);
        let since = since.map_or(Cell::default(), |since| Cell::of(dates::ago(now(cx), since), since));
        vec![Cell::words(text(row, "user"), 60), Cell::words(text(row, "domain"), 60), since]
    };
    table.rows = all.iter().map(row).collect();
    Ok(View::new(heading(guest, "users")).table(table.without_empty_columns()))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
fn whole(seconds: f64) -> u64 {
    seconds as u64
}

/// What the agent answers.
fn result(cx: &Cx<'_>, guest: &Guest, method: &'static Method) -> Result<Value, Error> {
    let mut answer = cx.call(about(guest, method)).map_err(|error| explained(error, guest))?;
    Ok(answer.get_mut("result").map(Value::take).unwrap_or_default())
}

fn about(guest: &Guest, method: &'static Method) -> Call {
    Call::of(method).at("node", &guest.node).at("vmid", &guest.vmid)
}

/// Why the agent did not answer, and what to do.
fn explained(error: Error, guest: &Guest) -> Error {
    let Error::Refused(refusal) = &error else { return error };
    let why = match refusal.quirk() {
        Some(Quirk::AgentOff) => "the guest agent is turned off in the configuration",
        Some(Quirk::AgentSilent) => "the guest agent is turned on but does not answer",
        Some(Quirk::AgentTimeout) => "the guest agent did not answer in time",
        Some(Quirk::NotRunning) => "it is not running",
        _ if refusal.message.contains("has not been found") || refusal.message.contains("is not enabled") => {
            return Error::Failed(format!(
                "{guest} did not answer: its guest agent does not do this: {}.",
                crate::foreign::words(&refusal.message, 200).trim_end_matches('.')
            ));
        }
        _ => return error,
    };
    let advice = refusal.quirk().map(|quirk| quirk.advice().replace("VMID", &guest.vmid.to_string()));
    Error::Failed(format!("{guest} could not be asked: {why}. {}", advice.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_lead_somewhere_come_first() {
        let cells = card(&json!({"name": "eth0", "hardware-address": "aa", "ip-addresses": [
            {"ip-address": "fe80::1", "prefix": 64}, {"ip-address": "10.0.0.5", "prefix": 24}, {"ip-address": "x\u{1b}[2J"}
        ]}));
        assert_eq!(cells[1].data, "10.0.0.5/24, x, fe80::1/64");
    }
}
