//! Tables: the rows of an answer, written as Markdown for the text and as plain texts for the data.

use serde_json::Value;

use crate::dates;
use crate::foreign;
use crate::pve::resources::Figure;
use crate::text;

/// One column of a table over rows of the API.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its heading in the text.
    pub title: &'static str,
    /// Its name in data: Proxmox's own key.
    pub key: &'static str,
    /// How its values are written in the text.
    pub read: Read,
}

/// How a value of the API is written in the text. Data has it as Proxmox gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Words of others, at most so many characters.
    Words(usize),
    /// A size in bytes.
    Bytes,
    /// A share from 0 to 1.
    Share,
    /// Yes or no.
    Flag,
    /// Yes or no; left out it is yes.
    FlagUnlessOff,
    /// Seconds since 1970, as how long ago.
    Ago,
    /// Seconds since 1970, as a date.
    Date,
    /// A time span in seconds.
    Span,
}

/// A column.
pub const fn column(title: &'static str, key: &'static str, read: Read) -> Column {
    Column { title, key, read }
}

/// One value of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// As Markdown.
    pub text: String,
    /// For data.
    pub data: String,
}

impl Cell {
    /// Text of others, at most `most` characters.
    pub fn words(raw: &str, most: usize) -> Cell {
        Cell { text: foreign::words(raw, most), data: foreign::line(raw, most) }
    }

    /// Text of ours.
    pub fn own(text: impl ToString) -> Cell {
        let text = text.to_string();
        Cell { data: text.clone(), text }
    }

    /// Markdown of ours, and what data has in its place.
    pub fn of(text: impl Into<String>, data: impl ToString) -> Cell {
        Cell { text: text.into(), data: data.to_string() }
    }

    /// A value of the API; empty where there is none. `now`: seconds since 1970.
    pub fn read(value: Option<&Value>, read: Read, now: u64) -> Cell {
        let figure = Figure::of(value);
        let of = |text: Option<String>| match (text, figure.whole()) {
            (Some(text), Some(whole)) => Cell::of(text, whole),
            (Some(text), None) => Cell::of(text, figure.value().map(rounded).unwrap_or_default()),
            (None, _) => Cell::default(),
        };
        match read {
            Read::Words(most) => Cell::words(&plain(value), most),
            Read::Bytes => of(figure.value().map(text::bytes)),
            Read::Share => of(figure.fraction().map(text::percent)),
            Read::Flag => Cell::own(if figure.flag() { "yes" } else { "no" }),
            Read::FlagUnlessOff => Cell::own(if value.is_none() || figure.flag() { "yes" } else { "no" }),
            Read::Ago => of(figure.whole().map(|then| dates::ago(now, then))),
            Read::Date => of(figure.whole().map(dates::minute)),
            Read::Span => of(figure.value().map(text::duration)),
        }
    }
}

/// A number with at most four digits after the point.
pub fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// A value of the API as one text: a list with commas, an object as `key=value`.
pub fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| plain(Some(item))).collect::<Vec<_>>().join(", ")
        }
        Some(Value::Object(fields)) => {
            let field = |(key, value): (&String, &Value)| format!("{key}={}", plain(Some(value)));
            fields.iter().map(field).collect::<Vec<_>>().join(",")
        }
        Some(Value::Bool(flag)) => u8::from(*flag).to_string(),
        Some(Value::Number(number)) => number.to_string(),
    }
}

/// How the rows stand in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// As a Markdown table.
    #[default]
    Table,
    /// As fenced lines of others, the first row last: a log, of which the newest lines matter.
    Log,
}

/// A row.
pub type Row = Vec<Cell>;

/// Headings and rows.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// What the rows are, such as `services`.
    pub what: String,
    /// Heading and name in data of each column.
    pub columns: Vec<(&'static str, &'static str)>,
    /// Rows, each with a cell for each column.
    pub rows: Vec<Row>,
    /// How they stand in the text.
    pub style: Style,
}

impl Table {
    /// A table without rows yet. `columns`: heading, name in data.
    pub fn new(what: &str, columns: &[(&'static str, &'static str)]) -> Table {
        Table { what: what.to_owned(), columns: columns.to_vec(), ..Table::default() }
    }

