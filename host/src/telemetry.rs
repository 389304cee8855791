//! Traces and metrics for an OpenTelemetry collector, where the standard variables name one. They say which
//! tool was called, which methods of the API it used, how that ended and how long it took: no arguments, no
//! paths with names in them, no texts.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt, Full, Limited};
use opentelemetry::metrics::{Counter, Histogram, MeterProvider};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use proxmox_api::Method;

use crate::egress::{self, Collector};

const NAME: &str = "proxmox-mcp";
/// How long the collector may take for each answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The most that is read of an answer of the collector, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// The variables of one kind of what is told; those of OTLP count for each that has none of its own.
struct Signal {
    exporter: &'static str,
    endpoint: &'static str,
    protocol: &'static str,
}

const TRACES: Signal = Signal {
    exporter: "OTEL_TRACES_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
};
const METRICS: Signal = Signal {
    exporter: "OTEL_METRICS_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
};
const DISABLED: &str = "OTEL_SDK_DISABLED";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";

/// What is counted and timed.
pub struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    tracer: SdkTracer,
    calls: Histogram<f64>,
    requests: Histogram<f64>,
    refusals: Counter<u64>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telemetry")
    }
}

impl Telemetry {
    /// What the standard variables ask for; `None` where they name no collector. Needs the runtime.
    ///
    /// # Errors
    /// Where they ask for what there is not here.
    pub fn start() -> Result<Option<Self>> {
        let set = |name: &str| std::env::var(name).ok();
        let (wants_traces, wants_metrics) = (wanted(&TRACES, set)?, wanted(&METRICS, set)?);
        if !wants_traces && !wants_metrics {
            return Ok(None);
        }
        let client = Client { collector: egress::collector()?, runtime: tokio::runtime::Handle::current() };
        let resource = resource();
        // Without an exporter, what is noted goes nowhere.
        let mut traces = SdkTracerProvider::builder().with_resource(resource.clone());
        if wants_traces {
            let spans = SpanExporter::builder().with_http().with_http_client(client.clone()).build();
            let spans = spans.context("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used for traces")?;
            traces = traces.with_batch_exporter(spans);
        }
        let mut metrics = SdkMeterProvider::builder().with_resource(resource);
        if wants_metrics {
            let figures = MetricExporter::builder().with_http().with_http_client(client).build();
            let figures = figures.context("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used for metrics")?;
            metrics = metrics.with_periodic_exporter(figures);
        }
        let (traces, metrics) = (traces.build(), metrics.build());
        let meter = metrics.meter(NAME);
        Ok(Some(Self {
            tracer: traces.tracer(NAME),
            calls: meter.f64_histogram("proxmox_mcp.call.duration").with_unit("s").build(),
            requests: meter.f64_histogram("proxmox_mcp.request.duration").with_unit("s").build(),
            refusals: meter.u64_counter("proxmox_mcp.refusals").build(),
            traces,
            metrics,
        }))
    }

    /// A call that begins, as part of the client's trace where it named one (`traceparent`).
    pub(crate) fn call(&self, parent: Option<&str>) -> Span {
        let carried: HashMap<String, String> =
            parent.map(|parent| ("traceparent".to_owned(), parent.to_owned())).into_iter().collect();
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &carried);
        let span = self.tracer.span_builder("tools/call").with_kind(SpanKind::Server);
        Span(Context::new().with_span(span.start_with_context(&self.tracer, &parent)))
    }

    /// A call that came to its end.
    pub(crate) fn call_ended(&self, span: &Span, tool: &str, token: Option<&str>, end: &End<'_>) {
        let mut facts = vec![
            KeyValue::new("mcp.method.name", "tools/call"),
            KeyValue::new("gen_ai.tool.name", tool.to_owned()),
            KeyValue::new("proxmox_mcp.outcome", end.outcome.to_owned()),
        ];
        facts.extend(end.kind.map(|kind| KeyValue::new("error.type", kind.to_owned())));
        facts.extend(token.map(|token| KeyValue::new("proxmox_mcp.token", token.to_owned())));
        self.calls.record(end.lasted.as_secs_f64(), &facts);
        let span = span.0.span();
        span.update_name(format!("tools/call {tool}"));
        if let Some(kind) = end.kind {
            span.set_status(Status::error(kind.to_owned()));
        }
        span.set_attributes(facts);
        span.end();
    }

    /// A request to Proxmox VE that begins.
    pub(crate) fn request(&self, call: &Span, method: &Method) -> Span {
        let name = format!("{} {}", method.verb.as_str(), method.path);
        let span = self.tracer.span_builder(name).with_kind(SpanKind::Client);
        let span = span.with_attributes(of_method(method));
        Span(Context::new().with_span(span.start_with_context(&self.tracer, &call.0)))
    }

    /// A request that was answered, or, without a status, was not.
    pub(crate) fn request_ended(&self, span: &Span, method: &Method, status: Option<u16>, lasted: Duration) {
        let fact = match status {
            Some(status) => KeyValue::new("http.response.status_code", i64::from(status)),
            None => KeyValue::new("error.type", "unanswered"),
        };
        let mut facts = of_method(method);
        facts.push(fact.clone());
        self.requests.record(lasted.as_secs_f64(), &facts);
        let span = span.0.span();
        if status.is_none_or(|status| status >= 400) {
            span.set_status(Status::error(""));
        }
        span.set_attribute(fact);
        span.end();
    }

    /// A request that was refused.
    pub(crate) fn refused(&self, code: &str) {
        self.refusals.add(1, &[KeyValue::new("proxmox_mcp.refusal", code.to_owned())]);
    }

    /// Sends what has not been sent yet, and nothing more. It blocks for as long as the collector takes.
    pub fn end(&self) {
        for ended in [self.traces.shutdown(), self.metrics.shutdown()] {
            if let Err(error) = ended {
                tracing::warn!(%error, "the last traces and metrics may be lost");
            }
        }
    }
}

