//! Which guest a request is about, as the host itself finds it: the tool has no say in that.

use proxmox_api::methods::GET_CLUSTER_RESOURCES;
use serde::{Deserialize, Serialize};

use crate::lookup::Lookup;
use crate::pools::Members;

/// A guest at the moment of the question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Its id.
    pub vmid: u32,
    /// Its name as Proxmox has it; empty where it has none.
    pub name: String,
    /// The node that it is on.
    pub node: String,
    /// Whether it is a container.
    pub container: bool,
}

/// A row of `GET /cluster/resources`.
#[derive(Deserialize)]
struct Row {
    vmid: Option<u32>,
    node: Option<String>,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: String,
}

/// Looks guests up through the operator's own grants (API: `GET /cluster/resources`), in the order of the
/// ids. Left out is one that there is not, or that may not be seen.
///
/// # Errors
/// A clause that says why they could not be looked up.
pub(crate) async fn look_up(
    lookup: &Lookup<'_>,
    pools: &Members,
    vmids: &[u32],
) -> Result<Vec<Guest>, String> {
    if vmids.is_empty() {
        return Ok(Vec::new());
    }
    let method = &GET_CLUSTER_RESOURCES;
    let body = lookup
        .read(method, "/cluster/resources?type=vm", pools)
        .await
        .map_err(|error| format!("{error:#}"))?;
    let cut = lookup.gate.filter(method, &body, pools);
    find(cut.as_deref().unwrap_or(&body), vmids)
}

/// The one of this id among some that were looked up.
pub(crate) fn of(guests: &[Guest], vmid: u32) -> Option<&Guest> {
    guests.iter().find(|guest| guest.vmid == vmid)
}

fn find(body: &[u8], vmids: &[u32]) -> Result<Vec<Guest>, String> {
    #[derive(Deserialize)]
    struct Answer {
        data: Vec<Row>,
    }
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|error| format!("the list of guests could not be understood: {error}"))?;
    let one = |vmid: &u32| {
        let row = answer.data.iter().find(|row| row.vmid == Some(*vmid))?;
        let name = row.name.clone().unwrap_or_default();
        Some(Guest { vmid: *vmid, name, node: row.node.clone()?, container: row.kind == "lxc" })
    };
    Ok(vmids.iter().filter_map(one).collect())
}
