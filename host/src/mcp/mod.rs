//! MCP: the tools as a server that rmcp speaks for, in both protocol eras.

mod asking;
mod batches;
mod completion;
mod instructions;
mod pipes;
mod prompts;
mod resources;
mod stdio;
pub mod strict;
mod subscriptions;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams,
    CompleteRequestParams, CompleteResult, ContentBlock, DiscoverResult, ErrorData, GetPromptRequestParams,
    GetPromptResponse, GetTaskParams, GetTaskResult, Implementation, InitializeRequestParams,
    InitializeResult, JsonObject, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, MetaObject, PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig,
    SubscribeRequestParams, SubscriptionFilter, TASKS_EXTENSION_ID, Tool, ToolAnnotations,
    UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::approvals::Seals;
use crate::calls::{Answer, Tools};
use crate::catalogue::Entry;
use crate::changes::{EVERY, Feed};
use crate::engine::Pending;
use crate::reach::{Reach, reach};
use crate::watch::{Caller, called_by};
use subscriptions::Subscribed;
use tasks::Book;

pub use stdio::serve;

/// Tools change only with the program or its settings, both of which restart it.
const LIST_TTL_MS: u64 = 300_000;

/// Characters of a progress message.
const MAX_MESSAGE: usize = 500;

/// The server that a client talks to.
#[derive(Clone)]
pub struct Server {
    tools: Arc<Tools>,
    list: Arc<Vec<Tool>>,
    instructions: Arc<str>,
    seals: Arc<Seals>,
    book: Arc<Book>,
    feed: Arc<Feed>,
    subscribed: Arc<Subscribed>,
    /// The token that opens the door to it.
    token: Option<Arc<str>>,
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
        let instructions = instructions::of(&shut, tools.safeguards().stops_cancelled_tasks());
        let list = listed.into_iter().map(definition).collect::<Result<_>>()?;
        Ok(Self {
            feed: Feed::new(tools.clone(), EVERY),
            tools,
            list: Arc::new(list),
            instructions: instructions.into(),
            seals: Arc::new(Seals::new()?),
            book: Arc::default(),
            subscribed: Arc::default(),
            token: None,
            hung_up: watch::Sender::new(false),
        })
    }

    /// The same, for whoever has the token of this name.
    #[must_use]
    pub fn for_token(mut self, name: Option<&str>) -> Self {
        self.token = name.map(Arc::from);
        self
    }

    fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
        let trace = context.meta.get_traceparent().map(str::to_owned);
        Caller { token: self.token.clone(), client: client_name(context), trace }
    }

    /// The same, looking this often for changes that clients subscribed to.
    #[must_use]
    pub fn looking_every(self, every: Duration) -> Self {
        Self { feed: Feed::new(self.tools.clone(), every), ..self }
    }

    /// The same for one connection, with subscriptions of its own.
    #[must_use]
    pub fn session(&self) -> Self {
        Self { subscribed: Arc::default(), ..self.clone() }
    }

    /// Who answered.
    fn signature(&self) -> MetaObject {
        strict::signature(&self.get_info().server_info)
    }

    /// What is left to do where a client gave a call up: its task goes on, unless the operator wants it stopped.
    async fn given_up(&self, tool: &str) {
        tracing::info!(tool, "cancelled by the client");
        for upid in self.tools.safeguards().orphans(self.token.as_deref()) {
            match self.tools.stop(&upid).await {
                Ok(stopped) => tracing::warn!(tool, upid, stopped, "the task of a call that was given up"),
                Err(message) => tracing::warn!(tool, upid, "the task was not stopped: {message}"),
            }
        }
    }

    async fn call(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> CallToolResponse {
        let caller = self.caller(&context);
        let (reports, heard) = mpsc::unbounded_channel();
        let progress = tell(context.clone(), heard);
        let watch = move |pending: &Pending| drop(reports.send((pending.message.clone(), pending.progress)));
        let (tool, arguments) = (request.name.clone(), request.arguments.clone().unwrap_or_default());
        // The channel closes with the call, and that ends `progress`: no notification comes after the result.
        let call = called_by(caller, self.call_or_ask(request, &context, watch));
        let (mut response, ()) = tokio::join!(call, progress);
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

/// Each list has one page.
///
/// # Errors
/// For a cursor, since none was given out.
fn whole(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match request.and_then(|request| request.cursor) {
        None => Ok(()),
        Some(_) => Err(ErrorData::invalid_params(
            "This `cursor` is not one that this server gave out; the list has one page.",
            None,
        )),
    }
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
        CallToolResponse::Task(mut result) => {
            result.meta = signature;
            CallToolResponse::Task(result)
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
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_prompts()
            .enable_completions()
            .enable_tasks()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(implementation)
            .with_instructions(self.instructions.as_ref())
    }

    /// The handshake offers no tasks: they came after it.
    fn negotiate_initialize(&self, request: &InitializeRequestParams) -> Result<InitializeResult, ErrorData> {
        let mut info = self.get_info();
        info.protocol_version = match self.supported_protocol_versions().contains(&request.protocol_version) {
            true if request.protocol_version.has_initialize() => request.protocol_version.clone(),
            _ => ProtocolVersion::V_2025_11_25,
        };
        if let Some(extensions) = &mut info.capabilities.extensions {
            extensions.remove(TASKS_EXTENSION_ID);
        }
        info.capabilities.extensions.take_if(|extensions| extensions.is_empty());
        Ok(info)
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
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        whole(request)?;
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
        let (cancelled, caller) = (context.ct.clone(), self.caller(&context));
        let signature = is_stateless(&context).then(|| self.signature());
        let name = request.name.clone();
        let response = tokio::select! {
            response = self.call(request, context) => Some(signed(response, signature)),
            () = cancelled.cancelled() => None,
        };
        if response.is_none() {
            called_by(caller, self.given_up(&name)).await;
        }
        response.ok_or_else(|| ErrorData::internal_error("cancelled", None))
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let mut result = called_by(self.caller(&context), self.how_far(request, &context)).await?;
        result.meta = Some(self.signature());
        Ok(result)
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Self::take_answers(&request, &context)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        called_by(self.caller(&context), self.stop_task(request, &context)).await
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        called_by(self.caller(&context), self.subscribe_to(request.uri, context.peer)).await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.unsubscribe_from(&request.uri);
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(self.acceptable(requested))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let caller = Caller { token: self.token.clone(), ..Caller::default() };
        called_by(caller, self.tell_changes(context)).await
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        whole(request)?;
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
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        whole(request)?;
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
        let mut result = tokio::select! {
            result = called_by(self.caller(&context), self.read(&request.uri)) => result?,
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
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        whole(request)?;
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
        let mut result = tokio::select! {
            result = called_by(self.caller(&context), self.prompt(&request)) => result?,
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
        let mut result = tokio::select! {
            result = called_by(self.caller(&context), self.completed(request)) => result?,
            () = context.ct.cancelled() => return Err(ErrorData::internal_error("cancelled", None)),
        };
        result.meta = is_stateless(&context).then(|| self.signature());
        Ok(result)
    }
}
