//! The threat: a name that is more than a name. A vmid with a sign or in other digits, a node that
//! resolves to an address (`localhost`, `2130706433`), a storage with a slash in it. Each kind of
//! name has one test, here, and every part of the gate uses it.

use std::net::Ipv4Addr;

/// A vmid in canonical decimal: 100 to 999999999, no sign, no leading zero, ASCII digits.
pub(crate) fn vmid(text: &str) -> Option<u32> {
    if !is_canonical_integer(text) {
        return None;
    }
    text.parse().ok().filter(|n| (100..=999_999_999).contains(n))
}

/// The vmid in the name of a volume or of a task. Proxmox reads a number there, so zeros in front change
/// nothing.
pub(crate) fn vmid_in_a_name(text: &str) -> Option<u32> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.trim_start_matches('0'))?;
    vmid(number)
}

/// A whole number in the one way to write it: `0`, or digits without a leading zero, with `-` below zero.
pub(crate) fn is_canonical_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Fails with the reason where this cannot be the name of a node.
///
/// Proxmox forwards a request to whatever host the name resolves to, so a name that is an address in
/// disguise is refused with the rest.
pub(crate) fn check_node(name: &str) -> Result<(), String> {
    let inner = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if name.is_empty() || name.len() > 63 || !inner || name.starts_with('-') || name.ends_with('-') {
        return Err(format!("{} is not the name of a node", quote(name)));
    }
    if name.eq_ignore_ascii_case("localhost") {
        return Err("localhost is whichever node answers: use the node's own name".to_owned());
    }
    if is_address(name) {
        return Err(format!("{} reads as an address, not as the name of a node", quote(name)));
    }
    Ok(())
}

/// Whether a resolver takes the name for an IPv4 address: one number, decimal, octal or hexadecimal.
fn is_address(name: &str) -> bool {
    let hexadecimal = name
        .strip_prefix("0x")
        .or_else(|| name.strip_prefix("0X"))
        .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    hexadecimal || name.bytes().all(|b| b.is_ascii_digit()) || name.parse::<Ipv4Addr>().is_ok()
}

/// The name of a storage: a letter, then letters, digits, `-`, `_` and `.`, at last a letter or digit.
pub(crate) fn is_storage(name: &str) -> bool {
    matches!(name.as_bytes(), [first, .., last] if first.is_ascii_alphabetic() && last.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// The name of a pool, with up to two pools above it (`dev/web`).
pub(crate) fn is_pool(name: &str) -> bool {
    name.split('/').count() <= 3
        && name.split('/').all(|part| is_plain(part) && !part.contains([':', '@', '!', '+']))
}

/// One segment of letters, digits and `-_.:@+!`, and no dot segment.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text != "."
        && text != ".."
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:@+!".contains(&b))
}

/// A volume: `vm-101-disk-0`, `local:iso/debian.iso`. Plain segments between slashes.
pub(crate) fn is_volume(text: &str) -> bool {
    text.split('/').all(is_plain)
}

/// A task id taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Upid<'a> {
    /// The node that the task runs on.
    pub(crate) node: &'a str,
    /// What it does (`qmstart`).
    pub(crate) kind: &'a str,
    /// What the task is about; for most tasks of guests the vmid.
    pub(crate) id: &'a str,
    /// The login that started it (`root@pam!mcp`).
    pub(crate) login: &'a str,
}

impl<'a> Upid<'a> {
    /// Parses `UPID:node:pid:start:time:type:id:login:`, the three numbers in hexadecimal.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let fields: Vec<&str> = text.split(':').collect();
        let ["UPID", node, pid, start, time, kind, id, login, ""] = fields[..] else {
            return None;
        };
        let hexadecimal = |field: &str, lengths: std::ops::RangeInclusive<usize>| {
            lengths.contains(&field.len()) && field.bytes().all(|b| b.is_ascii_hexdigit())
        };
        let numbers = hexadecimal(pid, 8..=8) && hexadecimal(start, 8..=9) && hexadecimal(time, 8..=8);
        let words =
            is_plain(kind) && (id.is_empty() || is_plain(id)) && is_plain(login) && login.contains('@');
        (numbers && words && check_node(node).is_ok()).then_some(Upid { node, kind, id, login })
    }

    /// The guest that the task is about, where it is about one.
    pub(crate) fn vmid(&self) -> Option<u32> {
        vmid_in_a_name(self.id.split('@').next().unwrap_or_default())
    }
}

