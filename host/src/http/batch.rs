//! Batches of messages, which revision 2025-03-26 has and rmcp does not take over HTTP: each message goes in by
//! itself, and the answers go back as one array.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use rmcp::model::ProtocolVersion;
use serde_json::Value;

use super::front::{Answer, json_answer};
use crate::mcp::strict::{self, Refused};

/// The header that says which revision was agreed on.
const VERSION: &str = "mcp-protocol-version";

/// The messages of a body that is an array, each ready to be handed on or with the error that answers it.
///
/// # Errors
/// What answers the batch as a whole.
pub(super) fn messages(
    headers: &HeaderMap,
    values: Vec<Value>,
) -> Result<Vec<Result<Bytes, Refused>>, Refused> {
    let messages = strict::batch(values, agreed_on(headers).as_ref())?;
    let ready = |message| serde_json::to_vec(&message).map(Bytes::from).unwrap_or_default();
    Ok(messages.into_iter().map(|message| message.map(ready)).collect())
}

/// What was agreed on: a client of 2025-03-26 did not have to say.
fn agreed_on(headers: &HeaderMap) -> Option<ProtocolVersion> {
    match headers.get(VERSION) {
        None => Some(ProtocolVersion::V_2025_03_26),
        Some(version) => serde_json::from_value(version.to_str().ok()?.into()).ok(),
    }
}

/// The answer to one message, out of what came back for it: nothing for a notification.
pub(super) async fn answer(came_back: Answer) -> Option<Value> {
    let events = came_back.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let status = came_back.status();
    let body = came_back.into_body().collect().await.ok()?.to_bytes();
    if status == StatusCode::ACCEPTED {
        return None;
    }
    let text = String::from_utf8_lossy(&body);
    if !events {
        let parsed = serde_json::from_str(&text).ok().filter(is_answer);
        let said = || Refused { id: Value::Null, code: -32600, message: text.trim().to_owned() }.answer();
        return Some(parsed.unwrap_or_else(said));
    }
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|data| serde_json::from_str(data.trim()).ok()).find(is_answer)
}

fn is_answer(message: &Value) -> bool {
    message.get("method").is_none() && (message.get("result").is_some() || message.get("error").is_some())
}

/// All answers; where there is none to give, the batch was taken.
pub(super) fn together(answers: Vec<Value>) -> Answer {
    match answers.is_empty() {
        true => json_answer(StatusCode::ACCEPTED, ""),
        false => json_answer(StatusCode::OK, &Value::Array(answers).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Response};
    use http_body_util::Full;
    use serde_json::json;

    use super::*;

    fn headers(version: Option<&'static str>) -> HeaderMap {
        version
            .map(|version| (http::HeaderName::from_static(VERSION), HeaderValue::from_static(version)))
            .into_iter()
            .collect()
    }

    #[test]
    fn only_one_revision_has_batches() {
        let ping = || vec![json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}), json!(5)];
        for version in [None, Some("2025-03-26")] {
            let messages = messages(&headers(version), ping()).unwrap();
            assert!(messages[0].is_ok() && messages[1].is_err(), "{version:?}");
        }
        for version in ["2024-11-05", "2025-06-18", "2026-07-28", "nonsense"] {
            let refused = messages(&headers(Some(version)), ping()).unwrap_err();
            assert_eq!(refused.code, -32600, "{version}");
        }
    }

    #[tokio::test]
    async fn the_answer_is_found_in_what_came_back() {
        let back = |status: u16, kind: &str, body: &'static str| {
            let mut back: Answer = Response::new(Full::new(Bytes::from_static(body.as_bytes())).boxed());
            *back.status_mut() = StatusCode::from_u16(status).unwrap();
            back.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
            answer(back)
        };
        let events = "data:\nid: 0\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n\n\
                      id: 1\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n";
        assert_eq!(back(200, "text/event-stream", events).await.unwrap()["id"], 1);
        assert_eq!(
            back(200, "application/json", r#"{"id":2,"error":{"code":-32602}}"#).await.unwrap()["id"],
            2
        );
        assert_eq!(back(202, "text/plain", "").await, None);
        let said = back(404, "text/plain", "Not Found: no such session").await.unwrap();
        assert_eq!(said["error"]["message"], "Not Found: no such session");
    }
}
