//! All pages of a list as one answer.

use serde_json::{Map, Value};

use crate::door::Failure;
use crate::error::Kind;

/// Where data says where the next page begins.
pub(super) const NEXT: &str = "next_cursor";
/// Arguments that choose a page.
pub(super) const OF_PAGES: [&str; 2] = ["limit", "cursor"];

/// How many pages are read at most.
const MAX_PAGES: usize = 64;
/// Rows to ask for at once. What a tool takes at most differs, so the first that it takes counts.
const LIMITS: [u32; 4] = [1000, 500, 200, 25];
/// How often a list that changes meanwhile is begun.
const BEGINNINGS: usize = 3;

type Data = Map<String, Value>;
/// Whoever has the pages: the data of the page for these arguments.
type Source<'a> = &'a dyn Fn(&Data) -> Result<Data, Failure>;

/// The data of all pages of a call with these arguments, as if it were one page.
///
/// # Errors
/// Where a page fails, the list is too long, or it keeps changing while it is read.
pub(super) fn all(page: Source<'_>, filters: &Data) -> Result<Data, Failure> {
    // Most answers are whole as they are, and this one says best what is wrong with the arguments.
    let first = page(filters)?;
    if next(&first).is_none() {
        return Ok(first);
    }
    for _ in 0..BEGINNINGS {
        if let Some(pages) = through(page, filters)? {
            return merged(pages);
        }
    }
    Err(failed("The list changed each time while it was read. Read it again, or narrow it with filters."))
}

/// All pages from the first to the last; `None` where the list changed meanwhile.
fn through(page: Source<'_>, filters: &Data) -> Result<Option<Vec<Data>>, Failure> {
    let (limit, first) = widest(page, filters)?;
    let mut cursor = next(&first);
    let mut pages = vec![first];
    while let Some(from) = cursor {
        if pages.len() == MAX_PAGES {
            return Err(failed(
                "The list is longer than a resource may be. Narrow it with filters, or call the tool and follow \
                 `next_cursor`.",
            ));
        }
        let found = match page(&arguments(filters, limit, Some(from))) {
            // The list has become shorter than the cursor says.
            Err(failure) if failure.kind == Kind::Arguments => return Ok(None),
            found => found?,
        };
        if pages.first().is_some_and(|first| totals(first) != totals(&found)) {
            return Ok(None);
        }
        cursor = next(&found);
        pages.push(found);
    }
    Ok(Some(pages))
}

/// The first page, with the most rows that the tool gives at once.
fn widest(page: Source<'_>, filters: &Data) -> Result<(u32, Data), Failure> {
    for limit in LIMITS {
        match page(&arguments(filters, limit, None)) {
            Err(failure) if failure.kind == Kind::Arguments => {}
            found => return Ok((limit, found?)),
        }
    }
    Err(failed("This list takes no `limit`, so not all of it can be read at once. Follow `next_cursor`."))
}

fn arguments(filters: &Data, limit: u32, cursor: Option<String>) -> Data {
    let mut arguments = filters.clone();
    arguments.insert("limit".to_owned(), limit.into());
    if let Some(cursor) = cursor {
        arguments.insert("cursor".to_owned(), cursor.into());
    }
    arguments
}

fn next(page: &Data) -> Option<String> {
    page.get(NEXT)?.as_str().map(str::to_owned)
}

fn failed(message: &str) -> Failure {
    Failure { kind: Kind::Failed, message: message.to_owned() }
}

/// How many rows there are on all pages, of whatever a page counts.
fn totals(page: &Data) -> Vec<(&str, u64)> {
    let total = |name: &str| name == "total" || name.ends_with("_total");
    let counted = page.iter().filter(|(name, _)| total(name));
    counted.filter_map(|(name, value)| Some((name.as_str(), value.as_u64()?))).collect()
}

/// The name of the list that these are pages of: its rows add up to a total, or else it goes on from page to
/// page.
fn list(pages: &[Data]) -> Option<String> {
    let first = pages.first()?;
    let totals = totals(first);
    let rows = |name: &str| -> usize {
        pages.iter().filter_map(|page| page.get(name)?.as_array()).map(Vec::len).sum()
    };
    let adds_up = |name: &&str| totals.iter().any(|(_, total)| u64::try_from(rows(name)) == Ok(*total));
    let goes_on = |name: &&str| pages.iter().any(|page| page.get(*name) != first.get(*name));
    let lists = || first.iter().filter(|(_, value)| value.is_array()).map(|(name, _)| name.as_str());
    let found = lists().find(|name| adds_up(name) && goes_on(name));
    found.or_else(|| lists().find(adds_up)).or_else(|| lists().find(goes_on)).map(str::to_owned)
}

/// The pages as one. The list is laid end to end, and so is text that goes on from page to page. Of other
/// lists each item is kept once. Figures are those of the last page.
fn merged(pages: Vec<Data>) -> Result<Data, Failure> {
    let list = list(&pages)
        .ok_or_else(|| failed("The pages of this list do not fit together. Follow `next_cursor` instead."))?;
    let mut pages = pages.into_iter();
    let mut whole = pages.next().unwrap_or_default();
    for (name, value) in pages.flatten() {
        match (whole.get_mut(&name), value) {
            (Some(Value::Array(all)), Value::Array(rows)) if name == list => all.extend(rows),
            (Some(Value::Array(all)), Value::Array(items)) => {
                for item in items {
                    if !all.contains(&item) {
                        all.push(item);
                    }
                }
            }
            (Some(Value::String(all)), Value::String(more)) if *all != more => all.push_str(&more),
            (_, value) => drop(whole.insert(name, value)),
        }
    }
    whole.shift_remove(NEXT);
    Ok(whole)
}
