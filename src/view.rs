//! Views: answers made of a heading, a few facts and a table, which say the same in text and data and stay
//! small however much there is.

use serde_json::{Value, json};

use crate::data::Data;
use crate::error::Error;
use crate::listing::{Cursor, Page, Pattern};
use crate::missing::Missing;
use crate::shape::{Field, Shape, always, known};
use crate::table::{self, Cell, Row, Table};
use crate::text;
use crate::tool::{Argument, Kind, Outcome, whole};

/// How many rows at most, as an argument: a thousand where more are asked for. Left out, there are as many
/// as fit into a small answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub u32);

impl Argument for Limit {
    const KIND: Kind = Kind::Whole(1, u32::MAX);
    const TAKES: &'static str = "a whole number";

    fn read(value: &Value) -> Option<Self> {
        whole(value).filter(|number| *number > 0).map(|number| Limit(number.min(1000)))
    }
}

/// What an answer may take, text and data together, in bytes, where nobody asked for more.
pub const BUDGET: usize = 4096;
/// What is kept free for headings, names and the line under a page.
const FRAME: usize = 280;

/// Which rows are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Those with this anywhere in them.
    pub filter: Option<Pattern>,
    /// So many.
    pub limit: Option<Limit>,
    /// From here on.
    pub cursor: Option<Cursor>,
}

/// The fields of data that [`View::outcome`] fills, for a tool's shape.
pub const FACTS: Field =
    known("facts", Shape::List(&Shape::Object(&[always("name", Shape::Text), always("value", Shape::Text)])));
/// Names of the columns.
pub const COLUMNS: Field = known("columns", Shape::List(&Shape::Text));
/// Values of each row, as Proxmox VE gives them.
pub const ROWS: Field = known("rows", Shape::List(&Shape::List(&Shape::Text)));
/// How many rows there are.
pub const TOTAL: Field = known("total", Shape::Count);
/// Where the next page begins.
pub const NEXT: Field = known("next_cursor", Shape::Text);
/// What else is to be said.
pub const NOTES: Field = known("notes", Shape::List(&Shape::Text));

/// An answer.
#[derive(Debug, Default)]
pub struct View {
    heading: String,
    facts: Vec<(String, Cell)>,
    table: Option<Table>,
    notes: Vec<String>,
    missing: Missing,
}

impl View {
    /// An answer with its headline, as Markdown.
    pub fn new(heading: impl Into<String>) -> View {
        View { heading: heading.into(), ..View::default() }
    }

    /// With a fact.
    pub fn fact(mut self, name: &str, value: Cell) -> View {
        self.facts.push((name.to_owned(), value));
        self
    }

    /// With a fact of our own words.
    pub fn says(self, name: &str, value: impl ToString) -> View {
        self.fact(name, Cell::own(value))
    }

    /// With a fact in words of others, unless there are none.
    pub fn words(self, name: &str, value: Option<&Value>, most: usize) -> View {
        let words = table::plain(value);
        if words.trim().is_empty() { self } else { self.fact(name, Cell::words(&words, most)) }
    }

    /// With a fact, if there is one.
    pub fn known(self, name: &str, value: Option<Cell>) -> View {
        match value {
            Some(value) => self.fact(name, value),
            None => self,
        }
    }

    /// With its table.
    pub fn table(self, table: Table) -> View {
        View { table: Some(table), ..self }
    }

    /// With a note, as Markdown of ours.
    pub fn note(mut self, text: impl Into<String>) -> View {
        self.notes.push(text.into());
        self
    }

    /// With a note, if there is one.
    pub fn note_some(self, text: Option<String>) -> View {
        match text {
            Some(text) => self.note(text),
            None => self,
        }
    }

    /// With what could not be had.
    pub fn missing(self, missing: Missing) -> View {
        View { missing, ..self }
    }

