//! Requests: whatever the text, what the gate lets through stays on the node and guests that it may be
//! about, reads the same a second time, and changes nothing where nothing but reading is granted.

use super::Target;
use crate::oracle;
use proxmox_api::methods;
use proxmox_gate::{Gate, Grants, NoPools, Permit, RawRequest, Scope, Walls};
use std::sync::LazyLock;

pub(crate) const TARGET: Target = Target { name: "request", seeds, words: WORDS, run };

const LOGIN: &str = "root@pam!mcp";
const NODE: &str = "pve1";
const GUESTS: &[u32] = &[101, 102];

static READER: LazyLock<Gate> = LazyLock::new(|| Gate::new(Grants::basic(), Walls::default(), LOGIN));
static WALLED: LazyLock<Gate> = LazyLock::new(|| {
    let walls = Walls::parse(Some(NODE), Some("101-102")).unwrap_or_default();
    Gate::new(Grants::elevated(), walls, LOGIN)
});
static OPEN: LazyLock<Gate> = LazyLock::new(|| Gate::new(Grants::elevated(), Walls::default(), LOGIN));
static ANYTHING: LazyLock<Scope> = LazyLock::new(|| Scope::new(methods::ALL));
static SCOPED: LazyLock<Scope> =
    LazyLock::new(|| Scope::new(methods::ALL).on_node(NODE).on_guest(101).on_guest(102));

