//! The fixtures as an MCP server.

#![expect(
    deprecated,
    reason = "the older era has logging, sampling and subscriptions, and the suite asks for them"
)]

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Map, Value, json};

use crate::data::fixtures;
use crate::rounds::{Round, play};

/// Between two notifications, so that they come one by one.
const PAUSE: Duration = Duration::from_millis(50);
const LIST_TTL_MS: u64 = 60_000;
/// Tools that are more than an answer.
const LIVELY: [&str; 4] =
    ["test_tool_with_logging", "test_tool_with_progress", "test_sampling", "test_reconnection"];

/// The server.
#[derive(Clone)]
pub(crate) struct Server {
    codec: Arc<RequestStateCodec>,
}

impl Server {
    pub(crate) fn new() -> anyhow::Result<Self> {
        // A key that everybody can read is good enough for tests of nothing but the protocol.
        let key = b"a key of thirty-two bytes or more".to_vec();
        let codec = RequestStateCodec::try_new(key).map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(Self { codec: Arc::new(codec) })
    }

    fn tools(&self) -> Result<Vec<Tool>, ErrorData> {
        let all = fixtures()?;
        let of_rounds = all.rounds.keys().filter(|name| !all.prompts.contains_key(*name));
        let names = all.tools.keys().chain(all.forms.keys()).chain(of_rounds).map(String::as_str);
        let tool = |name: &str| {
            let schema = all.schemas.get(name).and_then(Value::as_object).cloned();
            let schema = schema.unwrap_or_else(|| {
                Map::from_iter([("type".to_owned(), json!("object")), ("properties".to_owned(), json!({}))])
            });
            Tool::new(name.to_owned(), format!("Fixture {name}"), Arc::new(schema))
        };
        Ok(names.chain(LIVELY).map(tool).collect())
    }

    async fn lively(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        context: &RequestContext<RoleServer>,
    ) -> Result<String, ErrorData> {
        match name {
            "test_tool_with_logging" => log(context).await,
            "test_tool_with_progress" => progress(context).await,
            "test_sampling" => return sample(arguments, context).await,
            _ => tokio::time::sleep(PAUSE).await,
        }
        Ok("done".to_owned())
    }
}

async fn log(context: &RequestContext<RoleServer>) {
    for text in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(text));
        // Who does not hear it does not need it.
        drop(context.peer.notify_logging_message(message).await);
        tokio::time::sleep(PAUSE).await;
    }
}

async fn progress(context: &RequestContext<RoleServer>) {
    for step in [0.0, 50.0, 100.0] {
        if let Some(token) = context.meta.get_progress_token() {
            let param = ProgressNotificationParam::new(token, step).with_total(100.0);
            drop(context.peer.notify_progress(param).await);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn sample(
    arguments: &Map<String, Value>,
    context: &RequestContext<RoleServer>,
) -> Result<String, ErrorData> {
    let prompt = arguments.get("prompt").and_then(Value::as_str).unwrap_or_default();
    let params = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], 100);
    match context.peer.create_message(params).await {
        Ok(result) => {
            let text = result.message.content.first().and_then(|c| c.as_text()).map(|t| t.text.clone());
            Ok(format!("LLM response: {}", text.unwrap_or_default()))
        }
        Err(error) => Err(ErrorData::internal_error(error.to_string(), None)),
    }
}

/// Asks a person with a form, in the era with a handshake.
async fn elicit(
    form: &Value,
    message: &str,
    context: &RequestContext<RoleServer>,
) -> Result<String, ErrorData> {
    let wrong = |error: &dyn std::fmt::Display| ErrorData::internal_error(error.to_string(), None);
    let params = json!({"mode": "form", "message": message, "requestedSchema": form});
    let params: ElicitRequestParams = serde_json::from_value(params).map_err(|error| wrong(&error))?;
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(params));
    let answer = context.peer.send_request(request).await.map_err(|error| wrong(&error))?;
    let answer = serde_json::to_value(answer).map_err(|error| wrong(&error))?;
    let (action, content) = (answer.get("action"), answer.get("content"));
    let action = action.and_then(Value::as_str).unwrap_or_default();
    Ok(format!("Elicitation completed: action={action}, content={}", content.unwrap_or(&Value::Null)))
}

fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

fn signature(server: &Server) -> MetaObject {
    let info = serde_json::to_value(server.get_info().server_info).unwrap_or_default();
    MetaObject(JsonObject::from_iter([("io.modelcontextprotocol/serverInfo".to_owned(), info)]))
}

