//! The question: what will happen, to which guest, what may be lost. All words are the host's own; the
//! tool has no part in them, and what it wants to send is shown as it would go out.

use super::guest::Guest;
use super::need::Need;
use super::text;
use super::words::{Words, words};

/// Longest question, in characters. What a person cannot read whole is not asked.
const MAX_TEXT: usize = 8_000;
/// Longest value of a parameter that is shown whole, in characters.
const MAX_VALUE: usize = 200;

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
    pub(crate) fn new(tool: &str, needs: &[(Need, Option<Guest>)]) -> Result<Self, String> {
        let sections: Vec<String> = needs.iter().map(|(need, guest)| section(need, guest.as_ref())).collect();
        let grants = super::joined(needs);
        let text = format!(
            "{}\n\nAsked for by the tool {tool}; not allowed without asking: {}.",
            sections.join("\n\n"),
            grants.replace(',', ", ")
        );
        if text.chars().count() > MAX_TEXT {
            return Err(format!(
                "What `{tool}` wants to do needs a person's approval, and it is too long for a person to read: the \
                 question would have more than {MAX_TEXT} characters. Nothing was done. Make it shorter, or start \
                 proxmox-mcp with `--grant {grants}` to allow it without asking."
            ));
        }
        let typed = needs.iter().find(|(need, _)| words(need).destroys);
        Ok(Self { text, typed: typed.map(|(need, guest)| to_type(need, guest.as_ref())) })
    }
}

/// What one request does.
fn section(need: &Need, guest: Option<&Guest>) -> String {
    let Words { action, loss, .. } = words(need);
    let whom = subject(need, guest);
    let mut out = match (action, &whom) {
        (Some(action), Some(whom)) => format!("{action} {whom}?"),
        (Some(action), None) => format!("{action}?"),
        (None, Some(whom)) if need.method.verb.reads() => format!("Read from {whom}?"),
        (None, Some(whom)) => format!("Send a change to {whom}?"),
        (None, None) if need.method.verb.reads() => "Read from Proxmox VE?".to_owned(),
        (None, None) => "Send a change to Proxmox VE?".to_owned(),
    };
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
    let with = parameters(need);
    if !with.is_empty() {
        out += &format!("\nWith: {with}");
    }
    out
}

/// Whom it is about: the guest as the host found it.
fn subject(need: &Need, guest: Option<&Guest>) -> Option<String> {
    match (guest, need.vmid()) {
        (Some(guest), _) => Some(text::guest(guest)),
        (None, Some(vmid)) => Some(format!("guest {vmid} (there is no such guest now)")),
        (None, None) => None,
    }
}

/// The command that a guest's agent would run.
fn command(need: &Need) -> Option<String> {
    let words: Vec<String> = need.values("command").map(text::quoted).collect();
    let runs = need.method.path.ends_with("/agent/exec") && !words.is_empty();
    runs.then(|| words.join(" "))
}

/// The other parameters.
fn parameters(need: &Need) -> String {
    let shown_above = |name: &str| {
        matches!(name, "input-data" | "content") || (name == "command" && command(need).is_some())
    };
    let value = |name: &str, value: &str| match name.to_ascii_lowercase() {
        name if name.contains("password") || name.contains("secret") || name.contains("token") => {
            "(not shown)".to_owned()
        }
        _ => shortened(&text::visible(value).replace(['\n', '\t'], " ")),
    };
    let others = need.params.iter().filter(|(name, _)| !shown_above(name));
    others.map(|(name, text)| format!("{name}={}", value(name, text))).collect::<Vec<_>>().join(", ")
}

fn shortened(value: &str) -> String {
    match value.char_indices().nth(MAX_VALUE) {
        Some((at, _)) => {
            format!("{}… ({} characters in all)", value.get(..at).unwrap_or_default(), value.chars().count())
        }
        None => value.to_owned(),
    }
}

/// The guest's name, or its id where the name is none that can be typed; for what is no guest, the last
/// name in the path.
fn to_type(need: &Need, guest: Option<&Guest>) -> String {
    let typable = |name: &str| !name.is_empty() && text::name(name) == name;
    match (guest, need.vmid()) {
        (Some(guest), _) if typable(&guest.name) => guest.name.clone(),
        (_, Some(vmid)) => vmid.to_string(),
        (_, None) => need
            .path
            .last()
            .map(|(_, text)| text.clone())
            .filter(|text| typable(text))
            .unwrap_or_else(|| "yes".into()),
    }
}
