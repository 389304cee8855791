//! Lists in full, as resources. A list tool answers small and says where its next page begins; beside that its
//! result links to all rows, for a client that has room for them outside a model's context.
//!
//! Reading a resource is a call of its tool, with the same gate, allow-lists, selection and audit log. Only tools
//! that change nothing can be read, and nobody is asked.

mod pages;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rmcp::model::{
    CallToolResult, ContentBlock, ErrorData, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
};
use serde_json::{Map, Value, json};

use super::Server;
use crate::approvals::Nobody;
use crate::calls::{Answer, Tools};
use crate::catalogue::Entry;
use crate::reach::{Reach, reach};
use pages::{NEXT, Source, Unread};

/// What comes before a tool's name in a URI.
const OF_TOOLS: &str = "proxmox://tools/";
/// How a URI is made, after RFC 6570; `arguments` is a JSON object.
const TEMPLATE: &str = "proxmox://tools/{tool}{?arguments}";
/// Resources with a short URI, and the tool that each is a call of.
const LISTS: [(&str, &str); 3] = [
    ("proxmox://nodes", "proxmox_get_nodes"),
    ("proxmox://vms", "proxmox_get_vms"),
    ("proxmox://storage", "proxmox_get_storage"),
];
/// Arguments that choose a page. A resource is all pages.
const OF_PAGES: [&str; 2] = ["limit", "cursor"];
const MIME: &str = "application/json";
const DESCRIPTION: &str = "All rows as JSON";
/// What a value in a URI's query may be written as it is: the unreserved characters of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Server {
    /// The resources that have a URI of their own, as far as the operator left their tools.
    pub(super) fn resources(&self) -> Vec<Resource> {
        let open = |entry: &&Entry| {
            self.tools.selection().admits(entry).is_ok() && reach(&self.tools, entry) != Reach::None
        };
        let resource = |(uri, tool): &(&str, &str)| {
            let entry = self.tools.find(tool).filter(open)?;
            let name = uri.rsplit('/').next().unwrap_or(uri);
            Some(described(Resource::new(*uri, name), entry))
        };
        LISTS.iter().filter_map(resource).collect()
    }

    /// Calls the tool that a URI names and gives all its rows as JSON.
    ///
    /// # Errors
    /// For a URI that names no such resource, and with the call's own words where it fails.
    pub(super) async fn read(&self, uri: &str) -> Result<ReadResourceResult, ErrorData> {
        let target = Target::parse(uri)?;
        let Some(entry) = self.tools.find(&target.tool) else {
            return Err(ErrorData::resource_not_found(self.tools.unknown(&target.tool), about(uri)));
        };
        if !entry.tool.annotations.read_only {
            return Err(ErrorData::invalid_params(
                format!(
                    "`{}` changes something, and reading a resource changes nothing. Call it as a tool.",
                    target.tool
                ),
                about(uri),
            ));
        }
        let call = Call { tools: &self.tools, tool: &target.tool };
        let data = pages::all(&call, &target.arguments).await.map_err(|unread| error(unread, uri))?;
        let contents = ResourceContents::text(Value::Object(data).to_string(), uri).with_mime_type(MIME);
        Ok(ReadResourceResult::new(vec![contents]))
    }
}

/// The template of all other resources.
pub(super) fn template() -> ResourceTemplate {
    ResourceTemplate::new(TEMPLATE, "tool")
        .with_title("All rows of a list")
        .with_description(
            "What a tool that only reads answers, all pages of it; `arguments` is a JSON object without `limit` \
             and `cursor`",
        )
        .with_mime_type(MIME)
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
    let target = Target { tool: tool.to_owned(), arguments: filters.collect() };
    Some(ContentBlock::resource_link(described(Resource::new(target.uri(), tool), entry)))
}

fn described(resource: Resource, entry: &Entry) -> Resource {
    resource.with_title(&entry.tool.title).with_description(DESCRIPTION).with_mime_type(MIME)
}

/// What a URI names: a call of a tool.
#[derive(Debug, PartialEq)]
struct Target {
    tool: String,
    arguments: Map<String, Value>,
}

impl Target {
    fn parse(uri: &str) -> Result<Self, ErrorData> {
        if let Some((_, tool)) = LISTS.iter().find(|(known, _)| *known == uri) {
            return Ok(Self { tool: (*tool).to_owned(), arguments: Map::new() });
        }
        let unknown = || {
            let known = LISTS.map(|(uri, _)| uri).join(", ");
            let message = format!("There is no such resource. There are {known}, and {TEMPLATE}.");
            ErrorData::resource_not_found(message, about(uri))
        };
        let rest = uri.strip_prefix(OF_TOOLS).ok_or_else(unknown)?;
        let Some((tool, query)) = rest.split_once('?') else {
            return Ok(Self { tool: rest.to_owned(), arguments: Map::new() });
        };
        let text = query.strip_prefix("arguments=").ok_or_else(unknown)?;
        Ok(Self { tool: tool.to_owned(), arguments: arguments(text, uri)? })
    }

