//! Names whose values are secret.

use serde_json::Value;

/// A name that holds one of these is secret, wherever it stands. Letters only, in lower case.
const PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "credential",
    "privatekey",
    "privkey",
    "sshkey",
    "sshpublickey",
    "apikey",
    "accesskey",
    "authkey",
    "certkey",
    "clientkey",
    "encryptionkey",
    "hmackey",
    "masterkey",
    "signingkey",
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
const HARMLESS: &[&str] = &["tokenid", "tokens", "tokenname", "tokencoefficient", "generatepassword"];

/// Parameters of the API that carry secrets among other things: credentials of a DNS plugin, headers of a
/// webhook, the environment of a container, what a program in a guest reads from its input.
const OPAQUE: &[&str] =
    &["data", "env", "header", "headers", "otelheaders", "inputdata", "stdin", "challenge", "response"];

/// What a storage can hold; the only values of `content` that are shown, since a file's text has that name too.
const CONTENT: &[&str] = &["images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none"];

/// Whether this is the name of a secret, in a text or as a parameter.
pub(super) fn secret(name: &str) -> bool {
    let name = letters(name);
    !HARMLESS.contains(&&*name) && (WHOLE.contains(&&*name) || PARTS.iter().any(|part| name.contains(part)))
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
