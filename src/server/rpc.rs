//! JSON-RPC 2.0 as MCP uses it: what a message is, and what is wrong with one that is none.

use serde_json::{Map, Value, json};

/// The text is no JSON.
pub const PARSE_ERROR: i64 = -32700;
/// It is no JSON-RPC message.
pub const INVALID_REQUEST: i64 = -32600;
/// There is no such method.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The method does not take these parameters.
pub const INVALID_PARAMS: i64 = -32602;
/// It failed here.
pub const INTERNAL_ERROR: i64 = -32603;
/// There is no such resource, up to revision 2025-11-25.
pub const RESOURCE_NOT_FOUND: i64 = -32002;
/// The HTTP headers say something else than the message.
pub const HEADER_MISMATCH: i64 = -32020;
/// The revision is not spoken here.
pub const UNSUPPORTED_VERSION: i64 = -32022;

/// A message of a client.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// It wants an answer.
    Request(Request),
    /// It wants none.
    Notification {
        /// What it is about.
        method: String,
        /// Its parameters.
        params: Map<String, Value>,
    },
    /// An answer to something that this server never asks.
    Response,
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What its answer is called by: text or a whole number.
    pub id: Value,
    /// What is wanted.
    pub method: String,
    /// With what.
    pub params: Map<String, Value>,
}

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// One of the codes above.
    pub code: i64,
    /// What is wrong and what to do.
    pub message: String,
    /// More for programs; null for nothing.
    pub data: Value,
}

impl Fault {
    /// A fault without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Fault { code, message: message.into(), data: Value::Null }
    }

    /// Parameters that do not fit.
    pub fn params(message: impl Into<String>) -> Self {
        Fault::new(INVALID_PARAMS, message)
    }

    /// The same with data.
    #[must_use]
    pub fn with(self, data: Value) -> Self {
        Fault { data, ..self }
    }

    /// The message that tells a client of it; `id` is null where the request's could not be read.
    pub fn response(&self, id: &Value) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let (Some(error), false) = (error.as_object_mut(), self.data.is_null()) {
            error.insert("data".to_owned(), self.data.clone());
        }
        json!({"jsonrpc": "2.0", "id": id, "error": error})
    }
}

/// The message that answers a request.
pub fn response(id: &Value, result: Result<Value, Fault>) -> Value {
    match result {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(fault) => fault.response(id),
    }
}

/// A message that wants no answer.
pub fn notification(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

/// The response to a line that is longer than `most` bytes.
pub fn too_long(most: usize) -> Value {
    Fault::new(INVALID_REQUEST, format!("This line is longer than {most} bytes.")).response(&Value::Null)
}

/// Reads text as JSON.
///
/// # Errors
/// The response that says it is none.
pub fn parse(text: &[u8]) -> Result<Value, Value> {
    serde_json::from_slice(text).map_err(|error| {
        let fault = Fault::new(PARSE_ERROR, format!("This is no JSON: {error}."));
        fault.response(&Value::Null)
    })
}

/// Reads JSON as a message.
///
/// # Errors
/// The response that says what is wrong with it.
pub fn read(value: Value) -> Result<Message, Value> {
    let invalid = |id: &Value, why: &str| {
        Fault::new(INVALID_REQUEST, format!("This is no JSON-RPC 2.0 message: {why}.")).response(id)
    };
    let Value::Object(mut object) = value else { return Err(invalid(&Value::Null, "it is no object")) };
    let id = object.remove("id");
    let known = id.clone().filter(is_id).unwrap_or_default();
    if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid(&known, "`jsonrpc` is not \"2.0\""));
    }
    if id.as_ref().is_some_and(|id| !is_id(id)) {
        return Err(invalid(&Value::Null, "`id` is neither text nor a whole number"));
    }
    let method = match object.remove("method") {
        Some(Value::String(method)) => method,
        None if object.contains_key("result") || object.contains_key("error") => {
            return Ok(Message::Response);
        }
        _ => return Err(invalid(&known, "`method` is no text")),
    };
    let params = match object.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) if id.is_some() => return Err(Fault::params("`params` is no object.").response(&known)),
        Some(_) => return Err(invalid(&known, "`params` is no object")),
    };
    Ok(match id {
        Some(id) => Message::Request(Request { id, method, params }),
        None => Message::Notification { method, params },
    })
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(value: Value) -> (i64, Value) {
        let response = read(value).unwrap_err();
        (response["error"]["code"].as_i64().unwrap(), response["id"].clone())
    }

    #[test]
    fn messages_are_told_apart() {
        let request = json!({"jsonrpc": "2.0", "id": "a", "method": "ping"});
        let expected = Request { id: json!("a"), method: "ping".to_owned(), params: Map::new() };
        assert_eq!(read(request).unwrap(), Message::Request(expected));
        let notification = json!({"jsonrpc": "2.0", "method": "notifications/x", "params": {"a": 1}});
        assert!(matches!(read(notification).unwrap(), Message::Notification { .. }));
        for response in [
            json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
            json!({"jsonrpc": "2.0", "id": 1, "error": {}}),
        ] {
            assert_eq!(read(response).unwrap(), Message::Response);
        }
    }

    #[test]
    fn what_is_no_message_is_answered_with_its_id_where_it_has_one() {
        assert_eq!(code(json!([])), (INVALID_REQUEST, Value::Null));
        assert_eq!(code(json!({"id": 1, "method": "ping"})), (INVALID_REQUEST, json!(1)));
        assert_eq!(code(json!({"jsonrpc": "1.0", "id": 1, "method": "ping"})), (INVALID_REQUEST, json!(1)));
        for id in [json!(null), json!(1.5), json!({}), json!(true)] {
            let message = json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
            assert_eq!(code(message), (INVALID_REQUEST, Value::Null));
        }
        assert_eq!(code(json!({"jsonrpc": "2.0", "id": 7, "method": 5})), (INVALID_REQUEST, json!(7)));
        assert_eq!(code(json!({"jsonrpc": "2.0", "id": 7})), (INVALID_REQUEST, json!(7)));
        let list = json!({"jsonrpc": "2.0", "id": 7, "method": "x", "params": [1]});
        assert_eq!(code(list), (INVALID_PARAMS, json!(7)));
        assert_eq!(parse(b"{\"a\":").unwrap_err()["error"]["code"], PARSE_ERROR);
        assert_eq!(parse(b"\xff").unwrap_err()["id"], Value::Null);
    }
}
