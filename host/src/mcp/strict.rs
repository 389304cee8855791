//! What rmcp 3.9 takes more lightly than the protocol does, for every transport. None of it is ours to keep: when
//! rmcp does it, this file goes.
//!
//! * A message that is none, or whose parameters do not fit, gets the error that JSON-RPC has for it.
//! * A batch is taken where 2025-03-26 was agreed on.
//! * Each result of the era without a handshake says who gave it, and tasks are for that era.
//!
//! [`json`], [`message`] and [`batch`] read what came in, before rmcp does; [`Strict`] goes around the server.

use std::borrow::Cow;
use std::collections::HashSet;

use rmcp::model::{
    CancelTaskMethod, ClientJsonRpcMessage, ClientNotification, ClientRequest, ConstString, ErrorCode,
    ErrorData, GetMeta, GetTaskMethod, Implementation, JsonObject, MetaObject, ProtocolVersion, RequestId,
    ServerConfig, ServerResult, UpdateTaskMethod,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{RoleServer, Service};
use serde_json::{Value, json};

/// The most messages of a batch. Each may be a call.
const MAX_BATCH: usize = 100;
/// Where a result says who gave it.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// Methods whose parameters rmcp knows. With parameters that do not fit, it takes them for unknown methods.
const KNOWN: &[&str] = &[
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/update",
    "tools/call",
    "tools/list",
];
/// Those of them that the era without a handshake does not have: there they are unknown, whatever their parameters.
const NO_MORE: &[&str] =
    &["initialize", "logging/setLevel", "ping", "resources/subscribe", "resources/unsubscribe"];

/// A message that is answered with an error instead of being handed on.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The id that the answer has; null where none can be told.
    pub id: Value,
    /// The code of JSON-RPC.
    pub code: i32,
    /// What is wrong.
    pub message: String,
}

impl Refused {
    fn invalid(id: Value, what: impl std::fmt::Display) -> Self {
        Self { id, code: -32600, message: format!("Invalid Request: {what}") }
    }

    /// The message was longer than `limit` says.
    pub fn too_long(limit: &str) -> Self {
        Self::invalid(Value::Null, format_args!("the message is longer than {limit}"))
    }

    /// The answer.
    pub fn answer(&self) -> Value {
        json!({"jsonrpc": "2.0", "id": self.id, "error": {"code": self.code, "message": self.message}})
    }
}

/// The JSON of a message.
///
/// # Errors
/// Where it is none.
pub fn json(text: &[u8]) -> Result<Value, Refused> {
    serde_json::from_slice(text).map_err(|error| Refused {
        id: Value::Null,
        code: -32700,
        message: format!("Parse error: {error}"),
    })
}

/// A single message.
///
/// # Errors
/// Where it is none, or its parameters do not fit its method.
pub fn message(value: Value) -> Result<ClientJsonRpcMessage, Refused> {
    let id = value.get("id").filter(|id| id.is_string() || id.is_number()).cloned().unwrap_or(Value::Null);
    let cursor = value.pointer("/params/cursor").is_none_or(|cursor| cursor.is_string() || cursor.is_null());
    match serde_json::from_value(value) {
        Ok(ClientJsonRpcMessage::Request(request)) => match misfit(&request.request, cursor) {
            Some(message) => Err(Refused { id, code: -32602, message }),
            None => Ok(ClientJsonRpcMessage::Request(request)),
        },
        Ok(message) => Ok(message),
        Err(error) => Err(Refused::invalid(id, error)),
    }
}

/// The messages of a batch, each with the error that answers it where it is none. `version` is what was agreed on,
/// if anything was.
///
/// # Errors
/// Where the batch as a whole is answered with an error.
pub fn batch(
    values: Vec<Value>,
    version: Option<&ProtocolVersion>,
) -> Result<Vec<Result<ClientJsonRpcMessage, Refused>>, Refused> {
    let whole = |what: &str| Err(Refused::invalid(Value::Null, what));
    if version != Some(&ProtocolVersion::V_2025_03_26) {
        return whole("only revision 2025-03-26 has batches; send one message at a time");
    }
    if values.is_empty() {
        return whole("the batch is empty");
    }
    if values.len() > MAX_BATCH {
        return whole(&format!("a batch takes at most {MAX_BATCH} messages; send it in parts"));
    }
    let mut ids = HashSet::new();
    Ok(values
        .into_iter()
        .map(|value| message(value).and_then(|message| of_batch(message, &mut ids)))
        .collect())
}

