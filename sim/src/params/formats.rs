//! The named formats of parameters.

/// Checks `text` against a named format. A format that is not known here takes everything.
pub(super) fn check(format: &str, text: &str) -> Result<(), String> {
    if let Some(item) = format.strip_suffix("-list") {
        return text.split([',', ';', ' ', '\0']).filter(|t| !t.is_empty()).try_for_each(|t| check(item, t));
    }
    let (good, why) = match format {
        "pve-node" => (is_label(text), "value does not look like a valid node name".to_owned()),
        "pve-vmid" => (is_vmid(text), "value does not look like a valid VM ID".to_owned()),
        "dns-name" => (text.split('.').all(is_label), "value does not look like a valid DNS name".to_owned()),
        "pve-configid" => (is_config_id(text), format!("invalid configuration ID '{text}'")),
        "pve-storage-id" => (is_storage_id(text), format!("storage ID '{text}' contains illegal characters")),
        "pve-userid" => (is_user(text), format!("value '{text}' does not look like a valid user name")),
        "pve-poolid" => (is_pool(text), format!("value '{text}' does not look like a valid pool ID")),
        "pve-roleid" => (is_word(text), format!("invalid role name '{text}'")),
        "pve-groupid" => (is_word(text), format!("group name '{text}' contains invalid characters")),
        "pve-tag" => (is_tag(text), format!("invalid characters in tag '{text}'")),
        "pve-task-status-type" => (is_task_status(text), format!("invalid status '{text}'")),
        "ipv4" => {
            (is::<std::net::Ipv4Addr>(text), "value does not look like a valid IPv4 address".to_owned())
        }
        "ipv6" => {
            (is::<std::net::Ipv6Addr>(text), "value does not look like a valid IPv6 address".to_owned())
        }
        "ip" => (is::<std::net::IpAddr>(text), "value does not look like a valid IP address".to_owned()),
        _ => (true, String::new()),
    };
    if good { Ok(()) } else { Err(why) }
}

/// Three to nine digits, the first not zero.
pub(super) fn is_vmid(text: &str) -> bool {
    (3..=9).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
}

/// A label of a host name.
fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !text.is_empty()
        && text.len() <= 63
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_config_id(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && is_word(text)
        && !text.contains('.')
}

fn is_storage_id(text: &str) -> bool {
    let ends = text.ends_with(|c: char| c.is_ascii_alphanumeric());
    text.len() > 1 && text.starts_with(|c: char| c.is_ascii_alphabetic()) && is_word(text) && ends
}

fn is_user(text: &str) -> bool {
    let plain = |t: &str| !t.is_empty() && !t.contains([':', '/', ' ', '\t', '\n']);
    text.rsplit_once('@').is_some_and(|(name, realm)| plain(name) && is_word(realm) && text.len() <= 64)
}

fn is_pool(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    parts.len() <= 3 && parts.iter().all(|part| is_word(part))
}

fn is_tag(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_-+.".contains(c);
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    first && text.chars().all(inner)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn is_task_status(text: &str) -> bool {
    ["ok", "error", "warning", "unknown"].contains(&text)
}

fn is<T: std::str::FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_say_what_the_real_server_says() {
        assert_eq!(check("pve-configid", "1 bad").unwrap_err(), "invalid configuration ID '1 bad'");
        let status = check("pve-task-status-type-list", "warnings,error").unwrap_err();
        assert_eq!(status, "invalid status 'warnings'");
        let node = check("pve-node", "pve1/qemu").unwrap_err();
        assert_eq!(node, "value does not look like a valid node name");
        assert!(check("pve-tag-list", "web;prod").is_ok());
        assert!(check("pve-userid", "root@pam").is_ok());
        assert!(check("pve-userid", "root").is_err());
    }
}
