//! HCL, the language of Terraform and OpenTofu: written so that no text can leave its place.

use std::fmt::Write as _;

use crate::foreign;

/// What stands between two braces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body(Vec<Item>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Value(String, String),
    Block(String, Body),
    Comment(String),
}

impl Body {
    /// An empty one.
    pub fn new() -> Body {
        Body::default()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// With text, if there is any.
    pub fn text(self, name: &str, value: Option<impl AsRef<str>>) -> Body {
        match value {
            Some(value) => self.raw(name, quoted(value.as_ref())),
            None => self,
        }
    }

    /// With a number, if there is one; what is none is text.
    pub fn number(self, name: &str, value: Option<impl AsRef<str>>) -> Body {
        match value {
            Some(value) if is_number(value.as_ref()) => self.raw(name, value.as_ref().to_owned()),
            value => self.text(name, value),
        }
    }

    /// With a flag as Proxmox writes it (`1`, `on`), if there is one.
    pub fn flag(self, name: &str, value: Option<impl AsRef<str>>) -> Body {
        match value {
            Some(value) => self.raw(name, is_on(value.as_ref()).to_string()),
            None => self,
        }
    }

    /// With a list of texts, unless it is empty.
    pub fn list<T: AsRef<str>>(self, name: &str, values: &[T]) -> Body {
        if values.is_empty() {
            return self;
        }
        let values: Vec<String> = values.iter().map(|value| quoted(value.as_ref())).collect();
        self.raw(name, format!("[{}]", values.join(", ")))
    }

    /// With an expression. It must not hold anything that others wrote.
    pub fn raw(mut self, name: &str, expression: impl Into<String>) -> Body {
        self.0.push(Item::Value(name.to_owned(), expression.into()));
        self
    }

    /// With a block; `head` must not hold anything that others wrote.
    pub fn block(mut self, head: &str, body: Body) -> Body {
        self.0.push(Item::Block(head.to_owned(), body));
        self
    }

    /// With a block, unless it is empty.
    pub fn some_block(self, head: &str, body: Body) -> Body {
        if body.is_empty() { self } else { self.block(head, body) }
    }

    /// With a comment of one line.
    pub fn comment(mut self, text: &str) -> Body {
        self.0.push(Item::Comment(foreign::line(text, 500)));
        self
    }

    /// As text, indented by two blanks a level.
    pub fn written(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let pad = "  ".repeat(depth);
        let values = self.0.iter().filter_map(|item| match item {
            Item::Value(name, _) => Some(name.len()),
            _ => None,
        });
        let widest = values.max().unwrap_or_default();
        let mut before: Option<&Item> = None;
        for item in &self.0 {
            let apart = depth == 0 || matches!(item, Item::Block(..));
            if before.is_some_and(|before| apart && !matches!(before, Item::Comment(_))) {
                out.push('\n');
            }
            // Writing to a string does not fail.
            let _ = match item {
                Item::Value(name, value) => writeln!(out, "{pad}{name:widest$} = {value}"),
                Item::Comment(text) => writeln!(out, "{pad}# {text}"),
                Item::Block(head, body) if body.is_empty() => writeln!(out, "{pad}{head} {{}}"),
                Item::Block(head, body) => {
                    let _ = writeln!(out, "{pad}{head} {{");
                    body.write(out, depth + 1);
                    writeln!(out, "{pad}}}")
                }
            };
            before = Some(item);
        }
    }
}

/// Whether a flag of Proxmox is set.
pub fn is_on(text: &str) -> bool {
    matches!(text, "1" | "on" | "yes" | "true")
}

fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    digits(whole) && digits(part) && (whole == "0" || !whole.starts_with('0')) && whole.len() <= 15
}

/// Text in quotes: nothing in it begins an expression or a directive, and what would hide or reorder text is
/// written as its number.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let opens = matches!(c, '$' | '%') && rest.peek() == Some(&'{');
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // A doubled sign is the escape; after another such sign it would be read otherwise.
            c if opens && before != c => out.extend([c, c]),
            c if opens || foreign::block(c.encode_utf8(&mut [0; 4])).is_empty() => {
                let code = u32::from(c);
                out.push_str(&if code > 0xffff {
                    format!("\\U{code:08x}")
                } else {
                    format!("\\u{code:04x}")
                });
            }
            c => out.push(c),
        }
        before = c;
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::HOSTILE;

    fn read_back(text: &str) -> String {
        let body: hcl::Body = hcl::from_str(&format!("x = {}\n", quoted(text))).unwrap();
        let attribute = body.attributes().next().unwrap();
        match hcl::eval::Evaluate::evaluate(attribute.expr(), &hcl::eval::Context::new()).unwrap() {
            hcl::Value::String(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn any_text_comes_back_as_it_was() {
        for text in [
            "plain",
            "",
            "${var.secret}",
            "%{ if true }x%{ endif }",
            "$${a}",
            "%%{a}",
            "$$${a}",
            "a$",
            "100%",
            "\"; x = \"",
            "back\\slash\\",
            "lines\nand\ttabs\r\n",
            "${",
            "\\${a}",
            "é 東京 🖥️",
        ] {
            assert_eq!(read_back(text), text);
        }
        for text in HOSTILE {
            assert_eq!(read_back(text), *text);
            assert!(
                !quoted(text).contains(|c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c))
            );
        }
    }

    #[test]
    fn a_body_is_written_as_people_do() {
        let inner =
            Body::new().number("cores", Some("4")).text("type", Some("host")).number("odd", Some("4; x"));
        let body = Body::new().comment("a\nb").block(
            "resource \"a\" \"b\"",
            Body::new().flag("on", Some("1")).flag("off", None::<&str>).block("cpu", inner),
        );
        assert_eq!(
            body.written(),
            "# a b\nresource \"a\" \"b\" {\n  on = true\n\n  cpu {\n    cores = 4\n    type  = \"host\"\n    \
             odd   = \"4; x\"\n  }\n}\n"
        );
    }
}
