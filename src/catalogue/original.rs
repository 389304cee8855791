//! The names and parameters of the server that this one began from (`tests/original.toml`): each of them works.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::*;
use crate::testing::{Demo, NOW_MS};

#[derive(Deserialize)]
struct File {
    call: Vec<Call>,
}

#[derive(Deserialize)]
struct Call {
    name: String,
    #[serde(default)]
    args: Map<String, Value>,
    before: Option<Box<Call>>,
}

/// Runs a call to its end, as an older client makes it.
fn finish(demo: &Demo, asked: &Call) -> Result<String, Error> {
    let tasks = demo.get("/cluster/tasks");
    let upid = tasks[0]["upid"].as_str().unwrap_or_default();
    let node = upid.split(':').nth(1).unwrap_or_default();
    let arguments = Value::Object(asked.args.clone()).to_string();
    let arguments = arguments.replace("{upid}", upid).replace("{node}", node);
    let mut step = call(demo, NOW_MS, &asked.name, &arguments)?;
    for later in 1..200 {
        match step {
            Step::Done(output) => return Ok(output.text),
            Step::Pending(continuation, _) => step = resume(demo, NOW_MS + later * 2000, &continuation)?,
        }
    }
    panic!("{} never ends", asked.name)
}

#[test]
fn each_of_the_67_names_works_with_its_parameters() {
    let file: File = toml::from_str(include_str!("../../tests/original.toml")).unwrap();
    let mut seen = std::collections::HashSet::new();
    let mut failed = Vec::new();
    for call in &file.call {
        assert!(seen.insert(&call.name), "{} twice", call.name);
        let demo = Demo::new();
        let steps = call.before.as_deref().into_iter().chain([call]);
        let error = steps.map(|step| finish(&demo, step)).find_map(Result::err);
        failed.extend(error.map(|error| format!("{}: {error}", call.name)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(seen.len(), 67);
}
