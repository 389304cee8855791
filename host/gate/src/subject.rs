//! The threat: a request that names a guest or node somewhere else than in the path, to get past an
//! allow-list or the call's own scope. Every parameter whose type can hold a node, a guest or a volume of
//! one is read.

use crate::demand::words;
use crate::denied::{Denied, Subject};
use crate::params;
use crate::request::Request;
use crate::value::{self, Upid};
use crate::{demand, volume};
use proxmox_api::{Kind, Param};

/// The nodes and guests that a request names.
#[derive(Default)]
pub(crate) struct Subjects {
    /// In the path and in the parameters that the method demands: what the request is about.
    pub(crate) main: Vec<Subject>,
    /// In parameters that may be left out, and in the one that a new container is made from: what it also
    /// touches. Naming one here narrows nothing, but for the parameters that [`demand::narrowed_by`] knows.
    pub(crate) further: Vec<Subject>,
}

impl Subjects {
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Subject> {
        self.main.iter().chain(&self.further)
    }
}

/// Reads them from the path and from every parameter.
pub(crate) fn subjects(request: &Request) -> Result<Subjects, Denied> {
    let of_path = request.path.iter().map(|(name, text)| (*name, text.as_str()));
    let of_params = request
        .params
        .iter()
        .flat_map(|(name, texts)| texts.iter().map(|text| (name.as_str(), text.as_str())));
    let mut subjects = Subjects::default();
    let narrowed_by = demand::narrowed_by(request);
    for (name, text) in of_path.chain(of_params) {
        let Some(param) = request.method.param(name) else { continue };
        let in_path = request.path.iter().any(|(own, _)| *own == name);
        // Demanded, and yet only read from: a container is made of a backup as a VM is of its `archive`.
        let is_source = param.name == "ostemplate";
        let is_main = in_path || !param.optional && !is_source || narrowed_by == Some(param.name);
        let found = if is_main { &mut subjects.main } else { &mut subjects.further };
        read(param, text, found).map_err(|why| Denied::BadParameter {
            method: request.method,
            name: name.to_owned(),
            why,
        })?;
    }
    Ok(subjects)
}

fn read(param: &Param, text: &str, found: &mut Vec<Subject>) -> Result<(), String> {
    match params::param_kind(param) {
        Kind::Integer { min: Some(100), max: Some(999_999_999) } => found.push(guest(text)?),
        Kind::String { format, .. } => read_text(param.name, format, text, found)?,
        _ => {}
    }
    Ok(())
}

fn read_text(name: &str, format: &str, text: &str, found: &mut Vec<Subject>) -> Result<(), String> {
    match (format, name) {
        ("pve-node", "clustername") => {}
        ("pve-node", _) => found.push(node(text)?),
        ("pve-node-list", _) => extend(found, words(text).map(node))?,
        ("pve-ha-node-list", _) => extend(found, words(text).map(|word| node(before(word, ':'))))?,
        ("pve-vmid-list", _) => extend(found, words(text).map(guest))?,
        ("pve-ha-resource-or-vm-id" | "pve-ha-resource-id-list", _) => {
            extend(found, words(text).map(|word| guest(after(word, ':'))))?;
        }
        ("pve-replication-job-id", _) => found.push(guest(before(text, '-'))?),
        (_, "upid") => found.extend(Upid::parse(text).and_then(|upid| upid.vmid()).map(Subject::Guest)),
        (_, "volume" | "volid" | "filename") => owners(found, volume::owners(text)),
        ("{}" | "pve-volume-id" | "pve-qm-ide" | "pve-qm-cicustom", _) | (_, "archive" | "ostemplate") => {
            owners(found, volume::owners_in(text));
        }
        _ => {}
    }
    Ok(())
}

fn extend(
    found: &mut Vec<Subject>,
    more: impl Iterator<Item = Result<Subject, String>>,
) -> Result<(), String> {
    for subject in more {
        found.push(subject?);
    }
    Ok(())
}

fn node(text: &str) -> Result<Subject, String> {
    value::check_node(text).map(|()| Subject::Node(text.to_owned()))
}

fn guest(text: &str) -> Result<Subject, String> {
    value::vmid(text).map(Subject::Guest).ok_or_else(|| format!("{} is not a vmid", value::quote(text)))
}

fn owners(found: &mut Vec<Subject>, vmids: Vec<u32>) {
    found.extend(vmids.into_iter().map(Subject::Guest));
}

fn before(text: &str, mark: char) -> &str {
    text.split_once(mark).map_or(text, |(head, _)| head)
}

fn after(text: &str, mark: char) -> &str {
    text.split_once(mark).map_or(text, |(_, tail)| tail)
}
