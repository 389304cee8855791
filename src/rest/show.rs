//! Any answer of the API, as text and data that stay small: rows, some of their fields, and a mark for the
//! next ones. Of a list, long values are cut; some fields or a single row are shown whole, over several
//! answers where one is too short for them.

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::foreign;
use crate::listing::{Cursor, Page, Pattern};

/// The longest value that a row of many shows, in characters.
const LONGEST: usize = 160;
/// How many bytes the rows of an answer may have, as text and data together.
const BYTES: usize = 3_400;
/// An object with more names than this is a list in fact: each of them becomes a row.
const MANY: usize = 50;
/// A value that is shorter than this is not torn apart, but comes with the next part.
const WORTH_A_CUT: usize = 400;
/// The shortest piece of a value that is shown, in bytes.
const SHORTEST: usize = 40;

/// What of an answer to show.
#[derive(Debug, Default)]
pub struct View<'a> {
    /// Only these fields.
    pub fields: &'a [String],
    /// Only rows in which some value fits.
    pub filter: Option<&'a Pattern>,
    /// At most so many rows.
    pub limit: u32,
    /// From here on.
    pub cursor: Option<Cursor>,
    /// Whether values are shown whole where fields are named or there is one row.
    pub whole: bool,
}

/// An answer as it is shown.
#[derive(Debug)]
pub struct Shown {
    /// Markdown.
    pub text: String,
    /// The same rows.
    pub rows: Vec<Value>,
    /// How many there are.
    pub total: usize,
    /// What gives the next ones.
    pub next: Option<String>,
}

type Row = Map<String, Value>;

impl View<'_> {
    /// Shows an answer's `data`.
    ///
    /// # Errors
    /// [`Error::Arguments`] where the cursor points behind the end, or no row has a field that was asked for.
    pub fn show(&self, data: Value) -> Result<Shown, Error> {
        let rows = self.rows(data);
        self.check_fields(&rows)?;
        let fits = |row: &Row| {
            self.filter.is_none_or(|pattern| row.values().any(|value| pattern.fits(&plain(value))))
        };
        let rows: Vec<Row> = rows.into_iter().filter(fits).map(|row| self.projected(row)).collect();
        let from = self.cursor.map_or(0, Cursor::position);
        if let Some(row) = rows.get(from).filter(|_| self.whole) {
            let whole = tame(row);
            let within = self.cursor.map_or(0, Cursor::within);
            if within > 0 || self.is_wide(&rows) && cost(&whole) > BYTES || cost(&cut(row)) > BYTES {
                return part_of(&whole, (from, rows.len()), within);
            }
        }
        let shorten = if self.whole && self.is_wide(&rows) { tame } else { cut };
        let rows: Vec<Row> = rows.iter().map(shorten).collect();
        let limit = u32::try_from(self.affordable(&rows, from)).unwrap_or(u32::MAX);
        let page = Page::of(rows, limit, self.cursor)?;
        let mut text: String = page.rows.iter().map(line).collect();
        if self.whole && page.rows.iter().any(is_cut) {
            text += "\nLong values are cut: `fields`, or a `filter` for one row, shows them whole.\n";
        }
        text += &page.footer("rows");
        let rows = page.rows.into_iter().map(Value::Object).collect();
        Ok(Shown { text, rows, total: page.total, next: page.next })
    }

    /// The rows of an answer: those of a list, the names of a large object, or the only one.
    fn rows(&self, data: Value) -> Vec<Row> {
        let of_pair = |(key, value)| {
            Row::from_iter([("key".to_owned(), Value::String(key)), ("value".to_owned(), value)])
        };
        match data {
            Value::Array(items) => items.into_iter().map(row).collect(),
            Value::Null => Vec::new(),
            Value::Object(object) if object.len() > MANY && !self.picks_of(&object) => {
                object.into_iter().map(of_pair).collect()
            }
            other => vec![row(other)],
        }
    }

    /// Whether the fields that are asked for are names of this object.
    fn picks_of(&self, object: &Row) -> bool {
        self.fields.iter().any(|field| object.contains_key(field))
    }

    /// Whether few enough values are asked for to show them whole.
    fn is_wide(&self, rows: &[Row]) -> bool {
        !self.fields.is_empty() || rows.len() == 1 || self.limit == 1
    }

    fn check_fields(&self, rows: &[Row]) -> Result<(), Error> {
        let unknown = self
            .fields
            .iter()
            .find(|field| !rows.is_empty() && !rows.iter().any(|row| row.contains_key(*field)));
        let Some(unknown) = unknown else { return Ok(()) };
        let mut known: Vec<String> = Vec::new();
        for key in rows.iter().take(50).flat_map(Map::keys) {
            let key = foreign::code(key, 40);
            if known.len() < 40 && !known.contains(&key) {
                known.push(key);
            }
        }
        Err(Error::Arguments(format!(
            "No row has a field {}. There are {}.",
            foreign::code(unknown, 40),
            known.join(", ")
        )))
    }

    fn projected(&self, row: Row) -> Row {
        let wanted = |name: &String| self.fields.is_empty() || self.fields.contains(name);
        row.into_iter().filter(|(name, _)| wanted(name)).collect()
    }

    /// How many rows from here on fit into the answer; at least one.
    fn affordable(&self, rows: &[Row], from: usize) -> usize {
        let mut bytes = 0;
        let rest = rows.iter().skip(from).take(usize::try_from(self.limit).unwrap_or(usize::MAX));
        rest.take_while(|row| {
            bytes += cost(row);
            bytes <= BYTES
        })
        .count()
        .max(1)
    }
}

