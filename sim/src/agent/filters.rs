//! Programs that work on text: echo, cat, grep, sort and their kin.

use super::linux::Io;

type Read<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// Output that a command may make, in bytes; beyond it a pipe would have ended anyway.
const MAX_TEXT: usize = 24 * 1024 * 1024;

/// Runs a text program; `None` where there is none of this name.
pub(super) fn run(name: &str, arguments: &[&str], read: Read, io: &mut Io) -> Option<i32> {
    match name {
        "echo" => echo(arguments, io),
        "printf" => printf(arguments, io),
        "seq" => return Some(seq(arguments, io)),
        "cat" | "tac" => {
            return Some(with_input(name, arguments, read, io, |input, _, io| io.out.extend(input)));
        }
        "tee" => io.out = std::mem::take(&mut io.input),
        "head" => return Some(head(arguments, read, io)),
        "tail" => return Some(tail(arguments, read, io)),
        "wc" => return Some(with_input(name, arguments, read, io, wc)),
        "sort" => return Some(with_input(name, arguments, read, io, sort)),
        "uniq" => return Some(with_input(name, arguments, read, io, uniq)),
        "rev" => return Some(with_input(name, arguments, read, io, rev)),
        "grep" => return Some(grep(arguments, read, io)),
        "tr" => return Some(tr(arguments, io)),
        "cut" => return Some(cut(arguments, io)),
        _ => return None,
    }
    Some(0)
}

fn echo(arguments: &[&str], io: &mut Io) {
    let (newline, words) = match arguments {
        ["-n", rest @ ..] => (false, rest),
        rest => (true, rest),
    };
    io.out.extend_from_slice(words.join(" ").as_bytes());
    if newline {
        io.out.push(b'\n');
    }
}

fn printf(arguments: &[&str], io: &mut Io) {
    let Some((format, mut words)) = arguments.split_first() else { return };
    loop {
        let before = words.len();
        io.out.extend(printf_once(format, &mut words));
        // The format is used again while it uses up arguments.
        if words.is_empty() || words.len() == before || io.out.len() > MAX_TEXT {
            return;
        }
    }
}

fn printf_once(format: &str, words: &mut &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    let bytes = unescape(format);
    let mut rest = bytes.as_slice();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let Some((&kind, tail)) = rest.split_first() else { break };
        rest = tail;
        if kind == b'%' {
            out.push(b'%');
            continue;
        }
        let (word, left) = words.split_first().map_or(("", &[][..]), |(w, left)| (*w, left));
        *words = left;
        match kind {
            b'd' | b'i' => out.extend(word.parse::<i64>().unwrap_or(0).to_string().bytes()),
            b'b' => out.extend(unescape(word)),
            _ => out.extend(word.bytes()),
        }
    }
    out
}

/// Bytes for a text with `\n`, `\t`, `\\` and octal escapes.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some((&kind, tail)) = rest.split_first() else {
            out.push(b'\\');
            break;
        };
        match kind {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'\\' => out.push(b'\\'),
            b'0'..=b'7' => {
                let digits = rest.iter().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
                let value = rest.iter().take(digits).fold(0u32, |v, b| v * 8 + u32::from(b - b'0'));
                out.push(value as u8);
                rest = rest.get(digits..).unwrap_or_default();
                continue;
            }
            other => out.extend([b'\\', other]),
        }
        rest = tail;
    }
    out
}

fn seq(arguments: &[&str], io: &mut Io) -> i32 {
    let numbers: Option<Vec<i64>> = arguments.iter().map(|a| a.parse().ok()).collect();
    let (first, step, last) = match numbers.as_deref() {
        Some([last]) => (1, 1, *last),
        Some([first, last]) => (*first, 1, *last),
        Some([first, step, last]) if *step != 0 => (*first, *step, *last),
        _ => {
            io.complain("seq: invalid argument");
            return 1;
        }
    };
    let mut at = first;
    while (if step > 0 { at <= last } else { at >= last }) && io.out.len() < MAX_TEXT {
        io.say(&at.to_string());
        at += step;
    }
    0
}

/// Runs a filter over its files or its input.
fn with_input(
    name: &str,
    arguments: &[&str],
    read: Read,
    io: &mut Io,
    filter: impl Fn(Vec<u8>, &[&str], &mut Io),
) -> i32 {
    let (flags, files): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|a| a.starts_with('-') && **a != "-");
    let (input, code) = gather(name, &files, read, io);
    filter(input, &flags, io);
    code
}

