//! `/live`, `/ready` and `/metrics`: for those who watch the process.

use super::query::{NoParameters, Query};
use super::{Api, ProblemDetails, fault};
use crate::telemetry::{CLASSIC_TEXT, OPENMETRICS_TEXT, wants_openmetrics};
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