    /// The answer. `head`: the fields of data that come first.
    ///
    /// # Errors
    /// [`Error::Arguments`] for a cursor behind the end.
    pub fn outcome(self, head: Data, wanted: &Wanted) -> Result<Outcome, Error> {
        let mut text = format!("{}\n", self.heading);
        text.extend(self.facts.iter().map(|(name, cell)| text::bullet(name, &cell.text)));
        text.extend(self.notes.iter().map(|note| text::bullet("Note", note)));
        text += &self.missing.lines();
        let mut data = head;
        if !self.facts.is_empty() {
            let fact = |(name, cell): &(String, Cell)| json!({"name": name, "value": cell.data});
            data = data.always("facts", Value::from_iter(self.facts.iter().map(fact)));
        }
        if !self.notes.is_empty() {
            data = data.always("notes", self.notes.clone());
        }
        data = data.always("missing", self.missing.data());
        if let Some(table) = self.table {
            let used = text.len() + Value::from(data.clone()).to_string().len();
            let (rows_text, rows_data) = paged(table, wanted, BUDGET.saturating_sub(used + FRAME), data)?;
            text += &rows_text;
            data = rows_data;
        }
        Ok(Outcome::done(text, data.into()))
    }
}

fn paged(mut table: Table, wanted: &Wanted, budget: usize, data: Data) -> Result<(String, Data), Error> {
    let all = table.rows.len();
    let mut rows = std::mem::take(&mut table.rows);
    if let Some(filter) = &wanted.filter {
        rows.retain(|row| row.iter().any(|cell| filter.fits(&cell.data)));
    }
    let limit = wanted.limit.map(|limit| limit.0);
    let page = Page::fitting(rows, limit, wanted.cursor, budget, |row: &Row| Table::cost(row))?;
    let mut text = String::new();
    if page.rows.is_empty() {
        let none = if all == 0 {
            format!("No {}.", table.what)
        } else {
            format!("None of {all} {} fits.", table.what)
        };
        text += &format!("\n{none}\n");
    } else {
        text += &format!("\n{}{}", table.text(&page.rows), page.footer(&table.what));
    }
    let data = data
        .always("columns", table.names())
        .always("rows", table::data(&page.rows))
        .always("total", page.total)
        .known("next_cursor", page.next.as_deref());
    Ok((text, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Table {
        let mut table = Table::new("things", &[("Id", "id"), ("Name", "name")]);
        table.rows =
            (0..count).map(|n| vec![Cell::own(n), Cell::words(&format!("thing <{n}>"), 40)]).collect();
        table
    }

    fn output(view: View, wanted: &Wanted) -> crate::tool::Output {
        match view.outcome(Data::new().always("node", "pve1"), wanted).unwrap() {
            Outcome::Done(output) => output,
            Outcome::Pending(pending) => panic!("{pending:?}"),
        }
    }

    #[test]
    fn a_long_table_stays_small_and_says_how_to_go_on() {
        let output =
            output(View::new("📋 Things").says("Node", "pve1").table(lines(5000)), &Wanted::default());
        let size = output.text.len() + output.data.to_string().len();
        assert!((3000..=BUDGET).contains(&size), "{size}");
        let shown = output.data["rows"].as_array().unwrap().len();
        assert_eq!(output.data["next_cursor"], format!("from-{shown}"));
        assert!(output.text.contains(&format!("{shown} of 5000 things shown")), "{}", output.text);
        assert_eq!(output.text.matches("| thing").count(), shown);
    }

    #[test]
    fn rows_are_filtered_and_none_is_said() {
        let filter = Pattern::read(&Value::from("*<7?>*"));
        let view = View::new("x").table(lines(100));
        let found = output(view, &Wanted { filter, limit: Some(Limit(3)), ..Wanted::default() });
        assert_eq!((&found.data["total"], &found.data["rows"][0][0]), (&json!(10), &json!("70")));
        assert_eq!(found.data["rows"].as_array().unwrap().len(), 3);
        let none = output(View::new("x").table(lines(0)), &Wanted::default());
        assert!(none.text.ends_with("\nNo things.\n") && none.data["rows"] == json!([]), "{}", none.text);
        let filter = Pattern::read(&Value::from("nosuch"));
        let none = output(View::new("x").table(lines(2)), &Wanted { filter, ..Wanted::default() });
        assert!(none.text.contains("None of 2 things fits."), "{}", none.text);
    }
}
