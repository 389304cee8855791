//! The codes of findings: a program may rely on them. `docs/findings.md` is made from this list.

use crate::pve::findings::Severity::{self, Critical, Info, Warning};

/// A code, and what it stands for.
#[derive(Debug)]
pub struct Code {
    /// The code.
    pub word: &'static str,
    /// How bad it can be, the worst first.
    pub severities: &'static [Severity],
    /// What was found, as a sentence.
    pub means: &'static str,
}

const fn code(word: &'static str, severities: &'static [Severity], means: &'static str) -> Code {
    Code { word, severities, means }
}

/// What is found of the cluster and its nodes.
pub const OF_CLUSTER: &[Code] = &[
    code("backup-broken", &[Critical], "The newest backup of guests failed its verification."),
    code("backup-missing", &[Warning], "Guests without a backup on the storages that were asked."),
    code("backup-no-job", &[Warning], "Guests that no backup job takes."),
    code("backup-old", &[Warning], "Guests whose newest backup is more than a week old."),
    code("certificate-expired", &[Critical], "A certificate of a node is no longer valid."),
    code("certificate-expiring", &[Critical, Warning], "A certificate of a node expires within two weeks."),
    code("clock-drift", &[Warning], "The clock of a node differs from those of the others."),
    code("guest-disk-full", &[Warning], "The root disks of containers are nearly full."),
    code(
        "guest-memory-full",
        &[Warning, Info],
        "The memory of guests is nearly full; of VMs, caches count in.",
    ),
    code("guest-state-unknown", &[Warning], "Guests are in a state that their node does not know."),
    code(
        "ha-agent-silent",
        &[Warning],
        "A node is online, but its part of high availability does not answer.",
    ),
    code("quorum-at-risk", &[Warning], "With one more node down, quorum is lost."),
    code("quorum-lost", &[Critical], "There is no quorum: nothing can be started or changed."),
    code("replication-failed", &[Warning], "The replication of a guest failed the last time or times."),
    code("subscription-ended", &[Warning], "The subscription of nodes expired or is not valid."),
    code("subscription-none", &[Info], "Nodes have no subscription."),
    code(
        "updates-pending",
        &[Warning, Info],
        "Updates of a node wait; those for security, or very many, are a warning.",
    ),
];

/// What is found of the cluster as well as of one guest that is looked at.
pub const OF_BOTH: &[Code] = &[
    code("agent-silent", &[Warning], "The guest agent is turned on, but does not answer."),
    code(
        "filesystem-full",
        &[Critical, Warning],
        "A file system inside a VM is nearly full, as its agent tells.",
    ),
    code("guest-locked", &[Warning, Info], "A guest is locked: by a task at work, or, a warning, with none."),
    code("ha-error", &[Critical], "High availability gave a guest up, or moves it away from a failed node."),
    code("node-cpu-busy", &[Critical, Warning], "The processors of a node are nearly all in use."),
    code("node-io-wait", &[Warning], "The processors of a node wait for its disks."),
    code("node-load-high", &[Warning], "The load of a node is high for its processors."),
    code("node-memory-full", &[Critical, Warning], "The memory of a node is nearly full."),
    code("node-offline", &[Critical], "A node is offline."),
    code("node-root-full", &[Critical, Warning], "The root disk of a node is nearly full."),
    code("node-swapping", &[Warning], "A node has moved much of its memory to disk."),
    code("snapshot-old", &[Warning, Info], "A guest has old snapshots, which take room and slow it down."),
    code(
        "storage-filling",
        &[Critical, Warning, Info],
        "A storage is nearly full, or will be within three months.",
    ),
    code("storage-full", &[Critical], "A storage is full but for a few percent."),
    code("storage-offline", &[Critical, Warning], "A storage gives no figures, on all nodes or on some."),
    code("task-failed", &[Warning, Info], "Tasks failed; a note where the same went well later."),
];

/// What is found only of one guest that is looked at.
pub const OF_GUEST: &[Code] = &[
    code("agent-off", &[Info], "A VM has no guest agent turned on."),
    code("ballooned", &[Warning], "The node took memory back from a VM."),
    code("cpu-full", &[Warning], "The processors of the guest were busy over the last hour."),
    code("cpu-limited", &[Warning], "The guest is held back by its CPU limit."),
    code("cpu-pressure", &[Warning], "The guest waits for processors of the node."),
    code("crashed", &[Critical], "QEMU reports an internal error, or a panic of the guest."),
    code("disk-bus-slow", &[Info], "A disk is on an emulated bus."),
    code("disk-cache-unsafe", &[Warning], "A disk is cached so that a crash of the node loses data."),
    code("disk-full", &[Critical, Warning], "The root disk of a container is nearly full."),
    code("disk-limited", &[Info], "A disk is held back by a limit that is set."),
    code("io-pressure", &[Warning], "The guest waits for disks."),
    code("just-started", &[Info], "The guest was started a short time ago."),
    code(
        "memory-full",
        &[Warning, Info],
        "The memory of the guest is nearly full; of a VM, caches count in.",
    ),
    code("memory-pressure", &[Warning], "The guest waits for memory."),
    code("network-emulated", &[Info], "A network card is an emulated one."),
    code("paused", &[Warning], "A VM is paused and does not go on by itself."),
    code("paused-io-error", &[Critical], "A VM was paused by an I/O error of its storage."),
    code("start-failed", &[Critical], "The guest is stopped, and its last start failed."),
    code("stopped", &[Warning], "The guest is stopped."),
    code("storage-missing", &[Warning], "A storage of the guest is not on its node."),
    code("template", &[Info], "It is a template, which cannot run."),
];

/// Whether there is this code with this severity.
#[cfg(test)]
pub(crate) fn knows(word: &str, severity: Severity) -> bool {
    let mut all = [OF_CLUSTER, OF_BOTH, OF_GUEST].into_iter().flatten();
    all.any(|code| code.word == word && code.severities.contains(&severity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once_and_is_found_by_a_check() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/health");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let checks: String = files
            .filter(|path| !path.ends_with("codes.rs"))
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        for part in [OF_CLUSTER, OF_BOTH, OF_GUEST] {
            assert!(part.is_sorted_by_key(|code| code.word), "in alphabetical order");
            for code in part {
                assert!(checks.contains(&format!("\"{}\"", code.word)), "{}: no check finds it", code.word);
                let ranks = code.severities.iter().map(|severity| severity.rank());
                assert!(ranks.is_sorted() && !code.severities.is_empty(), "{}: the worst first", code.word);
                let all = [OF_CLUSTER, OF_BOTH, OF_GUEST].into_iter().flatten();
                assert_eq!(all.filter(|other| other.word == code.word).count(), 1, "{}", code.word);
            }
        }
    }
}
