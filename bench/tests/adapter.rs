//! The benchmark measures any MCP server that an adapter file tells of: here a small one in Python.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails by panicking")]

use std::process::Command;

use serde_json::Value;

fn bench(adapter: &str, out: &std::path::Path) -> std::process::Output {
    let file = out.join("fake.toml");
    std::fs::write(&file, adapter).unwrap();
    Command::new(env!("CARGO_BIN_EXE_proxmox-bench"))
        .args(["--quick", "--others-only", "--nodes", "3", "--adapter"])
        .arg(&file)
        .arg("--out")
        .arg(out)
        .output()
        .unwrap()
}

const ADAPTER: &str = r#"
name = "fake & small"
command = ["python3", "SCRIPT"]
files = { "config.json" = '{"token": "PVEAPIToken={user}!{token_name}={token}"}' }

[environment]
FAKE_HOST = "{host}"
FAKE_PORT = "{port}"
FAKE_CA = "{ca_file}"
FAKE_CONFIG = "{files}/config.json"

[questions.nodes]
tool = "nodes"

[questions.guests]
tool = "guest"
arguments = { on = "{node}", id = "{vmid}" }
"#;

#[test]
fn another_server_is_measured_beside_the_floor() {
    let out = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake_server.py");
    let output = bench(&ADAPTER.replace("SCRIPT", script), out.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let results: Value =
        serde_json::from_slice(&std::fs::read(out.path().join("results.json")).unwrap()).unwrap();
    let clusters = results["clusters"].as_array().unwrap();
    assert_eq!(clusters.len(), 2, "one without latency, one with 10 ms");
    for at in clusters {
        let latency_us = at["cluster"]["latency_ms"].as_f64().unwrap() * 1e3;
        let server = &at["servers"][0];
        let rows = server["rows"].as_array().unwrap();
        let questions: Vec<&str> = rows.iter().map(|row| row["question"].as_str().unwrap()).collect();
        assert_eq!(questions, ["nodes", "guests"]);
        for row in rows {
            assert_eq!(
                (&row["requests"], &row["connections"]),
                (&Value::from(1.0), &Value::from(1.0)),
                "{row}"
            );
            // Nobody is faster than the server answers.
            let median = |cost: &Value| cost["times"]["median_us"].as_f64().unwrap();
            assert!(median(&row["floor"]) >= latency_us && median(&row["cost"]) >= latency_us, "{row}");
            assert!(
                row["cost"]["cpu_us"].as_f64().unwrap() > 0.0 && row["bytes"].as_u64().unwrap() > 50,
                "{row}"
            );
        }
        let crowds = server["crowds"].as_array().unwrap();
        assert_eq!(crowds.len(), 3);
        assert!(crowds.iter().all(|crowd| crowd["per_second"].as_f64().unwrap() > 1.0));
        assert!(server["peak_kib"].as_u64().unwrap() > 1_000);
    }
    let tables = String::from_utf8(output.stdout).unwrap();
    assert!(tables.contains("| fake & small | nodes |"), "{tables}");
    let chart = std::fs::read_to_string(out.path().join("chart.svg")).unwrap();
    assert!(chart.contains("nodes, fake &amp; small") && chart.contains("plain client"), "{chart}");
}

#[test]
fn a_server_that_fails_is_named_with_what_it_said() {
    let out = tempfile::tempdir().unwrap();
    let missing = bench(&ADAPTER.replace("python3", "/no/such/program"), out.path());
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(
        !missing.status.success() && said.contains("fake & small: cannot start /no/such/program"),
        "{said}"
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake_server.py");
    let mute = bench(
        &ADAPTER
            .replace("SCRIPT", script)
            .replace("tool = \"guest\"", "tool = \"nonsense\"")
            .replace("id =", "no ="),
        out.path(),
    );
    let said = String::from_utf8_lossy(&mute.stderr).into_owned();
    assert!(!mute.status.success() && said.contains("fake & small at 3 nodes, 30 guests"), "{said}");
}
