//! All pages of a list as one answer.

use serde_json::{Map, Value};

use crate::calls::Answer;

/// Where data says where the next page begins.
pub(super) const NEXT: &str = "next_cursor";
/// The kind of failure of a list that is longer than a resource may be.
pub(super) const TOO_LONG: &str = "too-long";

/// How many pages are read at most.
const MAX_PAGES: usize = 64;
/// What all pages together may hold, in bytes of JSON.
const MAX_BYTES: usize = 32 << 20;
/// Rows to ask for at once. What a tool takes at most differs, so the first that it takes counts.
const LIMITS: [u32; 4] = [1000, 500, 200, 25];
/// How often a list that changes meanwhile is begun.
const BEGINNINGS: usize = 3;

/// The failure of a call that does not take its arguments.
const BAD_ARGUMENTS: &str = "bad-arguments";

type Data = Map<String, Value>;

/// Whoever has the pages.
pub(in crate::mcp) trait Source: Sync {
    /// The page for these arguments.
    fn page(&self, arguments: &Data) -> impl Future<Output = Answer> + Send;
}

/// Why there are no rows.
#[derive(Debug, PartialEq)]
pub(in crate::mcp) struct Unread {
    /// A stable word, as in [`Answer::Failed`].
    pub(in crate::mcp) kind: &'static str,
    /// What is wrong and what to do.
    pub(in crate::mcp) message: String,
}

/// The data of all pages of a call with these arguments, as if it were one page.
///
/// # Errors
/// Where a page fails, the list is too long, or it keeps changing while it is read.
pub(in crate::mcp) async fn all(source: &impl Source, filters: &Data) -> Result<Data, Unread> {
    // Most answers are whole as they are, and this one says best what is wrong with the arguments.
    let first = data(source.page(filters).await)?;
    if next(&first).is_none() {
        return Ok(first);
    }
    for _ in 0..BEGINNINGS {
        if let Some(pages) = through(source, filters).await? {
            return merged(pages);
        }
    }
    let message = "The list changed each time while it was read. Read it again, or narrow it with filters.";
    Err(Unread { kind: "failed", message: message.to_owned() })
}

/// All pages from the first to the last; `None` where the list changed meanwhile.
async fn through(source: &impl Source, filters: &Data) -> Result<Option<Vec<Data>>, Unread> {
    let (limit, first) = widest(source, filters).await?;
    let mut room = MAX_BYTES.checked_sub(size(&first)).ok_or_else(too_long)?;
    let mut cursor = next(&first);
    let mut pages = vec![first];
    while let Some(from) = cursor {
        if pages.len() == MAX_PAGES {
            return Err(too_long());
        }
        let page = match source.page(&arguments(filters, limit, Some(from))).await {
            // The list has become shorter than the cursor says.
            Answer::Failed { kind: BAD_ARGUMENTS, .. } => return Ok(None),
            answer => data(answer)?,
        };
        if pages.first().is_some_and(|first| totals(first) != totals(&page)) {
            return Ok(None);
        }
        room = room.checked_sub(size(&page)).ok_or_else(too_long)?;
        cursor = next(&page);
        pages.push(page);
    }
    Ok(Some(pages))
}

/// The first page, with the most rows that the tool gives at once.
async fn widest(source: &impl Source, filters: &Data) -> Result<(u32, Data), Unread> {
    for limit in LIMITS {
        match source.page(&arguments(filters, limit, None)).await {
            Answer::Failed { kind: BAD_ARGUMENTS, .. } => {}
            answer => return Ok((limit, data(answer)?)),
        }
    }
    let message = "This list takes no `limit`, so not all of it can be read at once. Follow `next_cursor`.";
    Err(Unread { kind: "defect", message: message.to_owned() })
}

fn arguments(filters: &Data, limit: u32, cursor: Option<String>) -> Data {
    let mut arguments = filters.clone();
    arguments.insert("limit".to_owned(), limit.into());
    if let Some(cursor) = cursor {
        arguments.insert("cursor".to_owned(), cursor.into());
    }
    arguments
}

fn data(answer: Answer) -> Result<Data, Unread> {
    match answer {
        Answer::Done { data, .. } => Ok(data),
        Answer::Failed { kind, message } => Err(Unread { kind, message }),
    }
}

fn next(page: &Data) -> Option<String> {
    page.get(NEXT)?.as_str().map(str::to_owned)
}

fn size(page: &Data) -> usize {
    serde_json::to_vec(page).map_or(usize::MAX, |text| text.len())
}

fn too_long() -> Unread {
    let message = format!(
        "All of the list is more than a resource holds ({MAX_PAGES} pages, {} MiB). Narrow it with the tool's \
         filters, or call the tool and follow `next_cursor`.",
        MAX_BYTES >> 20
    );
    Unread { kind: TOO_LONG, message }
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
/// lists, such as what could not be had, each item is kept once. Figures are those of the last page.
fn merged(pages: Vec<Data>) -> Result<Data, Unread> {
    let Some(list) = list(&pages) else {
        let message = "The pages of this list do not fit together. Follow `next_cursor` instead.";
        return Err(Unread { kind: "defect", message: message.to_owned() });
    };
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

#[cfg(test)]
mod tests;
