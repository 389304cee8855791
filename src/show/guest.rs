//! How a guest is, and how it is set up.

use proxmox_api::methods;
use serde_json::Value;

use super::{fetch, figure, list, text};
use crate::cx::Cx;
use crate::error::Error;
use crate::foreign;
use crate::pve::config;
use crate::pve::guests::{Guest, GuestKind};
use crate::pve::resources::Figure;
use crate::secret::is_secret;
use crate::table::{self, Cell, Table};
use crate::text as figures;
use crate::view::View;

/// The most characters of one value of a configuration that are shown.
const SHOWN: usize = 300;
/// What stands for a secret that is set.
const PRESENT: &str = "set (not shown)";

/// The headline of a view of a guest.
pub fn heading(guest: &Guest, what: &str) -> String {
    let icon = if guest.kind == GuestKind::Vm { "🗃️" } else { "📦" };
    format!("{icon} {guest}{}{what}", if what.is_empty() { "" } else { ": " })
}

/// How the guest is right now (`GET .../status/current`).
pub fn status(cx: &Cx<'_>, guest: &Guest) -> Result<View, Error> {
    let call = guest.call(
        &methods::GET_NODES_NODE_QEMU_VMID_STATUS_CURRENT,
        &methods::GET_NODES_NODE_LXC_VMID_STATUS_CURRENT,
    );
    let now = cx.call(call)?;
    let state = foreign::state(text(&now, "status"));
    let deeper =
        Some(foreign::state(text(&now, "qmpstatus"))).filter(|qmp| !["unknown", state].contains(qmp));
    let shown =
        deeper.map_or(state.to_ascii_uppercase(), |qmp| format!("{} ({qmp})", state.to_ascii_uppercase()));
    let running = state == "running";
    let ha = now.get("ha").filter(|ha| figure(ha, "managed").flag());
    let view = View::new(heading(guest, ""))
        .fact("Status", Cell::of(shown, deeper.unwrap_or(state)))
        .says("Node", &guest.node)
        .known("Kind", guest.template.then(|| Cell::own(format!("{} template", guest.kind))))
        .words("Lock", now.get("lock"), 40);
    let view = if running { running_facts(view, &now) } else { view.known("Memory", memory(&now)) };
    Ok(view
        .known("Disk", disk(&now, guest.kind))
        .known("HA", ha.map(|ha| Cell::words(text(ha, "state"), 40)))
        .known("Guest Agent", (guest.kind == GuestKind::Vm).then(|| agent(&now)))
        .words(
            "Tags",
            now.get("tags").map(|tags| table::plain(Some(tags)).replace(';', ", ").into()).as_ref(),
            200,
        ))
}

fn running_facts(view: View, now: &Value) -> View {
    let whole = |key: &str| figure(now, key).value();
    let cpu = figure(now, "cpu").fraction();
    let cores = figure(now, "cpus").value();
    let cpu = cpu.map(|cpu| {
        let of = cores.map(|cores| format!(" of {}", cores_text(cores))).unwrap_or_default();
        Cell::of(format!("{}{of}", figures::percent(cpu)), table::rounded(cpu))
    });
    let pair = |label: &str, (a, b): (&str, &str)| {
        let (out, into) = whole(a).zip(whole(b))?;
        let text = format!(
            "{} {}, {} {}",
            figures::bytes(out),
            label.split('/').next()?,
            figures::bytes(into),
            label.split('/').nth(1)?
        );
        Some(Cell::own(format!("{text} since its start")))
    };
    view.known("Uptime", whole("uptime").map(|up| Cell::of(figures::uptime(up), up)))
        .known("CPU", cpu)
        .known("Memory", memory(now))
        .known("Network", pair("out/in", ("netout", "netin")))
        .known("Disk I/O", pair("written/read", ("diskwrite", "diskread")))
        .known("Pressure", pressure(now))
        .words("Machine", now.get("running-machine"), 60)
        .words("QEMU", now.get("running-qemu"), 40)
}

fn cores_text(cores: f64) -> String {
    if (cores - 1.0).abs() < 1e-9 { "1 core".to_owned() } else { format!("{cores} cores") }
}

fn memory(now: &Value) -> Option<Cell> {
    let total = figure(now, "maxmem").value()?;
    let used = figure(now, "mem").value().filter(|used| *used > 0.0);
    Some(match used {
        Some(used) => Cell::of(figures::usage(used, total), format!("{used} of {total} bytes")),
        None => Cell::of(figures::bytes(total), format!("{total} bytes")),
    })
}

/// A container's root disk in use; of a VM only the size of its disk is known here.
fn disk(now: &Value, kind: GuestKind) -> Option<Cell> {
    let total = figure(now, "maxdisk").value().filter(|total| *total > 0.0)?;
    let used = figure(now, "disk").value().filter(|used| *used > 0.0 && kind == GuestKind::Container);
    Some(match used {
        Some(used) => Cell::of(figures::usage(used, total), format!("{used} of {total} bytes")),
        None => Cell::of(figures::bytes(total), format!("{total} bytes")),
    })
}

/// How long tasks had to wait for CPU, memory and disk lately (PSI, in percent); Proxmox VE 9 and later.
fn pressure(now: &Value) -> Option<Cell> {
    let parts = [("CPU", "pressurecpusome"), ("memory", "pressurememorysome"), ("disk", "pressureiosome")];
    let part = |(label, key): &(&str, &str)| Some(format!("{label} {:.1}%", figure(now, key).value()?));
    let shown: Vec<String> = parts.iter().filter_map(part).collect();
    (!shown.is_empty()).then(|| Cell::own(format!("{} waiting", shown.join(", "))))
}

fn agent(now: &Value) -> Cell {
    Cell::own(if figure(now, "agent").flag() {
        "on in the configuration"
    } else {
        "off in the configuration"
    })
}

