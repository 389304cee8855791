//! The threat: a grant that reaches further than the operator thought. An allow-list of nodes or
//! guests stands around all grants; no grant, no role and no elevated mode goes past it.

use crate::value;

/// The operator's allow-lists. The default has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walls {
    nodes: Option<Vec<String>>,
    guests: Option<Vec<(u32, u32)>>,
}

/// What is wrong with an allow-list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {why}")]
pub struct WallError {
    setting: &'static str,
    why: String,
}

impl Walls {
    /// Reads the values of `PROXMOX_NODE_ALLOWLIST` (`pve1,pve2`) and `PROXMOX_VMID_ALLOWLIST`
    /// (`100,200-299`). `None` is no list; entries are separated by commas or white space.
    ///
    /// # Errors
    /// [`WallError`] names the setting, the entry and what it should be. A list without an entry is
    /// an error too, since it could mean all or nothing.
    pub fn parse(nodes: Option<&str>, guests: Option<&str>) -> Result<Self, WallError> {
        let nodes = nodes.map(|text| read("PROXMOX_NODE_ALLOWLIST", text, "pve1,pve2", node)).transpose()?;
        let guests =
            guests.map(|text| read("PROXMOX_VMID_ALLOWLIST", text, "100,200-299", guests_of)).transpose()?;
        Ok(Walls { nodes, guests })
    }

    /// Whether there is a list of nodes.
    pub fn bounds_nodes(&self) -> bool {
        self.nodes.is_some()
    }

    /// Whether there is a list of guests.
    pub fn bounds_guests(&self) -> bool {
        self.guests.is_some()
    }

    /// Whether the node is inside.
    pub fn admits_node(&self, name: &str) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.iter().any(|node| node == name))
    }

    /// Whether the guest is inside.
    pub fn admits_guest(&self, vmid: u32) -> bool {
        self.guests.as_ref().is_none_or(|ranges| ranges.iter().any(|(a, b)| (*a..=*b).contains(&vmid)))
    }
}

fn read<T>(
    setting: &'static str,
    text: &str,
    example: &str,
    entry: fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, WallError> {
    let fail = |why| WallError { setting, why };
    let entries = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    let list = entries.map(entry).collect::<Result<Vec<_>, _>>().map_err(fail)?;
    if list.is_empty() {
        return Err(fail(format!("the list is empty; write for instance {example}, or remove the setting")));
    }
    Ok(list)
}

fn node(text: &str) -> Result<String, String> {
    value::check_node(text).map(|()| text.to_owned())
}

fn guests_of(text: &str) -> Result<(u32, u32), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (value::vmid(first), value::vmid(last)) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        _ => Err(format!(
            "{} is not a vmid from 100 to 999999999, nor a range such as 200-299",
            value::quote(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_list_admits_all_and_a_list_its_entries() {
        let open = Walls::default();
        assert!(
            open.admits_node("pve1")
                && open.admits_guest(100)
                && !open.bounds_nodes()
                && !open.bounds_guests()
        );
        let walls = Walls::parse(Some("pve1, pve2"), Some("101 200-299")).unwrap();
        assert!(walls.admits_node("pve2") && !walls.admits_node("pve3") && !walls.admits_node("PVE1"));
        for inside in [101, 200, 299] {
            assert!(walls.admits_guest(inside));
        }
        for outside in [100, 102, 199, 300] {
            assert!(!walls.admits_guest(outside));
        }
    }

    #[test]
    fn a_bad_list_is_an_error_that_names_the_setting() {
        for (nodes, guests, named) in [
            (Some(""), None, "PROXMOX_NODE_ALLOWLIST"),
            (Some("pve1,localhost"), None, "localhost"),
            (Some("pve1/pve2"), None, "pve1/pve2"),
            (None, Some(" , "), "PROXMOX_VMID_ALLOWLIST"),
            (None, Some("99"), "\"99\""),
            (None, Some("200-100"), "200-100"),
            (None, Some("*"), "*"),
        ] {
            let error = Walls::parse(nodes, guests).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
