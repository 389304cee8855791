use std::sync::Mutex;

use serde_json::json;

use super::*;

/// A list as a tool shows it.
struct List {
    rows: Mutex<Vec<Value>>,
    /// The most that it takes as `limit`.
    most: u64,
    /// What the answers have beside rows, total and cursor; of the page that begins there.
    beside: fn(u64) -> Value,
    /// How many rows come with each page, as from others.
    grows: u32,
    asked: Mutex<Vec<Value>>,
}

impl List {
    fn of(rows: impl IntoIterator<Item = Value>) -> Self {
        let rows = Mutex::new(rows.into_iter().collect());
        Self { rows, most: 1000, beside: |_| json!({}), grows: 0, asked: Mutex::default() }
    }

    fn numbers(count: u32) -> Self {
        Self::of((0..count).map(Value::from))
    }
}

impl Source for List {
    async fn page(&self, arguments: &Data) -> Answer {
        self.asked.lock().unwrap().push(Value::Object(arguments.clone()));
        let limit = arguments.get("limit").map_or(10, |limit| limit.as_u64().unwrap());
        let from = arguments.get("cursor").map_or(0, |cursor| cursor.as_str().unwrap().parse().unwrap());
        let mut rows = self.rows.lock().unwrap();
        if limit > self.most || arguments.contains_key("wrong") || from > 0 && from >= rows.len() as u64 {
            return Answer::Failed { kind: BAD_ARGUMENTS, message: "no such thing".to_owned() };
        }
        if arguments.contains_key("denied") && from > 0 {
            return Answer::Failed { kind: "denied", message: "needs a grant".to_owned() };
        }
        let page: Vec<Value> = rows.iter().skip(from as usize).take(limit as usize).cloned().collect();
        let mut data = (self.beside)(from).as_object().unwrap().clone();
        let to = from + page.len() as u64;
        data.entry("total").or_insert(rows.len().into());
        if to < rows.len() as u64 {
            data.insert(NEXT.to_owned(), to.to_string().into());
        }
        data.insert("left_out".to_owned(), (rows.len() as u64 - to).into());
        data.insert("rows".to_owned(), page.into());
        rows.extend((0..self.grows).map(Value::from));
        Answer::Done { text: String::new(), data }
    }
}

fn read(list: &List, filters: Value) -> Result<Data, Unread> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(all(list, filters.as_object().unwrap()))
}

#[test]
fn a_short_list_is_one_page() {
    let list = List::numbers(10);
    let data = read(&list, json!({"node": "pve1"})).unwrap();
    assert_eq!(data["rows"].as_array().unwrap().len(), 10);
    assert_eq!(*list.asked.lock().unwrap(), [json!({"node": "pve1"})]);
}

#[test]
fn all_rows_come_once_and_in_order_whatever_the_tool_takes_at_once() {
    for (most, count) in [(1000, 2001), (500, 2000), (200, 201), (25, 30)] {
        let list = List { most, ..List::numbers(count) };
        let data = read(&list, json!({"node": "pve1"})).unwrap();
        assert_eq!(data["rows"], Value::from_iter(0..count), "{most}");
        assert_eq!((&data["total"], &data["left_out"], data.get(NEXT)), (&json!(count), &json!(0), None));
        assert!(list.asked.lock().unwrap().iter().all(|arguments| arguments["node"] == "pve1"));
    }
    let error = read(&List { most: 10, ..List::numbers(30) }, json!({})).unwrap_err();
    assert_eq!(error.kind, "defect");
}

#[test]
fn rows_that_are_alike_are_kept_and_what_every_page_repeats_is_not() {
    let same = |count| List::of((0..count).map(|_| json!({"status": "running"})));
    let beside = |from| json!({"columns": ["status"], "missing": [format!("page {from}")], "nodes": [1, 2]});
    let data = read(&List { beside, ..same(2000) }, json!({})).unwrap();
    assert_eq!(data["rows"].as_array().unwrap().len(), 2000);
    assert_eq!((&data["columns"], &data["nodes"]), (&json!(["status"]), &json!([1, 2])));
    assert_eq!(data["missing"], json!(["page 0", "page 1000"]));
    // Where rows that could not be had are missing in the sum, the list is what goes on.
    let short = List { beside: |_| json!({"total": 1502, "kinds": []}), ..List::numbers(1500) };
    assert_eq!(read(&short, json!({})).unwrap()["rows"], Value::from_iter(0..1500));
}

#[test]
fn text_that_goes_on_is_joined() {
    let beside = |from| json!({"hcl": format!("# from {from}\n"), "storage": "local"});
    let data = read(&List { beside, ..List::numbers(1001) }, json!({})).unwrap();
    assert_eq!((&data["hcl"], &data["storage"]), (&json!("# from 0\n# from 1000\n"), &json!("local")));
}

#[test]
fn a_failure_is_told_as_it_is() {
    let error = read(&List::numbers(2000), json!({"wrong": 1})).unwrap_err();
    assert_eq!(error, Unread { kind: BAD_ARGUMENTS, message: "no such thing".to_owned() });
    let error = read(&List::numbers(2000), json!({"denied": 1})).unwrap_err();
    assert_eq!(error, Unread { kind: "denied", message: "needs a grant".to_owned() });
}

#[test]
fn a_list_that_keeps_changing_is_not_given_in_pieces() {
    let list = List { grows: 1, ..List::numbers(2000) };
    assert!(read(&list, json!({})).unwrap_err().message.contains("changed"));
    assert_eq!(list.asked.lock().unwrap().len(), 1 + 2 * BEGINNINGS);
}

#[test]
fn there_is_an_end_to_pages_and_bytes() {
    let most = 25;
    let pages = |count: usize| List { most, ..List::numbers(count as u32) };
    assert!(read(&pages(MAX_PAGES * 25), json!({})).is_ok());
    let error = read(&pages(MAX_PAGES * 25 + 1), json!({})).unwrap_err();
    assert_eq!(error.kind, TOO_LONG);
    assert!(error.message.contains("64 pages, 32 MiB"), "{}", error.message);
    let row = "x".repeat(MAX_BYTES / 30);
    let large = |rows: usize| List { most, ..List::of((0..rows).map(|_| row.clone().into())) };
    assert!(read(&large(29), json!({})).is_ok());
    assert_eq!(read(&large(31), json!({})).unwrap_err().kind, TOO_LONG);
}
