//! Resources: calls of tools that change nothing, by URI, with all their pages.

use serde_json::{Map, Value, json};

use super::calls::fault;
use super::revision::Revision;
use super::rpc::Fault;
use super::{Server, pages};
use crate::catalogue;
use crate::cx::encode_into;
use crate::door::Failure;
use crate::resources::{self, MIME_TYPE, OF_TOOLS};

impl Server<'_> {
    /// The resources that have a URI of their own, as far as their tools are left and granted.
    pub(super) fn resources(&self) -> Vec<Value> {
        let listed = resources::all().iter().filter(|resource| self.offers(resource.tool));
        listed
            .map(|resource| {
                json!({
                    "uri": resource.uri,
                    "name": resource.name,
                    "title": resource.title,
                    "description": resource.description,
                    "mimeType": resource.mime_type,
                })
            })
            .collect()
    }

    /// How the URIs of all others are made.
    pub(super) fn templates(&self) -> Vec<Value> {
        let listed = resources::templates()
            .iter()
            .filter(|template| template.tool.is_empty() || self.offers(template.tool));
        listed
            .map(|template| {
                json!({
                    "uriTemplate": template.uri_template,
                    "name": template.name,
                    "title": template.title,
                    "description": template.description,
                    "mimeType": template.mime_type,
                })
            })
            .collect()
    }

    /// Reads the resource that `uri` names: all that its tool has to say, as JSON.
    ///
    /// # Errors
    /// For a URI that names none, and where the call fails.
    pub(super) fn read(&self, params: &Map<String, Value>, revision: Revision) -> Result<Value, Fault> {
        let uri = params.get("uri").and_then(Value::as_str);
        let uri = uri.ok_or_else(|| Fault::params("`uri` is no text."))?;
        let about = |failure: Failure| {
            let (kind, fault) = (failure.kind, fault(failure, revision));
            fault.with(json!({"uri": uri, "kind": kind.word()}))
        };
        let call = resources::locate(uri).map_err(|error| about(error.into()))?;
        let page = |arguments: &Map<String, Value>| {
            let output = self.finish(call.tool, arguments)?;
            match output.data {
                Value::Object(data) => Ok(data),
                _ => Err(crate::error::Error::Defect("its data is no object".to_owned()).into()),
            }
        };
        let data = pages::all(&page, &call.arguments).map_err(about)?;
        let text = Value::Object(data).to_string();
        let mut result = json!({"contents": [{"uri": uri, "mimeType": MIME_TYPE, "text": text}]});
        if let (Some(result), true) = (result.as_object_mut(), revision.is_stateless()) {
            // Figures are of this moment.
            result.insert("ttlMs".to_owned(), 0.into());
            result.insert("cacheScope".to_owned(), "private".into());
        }
        Ok(result)
    }
}

/// The link from a list's first page to all of it, where the page is not all.
pub(super) fn link(
    name: &str,
    arguments: &Map<String, Value>,
    data: &Value,
    revision: Revision,
) -> Option<Value> {
    let tool = catalogue::tool(name).filter(|tool| tool.read_only())?;
    let goes_on = data.get(pages::NEXT)?.is_string();
    let first = arguments.get("cursor").is_none_or(Value::is_null);
    if !goes_on || !first || revision < Revision::V2025_06_18 {
        return None;
    }
    let filters = arguments.iter().filter(|(name, _)| !pages::OF_PAGES.contains(&name.as_str()));
    let filters: Map<String, Value> = filters.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut uri = format!("{OF_TOOLS}{name}");
    if !filters.is_empty() {
        uri.push_str("?arguments=");
        encode_into(&mut uri, &Value::Object(filters).to_string());
    }
    Some(json!({
        "type": "resource_link",
        "uri": uri,
        "name": name,
        "title": tool.title,
        "description": "All rows as JSON",
        "mimeType": MIME_TYPE,
    }))
}
