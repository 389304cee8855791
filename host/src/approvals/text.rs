//! Text from elsewhere in a question. A name loses what could hide, reorder or draw over the host's own
//! words; in a command, of which every character counts, such characters are made visible instead.

use super::guest::Guest;

/// Longest name that is shown, in characters.
const MAX_NAME: usize = 120;

/// A guest in words: `VM "web-01" (id 101) on node pve1`.
pub(crate) fn guest(guest: &Guest) -> String {
    let kind = if guest.container { "container" } else { "VM" };
    let node = line(&guest.node, MAX_NAME);
    match name(&guest.name) {
        name if name.is_empty() => format!("{kind} {} (without a name) on node {node}", guest.vmid),
        name => format!("{kind} \"{name}\" (id {}) on node {node}", guest.vmid),
    }
}

/// A name as it is shown: one line, cleaned, bounded.
pub(crate) fn name(text: &str) -> String {
    line(text, MAX_NAME)
}

/// One line without control, ANSI, bidirectional and invisible characters, at most `most` characters long.
pub(crate) fn line(text: &str, most: usize) -> String {
    let clean = without_escapes(text);
    let words: Vec<&str> = clean.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

/// The same text with every character visible; ends of line and tabs stay.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if acts(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// A block of code; the fence is longer than any run of backquotes inside.
pub(crate) fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{}\n{fence}", text.trim_end_matches('\n'))
}

/// A word as a shell would take it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' if rest.peek() == Some(&'[') => {
                rest.next();
                skip_sequence(&mut rest);
            }
            '\u{9b}' => skip_sequence(&mut rest),
            // A title, a link and the like, up to BEL or ESC.
            '\u{1b}' if rest.peek() == Some(&']') => {
                for c in rest.by_ref() {
                    if matches!(c, '\u{7}' | '\u{1b}' | '\u{9c}') {
                        break;
                    }
                }
            }
            c if c.is_whitespace() => out.push(' '),
            c if acts(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// Skips a control sequence up to its last character.
fn skip_sequence(rest: &mut impl Iterator<Item = char>) {
    for c in rest {
        if ('\u{40}'..='\u{7e}').contains(&c) {
            return;
        }
    }
}

/// Whether a character does something other than showing itself.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}
