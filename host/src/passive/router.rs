//! The addresses below `/out`.

use super::access::{OutMetrics, Refusals};
use super::{handler, openapi};
use crate::api::{not_stored, unknown_address, unknown_method};
use crate::delivery::Deliveries;
use axum::{Router, middleware};
use std::fmt;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the addresses below `/out` look at. Cheap to clone.
#[derive(Clone)]
pub struct Out {
    pub(super) deliveries: Deliveries,
    pub(super) refusals: Arc<Refusals>,
}

impl Out {
    /// What is kept in these deliveries.
    #[must_use]
    pub fn new(deliveries: Deliveries, metrics: OutMetrics) -> Self {
        Self { deliveries, refusals: Refusals::new(metrics) }
    }
}

impl fmt::Debug for Out {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Out").finish_non_exhaustive()
    }
}

/// All of them, as they are described too.
pub(super) fn addresses() -> OpenApiRouter<Out> {
    OpenApiRouter::default()
        .routes(routes!(handler::lease))
        .routes(routes!(handler::ack))
        .routes(routes!(handler::nack))
        .routes(routes!(handler::extend))
        .routes(routes!(openapi::serve))
}

/// The addresses below `/out`, each of which asks for a token of its subscription.
pub fn router(out: Out) -> Router {
    Router::from(addresses())
        .fallback(unknown_address)
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::map_response(not_stored))
        .with_state(out)
}
