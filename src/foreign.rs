//! Text that others wrote: names, messages, the output of commands. It is data, never instructions or
//! layout: what would act on a terminal, hide or reorder text, or look like Markdown is taken out of it.

/// A name as one line of Markdown: cleaned, escaped, at most 80 characters.
pub fn name(text: &str) -> String {
    words(text, 80)
}

/// A message as one line of Markdown: cleaned, escaped, at most `most` characters before the escapes.
pub fn words(text: &str, most: usize) -> String {
    escaped(&line(text, most))
}

/// A state as Proxmox names it, such as `running`: letters and hyphens. Anything else is `unknown`.
pub fn state(text: &str) -> &str {
    let letters = text.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    if letters && (1..=20).contains(&text.len()) { text } else { "unknown" }
}

/// Text as one line, at most `most` characters: cleaned, but not escaped.
pub fn line(text: &str, most: usize) -> String {
    // Most names are so, and in a long list it shows.
    if is_plain(text, most) {
        return text.to_owned();
    }
    let clean = clean(text);
    let words: Vec<&str> = clean.split_whitespace().collect();
    shortened(&words.join(" "), most)
}

/// Text of several lines, cleaned; for a fence or for data.
pub fn block(text: &str) -> String {
    clean(text)
}

/// One line as code: cleaned, at most `most` characters, between backquotes that it does not hold itself.
pub fn code(text: &str, most: usize) -> String {
    let line = line(text, most);
    let ticks = "`".repeat(longest_run(&line) + 1);
    let pad = if line.starts_with('`') || line.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{line}{pad}{ticks}")
}

/// A fenced code block around cleaned text. The fence is longer than any run of backquotes inside.
pub fn fenced(text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    format!("{fence}\n{text}{end}{fence}")
}

/// The first and the last part of a long text, at most `most` bytes of it, with a line between them that
/// says how much is left out; whole if it is short enough.
pub fn head_and_tail(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let head = text.get(..text.floor_char_boundary(most / 2)).unwrap_or_default();
    let tail = text.get(text.ceil_char_boundary(text.len() - most / 2)..).unwrap_or_default();
    let left_out = text.len() - head.len() - tail.len();
    format!("{head}\n[... {left_out} bytes left out ...]\n{tail}")
}

/// Whether it is short and nothing but printable ASCII, with single spaces inside: there is nothing to clean.
fn is_plain(text: &str, most: usize) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
    text.len() <= most && text.split(' ').all(is_word)
}

/// How many backquotes there are in a row at most.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Markdown's signs, each with a backslash. An underscore inside a word means nothing and stays.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let inside_word = before.is_alphanumeric() && rest.peek().is_some_and(|c| c.is_alphanumeric());
        if matches!(c, '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~') || (c == '_' && !inside_word) {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}