fn row(value: Value) -> Row {
    match value {
        Value::Object(row) => row,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

/// What a row takes as text and data.
fn cost(row: &Row) -> usize {
    line(row).len() + json!(row).to_string().len() + 1
}

/// One row as a bullet; texts of several lines follow it, each in a block of its own.
fn line(row: &Row) -> String {
    let is_block = |value: &Value| value.as_str().is_some_and(|text| text.contains('\n'));
    let field = |(name, value): (&String, &Value)| {
        let shown = match value {
            Value::Array(_) | Value::Object(_) => foreign::code(&value.to_string(), usize::MAX),
            other => foreign::words(&plain(other), usize::MAX),
        };
        format!("{}: {shown}", foreign::words(name, 60))
    };
    let short: Vec<String> = row.iter().filter(|(_, value)| !is_block(value)).map(field).collect();
    let mut text = if short.is_empty() { String::new() } else { format!("  • {}\n", short.join(", ")) };
    for (name, value) in row.iter().filter(|(_, value)| is_block(value)) {
        text += &format!("  • {}:\n{}\n", foreign::words(name, 60), foreign::fenced(&plain(value)));
    }
    text
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A row for data, whole.
fn tame(row: &Row) -> Row {
    row.iter().map(|(name, value)| (foreign::line(name, 60), tame_value(value))).collect()
}

fn tame_value(value: &Value) -> Value {
    match value {
        Value::String(text) => foreign::block(text).into(),
        Value::Array(items) => items.iter().map(tame_value).collect(),
        Value::Object(object) => {
            object.iter().map(|(name, value)| (foreign::line(name, LONGEST), tame_value(value))).collect()
        }
        other => other.clone(),
    }
}

/// A row for data: long texts are cut, and what is nested and long is text that is cut.
fn cut(row: &Row) -> Row {
    let short = |value: &Value| match value {
        Value::String(text) => foreign::line(text, LONGEST).into(),
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            if text.len() <= LONGEST { tame_value(value) } else { foreign::line(&text, LONGEST).into() }
        }
        other => other.clone(),
    };
    row.iter().map(|(name, value)| (foreign::line(name, 60), short(value))).collect()
}

fn is_cut(row: &Row) -> bool {
    row.values().filter_map(Value::as_str).any(|text| text.ends_with('…') && text.chars().count() == LONGEST)
}

/// As much of one row as fits into an answer, from so many bytes of its values on. `at`: which row of how many.
fn part_of(row: &Row, at: (usize, usize), within: usize) -> Result<Shown, Error> {
    let (number, total) = at;
    let (part, goes_on) = part(row, within);
    if part.is_empty() && within > 0 {
        let error =
            "`cursor` points behind the end of a row that is shorter now. Leave it out to begin again.";
        return Err(Error::Arguments(error.to_owned()));
    }
    let next = match goes_on {
        Some(to) => Some(format!("from-{number}+{to}")),
        None => (number + 1 < total).then(|| format!("from-{}", number + 1)),
    };
    let mut text = line(&part);
    if let Some(next) = &next {
        let what = if goes_on.is_some() { "the rest of it" } else { "the next ones" };
        text += &format!("\nPart of row {} of {total}: `cursor` = `{next}` gives {what}.\n", number + 1);
    }
    Ok(Shown { text, rows: vec![Value::Object(part)], total, next })
}

/// The values of a row from so many bytes on, and where the next part begins.
fn part(row: &Row, within: usize) -> (Row, Option<usize>) {
    let mut part = Row::new();
    let mut at = 0;
    for (name, value) in row {
        let (text, start) = (plain(value), at);
        at += text.len() + 1;
        if at <= within {
            continue;
        }
        let skipped = text.floor_char_boundary(within.saturating_sub(start));
        let rest = text.get(skipped..).unwrap_or_default();
        part.insert(name.clone(), if skipped == 0 { value.clone() } else { rest.into() });
        if cost(&part) <= BYTES {
            continue;
        }
        part.shift_remove(name);
        if !part.is_empty() && rest.len() < WORTH_A_CUT {
            return (part, Some(start));
        }
        let mut room = BYTES.saturating_sub(cost(&part)) / 2;
        while room >= SHORTEST {
            let piece = piece(rest, room);
            part.insert(name.clone(), piece.into());
            if cost(&part) <= BYTES {
                return (part, Some(start + skipped + piece.len()));
            }
            part.shift_remove(name);
            room = room * 3 / 4;
        }
        if part.is_empty() {
            // Nothing but signs that take more room escaped than plain: some progress all the same.
            let piece = piece(rest, SHORTEST);
            part.insert(name.clone(), piece.into());
            return (part, Some(start + skipped + piece.len()));
        }
        return (part, Some(start + skipped));
    }
    (part, None)
}

/// The beginning of a text, so many bytes at most, up to the end of a line where there is one nearby.
fn piece(text: &str, most: usize) -> &str {
    let piece = text.get(..text.floor_char_boundary(most)).unwrap_or_default();
    match piece.rfind('\n') {
        Some(end) if end >= piece.len() / 2 => piece.get(..=end).unwrap_or(piece),
        _ => piece,
    }
}
