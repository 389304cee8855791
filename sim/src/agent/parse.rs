//! Reading a shell line: words, quotes, operators.

/// A piece of a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(Vec<Part>),
    /// `;`, `&`, `&&`, `||`, `|`, `(`, `)`, and redirections (`>`, `2>>`, `2>&1`, `<`).
    Op(String),
}

/// A piece of a word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Text(String),
    /// A variable; unquoted ones are split into words.
    Variable(String, bool),
    /// A command substitution.
    Command(String, bool),
}

/// Splits a line into tokens; the error is the shell's text.
pub(super) fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut scanner = Scanner { chars: line.chars().collect(), at: 0 };
    let mut tokens = Vec::new();
    while let Some(c) = scanner.peek(0) {
        match c {
            ' ' | '\t' => scanner.at += 1,
            '#' => scanner.skip_comment(),
            _ => match scanner.operator() {
                Some(op) => tokens.push(Token::Op(op)),
                None => tokens.push(Token::Word(scanner.word()?)),
            },
        }
    }
    Ok(tokens)
}

struct Scanner {
    chars: Vec<char>,
    at: usize,
}

impl Scanner {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        Some(c)
    }

    fn skip_comment(&mut self) {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.at += 1;
        }
    }

    fn operator(&mut self) -> Option<String> {
        const OPERATORS: &[&str] = &[
            "2>&1", "1>&2", "2>>", "2>", "1>>", "1>", "&>", ">&2", ">&1", ">>", ">", "<", "&&", "||", "&",
            "|", ";", "\n", "(", ")",
        ];
        let fits = |op: &&&str| op.chars().enumerate().all(|(i, c)| self.peek(i) == Some(c));
        let op = OPERATORS.iter().find(fits)?;
        self.at += op.chars().count();
        Some(if *op == "\n" { ";".to_owned() } else { (*op).to_owned() })
    }

    fn word(&mut self) -> Result<Vec<Part>, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut quoted = false;
        while let Some(c) = self.peek(0) {
            if " \t\n;&|<>()".contains(c) {
                break;
            }
            self.at += 1;
            match c {
                '\'' => {
                    quoted = true;
                    text.push_str(&self.single()?);
                }
                '"' => {
                    quoted = true;
                    self.double(&mut parts, &mut text)?;
                }
                '\\' => text.extend(self.next()),
                '$' => self.dollar(&mut parts, &mut text, false)?,
                '`' => self.backtick(&mut parts, &mut text, false)?,
                other => text.push(other),
            }
        }
        if !text.is_empty() || (quoted && parts.is_empty()) {
            parts.push(Part::Text(text));
        }
        Ok(parts)
    }

    fn single(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.next() {
                Some('\'') => return Ok(text),
                Some(c) => text.push(c),
                None => return Err("Syntax error: Unterminated quoted string".into()),
            }
        }
    }

    fn double(&mut self, parts: &mut Vec<Part>, text: &mut String) -> Result<(), String> {
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => match self.next() {
                    Some(c) if "\"\\$`".contains(c) => text.push(c),
                    Some('\n') => {}
                    Some(c) => text.extend(['\\', c]),
                    None => return Err("Syntax error: Unterminated quoted string".into()),
                },
                Some('$') => self.dollar(parts, text, true)?,
                Some('`') => self.backtick(parts, text, true)?,
                Some(c) => text.push(c),
                None => return Err("Syntax error: Unterminated quoted string".into()),
            }
        }
    }

    fn dollar(&mut self, parts: &mut Vec<Part>, text: &mut String, quoted: bool) -> Result<(), String> {
        let part = match self.peek(0) {
            Some('(') => {
                self.at += 1;
                Part::Command(self.until_closed('(', ')')?, quoted)
            }
            Some('{') => {
                self.at += 1;
                Part::Variable(self.until_closed('{', '}')?, quoted)
            }
            Some(c) if "$?#0".contains(c) => {
                self.at += 1;
                Part::Variable(c.to_string(), quoted)
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let mut name = String::new();
                while let Some(c) = self.peek(0).filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                    self.at += 1;
                }
                Part::Variable(name, quoted)
            }
            _ => {
                text.push('$');
                return Ok(());
            }
        };
        flush(parts, text);
        parts.push(part);
        Ok(())
    }

    fn backtick(&mut self, parts: &mut Vec<Part>, text: &mut String, quoted: bool) -> Result<(), String> {
        let mut line = String::new();
        loop {
            match self.next() {
                Some('`') => break,
                Some(c) => line.push(c),
                None => return Err("Syntax error: EOF in backquote substitution".into()),
            }
        }
        flush(parts, text);
        parts.push(Part::Command(line, quoted));
        Ok(())
    }

    fn until_closed(&mut self, open: char, close: char) -> Result<String, String> {
        let mut depth = 1;
        let mut inner = String::new();
        while let Some(c) = self.next() {
            depth += i32::from(c == open) - i32::from(c == close);
            if depth == 0 {
                return Ok(inner);
            }
            inner.push(c);
        }
        Err("Syntax error: end of file unexpected (expecting \")\")".into())
    }
}

fn flush(parts: &mut Vec<Part>, text: &mut String) {
    if !text.is_empty() {
        parts.push(Part::Text(std::mem::take(text)));
    }
}