/// Text from outside for a message: quoted, escaped and cut to 60 characters.
pub(crate) fn quote(text: &str) -> String {
    if text.chars().count() > 60 {
        let head: String = text.chars().take(60).collect();
        return format!("{head:?}...");
    }
    format!("{text:?}")
}

/// The name that was probably meant, by edit distance, upper and lower case alike.
pub(crate) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    names
        .map(|name| (strsim::osa_distance(&wrong, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance * 3 <= name.len().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vmid_has_one_spelling() {
        assert_eq!(vmid("100"), Some(100));
        assert_eq!(vmid("999999999"), Some(999_999_999));
        for bad in
            ["", "0", "99", "1000000000", "0101", "+101", "-101", "101 ", "1e3", "101.0", "\u{661}00", "0x65"]
        {
            assert_eq!(vmid(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_integer_has_one_spelling() {
        for good in ["0", "7", "-1", "120"] {
            assert!(is_canonical_integer(good), "{good}");
        }
        for bad in ["", "-", "-0", "00", "+1", "1.0", "1e3", " 1", "0x1"] {
            assert!(!is_canonical_integer(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_node_is_a_host_label_and_no_address() {
        for good in ["pve1", "a", "PVE-02", "0x1g", "1a", &"n".repeat(63)] {
            assert!(check_node(good).is_ok(), "{good}");
        }
        let long = "n".repeat(64);
        for bad in [
            "",
            "-a",
            "a-",
            "a.b",
            "a/b",
            "localhost",
            "LocalHost",
            "2130706433",
            "0",
            "0x7f000001",
            "0X1",
            &long,
        ] {
            assert!(check_node(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn storages_pools_and_volumes() {
        assert!(is_storage("local-zfs") && is_storage("a1"));
        assert!(!is_storage("a") && !is_storage("1a") && !is_storage("a/b") && !is_storage("a-"));
        assert!(is_pool("dev") && is_pool("dev/web/a"));
        assert!(!is_pool("a/b/c/d") && !is_pool("a//b") && !is_pool("a/..") && !is_pool(""));
        assert!(
            is_volume("local:iso/debian-13.iso")
                && !is_volume("a/../b")
                && !is_volume("/etc")
                && !is_volume("a//b")
        );
    }

    #[test]
    fn a_task_id_is_taken_apart() {
        let upid = Upid::parse("UPID:pve1:00003215:0004ADDD:6B02B8E4:qmshutdown:150:root@pam!mcp:").unwrap();
        assert_eq!((upid.node, upid.vmid(), upid.login), ("pve1", Some(150), "root@pam!mcp"));
        let image = Upid::parse("UPID:pve1:00003215:0004ADDD:6B02B8E4:imgdel:150@local:root@pam:").unwrap();
        assert_eq!(image.vmid(), Some(150));
        let zeros = Upid::parse("UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:000150:root@pam:").unwrap();
        assert_eq!(zeros.vmid(), Some(150));
        for bad in [
            "UPID:pve1:00003215:0004ADDD:6B02B8E4:qmshutdown:150:root@pam!mcp",
            "UPID:localhost:00003215:0004ADDD:6B02B8E4:qmshutdown:150:root@pam:",
            "UPID:pve1:3215:0004ADDD:6B02B8E4:qmshutdown:150:root@pam:",
            "UPID:pve1:0000321G:0004ADDD:6B02B8E4:qmshutdown:150:root@pam:",
            "UPID:pve1:00003215:0004ADDD:6B02B8E4:qm/stop:150:root@pam:",
            "UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstop:..:root@pam:",
            "UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstop:150:root@pam::",
            "upid:pve1:00003215:0004ADDD:6B02B8E4:qmstop:150:root@pam:",
        ] {
            assert_eq!(Upid::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("VM.PowerMgnt", ["VM.Audit", "VM.PowerMgmt"].into_iter()), Some("VM.PowerMgmt"));
        assert_eq!(nearest("vm.audit", ["VM.Audit"].into_iter()), Some("VM.Audit"));
        assert_eq!(nearest("nonsense", ["VM.Audit"].into_iter()), None);
    }
}
