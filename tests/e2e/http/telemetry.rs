//! Traces and metrics for a collector, and what is not in them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use proxmox_sim::{Options, Sim};
use serde_json::json;

use super::client::{Ask, Served};
use crate::harness::{Client, configured, is_error, stateless_meta};

/// A collector: path and body of each request.
fn collector() -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (send, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let send = send.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                loop {
                    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
                    if reader.read_line(&mut first).unwrap_or(0) == 0 {
                        return;
                    }
                    while reader.read_line(&mut line).is_ok() && !line.trim().is_empty() {
                        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap();
                        }
                        line.clear();
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                    let _ = send.send((path, body));
                    let stream = reader.get_mut();
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                }
            });
        }
    });
    (address, received)
}

/// All spans, with the name of the service, and the names of all metrics.
fn told(received: &Receiver<(String, Vec<u8>)>) -> (Vec<Span>, Vec<String>, String) {
    let (mut spans, mut metrics, mut all) = (Vec::new(), Vec::new(), String::new());
    for (path, body) in received.try_iter() {
        all.push_str(&String::from_utf8_lossy(&body));
        if path == "/v1/traces" {
            let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            spans.extend(scopes.flat_map(|scope| scope.spans));
        } else {
            assert_eq!(path, "/v1/metrics");
            let request = ExportMetricsServiceRequest::decode(body.as_slice()).unwrap();
            let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
            metrics.extend(scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name));
        }
    }
    (spans, metrics, all)
}

fn fact(span: &Span, key: &str) -> String {
    let value = span.attributes.iter().find(|fact| fact.key == key).and_then(|fact| fact.value.clone());
    value.map(|value| format!("{:?}", value.value)).unwrap_or_default()
}

#[test]
fn calls_and_requests_are_told_and_nothing_that_was_said() {
    let sim = Sim::start(Options::instant()).unwrap();
    let (address, received) = collector();
    let mut command = configured(&sim, &sim.token());
    command.args(["serve", "--http", "127.0.0.1:0"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", &address);
    let server = Served::of(command);
    let config = json!({"vmid": 101, "show": "config"});
    assert!(!is_error(&Ask::call("proxmox_get_guest", config).send(&server).result()));
    let mut params = json!({"name": "proxmox_shutdown_vm", "arguments": {"vmid": 100}});
    params["_meta"] = stateless_meta();
    params["_meta"]["traceparent"] = json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert!(is_error(&Ask::modern("tools/call", params).send(&server).result()));
    server.signal("-TERM");
    assert_eq!(server.end(), Some(0));

    let (spans, metrics, all) = told(&received);
    let call = |tool: &str| {
        let name = format!("tools/call {tool}");
        spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name}: {spans:#?}"))
    };
    let guest = call("proxmox_get_guest");
    assert!(fact(guest, "proxmox_mcp.outcome").contains("done"), "{guest:?}");
    let children: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id == guest.span_id).collect();
    assert!(!children.is_empty());
    assert!(children.iter().all(|span| span.trace_id == guest.trace_id && span.name.starts_with("GET /")));
    assert!(children.iter().any(|span| span.name.contains("{vmid}")), "{children:#?}");
    assert!(children.iter().all(|span| fact(span, "http.response.status_code").contains("200")));
    let shut = call("proxmox_shutdown_vm");
    assert!(fact(shut, "error.type").contains("denied"), "{shut:?}");
    // It is part of the client's trace.
    assert_eq!(shut.trace_id, 0x0af7651916cd43dd8448eb211c80319c_u128.to_be_bytes());
    assert_eq!(shut.parent_span_id, 0xb7ad6b7169203331_u64.to_be_bytes());
    for name in ["proxmox_mcp.call.duration", "proxmox_mcp.request.duration", "proxmox_mcp.refusals"] {
        assert!(metrics.iter().any(|known| known == name), "{name}: {metrics:?}");
    }
    // The resource names the program; neither token nor guest nor node is anywhere.
    assert!(all.contains("proxmox-mcp"));
    for secret in [sim.token().secret.as_str(), "prod-web", "pve1", "/qemu/101"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[test]
fn on_standard_input_too_and_only_where_it_is_asked_for() {
    let sim = Sim::start(Options::instant()).unwrap();
    let (address, received) = collector();
    for (disabled, expected) in [("true", 0), ("false", 1)] {
        let mut command = configured(&sim, &sim.token());
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &address).env("OTEL_SDK_DISABLED", disabled);
        command.env("OTEL_SERVICE_NAME", "my-proxmox");
        let mut client = Client::start(command);
        client.shake_hands("2025-11-25");
        client.call("proxmox_get_nodes", json!({}));
        assert_eq!(client.finish().1, Some(0));
        let (spans, _, all) = told(&received);
        assert_eq!(spans.iter().filter(|span| span.name == "tools/call proxmox_get_nodes").count(), expected);
        assert_eq!(all.contains("my-proxmox"), expected == 1);
    }
}

#[test]
fn traces_and_metrics_are_asked_for_each_by_itself() {
    let sim = Sim::start(Options::instant()).unwrap();
    let (address, received) = collector();
    let own = |path: &str| format!("{address}{path}");
    for (name, value, expected) in [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own("/v1/traces"), (true, false)),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", own("/v1/metrics"), (false, true)),
    ] {
        let mut command = configured(&sim, &sim.token());
        command.env(name, value);
        let mut client = Client::start(command);
        client.shake_hands("2025-11-25");
        client.call("proxmox_get_nodes", json!({}));
        assert_eq!(client.finish().1, Some(0));
        let (spans, metrics, _) = told(&received);
        assert_eq!((!spans.is_empty(), !metrics.is_empty()), expected, "{name}");
    }
    for off in ["OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER"] {
        let mut command = configured(&sim, &sim.token());
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &address).env(off, "none");
        let mut client = Client::start(command);
        client.shake_hands("2025-11-25");
        client.call("proxmox_get_nodes", json!({}));
        assert_eq!(client.finish().1, Some(0));
        let (spans, metrics, _) = told(&received);
        assert_eq!((spans.is_empty(), metrics.is_empty()), (off.contains("TRACES"), off.contains("METRICS")));
    }
}

#[test]
fn a_collector_that_is_not_there_holds_nothing_up() {
    let sim = Sim::start(Options::instant()).unwrap();
    let mut command = configured(&sim, &sim.token());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let mut client = Client::start(command);
    client.shake_hands("2025-11-25");
    assert!(!is_error(&client.call("proxmox_get_nodes", json!({}))));
    assert_eq!(client.finish().1, Some(0));
    let mut command = configured(&sim, &sim.token());
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let output = crate::harness::run(command.arg("tools"));
    assert!(String::from_utf8(output.stderr).unwrap().contains("http/protobuf"));
}