/// An input is three parts between line feeds: verb and path, content type, body.
fn parts(input: &[u8]) -> Option<(&str, &str, &str, &[u8])> {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let (head, kind, body) =
        (lines.next()?, lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let (verb, path) = std::str::from_utf8(head).ok()?.split_once(' ')?;
    Some((verb, path, std::str::from_utf8(kind).ok()?, body))
}

fn run(input: &[u8]) -> Result<String, String> {
    let Some((verb, path, kind, body)) = parts(input) else { return Ok("no request".to_owned()) };
    let content_type = (!kind.is_empty()).then_some(kind);
    let raw = RawRequest { verb, path_and_query: path, content_type, body };
    if let Ok(permit) = READER.check(&ANYTHING, raw, &NoPools)
        && !permit.verb().reads()
    {
        return Err(format!("reading alone was granted, and {} was permitted", permit.method()));
    }
    for (gate, scope) in [(&WALLED, &ANYTHING), (&OPEN, &SCOPED)] {
        if let Ok(permit) = gate.check(scope, raw, &NoPools) {
            stays_inside(&permit)?;
        }
    }
    let open = OPEN.check(&ANYTHING, raw, &NoPools);
    let verdict = OPEN.explain(&ANYTHING, raw, &NoPools);
    if verdict.outcome.as_ref().err() != open.as_ref().err() {
        return Err(format!("the verdict is {:?}, the check {:?}", verdict.outcome, open.err()));
    }
    match open {
        Ok(permit) => {
            reads_the_same_again(&permit)?;
            Ok(format!("permitted {} {}", permit.method(), names(&permit)))
        }
        Err(denied) => {
            let _ = (denied.to_string(), denied.remedy());
            let method = verdict.method.map(ToString::to_string).unwrap_or_default();
            Ok(format!("{} {method}", denied.code()))
        }
    }
}

/// The names of the parameters that go out: part of an outcome, so that new ones are walked into.
fn names(permit: &Permit) -> String {
    let form =
        permit.body().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    form.split('&').filter_map(|pair| pair.split('=').next()).collect::<Vec<_>>().join("&")
}

fn stays_inside(permit: &Permit) -> Result<(), String> {
    let body = permit.body().map(|(_, bytes)| bytes).unwrap_or_default();
    let seen = oracle::read(permit.path_and_query(), body)?;
    if let Some(node) = seen.nodes.iter().find(|node| *node != NODE) {
        return Err(format!("{} reaches node {node:?}", permit.path_and_query()));
    }
    if let Some(vmid) = seen.guests.iter().find(|vmid| !GUESTS.contains(vmid)) {
        let body = String::from_utf8_lossy(body);
        return Err(format!("{} {body} reaches guest {vmid}", permit.path_and_query()));
    }
    Ok(())
}

fn reads_the_same_again(permit: &Permit) -> Result<(), String> {
    let body = permit.body();
    oracle::read(permit.path_and_query(), body.map(|(_, bytes)| bytes).unwrap_or_default())?;
    let raw = RawRequest {
        verb: permit.verb().as_str(),
        path_and_query: permit.path_and_query(),
        content_type: body.map(|(kind, _)| kind),
        body: body.map(|(_, bytes)| bytes).unwrap_or_default(),
    };
    match OPEN.check(&ANYTHING, raw, &NoPools) {
        Ok(again) if again == *permit => Ok(()),
        Ok(again) => Err(format!("{} became {}", permit.path_and_query(), again.path_and_query())),
        Err(denied) => Err(format!("{} was refused the second time: {denied}", permit.path_and_query())),
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = methods::ALL
        .iter()
        .map(|method| {
            let path = method
                .path
                .replace("{node}", NODE)
                .replace("{vmid}", "101")
                .replace("{volume}", "vm-101-disk-0");
            let path =
                path.replace("{upid}", "UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:101:root@pam!mcp:");
            format!("{} /api2/json{}", method.verb, path.replace(['{', '}'], "")).into_bytes()
        })
        .collect();
    for (head, kind, body) in [
        ("GET /api2/json/cluster/resources?type=vm", "", ""),
        (
            "PUT /api2/json/nodes/pve1/qemu/101/config",
            FORM,
            "memory=64&scsi1=local-lvm%3A32&net0=virtio%2Cbridge%3Dvmbr0",
        ),
        (
            "PUT /api2/json/nodes/pve1/qemu/101/config",
            FORM,
            "scsi1=a1%3Avm-102-disk-0&ide2=a1%3Aiso%2Fa.iso%2Cmedia%3Dcdrom",
        ),
        (
            "PUT /api2/json/nodes/pve1/qemu/101/config",
            JSON,
            "{\"scsi1\":\"a1:0,import-from=a1:vm-102-disk-0\",\"onboot\":true}",
        ),
        (
            "POST /api2/json/nodes/pve1/qemu",
            FORM,
            "vmid=101&archive=b1%3Abackup%2Fvzdump-qemu-102-x.vma&pool=dev",
        ),
        (
            "POST /api2/json/nodes/pve1/lxc",
            FORM,
            "vmid=102&ostemplate=a1%3Avztmpl%2Fd.tar&mp0=a1%3Asubvol-101-disk-0%2Cmp%3D%2Fx",
        ),
        ("POST /api2/json/nodes/pve1/qemu/101/clone", FORM, "newid=102&target=pve1"),
        ("POST /api2/json/nodes/pve1/vzdump", FORM, "vmid=101%2C102&storage=b1"),
        ("POST /api2/json/nodes/pve1/qemu/101/move_disk", FORM, "disk=scsi0&target-vmid=102"),
        ("POST /api2/json/cluster/bulk-action/guest/start", JSON, "{\"vms\":[101,102]}"),
        (
            "POST /api2/json/cluster/ha/rules",
            FORM,
            "rule=r1&resources=vm%3A101%2Cct%3A102&type=node-affinity",
        ),
        ("PUT /api2/json/pools", FORM, "poolid=dev&vms=101&storage=a1"),
        (
            "POST /api2/json/nodes/pve1/qemu/101/agent/exec",
            JSON,
            "{\"command\":[\"id\",\"-u\"],\"input-data\":\"x\"}",
        ),
    ] {
        seeds.push(format!("{head}\n{kind}\n{body}").into_bytes());
    }
    seeds
}

const WORDS: &[&str] = &[
    "/",
    "//",
    "/..",
    "%2F",
    "%2e%2e",
    "%00",
    "%25",
    "%0a",
    ";",
    "&",
    "=",
    "+",
    "?",
    "\\",
    "#",
    "\n",
    "101",
    "102",
    "103",
    "999",
    "0101",
    "pve1",
    "pve2",
    "localhost",
    "/nodes/",
    "/qemu/",
    "/lxc/",
    "/config",
    "vmid=103",
    "node=pve2",
    "target=pve2",
    "newid=103",
    "target-vmid=103",
    "vms=103",
    "scsi0=",
    "unused0=",
    "mp0=",
    "archive=",
    "cdrom=",
    "import-from=",
    "file=",
    "volume=",
    "media=cdrom",
    "a1:vm-103-disk-0",
    "a1%3Avm-103-disk-0",
    "a1%3A103%2Fx.raw",
    "%2Cimport-from%3Da1%3Avm-103-d",
    "base-103-d/",
    "vzdump-qemu-103-x",
    "backup/vm/103/",
    "delete=",
    "revert=",
    "%2C",
    "%3D",
    "%3A",
    "none",
    "cloudinit",
    "UPID:",
    "application/json",
    "application/x-www-form-urlencoded",
    "{\"",
    "\":",
    "[",
    "]",
    "null",
    "true",
    "\u{661}",
    "\u{ff11}01",
    "1e2",
    "POST /",
    "PUT /",
    "DELETE /",
    "GET /",
    "all=1",
    "pool=dev",
    "exclude=103",
    "sid=vm:103",
    "resources=vm%3A103",
];
