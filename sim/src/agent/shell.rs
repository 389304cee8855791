//! The shell: lists, conditions, pipes, redirections, variables.

use std::collections::BTreeMap;
use std::time::Duration;

use super::linux::{self, Io};
use super::parse::{Part, Token, tokens};
use super::{End, Facts, Outcome};

/// How deep substitutions and subshells may nest.
const MAX_DEPTH: usize = 20;

/// A shell at work.
pub(super) struct Shell<'a> {
    pub(super) facts: &'a Facts,
    pub(super) files: &'a mut BTreeMap<String, Vec<u8>>,
    pub(super) pid: u32,
    variables: BTreeMap<String, String>,
    status: i32,
    slept: Duration,
    /// Set once the shell is over.
    over: Option<End>,
    depth: usize,
}

/// Where the output of a command goes.
#[derive(Default)]
struct Redirects {
    stdin: Option<Vec<u8>>,
    out: Option<(String, bool)>,
    err: Option<(String, bool)>,
    err_to_out: bool,
    out_to_err: bool,
}

impl<'a> Shell<'a> {
    pub(super) fn new(facts: &'a Facts, files: &'a mut BTreeMap<String, Vec<u8>>, pid: u32) -> Shell<'a> {
        let variables = [
            ("HOME", "/root"),
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            ("PWD", "/"),
            ("SHELL", "/bin/sh"),
        ];
        let variables = variables.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Shell { facts, files, pid, variables, status: 0, slept: Duration::ZERO, over: None, depth: 0 }
    }

    /// Runs a line to its end.
    pub(super) fn run(mut self, line: &str, input: &[u8]) -> Outcome {
        let mut io = Io { input: input.to_vec(), ..Io::default() };
        self.line(line, &mut io);
        let end = self.over.unwrap_or(End::Code(self.status));
        Outcome { end, out: io.out, err: io.err, took: self.slept }
    }

    fn line(&mut self, line: &str, io: &mut Io) {
        match tokens(line) {
            Ok(tokens) => self.list(&tokens, io),
            Err(why) => {
                io.complain(&format!("sh: 1: {why}"));
                self.over = Some(End::Code(2));
            }
        }
    }

    /// Commands with `;` or `&` between them.
    fn list(&mut self, tokens: &[Token], io: &mut Io) {
        for part in split(tokens, &[";", "&"]) {
            if self.over.is_some() {
                return;
            }
            self.conditions(part, io);
        }
    }

    /// Pipelines with `&&` or `||` between them.
    fn conditions(&mut self, tokens: &[Token], io: &mut Io) {
        let mut rest = tokens;
        let mut run = true;
        loop {
            let end = top_level(rest, &["&&", "||"]);
            let (pipeline, after) = rest.split_at(end.unwrap_or(rest.len()));
            if run && !pipeline.is_empty() {
                self.pipeline(pipeline, io);
            }
            let Some((Token::Op(op), tail)) = after.split_first() else { return };
            if self.over.is_some() {
                return;
            }
            if tail.is_empty() {
                io.complain("sh: 1: Syntax error: end of file unexpected");
                self.over = Some(End::Code(2));
                return;
            }
            run = (op == "&&") == (self.status == 0);
            rest = tail;
        }
    }

    /// Commands with `|` between them; each but the last feeds the next.
    fn pipeline(&mut self, tokens: &[Token], io: &mut Io) {
        let commands = split(tokens, &["|"]);
        let last = commands.len().saturating_sub(1);
        let mut carried = std::mem::take(&mut io.input);
        for (i, command) in commands.into_iter().enumerate() {
            let mut step = Io { input: carried, piped: i < last, ..Io::default() };
            self.command(command, &mut step);
            io.err.append(&mut step.err);
            carried = Vec::new();
            if i < last {
                carried = step.out;
                // What ends a part of a pipe ends a subshell only.
                self.over = None;
            } else {
                io.out.append(&mut step.out);
            }
        }
    }

    fn command(&mut self, tokens: &[Token], io: &mut Io) {
        let mut words = Vec::new();
        let mut redirects = Redirects::default();
        let mut rest = tokens.iter();
        if let Some(Token::Op(op)) = tokens.first()
            && op == "("
        {
            return self.subshell(tokens, io);
        }
        while let Some(token) = rest.next() {
            match token {
                Token::Word(parts) => words.extend(self.expand(parts, io)),
                Token::Op(op) => {
                    let target = match op.contains('&') && op != "&>" {
                        true => None,
                        false => match rest.next() {
                            Some(Token::Word(parts)) => self.expand(parts, io).into_iter().next(),
                            _ => None,
                        },
                    };
                    if let Err(why) = self.redirect(op, target, &mut redirects) {
                        io.complain(&format!("sh: 1: {why}"));
                        self.status = 2;
                        return;
                    }
                }
            }
        }
        let mut inner = Io { piped: io.piped, ..Io::default() };
        inner.input = redirects.stdin.take().unwrap_or_else(|| std::mem::take(&mut io.input));
        self.assign_or_run(words, &mut inner);
        self.deliver(inner, redirects, io);
    }

    fn subshell(&mut self, tokens: &[Token], io: &mut Io) {
        let inner: Vec<Token> = match tokens {
            [_, inner @ .., Token::Op(close)] if close == ")" => inner.to_vec(),
            _ => {
                io.complain("sh: 1: Syntax error: \"(\" unexpected");
                self.over = Some(End::Code(2));
                return;
            }
        };
        if self.deeper(io) {
            self.list(&inner, io);
            self.depth -= 1;
            if let Some(End::Code(code)) = self.over.take() {
                self.status = code;
            }
        }
    }

    fn deeper(&mut self, io: &mut Io) -> bool {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            io.complain("sh: 1: Maximum nesting depth exceeded");
            self.over = Some(End::Code(2));
            return false;
        }
        true
    }

    fn redirect(&mut self, op: &str, target: Option<String>, to: &mut Redirects) -> Result<(), String> {
        let file =
            |append: bool| target.clone().map(|t| (t, append)).ok_or("Syntax error: newline unexpected");
        match op {
            "2>&1" => to.err_to_out = true,
            ">&2" | "1>&2" => to.out_to_err = true,
            ">&1" => {}
            ">" | "1>" => to.out = Some(file(false)?),
            ">>" | "1>>" => to.out = Some(file(true)?),
            "2>" => to.err = Some(file(false)?),
            "2>>" => to.err = Some(file(true)?),
            "&>" => {
                to.out = Some(file(false)?);
                to.err_to_out = true;
            }
            "<" => {
                let (path, _) = file(false)?;
                let missing = || format!("cannot open {path}: No such file");
                to.stdin = Some(self.read(&path).ok_or_else(missing)?);
            }
            other => return Err(format!("Syntax error: \"{other}\" unexpected")),
        }
        Ok(())
    }

    /// Hands the output of a command on to where it was redirected.
    fn deliver(&mut self, mut from: Io, redirects: Redirects, io: &mut Io) {
        if redirects.err_to_out {
            from.out.append(&mut from.err);
        }
        match redirects.out {
            Some((path, append)) => self.store(&path, &from.out, append),
            None if redirects.out_to_err => io.err.append(&mut from.out),
            None => io.out.append(&mut from.out),
        }
        match redirects.err {
            Some((path, append)) => self.store(&path, &from.err, append),
            None => io.err.append(&mut from.err),
        }
    }

    fn store(&mut self, path: &str, bytes: &[u8], append: bool) {
        if path == "/dev/null" {
            return;
        }
        let file = self.files.entry(path.to_owned()).or_default();
        if !append {
            file.clear();
        }
        file.extend_from_slice(bytes);
    }

    pub(super) fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.files.get(path).cloned().or_else(|| linux::file(self.facts, path))
    }

    fn assign_or_run(&mut self, words: Vec<String>, io: &mut Io) {
        let named =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_assignment = |w: &String| w.split_once('=').is_some_and(|(name, _)| named(name));
        let split_at = words.iter().position(|w| !is_assignment(w)).unwrap_or(words.len());
        let (assignments, command) = words.split_at(split_at);
        for (name, value) in assignments.iter().filter_map(|w| w.split_once('=')) {
            self.variables.insert(name.to_owned(), value.to_owned());
        }
        match command.split_first() {
            Some((name, arguments)) => self.status = self.run_command(name, arguments, io),
            None => self.status = 0,
        }
    }

    fn run_command(&mut self, name: &str, arguments: &[String], io: &mut Io) -> i32 {
        match name {
            "exit" => {
                let code = arguments.first().and_then(|a| a.parse().ok()).unwrap_or(self.status);
                self.over = Some(End::Code(code & 0xff));
                code
            }
            ":" | "true" | "cd" | "set" | "export" | "umask" => 0,
            "kill" => self.kill(arguments, io),
            "sh" | "/bin/sh" | "bash" | "/bin/bash" => self.nested(arguments, io),
            "test" | "[" => self.test(arguments),
            _ => match linux::program(self.facts, self.files, name, arguments, io) {
                Some(ran) => {
                    self.slept = self.slept.saturating_add(ran.took);
                    ran.code
                }
                None => {
                    io.complain(&format!("sh: 1: {name}: not found"));
                    127
                }
            },
        }
    }

    fn kill(&mut self, arguments: &[String], io: &mut Io) -> i32 {
        let (signal, target) = match arguments {
            [signal, target] => (signal.trim_start_matches('-'), target),
            [target] => ("15", target),
            _ => {
                io.complain("sh: 1: kill: Usage: kill [-s sigspec | -signum | -sigspec] [pid | job]...");
                return 2;
            }
        };
        let number = match signal {
            "KILL" | "SIGKILL" => Some(9),
            "TERM" | "SIGTERM" => Some(15),
            digits => digits.parse().ok(),
        };
        match number {
            Some(number) if *target == self.pid.to_string() => {
                self.over = Some(End::Signal(number));
                0
            }
            _ => {
                io.complain("sh: 1: kill: No such process");
                1
            }
        }
    }

    fn nested(&mut self, arguments: &[String], io: &mut Io) -> i32 {
        let line = match arguments {
            [flag, line, ..] if flag.starts_with('-') && flag.contains('c') => line.clone(),
            _ => String::from_utf8_lossy(&std::mem::take(&mut io.input)).into_owned(),
        };
        if self.deeper(io) {
            self.line(&line, io);
            self.depth -= 1;
        }
        match self.over.take() {
            Some(End::Code(code)) => code,
            Some(End::Signal(signal)) => 128 + signal,
            None => self.status,
        }
    }

    fn test(&self, arguments: &[String]) -> i32 {
        let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|a| *a != "]").collect();
        let holds = match words.as_slice() {
            ["-e" | "-f" | "-r" | "-s", path] => self.read(path).is_some(),
            ["-d", path] => linux::is_directory(path),
            ["-n", text] => !text.is_empty(),
            ["-z", text] => text.is_empty(),
            [a, "=" | "==", b] => a == b,
            [a, "!=", b] => a != b,
            [a, "-eq", b] => a.parse::<i64>().ok() == b.parse::<i64>().ok(),
            [a, "-gt", b] => a.parse::<i64>().ok() > b.parse::<i64>().ok(),
            [a, "-lt", b] => a.parse::<i64>().ok() < b.parse::<i64>().ok(),
            [text] => !text.is_empty(),
            _ => false,
        };
        i32::from(!holds)
    }

    /// The words that a word stands for: unquoted variables and substitutions are split at blanks.
    fn expand(&mut self, parts: &[Part], io: &mut Io) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut open = false;
        for part in parts {
            let (text, split) = match part {
                Part::Text(text) => (text.clone(), false),
                Part::Variable(name, quoted) => (self.variable(name), !quoted),
                Part::Command(line, quoted) => (self.substitute(line, io), !quoted),
            };
            if !split {
                if !open {
                    words.push(String::new());
                    open = true;
                }
                words.last_mut().into_iter().for_each(|w| w.push_str(&text));
                continue;
            }
            for (i, piece) in text.split_whitespace().enumerate() {
                match words.last_mut().filter(|_| i == 0 && open) {
                    Some(word) => word.push_str(piece),
                    None => words.push(piece.to_owned()),
                }
                open = true;
            }
        }
        words
    }

    fn variable(&self, name: &str) -> String {
        match name {
            "$" => self.pid.to_string(),
            "?" => self.status.to_string(),
            "#" => "0".to_owned(),
            "0" => "sh".to_owned(),
            name => self.variables.get(name).cloned().unwrap_or_default(),
        }
    }

    fn substitute(&mut self, line: &str, io: &mut Io) -> String {
        let mut inner = Io::default();
        if self.deeper(io) {
            self.line(line, &mut inner);
            self.depth -= 1;
            if let Some(End::Code(code)) = self.over.take() {
                self.status = code;
            }
        }
        io.err.append(&mut inner.err);
        let text = super::text(inner.out);
        text.trim_end_matches('\n').to_owned()
    }
}

/// Splits at these operators outside parentheses; empty parts do not count.
fn split<'t>(tokens: &'t [Token], operators: &[&str]) -> Vec<&'t [Token]> {
    let mut parts = Vec::new();
    let mut rest = tokens;
    while let Some(end) = top_level(rest, operators) {
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after.get(1..).unwrap_or_default();
    }
    parts.push(rest);
    parts.retain(|part| !part.is_empty());
    parts
}

/// Where the first of these operators stands outside parentheses.
fn top_level(tokens: &[Token], operators: &[&str]) -> Option<usize> {
    let mut depth = 0;
    tokens.iter().position(|token| {
        let Token::Op(op) = token else { return false };
        depth += i32::from(op == "(") - i32::from(op == ")");
        depth == 0 && operators.contains(&op.as_str())
    })
}