/// Without escape sequences, control characters and invisible characters; any end of line is `\n`.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut rest),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\t' => out.push('\t'),
            c if c.is_control() || is_invisible(c) => {}
            c => out.push(c),
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// After ESC: a control sequence, a string, or a short sequence (ECMA-48).
fn skip_escape(rest: &mut Chars<'_>) {
    match rest.peek().copied() {
        Some('[') => {
            rest.next();
            skip_control_sequence(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        _ => {
            while rest.next_if(|c| (' '..='/').contains(c)).is_some() {}
            rest.next_if(|c| ('0'..='~').contains(c));
        }
    }
}

/// Parameters and the final letter.
fn skip_control_sequence(rest: &mut Chars<'_>) {
    while rest.next_if(|c| (' '..='?').contains(c)).is_some() {}
    rest.next_if(|c| ('@'..='~').contains(c));
}

/// Up to the terminator, BEL or ESC `\`; at most to the end of the line, so that an open string does not
/// swallow the rest.
fn skip_string(rest: &mut Chars<'_>) {
    while let Some(c) = rest.next_if(|c| *c != '\n') {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                rest.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

/// Characters that show nothing or change the order of what is shown: soft hyphen, fillers, zero width,
/// direction marks, variation selectors (but the one for emoji), interlinear marks, tags, private use.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_cleaning_comes_out_of_cleaning_unchanged() {
        for plain in ["pve1", "a b c", "x`*|<y", "~"] {
            assert!(is_plain(plain, 5) || plain.len() > 5, "{plain:?}");
            assert_eq!(shortened(&clean(plain).split_whitespace().collect::<Vec<_>>().join(" "), 9), plain);
        }
        for odd in
            ["", " a", "a ", "a  b", "a\tb", "a\nb", "\u{1b}[1m", "\u{7f}", "ä", "a\u{202e}b", "123456"]
        {
            assert!(!is_plain(odd, 5), "{odd:?}");
        }
    }

    #[test]
    fn escape_sequences_and_control_characters_go() {
        for (text, expected) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}[38;5;196mx\u{1b}[1;2H", "x"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]8;;http://a\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}(Bx\u{1b}7y\u{1b}=z", "xyz"),
            ("\u{9b}31mx", "x"),
            ("\u{1b}]open\nnext", "\nnext"),
            ("a\u{8}\u{0}\u{7f}b", "ab"),
            ("a\r\nb\rc\u{2028}d", "a\nb\nc\nd"),
            ("tab\there", "tab\there"),
            ("end\u{1b}", "end"),
        ] {
            assert_eq!(block(text), expected, "{text:?}");
        }
    }

    #[test]
    fn invisible_characters_go_and_languages_stay() {
        for (text, expected) in [
            ("a\u{202e}b\u{2066}c\u{2069}", "abc"),
            ("a\u{200b}b\u{feff}c\u{ad}d", "abcd"),
            ("a\u{e0049}\u{e0067}b", "ab"),
            ("a\u{fe01}b\u{e0101}c", "abc"),
            ("žluťoučký 東京 עברית 🖥️", "žluťoučký 東京 עברית 🖥️"),
        ] {
            assert_eq!(block(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_name_is_one_escaped_line() {
        for (text, expected) in [
            ("prod-web-01", "prod-web-01"),
            ("my_store", "my_store"),
            ("_x_ *y*", "\\_x\\_ \\*y\\*"),
            ("a\n# b\n\n- c", "a # b - c"),
            ("[x](http://y)", "\\[x\\](http://y)"),
            ("<b>`c`|d~\\", "\\<b\\>\\`c\\`\\|d\\~\\\\"),
        ] {
            assert_eq!(name(text), expected);
        }
        assert_eq!(line(&"é".repeat(90), 80).chars().count(), 80);
        assert!(line(&"é".repeat(90), 80).ends_with('…'));
    }

    #[test]
    fn a_state_is_a_word() {
        assert_eq!((state("running"), state("io-error")), ("running", "io-error"));
        for odd in ["", "**x**", "a b", "RUNNING", "a\n", &"a".repeat(21)] {
            assert_eq!(state(odd), "unknown", "{odd}");
        }
    }

    #[test]
    fn a_fence_cannot_be_closed_from_inside() {
        assert_eq!(fenced("x"), "```\nx\n```");
        assert_eq!(fenced("x\n"), "```\nx\n```");
        assert_eq!(fenced("a\n```\nb\n`````"), "``````\na\n```\nb\n`````\n``````");
        assert_eq!(fenced(""), "```\n```");
    }

    #[test]
    fn code_cannot_be_closed_from_inside() {
        for (text, expected) in
            [("x", "`x`"), ("a`b", "``a`b``"), ("`a``b", "``` `a``b ```"), ("a\nb", "`a b`")]
        {
            assert_eq!(code(text, 60), expected);
        }
    }

    #[test]
    fn a_long_text_keeps_head_and_tail() {
        let text: String = (0..1000).map(|n| format!("{n:04}é\n")).collect();
        let cut = head_and_tail(&text, 100);
        assert!(cut.starts_with("0000é\n") && cut.ends_with("0999é\n"), "{cut}");
        let left_out: usize = cut.split("[... ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let marker = format!("\n[... {left_out} bytes left out ...]\n");
        assert_eq!(cut.len() - marker.len() + left_out, text.len());
        assert_eq!(head_and_tail("short", 100), "short");
    }
}
