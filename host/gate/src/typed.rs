//! The threat: a value that the server reads as something else than its type says. Each value is
//! checked against the type in the API's table: ranges, words, lengths, patterns and the formats
//! that name nodes, guests, storages and pools.

use crate::value;
use proxmox_api::{Kind, methods};
use regex_lite::Regex;
use std::{collections::HashMap, sync::LazyLock};

/// Checks one value; the error says what is wrong with it.
pub(crate) fn check(kind: &Kind, text: &str) -> Result<(), String> {
    match kind {
        Kind::Boolean if text == "0" || text == "1" => Ok(()),
        Kind::Boolean => Err("it is 1 or 0".to_owned()),
        Kind::Integer { min, max } => check_integer(text, *min, *max),
        Kind::Number { min, max } => check_number(text, *min, *max),
        Kind::Enum(words) if words.contains(&text) => Ok(()),
        Kind::Enum(words) => Err(format!("it is one of {}", words.join(", "))),
        Kind::Array(_) => Err("it takes no nested array".to_owned()),
        Kind::String { format, pattern, min, max } => {
            check_length(text, *min, *max)?;
            check_pattern(pattern, text)?;
            check_format(format, text)
        }
    }
}

fn check_integer(text: &str, min: Option<i64>, max: Option<i64>) -> Result<(), String> {
    let number: i64 = match text.parse() {
        Ok(number) if value::is_canonical_integer(text) => number,
        _ => return Err(format!("{} is not a whole number", value::quote(text))),
    };
    if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
        return Err(format!("{number} is out of range{}", range(min, max)));
    }
    Ok(())
}

fn check_number(text: &str, min: Option<f64>, max: Option<f64>) -> Result<(), String> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    let number: f64 = match text.parse() {
        Ok(number) if plain => number,
        _ => return Err(format!("{} is not a number", value::quote(text))),
    };
    if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
        return Err(format!("{number} is out of range{}", range(min, max)));
    }
    Ok(())
}

fn range<T: std::fmt::Display>(min: Option<T>, max: Option<T>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!(" {min} to {max}"),
        (Some(min), None) => format!(": it is {min} or more"),
        (None, Some(max)) => format!(": it is {max} or less"),
        (None, None) => String::new(),
    }
}

fn check_length(text: &str, min: Option<u32>, max: Option<u32>) -> Result<(), String> {
    let length = text.chars().count();
    if min.is_some_and(|min| length < min as usize) || max.is_some_and(|max| length > max as usize) {
        return Err(format!("it has {length} characters, out of range{}", range(min, max)));
    }
    Ok(())
}

fn check_format(format: &str, text: &str) -> Result<(), String> {
    let sound = match format {
        "pve-node" => return value::check_node(text),
        "pve-storage-id" => value::is_storage(text),
        "pve-poolid" => value::is_pool(text),
        "pve-configid" => {
            text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        }
        _ => true,
    };
    if sound { Ok(()) } else { Err(format!("{} is no {format}", value::quote(text))) }
}

/// The patterns of the table, each made to match the whole value. A pattern that cannot be read
/// matches nothing.
static PATTERNS: LazyLock<HashMap<&'static str, Option<Regex>>> = LazyLock::new(|| {
    let mut patterns = HashMap::new();
    for param in methods::ALL.iter().flat_map(|method| method.params) {
        if let Kind::String { pattern, .. } = crate::params::param_kind(param) {
            patterns.entry(*pattern).or_insert_with(|| compile(pattern));
        }
    }
    patterns
});

/// Turns a Perl pattern into one that matches from end to end. `(?^:` is Perl's group without flags,
/// `\0` its NUL.
fn compile(pattern: &str) -> Option<Regex> {
    let plain = pattern.replace("(?^:", "(?:").replace("(?^u:", "(?:").replace("(?^i:", "(?i:");
    let plain = plain.replace("\\0", "\\x00");
    Regex::new(&format!("^(?:{plain})$")).ok()
}

fn check_pattern(pattern: &str, text: &str) -> Result<(), String> {
    if pattern.is_empty() {
        return Ok(());
    }
    match PATTERNS.get(pattern) {
        Some(Some(regex)) if regex.is_match(text) => Ok(()),
        _ => Err(format!("{} does not match the pattern {pattern}", value::quote(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_the_table_can_be_read() {
        for (pattern, regex) in PATTERNS.iter() {
            assert!(regex.is_some(), "{pattern}: {:?}", Regex::new(pattern).err());
        }
    }

    #[test]
    fn a_pattern_matches_the_whole_value() {
        let disk = "^/dev/[a-zA-Z0-9\\/]+$";
        assert!(check_pattern(disk, "/dev/nvme0n1").is_ok());
        for bad in ["/dev/sda;id", "x/dev/sda", "/dev/sda\n", "/dev/../etc", "/dev/"] {
            assert!(check_pattern(disk, bad).is_err(), "{bad:?}");
        }
        // Many patterns of the table have no anchors of their own.
        let port = "(/dev/[^,]+|socket)";
        assert!(check_pattern(port, "socket").is_ok());
        for bad in ["sockets", "a socket", "x/dev/ttyS0", "socket\n/dev/ttyS0"] {
            assert!(check_pattern(port, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_have_one_spelling_and_a_range() {
        let port = Kind::Integer { min: Some(1), max: Some(65535) };
        assert!(check(&port, "8006").is_ok());
        for bad in ["0", "65536", "08006", "+1", "1.0", "", "ten", "9999999999999999999999"] {
            assert!(check(&port, bad).is_err(), "{bad:?}");
        }
        let share = Kind::Number { min: Some(0.0), max: Some(1.0) };
        assert!(check(&share, "0.5").is_ok());
        for bad in ["1.5", "-0.1", "nan", "inf", "1e-3", ""] {
            assert!(check(&share, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn booleans_words_lengths_and_formats() {
        assert!(check(&Kind::Boolean, "1").is_ok() && check(&Kind::Boolean, "true").is_err());
        assert!(check(&Kind::Enum(&["vm", "node"]), "vm").is_ok());
        assert!(check(&Kind::Enum(&["vm", "node"]), "VM").is_err());
        let short = Kind::String { format: "pve-configid", pattern: "", min: Some(2), max: Some(4) };
        assert!(check(&short, "ab_1").is_ok());
        for bad in ["a", "abcde", "1a", "a/b", "a.b"] {
            assert!(check(&short, bad).is_err(), "{bad:?}");
        }
        let node = Kind::String { format: "pve-node", pattern: "", min: None, max: None };
        assert!(check(&node, "pve1").is_ok() && check(&node, "localhost").is_err());
    }
}
