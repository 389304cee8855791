//! The question: what will happen, to which guest, what may be lost. All words are the host's own; the
//! tool has no part in them, and what it wants to send is shown as it would go out.

use super::guest::{self, Guest};
use super::need::Need;
use super::text;
use super::words::{Words, words};

/// Longest question, in characters. What a person cannot read whole is not asked.
const MAX_TEXT: usize = 8_000;
/// Longest value of a parameter that is shown whole, in characters, where the question would be too long
/// otherwise. Of a longer one its two ends are shown.
const MAX_VALUE: usize = 2_000;

/// What a person is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The question, in lines of plain text with fenced code.
    pub text: String,
    /// What has to be typed for a yes, where something is destroyed.
    pub typed: Option<String>,
}

impl Question {
    /// Builds it.
    ///
    /// # Errors
    /// A sentence for the user, where the question would be too long to be read.
    pub(crate) fn new(tool: &str, needs: &[(Need, Vec<Guest>)]) -> Result<Self, String> {
        let grants = super::joined(needs);
        let text = |most: usize| {
            let sections: Vec<String> =
                needs.iter().map(|(need, guests)| section(need, guests, most)).collect();
            format!(
                "{}\n\nAsked for by the tool {tool}; not allowed without asking: {}.",
                sections.join("\n\n"),
                grants.replace(',', ", ")
            )
        };
        let too_long = |text: &str| text.chars().count() > MAX_TEXT;
        let whole = text(usize::MAX);
        let text = if too_long(&whole) { text(MAX_VALUE) } else { whole };
        if too_long(&text) {
            return Err(format!(
                "What `{tool}` wants to do needs a person's approval, and it is too long for a person to read: the \
                 question would have more than {MAX_TEXT} characters. Nothing was done. Make it shorter, or start \
                 proxmox-mcp with `--grant {grants}` to allow it without asking."
            ));
        }
        let typed = needs.iter().find(|(need, _)| words(need).destroys);
        Ok(Self { text, typed: typed.map(|(need, guests)| to_type(need, guests)) })
    }
}

/// What one request does. A value of more than `most` characters is shortened.
fn section(need: &Need, guests: &[Guest], most: usize) -> String {
    let Words { action, loss, .. } = words(need);
    let vmids = need.vmids();
    let whom = match vmids.as_slice() {
        [vmid] => Some(subject(guests, *vmid)),
        _ => None,
    };
    let mut out = match (action, &whom) {
        (Some(action), Some(whom)) => format!("{action} {whom}?"),
        (Some(action), None) => format!("{}?", action.trim_end_matches(':')),
        (None, Some(whom)) if need.method.verb.reads() => format!("Read from {whom}?"),
        (None, Some(whom)) => format!("Send a change to {whom}?"),
        (None, None) if need.method.verb.reads() => "Read from Proxmox VE?".to_owned(),
        (None, None) => "Send a change to Proxmox VE?".to_owned(),
    };
    if vmids.len() > 1 {
        out += "\n\nGuests:";
        for vmid in vmids {
            out += &format!("\n- {}", subject(guests, vmid));
        }
    } else if vmids.is_empty() && need.method.path.starts_with("/cluster/bulk-action/guest/") {
        out += "\n\nIt names no guest, and so is about all of them.";
    }
    if let Some(command) = command(need) {
        out += &format!("\n\n{}", text::fenced(&text::visible(&command)));
    }
    for name in ["input-data", "content"] {
        // What a program is fed with counts like the program itself.
        for value in need.values(name) {
            out += &format!("\n\n{name}:\n{}", text::fenced(&text::visible(value)));
        }
    }
    if let Some(loss) = loss {
        out += &format!("\n\n{loss}");
    }
    out += &format!("\n\nRequest: {}", text::visible(&need.line()));
    let with = parameters(need, most);
    if !with.is_empty() {
        out += &format!("\nWith: {with}");
    }
    out
}

/// A guest as the host found it.
fn subject(guests: &[Guest], vmid: u32) -> String {
    match guest::of(guests, vmid) {
        Some(guest) => text::guest(guest),
        None => format!("guest {vmid} (there is none now, or it may not be seen)"),
    }
}

/// The command that a guest's agent would run.
fn command(need: &Need) -> Option<String> {
    let words: Vec<String> = need.values("command").map(text::quoted).collect();
    let runs = need.method.path.ends_with("/agent/exec") && !words.is_empty();
    runs.then(|| words.join(" "))
}

/// The other parameters.
fn parameters(need: &Need, most: usize) -> String {
    let shown_above = |name: &str| {
        matches!(name, "input-data" | "content") || (name == "command" && command(need).is_some())
    };
    let value = |name: &str, value: &str| match name.to_ascii_lowercase() {
        name if name.contains("password") || name.contains("secret") || name.contains("token") => {
            "(not shown)".to_owned()
        }
        _ => shortened(&text::visible(value).replace(['\n', '\t'], " "), most),
    };
    let others = need.params.iter().filter(|(name, _)| !shown_above(name));
    others.map(|(name, text)| format!("{name}={}", value(name, text))).collect::<Vec<_>>().join(", ")
}

/// A value, or its beginning and its end with how much is left out between them.
fn shortened(value: &str, most: usize) -> String {
    let count = value.chars().count();
    if count <= most {
        return value.to_owned();
    }
    let half = most / 2;
    let (head, tail): (String, String) =
        (value.chars().take(half).collect(), value.chars().skip(count - half).collect());
    format!("{head} [... {} characters are left out here ...] {tail}", count - 2 * half)
}

/// The guest's name, or its id where the name is none that can be typed; for what is not about one guest,
/// the last name in the path.
fn to_type(need: &Need, guests: &[Guest]) -> String {
    let typable = |name: &str| !name.is_empty() && text::name(name) == name;
    match need.vmids().as_slice() {
        [vmid] => match guest::of(guests, *vmid) {
            Some(guest) if typable(&guest.name) => guest.name.clone(),
            _ => vmid.to_string(),
        },
        _ => need
            .path
            .last()
            .map(|(_, text)| text.clone())
            .filter(|text| typable(text))
            .unwrap_or_else(|| "yes".into()),
    }
}