/// Something that lasts.
#[derive(Clone, Debug)]
pub(crate) struct Span(Context);

/// How a call ended.
pub(crate) struct End<'a> {
    pub(crate) outcome: &'a str,
    pub(crate) kind: Option<&'a str>,
    pub(crate) lasted: Duration,
}

fn of_method(method: &Method) -> Vec<KeyValue> {
    vec![
        KeyValue::new("http.request.method", method.verb.as_str()),
        KeyValue::new("url.template", method.path),
    ]
}

/// Whether a collector is named for this, and in a protocol that is spoken here.
fn wanted(signal: &Signal, set: impl Fn(&str) -> Option<String>) -> Result<bool> {
    let value = |name: &str| set(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let says = |name: &str, word: &str| value(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    let named = value(ENDPOINT).is_some() || value(signal.endpoint).is_some();
    if says(DISABLED, "true") || says(signal.exporter, "none") || !named {
        return Ok(false);
    }
    let protocol = [signal.protocol, PROTOCOL].into_iter().find_map(|name| Some((name, value(name)?)));
    match protocol {
        Some((name, other)) if other != "http/protobuf" => bail!(
            "{name} is `{other}`; proxmox-mcp speaks http/protobuf. Set it to that, and OTEL_EXPORTER_OTLP_ENDPOINT to \
             the collector's address for it (usually port 4318)."
        ),
        _ => Ok(true),
    }
}

fn resource() -> Resource {
    let named = Resource::builder().build();
    let unnamed =
        named.get(&"service.name".into()).is_none_or(|name| name.as_str().starts_with("unknown_service"));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    if unnamed { builder.with_service_name(NAME).build() } else { builder.build() }
}

/// The way to the collector, for threads that the library has of its own.
#[derive(Clone)]
struct Client {
    collector: Collector,
    runtime: tokio::runtime::Handle,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let collector = self.collector.clone();
        let exchange = self.runtime.spawn(async move {
            let answer = collector.request(request.map(Full::new)).await?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        });
        let abort = exchange.abort_handle();
        let late = self.runtime.spawn(async move {
            tokio::time::sleep(ANSWER_WITHIN).await;
            abort.abort();
        });
        let answer = exchange.await;
        late.abort();
        answer?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_has_to_be_named_and_spoken_to() {
        let named = (ENDPOINT, "http://localhost:4318");
        let both = |set: &[(&str, &str)]| {
            let set = |name: &str| Some(set.iter().find(|(known, _)| *known == name)?.1.to_owned());
            [&TRACES, &METRICS].map(|signal| wanted(signal, set).map_err(|error| error.to_string()))
        };
        for (set, expected) in [
            (vec![], [false, false]),
            (vec![(ENDPOINT, " ")], [false, false]),
            (vec![named], [true, true]),
            (vec![named, (DISABLED, "TRUE")], [false, false]),
            (vec![named, (PROTOCOL, "http/protobuf")], [true, true]),
            (vec![named, (TRACES.exporter, "none")], [false, true]),
            (vec![named, (METRICS.exporter, "none"), (METRICS.protocol, "grpc")], [true, false]),
            (vec![(TRACES.endpoint, "http://localhost:4318/v1/traces")], [true, false]),
            (vec![(METRICS.endpoint, "http://localhost:4318/v1/metrics")], [false, true]),
            (vec![(PROTOCOL, "grpc")], [false, false]),
        ] {
            assert_eq!(both(&set), expected.map(Ok), "{set:?}");
        }
        let [refused, _] = both(&[named, (PROTOCOL, "grpc"), (METRICS.protocol, "http/protobuf")]);
        let refused = refused.unwrap_err();
        assert!(refused.contains("http/protobuf") && refused.contains("4318"), "{refused}");
        let [traces, metrics] = both(&[named, (METRICS.protocol, "grpc")]);
        assert_eq!(traces, Ok(true));
        assert!(metrics.unwrap_err().starts_with("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL is `grpc`"));
    }
}
