//! Secrets in answers of Proxmox VE. Somebody asked for these, so what is likely something else stays.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::names::{self, Says};
use super::shapes::{self, Doubt};
use super::vendors;

/// Words with a stem in them that long lists are full of.
const INNOCENT: &[&str] = &["tokenid", "tokens", "hotplug", "upid:pve:"];

/// With one of them starts or ends each name that says that a value is secret, so that hyphens and underscores
/// between words do not matter.
const STEMS: &[&str] = &[
    "pass",
    "kennwort",
    "pwd",
    "pw",
    "pin",
    "otp",
    "jwt",
    "auth",
    "secret",
    "credential",
    "privat",
    "key",
    "token",
    "ticket",
    "bearer",
    "cookie",
    "csrf",
    "session",
];

/// Other signs of a secret, as they stand in JSON.
const SIGNS: &[&str] =
    &["://", ":\\/", "\\u00", "-----begin", "pve:", "pvevnc:", "pvetunnel:", "usermod -p", "useradd -p"];

static MARKS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let others = SIGNS.iter().chain(shapes::HASHES).chain([&shapes::OPENSSH]).copied();
    let marks = INNOCENT.iter().chain(STEMS).copied().chain(others).chain(vendors::starts());
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .match_kind(MatchKind::LeftmostLongest)
        .build(marks)
        .ok()
});

/// Whether there may be a secret in a text, an answer or a name. Where this says no, there is none that
/// [`secret_parts`] or [`is_secret`] would find. It takes about two milliseconds for a megabyte.
pub fn may_hold_secrets(bytes: &[u8]) -> bool {
    let Some(marks) = &*MARKS else { return true };
    marks.find_iter(bytes).any(|mark| mark.pattern().as_usize() >= INNOCENT.len()) || holds_token(bytes)
}

/// Whether `!name=` or `!name:` is followed by what may be a UUID: an API token, whose name can be anything.
fn holds_token(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'!').skip(1).any(|after| {
        let name =
            after.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)).count();
        let secret = after.get(name + 1..).unwrap_or_default();
        matches!(after.get(name), Some(b'=' | b':')) && secret.first().is_some_and(u8::is_ascii_hexdigit)
    })
}

/// The parts of a text that are secret: sorted, apart from each other, not empty.
pub fn secret_parts(text: &str) -> Vec<Range<usize>> {
    match may_hold_secrets(text.as_bytes()) {
        true => shapes::secret_parts(text, &[], Doubt::Show),
        false => Vec::new(),
    }
}