/// A message as a part of a batch that has these ids already.
fn of_batch(
    message: ClientJsonRpcMessage,
    ids: &mut HashSet<RequestId>,
) -> Result<ClientJsonRpcMessage, Refused> {
    let ClientJsonRpcMessage::Request(request) = &message else { return Ok(message) };
    let id = request.id.clone().into_json_value();
    if matches!(request.request, ClientRequest::InitializeRequest(_)) {
        return Err(Refused::invalid(id, "`initialize` is no part of a batch"));
    }
    match ids.insert(request.id.clone()) {
        true => Ok(message),
        false => Err(Refused::invalid(id, "this id came before in the batch")),
    }
}

/// What is wrong with a request that rmcp takes for one of a method that it does not know, or for one without
/// parameters. `cursor`: whether what stands there can be one.
fn misfit(request: &ClientRequest, cursor: bool) -> Option<String> {
    let method = request.method();
    let misfits = match request {
        ClientRequest::ListToolsRequest(_)
        | ClientRequest::ListPromptsRequest(_)
        | ClientRequest::ListResourcesRequest(_)
        | ClientRequest::ListResourceTemplatesRequest(_) => !cursor,
        ClientRequest::CustomRequest(_) => {
            let version = request.get_meta().protocol_version();
            let newer = version.is_some_and(|version| !version.has_initialize());
            KNOWN.contains(&method) && !(newer && NO_MORE.contains(&method))
        }
        _ => false,
    };
    misfits.then(|| format!("Invalid params: these do not fit {method}"))
}

/// The answer to a request about tasks in a session, since sessions have none.
pub fn of_no_session(message: &ClientJsonRpcMessage) -> Option<Refused> {
    let ClientJsonRpcMessage::Request(request) = message else { return None };
    let message = of_tasks(&request.request)?.to_owned();
    Some(Refused { id: request.id.clone().into_json_value(), code: -32601, message })
}

/// What a result of the era without a handshake says about who gave it.
pub fn signature(server: &Implementation) -> MetaObject {
    let server = serde_json::to_value(server).unwrap_or_default();
    MetaObject(JsonObject::from_iter([(SERVER_INFO.to_owned(), server)]))
}

/// A server that knows no tasks before the era that has them, and whose results all say who gave them, also those that
/// rmcp makes up for it. Its transport over HTTP takes no such thing: there the front does what the server cannot.
#[derive(Clone)]
pub struct Strict<S> {
    server: S,
    signature: MetaObject,
}

impl<S: Service<RoleServer>> Strict<S> {
    /// The same server, corrected.
    pub fn new(server: S) -> Self {
        let signature = signature(&server.get_info().server_info);
        Self { server, signature }
    }
}

impl<S: Service<RoleServer>> Service<RoleServer> for Strict<S> {
    async fn handle_request(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        let version = context.protocol_version();
        let signs = version.is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        if !signs && let Some(method) = of_tasks(&request) {
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None));
        }
        let mut result = self.server.handle_request(request, context).await?;
        if signs && let Some(meta) = meta(&mut result) {
            meta.get_or_insert_with(|| self.signature.clone());
        }
        Ok(result)
    }

    fn handle_notification(
        &self,
        notification: ClientNotification,
        context: NotificationContext<RoleServer>,
    ) -> impl Future<Output = Result<(), ErrorData>> + Send + '_ {
        self.server.handle_notification(notification, context)
    }

    fn get_info(&self) -> ServerConfig {
        self.server.get_info()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.server.supported_protocol_versions()
    }
}

/// The method of a request about tasks, which rmcp takes for one of every era.
fn of_tasks(request: &ClientRequest) -> Option<&'static str> {
    match request {
        ClientRequest::GetTaskRequest(_) => Some(GetTaskMethod::VALUE),
        ClientRequest::UpdateTaskRequest(_) => Some(UpdateTaskMethod::VALUE),
        ClientRequest::CancelTaskRequest(_) => Some(CancelTaskMethod::VALUE),
        _ => None,
    }
}

