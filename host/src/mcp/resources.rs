//! What can be read by URI: nodes, guests, storages, tasks and more, and any list in full. A list tool answers small
//! and says where its next page begins; beside that its result links to all rows, for a client that has room for them
//! outside a model's context.
//!
//! The component says which call a URI stands for. Reading is that call, with the same gate, allow-lists, selection and
//! audit log; only tools that change nothing can be read, and nobody is asked.

pub(super) mod pages;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rmcp::model::{
    CallToolResult, ContentBlock, ErrorData, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
};
use serde_json::{Map, Value, json};

use super::Server;
use crate::approvals::Nobody;
use crate::calls::offers::Unsaid;
use crate::calls::{Answer, Tools};
use crate::engine;
use crate::reach::{Reach, reach};
use pages::{NEXT, Source, Unread};

/// The URI of a call, after RFC 6570: `proxmox://tools/{tool}{?arguments}`, where `arguments` is a JSON object.
const OF_TOOLS: &str = "proxmox://tools/";
/// Arguments that choose a page. A resource is all pages.
const OF_PAGES: [&str; 2] = ["limit", "cursor"];
const MIME: &str = "application/json";
/// What a value in a URI's query may be written as it is: the unreserved characters of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether a tool is one that the operator left, and of which the grants open something.
pub(super) fn is_open(tools: &Tools, tool: &str) -> bool {
    let open = |entry| tools.selection().admits(entry).is_ok() && reach(tools, entry) != Reach::None;
    tools.find(tool).is_some_and(open)
}

impl Server {
    /// The resources that have a URI of their own, as far as their tools are open.
    pub(super) fn resources(&self) -> Vec<Resource> {
        let one = |offered: &engine::Resource| {
            Resource::new(&offered.uri, &offered.name)
                .with_title(&offered.title)
                .with_description(&offered.description)
                .with_mime_type(&offered.mime_type)
        };
        self.offered().filter(|offered| !is_template(offered)).map(one).collect()
    }

    /// The templates of all others.
    pub(super) fn templates(&self) -> Vec<ResourceTemplate> {
        let each = |offered: &engine::Resource| {
            ResourceTemplate::new(&offered.uri, &offered.name)
                .with_title(&offered.title)
                .with_description(&offered.description)
                .with_mime_type(&offered.mime_type)
        };
        self.offered().filter(|offered| is_template(offered)).map(each).collect()
    }

    fn offered(&self) -> impl Iterator<Item = &engine::Resource> {
        let open =
            |offered: &&engine::Resource| offered.tool.is_empty() || is_open(&self.tools, &offered.tool);
        self.tools.offers().resources.iter().filter(open)
    }

    /// Calls the tool that a URI names and gives all its rows as JSON.
    ///
    /// # Errors
    /// For a URI that names no such resource, and with the call's own words where it fails.
    pub(super) async fn read(&self, uri: &str) -> Result<ReadResourceResult, ErrorData> {
        let reading =
            self.tools.locate(uri).await.map_err(|error| failed(error.kind, error.message, Some(uri)))?;
        let nobody = Nobody("reading a resource asks nobody; call the tool instead");
        let call = Call { tools: &self.tools, tool: &reading.tool, nobody };
        let data = pages::all(&call, &reading.arguments).await;
        let data = data.map_err(|Unread { kind, message }| failed(kind, message, Some(uri)))?;
        let contents = ResourceContents::text(Value::Object(data).to_string(), uri).with_mime_type(MIME);
        Ok(ReadResourceResult::new(vec![contents]))
    }
}

fn is_template(offered: &engine::Resource) -> bool {
    offered.uri.contains('{')
}

/// The link from a list's first page to all of it, where the page is not all.
pub(super) fn link(
    tools: &Tools,
    tool: &str,
    arguments: &Map<String, Value>,
    result: &CallToolResult,
) -> Option<ContentBlock> {
    let entry = tools.find(tool).filter(|entry| entry.tool.annotations.read_only)?;
    let goes_on = result.structured_content.as_ref()?.get(NEXT)?.is_string();
    let first = arguments.get("cursor").is_none_or(Value::is_null);
    if !goes_on || !first {
        return None;
    }
    let of_rows = |(name, _): &(&String, &Value)| !OF_PAGES.contains(&name.as_str());
    let filters = arguments.iter().filter(of_rows).map(|(name, value)| (name.clone(), value.clone()));
    // By an older name a tool may take its arguments in another way: the link keeps the name of the call.
    let uri = uri_of(tool, filters.collect());
    let link = Resource::new(uri, tool).with_title(&entry.tool.title).with_description("All rows as JSON");
    Some(ContentBlock::resource_link(link.with_mime_type(MIME)))
}

/// The URI of a call.
fn uri_of(tool: &str, arguments: Map<String, Value>) -> String {
    if arguments.is_empty() {
        return format!("{OF_TOOLS}{tool}");
    }
    let text = Value::Object(arguments).to_string();
    format!("{OF_TOOLS}{tool}?arguments={}", utf8_percent_encode(&text, UNRESERVED))
}

/// Pages by calling a tool.
pub(super) struct Call<'a> {
    pub(super) tools: &'a Tools,
    pub(super) tool: &'a str,
    /// Why nobody is asked.
    pub(super) nobody: Nobody,
}

impl Source for Call<'_> {
    async fn page(&self, arguments: &Map<String, Value>) -> Answer {
        self.tools.call_asking(self.tool, arguments, |_| {}, &self.nobody).await
    }
}

/// The error for what the component does not know, or does not take.
pub(super) fn unsaid(error: Unsaid) -> ErrorData {
    failed(error.kind, error.message, None)
}

fn failed(kind: &str, message: String, uri: Option<&str>) -> ErrorData {
    let data = Some(uri.map_or_else(|| json!({"kind": kind}), |uri| json!({"uri": uri, "kind": kind})));
    match kind {
        "not-found" => ErrorData::resource_not_found(message, data),
        "bad-arguments" | "denied" | pages::TOO_LONG => ErrorData::invalid_params(message, data),
        _ => ErrorData::internal_error(message, data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uri_of_a_call_has_its_arguments_percent_encoded() {
        let arguments = json!({"node": "pve1", "name": "a&b=c #ü\"%7D?/", "vmid": 101, "tag": null});
        let uri = uri_of("proxmox_get_vms", arguments.as_object().unwrap().clone());
        assert!(
            uri.starts_with("proxmox://tools/proxmox_get_vms?arguments=%7B%22node%22%3A%22pve1%22"),
            "{uri}"
        );
        let plain = |c: char| c.is_ascii_alphanumeric() || ":/?=%-._~".contains(c);
        assert!(uri.chars().all(plain), "{uri}");
        assert_eq!(uri_of("proxmox_get_nodes", Map::new()), "proxmox://tools/proxmox_get_nodes");
    }
}
