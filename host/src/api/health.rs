//! `/live`, `/ready` and `/metrics`: for those who watch the process.

use super::query::{NoParameters, Query};
use super::{Api, ProblemDetails, fault};
use crate::telemetry::{CLASSIC_TEXT, OPENMETRICS_TEXT};
use axum::Json as Answer;
use axum::extract::State;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// How long the store may take to say that it works.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the process is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Health {
    /// `live` or `ready`.
    status: &'static str,
}

/// The process answers.
#[utoipa::path(
    get, path = "/live", operation_id = "live", tag = "health", security(()),
    responses((status = 200, description = "It does.", body = Health))
)]
pub(super) async fn live(Query(NoParameters {}): Query<NoParameters>) -> Answer<Health> {
    Answer(Health { status: "live" })
}

/// The gateway can work.
///
/// What holds it back says no more than which part it is.
#[utoipa::path(
    get, path = "/ready", operation_id = "ready", tag = "health", security(()),
    responses(
        (status = 200, description = "It can.", body = Health),
        (status = 503, description = "Something holds it back: `not-ready`, with `reasons`."),
    )
)]
pub(super) async fn ready(
    State(api): State<Api>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<Health>, ProblemDetails> {
    let mut reasons = api.readiness.reasons();
    match tokio::time::timeout(PATIENCE, api.store.check()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!("the gateway is not ready: {error}");
            reasons.push("the store cannot be used".into());
        }
        Err(_) => reasons.push("the store does not answer".into()),
    }
    if reasons.is_empty() {
        return Ok(Answer(Health { status: "ready" }));
    }
    let detail = reasons.join(", ");
    Err(ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", detail).member("reasons", reasons))
}

/// All metrics.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "health",
    responses((
        status = 200, description = "The metrics in the classic text format, or in that of OpenMetrics for those who accept it.",
        content((String = "text/plain"), (String = "application/openmetrics-text"))
    ))
)]
pub(super) async fn metrics(
    State(api): State<Api>,
    Query(NoParameters {}): Query<NoParameters>,
    headers: HeaderMap,
) -> Result<([(http::HeaderName, &'static str); 1], String), ProblemDetails> {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (kind, text) = if accept.into_iter().any(wants_openmetrics) {
        (OPENMETRICS_TEXT, api.scrape.text().await)
    } else {
        (CLASSIC_TEXT, api.scrape.classic().await)
    };
    match text {
        Ok(text) => Ok(([(CONTENT_TYPE, kind)], text)),
        Err(_) => Err(fault::internal("a metric could not be written out")),
    }
}

/// Whether a scraper that accepts this is to be given `OpenMetrics`: it names it, and prefers the classic text by no greater
/// weight (RFC 9110, section 12.5.1).
fn wants_openmetrics(accept: &str) -> bool {
    let weight = |wanted: &str| {
        let kinds = accept.split(',').filter_map(|kind| {
            let mut parts = kind.split(';').map(str::trim);
            let essence = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            let weight = weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0));
            essence.eq_ignore_ascii_case(wanted).then_some(weight)
        });
        kinds.fold(0.0, f32::max)
    };
    let openmetrics = weight("application/openmetrics-text");
    openmetrics > 0.0 && openmetrics >= weight("text/plain")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_it_gets_openmetrics() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert!(wants_openmetrics(prometheus));
        let classic_first = "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5";
        for accept in ["", "*/*", "text/plain", "text/html,application/openmetrics-text;q=0", classic_first] {
            assert!(!wants_openmetrics(accept), "{accept}");
        }
    }
}
