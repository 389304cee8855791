//! Secrets that say by their first letters who gave them out.

use std::ops::Range;

/// A form of secret: how it starts, and how much of what has to follow.
struct Form {
    start: &'static str,
    /// Least number of bytes after the start.
    least: usize,
    /// What they consist of.
    of: fn(u8) -> bool,
}

const fn form(start: &'static str, least: usize, of: fn(u8) -> bool) -> Form {
    Form { start, least, of }
}

static FORMS: &[Form] = &[
    // Amazon
    form("AKIA", 16, upper),
    form("ASIA", 16, upper),
    // GitHub
    form("ghp_", 30, alphanumeric),
    form("gho_", 30, alphanumeric),
    form("ghu_", 30, alphanumeric),
    form("ghs_", 30, alphanumeric),
    form("ghr_", 30, alphanumeric),
    form("github_pat_", 30, of_words),
    // GitLab
    form("glpat-", 16, of_words),
    form("glrt-", 16, of_words),
    // Slack
    form("xoxb-", 20, of_words),
    form("xoxp-", 20, of_words),
    form("xoxa-", 20, of_words),
    form("xoxr-", 20, of_words),
    form("xoxs-", 20, of_words),
    form("xapp-", 20, of_words),
    // Google
    form("AIza", 35, of_words),
    form("ya29.", 30, of_words),
    // Stripe
    form("sk_live_", 20, alphanumeric),
    form("rk_live_", 20, alphanumeric),
    form("whsec_", 20, alphanumeric),
    // Models
    form("sk-ant-", 20, of_words),
    form("sk-proj-", 20, of_words),
    form("hf_", 30, alphanumeric),
    // Registries
    form("npm_", 36, alphanumeric),
    form("pypi-", 50, of_words),
    form("dckr_pat_", 20, of_words),
    // Hosting and networks
    form("dop_v1_", 40, alphanumeric),
    form("tskey-", 20, of_words),
    form("hvs.", 20, of_words),
    form("SG.", 40, dotted),
    // age
    form("AGE-SECRET-KEY-1", 40, upper),
    // JSON web tokens: `{"` in base64, and two dots further on
    form("eyJ", 30, dotted),
];

fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn of_words(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn dotted(byte: u8) -> bool {
    of_words(byte) || byte == b'.'
}

/// How they start.
pub(super) fn starts() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|form| form.start)
}

/// Adds those that stand in the text as words of their own.
pub(super) fn secrets(text: &str, parts: &mut Vec<Range<usize>>) {
    for form in FORMS {
        let mut looked = 0;
        for (at, start) in text.match_indices(form.start) {
            if at < looked {
                continue;
            }
            let rest = text.as_bytes().get(at + start.len()..).unwrap_or_default();
            let length = rest.iter().take_while(|byte| (form.of)(**byte)).count();
            looked = at + start.len() + length;
            let begins =
                text.as_bytes().get(..at).and_then(<[u8]>::last).is_none_or(|byte| !alphanumeric(*byte));
            if begins && length >= form.least && (start != "eyJ" || is_web_token(text.get(at..looked))) {
                parts.push(at..looked);
            }
        }
    }
}

/// `header.payload.signature`; the payload starts with `{"` as well.
fn is_web_token(word: Option<&str>) -> bool {
    let mut parts = word.unwrap_or_default().splitn(3, '.').skip(1);
    parts.next().is_some_and(|payload| payload.starts_with("eyJ")) && parts.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut parts = Vec::new();
        secrets(text, &mut parts);
        parts.into_iter().map(|part| &text[part]).collect()
    }

    #[test]
    fn each_form_is_found_as_a_word_and_not_cut_short() {
        for form in FORMS.iter().filter(|form| form.start != "eyJ") {
            let whole = format!("{}{}", form.start, "A2".repeat(form.least.div_ceil(2)));
            assert_eq!(found(&format!("key {whole}, and more")), [&whole], "{}", form.start);
            let short = format!("{}{}", form.start, "A".repeat(form.least - 1));
            assert_eq!(found(&short), Vec::<&str>::new());
            assert_eq!(found(&format!("x{whole}")), Vec::<&str>::new());
        }
        let token =
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
        assert_eq!(found(&format!("Authorization {token}\n")), [token]);
        assert_eq!(
            found("eyJhbGciOiJIUzI1NiJ9 eyJhbGciOiJIUzI1NiJ9eyJhbGciOiJIUzI1NiJ9"),
            Vec::<&str>::new()
        );
    }
}
