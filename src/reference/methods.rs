//! What each method of the API needs, in words.

use std::fmt::Write as _;

use proxmox_api::rules::{self, Decision};
use proxmox_api::{Check, Method};

use crate::tool::Tool;

/// The methods that a tool may call.
pub(super) fn paragraph(tool: &Tool) -> String {
    let mut text = "\nIt may call:\n\n".to_owned();
    if tool.names_its_call {
        let which = match tool.destructive {
            true => "any method; beside a PUT also the GET of its path",
            false => "any method that only reads",
        };
        writeln!(text, "- the one method that `method` and `path` name ({which}): what that method needs")
            .unwrap();
    }
    for method in tool.calls {
        writeln!(text, "- `{method}`: {}", needs(method)).unwrap();
    }
    match tool.calls.is_empty() && !tool.names_its_call {
        true => "\nIt asks Proxmox VE nothing.\n".to_owned(),
        false => text,
    }
}

fn needs(method: &'static Method) -> String {
    match rules::decision(method) {
        Decision::Open => "any login".to_owned(),
        Decision::Rows => "any login, which gets the rows that it may see".to_owned(),
        Decision::Check(check) => in_words(check),
        Decision::OwnTask(check) => format!("for tasks of others {}", in_words(check)),
        Decision::OfOther(param, check) => format!("with another `{param}` {}", in_words(check)),
        Decision::Parameters(_, check) => format!("at least {}", in_words(check)),
        Decision::RootOnly => "root@pam itself, no API token".to_owned(),
        Decision::Schema | Decision::Undecided => "not known, and so refused".to_owned(),
    }
}

fn in_words(check: &Check) -> String {
    let join = |checks: &[Check], word: &str| checks.iter().map(in_words).collect::<Vec<_>>().join(word);
    match check {
        Check::Perm { path, privileges, any, only_with } => {
            let names = privileges.join(if *any { " or " } else { " and " });
            let when = only_with.map(|name| format!(" (with `{name}`)")).unwrap_or_default();
            format!("{names} on {path}{when}")
        }
        Check::All(checks) => join(checks, ", and "),
        Check::Any(checks) => join(checks, ", or "),
        Check::UserGroup(privileges) => format!("{} on a group of the user", privileges.join(" or ")),
        Check::UserParam(relation) => format!("to be the user itself, or {relation}"),
        Check::ModifyPermissions(path) => format!("Permissions.Modify on {path}"),
    }
}

#[test]
fn what_a_method_needs_is_its_rule() {
    use proxmox_api::methods::*;
    assert_eq!(needs(&GET_VERSION), "any login");
    assert_eq!(needs(&POST_NODES_NODE_QEMU_VMID_STATUS_STOP), "VM.PowerMgmt on /vms/{vmid}");
    assert!(needs(&PUT_NODES_NODE_QEMU_VMID_CONFIG).starts_with("at least "));
    assert!(needs(&GET_NODES_NODE_TASKS_UPID_STATUS).starts_with("for tasks of others "));
}
