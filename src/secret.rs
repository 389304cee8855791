//! Secrets: what they are called, and those that are made here.

use crate::error::Error;

/// Parameters and options whose value is nobody's business.
const NAMES: &[&str] = &["keyring", "ticket", "privkey", "key"];
/// What such a name may also hold (`cipassword`, `webhook-secret`).
const PARTS: &[&str] = &["password", "secret", "token"];
/// What is shown in its place.
pub(crate) const NOT_SHOWN: &str = "(not shown)";

/// Whether the value of what is called so is a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || PARTS.iter().any(|part| name.contains(part))
}

/// How many characters a password has: of 32 different ones, 120 bits.
const LENGTH: usize = 24;
/// Characters that cannot be taken for each other; 32 of them, so that each is as likely as the others.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";

/// A new password, of the system's own random numbers.
///
/// # Errors
/// [`Error::Failed`] where the system has none.
pub(crate) fn password() -> Result<String, Error> {
    let mut bytes = [0_u8; LENGTH];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::Failed(format!("No random numbers could be had for a password: {error}.")))?;
    let character = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'a');
    Ok(bytes.iter().map(|byte| char::from(character(byte))).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in ["cipassword", "password", "Client-Secret", "key", "keyring", "token"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["sshkeys", "keyboard", "monkey", "name", "tags", "keephugepages"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn passwords_differ_and_use_the_whole_alphabet() {
        let many: Vec<String> = (0..200).map(|_| password().unwrap()).collect();
        assert_eq!(many.iter().collect::<HashSet<_>>().len(), many.len());
        let used: HashSet<u8> = many.iter().flat_map(|password| password.bytes()).collect();
        assert_eq!(used, ALPHABET.iter().copied().collect());
        assert!(many.iter().all(|password| password.len() == LENGTH));
    }
}
