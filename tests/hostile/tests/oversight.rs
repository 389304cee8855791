//! What the operator gets to see of an attack, and the brakes.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use proxmox_audit::{AuditLog, Brakes, Recorder};
use proxmox_mcp_host::watch::Safeguards;
use serde_json::{Value, json};

use crate::stage::{START_101, Stage, VERSION};

/// A stage whose every request is recorded, and on which one change a minute is allowed.
async fn guarded(name: &str) -> (Stage, PathBuf) {
    let file = std::env::temp_dir().join(format!("hostile-{name}-{}.log", std::process::id()));
    let recorder = Recorder::new(AuditLog::open(&file).unwrap());
    let safeguards = Safeguards::new(recorder, Brakes::new(NonZeroU32::new(1), None));
    let Stage { sim, tools } = Stage::open().await;
    (Stage { sim, tools: tools.guarded(Arc::new(safeguards)) }, file)
}

/// The lines of the log about requests.
fn requests(file: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::remove_file(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["event"] == "request").collect()
}

#[tokio::test]
async fn what_was_refused_is_written_down_as_it_was_asked_for() {
    let (stage, file) = guarded("refused").await;
    let attacks = vec![
        json!({"authority": "evil.example", "path": "/steal?x=1"}),
        json!({"path": "/api2/extjs/version"}),
        json!({"verb": "POST", "path": "/api2/json/nodes/pve1/qemu/101/status/start?vmid=102"}),
        json!({"path": VERSION}),
    ];
    stage.requests(attacks).await;
    let lines = requests(&file);
    let told: Vec<[&Value; 3]> =
        lines.iter().map(|line| [&line["path"], &line["refused"], &line["allowed"]]).collect();
    assert_eq!(told[0], [&json!("https://evil.example/steal"), &json!("foreign_address"), &Value::Null]);
    assert_eq!(told[1][1], "malformed_request");
    assert_eq!(told[2][1], "bad_parameter");
    assert_eq!(told[3][1], &Value::Null);
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[tokio::test]
async fn of_many_changes_the_brake_lets_one_through() {
    let (stage, file) = guarded("braked").await;
    let start = json!({"verb": "POST", "path": START_101});
    let seen = stage.seen("all", json!({"do": "flood", "count": 20, "request": start})).await;
    assert_eq!(seen["answered"], 1, "{seen}");
    assert_eq!(stage.arrived(), [format!("POST {START_101}")]);
    let allowed = requests(&file).iter().filter(|line| line["verb"] == "POST").count();
    assert_eq!(allowed, 1);
}
