//! The addresses of the management API.

use super::access::{Access, guard};
use super::{ProblemDetails, body, delivery, event, explain, health, openapi, subscription, trial};
use crate::store::Store;
use crate::subscription::Subscriptions;
use crate::telemetry::{Readiness, Scrape};
use anglerfish_core::request::UnixMillis;
use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, get, post};
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

/// The addresses for everybody. Whoever watches a process seldom has its token, and these say nothing about what the
/// gateway holds.
pub(super) fn open_routes() -> Vec<(&'static str, MethodRouter<Api>)> {
    vec![("/live", get(health::live)), ("/ready", get(health::ready))]
}

/// All other addresses.
pub(super) fn guarded_routes() -> Vec<(&'static str, MethodRouter<Api>)> {
    let one_subscription =
        get(subscription::show).put(subscription::replace).delete(subscription::delete).post(trial::test);
    vec![
        ("/metrics", get(health::metrics)),
        ("/openapi.json", get(openapi::document)),
        ("/v1/events", get(event::list)),
        ("/v1/events/{id}", get(event::show)),
        ("/v1/events/{id}/data", get(event::data)),
        ("/v1/events/{id}/explain", get(explain::explain)),
        ("/v1/events/{id}/replay", post(event::replay)),
        ("/v1/deliveries", get(delivery::list)),
        ("/v1/deliveries/{id}", get(delivery::show)),
        ("/v1/deliveries/{id}/retry", post(delivery::retry)),
        ("/v1/subscriptions", get(subscription::list).post(subscription::create)),
        // A POST is only for `test`; an address of its own would hide a subscription of that name.
        ("/v1/subscriptions/{id}", one_subscription),
    ]
}

/// The management API. `/live` and `/ready` are open, all else is behind `access`.
pub fn router(api: Api, access: Access) -> Router {
    let guarded = collect(guarded_routes())
        .fallback(unknown_address)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(body::LIMIT))
        .layer(middleware::from_fn_with_state(access, guard));
    collect(open_routes())
        .method_not_allowed_fallback(unknown_method)
        .merge(guarded)
        .layer(middleware::map_response(not_stored))
        .with_state(api)
}

fn collect(routes: Vec<(&'static str, MethodRouter<Api>)>) -> Router<Api> {
    routes.into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods))
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