    fn uri(&self) -> String {
        if self.arguments.is_empty() {
            return format!("{OF_TOOLS}{}", self.tool);
        }
        let text = Value::Object(self.arguments.clone()).to_string();
        format!("{OF_TOOLS}{}?arguments={}", self.tool, utf8_percent_encode(&text, UNRESERVED))
    }
}

/// The arguments in a query. What follows an `&` is no JSON, so that nothing is passed over.
fn arguments(text: &str, uri: &str) -> Result<Map<String, Value>, ErrorData> {
    let wrong = |message: &str| ErrorData::invalid_params(message.to_owned(), about(uri));
    let text = percent_decode_str(text).decode_utf8().map_err(|_| wrong("`arguments` is not UTF-8."))?;
    let arguments: Map<String, Value> = serde_json::from_str(&text)
        .map_err(|error| wrong(&format!("`arguments` has to be a percent-encoded JSON object: {error}.")))?;
    if OF_PAGES.iter().any(|name| arguments.contains_key(*name)) {
        return Err(wrong("A resource is the whole list: leave `limit` and `cursor` out of `arguments`."));
    }
    Ok(arguments)
}

/// Pages by calling a tool.
struct Call<'a> {
    tools: &'a Tools,
    tool: &'a str,
}

impl Source for Call<'_> {
    async fn page(&self, arguments: &Map<String, Value>) -> Answer {
        let nobody = Nobody("reading a resource asks nobody; call the tool instead");
        self.tools.call_asking(self.tool, arguments, |_| {}, &nobody).await
    }
}

fn error(unread: Unread, uri: &str) -> ErrorData {
    let Unread { kind, message } = unread;
    let data = Some(json!({"uri": uri, "kind": kind}));
    match kind {
        "not-found" => ErrorData::resource_not_found(message, data),
        "bad-arguments" | "denied" | pages::TOO_LONG => ErrorData::invalid_params(message, data),
        _ => ErrorData::internal_error(message, data),
    }
}

fn about(uri: &str) -> Option<Value> {
    Some(json!({"uri": uri}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_says_the_call_and_nothing_is_lost_on_the_way() {
        let arguments = json!({"node": "pve1", "name": "a&b=c #ü\"%7D?/", "vmid": 101, "tag": null});
        let target =
            Target { tool: "proxmox_get_vms".to_owned(), arguments: arguments.as_object().unwrap().clone() };
        let uri = target.uri();
        assert!(
            uri.starts_with("proxmox://tools/proxmox_get_vms?arguments=%7B%22node%22%3A%22pve1%22"),
            "{uri}"
        );
        let plain = |c: char| c.is_ascii_alphanumeric() || ":/?=%-._~".contains(c);
        assert!(uri.chars().all(plain), "{uri}");
        assert_eq!(Target::parse(&uri).unwrap(), target);
        let bare = Target { tool: "proxmox_get_nodes".to_owned(), arguments: Map::new() };
        assert_eq!(bare.uri(), "proxmox://tools/proxmox_get_nodes");
        assert_eq!(
            [Target::parse(&bare.uri()).unwrap(), Target::parse("proxmox://nodes").unwrap()],
            [Target { tool: bare.tool.clone(), arguments: Map::new() }, bare]
        );
    }

    #[test]
    fn what_is_no_uri_of_ours_is_refused() {
        for (uri, code, says) in [
            ("proxmox://node", -32002, "proxmox://nodes"),
            ("PROXMOX://nodes", -32002, TEMPLATE),
            ("file:///etc/passwd", -32002, TEMPLATE),
            ("proxmox://tools/proxmox_get_vms?node=pve1", -32002, TEMPLATE),
            ("proxmox://tools/proxmox_get_vms?arguments=%7B%7D&arguments=%7B%7D", -32602, "JSON object"),
            ("proxmox://tools/proxmox_get_vms?arguments=[]", -32602, "JSON object"),
            ("proxmox://tools/proxmox_get_vms?arguments=%FF", -32602, "UTF-8"),
            ("proxmox://tools/proxmox_get_vms?arguments={\"cursor\":\"from-9\"}", -32602, "`cursor`"),
            ("proxmox://tools/proxmox_get_vms?arguments={\"limit\":9}", -32602, "`limit`"),
        ] {
            let error = Target::parse(uri).unwrap_err();
            assert_eq!(error.code.0, code, "{uri}: {error:?}");
            assert!(error.message.contains(says), "{uri}: {}", error.message);
        }
    }
}
