//! The parameters of a request, by name, so that the log shows them and secrets among them are known.

use percent_encoding::percent_decode;
use serde_json::{Map, Value};

/// Longest name that is shown, in bytes. The API's own are shorter.
const MAX_NAME: usize = 64;

/// The parameters of a request: those of its query (without `?`) and those of its body, which is a form
/// or a JSON object. Values of forms are texts; a name that repeats has a list of them.
///
/// For requests of any shape, also those that are refused: text that has no name in front of it gets into
/// the log by its length only.
pub fn parameters(query: Option<&str>, body: Option<&[u8]>) -> Map<String, Value> {
    let mut all = Map::new();
    add_form(&mut all, query.unwrap_or_default().as_bytes());
    match body.map(|body| (body, serde_json::from_slice(body))) {
        Some((_, Ok(Value::Object(object)))) => {
            object.into_iter().for_each(|(name, value)| add(&mut all, name, value))
        }
        Some((body, _)) => add_form(&mut all, body),
        None => {}
    }
    all
}

/// `;` separates as `&` does: Proxmox VE reads forms so.
fn add_form(all: &mut Map<String, Value>, form: &[u8]) {
    for pair in form.split(|byte| matches!(byte, b'&' | b';')).filter(|pair| !pair.is_empty()) {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = parts.next().map(decode).unwrap_or_default();
        let value = parts.next().map(decode).unwrap_or_default();
        add(all, name, value.into());
    }
}

fn decode(text: &[u8]) -> String {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

fn add(all: &mut Map<String, Value>, name: String, value: Value) {
    let name = if sound(&name) { name } else { format!("[odd name, {} bytes]", name.len()) };
    match all.get_mut(&name) {
        None => {
            all.insert(name, value);
        }
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

fn sound(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']');
    !name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(query: &str, body: &str) -> Value {
        parameters(Some(query), Some(body.as_bytes())).into()
    }

    #[test]
    fn query_and_body_come_together() {
        assert_eq!(
            of("type=vm&n", "a=b%20c+d&e=f%3Dg=h"),
            json!({"type": "vm", "n": "", "a": "b c d", "e": "f=g=h"})
        );
        assert_eq!(of("a=1", r#"{"b":[1,2],"c":true}"#), json!({"a": "1", "b": [1, 2], "c": true}));
        assert_eq!(parameters(None, None), Map::new());
    }

    #[test]
    fn repeated_names_become_a_list() {
        assert_eq!(of("command=ls&command=-l", "command=%2F"), json!({"command": ["ls", "-l", "/"]}));
    }

    #[test]
    fn a_secret_gets_its_name_however_it_is_encoded() {
        assert_eq!(of("", "x=1;p%61ssword=s%65cret"), json!({"x": "1", "password": "secret"}));
    }

    #[test]
    fn what_is_no_form_is_not_shown() {
        let shown = of("", r#"[{"password":"hunter2"}] hunter2"#).to_string();
        assert!(!shown.contains("hunter2") && shown.contains("odd name, 32 bytes"), "{shown}");
        let shown = of("", "hunter2 & x=1");
        assert_eq!(shown, json!({"[odd name, 8 bytes]": "", "[odd name, 2 bytes]": "1"}));
    }
}
