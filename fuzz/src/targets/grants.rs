//! Grants: a text that is taken means what it says and nothing more; one that is refused is pointed at.

use super::Target;
use proxmox_gate::{Grant, GrantError, Grants, NoPools};

pub(crate) const TARGET: Target = Target { name: "grants", seeds, words: WORDS, run };

/// Paths that are held against each grant.
const PATHS: &[&str] = &[
    "/",
    "/vms",
    "/vms/101",
    "/vms/102",
    "/vms/1010",
    "/vms/999999999",
    "/nodes/pve1",
    "/nodes/pve10",
    "/storage/a1",
    "/pool/dev",
    "/pool/dev/web",
    "/pool/devel",
    "/sdn/zones/localnetwork/vmbr0",
    "/mapping/pci/gpu",
    "/access",
];

fn run(input: &[u8]) -> Result<String, String> {
    let Ok(text) = std::str::from_utf8(input) else { return Ok("no text".to_owned()) };
    let one = text.parse::<Grant>();
    match &one {
        Ok(grant) => means_what_it_says(grant)?,
        Err(error) => is_pointed_at(text, error)?,
    }
    match Grants::parse_list(text) {
        Ok(grants) => {
            grants.iter().try_for_each(means_what_it_says)?;
            let shapes: Vec<String> = grants.iter().map(|grant| shape(&grant.to_string())).collect();
            Ok(format!("{} {}", shapes.len().min(3), shapes.first().cloned().unwrap_or_default()))
        }
        Err(error) => {
            is_pointed_at(text, &error)?;
            Ok(shape(error.reason()))
        }
    }
}

/// A grant with its letters and digits made alike: what kind of outcome it is.
fn shape(text: &str) -> String {
    let mut shape: String = text.chars().take(40).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape.retain(|c| !c.is_control());
    shape
}

fn means_what_it_says(grant: &Grant) -> Result<(), String> {
    let text = grant.to_string();
    if text.parse::<Grant>().as_ref() != Ok(grant) {
        return Err(format!("{text:?} reads differently the second time"));
    }
    let mut grants = Grants::default();
    grants.add(&text).map_err(|error| format!("{text:?} is a grant and no list of grants: {error}"))?;
    let (_, path) = text.split_once('@').ok_or_else(|| format!("{text:?} has no path"))?;
    for asked in PATHS {
        for privilege in ["VM.Audit", "Sys.Modify"] {
            let covered = grants.covers(privilege, asked, &NoPools).is_some();
            let expected = reaches(path, asked) && grant.privileges().contains(&privilege);
            if covered != expected {
                return Err(format!("{text:?} on {asked}: {covered}, should be {expected}"));
            }
        }
    }
    Ok(())
}

/// Whether a grant on `path` holds on `asked`, read off the texts alone.
fn reaches(path: &str, asked: &str) -> bool {
    let range = path.strip_prefix("/vms/").and_then(|below| below.split_once('-'));
    if let Some((first, last)) = range {
        let number = |text: &str| text.parse::<u32>().ok();
        let vmid = asked.strip_prefix("/vms/").and_then(number);
        return vmid.zip(number(first)).zip(number(last)).is_some_and(|((v, a), b)| a <= v && v <= b);
    }
    path == "/" || asked == path || asked.starts_with(&format!("{path}/"))
}

fn is_pointed_at(text: &str, error: &GrantError) -> Result<(), String> {
    let (line, column) = error.position();
    let Some(shown) = text.split('\n').nth(line - 1) else {
        return Err(format!("{text:?}: the fault is in line {line}, which is not there"));
    };
    if column > shown.chars().count() + 1 || error.at() > text.chars().count() {
        return Err(format!("{text:?}: the fault is at {line}:{column}, outside the text"));
    }
    if error.to_string().lines().count() < 2 {
        return Err(format!("{text:?}: the error does not show the text"));
    }
    Ok(())
}

fn seeds() -> Vec<Vec<u8>> {
    [
        "VM.PowerMgmt@/vms/101",
        "PVEVMUser@/pool/dev",
        "VM.*@/vms/100-199",
        "Sys.Audit@/",
        "VM.Monitor@/vms",
        "Administrator@/",
        "VM.Audit@/vms/101, Sys.Modify@/nodes/pve1 # a comment\nDatastore.Audit@/storage/a1",
        "VM.PowerMgnt@/vms/101",
        "SDN.Use@/sdn/zones/localnetwork/vmbr0/20",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

const WORDS: &[&str] = &[
    "@",
    "/",
    "@/",
    "/vms",
    "/vms/",
    "/vms/101",
    "/vms/100-199",
    "-",
    "199-100",
    "/nodes/",
    "/pool/",
    "/storage/",
    "/sdn",
    "/mapping",
    "/access",
    "..",
    ".",
    "*",
    "VM.*",
    "VM.Config.*",
    "VM.Audit",
    "Sys.Modify",
    "PVEAdmin",
    "NoAccess",
    ",",
    " ",
    "\n",
    "\r",
    "\t",
    "#",
    "\u{3000}",
    "é",
    "0101",
    "999999999",
    "1000000000",
    "localhost",
    "\u{661}",
];
