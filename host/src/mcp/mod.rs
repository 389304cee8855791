//! MCP: the tools as a server that rmcp speaks for, in both protocol eras.

mod asking;
mod completion;
mod instructions;
mod prompts;
mod resources;
mod stdio;

use std::sync::Arc;

use anyhow::Result;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams,
    CompleteResult, ContentBlock, DiscoverResult, ErrorData, GetPromptRequestParams, GetPromptResponse,
    Implementation, JsonObject, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, MetaObject, PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::approvals::Seals;
use crate::calls::{Answer, Tools};
use crate::catalogue::Entry;
use crate::engine::Pending;
use crate::reach::{Reach, reach};

pub use stdio::serve;

/// Tools change only with the program or its settings, both of which restart it.
const LIST_TTL_MS: u64 = 300_000;

/// Characters of a progress message.
const MAX_MESSAGE: usize = 500;
/// Where a result of the stateless era says who gave it.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// The server that a client talks to.
#[derive(Clone)]
pub struct Server {
    tools: Arc<Tools>,
    list: Arc<Vec<Tool>>,
    instructions: Arc<str>,
    seals: Arc<Seals>,
    /// Becomes true when the client will say nothing more, so that no question waits for its answer.
    hung_up: watch::Sender<bool>,
}

impl Server {
    /// A server of these tools.
    ///
    /// # Errors
    /// Where a tool's schema is not a JSON object, or the system has no random numbers.
    pub fn new(tools: Arc<Tools>) -> Result<Self> {
        let (listed, shut): (Vec<&Entry>, Vec<&Entry>) = tools
            .catalogue()
            .iter()
            .filter(|entry| tools.selection().lists(entry))
            .partition(|entry| reach(&tools, entry) != Reach::None);
        let instructions = instructions::of(&shut);
        let list = listed.into_iter().map(definition).collect::<Result<_>>()?;
        Ok(Self {
            tools,
            list: Arc::new(list),
            instructions: instructions.into(),
            seals: Arc::new(Seals::new()?),
            hung_up: watch::Sender::new(false),
        })
    }

    /// Who answered.
    fn signature(&self) -> MetaObject {
        let info = serde_json::to_value(self.get_info().server_info).unwrap_or_default();
        MetaObject(JsonObject::from_iter([(SERVER_INFO.to_owned(), info)]))
    }

    async fn call(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> CallToolResponse {
        self.tools.safeguards().called_by(&client_name(&context));
        let (reports, heard) = mpsc::unbounded_channel();
        let progress = tell(context.clone(), heard);
        let watch = move |pending: &Pending| drop(reports.send((pending.message.clone(), pending.progress)));
        let (tool, arguments) = (request.name.clone(), request.arguments.clone().unwrap_or_default());
        // The channel closes with the call, and that ends `progress`: no notification comes after the result.
        let (mut response, ()) = tokio::join!(self.call_or_ask(request, &context, watch), progress);
        if let CallToolResponse::Complete(result) = &mut response
            && knows_links(&context)
        {
            let link = resources::link(&self.tools, &tool, &arguments, result);
            result.content.extend(link);
        }
        response
    }
}

/// Whether the request is of the era without a handshake, in which every result says who gave it.
fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

/// Whether the client's revision has links in results.
fn knows_links(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2025_06_18)
}

/// What the client calls itself.
fn client_name(context: &RequestContext<RoleServer>) -> String {
    let named = context.meta.client_info().map(|info| info.name);
    named.or_else(|| Some(context.peer.peer_info()?.client_info.name.clone())).unwrap_or_default()
}

/// The response with who gave it.
fn signed(response: CallToolResponse, signature: Option<MetaObject>) -> CallToolResponse {
    match response {
        CallToolResponse::Complete(mut result) => {
            result.meta = signature;
            result.into()
        }
        CallToolResponse::InputRequired(mut result) => {
            result.meta = signature;
            result.into()
        }
        other => other,
    }
}

/// The definition of a tool as MCP writes it.
fn definition(entry: &Entry) -> Result<Tool> {
    let tool = &entry.tool;
    let input: JsonObject = serde_json::from_str(&tool.input_schema)?;
    let output: JsonObject = serde_json::from_str(&tool.output_schema)?;
    let hints = &tool.annotations;
    let annotations = ToolAnnotations::new()
        .read_only(hints.read_only)
        .destructive(hints.destructive)
        .idempotent(hints.idempotent)
        .open_world(hints.open_world);
    Ok(Tool::new(tool.name.clone(), tool.description.clone(), Arc::new(input))
        .with_title(tool.title.clone())
        .with_raw_output_schema(Arc::new(output))
        .with_annotations(annotations))
}