/// The content of all files, or the input where there are none.
fn gather(name: &str, files: &[&str], read: Read, io: &mut Io) -> (Vec<u8>, i32) {
    if files.is_empty() {
        return (std::mem::take(&mut io.input), 0);
    }
    let (mut all, mut code) = (Vec::new(), 0);
    for path in files {
        match read(path) {
            Some(content) => all.extend(content),
            None if *path == "/dev/zero" => all.resize(all.len() + MAX_TEXT, 0),
            None if super::linux::is_directory(path) => {
                io.complain(&format!("{name}: {path}: Is a directory"));
                code = 1;
            }
            None => {
                io.complain(&format!("{name}: {path}: No such file or directory"));
                code = 1;
            }
        }
    }
    (all, code)
}

/// The value of `-n 5`, `-n5` or `-5`, and the other arguments.
fn count<'a>(arguments: &[&'a str], flag: char) -> (Option<usize>, Vec<&'a str>) {
    let mut value = None;
    let mut others = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.strip_prefix('-').filter(|a| !a.is_empty()) {
            Some(option) => match option.strip_prefix(flag) {
                Some("") => value = rest.next().and_then(|v| v.trim_start_matches('+').parse().ok()),
                Some(digits) => value = digits.parse().ok(),
                None if flag == 'n' && option.bytes().all(|b| b.is_ascii_digit()) => {
                    value = option.parse().ok()
                }
                None => others.push(*argument),
            },
            None => others.push(*argument),
        }
    }
    (value, others)
}

fn head(arguments: &[&str], read: Read, io: &mut Io) -> i32 {
    let (bytes, others) = count(arguments, 'c');
    let (lines, files) = count(&others, 'n');
    let files: Vec<&str> = files.into_iter().filter(|f| !f.starts_with('-')).collect();
    if let (Some(bytes), ["/dev/zero"]) = (bytes, files.as_slice()) {
        io.out = vec![0; bytes.min(MAX_TEXT)];
        return 0;
    }
    let (input, code) = gather("head", &files, read, io);
    let end = match bytes {
        Some(bytes) => bytes.min(input.len()),
        None => end_of_line(&input, lines.unwrap_or(10)),
    };
    io.out.extend(input.into_iter().take(end));
    code
}

fn end_of_line(input: &[u8], lines: usize) -> usize {
    if lines == 0 {
        return 0;
    }
    let ends = input.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1);
    ends.take(lines)
        .last()
        .filter(|_| input.iter().filter(|b| **b == b'\n').count() >= lines)
        .unwrap_or(input.len())
}

fn tail(arguments: &[&str], read: Read, io: &mut Io) -> i32 {
    let (bytes, others) = count(arguments, 'c');
    let (lines, files) = count(&others, 'n');
    let files: Vec<&str> = files.into_iter().filter(|f| !f.starts_with('-')).collect();
    let (input, code) = gather("tail", &files, read, io);
    let start = match bytes {
        Some(bytes) => input.len().saturating_sub(bytes),
        None => {
            let total = lines_of(&input).len();
            end_of_line(&input, total.saturating_sub(lines.unwrap_or(10)))
        }
    };
    io.out.extend(input.into_iter().skip(start));
    code
}

fn wc(input: Vec<u8>, flags: &[&str], io: &mut Io) {
    let lines = input.iter().filter(|b| **b == b'\n').count();
    let words = input.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()).count();
    let text = match flags.first() {
        Some(&"-l") => lines.to_string(),
        Some(&"-w") => words.to_string(),
        Some(&"-c") => input.len().to_string(),
        Some(&"-m") => String::from_utf8_lossy(&input).chars().count().to_string(),
        _ => format!("{lines:>7} {words:>7} {:>7}", input.len()),
    };
    io.say(&text);
}

fn lines_of(input: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = input.split(|b| *b == b'\n').collect();
    if lines.last().is_some_and(|l| l.is_empty()) {
        lines.pop();
    }
    lines
}

fn write_lines<'a>(lines: impl IntoIterator<Item = &'a [u8]>, io: &mut Io) {
    for line in lines {
        io.out.extend_from_slice(line);
        io.out.push(b'\n');
    }
}

fn sort(input: Vec<u8>, flags: &[&str], io: &mut Io) {
    let has = |flag: char| flags.iter().any(|f| f.contains(flag));
    let mut lines = lines_of(&input);
    if has('n') {
        let number = |l: &[u8]| String::from_utf8_lossy(l).trim().parse::<f64>().unwrap_or(0.0);
        lines.sort_by(|a, b| number(a).total_cmp(&number(b)));
    } else {
        lines.sort_unstable();
    }
    if has('r') {
        lines.reverse();
    }
    if has('u') {
        lines.dedup();
    }
    write_lines(lines, io);
}

