//! Searching the API's methods by plain words. The table of methods has paths and names of parameters, no
//! prose; what people say instead is in [`MEANT`].

use proxmox_api::{Method, Verb, methods};

use super::variable;

/// What people say, and the words of the API that they mean. Words of both sides are in the form that
/// [`stem`] gives. A side with several words matches where all of them were said.
const MEANT: &[(&str, &str)] = &[
    ("access", "acl"),
    ("address ip", "network interface"),
    ("adapter", "network"),
    ("administrator", "user"),
    ("agent", "agent"),
    ("api key", "token"),
    ("appliance", "aplinfo"),
    ("audit log", "log"),
    ("authenticate", "ticket"),
    ("backup", "vzdump backup"),
    ("backup job", "backup"),
    ("backup schedule", "backup"),
    ("bandwidth", "rrddata"),
    ("boot", "start"),
    ("bridge", "network"),
    ("cancel task", "task"),
    ("cert", "certificate info"),
    ("certificate", "certificate info"),
    ("certificate upload", "custom"),
    ("clock", "time"),
    ("cloudinit", "cloudinit"),
    ("cloud init", "cloudinit"),
    ("command", "agent exec"),
    ("configuration", "config"),
    ("console", "vncproxy termproxy spiceproxy"),
    ("container", "lxc"),
    ("copy", "clone"),
    ("cpu type", "cpu"),
    ("ct", "lxc"),
    ("datacenter", "cluster option"),
    ("datastore", "storage"),
    ("device pci", "hardware pci"),
    ("directory", "directory"),
    ("disk", "disk"),
    ("disk grow", "resize"),
    ("disk enlarge", "resize"),
    ("domain name", "dns"),
    ("download", "download-url"),
    ("drive", "disk"),
    ("evacuate", "migrateall"),
    ("event", "log task"),
    ("exec", "agent exec"),
    ("extend disk", "resize"),
    ("failover", "ha"),
    ("file system", "fsinfo"),
    ("filesystem", "fsinfo"),
    ("free id", "nextid"),
    ("freeze", "fsfreeze-freeze"),
    ("gpu", "hardware pci"),
    ("graph", "rrddata"),
    ("group", "group"),
    ("guest", "qemu lxc"),
    ("halt", "stop"),
    ("high availability", "ha"),
    ("history", "rrddata"),
    ("host", "node"),
    ("image", "content"),
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
    ("migrate all", "migrateall"),
    ("memory", "config"),
    ("metric", "rrddata metric"),
    ("monitor ceph", "mon"),
    ("mount", "directory"),
    ("move", "migrate move_disk"),
    ("move disk", "move_disk"),
    ("move volume", "move_volume"),
    ("name server", "dns"),
    ("nfs", "nfs scan"),
    ("nic", "network"),
    ("not backed up", "not-backed-up"),
    ("object storage daemon", "osd"),
    ("osd", "osd"),
    ("package", "apt"),
    ("partition", "wipedisk initgpt"),
    ("passthrough", "mapping hardware"),
    ("password", "password"),
    ("pause", "suspend"),
    ("performance", "rrddata"),
    ("permission", "permission acl"),
    ("power off", "shutdown stop"),
    ("privilege", "role"),
    ("prune", "prunebackup"),
    ("prune backup", "prunebackup"),
    ("purge backup", "prunebackup"),
    ("quorum", "status"),
    ("realm", "domain"),
    ("reboot", "reboot status"),
    ("reboot node", "node status"),
    ("rename", "config"),
    ("repository", "repository apt"),
    ("restart", "reboot"),
    ("restart service", "restart service"),
    ("restore", "qemu lxc"),
    ("restore file", "file-restore"),
    ("revert", "rollback"),
    ("roll back", "rollback"),
    ("rule", "rule"),
    ("running", "status"),
    ("schedule", "job"),
    ("security group", "group firewall"),
    ("sensor", "status"),
    ("shell", "termproxy vncshell"),
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
    ("unlock", "unlock"),
    ("update", "update apt"),
    ("upgrade", "apt"),
    ("upload", "upload"),
    ("usb", "usb"),
    ("usage", "rrddata"),
    ("virtual machine", "qemu"),
    ("vlan", "vnet network"),
    ("vm", "qemu"),
    ("vnc", "vncproxy"),
    ("volume", "content"),
    ("wake", "wakeonlan"),
    ("wipe", "wipedisk"),
    ("who", "permission acl"),
    ("zfs pool", "zfs"),
    ("zpool", "zfs"),
];

/// Verbs of people, and of the API.
const DOING: &[(&str, Verb)] = &[
    ("add", Verb::Post),
    ("apply", Verb::Put),
    ("change", Verb::Put),
    ("create", Verb::Post),
    ("delete", Verb::Delete),
    ("destroy", Verb::Delete),
    ("disable", Verb::Put),
    ("download", Verb::Post),
    ("edit", Verb::Put),
    ("enable", Verb::Put),
    ("get", Verb::Get),
    ("grow", Verb::Put),
    ("kill", Verb::Post),
    ("list", Verb::Get),
    ("make", Verb::Post),
    ("migrate", Verb::Post),
    ("modify", Verb::Put),
    ("move", Verb::Post),
    ("new", Verb::Post),
    ("pending", Verb::Get),
    ("prune", Verb::Delete),
    ("read", Verb::Get),
    ("reboot", Verb::Post),
    ("remove", Verb::Delete),
    ("rename", Verb::Put),
    ("resize", Verb::Put),
    ("restart", Verb::Post),
    ("restore", Verb::Post),
    ("run", Verb::Post),
    ("set", Verb::Put),
    ("show", Verb::Get),
    ("start", Verb::Post),
    ("stop", Verb::Post),
    ("stop task", Verb::Delete),
    ("take", Verb::Post),
    ("what", Verb::Get),
    ("which", Verb::Get),
    ("who", Verb::Get),
    ("how", Verb::Get),
    ("cancel", Verb::Delete),
    ("update", Verb::Put),
    ("wipe", Verb::Put),
];

/// Words that say nothing.
const EMPTY: &[&str] = &[
    "a", "an", "and", "are", "at", "be", "by", "can", "do", "does", "for", "from", "have", "i", "in", "is",
    "it", "me", "my", "of", "on", "our", "please", "proxmox", "that", "the", "there", "this", "to", "via",
    "want", "with",
];

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
        let said: Vec<String> = lower
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty() && !EMPTY.contains(word))
            .take(20)
            .map(stem)
            .collect();
        let mut meant: Vec<(String, i32)> = said.iter().map(|word| (word.clone(), 10)).collect();
        for (words, terms) in MEANT {
            let count = i32::try_from(words.split(' ').count()).unwrap_or(1);
            if words.split(' ').all(|word| said.iter().any(|own| own == word)) {
                // What several words mean together is meant more than what each of them means.
                let weight = 3 + 8 * count;
                for term in terms.split(' ') {
                    match meant.iter_mut().find(|(known, _)| known == term) {
                        Some((_, known)) => *known = weight.max(*known),
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
