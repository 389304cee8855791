//! The file of those who may come in: a line each, with the name of a token, the profile of its permissions
//! (`-` for none) and the SHA-256 digest of the token. The token itself is written nowhere.
//!
//! ```text
//! # name  profile  digest
//! alice   night    sha256:5e88489da...
//! ```

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// What each token begins with, so that scanners for secrets find one that got lost.
const PREFIX: &str = "pmcp_";
/// What comes before a digest in the file.
const SCHEME: &str = "sha256:";
const MAX_NAME: usize = 64;
/// A file of more is none of tokens.
const MAX_FILE: u64 = 1 << 20;

/// The SHA-256 digest of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether they are the same, in a time that says nothing about where they differ.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(SCHEME)?.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok().filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// A digest opens nothing, and is nobody's business all the same.
impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest(..)")
    }
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name of the token; it stands in the audit log.
    pub name: String,
    /// The profile that its permissions come from; those of the server alone without one.
    pub profile: Option<String>,
    /// What the token is known by.
    pub digest: Digest,
}

/// Reads the file.
///
/// # Errors
/// Where others may write it, where it cannot be read, and with the line where it is wrong.
pub fn load(file: &Path) -> Result<Vec<Entry>> {
    let shown = file.display();
    let meta = std::fs::metadata(file).with_context(|| {
        format!(
            "The file of tokens {shown} cannot be read. `proxmox-mcp token new NAME --file {shown}` makes one"
        )
    })?;
    check_mode(file, &meta)?;
    if meta.len() > MAX_FILE {
        bail!("The file of tokens {shown} is longer than 1 MiB. It takes lines such as {EXAMPLE}");
    }
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("The file of tokens {shown} cannot be read"))?;
    parse(&text).map_err(|mistake| anyhow::anyhow!("The file of tokens {shown} has a mistake in {mistake}"))
}

const EXAMPLE: &str = "`alice night sha256:5e884...`: a name, a profile (or -), a digest. \
                       `proxmox-mcp token new` prints such lines.";

fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        let wrong = |what: String| Err(format!("line {}: {what}", at + 1));
        let (name, profile, digest) = match words.as_slice() {
            [] => continue,
            [name, profile, digest] => (*name, *profile, *digest),
            words => return wrong(format!("it has {} words. It takes {EXAMPLE}", words.len())),
        };
        if let Err(why) = check_name(name) {
            return wrong(why);
        }
        // A token in place of its digest must not be shown.
        let Some(digest) = Digest::parse(digest) else {
            return wrong(format!("its third word is no digest. It takes {EXAMPLE}"));
        };
        if entries.iter().any(|entry| entry.name == name) {
            return wrong(format!("there is a token called `{name}` already. Give this one another name."));
        }
        if entries.iter().any(|entry| entry.digest.is(&digest)) {
            return wrong("another line has the same digest. Make a token for each name.".to_owned());
        }
        let profile = (profile != "-").then(|| profile.to_owned());
        entries.push(Entry { name: name.to_owned(), profile, digest });
    }
    match entries.is_empty() {
        true => Err(format!("that it names nobody. It takes lines such as {EXAMPLE}")),
        false => Ok(entries),
    }
}

/// Checks the name of a token.
///
/// # Errors
/// A sentence that says what a name is made of.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    match !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(plain) && name != "-" {
        true => Ok(()),
        false => Err(format!(
            "`{}` is no name for a token. It takes up to {MAX_NAME} letters, digits and . _ @ -",
            name.escape_debug()
        )),
    }
}

/// A new token, and the line for the file.
///
/// # Errors
/// Where the name is none, or the system has no random numbers.
pub fn make(name: &str, profile: Option<&str>) -> Result<(String, String)> {
    for word in [Some(name), profile].into_iter().flatten() {
        check_name(word).map_err(anyhow::Error::msg)?;
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system has no random numbers: {error}"))?;
    let token = format!("{PREFIX}{}", hex(&bytes));
    let line = format!("{name} {} {SCHEME}{}", profile.unwrap_or("-"), hex(&Digest::of(&token).0));
    Ok((token, line))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whoever can write the file can come in. Reading it is no use to anybody, but no good sign.
#[cfg(unix)]
fn check_mode(file: &Path, meta: &std::fs::Metadata) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = meta.permissions().mode();
    if mode & 0o022 != 0 {
        bail!(
            "Other users of this machine can write the file of tokens {0}, and so let themselves in. Run `chmod 600 \
             {0}`, look whether each line in it is yours, and start again.",
            file.display()
        );
    }
    if mode & 0o004 != 0 {
        tracing::warn!(path = %file.display(), "other users of this machine can read the file of tokens; run chmod 600 on it");
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_file: &Path, _meta: &std::fs::Metadata) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_known_by_its_line_and_no_other_is() {
        let (token, line) = make("alice", Some("night")).unwrap();
        let (other, _) = make("alice", None).unwrap();
        assert!(token.starts_with("pmcp_") && token.len() == 69 && token != other);
        assert!(!line.contains(token.trim_start_matches(PREFIX)));
        let entries = parse(&format!("# ours\n\n{line} # since May\n")).unwrap();
        assert_eq!(entries[0].name, "alice");
        assert_eq!(entries[0].profile.as_deref(), Some("night"));
        assert!(entries[0].digest.is(&Digest::of(&token)));
        for wrong in [&other, "", "pmcp_", &token[..68], &token.to_uppercase()] {
            assert!(!entries[0].digest.is(&Digest::of(wrong)));
        }
        assert_eq!(parse(&make("bob", None).unwrap().1).unwrap()[0].profile, None);
    }

    #[test]
    fn digests_that_differ_in_one_bit_anywhere_are_different() {
        let digest = Digest::of("one");
        for at in 0..256 {
            let mut other = digest;
            other.0[at / 8] ^= 1 << (at % 8);
            assert!(!digest.is(&other), "{at}");
        }
    }

    #[test]
    fn a_mistake_is_shown_with_its_line_and_no_token_with_it() {
        let (token, line) = make("alice", None).unwrap();
        let digest = line.rsplit(' ').next().unwrap();
        for (text, says) in [
            (format!("{line}\nbob night"), "line 2: it has 2 words"),
            (format!("alice - {token}"), "line 1: its third word is no digest"),
            (format!("alice - {digest}0"), "line 1: its third word is no digest"),
            (format!("alice - {}", digest.replace("sha256:", "md5:")), "no digest"),
            (format!("a/b - {digest}"), "line 1: `a/b` is no name"),
            (format!("- night {digest}"), "line 1: `-` is no name"),
            (format!("{line}\n{line}"), "line 2: there is a token called `alice` already"),
            (format!("{line}\nbob - {digest}"), "line 2: another line has the same digest"),
            ("# nobody\n".to_owned(), "names nobody"),
        ] {
            let mistake = parse(&text).unwrap_err();
            assert!(mistake.contains(says), "{mistake}");
            assert!(!mistake.contains(&token), "{mistake}");
        }
        assert!(make("a b", None).is_err() && make("a", Some("x y")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_write_lets_nobody_in() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), make("alice", None).unwrap().1).unwrap();
        let with_mode = |mode| {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            load(file.path()).map_err(|error| error.to_string())
        };
        assert!(with_mode(0o600).is_ok() && with_mode(0o644).is_ok());
        for mode in [0o620, 0o602, 0o666] {
            assert!(with_mode(mode).unwrap_err().contains("chmod 600"), "{mode:o}");
        }
        let missing = load(Path::new("/no/such/file")).unwrap_err();
        assert!(format!("{missing:#}").contains("token new"), "{missing:#}");
    }
}
