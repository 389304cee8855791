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

/// Looks a guest up through the operator's own grants (API: `GET /cluster/resources`). `None`: there is
/// no such guest, or it may not be seen.
///
/// # Errors
/// A clause that says why it could not be looked up.
pub(crate) async fn look_up(
    lookup: &Lookup<'_>,
    pools: &Members,
    vmid: u32,
) -> Result<Option<Guest>, String> {
    let method = &GET_CLUSTER_RESOURCES;
    let body = lookup
        .read(method, "/cluster/resources?type=vm", pools)
        .await
        .map_err(|error| format!("{error:#}"))?;
    let cut = lookup.gate.filter(method, &body, pools);
    find(cut.as_deref().unwrap_or(&body), vmid)
}

fn find(body: &[u8], vmid: u32) -> Result<Option<Guest>, String> {
    #[derive(Deserialize)]
    struct Answer {
        data: Vec<Row>,
    }
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|error| format!("the list of guests could not be understood: {error}"))?;
    let row = answer.data.into_iter().find(|row| row.vmid == Some(vmid));
    Ok(row.and_then(|row| {
        let container = row.kind == "lxc";
        Some(Guest { vmid, name: row.name.unwrap_or_default(), node: row.node?, container })
    }))
}