/// The configuration, with changes that wait for a restart (`GET .../pending`).
pub fn config(cx: &Cx<'_>, guest: &Guest) -> Result<View, Error> {
    let call =
        guest.call(&methods::GET_NODES_NODE_QEMU_VMID_PENDING, &methods::GET_NODES_NODE_LXC_VMID_PENDING);
    let mut rows = fetch(cx, call)?;
    rows.retain(|row| text(row, "key") != "digest");
    rows.sort_by_key(|row| natural(text(row, "key")));
    let waiting = rows.iter().filter(|row| waits(row)).count();
    let view = View::new(heading(guest, "configuration")).says("Node", &guest.node);
    let view = view.note_some((waiting > 0).then(|| {
        format!("{} for a restart: see \"after restart\"", figures::count(waiting, "change") + " wait(s)")
    }));
    Ok(view.table(settings("settings", &rows)))
}

/// What cloud-init is given (`GET .../cloudinit`).
pub fn cloudinit(cx: &Cx<'_>, guest: &Guest) -> Result<View, Error> {
    if guest.kind == GuestKind::Container {
        return Err(Error::Arguments(format!("{guest} is a container; cloud-init is for VMs.")));
    }
    let call = guest
        .call(&methods::GET_NODES_NODE_QEMU_VMID_CLOUDINIT, &methods::GET_NODES_NODE_QEMU_VMID_CLOUDINIT);
    let rows = list(cx.call(call)?);
    let waiting = rows.iter().any(waits);
    let view = View::new(heading(guest, "cloud-init")).says("Node", &guest.node);
    let waiting = waiting
        .then(|| "changes reach the guest when its cloud-init drive is made anew and it boots".to_owned());
    Ok(view.note_some(waiting).table(settings("cloud-init settings", &rows)))
}

/// Only settings with a change that waits for a restart.
pub fn pending(cx: &Cx<'_>, guest: &Guest) -> Result<View, Error> {
    let call =
        guest.call(&methods::GET_NODES_NODE_QEMU_VMID_PENDING, &methods::GET_NODES_NODE_LXC_VMID_PENDING);
    let mut rows = fetch(cx, call)?;
    rows.retain(waits);
    Ok(View::new(heading(guest, "pending changes")).table(settings("changes that wait for a restart", &rows)))
}

fn waits(row: &Value) -> bool {
    figure(row, "delete").flag()
        || row.get("pending").is_some_and(|pending| row.get("value") != Some(pending))
}

/// Rows of `key`, `value`, `pending` and `delete` as a table.
fn settings(what: &str, rows: &[Value]) -> Table {
    let mut table = Table::new(what, &[("Setting", "key"), ("Value", "value"), ("After restart", "pending")]);
    table.rows = rows
        .iter()
        .map(|row| {
            let key = text(row, "key");
            let pending = match (figure(row, "delete").flag(), waits(row)) {
                (true, _) => Cell::own("deleted"),
                (_, true) => setting(key, row.get("pending")),
                _ => Cell::default(),
            };
            vec![Cell::words(key, 60), setting(key, row.get("value")), pending]
        })
        .collect();
    table.without_empty_columns()
}

/// A value of the configuration; secrets only as present.
fn setting(key: &str, value: Option<&Value>) -> Cell {
    let plain = table::plain(value);
    match key {
        _ if plain.is_empty() => Cell::default(),
        _ if is_secret(key) => Cell::own(PRESENT),
        "env" => Cell::own(format!("{} (values not shown)", names(&plain))),
        "sshkeys" => Cell::own(figures::count(keys(&plain), "public key")),
        _ if config::properties(&plain).iter().any(|(name, _)| is_secret(name)) => {
            Cell::words(&without_secrets(&plain), SHOWN)
        }
        _ => Cell::words(&plain, SHOWN),
    }
}

/// Keys are kept percent-encoded, one a line.
fn keys(text: &str) -> usize {
    text.replace("%0A", "\n").replace("%0a", "\n").lines().filter(|line| !line.trim().is_empty()).count()
}

/// The names of environment variables, which are kept with a NUL between them.
fn names(text: &str) -> String {
    let names = text.split('\0').filter_map(|pair| pair.split('=').next());
    foreign::words(&names.collect::<Vec<_>>().join(", "), 200)
}

fn without_secrets(text: &str) -> String {
    let part = |part: &str| match part.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={PRESENT}"),
        _ => part.to_owned(),
    };
    text.split(',').map(part).collect::<Vec<_>>().join(",")
}

/// A key that sorts as people count: `net2` before `net10`.
fn natural(key: &str) -> (String, u64) {
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    (
        stem.to_owned(),
        Figure::of(key.strip_prefix(stem).map(Value::from).as_ref()).whole().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_only_present() {
        for (key, value, expected) in [
            ("cipassword", "hunter2", PRESENT),
            ("env", "A=hunter2\0B=hunter2", "A, B (values not shown)"),
            ("sshkeys", "ssh-ed25519%20AAAA%20a%0Assh-rsa%20BBBB%20b%0A", "2 public keys"),
            ("net0", "virtio=AA,bridge=vmbr0", "virtio=AA,bridge=vmbr0"),
            ("x", "a=1,token-secret=hunter2,b=2", "a=1,token-secret=set (not shown),b=2"),
        ] {
            let cell = setting(key, Some(&json!(value)));
            assert_eq!((cell.text.as_str(), cell.data.as_str()), (expected, expected), "{key}");
        }
    }

    #[test]
    fn keys_are_counted_as_people_count() {
        let mut keys = ["net10", "net2", "cores", "net0"];
        keys.sort_by_key(|key| natural(key));
        assert_eq!(keys, ["cores", "net0", "net2", "net10"]);
    }
}