macro_rules! hinted {
    ($self:ident, $context:ident, $result:expr) => {{
        let mut result = $result;
        if is_stateless(&$context) {
            result.ttl_ms = Some(LIST_TTL_MS);
            result.cache_scope = Some(CacheScope::Private);
            result.meta = Some(signature($self));
        }
        Ok(result)
    }};
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_logging()
            .enable_prompts()
            .enable_resources()
            .enable_tools()
            .build();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("conformance", "0.1.0"))
    }

    async fn discover(&self, _context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        let mut result = DiscoverResult::from_server_info(versions, self.get_info());
        result.ttl_ms = LIST_TTL_MS;
        result.cache_scope = CacheScope::Private;
        Ok(result)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        hinted!(self, context, ListToolsResult::with_all_items(self.tools()?))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools().ok()?.into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let all = fixtures()?;
        let name = request.name.as_ref();
        let arguments = request.arguments.unwrap_or_default();
        let capabilities = context.client_capabilities().unwrap_or_default();
        if name == "test_missing_capability" && capabilities.sampling.is_none() {
            let required = json!({"requiredCapabilities": {"sampling": {}}});
            let code = ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY;
            return Err(ErrorData::new(code, "sampling is needed", Some(required)));
        }
        if let Some(result) = all.tools.get(name) {
            let content: Vec<ContentBlock> = all.fill(&result["content"], &arguments)?;
            let failed = result["isError"] == json!(true);
            let result =
                if failed { CallToolResult::error(content) } else { CallToolResult::success(content) };
            return Ok(result.into());
        }
        let text = if let Some(form) = all.forms.get(name) {
            let message = arguments.get("message").and_then(Value::as_str).unwrap_or("Please answer");
            elicit(form, message, &context).await?
        } else if all.rounds.contains_key(name) {
            let state = request.request_state.as_deref();
            match play(&self.codec, name, request.input_responses.as_ref(), state, &capabilities)? {
                Round::Asks(result) => return Ok(result.into()),
                Round::Done(text) => text,
            }
        } else if LIVELY.contains(&name) {
            self.lively(name, &arguments, &context).await?
        } else {
            return Err(ErrorData::invalid_params(format!("there is no tool {name}"), None));
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resource = |(uri, value): (&String, &Value)| {
            let mime = value.get("mimeType").and_then(Value::as_str).unwrap_or_default();
            Resource::new(uri.clone(), uri.trim_start_matches("test://"))
                .with_description("A fixture")
                .with_mime_type(mime)
        };
        let resources = fixtures()?.resources.iter().map(resource).collect();
        hinted!(self, context, ListResourcesResult::with_all_items(resources))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = ResourceTemplate::new("test://template/{id}/data", "template")
            .with_description("A fixture")
            .with_mime_type("application/json");
        hinted!(self, context, ListResourceTemplatesResult::with_all_items(vec![template]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let all = fixtures()?;
        let uri = request.uri.as_str();
        let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
        let mut value = match (all.resources.get(uri), id) {
            (Some(value), _) => value.clone(),
            (None, Some(id)) => {
                let text = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
                json!({"mimeType": "application/json", "text": text.to_string()})
            }
            (None, None) => {
                return Err(ErrorData::resource_not_found(
                    "there is no such resource",
                    Some(json!({"uri": uri})),
                ));
            }
        };
        if let Some(value) = value.as_object_mut() {
            value.insert("uri".to_owned(), json!(uri));
        }
        let contents: ResourceContents = all.fill(&value, &Map::new())?;
        let mut result = ReadResourceResult::new(vec![contents]);
        if is_stateless(&context) {
            result.ttl_ms = Some(0);
            result.cache_scope = Some(CacheScope::Private);
            result.meta = Some(signature(self));
        }
        Ok(result.into())
    }

    async fn subscribe(
        &self,
        _request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        of_the_older_era::<SubscribeRequestMethod>(&context)
    }

    async fn unsubscribe(
        &self,
        _request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        of_the_older_era::<UnsubscribeRequestMethod>(&context)
    }

    async fn set_level(
        &self,
        _request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        of_the_older_era::<SetLevelRequestMethod>(&context)
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompt = |(name, value): (&String, &Value)| {
            let names = value.get("arguments").and_then(Value::as_array).into_iter().flatten();
            let argument = |name: &Value| {
                PromptArgument::new(name.as_str().unwrap_or_default())
                    .with_description("An argument")
                    .with_required(true)
            };
            Prompt::new(name.clone(), Some(format!("Fixture {name}")), Some(names.map(argument).collect()))
        };
        let prompts = fixtures()?.prompts.iter().map(prompt).collect();
        hinted!(self, context, ListPromptsResult::with_all_items(prompts))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let all = fixtures()?;
        let name = request.name.as_str();
        let Some(prompt) = all.prompts.get(name) else {
            return Err(ErrorData::invalid_params(format!("there is no prompt {name}"), None));
        };
        if all.rounds.contains_key(name) && is_stateless(&context) {
            let capabilities = context.client_capabilities().unwrap_or_default();
            let state = request.request_state.as_deref();
            let answers = request.input_responses.as_ref();
            if let Round::Asks(result) = play(&self.codec, name, answers, state, &capabilities)? {
                return Ok(result.into());
            }
        }
        let arguments = request.arguments.unwrap_or_default();
        let messages: Vec<PromptMessage> = all.fill(&prompt["messages"], &arguments)?;
        Ok(GetPromptResult::new(messages).into())
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let completion = CompletionInfo::new(vec!["paris".to_owned(), "park".to_owned(), "party".to_owned()]);
        completion.map(CompleteResult::new).map_err(|error| ErrorData::internal_error(error, None))
    }
}

/// What there is in the era with a handshake alone.
fn of_the_older_era<M: ConstString>(context: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
    if is_stateless(context) { Err(ErrorData::method_not_found::<M>()) } else { Ok(()) }
}
