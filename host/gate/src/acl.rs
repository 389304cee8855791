//! The threat: a path that means more, or something else, than it seems to. ACL paths are parsed
//! into a closed set of shapes; what covers what is decided in [`AclPath::covers`] and nowhere else.

use crate::value;
use std::fmt;

/// The first segments that Proxmox's ACL paths have.
const AREAS: &[&str] = &["access", "mapping", "nodes", "pool", "sdn", "storage", "vms"];

/// A Proxmox ACL path, or a range of guests (`/vms/100-199`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclPath {
    text: String,
    /// First and last vmid, where the path is a range of guests.
    range: Option<(u32, u32)>,
}

/// What is wrong with a path: where, for how many characters, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathError {
    pub(crate) at: usize,
    pub(crate) len: usize,
    pub(crate) why: String,
}

impl AclPath {
    /// `/`, which covers every path.
    pub fn root() -> Self {
        AclPath { text: "/".to_owned(), range: None }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, PathError> {
        let fail = |at, len, why: String| Err(PathError { at, len, why });
        let Some(rest) = text.strip_prefix('/') else {
            return fail(0, text.len().max(1), format!("a path starts with a slash: write /{text}"));
        };
        if rest.is_empty() {
            return Ok(Self::root());
        }
        let mut at = 1;
        for segment in rest.split('/') {
            check_segment(segment).map_err(|why| PathError { at, len: segment.len().max(1), why })?;
            at += segment.len() + 1;
        }
        let (area, below) = rest.split_once('/').map_or((rest, None), |(area, below)| (area, Some(below)));
        if !AREAS.contains(&area) {
            return fail(1, area.len(), unknown_area(area));
        }
        let range = match below {
            None => None,
            Some(below) => {
                let at = area.len() + 2;
                check_below(area, below).map_err(|why| PathError { at, len: below.len(), why })?
            }
        };
        Ok(AclPath { text: text.to_owned(), range })
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a grant on this path holds on `path`: the same path, one above it, or a range that it lies in.
    pub fn covers(&self, path: &str) -> bool {
        if let Some((first, last)) = self.range {
            let vmid = path.strip_prefix("/vms/").and_then(value::vmid);
            return vmid.is_some_and(|vmid| (first..=last).contains(&vmid));
        }
        if self.text == "/" {
            return path.starts_with('/');
        }
        path.strip_prefix(self.text.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether a grant on this path could hold on a path that `template` (`/vms/{vmid}`) stands for.
    pub(crate) fn may_meet(&self, template: &str) -> bool {
        if self.covers(template) {
            return true;
        }
        let in_pools = template.starts_with("/vms/") || template.starts_with("/storage/");
        if in_pools && self.text.starts_with("/pool/") {
            return true;
        }
        let mut own = self.text.split('/');
        let mut of_template = template.split('/');
        loop {
            match (own.next(), of_template.next()) {
                (None, _) => return true,
                (Some(_), None) => return false,
                (Some(a), Some(b)) if a == b || b.starts_with('{') => {}
                _ => return false,
            }
        }
    }
}

impl fmt::Display for AclPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn check_segment(segment: &str) -> Result<(), String> {
    if segment.is_empty() {
        return Err("an empty segment: leave out the extra slash".to_owned());
    }
    if segment == "." || segment == ".." {
        return Err("dot segments mean nothing in a path: name the path itself".to_owned());
    }
    match segment.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.:@+!".contains(*c))) {
        Some(odd) => Err(format!("{odd:?} cannot stand in a path")),
        None => Ok(()),
    }
}

fn unknown_area(area: &str) -> String {
    match value::nearest(area, AREAS.iter().copied()) {
        Some(near) => format!("there are no paths below /{area}; did you mean /{near}?"),
        None => format!("there are no paths below /{area}; a path starts with one of /{}", AREAS.join(", /")),
    }
}

/// Checks what follows the area; gives the range where it is one.
fn check_below(area: &str, below: &str) -> Result<Option<(u32, u32)>, String> {
    match area {
        "vms" => check_guests(below),
        "nodes" => value::check_node(below).map(|()| None),
        "storage" if !value::is_storage(below) => Err(format!("{below:?} is not the name of a storage")),
        "pool" if !value::is_pool(below) => Err(format!("{below:?} is not the name of a pool")),
        _ => Ok(None),
    }
}

fn check_guests(below: &str) -> Result<Option<(u32, u32)>, String> {
    let wrong =
        || format!("{below:?} is not a vmid from 100 to 999999999, nor a range of them such as 100-199");
    let Some((first, last)) = below.split_once('-') else {
        return value::vmid(below).map(|_| None).ok_or_else(wrong);
    };
    let (first, last) = (value::vmid(first).ok_or_else(wrong)?, value::vmid(last).ok_or_else(wrong)?);
    if first > last {
        return Err(format!("the range is empty: write {last}-{first}"));
    }
    Ok(Some((first, last)))
}