fn uniq(input: Vec<u8>, flags: &[&str], io: &mut Io) {
    let counted = flags.contains(&"-c");
    for same in lines_of(&input).chunk_by(|a, b| a == b) {
        let line = same.first().map(|l| String::from_utf8_lossy(l).into_owned()).unwrap_or_default();
        io.say(&if counted { format!("{:>7} {line}", same.len()) } else { line });
    }
}

fn rev(input: Vec<u8>, _: &[&str], io: &mut Io) {
    for line in lines_of(&input) {
        io.say(&String::from_utf8_lossy(line).chars().rev().collect::<String>());
    }
}

fn grep(arguments: &[&str], read: Read, io: &mut Io) -> i32 {
    let (flags, words): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|a| a.starts_with('-') && a.len() > 1);
    let has = |flag: char| flags.iter().any(|f| f.contains(flag));
    let Some((pattern, files)) = words.split_first() else {
        io.complain("Usage: grep [OPTION]... PATTERNS [FILE]...");
        return 2;
    };
    let pattern = if has('F') { regex_lite::escape(pattern) } else { (*pattern).to_owned() };
    let pattern = if has('i') { format!("(?i){pattern}") } else { pattern };
    let Ok(regex) = regex_lite::Regex::new(&pattern) else {
        io.complain("grep: Invalid regular expression");
        return 2;
    };
    let (input, code) = gather("grep", files, read, io);
    let hits: Vec<&[u8]> = lines_of(&input)
        .into_iter()
        .filter(|line| regex.is_match(&String::from_utf8_lossy(line)) != has('v'))
        .collect();
    let found = !hits.is_empty();
    if has('c') {
        io.say(&hits.len().to_string());
    } else if !has('q') {
        write_lines(hits, io);
    }
    if code != 0 { 2 } else { i32::from(!found) }
}

fn tr(arguments: &[&str], io: &mut Io) -> i32 {
    let input = std::mem::take(&mut io.input);
    match arguments {
        ["-d", set] => {
            let set = set_of(set);
            io.out.extend(input.into_iter().filter(|b| !set.contains(b)));
        }
        [from, to] => {
            let (from, to) = (set_of(from), set_of(to));
            let mut table: Vec<u8> = (0..=255).collect();
            for (i, byte) in from.iter().enumerate() {
                let replacement = to.get(i).or(to.last()).copied();
                if let (Some(slot), Some(replacement)) = (table.get_mut(usize::from(*byte)), replacement) {
                    *slot = replacement;
                }
            }
            io.out.extend(input.into_iter().map(|b| table.get(usize::from(b)).copied().unwrap_or(b)));
        }
        _ => {
            io.complain("tr: missing operand");
            return 1;
        }
    }
    0
}

/// The bytes of a set such as `a-z` or `\n`.
fn set_of(text: &str) -> Vec<u8> {
    let bytes = unescape(text);
    let mut set = Vec::new();
    let mut rest = bytes.as_slice();
    loop {
        rest = match rest {
            [first, b'-', last, tail @ ..] if first <= last => {
                set.extend(*first..=*last);
                tail
            }
            [byte, tail @ ..] => {
                set.push(*byte);
                tail
            }
            [] => return set,
        };
    }
}

fn cut(arguments: &[&str], io: &mut Io) -> i32 {
    let (mut delimiter, mut field) = ('\t', None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = |short: &str| match short {
            "" => rest.next().copied().unwrap_or_default().to_owned(),
            text => text.to_owned(),
        };
        if let Some(short) = argument.strip_prefix("-d") {
            delimiter = value(short).chars().next().unwrap_or('\t');
        } else if let Some(short) = argument.strip_prefix("-f") {
            field = value(short).parse::<usize>().ok();
        }
    }
    let Some(field) = field.filter(|f| *f > 0) else {
        io.complain("cut: you must specify a list of fields");
        return 1;
    };
    let input = std::mem::take(&mut io.input);
    for line in lines_of(&input) {
        let line = String::from_utf8_lossy(line);
        let whole = if line.contains(delimiter) { "" } else { &line };
        io.say(line.split(delimiter).nth(field - 1).unwrap_or(whole));
    }
    0
}
