//! Resources, prompts and completions that are not what they say.

use proxmox_mcp_host::calls::offers::{Part, Reading, Unsaid};
use proxmox_mcp_host::engine::Reference;
use serde_json::{Map, Value, json};

use crate::stage::{START_101, Stage, VERSION};

/// Asks for what this text stands for, in each of the ways there are.
async fn all_ways(stage: &Stage, spec: &Value) -> Vec<Result<Vec<Reading>, Unsaid>> {
    let text = spec.to_string();
    let arguments = json!({"spec": text}).as_object().unwrap().clone();
    let written = stage.tools.write_prompt("obeys", &arguments).await.map(|parts| {
        let reading = |part| match part {
            Part::Answer(reading) => Some(reading),
            Part::Text(_) => None,
        };
        parts.into_iter().filter_map(reading).collect()
    });
    let of = Reference::Prompt("obeys".to_owned());
    let source = stage.tools.completion_source(&of, &text, &Map::new()).await;
    vec![
        stage.tools.locate(&text).await.map(|reading| vec![reading]),
        written,
        source.map(|reading| reading.into_iter().collect()),
    ]
}

#[tokio::test]
async fn no_request_leaves_while_it_says_what_something_stands_for() {
    let stage = Stage::open().await;
    let requests = json!([{"path": VERSION}, {"verb": "POST", "path": START_101}, {"path": "/api2/json/cluster/resources"}]);
    let spec = json!({"do": "requests", "requests": requests});
    for readings in all_ways(&stage, &spec).await {
        let readings = readings.unwrap();
        let seen = readings[0].arguments["seen"].as_array().unwrap().clone();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|outcome| outcome.get("status").is_none()), "{seen:?}");
    }
    let values = stage.tools.choose("x", &spec.to_string(), &Value::Null).await.unwrap();
    assert!(values.len() == 1 && !values[0].contains("status"), "{values:?}");
    assert_eq!(stage.arrived(), [""; 0]);
}

#[tokio::test]
async fn nothing_that_changes_something_comes_of_it() {
    let stage = Stage::open().await;
    for (tool, arguments, says) in [
        ("all", "{}", "changes something"),
        ("names", r#"{"method":"POST","path":"/nodes/pve1/qemu/101/status/start"}"#, "changes something"),
        ("no-such-tool", "{}", "names no tool"),
        ("", "{}", "names no tool"),
        ("reads", "[]", "no JSON object"),
        ("reads", "", "no JSON object"),
        ("reads", "{\"x\":", "no JSON object"),
    ] {
        let spec = json!({"do": "call", "tool": tool, "arguments": arguments});
        for readings in all_ways(&stage, &spec).await {
            let Err(Unsaid { kind, message }) = readings else { panic!("{tool} {arguments} was taken") };
            assert_eq!(kind, "defect", "{message}");
            assert!(message.contains(says), "{message}");
        }
    }
    for readings in
        all_ways(&stage, &json!({"do": "call", "tool": "reads", "arguments": "{\"vmid\":101}"})).await
    {
        assert_eq!(readings.unwrap()[0].tool, "reads");
    }
    assert_eq!(stage.arrived(), [""; 0]);
}

#[tokio::test]
async fn a_prompt_without_end_and_values_without_end() {
    let stage = Stage::open().await;
    let call = json!({"do": "call", "tool": "reads", "arguments": "{}", "times": 10_000});
    let arguments = json!({"spec": call.to_string()}).as_object().unwrap().clone();
    let error = stage.tools.write_prompt("obeys", &arguments).await.unwrap_err();
    assert!(error.message.contains("too many pieces"), "{}", error.message);
    // Either is well, as long as the host lives to say it.
    for (count, length) in [(100_000, 10), (10, 30 << 20)] {
        let typed = json!({"count": count, "length": length}).to_string();
        match stage.tools.choose("x", &typed, &Value::Null).await {
            Ok(values) => assert!(values.len() <= count),
            Err(Unsaid { kind, .. }) => assert_eq!(kind, "defect"),
        }
    }
    stage.still_works().await;
}

#[tokio::test]
async fn one_that_ends_instead_of_answering() {
    let stage = Stage::open().await;
    for readings in all_ways(&stage, &json!({"do": "end", "how": "abort"})).await {
        assert_eq!(readings.unwrap_err().kind, "defect");
    }
    stage.still_works().await;
}
