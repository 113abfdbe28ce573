//! The addresses of the management API.

use super::access::{Access, guard};
use super::{ProblemDetails, body, delivery, event, explain, health, subscription, trial};
use crate::store::Store;
use crate::subscription::Subscriptions;
use crate::telemetry::{Readiness, Scrape};
use anglerfish_core::request::UnixMillis;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Method, StatusCode, Uri};
use std::fmt;
use std::sync::Arc;

/// What time it is.
pub type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// What the management API looks at and changes. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The log and the deliveries.
    pub store: Arc<dyn Store>,
    /// The subscriptions.
    pub subscriptions: Subscriptions,
    /// What holds the gateway back.
    pub readiness: Readiness,
    /// The metrics.
    pub scrape: Arc<Scrape>,
    /// The clock.
    pub clock: Clock,
}

impl fmt::Debug for Api {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    pub(super) fn now(&self) -> UnixMillis {
        (self.clock)()
    }
}

/// The management API.
///
/// `/live` and `/ready` are open: whoever watches a process seldom has its token, and they say nothing about what the
/// gateway holds. All else is behind `access`.
pub fn router(api: Api, access: Access) -> Router {
    let open = Router::new().route("/live", get(health::live)).route("/ready", get(health::ready));
    let guarded = Router::new()
        .route("/metrics", get(health::metrics))
        .route("/v1/events", get(event::list))
        .route("/v1/events/{id}", get(event::show))
        .route("/v1/events/{id}/data", get(event::data))
        .route("/v1/events/{id}/explain", get(explain::explain))
        .route("/v1/events/{id}/replay", post(event::replay))
        .route("/v1/deliveries", get(delivery::list))
        .route("/v1/deliveries/{id}", get(delivery::show))
        .route("/v1/deliveries/{id}/retry", post(delivery::retry))
        .route("/v1/subscriptions", get(subscription::list).post(subscription::create))
        .route(
            "/v1/subscriptions/{id}",
            // A POST is only for `test`, which would else hide a subscription of that name.
            get(subscription::show).put(subscription::replace).delete(subscription::delete).post(trial::test),
        )
        .fallback(unknown_address)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(body::LIMIT))
        .layer(middleware::from_fn_with_state(access, guard));
    open.method_not_allowed_fallback(unknown_method)
        .merge(guarded)
        .layer(middleware::map_response(not_stored))
        .with_state(api)
}

async fn unknown_address(uri: Uri) -> ProblemDetails {
    ProblemDetails::not_found("unknown-address", format!("there is nothing at `{}`", uri.path()))
}

async fn unknown_method(method: Method) -> ProblemDetails {
    ProblemDetails::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        format!("`{method}` is not for this address"),
    )
}

/// Answers tell how things are at this moment, and may hold what others must not read from a cache.
async fn not_stored<B>(mut response: http::Response<B>) -> http::Response<B> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
