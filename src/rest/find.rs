//! Searching the API's methods by plain words. The table of methods has paths and names of parameters, no
//! prose; what people say instead is in [`MEANT`].

use proxmox_api::{Method, Verb, methods};

use super::variable;

/// What people say, and the words of the API that they mean. Words of both sides are in the form that
/// [`stem`] gives. A side with several words matches where all of them were said.
const MEANT: &[(&str, &str)] = &[
    ("access", "acl"),
    ("adapter", "network"),
    ("address ip vm", "network-get-interface"),
    ("address ip", "network interface"),
    ("administrator", "user"),
    ("agent", "agent"),
    ("api key", "token"),
    ("appliance", "aplinfo"),
    ("attach pci", "config"),
    ("attach usb", "config"),
    ("attach", "config"),
    ("audit log", "log"),
    ("authenticate", "ticket"),
    ("backup job", "backup"),
    ("backup schedule", "backup"),
    ("backup", "vzdump backup"),
    ("bandwidth", "rrddata"),
    ("bigger disk", "resize"),
    ("boot order", "config qemu"),
    ("boot", "start"),
    ("bridge", "network"),
    ("cancel task", "task"),
    ("cd", "config qemu"),
    ("cdrom", "config qemu"),
    ("cert", "certificate info"),
    ("certificate upload", "custom"),
    ("certificate", "certificate info"),
    ("change pend", "pend"),
    ("clock", "time"),
    ("cloud init", "cloudinit"),
    ("cloudinit", "cloudinit"),
    ("command", "agent exec"),
    ("config pend", "pend"),
    ("configuration", "config"),
    ("console", "vncproxy termproxy spiceproxy"),
    ("container", "lxc"),
    ("copy", "clone"),
    ("cpu type", "cpu"),
    ("ct", "lxc"),
    ("datacenter", "cluster option"),
    ("datastore", "storage"),
    ("detach disk", "unlink"),
    ("device pci", "hardware pci"),
    ("directory", "directory"),
    ("disk enlarge", "resize"),
    ("disk grow", "resize"),
    ("disk", "disk"),
    ("domain name", "dns"),
    ("download template", "aplinfo"),
    ("download", "download-url"),
    ("drive", "disk"),
    ("eject", "config qemu"),
    ("esxi", "import-metadata"),
    ("evacuate", "migrateall"),
    ("event", "log task"),
    ("exec", "agent exec"),
    ("expand disk", "resize"),
    ("extend disk", "resize"),
    ("failover", "ha"),
    ("file system", "fsinfo"),
    ("filesystem", "fsinfo"),
    ("free id", "nextid"),
    ("freeze", "fsfreeze-freeze"),
    ("give access", "acl"),
    ("give permission", "acl"),
    ("gpu", "hardware pci"),
    ("grant permission", "acl"),
    ("graph", "rrddata"),
    ("group", "group"),
    ("guest", "qemu lxc"),
    ("ha vm", "resource"),
    ("halt", "stop"),
    ("hibernate all", "suspendall"),
    ("hibernate", "suspend"),
    ("high availability", "ha"),
    ("history", "rrddata"),
    ("host", "node"),
    ("image", "content"),
    ("import vm", "import-metadata qemu"),
    ("increase disk", "resize"),
    ("interface", "network"),
    ("iso", "content download-url"),
    ("join", "join"),
    ("key subscription", "subscription"),
    ("kill", "stop"),
    ("ldap", "domain"),
    ("let encrypt", "acme"),
    ("letsencrypt", "acme"),
    ("license", "subscription"),
    ("live migration", "migrate"),
    ("log", "log journal syslog"),
    ("login", "ticket"),
    ("machine", "qemu"),
    ("mail", "notification"),
    ("memory", "config"),
    ("metric", "rrddata metric"),
    ("migrate all", "migrateall"),
    ("monitor ceph", "mon"),
    ("mount", "directory"),
    ("move disk", "move_disk"),
    ("move volume", "move_volume"),
    ("move", "migrate move_disk"),
    ("name server", "dns"),
    ("nfs", "nfs scan"),
    ("nic", "network"),
    ("not backed up", "not-backed-up"),
    ("note", "config"),
    ("object storage daemon", "osd"),
    ("open port", "rule"),
    ("order certificate", "acme certificate"),
    ("osd", "osd"),
    ("ova", "import-metadata"),
    ("package", "apt"),
    ("partition", "wipedisk initgpt"),
    ("passthrough", "mapping hardware"),
    ("password guest", "set-user-password"),
    ("password vm", "set-user-password"),
    ("password", "password"),
    ("pause", "suspend"),
    ("performance", "rrddata"),
    ("permission", "permission acl"),
    ("power off", "shutdown stop"),
    ("privilege", "role"),
    ("prune backup", "prunebackup"),
    ("prune", "prunebackup"),
    ("purge backup", "prunebackup"),
    ("put file", "file-write"),
    ("quorum", "status"),
    ("read file", "file-read"),
    ("realm", "domain"),
    ("reboot node", "node status"),
    ("reboot", "reboot status"),
    ("reload network", "network"),
    ("rename", "config"),
    ("renew certificate", "acme certificate"),
    ("repository", "repository apt"),
    ("restart service", "restart service"),
    ("restart", "reboot"),
    ("restore file", "file-restore"),
    ("restore", "qemu lxc"),
    ("revert", "rollback"),
    ("revoke access", "acl"),
    ("revoke permission", "acl"),
    ("roll back", "rollback"),
    ("rule", "rule"),
    ("running", "status"),
    ("schedule", "job"),
    ("security group", "group firewall"),
    ("sensor", "status"),
    ("shell", "termproxy vncshell"),
    ("shutdown all container", "stopall"),
    ("shutdown all guest", "stopall"),
    ("shutdown all vm", "stopall"),
    ("size disk", "resize"),
    ("smart", "smart"),
    ("snapshot", "snapshot"),
    ("space", "status"),
    ("spice", "spiceproxy"),
    ("sso", "openid"),
    ("start all", "startall"),
    ("statistic", "rrddata"),
    ("stop all", "stopall"),
    ("stop task", "task"),
    ("suspend all", "suspendall"),
    ("switch", "vnet"),
    ("sync user", "sync"),
    ("syslog", "syslog"),
    ("tag", "config"),
    ("task", "task"),
    ("template", "template"),
    ("thaw", "fsfreeze-thaw"),
    ("thin pool", "lvmthin"),
    ("timezone", "time"),
    ("totp", "tfa"),
    ("transfer", "migrate"),
    ("trim", "fstrim"),
    ("two factor", "tfa"),
    ("unlock container", "config"),
    ("unlock vm", "config"),
    ("unlock", "unlock"),
    ("update", "update apt"),
    ("upgrade", "apt"),
    ("upload", "upload"),
    ("usage", "rrddata"),
    ("usb", "usb"),
    ("virtual machine", "qemu"),
    ("vlan", "vnet network"),
    ("vm", "qemu"),
    ("vnc", "vncproxy"),
    ("volume", "content"),
    ("wake", "wakeonlan"),
    ("who", "permission acl"),
    ("wipe", "wipedisk"),
    ("write file", "file-write"),
    ("zfs pool", "zfs"),
    ("zpool", "zfs"),
];

