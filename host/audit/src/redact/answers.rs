//! Secrets in answers of Proxmox VE. Somebody asked for these, so what is likely something else stays.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, Match, MatchKind, StartKind};

use super::names::{self, Says};
use super::shapes::{self, Doubt};
use super::vendors;

/// Members that hold the value of what `key` or `name` beside them names.
pub(super) const VALUES: &[&str] = &["value", "pending", "old", "new", "default"];

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

/// The longest bare word that is looked at as a whole, in bytes.
const LONGEST_WORD: usize = 256;

static MARKS: LazyLock<Option<Marks>> = LazyLock::new(Marks::new);

/// What two bytes are to the marks, as bits; one byte for each pair that there can be, which takes the least time to
/// look at. Of a text every second pair is looked at, together with the one that follows: its upper bits say what it
/// may follow.
struct Pairs(Box<[u8; 1 << 16]>);

/// A mark begins with it, and goes on with the next pair.
const BEGINS: u8 = 1;
/// The same for marks that begin between two pairs: its first byte is the second of a mark.
const GOES_ON: u8 = 1 << 1;
/// The same for marks that are too short for that: its second byte is the first of a mark.
const LEADS: u8 = 1 << 2;
/// It says enough alone.
const ALONE: u8 = 1 << 3;
/// By so much are these shifted in the pair that follows.
const AFTER: u32 = 4;

/// How many places are looked at together.
const BLOCK: usize = 16;

impl Pairs {
    fn of_marks() -> Pairs {
        let mut pairs = Pairs(Box::new([ALONE << AFTER; 1 << 16]));
        for mark in all() {
            let at = |at: usize| mark.as_bytes().get(at).copied();
            if mark.len() < 4 {
                pairs.add(LEADS, [None, at(0)]);
                pairs.add(LEADS << AFTER, [at(1), at(2)]);
            } else {
                pairs.add(GOES_ON, [at(1), at(2)]);
                pairs.add(GOES_ON << AFTER, [at(3), at(4)]);
            }
            if mark.len() < 3 {
                pairs.add(ALONE, [at(0), at(1)]);
            } else {
                pairs.add(BEGINS, [at(0), at(1)]);
                pairs.add(BEGINS << AFTER, [at(2), at(3)]);
            }
        }
        // An API token.
        pairs.add(ALONE, [Some(b'!'), None]);
        pairs.add(ALONE, [None, Some(b'!')]);
        pairs
    }

    /// Adds the pair in both cases. A byte that is not given can be any.
    fn add(&mut self, bits: u8, pair: [Option<u8>; 2]) {
        let either = |byte: Option<u8>| match byte {
            Some(byte) => vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()],
            None => (0..=u8::MAX).collect(),
        };
        let [firsts, seconds] = pair.map(either);
        for pair in firsts.iter().flat_map(|first| seconds.iter().map(|second| [*first, *second])) {
            if let Some(place) = self.0.get_mut(usize::from(u16::from_le_bytes(pair))) {
                *place |= bits;
            }
        }
    }

    #[inline]
    fn of(&self, pair: u16) -> u8 {
        self.0.get(usize::from(pair)).copied().unwrap_or_default()
    }

    /// The next place from `from` on at which a mark, or an API token, may begin.
    fn next(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let (mut block, mut last) = (from, 0);
        while let Some(places) = bytes.get(block..).and_then(<[u8]>::first_chunk::<BLOCK>) {
            let places = u128::from_le_bytes(*places);
            // A byte for each pair, the first one uppermost.
            let seen =
                (0..8).fold(0, |seen, at| seen << 8 | u64::from(self.of((places >> (16 * at)) as u16)));
            let before = seen >> 8 | last << 56;
            let mut shows = before & seen >> AFTER & 0x0f0f_0f0f_0f0f_0f0f;
            while shows != 0 {
                let first = shows.leading_zeros() / 8;
                let pair = block + 2 * first as usize;
                // `pair` is that of `seen`, which follows the one that shows something.
                let places = pair.saturating_sub(3).max(from)..pair;
                if let Some(at) = places.into_iter().find(|at| self.may_begin(bytes, *at)) {
                    return Some(at);
                }
                shows &= u64::MAX.unbounded_shr(8 * (first + 1));
            }
            last = seen;
            block += BLOCK;
        }
        (block.saturating_sub(3).max(from)..bytes.len()).find(|at| self.may_begin(bytes, *at))
    }

    /// Whether something may begin at this place.
    fn may_begin(&self, bytes: &[u8], at: usize) -> bool {
        let pair = |at: usize| {
            let pair = bytes.get(at..).and_then(<[u8]>::first_chunk);
            pair.map(|pair| self.of(u16::from_le_bytes(*pair)))
        };
        pair(at).is_some_and(|first| first & pair(at + 2).unwrap_or(u8::MAX) >> AFTER & (BEGINS | ALONE) != 0)
    }
}

/// All marks. Nearly every place of an answer is passed over by its pairs alone.
struct Marks {
    pairs: Pairs,
    automaton: AhoCorasick,
}

impl Marks {
    fn new() -> Option<Marks> {
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::LeftmostLongest)
            .start_kind(StartKind::Anchored)
            .build(all())
            .ok()?;
        Some(Marks { pairs: Pairs::of_marks(), automaton })
    }

    /// The longest mark at this place.
    fn at(&self, bytes: &[u8], at: usize) -> Option<Match> {
        self.automaton.find(Input::new(bytes).range(at..).anchored(Anchored::Yes))
    }
}

