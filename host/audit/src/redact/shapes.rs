//! Secrets in running text, known by what stands around them or by their form.
//!
//! What no name and no form gives away, a bare password in a sentence for instance, cannot be found; the
//! log's file is for the operator alone for that reason too.

use std::ops::Range;

use super::names::{self, Says};
use super::vendors;

/// What becomes of what may be a secret and may be something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It is hidden: the log can do without.
    Hide,
    /// It is shown: somebody asked for it.
    Show,
}

/// Commands that take a password in ways too many to tell. In doubt the whole text is hidden, else the line.
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

/// How far before such a command its line is looked at, in bytes.
const COMMAND_LINE: usize = 1024;

/// How hashed passwords start.
pub(super) const HASHES: &[&str] = &["$1$", "$5$", "$6$", "$y$", "$2a$", "$2b$", "$2y$", "$argon2"];

/// Shortest hashed password, in bytes. Prices are shorter.
const SHORTEST_HASH: usize = 20;

/// `openssh-key-v1` in base64: an OpenSSH private key without its frame.
pub(super) const OPENSSH: &str = "b3BlbnNzaC1rZXktdjE";

/// What stands before a secret without a separator, in lower case.
const SCHEMES: &[&str] = &["bearer ", "pveapitoken "];

/// How tickets of Proxmox VE start.
const TICKETS: &[&str] = &["PVE:", "PVEVNC:", "PVETUNNEL:"];

/// How names of systemd units end; some of them ask for passwords, and the journal names them all.
const UNITS: &[&str] = &[".service", ".path", ".socket", ".target", ".timer"];

/// What may be a secret is taken for one from this length on, in bytes.
const RANDOM: usize = 12;

/// How much of what may be a secret is looked at, in bytes.
const LOOK: usize = 256;

/// The parts of the text that are secret: sorted, apart from each other, not empty.
///
/// With [`Doubt::Show`] the time it takes grows no faster than the text, whatever is in it.
pub(super) fn secret_parts(text: &str, known: &[String], doubt: Doubt) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let mut parts = Vec::new();
    let all = 0..text.len();
    for (at, command) in COMMANDS.iter().flat_map(|command| lower.match_indices(command)) {
        match doubt {
            Doubt::Hide => return vec![all],
            Doubt::Show => commanded(&lower, at, command, &mut parts),
        }
    }
    for secret in known {
        parts.extend(text.match_indices(secret.as_str()).map(|(at, found)| at..at + found.len()));
    }
    named(text, doubt, &mut parts);
    flags(text, &mut parts);
    user_info(text, &mut parts);
    private_keys(&lower, doubt, &mut parts);
    vendors::secrets(text, &mut parts);
    for start in SCHEMES {
        let words = lower.match_indices(start).map(|(at, _)| word(text, at + start.len()));
        parts.extend(words.filter(|range| doubt == Doubt::Hide || is_random(within(text, range))));
    }
    for start in HASHES {
        let hashed = |range: &Range<usize>| doubt == Doubt::Hide || range.len() >= SHORTEST_HASH;
        parts.extend(words(text, start).into_iter().filter(hashed));
    }
    parts.extend(words(text, OPENSSH));
    for start in TICKETS {
        parts.extend(words(text, start).into_iter().filter(|range| ticket(within(text, range))));
    }
    merged(parts)
}

/// The line of a command that takes a password; `chpasswd` takes it from what stands before a bar.
fn commanded(lower: &str, at: usize, command: &str, parts: &mut Vec<Range<usize>>) {
    if parts.last().is_some_and(|last| last.contains(&at)) {
        return;
    }
    let (before, after) = lower.split_at_checked(at).unwrap_or_default();
    let seen = lower.floor_char_boundary(at.saturating_sub(COMMAND_LINE));
    let line = before.get(seen..).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
    let (start, fed) = (at - line.len(), || line.contains('|'));
    if command != "chpasswd" || fed() {
        parts.push(start..after.find('\n').map_or(lower.len(), |length| at + length));
    }
}

/// `name=value`, `name: value`, `"name": "value"`, and UUIDs after `=`: the secret of an API token.
fn named(text: &str, doubt: Doubt, parts: &mut Vec<Range<usize>>) {
    let mut covered = 0;
    for (at, separator) in text.match_indices(['=', ':']) {
        if doubt == Doubt::Show && at < covered {
            continue;
        }
        let (before, after) = (text.get(..at).unwrap_or_default(), at + separator.len());
        let part = match doubt {
            Doubt::Hide => named_broadly(text, before, after, separator),
            Doubt::Show => named_narrowly(text, before, after, separator),
        };
        if let Some(part) = part {
            covered = covered.max(part.end);
            parts.push(part);
        }
    }
}

/// What the name before a separator makes secret, where a doubt hides.
fn named_broadly(text: &str, before: &str, after: usize, separator: &str) -> Option<Range<usize>> {
    let name = name_at_end(before);
    if names::secret(name) {
        return Some(after..value_end(text, after, separator));
    }
    let token = separator == "=" && !name.ends_with("uuid") && name != "vmgenid" && uuid_at(text, after);
    token.then(|| after..after + UUID.len())
}

