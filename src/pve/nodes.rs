//! Nodes: finding the one that is meant.

use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::pve::ids::NodeName;
use crate::pve::resources::Resource;

/// How many names an error lists.
const NAMED: usize = 20;

/// Whether the node of this row takes part in the cluster.
pub fn is_online(row: &Resource<'_>) -> bool {
    &*row.status == "online"
}

/// The nodes that are known not to be online. What the cluster says of their guests and storages is
/// old: Proxmox goes on reporting the last state for about five minutes.
#[derive(Debug)]
pub struct Offline<'r>(Vec<&'r str>);

impl<'r> Offline<'r> {
    /// Reads them from the rows of `/cluster/resources`.
    pub fn of(rows: &'r [Resource<'_>]) -> Offline<'r> {
        Offline(rows.iter().filter(|row| row.is_node() && !is_online(row)).map(|row| &*row.node).collect())
    }

    /// Whether this node is one of them.
    pub fn has(&self, node: &str) -> bool {
        self.0.contains(&node)
    }
}

/// The node that is meant, and its row: the one of this name, or the only one there is.
///
/// # Errors
/// [`Error::NotFound`] with the nearest names, or [`Error::Arguments`] if a name is needed.
pub fn choose<'r, 'a>(
    rows: &'r [Resource<'a>],
    wanted: Option<&NodeName>,
) -> Result<(NodeName, &'r Resource<'a>), Error> {
    let nodes: Vec<&Resource<'_>> = rows.iter().filter(|row| row.is_node()).collect();
    let row = match (wanted, nodes.as_slice()) {
        (_, []) => return Err(Error::NotFound("Proxmox VE shows no node to this API token.".to_owned())),
        (None, &[only]) => only,
        (None, several) => {
            return Err(Error::Arguments(format!(
                "`node` is needed: this cluster has {} nodes: {}.",
                several.len(),
                names(several)
            )));
        }
        (Some(wanted), all) => {
            let named = all.iter().find(|row| *row.node == *wanted.as_str());
            named.ok_or_else(|| unknown(wanted, all))?
        }
    };
    let odd = || Error::Unreachable("Proxmox VE gave a node a name that cannot be one.".to_owned());
    Ok((NodeName::parse(&row.node).ok_or_else(odd)?, row))
}

fn unknown(wanted: &NodeName, nodes: &[&Resource<'_>]) -> Error {
    let meant = nearest(wanted.as_str(), nodes.iter().map(|row| &*row.node));
    let meant = meant.map(|name| format!(" Did you mean `{}`?", foreign::name(name))).unwrap_or_default();
    Error::NotFound(format!("There is no node `{wanted}`.{meant} The nodes are: {}.", names(nodes)))
}

fn names(nodes: &[&Resource<'_>]) -> String {
    let mut names: Vec<String> = nodes.iter().take(NAMED).map(|row| foreign::name(&row.node)).collect();
    names.sort_unstable();
    if nodes.len() > NAMED {
        names.push(format!("and {} more", nodes.len() - NAMED));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose_from(json: &str, wanted: Option<&str>) -> Result<String, String> {
        let rows: Vec<Resource<'_>> = serde_json::from_str(json).unwrap();
        let wanted = wanted.map(|name| NodeName::parse(name).unwrap());
        let chosen = choose(&rows, wanted.as_ref());
        chosen.map(|(name, _)| name.to_string()).map_err(|error| error.to_string())
    }

    const TWO: &str = r#"[{"type":"node","node":"pve2","status":"offline"},{"type":"qemu","node":"x"},
        {"type":"node","node":"pve1","status":"online"}]"#;

    #[test]
    fn the_only_node_need_not_be_named() {
        assert_eq!(choose_from(r#"[{"type":"node","node":"pve1"}]"#, None).unwrap(), "pve1");
        let error = choose_from(TWO, None).unwrap_err();
        assert_eq!(error, "`node` is needed: this cluster has 2 nodes: pve1, pve2.");
        assert_eq!(choose_from(TWO, Some("pve2")).unwrap(), "pve2");
    }

    #[test]
    fn a_wrong_name_is_put_right() {
        let error = choose_from(TWO, Some("PVE1")).unwrap_err();
        assert!(error.contains("Did you mean `pve1`?") && error.ends_with("pve1, pve2."), "{error}");
        let error = choose_from(TWO, Some("storage9")).unwrap_err();
        assert!(!error.contains("Did you mean"), "{error}");
        assert!(choose_from("[]", None).unwrap_err().contains("no node"));
        assert!(choose_from(r#"[{"type":"node","node":"../x"}]"#, None).is_err());
    }

    #[test]
    fn only_a_node_that_is_listed_is_known_to_be_offline() {
        let rows: Vec<Resource<'_>> = serde_json::from_str(TWO).unwrap();
        let offline = Offline::of(&rows);
        assert!(offline.has("pve2") && !offline.has("pve1") && !offline.has("pve3"));
    }
}
