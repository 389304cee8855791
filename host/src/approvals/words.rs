//! What a request does, in words for the person who is to agree to it.

use proxmox_api::Verb::{self, Delete, Post, Put};

use super::need::Need;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// What will be done, such as `Shut down`; the guest follows. `None`: there are no words for it.
    pub(crate) action: Option<&'static str>,
    /// What may be lost.
    pub(crate) loss: Option<&'static str>,
    /// Whether it destroys what cannot be had back; then the name has to be typed.
    pub(crate) destroys: bool,
}

/// Verb, path (`~` stands for a guest of either kind), action, what may be lost, whether it destroys.
type Row = (Verb, &'static str, &'static str, &'static str, bool);

const UNSAVED: &str = "What has not been written to disk inside the guest is lost.";
const STOPS: &str = "What runs in the guest ends.";
const OVERWRITES: &str = "A guest of this id that exists already may be overwritten.";

static ROWS: &[Row] = &[
    (Post, "~/status/start", "Start", "", false),
    (Post, "~/status/resume", "Resume", "", false),
    (Post, "~/status/suspend", "Suspend", "The guest does not answer until it is resumed.", false),
    (Post, "~/status/shutdown", "Shut down", STOPS, false),
    (Post, "~/status/reboot", "Restart", STOPS, false),
    (Post, "~/status/stop", "Switch off at once", UNSAVED, false),
    (Post, "~/status/reset", "Reset at once", UNSAVED, false),
    (
        Post,
        "~/agent/exec",
        "Run a command in",
        "A command usually runs with all rights inside the guest and may change or remove anything there.",
        false,
    ),
    (Post, "~/agent/file-write", "Write a file in", "A file of this name in the guest is replaced.", false),
    (
        Post,
        "~/agent/set-user-password",
        "Set a user's password in",
        "The old password no longer works.",
        false,
    ),
    (Post, "~/config", "Change the configuration of", "", false),
    (Put, "~/config", "Change the configuration of", "", false),
    (Put, "~/resize", "Enlarge a disk of", "A disk cannot be made smaller again.", false),
    (Put, "~/unlink", "Remove disks of", "The data on these disks may be lost for good.", true),
    (Post, "~/move_disk", "Move a disk of", "", false),
    (Post, "~/move_volume", "Move a volume of", "", false),
    (Post, "~/migrate", "Move to another node:", "The guest may be unreachable for a while.", false),
    (
        Post,
        "~/remote_migrate",
        "Move to another cluster:",
        "The guest may be unreachable for a while.",
        false,
    ),
    (Post, "~/clone", "Clone", "", false),
    (Post, "~/template", "Turn into a template:", "The guest can never be started again.", true),
    (Post, "~/snapshot", "Take a snapshot of", "", false),
    (
        Post,
        "~/snapshot/{snapname}/rollback",
        "Roll back to a snapshot:",
        "Everything that changed in the guest since the snapshot is lost for good.",
        true,
    ),
    (Delete, "~/snapshot/{snapname}", "Delete a snapshot of", "The snapshot is lost for good.", true),
    (Delete, "~", "Delete", "The guest and its disks are lost for good.", true),
    (Post, "/nodes/{node}/qemu", "Create or restore a VM:", OVERWRITES, false),
    (Post, "/nodes/{node}/lxc", "Create or restore a container:", OVERWRITES, false),
    (Post, "/nodes/{node}/vzdump", "Back up guests", "", false),
    (Post, "/nodes/{node}/status", "Restart or switch off a node", "All its guests stop.", true),
    (Post, "/nodes/{node}/stopall", "Stop the guests of a node", UNSAVED, true),
    (
        Delete,
        "/nodes/{node}/storage/{storage}/content/{volume}",
        "Delete a volume",
        "The data on it is lost for good.",
        true,
    ),
    (
        Delete,
        "/nodes/{node}/storage/{storage}/prunebackups",
        "Delete old backups",
        "These backups are lost for good.",
        true,
    ),
    (Put, "/nodes/{node}/disks/wipedisk", "Wipe a disk", "All data on the disk is lost for good.", true),
];

/// The words for a request. What has none is told by its verb and path, and every `DELETE` destroys.
pub(crate) fn words(need: &Need) -> Words {
    let method = need.method;
    let row = ROWS.iter().find(|row| row.0 == method.verb && is_path(row.1, method.path));
    let mut words = match row {
        Some((_, _, action, loss, destroys)) => {
            let loss = (!loss.is_empty()).then_some(*loss);
            Words { action: Some(action), loss, destroys: *destroys }
        }
        None => {
            let destroys = method.verb == Delete;
            let loss = destroys.then_some("What is deleted is lost for good.");
            Words { action: None, loss, destroys }
        }
    };
    let on = |name| need.value(name) == Some("1");
    match words.action {
        Some("Shut down") if on("forceStop") => words.loss = Some(UNSAVED),
        // Deleting the entry of an unused disk deletes the disk.
        Some("Change the configuration of") if need.value("delete").is_some_and(|v| v.contains("unused")) => {
            words.loss = Some("The data on the unused disks that are removed is lost for good.");
            words.destroys = true;
        }
        Some("Create or restore a VM:" | "Create or restore a container:") => match on("force") {
            true => words.destroys = true,
            false => words.loss = None,
        },
        _ => {}
    }
    words
}

fn is_path(row: &str, path: &str) -> bool {
    match row.strip_prefix('~') {
        Some(rest) => ["/nodes/{node}/qemu/{vmid}", "/nodes/{node}/lxc/{vmid}"]
            .iter()
            .any(|guest| path.strip_prefix(guest) == Some(rest)),
        None => row == path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_method_and_names_one_action() {
        for (verb, path, action, ..) in ROWS {
            let named =
                proxmox_api::methods::ALL.iter().filter(|m| m.verb == *verb && is_path(path, m.path)).count();
            assert!((1..=2).contains(&named), "{verb} {path}: {named} methods");
            assert!(action.chars().next().is_some_and(char::is_uppercase), "{action}");
        }
    }

    #[test]
    fn every_deletion_is_known_to_destroy() {
        for (verb, path, _, loss, destroys) in ROWS {
            assert!(*verb != Delete || *destroys, "{path}");
            assert!(!destroys || !loss.is_empty(), "{path}: what is lost?");
        }
    }
}
