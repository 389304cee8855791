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

const CONFIGURE: &str = "Change the configuration of";
const BACK_UP: &str = "Back up guests:";
const SHUT_DOWN_MANY: &str = "Shut down guests:";
const UNREACHABLE: &str = "The guest may be unreachable for a while.";
const SUSPENDED: &str = "The guest does not answer until it is resumed.";
const DISK: &str = "All data on the disk is lost for good.";
const UNSAVED: &str = "What has not been written to disk inside the guest is lost.";
const STOPS: &str = "What runs in the guest ends.";
const OVERWRITES: &str = "A guest of this id that exists already may be overwritten.";

static ROWS: &[Row] = &[
    (Post, "~/status/start", "Start", "", false),
    (Post, "~/status/resume", "Resume", "", false),
    (Post, "~/status/suspend", "Suspend", SUSPENDED, false),
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
    (Post, "~/config", CONFIGURE, "", false),
    (Put, "~/config", CONFIGURE, "", false),
    (Put, "~/resize", "Enlarge a disk of", "A disk cannot be made smaller again.", false),
    (Put, "~/unlink", "Remove disks of", "The data on these disks may be lost for good.", true),
    (Post, "~/move_disk", "Move a disk of", "", false),
    (Post, "~/move_volume", "Move a volume of", "", false),
    (Post, "~/migrate", "Move to another node:", UNREACHABLE, false),
    (Post, "~/remote_migrate", "Move to another cluster:", UNREACHABLE, false),
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
    (Post, "/nodes/{node}/vzdump", BACK_UP, "", false),
    (Post, "/cluster/backup", "Set up a backup job:", "", false),
    (Put, "/cluster/backup/{id}", "Change a backup job:", "", false),
    (Post, "/nodes/{node}/startall", "Start guests:", "", false),
    (Post, "/nodes/{node}/suspendall", "Suspend guests:", SUSPENDED, false),
    (Post, "/nodes/{node}/migrateall", "Move guests to another node:", UNREACHABLE, false),
    (Post, "/cluster/bulk-action/guest/start", "Start guests:", "", false),
    (Post, "/cluster/bulk-action/guest/shutdown", SHUT_DOWN_MANY, UNSAVED, true),
    (Post, "/cluster/bulk-action/guest/suspend", "Suspend guests:", SUSPENDED, false),
    (Post, "/cluster/bulk-action/guest/migrate", "Move guests to another node:", UNREACHABLE, false),
    (Post, "/nodes/{node}/status", "Restart or switch off a node", "All its guests stop.", true),
    (Post, "/nodes/{node}/stopall", "Stop guests of a node:", UNSAVED, true),
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
    (Put, "/nodes/{node}/disks/wipedisk", "Wipe a disk", DISK, true),
    (Post, "/nodes/{node}/disks/initgpt", "Write a new partition table to a disk", DISK, true),
    (Post, "/nodes/{node}/disks/directory", "Format a disk", DISK, true),
    (Post, "/nodes/{node}/disks/lvm", "Make a volume group of a disk", DISK, true),
    (Post, "/nodes/{node}/disks/lvmthin", "Make a thin pool of a disk", DISK, true),
    (
        Post,
        "/nodes/{node}/disks/zfs",
        "Make a ZFS pool of disks",
        "All data on the disks is lost for good.",
        true,
    ),
    (Post, "/cluster/replication", "Set up replication", "", false),
    (Put, "/cluster/replication/{id}", "Change replication", "", false),
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
    let destroyed = move |loss| Words { loss: Some(loss), destroys: true, ..words };
    match words.action {
        Some(CONFIGURE) => {
            words = removed(need).map_or(words, destroyed);
        }
        Some(BACK_UP | "Set up a backup job:" | "Change a backup job:")
            if need.value("remove") != Some("0") =>
        {
            if need.value("prune-backups").is_some() {
                words = destroyed("Older backups that the retention does not keep are lost for good.");
            } else if method.verb == Post {
                words.loss = Some("Older backups are deleted where the retention of their storage says so.");
            }
        }
        Some("Set up replication" | "Change replication") if need.value("remove_job").is_some() => {
            words = destroyed("The job is removed, and the replicas may be lost for good.");
        }
        Some("Move a disk of" | "Move a volume of") if on("delete") => {
            words.loss = Some("Where it was, it is deleted after the copy.");
        }
        Some("Shut down") if on("forceStop") => words.loss = Some(UNSAVED),
        // Proxmox switches off what does not shut down in time, unless it is told not to.
        Some(SHUT_DOWN_MANY) if need.value("force-stop") == Some("0") => words.loss = Some(STOPS),
        Some("Create or restore a VM:" | "Create or restore a container:") => match on("force") {
            true => words.destroys = true,
            false => words.loss = None,
        },
        _ => {}
    }
    words
}

/// What taking options out of a guest's configuration destroys. The entry of an unused disk goes with the
/// disk, and with `force` so does that of a disk in use.
fn removed(need: &Need) -> Option<&'static str> {
    const DISKS: &[&str] = &["ide", "sata", "scsi", "virtio", "efidisk", "tpmstate"];
    let keys = need.value("delete")?;
    if need.value("force") == Some("1") && DISKS.iter().any(|key| keys.contains(key)) {
        return Some("The disks that are removed are deleted, and the data on them is lost for good.");
    }
    if keys.contains("unused") {
        return Some("The data on the unused disks that are removed is lost for good.");
    }
    let state = keys.split(|c: char| !c.is_ascii_alphanumeric()).any(|key| key == "vmstate");
    state.then_some("The saved memory of the guest is lost for good.")
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