/// Verbs of people, and of the API.
const DOING: &[(&str, Verb)] = &[
    ("add pool vm", Verb::Put),
    ("add", Verb::Post),
    ("apply", Verb::Put),
    ("attach", Verb::Put),
    ("bigger", Verb::Put),
    ("boot order", Verb::Put),
    ("cancel", Verb::Delete),
    ("change", Verb::Put),
    ("clone", Verb::Post),
    ("create", Verb::Post),
    ("delete", Verb::Delete),
    ("destroy", Verb::Delete),
    ("detach", Verb::Put),
    ("disable", Verb::Put),
    ("download", Verb::Post),
    ("edit", Verb::Put),
    ("eject", Verb::Put),
    ("enable ha", Verb::Post),
    ("enable", Verb::Put),
    ("expand", Verb::Put),
    ("extend", Verb::Put),
    ("get", Verb::Get),
    ("give", Verb::Put),
    ("grant", Verb::Put),
    ("grow", Verb::Put),
    ("hibernate", Verb::Post),
    ("how", Verb::Get),
    ("import", Verb::Post),
    ("increase", Verb::Put),
    ("kill", Verb::Post),
    ("list", Verb::Get),
    ("make", Verb::Post),
    ("migrate", Verb::Post),
    ("modify", Verb::Put),
    ("move", Verb::Post),
    ("new", Verb::Post),
    ("open", Verb::Post),
    ("order certificate", Verb::Post),
    ("pend", Verb::Get),
    ("prune", Verb::Delete),
    ("put file", Verb::Post),
    ("read", Verb::Get),
    ("reboot", Verb::Post),
    ("reload", Verb::Put),
    ("remove", Verb::Delete),
    ("rename", Verb::Put),
    ("renew", Verb::Put),
    ("reset password", Verb::Post),
    ("reset", Verb::Put),
    ("resize", Verb::Put),
    ("restart", Verb::Post),
    ("restore", Verb::Post),
    ("resume", Verb::Post),
    ("revoke", Verb::Put),
    ("run", Verb::Post),
    ("schedule replication", Verb::Post),
    ("set", Verb::Put),
    ("show", Verb::Get),
    ("shutdown", Verb::Post),
    ("start", Verb::Post),
    ("stop task", Verb::Delete),
    ("stop", Verb::Post),
    ("suspend", Verb::Post),
    ("take", Verb::Post),
    ("unlock", Verb::Put),
    ("update", Verb::Put),
    ("what", Verb::Get),
    ("which", Verb::Get),
    ("who", Verb::Get),
    ("wipe", Verb::Put),
    ("write file", Verb::Post),
];

/// Words that say nothing.
const EMPTY: &[&str] = &[
    "a", "an", "and", "are", "at", "be", "by", "can", "do", "does", "for", "from", "have", "i", "in", "is",
    "it", "me", "my", "of", "on", "our", "please", "proxmox", "that", "the", "there", "this", "to", "via",
    "want", "with",
];

