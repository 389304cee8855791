//! Secrets that are made here.

use crate::error::Error;

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
    fn passwords_differ_and_use_the_whole_alphabet() {
        let many: Vec<String> = (0..200).map(|_| password().unwrap()).collect();
        assert_eq!(many.iter().collect::<HashSet<_>>().len(), many.len());
        let used: HashSet<u8> = many.iter().flat_map(|password| password.bytes()).collect();
        assert_eq!(used, ALPHABET.iter().copied().collect());
        assert!(many.iter().all(|password| password.len() == LENGTH));
    }
}
