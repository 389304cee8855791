//! Secrets in running text, known by what stands around them or by their form.
//!
//! In doubt more is hidden than needs to be. What no name and no form gives away, a bare password in a
//! sentence for instance, cannot be found; the log's file is for the operator alone for that reason too.

use std::ops::Range;

use super::names;

/// Commands that take a password in ways too many to tell: the whole text is hidden.
const COMMANDS: &[&str] = &[
    "chpasswd",
    "htpasswd",
    "mkpasswd",
    "sshpass",
    "passwd --stdin",
    "openssl passwd",
    "usermod -p",
    "useradd -p",
];

/// How hashed passwords start.
const HASHES: &[&str] = &["$1$", "$5$", "$6$", "$y$", "$2a$", "$2b$", "$2y$", "$argon2"];

/// `openssh-key-v1` in base64: an OpenSSH private key without its frame.
const OPENSSH: &str = "b3BlbnNzaC1rZXktdjE";

/// The parts of the text that are secret: sorted, apart from each other, not empty.
pub(super) fn secret_parts(text: &str, known: &[String]) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let all = 0..text.len();
    if COMMANDS.iter().any(|command| lower.contains(command)) {
        return vec![all];
    }
    let mut parts = Vec::new();
    for secret in known {
        parts.extend(text.match_indices(secret.as_str()).map(|(at, found)| at..at + found.len()));
    }
    named(text, &mut parts);
    flags(text, &mut parts);
    user_info(text, &mut parts);
    private_keys(&lower, &mut parts);
    for start in ["bearer ", "pveapitoken "] {
        parts.extend(lower.match_indices(start).map(|(at, _)| word(text, at + start.len())));
    }
    for start in HASHES.iter().chain([&OPENSSH]) {
        parts.extend(text.match_indices(start).map(|(at, _)| word(text, at)));
    }
    for start in ["PVE:", "PVEVNC:", "PVETUNNEL:"] {
        let words = text.match_indices(start).map(|(at, _)| word(text, at));
        parts.extend(words.filter(|range| ticket(text.get(range.clone()).unwrap_or_default())));
    }
    merged(parts)
}

/// `name=value`, `name: value`, `"name": "value"`, and UUIDs after `=`: the secret of an API token.
fn named(text: &str, parts: &mut Vec<Range<usize>>) {
    for (at, separator) in text.match_indices(['=', ':']) {
        let (before, after) = (text.get(..at).unwrap_or_default(), at + separator.len());
        let name = name_at_end(before);
        if names::secret(name) {
            parts.push(after..value_end(text, after, separator));
        } else if separator == "=" && !name.ends_with("uuid") && name != "vmgenid" && uuid_at(text, after) {
            parts.push(after..after + UUID.len());
        }
    }
}

/// `--password value`.
fn flags(text: &str, parts: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices('-') {
        let starts = text
            .get(..at)
            .is_none_or(|before| before.is_empty() || before.ends_with([' ', '\t', '\n', '"', '\'', ',']));
        let rest = text.get(at..).unwrap_or_default();
        let flag = rest.split(|c: char| c.is_whitespace() || "\"',=:".contains(c)).next().unwrap_or_default();
        if starts && names::announces(flag) {
            let after = at + flag.len();
            // In a list of words a closing quote and a comma stand between the two.
            let gap = text.get(after..).unwrap_or_default();
            let skipped = gap.len() - gap.trim_start_matches(['"', '\'', ',']).len();
            parts.push(after..value_end(text, after + skipped, "="));
        }
    }
}

/// The password in `https://user:password@host/`.
fn user_info(text: &str, parts: &mut Vec<Range<usize>>) {
    for (at, start) in text.match_indices("://") {
        let at = at + start.len();
        let rest = text.get(at..).unwrap_or_default();
        let authority =
            rest.split(|c: char| c.is_whitespace() || "/\"'?#".contains(c)).next().unwrap_or_default();
        let secret = authority.rsplit_once('@').and_then(|(user, _)| Some((user.find(':')?, user.len())));
        parts.extend(secret.map(|(colon, end)| at + colon + 1..at + end));
    }
}

