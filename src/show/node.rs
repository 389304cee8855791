//! What there is to know of a node beyond its figures.

use proxmox_api::{Method, methods};
use serde_json::Value;

use super::{fetch, figure, list, now, text};
use crate::cx::{Call, Cx};
use crate::dates;
use crate::error::Error;
use crate::missing::Missing;
use crate::pve::ids::NodeName;
use crate::table::{Cell, Column, Read, Table, column};
use crate::text as figures;
use crate::view::View;

fn about(method: &'static Method, node: &NodeName) -> Call {
    Call::of(method).at("node", node)
}

const SERVICES: &[Column] = &[
    column("Service", "service", Read::Words(40)),
    column("State", "state", Read::Words(20)),
    column("At boot", "unit-state", Read::Words(20)),
    column("What", "desc", Read::Words(60)),
];

/// Services, those that should run and do not first.
pub fn services(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let mut rows = fetch(cx, about(&methods::GET_NODES_NODE_SERVICES, node))?;
    let runs = |row: &Value| text(row, "state") == "running";
    let rank = |row: &Value| match (runs(row), text(row, "unit-state")) {
        (false, "enabled") => 0,
        (false, _) => 2,
        (true, _) => 1,
    };
    rows.sort_by(|a, b| (rank(a), text(a, "service")).cmp(&(rank(b), text(b, "service"))));
    let running = rows.iter().filter(|row| runs(row)).count();
    Ok(View::new(format!("🧩 Services of {node}"))
        .says("Running", format!("{running} of {}", rows.len()))
        .table(Table::of("services", SERVICES, &rows, now(cx))))
}

const UPDATES: &[Column] = &[
    column("Package", "Package", Read::Words(50)),
    column("Installed", "OldVersion", Read::Words(40)),
    column("New", "Version", Read::Words(40)),
    column("From", "Origin", Read::Words(20)),
];

/// Packages that can be updated, Proxmox's own first.
pub fn updates(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let mut rows = fetch(cx, about(&methods::GET_NODES_NODE_APT_UPDATE, node))?;
    let own = |row: &Value| text(row, "Origin") == "Proxmox";
    rows.sort_by_key(|row| (!own(row), text(row, "Package").to_owned()));
    let proxmox = rows.iter().filter(|row| own(row)).count();
    Ok(View::new(format!("📦 Updates for {node}"))
        .says("Waiting", format!("{} ({proxmox} of Proxmox)", figures::count(rows.len(), "package")))
        .table(Table::of("updates", UPDATES, &rows, now(cx))))
}

const VERSIONS: &[Column] = &[
    column("Package", "Package", Read::Words(50)),
    column("Version", "OldVersion", Read::Words(40)),
    column("Available", "Version", Read::Words(40)),
    column("State", "CurrentState", Read::Words(20)),
];

/// Versions of Proxmox's own packages.
pub fn versions(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let mut rows = fetch(cx, about(&methods::GET_NODES_NODE_APT_VERSIONS, node))?;
    let kernel = rows.iter().map(|row| text(row, "RunningKernel")).find(|kernel| !kernel.is_empty());
    let view = View::new(format!("🏷️ Package versions of {node}"))
        .known("Running kernel", kernel.map(|kernel| Cell::words(kernel, 60)));
    for row in &mut rows {
        let same = text(row, "OldVersion") == text(row, "Version") || text(row, "OldVersion").is_empty();
        let version = row.get("Version").cloned();
        if let (true, Some(fields)) = (same, row.as_object_mut()) {
            fields.insert("OldVersion".to_owned(), version.unwrap_or_default());
            fields.shift_remove("Version");
        }
    }
    Ok(view.table(Table::of("packages", VERSIONS, &rows, now(cx))))
}

const CERTIFICATES: &[Column] = &[
    column("File", "filename", Read::Words(40)),
    column("Ends", "notafter", Read::Ago),
    column("Subject", "subject", Read::Words(80)),
    column("Issuer", "issuer", Read::Words(80)),
    column("Names", "san", Read::Words(120)),
    column("Fingerprint", "fingerprint", Read::Words(100)),
];