/// Whether the name says that this value is secret.
pub fn is_secret(name: &str, value: &str) -> bool {
    may_hold_secrets(name.as_bytes())
        && match names::says(name) {
            Says::Secret => !shapes::is_fingerprint(value),
            Says::Maybe => shapes::is_random(value),
            Says::Public | Says::Nothing => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2SECRET";

    /// The text with `#` in place of what is secret.
    fn shown(text: &str) -> String {
        let mut shown = text.to_owned();
        for part in secret_parts(text).into_iter().rev() {
            shown.replace_range(part, "#");
        }
        shown
    }

    #[test]
    fn secrets_in_notes_and_logs() {
        for case in [
            "Password: §",
            "root pw: §",
            "pw:§",
            "**Passwort:** §",
            "`password`: `§`",
            "ci-password = §",
            "DB_PASS=§",
            "admin_pass: §",
            "API key: 9f8e§",
            "key=9f8e§",
            "token: §",
            "PIN: §",
            "mysql --password §",
            "https://user:§@host/path",
            "http_proxy=http://u:§@proxy:3128/",
            "curl -H 'Authorization: Bearer §1234'",
            "Authorization: PVEAPIToken=root@pam!mcp=§",
            "backup login PVE:root@pam:6A2B3C4D::§ until noon",
            "echo root:§ | chpasswd",
            "sshpass -p § ssh root@host",
            "-----BEGIN OPENSSH PRIVATE KEY-----\n§\n-----END OPENSSH PRIVATE KEY-----",
            "hash $6$saltsalt$§§",
            "PrivateKey = §",
            "{\"password\":\"§\",\"x\":1}",
            "user: ci\npassword: $5$aa$§\nssh_pwauth: true",
            "PATH=/bin\0DB_PASSWORD=§\0TZ=UTC",
        ] {
            let shown = shown(&format!("Notes.\n{}\nMore.", case.replace('§', SECRET)));
            assert!(!shown.contains(SECRET) && shown.contains('#'), "{case} became {shown}");
            assert!(shown.starts_with("Notes.\n") && shown.ends_with("\nMore."), "{case} became {shown}");
        }
        assert_eq!(shown("x root@pam!mcp=1b4e28ba-2fa1-11d2-883f-0016d3cca427 y"), "x root@pam!mcp=# y");
        assert_eq!(shown("x me@pbs!b:1b4e28ba-2fa1-11d2-883f-0016d3cca427 y"), "x me@pbs!b:# y");
    }

    #[test]
    fn what_answers_are_full_of_stays() {
        for text in [
            "UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:101:root@pam!mcp:",
            "UPID:PVE:00003215:0004ADDD:6B02B8E4:vncproxy:101:root@pam!token: OK",
            "UPID:pve1:00003215:0004ADDD:6B02B8E4:imgcopy::root@pam!secret:",
            "uuid=1b4e28ba-2fa1-11d2-883f-0016d3cca427,manufacturer=UHJveG1veA==,base64=1",
            "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
            "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,tag=20",
            "E4:5D:53:43:B9:8D:21:B2:1B:96:4B:63:E7:1E:31:06:FE:AB:E8:FC:5E:4B:FA:00:11:22:33:44:55:66:77:88",
            "key: E4:5D:53:43:B9:8D:21:B2:1B:96:4B:63",
            "69b9a3ad09992e2c076287887ad6a4ee6c8613f0",
            "local-lvm:vm-101-disk-0,size=32G",
            "secret-store:vm-101-disk-0,size=32G",
            "token-backup:backup/vzdump-qemu-101-2026_11_22-10_00_00.vma.zst",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxO0tAc1q9rZ2f4U8b4A8QmX3Yw me@here",
            "sshkeys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxO0tAc1q9rZ2f4U8b4A8QmX3Yw",
            "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIJxO0tAc1q9rZ2f4U8b4A8QmX3Yw%20me%40here",
            "Ticket: OPS-1234, see https://tracker.example/OPS-1234",
            "auth: LDAP",
            "host key: SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDHiyZ",
            "Permission check failed (/vms/102, VM.Audit)",
            "the bearer of good news",
            "systemd[1]: systemd-ask-password-wall.path: Deactivated successfully.",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "chpasswd:\n  expire: False\nssh_pwauth: true",
            "it costs $5$ more",
            "a password for everybody, and the keys are with Anna",
            "https://pve1:8006/#v1:0:18:4",
            "tokenid: mcp, tokens: 3",
            "creation-qemu=10.0.2,ctime=1795339584",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn names_of_members() {
        for (name, value) in [
            ("cipassword", "x"),
            ("password", "x"),
            ("client-key", "x"),
            ("encryption-key", "{\"kdf\":null}"),
            ("ticket", "PVEVNC:6A2B3C4D::abc"),
            ("corosync_authkey", "x"),
            ("key", "pve4b-0123456789"),
            ("token", "x"),
            ("keyring", "x"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("sshkeys", "ssh-ed25519%20AAAA"),
            ("tokenid", "mcp"),
            ("full-tokenid", "root@pam!mcp"),
            ("key", "cipassword"),
            ("encryption-key", "E4:5D:53:43:B9:8D"),
            ("lock-token", "6a2b"),
            ("digest", "69b9a3ad09992e2c076287887ad6a4ee6c8613f0"),
            ("fingerprint", "E4:5D:53:43:B9:8D"),
            ("vmgenid", "1b4e28ba-2fa1-11d2-883f-0016d3cca427"),
            ("keyboard", "de"),
            ("public-key-type", "id-ecPublicKey"),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }

    #[test]
    fn every_name_of_a_secret_leaves_a_mark() {
        for name in names::all() {
            let marked = STEMS.iter().any(|stem| name.starts_with(stem) || name.ends_with(stem));
            assert!(marked, "{name} has no stem");
        }
        assert!(may_hold_secrets(br#"{"Ssh-Private_Key":1}"#));
        assert!(!may_hold_secrets(br#"{"tokenid":"mcp","upid":"UPID:pve:0000:root@pam!mcp:","hotplug":1}"#));
    }

    #[test]
    fn the_time_grows_no_faster_than_the_text() {
        for piece in [
            "password:[",
            "password: \"",
            "--",
            "-----begin ",
            "-----begin private-----",
            "PVE:",
            "$6$",
            "eyJ",
            "://",
            "key: ",
            "key=",
            "bearer ",
            "chpasswd ",
            "mkpasswd",
            "!",
            "a!b=",
            "user:x@",
            "ghp_",
            ": ",
            "=",
            "token ",
            "\"",
            "pw=",
            "putty-user-key-file",
        ] {
            let begun = std::time::Instant::now();
            secret_parts(&piece.repeat((1 << 18) / piece.len()));
            let took = begun.elapsed();
            assert!(took.as_secs() < 2, "{piece}: {took:?}");
        }
    }
}
