//! Names whose values are secret.

use serde_json::Value;

/// A name that holds one of these is secret, wherever it stands. Letters only, in lower case.
const PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "kennwort",
    "secret",
    "credential",
    "privatekey",
    "privkey",
    "sshkey",
    "sshpublickey",
    "apikey",
    "accesskey",
    "accountkey",
    "authkey",
    "certkey",
    "clientkey",
    "encryptionkey",
    "hmackey",
    "masterkey",
    "presharedkey",
    "signingkey",
    "sslkey",
    "tlskey",
    "keyring",
    "token",
    "ticket",
    "authorization",
    "bearer",
    "cookie",
    "csrf",
    "sessionid",
];

/// These are secret as whole names.
const WHOLE: &[&str] = &["key", "keys", "pass", "pwd", "pw", "pin", "otp", "totp", "jwt", "auth"];

/// These look secret and are not: they name a token or say how many there are.
pub(super) const HARMLESS: &[&str] =
    &["tokenid", "fulltokenid", "tokens", "tokenname", "tokencoefficient", "generatepassword", "chpasswd"];

/// These are for everybody to see, or of no use to anybody else; the log is shorter without them.
const PUBLIC: &[&str] = &["sshkey", "sshkeys", "sshpublickey", "sshpublickeys", "locktoken"];

/// These name a secret or something else, such as a way to log in or a place in a list.
const MAYBE: &[&str] = &["key", "keys", "auth", "ticket", "tickets", "cookie", "cookies"];

/// Words for a password at the end of a name.
const PASSWORDS: &[&str] = &["password", "passwd", "passphrase", "passwort", "kennwort"];

/// Words for a password as whole names.
const SHORT_PASSWORDS: &[&str] = &["pwd", "pw", "pin"];

/// Words that end in `pass` and have nothing to do with a password.
const PASSES: &[&str] = &["bypass", "compass", "encompass", "trespass", "surpass"];

/// Parameters of the API that carry secrets among other things: credentials of a DNS plugin, headers of a
/// webhook, the environment of a container, what a program in a guest reads from its input.
const OPAQUE: &[&str] =
    &["data", "env", "header", "headers", "otelheaders", "inputdata", "stdin", "challenge", "response"];

/// What a storage can hold; the only values of `content` that are shown, since a file's text has that name too.
const CONTENT: &[&str] = &["images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none"];

/// What a name says of the value that it stands before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// It is secret.
    Secret,
    /// It may be; only the value can tell.
    Maybe,
    /// It belongs to a secret and is not secret itself.
    Public,
    /// It is something else.
    Nothing,
}

/// What a name in a text, or that of a parameter, says of its value.
pub(super) fn says(name: &str) -> Says {
    let name = &*letters(name);
    match name {
        _ if HARMLESS.contains(&name) => Says::Nothing,
        _ if PUBLIC.contains(&name) => Says::Public,
        _ if MAYBE.contains(&name) => Says::Maybe,
        _ if WHOLE.contains(&name) || PARTS.iter().any(|part| name.contains(part)) => Says::Secret,
        _ if ends_in_pass(name) => Says::Secret,
        _ => Says::Nothing,
    }
}

/// Whether the value after this name is not for the log.
pub(super) fn secret(name: &str) -> bool {
    says(name) != Says::Nothing
}

/// Whether this can only be meant as the name of a password: no storage, user or machine is called so.
pub(super) fn password(name: &str) -> bool {
    let name = &*letters(name);
    SHORT_PASSWORDS.contains(&name) || PASSWORDS.iter().any(|word| name.ends_with(word)) || ends_in_pass(name)
}

/// `DB_PASS`, `rootpass`.
fn ends_in_pass(name: &str) -> bool {
    name.ends_with("pass") && !PASSES.iter().any(|word| name.ends_with(word))
}

/// Whether the value of the parameter is not for the log.
pub(super) fn hides(name: &str, value: &Value) -> bool {
    let letters = letters(name);
    let content = || value.as_str().is_some_and(|list| list.split(',').all(|word| CONTENT.contains(&word)));
    secret(name) || OPAQUE.contains(&&*letters) || (letters == "content" && !content())
}

/// Whether a word of a command line says that the next word is secret: `--password`.
pub(super) fn announces(word: &str) -> bool {
    word.starts_with('-') && secret(word)
}

/// All that makes a name one of a secret, or of what may be one: letters only.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    [PARTS, WHOLE, MAYBE].into_iter().flatten().copied().chain(["pass"])
}

/// `SSH_Keys[0]` and `ssh-keys` are both `sshkeys`.
fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_secrets() {
        for name in [
            "password",
            "cipassword",
            "confirmation-password",
            "sshkeys",
            "ssh-public-keys",
            "token",
            "secret",
            "ticket",
            "vncticket",
            "key",
            "keys",
            "eab-hmac-key",
            "client-key",
            "certkey",
            "encryption-key",
            "keyring",
            "otp",
            "tfa-ticket",
            "lock-token",
            "PVEAuthCookie",
            "CSRFPreventionToken",
            "PROXMOX_TOKEN_VALUE",
            "DB_PASSWORD_2",
            "Authorization",
            "apiKey",
            "key1",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(secret(name), "{name}");
        }
    }

    #[test]
    fn names_of_other_things() {
        for name in [
            "vmid",
            "node",
            "tokenid",
            "tokens",
            "token-coefficient",
            "generate-password",
            "keyboard",
            "hotplug",
            "onboot",
            "description",
            "ciuser",
            "privs",
            "sid",
            "fingerprint",
            "keephugepages",
            "config-keys",
            "event",
            "request",
        ] {
            assert!(!hides(name, &json!("1")), "{name}");
        }
    }

    #[test]
    fn some_parameters_are_opaque() {
        for name in ["data", "env", "header", "otel-headers", "input-data"] {
            assert!(hides(name, &json!("x")) && !secret(name), "{name}");
        }
        assert!(!hides("content", &json!("iso,vztmpl")));
        assert!(hides("content", &json!("hunter2")) && hides("content", &json!("iso,hunter2")));
        assert!(hides("content", &json!(["iso"])));
    }
}