/// Certificates, the one that ends first at the top.
pub fn certificates(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let mut rows = fetch(cx, about(&methods::GET_NODES_NODE_CERTIFICATES_INFO, node))?;
    rows.sort_by_key(|row| figure(row, "notafter").whole());
    Ok(View::new(format!("🔏 Certificates of {node}")).table(Table::of(
        "certificates",
        CERTIFICATES,
        &rows,
        now(cx),
    )))
}

const DISKS: &[Column] = &[
    column("Disk", "devpath", Read::Words(40)),
    column("Size", "size", Read::Bytes),
    column("Kind", "type", Read::Words(10)),
    column("Model", "model", Read::Words(50)),
    column("Health", "health", Read::Words(20)),
    column("Life left %", "wearout", Read::Words(10)),
    column("Used for", "used", Read::Words(30)),
];

/// Physical disks, those that are not well first.
pub fn disks(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let mut rows = fetch(cx, about(&methods::GET_NODES_NODE_DISKS_LIST, node))?;
    let well = |row: &Value| matches!(text(row, "health"), "PASSED" | "OK" | "UNKNOWN" | "");
    rows.sort_by_key(|row| (well(row), text(row, "devpath").to_owned()));
    let bad = rows.iter().filter(|row| !well(row)).count();
    let view = View::new(format!("💽 Disks of {node}"));
    let view = view.note_some((bad > 0).then(|| format!("{} not well", figures::count(bad, "disk"))));
    Ok(view.table(Table::of("disks", DISKS, &rows, now(cx))))
}

const ZFS: &[Column] = &[
    column("Pool", "name", Read::Words(40)),
    column("Health", "health", Read::Words(20)),
    column("Size", "size", Read::Bytes),
    column("Used", "alloc", Read::Bytes),
    column("Free", "free", Read::Bytes),
    column("Fragmented %", "frag", Read::Words(10)),
];

/// ZFS pools, those that are not well first.
pub fn zfs(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let mut rows = fetch(cx, about(&methods::GET_NODES_NODE_DISKS_ZFS, node))?;
    rows.sort_by_key(|row| (text(row, "health") == "ONLINE", text(row, "name").to_owned()));
    Ok(View::new(format!("💽 ZFS pools of {node}")).table(Table::of("ZFS pools", ZFS, &rows, now(cx))))
}

const NETWORK: &[Column] = &[
    column("Interface", "iface", Read::Words(20)),
    column("Type", "type", Read::Words(15)),
    column("Up", "active", Read::Flag),
    column("Address", "cidr", Read::Words(45)),
    column("IPv6", "cidr6", Read::Words(50)),
    column("Gateway", "gateway", Read::Words(45)),
    column("Ports", "bridge_ports", Read::Words(60)),
    column("Slaves", "slaves", Read::Words(60)),
    column("VLAN aware", "bridge_vlan_aware", Read::Words(5)),
    column("Comment", "comments", Read::Words(60)),
];

/// Network interfaces: those with an address first, then bridges, then the rest.
pub fn network(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let mut rows = fetch(cx, about(&methods::GET_NODES_NODE_NETWORK, node))?;
    let rank = |row: &Value| match (text(row, "cidr").is_empty(), text(row, "type")) {
        (false, _) => 0,
        (true, "bridge" | "bond" | "OVSBridge" | "OVSBond") => 1,
        _ => 2,
    };
    rows.sort_by_key(|row| (rank(row), text(row, "iface").to_owned()));
    Ok(View::new(format!("🌐 Network of {node}")).table(Table::of("interfaces", NETWORK, &rows, now(cx))))
}

/// Name servers.
pub fn dns(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let dns = cx.call(about(&methods::GET_NODES_NODE_DNS, node))?;
    let mut view =
        View::new(format!("🌐 Name servers of {node}")).words("Search domain", dns.get("search"), 100);
    for key in ["dns1", "dns2", "dns3"] {
        view = view.words("Server", dns.get(key), 60);
    }
    Ok(view)
}