fn all() -> impl Iterator<Item = &'static str> {
    let others = SIGNS.iter().chain(shapes::HASHES).chain([&shapes::OPENSSH]).copied();
    INNOCENT.iter().chain(STEMS).copied().chain(others).chain(vendors::starts())
}

/// Whether there may be a secret in a text, an answer or a name. Where this says no, there is none that
/// [`secret_parts`] or [`is_secret`] would find. It takes about a third of a millisecond for a megabyte.
pub fn may_hold_secrets(bytes: &[u8]) -> bool {
    let Some(marks) = &*MARKS else { return true };
    let mut names_something = false;
    let mut from = 0;
    while let Some(at) = marks.pairs.next(bytes, from) {
        from = at + 1;
        if bytes.get(at) == Some(&b'!') {
            if holds_token(bytes.get(at + 1..).unwrap_or_default()) {
                return true;
            }
            continue;
        }
        let Some(mark) = marks.at(bytes, at) else { continue };
        from = mark.end();
        match mark.pattern().as_usize() {
            innocent if innocent < INNOCENT.len() => {}
            stem if stem < INNOCENT.len() + STEMS.len() && is_bare_word(bytes, &mark) => {
                names_something = true;
            }
            _ => return true,
        }
    }
    names_something && VALUES.iter().any(|name| is_member(bytes, name))
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

/// Whether what follows a `!` is `name=` or `name:` and then what may be a UUID: an API token, whose name can be
/// anything.
fn holds_token(after: &[u8]) -> bool {
    let name = after.iter().take_while(|byte| is_of_name(**byte)).count();
    let secret = after.get(name + 1..).unwrap_or_default();
    matches!(after.get(name), Some(b'=' | b':')) && secret.first().is_some_and(u8::is_ascii_hexdigit)
}

/// Whether a stem is part of a value of one word, such as `"keycloak-01"`: neither the name of a member nor a text
/// with room for a secret. What it names can only stand in a member beside it.
fn is_bare_word(bytes: &[u8], stem: &Match) -> bool {
    let of_word = |byte: &&u8| is_of_name(**byte);
    let before = bytes.get(..stem.start()).unwrap_or_default();
    let after = bytes.get(stem.end()..).unwrap_or_default();
    let head = before.iter().rev().take(LONGEST_WORD).take_while(of_word).count();
    let tail = after.iter().take(LONGEST_WORD).take_while(of_word).count();
    let (before, first) = before.split_at(before.len() - head);
    let is_word = bytes.get(stem.range()).is_some_and(|stem| !stem.eq_ignore_ascii_case(b"pass"));
    is_word
        && first.first() != Some(&b'-')
        && matches!(before, [.., b':' | b',' | b'[', b'"'])
        && matches!(after.get(tail..), Some([b'"', b',' | b'}' | b']', ..]))
}

/// Whether an answer has a member of this name.
fn is_member(bytes: &[u8], name: &str) -> bool {
    let quoted = format!("\"{name}\"");
    bytes.windows(quoted.len()).any(|part| part == quoted.as_bytes())
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
    fn a_name_of_one_word_is_no_secret_and_need_not_be_looked_into() {
        for name in ["keycloak-01", "auth.example.com", "session-store", "tokens", "monkey", "PIN"] {
            assert!(
                !may_hold_secrets(format!(r#"{{"name":"{name}","tags":["{name}"]}}"#).as_bytes()),
                "{name}"
            );
            // What it names may stand beside it.
            assert!(
                may_hold_secrets(format!(r#"[{{"name":"{name}","value":"x"}}]"#).as_bytes())
                    || name == "tokens"
            );
        }
        for text in [
            r#"{"auth-token":"x"}"#,
            r#"{"a":"token x"}"#,
            r#"{"a":"x token"}"#,
            r#"{"a":"--token","b":1}"#,
            r#"{"a":"\"token\": 1"}"#,
            r#"{"a":"echo x|chpasswd"}"#,
            r#"{"a":"sshpass"}"#,
            r#"{"a":"token" : 1}"#,
            r#"{"a":"key-ghp_0123456789"}"#,
            "token",
            "\"token\"",
        ] {
            assert!(may_hold_secrets(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn each_mark_is_seen_wherever_it_stands() {
        for mark in all().skip(INNOCENT.len()) {
            for mark in [mark.to_ascii_lowercase(), mark.to_ascii_uppercase()] {
                for text in [mark.clone(), format!("x{mark}"), format!("!{mark} x"), format!("ké {mark}")] {
                    assert!(may_hold_secrets(text.as_bytes()), "{text}");
                }
                for (before, after) in
                    (0..2 * BLOCK + 4).flat_map(|before| (0..6).map(move |after| (before, after)))
                {
                    let text = format!("{}{mark}{}", " ".repeat(before), " ".repeat(after));
                    assert!(may_hold_secrets(text.as_bytes()), "{text:?}");
                    let text =
                        format!("{}{mark}{}{}", "7".repeat(before), "7".repeat(after), " ".repeat(BLOCK));
                    assert!(may_hold_secrets(text.as_bytes()), "{text:?}");
                }
            }
        }
        for before in 0..2 * BLOCK + 4 {
            for after in ["", "0-0-4-8", "0b6c8f9e-0000-4000-8000-000000000001"] {
                let text = format!("{}!t=1{after}", " ".repeat(before));
                assert!(may_hold_secrets(text.as_bytes()), "{text:?}");
            }
        }
        for text in ["", "!", "p", "a!b=", "a!b=z"] {
            assert!(!may_hold_secrets(text.as_bytes()), "{text}");
        }
        assert!(may_hold_secrets(b"!b=1"));
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