/// What the API writes as one word.
const ONE_WORD: &[(&str, &str)] = &[("shut down", "shutdown"), ("ip set", "ipset")];

/// Words that say what is to be done and are no part of a path, although some paths have them in it.
const QUIET: &[&str] =
    &["add", "all", "change", "get", "how", "list", "open", "set", "show", "what", "which", "who"];

/// The methods that a question may mean, the likeliest first, at most `most`.
pub fn search(query: &str, most: usize) -> Vec<&'static Method> {
    let question = Question::of(query);
    let mut scored: Vec<(i32, &'static Method)> = methods::ALL
        .iter()
        .map(|method| (question.score(method), *method))
        .filter(|(score, _)| *score > 0)
        .collect();
    scored.sort_by_key(|(score, method)| (-score, method.path.len(), method.path));
    scored.into_iter().take(most).map(|(_, method)| method).collect()
}

struct Question {
    said: Vec<String>,
    /// Words of the API that were meant, with how sure that is.
    meant: Vec<(String, i32)>,
    verbs: Vec<Verb>,
}

impl Question {
    fn of(query: &str) -> Question {
        let lower = query.to_lowercase();
        let lower = ONE_WORD.iter().fold(lower, |text, (apart, word)| text.replace(apart, word));
        let said: Vec<String> = lower
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty() && !EMPTY.contains(word))
            .take(20)
            .map(stem)
            .collect();
        let loud = said.iter().filter(|word| !QUIET.contains(&word.as_str()));
        let mut meant: Vec<(String, i32)> = loud.map(|word| (word.clone(), 10)).collect();
        for (words, terms) in MEANT {
            let count = i32::try_from(words.split(' ').count()).unwrap_or(1);
            if words.split(' ').all(|word| said.iter().any(|own| own == word)) {
                // What several words mean together is meant more than what each of them means.
                let weight = 3 + 8 * count;
                for term in terms.split(' ') {
                    match meant.iter_mut().find(|(known, _)| known == term) {
                        // What is meant twice is meant more.
                        Some((_, known)) => *known = weight.max(*known) + 2,
                        None => meant.push((term.to_owned(), weight)),
                    }
                }
            }
        }
        let all_said = |words: &str| words.split(' ').all(|word| said.iter().any(|own| own == word));
        let verbs = DOING.iter().filter(|(words, _)| all_said(words)).map(|(_, verb)| *verb).collect();
        Question { said, meant, verbs }
    }

    fn score(&self, method: &Method) -> i32 {
        let segments: Vec<&str> = method.path.split('/').skip(1).collect();
        let fixed: Vec<String> =
            segments.iter().filter(|part| variable(part).is_none()).map(|part| stem(part)).collect();
        let mut score = 0;
        let mut hit = vec![false; fixed.len()];
        for (term, weight) in &self.meant {
            let best = fixed.iter().enumerate().map(|(at, part)| (likeness(term, part), at)).max();
            if let Some((likeness, at)) = best.filter(|(likeness, _)| *likeness > 0) {
                // The end of a path says what it is about.
                let last = i32::from(at + 1 == fixed.len());
                score += weight * likeness / 4 + 3 * last;
                if let Some(hit) = hit.get_mut(at) {
                    *hit = true;
                }
            } else if method.params.iter().any(|param| stem(param.name.trim_end_matches("[n]")) == *term) {
                score += 2;
            }
        }
        if score == 0 {
            return 0;
        }
        let general = ["node", "cluster", "access"];
        let unsaid = fixed.iter().zip(&hit).filter(|(part, hit)| !**hit && !general.contains(&part.as_str()));
        score -= 4 * i32::try_from(unsaid.count()).unwrap_or(0);
        score += match self.verbs.as_slice() {
            [] => 4 * i32::from(method.verb == Verb::Get),
            verbs if verbs.contains(&method.verb) => 6,
            _ => -2,
        };
        let last = segments.last().copied().unwrap_or_default();
        // A whole thing was named by its kind alone, or one of them.
        score -= i32::from(
            variable(last).is_some()
                && !self.verbs.iter().any(|verb| matches!(verb, Verb::Delete | Verb::Put)),
        );
        score + i32::from(self.said.iter().any(|word| stem(last) == *word)) * 3
    }
}

/// How like a part of a path a word is: 4 the same, 2 a part of it.
fn likeness(term: &str, part: &str) -> i32 {
    if term == part {
        return 4;
    }
    let words = || part.split(['-', '_']);
    if words().any(|word| stem(word) == term) {
        return 3;
    }
    if term.len() >= 4 && part.starts_with(term) { 2 } else { 0 }
}

/// A word without the ends that do not change what it means.
fn stem(word: &str) -> String {
    let word = word.to_lowercase();
    for (end, instead, least) in
        [("ies", "y", 5), ("sses", "ss", 6), ("ches", "ch", 6), ("ing", "", 7), ("s", "", 4)]
    {
        if let Some(root) = word
            .strip_suffix(end)
            .filter(|_| word.len() >= least && !word.ends_with("ss") && !word.ends_with("us"))
        {
            return format!("{root}{instead}");
        }
    }
    word
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;