/// From `-----BEGIN ... PRIVATE KEY-----` to the end of the key, or of the text. PuTTY's form to the end.
fn private_keys(lower: &str, parts: &mut Vec<Range<usize>>) {
    for (at, start) in lower.match_indices("-----begin") {
        let rest = lower.get(at + start.len()..).unwrap_or_default();
        let Some((title, body)) = rest.split_once("-----") else {
            parts.push(at..lower.len());
            continue;
        };
        if title.contains("private") {
            let end = body.find("-----end").and_then(|end| {
                let last = body.get(end + "-----end".len()..)?;
                Some(lower.len() - last.len() + last.find("-----")? + "-----".len())
            });
            parts.push(at..end.unwrap_or(lower.len()));
        }
    }
    parts.extend(lower.find("putty-user-key-file").map(|at| at..lower.len()));
}

/// `PVE:root@pam:6A2B...::signature`.
fn ticket(word: &str) -> bool {
    word.split_once("::").is_some_and(|(who, _)| who.contains('@') && !who.contains('!'))
}

/// The name that stands before a separator, with or without quotes around it.
fn name_at_end(before: &str) -> &str {
    let before = before.trim_end_matches(|c: char| c.is_whitespace() || "\"'`\\".contains(c));
    let part = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    before.get(before.trim_end_matches(part).len()..).unwrap_or_default()
}

/// Where the value ends that begins somewhere after `from`: with its closing quote or bracket, and else with
/// the line after `:`, with the word after `=`.
fn value_end(text: &str, from: usize, separator: &str) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let value = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
    let start = text.len() - value.len();
    let end = match value.chars().next() {
        Some(quote @ ('"' | '\'' | '`')) => {
            let escapes =
                rest.len() - rest.trim_end_matches(value).trim_end_matches('\\').len() - value.len();
            let end = closing_quote(text, start + 1, quote, escapes);
            // A shell joins what follows without a space: `"a"b`.
            let next = text.get(end..).and_then(|rest| rest.chars().next());
            let ends = next.is_none_or(|next| next.is_whitespace() || ",;&|)]}\\".contains(next));
            return if ends { end } else { value_end(text, end, "=") };
        }
        Some(open @ ('[' | '{')) => closing_bracket(value, open),
        Some(_) if separator == ":" => value.find(['\n', '\r']),
        _ => return word_end(text, start),
    };
    end.map_or(text.len(), |end| start + end)
}

/// After the quote that has as many backslashes before it as the opening one had, so that quotes inside
/// the value do not end it.
fn closing_quote(text: &str, from: usize, quote: char, escapes: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let closing = rest.match_indices(quote).find(|(at, _)| {
        let before = rest.get(..*at).unwrap_or_default();
        before.len() - before.trim_end_matches('\\').len() == escapes
    });
    closing.map_or(text.len(), |(at, _)| from + at + 1)
}

fn closing_bracket(value: &str, open: char) -> Option<usize> {
    let close = if open == '[' { ']' } else { '}' };
    let mut depth = 0_usize;
    for (at, c) in value.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Some(at + 1);
            }
        }
    }
    None
}

/// The word that starts here, up to white space, a quote or `&`.
fn word(text: &str, at: usize) -> Range<usize> {
    at..word_end(text, at)
}

fn word_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.find(|c: char| c.is_whitespace() || "\"'`&".contains(c)).map_or(text.len(), |end| at + end)
}

/// The form of a UUID: `x` is a hexadecimal digit.
const UUID: &[u8] = b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

fn uuid_at(text: &str, at: usize) -> bool {
    let fits =
        |(byte, form): (&u8, &u8)| if *form == b'-' { *byte == b'-' } else { byte.is_ascii_hexdigit() };
    let bytes = text.as_bytes().get(at..at + UUID.len());
    bytes.is_some_and(|bytes| bytes.iter().zip(UUID).all(fits))
}

fn merged(mut parts: Vec<Range<usize>>) -> Vec<Range<usize>> {
    parts.retain(|part| !part.is_empty());
    parts.sort_by_key(|part| part.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(parts.len());
    for part in parts {
        match merged.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ => merged.push(part),
        }
    }
    merged
}
