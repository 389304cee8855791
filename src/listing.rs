//! Lists that stay small however large the cluster is: filters, pages, and a mark for what comes next.

use serde_json::Value;

use crate::error::Error;
use crate::tool::{Argument, Kind};

/// A pattern for names: `*` stands for anything, `?` for one character; without either it is searched
/// anywhere in the name. Upper and lower case are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Whether a name fits.
    pub fn fits(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        if self.0.contains(['*', '?']) {
            let (pattern, name): (Vec<char>, Vec<char>) = (self.0.chars().collect(), name.chars().collect());
            wild(&pattern, &name)
        } else {
            name.contains(&self.0)
        }
    }
}

/// Matches with one step back to the last star, so that no pattern takes long.
fn wild(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || name.get(n) == Some(c) => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

impl Argument for Pattern {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "a name or a part of one, with * for anything";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?.trim();
        (1..=100).contains(&text.len()).then(|| Pattern(text.to_lowercase()))
    }
}

/// Where a page begins, as the page before it said: opaque to whoever passes it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    rows: usize,
    within: usize,
}

impl Cursor {
    /// How many rows come before it.
    pub fn position(self) -> usize {
        self.rows
    }

    /// How much of the row comes before it, where a row takes more than one answer.
    pub fn within(self) -> usize {
        self.within
    }
}

impl Argument for Cursor {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "the `next_cursor` of the answer before";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?.strip_prefix("from-")?;
        let (rows, within) = text.split_once('+').unwrap_or((text, "0"));
        Some(Cursor { rows: rows.parse().ok()?, within: within.parse().ok()? })
    }
}

/// What the line that leads on and the cursor in data take, in bytes.
const FOOTER: usize = 140;
/// What the link to all rows takes, which stands beside the first of several pages.
pub const LINK: usize = 280;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// How many rows there are on all pages.
    pub total: usize,
    /// How many come after these.
    pub left: usize,
    /// What to give as `cursor` for the next page; nothing on the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The page of at most `limit` of these rows that begins at `cursor`.
    ///
    /// # Errors
    /// [`Error::Arguments`] if the list has become shorter than the cursor says.
    pub fn of(rows: Vec<T>, limit: u32, cursor: Option<Cursor>) -> Result<Page<T>, Error> {
        let total = rows.len();
        let from = cursor.map_or(0, Cursor::position);
        if from > 0 && from >= total {
            return Err(Error::Arguments(format!(
                "`cursor` points behind the end: there are {total} rows now. Leave it out to begin again."
            )));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let rows: Vec<T> = rows.into_iter().skip(from).take(limit).collect();
        let to = from + rows.len();
        Ok(Page { rows, total, left: total - to, next: (to < total).then(|| format!("from-{to}")) })
    }

    /// The page that begins at `cursor` and holds as many rows as cost at most `budget` together, with the
    /// line and the link that lead on if some are left, but one row at least; with a `limit`, that many.
    ///
    /// # Errors
    /// As [`Page::of`].
    pub fn fitting(
        rows: Vec<T>,
        limit: Option<u32>,
        cursor: Option<Cursor>,
        budget: usize,
        cost: impl Fn(&T) -> usize,
    ) -> Result<Page<T>, Error> {
        let from = cursor.map_or(0, Cursor::position);
        // What a row costs is found out by writing it, and of thousands only the first ones fit.
        let mut rest = 0;
        let all_fit = rows.iter().skip(from).all(|row| {
            rest += cost(row);
            rest <= budget
        });
        let mut left = if all_fit { budget } else { budget.saturating_sub(FOOTER + LINK) };
        let fits = |row: &&T| {
            let rest = left.checked_sub(cost(row));
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        let fit = rows.iter().skip(from).take_while(fits).count().max(1);
        Page::of(rows, limit.unwrap_or(u32::try_from(fit).unwrap_or(u32::MAX)), cursor)
    }

    /// The line under a page that says how to get the next one; empty on the last page.
    pub fn footer(&self, what: &str) -> String {
        match &self.next {
            Some(next) => format!(
                "\n{} of {} {what} shown, {} left: `cursor` = `{next}` gives the next ones.\n",
                self.rows.len(),
                self.total,
                self.left
            ),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_part_or_has_wildcards() {
        for (pattern, name, fits) in [
            ("web", "prod-WEB-01", true),
            ("web*", "prod-web-01", false),
            ("*web*", "prod-web-01", true),
            ("prod-*-0?", "prod-web-01", true),
            ("prod-*-0?", "prod-web-011", false),
            ("*a*a*a*a*b", &"a".repeat(99), false),
            ("*", "", true),
        ] {
            let pattern = Pattern::read(&Value::from(pattern)).unwrap();
            assert_eq!(pattern.fits(name), fits, "{pattern:?} {name}");
        }
        assert_eq!(Pattern::read(&Value::from(" ")), None);
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let (mut seen, mut cursor): (Vec<u32>, _) = (Vec::new(), None);
        loop {
            let page = Page::of((0..25).collect(), 10, cursor).unwrap();
            assert_eq!((page.total, page.left), (25, 25 - seen.len() - page.rows.len()));
            seen.extend(&page.rows);
            match page.next {
                Some(next) => cursor = Some(Cursor::read(&Value::from(next)).unwrap()),
                None => break,
            }
        }
        assert_eq!(seen, (0..25).collect::<Vec<_>>());
        assert!(Page::of(vec![1], 10, Some(Cursor { rows: 1, within: 0 })).is_err());
        let rows = vec![500_usize, 300, 900, 100];
        let page = |limit, budget| Page::fitting(rows.clone(), limit, None, budget, |row| *row).unwrap();
        assert_eq!(page(None, 800 + FOOTER + LINK).rows, [500, 300]);
        assert_eq!(page(None, 799 + FOOTER + LINK).rows, [500]);
        assert_eq!((page(None, 1).rows.len(), page(None, 1800).next), (1, None));
        assert_eq!(page(Some(3), 1).rows, [500, 300, 900]);
        let second = Page::fitting(rows, None, Some(Cursor { rows: 2, within: 0 }), 999, |row| *row).unwrap();
        assert_eq!((second.rows, second.left), (vec![900], 1));
        assert!(Page::of(Vec::<u8>::new(), 10, None).unwrap().rows.is_empty());
        assert_eq!(Cursor::read(&Value::from("from-3+1200")), Some(Cursor { rows: 3, within: 1200 }));
        for bad in ["from-x", "10", "from--1", "from-1+x", "from-+5"] {
            assert_eq!(Cursor::read(&Value::from(bad)), None);
        }
    }
}
