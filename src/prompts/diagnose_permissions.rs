//! `diagnose_permissions`: what the API token and the grants allow, and what is missing for something.

use proxmox_api::{Method, Verb};
use serde_json::{Value, json};

use super::{Argument, Given, Piece, Prompt};
use crate::error::{needed, needs};
use crate::rest::find;
use crate::tools;

/// The prompt.
pub static PROMPT: Prompt = Prompt {
    name: "diagnose_permissions",
    title: "Diagnose permissions",
    description: "What the API token and this server's grants allow, and what is missing to do something.",
    arguments: &[
        Argument::optional("action", "what is to be done: a tool's name, or words such as: start a guest"),
        Argument::optional("vmid", "the guest that it is about"),
        Argument::optional("node", "the node that it is about; a guest's node if vmid is given"),
    ],
    tools: &["proxmox_get_cluster_info", "proxmox_describe_api"],
    write,
};

/// How many methods of the API are named.
const NAMED: usize = 6;
/// Of how many the server is asked whether it would allow them.
const ASKED: usize = 3;

fn write(given: &Given<'_>) -> Vec<Piece> {
    let action = given.shown("action");
    let what = action.as_ref().map(|action| format!(", and what is missing to do this: {action}")).unwrap_or_default();
    let methods = given.get("action").map(methods).unwrap_or_default();
    let mut pieces = vec![
        Piece::text(format!(
            "Find out what may be done here{what}. A request goes through if three agree: the API token's privileges in \
             Proxmox VE, the grants of this server, and its allow-lists. The token's privileges:"
        )),
        Piece::call("proxmox_get_cluster_info", permissions(given)),
    ];
    if !methods.is_empty() {
        let lines: Vec<String> = methods.iter().take(NAMED).map(|method| line(method, given)).collect();
        pieces.push(Piece::text(format!("Methods of the API that the action needs, with what each of them needs:\n\n{}", lines.join("\n"))));
    }
    let whole = methods.iter().filter_map(|method| Some((*method, filled(method, given)?))).take(ASKED);
    pieces.extend(whole.map(|(method, path)| {
        Piece::call("proxmox_describe_api", json!({"path": path, "method": method.verb.as_str()}))
    }));
    pieces.push(Piece::text(
        "Say in plain words what is allowed and what is not. For each thing that is missing tell the two sides apart: \
         what Proxmox VE's side lacks (`pveum acl modify PATH --users USER --roles ROLE`, run there by an administrator) \
         and what this server's side lacks (`--grant PRIVILEGE@PATH`, by whoever starts it). Suggest the narrowest that \
         does it, never `PROXMOX_ALLOW_ELEVATED` or a grant on `/` where a path is enough. A tool called with \
         `dry_run=true` shows each of its requests with what it needs and whether it is granted, and sends none; \
         `proxmox-mcp grants` on the server's side shows all grants and where each was said. You cannot change any of \
         this yourself.",
    ));
    pieces
}

/// The token's privileges: at the guest or node in question, or at all.
fn permissions(given: &Given<'_>) -> Value {
    let at = given.get("vmid").map(|vmid| format!("/vms/{vmid}"));
    let at = at.or_else(|| given.get("node").map(|node| format!("/nodes/{node}")));
    match at {
        Some(path) => json!({"topic": "permissions", "name": path}),
        None => json!({"topic": "permissions"}),
    }
}

/// The methods behind a tool's name, those that change something first, or what words mean; of several that need the
/// same, one.
fn methods(action: &str) -> Vec<&'static Method> {
    let named = tools::ALL.iter().find(|(name, tool)| {
        *name == action || name.strip_prefix("proxmox_") == Some(action) || tool.aliases.iter().any(|alias| alias.name == action)
    });
    let mut found: Vec<&'static Method> = match named {
        Some((_, tool)) => tool.calls.to_vec(),
        None => find::search(action, ASKED),
    };
    if named.is_some() {
        found.sort_by_key(|method| method.verb == Verb::Get);
    }
    let mut seen: Vec<(bool, Vec<String>)> = Vec::new();
    found.retain(|method| {
        let needed: Vec<String> = needs(method, &|_| None).iter().map(ToString::to_string).collect();
        let key = (method.verb.reads(), needed);
        let new = !key.1.is_empty() && !seen.contains(&key);
        seen.push(key);
        new
    });
    found
}

fn line(method: &'static Method, given: &Given<'_>) -> String {
    let of = |name: &str| matches!(name, "vmid" | "node").then(|| given.get(name)).flatten().map(str::to_owned);
    format!("- `{method}`: {}", needed(method, &of).join(" and "))
}

/// The path with its values, where all are known and could be meant.
fn filled(method: &'static Method, given: &Given<'_>) -> Option<String> {
    let plain = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let value = |name: &str| matches!(name, "vmid" | "node").then(|| given.get(name)).flatten().filter(plain);
    let segment = |segment: &'static str| match crate::rest::variable(segment) {
        Some(name) => value(name),
        None => Some(segment),
    };
    Some(method.path.split('/').map(segment).collect::<Option<Vec<_>>>()?.join("/"))
}

#[cfg(test)]
mod tests {
    use crate::prompts::tests::{calls, text};

    const NAME: &str = "diagnose_permissions";

    #[test]
    fn without_an_action_it_is_about_what_is_allowed() {
        assert_eq!(calls(NAME, &[]), [r#"proxmox_get_cluster_info {"topic":"permissions"}"#]);
        assert!(!text(NAME, &[]).contains("Methods of the API"));
    }

    #[test]
    fn a_tool_or_words_say_what_is_needed() {
        for action in ["proxmox_power", "power", "proxmox_start_vm", "start a vm"] {
            let text = text(NAME, &[("action", action), ("vmid", "101")]);
            assert!(text.contains("/status/start`: VM.PowerMgmt on /vms/101"), "{action}: {text}");
        }
        let text = text(NAME, &[("action", "qwertyuiop")]);
        assert!(!text.contains("Methods of the API"), "{text}");
    }

    #[test]
    fn where_guest_and_node_are_known_the_server_is_asked() {
        let given = [("action", "proxmox_power"), ("vmid", "101"), ("node", "pve1")];
        let asked = calls(NAME, &given);
        assert_eq!(asked[0], r#"proxmox_get_cluster_info {"topic":"permissions","name":"/vms/101"}"#);
        assert!(asked[1].starts_with(r#"proxmox_describe_api {"path":"/nodes/pve1/"#), "{asked:?}");
        assert!(asked.len() <= 4, "{asked:?}");
        // What is no name of a node goes into no path.
        let odd = calls(NAME, &[("action", "proxmox_power"), ("vmid", "101"), ("node", "a/../b")]);
        assert_eq!(odd.len(), 1, "{odd:?}");
    }
}
