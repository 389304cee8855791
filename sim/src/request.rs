//! What a request asks: its path, its parameters, decoded the way the real server decodes them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::failure::Failure;

/// Parameters by name. One that repeats is an array.
pub(crate) type Raw = BTreeMap<String, Value>;

/// Splits a target into formatter, decoded path below it, and raw query.
pub(crate) fn target(target: &str) -> Result<(String, String, &str), Failure> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = String::from_utf8_lossy(&percent(path, false)).into_owned();
    let rest = path.strip_prefix("/api2/").filter(|rest| !rest.contains('\n'));
    let Some(rest) = rest else { return Err(Failure::plain(501, "no such uri")) };
    let (format, below) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((format.to_owned(), format!("/{below}"), query))
}

/// The parameters of a form or a query. `;` separates like `&`, and a value ends at a second `=`.
pub(crate) fn form(text: &str) -> Raw {
    let mut raw = Raw::new();
    for pair in text.split(['&', ';']).filter(|p| !p.is_empty()) {
        let mut parts = pair.split('=');
        let name = decode(parts.next().unwrap_or_default());
        add(&mut raw, name, Value::String(decode(parts.next().unwrap_or_default())));
    }
    raw
}

/// The parameters of a request body.
pub(crate) fn body(content_type: Option<&str>, bytes: &[u8]) -> Result<Raw, Failure> {
    let kind = content_type.unwrap_or("application/x-www-form-urlencoded");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind {
        "application/x-www-form-urlencoded" => Ok(form(&String::from_utf8_lossy(bytes))),
        "application/json" if bytes.is_empty() => Ok(Raw::new()),
        "application/json" => json(bytes),
        "multipart/form-data" => Ok(multipart(content_type.unwrap_or_default(), bytes)),
        other => Err(Failure::plain(506, format!("upload 'Content-Type '{other}' not implemented"))),
    }
}

/// The fields of a form with a file. The file itself is its name, and its size in the parameter that
/// the real server fills with the place where it put the file.
fn multipart(content_type: &str, bytes: &[u8]) -> Raw {
    let boundary = content_type.split("boundary=").nth(1).unwrap_or_default().trim_matches('"');
    let text: String = bytes.iter().copied().map(char::from).collect();
    let mut raw = Raw::new();
    for part in text.split(&format!("--{boundary}")) {
        let Some((head, value)) = part.split_once("\r\n\r\n") else { continue };
        let value = value.strip_suffix("\r\n").unwrap_or(value);
        let word = |name: &str| head.split_once(name).and_then(|(_, rest)| rest.split('"').next());
        let Some(name) = word(" name=\"") else { continue };
        match word(" filename=\"") {
            Some(file) => {
                add(&mut raw, "filename".into(), Value::String(file.to_owned()));
                add(
                    &mut raw,
                    "tmpfilename".into(),
                    Value::String(format!("/var/tmp/pveupload-{:x}", value.len())),
                );
            }
            None => add(&mut raw, name.to_owned(), Value::String(value.to_owned())),
        }
    }
    raw
}

/// Adds the query to the body's parameters; the query wins.
pub(crate) fn merge(mut body: Raw, query: Raw) -> Raw {
    body.extend(query);
    body
}

fn json(bytes: &[u8]) -> Result<Raw, Failure> {
    const SOURCE: &str = "at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 934.";
    let broken = |at: usize| {
        let text = String::from_utf8_lossy(bytes.get(at..).unwrap_or_default()).into_owned();
        let near = if text.is_empty() { "(end of string)".to_owned() } else { text };
        let what = "malformed JSON string, neither tag, array, object, number, string or atom";
        Failure::plain(500, format!("{what}, at character offset {at} (before \"{near}\") {SOURCE}\n"))
    };
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(map)) => {
            let null = map.iter().find(|(_, v)| v.is_null()).map(|(k, _)| k.clone());
            match null {
                Some(name) => Err(Failure::internal(format!("parameter '{name}' has no value"))),
                None => Ok(map.into_iter().collect()),
            }
        }
        Ok(_) => Err(Failure::plain(500, format!("Not a HASH reference {SOURCE}\n"))),
        Err(e) => Err(broken(e.column().min(bytes.len()))),
    }
}

fn add(raw: &mut Raw, name: String, value: Value) {
    match raw.get_mut(&name) {
        None => {
            raw.insert(name, value);
        }
        Some(Value::Array(list)) => list.push(value),
        Some(first) => {
            let old = first.take();
            *first = Value::Array(vec![old, value]);
        }
    }
}

fn decode(text: &str) -> String {
    let bytes = percent(text, true);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A text whose percent-encoding is undone.
pub(crate) fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&percent(text, false)).into_owned()
}

/// Undoes percent-encoding, once; `plus` stands for a blank in forms and queries only.
fn percent(text: &str, plus: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' if plus => out.push(b' '),
            b'%' => match tail.split_at_checked(2).and_then(|(hex, after)| Some((hex_byte(hex)?, after))) {
                Some((byte, after)) => {
                    out.push(byte);
                    rest = after;
                }
                None => out.push(b'%'),
            },
            other => out.push(other),
        }
    }
    out
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_form_is_read_as_the_real_server_reads_it() {
        let raw = form("a=1;b=x=y&c=a+b%26&d=1&d=2&e");
        let expected = json!({"a": "1", "b": "x", "c": "a b&", "d": ["1", "2"], "e": ""});
        assert_eq!(serde_json::to_value(raw).unwrap(), expected);
    }

    #[test]
    fn the_path_is_decoded_once_and_before_routing() {
        let (format, path, query) = target("/api2/json/nodes/a%2Fqemu%252F?x=1").unwrap();
        assert_eq!((format.as_str(), path.as_str(), query), ("json", "/nodes/a/qemu%2F", "x=1"));
        assert_eq!(target("/api2/json/nodes/a%0Aq").unwrap_err().reason(), "no such uri");
    }

    #[test]
    fn bodies_other_than_form_and_json_are_refused() {
        assert_eq!(body(Some("text/plain"), b"a=1").unwrap_err().status, 506);
        assert_eq!(body(Some("application/json"), b"{\"a\":").unwrap_err().status, 500);
        assert_eq!(body(Some("application/json"), b"{\"a\":null}").unwrap_err().status, 500);
        assert_eq!(body(Some("application/json"), b"{\"a\":true}").unwrap()["a"], json!(true));
    }
}
