//! Any answer of the API, as text and data that stay small: rows, some of their fields, and a mark for the
//! next ones.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::foreign;
use crate::listing::{Cursor, Page, Pattern};

/// The longest value that a row shows, in characters.
const LONGEST: usize = 160;
/// How many bytes the rows of an answer may have as text; their data is about as much again.
const BYTES: usize = 1_700;

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

impl View<'_> {
    /// Shows an answer's `data`.
    ///
    /// # Errors
    /// [`Error::Arguments`] where the cursor points behind the end, or no row has a field that was asked for.
    pub fn show(&self, data: Value) -> Result<Shown, Error> {
        let rows: Vec<Map<String, Value>> = match data {
            Value::Array(items) => items.into_iter().map(row).collect(),
            Value::Null => Vec::new(),
            other => vec![row(other)],
        };
        self.check_fields(&rows)?;
        let fits = |row: &Map<String, Value>| {
            self.filter.is_none_or(|pattern| row.values().any(|value| pattern.fits(&plain(value))))
        };
        let rows: Vec<Map<String, Value>> =
            rows.into_iter().filter(fits).map(|row| self.projected(row)).collect();
        let lines: Vec<String> = rows.iter().map(line).collect();
        let from = self.cursor;
        let limit = u32::try_from(self.affordable(&lines, from)).unwrap_or(u32::MAX);
        let page = Page::of(rows.into_iter().zip(lines).collect(), limit, from)?;
        let footer = page.footer("rows");
        let (total, next) = (page.total, page.next);
        let (rows, lines): (Vec<Map<String, Value>>, Vec<String>) = page.rows.into_iter().unzip();
        let text = lines.concat() + &footer;
        Ok(Shown { text, rows: rows.into_iter().map(Value::Object).collect(), total, next })
    }

    fn check_fields(&self, rows: &[Map<String, Value>]) -> Result<(), Error> {
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

    fn projected(&self, row: Map<String, Value>) -> Map<String, Value> {
        let wanted = |name: &String| self.fields.is_empty() || self.fields.contains(name);
        let short = |(name, value): (String, Value)| (foreign::line(&name, 60), shortened(value));
        row.into_iter().filter(|(name, _)| wanted(name)).map(short).collect()
    }

    /// How many rows from the cursor on fit into the answer; at least one.
    fn affordable(&self, lines: &[String], from: Option<Cursor>) -> usize {
        let mut bytes = 0;
        let rest = lines
            .iter()
            .skip(from.map_or(0, Cursor::position))
            .take(usize::try_from(self.limit).unwrap_or(usize::MAX));
        rest.take_while(|line| {
            bytes += line.len();
            bytes <= BYTES
        })
        .count()
        .max(1)
    }
}

fn row(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(row) => row,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

/// One row as a bullet.
fn line(row: &Map<String, Value>) -> String {
    let field = |(name, value): (&String, &Value)| {
        format!("{}: {}", foreign::words(name, 60), foreign::words(&plain(value), LONGEST))
    };
    format!("  • {}\n", row.iter().map(field).collect::<Vec<_>>().join(", "))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A value for data: long texts are cut, nested values are text.
fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) => foreign::line(&text, LONGEST).into(),
        Value::Array(_) | Value::Object(_) => foreign::line(&value.to_string(), LONGEST).into(),
        other => other,
    }
}
