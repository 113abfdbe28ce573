//! Traces, sent to a collector by OTLP over HTTP (protobuf).
//!
//! Spans of the target [`TARGET`] are for traces alone; they never reach the log. Without a collector none is made.

use super::TraceLayer;
use crate::outbound::{Connector, Tls, over};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::Level;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;

/// The target of spans that are for traces.
pub(crate) const TARGET: &str = "anglerfish::trace";

/// How long one batch may take to be sent.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer of a collector that is read, in bytes.
const ANSWER: usize = 64 * 1024;

/// How long the end of the process waits for the last spans.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Sends the spans that wait when it is dropped, for a second at most.
#[derive(Debug)]
#[must_use = "spans that wait are lost with the process"]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Drop for Traces {
    fn drop(&mut self) {
        // What could not be sent by now is lost; a collector holds nobody up.
        let _ = self.provider.shutdown_with_timeout(LAST_WAIT);
    }
}

/// Makes traces from now on and sends them to the collector at this URL, over TLS as `tls` says if it is an `https` one.
/// The log's `init` takes the layer.
///
/// # Errors
///
/// If the URL is none.
pub fn traces(
    collector: &str,
    tls: Tls,
    runtime: Handle,
) -> Result<(TraceLayer, Traces), ExporterBuildError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Sender::new(tls, runtime))
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TIMEOUT)
        .with_endpoint(endpoint(collector))
        .build()?;
    let resource = Resource::builder()
        .with_service_name("anglerfish")
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("anglerfish"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(Targets::new().with_target(TARGET, Level::TRACE))
        .boxed();
    Ok((layer, Traces { provider }))
}

/// Where a collector takes traces: the path is the specification's unless one is given.
fn endpoint(collector: &str) -> String {
    let bare = collector.trim_end_matches('/');
    let path = bare.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    if path.is_some() { collector.to_owned() } else { format!("{bare}/v1/traces") }
}

/// Lets a span go on the trace that a request's `traceparent` names (W3C Trace Context).
pub(crate) fn follow(span: &tracing::Span, headers: &HeaderMap) {
    if span.is_disabled() || !headers.contains_key(TRACEPARENT) {
        return;
    }
    let context = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    if context.span().span_context().is_valid() {
        // It fails only for a span that is no longer one.
        let _ = span.set_parent(context);
    }
}

/// The same for a trace that an event brought with it, in the attribute of CloudEvents' distributed tracing extension.
pub(crate) fn resume(span: &tracing::Span, extensions: &BTreeMap<String, String>) {
    let Some(parent) = extensions.get(TRACEPARENT) else { return };
    if span.is_disabled() {
        return;
    }
    let context = TraceContextPropagator::new().extract(&Carrier(parent));
    if context.span().span_context().is_valid() {
        let _ = span.set_parent(context);
    }
}

/// What to hand on as `traceparent`: the span that this is called in, or without a collector what came, if it is
/// well-formed.
pub(crate) fn onward(came: Option<&str>) -> Option<String> {
    let propagator = TraceContextPropagator::new();
    let mut context = tracing::Span::current().context();
    if !context.span().span_context().is_valid() {
        context = propagator.extract(&Carrier(came?));
    }
    let mut fields = HashMap::new();
    propagator.inject_context(&context, &mut fields);
    fields.remove(TRACEPARENT)
}

/// The header field, and the attribute of an event, that names a trace.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// One `traceparent` as what a propagator reads from.
struct Carrier<'a>(&'a str);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// The client that batches are sent with. They are made on a thread outside of the runtime, so it has a handle.
#[derive(Debug, Clone)]
struct Sender {
    client: Client<Connector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
}

impl Sender {
    fn new(tls: Tls, runtime: Handle) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        let connector = over(connector, tls);
        // Its own pool lives on the runtime, whatever thread a batch is sent from.
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, runtime }
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let send = async move {
            let response = client.request(request.map(Full::new)).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(parts, body))
        };
        // The timer belongs to the runtime, too, so it is made there.
        self.runtime.spawn(async move { tokio::time::timeout(TIMEOUT, send).await }).await??
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_collector_is_the_specifications_unless_it_has_one() {
        assert_eq!(endpoint("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(endpoint("http://127.0.0.1:4318/"), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(endpoint("https://otel.example/otlp/v1/traces"), "https://otel.example/otlp/v1/traces");
    }

    #[test]
    fn without_a_collector_a_well_formed_trace_is_handed_on_as_it_came() {
        let came = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(onward(Some(came)).as_deref(), Some(came));
        for odd in ["", "00-0-0-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
            assert_eq!(onward(Some(odd)), None, "{odd}");
        }
        assert_eq!(onward(None), None);
    }
}