fn result(answer: Answer) -> CallToolResult {
    match answer {
        Answer::Done { text, data } => {
            let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
            result.structured_content = Some(Value::Object(data));
            result
        }
        Answer::Failed { kind: _, message } => CallToolResult::error(vec![ContentBlock::text(message)]),
    }
}

/// Sends progress notifications to a client that asked for them, until the channel closes.
async fn tell(
    context: RequestContext<RoleServer>,
    mut heard: mpsc::UnboundedReceiver<(String, Option<f64>)>,
) {
    let token = context.meta.get_progress_token();
    let mut shown = 0.0;
    while let Some((message, part)) = heard.recv().await {
        let Some(token) = token.clone() else { continue };
        // Progress has to grow with each notification. Where the end is not known, it counts.
        let mut param = match part.filter(|part| (0.0..=1.0).contains(part)) {
            Some(part) => {
                ProgressNotificationParam::new(token, (part * 100.0).max(shown + 0.001)).with_total(100.0)
            }
            None => ProgressNotificationParam::new(token, shown + 1.0),
        };
        shown = param.progress;
        param.message = Some(message.chars().take(MAX_MESSAGE).collect());
        if context.peer.notify_progress(param).await.is_err() {
            tracing::debug!("the client is gone");
        }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let implementation =
            Implementation::new("proxmox-mcp", env!("CARGO_PKG_VERSION")).with_title("Proxmox VE");
        let builder = ServerCapabilities::builder().enable_tools().enable_resources();
        ServerConfig::new(builder.enable_prompts().enable_completions().build())
            .with_server_info(implementation)
            .with_instructions(self.instructions.as_ref())
    }

    async fn discover(&self, _context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let mut result = DiscoverResult::from_server_info(
            self.supported_protocol_versions().into_owned(),
            self.get_info(),
        );
        result.ttl_ms = LIST_TTL_MS;
        result.cache_scope = CacheScope::Private;
        Ok(result)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut result = ListToolsResult::with_all_items(self.list.as_ref().clone());
        if is_stateless(&context) {
            result.ttl_ms = Some(LIST_TTL_MS);
            result.cache_scope = Some(CacheScope::Private);
            result.meta = Some(self.signature());
        }
        Ok(result)
    }

    /// Tools that are not listed answer, too: with what is missing, or under an older name.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.find(name).and_then(|entry| definition(entry).ok())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.tools.find(&request.name).is_none() {
            return Err(ErrorData::invalid_params(self.tools.unknown(&request.name), None));
        }
        let cancelled = context.ct.clone();
        let signature = is_stateless(&context).then(|| self.signature());
        let name = request.name.clone();
        tokio::select! {
            response = self.call(request, context) => Ok(signed(response, signature)),
            () = cancelled.cancelled() => {
                tracing::info!(tool = %name, "cancelled by the client; a task that Proxmox has begun goes on");
                Err(ErrorData::internal_error("cancelled", None))
            }
        }
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut result = ListResourcesResult::with_all_items(self.resources());
        if is_stateless(&context) {
            result.ttl_ms = Some(LIST_TTL_MS);
            result.cache_scope = Some(CacheScope::Private);
            result.meta = Some(self.signature());
        }
        Ok(result)
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut result = ListResourceTemplatesResult::with_all_items(self.templates());
        if is_stateless(&context) {
            result.ttl_ms = Some(LIST_TTL_MS);
            result.cache_scope = Some(CacheScope::Private);
            result.meta = Some(self.signature());
        }
        Ok(result)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.tools.safeguards().called_by(&client_name(&context));
        let mut result = tokio::select! {
            result = self.read(&request.uri) => result?,
            () = context.ct.cancelled() => return Err(ErrorData::internal_error("cancelled", None)),
        };
        if is_stateless(&context) {
            // Figures are of this moment.
            result.ttl_ms = Some(0);
            result.cache_scope = Some(CacheScope::Private);
            result.meta = Some(self.signature());
        }
        Ok(result.into())
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let mut result = ListPromptsResult::with_all_items(self.prompts());
        if is_stateless(&context) {
            result.ttl_ms = Some(LIST_TTL_MS);
            result.cache_scope = Some(CacheScope::Private);
            result.meta = Some(self.signature());
        }
        Ok(result)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.tools.safeguards().called_by(&client_name(&context));
        let mut result = tokio::select! {
            result = self.prompt(&request) => result?,
            () = context.ct.cancelled() => return Err(ErrorData::internal_error("cancelled", None)),
        };
        result.meta = is_stateless(&context).then(|| self.signature());
        Ok(result.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.tools.safeguards().called_by(&client_name(&context));
        let mut result = tokio::select! {
            result = self.completed(request) => result?,
            () = context.ct.cancelled() => return Err(ErrorData::internal_error("cancelled", None)),
        };
        result.meta = is_stateless(&context).then(|| self.signature());
        Ok(result)
    }
}
