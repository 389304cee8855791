//! What Proxmox's answers say of its tasks.

use serde_json::Value;

/// The task that an answer to a change names.
pub(super) fn started(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let upid = answer.get("data")?.as_str()?;
    upid.starts_with("UPID:").then(|| upid.to_owned())
}

/// The task that an answer about one says has ended, and how.
pub(super) fn ended(body: &[u8]) -> Option<(String, String)> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let data = answer.get("data")?;
    let word = |key: &str| data.get(key)?.as_str();
    (word("status")? == "stopped").then_some(())?;
    Some((word("upid")?.to_owned(), word("exitstatus").unwrap_or("unknown").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_seen_to_start_and_to_end() {
        assert_eq!(
            started(br#"{"data":"UPID:pve1:1:2:3:qmstart:101:a@b:"}"#).unwrap(),
            "UPID:pve1:1:2:3:qmstart:101:a@b:"
        );
        assert_eq!(started(br#"{"data":null}"#), None);
        let over = br#"{"data":{"upid":"UPID:x","status":"stopped","exitstatus":"OK"}}"#;
        assert_eq!(ended(over), Some(("UPID:x".to_owned(), "OK".to_owned())));
        assert_eq!(ended(br#"{"data":{"upid":"UPID:x","status":"running"}}"#), None);
    }
}