/// What the name before a separator makes secret for certain, or together with the look of the value.
fn named_narrowly(text: &str, before: &str, after: usize, separator: &str) -> Option<Range<usize>> {
    let rest = text.get(after..).unwrap_or_default();
    let name = name_at_end(before);
    // `root@pam!mcp=...`, and in a UPID `root@pam!token:`.
    if before.strip_suffix(name).is_some_and(|before| before.ends_with('!')) {
        return uuid_at(text, after).then(|| after..after + UUID.len());
    }
    let says = names::says(name);
    let unit = UNITS.iter().any(|kind| name.ends_with(kind));
    if matches!(says, Says::Nothing | Says::Public) || unit || rest.starts_with("//") {
        return None;
    }
    // `secret-store:vm-101-disk-0` is a volume.
    let apart = |c: char| c.is_whitespace() || "\"'`*\\".contains(c);
    let apart = separator == "=" || rest.starts_with(apart) || before.ends_with(apart);
    match says {
        Says::Secret if apart || names::password(name) => {
            let start = text.len() - rest.trim_start_matches([' ', '\t']).len();
            Some(start..value_end(text, after, separator))
        }
        Says::Maybe if apart => {
            let gap = |c: char| c.is_whitespace() || "\"'`*\\".contains(c);
            let start = text.len() - rest.trim_start_matches(gap).len();
            let head = text.get(start..text.floor_char_boundary(start + LOOK)).unwrap_or_default();
            is_random(within(head, &word(head, 0))).then(|| word(text, start))
        }
        _ => None,
    }
}

/// Whether a value has the look of a secret: one word, of letters and digits, that is no address, path,
/// fingerprint or public key.
pub(super) fn is_random(value: &str) -> bool {
    let value = value.trim_matches(|c: char| c.is_whitespace() || "\"'`,;\\".contains(c));
    let known = ["http", "/", "ssh-", "ecdsa-", "sk-ssh-", "SHA256:", "MD5:", "UPID:"];
    let has = |kind: fn(&u8) -> bool| value.as_bytes().iter().any(kind);
    value.len() >= RANDOM
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && !value.contains(char::is_whitespace)
        && !known.iter().any(|start| value.starts_with(start))
        && !is_fingerprint(value)
}

/// `AB:CD:EF:...`, as fingerprints and hardware addresses are written.
pub(super) fn is_fingerprint(value: &str) -> bool {
    let pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    value.contains(':') && value.split(':').all(pair)
}

/// `--password value`.
fn flags(text: &str, parts: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices('-') {
        let before = text.get(..at).unwrap_or_default();
        if !before.is_empty() && !before.ends_with([' ', '\t', '\n', '"', '\'', ',']) {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let flag = rest.split(|c: char| c.is_whitespace() || "\"',=:".contains(c)).next().unwrap_or_default();
        if names::announces(flag) {
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
fn private_keys(lower: &str, doubt: Doubt, parts: &mut Vec<Range<usize>>) {
    let mut covered = 0;
    for (at, start) in lower.match_indices("-----begin") {
        if at < covered {
            continue;
        }
        let rest = lower.get(at + start.len()..).unwrap_or_default();
        let (title, body) = match rest.split_once("-----") {
            Some((title, body)) => (title, body),
            None if doubt == Doubt::Hide => ("private", ""),
            None => (rest, ""),
        };
        if title.contains("private") {
            let end = body.find("-----end").and_then(|end| {
                let last = body.get(end + "-----end".len()..)?;
                Some(lower.len() - last.len() + last.find("-----")? + "-----".len())
            });
            covered = end.unwrap_or(lower.len());
            parts.push(at..covered);
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
    let before = before.trim_end_matches(|c: char| c.is_whitespace() || "\"'`*\\".contains(c));
    let part = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    before.get(before.trim_end_matches(part).len()..).unwrap_or_default()
}

/// Where the value ends that begins somewhere after `from`: with its closing quote or bracket, and else with
/// the line after `:`, with the word after `=`.
fn value_end(text: &str, from: usize, separator: &str) -> usize {
    let (mut from, mut separator) = (from, separator);
    loop {
        let rest = text.get(from..).unwrap_or_default();
        let value = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
        let before = rest.get(..rest.len() - value.len()).unwrap_or_default();
        let start = from + before.len();
        let end = match value.chars().next() {
            Some(quote @ ('"' | '\'' | '`')) => {
                let escapes = before.len() - before.trim_end_matches('\\').len();
                let end = closing_quote(text, start + 1, quote, escapes);
                // A shell joins what follows without a space: `"a"b`.
                let next = text.get(end..).and_then(|rest| rest.chars().next());
                if next.is_none_or(|next| next.is_whitespace() || ",;&|)]}\\".contains(next)) {
                    return end;
                }
                (from, separator) = (end, "=");
                continue;
            }
            Some(open @ ('[' | '{')) => closing_bracket(value, open),
            Some(_) if separator == ":" => value.find(['\n', '\r']),
            _ => return word_end(text, start),
        };
        return end.map_or(text.len(), |end| start + end);
    }
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

/// The words that start with this, apart from each other.
fn words(text: &str, start: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.match_indices(start) {
        if found.last().is_none_or(|last| at >= last.end) {
            found.push(word(text, at));
        }
    }
    found
}

fn within<'t>(text: &'t str, range: &Range<usize>) -> &'t str {
    text.get(range.clone()).unwrap_or_default()
}

/// The word that starts here, up to white space, a quote or `&`.
fn word(text: &str, at: usize) -> Range<usize> {
    at..word_end(text, at)
}

fn word_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.find(|c: char| c.is_whitespace() || "\"'`&\0".contains(c)).map_or(text.len(), |end| at + end)
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