/// The clock, compared with the one here.
pub fn time(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let time = cx.call(about(&methods::GET_NODES_NODE_TIME, node))?;
    let view = View::new(format!("🕰️ Time on {node}")).words("Time zone", time.get("timezone"), 60);
    let Some(there) = figure(&time, "time").whole() else { return Ok(view) };
    let off = there.abs_diff(now(cx));
    let drift =
        (off > 5).then(|| format!("{} away from the clock of this server", figures::duration(precise(off))));
    Ok(view.fact("Time", Cell::of(format!("{} UTC", dates::minute(there)), there)).note_some(drift))
}

#[expect(clippy::cast_precision_loss, reason = "a difference of clocks is far below 2^53")]
fn precise(seconds: u64) -> f64 {
    seconds as f64
}

/// The subscription; its key only as present.
pub fn subscription(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let row = cx.call(about(&methods::GET_NODES_NODE_SUBSCRIPTION, node))?;
    let key = !text(&row, "key").is_empty();
    Ok(View::new(format!("🧾 Subscription of {node}"))
        .words("Status", row.get("status"), 40)
        .words("Product", row.get("productname"), 80)
        .words("Level", row.get("level"), 20)
        .words("Sockets", row.get("sockets"), 10)
        .words("Due", row.get("nextduedate"), 20)
        .known("Key", key.then(|| Cell::own("set (not shown)")))
        .words("Message", row.get("message"), 200))
}

const PCI: &[Column] = &[
    column("Address", "id", Read::Words(20)),
    column("Device", "device_name", Read::Words(70)),
    column("Maker", "vendor_name", Read::Words(50)),
    column("IOMMU group", "iommugroup", Read::Words(6)),
    column("Mediated", "mdev", Read::Words(4)),
];

/// PCI and USB devices.
pub fn hardware(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let mut missing = Missing::new();
    let [usb, pci] = cx.all([
        about(&methods::GET_NODES_NODE_HARDWARE_USB, node),
        about(&methods::GET_NODES_NODE_HARDWARE_PCI, node),
    ]);
    if let (Err(_), Err(error)) = (&pci, &usb) {
        return Err(error.clone());
    }
    let mut rows = list(missing.take(&["PCI devices"], pci).unwrap_or_default());
    for device in list(missing.take(&["USB devices"], usb).unwrap_or_default()) {
        let at = format!(
            "usb {}-{}",
            figure(&device, "busnum").whole().unwrap_or_default(),
            text(&device, "usbpath")
        );
        let id =
            format!("{}:{} {}", text(&device, "vendid"), text(&device, "prodid"), text(&device, "product"));
        rows.push(serde_json::json!({"id": at, "device_name": id.trim(), "vendor_name": device.get("manufacturer")}));
    }
    let group = |row: &Value| figure(row, "iommugroup").value().filter(|group| *group >= 0.0).is_none();
    for row in rows.iter_mut().filter(|row| group(row)) {
        if let Some(fields) = row.as_object_mut() {
            fields.shift_remove("iommugroup");
        }
    }
    let view = View::new(format!("🔌 Hardware of {node}")).missing(missing);
    Ok(view.table(Table::of("devices", PCI, &rows, now(cx))))
}

const REPLICATION: &[Column] = &[
    column("Job", "id", Read::Words(30)),
    column("Guest", "guest", Read::Words(12)),
    column("To", "target", Read::Words(40)),
    column("Last", "last_sync", Read::Ago),
    column("Next", "next_sync", Read::Ago),
    column("Failures", "fail_count", Read::Words(8)),
    column("Error", "error", Read::Words(200)),
    column("Schedule", "schedule", Read::Words(30)),
];

/// Replication jobs that start here, failing ones first.
pub fn replication(cx: &Cx<'_>, node: &NodeName) -> Result<View, Error> {
    let mut rows = fetch(cx, about(&methods::GET_NODES_NODE_REPLICATION, node))?;
    rows.sort_by_key(|row| {
        (std::cmp::Reverse(figure(row, "fail_count").whole()), text(row, "id").to_owned())
    });
    let failing = rows.iter().filter(|row| figure(row, "fail_count").flag()).count();
    let view = View::new(format!("🔁 Replication from {node}"));
    let view = view.note_some(
        (failing > 0).then(|| format!("{} of {} fail", failing, figures::count(rows.len(), "job"))),
    );
    Ok(view.table(Table::of("replication jobs", REPLICATION, &rows, now(cx))))
}