/// The place of a result for what is said about it. rmcp itself signs discovery and the end of a subscription.
fn meta(result: &mut ServerResult) -> Option<&mut Option<MetaObject>> {
    Some(match result {
        ServerResult::CompleteResult(result) => &mut result.meta,
        ServerResult::GetPromptResult(result) => &mut result.meta,
        ServerResult::ListPromptsResult(result) => &mut result.meta,
        ServerResult::ListResourcesResult(result) => &mut result.meta,
        ServerResult::ListResourceTemplatesResult(result) => &mut result.meta,
        ServerResult::ReadResourceResult(result) => &mut result.meta,
        ServerResult::ListToolsResult(result) => &mut result.meta,
        ServerResult::CallToolResult(result) => &mut result.meta,
        ServerResult::InputRequiredResult(result) => &mut result.meta,
        ServerResult::CreateTaskResult(result) => &mut result.meta,
        ServerResult::GetTaskResult(result) => &mut result.meta,
        ServerResult::TaskAckResult(result) => &mut result.meta,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<ClientJsonRpcMessage, Refused>) -> i32 {
        result.map_or_else(|refused| refused.code, |_| 0)
    }

    fn values(text: &str) -> Vec<Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_does_not_fit_is_told_from_what_there_is_not() {
        for (text, expected) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":5}}"#, -32602),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{}}"#, -32602),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":5}}"#, -32602),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":null}}"#, 0),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":5}}"#,
                -32602,
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#, 0),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, 0),
            (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 0),
            (r#"{"id":1,"method":"ping"}"#, -32600),
            ("42", -32600),
        ] {
            assert_eq!(code(message(json(text.as_bytes()).unwrap())), expected, "{text}");
        }
        assert_eq!(json(b"{").unwrap_err().code, -32700);
    }

    #[test]
    fn a_method_of_the_older_era_is_unknown_in_the_newer_one_whatever_it_is_given() {
        let with = |method: &str, version: &str| {
            let meta = json!({"io.modelcontextprotocol/protocolVersion": version});
            let params = json!({"_meta": meta, "level": 5, "uri": 5, "name": 5, "capabilities": 5});
            code(message(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})))
        };
        for method in NO_MORE.iter().filter(|method| **method != "ping") {
            assert_eq!((with(method, "2025-11-25"), with(method, "2026-07-28")), (-32602, 0), "{method}");
        }
        assert_eq!(with("tools/call", "2026-07-28"), -32602);
    }

    #[test]
    fn tasks_are_for_no_session() {
        for (method, expected) in
            [("tasks/get", Some(-32601)), ("tasks/cancel", Some(-32601)), ("tools/list", None)]
        {
            let asked = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"taskId": "x"}});
            let refused = of_no_session(&message(asked).unwrap());
            assert_eq!(refused.map(|refused| refused.code), expected, "{method}");
        }
    }

    #[test]
    fn a_batch_belongs_to_one_revision_and_has_some_messages() {
        let ping = || values(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#);
        assert!(batch(ping(), Some(&ProtocolVersion::V_2025_03_26)).is_ok());
        for version in [
            None,
            Some(ProtocolVersion::V_2024_11_05),
            Some(ProtocolVersion::V_2025_06_18),
            Some(ProtocolVersion::V_2026_07_28),
        ] {
            let refused = batch(ping(), version.as_ref()).unwrap_err();
            assert!(refused.code == -32600 && refused.message.contains("2025-03-26"), "{refused:?}");
        }
        let version = Some(&ProtocolVersion::V_2025_03_26);
        assert!(batch(Vec::new(), version).unwrap_err().message.contains("empty"));
        let many = vec![Value::Null; MAX_BATCH + 1];
        assert!(batch(many, version).unwrap_err().message.contains("at most 100"));
    }

    #[test]
    fn each_message_of_a_batch_is_judged_by_itself() {
        let items = values(
            r#"[1, {"jsonrpc":"2.0","id":"a","method":"ping"}, {"jsonrpc":"2.0","id":"a","method":"ping"},
                {"jsonrpc":"2.0","id":2,"method":"tools/call"}, {"jsonrpc":"2.0","method":"notifications/initialized"},
                {"jsonrpc":"2.0","id":3,"method":"initialize","params":{"protocolVersion":"2025-03-26",
                 "capabilities":{},"clientInfo":{"name":"a","version":"1"}}}, []]"#,
        );
        let codes: Vec<i32> =
            batch(items, Some(&ProtocolVersion::V_2025_03_26)).unwrap().into_iter().map(code).collect();
        assert_eq!(codes, [-32600, 0, -32600, -32602, 0, -32600, -32600]);
    }
}