    /// A table over rows of the API; columns that are empty in all of them are left out.
    pub fn of(what: &str, columns: &[Column], rows: &[Value], now: u64) -> Table {
        let cells = |row: &Value| -> Row {
            columns.iter().map(|column| Cell::read(row.get(column.key), column.read, now)).collect()
        };
        let names: Vec<_> = columns.iter().map(|column| (column.title, column.key)).collect();
        Table { rows: rows.iter().map(cells).collect(), ..Table::new(what, &names) }.without_empty_columns()
    }

    /// Lines of a log, the newest first.
    pub fn log(what: &str, newest_first: impl IntoIterator<Item = String>) -> Table {
        let line = |line: String| vec![Cell::of(foreign::line(&line, 400), foreign::line(&line, 400))];
        let rows = newest_first.into_iter().map(line).collect();
        Table { rows, style: Style::Log, ..Table::new(what, &[("", "line")]) }
    }

    /// Without the columns that no row has a value for.
    pub fn without_empty_columns(mut self) -> Table {
        let full =
            |at: usize| self.rows.iter().any(|row| row.get(at).is_some_and(|cell| !cell.data.is_empty()));
        let keep: Vec<bool> = (0..self.columns.len()).map(full).collect();
        let mut flags = keep.iter();
        self.columns.retain(|_| *flags.next().unwrap_or(&true));
        for row in &mut self.rows {
            let mut flags = keep.iter();
            row.retain(|_| *flags.next().unwrap_or(&true));
        }
        self
    }

    /// What a row takes up, in bytes, text and data together.
    pub fn cost(row: &Row) -> usize {
        row.iter().map(|cell| cell.text.len() + 3 + cell.data.len() + 3).sum::<usize>() + 5
    }

    /// The text of these rows.
    pub fn text(&self, rows: &[Row]) -> String {
        let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
        if self.style == Style::Log {
            let lines: Vec<&str> = rows.iter().rev().flatten().map(|cell| cell.text.as_str()).collect();
            return format!("{}\n", foreign::fenced(&lines.join("\n")));
        }
        let mut out = line(self.columns.iter().map(|(title, _)| *title).collect());
        out += &format!("|{}\n", "---|".repeat(self.columns.len()));
        out.extend(rows.iter().map(|row| line(row.iter().map(|cell| cell.text.as_str()).collect())));
        out
    }

    /// The names of the columns, for data.
    pub fn names(&self) -> Vec<&'static str> {
        self.columns.iter().map(|(_, name)| *name).collect()
    }
}

/// The data of these rows: a list of texts for each.
pub fn data(rows: &[Row]) -> Value {
    let row = |row: &Row| Value::from_iter(row.iter().map(|cell| cell.data.as_str()));
    rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[
        column("Name", "name", Read::Words(20)),
        column("Size", "size", Read::Bytes),
        column("On", "enable", Read::FlagUnlessOff),
        column("Since", "time", Read::Ago),
        column("Comment", "comment", Read::Words(20)),
    ];

    #[test]
    fn rows_of_the_api_become_a_table_without_its_empty_columns() {
        let rows = [
            json!({"name": "a|b", "size": "2048", "time": 1000}),
            json!({"name": "**c**", "enable": 0, "time": 4600, "comment": null}),
        ];
        let table = Table::of("things", COLUMNS, &rows, 4660);
        assert_eq!(
            table.text(&table.rows),
            "| Name | Size | On | Since |\n|---|---|---|---|\n| a\\|b | 2.0 KB | yes | 1h 1m ago |\n\
             | \\*\\*c\\*\\* |  | no | 1m 0s ago |\n"
        );
        assert_eq!(table.names(), ["name", "size", "enable", "time"]);
        let expected = json!([["a|b", "2048", "yes", "1000"], ["**c**", "", "no", "4600"]]);
        assert_eq!(data(&table.rows), expected);
    }

    #[test]
    fn a_log_ends_with_its_newest_line_and_cannot_leave_its_fence() {
        let log = Table::log("lines", ["three\u{1b}[2J".to_owned(), "``` two".to_owned(), "one".to_owned()]);
        assert_eq!(log.text(&log.rows), "````\none\n``` two\nthree\n````\n");
        assert_eq!(data(&log.rows), json!([["three"], ["``` two"], ["one"]]));
    }

    #[test]
    fn values_of_any_kind_become_one_text() {
        for (value, expected) in [
            (json!(null), ""),
            (json!(["a", 1]), "a, 1"),
            (json!({"keep-last": 3, "x": true}), "keep-last=3,x=1"),
        ] {
            assert_eq!(plain(Some(&value)), expected);
        }
    }
}
